/* A pool that begins with its first use. See shared_pool.h. */
#include "sys/shared_pool.h"

#include "base/atomics.h"

enum shared_pool_state { SHARED_POOL_NONE, SHARED_POOL_STARTING, SHARED_POOL_RUNS };

void shared_pool_init(struct shared_pool *shared, struct sys *sys, uint32_t workers) {
    uint32_t cores = sys_core_count(), rest = cores > 1 ? cores - 1 : 1;
    if (rest > WEIR_POOL_WORKERS_MAX) rest = WEIR_POOL_WORKERS_MAX;
    *shared = (struct shared_pool){.sys = sys, .options = {.workers = workers ? workers : rest}};
}

enum weir_error shared_pool_get(struct shared_pool *shared, struct weir_pool **ret_pool) {
    uint32_t none = SHARED_POOL_NONE, state = atomics_load(&shared->state, ACQUIRE);
    if (state == SHARED_POOL_RUNS) {
        *ret_pool = shared->pool;
        return WEIR_OK;
    }
    if (state == SHARED_POOL_STARTING ||
        !atomics_compare_exchange(&shared->state, &none, SHARED_POOL_STARTING, ACQUIRE))
        return weir_error_context(WEIR_E_AGAIN, "the pool is being started");
    enum weir_error e = weir_pool_start(shared->sys, &shared->options, &shared->pool);
    atomics_store(&shared->state, e ? SHARED_POOL_NONE : SHARED_POOL_RUNS, RELEASE);
    if (!e) *ret_pool = shared->pool;
    return e;
}

void shared_pool_stop(struct shared_pool *shared) {
    if (atomics_load(&shared->state, ACQUIRE) == SHARED_POOL_RUNS) weir_pool_stop(shared->pool, WEIR_POOL_DRAIN);
    shared->pool = NULL;
    atomics_store(&shared->state, SHARED_POOL_NONE, RELEASE);
}

void shared_pool_measure(struct shared_pool *shared) {
    struct weir_pool_stats s;
    if (atomics_load(&shared->state, ACQUIRE) != SHARED_POOL_RUNS) return;
    weir_pool_read_stats(shared->pool, &s);
    metric_set(&shared->workers, shared->options.workers);
    metric_set(&shared->run, s.run);
    metric_set(&shared->canceled, s.canceled);
    metric_set(&shared->stolen, s.stolen);
    metric_set(&shared->overflowed, s.overflowed);
    metric_set(&shared->refused, s.refused);
    metric_set(&shared->slept, s.slept);
    metric_set(&shared->wait_ns_max, s.wait_ns_max);
    metric_set(&shared->queued, s.queued);
    metric_set(&shared->sleeping, s.sleeping);
}

void shared_pool_register(const struct shared_pool *shared, struct metric_registry *registry) {
    const struct {
        enum metric_kind kind;
        const struct metric_counter *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_GAUGE, &shared->workers, "weir_pool_workers", "Threads of the pool; 0: nobody has used it yet."},
        {METRIC_COUNTER, &shared->run, "weir_pool_tasks_total", "Tasks that the pool ran."},
        {METRIC_COUNTER, &shared->canceled, "weir_pool_canceled_total", "Tasks canceled before they ran."},
        {METRIC_COUNTER, &shared->stolen, "weir_pool_stolen_total",
            "Tasks that ran on another worker than the one that submitted them."},
        {METRIC_COUNTER, &shared->overflowed, "weir_pool_overflowed_total",
            "Tasks run at once because a worker's deque was full."},
        {METRIC_COUNTER, &shared->refused, "weir_pool_refused_total", "Tasks refused because the queue was full."},
        {METRIC_COUNTER, &shared->slept, "weir_pool_slept_total", "Times that a worker found nothing and slept."},
        {METRIC_GAUGE_NS, &shared->wait_ns_max, "weir_pool_wait_max_seconds", "Longest wait of a task before it ran."},
        {METRIC_GAUGE, &shared->queued, "weir_pool_queued", "Tasks that wait."},
        {METRIC_GAUGE, &shared->sleeping, "weir_pool_sleeping", "Workers that sleep."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metric_register(registry, rows[i].kind, rows[i].metric, rows[i].name, rows[i].help, NULL);
}
