/* jobs/dead.h: ends of a job: the dead, which are kept to be looked at, and the others, which are not; and the way
 * (back) to READY. */
#ifndef WEIR_JOBS_DEAD_H
#define WEIR_JOBS_DEAD_H
#include "jobs/event.h"
#include "jobs/state.h"

/* READY; it may end there by its expiry. */
void job_ready(struct jobs_turn *t, struct job *job, bool at_front);
/* DONE, CANCELLED or EXPIRED: says so, frees what it held, pushes what was to follow (DONE). */
void job_end(struct jobs_turn *t, struct job *job, enum jobs_state state, const struct jobs_event_more *more);
/* Out of the list of its state, whatever that is; the caller moves it on. */
void job_unlist(struct jobs_turn *t, struct job *job);

void dead_add(struct jobs_turn *t, struct job *job); /* the oldest goes when there are too many */
void dead_remove(struct jobs *s, struct job *job);
void dead_drop(struct jobs_turn *t, struct job *job);
#endif
