/* jobs/ready.h: the jobs that may run now, and whose turn it is.
 *
 * Within a queue the higher priority goes first; within a priority tenants take turns, each as many jobs as its weight
 * (deficit round robin with jobs of size one); within a tenant first in, first out. Jobs with a URL of their own stand
 * apart for each destination, which take turns likewise: one that nothing may be sent to is passed over. A tenant or
 * type that runs as many jobs as it may, or has used its rate, is passed over; when a rate allows the next one is kept
 * in head->rate_ns.
 */
#ifndef WEIR_JOBS_READY_H
#define WEIR_JOBS_READY_H
#include "jobs/state.h"

/* The job is READY: at the end of its flow, or at its front. Its queue's waiters are to be served (waiter.h). */
void ready_add(struct jobs *s, struct job *job, bool at_front);
void ready_remove(struct jobs *s, struct job *job);
/* The next job of the queue that may run; NULL: there is none now. It stays where it is. to_send: one that goes to a
 * URL (hook.h), else one that workers fetch. */
struct job *ready_peek(struct jobs_turn *t, uint32_t queue, bool to_send);
/* What was peeked is taken: out of its flow, and its flow has had one more of its turn. */
void ready_take(struct jobs *s, struct job *job);
/* Since when the first of the queue's ready jobs waits; 0: there is none. */
uint64_t ready_oldest_ns(const struct jobs *s, uint32_t queue);
/* A job of these names starts, or ends. */
void ready_started(struct jobs_turn *t, const struct job *job);
void ready_ended(struct jobs_turn *t, const struct job *job);
uint64_t ready_hash_flow(const void *state, uint32_t i);
#endif
