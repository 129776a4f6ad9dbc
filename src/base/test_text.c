/* What would break users of text, units, encodings and times: a value that does not come back, a setting misread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/civil.h"
#include "base/encode.h"
#include "base/prng.h"
#include "base/text.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>

static void builder_cuts_and_says_so(void **state) {
    (void)state;
    char out[8];
    struct text_builder t = TEXT_BUILDER(out);
    text_printf(&t, "%s", "abc");
    text_add_u64(&t, 42);
    assert_string_equal(out, "abc42");
    assert_false(t.truncated);
    text_add(&t, "x\xc3\xa9y");
    assert_true(t.truncated);
    assert_string_equal(out, "abc42x"); /* not half of the accent */
    text_add(&t, "z");
    text_printf(&t, "%d", 1);
    text_add_char(&t, 'c');
    assert_string_equal(out, "abc42x");
    text_clear(&t);
    text_printf(&t, "%d", 123456789);
    assert_true(t.truncated);
    assert_string_equal(out, "1234567");
    text_clear(&t);
    text_add(&t, "1234567");
    assert_false(t.truncated);
    assert_int_equal(t.size, 7);
    text_printf(&t, "%s", "");
    assert_false(t.truncated);
    assert_null(text_reserve(&t, 1));
}

/* Against one large buffer: any mix of additions gives the same text, wherever it grows. */
static void builder_in_an_arena_grows_to_the_same_text(void **state) {
    (void)state;
    static char all[20000];
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct prng p = prng_seed(seed);
        struct arena a;
        size_t limit = prng_chance(&p, 1, 2) ? 0 : 1 + prng_below(&p, 3000);
        arena_init(&a, NULL, 1000, 0);
        struct text_builder t = text_builder_arena(&a, limit);
        size_t size = 0;
        for (int i = 0; i < 60; i++) {
            char piece[200];
            size_t n = prng_below(&p, sizeof piece - 1);
            memset(piece, 'a' + i % 26, n);
            piece[n] = 0;
            switch (prng_below(&p, 4)) {
            case 0:
                text_add(&t, piece);
                break;
            case 1:
                text_printf(&t, "%s", piece);
                break;
            case 2:
                text_add_slice(&t, weir_slice(piece, n));
                break;
            default: {
                char *room = text_reserve(&t, n);
                if (room) {
                    memcpy(room, piece, n);
                    text_commit(&t, n);
                }
            }
            }
            if (t.truncated) break;
            memcpy(all + size, piece, n);
            size += n;
            if (i % 7 == 0) assert_non_null(arena_alloc(&a, 8)); /* in the way of growing in place */
        }
        assert_int_equal(t.size, size);
        assert_true(limit == 0 ? !t.truncated : size <= limit);
        if (size) {
            assert_memory_equal(t.data, all, size);
            assert_int_equal(t.data[size], 0);
        }
        arena_done(&a);
    }
}

static void numbers_are_written_as_printf_writes_them(void **state) {
    (void)state;
    struct prng p = prng_seed(1);
    for (int i = 0; i < 5000; i++) {
        uint64_t x = prng_next(&p) >> prng_below(&p, 64);
        int64_t y = (int64_t)prng_next(&p) >> prng_below(&p, 64);
        char expected[32], out[32];
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)x);
        out[text_format_u64(out, x)] = 0;
        assert_string_equal(out, expected);
        snprintf(expected, sizeof expected, "%lld", (long long)y);
        out[text_format_i64(out, y)] = 0;
        assert_string_equal(out, expected);
    }
    char out[32];
    out[text_format_i64(out, INT64_MIN)] = 0;
    assert_string_equal(out, "-9223372036854775808");
    out[text_format_u64(out, 0)] = 0;
    assert_string_equal(out, "0");
}

/* The naive model of RFC 3629: decode, then compare with the only encoding of that code point. */
static bool utf8_naive(const uint8_t *p, size_t size) {
    while (size > 0) {
        size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
        if (n == 0 || n > size) return false;
        uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
        uint8_t again[4];
        for (size_t i = 1; i < n; i++)
            c = c << 6 | (p[i] & 0x3f);
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || utf8_encode(c, again) != n || memcmp(again, p, n) != 0)
            return false;
        p += n;
        size -= n;
    }
    return true;
}

