/* A worker of the pool: where it looks for work, how it runs it, when it sleeps. */
#include "sys/pool_state.h"

/* Tasks of one do_work, so that the agent's thread sees a stop and the simulator gives others their turn. */
#define RUN_MAX 64
/* A worker that finds nothing looks this often before it sleeps: about 10 us, as long as falling asleep and being woken
 * take, so that waiting awake costs at most twice what was best. */
#define LOOKS_MAX   64
#define RELAXES_MAX 16
#define FAIR_EVERY  32
#define WAIT_NS     (100 * SYS_NANOS_PER_MS)

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- looking for work -------------------------------------------------------------------------------------------- */
static struct weir_task *pop_queue(struct weir_worker *w, unsigned class_) {
    struct weir_pool *pool = w->pool;
    uint64_t item;
    if (!task_queue_pop(&pool->queues[class_], &item)) return NULL;
    struct weir_task *task = task_of(item);
    if (!task->queued_ns) return task; /* not one of those that are measured */
    uint64_t now = pool->sys->mono_ns(pool->sys);
    uint64_t waited = now > task->queued_ns ? now - task->queued_ns : 0;
    if (waited > metric_get(&w->counters.wait_ns_max)) metric_set(&w->counters.wait_ns_max, waited);
    return task;
}

/* Whoever loses a race for an item looks at the same deque again: NULL means that it was empty. */
static struct weir_task *steal_from(struct deque *victim) {
    uint64_t item = 0;
    enum deque_answer answer;
    while ((answer = deque_steal(victim, &item)) == DEQUE_LOST)
        relax();
    return answer == DEQUE_ITEM ? task_of(item) : NULL;
}

static struct weir_task *steal(struct weir_worker *w) {
    struct weir_pool *pool = w->pool;
    for (uint32_t i = 1; i < pool->worker_count; i++) {
        struct weir_worker *victim = &pool->workers[(w->index + i) % pool->worker_count];
        struct weir_task *task = steal_from(&victim->deque);
        if (!task) continue;
        metric_add(&w->counters.stolen, 1);
        return task;
    }
    return NULL;
}

/* So that nothing waits for ever: now and then another source comes first, the worker's own oldest task too. */
static struct weir_task *look_fairly(struct weir_worker *w) {
    switch (w->looks / FAIR_EVERY % (WEIR_POOL_CLASS_COUNT + 2)) {
    case WEIR_POOL_CLASS_COUNT:
        return steal_from(&w->deque);
    case WEIR_POOL_CLASS_COUNT + 1:
        return steal(w);
    default:
        return pop_queue(w, w->looks / FAIR_EVERY % (WEIR_POOL_CLASS_COUNT + 2));
    }
}

/* All there is. NULL: there was nothing when each place was looked at. */
static struct weir_task *look(struct weir_worker *w) {
    struct weir_task *task = NULL;
    uint64_t item;
    if (++w->looks % FAIR_EVERY == 0 && (task = look_fairly(w))) return task;
    for (unsigned class_ = 0; class_ < WEIR_POOL_CLASS_COUNT; class_++) {
        if (class_ == w->class_ && deque_pop(&w->deque, &item)) return task_of(item);
        if (class_ == WEIR_POOL_BATCH && (task = steal(w))) return task;
        if ((task = pop_queue(w, class_))) return task;
    }
    return NULL;
}

/* What the worker's deque got since the group began: the group's own work and that of its tasks. What lies below
 * belongs to tasks further down this stack; on top of this one it would only be deeper. */
static struct weir_task *pop_since(struct weir_worker *w, uint64_t mark) {
    uint64_t item;
    return (int64_t)(w->deque.bottom - mark) > 0 && deque_pop(&w->deque, &item) ? task_of(item) : NULL;
}

/* ---- running it -------------------------------------------------------------------------------------------------- */
static bool is_canceled(const struct weir_pool *pool, const struct weir_group *group) {
    return atomics_load(&group->cancel, RELAXED) || atomics_load(&pool->stopping, RELAXED) == WEIR_POOL_CANCEL + 1;
}

/* The task is its owner's once its function was called, and the group its owner's once the countdown says that it is
 * done: nothing of them is touched after that. */
static void execute(struct weir_worker *w, struct weir_task *task) {
    struct weir_pool *pool = w->pool;
    struct weir_group *group = task->group;
    int poller = group->poller;
    w->class_ = group->class_;
    if (WEIR_UNLIKELY(is_canceled(pool, group))) {
        if (group->canceled) group->canceled(task);
        (void)atomics_fetch_add(&group->canceled_count, 1, RELAXED);
        metric_add(&w->counters.canceled, 1);
    } else {
        task->run(w, task);
        metric_add(&w->counters.run, 1);
    }
    if (countdown_end(&group->running)) pool->sys->poller_wake(pool->sys, poller);
}

