/* What would break users of JSON: a text wrongly accepted or refused, a number or character changed on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/decimal.h"
#include "base/json.h"
#include "base/prng.h"
#include "base/test_jansson.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Walks the whole text in a copy of exactly its size, so that a sanitizer sees a read behind it. */
static bool accepts(const char *text, size_t size, unsigned depth) {
    uint8_t *copy = malloc(size ? size : 1);
    if (size) memcpy(copy, text, size);
    struct json_reader r = json_reader(weir_slice(copy, size), depth);
    while (json_next(&r) != JSON_ERROR && r.token != JSON_END)
        continue;
    bool good = r.token == JSON_END;
    assert_int_equal(good, r.error == NULL);
    assert_true(r.offset <= size);
    assert_int_equal(json_next(&r), r.token); /* sticky */
    free(copy);
    return good;
}

static void valid_texts_are_accepted(void **state) {
    (void)state;
    static const char *const texts[] = {"0", "-0", "1", "-1", "10", "0.5", "-0.0e-0", "1E5", "1e+5", "1.25e-10",
        "123456789012345678901234567890", "\"\"", "\"a\"", "true", "false", "null", "[]", "{}", " [ ] ", "\t{\r\n}\n",
        "[1]", "[1,2]", "[[],[[]]]", "{\"a\":1}", "{\"a\":{\"b\":[1,{\"c\":null}]}}", "{\"\":0}", "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\uD834\\uDD1E\"", "\"\\u00e9\"", "\"\xc3\xa9\"",
        "\"\xf0\x9d\x84\x9e\"", "\"\x7f\"", "\"\xed\x9f\xbf\xee\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"", "\"\\uFFFF\"",
        "[1 , 2 ,\n3]", "[0.1,1e5,-3]", "\"//\"", "[\"0123456789abcdef0123456789abcdef\"]"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(texts); i++)
        if (!accepts(texts[i], strlen(texts[i]), 0)) fail_msg("refused: %s", texts[i]);
}

static void invalid_texts_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1 2]",
        "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}",
        "{\"a\":1 \"b\":2}", "{\"a\"}", "[1}", "{\"a\":1]", "01", "-", "-01", "+1", ".5", "1.", "1.e5", "1e", "1e+",
        "0x10", "1_000", "NaN", "Infinity", "-Infinity", "- 1", "1 2", "[] []", "nul", "nulll", "tru", "True",
        "truefalse", "\"", "\"a", "\"\\", "\"\\\"", "\"\\x41\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\U0041\"",
        "\"\n\"", "\"\t\"", "\"\x01\"", "\"\x1f\"", "\"\\uD834\"", "\"\\uD834\\u0041\"", "\"\\uDD1E\"",
        "\"\\uDD1E\\uD834\"", "\"\\uD834\\\"", "\"\\uD834x\"", "\"\x80\"", "\"\xc3\"", "\"\xc3(\"", "\"\xc0\xaf\"",
        "\"\xe0\x80\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf8\x88\x80\x80\x80\"", "\"\xff\"",
        "\"\xe2\x82\"", "\xef\xbb\xbf{}", "/* */ 1", "1 // x", "[1]#", "\x0b[]", "\xc2\xa0[]", "'a'", "[\"a\",\n",
        "{\"a\":\"b}", "2.2.2", "1ee5", "1e5.5", "--1", "[-]", "{\"k\":tru}", "[1,\"a\\", "\"0123456789abcde\x1f\"",
        "\"0123456789abcdef\xff\""};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(texts); i++)
        if (accepts(texts[i], strlen(texts[i]), 0)) fail_msg("accepted: %s", texts[i]);
    assert_false(accepts("[1]\0", 4, 0));
    assert_false(accepts("\"\0\"", 3, 0));
    assert_false(accepts("\0", 1, 0));
}

static void depth_is_limited_and_costs_no_stack(void **state) {
    (void)state;
    char text[2048];
    for (unsigned depth = 1; depth <= 600; depth += 37) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(accepts(text, 2 * depth, depth), depth <= JSON_DEPTH_MAX);
        assert_int_equal(accepts(text, 2 * depth, 0), depth <= JSON_DEPTH);
        if (depth > 1) assert_false(accepts(text, 2 * depth, depth - 1));
        assert_false(accepts(text, 2 * depth - 1, depth));
    }
    size_t many = 1 << 20;
    char *deep = malloc(many);
    memset(deep, '[', many);
    assert_false(accepts(deep, many, JSON_DEPTH_MAX));
    free(deep);
}