static void utf8_is_judged_as_by_decoding(void **state) {
    (void)state;
    struct prng p = prng_seed(1);
    unsigned valid = 0;
    for (int i = 0; i < 60000; i++) {
        uint8_t s[40];
        size_t n = 0;
        for (uint64_t k = prng_below(&p, 9); k > 0; k--) {
            uint32_t c = (uint32_t)(prng_next(&p) >> (43 + prng_below(&p, 21)));
            n += utf8_encode(c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 'x' : c, s + n);
        }
        if (n > 0 && prng_chance(&p, 1, 2)) s[prng_below(&p, n)] = (uint8_t)prng_next(&p);
        n = prng_chance(&p, 1, 8) && n ? prng_below(&p, n) : n;
        bool good = utf8_naive(s, n);
        assert_int_equal(utf8_valid(weir_slice(s, n)), good);
        valid += good;
        size_t prefix = utf8_valid_size(weir_slice(s, n)), cut = prng_below(&p, n + 1);
        assert_true(utf8_naive(s, prefix));
        if (good) /* a cut text stays well-formed and loses at most one character */
            assert_true(utf8_naive(s, utf8_cut(weir_slice(s, n), cut)) && utf8_cut(weir_slice(s, n), cut) + 4 > cut);
    }
    assert_in_range(valid, 1000, 59000);
}

static void quoting_hides_what_could_forge_a_log_line(void **state) {
    (void)state;
    char out[100];
    struct text_builder t = TEXT_BUILDER(out);
    text_add_quoted(&t, weir_slice("a\"b\\\n\x1b\x7f\xc3\xa9\xff\xe2\x82", 12), 50);
    assert_string_equal(out, "\"a\\\"b\\\\\\n\\x1b\\x7f\xc3\xa9\\xff\\xe2\\x82\"");
    text_clear(&t);
    text_add_quoted(&t, weir_slice_text("0123456789"), 4);
    assert_string_equal(out, "\"0123\"...");
}

static void nearest_name_is_suggested_only_when_near(void **state) {
    (void)state;
    static const char *const names[] = {"listen", "data", "lanes", "only", "log.retention_bytes", "fsync"};
    assert_int_equal(text_nearest(weir_slice_text("lsiten"), names, 6), 0);
    assert_int_equal(text_nearest(weir_slice_text("lane"), names, 6), 2);
    assert_int_equal(text_nearest(weir_slice_text("log.retention_byte"), names, 6), 4);
    assert_int_equal(text_nearest(weir_slice_text("log.retentoin-bytes"), names, 6), 4);
    assert_int_equal(text_nearest(weir_slice_text("quux"), names, 6), -1);
    assert_int_equal(text_nearest(weir_slice_text(""), names, 6), -1);
    assert_int_equal(text_nearest(weir_slice_text("x"), names, 0), -1);
    assert_int_equal(text_distance(weir_slice_text("ca"), weir_slice_text("abc")), 3);
    assert_int_equal(text_distance(weir_slice_text("abcd"), weir_slice_text("acbd")), 1);
    assert_int_equal(text_distance(weir_slice_text(""), weir_slice_text("abc")), 3);
    char longer[200];
    memset(longer, 'a', sizeof longer);
    assert_int_equal(text_distance(weir_slice(longer, 200), weir_slice(longer, 100)), 0);
}

