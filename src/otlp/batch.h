/* otlp/batch.h: spans that leave together: what lanes wrote (trace/trace.h) as one request of OTLP/HTTP.
 *
 * Owner: the exporter. Memory: an arena, empty again after each batch, with a bound. Source: opentelemetry-proto 1.x,
 * the semantic conventions of HTTP 1.23 for server spans; what is weir's own is called weir.*.
 */
#ifndef WEIR_OTLP_BATCH_H
#define WEIR_OTLP_BATCH_H
#include "base/arena.h"
#include "otlp/target.h"
#include "trace/trace.h"

#define OTLP_BATCH_SPANS 4096u /* with their attributes at most some 4 MB; collectors take 20 MB by default */

struct otlp_batch {
    struct arena arena;
    struct Otlp__Span *spans[OTLP_BATCH_SPANS];
    uint32_t count;
    uint64_t first_ns; /* monotonic: when the first one came */
    uint64_t wall_ns;  /* of the monotonic clock's zero */
};

void otlp_batch_init(struct otlp_batch *batch);
void otlp_batch_done(struct otlp_batch *batch);
void otlp_batch_reset(struct otlp_batch *batch);
bool otlp_batch_is_full(const struct otlp_batch *batch); /* another message may not fit */
/* One message of a lane's ring; copied. False: the arena is at its bound, and spans of it are lost: *ret_lost. */
bool otlp_batch_add(struct otlp_batch *batch, uint32_t tag, struct weir_slice message, uint32_t *ret_lost);
/* The body of the request, in the arena. */
WEIR_MUST enum weir_error otlp_batch_pack(
    struct otlp_batch *batch, const struct otlp_target *target, struct weir_slice *ret_body);

#endif
