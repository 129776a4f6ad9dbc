/* What would break users of weir/pool.h: a task lost, run twice, or run after it was canceled; a group that is not
 * woken; a class that starves. In the Linux world with threads, meant for TSan as well, and in the simulated one
 * without. */
#include "base/prng.h"
#include "sys/test_world.h"

#include <weir/pool.h>

#include <stdatomic.h>

#define TASKS 3000

struct job {
    struct weir_task task;
    uint64_t value;
    _Atomic uint32_t runs, cancels;
};

static struct weir_pool *pool_of(const struct test_world *world, uint32_t workers, uint32_t slots) {
    struct weir_pool *pool = NULL;
    struct weir_pool_options options = {.workers = workers, .queue_slots = slots, .deque_slots = slots};
    assert_ok(weir_pool_start(world->sys, &options, &pool));
    return pool;
}

/* Outside, until the group is done. The simulated world's observer runs the workers itself. */
static uint64_t wait_for(const struct test_world *world, struct weir_group *group) {
    while (world->is_sim && !weir_group_is_done(group))
        assert_true(sys_sim_run(world->sys, 1000) > 0);
    return weir_group_wait(group);
}

static void submit(const struct test_world *world, struct weir_group *group, struct weir_task *task) {
    enum weir_error e;
    while ((e = weir_pool_submit(group, task)) == WEIR_E_FULL) {
        if (world->is_sim)
            (void)sys_sim_run(world->sys, 100);
        else
            world->sys->pause(world->sys, 1000);
    }
    assert_ok(e);
}

static void count_run(struct weir_worker *worker, struct weir_task *task) {
    struct job *job = (struct job *)(void *)task;
    (void)worker;
    job->value++; /* plain: handed over by the pool alone */
    atomic_fetch_add_explicit(&job->runs, 1, memory_order_relaxed);
}
static void count_cancel(struct weir_task *task) {
    struct job *job = (struct job *)(void *)task;
    job->value++;
    atomic_fetch_add_explicit(&job->cancels, 1, memory_order_relaxed);
}

static int poller_of_test(struct sys *sys) {
    int poller = -1;
    assert_ok(sys->poller_open(sys, &poller));
    return poller;
}

static void each_submitted_task_runs_once(void **state) {
    struct test_world *world = *state;
    static struct job jobs[TASKS];
    int poller = poller_of_test(world->sys);
    memset(jobs, 0, sizeof jobs);
    for (uint32_t workers = 1; workers <= 4; workers++) {
        struct weir_pool *pool = pool_of(world, workers, 64);
        struct weir_group group;
        weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < TASKS; i++) {
                jobs[i].task.run = count_run;
                submit(world, &group, &jobs[i].task);
            }
            assert_int_equal(wait_for(world, &group), 0);
        }
        struct weir_pool_stats stats;
        weir_pool_read_stats(pool, &stats);
        weir_pool_stop(pool, WEIR_POOL_DRAIN);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(jobs[i].value, 3 * workers);
        assert_true(stats.run >= 3 * TASKS - 3 * workers); /* a task is counted after it ran */
        assert_int_equal(stats.canceled, 0);
    }
    world->sys->poller_close(world->sys, poller);
}

/* ---- fork and join ----------------------------------------------------------------------------------------------- */
struct fib {
    struct weir_task task;
    uint32_t n;
    uint64_t result;
};

static void fib_run(struct weir_worker *worker, struct weir_task *task) {
    struct fib *fib = (struct fib *)(void *)task;
    if (fib->n < 2) {
        fib->result = fib->n;
        return;
    }
    struct fib left = {.task.run = fib_run, .n = fib->n - 1}, right = {.task.run = fib_run, .n = fib->n - 2};
    struct weir_group group;
    weir_worker_begin(worker, &group);
    weir_worker_submit(worker, &group, &left.task);
    weir_worker_submit(worker, &group, &right.task);
    assert_int_equal(weir_worker_wait(worker, &group), 0);
    fib->result = left.result + right.result;
}