void weir_worker_begin(struct weir_worker *w, struct weir_group *group) {
    *group = (struct weir_group){.pool = w->pool, .mark = w->deque.bottom, .poller = w->poller, .class_ = w->class_};
}

void weir_worker_submit(struct weir_worker *w, struct weir_group *group, struct weir_task *task) {
    task->group = group;
    (void)countdown_add(&group->running);
    if (WEIR_LIKELY(deque_push_then_look(&w->deque, task_item(task)))) {
        pool_notify(w->pool, ~0ull);
        return;
    }
    uint8_t class_ = w->class_;
    metric_add(&w->counters.overflowed, 1);
    execute(w, task);
    w->class_ = class_;
}

uint32_t weir_worker_index(const struct weir_worker *w) {
    return w->index;
}

/* ---- sleeping ---------------------------------------------------------------------------------------------------- */
/* Who wants work: an idle worker (group NULL) takes any; a task that waits for its group takes what others' deques
 * have, and nothing from outside, which is wanted no sooner for lying on top of this; and a stack that is deep takes
 * nothing. */
struct want {
    struct weir_group *group;
    bool deep;
};

static struct weir_task *look_for(struct weir_worker *w, const struct want *want) {
    return want->deep ? NULL : want->group ? steal(w) : look(w);
}

/* For a moment work that is about to come is waited for awake. */
static struct weir_task *look_a_while(struct weir_worker *w, const struct want *want) {
    for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
        struct weir_task *task = look_for(w, want);
        if (task || (want->group && countdown_is_done(&want->group->running))) return task;
        for (unsigned i = 0; i < RELAXES_MAX; i++)
            relax();
    }
    return NULL;
}

/* Sleeps until there may be work, or the group is done, but at most block_ns. Returns work when there is some. */
static struct weir_task *park(struct weir_worker *w, const struct want *want, uint64_t block_ns) {
    struct weir_pool *pool = w->pool;
    uint64_t bit = want->deep ? 0 : parking_bit(w->index, want->group == NULL);
    struct sys_poll_event none;
    parking_enter(&pool->parked, bit);
    struct weir_task *task = look_for(w, want);
    if (!task && !(want->group && countdown_fall_asleep(&want->group->running))) {
        metric_add(&w->counters.slept, 1);
        (void)pool->sys->poller_wait(pool->sys, w->poller, &none, 1, block_ns);
    }
    if (parking_leave(&pool->parked, bit)) return task;
    /* Claimed: somebody counts on this worker to look. */
    if (!task) return look_for(w, want);
    pool_notify(pool, ~0ull);
    return task;
}

/* A group that the worker's own deque has nothing for: its tasks are on other workers. */
static void wait_for_others(struct weir_worker *w, struct weir_group *group) {
    struct want want = {group, w->depth >= WEIR_POOL_DEPTH_MAX};
    struct weir_task *task = look_a_while(w, &want);
    if (!task && countdown_is_done(&group->running)) return;
    if (!task) task = park(w, &want, WAIT_NS);
    if (!task && want.deep && !countdown_is_done(&group->running)) {
        /* Nobody else may be working on it, as in a process simulated to have died: depth does not count then. */
        task = steal(w);
    }
    if (!task) return;
    w->depth++;
    execute(w, task);
    w->depth--;
}

uint64_t weir_worker_wait(struct weir_worker *w, struct weir_group *group) {
    uint8_t class_ = w->class_;
    while (!countdown_is_done(&group->running)) {
        struct weir_task *task = pop_since(w, group->mark);
        if (task)
            execute(w, task);
        else
            wait_for_others(w, group);
    }
    w->class_ = class_;
    group->running = 0; /* nobody is asleep */
    return atomics_load(&group->canceled_count, RELAXED);
}

uint32_t worker_drain(struct weir_worker *w) {
    uint32_t done = 0;
    for (struct weir_task *task; (task = look(w)); done++)
        execute(w, task);
    return done;
}

uint32_t worker_do_work(void *self, uint64_t block_ns) {
    struct weir_worker *w = self;
    struct weir_task *task;
    uint32_t done = 0;
    while ((done < RUN_MAX || atomics_load(&w->pool->stopping, RELAXED)) && (task = look(w))) {
        execute(w, task);
        done++;
    }
    if (done > 0 || block_ns == 0) return done;
    const struct want any = {NULL, false};
    task = look_a_while(w, &any);
    if (!task) task = park(w, &any, block_ns);
    if (task) execute(w, task);
    return task != NULL;
}
