/* The Linux world with several threads: wakes are not lost, agents start and stop. Meant for TSan as well. */
#include "sys/test_world.h"

#include <signal.h>
#include <stdatomic.h>

#define HOUR_NS (3600 * SYS_NANOS_PER_S)

struct ping { /* two agents that wake each other: each move must be seen by the other */
    struct sys *sys;
    int poller, other_poller;
    _Atomic uint32_t *ball; /* even: ours */
    uint32_t parity, limit;
};

static uint32_t ping_work(void *self, uint64_t block_ns) {
    struct ping *ping = self;
    struct sys_poll_event event;
    uint32_t ball = atomic_load(ping->ball);
    if (ball < ping->limit && ball % 2 == ping->parity) {
        atomic_store(ping->ball, ball + 1);
        ping->sys->poller_wake(ping->sys, ping->other_poller);
        return 1;
    }
    (void)block_ns;
    /* Far longer than the test may take: a lost wake is a hang, not a delay. */
    (void)ping->sys->poller_wait(ping->sys, ping->poller, &event, 1, HOUR_NS);
    return 0;
}

static void sleep_ms(struct sys *sys, uint64_t ms) {
    int poller = -1;
    struct sys_poll_event event;
    assert_ok(sys->poller_open(sys, &poller));
    (void)sys->poller_wait(sys, poller, &event, 1, ms * SYS_NANOS_PER_MS);
    sys->poller_close(sys, poller);
}

static void no_wake_is_lost_between_two_agents(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    _Atomic uint32_t ball = 0;
    struct ping pings[2];
    int pollers[2], handles[2];
    for (int i = 0; i < 2; i++)
        assert_ok(sys->poller_open(sys, &pollers[i]));
    for (int i = 0; i < 2; i++)
        pings[i] = (struct ping){sys, pollers[i], pollers[1 - i], &ball, (uint32_t)i, 20000};
    for (int i = 0; i < 2; i++) {
        struct sys_agent agent = {"ping", ping_work, &pings[i]};
        assert_ok(sys->agent_start(sys, &agent, pollers[i], &handles[i]));
    }
    while (atomic_load(&ball) < 20000)
        sleep_ms(sys, 1);
    for (int i = 0; i < 2; i++)
        sys->agent_stop(sys, handles[i]);
    for (int i = 0; i < 2; i++)
        sys->poller_close(sys, pollers[i]);
    assert_int_equal(atomic_load(&ball), 20000);
}

struct mailbox { /* one value handed over by relaxed stores alone: the wake must order them */
    struct sys *sys;
    int poller;
    uint64_t letter;
    _Atomic uint32_t taken;
    bool done;
};

static uint32_t mailbox_work(void *self, uint64_t block_ns) {
    struct mailbox *box = self;
    struct sys_poll_event event;
    (void)block_ns;
    if (box->done) {
        (void)box->sys->poller_wait(box->sys, box->poller, &event, 1, HOUR_NS); /* until the stop */
        return 0;
    }
    (void)box->sys->poller_wait(box->sys, box->poller, &event, 1, HOUR_NS);
    if (box->letter == 4711) { /* a plain read: a race unless the wake orders it */
        box->done = true;
        atomic_store_explicit(&box->taken, 1, memory_order_relaxed);
    }
    return 1;
}

static void what_was_written_before_a_wake_is_seen_after_it(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    for (int round = 0; round < 50; round++) {
        struct mailbox box = {.sys = sys};
        int handle = -1;
        assert_ok(sys->poller_open(sys, &box.poller));
        struct sys_agent agent = {"mailbox", mailbox_work, &box};
        assert_ok(sys->agent_start(sys, &agent, box.poller, &handle));
        if (round % 2) sleep_ms(sys, 1); /* asleep by now, mostly */
        box.letter = 4711;
        sys->poller_wake(sys, box.poller);
        while (!atomic_load_explicit(&box.taken, memory_order_relaxed))
            sleep_ms(sys, 1);
        sys->agent_stop(sys, handle);
        sys->poller_close(sys, box.poller);
    }
}

struct waker {
    struct sys *sys;
    int poller;
    bool done;
};