static void tasks_fork_and_join(void **state) {
    struct test_world *world = *state;
    int poller = poller_of_test(world->sys);
    /* With few slots the deque overflows and tasks run where they are submitted. */
    for (uint32_t slots = 1; slots <= 1024; slots *= 32)
        for (uint32_t workers = 1; workers <= 4; workers++) {
            struct weir_pool *pool = pool_of(world, workers, slots);
            struct weir_group group;
            struct fib fib = {.task.run = fib_run, .n = 17};
            weir_group_begin(&group, pool, WEIR_POOL_BATCH, poller);
            submit(world, &group, &fib.task);
            assert_int_equal(wait_for(world, &group), 0);
            assert_int_equal(fib.result, 1597);
            weir_pool_stop(pool, WEIR_POOL_CANCEL);
        }
    world->sys->poller_close(world->sys, poller);
}

/* Each task begins a group and waits for it while its siblings lie in the same deque: the stack must not grow with
 * them. */
#define SIBLINGS 20000
static struct fib siblings[SIBLINGS];

static void many_run(struct weir_worker *worker, struct weir_task *task) {
    struct weir_group group;
    (void)task;
    weir_worker_begin(worker, &group);
    for (int i = 0; i < SIBLINGS; i++) {
        siblings[i] = (struct fib){.task.run = fib_run, .n = 3};
        weir_worker_submit(worker, &group, &siblings[i].task);
    }
    (void)weir_worker_wait(worker, &group);
}

static void waiting_tasks_do_not_pile_up_on_the_stack(void **state) {
    struct test_world *world = *state;
    int poller = poller_of_test(world->sys);
    struct weir_pool *pool = pool_of(world, 3, 32768);
    struct weir_group group;
    struct weir_task task = {.run = many_run};
    weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
    submit(world, &group, &task);
    (void)wait_for(world, &group);
    for (int i = 0; i < SIBLINGS; i++)
        assert_int_equal(siblings[i].result, 2);
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
    world->sys->poller_close(world->sys, poller);
}

/* ---- canceling --------------------------------------------------------------------------------------------------- */
struct gate { /* holds a worker until it is opened, or until it is canceled */
    struct weir_task task;
    _Atomic bool entered, open;
    bool saw_cancel;
};

static void gate_run(struct weir_worker *worker, struct weir_task *task) {
    struct gate *gate = (struct gate *)(void *)task;
    (void)worker;
    atomic_store(&gate->entered, true);
    while (!atomic_load(&gate->open) && !gate->saw_cancel)
        gate->saw_cancel = weir_group_is_canceled(gate->task.group);
}
static void gate_enter(const struct test_world *world, struct weir_group *group, struct gate *gate) {
    gate->task.run = gate_run;
    submit(world, group, &gate->task);
    while (!atomic_load(&gate->entered))
        world->sys->pause(world->sys, 1000);
}

static void a_canceled_group_runs_nothing_more_and_says_so(void **state) {
    struct test_world *world = *state;
    static struct job jobs[100];
    int poller = poller_of_test(world->sys);
    struct weir_pool *pool = pool_of(world, 1, 128);
    struct weir_group group, other;
    struct gate gate = {.saw_cancel = false};
    struct job unharmed = {.task.run = count_run};
    memset(jobs, 0, sizeof jobs);
    weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
    weir_group_begin(&other, pool, WEIR_POOL_NORMAL, poller);
    group.canceled = count_cancel;
    if (!world->is_sim) gate_enter(world, &group, &gate); /* the only worker; it asks */
    for (int i = 0; i < 100; i++) {
        jobs[i].task.run = count_run;
        submit(world, &group, &jobs[i].task);
    }
    submit(world, &other, &unharmed.task);
    weir_group_cancel(&group);
    assert_int_equal(wait_for(world, &group), 100);
    assert_int_equal(wait_for(world, &other), 0);
    assert_int_equal(unharmed.runs, 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(jobs[i].runs, 0);
        assert_int_equal(jobs[i].cancels, 1);
    }
    assert_true(world->is_sim || gate.saw_cancel);
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
    world->sys->poller_close(world->sys, poller);
}

