/* permessage-deflate: the offers of RFC 7692, its examples of messages, and what is no message. */
#include "base/prng.h"
#include "base/text.h"
#include "wire/ws_deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct weir_ws_deflate deflater;
static uint8_t memory[WEIR_WS_DEFLATE_MEMORY];

static int open_it(void **state) {
    (void)state;
    return weir_ws_deflate_open(&deflater, memory) == WEIR_OK ? 0 : -1;
}

static void assert_agreed(const char *offers, const char *expected) {
    struct weir_http_request request = {0};
    char text[WEIR_WS_DEFLATE_ANSWER_MAX];
    request.headers[request.header_count++] =
        (struct weir_http_header){weir_slice_text("sec-websocket-extensions"), weir_slice_text(offers)};
    struct weir_ws_deflate_terms terms = weir_ws_deflate_agree(&request);
    struct weir_slice got = terms.window_bits ? weir_ws_deflate_answer(&terms, text) : weir_slice("none", 4);
    if (!weir_slice_equal(got, weir_slice_text(expected)))
        fail_msg("%s: %.*s, expected %s", offers, (int)got.size, (const char *)got.data, expected);
}
#define ANSWER "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

static void offers_are_met_or_passed_over(void **state) {
    (void)state; /* RFC 7692 5.1, 7.1 */
    static const char *const met[] = {"permessage-deflate", "permessage-deflate; client_max_window_bits",
        "permessage-deflate;client_max_window_bits=10", "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover ; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits=\"8\"", "x-webkit-deflate-frame, permessage-deflate",
        "a; b=\"c\"; d=e,permessage-deflate", "permessage-deflate; server_max_window_bits=8, permessage-deflate",
        "Permessage-Deflate ;Client_Max_Window_Bits"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(met); i++)
        assert_agreed(met[i], ANSWER);
    static const char *const none[] = {"", "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=09", "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=1x", "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; unknown", "permessage-bzip2",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover", "permessage-deflate;",
        "permessage-deflate; client_max_window_bits=\"9", "permessage-deflate server_no_context_takeover",
        ", permessage-deflate", "permessage-deflate; =1"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(none); i++)
        assert_agreed(none[i], "none");
    assert_agreed("permessage-deflate; server_max_window_bits=15", ANSWER "; server_max_window_bits=15");
    assert_agreed("permessage-deflate; server_max_window_bits=9", ANSWER "; server_max_window_bits=9");
    assert_agreed("permessage-deflate; server_max_window_bits=12", ANSWER "; server_max_window_bits=9");
}

/* Inflates into pieces of `room`; false: it is refused. */
static bool inflated(struct weir_slice message, size_t room, struct text_builder *out) {
    uint8_t piece[4096];
    enum weir_error e = WEIR_E_AGAIN;
    weir_ws_inflate_begin(&deflater, message);
    while (e == WEIR_E_AGAIN) {
        size_t size = 0;
        e = weir_ws_inflate_some(&deflater, piece, room, &size);
        if (!e || e == WEIR_E_AGAIN) text_add_slice(out, weir_slice(piece, size));
    }
    return e == WEIR_OK;
}

static void assert_inflated(struct weir_slice message, const char *expected) {
    for (size_t room = 1; room < 12; room++) {
        char text[100];
        struct text_builder out = TEXT_BUILDER(text);
        assert_true(inflated(message, room, &out));
        assert_string_equal(text, expected);
    }
}
#define BYTES(literal) weir_slice(literal, sizeof(literal) - 1)

static void examples_of_the_rfc_inflate_to_what_it_says(void **state) {
    (void)state; /* 7.2.3 */
    assert_inflated(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello");
    assert_inflated(BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello");         /* not compressed */
    assert_inflated(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello");                     /* a last block */
    assert_inflated(BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello"); /* two blocks */
    assert_inflated(BYTES("\x00"), "");
}

static void what_is_no_deflated_message_is_refused(void **state) {
    (void)state;
    static const struct weir_slice bad[] = {{(const uint8_t *)"", 0}, {(const uint8_t *)"\xff\xff\xff", 3},
        {(const uint8_t *)"\xf2\x48\xcd", 3}, {(const uint8_t *)"\x06", 1},
        {(const uint8_t *)"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07", 12}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad); i++) {
        char text[100];
        struct text_builder out = TEXT_BUILDER(text);
        if (inflated(bad[i], 16, &out)) fail_msg("row %zu was taken as %s", i, text);
    }
    assert_inflated(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello"); /* the next message does not suffer */
}

static void messages_of_every_size_come_back(void **state) {
    (void)state;
    static uint8_t plain[100000], packed[120000];
    static char back[100001];
    struct prng prng = prng_seed(1);
    const struct weir_ws_deflate_terms terms[] = {{.window_bits = 15}, {.window_bits = 9, .has_window = true}};
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(prng_below(&prng, 5) ? 'a' + i % 7 : prng_below(&prng, 256));
    for (size_t t = 0; t < 2; t++) {
        for (size_t size = 0; size < sizeof plain; size = size * 3 / 2 + 1) {
            size_t packed_size = 0;
            struct weir_slice message = weir_slice(plain, size);
            assert_int_equal(
                weir_ws_deflate_message(&deflater, &terms[t], message, packed, sizeof packed, &packed_size), WEIR_OK);
            assert_true(size < 1000 || packed_size < size);
            struct text_builder out = TEXT_BUILDER(back);
            assert_true(inflated(weir_slice(packed, packed_size), 4096, &out));
            assert_true(weir_slice_equal(text_slice(&out), message));
            assert_int_equal(
                weir_ws_deflate_message(&deflater, &terms[t], message, packed, packed_size, &packed_size), WEIR_E_FULL);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_met_or_passed_over),
        cmocka_unit_test(examples_of_the_rfc_inflate_to_what_it_says),
        cmocka_unit_test(what_is_no_deflated_message_is_refused),
        cmocka_unit_test(messages_of_every_size_come_back),
    };
    return cmocka_run_group_tests(tests, open_it, NULL);
}
