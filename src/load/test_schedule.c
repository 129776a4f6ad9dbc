/* What is due when: curves and plans. */
#include "load/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct load_curve curve_of(const char *text, double rate, double duration_s) {
    struct load_curve curve;
    assert_int_equal(load_curve_init(&curve, text, (struct weir_slice){0}, rate, duration_s), WEIR_OK);
    return curve;
}

static double due_s(const struct load_curve *curve, double k) {
    uint32_t cursor = 0;
    return (double)load_curve_due_ns(curve, k, &cursor) / 1e9;
}

#define NEAR(a, b) assert_true((a) - (b) < 1e-6 && (b) - (a) < 1e-6)

static void a_steady_curve_has_even_gaps(void **state) {
    (void)state;
    struct load_curve c = curve_of("steady", 1000, 2);
    NEAR(c.total, 2000.0);
    for (int k = 0; k < 2000; k += 7)
        NEAR(due_s(&c, k), k / 1000.0);
    load_curve_done(&c);
}

/* Rate k * t: the integral is t^2 / 2. */
static void a_ramp_reaches_its_rate_at_the_end(void **state) {
    (void)state;
    struct load_curve c = curve_of("ramp", 1000, 10);
    NEAR(c.total, 5000.0);
    NEAR(due_s(&c, 1250), 5.0);
    NEAR(due_s(&c, 50), 1.0);
    assert_true(due_s(&c, 4999) < 10 && due_s(&c, 4999) > 9.99);
    load_curve_done(&c);
}

static void a_spike_triples_the_middle_third(void **state) {
    (void)state;
    struct load_curve c = curve_of("spike", 90, 3);
    NEAR(c.total, 90.0 + 270 + 90);
    NEAR(due_s(&c, 90), 1.0);
    NEAR(due_s(&c, 90 + 135), 1.5);
    NEAR(due_s(&c, 360), 2.0);
    NEAR(due_s(&c, 405), 2.5);
    load_curve_done(&c);
    c = curve_of("spike:10", 90, 3);
    NEAR(c.total, 90.0 + 900 + 90);
    load_curve_done(&c);
}

static void a_burst_is_due_at_once(void **state) {
    (void)state;
    struct load_curve c = curve_of("burst:500ms", 100, 2);
    for (int k = 0; k < 200; k++)
        NEAR(due_s(&c, k), k / 50 * 0.5);
    load_curve_done(&c);
}

static void a_trace_repeats_and_is_scaled_to_its_peak(void **state) {
    (void)state;
    struct load_curve c;
    struct weir_slice text = weir_slice_text("# seconds rate\n0 10\n1, 30\r\n2 10\n");
    assert_int_equal(load_curve_init(&c, "trace:x", text, 0, 0), WEIR_OK);
    NEAR(c.total, 40.0);
    NEAR(c.duration_s, 2.0);
    load_curve_done(&c);
    assert_int_equal(load_curve_init(&c, "trace:x", text, 300, 4), WEIR_OK);
    NEAR(c.total, 800.0);
    load_curve_done(&c);
}

static void a_schedule_is_monotone_whatever_the_curve(void **state) {
    (void)state;
    struct load_curve c;
    struct weir_slice text = weir_slice_text("0 0\n1 500\n1 0\n2 0\n3 1000\n3.5 1\n");
    assert_int_equal(load_curve_init(&c, "trace:x", text, 0, 0), WEIR_OK);
    uint64_t before = 0;
    uint32_t cursor = 0;
    for (double k = 0; k < c.total; k += 1) {
        uint64_t at = load_curve_due_ns(&c, k, &cursor);
        assert_true(at >= before && (double)at <= c.duration_s * 1e9);
        before = at;
    }
    load_curve_done(&c);
}

static void what_is_no_curve_is_refused_with_a_sentence(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "flat", "spike:", "spike:-1", "spike:x", "burst:0", "burst:1", "steady:1", "ramp:2"};
    struct load_curve c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(load_curve_init(&c, bad[i], (struct weir_slice){0}, 10, 1), WEIR_E_INVALID);
        assert_true(weir_error_text()[0] != 0);
    }
    assert_int_equal(load_curve_init(&c, "steady", (struct weir_slice){0}, 0, 1), WEIR_E_INVALID);
    static const char *const traces[] = {
        "", "0 1", "0 1\n0 1\n", "1 1\n0 1\n", "0 x\n", "0 1 2\n", "0 -1\n1 1\n", "0 0\n1 0\n"};
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
        assert_int_equal(load_curve_init(&c, "trace:x", weir_slice_text(traces[i]), 0, 0), WEIR_E_INVALID);
}

/* ---- plans ---- */