static void stopping(struct test_world *world, enum weir_pool_stop how, uint32_t workers) {
    static struct job jobs[200];
    int poller = poller_of_test(world->sys);
    struct weir_pool *pool = pool_of(world, workers, 256);
    struct weir_group group;
    memset(jobs, 0, sizeof jobs);
    weir_group_begin(&group, pool, WEIR_POOL_BATCH, poller);
    group.canceled = count_cancel;
    for (int i = 0; i < 200; i++) {
        jobs[i].task.run = count_run;
        submit(world, &group, &jobs[i].task);
    }
    weir_pool_stop(pool, how);
    assert_true(weir_group_is_done(&group));
    uint64_t canceled = 0;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(jobs[i].runs + jobs[i].cancels, 1);
        canceled += jobs[i].cancels;
    }
    assert_int_equal(weir_group_wait(&group), canceled); /* the pool is gone */
    if (how == WEIR_POOL_DRAIN) assert_int_equal(canceled, 0);
    if (how == WEIR_POOL_CANCEL && world->is_sim) assert_int_equal(canceled, 200);
    world->sys->poller_close(world->sys, poller);
}

static void a_stop_drains_or_cancels(void **state) {
    for (uint32_t workers = 1; workers <= 3; workers++) {
        stopping(*state, WEIR_POOL_DRAIN, workers);
        stopping(*state, WEIR_POOL_CANCEL, workers);
    }
}

/* ---- load: several threads submit, tasks fork, groups are canceled ------------------------------------------------
 */
#define SUBMITTERS 3
#define ROUNDS     60
#define BURST      40

struct submitter {
    struct sys *sys;
    struct weir_pool *pool;
    int poller, agent;
    struct prng prng;
    struct fib fibs[BURST];
    uint32_t rounds;
    _Atomic uint64_t canceled;
    uint64_t ended;
    _Atomic bool done;
};

static void submit_burst(struct submitter *s) {
    struct weir_group group;
    uint64_t sum = 0;
    weir_group_begin(&group, s->pool, (enum weir_pool_class)prng_below(&s->prng, WEIR_POOL_CLASS_COUNT), s->poller);
    bool cancel = prng_below(&s->prng, 3) == 0;
    for (int i = 0; i < BURST; i++) {
        s->fibs[i] = (struct fib){.task.run = fib_run, .n = (uint32_t)prng_below(&s->prng, 9), .result = 1000};
        while (weir_pool_submit(&group, &s->fibs[i].task) == WEIR_E_FULL)
            s->sys->pause(s->sys, 1000);
        if (cancel && i == BURST / 2) weir_group_cancel(&group);
    }
    uint64_t canceled = weir_group_wait(&group);
    for (int i = 0; i < BURST; i++)
        sum += s->fibs[i].result == 1000;
    assert_int_equal(sum, canceled);
    if (!cancel) assert_int_equal(canceled, 0);
    atomic_fetch_add(&s->canceled, canceled);
    s->ended += BURST;
}

static uint32_t submitter_work(void *self, uint64_t block_ns) {
    struct submitter *s = self;
    (void)block_ns;
    if (s->rounds == 0) return 0;
    submit_burst(s);
    if (--s->rounds == 0) atomic_store(&s->done, true);
    return 1;
}

