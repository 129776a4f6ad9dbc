/* The pool as seen from outside its tasks: its life, what is submitted to it, groups. */
#include "sys/pool_state.h"

#define SLOTS_INITIAL 1024u
#define SLOTS_MAX     (1u << 24)
/* A clock costs more than all else here (100 ns and more in a virtual machine). A queue is first in, first out: a task
 * waits as long as its neighbours. */
#define MEASURE_EVERY 8
#define PUBLISH_NS    1000u
#define ASLEEP_NS     (3600 * SYS_NANOS_PER_S)

/* ---- life -------------------------------------------------------------------------------------------------------- */
static bool is_slots(uint32_t n) {
    return n > 0 && n <= SLOTS_MAX && (n & (n - 1)) == 0;
}

static enum weir_error options_complete(const struct weir_pool_options *given, struct weir_pool_options *ret) {
    struct weir_pool_options o = *given;
    uint32_t cores = sys_core_count();
    if (o.workers == 0) o.workers = cores > 1 ? cores - 1 : 1;
    if (given->workers == 0 && o.workers > WEIR_POOL_WORKERS_MAX) o.workers = WEIR_POOL_WORKERS_MAX;
    if (o.queue_slots == 0) o.queue_slots = SLOTS_INITIAL;
    if (o.deque_slots == 0) o.deque_slots = SLOTS_INITIAL;
    if (o.workers > WEIR_POOL_WORKERS_MAX)
        return weir_error_context(WEIR_E_INVALID, "a pool has at most %u workers", WEIR_POOL_WORKERS_MAX);
    if (!is_slots(o.queue_slots) || !is_slots(o.deque_slots))
        return weir_error_context(WEIR_E_INVALID, "a pool's slots are a power of two, at most %u", SLOTS_MAX);
    *ret = o;
    return WEIR_OK;
}

static enum weir_error pool_map(const struct weir_pool_options *o, struct weir_pool **ret_pool) {
    size_t head = sizeof(struct weir_pool), workers = o->workers * sizeof(struct weir_worker);
    size_t deque = o->deque_slots * sizeof(uint64_t), queue = o->queue_slots * sizeof(struct task_cell);
    size_t size = head + workers + o->workers * deque + WEIR_POOL_CLASS_COUNT * queue;
    void *memory = NULL;
    enum weir_error e = sys_memory_map(size, &memory);
    if (e) return weir_error_wrap(e, "the pool");
    struct weir_pool *pool = memory;
    uint8_t *at = (uint8_t *)memory + head + workers;
    pool->memory_size = size;
    pool->workers = (struct weir_worker *)(void *)((uint8_t *)memory + head);
    pool->worker_count = o->workers;
    for (uint32_t i = 0; i < o->workers; i++, at += deque) {
        deque_init(&pool->workers[i].deque, (uint64_t *)(void *)at, o->deque_slots);
        pool->workers[i].pool = pool;
        pool->workers[i].index = i;
        pool->workers[i].poller = pool->workers[i].agent = -1;
    }
    for (uint32_t i = 0; i < WEIR_POOL_CLASS_COUNT; i++, at += queue)
        task_queue_init(&pool->queues[i], (struct task_cell *)(void *)at, o->queue_slots);
    *ret_pool = pool;
    return WEIR_OK;
}

static enum weir_error workers_start(struct weir_pool *pool) {
    struct sys *sys = pool->sys;
    /* All pollers first: a worker that runs may wake any other. */
    for (uint32_t i = 0; i < pool->worker_count; i++) {
        enum weir_error e = sys->poller_open(sys, &pool->workers[i].poller);
        if (e) return weir_error_wrap(e, "worker %u of the pool", i);
    }
    for (uint32_t i = 0; i < pool->worker_count; i++) {
        struct weir_worker *w = &pool->workers[i];
        struct sys_agent agent = {"pool", worker_do_work, w};
        enum weir_error e = sys->agent_start(sys, &agent, w->poller, &w->agent);
        if (e) return weir_error_wrap(e, "worker %u of the pool", i);
    }
    return WEIR_OK;
}

static void workers_stop(struct weir_pool *pool) {
    struct sys *sys = pool->sys;
    for (uint32_t i = 0; i < pool->worker_count; i++)
        sys->agent_stop(sys, pool->workers[i].agent);
}

/* What workers left when they ended, one after the other, is done here in the name of the first. */
static void rest_drain(struct weir_pool *pool) {
    for (;;) {
        uint64_t left = 0;
        (void)worker_drain(&pool->workers[0]);
        for (unsigned i = 0; i < WEIR_POOL_CLASS_COUNT; i++)
            left += task_queue_count(&pool->queues[i]);
        if (left == 0) return;
        pool->sys->pause(pool->sys, PUBLISH_NS); /* a submission that came just before the end is under way */
    }
}

