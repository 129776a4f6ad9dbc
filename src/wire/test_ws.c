/* WebSocket: the RFC's own examples, the rules of frames and messages, every split. */
#include "base/prng.h"
#include "base/text.h"
#include "wire/ws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct weir_ws_limits limits_default = {.message_bytes_max = 1 << 20, .fragments_max = 1024};

/* ---- handshake ---- */

static const char handshake[] = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Version: 13\r\n\r\n";

static enum weir_error check(const char *text, char accept[WEIR_WS_ACCEPT_SIZE]) {
    struct weir_http_parser parser;
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    char bytes[600];
    snprintf(bytes, sizeof bytes, "%s", text);
    weir_http_parser_init(&parser, &limits);
    assert_int_equal(weir_http_parser_feed(&parser, (uint8_t *)bytes, strlen(bytes)), WEIR_HTTP_COMPLETE);
    return weir_ws_handshake_check(&parser.request, accept);
}

static void handshake_of_the_rfc_gives_its_accept_value(void **state) {
    (void)state;
    char accept[WEIR_WS_ACCEPT_SIZE];
    assert_int_equal(check(handshake, accept), WEIR_OK);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof accept); /* RFC 6455 1.3 */
}

static void handshake_with_something_wrong_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        enum weir_error error;
    } cases[] = {
        {"GET", "POST", WEIR_E_INVALID},
        {"Upgrade: websocket", "Upgrade: h2c", WEIR_E_INVALID},
        {"Connection: Upgrade", "Connection: close", WEIR_E_INVALID},
        {"Version: 13", "Version: 8", WEIR_E_VERSION},
        {"Sec-WebSocket-Version: 13\r\n", "", WEIR_E_INVALID},
        {"Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n", WEIR_E_INVALID},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", WEIR_E_INVALID},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWE=", WEIR_E_INVALID},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q==", WEIR_E_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600], accept[WEIR_WS_ACCEPT_SIZE];
        const char *at = strstr(handshake, cases[i].from);
        assert_non_null(at);
        snprintf(
            text, sizeof text, "%.*s%s%s", (int)(at - handshake), handshake, cases[i].to, at + strlen(cases[i].from));
        if (check(text, accept) != cases[i].error) fail_msg("%s -> %s", cases[i].from, cases[i].to);
    }
}

static void client_and_server_shake_hands(void **state) {
    (void)state;
    static const uint8_t nonce[16] = "the sample nonce";
    uint8_t bytes[512];
    char key[WEIR_WS_KEY_SIZE], accept[WEIR_WS_ACCEPT_SIZE];
    struct weir_http_writer writer;
    struct weir_http_parser parser;
    struct weir_http_response_parser answer;
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    struct weir_slice out;
    weir_ws_key(nonce, key);
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_ws_handshake_request(&writer, weir_slice_text("/v1/feed"), weir_slice_text("h:1"), key);
    weir_http_writer_no_body(&writer);
    assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_OK);
    weir_http_parser_init(&parser, &limits);
    assert_int_equal(weir_http_parser_feed(&parser, bytes, out.size), WEIR_HTTP_COMPLETE);
    assert_true(weir_ws_request_is_upgrade(&parser.request));
    assert_int_equal(weir_ws_handshake_check(&parser.request, accept), WEIR_OK);
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_ws_handshake_write(&writer, accept, weir_slice(NULL, 0), weir_slice(NULL, 0));
    assert_int_equal(weir_http_writer_finish(&writer, &out), WEIR_OK);
    weir_http_response_parser_init(&answer, &limits, false);
    assert_int_equal(weir_http_response_parser_feed(&answer, bytes, out.size), WEIR_HTTP_COMPLETE);
    assert_int_equal(weir_ws_handshake_verify(&answer.response, key), WEIR_OK);
    key[0] = key[0] == 'A' ? 'B' : 'A';
    assert_int_equal(weir_ws_handshake_verify(&answer.response, key), WEIR_E_MISMATCH);
}

/* ---- streams: what a run of bytes means, as text ---- */

