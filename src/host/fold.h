/* host/fold.h: one instance of a service's state over one partition of its input: state = fold(apply, records).
 *
 * The same code for the live partition, the shadow that makes snapshots and the offline replay: what they do with what
 * comes out is struct weir_out's matter. Beside the service's state a fold holds the host's own part of it: timers,
 * settings in force, sources of emits, idempotency table, next output offsets, and the rolling hash of everything
 * emitted. Owner: one thread. Memory: the state's budget is mapped at open, nothing is allocated per record.
 */
#ifndef WEIR_HOST_FOLD_H
#define WEIR_HOST_FOLD_H
#include "base/hash.h"
#include "host/batch.h"
#include "host/effects.h"
#include "host/envelope.h"
#include "host/idempotency.h"
#include "host/in_force.h"
#include "host/sources.h"
#include "host/timers.h"

#define FOLD_TOPICS_MAX 16u
#define FOLD_EMITS_MAX  16u
#define FOLD_SKIPS_MAX  16u

struct fold_options {
    const struct weir_service *service;
    const struct weir_setting_value *values;  /* of this start */
    const struct weir_setting_value *initial; /* the table's own */
    uint32_t uid, partition, partition_count; /* of the input topic */
    struct idempotency_options idempotency;
    uint64_t skips[FOLD_SKIPS_MAX]; /* poison records that an operator's durable order passes over */
    uint32_t skip_count;
};
struct fold {
    const struct weir_service *service;
    struct fold_options options;
    uint32_t uid, topic_count, emit_count, metric_count;
    void *state, *memory;
    size_t memory_size;
    uint64_t applied; /* next offset to apply */
    uint64_t time_ns; /* of the last record */
    struct digest emission;
    uint64_t outputs_next[FOLD_TOPICS_MAX]; /* by topic row */
    struct in_force in_force;
    struct timers timers;
    struct effects effects;
    struct sources sources;
    struct idempotency idempotency;
};
/* What a record was, for whoever waits for it. */
struct fold_applied {
    struct envelope envelope;
    bool passed_over; /* duplicate emit, stale timer, skipped: the service did not see it */
};
struct weir_out;

/* in_force: what the state is opened with (version 0: today's values). */
WEIR_MUST enum weir_error fold_open(
    struct fold *fold, const struct fold_options *options, const struct in_force *in_force);
void fold_done(struct fold *fold); /* accepts zeroed and half-built */
/* Applies the record at fold->applied. VERSION: its settings record names a version this binary cannot replay. CORRUPT:
 * a record that is not the next one, or an envelope that cannot be read. */
WEIR_MUST enum weir_error fold_apply(
    struct fold *fold, const struct batch_record *record, struct weir_out *out, struct fold_applied *ret_applied);
/* OK when this binary's fold replays records of `version`; else VERSION and the sentence. */
WEIR_MUST enum weir_error fold_check_version(const struct weir_service *service, uint32_t version);
/* The service's own functions, or what .flat_bytes means where it has none. */
WEIR_MUST enum weir_error fold_save(const struct fold *fold, struct weir_sink *sink);
WEIR_MUST enum weir_error fold_load(struct fold *fold, struct weir_source *source);
static inline uint64_t fold_digest(const struct fold *fold) {
    return fold->service->digest ? fold->service->digest(fold->state) : 0;
}
#endif
