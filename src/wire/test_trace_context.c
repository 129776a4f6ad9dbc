/* The headers of W3C Trace Context: the examples of the specification, and what its test suite asks of whoever reads
 * them. */
#include "wire/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static bool parse(const char *text, struct weir_traceparent *ret) {
    return weir_traceparent_parse(weir_slice_text(text), ret);
}

static void the_specifications_example_comes_apart_and_is_written_again(void **state) {
    (void)state;
    const char *text = "00-" TRACE "-" SPAN "-01";
    struct weir_traceparent p;
    char out[WEIR_TRACEPARENT_SIZE];
    assert_true(parse(text, &p));
    assert_int_equal(p.link.trace_id[0], 0x4b);
    assert_int_equal(p.link.trace_id[15], 0x36);
    assert_int_equal(p.link.span_id[1], 0xf0);
    assert_int_equal(p.flags, WEIR_TRACE_FLAG_SAMPLED);
    assert_true(weir_trace_link_is_set(&p.link));
    weir_traceparent_write(&p, out);
    assert_memory_equal(out, text, sizeof out);
    assert_true(parse("00-" TRACE "-" SPAN "-00", &p));
    assert_int_equal(p.flags, 0);
    assert_true(parse("00-" TRACE "-" SPAN "-ff", &p)); /* flags nobody knows are not passed on */
    assert_int_equal(p.flags, WEIR_TRACE_FLAG_SAMPLED | WEIR_TRACE_FLAG_RANDOM);
}

static void a_later_version_is_read_as_far_as_the_first_one_goes(void **state) {
    (void)state;
    struct weir_traceparent p;
    assert_true(parse("cc-" TRACE "-" SPAN "-01", &p));
    assert_true(parse("cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", &p));
    assert_true(parse("01-" TRACE "-" SPAN "-03-", &p));
    assert_false(parse("cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like", &p));
    assert_false(parse("cc-" TRACE "-" SPAN "-01x", &p));
}

static void a_malformed_traceparent_is_none(void **state) {
    (void)state;
    static const char *const bad[] = {"", "00", "00-" TRACE "-" SPAN, "00-" TRACE "-" SPAN "-",
        "00-" TRACE "-" SPAN "-1", "00-" TRACE "-" SPAN "-01.", "00-" TRACE "-" SPAN "-01-more",
        "ff-" TRACE "-" SPAN "-01", ".0-" TRACE "-" SPAN "-01", "0.-" TRACE "-" SPAN "-01", "000-" TRACE "-" SPAN "-01",
        "0-" TRACE "-" SPAN "-01", "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01", "00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473.-" SPAN "-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-" TRACE "-00F067AA0BA902B7-01", "00-" TRACE "0-" SPAN "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01", "00-" TRACE "-" SPAN "0-01",
        "00-" TRACE "-00f067aa0ba902b-01", "00-" TRACE "-" SPAN "-.0", "00-" TRACE "-" SPAN "-0.",
        "00-" TRACE "-" SPAN "-001", "00_" TRACE "-" SPAN "-01", "00-" TRACE "_" SPAN "-01", "00-" TRACE "-" SPAN "_01",
        " 00-" TRACE "-" SPAN "-01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct weir_traceparent p = {.flags = 77};
        if (parse(bad[i], &p) || p.flags != 77) fail_msg("\"%s\" was taken", bad[i]);
    }
}

/* ---- tracestate ---- */

static void assert_joined(const char *const *values, const char *expected) {
    struct weir_slice slices[WEIR_TRACESTATE_MEMBERS];
    size_t count = 0;
    for (; values[count]; count++)
        slices[count] = weir_slice_text(values[count]);
    char out[WEIR_TRACESTATE_MAX];
    size_t size = weir_tracestate_join(slices, count, out);
    if (weir_slice_equal(weir_slice(out, size), weir_slice_text(expected))) return;
    fail_msg("\"%s\"... became \"%.*s\" instead of \"%s\"", values[0], (int)size, out, expected);
}
#define ASSERT_STATE(expected, ...) assert_joined((const char *const[]){__VA_ARGS__, NULL}, expected)