static void pool_unmap(struct weir_pool *pool) {
    for (uint32_t i = 0; i < pool->worker_count; i++)
        pool->sys->poller_close(pool->sys, pool->workers[i].poller);
    sys_memory_unmap(pool, pool->memory_size);
}

enum weir_error weir_pool_start(struct sys *sys, const struct weir_pool_options *options, struct weir_pool **ret_pool) {
    struct weir_pool_options o;
    struct weir_pool *pool = NULL;
    enum weir_error e = options_complete(options, &o);
    if (!e) e = pool_map(&o, &pool);
    if (e) return e;
    pool->sys = sys;
    e = workers_start(pool);
    if (e) {
        workers_stop(pool);
        pool_unmap(pool);
        return e;
    }
    *ret_pool = pool;
    return WEIR_OK;
}

void weir_pool_stop(struct weir_pool *pool, enum weir_pool_stop how) {
    WEIR_ASSERT(pool->stopping == 0);
    for (unsigned i = 0; i < WEIR_POOL_CLASS_COUNT; i++)
        task_queue_close(&pool->queues[i]);
    atomics_store(&pool->stopping, (uint32_t)how + 1, RELEASE);
    workers_stop(pool);
    rest_drain(pool);
    pool_unmap(pool);
}

void weir_pool_read_stats(struct weir_pool *pool, struct weir_pool_stats *ret_stats) {
    struct weir_pool_stats s = {.refused = atomics_load(&pool->refused, RELAXED)};
    for (uint32_t i = 0; i < pool->worker_count; i++) {
        const struct worker_counters *c = &pool->workers[i].counters;
        uint64_t wait_ns = metric_get(&c->wait_ns_max);
        s.run += metric_get(&c->run);
        s.canceled += metric_get(&c->canceled);
        s.stolen += metric_get(&c->stolen);
        s.overflowed += metric_get(&c->overflowed);
        s.slept += metric_get(&c->slept);
        if (wait_ns > s.wait_ns_max) s.wait_ns_max = wait_ns;
    }
    for (unsigned i = 0; i < WEIR_POOL_CLASS_COUNT; i++)
        s.queued += task_queue_count(&pool->queues[i]);
    s.sleeping = (uint64_t)__builtin_popcountll(atomics_load(&pool->parked, RELAXED));
    *ret_stats = s;
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */
void weir_group_begin(struct weir_group *group, struct weir_pool *pool, enum weir_pool_class class_, int poller) {
    WEIR_ASSERT((unsigned)class_ < WEIR_POOL_CLASS_COUNT);
    *group = (struct weir_group){.pool = pool, .poller = poller, .class_ = (uint8_t)class_};
}

enum weir_error weir_pool_submit(struct weir_group *group, struct weir_task *task) {
    struct weir_pool *pool = group->pool;
    struct task_queue *queue = &pool->queues[group->class_];
    bool first = countdown_add(&group->running);
    bool measured = first || atomics_load(&queue->tail, RELAXED) % MEASURE_EVERY == 0;
    task->group = group;
    task->queued_ns = measured ? pool->sys->mono_ns(pool->sys) : 0;
    enum task_queue_answer answer = task_queue_push(queue, task_item(task));
    if (answer == TASK_QUEUE_OK) {
        pool_notify(pool, PARKING_ANY);
        return WEIR_OK;
    }
    if (countdown_end(&group->running)) pool->sys->poller_wake(pool->sys, group->poller);
    if (answer == TASK_QUEUE_CLOSED_NOW) return weir_error_context(WEIR_E_CLOSED, "the pool is being stopped");
    (void)atomics_fetch_add(&pool->refused, 1, RELAXED);
    return weir_error_context(WEIR_E_FULL, "the pool's queue is full");
}

uint64_t weir_group_wait(struct weir_group *group) {
    struct sys_poll_event none;
    while (!countdown_is_done(&group->running)) { /* else the pool may be gone already */
        struct sys *sys = group->pool->sys;
        WEIR_ASSERT(group->poller >= 0);
        if (!countdown_fall_asleep(&group->running)) (void)sys->poller_wait(sys, group->poller, &none, 1, ASLEEP_NS);
    }
    group->running = 0; /* nobody is asleep */
    return atomics_load(&group->canceled_count, RELAXED);
}

bool weir_group_is_done(struct weir_group *group) {
    return countdown_is_done(&group->running);
}

bool weir_group_wake_me(struct weir_group *group) {
    WEIR_ASSERT(group->poller >= 0);
    return countdown_fall_asleep(&group->running);
}

void weir_group_cancel(struct weir_group *group) {
    atomics_store(&group->cancel, 1, RELAXED);
}

bool weir_group_is_canceled(const struct weir_group *group) {
    return atomics_load(&group->cancel, RELAXED) != 0;
}
