/* What the writer writes is what the parsers read; nothing a caller passes can break a message apart. */
#include "wire/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct weir_http_limits limits = {
    .head_bytes_max = 16384, .target_bytes_max = 8192, .header_count_max = 64, .body_bytes_max = 1 << 20};

static void assert_slice(struct weir_slice actual, const char *expected) {
    if (weir_slice_equal(actual, weir_slice_text(expected))) return;
    fail_msg("\"%.*s\" is not \"%s\"", (int)actual.size, (const char *)actual.data, expected);
}

static void response_reads_as_the_standard_says(void **state) {
    (void)state;
    uint8_t bytes[512];
    struct weir_http_writer writer;
    struct weir_slice out;
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_http_writer_status(&writer, 200, weir_slice_text("Sun, 06 Nov 1994 08:49:37 GMT"));
    weir_http_writer_header(&writer, weir_slice_text("Content-Type"), weir_slice_text("text/plain"));
    weir_http_writer_header_u64(&writer, weir_slice_text("Retry-After"), 18446744073709551615u);
    weir_http_writer_body(&writer, weir_slice_text("hello"));
    assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_OK);
    assert_slice(out, "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
                      "Retry-After: 18446744073709551615\r\nContent-Length: 5\r\n\r\nhello");
}

static void several_messages_follow_each_other_in_one_writer(void **state) {
    (void)state;
    uint8_t bytes[512];
    struct weir_http_writer writer;
    struct weir_slice out;
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_http_writer_status(&writer, 204, weir_slice(NULL, 0));
    weir_http_writer_no_body(&writer);
    weir_http_writer_status(&writer, 404, weir_slice(NULL, 0));
    weir_http_writer_body_begin(&writer);
    size_t capacity = 0;
    memcpy(weir_http_writer_space(&writer, &capacity), "abc", 3);
    weir_http_writer_advance(&writer, 3);
    weir_http_writer_add(&writer, weir_slice_text("de"));
    weir_http_writer_body_end(&writer);
    weir_http_writer_status(&writer, 200, weir_slice(NULL, 0));
    weir_http_writer_chunked_begin(&writer);
    weir_http_writer_chunk(&writer, weir_slice_text("0123456789abcdef!"));
    weir_http_writer_chunk(&writer, weir_slice_text(""));
    weir_http_writer_chunked_end(&writer);
    assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_OK);
    assert_slice(out, "HTTP/1.1 204 No Content\r\n\r\n"
                      "HTTP/1.1 404 Not Found\r\nContent-Length:            5\r\n\r\nabcde"
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n");
}

static void line_break_in_a_value_cannot_make_a_header(void **state) {
    (void)state;
    static const char *const evil[] = {"a\r\nSet-Cookie: x", "a\nb", "a\rb", "\x01"};
    uint8_t bytes[512];
    struct weir_http_writer writer;
    struct weir_slice out;
    for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
        weir_http_writer_init(&writer, bytes, sizeof bytes);
        weir_http_writer_status(&writer, 200, weir_slice(NULL, 0));
        weir_http_writer_header(&writer, weir_slice_text("Location"), weir_slice_text(evil[i]));
        weir_http_writer_body(&writer, weir_slice_text(""));
        assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_E_INVALID);
        weir_http_writer_init(&writer, bytes, sizeof bytes);
        weir_http_writer_header(&writer, weir_slice_text(evil[i]), weir_slice_text("x"));
        assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_E_INVALID);
        weir_http_writer_init(&writer, bytes, sizeof bytes);
        weir_http_writer_request(&writer, WEIR_HTTP_GET, weir_slice_text(evil[i]), weir_slice_text("h"));
        assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_E_INVALID);
    }
}

static void writer_without_room_says_so_and_stays_inside(void **state) {
    (void)state;
    uint8_t whole[512];
    for (size_t capacity = 0;; capacity++) {
        struct weir_http_writer writer;
        struct weir_slice out;
        uint8_t *bytes = malloc(capacity ? capacity : 1);
        weir_http_writer_init(&writer, bytes, capacity);
        weir_http_writer_status(&writer, 503, weir_slice(NULL, 0));
        weir_http_writer_header_u64(&writer, weir_slice_text("Retry-After"), 1);
        weir_http_writer_body_begin(&writer);
        weir_http_writer_add(&writer, weir_slice_text("busy"));
        weir_http_writer_body_end(&writer);
        enum weir_error error = weir_http_writer_finish(&writer, &out);
        if (!error) memcpy(whole, out.data, out.size);
        free(bytes);
        if (!error) break;
        assert_int_equal(error, WEIR_E_FULL);
        assert_true(capacity < sizeof whole);
    }
}

/* ---- responses of others ---- */

