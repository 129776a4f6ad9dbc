/* log/memory.h: topics that are kept in memory: a ring of segments, of which the oldest makes room for the newest.
 *
 * A partition has retention_bytes of address space at most (a single batch that is larger stands alone), in segments of
 * segment_bytes, or an eighth of the whole. A reader holds a reference to the segment it copies from, so that nothing
 * it reads is overwritten; one that is overtaken is told OUT_OF_RANGE, as by retention.
 *
 * Threads: the store agent writes; see partition.h for who reads. Memory: a segment is mapped when the one before it is
 * full, and given back when the last reader of it is done.
 */
#ifndef WEIR_LOG_MEMORY_H
#define WEIR_LOG_MEMORY_H
#include "log/partition.h"

/* Store agent: copies the chain of batches in, publishes each. NO_MEMORY: the system gives none. */
WEIR_MUST enum weir_error log_memory_store(struct partition *p);
/* Bytes that a topic of memory may take, all its partitions together; 0 for others. */
uint64_t log_memory_needed(const struct log_topic_config *config, uint32_t partitions);

#endif
