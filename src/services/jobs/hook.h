/* jobs/hook.h: jobs that are sent to a URL rather than fetched: their own, or that of their queue.
 *
 * A destination is the host and port of a URL. It has a gate (weir/gate.h): so many attempts at once and a second, and
 * a circuit breaker; each job type has a breaker of its own at each destination. A job whose gates let it pass is
 * leased to the worker HOOK_WORKER and becomes an effect of one attempt; its result ends the lease as a worker's ack or
 * fail would. So what failed is tried again as the job says, and a job that waits for a gate has spent nothing.
 *
 * The lease has no deadline: an effect that was asked for has exactly one result, also after kill -9.
 */
#ifndef WEIR_JOBS_HOOK_H
#define WEIR_JOBS_HOOK_H
#include "jobs/state.h"

#define HOOK_WORKER "webhook"

/* "host:port" of an http or https URL, in lower case. False: it is none, or its host is too long. */
WEIR_MUST bool hook_host(struct weir_slice url, char ret_host[JOBS_NAME_MAX], size_t *ret_size);
/* The number of a URL's destination. */
enum jobs_reason hook_destination(struct jobs *s, struct weir_slice url, uint16_t *ret_destination);
/* Whether the gates in front of a ready job let it pass; if not, when it is worth asking again is in head->rate_ns. */
bool hook_may_start(struct jobs_turn *t, const struct job *job);
/* The queue has jobs to send, or what held them back is over. */
void hooks_wake(struct jobs *s, uint32_t queue);
/* Sends the next job, one a record. False: there is more to do. */
bool hooks_serve(struct jobs_turn *t);
/* JOBS_RECORD_DESTINATION. */
void hook_order(struct jobs_turn *t, struct weir_slice value);
void hook_result(struct jobs_turn *t, const struct weir_record *record);
/* Limits of a destination's gate. */
struct weir_gate_limits hook_limits(const struct jobs *s, uint32_t destination);
#endif
