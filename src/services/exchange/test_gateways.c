/* What clients say and hear: the feed's requests and messages, OUCH requests and responses. */
#include "exchange/feed.h"
#include "exchange/ouch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool reads(const char *text, struct feed_request *ret) {
    const char *error = NULL;
    bool good = feed_request_read(weir_slice_text(text), ret, &error);
    assert_true(good == (error == NULL));
    return good;
}

static void test_feed_takes_complete_requests_and_refuses_the_rest(void **state) {
    (void)state;
    struct feed_request r;
    assert_true(reads("{\"op\":\"subscribe\",\"channel\":\"l2\",\"symbol\":\"ABC\",\"request\":7}", &r));
    assert_int_equal(r.channel, FEED_L2);
    assert_int_equal(r.request, 7);
    assert_true(r.offset == UINT64_MAX);
    assert_true(
        reads(
            "{\"symbol\":\"ABC\",\"op\":\"order\",\"side\":\"SELL\",\"price\":\"-5\",\"quantity\":\"12\",\"account\":3,"
            "\"timeInForce\":\"FOK\",\"selfTrade\":\"DECREMENT\"}",
            &r) == false); /* a negative price is a number, not a text of digits */
    assert_true(
        reads("{\"symbol\":\"ABC\",\"op\":\"order\",\"side\":\"SELL\",\"price\":-5,\"quantity\":\"12\",\"account\":3,"
              "\"timeInForce\":\"FOK\",\"selfTrade\":\"DECREMENT\",\"type\":\"MARKET\",\"postOnly\":true}",
            &r));
    assert_int_equal(r.command.type, EXCHANGE_COMMAND_NEW);
    assert_int_equal(r.command.price, -5);
    assert_int_equal(r.command.quantity, 12);
    assert_int_equal(r.command.tif, EXCHANGE_TIF_FOK);
    assert_int_equal(r.command.stp, EXCHANGE_STP_DECREMENT);
    assert_int_equal(r.command.flags, EXCHANGE_FLAG_MARKET | EXCHANGE_FLAG_POST_ONLY);
    static const char *const bad[] = {"", "{", "[]", "1", "{}", "{\"op\":1}", "{\"op\":\"fly\"}", "{\"op\":\"ping\"} ,",
        "{\"op\":\"ping\",\"op\":\"ping\"}", "{\"op\":\"subscribe\",\"channel\":\"l2\"}", "{\"op\":\"cancel\"}",
        "{\"op\":\"order\",\"symbol\":\"A\",\"side\":\"BUY\",\"quantity\":1}",
        "{\"op\":\"ping\",\"symbol\":\"seventeen letters\"}", "{\"op\":\"ping\",\"price\":1.5}",
        "{\"op\":\"ping\",\"account\":4294967296}", "{\"op\":\"ping\",\"quantity\":-1}",
        "{\"op\":\"ping\",\"deep\":{\"er\":1}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (reads(bad[i], &r)) fail_msg("taken: %s", bad[i]);
}

static void test_feed_shows_a_record_with_its_sequence_and_offset(void **state) {
    (void)state;
    struct exchange_l2 l2 = {.type = EXCHANGE_EVENT_L2,
        .side = EXCHANGE_SIDE_SELL,
        .symbol = 1,
        .sequence = 9,
        .price = -3,
        .quantity = 4,
        .orders = 2,
        .time_ns = 77};
    struct weir_record record = {.offset = 5, .value = weir_slice(&l2, sizeof(l2))};
    char text[FEED_MESSAGE_MAX];
    size_t size = feed_record_write(&record, "ABC", text, sizeof(text));
    assert_true(size > 0);
    assert_string_equal(text,
        "{\"type\":\"l2\",\"symbol\":\"ABC\",\"sequence\":9,\"offset\":5,\"side\":\"SELL\",\"price\":-3,"
        "\"quantity\":4,\"orders\":2,\"timeNs\":77}");
    record.value.size--;
    assert_int_equal(feed_record_write(&record, "ABC", text, sizeof(text)), 0);
}

static struct weir_ouch_request enter_request(void) {
    struct weir_ouch_request r = {.type = WEIR_OUCH_ENTER,
        .enter = {.user_ref = 9, .side = 'S', .quantity = 100, .price = 5000, .time_in_force = '3'}};
    weir_ouch_alpha_set(r.enter.symbol, sizeof(r.enter.symbol), weir_slice_text("ABC"));
    return r;
}

static void test_ouch_requests_become_the_commands_they_mean(void **state) {
    (void)state;
    struct exchange_named_command named;
    struct weir_ouch_request r = enter_request();
    r.options.present = WEIR_OUCH_HAS_SELF_TRADE;
    r.options.self_trade = 'O';
    assert_true(ouch_translate(3, &r, &named));
    assert_int_equal(named.command.type, EXCHANGE_COMMAND_NEW);
    assert_int_equal(named.command.side, EXCHANGE_SIDE_SELL);
    assert_int_equal(named.command.tif, EXCHANGE_TIF_IOC);
    assert_int_equal(named.command.stp, EXCHANGE_STP_CANCEL_OLDEST);
    assert_int_equal(named.command.client_ref, 9);
    assert_int_equal(named.command.session, 3);
    assert_memory_equal(named.name, "ABC\0\0\0\0\0", 8);
    r.enter.price = WEIR_OUCH_PRICE_MARKET;
    assert_true(ouch_translate(3, &r, &named));
    assert_true(named.command.flags & EXCHANGE_FLAG_MARKET);
    r = (struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = 9, .quantity = 40}};
    assert_true(ouch_translate(3, &r, &named));
    assert_int_equal(named.command.type, EXCHANGE_COMMAND_REDUCE);
    assert_int_equal(named.command.flags, EXCHANGE_FLAG_BY_REF | EXCHANGE_FLAG_TO);
    r = (struct weir_ouch_request){.type = WEIR_OUCH_QUERY};
    assert_false(ouch_translate(3, &r, &named));
}

