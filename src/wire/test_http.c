/* The request parser's answers, limits and buffers, and the parts of a target. */
#include "base/prng.h"
#include "wire/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct weir_http_limits limits_default = {
    .head_bytes_max = 16384, .target_bytes_max = 8192, .header_count_max = 64, .body_bytes_max = 1 << 20};

static void assert_slice(struct weir_slice actual, const char *expected) {
    if (weir_slice_equal(actual, weir_slice_text(expected))) return;
    fail_msg("\"%.*s\" is not \"%s\"", (int)actual.size, (const char *)actual.data, expected);
}

static enum weir_http_result parse(struct weir_http_parser *parser, char *text) {
    weir_http_parser_init(parser, &limits_default);
    return weir_http_parser_feed(parser, (uint8_t *)text, strlen(text));
}

static void request_comes_apart_as_it_was_sent(void **state) {
    (void)state;
    char text[] = "POST /v1/orders?depth=5&x HTTP/1.1\r\nHost: a.b:70\r\nContent-Length:  3 \r\n"
                  "X-Two:\t a b \t\r\nIdempotency-Key: k\r\n\r\nabcGET";
    struct weir_http_parser parser;
    struct weir_slice value;
    assert_int_equal(parse(&parser, text), WEIR_HTTP_COMPLETE);
    const struct weir_http_request *request = &parser.request;
    assert_int_equal(request->method, WEIR_HTTP_POST);
    assert_int_equal(request->version_minor, 1);
    assert_slice(request->target, "/v1/orders?depth=5&x");
    assert_slice(request->path, "/v1/orders");
    assert_slice(request->query, "depth=5&x");
    assert_slice(request->host, "a.b:70");
    assert_slice(request->body, "abc");
    assert_int_equal(parser.consumed, sizeof text - 1 - 3);
    assert_int_equal(request->header_count, 4);
    assert_true(weir_http_request_header(request, weir_slice_text("idempotency-KEY"), &value));
    assert_slice(value, "k");
    assert_true(weir_http_request_header(request, weir_slice_text("x-two"), &value));
    assert_slice(value, "a b");
    assert_false(weir_http_request_header(request, weir_slice_text("x-three"), &value));
    assert_true(request->keep_alive && !request->expect_continue && !request->has_upgrade);
}

static void absolute_target_overrules_the_host_header(void **state) {
    (void)state;
    char text[] = "GET http://other:9?q HTTP/1.1\r\nHost: a\r\n\r\n";
    struct weir_http_parser parser;
    assert_int_equal(parse(&parser, text), WEIR_HTTP_COMPLETE);
    assert_slice(parser.request.host, "other:9");
    assert_slice(parser.request.path, "/");
    assert_slice(parser.request.query, "q");
}

static void connection_is_kept_only_when_both_sides_would(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE , y\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_http_parser parser;
        char text[200];
        snprintf(text, sizeof text, "%s", cases[i].text);
        assert_int_equal(parse(&parser, text), WEIR_HTTP_COMPLETE);
        if (parser.request.keep_alive != cases[i].keep_alive) fail_msg("%s", cases[i].text);
    }
}

static void expectation_is_seen_before_the_body_came(void **state) {
    (void)state;
    char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\nabc";
    struct weir_http_parser parser;
    weir_http_parser_init(&parser, &limits_default);
    assert_int_equal(weir_http_parser_feed(&parser, (uint8_t *)text, sizeof text - 4), WEIR_HTTP_MORE);
    assert_true(parser.has_head && parser.request.expect_continue);
    assert_int_equal(weir_http_parser_feed(&parser, (uint8_t *)text, sizeof text - 1), WEIR_HTTP_COMPLETE);
    char none[] = "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
    assert_int_equal(parse(&parser, none), WEIR_HTTP_COMPLETE);
    assert_false(parser.request.expect_continue); /* there is no body to wait for */
}

