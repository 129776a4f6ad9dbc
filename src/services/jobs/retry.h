/* jobs/retry.h: when a failed job is tried again, and what becomes of it when it is not. Pure. */
#ifndef WEIR_JOBS_RETRY_H
#define WEIR_JOBS_RETRY_H
#include "jobs/event.h"
#include "jobs/state.h"

/* The pause before the next attempt, after `attempt` have failed. Random spans come from the job's id and attempt, so
 * that each replay waits as long. */
uint64_t retry_pause_ns(const struct job *job);
/* A running job's attempt has failed: noted, then RETRY, DEAD or dropped. span_ns: not before that long from now; 0: by
 * the job's backoff. */
void retry_or_end(struct jobs_turn *t, struct job *job, enum jobs_transition what, const struct jobs_event_more *more,
    uint64_t span_ns, bool is_last);
#endif