static void errors_say_where(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {{"[1,]", 3}, {"{\"a\":tru}", 5}, {"[\"ab\xff\"]", 4}, {"[1 2]", 3}, {"[\"a\nb\"]", 3}, {"[1", 2},
        {"{\"a\" 1}", 5}, {"1 2", 2}, {"[\"a\\q\"]", 3}, {"[\"abc", 5}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(cases); i++) {
        struct json_reader r = json_reader(weir_slice_text(cases[i].text), 0);
        while (json_next(&r) != JSON_ERROR)
            assert_int_not_equal(r.token, JSON_END);
        assert_int_equal(r.offset, cases[i].offset);
        assert_non_null(r.error);
    }
}

static struct json_reader only(const char *text) {
    struct json_reader r = json_reader(weir_slice_text(text), 0);
    json_next(&r);
    return r;
}

static void integers_are_exact(void **state) {
    (void)state;
    int64_t i = 0;
    uint64_t u = 0;
    struct json_reader r = only("9223372036854775807");
    assert_int_equal(r.token, JSON_INTEGER);
    assert_true(json_get_i64(&r, &i) && i == INT64_MAX);
    r = only("-9223372036854775808");
    assert_true(json_get_i64(&r, &i) && i == INT64_MIN);
    assert_false(json_get_u64(&r, &u));
    r = only("9223372036854775808");
    assert_int_equal(r.token, JSON_UNSIGNED);
    assert_true(json_get_u64(&r, &u) && u == 9223372036854775808u);
    assert_false(json_get_i64(&r, &i));
    r = only("18446744073709551615");
    assert_true(json_get_u64(&r, &u) && u == UINT64_MAX);
    r = only("18446744073709551616");
    assert_int_equal(r.token, JSON_REAL);
    assert_false(json_get_u64(&r, &u));
    assert_int_equal(only("-9223372036854775809").token, JSON_REAL);
    assert_int_equal(only("99999999999999999999999").token, JSON_REAL);
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } reals[] = {{"1e3", true, 1000}, {"2.50e1", true, 25}, {"-0.0", true, 0}, {"1.5", false, 0}, {"0.1e1", true, 1},
        {"10e-1", true, 1}, {"1.00000000000000000000000001", false, 0}, {"1e400", false, 0}, {"5e-400", false, 0},
        {"-12.00", true, -12}, {"0e999999999999999999", true, 0}, {"100000000000000000000e-18", true, 100},
        {"0.00000000000000000001e20", true, 1}, {"1e19", false, 0}};
    for (size_t k = 0; k < WEIR_ARRAY_COUNT(reals); k++) {
        r = only(reals[k].text);
        assert_int_equal(r.token, JSON_REAL);
        assert_int_equal(json_get_i64(&r, &i), reals[k].whole);
        if (reals[k].whole) assert_int_equal(i, reals[k].value);
    }
}

static void texts_are_decoded(void **state) {
    (void)state;
    uint8_t memory[256];
    struct arena a;
    arena_init_fixed(&a, memory, sizeof memory);
    struct json_reader r = only("\"a\\u00e9\\uD834\\uDD1E\\n\\/\\\"z\"");
    struct weir_slice s = json_text(&r, &a);
    assert_true(weir_slice_equal(s, weir_slice_text("a\xc3\xa9\xf0\x9d\x84\x9e\n/\"z")));
    assert_true(json_text_is(&r, "a\xc3\xa9\xf0\x9d\x84\x9e\n/\"z"));
    assert_false(json_text_is(&r, "a\xc3\xa9\xf0\x9d\x84\x9e\n/\""));
    assert_false(json_text_is(&r, "a\xc3\xa9\xf0\x9d\x84\x9e\n/\"zz"));
    assert_false(json_text_is(&r, ""));
    r = only("\"x\\u0000y\"");
    s = json_text(&r, &a);
    assert_true(weir_slice_equal(s, weir_slice("x\0y", 3)));
    r = only("\"plain\"");
    assert_ptr_equal(json_text(&r, &a).data, r.text.data);
    assert_true(json_text_is(&r, "plain") && !json_text_is(&r, "plai") && !json_text_is(&r, "plain2"));
    arena_done(&a);
}

