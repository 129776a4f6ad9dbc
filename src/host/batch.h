/* host/batch.h: reading RecordBatches as the host needs them.
 *
 * A thin face over wire/record_batch.h, whose struct weir_record is another thing than that of weir/service.h: no file
 * may include both. Owner: the thread that reads. Allocation: none; slices point into the batch.
 */
#ifndef WEIR_HOST_BATCH_H
#define WEIR_HOST_BATCH_H
#include "log/log.h"

struct batch_header {
    uint64_t base_offset, next_offset; /* of the first record; behind the last one */
    uint32_t size;                     /* whole batch in bytes */
    uint32_t count;
};
struct batch_reader {
    uint64_t state[10]; /* struct weir_record_reader */
};
struct batch_record {
    uint64_t offset;
    struct log_record record;
};

/* The first batch in bytes (more may follow: advance by ret_header->size). The CRC is not checked: log_read does that,
 * and what comes from a commit was just built. UNSUPPORTED: compressed, as a client sent it; what the read agent brings
 * never is. */
WEIR_MUST enum weir_error batch_open(
    struct batch_reader *reader, struct weir_slice bytes, struct batch_header *ret_header);
bool batch_next(struct batch_reader *reader, struct batch_record *ret_record);
/* Why batch_next ended: OK at the end of the batch, else INVALID. */
enum weir_error batch_error(const struct batch_reader *reader);
#endif
