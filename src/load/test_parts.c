/* Templates, targets, links, captures and what is said of a result. */
#include "base/units.h"
#include "load/link.h"
#include "load/pcap.h"
#include "load/report.h"
#include "load/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- templates ---- */

static const char *rendered(const char *text, const struct load_lines *lines, uint64_t seed, uint64_t n) {
    static char out[4096];
    struct load_template t;
    assert_int_equal(load_template_init(&t, weir_slice_text(text), lines), WEIR_OK);
    size_t size = load_template_render(&t, seed, n, 1, (uint8_t *)out);
    assert_true(size <= t.size_max && size < sizeof out);
    out[size] = 0;
    load_template_done(&t);
    return out;
}

static void a_template_renders_its_holes(void **state) {
    (void)state;
    struct load_lines lines;
    assert_int_equal(load_lines_init(&lines, weir_slice_text("one\r\ntwo\n\nfour")), WEIR_OK);
    assert_int_equal(lines.count, 4);
    assert_string_equal(rendered("plain } { text", NULL, 1, 1), "plain } { text");
    assert_string_equal(rendered("a{{n}}b{{ n }}", NULL, 1, 42), "a42b42");
    assert_string_equal(rendered("{{{{n}}", NULL, 1, 42), "{{n}}");
    assert_string_equal(rendered("{{rand 7 7}}{{choice only}}", NULL, 1, 42), "7only");
    assert_string_equal(rendered("{{line}}", &lines, 1, 5), "two");
    assert_string_equal(rendered("<{{line}}>", &lines, 1, 2), "<>");
    assert_string_equal(
        rendered("{{rand 18446744073709551615 18446744073709551615}}", NULL, 1, 0), "18446744073709551615");
    load_lines_done(&lines);
}

static void the_same_request_is_the_same_bytes(void **state) {
    (void)state;
    char first[200];
    const char *text = "{{uuid}} {{uuid}} {{rand 0 1000000}}";
    snprintf(first, sizeof first, "%s", rendered(text, NULL, 9, 1000));
    assert_string_equal(rendered(text, NULL, 9, 1000), first);
    assert_string_not_equal(rendered(text, NULL, 9, 1001), first);
    assert_string_not_equal(rendered(text, NULL, 10, 1000), first);
    assert_memory_not_equal(first, first + 37, 36);
    assert_true(first[14] == '4' && strchr("89ab", first[19]) && first[8] == '-' && first[23] == '-');
}

static void what_is_no_template_is_refused_with_what_to_do(void **state) {
    (void)state;
    static const char *const bad[] = {"{{", "{{n", "{{nn}}", "{{}}", "{{n 1}}", "{{rand}}", "{{rand 1}}",
        "{{rand 2 1}}", "{{rand 1 2 3}}", "{{rand a b}}", "{{choice}}", "{{line}}", "{{uuid 4}}"};
    struct load_template t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(load_template_init(&t, weir_slice_text(bad[i]), NULL), WEIR_E_INVALID);
        assert_true(weir_error_text()[0] != 0);
    }
}

/* ---- targets and numbers ---- */

