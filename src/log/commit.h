/* log/commit.h: a commit from inside, and the four queues between its lane and the agents.
 *
 * A commit's memory is two stretches of address space, inputs and outputs, from which batches are carved as chunks: the
 * last chunk of a stretch grows in place, others are closed when full and followed by one twice as large (512 bytes to
 * 64 KB), so that a thousand partitions with a record each cost little and one partition with a thousand records makes
 * few batches. Finding a partition's open batch costs a comparison (partition->open_stamp).
 *
 *   lane -- submitted --> journal agent -- durable --> lane -- released --> store agent -- freed --> lane
 */
#ifndef WEIR_LOG_COMMIT_H
#define WEIR_LOG_COMMIT_H
#include "base/bytes.h"
#include "base/ring.h"
#include "log/log.h"
#include "wire/record_batch.h"

struct journal_file;
struct partition;

#define COMMIT_CHUNK_MIN 512u
#define COMMIT_CHUNK_MAX (64u << 10)

struct commit_batch {
    struct partition *partition;
    struct commit_batch *next; /* store agent: the partition's next batch to be written */
    uint8_t *bytes;
    uint32_t size; /* 0 until closed */
    uint32_t capacity;
    struct weir_slice stored; /* store agent: what is written of it: itself, or compressed; data NULL: not decided */
    uint64_t time_ms;         /* inputs: of every record in it (log append time) */
    struct weir_record_builder builder;
};
struct commit_area {
    uint8_t *bytes;
    uint64_t used, size;
    struct commit_batch *batches;
    uint32_t count, max;
    uint32_t closed; /* batches before it are closed */
};

static inline uint64_t commit_batch_end(const struct commit_batch *b) {
    return load_be64(b->bytes) + load_be32(b->bytes + WEIR_BATCH_AT_LAST_OFFSET_DELTA) + 1;
}

enum commit_state { COMMIT_FREE, COMMIT_OPEN, COMMIT_SUBMITTED, COMMIT_DURABLE, COMMIT_RELEASED };
struct commit {
    struct log_commit commit; /* first: a struct log_commit * is one of these */
    struct log_writer *writer;
    struct journal_file *file; /* journal agent: whose frame holds it; NULL: nothing of it is journaled */
    struct commit_area input, output;
    uint64_t stamp;     /* unique in the process: tells this use of the memory from others */
    uint64_t reserved;  /* journal bytes promised to it */
    uint32_t journaled; /* batches of it that go to the journal, known from submit on */
    enum commit_state state;
};

struct log_writer {
    struct log *log;
    uint32_t lane;
    int wake_poller;
    struct slot_ring submitted, durable, released, freed; /* of struct commit * */
    void *ring_memory;
    /* lane's thread only */
    struct commit *commits;
    uint32_t commit_count;
    struct commit **free; /* the one freed last is used first: its memory is warm */
    uint32_t free_count;
    struct commit *open;
    uint64_t next_sequence;
    /* for log_stop, when every thread is gone */
    void *memory;
    size_t memory_size;
};

static inline struct commit *commit_of(const struct log_commit *c) {
    return (struct commit *)(uintptr_t)c;
}
void log_writer_free(struct log_writer *writer);
/* Bytes the commit's batches take as entries of a frame. */
uint64_t log_commit_entry_bytes(const struct commit *c);
/* Journal bytes a frame of so many entry bytes may use, the unused end of a file included. */
uint64_t log_commit_journal_bytes(uint64_t entry_bytes);
uint32_t log_commit_batches_max(const struct log_options *o);

#endif
