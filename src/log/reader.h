/* log/reader.h: reading batches from segments, for readers, retention and tools. Any thread. */
#ifndef WEIR_LOG_READER_H
#define WEIR_LOG_READER_H
#include "log/partition.h"

#define READER_CHUNK (256u << 10)

/* The largest record time of the batch that holds offset. OUT_OF_RANGE, CORRUPT, IO. */
WEIR_MUST enum weir_error log_batch_time(struct log *log, struct partition *p, uint64_t offset, uint64_t *ret_time_ms);
/* Where the batch that holds offset ends: its segment, the byte behind it there, the offset behind it. */
WEIR_MUST enum weir_error log_batch_end(
    struct log *log, struct partition *p, uint64_t offset, uint64_t *ret_base, uint64_t *ret_byte, uint64_t *ret_end);

#endif
