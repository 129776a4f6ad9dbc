/* jobs/fold.h: apply: a record changes the state; and when the state has something to do by itself. */
#ifndef WEIR_JOBS_FOLD_H
#define WEIR_JOBS_FOLD_H
#include "jobs/state.h"

enum jobs_topic { JOBS_TOPIC_COMMANDS, JOBS_TOPIC_EVENTS };
enum jobs_effect { JOBS_EFFECT_WEBHOOK };
enum jobs_metric {
    JOBS_METRIC_PUSHED,
    JOBS_METRIC_DONE,
    JOBS_METRIC_FAILED,
    JOBS_METRIC_TIMED_OUT,
    JOBS_METRIC_DEAD_TOTAL,
    JOBS_METRIC_SCHEDULED,
    JOBS_METRIC_READY,
    JOBS_METRIC_RUNNING,
    JOBS_METRIC_RETRY,
    JOBS_METRIC_DEAD,
    JOBS_METRIC_WORKERS,
    JOBS_METRIC_WAITERS,
    JOBS_METRIC_BYTES,
    JOBS_METRIC_BYTES_PER_JOB,
    JOBS_METRIC_STALE,
    JOBS_METRIC_FOLLOWERS_REFUSED,
    JOBS_METRIC_WEBHOOKS,
    JOBS_METRIC_DESTINATIONS,
    JOBS_METRIC_DESTINATIONS_OPEN,
    JOBS_METRIC_COUNT
};
/* Outputs of one record: at most 1 MB of what its command brings, and per job the fixed part and names of its events.
 */
#define JOBS_OUTPUT_BYTES_MAX (3584u << 10)

void jobs_apply(void *state, const struct weir_record *record, struct weir_out *out);
#endif
