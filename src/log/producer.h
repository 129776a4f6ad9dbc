/* log/producer.h: what a partition remembers of idempotent producers, so that a batch sent twice is stored once.
 *
 * As Kafka does: per producer its epoch and the last five batches. A partition remembers at most PRODUCERS_MAX
 * producers; the one that was quiet longest is forgotten, after which its next batch is accepted whatever its sequence
 * (as for a producer never seen). Two tables exist per partition: the owner lane's, which checks and is ahead of the
 * disk, and the store agent's, which holds only what is durable and goes into the checkpoint. A table belongs to one
 * thread at a time.
 */
#ifndef WEIR_LOG_PRODUCER_H
#define WEIR_LOG_PRODUCER_H
#include "wire/record_batch.h"

#include "base/bytes.h"

#define PRODUCERS_MAX    256 /* per partition; 25 KB when all are used */
#define PRODUCER_BATCHES 5

struct producer_batch {
    int32_t first_sequence, last_sequence;
    uint64_t base_offset;
};
struct producer {
    int64_t id;
    int16_t epoch;
    uint8_t batch_count;
    uint8_t newest; /* index in batches */
    struct producer_batch batches[PRODUCER_BATCHES];
    uint64_t used; /* the table's clock at its last batch */
};
struct producer_table {
    struct producer *producers;
    uint32_t count, capacity;
    uint64_t clock;
};

void log_producer_table_done(struct producer_table *t); /* accepts a zeroed table */
/* What this batch would be: OK, DUPLICATE (*ret_base_offset is the offset it has), OUT_OF_SEQUENCE, FENCED. Changes
 * nothing. Batches without a producer are OK. */
WEIR_MUST enum weir_error log_producer_check(
    const struct producer_table *t, const struct weir_record_batch *batch, uint64_t *ret_base_offset);
/* Remembers a batch that was accepted at batch->base_offset. Remembering one again changes nothing. NO_MEMORY. */
WEIR_MUST enum weir_error log_producer_note(struct producer_table *t, const struct weir_record_batch *batch);
/* True when a batch's bytes name a producer: cheaper than parsing. */
static inline bool producer_in(const uint8_t *batch) {
    return (int64_t)load_be64(batch + WEIR_BATCH_AT_PRODUCER_ID) >= 0;
}

WEIR_MUST enum weir_error log_producer_table_copy(struct producer_table *to, const struct producer_table *from);
size_t log_producer_table_encoded_size(const struct producer_table *t);
void log_producer_table_encode(const struct producer_table *t, struct byte_writer *w);
WEIR_MUST enum weir_error log_producer_table_decode(
    struct producer_table *t, struct byte_reader *r); /* CORRUPT, NO_MEMORY */

#endif