/* Feeds bytes in the given cut and writes down what came out: T(text) B(binary) P(ping) p(pong) C(code,reason) E(code).
 */
static void transcript(enum weir_ws_role role, const struct weir_ws_limits *limits, struct weir_slice input, size_t cut,
    struct text_builder *out) {
    struct weir_ws_stream stream;
    size_t capacity = weir_ws_limits_buffer_size(limits), size = 0, fed = 0;
    uint8_t *buffer = malloc(capacity);
    assert_non_null(buffer);
    weir_ws_stream_init(&stream, role, limits);
    enum weir_ws_event event = WEIR_WS_EVENT_MORE;
    while (fed < input.size && event == WEIR_WS_EVENT_MORE) {
        size_t step = cut == 0 ? 1 : fed < cut ? cut - fed : input.size - fed;
        if (step > capacity - size) step = capacity - size;
        assert_true(step > 0);
        memcpy(buffer + size, input.data + fed, step);
        fed += step;
        size += step;
        do {
            struct weir_ws_message message;
            size_t consumed = 0;
            event = weir_ws_stream_feed(&stream, buffer, &size, &consumed, &message);
            if (event == WEIR_WS_EVENT_MORE) break;
            static const char letters[] = " .PpCE";
            char letter = letters[event];
            if (event == WEIR_WS_EVENT_MESSAGE) letter = message.opcode == WEIR_WS_TEXT ? 'T' : 'B';
            text_printf(out, "%c(", letter);
            if (event >= WEIR_WS_EVENT_CLOSE) text_printf(out, "%u ", message.code);
            if (event != WEIR_WS_EVENT_ERROR) text_add_slice(out, message.payload);
            text_add(out, ")");
            assert_true(event != WEIR_WS_EVENT_ERROR || message.reason);
            memmove(buffer, buffer + consumed, size - consumed);
            size -= consumed;
        } while (event < WEIR_WS_EVENT_CLOSE);
    }
    free(buffer);
}

static void assert_stream(
    enum weir_ws_role role, const struct weir_ws_limits *limits, struct weir_slice input, const char *expected) {
    for (size_t cut = 0; cut <= input.size; cut++) {
        char text[400];
        struct text_builder out = TEXT_BUILDER(text);
        transcript(role, limits, input, cut, &out);
        if (strcmp(text, expected) != 0) fail_msg("cut at %zu: %s, expected %s", cut, text, expected);
    }
}
#define BYTES(literal) weir_slice(literal, sizeof(literal) - 1)

