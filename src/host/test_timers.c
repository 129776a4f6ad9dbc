#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "host/clock.h"
#include "host/timers.h"

#include <stdlib.h>

#define IDS 600u

/* A naive model: one slot per id. */
static void timers_agree_with_a_naive_model(void **state) {
    (void)state;
    struct prng prng = prng_seed(7);
    struct timers timers = {0};
    uint64_t at[IDS] = {0}, now = 1000;
    for (int step = 0; step < 60000; step++) {
        uint64_t id = prng_below(&prng, IDS);
        switch (prng_below(&prng, 5)) {
        case 0:
        case 1:
            at[id] = now + prng_between(&prng, 1, 500);
            timers_set(&timers, id, at[id]);
            break;
        case 2:
            assert_int_equal(timers_cancel(&timers, id), at[id] != 0);
            at[id] = 0;
            break;
        case 3:
            assert_int_equal(timers_take_due(&timers, id, now), at[id] != 0 && at[id] <= now);
            if (at[id] <= now) at[id] = 0;
            break;
        default:
            now += prng_below(&prng, 20);
        }
        uint64_t next = UINT64_MAX, due_count = 0, count = 0;
        for (uint32_t i = 0; i < IDS; i++) {
            count += at[i] != 0;
            due_count += at[i] && at[i] <= now;
            if (at[i] && at[i] < next) next = at[i];
        }
        assert_int_equal(timers.count, count);
        assert_int_equal(timers_next_ns(&timers), next);
        if (step % 50) continue;
        struct timer due[256];
        uint32_t found = timers_due(&timers, now, 256, due);
        assert_int_equal(found, due_count < 256 ? due_count : 256);
        for (uint32_t i = 0; i < found; i++) {
            assert_int_equal(due[i].at_ns, at[due[i].id]);
            if (i)
                assert_true(
                    due[i - 1].at_ns < due[i].at_ns || (due[i - 1].at_ns == due[i].at_ns && due[i - 1].id < due[i].id));
        }
    }
    timers_done(&timers);
}

static void record_time_follows_the_monotonic_clock_and_leans_towards_the_wall(void **state) {
    (void)state;
    struct clock clock;
    clock_init(&clock, 5000, 0, 1000); /* wall time is behind the last record */
    assert_int_equal(clock.ns, 5000);
    assert_int_equal(clock_read(&clock, 800, 1800), 5000 + 800 - 100); /* at most 1/8 slower */
    assert_int_equal(clock_read(&clock, 800, 1800), 5700);             /* no time passed */
    assert_int_equal(clock_read(&clock, 1600, 1000000), 5700 + 800 + 100);
    assert_int_equal(clock_read(&clock, 2400, 7420), 7420); /* near: it meets it */
    clock_init(&clock, 5000, 0, 9000);
    assert_int_equal(clock.ns, 9000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_agree_with_a_naive_model),
        cmocka_unit_test(record_time_follows_the_monotonic_clock_and_leans_towards_the_wall),
    };
    return cmocka_run_group_tests_name("host timers", tests, NULL, NULL);
}