static void sizes_and_durations_are_read_as_people_write_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } sizes[] = {{"0", 0}, {"4096", 4096}, {"64MB", 64u << 20}, {"64 MiB", 64u << 20}, {"1.5G", 3ull << 29},
        {"1k", 1024}, {"16383P", 16383ull << 50}, {"0.5kb", 512}, {"12B", 12}, {"18446744073709551615", UINT64_MAX}},
      times[] = {{"0", 0}, {"10ms", 10000000}, {"1h", 3600000000000}, {"1h30m", 5400000000000}, {"1.5s", 1500000000},
          {"250us", 250000}, {"2d", 172800000000000}, {"1w", 604800000000000}, {"7ns", 7}, {"1m0.5s", 60500000000},
          {"90min", 5400000000000}, {"0s", 0}};
    static const char *const bad_sizes[] = {"", " ", "MB", "-1", "1.3B", "1..5K", "1 ", " 1", "1x", "1MBB", "1.5",
        "16384P", "18446744073709551616", "1e3", "0x10", "1.", "64M B", "."};
    static const char *const bad_times[] = {"", "10", "1", "s", "1s1s", "1s1m", "-1s", "0.5ns", "1 s", "1h ", "1.s",
        "1hh", "1y", "99999999w", "1.0000000001s", "00"};
    uint64_t v = 0;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(sizes); i++) {
        assert_int_equal(parse_bytes(weir_slice_text(sizes[i].text), &v), WEIR_OK);
        assert_true(v == sizes[i].value);
    }
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(times); i++) {
        assert_int_equal(parse_duration(weir_slice_text(times[i].text), &v), WEIR_OK);
        assert_true(v == times[i].value);
    }
    v = 77;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad_sizes); i++)
        if (!parse_bytes(weir_slice_text(bad_sizes[i]), &v)) fail_msg("size accepted: \"%s\"", bad_sizes[i]);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad_times); i++)
        if (!parse_duration(weir_slice_text(bad_times[i]), &v)) fail_msg("duration accepted: \"%s\"", bad_times[i]);
    assert_int_equal(v, 77);
    assert_int_equal(parse_bytes(weir_slice_text("64QB"), &v), WEIR_E_INVALID);
    assert_non_null(strstr(weir_error_text(), "\"64QB\""));
}

