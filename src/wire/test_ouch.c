/* OUCH-style messages: layouts to the byte, every field's check, round trips at random. */
#include "base/bytes.h"
#include "base/prng.h"
#include "wire/ouch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES(literal) weir_slice(literal, sizeof(literal) - 1)

/* Written by hand from the field table of OUCH 5.0: Enter Order, 47 bytes with an empty appendage. */
static const char enter_bytes[] = "O"
                                  "\0\0\0\x07"             /* UserRefNum 7 */
                                  "B"                      /* buy */
                                  "\0\0\x01\x2c"           /* 300 */
                                  "AAPL    "               /* symbol */
                                  "\0\0\0\0\0\x59\x4b\xe4" /* 585.2132 */
                                  "0YPNN"                  /* day, visible, principal, no sweep, continuous */
                                  "client-order-1"         /* ClOrdID */
                                  "\0\0";                  /* no options */

static struct weir_ouch_request enter_sample(void) {
    struct weir_ouch_request request = {.type = WEIR_OUCH_ENTER};
    assert_int_equal(weir_ouch_request_decode(BYTES(enter_bytes), &request), WEIR_OUCH_REASON_NONE);
    return request;
}

static void enter_order_has_the_layout_of_the_protocol(void **state) {
    (void)state;
    struct weir_ouch_request request = enter_sample();
    uint8_t out[WEIR_OUCH_MESSAGE_SIZE_MAX];
    assert_true(request.enter.user_ref == 7 && request.enter.side == 'B' && request.enter.quantity == 300);
    assert_true(request.enter.price == 0x594be4 && request.enter.time_in_force == '0');
    assert_memory_equal(request.enter.symbol, "AAPL    ", 8);
    assert_memory_equal(request.enter.client_id, "client-order-1", 14);
    assert_int_equal(weir_ouch_request_encode(&request, out), sizeof enter_bytes - 1);
    assert_memory_equal(out, enter_bytes, sizeof enter_bytes - 1);
    /* A message may also end where the appendage's length would stand. */
    assert_int_equal(weir_ouch_request_decode(weir_slice(enter_bytes, 45), &request), WEIR_OUCH_REASON_NONE);
}

