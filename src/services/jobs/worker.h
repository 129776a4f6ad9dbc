/* jobs/worker.h: who works: by name, made by its first fetch or beat, forgotten when it holds nothing and does not
 * beat.
 *
 * A worker that beats and then is silent for jobs.worker_timeout is lost: its leases end at once. One that never beats
 * is known by its leases only, each of which has its own end. Quiet and terminate are orders of an operator, told at
 * each beat; a quiet worker is given nothing more.
 */
#ifndef WEIR_JOBS_WORKER_H
#define WEIR_JOBS_WORKER_H
#include "jobs/state.h"

/* JOBS_NONE: no name (then it is OK), or no room. */
uint32_t worker_find(const struct jobs *s, struct weir_slice name);
uint32_t worker_find_or_make(struct jobs_turn *t, struct weir_slice name);
void worker_lease(struct jobs *s, uint32_t worker, struct job *job); /* into the list of its leases */
void worker_unlease(struct jobs *s, struct job *job);
void worker_let_go(struct jobs *s, uint32_t worker); /* forgotten, if nothing holds it */
/* A beat, an order, or its end; returns leases released now. */
void worker_beat(struct jobs_turn *t, const struct jobs_beat *beat, struct weir_slice name);
/* Workers that were silent too long. False: more is to be done. */
bool workers_expire(struct jobs_turn *t);
/* A new life of the node: no connection is known yet, and every worker that beats has its whole time to do so. */
void workers_restart(struct jobs_turn *t);
uint64_t worker_hash(const void *state, uint32_t i);
#endif