static void upgrade_needs_its_connection_token(void **state) {
    (void)state;
    char with[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    char without[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    char old[] = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    struct weir_http_parser parser;
    assert_int_equal(parse(&parser, with), WEIR_HTTP_COMPLETE);
    assert_true(parser.request.has_upgrade);
    assert_slice(parser.request.upgrade, "websocket");
    assert_int_equal(parse(&parser, without), WEIR_HTTP_COMPLETE);
    assert_false(parser.request.has_upgrade);
    assert_int_equal(parse(&parser, old), WEIR_HTTP_COMPLETE);
    assert_false(parser.request.has_upgrade);
}

/* Three requests in one stream, delivered in every pair of pieces: a pipelined request must not be lost or doubled. */
static void pipelined_requests_come_out_one_by_one(void **state) {
    (void)state;
    static const char stream[] =
        "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n"
        "0\r\nT: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        "PUT /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwxyz";
    static const char *const paths[] = {"/1", "/2", "/3"}, *const bodies[] = {"abc", "", "wxyz"};
    size_t total = sizeof stream - 1;
    for (size_t cut = 1; cut < total; cut++) {
        struct weir_http_parser parser;
        uint8_t buffer[sizeof stream];
        size_t size = 0, fed = 0;
        int count = 0;
        weir_http_parser_init(&parser, &limits_default);
        while (fed < total) {
            size_t next = fed < cut ? cut : total;
            memcpy(buffer + size, stream + fed, next - fed);
            size += next - fed;
            fed = next;
            while (size && count < 3 && weir_http_parser_feed(&parser, buffer, size) == WEIR_HTTP_COMPLETE) {
                assert_slice(parser.request.path, paths[count]);
                assert_slice(parser.request.body, bodies[count]);
                count++;
                size -= parser.consumed;
                memmove(buffer, buffer + parser.consumed, size);
                weir_http_parser_reset(&parser);
            }
            assert_int_equal(parser.status, 0);
            size = weir_http_parser_compact(&parser, buffer, size);
        }
        assert_int_equal(count, 3);
        assert_int_equal(size, 0);
    }
}

/* A body in one-byte chunks costs six times itself on the wire: with compact() it fits the buffer the limits promise.
 */
static void smallest_chunks_fit_the_promised_buffer(void **state) {
    (void)state;
    struct weir_http_limits limits = {
        .head_bytes_max = 100, .target_bytes_max = 20, .header_count_max = 4, .body_bytes_max = 500};
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t capacity = weir_http_limits_buffer_size(&limits), size = sizeof head - 1;
    uint8_t *buffer = malloc(capacity);
    struct weir_http_parser parser;
    assert_non_null(buffer);
    memcpy(buffer, head, size);
    weir_http_parser_init(&parser, &limits);
    assert_int_equal(weir_http_parser_feed(&parser, buffer, size), WEIR_HTTP_MORE);
    for (int i = 0; i < 500; i++) {
        if (size + 6 > capacity) size = weir_http_parser_compact(&parser, buffer, size);
        assert_true(size + 6 <= capacity);
        memcpy(buffer + size, "1\r\nx\r\n", 6);
        size += 6;
        assert_int_equal(weir_http_parser_feed(&parser, buffer, size), WEIR_HTTP_MORE);
    }
    size = weir_http_parser_compact(&parser, buffer, size);
    memcpy(buffer + size, "0\r\n\r\n", 5);
    assert_int_equal(weir_http_parser_feed(&parser, buffer, size + 5), WEIR_HTTP_COMPLETE);
    assert_int_equal(parser.request.body.size, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(parser.request.body.data[i], 'x');
    assert_slice(parser.request.host, "a");
    free(buffer);
}

static int status_of(const struct weir_http_limits *limits, const char *text, size_t size) {
    struct weir_http_parser parser;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, text, size);
    weir_http_parser_init(&parser, limits);
    enum weir_http_result whole = weir_http_parser_feed(&parser, bytes, size);
    int status = whole == WEIR_HTTP_MORE ? -1 : parser.status;
    /* The same byte by byte. */
    enum weir_http_result result = WEIR_HTTP_MORE;
    memcpy(bytes, text, size);
    weir_http_parser_init(&parser, limits);
    for (size_t i = 1; i <= size && result == WEIR_HTTP_MORE; i++)
        result = weir_http_parser_feed(&parser, bytes, i);
    assert_int_equal(result, whole);
    if (status >= 0) assert_int_equal(parser.status, status);
    free(bytes);
    return status;
}

static void every_limit_has_its_status_and_is_exact(void **state) {
    (void)state;
    static const char head[] = "GET /0123456789 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    struct weir_http_limits exact = {
        .head_bytes_max = sizeof head - 1, .target_bytes_max = 11, .header_count_max = 2, .body_bytes_max = 3};
    struct weir_http_limits less;
    assert_int_equal(status_of(&exact, head, sizeof head - 1), 0);
    less = exact;
    less.head_bytes_max--;
    assert_int_equal(status_of(&less, head, sizeof head - 1), 431);
    less = exact;
    less.target_bytes_max--;
    assert_int_equal(status_of(&less, head, sizeof head - 1), 414);
    less = exact;
    less.header_count_max--;
    assert_int_equal(status_of(&less, head, sizeof head - 1), 431);

    struct weir_http_limits wide = limits_default;
    wide.body_bytes_max = 3;
    static const char length[] = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    static const char chunks[] =
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_int_equal(status_of(&wide, length, sizeof length - 1), 0);
    assert_int_equal(status_of(&wide, chunks, sizeof chunks - 1), 0);
    wide.body_bytes_max = 2;
    assert_int_equal(status_of(&wide, length, sizeof length - 1), 413);
    assert_int_equal(status_of(&wide, chunks, sizeof chunks - 1), 413);
}

static void endless_input_is_refused_at_its_limit(void **state) {
    (void)state;
    struct weir_http_limits limits = {
        .head_bytes_max = 1000, .target_bytes_max = 100, .header_count_max = 10, .body_bytes_max = 1 << 20};
    char text[5000];
    memset(text, 'a', sizeof text);
    assert_int_equal(status_of(&limits, text, sizeof text), 414);
    memcpy(text, "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(status_of(&limits, text, sizeof text), 431);
    memcpy(text, "GET /", 5);
    memset(text + 5, 'a', 11);
    assert_int_equal(status_of(&limits, text, sizeof text), 414);
    int head = snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(text + head, '0', 400); /* a chunk size that never ends */
    assert_int_equal(status_of(&limits, text, (size_t)head + 400), 400);
    memcpy(text + head, "1;", 2); /* an extension that never ends */
    assert_int_equal(status_of(&limits, text, (size_t)head + 400), 400);
    memcpy(text + head, "0\r\nX: ", 6); /* a trailer that never ends */
    assert_int_equal(status_of(&limits, text, sizeof text), 431);
}

static void chunks_that_are_nearly_all_extension_are_refused(void **state) {
    (void)state;
    static char text[1 << 16];
    size_t size =
        (size_t)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (size + 300 < sizeof text) {
        size += (size_t)snprintf(text + size, 300, "1;%0200d\r\nx\r\n", 0);
    }
    assert_int_equal(status_of(&limits_default, text, size), 400);
}

/* ---- targets ---- */

static enum weir_error decode(const char *text, bool plus, char *out, size_t capacity) {
    struct weir_slice decoded;
    enum weir_error error = weir_http_percent_decode(weir_slice_text(text), plus, (uint8_t *)out, capacity, &decoded);
    if (!error) out[decoded.size] = 0;
    return error;
}

static void percent_decoding_gives_text_or_refuses(void **state) {
    (void)state;
    char out[32];
    assert_int_equal(decode("a%20b%2Fc+d", false, out, 31), WEIR_OK);
    assert_string_equal(out, "a b/c+d");
    assert_int_equal(decode("a+b%2B%c3%A9", true, out, 31), WEIR_OK);
    assert_string_equal(out, "a b+\xc3\xa9");
    assert_int_equal(decode("%", false, out, 31), WEIR_E_INVALID);
    assert_int_equal(decode("%1", false, out, 31), WEIR_E_INVALID);
    assert_int_equal(decode("%g1", false, out, 31), WEIR_E_INVALID);
    assert_int_equal(decode("a%00b", false, out, 31), WEIR_E_INVALID);
    assert_int_equal(decode("%c3%28", false, out, 31), WEIR_E_INVALID); /* not UTF-8 */
    assert_int_equal(decode("%c0%ae", false, out, 31), WEIR_E_INVALID); /* an over-long dot */
    assert_int_equal(decode("abcd", false, out, 3), WEIR_E_FULL);
    assert_int_equal(decode("%61%62%63", false, out, 3), WEIR_OK);
}

static void path_comes_apart_into_segments(void **state) {
    (void)state;
    struct weir_slice path = weir_slice_text("/v1//a%2Fb/"), segment;
    static const char *const segments[] = {"v1", "", "a%2Fb", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_true(weir_http_path_next(&path, &segment));
        assert_slice(segment, segments[i]);
    }
    assert_false(weir_http_path_next(&path, &segment));
    path = weir_slice_text("/");
    assert_true(weir_http_path_next(&path, &segment));
    assert_int_equal(segment.size, 0);
    assert_false(weir_http_path_next(&path, &segment));
}

static void no_spelling_of_a_parent_folder_is_plain(void **state) {
    (void)state;
    static const char *const bad[] = {"/..", "/a/../b", "/.", "/%2e%2e/x", "/.%2E", "/a%2fb", "/a%5Cb", "/a%00", "/%"};
    static const char *const good[] = {"/", "/a/b.c", "/...", "/.well-known/x", "/a..b", "/a/", "/%20"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (weir_http_path_is_plain(weir_slice_text(bad[i]))) fail_msg("%s", bad[i]);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!weir_http_path_is_plain(weir_slice_text(good[i]))) fail_msg("%s", good[i]);
    }
}

static void query_comes_apart_into_pairs(void **state) {
    (void)state;
    struct weir_slice query = weir_slice_text("&a=1&&b&=c&d=e=f&");
    static const char *const names[] = {"a", "b", "", "d"}, *const values[] = {"1", "", "c", "e=f"};
    struct weir_http_query_pair pair;
    for (size_t i = 0; i < 4; i++) {
        assert_true(weir_http_query_next(&query, &pair));
        assert_slice(pair.name, names[i]);
        assert_slice(pair.value, values[i]);
    }
    assert_false(weir_http_query_next(&query, &pair));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_comes_apart_as_it_was_sent),
        cmocka_unit_test(absolute_target_overrules_the_host_header),
        cmocka_unit_test(connection_is_kept_only_when_both_sides_would),
        cmocka_unit_test(expectation_is_seen_before_the_body_came),
        cmocka_unit_test(upgrade_needs_its_connection_token),
        cmocka_unit_test(pipelined_requests_come_out_one_by_one),
        cmocka_unit_test(smallest_chunks_fit_the_promised_buffer),
        cmocka_unit_test(every_limit_has_its_status_and_is_exact),
        cmocka_unit_test(endless_input_is_refused_at_its_limit),
        cmocka_unit_test(chunks_that_are_nearly_all_extension_are_refused),
        cmocka_unit_test(percent_decoding_gives_text_or_refuses),
        cmocka_unit_test(path_comes_apart_into_segments),
        cmocka_unit_test(no_spelling_of_a_parent_folder_is_plain),
        cmocka_unit_test(query_comes_apart_into_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
