/* log/journal.h: the one journal: the agent that gathers commits into frames, and its files.
 *
 * Files have a fixed size and are written in full before they are used (a commit that grows a file costs about twice
 * one that does not). They go round: the keeper makes them ready, the journal agent takes one when the current is full,
 * the keeper takes it back when every batch in it is in synced segments and the checkpoint says so.
 *
 *   keeper -- ready --> journal agent -- in use --> keeper
 *
 * When none is ready the agent makes one itself, which is slower and counted, never wrong. The first file of a new
 * folder is small (JOURNAL_FIRST_BYTES), so that the folder serves at once.
 *
 * A frame is made durable in the way log_options.journal_write says (enum sys_commit_path). Whichever it is, a frame is
 * whole blocks of JOURNAL_BLOCK of its own, zeros behind its payload included. So O_DIRECT needs no copy and no padding
 * of its own; and as no write ever touches a block of a frame before it, a write that tears can't damage what was
 * acknowledged. O_DSYNC makes durable only what it writes, not the file: that is enough because a file's zeros and its
 * name are synced before it is ready (where not, the file grows, and O_DSYNC covers the size that the bytes need).
 * Recovery reads through the page cache; frames past it leave no stale page there, and the zeros were synced before.
 *
 * Rules kept here: frame k + 1 is written after the sync of k returned. A write or sync that fails is final: no commit
 * is acknowledged after it, and the process ends.
 */
#ifndef WEIR_LOG_JOURNAL_H
#define WEIR_LOG_JOURNAL_H
#include "base/metric.h"
#include "base/ring.h"
#include "log/journal_format.h"
#include "log/log.h"

struct commit;

#define JOURNAL_FIRST_BYTES (256u << 10)

struct journal_file {
    uint32_t number;
    int file;          /* for the keeper, which writes it ahead, and for recovery */
    int commit_file;   /* for frames: the same, or one of its own when they go past the page cache */
    uint64_t capacity; /* frames end at or before it */
    /* journal agent, published with the in-use ring */
    uint64_t first_sequence; /* of the first frame that may matter in it, */
    uint32_t first_previous_crc;
    uint64_t first_offset;     /* which stands here */
    _Atomic uint32_t unstored; /* commits in its frames that are not in segments yet */
    _Atomic uint64_t charged;  /* bytes it adds to journal->used */
};

struct journal {
    struct log *log;
    int poller;
    /* journal agent */
    struct journal_epoch epoch;
    uint64_t next_sequence;
    uint32_t last_crc;
    struct journal_file *current; /* NULL: the next frame takes one */
    uint64_t offset;
    uint8_t *frame;
    size_t frame_max;
    struct commit **gathered;
    uint32_t gathered_count, gathered_max;
    uint32_t lane_turn;
    _Atomic bool settled; /* the folder's skeleton is durable */
    /* A cut (cut.h): who wants one raises wanted, under the control lock; the agent takes it between two frames. */
    _Atomic uint64_t cut_wanted, cut_taken, cut_sequence;
    /* shared */
    struct slot_ring ready, in_use; /* of struct journal_file * */
    void *ring_memory;
    struct journal_file *files;
    uint32_t files_max; /* slots in files[] */
    _Atomic uint32_t file_count, next_number;
    _Atomic uint64_t used;     /* bytes from the oldest file in use to the head, unused ends included */
    _Atomic uint64_t reserved; /* promised to commits that are not in a frame yet */
    _Atomic uint64_t appended; /* bytes written as frames since start */
    struct metric_counter frames, commits, bytes, grown, write_path;
    struct metric_histogram write_ns, sync_ns, frame_bytes_histogram;
};

/* Sizes everything from log->options. NO_MEMORY. */
WEIR_MUST enum weir_error log_journal_init(struct journal *j, struct log *log);
void log_journal_done(struct journal *j); /* accepts a zeroed one; closes the files */
uint32_t log_journal_work(void *journal, uint64_t block_ns);

/* Writes and removes a small file in the way frames will be written. CONFIG: it can't be done here; what to do. */
WEIR_MUST enum weir_error log_journal_probe(struct journal *j);
/* A slot for a file opened as `number`. FULL when there are more files than slots. */
WEIR_MUST enum weir_error log_journal_file_add(
    struct journal *j, uint32_t number, int file, uint64_t capacity, struct journal_file **ret_file);
/* Creates and opens journal/J-number with content that is not there yet; the folder entry is not synced. */
WEIR_MUST enum weir_error log_journal_file_create(struct journal *j, uint32_t *ret_number, int *ret_file);
/* Writes zeros from..to. */
WEIR_MUST enum weir_error log_journal_file_zero(struct journal *j, int file, uint64_t from, uint64_t to);
/* Puts a file in use, from `offset` on, as the current one. Journal agent, or before start. */
void log_journal_file_use(struct journal *j, struct journal_file *f, uint64_t offset);
/* Writes one sealed frame to the current file, or to the next when it does not fit; not synced. For recovery. */
WEIR_MUST enum weir_error log_journal_put(struct journal *j, size_t frame_size);

#endif
