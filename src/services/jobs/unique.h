/* jobs/unique.h: unique keys: while a key is held, another job with it is refused.
 *
 * A key is held until its job ends, until it starts, or for a time whatever becomes of it; unique_for_ns bounds the
 * first two as well. Entries are apart from jobs, as the last kind outlives them.
 */
#ifndef WEIR_JOBS_UNIQUE_H
#define WEIR_JOBS_UNIQUE_H
#include "jobs/state.h"

/* Who holds it: an entry; JOBS_NONE: nobody. */
uint32_t unique_find(const struct jobs *s, struct weir_slice key);
/* The job holds its key from now on. False: no room for it. */
WEIR_MUST bool unique_hold(struct jobs_turn *t, struct job *job, struct weir_slice key, uint64_t for_ns);
void unique_release(struct jobs *s, struct job *job);
void unique_end(struct jobs *s, struct job *job); /* the job ends: released, unless held for a time */
/* Keys whose time is up. False: more are. */
bool uniques_expire(struct jobs_turn *t);
uint64_t unique_hash(const void *state, uint32_t i);
#endif
