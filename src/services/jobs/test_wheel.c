/* The wheel against a sorted list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "jobs/wheel.h"

#include <stdlib.h>

#define ITEMS 4096u
static struct wheel_node nodes[ITEMS];
static struct wheel wheel;
static const struct wheel_items items = {&wheel, (uint8_t *)nodes, sizeof nodes[0]};

static uint64_t spans[] = {1, 3, 255, 256, 257, 65535, 65536, 70000, 16777215, 16777216, 20000000, 4294967296,
    5000000000, 1099511627776, 3000000000000};

static void begin(uint64_t now_ns) {
    wheel_init(&wheel, now_ns);
    for (uint32_t i = 0; i < ITEMS; i++)
        nodes[i].slot = WHEEL_OUT;
}

/* Earliest time of all; UINT64_MAX: none. */
static uint64_t earliest(void) {
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < ITEMS; i++)
        if (nodes[i].slot != WHEEL_OUT && nodes[i].due_ns < best) best = nodes[i].due_ns;
    return best;
}

static void nothing_comes_early_or_late_or_twice_whatever_is_added_and_removed(void **state) {
    (void)state;
    struct prng prng = prng_seed(7);
    uint64_t now = 1700000000123456789u;
    begin(now);
    uint32_t count = 0;
    for (uint32_t round = 0; round < 30000; round++) {
        uint32_t i = (uint32_t)prng_below(&prng, ITEMS);
        if (nodes[i].slot == WHEEL_OUT) {
            uint64_t span = spans[prng_below(&prng, sizeof spans / sizeof spans[0])] + prng_below(&prng, 300);
            wheel_add(&items, i, now + span * (prng_below(&prng, 2) ? WHEEL_TICK_NS : 1));
            count++;
        } else if (prng_below(&prng, 2)) {
            wheel_remove(&items, i);
            count--;
        }
        if (prng_below(&prng, 4)) continue;
        /* As the host does: to the time it was asked to wake at, or somewhere before. */
        uint64_t next = wheel_next_ns(&wheel), first = earliest();
        if (first != UINT64_MAX) assert_true(next / WHEEL_TICK_NS <= first / WHEEL_TICK_NS + 1);
        uint64_t to = next == UINT64_MAX || prng_below(&prng, 3) == 0 ? now + prng_below(&prng, 100000000) : next;
        if (to > now) now = to;
        bool more;
        uint32_t taken;
        while ((taken = wheel_take(&items, now, &more)) != WHEEL_NONE) {
            assert_true(nodes[taken].due_ns <= now);
            assert_int_equal(nodes[taken].slot, WHEEL_OUT);
            count--;
        }
        assert_false(more);
        first = earliest();
        /* Rounded up to a tick: what is due within this one may wait for its end. */
        assert_true(
            first == UINT64_MAX || first > now || (first + WHEEL_TICK_NS - 1) / WHEEL_TICK_NS > now / WHEEL_TICK_NS);
        assert_int_equal(count, wheel.count);
    }
}

static void items_of_one_time_come_in_the_order_in_which_they_were_added(void **state) {
    (void)state;
    begin(0);
    for (uint32_t i = 0; i < ITEMS; i++)
        wheel_add(&items, i, 777 * (uint64_t)WHEEL_TICK_NS * 1000);
    uint64_t now = 0;
    bool more;
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t taken;
        while ((taken = wheel_take(&items, now, &more)) == WHEEL_NONE)
            now = wheel_next_ns(&wheel);
        assert_int_equal(taken, i);
    }
    assert_true(wheel_next_ns(&wheel) == UINT64_MAX);
}

static void a_slot_of_many_moves_down_in_pieces(void **state) {
    (void)state;
    enum { MANY = 100000 };
    struct wheel_node *many = calloc(MANY, sizeof *many);
    struct wheel_items all = {&wheel, (uint8_t *)many, sizeof *many};
    begin(0);
    uint64_t base = 300000ull * WHEEL_TICK_NS;
    for (uint32_t i = 0; i < MANY; i++) {
        many[i].slot = WHEEL_OUT;
        wheel_add(&all, i, base + i % 60000 * (uint64_t)WHEEL_TICK_NS);
    }
    uint64_t now = 0;
    uint32_t taken = 0, pieces = 0;
    while (wheel.count) {
        bool more;
        uint32_t item = wheel_take(&all, now, &more);
        if (item != WHEEL_NONE) {
            assert_true(many[item].due_ns <= now && many[item].due_ns + WHEEL_TICK_NS > now);
            taken++;
        } else if (more) {
            assert_true(wheel_next_ns(&wheel) <= now); /* to go on at once */
            pieces++;
        } else {
            now = wheel_next_ns(&wheel);
        }
    }
    assert_int_equal(taken, MANY);
    assert_true(pieces > 2);
    free(many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_early_or_late_or_twice_whatever_is_added_and_removed),
        cmocka_unit_test(items_of_one_time_come_in_the_order_in_which_they_were_added),
        cmocka_unit_test(a_slot_of_many_moves_down_in_pieces),
    };
    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