struct answer {
    const char *text;
    bool is_head_answer;
    int status; /* of the answer; -1: refused; -2: cut */
    const char *body;
    bool keep_alive;
    size_t left; /* bytes that belong to the next answer */
};
static const struct answer answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP", false, 200, "abc", true, 4},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, 200, "", true, 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", false, 200, "abcde", true,
        0},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", false, 200, "to the end", false, 0},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, "x", false, 0},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", false, 200, "x", true, 0},
    {"HTTP/1.1 204 No Content\r\n\r\nHTTP", false, 204, "", true, 4},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 304, "", true, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", true, 200, "", true, 0},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\n"
     "Content-Length: 2\r\n\r\nok",
        false, 201, "ok", true, 0},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81", false, 101, "", true, 1},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false, -1, "", false, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", false, -1, "", false, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", false, -1, "", false, 0},
    {"HTTP/1.1 20 OK\r\n\r\n", false, -1, "", false, 0},
    {"HTTP/1.1 2000 OK\r\n\r\n", false, -1, "", false, 0},
    {"HTTP/2 200 OK\r\n\r\n", false, -1, "", false, 0},
    {"HTTP/1.1 200 OK\n\n", false, -1, "", false, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, -2, "", false, 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false, -2, "", false, 0},
    {"HTTP/1.1 200 OK\r\nX: y\r\n", false, -2, "", false, 0},
};

static void answer_assert(const struct answer *answer, size_t cut) {
    struct weir_http_response_parser parser;
    size_t total = strlen(answer->text), size = 0;
    uint8_t bytes[512];
    enum weir_http_result result = WEIR_HTTP_MORE;
    weir_http_response_parser_init(&parser, &limits, answer->is_head_answer);
    while (size < total && result == WEIR_HTTP_MORE) {
        size_t next = cut == 0 ? size + 1 : size < cut ? cut : total;
        memcpy(bytes + size, answer->text + size, next - size);
        size = next;
        result = weir_http_response_parser_feed(&parser, bytes, size);
    }
    if (result == WEIR_HTTP_MORE) {
        assert_true(answer->status != -1);
        result = weir_http_response_parser_end(&parser, bytes, size);
    } else {
        assert_true(answer->status != -2);
    }
    if (answer->status < 0) {
        assert_int_equal(result, WEIR_HTTP_ERROR);
        assert_true(parser.status == 502 && parser.reason);
        return;
    }
    assert_int_equal(result, WEIR_HTTP_COMPLETE);
    assert_int_equal(parser.response.status, answer->status);
    assert_int_equal(parser.response.keep_alive, answer->keep_alive);
    assert_slice(parser.response.body, answer->body);
    assert_int_equal(parser.consumed, total - answer->left);
}

static void answers_of_other_servers_are_read_however_they_are_split(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        for (size_t cut = 0; cut <= strlen(answers[i].text); cut++)
            answer_assert(&answers[i], cut);
    }
}

static void request_of_ours_is_one_our_parser_takes(void **state) {
    (void)state;
    uint8_t bytes[512];
    struct weir_http_writer writer;
    struct weir_http_parser parser;
    struct weir_slice out;
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_http_writer_request(&writer, WEIR_HTTP_POST, weir_slice_text("/v1/x?a=%20"), weir_slice_text("[::1]:7070"));
    weir_http_writer_header(&writer, weir_slice_text("Idempotency-Key"), weir_slice_text("k 1"));
    weir_http_writer_body(&writer, weir_slice_text("{}"));
    assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_OK);
    weir_http_parser_init(&parser, &limits);
    assert_int_equal(weir_http_parser_feed(&parser, bytes, out.size), WEIR_HTTP_COMPLETE);
    assert_slice(parser.request.target, "/v1/x?a=%20");
    assert_slice(parser.request.host, "[::1]:7070");
    assert_slice(parser.request.body, "{}");
}

static void zero_slices_are_empty_texts_everywhere(void **state) {
    (void)state;
    struct weir_slice zero = {NULL, 0}, out;
    struct weir_http_query_pair pair;
    uint8_t bytes[64];
    struct weir_http_writer writer;
    assert_int_equal(weir_http_percent_decode(zero, true, bytes, 0, &out), WEIR_OK);
    assert_int_equal(out.size, 0);
    assert_false(weir_http_path_next(&zero, &out));
    assert_true(weir_http_path_is_plain(zero));
    assert_false(weir_http_query_next(&zero, &pair));
    assert_false(weir_http_list_has(zero, weir_slice_text("close")));
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_http_writer_header(&writer, weir_slice_text("X"), zero);
    weir_http_writer_body(&writer, zero);
    assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_OK);
    assert_slice(out, "X: \r\nContent-Length: 0\r\n\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response_reads_as_the_standard_says),
        cmocka_unit_test(several_messages_follow_each_other_in_one_writer),
        cmocka_unit_test(line_break_in_a_value_cannot_make_a_header),
        cmocka_unit_test(writer_without_room_says_so_and_stays_inside),
        cmocka_unit_test(answers_of_other_servers_are_read_however_they_are_split),
        cmocka_unit_test(zero_slices_are_empty_texts_everywhere),
        cmocka_unit_test(request_of_ours_is_one_our_parser_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