static uint32_t waker_work(void *self, uint64_t block_ns) {
    struct waker *waker = self;
    (void)block_ns;
    if (waker->done) return 0;
    sleep_ms(waker->sys, 5); /* the other is asleep by now, mostly */
    waker->sys->poller_wake(waker->sys, waker->poller);
    waker->done = true;
    return 1;
}

static void a_sleeper_that_was_woken_can_sleep_again(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct waker waker = {.sys = sys};
    struct sys_poll_event event;
    int handle = -1;
    assert_ok(sys->poller_open(sys, &waker.poller));
    struct sys_agent agent = {"waker", waker_work, &waker};
    assert_ok(sys->agent_start(sys, &agent, -1, &handle));
    assert_int_equal(sys->poller_wait(sys, waker.poller, &event, 1, HOUR_NS), 0);
    sys->agent_stop(sys, handle);
    uint64_t before = sys->mono_ns(sys);
    assert_int_equal(sys->poller_wait(sys, waker.poller, &event, 1, 3 * SYS_NANOS_PER_MS), 0);
    assert_true(sys->mono_ns(sys) - before >= 3 * SYS_NANOS_PER_MS); /* or one wake would make it spin for ever */
    sys->poller_close(sys, waker.poller);
}

struct worker {
    struct sys *sys;
    int poller;
    _Atomic uint32_t calls;
};

static uint32_t worker_work(void *self, uint64_t block_ns) {
    struct worker *worker = self;
    struct sys_poll_event event;
    atomic_fetch_add(&worker->calls, 1);
    assert_true(block_ns > 0);
    if (worker->poller >= 0) (void)worker->sys->poller_wait(worker->sys, worker->poller, &event, 1, HOUR_NS);
    return 0;
}

static void many_agents_start_run_and_stop_while_they_sleep(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct worker workers[16];
    int handles[16];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 16; i++) {
            workers[i] = (struct worker){.sys = sys, .poller = -1};
            if (i % 2) assert_ok(sys->poller_open(sys, &workers[i].poller));
            struct sys_agent agent = {"worker", worker_work, &workers[i]};
            assert_ok(sys->agent_start(sys, &agent, workers[i].poller, &handles[i]));
        }
        for (int i = 0; i < 16; i++) {
            while (round < 3 && atomic_load(&workers[i].calls) == 0)
                sleep_ms(sys, 1);
        }
        for (int i = 0; i < 16; i++) { /* the last round stops them before they may have run */
            sys->agent_stop(sys, handles[i]);
            sys->poller_close(sys, workers[i].poller);
        }
    }
}

static void an_idle_agent_without_a_poller_does_not_spin(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct worker worker = {.sys = sys, .poller = -1};
    struct sys_agent agent = {"idle", worker_work, &worker};
    int handle = -1;
    assert_ok(sys->agent_start(sys, &agent, -1, &handle));
    sleep_ms(sys, 200);
    sys->agent_stop(sys, handle);
    /* 50 us doubling to 10 ms: eight pauses, then at most one per 10 ms; a spin would be hundreds of thousands. */
    assert_true(atomic_load(&worker.calls) < 1000);
}

static uint32_t signal_work(void *self, uint64_t block_ns) {
    (void)block_ns;
    _Atomic int *blocked = self;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    atomic_store(blocked, sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT) && !sigismember(&mask, SIGSEGV));
    return 0;
}

static void signals_stay_with_the_starting_thread(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    _Atomic int blocked = -1;
    struct sys_agent agent = {"signals", signal_work, &blocked};
    int handle = -1;
    assert_ok(sys->agent_start(sys, &agent, -1, &handle));
    while (atomic_load(&blocked) < 0)
        sleep_ms(sys, 1);
    sys->agent_stop(sys, handle);
    assert_int_equal(atomic_load(&blocked), 1);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LINUX(no_wake_is_lost_between_two_agents),
        IN_LINUX(what_was_written_before_a_wake_is_seen_after_it),
        IN_LINUX(a_sleeper_that_was_woken_can_sleep_again),
        IN_LINUX(many_agents_start_run_and_stop_while_they_sleep),
        IN_LINUX(an_idle_agent_without_a_poller_does_not_spin),
        IN_LINUX(signals_stay_with_the_starting_thread),
    };
    return cmocka_run_group_tests_name("sys thread", tests, NULL, NULL);
}