static void headers_of_a_state_are_joined_in_their_order(void **state) {
    (void)state;
    ASSERT_STATE("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    ASSERT_STATE("foo=1,bar=2,rojo=1,congo=2,baz=3", "foo=1,bar=2", "rojo=1,congo=2", "baz=3");
    ASSERT_STATE("foo=1", "", "foo=1", "");
    ASSERT_STATE("foo=1", ",,foo=1,");
    ASSERT_STATE("foo=1,bar=2,baz=3", "foo=1 \t , \t bar=2, \t baz=3");
    ASSERT_STATE("foo= 1", "\t foo= 1 \t");
    ASSERT_STATE("", "");
    ASSERT_STATE("tenant-1*/_@sys-_*/=1", "tenant-1*/_@sys-_*/=1");
    ASSERT_STATE("a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ x", "a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ x");
    ASSERT_STATE("0digit=1", "0digit=1"); /* level 2 */
}

static void a_malformed_state_is_passed_over_whole(void **state) {
    (void)state;
    ASSERT_STATE("", "foo=1,foo=1");
    ASSERT_STATE("", "foo=1", "foo=2");
    ASSERT_STATE("", "foo =1");
    ASSERT_STATE("", "FOO=1");
    ASSERT_STATE("", "foo.bar=1");
    ASSERT_STATE("", "foo@=1,bar=2");
    ASSERT_STATE("", "@foo=1,bar=2");
    ASSERT_STATE("", "foo@@bar=1,bar=2");
    ASSERT_STATE("", "foo@bar@baz=1,bar=2");
    ASSERT_STATE("", "foo=,bar=2");
    ASSERT_STATE("", "=1");
    ASSERT_STATE("", "foo,bar=2");
    ASSERT_STATE("", "foo=1=2");
    ASSERT_STATE("", "foo=\xc3\xbc");
    ASSERT_STATE("", "_a=1");
}

static void keys_values_and_members_have_their_limits(void **state) {
    (void)state;
    char text[2 * 300];
    char z[257];
    memset(z, 'z', 256);
    z[256] = 0;
    snprintf(text, sizeof text, "%s=1", z);
    ASSERT_STATE(text, text);
    snprintf(text, sizeof text, "%sz=1", z);
    ASSERT_STATE("", text);
    snprintf(text, sizeof text, "%.241s@%.14s=1", z, z);
    ASSERT_STATE(text, text);
    snprintf(text, sizeof text, "%.242s@v=1", z);
    ASSERT_STATE("", text);
    snprintf(text, sizeof text, "t@%.15s=1", z);
    ASSERT_STATE("", text);
    snprintf(text, sizeof text, "a=%s", z);
    ASSERT_STATE(text, text);
    snprintf(text, sizeof text, "a=%sz", z);
    ASSERT_STATE("", text);
    char many[512] = "";
    for (int i = 0; i < 33; i++) {
        size_t size = strlen(many);
        snprintf(many + size, sizeof many - size, "%sk%02d=%d", i ? "," : "", i, i % 10);
        if (i == 31) ASSERT_STATE(many, many);
    }
    ASSERT_STATE("", many);
}

static void of_a_state_that_is_too_long_large_members_go_first_then_the_last_ones(void **state) {
    (void)state;
    char z[200], one[256], two[256], three[256], joined[1024];
    memset(z, 'z', sizeof z);
    snprintf(one, sizeof one, "a=%.126s", z); /* 128 bytes: not large */
    snprintf(two, sizeof two, "b=%.150s", z); /* large */
    snprintf(three, sizeof three, "d=%.126s", z);
    snprintf(joined, sizeof joined, "%s,c=1,%s,e=%.126s", one, three, z);
    ASSERT_STATE(joined, one, two, "c=1", three, joined + strlen(one) + 1 + 4 + strlen(three) + 1);
    char first[1024];
    snprintf(first, sizeof first, "%s,g=%.126s", joined, z); /* one too many, none of them large */
    ASSERT_STATE(joined, first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specifications_example_comes_apart_and_is_written_again),
        cmocka_unit_test(a_later_version_is_read_as_far_as_the_first_one_goes),
        cmocka_unit_test(a_malformed_traceparent_is_none),
        cmocka_unit_test(headers_of_a_state_are_joined_in_their_order),
        cmocka_unit_test(a_malformed_state_is_passed_over_whole),
        cmocka_unit_test(keys_values_and_members_have_their_limits),
        cmocka_unit_test(of_a_state_that_is_too_long_large_members_go_first_then_the_last_ones),
    };
    return cmocka_run_group_tests_name("wire trace context", tests, NULL, NULL);
}
