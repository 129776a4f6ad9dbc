/* Jobs of a lane on the pool. See job.h.
 *
 * Each worker has a ring to each lane, as any two threads here that talk. A ring has room for all jobs that the lane
 * may have, so a worker never waits. */
#include "host/job.h"

#include "base/assert.h"
#include "base/ring.h"
#include "host/node.h"

#define GROUP_NS 50000u

struct host_jobs {
    struct host_lane *lane;
    uint32_t count, worker_count;
    bool begun; /* the groups */
    struct weir_group groups[WEIR_POOL_CLASS_COUNT];
    size_t memory_size;
    struct slot_ring ended[]; /* [worker]: struct host_job * */
};

enum weir_error host_jobs_open(struct host_lane *lane) {
    uint32_t workers = lane->host->pool->options.workers;
    size_t slots = HOST_JOBS_MAX * sizeof(struct host_job *);
    size_t head = (sizeof(struct host_jobs) + workers * sizeof(struct slot_ring) + 63) & ~(size_t)63;
    void *memory = NULL;
    enum weir_error e = sys_memory_map(head + workers * slots, &memory);
    if (e) return weir_error_wrap(e, "jobs of a lane");
    struct host_jobs *jobs = memory;
    jobs->lane = lane;
    jobs->worker_count = workers;
    jobs->memory_size = head + workers * slots;
    for (uint32_t i = 0; i < workers; i++)
        slot_ring_init(&jobs->ended[i], (uint8_t *)memory + head + i * slots, sizeof(struct host_job *), HOST_JOBS_MAX);
    lane->jobs = jobs;
    return WEIR_OK;
}

void host_jobs_close(struct host_lane *lane) {
    struct sys *sys = lane->host->sys;
    for (unsigned i = 0; lane->jobs && lane->jobs->begun && i < WEIR_POOL_CLASS_COUNT; i++)
        while (!weir_group_is_done(&lane->jobs->groups[i])) /* the pool looks at it after a job has come back */
            sys->pause(sys, GROUP_NS);
    if (lane->jobs) sys_memory_unmap(lane->jobs, lane->jobs->memory_size);
    lane->jobs = NULL;
}

static struct host_job *job_of(struct weir_task *task) {
    return (struct host_job *)(void *)((uint8_t *)task - offsetof(struct host_job, task));
}

/* On a worker. From the push on the job is the lane's. */
static void run_task(struct weir_worker *worker, struct weir_task *task) {
    struct host_job *job = job_of(task);
    struct host_jobs *jobs = job->jobs;
    struct host_lane *lane = jobs->lane;
    job->run(job);
    bool pushed = slot_ring_push(&jobs->ended[weir_worker_index(worker)], &job);
    WEIR_ASSERT(pushed);
    lane->host->sys->poller_wake(lane->host->sys, lane->poller);
}

enum weir_error host_job_submit(struct host_lane *lane, enum weir_pool_class class_, struct host_job *job) {
    struct host_jobs *jobs = lane->jobs;
    struct weir_pool *pool = NULL;
    WEIR_ASSERT(job->run && job->done && class_ < WEIR_POOL_CLASS_COUNT);
    if (!jobs) return weir_error_context(WEIR_E_UNSUPPORTED, "this host has no pool");
    if (atomic_load_explicit(&lane->host->phase, memory_order_acquire) >= HOST_DRAINING)
        return weir_error_context(WEIR_E_CLOSED, "the node is being stopped");
    if (jobs->count == HOST_JOBS_MAX)
        return weir_error_context(WEIR_E_FULL, "the lane has %u jobs on the pool: try again later", jobs->count);
    enum weir_error e = shared_pool_get(lane->host->pool, &pool);
    if (e) return e;
    for (unsigned i = 0; !jobs->begun && i < WEIR_POOL_CLASS_COUNT; i++)
        weir_group_begin(&jobs->groups[i], pool, (enum weir_pool_class)i, -1);
    jobs->begun = true;
    job->task.run = run_task;
    job->jobs = jobs;
    e = weir_pool_submit(&jobs->groups[class_], &job->task);
    if (!e) jobs->count++;
    return e;
}

uint32_t host_job_count(const struct host_lane *lane) {
    return lane->jobs ? lane->jobs->count : 0;
}

uint32_t host_jobs_take(struct host_lane *lane) {
    struct host_jobs *jobs = lane->jobs;
    uint32_t taken = 0;
    for (uint32_t i = 0; jobs && jobs->count > 0 && i < jobs->worker_count; i++) {
        struct host_job *job = NULL;
        while (slot_ring_pop(&jobs->ended[i], &job)) {
            jobs->count--; /* first: done() may submit it again */
            taken++;
            job->done(lane, job);
        }
    }
    metric_add(&lane->metrics.jobs, taken);
    return taken;
}