static void examples_of_the_rfc_read_as_it_says(void **state) {
    (void)state; /* RFC 6455 5.7 */
    assert_stream(WEIR_WS_CLIENT, &limits_default, BYTES("\x81\x05Hello"), "T(Hello)");
    assert_stream(WEIR_WS_SERVER, &limits_default, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "T(Hello)");
    assert_stream(WEIR_WS_CLIENT, &limits_default, BYTES("\x01\x03Hel\x80\x02lo"), "T(Hello)");
    assert_stream(WEIR_WS_CLIENT, &limits_default, BYTES("\x89\x05Hello"), "P(Hello)");
    assert_stream(WEIR_WS_SERVER, &limits_default, BYTES("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "p(Hello)");
}

static void messages_fragments_and_control_frames_mix(void **state) {
    (void)state;
    assert_stream(WEIR_WS_CLIENT, &limits_default,
        BYTES("\x81\x01"
              "a\x82\x01"
              "b\x81\x00\x81\x01"
              "c"),
        "T(a)B(b)T()T(c)");
    assert_stream(WEIR_WS_CLIENT, &limits_default,
        BYTES("\x01\x02"
              "ab\x89\x01!\x00\x00\x8a\x00\x00\x01"
              "c\x80\x02"
              "de\x82\x01z"),
        "P(!)p()T(abcde)B(z)");
    assert_stream(WEIR_WS_CLIENT, &limits_default, BYTES("\x02\x00\x80\x00\x81\x01x"), "B()T(x)");
    /* A character split between fragments, and a close that ends everything. */
    assert_stream(WEIR_WS_CLIENT, &limits_default,
        BYTES("\x01\x02"
              "a\xe2\x00\x01\x82\x80\x01\xac\x88\x00\x81\x01x"),
        "T(a\xe2\x82\xac)C(1005 )");
    assert_stream(WEIR_WS_CLIENT, &limits_default,
        BYTES("\x88\x06\x03\xe8"
              "done"),
        "C(1000 done)");
}

static void every_broken_rule_ends_with_its_code(void **state) {
    (void)state;
    const struct {
        struct weir_slice input;
        const char *expected;
    } cases[] = {
        {BYTES("\xc1\x00"), "E(1002 )"},                     /* RSV1 */
        {BYTES("\xa1\x00"), "E(1002 )"},                     /* RSV2 */
        {BYTES("\x91\x00"), "E(1002 )"},                     /* RSV3 */
        {BYTES("\x83\x00"), "E(1002 )"},                     /* unknown data opcode */
        {BYTES("\x8b\x00"), "E(1002 )"},                     /* unknown control opcode */
        {BYTES("\x09\x00"), "E(1002 )"},                     /* ping in fragments */
        {BYTES("\x89\x7e\x00\x7e"), "E(1002 )"},             /* ping of 126 bytes */
        {BYTES("\x81\x7e\x00\x7d"), "E(1002 )"},             /* 125 in two bytes */
        {BYTES("\x81\x7f\0\0\0\0\0\0\xff\xff"), "E(1002 )"}, /* 65,535 in eight */
        {BYTES("\x81\x7f\x80\0\0\0\0\0\0\0"), "E(1002 )"},   /* above 2^63-1 */
        {BYTES("\x81\x80\0\0\0\0"), "E(1002 )"},             /* masked by a server */
        {BYTES("\x80\x00"), "E(1002 )"},                     /* continues nothing */
        {BYTES("\x01\x00\x81\x00"), "E(1002 )"},             /* begins inside another */
        {BYTES("\x88\x01\x03"), "E(1002 )"},                 /* a cut code */
        {BYTES("\x88\x02\x03\xed"), "E(1002 )"},             /* 1005 may not be sent */
        {BYTES("\x88\x02\x03\xee"), "E(1002 )"},             /* nor 1006 */
        {BYTES("\x88\x02\x03\xe7"), "E(1002 )"},             /* 999 */
        {BYTES("\x88\x02\x0b\xb7"), "E(1002 )"},             /* 2999 */
        {BYTES("\x88\x02\x13\x88"), "E(1002 )"},             /* 5000 */
        {BYTES("\x88\x03\x03\xe8\xff"), "E(1007 )"},         /* reason is not UTF-8 */
        {BYTES("\x81\x01\xff"), "E(1007 )"},                 /* nor the text */
        {BYTES("\x81\x01\xe2"), "E(1007 )"},                 /* ends inside a character */
        {BYTES("\x01\x01\xe2\x80\x01\x28"), "E(1007 )"},     /* breaks between fragments */
        {BYTES("\x81\x03\xed\xa0\x80"), "E(1007 )"},         /* a surrogate */
        {BYTES("\x81\x02\xc0\xaf"), "E(1007 )"},             /* over-long */
        {BYTES("\x81\x04\xf4\x90\x80\x80"), "E(1007 )"},     /* above U+10FFFF */
        {BYTES("\x81\x01x\xff"), "T(x)E(1002 )"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_stream(WEIR_WS_CLIENT, &limits_default, cases[i].input, cases[i].expected);
    }
    assert_stream(WEIR_WS_SERVER, &limits_default, BYTES("\x81\x00"), "E(1002 )"); /* not masked by a client */
}

static void limits_hold_over_fragments(void **state) {
    (void)state;
    struct weir_ws_limits limits = {.message_bytes_max = 4, .fragments_max = 3};
    assert_stream(WEIR_WS_CLIENT, &limits,
        BYTES("\x81\x04"
              "abcd"),
        "T(abcd)");
    assert_stream(WEIR_WS_CLIENT, &limits,
        BYTES("\x81\x05"
              "abcde"),
        "E(1009 )");
    assert_stream(WEIR_WS_CLIENT, &limits,
        BYTES("\x01\x02"
              "ab\x80\x03"
              "cde"),
        "E(1009 )");
    assert_stream(WEIR_WS_CLIENT, &limits, BYTES("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "E(1009 )");
    assert_stream(WEIR_WS_CLIENT, &limits, BYTES("\x01\x00\x00\x00\x80\x00"), "T()");
    assert_stream(WEIR_WS_CLIENT, &limits, BYTES("\x01\x00\x00\x00\x00\x00\x00\x00"), "E(1008 )");
}

static void a_bad_byte_is_told_before_its_frame_is_whole(void **state) {
    (void)state;
    /* 200 bytes are announced, three come: the third breaks the text, masked or not; the like in a binary goes on. */
    assert_stream(WEIR_WS_CLIENT, &limits_default,
        BYTES("\x81\x7e\x00\xc8"
              "a\xe2\x28"),
        "E(1007 )");
    assert_stream(WEIR_WS_SERVER, &limits_default,
        BYTES("\x81\xfe\x00\xc8\x01\x02\x04\x08"
              "`\xe0,"),
        "E(1007 )");
    assert_stream(WEIR_WS_CLIENT, &limits_default,
        BYTES("\x82\x7e\x00\xc8"
              "a\xe2\x28"),
        "");
    /* Also in the second fragment, whose first byte ends a character of the first. */
    assert_stream(WEIR_WS_CLIENT, &limits_default, BYTES("\x01\x02\xe2\x82\x80\x7e\x00\xc8\xac\xff"), "E(1007 )");
}

static void a_message_may_have_as_many_fragments_as_carry_something(void **state) {
    (void)state;
    struct weir_ws_limits limits = {.message_bytes_max = 8192, .fragments_max = 2};
    uint8_t input[4096];
    char expected[4096] = "T(", text[4096];
    size_t size = 0, said = 2;
    for (int i = 0; i < 50; i++) {
        size += weir_ws_frame_header(
            input + size, i ? WEIR_WS_CONTINUATION : WEIR_WS_TEXT, i == 49, WEIR_WS_FRAGMENT_BYTES_FAIR, NULL);
        memset(input + size, 'x', WEIR_WS_FRAGMENT_BYTES_FAIR);
        memset(expected + said, 'x', WEIR_WS_FRAGMENT_BYTES_FAIR);
        size += WEIR_WS_FRAGMENT_BYTES_FAIR;
        said += WEIR_WS_FRAGMENT_BYTES_FAIR;
    }
    expected[said] = ')';
    struct text_builder out = TEXT_BUILDER(text);
    transcript(WEIR_WS_CLIENT, &limits, weir_slice(input, size), size, &out);
    assert_string_equal(text, expected);
}

/* ---- writers ---- */

static void mask_is_its_own_inverse_at_every_length_and_offset(void **state) {
    (void)state;
    static const uint8_t mask[4] = {1, 2, 4, 8};
    uint8_t bytes[70], expected[70];
    for (size_t size = 0; size <= 64; size++) {
        for (size_t offset = 0; offset < 6; offset++) {
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = expected[i] = (uint8_t)(i * 7);
            for (size_t i = 0; i < size; i++)
                expected[i + 3] ^= mask[(i + offset) & 3];
            weir_ws_mask(bytes + 3, size, mask, offset);
            assert_memory_equal(bytes, expected, sizeof bytes);
        }
    }
}

static void frames_of_every_length_form_are_read_back(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static const uint8_t mask[4] = {9, 8, 7, 6};
    static uint8_t payload[70000], out[70000 + WEIR_WS_HEADER_SIZE_MAX];
    memset(payload, 'x', sizeof payload);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        size_t size = 0, payload_size = sizes[i / 2], consumed = 0;
        const uint8_t *key = i % 2 ? mask : NULL;
        struct weir_ws_stream stream;
        struct weir_ws_message message;
        struct weir_slice slice = weir_slice(payload, payload_size);
        assert_int_equal(weir_ws_frame_write(out, sizeof out, WEIR_WS_BINARY, true, slice, key, &size), WEIR_OK);
        assert_int_equal(weir_ws_frame_write(out, size - 1, WEIR_WS_BINARY, true, slice, key, &size), WEIR_E_FULL);
        weir_ws_stream_init(&stream, key ? WEIR_WS_SERVER : WEIR_WS_CLIENT, &limits_default);
        assert_int_equal(weir_ws_stream_feed(&stream, out, &size, &consumed, &message), WEIR_WS_EVENT_MESSAGE);
        assert_int_equal(consumed, size);
        assert_true(weir_slice_equal(message.payload, slice));
    }
}

static void close_reason_is_cut_at_a_character(void **state) {
    (void)state;
    char reason[200];
    uint8_t out[200];
    size_t size = 0;
    for (size_t i = 0; i < sizeof reason; i += 2)
        memcpy(reason + i, "\xc3\xa9", 2);
    assert_int_equal(
        weir_ws_close_write(out, sizeof out, 1011, weir_slice(reason, sizeof reason), NULL, &size), WEIR_OK);
    assert_int_equal(size, 2 + 2 + 122); /* 123 would end inside a character */
    assert_stream(WEIR_WS_CLIENT, &limits_default, weir_slice(out, 0), "");
    struct weir_ws_message message;
    struct weir_ws_stream stream;
    size_t consumed = 0;
    weir_ws_stream_init(&stream, WEIR_WS_CLIENT, &limits_default);
    assert_int_equal(weir_ws_stream_feed(&stream, out, &size, &consumed, &message), WEIR_WS_EVENT_CLOSE);
    assert_int_equal(message.code, 1011);
    assert_int_equal(message.payload.size, 122);
}

static void utf8_automaton_agrees_with_the_whole_text_check(void **state) {
    (void)state;
    struct prng prng = prng_seed(3);
    static const uint8_t edges[] = {0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
        0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    int good = 0;
    for (int round = 0; round < 400000; round++) {
        uint8_t bytes[16];
        size_t size = prng_below(&prng, 6) + (round % 5 == 0 ? 10 : 0);
        for (size_t i = 0; i < size; i++)
            bytes[i] = edges[prng_below(&prng, sizeof edges)];
        if (round % 5 == 0) memset(bytes, 'a', 9);
        size_t cut = prng_below(&prng, size + 1);
        uint32_t utf8 = weir_ws_utf8(WEIR_WS_UTF8_ACCEPT, weir_slice(bytes, cut));
        if (utf8 != WEIR_WS_UTF8_REJECT) utf8 = weir_ws_utf8(utf8, weir_slice(bytes + cut, size - cut));
        bool is_valid = utf8_valid(weir_slice(bytes, size));
        assert_int_equal(utf8 == WEIR_WS_UTF8_ACCEPT, is_valid);
        good += is_valid;
    }
    assert_true(good > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_of_the_rfc_gives_its_accept_value),
        cmocka_unit_test(handshake_with_something_wrong_is_refused),
        cmocka_unit_test(client_and_server_shake_hands),
        cmocka_unit_test(examples_of_the_rfc_read_as_it_says),
        cmocka_unit_test(messages_fragments_and_control_frames_mix),
        cmocka_unit_test(every_broken_rule_ends_with_its_code),
        cmocka_unit_test(limits_hold_over_fragments),
        cmocka_unit_test(a_bad_byte_is_told_before_its_frame_is_whole),
        cmocka_unit_test(a_message_may_have_as_many_fragments_as_carry_something),
        cmocka_unit_test(mask_is_its_own_inverse_at_every_length_and_offset),
        cmocka_unit_test(frames_of_every_length_form_are_read_back),
        cmocka_unit_test(close_reason_is_cut_at_a_character),
        cmocka_unit_test(utf8_automaton_agrees_with_the_whole_text_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
