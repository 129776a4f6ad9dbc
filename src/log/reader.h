/* log/reader.h: reading batches from segments, for readers, retention and tools. Any thread. */
#ifndef WEIR_LOG_READER_H
#define WEIR_LOG_READER_H
#include "log/partition.h"

#define READER_CHUNK (256u << 10)

/* The largest record time of the batch that holds offset. OUT_OF_RANGE, CORRUPT, IO. */
WEIR_MUST enum weir_error log_batch_time(struct log *log, struct partition *p, uint64_t offset, uint64_t *ret_time_ms);
struct batch_place {
    uint64_t segment;     /* base of its segment */
    uint64_t byte, size;  /* where it stands there, and its bytes */
    uint64_t offset, end; /* of its first record; behind its last */
};
/* Where the batch that holds offset stands. */
WEIR_MUST enum weir_error log_batch_place(
    struct log *log, struct partition *p, uint64_t offset, struct batch_place *ret_place);

#endif
