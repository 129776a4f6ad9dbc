/* log/partition.h: a partition from inside: its segment table, what the store and keeper agents know of it, its
 * producers.
 *
 * Threads, field by field: see the groups in struct partition. The table is guarded by a spin lock held for a binary
 * search; files are read and written outside it, on segments kept alive by a reference.
 */
#ifndef WEIR_LOG_PARTITION_H
#define WEIR_LOG_PARTITION_H
#include "base/assert.h"
#include "log/log.h"
#include "log/producer.h"
#include "log/segment.h"

#define LOG_PATH_SIZE 1024
struct log_path {
    char text[LOG_PATH_SIZE];
};

struct commit_batch;

/* What the checkpoint says about a partition. */
struct partition_row {
    uint64_t start;        /* first offset kept */
    uint64_t end;          /* records below it are synced in segments */
    uint64_t segment_base; /* the last segment, */
    uint64_t segment_size; /* and how much of it counts; 0: there is no segment */
};

/* A list of partitions from before there were more. */
struct outgrown {
    struct outgrown *next;
    struct log_partition **partitions;
};

struct topic {
    struct log_topic topic; /* first: a struct log_topic * is one of these */
    struct log *log;
    char folder[LOG_TOPIC_NAME_MAX + 16]; /* below topics/: the name, or name~uid when the name was used before */
    struct outgrown *outgrown;            /* kept until close: others may read them */
};

struct partition {
    struct log_partition partition; /* first: a struct log_partition * is one of these */
    struct log *log;
    _Atomic bool deleted;
    /* owner lane */
    uint64_t open_stamp;             /* of the commit that open_batch belongs to */
    struct commit_batch *open_batch; /* takes the next record; NULL: begin one */
    uint32_t chunk_size;             /* of the last chunk in that commit */
    struct producer_table producers; /* ahead of the disk */
    /* journal agent */
    uint64_t journaled; /* offset behind the last batch that is in a synced frame, or in segments since the start */
    _Atomic uint64_t cut_end; /* the same at the last cut (cut.h) */
    /* store agent */
    struct commit_batch *pending_first, *pending_last;
    struct partition *pending_next;
    bool folder_made;
    uint64_t memory_mapped; /* of a partition in memory: room of its segments */
    bool begin_segment;     /* loose: offsets were passed over, and a segment has no gap inside */
    /* under the lock */
    struct spin lock;
    struct segment **segments; /* ascending by base; the last one is being written */
    uint32_t segment_count, segment_capacity;
    struct producer_table producers_stored;
    /* keeper agent (before start: recovery) */
    struct partition_row row;
    bool folder_synced;
    uint64_t time_checked_ns; /* of retention */
};

static inline struct partition *partition_of(struct log_partition *p) {
    return (struct partition *)p;
}
/* Kept in memory, in no file. */
static inline bool partition_in_memory(const struct partition *p) {
    return p->partition.topic->config.durability == LOG_MEMORY;
}
/* Neither journaled nor derived again: what a crash takes is gone, and its offsets with it. */
static inline bool partition_loose(const struct partition *p) {
    const struct log_topic_config *c = &p->partition.topic->config;
    return c->durability != LOG_DURABLE && !c->derived;
}
/* Whether a segment may begin at `base` when another offset is due: where a start passed over what a crash took. */
static inline bool partition_may_resume(const struct partition *p, uint64_t due, uint64_t base) {
    return partition_loose(p) && base > due && base % LOG_LOOSE_AHEAD == 0;
}
static inline bool partition_journaled(const struct partition *p) {
    return p->partition.topic->config.durability == LOG_DURABLE;
}
static inline struct topic *topic_of(const struct partition *p) {
    return (struct topic *)p->partition.topic;
}

struct partition *log_partition_new(
    struct log *log, struct topic *topic, uint32_t uid, uint32_t index); /* NULL: no memory */
void log_partition_free(struct partition *p, struct segment_cache *cache);

void log_partition_folder_path(const struct partition *p, struct log_path *ret_path);
void log_partition_segment_path(const struct partition *p, uint64_t base, struct log_path *ret_path);

/* The bases of the segment files that are in the folder, ascending; free() them. */
WEIR_MUST enum weir_error log_partition_list(struct partition *p, uint64_t **ret_bases, uint32_t *ret_count);
/* At open, after the row is set: finds the segments, changes nothing. CORRUPT when bytes that the checkpoint counts on
 * are missing. */
WEIR_MUST enum weir_error log_partition_load(struct partition *p);
/* Loose partitions, after a stop that may have lost some of their records: their offsets go on behind every one that
 * may have been given (LOG_LOOSE_AHEAD). Becomes true with the next checkpoint. */
void log_partition_pass_over(struct partition *p);
/* Then discards what is beyond the row, and counts it in *discarded. */
WEIR_MUST enum weir_error log_partition_cut(struct partition *p, uint64_t *discarded);

/* Store agent: writes the chain of batches to segments, publishes each write. On an error the batches not yet published
 * are still chained (pending_first). NO_SPACE may be tried again. */
WEIR_MUST enum weir_error log_partition_store(struct partition *p);

/* Store agent: the table's newest segment with a reference to drop; NULL: none. */
struct segment *log_partition_newest(struct partition *p);
/* Store agent: a segment becomes the newest; the caller keeps its reference. NO_MEMORY. */
WEIR_MUST enum weir_error log_partition_add_segment(struct partition *p, struct segment *s);
/* Store agent: the batches first..last (last excluded), which end at offset `end`, stand in the segment from its size
 * on: readers may see them. */
WEIR_MUST enum weir_error log_partition_publish(struct partition *p, struct segment *s, struct commit_batch *first,
    struct commit_batch *last, uint64_t bytes, uint64_t end);

/* Any thread: the segment that holds offset and its last mark before it, with a reference to drop; NULL: none. */
struct segment *log_partition_segment_at(struct partition *p, uint64_t offset, struct segment_mark *ret_mark);
/* Any thread: the first segment that begins beyond offset, with a reference to drop; NULL: none. */
struct segment *log_partition_segment_after(struct partition *p, uint64_t offset);
/* Any thread: the i-th segment with a reference to drop, or NULL. */
struct segment *log_partition_segment(struct partition *p, uint32_t i);
/* Keeper: takes segments that end at or before `offset` out of the table, at most one per call; the caller drops it. */
struct segment *log_partition_take_oldest(struct partition *p);

/* A segment's file ends at `size`; 0: there is none. synced: also after a power cut from now on. IO. */
WEIR_MUST enum weir_error log_partition_cut_file(struct partition *p, uint64_t base, uint64_t size, bool synced);

#endif