static void a_url_is_taken_apart(void **state) {
    (void)state;
    struct load_target t;
    assert_int_equal(load_target_parse("http://127.0.0.1:7070/a?b=c", &t), WEIR_OK);
    assert_true(t.scheme == LOAD_HTTP && t.port == 7070);
    assert_string_equal(t.host, "127.0.0.1");
    assert_string_equal(t.path, "/a?b=c");
    assert_string_equal(t.authority, "127.0.0.1:7070");
    assert_int_equal(load_target_parse("ws://[::1]:9", &t), WEIR_OK);
    assert_string_equal(t.host, "::1");
    assert_string_equal(t.path, "/");
    assert_int_equal(load_target_parse("http://[::1]/x", &t), WEIR_OK);
    assert_true(t.port == 80);
    assert_string_equal(t.host, "::1");
    static const char *const bad[] = {"", "http:/x", "ouch://h", "udp://h", "http://", "http://:1", "http://h:0",
        "http://h:65536", "http://h:x", "http://h#f", "http://h/a#f", "http://h?q", "ouch+tls://h", "ftp://h"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_not_equal(load_target_parse(bad[i], &t), WEIR_OK);
}

static void rates_and_shares_have_units(void **state) {
    (void)state;
    double rate = 0;
    uint32_t ppm = 0;
    assert_int_equal(load_rate_parse(weir_slice_text("2.5k"), &rate), WEIR_OK);
    assert_true(rate == 2500);
    assert_int_equal(load_rate_parse(weir_slice_text("1M"), &rate), WEIR_OK);
    assert_true(rate == 1e6);
    assert_int_equal(load_share_parse(weir_slice_text("0.1%"), &ppm), WEIR_OK);
    assert_int_equal(ppm, 1000);
    static const char *const bad[] = {"", "k", "0", "-1", "11M", "1e9", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(load_rate_parse(weir_slice_text(bad[i]), &rate), WEIR_E_INVALID);
    assert_int_not_equal(load_share_parse(weir_slice_text("101%"), &ppm), WEIR_OK);
}

/* ---- links ---- */

#define MS UINT64_C(1000000)

static void a_packet_crosses_at_the_next_moment_of_the_trace(void **state) {
    (void)state;
    struct load_trace trace;
    struct load_link link;
    struct prng random = prng_seed(1);
    uint64_t lost = 0;
    assert_int_equal(load_trace_init(&trace, weir_slice_text("0\n10\n10\n100\n")), WEIR_OK);
    assert_true(trace.count == 4 && trace.length_us == 100000);
    load_link_init(&link, &trace, 0, 0, 0, &random);
    link.start_us = 0;
    assert_int_equal(load_link_cross(&link, 5 * MS, 100, &random, &lost), 10 * MS);
    assert_int_equal(load_link_cross(&link, 6 * MS, 100, &random, &lost), 10 * MS);  /* the second moment at 10 */
    assert_int_equal(load_link_cross(&link, 7 * MS, 100, &random, &lost), 100 * MS); /* both are used up */
    assert_int_equal(load_link_cross(&link, 120 * MS, 3 * LOAD_LINK_PAYLOAD, &random, &lost), 210 * MS);
    load_trace_done(&trace);
}

static void a_reader_gets_what_the_moments_allow(void **state) {
    (void)state;
    struct load_trace trace;
    struct load_link link;
    struct prng random = prng_seed(1);
    uint64_t next = 0;
    assert_int_equal(load_trace_init(&trace, weir_slice_text("10\n20\n30\n40\n")), WEIR_OK);
    load_link_init(&link, &trace, 0, 0, 0, &random);
    link.start_us = 0;
    assert_int_equal(load_link_allows(&link, 15 * MS, 15 * MS, 100000, &next), 0);
    assert_int_equal(next, 20 * MS);
    assert_int_equal(load_link_allows(&link, 15 * MS, 31 * MS, 100000, &next), 2 * LOAD_LINK_PAYLOAD);
    assert_int_equal(load_link_allows(&link, 15 * MS, 31 * MS, 100000, &next), 0);
    assert_int_equal(next, 40 * MS);
    assert_int_equal(load_link_allows(&link, 15 * MS, 45 * MS, 100, &next), 100);
    load_trace_done(&trace);
}

/* What comes out is what the trace carries: 1,504 bytes a moment, in the long run. */
static void a_link_carries_the_trace_s_rate(void **state) {
    (void)state;
    struct load_trace trace;
    struct load_link link;
    struct prng random = prng_seed(1);
    uint64_t lost = 0, at = 0;
    assert_int_equal(load_trace_init(&trace, weir_slice_text("100 1.504\n110 1.504\n")), WEIR_OK); /* 125 packets/s */
    assert_true(trace.length_us == 10000000 && trace.count >= 1249 && trace.count <= 1250);
    load_link_init(&link, &trace, 0, 0, 0, &random);
    for (int i = 0; i < 5000; i++)
        at = load_link_cross(&link, 0, LOAD_LINK_PAYLOAD, &random, &lost);
    assert_true(at > 39500 * MS && at < 40500 * MS);
    load_trace_done(&trace);
}

static void delay_and_loss_are_as_asked_for(void **state) {
    (void)state;
    struct load_link link;
    struct prng random = prng_seed(1);
    uint64_t lost = 0, before = 0, sum = 0;
    load_link_init(&link, NULL, 50 * MS, 20 * MS, 0, &random);
    for (int i = 0; i < 20000; i++)
        sum += load_link_delay(&link, &random);
    assert_true(sum / 20000 > 48 * MS && sum / 20000 < 52 * MS);
    load_link_init(&link, NULL, 10 * MS, 0, 100000, &random);
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t at = load_link_cross(&link, i * MS, 100, &random, &lost);
        assert_true(at >= i * MS + 10 * MS && at >= before); /* TCP keeps the order */
        before = at;
    }
    assert_true(lost > 800 && lost < 1400);
}

static void what_is_no_trace_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "#\n", "5\n4\n", "0\n", "1\nx\n", "0 1\n", "0 0\n9 0\n", "a b\n", "1 1\n0 1\n"};
    struct load_trace trace;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(load_trace_init(&trace, weir_slice_text(bad[i])), WEIR_E_INVALID);
}

/* ---- captures ---- */

static void the_datagrams_of_a_capture_are_found(void **state) {
    (void)state;
    static const uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [16] = 0xff, 0xff, [20] = 1};
    uint8_t file[24 + 16 + 60] = {0};
    memcpy(file, head, sizeof head);
    uint8_t *frame = file + 40;
    file[32] = file[36] = 60; /* padded, as short Ethernet frames are */
    frame[12] = 8;
    frame[14] = 0x45;
    frame[14 + 3] = 20 + 8 + 5;
    frame[14 + 9] = 17;
    frame[34 + 5] = 8 + 5;
    memcpy(frame + 42, "hello", 5);
    struct load_lines packets;
    assert_int_equal(load_pcap_init(&packets, weir_slice(file, sizeof file)), WEIR_OK);
    assert_int_equal(packets.count, 1);
    assert_true(packets.items[0].size == 5 && memcmp(packets.items[0].data, "hello", 5) == 0);
    load_lines_done(&packets);
    assert_int_equal(load_pcap_init(&packets, weir_slice(file, sizeof file - 1)), WEIR_E_INVALID);
    frame[14 + 9] = 6;
    assert_int_equal(load_pcap_init(&packets, weir_slice(file, sizeof file)), WEIR_E_INVALID);
}