static void executed_has_the_layout_of_the_protocol(void **state) {
    (void)state;
    static const char expected[] = "E"
                                   "\x01\x02\x03\x04\x05\x06\x07\x08" /* time */
                                   "\0\0\0\x09"                       /* UserRefNum */
                                   "\0\0\0\x64"                       /* 100 */
                                   "\0\0\0\0\0\x0f\x42\x40"           /* 100.0000 */
                                   "R"                                /* removed */
                                   "\0\0\0\0\0\0\x30\x39"             /* match 12345 */
                                   "\0\0";
    struct weir_ouch_response response = {.type = WEIR_OUCH_R_EXECUTED,
        .executed = {.timestamp_ns = 0x0102030405060708,
            .user_ref = 9,
            .quantity = 100,
            .price = 1000000,
            .liquidity = 'R',
            .match_id = 12345}};
    uint8_t out[WEIR_OUCH_MESSAGE_SIZE_MAX];
    assert_int_equal(weir_ouch_response_encode(&response, out), sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
}

static void rejection_carries_code_and_sentence(void **state) {
    (void)state;
    const char *sentence = weir_ouch_reason_sentence(WEIR_OUCH_REASON_SIDE);
    struct weir_ouch_response response = {.type = WEIR_OUCH_R_REJECTED,
        .rejected = {.timestamp_ns = 1, .user_ref = 7, .reason = WEIR_OUCH_REASON_SIDE},
        .options = {.present = WEIR_OUCH_HAS_TEXT, .text = weir_slice_text(sentence)}};
    struct weir_ouch_response read;
    uint8_t out[WEIR_OUCH_MESSAGE_SIZE_MAX];
    weir_ouch_alpha_set(response.rejected.client_id, 14, weir_slice_text("c-1"));
    size_t size = weir_ouch_response_encode(&response, out);
    assert_int_equal(weir_ouch_response_decode(weir_slice(out, size), &read), WEIR_OUCH_REASON_NONE);
    assert_int_equal(read.rejected.reason, WEIR_OUCH_REASON_SIDE);
    assert_true(weir_slice_equal(read.options.text, weir_slice_text(sentence)));
    assert_true(weir_slice_equal(weir_ouch_alpha_get(read.rejected.client_id, 14), weir_slice_text("c-1")));
}

/* ---- checks ---- */

static enum weir_ouch_reason decode(const struct weir_ouch_request *request) {
    uint8_t out[WEIR_OUCH_MESSAGE_SIZE_MAX];
    struct weir_ouch_request read;
    return weir_ouch_request_decode(weir_slice(out, weir_ouch_request_encode(request, out)), &read);
}

static void every_field_of_an_order_is_checked(void **state) {
    (void)state;
    struct weir_ouch_request request;
#define EXPECT(code, change)                                                                                           \
    do {                                                                                                               \
        request = enter_sample();                                                                                      \
        change;                                                                                                        \
        assert_int_equal(decode(&request), WEIR_OUCH_REASON_##code);                                                   \
    } while (0)
    EXPECT(USER_REF, request.enter.user_ref = 0);
    EXPECT(SIDE, request.enter.side = 'T');
    EXPECT(QUANTITY, request.enter.quantity = 0);
    EXPECT(QUANTITY, request.enter.quantity = 1000000000);
    EXPECT(NONE, request.enter.quantity = 999999999);
    EXPECT(SYMBOL, memset(request.enter.symbol, ' ', 8));
    EXPECT(SYMBOL, request.enter.symbol[0] = ' ');
    EXPECT(SYMBOL, request.enter.symbol[7] = 0);
    EXPECT(PRICE, request.enter.price = 0);
    EXPECT(PRICE, request.enter.price = UINT64_C(1) << 63);
    EXPECT(TIME_IN_FORCE, request.enter.time_in_force = '2');
    EXPECT(TIME_IN_FORCE, request.enter.time_in_force = 0);
    EXPECT(DISPLAY, request.enter.display = 'N');
    EXPECT(CAPACITY, request.enter.capacity = 'X');
    EXPECT(CAPACITY, request.enter.capacity = 0);
    EXPECT(SWEEP, request.enter.sweep = 'Y');
    EXPECT(CROSS, request.enter.cross = 'O');
    EXPECT(CLIENT_ID, request.enter.client_id[3] = '\n');
    EXPECT(NONE, memset(request.enter.client_id, ' ', 14));
    EXPECT(MARKET_TIME, request.enter.price = WEIR_OUCH_PRICE_MARKET);
    EXPECT(NONE, request.enter.price = WEIR_OUCH_PRICE_MARKET; request.enter.time_in_force = '3');
    EXPECT(EXPIRY, request.enter.time_in_force = '6');
    EXPECT(EXPIRY, request.options.present = WEIR_OUCH_HAS_EXPIRE_S; request.options.expire_s = 5);
    EXPECT(NONE, request.enter.time_in_force = '6'; request.options.present = WEIR_OUCH_HAS_EXPIRE_S;
           request.options.expire_s = 5);
    EXPECT(OPTION_VALUE, request.options.present = WEIR_OUCH_HAS_EXPIRE_S; request.options.expire_s = 86400);
    EXPECT(OPTION_VALUE, request.options.present = WEIR_OUCH_HAS_POST_ONLY; request.options.post_only = 'Y');
    EXPECT(OPTION_VALUE, request.options.present = WEIR_OUCH_HAS_SELF_TRADE; request.options.self_trade = 0);
    EXPECT(OPTION_MISPLACED, request.options.present = WEIR_OUCH_HAS_TEXT; request.options.text = BYTES("x"));
#undef EXPECT
}

static void other_requests_are_checked_too(void **state) {
    (void)state;
    struct weir_ouch_request replace = {.type = WEIR_OUCH_REPLACE,
        .replace = {.orig_user_ref = 7,
            .user_ref = 8,
            .quantity = 5,
            .price = 1,
            .time_in_force = '1',
            .display = 'Y',
            .sweep = 'N'}};
    memset(replace.replace.client_id, ' ', 14);
    assert_int_equal(decode(&replace), WEIR_OUCH_REASON_NONE);
    replace.replace.user_ref = 7;
    assert_int_equal(decode(&replace), WEIR_OUCH_REASON_SAME_USER_REF);
    struct weir_ouch_request cancel = {.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = 7, .quantity = 0}};
    assert_int_equal(decode(&cancel), WEIR_OUCH_REASON_NONE);
    cancel.cancel.user_ref = 0;
    assert_int_equal(decode(&cancel), WEIR_OUCH_REASON_USER_REF);
    cancel.cancel.user_ref = 7;
    cancel.options = (struct weir_ouch_options){.present = WEIR_OUCH_HAS_POST_ONLY, .post_only = 'P'};
    assert_int_equal(decode(&cancel), WEIR_OUCH_REASON_OPTION_MISPLACED);
    struct weir_ouch_request modify = {.type = WEIR_OUCH_MODIFY, .modify = {.user_ref = 7, .side = 'S', .quantity = 1}};
    assert_int_equal(decode(&modify), WEIR_OUCH_REASON_NONE);
    modify.modify.quantity = 0;
    assert_int_equal(decode(&modify), WEIR_OUCH_REASON_QUANTITY);
    struct weir_ouch_request mass = {.type = WEIR_OUCH_MASS_CANCEL, .mass_cancel = {.user_ref = 7}};
    memset(mass.mass_cancel.firm, ' ', 4);
    memset(mass.mass_cancel.symbol, ' ', 8);
    assert_int_equal(decode(&mass), WEIR_OUCH_REASON_NONE);
    mass.mass_cancel.symbol[1] = 'A';
    assert_int_equal(decode(&mass), WEIR_OUCH_REASON_SYMBOL);
    struct weir_ouch_request query = {.type = WEIR_OUCH_QUERY};
    assert_int_equal(decode(&query), WEIR_OUCH_REASON_NONE);
}

static void appendage_must_be_filled_exactly(void **state) {
    (void)state;
    static const struct {
        uint8_t size;
        const char *bytes;
        enum weir_ouch_reason reason;
    } cases[] = {
        {2, "\0\0", WEIR_OUCH_REASON_NONE},
        {1, "\0", WEIR_OUCH_REASON_SIZE},
        {2, "\0\1", WEIR_OUCH_REASON_APPENDAGE},
        {3, "\0\0\0", WEIR_OUCH_REASON_APPENDAGE},
        {5, "\0\3\2\x0cP", WEIR_OUCH_REASON_NONE},
        {8, "\0\6\2\x0cP\2\x0cN", WEIR_OUCH_REASON_OPTION_TWICE},
        {4, "\0\2\1\x0c", WEIR_OUCH_REASON_OPTION_SIZE},
        {6, "\0\4\3\x0cPP", WEIR_OUCH_REASON_OPTION_SIZE},
        {5, "\0\3\3\x0cP", WEIR_OUCH_REASON_APPENDAGE},
        {5, "\0\3\2\x63P", WEIR_OUCH_REASON_OPTION_UNKNOWN},
        {3, "\0\1\0", WEIR_OUCH_REASON_APPENDAGE},
        {4, "\0\2\0\x0c", WEIR_OUCH_REASON_APPENDAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_ouch_request read;
        size_t size = 45u + cases[i].size;
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, enter_bytes, 45);
        memcpy(bytes + 45, cases[i].bytes, cases[i].size);
        if (weir_ouch_request_decode(weir_slice(bytes, size), &read) != cases[i].reason) fail_msg("case %zu", i);
        free(bytes);
    }
}

static void cut_message_is_refused_and_still_named(void **state) {
    (void)state;
    for (size_t size = 0; size < 45; size++) {
        uint8_t *bytes = malloc(size ? size : 1);
        struct weir_ouch_request read;
        uint32_t user_ref = 99;
        char client_id[14];
        memcpy(bytes, enter_bytes, size);
        enum weir_ouch_reason reason = weir_ouch_request_decode(weir_slice(bytes, size), &read);
        assert_int_equal(reason, size ? WEIR_OUCH_REASON_SIZE : WEIR_OUCH_REASON_EMPTY);
        weir_ouch_request_peek(weir_slice(bytes, size), &user_ref, client_id);
        assert_int_equal(user_ref, size >= 5 ? 7 : 0);
        assert_memory_equal(client_id, "              ", 14);
        free(bytes);
    }
    uint32_t user_ref = 0;
    char client_id[14];
    struct weir_ouch_request read;
    assert_int_equal(weir_ouch_request_decode(BYTES("Z"), &read), WEIR_OUCH_REASON_UNKNOWN_TYPE);
    weir_ouch_request_peek(weir_slice(enter_bytes, 46), &user_ref, client_id);
    assert_int_equal(user_ref, 7);
    assert_memory_equal(client_id, "client-order-1", 14);
}

/* ---- properties ---- */

/* Whatever decodes is encoded to the same bytes again, for requests and responses of random bytes in random fields. */
static void what_decodes_encodes_to_the_same_bytes(void **state) {
    (void)state;
    struct prng prng = prng_seed(4);
    uint32_t count = 0;
    const struct weir_ouch_message_doc *docs = weir_ouch_message_docs(&count);
    int decoded = 0;
    for (int round = 0; round < 200000; round++) {
        const struct weir_ouch_message_doc *doc = &docs[prng_below(&prng, count)];
        uint8_t bytes[80] = {(uint8_t)doc->type}, out[WEIR_OUCH_MESSAGE_SIZE_MAX];
        for (size_t i = 1; i < doc->size; i++)
            bytes[i] = (uint8_t)prng_next(&prng);
        memset(bytes + doc->size, 0, 2);
        struct weir_slice message = weir_slice(bytes, doc->size + 2u);
        struct weir_ouch_request request;
        struct weir_ouch_response response;
        size_t size = 0;
        if (doc->is_request) {
            if (weir_ouch_request_decode(message, &request)) continue;
            size = weir_ouch_request_encode(&request, out);
        } else {
            assert_int_equal(weir_ouch_response_decode(message, &response), WEIR_OUCH_REASON_NONE);
            size = weir_ouch_response_encode(&response, out);
        }
        decoded++;
        assert_true(weir_slice_equal(weir_slice(out, size), message));
    }
    assert_true(decoded > 50000);
}

static void options_are_read_back_in_every_combination(void **state) {
    (void)state;
    for (uint32_t present = 0; present < 128; present++) {
        struct weir_ouch_response response = {.type = WEIR_OUCH_R_REPLACED,
            .options = {.present = present,
                .min_quantity = 5,
                .expire_s = 6,
                .post_only = 'P',
                .self_trade = 'D',
                .expire_at_ns = 7,
                .firm = {'F', 'I', 'R', 'M'},
                .text = BYTES("why")}};
        struct weir_ouch_response read;
        uint8_t out[WEIR_OUCH_MESSAGE_SIZE_MAX];
        size_t size = weir_ouch_response_encode(&response, out);
        assert_int_equal(weir_ouch_response_decode(weir_slice(out, size), &read), WEIR_OUCH_REASON_NONE);
        assert_int_equal(read.options.present, present);
        if (present & WEIR_OUCH_HAS_MIN_QUANTITY) assert_int_equal(read.options.min_quantity, 5);
        if (present & WEIR_OUCH_HAS_EXPIRE_S) assert_int_equal(read.options.expire_s, 6);
        if (present & WEIR_OUCH_HAS_EXPIRE_AT) assert_int_equal(read.options.expire_at_ns, 7);
        if (present & WEIR_OUCH_HAS_SELF_TRADE) assert_int_equal(read.options.self_trade, 'D');
        if (present & WEIR_OUCH_HAS_FIRM) assert_memory_equal(read.options.firm, "FIRM", 4);
        if (present & WEIR_OUCH_HAS_TEXT) assert_true(weir_slice_equal(read.options.text, BYTES("why")));
    }
}

static void largest_message_fits_the_promised_size(void **state) {
    (void)state;
    static char text[WEIR_OUCH_TEXT_SIZE_MAX];
    memset(text, 'x', sizeof text);
    struct weir_ouch_response response = {.type = WEIR_OUCH_R_REPLACED,
        .options = {.present = 127, .post_only = 'P', .self_trade = 'N', .text = weir_slice(text, sizeof text)}};
    uint8_t out[WEIR_OUCH_MESSAGE_SIZE_MAX];
    assert_int_equal(weir_ouch_response_encode(&response, out), 66 + 2 + 156);
}

static void documentation_rows_cover_every_byte(void **state) {
    (void)state;
    uint32_t count = 0;
    const struct weir_ouch_message_doc *docs = weir_ouch_message_docs(&count);
    assert_int_equal(count, 18);
    for (uint32_t i = 0; i < count; i++) {
        size_t at = 0;
        for (uint32_t f = 0; f < docs[i].field_count; f++) {
            assert_int_equal(docs[i].fields[f].offset, at);
            assert_true(strlen(docs[i].fields[f].meaning) > 0);
            at += docs[i].fields[f].size;
        }
        assert_int_equal(at, docs[i].size);
    }
    assert_non_null(weir_ouch_option_docs(&count));
    assert_int_equal(count, 7);
    for (int code = 1; code <= WEIR_OUCH_REASON_SAME_USER_REF; code++) {
        const char *sentence = weir_ouch_reason_sentence((enum weir_ouch_reason)code);
        assert_true(sentence[0] != 0 && strlen(sentence) <= WEIR_OUCH_TEXT_SIZE_MAX);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enter_order_has_the_layout_of_the_protocol),
        cmocka_unit_test(executed_has_the_layout_of_the_protocol),
        cmocka_unit_test(rejection_carries_code_and_sentence),
        cmocka_unit_test(every_field_of_an_order_is_checked),
        cmocka_unit_test(other_requests_are_checked_too),
        cmocka_unit_test(appendage_must_be_filled_exactly),
        cmocka_unit_test(cut_message_is_refused_and_still_named),
        cmocka_unit_test(what_decodes_encodes_to_the_same_bytes),
        cmocka_unit_test(options_are_read_back_in_every_combination),
        cmocka_unit_test(largest_message_fits_the_promised_size),
        cmocka_unit_test(documentation_rows_cover_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