static void several_threads_submit_fork_and_cancel(void **state) {
    struct test_world *world = *state;
    static struct submitter submitters[SUBMITTERS];
    struct weir_pool *pool = pool_of(world, 3, 32);
    struct weir_pool_stats stats;
    uint64_t canceled = 0;
    for (int i = 0; i < SUBMITTERS; i++) {
        struct submitter *s = &submitters[i];
        struct sys_agent agent = {"submitter", submitter_work, s};
        *s = (struct submitter){.sys = world->sys, .pool = pool, .prng = prng_seed((uint64_t)i + 1), .rounds = ROUNDS};
        s->poller = poller_of_test(world->sys);
        assert_ok(world->sys->agent_start(world->sys, &agent, -1, &s->agent));
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        while (!atomic_load(&submitters[i].done)) {
            weir_pool_read_stats(pool, &stats); /* any thread, any time */
            assert_true(stats.sleeping <= 3 && stats.queued <= 3 * 32);
            world->sys->pause(world->sys, 100000);
        }
        world->sys->agent_stop(world->sys, submitters[i].agent);
        assert_int_equal(submitters[i].ended, (uint64_t)ROUNDS * BURST);
        canceled += submitters[i].canceled;
    }
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
    for (int i = 0; i < SUBMITTERS; i++)
        world->sys->poller_close(world->sys, submitters[i].poller);
    assert_true(canceled < (uint64_t)SUBMITTERS * ROUNDS * BURST);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */
static void full_is_an_answer_and_other_classes_go_on(void **state) {
    struct test_world *world = *state;
    int poller = poller_of_test(world->sys);
    struct weir_pool *pool = pool_of(world, 1, 4);
    struct weir_group group, urgent;
    struct gate gate = {.saw_cancel = false};
    struct job jobs[6] = {0};
    weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
    weir_group_begin(&urgent, pool, WEIR_POOL_INTERACTIVE, poller);
    if (!world->is_sim) gate_enter(world, &group, &gate);
    for (int i = 0; i < 6; i++)
        jobs[i].task.run = count_run;
    for (int i = 0; i < 4; i++)
        assert_ok(weir_pool_submit(&group, &jobs[i].task));
    assert_int_equal(weir_pool_submit(&group, &jobs[4].task), WEIR_E_FULL);
    assert_ok(weir_pool_submit(&urgent, &jobs[5].task));
    struct weir_pool_stats stats;
    weir_pool_read_stats(pool, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.queued, 5);
    atomic_store(&gate.open, true);
    (void)wait_for(world, &group);
    (void)wait_for(world, &urgent);
    assert_int_equal(jobs[4].runs, 0);
    assert_int_equal(jobs[5].runs, 1);
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
    world->sys->poller_close(world->sys, poller);
}

static void options_out_of_range_are_refused(void **state) {
    struct test_world *world = *state;
    struct weir_pool *pool = NULL;
    const struct weir_pool_options wrong[] = {{.workers = WEIR_POOL_WORKERS_MAX + 1}, {.workers = 1, .queue_slots = 3},
        {.workers = 1, .deque_slots = 1u << 25}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(weir_pool_start(world->sys, &wrong[i], &pool), WEIR_E_INVALID);
    assert_null(pool);
    assert_ok(weir_pool_start(world->sys, &(struct weir_pool_options){0}, &pool));
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
}

/* ---- classes ----------------------------------------------------------------------------------------------------- */
struct turn { /* notes when it ran; submits itself again, a number of times */
    struct weir_task task;
    uint32_t *clock, ran_at, times;
};

static void turn_run(struct weir_worker *worker, struct weir_task *task) {
    struct turn *turn = (struct turn *)(void *)task;
    turn->ran_at = ++*turn->clock;
    if (turn->times-- > 0) weir_worker_submit(worker, task->group, task);
}

static void turn_submit(struct weir_group *group, struct turn *turn, uint32_t *clock, uint32_t times) {
    *turn = (struct turn){.task.run = turn_run, .clock = clock, .times = times};
    assert_ok(weir_pool_submit(group, &turn->task));
}

/* In the simulated world one worker is one thread, and the order exact. */
static void urgent_tasks_run_first_and_none_waits_for_ever(void **state) {
    struct test_world *world = *state;
    uint32_t clock = 0;
    struct weir_pool *pool = pool_of(world, 1, 16);
    struct weir_group groups[WEIR_POOL_CLASS_COUNT];
    struct turn turns[WEIR_POOL_CLASS_COUNT], hog;
    for (unsigned i = 0; i < WEIR_POOL_CLASS_COUNT; i++)
        weir_group_begin(&groups[i], pool, (enum weir_pool_class)i, -1);
    for (unsigned i = WEIR_POOL_CLASS_COUNT; i-- > 0;)
        turn_submit(&groups[i], &turns[i], &clock, 0);
    assert_true(sys_sim_run(world->sys, 100) > 0);
    for (uint32_t i = 0; i < WEIR_POOL_CLASS_COUNT; i++)
        assert_int_equal(turns[i].ran_at, i + 1);
    /* One that never ends, as far as the others can tell. */
    turn_submit(&groups[WEIR_POOL_INTERACTIVE], &hog, &clock, 100000);
    turn_submit(&groups[WEIR_POOL_NORMAL], &turns[1], &clock, 0);
    turn_submit(&groups[WEIR_POOL_BATCH], &turns[2], &clock, 0);
    assert_true(sys_sim_run(world->sys, 100000) > 0);
    assert_int_equal(hog.ran_at, clock);
    for (unsigned i = 1; i < WEIR_POOL_CLASS_COUNT; i++)
        assert_in_range(turns[i].ran_at, 1, 500);
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
}

/* ---- the simulated world as processes ---------------------------------------------------------------------------- */
struct process {
    struct sys *sys;
    uint64_t sum;
    bool ended;
};

static void forking_run(struct weir_worker *worker, struct weir_task *task) {
    struct job *job = (struct job *)(void *)task;
    struct fib fib = {.task.run = fib_run, .n = 9};
    struct weir_group group;
    weir_worker_begin(worker, &group);
    weir_worker_submit(worker, &group, &fib.task);
    (void)weir_worker_wait(worker, &group);
    job->value = fib.result;
}

static void process_main(void *ctx) {
    struct process *process = ctx;
    struct test_world world = {.sys = process->sys};
    struct weir_pool *pool = pool_of(&world, 3, 64);
    struct weir_group group;
    static struct job jobs[50];
    int poller = -1;
    if (process->sys->poller_open(process->sys, &poller)) return;
    memset(jobs, 0, sizeof jobs);
    weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
    for (int i = 0; i < 50; i++) {
        jobs[i].task.run = forking_run;
        assert_ok(weir_pool_submit(&group, &jobs[i].task));
    }
    if (!sys_sim_dead(process->sys)) (void)weir_group_wait(&group);
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
    process->sys->poller_close(process->sys, poller);
    for (int i = 0; i < 50; i++)
        process->sum += jobs[i].value;
    process->ended = true;
}

static uint64_t process_run(uint64_t seed, uint64_t *ret_hash) {
    struct process process = {0};
    struct sys_sim_plan plan = {.seed = seed, .turn_ns = 1000};
    assert_ok(sys_sim_new(&plan, &process.sys));
    (void)sys_sim_spawn(process.sys, process_main, &process);
    while (!process.ended)
        assert_true(sys_sim_turn(process.sys, 3600 * SYS_NANOS_PER_S));
    *ret_hash = sys_sim_trace_hash(process.sys);
    sys_sim_free(process.sys);
    return process.sum;
}

static void fibers_run_the_pool_and_a_seed_replays(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t hash = 0, again = 0;
        assert_int_equal(process_run(seed, &hash), 50 * 34);
        assert_int_equal(process_run(seed, &again), 50 * 34);
        assert_int_equal(hash, again);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BOTH(each_submitted_task_runs_once),
        IN_BOTH(tasks_fork_and_join),
        IN_BOTH(waiting_tasks_do_not_pile_up_on_the_stack),
        IN_BOTH(a_canceled_group_runs_nothing_more_and_says_so),
        IN_BOTH(a_stop_drains_or_cancels),
        IN_LINUX(several_threads_submit_fork_and_cancel),
        IN_BOTH(full_is_an_answer_and_other_classes_go_on),
        IN_BOTH(options_out_of_range_are_refused),
        IN_SIM(urgent_tasks_run_first_and_none_waits_for_ever),
        cmocka_unit_test(fibers_run_the_pool_and_a_seed_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