/* ---- results ---- */

static void objectives_are_parsed_and_judged(void **state) {
    (void)state;
    struct load_objectives all;
    struct load_result r;
    assert_int_equal(load_result_init(&r), WEIR_OK);
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_record(&r.latency, i * MS);
    r.counts.planned = 1010;
    r.counts.answered = 1000;
    r.counts.failed[LOAD_FAILURE_TIMEOUT] = 10;
    r.wanted_s = r.seconds = 1;
    assert_int_equal(load_objectives_parse("p50=510ms,p99=1s,max=1s,mean=502ms,errors=1%,rate=1k", &all), WEIR_OK);
    assert_true(load_objectives_judge(&all, &r));
    assert_int_equal(load_objectives_parse("p99=900ms,errors=1%", &all), WEIR_OK);
    assert_false(load_objectives_judge(&all, &r));
    assert_int_equal(load_objectives_parse("p99=10s", &all), WEIR_OK);
    assert_false(load_objectives_judge(&all, &r)); /* ten failed, and none was allowed */
    static const char *const bad[] = {
        "", "p=1s", "p100=1s", "p0=1s", "p99", "p99=", "p99=5", "max=x", "errors=2", "rate=0", "x=1s", "=1s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(load_objectives_parse(bad[i], &all), WEIR_E_INVALID);
    load_result_done(&r);
}

static void a_result_of_nothing_meets_no_latency(void **state) {
    (void)state;
    struct load_objectives all;
    struct load_result r;
    assert_int_equal(load_result_init(&r), WEIR_OK);
    assert_int_equal(load_objectives_parse("p99=10s,errors=100%", &all), WEIR_OK);
    assert_false(load_objectives_judge(&all, &r));
    load_result_done(&r);
}

static void a_generator_that_did_not_keep_up_is_invalid(void **state) {
    (void)state;
    struct load_result r, sum;
    char text[200];
    assert_int_equal(load_result_init(&r), WEIR_OK);
    assert_int_equal(load_result_init(&sum), WEIR_OK);
    histogram_record(&r.late, 1 * MS);
    r.run_ns = 1000 * MS;
    r.busy_ns = 500 * MS;
    sum.late_max_ns = 10 * MS;
    load_result_merge(&sum, &r);
    assert_null(load_result_invalid(&sum, text));
    r.busy_ns = 990 * MS;
    load_result_merge(&sum, &r); /* one thread of two: the busiest counts */
    assert_non_null(load_result_invalid(&sum, text));
    sum.busy_ns = 0;
    histogram_record_many(&sum.late, 11 * MS, 5);
    assert_non_null(load_result_invalid(&sum, text));
    load_result_done(&r);
    load_result_done(&sum);
}

static void results_are_compared_by_ratio(void **state) {
    (void)state;
    char text[4096];
    struct text_builder t = TEXT_BUILDER(text);
    const char *a = "{\"valid\": true, \"answered_per_s\": 100, \"latency\": {\"p99_ms\": 5}, \"x\": [1]}";
    const char *b = "{\"valid\": false, \"answered_per_s\": 250, \"latency\": {\"p99_ms\": 1}}";
    assert_int_equal(load_report_compare(&t, weir_slice_text(a), weir_slice_text(b)), WEIR_OK);
    assert_non_null(strstr(text, "2.50x"));
    assert_non_null(strstr(text, "0.20x"));
    assert_non_null(strstr(text, "second is INVALID"));
    assert_int_equal(load_report_compare(&t, weir_slice_text(a), weir_slice_text("{}")), WEIR_E_INVALID);
    assert_int_equal(load_report_compare(&t, weir_slice_text("x"), weir_slice_text(b)), WEIR_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_renders_its_holes),
        cmocka_unit_test(the_same_request_is_the_same_bytes),
        cmocka_unit_test(what_is_no_template_is_refused_with_what_to_do),
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(rates_and_shares_have_units),
        cmocka_unit_test(a_packet_crosses_at_the_next_moment_of_the_trace),
        cmocka_unit_test(a_reader_gets_what_the_moments_allow),
        cmocka_unit_test(a_link_carries_the_trace_s_rate),
        cmocka_unit_test(delay_and_loss_are_as_asked_for),
        cmocka_unit_test(what_is_no_trace_is_refused),
        cmocka_unit_test(the_datagrams_of_a_capture_are_found),
        cmocka_unit_test(objectives_are_parsed_and_judged),
        cmocka_unit_test(a_result_of_nothing_meets_no_latency),
        cmocka_unit_test(a_generator_that_did_not_keep_up_is_invalid),
        cmocka_unit_test(results_are_compared_by_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
