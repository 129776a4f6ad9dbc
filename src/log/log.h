/* log/log.h: the durable log: topics of partitions, one journal, segments of Kafka RecordBatch v2 behind it.
 *
 * The path of a record that must be durable:
 *   lane builds a COMMIT (batches for any of its partitions) -- submit --> journal agent: gathers every commit that
 * arrived while the last sync ran, of all lanes, into one frame: one write, one sync --> the lane sees the commit
 * durable, in order --> the lane adds outputs, releases replies, gives the commit back --> store agent writes the
 * batches (inputs and outputs) to their segments, only then moves the high watermarks --> keeper agent syncs segments,
 * paced, and checkpoints; journal files whose every frame is checkpointed are recycled in place (already written, so
 * that no commit ever grows a file).
 *
 * Kinds of partition:
 *   journaled  inputs and plain topics: batches go to the journal, then to segments.
 *   derived    a service's outputs: segments only; after a crash they end at their checkpoint and the host derives the
 *              missing tail again from the inputs.
 *   lazy       plain topics: segments only, synced by the keeper. A crash loses a tail; no offset is given twice.
 *   memory     plain topics and outputs: segments in memory only, the oldest make room. A restart loses everything; of
 *              a plain one no offset is given twice.
 * Lazy and memory partitions that are not derived are called loose below: what follows for their offsets stands at
 * LOG_LOOSE_AHEAD.
 *
 * Threads: the owner lane of a partition (partition->uid % lanes) is its only appender. Reading is allowed from any
 * thread. Three agents run inside: journal, store, keeper (started by log_start; in the simulator the scheduler runs
 * them). Memory: everything sized at log_open from options; nothing allocated per record or per commit.
 *
 * On disk (formats with their version and procedure to change them: journal.h, segment.h, catalogue.h, checkpoint.h):
 *   FORMAT  LOCK  catalogue  checkpoint  journal/J-<number>  topics/<topic>/<partition>/<base offset, 20 digits>.log
 *
 * Rules that must hold (the log chapter of the design) are listed beside the code that keeps them, and each has a test
 * that breaks it.
 */
#ifndef WEIR_LOG_LOG_H
#define WEIR_LOG_LOG_H
#include "sys/sys.h"
#include <stdatomic.h>

#define LOG_TOPIC_NAME_MAX 127 /* [a-zA-Z0-9._-]+, not "." or ".." */
#define LOG_LANES_MAX      64

#define LOG_MEMORY_BYTES_MIN     (64u << 10)
#define LOG_MEMORY_BYTES_DEFAULT (16u << 20) /* of a memory partition whose retention_bytes is 0 */

/* How far the offsets of a loose partition may run ahead of its last checkpoint, and how far they are moved on by a
 * start that may have lost records: further than any that was given can be, so that none is given to two records. The
 * new ones begin at the next multiple of it. */
#define LOG_LOOSE_AHEAD ((uint64_t)1 << 32)

enum log_durability { LOG_DURABLE = 0, LOG_LAZY = 1, LOG_MEMORY = 2, LOG_DURABILITIES };
const char *log_durability_name(enum log_durability durability); /* "durable", "lazy", "memory" */
/* False: there is none of that name. */
bool log_durability_parse(struct weir_slice name, enum log_durability *ret_durability);

/* What batches are stored as. A batch that came compressed is kept as it came, except by NONE. */
enum log_compression {
    LOG_COMPRESSION_PRODUCER = 0, /* as it was sent */
    LOG_COMPRESSION_NONE,         /* the appender brings it plain */
    LOG_COMPRESSION_LZ4,
    LOG_COMPRESSION_ZSTD,
    LOG_COMPRESSIONS
};
const char *log_compression_name(enum log_compression compression); /* "producer", "none", "lz4", "zstd" */
bool log_compression_parse(struct weir_slice name, enum log_compression *ret_compression);
/* Of a batch decompressed: more is refused when it is appended, so that every reader knows how much room it needs. */
#define LOG_PLAIN_BYTES_MAX (8u << 20)

struct log_topic_config {
    enum log_durability durability;
    enum log_compression compression;
    uint64_t retention_bytes; /* per partition, 0: keep all. Of memory: its size, at least LOG_MEMORY_BYTES_MIN */
    uint64_t retention_ms;    /* 0: keep all */
    uint64_t segment_bytes;   /* 0: the log's default */
    bool derived;             /* a service's output */
    bool internal;            /* owned by a service: clients may not write, delete or alter it */
};

