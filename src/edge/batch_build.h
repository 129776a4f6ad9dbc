/* edge/batch_build.h: a RecordBatch from what a client sent: as JSON, or as a RecordBatch.
 *
 * Apart from the rest of the edge, because wire/record_batch.h has a struct weir_record of its own. Owner: the lane.
 * Allocation: the arena's. Errors: INVALID with the record's number, TOO_LARGE, NO_MEMORY.
 */
#ifndef WEIR_EDGE_BATCH_BUILD_H
#define WEIR_EDGE_BATCH_BUILD_H
#include "base/arena.h"
#include "log/log.h"

#include <weir/error.h>

struct batch_producer {
    bool given; /* all three, for an idempotent append */
    uint64_t id, epoch, sequence;
};
struct batch_built {
    struct weir_slice batch;
    struct weir_slice first_key; /* data NULL: none */
    uint32_t count;
};
/* json: an array of {"key", "keyBase64", "value", "valueBase64"} or an object {"records": [...]}; a value that is null
 * or missing is a null (as in Kafka), and so is a key. */
WEIR_MUST enum weir_error batch_build(struct arena *arena, struct weir_slice json, uint64_t time_ms, size_t bytes_max,
    const struct batch_producer *producer, struct batch_built *ret_built);

/* A batch of one record. */
WEIR_MUST enum weir_error batch_build_one(struct arena *arena, struct weir_slice key, struct weir_slice value,
    uint64_t time_ms, struct weir_slice *ret_batch);

/* What it takes to look into a batch that came compressed: contexts, and address space for LOG_PLAIN_BYTES_MAX. */
struct batch_checker {
    void *memory; /* a struct weir_compression, and room for one batch */
};
WEIR_MUST enum weir_error batch_checker_open(struct batch_checker *checker);
void batch_checker_close(struct batch_checker *checker);
/* One RecordBatch as Kafka's clients make it, plain or compressed, of at most bytes_max, and LOG_PLAIN_BYTES_MAX
 * decompressed: checked to the last record, and then left as it was sent; `plain` asks for its plain form instead,
 * which lies in the checker. Also UNSUPPORTED: transactional batches; a wrong CRC is INVALID. */
WEIR_MUST enum weir_error batch_sent(struct batch_checker *checker, struct weir_slice bytes, size_t bytes_max,
    bool plain, struct batch_built *ret_built);

/* What the attributes of bytes say that are perhaps a batch, and were not checked. */
bool batch_is_transactional(struct weir_slice bytes);
bool batch_is_marker(struct weir_slice bytes); /* a control batch */

#endif