static void numbers_words_and_ratios_are_read_strictly(void **state) {
    (void)state;
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    bool b = false;
    uint32_t ppm = 0;
    assert_true(!parse_u64(weir_slice_text("1_000_000"), &u) && u == 1000000);
    assert_true(!parse_u64(weir_slice_text("0xFf"), &u) && u == 255);
    assert_true(!parse_u64(weir_slice_text("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_int_equal(parse_u64(weir_slice_text("18446744073709551616"), &u), WEIR_E_OUT_OF_RANGE);
    static const char *const bad[] = {
        "", "-1", "+1", "1_", "_1", "1__0", "0x", "1 ", "a", "1.0", "99999999999999999999z"};
    for (size_t k = 0; k < WEIR_ARRAY_COUNT(bad); k++)
        assert_int_equal(parse_u64(weir_slice_text(bad[k]), &u), WEIR_E_INVALID);
    assert_true(!parse_i64(weir_slice_text("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(!parse_i64(weir_slice_text("+5"), &i) && i == 5);
    assert_int_equal(parse_i64(weir_slice_text("9223372036854775808"), &i), WEIR_E_OUT_OF_RANGE);
    assert_int_equal(parse_i64(weir_slice_text("--5"), &i), WEIR_E_INVALID);
    assert_true(!parse_double(weir_slice_text("+1.5e3"), &d) && d == 1500);
    assert_int_equal(parse_double(weir_slice_text("+-1"), &d), WEIR_E_INVALID);
    assert_int_equal(parse_double(weir_slice_text("nan"), &d), WEIR_E_INVALID);
    assert_int_equal(parse_double(weir_slice_text("1e999"), &d), WEIR_E_OUT_OF_RANGE);
    assert_true(!parse_bool(weir_slice_text("Yes"), &b) && b);
    assert_true(!parse_bool(weir_slice_text("off"), &b) && !b);
    assert_int_equal(parse_bool(weir_slice_text("maybe"), &b), WEIR_E_INVALID);
    assert_true(!parse_ratio(weir_slice_text("50%"), &ppm) && ppm == 500000);
    assert_true(!parse_ratio(weir_slice_text("0.25"), &ppm) && ppm == 250000);
    assert_true(!parse_ratio(weir_slice_text("33.3333%"), &ppm) && ppm == 333333);
    assert_int_equal(parse_ratio(weir_slice_text("0.0000001"), &ppm), WEIR_E_INVALID);
    assert_int_equal(parse_ratio(weir_slice_text("5000"), &ppm), WEIR_E_OUT_OF_RANGE);
}

static void printed_units_read_back_exactly(void **state) {
    (void)state;
    struct prng p = prng_seed(1);
    for (int i = 0; i < 5000; i++) {
        uint64_t value = prng_next(&p) >> prng_below(&p, 64), back = 1;
        value = prng_chance(&p, 1, 2) ? value << prng_below(&p, 40) : value / 1000000 * 1000000;
        char out[64];
        struct text_builder t = TEXT_BUILDER(out);
        text_add_bytes(&t, value);
        assert_true(!parse_bytes(text_slice(&t), &back) && back == value);
        text_clear(&t);
        text_add_duration(&t, value);
        assert_true(!parse_duration(text_slice(&t), &back) && back == value);
    }
    char out[128];
    struct text_builder t = TEXT_BUILDER(out);
    text_add_bytes(&t, 64 << 20);
    text_add(&t, " ");
    text_add_bytes(&t, 1536 << 10);
    text_add(&t, " ");
    text_add_duration(&t, 5400000000000);
    text_add(&t, " ");
    text_add_bytes_short(&t, 1610612);
    text_add(&t, " ");
    text_add_duration_short(&t, 12345678);
    text_add(&t, " ");
    text_add_duration_short(&t, 999999);
    text_add(&t, " ");
    text_add_grouped(&t, 1234567);
    text_add(&t, " ");
    text_add_grouped(&t, 123);
    assert_string_equal(out, "64MB 1536KB 90m 1.54MB 12.3ms 1000us 1,234,567 123");
}

/* RFC 4648, section 10. */
static void base64_and_hex_follow_rfc_4648(void **state) {
    (void)state;
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    char out[64];
    uint8_t back[64];
    size_t n = 0;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(vectors); i++) {
        struct weir_slice s = weir_slice_text(vectors[i][0]);
        base64_encode(s, out);
        out[base64_size(s.size)] = 0;
        assert_string_equal(out, vectors[i][1]);
    }
    struct prng p = prng_seed(1);
    for (int i = 0; i < 3000; i++) {
        uint8_t data[40];
        size_t size = prng_below(&p, sizeof data);
        prng_bytes(&p, data, size);
        base64_encode(weir_slice(data, size), out);
        assert_true(base64_size(size) <= sizeof out);
        assert_true(base64_decode(weir_slice(out, base64_size(size)), back, &n));
        assert_true(n == size && memcmp(back, data, size) == 0);
        size_t url = base64url_encode(weir_slice(data, size), out);
        assert_null(memchr(out, '+', url));
        assert_true(base64url_decode(weir_slice(out, url), back, &n));
        assert_true(n == size && memcmp(back, data, size) == 0 && n <= base64_decoded_size_max(url));
        if (size <= 32) {
            hex_encode(weir_slice(data, size), out);
            assert_true(hex_decode(weir_slice(out, 2 * size), back) && memcmp(back, data, size) == 0);
        }
    }
    static const char *const bad[] = {
        "Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm-_", "Zg==Zg==", "Z", "=", "=Zg="};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad); i++)
        if (base64_decode(weir_slice_text(bad[i]), back, &n)) fail_msg("accepted: %s", bad[i]);
    assert_false(base64url_decode(weir_slice_text("Zg=="), back, &n));
    assert_false(base64url_decode(weir_slice_text("Zm+/"), back, &n));
    assert_false(base64url_decode(weir_slice_text("Z"), back, &n));
    assert_false(hex_decode(weir_slice_text("abc"), back));
    assert_false(hex_decode(weir_slice_text("ag"), back));
    assert_true(hex_decode(weir_slice_text("FfA0"), back) && back[0] == 0xff && back[1] == 0xa0);
}

static unsigned month_days(int year, unsigned month) {
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 ? 28 + leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* The naive model: one day after the other through the whole range. */
static void every_day_of_the_range_is_the_one_after_the_day_before(void **state) {
    (void)state;
    static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct prng p = prng_seed(1);
    int year = 1678;
    unsigned month = 1, day = 1, weekday = 6; /* 1678-01-01 was a Saturday */
    for (int64_t days = civil_days(1678, 1, 1); year < 2262; days++) {
        int64_t of_day = (int64_t)prng_below(&p, 86400), rest = (int64_t)prng_below(&p, 1000000000), back = 0;
        int64_t ns = (days * 86400 + of_day) * 1000000000 + rest;
        struct civil c = civil_from_ns(ns);
        assert_true(c.year == year && c.month == month && c.day == day && c.weekday == weekday);
        assert_true(c.hour * 3600 + c.minute * 60 + c.second == of_day && c.nanosecond == rest);
        assert_true(civil_days(year, month, day) == days && civil_to_ns(&c, &back) && back == ns);
        char text[CIVIL_TEXT_SIZE], expected[80];
        size_t size = civil_format(ns, 9, text);
        snprintf(expected, sizeof expected, "%04d-%02u-%02uT%02u:%02u:%02u.%09uZ", year, month, day, c.hour, c.minute,
            c.second, c.nanosecond);
        assert_string_equal(text, expected);
        assert_true(size == strlen(text) && !civil_parse(weir_slice(text, size), &back) && back == ns);
        civil_format_http(ns, text);
        snprintf(expected, sizeof expected, "%s, %02u %s %04d %02u:%02u:%02u GMT", weekdays[weekday], day,
            months[month - 1], year, c.hour, c.minute, c.second);
        assert_string_equal(text, expected);
        weekday = (weekday + 1) % 7;
        if (++day > month_days(year, month)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
    assert_int_equal(civil_days(1970, 1, 1), 0);
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)prng_next(&p), back = 0;
        struct civil c = civil_from_ns(ns);
        assert_true(civil_to_ns(&c, &back) && back == ns);
    }
}

static void times_are_read_as_rfc_3339_says(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"1970-01-01T00:00:00Z", 0}, {"1970-01-01", 0}, {"1985-04-12T23:20:50.52Z", 482196050520000000},
        {"1996-12-19T16:39:57-08:00", 851042397000000000}, {"1990-12-31T23:59:60Z", 662688000000000000},
        {"1990-12-31T15:59:60-08:00", 662688000000000000}, {"1937-01-01T12:00:27.87+00:20", -1041337172130000000},
        {"2000-02-29t00:00:00.0000000019z", 951782400000000001}, {"2262-04-11 23:47:16.854775807Z", INT64_MAX},
        {"1969-12-31T23:59:59.999999999Z", -1}};
    static const char *const bad[] = {"", "1970", "1970-1-1", "1970-13-01", "1970-00-01", "2001-02-29", "1900-02-29",
        "2000-01-32", "2000-01-01T", "2000-01-01T24:00:00Z", "2000-01-01T00:60:00Z", "2000-01-01T00:00:61Z",
        "2000-01-01T12:30:60Z", "2000-01-01T00:00:00", "2000-01-01T00:00:00.Z", "2000-01-01T00:00:00+0100",
        "2000-01-01T00:00:00+24:00", "2000-01-01T00:00:00Zx", "2000-01-01x00:00:00Z", "9999-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z", " 2000-01-01", "2262-04-11T23:47:16.854775808Z", "2262-04-11T23:47:16-00:01"};
    int64_t ns = 5;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(good); i++) {
        if (civil_parse(weir_slice_text(good[i].text), &ns)) fail_msg("refused: %s", good[i].text);
        assert_true(ns == good[i].ns);
    }
    ns = 5;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad); i++)
        if (!civil_parse(weir_slice_text(bad[i]), &ns)) fail_msg("accepted: %s", bad[i]);
    assert_int_equal(ns, 5);
    char text[CIVIL_TEXT_SIZE];
    civil_format(1500000000123456789, 3, text);
    assert_string_equal(text, "2017-07-14T02:40:00.123Z");
    civil_format(-1, 0, text);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builder_cuts_and_says_so),
        cmocka_unit_test(builder_in_an_arena_grows_to_the_same_text),
        cmocka_unit_test(numbers_are_written_as_printf_writes_them),
        cmocka_unit_test(utf8_is_judged_as_by_decoding),
        cmocka_unit_test(quoting_hides_what_could_forge_a_log_line),
        cmocka_unit_test(nearest_name_is_suggested_only_when_near),
        cmocka_unit_test(sizes_and_durations_are_read_as_people_write_them),
        cmocka_unit_test(numbers_words_and_ratios_are_read_strictly),
        cmocka_unit_test(printed_units_read_back_exactly),
        cmocka_unit_test(base64_and_hex_follow_rfc_4648),
        cmocka_unit_test(every_day_of_the_range_is_the_one_after_the_day_before),
        cmocka_unit_test(times_are_read_as_rfc_3339_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
