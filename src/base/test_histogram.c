/* What would break users of the histogram: a quantile off by more than it promises, a merge or reset that loses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/prng.h"

#include <math.h>
#include <stdlib.h>

static uint64_t memory_a[HISTOGRAM_BUCKETS_MAX], memory_b[HISTOGRAM_BUCKETS_MAX];

static void buckets_tile_all_values(void **state) {
    (void)state;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS_MAX; i++) {
        uint64_t start = histogram_bucket_start(i), next = histogram_bucket_start(i + 1);
        assert_true(next > start);
        assert_int_equal(histogram_bucket(start), i);
        assert_int_equal(histogram_bucket(next - 1), i);
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS_MAX - 1);
    assert_int_equal(histogram_bucket_count(UINT64_MAX), HISTOGRAM_BUCKETS_MAX);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t draw(struct prng *p, uint64_t shape) {
    switch (shape % 4) {
    case 0:
        return prng_below(p, 200);
    case 1:
        return (uint64_t)prng_exponential(p, 1e6);
    case 2:
        return prng_next(p) >> prng_below(p, 64);
    default:
        return 1000000 + prng_below(p, 1000);
    }
}

/* The naive model: all values, sorted. */
static void quantiles_are_within_one_percent_of_the_sorted_values(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct prng p = prng_seed(seed);
        struct histogram h;
        size_t n = 1 + prng_below(&p, 3000);
        uint64_t *values = malloc(n * sizeof *values);
        double sum = 0;
        histogram_init(&h, memory_a, HISTOGRAM_BUCKETS_MAX);
        for (size_t i = 0; i < n; i++) {
            values[i] = draw(&p, seed);
            sum += (double)values[i];
            histogram_record(&h, values[i]);
        }
        qsort(values, n, sizeof *values, by_value);
        assert_int_equal(h.count, n);
        assert_true(histogram_min(&h) == values[0] && histogram_max(&h) == values[n - 1]);
        assert_true(fabs(histogram_sum(&h) - sum) <= sum * 1e-9);
        assert_true(fabs(histogram_mean(&h) - sum / (double)n) <= sum * 1e-9);
        for (double q = 0; q <= 1.0; q += 0.01) {
            size_t rank = (size_t)ceil(q * (double)n);
            uint64_t exact = values[rank ? rank - 1 : 0], got = histogram_quantile(&h, q);
            uint64_t error = got > exact ? got - exact : exact - got;
            assert_true((double)error <= (double)exact / 128.0);
        }
        uint64_t bound = histogram_bucket_start(histogram_bucket(values[n / 2]) + 1) - 1, below = 0;
        for (size_t i = 0; i < n; i++)
            below += values[i] <= bound;
        assert_int_equal(histogram_count_below(&h, bound), below);
        assert_int_equal(histogram_count_below(&h, UINT64_MAX), n);
        histogram_reset(&h);
        for (size_t i = 0; i < HISTOGRAM_BUCKETS_MAX; i++)
            assert_int_equal(memory_a[i], 0);
        free(values);
    }
}

static void merge_equals_recording_everything_in_one(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng p = prng_seed(seed);
        static uint64_t both_memory[HISTOGRAM_BUCKETS_MAX];
        struct histogram a, b, both;
        histogram_init(&a, memory_a, HISTOGRAM_BUCKETS_MAX);
        histogram_init(&b, memory_b, HISTOGRAM_BUCKETS_MAX);
        histogram_init(&both, both_memory, HISTOGRAM_BUCKETS_MAX);
        for (uint64_t n = prng_below(&p, 500), i = 0; i < n; i++) {
            uint64_t value = draw(&p, seed + i), times = 1 + prng_below(&p, 3);
            histogram_record_many(i % 2 ? &a : &b, value, times);
            histogram_record_many(&both, value, times);
        }
        histogram_merge(&a, &b);
        assert_memory_equal(memory_a, both_memory, sizeof both_memory);
        assert_true(a.count == both.count && a.min == both.min && a.max == both.max && a.low == both.low &&
                    a.high == both.high && a.sum_low == both.sum_low && a.sum_high == both.sum_high);
        histogram_reset(&a);
        histogram_reset(&b);
        histogram_reset(&both);
    }
}

static void values_beyond_the_range_are_clipped_and_counted(void **state) {
    (void)state;
    size_t buckets = histogram_bucket_count(1000000);
    uint64_t *memory = calloc(buckets, sizeof *memory); /* exact: a sanitizer sees a write behind it */
    struct histogram h, wide;
    histogram_init(&h, memory, buckets);
    histogram_record(&h, 10);
    histogram_record(&h, UINT64_MAX);
    histogram_record_many(&h, 5000000, 2);
    assert_int_equal(h.clipped, 3);
    assert_true(histogram_max(&h) == UINT64_MAX && histogram_quantile(&h, 1) == UINT64_MAX);
    assert_int_equal(histogram_quantile(&h, 0.25), 10);
    assert_int_equal(h.sum_high, 1);
    histogram_init(&wide, memory_a, HISTOGRAM_BUCKETS_MAX);
    histogram_record(&wide, 1ull << 60);
    histogram_merge(&h, &wide);
    assert_int_equal(h.count, 5);
    assert_int_equal(h.clipped, 4);
    histogram_reset(&h);
    assert_int_equal(h.clipped, 0);
    histogram_reset(&wide);
    free(memory);
}

static void empty_histogram_answers_zero(void **state) {
    (void)state;
    struct histogram h;
    histogram_init(&h, memory_a, HISTOGRAM_BUCKETS_MAX);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(histogram_min(&h), 0);
    assert_int_equal(histogram_max(&h), 0);
    assert_true(histogram_mean(&h) == 0);
    histogram_reset(&h);
    histogram_merge(&h, &h);
    assert_int_equal(h.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_tile_all_values),
        cmocka_unit_test(quantiles_are_within_one_percent_of_the_sorted_values),
        cmocka_unit_test(merge_equals_recording_everything_in_one),
        cmocka_unit_test(values_beyond_the_range_are_clipped_and_counted),
        cmocka_unit_test(empty_histogram_answers_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
