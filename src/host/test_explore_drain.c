/* The stop of a node in every interleaving of two lanes and the one who asks whether all is done. Lane A has an emit
 * for lane B, from which follows one for A, from which follows one for B, which has something to do then. Each
 * acknowledges what it got once that is durable. A stop that does not wait for the end of it leaves a tail, which a
 * newer version may refuse to replay. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/ring.c"
#include "base/ring.h"
#include "host/drain.h"

static struct lane {
    struct drain drain;
    struct slot_ring emits, acks; /* for this lane, from the other one */
    uint64_t memory[2];
} a, b;
static uint64_t work_left; /* plain: whoever thinks that all is done may read it */

static void lane_init(struct lane *l) {
    memset(l, 0, sizeof *l);
    slot_ring_init(&l->emits, &l->memory[0], 8, 1);
    slot_ring_init(&l->acks, &l->memory[1], 8, 1);
}
static void begin(void) {
    lane_init(&a);
    lane_init(&b);
    b.drain.changes = 1; /* has said that it is idle */
    work_left = 1;
}

static void wait_for(struct slot_ring *ring) {
    uint64_t item;
    while (!slot_ring_pop(ring, &item))
        atomics_spin();
}
/* Not idle, because its outbox holds the emit until it is acknowledged. */
static void hand_on(struct lane *self, struct lane *other) {
    EXPLORE_CHECK(slot_ring_push(&other->emits, &(uint64_t){1}));
    wait_for(&self->acks);
    drain_say(&self->drain, true);
}
static void take(struct lane *self, struct lane *other) {
    wait_for(&self->emits);
    drain_say(&self->drain, false);
    EXPLORE_CHECK(slot_ring_push(&other->acks, &(uint64_t){1}));
}
static void end_work(struct lane *self) {
    explore_write(&work_left, 8);
    work_left = 0;
    drain_say(&self->drain, true);
}
static void lane_a(void) {
    hand_on(&a, &b);
    take(&a, &b);
    hand_on(&a, &b);
}
static void lane_b(void) {
    take(&b, &a);
    hand_on(&b, &a);
    take(&b, &a);
    end_work(&b);
}
static bool round_of_all(uint64_t *ret_sum) {
    *ret_sum = 0;
    return drain_ask(&b.drain, ret_sum) && drain_ask(&a.drain, ret_sum);
}
static void nothing_is_left(void) {
    explore_read(&work_left, 8);
    EXPLORE_CHECK(work_left == 0);
}
static void asker(void) {
    uint64_t before, after;
    if (round_of_all(&before) && round_of_all(&after) && before == after) nothing_is_left();
}
static void all_idle(void) {
    uint64_t sum;
    EXPLORE_CHECK(round_of_all(&sum));
}

static const struct explore_case stop = {"drain-two-lanes", begin, {lane_a, lane_b, asker}, all_idle, false};

static void all_is_done_when_two_rounds_say_so(void **state) {
    (void)state;
    explored(&stop);
}

static void every_order_of_the_drain_is_needed(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {&stop};
    explored_orders("drain_", cases, 1, NULL, 0);
}

static void asker_of_one_round(void) {
    uint64_t sum;
    if (round_of_all(&sum)) nothing_is_left();
}
static void asker_not_counting(void) {
    uint64_t before, after;
    if (round_of_all(&before) && round_of_all(&after)) nothing_is_left();
}
static void lane_b_acknowledging_first(void) {
    take(&b, &a);
    hand_on(&b, &a);
    wait_for(&b.emits);
    EXPLORE_CHECK(slot_ring_push(&a.acks, &(uint64_t){1}));
    drain_say(&b.drain, false);
    end_work(&b);
}

static void wrong_ways_to_ask_are_found(void **state) {
    (void)state;
    explored_fault(&(struct explore_case){"one round", begin, {lane_a, lane_b, asker_of_one_round}, NULL, false}, "");
    explored_fault(
        &(struct explore_case){"not counting", begin, {lane_a, lane_b, asker_not_counting}, NULL, false}, "");
    explored_fault(
        &(struct explore_case){"acknowledged first", begin, {lane_a, lane_b_acknowledging_first, asker}, NULL, false},
        "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_done_when_two_rounds_say_so),
        cmocka_unit_test(every_order_of_the_drain_is_needed),
        cmocka_unit_test(wrong_ways_to_ask_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