static void values_can_be_skipped_and_kept_raw(void **state) {
    (void)state;
    struct json_reader r =
        json_reader(weir_slice_text("{\"a\": {\"x\":[1,{}]} ,\"b\":[ 1, 2 ],\"c\":3, \"d\":null}"), 0);
    assert_int_equal(json_next(&r), JSON_OBJECT_OPEN);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(json_skip_value(&r));
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(json_text_is(&r, "b"));
    assert_true(weir_slice_equal(json_raw_value(&r), weir_slice_text("[ 1, 2 ]")));
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(weir_slice_equal(json_raw_value(&r), weir_slice_text("3")));
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(json_skip_value(&r));
    assert_null(json_raw_value(&r).data);
    assert_int_equal(r.token, JSON_OBJECT_CLOSE);
    assert_int_equal(json_next(&r), JSON_END);
}

/* Writes a random value and builds the same one in jansson. */
static json_t *random_value(struct prng *p, struct json_writer *w, unsigned depth) {
    char text[40];
    size_t n = 0;
    switch (prng_below(p, depth < 5 ? 8 : 6)) {
    case 0:
        json_write_null(w);
        return json_null();
    case 1: {
        bool b = prng_chance(p, 1, 2);
        json_write_bool(w, b);
        return json_boolean(b);
    }
    case 2: {
        int64_t i = (int64_t)prng_next(p) >> prng_below(p, 64);
        json_write_i64(w, i);
        return json_integer(i);
    }
    case 3: {
        double x = (prng_real(p) - 0.5) * pow(10, (double)prng_below(p, 600) - 300);
        json_write_double(w, x);
        return json_real(x);
    }
    case 4:
    case 5:
        for (size_t count = prng_below(p, 10), i = 0; i < count; i++) {
            uint32_t c = 1 + (uint32_t)(prng_next(p) >> (43 + prng_below(p, 21)));
            c = c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? '"' : c;
            n += utf8_encode(c, (uint8_t *)text + n);
        }
        json_write_slice(w, weir_slice(text, n));
        return json_stringn(text, n);
    case 6: {
        json_t *array = json_array();
        json_write_array_open(w);
        for (uint64_t count = prng_below(p, 5), i = 0; i < count; i++)
            json_array_append_new(array, random_value(p, w, depth + 1));
        json_write_array_close(w);
        return array;
    }
    default: {
        json_t *object = json_object();
        json_write_object_open(w);
        for (uint64_t count = prng_below(p, 5), i = 0; i < count; i++) {
            snprintf(text, sizeof text, "key%u\n", (unsigned)i);
            json_write_key(w, text);
            json_object_set_new(object, text, random_value(p, w, depth + 1));
        }
        json_write_object_close(w);
        return object;
    }
    }
}

static json_t *tree_of(struct json_reader *r, struct arena *a) {
    int64_t i = 0;
    double x = 0;
    struct weir_slice s;
    switch (r->token) {
    case JSON_NULL:
        return json_null();
    case JSON_TRUE:
        return json_true();
    case JSON_FALSE:
        return json_false();
    case JSON_INTEGER:
        return json_get_i64(r, &i) ? json_integer(i) : NULL;
    case JSON_REAL:
        return json_get_double(r, &x) ? json_real(x) : NULL;
    case JSON_STRING:
        s = json_text(r, a);
        return json_stringn((const char *)s.data, s.size);
    case JSON_ARRAY_OPEN: {
        json_t *array = json_array();
        while (json_next(r) != JSON_ARRAY_CLOSE)
            json_array_append_new(array, tree_of(r, a));
        return array;
    }
    case JSON_OBJECT_OPEN: {
        json_t *object = json_object();
        while (json_next(r) == JSON_KEY) {
            char *key = arena_dup_text(a, json_text(r, a));
            json_next(r);
            json_object_set_new(object, key, tree_of(r, a));
        }
        return object;
    }
    default:
        fail_msg("unexpected %s: %s", json_token_name(r->token), r->error ? r->error : "");
        return NULL;
    }
}

