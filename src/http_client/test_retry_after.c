/* What would break users of the HTTP client: a server that asks for time and is not given it, or for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_client/retry_after.h"

#define NOW 784111777000000000ull /* Sun, 06 Nov 1994 08:49:37 GMT */

static uint64_t ms(const char *text) {
    return http_retry_after_parse(weir_slice_text(text), NOW);
}

static void seconds_are_seconds(void **state) {
    (void)state;
    assert_int_equal(ms("120"), 120000);
    assert_int_equal(ms(" 0 "), 0);
    assert_int_equal(ms("007"), 7000);
}

static void a_date_is_the_time_until_then_in_each_of_its_forms(void **state) {
    (void)state;
    assert_int_equal(ms("Sun, 06 Nov 1994 08:50:37 GMT"), 60000);
    assert_int_equal(ms("Sunday, 06-Nov-94 08:50:37 GMT"), 60000);
    assert_int_equal(ms("Sun Nov  6 08:50:37 1994"), 60000);
    assert_int_equal(ms("Wed Nov 16 08:49:37 1994"), 10ull * 24 * 3600 * 1000);
    assert_int_equal(ms("Sunday, 06-Nov-50 08:49:37 GMT"), HTTP_RETRY_AFTER_MAX);
    /* A part of a millisecond is not too early. */
    assert_int_equal(http_retry_after_parse(weir_slice_text("Sun, 06 Nov 1994 08:49:38 GMT"), NOW + 1), 1000);
}

static void a_date_that_is_past_is_now(void **state) {
    (void)state;
    assert_int_equal(ms("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(ms("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(ms("Wed Dec 31 23:59:59 1969"), 0);
}

static void a_server_is_believed_for_a_year(void **state) {
    (void)state;
    assert_int_equal(ms("31622400"), HTTP_RETRY_AFTER_MAX);
    assert_int_equal(ms("31622401"), HTTP_RETRY_AFTER_MAX);
    assert_int_equal(ms("99999999999999999999999999999999"), HTTP_RETRY_AFTER_MAX);
    assert_int_equal(ms("Sun, 06 Nov 2094 08:49:37 GMT"), HTTP_RETRY_AFTER_MAX);
}

static void what_is_neither_says_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {"", " ", "-1", "1.5", "1s", "+1", "soon", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ms(bad[i]) != HTTP_RETRY_AFTER_NONE) fail_msg("accepted: %s", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_seconds),
        cmocka_unit_test(a_date_is_the_time_until_then_in_each_of_its_forms),
        cmocka_unit_test(a_date_that_is_past_is_now),
        cmocka_unit_test(a_server_is_believed_for_a_year),
        cmocka_unit_test(what_is_neither_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
