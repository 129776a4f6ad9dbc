/* log/segment.h: one file of a partition: a run of RecordBatch v2, nothing between or around them.
 *
 *   topics/<topic>/<partition>/<offset of the first record, 20 digits>.log
 *
 * Format: RecordBatch v2 one after another (wire/record_batch.h), base offsets dense across batches and segments. A
 * segment has no header and no trailer; how much of it counts is known from the checkpoint (what is beyond is discarded
 * at start) and, in a running log, from `size`. Procedure to change: the folder's FORMAT.
 *
 * Threads: the store agent writes, readers read, the keeper syncs and deletes. A segment is reached through its
 * partition's table (partition.h), kept alive by references, and its file opened and closed behind everyone's back by
 * the cache, which bounds the open files. Memory: one small struct per segment and 16 bytes of index per
 * SEGMENT_MARK_BYTES of it; the index is a cache that any reader fills in by passing (marks are never wrong, only
 * absent).
 */
#ifndef WEIR_LOG_SEGMENT_H
#define WEIR_LOG_SEGMENT_H
#include "log/spin.h"
#include "sys/sys.h"

#include <stdatomic.h>

struct partition;

#define SEGMENT_MARK_BYTES (64u << 10)
#define SEGMENT_NAME_SIZE  25 /* 20 digits, ".log", NUL */

struct segment_mark { /* a batch begins here */
    uint64_t offset;
    uint64_t byte;
};
struct segment {
    uint64_t base; /* offset of its first record */
    struct partition *partition;
    _Atomic uint64_t size; /* bytes that are whole batches */
    _Atomic uint32_t references;
    uint8_t *memory;      /* of a memory partition: its bytes, instead of a file; NULL: a file */
    uint64_t memory_size; /* room there */
    /* keeper only */
    uint64_t size_synced;
    bool entry_synced; /* its name is durable in the folder */
    /* under the cache's lock */
    int file; /* -1: not open */
    uint32_t pins;
    struct segment *newer, *older; /* list of open ones by use */
    /* under the partition's lock */
    struct segment_mark *marks; /* ascending */
    uint32_t mark_count, mark_capacity;
};

struct segment_cache {
    struct sys *sys;
    struct spin lock;
    struct segment *newest, *oldest;
    uint32_t open_count, open_max;
    bool read_only;
};

/* One reference, held by the caller. NULL: no memory. */
struct segment *log_segment_new(struct partition *partition, uint64_t base, uint64_t size);
static inline void segment_keep(struct segment *s) {
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
}
/* The same in memory, with room for `room` bytes. */
struct segment *log_segment_new_in_memory(struct partition *partition, uint64_t base, uint64_t room);
/* Gives a reference back; the last one closes the file and frees. */
void log_segment_drop(struct segment_cache *cache, struct segment *s);

/* The open file, which stays open until the unpin. The caller holds a reference. create: when absent. */
WEIR_MUST enum weir_error log_segment_pin(struct segment_cache *cache, struct segment *s, bool create, int *ret_file);
/* Reads from a pinned file; of a segment in memory, which needs no pin, from there. */
WEIR_MUST enum weir_error log_segment_read(struct segment_cache *cache, const struct segment *s, int file, uint64_t at,
    void *data, size_t size, size_t *ret_size);
void log_segment_unpin(struct segment_cache *cache, struct segment *s);
/* Closes every open file; nothing may be pinned. */
void log_segment_cache_done(struct segment_cache *cache);

/* Index, under the partition's lock. note() keeps a mark when none is near; find() gives the last mark at or before
 * offset, {base, 0} when there is none. */
void log_segment_note(struct segment *s, uint64_t offset, uint64_t byte);
struct segment_mark log_segment_find(const struct segment *s, uint64_t offset);

void log_segment_name(uint64_t base, char name[SEGMENT_NAME_SIZE]);
bool log_segment_name_parse(const char *name, uint64_t *ret_base);

#endif