static double number(const json_t *v) {
    return json_typeof(v) == JANSSON_REAL ? json_real_value(v) : (double)json_integer_value(v);
}

/* Reals may be written without a fraction ("3"), which jansson reads as integers: compare by value. */
static bool same(const json_t *a, const json_t *b) {
    json_type type = json_typeof(a), other_type = json_typeof(b);
    bool numbers = (type == JANSSON_REAL || type == JANSSON_INTEGER) &&
                   (other_type == JANSSON_REAL || other_type == JANSSON_INTEGER);
    if (type != other_type) return numbers && number(a) == number(b);
    if (type == JSON_ARRAY) {
        bool equal = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; equal && i < json_array_size(a); i++)
            equal = same(json_array_get(a, i), json_array_get(b, i));
        return equal;
    }
    if (type != JSON_OBJECT) return json_equal(a, b);
    bool equal = json_object_size(a) == json_object_size(b);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value) {
        const json_t *other = json_object_get(b, key);
        equal = equal && other && same(value, other);
    }
    return equal;
}

static void what_is_written_reads_back_here_and_in_jansson(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 1 << 16, 0);
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        struct prng p = prng_seed(seed);
        struct text_builder t = text_builder_arena(&a, 0);
        struct json_writer w = json_writer(&t, seed % 3 == 0 ? 2 : 0);
        json_t *tree = random_value(&p, &w, 0), *ours, *theirs;
        assert_true(json_writer_finished(&w));
        theirs = json_loadb(t.data, t.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(theirs);
        assert_true(same(tree, theirs));
        struct json_reader r = json_reader(text_slice(&t), 0);
        json_next(&r);
        ours = tree_of(&r, &a);
        assert_int_equal(json_next(&r), JSON_END);
        assert_true(same(tree, ours));
        json_decref(tree);
        json_decref(ours);
        json_decref(theirs);
        arena_reset(&a);
    }
    arena_done(&a);
}

/* Valid texts with random damage: both judge alike. */
static void damaged_texts_are_judged_as_jansson_judges_them(void **state) {
    (void)state;
    static const char spice[] = "{}[],:\"\\/ubn0123456789eE+-.tfnalsrue\n\t \xc3\xa9\xed\xa0\xff\x01";
    struct arena a;
    arena_init(&a, NULL, 1 << 16, 0);
    unsigned accepted = 0;
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        struct prng p = prng_seed(seed);
        struct text_builder t = text_builder_arena(&a, 0);
        struct json_writer w = json_writer(&t, 0);
        json_decref(random_value(&p, &w, 2));
        for (uint64_t n = prng_below(&p, 3); n > 0; n--)
            t.data[prng_below(&p, t.size)] = spice[prng_below(&p, sizeof spice - 1)];
        size_t size = prng_chance(&p, 1, 4) ? prng_below(&p, t.size + 1) : t.size;
        json_error_t error;
        json_t *theirs = json_loadb(t.data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        bool good = accepts(t.data, size, 0);
        /* jansson refuses what does not fit its numbers; we call it REAL. */
        bool range = !theirs && (strstr(error.text, "too big") || strstr(error.text, "too large") ||
                                    strstr(error.text, "overflow") || strstr(error.text, "too small"));
        if (!range && good != (theirs != NULL))
            fail_msg("seed %d: %.*s: %s", (int)seed, (int)size, t.data, theirs ? "theirs is good" : error.text);
        accepted += good;
        json_decref(theirs);
        arena_reset(&a);
    }
    assert_in_range(accepted, 500, 5900);
    arena_done(&a);
}

