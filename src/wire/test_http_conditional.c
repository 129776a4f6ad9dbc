/* Preconditions and ranges: the examples of RFC 9110 and its rules at their borders. */
#include "base/text.h"
#include "wire/http_conditional.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a GET of 10,000 bytes with these headers gets, as text: the status, then each FIRST+SIZE. */
static void assert_selected(const char *method, const char *headers, uint64_t size, const char *expected) {
    static struct weir_http_parser parser;
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    struct weir_http_selection selection;
    char bytes[1000], text[400];
    struct text_builder out = TEXT_BUILDER(text);
    snprintf(bytes, sizeof bytes, "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, headers);
    weir_http_parser_init(&parser, &limits);
    assert_int_equal(weir_http_parser_feed(&parser, (uint8_t *)bytes, strlen(bytes)), WEIR_HTTP_COMPLETE);
    weir_http_select(&parser.request, weir_slice_text("\"v1\""), size, &selection);
    text_printf(&out, "%d", selection.status);
    for (uint32_t i = 0; i < selection.range_count; i++)
        text_printf(&out, " %llu+%llu", (unsigned long long)selection.ranges[i].first,
            (unsigned long long)selection.ranges[i].size);
    if (strcmp(text, expected) != 0) fail_msg("%s: %s, expected %s", headers, text, expected);
}
#define SELECTED(headers, expected) assert_selected("GET", headers, 10000, expected)

static void ranges_of_the_rfc_are_what_it_says(void **state) {
    (void)state; /* RFC 9110 14.1.2, of 10,000 bytes */
    SELECTED("", "200");
    SELECTED("Range: bytes=0-499\r\n", "206 0+500");
    SELECTED("Range: bytes=500-999\r\n", "206 500+500");
    SELECTED("Range: bytes=-500\r\n", "206 9500+500");
    SELECTED("Range: bytes=9500-\r\n", "206 9500+500");
    SELECTED("Range: bytes=0-0,-1\r\n", "206 0+1 9999+1");
    SELECTED("Range: bytes= 0-999, 4500-5499, -1000\r\n", "206 0+1000 4500+1000 9000+1000");
    SELECTED("Range: bytes=500-600,601-999\r\n", "206 500+101 601+399");
    SELECTED("Range: bytes=500-700,601-999\r\n", "200"); /* they overlap: the whole, 14.2 */
}

static void ends_of_ranges_are_cut_to_what_is_there(void **state) {
    (void)state;
    SELECTED("Range: bytes=9999-99999\r\n", "206 9999+1");
    SELECTED("Range: bytes=0-18446744073709551615\r\n", "206 0+10000");
    SELECTED("Range: bytes=0-99999999999999999999999\r\n", "206 0+10000");
    SELECTED("Range: bytes=-99999999999999999999999\r\n", "206 0+10000");
    SELECTED("Range: bytes=10000-\r\n", "416");
    SELECTED("Range: bytes=99999999999999999999999-\r\n", "416");
    SELECTED("Range: bytes=-0\r\n", "416");
    SELECTED("Range: bytes=10000-,0-1\r\n", "206 0+2"); /* one of them can be met */
    assert_selected("GET", "Range: bytes=0-\r\n", 0, "416");
    assert_selected("GET", "Range: bytes=-1\r\n", 0, "416");
    assert_selected("GET", "Range: bytes=-1\r\n", 1, "206 0+1");
}

static void a_malformed_range_is_as_if_it_were_not_there(void **state) {
    (void)state; /* 14.2 */
    static const char *const values[] = {"bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=2-1",
        "bytes=1-2-3", "bytes=0-1;2-3", "bytes=0-1 2-3", "bytes 0-1", "lines=0-1", "bytes=0-1,x", "bytes=+1-2",
        "bytes=0x1-2", "bytes=,", "bytes=1 -2", "bytes=1- 2", "b=0-1"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(values); i++) {
        char header[100];
        snprintf(header, sizeof header, "Range: %s\r\n", values[i]);
        SELECTED(header, "200");
    }
    SELECTED("Range: BYTES=0-1\r\n", "206 0+2"); /* units are without case */
    SELECTED("Range: bytes=,,0-1, ,\r\n", "206 0+2");
    SELECTED("Range: bytes=0-1\r\nRange: bytes=0-1\r\n", "200");
    assert_selected("HEAD", "Range: bytes=0-1\r\n", 100, "200"); /* defined for GET alone */
}

static void many_ranges_get_the_whole(void **state) {
    (void)state;
    SELECTED("Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14\r\n", "206 0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1");
    SELECTED("Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16\r\n", "200");
}

static void preconditions_come_in_their_order(void **state) {
    (void)state; /* 13.2.2 */
    SELECTED("If-None-Match: \"v1\"\r\n", "304");
    SELECTED("If-None-Match: W/\"v1\"\r\n", "304"); /* the weak comparison */
    SELECTED("If-None-Match: *\r\n", "304");
    SELECTED("If-None-Match: \"v0\"\r\n", "200");
    SELECTED("If-None-Match: \"v0\", \"a,b\" , W/\"v1\"\r\n", "304");
    SELECTED("If-None-Match: \"v0\"\r\nIf-None-Match: \"v1\"\r\n", "304");
    SELECTED("If-None-Match: v1\r\n", "200");
    SELECTED("If-None-Match: \"v1\r\n", "200");
    SELECTED("If-None-Match: \"v0\" \"v1\"\r\n", "200");
    SELECTED("If-None-Match: \"v1\"\r\nRange: bytes=0-1\r\n", "304");
    SELECTED("If-Match: \"v1\"\r\n", "200");
    SELECTED("If-Match: *\r\n", "200");
    SELECTED("If-Match: W/\"v1\"\r\n", "412"); /* the strong one */
    SELECTED("If-Match: \"v0\"\r\nIf-None-Match: \"v1\"\r\n", "412");
    SELECTED("If-Match:\r\n", "412");
    assert_selected("HEAD", "If-None-Match: \"v1\"\r\n", 100, "304");
}

static void a_range_of_another_version_gets_the_whole(void **state) {
    (void)state; /* 13.1.5 */
    SELECTED("Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n", "206 0+2");
    SELECTED("Range: bytes=0-1\r\nIf-Range: \"v0\"\r\n", "200");
    SELECTED("Range: bytes=0-1\r\nIf-Range: W/\"v1\"\r\n", "200");
    SELECTED("Range: bytes=0-1\r\nIf-Range: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "200");
    SELECTED("Range: bytes=0-1\r\nIf-Range: \"v1\", \"v1\"\r\n", "200");
    SELECTED("Range: bytes=0-1\r\nIf-Range: \"v1\"\r\nIf-Range: \"v1\"\r\n", "200");
    SELECTED("Range: bytes=10000-\r\nIf-Range: \"v0\"\r\n", "200");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_the_rfc_are_what_it_says),
        cmocka_unit_test(ends_of_ranges_are_cut_to_what_is_there),
        cmocka_unit_test(a_malformed_range_is_as_if_it_were_not_there),
        cmocka_unit_test(many_ranges_get_the_whole),
        cmocka_unit_test(preconditions_come_in_their_order),
        cmocka_unit_test(a_range_of_another_version_gets_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
