/* host/effect_metrics.h: what a partition tells of its effects' gates: weir_<service>_effect_<what>{effect, partition}.
 *
 * Written by the lane, read by anybody. Counters are the fold's own, since the first record: a restart does not begin
 * them anew.
 */
#ifndef WEIR_HOST_EFFECT_METRICS_H
#define WEIR_HOST_EFFECT_METRICS_H
#include "base/arena.h"
#include "base/metric.h"
#include "host/fold.h"

struct effect_metrics { /* of a row */
    struct metric_counter waiting, running, resting, dead, breaker, keys_open, paused;
    struct metric_counter attempts, failures, dead_total;
    struct metric_histogram duration_ns; /* live attempts */
};
/* NULL: no memory, or no effects. registry NULL: they are kept and not shown. */
struct effect_metrics *effect_metrics_new(
    struct arena *arena, struct metric_registry *registry, const struct weir_service *service, uint32_t partition);
void effect_metrics_publish(struct effect_metrics *metrics, const struct fold *fold);
#endif