static void doubles_are_the_nearest_and_shortest(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"}, {-0.0, "-0.0"}, {1, "1"}, {0.1, "0.1"}, {1e21, "1e21"}, {1e17, "1e17"},
        {1e16, "10000000000000000"}, {123456.789, "123456.789"}, {0.00001, "0.00001"}, {0.000001, "1e-6"},
        {5e-324, "5e-324"}, {-1.5e300, "-1.5e300"}, {1.7976931348623157e308, "1.7976931348623157e308"},
        {0.30000000000000004, "0.30000000000000004"}, {9007199254740993.0, "9007199254740992"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"}};
    char out[DECIMAL_SIZE + 1];
    double back;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(cases); i++) {
        out[decimal_from_double(cases[i].value, out)] = 0;
        assert_string_equal(out, cases[i].text);
    }
    struct prng p = prng_seed(1);
    for (int i = 0; i < 30000; i++) {
        uint64_t bits = prng_next(&p);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        size_t n = decimal_from_double(x, out);
        bool whole;
        assert_int_equal(decimal_scan(weir_slice(out, n), &whole), n);
        assert_true(decimal_to_double(weir_slice(out, n), &back) && back == x);
        /* Any literal, not only our own, equals what the C library makes of it. */
        char text[64];
        int digits = (int)prng_below(&p, 25);
        snprintf(text, sizeof text, "%.*e", digits, x);
        assert_int_equal(decimal_to_double(weir_slice_text(text), &back), isfinite(strtod(text, NULL)));
        assert_true(!isfinite(strtod(text, NULL)) || back == strtod(text, NULL));
        snprintf(text, sizeof text, "%" PRIu64 ".%u", bits >> (bits & 63), (unsigned)(bits % 1000));
        assert_true(decimal_to_double(weir_slice_text(text), &back) && back == strtod(text, NULL));
    }
    assert_false(decimal_to_double(weir_slice_text("1e309"), &back));
    assert_true(decimal_to_double(weir_slice_text("1e-400"), &back) && back == 0);
    assert_false(decimal_to_double(weir_slice_text("1e99999999999999999999"), &back));
    assert_true(decimal_to_double(weir_slice_text("0e99999999999999999999"), &back) && back == 0);
}

/* 1 + 2^-53 lies between two doubles; digits far behind decide. */
static void long_literals_round_correctly(void **state) {
    (void)state;
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    char text[2000];
    double x;
    assert_true(decimal_to_double(weir_slice_text(half), &x) && x == 1.0);
    memset(text, '0', sizeof text);
    memcpy(text, half, strlen(half));
    text[1900] = '1';
    assert_true(decimal_to_double(weir_slice(text, 1901), &x) && x == 1.0 + 0x1p-52);
    assert_true(decimal_to_double(weir_slice(text, 1900), &x) && x == 1.0);
    memset(text, '9', 400);
    assert_false(decimal_to_double(weir_slice(text, 400), &x));
    memcpy(text + 300, "e-300", 5);
    assert_true(decimal_to_double(weir_slice(text, 305), &x) && x == 1.0);
}

static void writer_reports_what_did_not_fit_and_repairs_utf8(void **state) {
    (void)state;
    char out[64], small[8];
    struct text_builder t = TEXT_BUILDER(out), s = TEXT_BUILDER(small);
    struct json_writer w = json_writer(&t, 0);
    json_write_slice(&w, weir_slice("a\xff\xc3z\x01\x7f", 6));
    assert_true(json_writer_finished(&w));
    assert_string_equal(out, "\"a\xef\xbf\xbd\xef\xbf\xbdz\\u0001\x7f\"");
    w = json_writer(&s, 0);
    json_write_text(&w, "0123456789");
    assert_false(json_writer_finished(&w));
    text_clear(&t);
    w = json_writer(&t, 2);
    json_write_array_open(&w);
    json_write_object_open(&w);
    json_put_u64(&w, "a", UINT64_MAX);
    json_write_key(&w, "b");
    json_write_double(&w, (double)INFINITY);
    json_write_object_close(&w);
    json_write_array_open(&w);
    json_write_array_close(&w);
    assert_false(json_writer_finished(&w));
    json_write_array_close(&w);
    assert_string_equal(out, "[\n  {\n    \"a\": 18446744073709551615,\n    \"b\": null\n  },\n  []\n]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_accepted),
        cmocka_unit_test(invalid_texts_are_refused),
        cmocka_unit_test(depth_is_limited_and_costs_no_stack),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(texts_are_decoded),
        cmocka_unit_test(values_can_be_skipped_and_kept_raw),
        cmocka_unit_test(what_is_written_reads_back_here_and_in_jansson),
        cmocka_unit_test(damaged_texts_are_judged_as_jansson_judges_them),
        cmocka_unit_test(doubles_are_the_nearest_and_shortest),
        cmocka_unit_test(long_literals_round_correctly),
        cmocka_unit_test(writer_reports_what_did_not_fit_and_repairs_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