struct shared_pool;
struct log_options {
    const char *folder;
    uint32_t lanes;              /* writers, 1..LOG_LANES_MAX */
    uint32_t partitions_max;     /* default 4096 */
    uint64_t journal_bytes_max;  /* hard bound, default 256 MB; checkpoints speed up at 75 %, FULL at 100 % */
    uint64_t journal_file_bytes; /* default 16 MB */
    uint64_t segment_bytes;      /* default 128 MB */
    uint32_t commits_per_lane;   /* commits that may be under way, default 32 */
    uint32_t commit_bytes_max;   /* journaled bytes of one commit, default 4 MB */
    uint32_t output_bytes_max;   /* derived bytes of one commit, default 16 MB, address space only until touched */
    uint32_t batch_bytes_max;    /* one RecordBatch, default 1 MB + overhead */
    uint64_t checkpoint_bytes;   /* journal bytes between checkpoints in calm weather, default 4 MB */
    uint64_t memory_bytes_max;   /* of all memory topics together, default 1 GB; a topic beyond it is refused */
    uint64_t disk_reserve_bytes; /* commits are refused (NO_SPACE) when less is free, default 64 MB */
    enum sys_commit_path journal_write; /* how frames are made durable, default SYNC */
    struct shared_pool *pool;           /* helps to compress; runs longer than the log. NULL: none */
    bool read_only;                     /* offline tools: no lock for writing, no recovery writes */
};
void log_options_default(struct log_options *options);

struct log;
/* Owned by the log; stable address for its life. Fields other threads may read are atomic. */
struct log_partition {
    uint32_t uid;   /* dense, never reused, the identity in journal and checkpoint */
    uint32_t index; /* within its topic */
    struct log_topic *topic;
    _Atomic uint64_t start;        /* first offset stored */
    _Atomic uint64_t high;         /* high watermark: records below it are in segments and may be read */
    _Atomic uint64_t durable;      /* inputs: what may be acknowledged is below it, and in segments soon if not yet */
    _Atomic uint64_t checkpointed; /* records below it are synced in segments and need no journal */
    _Atomic uint64_t hold;  /* retention may not pass it (host: last good snapshot, 0 at first); UINT64_MAX: no hold */
    _Atomic uint64_t bytes; /* stored in segments */
    uint64_t next;          /* owner lane only: the next offset to be given (durable or not) */
    uint64_t resumed;       /* loose: the first offset that this run of the log may give. Below it may be a gap */
    void *host;             /* the host's own, set once before start */
};
/* Where the partition ends for who was told that a record is there: at `high`, or beyond it for a moment. */
static inline uint64_t log_partition_end(const struct log_partition *p) {
    uint64_t durable = atomic_load_explicit(&p->durable, memory_order_acquire);
    uint64_t high = atomic_load_explicit(&p->high, memory_order_acquire);
    return durable > high ? durable : high;
}
/* What log_topic_alter and log_topic_grow change under readers: the retentions and segment_bytes, each by itself, by
 * log_topic_setting; the partitions, which only become more. Who needs the same count twice reads it once. */
struct log_topic {
    char name[LOG_TOPIC_NAME_MAX + 1];
    struct log_topic_config config;
    _Atomic uint32_t partition_count;
    struct log_partition **_Atomic partitions; /* at least as many as the count that was read before it */
};
/* One of config's numbers that may change meanwhile. */
static inline uint64_t log_topic_setting(const uint64_t *number) {
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)number, memory_order_relaxed);
}

/* What recovery found; filled by log_open. */
struct log_recovery {
    uint64_t frames, journal_bytes; /* accepted */
    uint64_t torn_bytes;            /* cut from the end: a last frame that was never acknowledged */
    uint64_t records, segment_bytes_discarded;
    uint64_t lazy_records; /* of lazy topics, found behind the checkpoint and kept */
    uint64_t elapsed_ns;
    bool clean; /* the last stop was clean */
};

/* Opens or creates the folder, takes its lock, recovers: the accepted journal tail is copied to a new journal epoch and
 * synced before log_open returns; segments are cut to their checkpointed length and rebuilt from it. CONFIG: the disk
 * or the system does not allow options->journal_write; nothing was changed. LOCKED (names the
 * holder's process), VERSION (newer format), CORRUPT (names file, byte, and the repair command; nothing is cut),
 * PERMISSION, NO_SPACE, IO. */