static void plans_share_the_requests_out_without_a_gap(void **state) {
    (void)state;
    struct load_curve c = curve_of("spike", 100, 3);
    bool seen[500] = {false};
    for (uint32_t worker = 0; worker < 3; worker++) {
        struct load_plan plan;
        struct load_due due;
        assert_int_equal(load_plan_init(&plan, &c, &(struct load_plan_options){.index = worker, .step = 3}), WEIR_OK);
        for (uint64_t before = 0; load_plan_peek(&plan, &due); load_plan_pop(&plan)) {
            assert_true(due.at_ns >= before && due.n < 500 && !seen[due.n]);
            before = due.at_ns;
            seen[due.n] = true;
        }
        load_plan_done(&plan);
    }
    for (int i = 0; i < 500; i++)
        assert_true(seen[i]);
    load_curve_done(&c);
}

static void jitter_and_reordering_keep_time_in_order_and_numbers_out_of_it(void **state) {
    (void)state;
    struct load_curve c = curve_of("steady", 1000, 5);
    struct load_plan plan;
    struct load_due due;
    struct load_plan_options o = {
        .step = 1, .jitter_ns = 20000000, .reorder_ppm = 100000, .reorder_ns = 50000000, .seed = 3};
    assert_int_equal(load_plan_init(&plan, &c, &o), WEIR_OK);
    uint64_t before = 0, count = 0, overtaken = 0, last = 0;
    for (; load_plan_peek(&plan, &due); load_plan_pop(&plan), count++) {
        uint64_t base = due.n * 1000000;
        assert_true(due.at_ns >= before && due.at_ns >= base && due.at_ns <= base + 70000000 + 1);
        assert_true(due.origin_ns == due.at_ns);
        overtaken += due.n < last;
        before = due.at_ns;
        last = due.n;
    }
    assert_int_equal(count, 5000);
    assert_true(overtaken > 500);
    load_plan_done(&plan);
    load_curve_done(&c);
}

static void random_arrivals_come_at_the_rate_and_in_any_gap(void **state) {
    (void)state;
    struct load_curve c = curve_of("steady", 1000, 20);
    struct load_plan plan;
    struct load_due due;
    assert_int_equal(
        load_plan_init(&plan, &c, &(struct load_plan_options){.step = 1, .random_arrivals = true, .seed = 5}), WEIR_OK);
    uint64_t count = 0, before = 0, tiny = 0;
    for (; load_plan_peek(&plan, &due); load_plan_pop(&plan), count++) {
        tiny += due.at_ns - before < 100000; /* a tenth of the mean gap: 9.5 % of an exponential */
        before = due.at_ns;
    }
    assert_true(count > 19000 && count < 21000);
    assert_true(tiny > count * 8 / 100 && tiny < count * 11 / 100);
    load_plan_done(&plan);
    load_curve_done(&c);
}

static void another_attempt_keeps_where_its_latency_begins(void **state) {
    (void)state;
    struct load_curve c = curve_of("steady", 10, 1);
    struct load_plan plan;
    struct load_due due;
    assert_int_equal(load_plan_init(&plan, &c, &(struct load_plan_options){.step = 1, .waiting_max = 1}), WEIR_OK);
    assert_true(load_plan_peek(&plan, &due));
    load_plan_pop(&plan);
    struct load_due again = {.at_ns = 250000000, .origin_ns = due.origin_ns, .n = due.n, .attempt = 1};
    assert_true(load_plan_again(&plan, &again));
    assert_false(load_plan_again(&plan, &again));
    uint64_t order[10], count = 0;
    for (; load_plan_peek(&plan, &due); load_plan_pop(&plan))
        order[count++] = due.n;
    assert_int_equal(count, 10);
    assert_int_equal(order[2], 0);
    assert_true(load_plan_again(&plan, &again));
    load_plan_done(&plan);
    load_curve_done(&c);
}

static void jitter_beyond_memory_is_refused(void **state) {
    (void)state;
    struct load_curve c = curve_of("steady", 1e6, 100);
    struct load_plan plan;
    assert_int_equal(
        load_plan_init(&plan, &c, &(struct load_plan_options){.step = 1, .jitter_ns = UINT64_C(60000000000)}),
        WEIR_E_TOO_LARGE);
    load_curve_done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_curve_has_even_gaps),
        cmocka_unit_test(a_ramp_reaches_its_rate_at_the_end),
        cmocka_unit_test(a_spike_triples_the_middle_third),
        cmocka_unit_test(a_burst_is_due_at_once),
        cmocka_unit_test(a_trace_repeats_and_is_scaled_to_its_peak),
        cmocka_unit_test(a_schedule_is_monotone_whatever_the_curve),
        cmocka_unit_test(what_is_no_curve_is_refused_with_a_sentence),
        cmocka_unit_test(plans_share_the_requests_out_without_a_gap),
        cmocka_unit_test(jitter_and_reordering_keep_time_in_order_and_numbers_out_of_it),
        cmocka_unit_test(random_arrivals_come_at_the_rate_and_in_any_gap),
        cmocka_unit_test(another_attempt_keeps_where_its_latency_begins),
        cmocka_unit_test(jitter_beyond_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
