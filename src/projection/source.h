/* projection/source.h: the records of a topic's partition, as any reader sees them: durable, below the high watermark.
 *
 * Owner: one thread; one source serves all partitions that the thread follows. Memory: buffers of address space.
 */
#ifndef WEIR_PROJECTION_SOURCE_H
#define WEIR_PROJECTION_SOURCE_H
#include "host/unfold.h"

#include <weir/service.h>

struct source {
    struct log *log;
    struct unfold unfold;
    void *buffer; /* as stored */
};
/* False: no further records now; this one counts as not seen. */
typedef bool (*source_fn)(void *ctx, const struct weir_record *record, uint32_t partition);

WEIR_MUST enum weir_error source_open(struct log *log, struct source *source);
void source_close(struct source *source); /* accepts a zeroed one */
/* Calls fn for records from `offset` on, as many as one read of the log brings. *ret_next: behind the last one seen.
 * OUT_OF_RANGE: below the partition's start, or above its end. */
WEIR_MUST enum weir_error source_read(struct source *source, struct log_partition *partition, uint64_t offset,
    source_fn fn, void *ctx, uint64_t *ret_next);
/* Recognises a record, so that a database can be told from one of another log. Never 0. */
uint64_t source_hash(const struct weir_record *record);

#endif
