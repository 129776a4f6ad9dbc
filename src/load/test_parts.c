/* Templates, targets, links, captures and what is said of a result. */
#include "base/bytes.h"
#include "base/encode.h"
#include "base/units.h"
#include "load/curve.h"
#include "load/hdr_log.h"
#include "load/interval.h"
#include "load/link.h"
#include "load/pcap.h"
#include "load/report.h"
#include "load/rtt.h"
#include "load/target.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>
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
    assert_int_equal(packets.times_ns[0], 0); /* since the first */
    assert_true(packets.items[0].size == 5 && memcmp(packets.items[0].data, "hello", 5) == 0);
    load_lines_done(&packets);
    assert_int_equal(load_pcap_init(&packets, weir_slice(file, sizeof file - 1)), WEIR_E_INVALID);
    frame[14 + 9] = 6;
    assert_int_equal(load_pcap_init(&packets, weir_slice(file, sizeof file)), WEIR_E_INVALID);
}

static void round_trips_are_half_each_way(void **state) {
    (void)state;
    struct load_rtts rtts;
    struct load_link link;
    struct prng random = prng_seed(9);
    struct weir_slice text =
        weir_slice_text("profile\tmean_ms\tsd_ms\nTelia.good.4G\t50\t20\r\nTelia.bad.3G\t200\t0\nTel\t1\t1\n");
    assert_int_equal(load_rtts_init(&rtts, text, ""), WEIR_OK);
    assert_int_equal(rtts.count, 3);
    double sum = 0, squares = 0;
    load_link_init(&link, NULL, rtts.items[0].delay_ns, rtts.items[0].delay_sd_ns, 0, &random);
    for (int i = 0; i < 100000; i++) {
        double ms = (double)(load_link_delay(&link, &random) + load_link_delay(&link, &random)) / MS;
        sum += ms;
        squares += ms * ms;
    }
    double mean = sum / 100000, sd = sqrt(squares / 100000 - mean * mean);
    assert_true(fabs(mean - 50) < 1);
    assert_true(fabs(sd - 20) < 2); /* the shape is a whole number */
    load_rtts_done(&rtts);
    assert_int_equal(load_rtts_init(&rtts, text, "Telia"), WEIR_OK);
    assert_int_equal(rtts.count, 2);
    load_rtts_done(&rtts);
    assert_int_equal(load_rtts_init(&rtts, text, "Telia.bad.3G"), WEIR_OK);
    assert_int_equal(rtts.items[0].delay_ns, 100 * MS);
    load_rtts_done(&rtts);
    assert_int_equal(load_rtts_init(&rtts, text, "Teli"), WEIR_E_NOT_FOUND);
    static const char *const bad[] = {
        "", "a\tb\tc\n", "h\na\t1\n", "h\na\t1\t2\t3\n", "h\na\t0\t2\n", "h\na\t1e9\t2\n", "h\na\t1\t-2\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(load_rtts_init(&rtts, weir_slice_text(bad[i]), ""), WEIR_E_INVALID);
}

static void a_capture_is_replayed_at_its_own_times(void **state) {
    (void)state;
    static const uint64_t times[] = {0, 10 * MS, 10 * MS, 400 * MS};
    struct load_curve c;
    uint32_t cursor = 0;
    assert_int_equal(load_curve_capture(&c, times, 4, 0, 0), WEIR_OK);
    assert_true(c.total == 4);
    for (uint64_t k = 0; k < 4; k++)
        assert_int_equal(load_curve_due_ns(&c, (double)k, &cursor), times[k]);
    load_curve_done(&c);
    /* Again from the start after the mean gap, and as much of it as fits. */
    assert_int_equal(load_curve_capture(&c, times, 4, 0, 0.6), WEIR_OK);
    assert_true(c.total == 7);
    assert_in_range(load_curve_due_ns(&c, 4, &cursor), 533 * MS, 534 * MS);
    assert_in_range(load_curve_due_ns(&c, 6, &cursor), 543 * MS, 544 * MS);
    load_curve_done(&c);
    /* At 75/s instead of 7.5/s: ten times as fast. */
    assert_int_equal(load_curve_capture(&c, times, 4, 75, 0), WEIR_OK);
    assert_in_range(load_curve_due_ns(&c, 3, &cursor), 40 * MS - 1000, 40 * MS + 1000);
    load_curve_done(&c);
    assert_int_equal(load_curve_capture(&c, times, 1, 0, 0), WEIR_E_INVALID);
    assert_int_equal(load_curve_capture(&c, (uint64_t[]){0, 0, 0}, 3, 0, 0), WEIR_E_INVALID);
}

/* ---- results ---- */

/* The fields of a line, read as HdrHistogram's encoding says. */
static void a_line_of_the_interval_log_is_hdr_histogram_s(void **state) {
    (void)state;
    struct load_hdr_log log;
    struct load_result r;
    static char text[100000];
    static uint8_t packed[50000], plain[50000];
    struct text_builder t = TEXT_BUILDER(text);
    assert_int_equal(load_hdr_log_init(&log), WEIR_OK);
    assert_int_equal(load_result_init(&r), WEIR_OK);
    histogram_record_many(&r.latency, 5, 3);
    histogram_record_many(&r.latency, 300, 200); /* 256 on: two values to an index */
    assert_int_equal(load_hdr_log_line(&log, &t, 1500 * MS, 1000 * MS, &r.latency), WEIR_OK);
    assert_int_equal(strncmp(text, "1.500,1.000,0.000,HISTF", 23), 0);
    const char *last = strrchr(text, ',') + 1;
    size_t size = 0;
    assert_true(base64_decode(weir_slice(last, strcspn(last, "\n")), packed, &size));
    assert_int_equal(load_be32(packed), 0x1c849314);
    assert_int_equal(load_be32(packed + 4), size - 8);
    uLongf plain_size = sizeof plain;
    assert_int_equal(uncompress(plain, &plain_size, packed + 8, size - 8), Z_OK);
    assert_int_equal(load_be32(plain), 0x1c849313);
    assert_int_equal(load_be32(plain + 4), plain_size - 40);
    /* -5; 3; -272 (indexes 6 to 277); 200 at 278 = 256 + (300 - 256) / 2: zigzag, seven bits to a byte. */
    static const uint8_t counts[] = {9, 6, 0x9f, 0x04, 0x90, 0x03};
    assert_int_equal(plain_size, 40 + sizeof counts);
    assert_memory_equal(plain + 40, counts, sizeof counts);
    histogram_reset(&r.latency);
    text_clear(&t);
    assert_int_equal(load_hdr_log_line(&log, &t, 0, 1000 * MS, &r.latency), WEIR_OK);
    histogram_record(&r.latency, UINT64_MAX); /* clipped to the last bucket; its value is the maximum */
    assert_int_equal(load_hdr_log_line(&log, &t, 0, 1000 * MS, &r.latency), WEIR_OK);
    load_hdr_log_done(&log);
    load_result_done(&r);
}

/* What a worker records while the main thread looks the other way is in a later interval, and never lost. */
static void intervals_lose_nothing(void **state) {
    (void)state;
    struct load_intervals i;
    struct histogram sum = {0};
    assert_int_equal(load_histogram_open(&sum), WEIR_OK);
    assert_int_equal(load_intervals_init(&i, 100 * MS), WEIR_OK);
    load_intervals_record(&i, 1, 7); /* before it begins */
    load_intervals_begin(&i, 1000 * MS);
    load_intervals_record(&i, 1050 * MS, 1);
    assert_false(load_intervals_wait(&i));
    load_intervals_record(&i, 1100 * MS, 2);
    assert_true(load_intervals_wait(&i));
    load_intervals_record(&i, 1200 * MS, 3); /* the first was not taken: it stays in the second */
    load_intervals_take(&i, &sum);
    assert_int_equal(sum.count, 2);
    assert_false(load_intervals_wait(&i));
    load_intervals_turn(&i, 1210 * MS);
    assert_true(load_intervals_wait(&i));
    load_intervals_record(&i, 1220 * MS, 4);
    load_intervals_rest(&i, &sum);
    assert_int_equal(sum.count, 5);
    assert_int_equal(sum.max, 7);
    load_intervals_done(&i);
    load_histogram_close(&sum);
}

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
        cmocka_unit_test(round_trips_are_half_each_way),
        cmocka_unit_test(a_capture_is_replayed_at_its_own_times),
        cmocka_unit_test(a_line_of_the_interval_log_is_hdr_histogram_s),
        cmocka_unit_test(intervals_lose_nothing),
        cmocka_unit_test(objectives_are_parsed_and_judged),
        cmocka_unit_test(a_result_of_nothing_meets_no_latency),
        cmocka_unit_test(a_generator_that_did_not_keep_up_is_invalid),
        cmocka_unit_test(results_are_compared_by_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
