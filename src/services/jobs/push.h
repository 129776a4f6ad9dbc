/* jobs/push.h: jobs come in: from a command, and from a job that is done and has others to follow it. */
#ifndef WEIR_JOBS_PUSH_H
#define WEIR_JOBS_PUSH_H
#include "jobs/state.h"

/* Makes the job, or says why not and (NOT_UNIQUE, DUPLICATE) which one is in its way. */
struct jobs_pushed push_one(struct jobs_turn *t, const struct jobs_new_view *view);
/* Those of s->then. They have a reserve of places (jobs_sizes), so that one that was promised is not refused for want
 * of one. */
void push_then(struct jobs_turn *t, size_t size);
/* The whole command is well-formed: as many entries as it has, at most JOBS_ENTRIES_MAX; 0: it is not. */
uint32_t push_count(struct weir_slice value);
#endif
