/* jobs/waiter.h: fetches that wait for a job: each in the list of every queue it asks for, answered in the order in
 * which they came. A queue in which something became ready is put on a list, and at the end of the record its waiters
 * are served: so a push of many jobs goes to a waiting fetch of many in one answer.
 */
#ifndef WEIR_JOBS_WAITER_H
#define WEIR_JOBS_WAITER_H
#include "jobs/state.h"

/* False: too many wait. */
WEIR_MUST bool waiter_add(struct jobs_turn *t, const struct jobs_fetch *fetch, const uint16_t *queues, uint32_t worker);
void waiters_wake(struct jobs *s, uint32_t queue); /* something may be taken from it */
void waiters_wake_all(struct jobs *s);
/* At the end of a record. False: there is more to serve than a record may; it is to go on. */
bool waiters_serve(struct jobs_turn *t);
/* Those whose time is up are answered with nothing. False: more are. */
bool waiters_expire(struct jobs_turn *t);
/* A new life: nobody waits any more. */
void waiters_forget(struct jobs_turn *t);
#endif
