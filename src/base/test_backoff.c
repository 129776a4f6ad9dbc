/* How long to wait: bounds, spread, determinism, Retry-After. */
#include <weir/gate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S 1000000000ull

static void full_jitter_fills_its_range_and_doubles_up_to_the_most(void **unused) {
    (void)unused;
    const struct weir_backoff_policy p = {.first_ns = S, .most_ns = 60 * S};
    uint64_t ceilings[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (uint32_t attempt = 1; attempt <= 8; attempt++) {
        uint64_t ceiling = ceilings[attempt - 1] * S, quarters[4] = {0}, sum = 0;
        for (uint64_t i = 0; i < 4000; i++) {
            uint64_t wait = weir_backoff(&p, attempt, weir_backoff_seed(3, i, 0));
            assert_true(wait <= ceiling);
            quarters[wait * 4 / (ceiling + 1)]++;
            sum += wait / 4000;
        }
        for (int q = 0; q < 4; q++)
            assert_in_range(quarters[q], 850, 1150);
        assert_in_range(sum, ceiling * 47 / 100, ceiling * 53 / 100);
    }
    assert_true(weir_backoff(&p, UINT32_MAX, 1) <= 60 * S);
}

static void the_same_arguments_give_the_same_wait_for_ever(void **unused) {
    (void)unused;
    const struct weir_backoff_policy p = {0};
    /* Part of the history: a tail is replayed by later versions. */
    assert_int_equal(weir_backoff(&p, 1, weir_backoff_seed(0, 0, 0)), 96432369u);
    assert_int_equal(weir_backoff(&p, 3, weir_backoff_seed(1, 77, 2)), 3521774374u);
}

static void fixed_is_fixed(void **unused) {
    (void)unused;
    const struct weir_backoff_policy p = {.kind = WEIR_BACKOFF_FIXED, .first_ns = 5 * S};
    for (uint32_t attempt = 1; attempt < 100; attempt++)
        assert_int_equal(weir_backoff(&p, attempt, attempt), 5 * S);
}

static void retry_after_is_honoured_and_bounded(void **unused) {
    (void)unused;
    const struct weir_backoff_policy p = {.first_ns = S, .most_ns = 60 * S};
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t wait = weir_backoff_after(&p, 2, i, 10 * S);
        assert_in_range(wait, 10 * S, 12 * S);
        assert_in_range(weir_backoff_after(&p, 1, i, UINT64_MAX), 60 * S, 61 * S);
        assert_int_equal(weir_backoff_after(&p, 2, i, 0), weir_backoff(&p, 2, i));
    }
    const struct weir_backoff_policy endless = {.first_ns = UINT64_MAX / 2, .most_ns = UINT64_MAX};
    assert_true(weir_backoff_after(&endless, 9, 1, UINT64_MAX) >= UINT64_MAX / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_jitter_fills_its_range_and_doubles_up_to_the_most),
        cmocka_unit_test(the_same_arguments_give_the_same_wait_for_ever),
        cmocka_unit_test(fixed_is_fixed),
        cmocka_unit_test(retry_after_is_honoured_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
