/* host/job.h: what a lane has done on the pool, because it computes long or blocks, and how it hears that it is done.
 *
 *     struct hashing { struct host_job job; ... };               a job is a member of what it works on
 *     h->job = (struct host_job){.run = hash, .done = hashed};
 *     if (host_job_submit(lane, WEIR_POOL_NORMAL, &h->job)) ...   FULL, AGAIN: later, or no to whoever asked
 *
 * run() is called on a worker, once, and may use what the job holds, struct sys, and nothing of the lane. done() is
 * called on the lane that submitted it, in one of its next cycles, with everything that run() wrote; from then on the
 * job is the caller's again, and may be submitted anew. It may call whatever a lane may: host_submit() to make the
 * result a record, host_lane_deliver(). Jobs of a lane end in any order.
 *
 * Bounds: a lane has at most HOST_JOBS_MAX jobs that are not done. Nothing is allocated. A stop of the node waits for
 * the jobs under way, so one that may take long looks at a deadline of its own. Replay and shadows do not come here: a
 * job is started by a lane that runs, never by a fold.
 */
#ifndef WEIR_HOST_JOB_H
#define WEIR_HOST_JOB_H
#include "host/host.h"
#include "sys/shared_pool.h"

#define HOST_JOBS_MAX 1024u /* a power of two */

struct host_jobs;
struct host_job {
    void (*run)(struct host_job *job);
    void (*done)(struct host_lane *lane, struct host_job *job);
    /* The host's: */
    struct weir_task task;
    struct host_jobs *jobs;
};

/* On the lane's thread. FULL: HOST_JOBS_MAX jobs, or the pool's queue. AGAIN: the pool is being started by another
 * lane. CLOSED: the node stops. UNSUPPORTED: the host was opened without a pool. Else what starting threads may fail
 * with. */
WEIR_MUST enum weir_error host_job_submit(struct host_lane *lane, enum weir_pool_class class_, struct host_job *job);
uint32_t host_job_count(const struct host_lane *lane); /* submitted and not done */

/* ---- the host's own ---- */
struct host_lane;
WEIR_MUST enum weir_error host_jobs_open(struct host_lane *lane); /* of a host that has a pool */
void host_jobs_close(struct host_lane *lane);
uint32_t host_jobs_take(struct host_lane *lane); /* calls done() of those that have run */

#endif