static void test_every_event_of_a_session_is_one_ouch_response(void **state) {
    (void)state;
    struct ouch_behind behind = {0};
    static const char want[] = {[EXCHANGE_EVENT_ACCEPTED] = 'A',
        [EXCHANGE_EVENT_REJECTED] = 'J',
        [EXCHANGE_EVENT_EXECUTED] = 'E',
        [EXCHANGE_EVENT_CANCELED] = 'C',
        [EXCHANGE_EVENT_REDUCED] = 'C',
        [EXCHANGE_EVENT_REPLACED] = 'U',
        [EXCHANGE_EVENT_EXPIRED] = 'C',
        [EXCHANGE_EVENT_DONE] = 'X'};
    for (uint8_t type = EXCHANGE_EVENT_ACCEPTED; type <= EXCHANGE_EVENT_DONE; type++) {
        struct exchange_event e = {
            .type = type, .client_ref = 9, .order_id = 4, .quantity = 10, .leaves = 5, .price = 7, .time_ns = 1};
        if (type == EXCHANGE_EVENT_REJECTED) e.command = EXCHANGE_COMMAND_NEW, e.reason = EXCHANGE_REASON_TICK;
        struct weir_ouch_response r, back;
        uint8_t bytes[WEIR_OUCH_MESSAGE_SIZE_MAX];
        ouch_say(&e, &behind, 4, &r);
        assert_int_equal((char)r.type, want[type]);
        size_t size = weir_ouch_response_encode(&r, bytes);
        assert_int_equal(weir_ouch_response_decode(weir_slice(bytes, size), &back), WEIR_OUCH_REASON_NONE);
    }
    /* What is behind an event is told with it, and prints. */
    struct exchange_event e = {.type = EXCHANGE_EVENT_REDUCED,
        .reason = EXCHANGE_REASON_SELF_TRADE,
        .client_ref = 9,
        .quantity = 3,
        .leaves = 5};
    struct exchange_prevented prevented = {.price = 77, .quantity = 2, .is_maker = 1, .mode = EXCHANGE_STP_DECREMENT};
    struct weir_ouch_response said;
    ouch_say(&e, &(struct ouch_behind){.prevented = &prevented}, 4, &said);
    assert_int_equal((char)said.type, 'D');
    assert_int_equal(said.prevented.quantity, 3);
    assert_int_equal(said.prevented.prevented, 2);
    assert_int_equal(said.prevented.price, 77);
    assert_int_equal(said.prevented.liquidity, 'A');
    assert_int_equal(said.prevented.strategy, 'D');
    uint8_t record[sizeof e + sizeof prevented];
    char text[1024];
    memcpy(record, &e, sizeof e);
    memcpy(record + sizeof e, &prevented, sizeof prevented);
    assert_true(exchange_print_output(weir_slice(record, sizeof record), text, sizeof text) < sizeof text);
    assert_non_null(strstr(text, "\"prevented_price\":77"));
    (void)exchange_print_output(weir_slice(record, sizeof record - 1), text, sizeof text);
    assert_non_null(strstr(text, "malformed"));
    /* Every sentence fits the message that carries it. */
    for (int reason = 0; reason < 64; reason++)
        assert_true(strlen(exchange_reason_sentence((enum exchange_reason)reason)) <= WEIR_OUCH_TEXT_SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed_takes_complete_requests_and_refuses_the_rest),
        cmocka_unit_test(test_feed_shows_a_record_with_its_sequence_and_offset),
        cmocka_unit_test(test_ouch_requests_become_the_commands_they_mean),
        cmocka_unit_test(test_every_event_of_a_session_is_one_ouch_response),
    };
    return cmocka_run_group_tests_name("exchange gateways", tests, NULL, NULL);
}