WEIR_MUST enum weir_error log_open(struct sys *sys, const struct log_options *options, struct log **ret_log);
const struct log_recovery *log_recovered(const struct log *log);
enum sys_commit_path log_journal_write(const struct log *log); /* as in options */
WEIR_MUST enum weir_error log_start(struct log *log);          /* starts the agents */
void log_stop(struct log *log); /* drains: all released commits stored, synced, checkpointed; clean mark */
void log_close(struct log *log);

/* ---- topics: control plane. One thread at a time (start-up, or the host's background agent); blocks on the disk.
 * --------- */
WEIR_MUST enum weir_error log_topic_create(struct log *log, const char *name, uint32_t partitions,
    const struct log_topic_config *config,
    struct log_topic **ret_topic); /* EXISTS with the topic set when it is there */
WEIR_MUST enum weir_error log_topic_delete(struct log *log, const char *name);
/* Another retention or segment size, which counts from now on; durable when it returns, as it was after an error.
 * INVALID: anything else of config differs, or it is a memory topic, whose room was taken when it was made. */
WEIR_MUST enum weir_error log_topic_alter(struct log *log, const char *name, const struct log_topic_config *config);
/* More partitions, empty ones behind those that are there; durable before anyone can find them. INVALID: it has so many
 * already. FULL. */
WEIR_MUST enum weir_error log_topic_grow(struct log *log, const char *name, uint32_t partitions);
uint64_t log_segment_bytes(const struct log *log);                   /* of a topic whose config says 0 */
struct log_topic *log_topic_find(struct log *log, const char *name); /* any thread; NULL: none */
uint32_t log_topic_count(const struct log *log);                     /* any thread */
struct log_topic *log_topic_at(struct log *log, uint32_t i);         /* any thread; NULL for a deleted one */
WEIR_MUST enum weir_error log_producer_id_new(struct log *log, uint64_t *ret_id); /* unique for the folder's life */

/* ---- writing: one writer per lane, used by that lane's thread only
 * ------------------------------------------------------ */
struct log_writer;
struct log_commit {
    uint64_t sequence;  /* of this lane */
    uint64_t submit_ns; /* mono time at submit; durable_ns when the sync returned; for histograms */
    uint64_t durable_ns;
    uint32_t batch_count; /* journaled batches, in append order per partition */
    void *host;           /* the host's own */
};
struct log_record { /* as appended and as read; slices are borrowed */
    uint64_t time_ms;
    struct weir_slice key, value;               /* key.data NULL: no key */
    struct weir_slice header_key, header_value; /* at most one header; header_key.data NULL: none */
};

/* wake_poller is woken when a commit became durable or a commit was freed. */
WEIR_MUST enum weir_error log_writer_open(
    struct log *log, uint32_t lane, int wake_poller, struct log_writer **ret_writer);

/* An empty commit to build. AGAIN: all are under way. FULL: the journal is at its bound. NO_SPACE: the disk reserve is
 * reached. */
WEIR_MUST enum weir_error log_commit_begin(struct log_writer *writer, struct log_commit **ret_commit);
/* The same for outputs of records that were accepted before: these are what the disk reserve is kept for. Nothing may
 * be appended to it. */
WEIR_MUST enum weir_error log_commit_begin_outputs(struct log_writer *writer, struct log_commit **ret_commit);
/* Commits that can be begun beside the one that is open, the journal's room aside. */
uint32_t log_writer_left(const struct log_writer *writer);
/* Adds a record to the partition's batch in this commit (LogAppendTime; batches are closed and opened as needed).
 * TOO_LARGE: can never fit. AGAIN: this commit is full, submit it first. FULL: a loose partition is LOG_LOOSE_AHEAD
 * records ahead of its checkpoint. The offset is final unless the process dies. */
WEIR_MUST enum weir_error log_commit_append(
    struct log_commit *commit, struct log_partition *partition, const struct log_record *record, uint64_t *ret_offset);
/* Adds a ready RecordBatch v2 (validated by the caller with record_batch_validate): base offset and leader epoch are
 * patched, and when append_time_ms != 0 the time is set (CRC recomputed). Producer id/epoch/sequence are checked:
 * DUPLICATE with the first offset it had, OUT_OF_SEQUENCE, FENCED. */
WEIR_MUST enum weir_error log_commit_append_batch(struct log_commit *commit, struct log_partition *partition,
    struct weir_slice batch, uint64_t append_time_ms, uint64_t *ret_base_offset);
uint64_t log_commit_bytes(const struct log_commit *commit); /* journaled so far */
uint64_t log_commit_room(const struct log_commit *commit);  /* journaled bytes that still fit */
/* Closes the batches (CRC) and hands the commit to the journal agent. A commit without batches is durable at once, in
 * order; so is one whose batches are all of loose partitions: it waits for a sync that runs, and needs none. */
