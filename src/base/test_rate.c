/* The token bucket: exact against a plain model, in one thread and over many. */
#include "base/rate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t seed = 7;
static uint64_t draw(uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* The model: a level that is filled by time and emptied by ones. */
static void it_gives_what_a_bucket_that_is_filled_by_time_gives(void **unused) {
    (void)unused;
    struct rate rate = {0};
    struct rate_limit limit = rate_limit(1000, 5);
    uint64_t now = 1000000000, level = 5 * limit.interval_ns, wait = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t passed = draw(3 * limit.interval_ns);
        now += passed;
        level = level + passed > limit.depth_ns ? limit.depth_ns : level + passed;
        uint64_t full_in;
        assert_int_equal(rate_left(&rate, limit, now, &full_in), level / limit.interval_ns);
        bool want = level >= limit.interval_ns;
        assert_int_equal(rate_take(&rate, limit, now, &wait), want);
        if (want)
            level -= limit.interval_ns;
        else
            assert_int_equal(wait, limit.interval_ns - level);
        if (want && draw(4) == 0) {
            rate_give(&rate, limit);
            level += limit.interval_ns;
        }
    }
}

static void what_it_says_to_wait_is_enough_and_not_too_much(void **unused) {
    (void)unused;
    struct rate rate = {0};
    struct rate_limit limit = rate_limit(3, 2);
    uint64_t wait = 0, more = 0, now = 5;
    assert_true(rate_take(&rate, limit, now, &wait) && rate_take(&rate, limit, now, &wait));
    assert_false(rate_take(&rate, limit, now, &wait));
    assert_false(rate_take(&rate, limit, now + wait - 1, &more));
    assert_true(rate_take(&rate, limit, now + wait, &more));
}

static void no_limit_takes_always_and_extremes_do_not_overflow(void **unused) {
    (void)unused;
    struct rate rate = {0};
    uint64_t wait;
    for (int i = 0; i < 1000; i++)
        assert_true(rate_take(&rate, rate_limit(0, 0), 1, &wait));
    struct rate_limit wide = rate_limit(1, UINT64_MAX);
    assert_true(rate_take(&rate, wide, 1, &wait));
    assert_true(wide.depth_ns >= 1000000000u * (uint64_t)1000000000u / 1000000000u);
    assert_int_equal(rate_limit(UINT64_MAX, 1).interval_ns, 1);
}

enum { THREADS = 4, EACH = 100000, BURST = 150000 };
static struct rate shared;
static void *take_many(void *ret_taken) {
    uint64_t wait, taken = 0;
    for (int i = 0; i < EACH; i++)
        taken += rate_take(&shared, rate_limit(1, BURST), 10, &wait);
    *(uint64_t *)ret_taken = taken;
    return NULL;
}

static void all_threads_together_get_the_burst_and_not_one_more(void **unused) {
    (void)unused;
    pthread_t threads[THREADS];
    uint64_t taken[THREADS], sum = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &taken[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += taken[i];
    }
    assert_int_equal(sum, BURST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_what_a_bucket_that_is_filled_by_time_gives),
        cmocka_unit_test(what_it_says_to_wait_is_enough_and_not_too_much),
        cmocka_unit_test(no_limit_takes_always_and_extremes_do_not_overflow),
        cmocka_unit_test(all_threads_together_get_the_burst_and_not_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
