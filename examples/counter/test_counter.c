#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "counter.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES 100

static struct counters *new_counters(void) {
    struct counters *counters = calloc(1, counters_bytes(NAMES));
    counters->places = 2 * NAMES;
    return counters;
}

static struct weir_slice name_of(char *buf, int i) {
    return weir_slice(buf, (size_t)snprintf(buf, 32, "name-%d", i));
}

static void each_name_counts_for_itself(void **state) {
    (void)state;
    struct counters *counters = new_counters();
    char buf[32];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < NAMES; i++)
            assert_non_null(counters_add(counters, name_of(buf, i), i));
    for (int i = 0; i < NAMES; i++)
        assert_int_equal(counters_find(counters, name_of(buf, i))->value, 3 * i);
    assert_null(counters_find(counters, weir_slice_text("absent")));
    free(counters);
}

static void a_full_table_refuses_new_names_and_serves_the_old(void **state) {
    (void)state;
    struct counters *counters = new_counters();
    char buf[32];
    for (int i = 0; i < NAMES; i++)
        assert_non_null(counters_add(counters, name_of(buf, i), 1));
    assert_null(counters_add(counters, weir_slice_text("one more"), 1));
    assert_int_equal(counters_add(counters, name_of(buf, 7), 1)->value, 2);
    free(counters);
}

static void the_digest_depends_on_values_and_not_on_the_way_to_them(void **state) {
    (void)state;
    struct counters *a = new_counters(), *b = new_counters();
    counters_add(a, weir_slice_text("x"), 5);
    counters_add(a, weir_slice_text("y"), 1);
    counters_add(b, weir_slice_text("y"), 1);
    counters_add(b, weir_slice_text("x"), 2);
    assert_int_not_equal(a->digest, b->digest);
    counters_add(b, weir_slice_text("x"), 3);
    assert_int_equal(a->digest, b->digest);
    free(a);
    free(b);
}

static void a_sum_beyond_64_bits_wraps_and_does_not_trap(void **state) {
    (void)state;
    struct counters *counters = new_counters();
    counters_add(counters, weir_slice_text("x"), INT64_MAX);
    assert_true(counters_add(counters, weir_slice_text("x"), 1)->value == INT64_MIN);
    free(counters);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_counts_for_itself),
        cmocka_unit_test(a_full_table_refuses_new_names_and_serves_the_old),
        cmocka_unit_test(the_digest_depends_on_values_and_not_on_the_way_to_them),
        cmocka_unit_test(a_sum_beyond_64_bits_wraps_and_does_not_trap),
    };
    return cmocka_run_group_tests_name("counter", tests, NULL, NULL);
}
