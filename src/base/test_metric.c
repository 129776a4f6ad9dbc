/* Tests of base/metric.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void quantiles_are_within_a_bucket_of_the_truth(void **state) {
    (void)state;
    static struct metric_histogram h;
    memset(&h, 0, sizeof h);
    assert_int_equal(metric_quantile(&h, 0.5), 0);
    for (uint64_t v = 1; v <= 100000; v++)
        metric_record(&h, v * 37);
    for (double q = 0.01; q < 1; q += 0.01) {
        double truth = q * 100000 * 37, got = (double)metric_quantile(&h, q);
        assert_true(got > truth * (1 - 1.0 / 32) && got < truth * (1 + 1.0 / 32));
    }
}

static void a_value_beyond_the_last_bucket_is_counted_and_harms_nothing(void **state) {
    (void)state;
    static struct metric_histogram h;
    memset(&h, 0, sizeof h);
    metric_record(&h, UINT64_MAX);
    metric_record(&h, 0);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.max, UINT64_MAX);
    assert_int_equal(metric_bucket(UINT64_MAX), METRIC_BUCKETS - 1);
    assert_int_equal(metric_quantile(&h, 0.1), 0);
}

static void rows_of_one_name_stand_under_one_header(void **state) {
    (void)state;
    struct metric_registry *r = calloc(1, sizeof *r);
    struct metric_counter a = {0}, b = {0}, c = {0};
    metric_add(&a, 3);
    metric_add(&a, 4);
    metric_set(&b, 5);
    metric_register(r, METRIC_COUNTER, &a, "weir_a_total", "A.", "lane=\"%d\"", 0);
    metric_register(r, METRIC_GAUGE, &b, "weir_b_bytes", "B.", NULL);
    metric_register(r, METRIC_COUNTER, &c, "weir_a_total", "A.", "lane=\"%d\"", 1);
    char text[1000];
    size_t size = metric_print(r, text, sizeof text);
    assert_string_equal(text, "# HELP weir_a_total A.\n# TYPE weir_a_total counter\nweir_a_total{lane=\"0\"} 7\n"
                              "weir_a_total{lane=\"1\"} 0\n# HELP weir_b_bytes B.\n# TYPE weir_b_bytes gauge\n"
                              "weir_b_bytes 5\n");
    assert_int_equal(size, strlen(text));
    free(r);
}

static void a_short_buffer_is_not_overrun_and_the_size_needed_is_told(void **state) {
    (void)state;
    struct metric_registry *r = calloc(1, sizeof *r);
    static struct metric_histogram h;
    metric_register(r, METRIC_HISTOGRAM_NS, &h, "weir_h_seconds", "H.", NULL);
    size_t need = metric_print(r, NULL, 0);
    assert_true(need > 500);
    for (size_t size = 1; size < need + 2; size += 7) {
        char *text = malloc(size);
        assert_int_equal(metric_print(r, text, size), need);
        free(text);
    }
    free(r);
}

static void histogram_buckets_only_rise_and_end_at_the_count(void **state) {
    (void)state;
    struct metric_registry *r = calloc(1, sizeof *r);
    static struct metric_histogram h;
    memset(&h, 0, sizeof h);
    for (uint64_t v = 1; v < 5000000000u; v = v * 3 / 2 + 1)
        metric_record(&h, v);
    metric_register(r, METRIC_HISTOGRAM_NS, &h, "weir_h_seconds", "H.", "lane=\"1\"");
    char text[8000];
    assert_true(metric_print(r, text, sizeof text) < sizeof text);
    unsigned long last = 0, lines = 0;
    for (char *at = text; (at = strstr(at, "_bucket{")); at++, lines++) {
        unsigned long value = strtoul(strstr(at, "} ") + 2, NULL, 10);
        assert_true(value >= last);
        last = value;
    }
    assert_true(lines > 20);
    assert_int_equal(last, h.count);
    assert_non_null(strstr(text, "weir_h_seconds_bucket{lane=\"1\",le=\"+Inf\"}"));
    assert_non_null(strstr(text, "weir_h_seconds_bucket{lane=\"1\",le=\"0.005\"}"));
    assert_non_null(strstr(text, "weir_h_seconds_sum{lane=\"1\"} "));
    free(r);
}

static void rows_beyond_the_registry_are_counted_not_lost_silently(void **state) {
    (void)state;
    struct metric_registry *r = calloc(1, sizeof *r);
    struct metric_counter a = {0};
    for (int i = 0; i < METRIC_ROWS_MAX + 3; i++)
        metric_register(r, METRIC_COUNTER, &a, "weir_a_total", "A.", "i=\"%d\"", i);
    size_t size = metric_print(r, NULL, 0) + 1;
    char *text = malloc(size);
    metric_print(r, text, size);
    assert_non_null(strstr(text, "weir_metric_rows_dropped_total 3\n"));
    free(text);
    free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_a_bucket_of_the_truth),
        cmocka_unit_test(a_value_beyond_the_last_bucket_is_counted_and_harms_nothing),
        cmocka_unit_test(rows_of_one_name_stand_under_one_header),
        cmocka_unit_test(a_short_buffer_is_not_overrun_and_the_size_needed_is_told),
        cmocka_unit_test(histogram_buckets_only_rise_and_end_at_the_count),
        cmocka_unit_test(rows_beyond_the_registry_are_counted_not_lost_silently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