void log_commit_submit(struct log_commit *commit);
/* The i-th journaled batch after submit: its bytes stay valid until release. */
void log_commit_batch(
    const struct log_commit *commit, uint32_t i, struct log_partition **ret_partition, struct weir_slice *ret_batch);
/* The oldest submitted commit if it is durable, else NULL. Each is returned once, in order of submission. */
struct log_commit *log_writer_durable(struct log_writer *writer);

/* Outputs: records of derived partitions, added any time between submit and release of the commit that carries them
 * (usually that of their cause). Returns room for `size` value bytes, to be filled before the next call; NULL when the
 * commit's output room is used up (the caller checks log_commit_output_room first). The record's offset is
 * partition->next++. */
uint8_t *log_commit_output(struct log_commit *commit, struct log_partition *partition, uint64_t time_ms,
    struct weir_slice key, struct weir_slice header_key, struct weir_slice header_value, size_t size);
uint64_t log_commit_output_room(const struct log_commit *commit);
/* Closed output batches for pushing to subscribers: iterates from *cursor (start at 0); closes open batches first.
 * False: no more. */
bool log_commit_output_batch(
    struct log_commit *commit, uint32_t *cursor, struct log_partition **ret_partition, struct weir_slice *ret_batch);
/* After it is durable: to the store agent; the memory may not be used any more. */
void log_commit_release(struct log_commit *commit);

/* ---- reading: any thread, never a lane on cold data. Batches come as they are stored: perhaps compressed
 * ------------------------------------------------------------------------ */
/* Whole batches from the one that contains `offset`, at most size bytes (at least one batch if it fits: TOO_LARGE tells
 * its size in *ret_size), below the high watermark. Offsets of a loose partition that a crash took are passed over: the
 * first batch then begins behind `offset`. *ret_size 0: nothing there yet; go on from `offset`, or from `resumed` where
 * that is larger. OUT_OF_RANGE: below start or above high. CORRUPT: names the segment and byte, never serves bad bytes
 * (each batch's CRC is checked when verify is set).
 */
WEIR_MUST enum weir_error log_read(struct log *log, struct log_partition *partition, uint64_t offset, bool verify,
    void *data, size_t size, size_t *ret_size);
/* First offset whose batch time is >= time_ms; high when none. */
WEIR_MUST enum weir_error log_offset_at(
    struct log *log, struct log_partition *partition, uint64_t time_ms, uint64_t *ret_offset);

/* Wakes the poller once, when more than now may be read of any partition. To miss nothing, look at `high` after it. For
 * one caller (the newest one is woken); from any thread until log_stop(), before which the poller must not be closed.
 */
void log_wake_when_stored(struct log *log, int poller);

/* ---- pacing
 * ---------------------------------------------------------------------------------------------------------------------
 */
void log_checkpoint_soon(struct log *log); /* any thread: sync and checkpoint what is stored now, e.g. for a snapshot */
/* Sets the partition's offsets when a recovery or import demands it (derived partitions only, before start): the next
 * output offset. */
WEIR_MUST enum weir_error log_partition_set_next(struct log_partition *partition, uint64_t next);

/* Counters for /metrics: registers log_* rows (see base/metric.h). */
struct metric_registry;
void log_metrics(struct log *log, struct metric_registry *registry);

/* ---- offline tools: the folder must not be in use
 * --------------------------------------------------------------------------------- */
struct log_finding {
    const char *path;
    uint64_t byte;
    enum weir_error error; /* OK: information only */
    const char *text;      /* what it is and what to do */
};
typedef void (*log_finding_fn)(void *ctx, const struct log_finding *finding);
/* Reads everything: every frame, batch, checksum, offset density, checkpoint. CORRUPT if anything is wrong. */
WEIR_MUST enum weir_error log_verify(struct sys *sys, const char *folder, log_finding_fn fn, void *ctx);
/* Moves damaged bytes to <folder>/quarantine/ and leaves the longest correct log; reports what was given up (offset
 * ranges). */
WEIR_MUST enum weir_error log_repair(struct sys *sys, const char *folder, log_finding_fn fn, void *ctx);
/* Every frame/batch header (and records with values when deep) as text lines. */
typedef void (*log_line_fn)(void *ctx, const char *line);
WEIR_MUST enum weir_error log_dump(struct sys *sys, const char *path, bool deep, log_line_fn fn, void *ctx);

#endif
