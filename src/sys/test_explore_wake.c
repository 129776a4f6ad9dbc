/* The poller's sleep and wake in every interleaving: a wake that is lost (the owner sleeps for ever beside a full
 * queue), a system call while the owner is awake, a queue whose content is not seen after the wake.
 *
 * The eventfd is a counter that promises nothing beyond its value: what the queue holds must be visible by the
 * protocol's own orders. Each producer has a ring to the owner, as lanes have, pushes into it and wakes; the owner
 * takes what is there and waits as linux_poller_wait() does. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/ring.c"
#include "base/ring.h"
#include "sys/wake.h"

#define PRODUCERS 2

static struct wake wake;
static struct slot_ring rings[PRODUCERS];
static uint64_t memory[PRODUCERS][4];
static uint64_t eventfd_value, expected, pushes;
static uint64_t sleeps, taken, calls[PRODUCERS];

static void begin(uint64_t producers, uint64_t each) {
    wake = (struct wake){0};
    memset(memory, 0, sizeof memory);
    for (unsigned i = 0; i < PRODUCERS; i++)
        slot_ring_init(&rings[i], memory[i], sizeof(uint64_t), 4);
    eventfd_value = sleeps = taken = 0;
    memset(calls, 0, sizeof calls);
    expected = producers * each;
    pushes = each;
}
static void one_producer(void) {
    begin(1, 2);
}
static void two_producers(void) {
    begin(2, 1);
}

static void signal_owner(unsigned producer) {
    (void)atomics_fetch_add(&eventfd_value, 1, RELAXED);
    calls[producer]++;
}
static void produce(unsigned producer) {
    for (uint64_t i = 1; i <= pushes; i++) {
        EXPLORE_CHECK(slot_ring_push(&rings[producer], &i));
        if (wake_notify(&wake)) signal_owner(producer);
    }
}
static void produce_0(void) {
    produce(0);
}
static void produce_1(void) {
    produce(1);
}

static void take_all(void) {
    for (unsigned i = 0; i < PRODUCERS; i++)
        for (uint64_t item; slot_ring_pop(&rings[i], &item);)
            taken++;
}
/* epoll_wait without a timeout: until the counter has an edge that was not seen. */
static void kernel_wait(uint64_t *seen) {
    uint64_t value;
    sleeps++;
    while ((value = atomics_load(&eventfd_value, RELAXED)) == *seen)
        atomics_spin();
    *seen = value;
}
static void own(void) {
    uint64_t seen = 0;
    for (;;) {
        take_all();
        if (taken == expected) return;
        if (wake_fall_asleep(&wake)) kernel_wait(&seen);
        wake_up(&wake);
    }
}
/* Something else ends the sleep too, as a socket or the timeout does. */
static void other_event(void) {
    (void)atomics_fetch_add(&eventfd_value, 1, RELAXED);
}

static void no_call_while_awake(void) {
    EXPLORE_CHECK(taken == expected);
    EXPLORE_CHECK(calls[0] + calls[1] <= sleeps);
}

static const struct explore_case one = {
    "wake-one-producer", one_producer, {own, produce_0}, no_call_while_awake, false};
static const struct explore_case two = {
    "wake-two-producers", two_producers, {own, produce_0, produce_1}, no_call_while_awake, false};
static const struct explore_case event = {
    "wake-other-event", one_producer, {own, produce_0, other_event}, no_call_while_awake, false};

static void no_wake_is_lost_and_none_costs_a_call_while_awake(void **state) {
    (void)state;
    explored(&one);
    explored(&two);
    explored(&event);
}

/* What a producer wrote before its wake is seen by the owner after it, although no ring orders it. */
static uint64_t note;

static void write_note(void) {
    atomics_store(&note, 1, RELAXED);
    if (wake_notify(&wake)) signal_owner(0);
}
static void await_note(void) {
    uint64_t seen = 0;
    while (!atomics_load(&note, RELAXED)) {
        if (wake_fall_asleep(&wake)) kernel_wait(&seen);
        wake_up(&wake);
    }
}
static void no_note(void) {
    one_producer();
    note = 0;
}
static const struct explore_case noted = {"wake-note", no_note, {await_note, write_note}, NULL, false};

static void every_order_of_the_wake_is_needed(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {&one, &two, &noted};
    explored(&noted);
    explored_orders("wake_", cases, sizeof cases / sizeof cases[0], NULL, 0);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* The owner looks at its queue only before it says that it works again. */
static void own_looking_too_early(void) {
    uint64_t seen = 0;
    while (taken < expected) {
        if (wake_fall_asleep(&wake)) kernel_wait(&seen);
        take_all();
        wake_up(&wake);
    }
}
/* The owner says that it sleeps, whatever came since it looked. */
static void own_sleeping_blindly(void) {
    uint64_t seen = 0;
    for (;;) {
        take_all();
        if (taken == expected) return;
        (void)atomics_exchange(&wake.state, WAKE_ASLEEP, SEQ_CST);
        kernel_wait(&seen);
        wake_up(&wake);
    }
}
/* The state is checked and set in two steps. */
static void own_in_two_steps(void) {
    uint64_t seen = 0;
    for (;;) {
        take_all();
        if (taken == expected) return;
        if (atomics_load(&wake.state, SEQ_CST) == WAKE_AWAKE) {
            (void)atomics_exchange(&wake.state, WAKE_ASLEEP, SEQ_CST);
            kernel_wait(&seen);
        }
        wake_up(&wake);
    }
}
/* The producer wakes first and pushes then. */
static void produce_too_late(void) {
    if (wake_notify(&wake)) signal_owner(0);
    (void)slot_ring_push(&rings[0], &(uint64_t){1});
}
/* The producer only looks whether the owner sleeps. */
static void produce_looking(void) {
    (void)slot_ring_push(&rings[0], &(uint64_t){1});
    if (atomics_load(&wake.state, SEQ_CST) == WAKE_ASLEEP) signal_owner(0);
}
static void produce_calling_always(void) {
    for (uint64_t i = 1; i <= pushes; i++) {
        EXPLORE_CHECK(slot_ring_push(&rings[0], &i));
        (void)wake_notify(&wake);
        signal_owner(0);
    }
}
static void one_push(void) {
    begin(1, 1);
}

static void wrong_protocols_are_found(void **state) {
    (void)state;
    explored_fault(&(struct explore_case){"looks too early", one_push, {own_looking_too_early, produce_0}, NULL, false},
        "nobody is left");
    explored_fault(&(struct explore_case){"sleeps blindly", one_push, {own_sleeping_blindly, produce_0}, NULL, false},
        "nobody is left");
    explored_fault(
        &(struct explore_case){"in two steps", one_push, {own_in_two_steps, produce_0}, NULL, false}, "nobody is left");
    explored_fault(
        &(struct explore_case){"wakes, then pushes", one_push, {own, produce_too_late}, NULL, false}, "nobody is left");
    explored_fault(
        &(struct explore_case){"only looks", one_push, {own, produce_looking}, NULL, false}, "nobody is left");
    explored_fault(
        &(struct explore_case){"always calls", one_producer, {own, produce_calling_always}, no_call_while_awake, false},
        "sleeps");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_is_lost_and_none_costs_a_call_while_awake),
        cmocka_unit_test(every_order_of_the_wake_is_needed),
        cmocka_unit_test(wrong_protocols_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
