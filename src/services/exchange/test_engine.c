/* The matching rules one by one; among them the bugs other engines shipped. */
#include "exchange/test_engine_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BUY  EXCHANGE_SIDE_BUY
#define SELL EXCHANGE_SIDE_SELL

static struct world open_world(void) {
    struct exchange_limits limits = {
        .orders_max = 1000, .symbols_max = 4, .accounts_max = 50, .sessions_max = 8, .work_max = 200};
    struct world w = world_new(&limits);
    world_define(&w, world_terms("ABC"));
    return w;
}
static struct exchange_command order(uint32_t account, enum exchange_side side, int64_t price, uint64_t quantity) {
    return (struct exchange_command){.type = EXCHANGE_COMMAND_NEW,
        .side = (uint8_t)side,
        .symbol = 1,
        .account = account,
        .price = price,
        .quantity = quantity};
}
static struct exchange_command about(uint8_t type, uint32_t account, uint64_t id) {
    return (struct exchange_command){.type = type, .account = account, .order_id = id};
}
/* The number of private events of a type with that reason the command gave; the last of them in ret. */
static size_t count_of(
    struct world *w, struct exchange_command c, uint8_t type, uint8_t reason, struct exchange_event *ret) {
    size_t count, found = 0;
    const union exchange_output *outputs = world_do(w, c, &count);
    for (size_t i = 0; i < count; i++)
        if (outputs[i].type == type && outputs[i].event.reason == reason) {
            if (ret) *ret = outputs[i].event;
            found++;
        }
    return found;
}
static void expect_reject(struct world *w, struct exchange_command c, enum exchange_reason reason) {
    size_t count;
    const union exchange_output *outputs = world_do(w, c, &count);
    assert_int_equal(count, 1);
    assert_int_equal(outputs[0].type, EXCHANGE_EVENT_REJECTED);
    assert_string_equal(exchange_reason_code(outputs[0].event.reason), exchange_reason_code(reason));
}
/* Enters an order that must be accepted; returns its id. */
static uint64_t enter(struct world *w, struct exchange_command c) {
    size_t count;
    const union exchange_output *outputs = world_do(w, c, &count);
    assert_true(count >= 1);
    if (outputs[0].type != EXCHANGE_EVENT_ACCEPTED)
        fail_msg("refused: %s", exchange_reason_code(outputs[0].event.reason));
    return outputs[0].event.order_id;
}
static uint32_t open_orders(const struct world *w) {
    struct exchange_stats stats;
    exchange_core_stats(w->core, &stats);
    return stats.open;
}
static uint64_t leaves(const struct world *w, uint64_t id) {
    struct exchange_order_view view;
    return exchange_core_order(w->core, id, &view) ? view.leaves : 0;
}

/* ---- bugs other engines shipped ---- */
static void test_fok_trades_at_the_makers_prices_not_at_its_limit(void **state) {
    (void)state;
    struct world w = open_world();
    enter(&w, order(1, SELL, 100, 5));
    enter(&w, order(2, SELL, 101, 5));
    struct exchange_command c = order(3, BUY, 110, 8);
    c.tif = EXCHANGE_TIF_FOK;
    size_t count;
    const union exchange_output *outputs = world_do(&w, c, &count);
    int64_t prices[2];
    size_t trades = 0;
    for (size_t i = 0; i < count; i++)
        if (outputs[i].type == EXCHANGE_EVENT_TRADE && trades < 2) prices[trades++] = outputs[i].trade.price;
    assert_int_equal(trades, 2);
    assert_int_equal(prices[0], 100);
    assert_int_equal(prices[1], 101);
    world_free(&w);
}

static void test_smaller_quantity_keeps_time_priority(void **state) {
    (void)state;
    struct world w = open_world();
    uint64_t first = enter(&w, order(1, SELL, 100, 10)), second = enter(&w, order(2, SELL, 100, 10));
    struct exchange_command smaller = about(EXCHANGE_COMMAND_REPLACE, 1, first);
    smaller.price = 100, smaller.quantity = 6;
    assert_int_equal(count_of(&w, smaller, EXCHANGE_EVENT_REPLACED, 0, NULL), 1);
    struct exchange_command less = about(EXCHANGE_COMMAND_REDUCE, 1, first);
    less.quantity = 1;
    assert_int_equal(count_of(&w, less, EXCHANGE_EVENT_REDUCED, EXCHANGE_REASON_BY_CLIENT, NULL), 1);
    enter(&w, order(3, BUY, 100, 5));
    assert_int_equal(leaves(&w, first), 0);
    assert_int_equal(leaves(&w, second), 10);
    world_free(&w);
}

static void test_larger_quantity_or_other_price_loses_time_priority(void **state) {
    (void)state;
    struct world w = open_world();
    uint64_t first = enter(&w, order(1, SELL, 100, 10)), second = enter(&w, order(2, SELL, 100, 10));
    struct exchange_command larger = about(EXCHANGE_COMMAND_REPLACE, 1, first);
    larger.price = 100, larger.quantity = 11;
    struct exchange_event event;
    assert_int_equal(count_of(&w, larger, EXCHANGE_EVENT_REPLACED, 0, &event), 1);
    assert_true(event.flags & EXCHANGE_EVENT_PRIORITY_LOST);
    enter(&w, order(3, BUY, 100, 10));
    assert_int_equal(leaves(&w, first), 11);
    assert_int_equal(leaves(&w, second), 0);
    world_free(&w);
}

static void test_ioc_never_rests_and_needs_to_say_so_once(void **state) {
    (void)state;
    struct world w = open_world();
    enter(&w, order(1, SELL, 100, 5));
    struct exchange_command c = order(2, BUY, 100, 9);
    c.tif = EXCHANGE_TIF_IOC;
    struct exchange_event event;
    assert_int_equal(count_of(&w, c, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_IOC_REMAINDER, &event), 1);
    assert_int_equal(event.quantity, 4);
    assert_int_equal(open_orders(&w), 0);
    world_free(&w);
}

static void test_fok_counts_self_trade_prevention_and_a_killed_one_touches_nothing(void **state) {
    (void)state;
    for (uint8_t stp = EXCHANGE_STP_CANCEL_NEWEST; stp <= EXCHANGE_STP_DECREMENT; stp++) {
        struct world w = open_world();
        uint64_t other = enter(&w, order(1, SELL, 100, 5)), own = enter(&w, order(2, SELL, 101, 5));
        struct exchange_command c = order(2, BUY, 105, 8);
        c.tif = EXCHANGE_TIF_FOK, c.stp = stp;
        assert_int_equal(count_of(&w, c, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_FOK_UNFILLED, NULL), 1);
        assert_int_equal(leaves(&w, other), 5);
        assert_int_equal(leaves(&w, own), 5);
        enter(&w, order(3, SELL, 102, 5));
        /* With cancel-oldest there is enough behind the own order now; every other mode still meets it first. */
        bool fills = stp == EXCHANGE_STP_CANCEL_OLDEST;
        assert_int_equal(count_of(&w, c, EXCHANGE_EVENT_EXECUTED, 0, NULL), fills ? 4 : 0);
        assert_int_equal(leaves(&w, own), fills ? 0 : 5);
        world_free(&w);
    }
}

static void test_self_trade_cancel_newest_leaves_nothing_of_it_resting(void **state) {
    (void)state;
    struct world w = open_world();
    uint64_t own = enter(&w, order(1, SELL, 100, 5));
    struct exchange_command c = order(1, BUY, 100, 9);
    c.stp = EXCHANGE_STP_CANCEL_NEWEST;
    struct exchange_event event;
    assert_int_equal(count_of(&w, c, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_SELF_TRADE, &event), 1);
    assert_int_equal(event.quantity, 9);
    assert_int_equal(open_orders(&w), 1);
    assert_int_equal(leaves(&w, own), 5);
    world_free(&w);
}

static void test_self_trade_modes_end_what_they_say(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_event event;
    uint64_t own = enter(&w, order(1, SELL, 100, 5));
    struct exchange_command c = order(1, BUY, 100, 9);
    c.stp = EXCHANGE_STP_CANCEL_OLDEST;
    uint64_t rest = enter(&w, c);
    assert_int_equal(leaves(&w, own), 0);
    assert_int_equal(leaves(&w, rest), 9);
    c = order(1, SELL, 100, 4);
    c.stp = EXCHANGE_STP_DECREMENT;
    assert_int_equal(count_of(&w, c, EXCHANGE_EVENT_REDUCED, EXCHANGE_REASON_SELF_TRADE, &event), 1);
    assert_int_equal(event.order_id, rest);
    assert_int_equal(leaves(&w, rest), 5);
    c.stp = EXCHANGE_STP_CANCEL_BOTH;
    assert_int_equal(count_of(&w, c, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_SELF_TRADE, NULL), 2);
    assert_int_equal(open_orders(&w), 0);
    world_free(&w);
}

static void test_time_passes_in_commands_only(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_command c = order(1, SELL, 100, 5);
    c.tif = EXCHANGE_TIF_GTD, c.expire_ns = w.now + 10;
    uint64_t id = enter(&w, c);
    assert_int_equal(exchange_core_next_expiry(w.core), w.now + 10);
    w.now += 9;
    struct exchange_command tick = {.type = EXCHANGE_COMMAND_TICK};
    assert_int_equal(count_of(&w, tick, EXCHANGE_EVENT_EXPIRED, EXCHANGE_REASON_TIME_REACHED, NULL), 0);
    w.now += 1;
    /* Whatever command comes at its time, the order is gone before it. */
    assert_int_equal(count_of(&w, order(2, BUY, 100, 5), EXCHANGE_EVENT_EXECUTED, 0, NULL), 0);
    assert_int_equal(leaves(&w, id), 0);
    expect_reject(&w, c, EXCHANGE_REASON_EXPIRED_ALREADY);
    world_free(&w);
}

/* ---- checks before matching ---- */
static void test_terms_of_a_symbol_refuse_what_does_not_fit(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_terms t = world_terms("XYZ");
    t.tick = 5, t.lot = 10, t.quantity_max = 1000, t.notional_max = 50000, t.reference = 100, t.band = 20;
    world_define(&w, t);
    struct exchange_command c = order(1, BUY, 100, 100);
    c.symbol = 2;
    enter(&w, c);
    c.price = 103, expect_reject(&w, c, EXCHANGE_REASON_TICK);
    c.price = 125, expect_reject(&w, c, EXCHANGE_REASON_PRICE_BAND);
    c.price = 75, expect_reject(&w, c, EXCHANGE_REASON_PRICE_BAND);
    c.price = 100, c.quantity = 105, expect_reject(&w, c, EXCHANGE_REASON_LOT);
    c.quantity = 1010, expect_reject(&w, c, EXCHANGE_REASON_QUANTITY);
    c.quantity = 0, expect_reject(&w, c, EXCHANGE_REASON_QUANTITY);
    c.quantity = 510, expect_reject(&w, c, EXCHANGE_REASON_NOTIONAL);
    c.quantity = UINT64_MAX, expect_reject(&w, c, EXCHANGE_REASON_QUANTITY);
    c.symbol = 3, expect_reject(&w, c, EXCHANGE_REASON_UNKNOWN_SYMBOL);
    c.symbol = 1, c.quantity = 1, c.price = INT64_MAX, expect_reject(&w, c, EXCHANGE_REASON_PRICE_RANGE);
    c.price = INT64_MIN, expect_reject(&w, c, EXCHANGE_REASON_PRICE_RANGE);
    t.type = EXCHANGE_COMMAND_ALTER, t.symbol = 2, t.tick = 1;
    exchange_core_apply(w.core, &t, sizeof(t), w.now);
    size_t count;
    const union exchange_output *outputs = exchange_core_outputs(w.core, &count);
    assert_int_equal(outputs[0].event.reason, EXCHANGE_REASON_TERMS);
    world_free(&w);
}

static void test_market_orders_stop_at_the_collar_and_the_band(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_terms t = world_terms("XYZ");
    t.collar = 3, t.reference = 100, t.band = 4;
    world_define(&w, t);
    struct exchange_command market = {.type = EXCHANGE_COMMAND_NEW,
        .side = BUY,
        .symbol = 2,
        .account = 9,
        .quantity = 100,
        .flags = EXCHANGE_FLAG_MARKET};
    assert_int_equal(count_of(&w, market, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_NO_LIQUIDITY, NULL), 1);
    for (int64_t price = 100; price <= 104; price++) {
        struct exchange_command c = order(1, SELL, price, 10);
        c.symbol = 2;
        enter(&w, c);
    }
    struct exchange_event event;
    assert_int_equal(count_of(&w, market, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_NO_LIQUIDITY, &event), 1);
    assert_int_equal(event.executed, 40); /* 100 to 103 */
    assert_int_equal(open_orders(&w), 1);
    world_free(&w);
}

static void test_post_only_never_trades_on_entry_or_replace(void **state) {
    (void)state;
    struct world w = open_world();
    enter(&w, order(1, SELL, 100, 5));
    struct exchange_command c = order(2, BUY, 100, 5);
    c.flags = EXCHANGE_FLAG_POST_ONLY;
    expect_reject(&w, c, EXCHANGE_REASON_POST_ONLY);
    c.price = 99;
    uint64_t id = enter(&w, c);
    struct exchange_command up = about(EXCHANGE_COMMAND_REPLACE, 2, id);
    up.price = 100;
    expect_reject(&w, up, EXCHANGE_REASON_POST_ONLY);
    assert_int_equal(leaves(&w, id), 5);
    c.tif = EXCHANGE_TIF_IOC;
    expect_reject(&w, c, EXCHANGE_REASON_MALFORMED);
    world_free(&w);
}

static void test_nobody_touches_another_accounts_order_but_the_operator(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_command c = order(1, SELL, 100, 5);
    c.client_ref = 77;
    uint64_t id = enter(&w, c);
    expect_reject(&w, about(EXCHANGE_COMMAND_CANCEL, 2, id), EXCHANGE_REASON_UNKNOWN_ORDER);
    struct exchange_command by_ref = about(EXCHANGE_COMMAND_CANCEL, 2, 77);
    by_ref.flags = EXCHANGE_FLAG_BY_REF;
    expect_reject(&w, by_ref, EXCHANGE_REASON_UNKNOWN_ORDER);
    expect_reject(&w, c, EXCHANGE_REASON_DUPLICATE_REF);
    c.account = 2;
    enter(&w, c);
    assert_int_equal(count_of(&w, by_ref, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_CLIENT, NULL), 1);
    assert_int_equal(
        count_of(&w, about(EXCHANGE_COMMAND_CANCEL, 0, id), EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_CLIENT, NULL),
        1);
    world_free(&w);
}

static void test_rising_references_survive_order_and_connection(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_command connect = {.type = EXCHANGE_COMMAND_CONNECT,
        .account = 1,
        .session = 2,
        .flags = EXCHANGE_FLAG_REFS_RISE | EXCHANGE_FLAG_CANCEL_ON_DISCONNECT};
    struct exchange_command c = order(1, SELL, 100, 5);
    c.session = 2, c.client_ref = 10;
    expect_reject(&w, c, EXCHANGE_REASON_UNKNOWN_SESSION);
    size_t count;
    world_do(&w, connect, &count);
    enter(&w, c);
    enter(&w, order(1, SELL, 100, 5));
    struct exchange_command gone = {.type = EXCHANGE_COMMAND_DISCONNECT, .session = 2};
    assert_int_equal(count_of(&w, gone, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_DISCONNECT, NULL), 1);
    assert_int_equal(open_orders(&w), 1);
    world_do(&w, connect, &count);
    expect_reject(&w, c, EXCHANGE_REASON_DUPLICATE_REF);
    c.client_ref = 11;
    enter(&w, c);
    world_free(&w);
}

static void test_suspended_account_loses_its_orders_and_enters_none(void **state) {
    (void)state;
    struct world w = open_world();
    enter(&w, order(1, SELL, 100, 5));
    uint64_t other = enter(&w, order(2, SELL, 100, 5));
    struct exchange_command suspend = {.type = EXCHANGE_COMMAND_SUSPEND, .account = 1},
                            reinstate = {.type = EXCHANGE_COMMAND_REINSTATE, .account = 1};
    assert_int_equal(count_of(&w, suspend, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_SUSPENSION, NULL), 1);
    assert_int_equal(leaves(&w, other), 5);
    expect_reject(&w, order(1, SELL, 100, 5), EXCHANGE_REASON_SUSPENDED);
    world_do(&w, reinstate, &(size_t){0});
    enter(&w, order(1, SELL, 100, 5));
    world_free(&w);
}

/* A client that resumes counts on it: what its session is told is numbered without a hole, and a retransmission is no
 * news. */
static void test_events_of_a_session_are_numbered_without_a_hole(void **state) {
    (void)state;
    struct world w = open_world();
    struct exchange_command connect = {
        .type = EXCHANGE_COMMAND_CONNECT, .account = 1, .session = 1, .order_id = 55, .flags = EXCHANGE_FLAG_REFS_RISE};
    world_do(&w, connect, &(size_t){0});
    uint64_t told = 0;
    for (uint64_t i = 1; i <= 60; i++) {
        struct exchange_command c = order(1, i % 2 ? SELL : BUY, 100, 1 + i % 3);
        c.session = 1, c.client_ref = i - (i % 7 == 0); /* every seventh is one sent twice */
        if (i % 5 == 0) c.price = INT64_MAX;
        if (i % 11 == 0) {
            c.type = EXCHANGE_COMMAND_MASS_CANCEL, c.side = EXCHANGE_SIDE_ANY, c.order_id = 1;
            c.session = 0, c.symbol = 0, c.client_ref = i;
        }
        size_t count;
        const union exchange_output *outputs = world_do(&w, c, &count);
        for (size_t k = 0; k < count; k++) {
            if (outputs[k].type >= EXCHANGE_EVENT_L2) continue;
            const struct exchange_event *e = &outputs[k].event;
            if (e->type == EXCHANGE_EVENT_REJECTED && e->reason == EXCHANGE_REASON_DUPLICATE_REF)
                assert_int_equal(e->session_sequence, 0);
            else
                assert_int_equal(e->session_sequence, ++told);
        }
    }
    /* A reference that is new to the session but stands for an order the account entered otherwise: that is news. */
    size_t count;
    struct exchange_command other = order(1, BUY, 1, 1), own = order(1, BUY, 2, 1);
    other.client_ref = own.client_ref = 500;
    own.session = 1;
    world_do(&w, other, &count);
    const struct exchange_event *refused = &world_do(&w, own, &count)->event;
    assert_int_equal(refused->reason, EXCHANGE_REASON_DUPLICATE_REF);
    assert_int_equal(refused->session_sequence, ++told);
    struct exchange_session_view view;
    assert_true(exchange_core_session(w.core, 1, &view));
    assert_int_equal(view.events, told);
    assert_true(told > 60);
    /* The connection before a takeover can not end the one after it. */
    connect.order_id = 56;
    world_do(&w, connect, &(size_t){0});
    struct exchange_command gone = {.type = EXCHANGE_COMMAND_DISCONNECT, .session = 1, .order_id = 55};
    expect_reject(&w, gone, EXCHANGE_REASON_UNKNOWN_SESSION);
    world_free(&w);
}

static void test_halted_symbol_takes_only_less(void **state) {
    (void)state;
    struct world w = open_world();
    uint64_t id = enter(&w, order(1, SELL, 100, 5));
    struct exchange_command halt = {.type = EXCHANGE_COMMAND_HALT, .symbol = 1},
                            resume = {.type = EXCHANGE_COMMAND_RESUME, .symbol = 1};
    size_t count;
    world_do(&w, halt, &count);
    expect_reject(&w, order(2, BUY, 100, 5), EXCHANGE_REASON_HALTED);
    struct exchange_command replace = about(EXCHANGE_COMMAND_REPLACE, 1, id);
    replace.price = 101;
    expect_reject(&w, replace, EXCHANGE_REASON_HALTED);
    struct exchange_command less = about(EXCHANGE_COMMAND_REDUCE, 1, id);
    less.quantity = 2;
    assert_int_equal(count_of(&w, less, EXCHANGE_EVENT_REDUCED, EXCHANGE_REASON_BY_CLIENT, NULL), 1);
    world_do(&w, resume, &count);
    assert_int_equal(count_of(&w, order(2, BUY, 100, 5), EXCHANGE_EVENT_EXECUTED, 0, NULL), 2);
    world_free(&w);
}

/* ---- limits ---- */
static void test_full_engine_refuses_and_goes_on(void **state) {
    (void)state;
    struct exchange_limits limits = {
        .orders_max = 100, .symbols_max = 1, .accounts_max = 4, .sessions_max = 1, .nodes_max = 60, .open_max = 90};
    struct world w = world_new(&limits);
    world_define(&w, world_terms("ABC"));
    uint64_t first = enter(&w, order(1, BUY, 1, 1));
    for (int64_t i = 1; i < 20; i++)
        enter(&w, order(1, BUY, 1 + i * 100, 1)); /* a node of the index each */
    struct exchange_command c = order(1, BUY, 1000000, 1);
    size_t refused = 0;
    for (int64_t i = 0; i < 40; i++, c.price += 1000000)
        refused += count_of(&w, c, EXCHANGE_EVENT_REJECTED, EXCHANGE_REASON_LEVELS_FULL, NULL);
    assert_true(refused > 0 && refused < 40);
    world_do(&w, about(EXCHANGE_COMMAND_CANCEL, 1, first), &(size_t){0});
    struct exchange_command all = {.type = EXCHANGE_COMMAND_MASS_CANCEL, .side = EXCHANGE_SIDE_ANY};
    world_do(&w, all, &(size_t){0});
    assert_int_equal(open_orders(&w), 0);
    struct exchange_stats stats;
    exchange_core_stats(w.core, &stats);
    assert_int_equal(stats.nodes, 0);
    assert_int_equal(stats.levels, 0);
    for (int i = 0; i < 90; i++)
        enter(&w, order(1, BUY, 10, 1));
    expect_reject(&w, order(1, BUY, 10, 1), EXCHANGE_REASON_OPEN_LIMIT);
    for (int i = 0; i < 10; i++)
        enter(&w, order(2, BUY, 10, 1));
    expect_reject(&w, order(2, BUY, 10, 1), EXCHANGE_REASON_ORDERS_FULL);
    world_free(&w);
}

static void test_one_command_meets_only_so_many_orders(void **state) {
    (void)state;
    struct world w = open_world(); /* work_max 200 */
    for (int i = 0; i < 300; i++)
        enter(&w, order(1, SELL, 100, 1));
    struct exchange_command fok = order(2, BUY, 100, 250);
    fok.tif = EXCHANGE_TIF_FOK;
    assert_int_equal(count_of(&w, fok, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_FOK_UNFILLED, NULL), 1);
    struct exchange_event event;
    assert_int_equal(
        count_of(&w, order(2, BUY, 100, 250), EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_WORK_LIMIT, &event), 1);
    assert_int_equal(event.executed, 200);
    assert_int_equal(open_orders(&w), 100);
    world_free(&w);
}

static void test_mass_work_goes_on_with_ticks_and_spares_later_orders(void **state) {
    (void)state;
    struct world w = open_world();
    for (int i = 0; i < 500; i++)
        enter(&w, order(1 + (uint32_t)i % 3, SELL, 100 + i % 7, 1));
    struct exchange_command all = {.type = EXCHANGE_COMMAND_MASS_CANCEL, .side = EXCHANGE_SIDE_ANY},
                            tick = {.type = EXCHANGE_COMMAND_TICK};
    assert_int_equal(count_of(&w, all, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_MASS_CANCEL, NULL), 200);
    assert_true(exchange_core_unfinished(w.core));
    uint64_t later = enter(&w, order(1, SELL, 100, 1));
    struct exchange_order_view view[1];
    assert_int_equal(exchange_core_account_orders(w.core, 2, 0, view, 1), 1);
    assert_int_equal(count_of(&w, about(EXCHANGE_COMMAND_CANCEL, 2, view[0].id), EXCHANGE_EVENT_CANCELED,
                         EXCHANGE_REASON_BY_CLIENT, NULL),
        1);
    for (int i = 0; i < 4; i++)
        world_do(&w, tick, &(size_t){0});
    assert_false(exchange_core_unfinished(w.core));
    assert_int_equal(open_orders(&w), 1);
    assert_int_equal(leaves(&w, later), 1);
    world_free(&w);
}

static void test_far_apart_prices_are_ordered_and_traded(void **state) {
    (void)state;
    struct world w = open_world();
    static const int64_t prices[] = {-70000000000, -1, 0, 1, 63, 64, 4095, 4096, 262143, 262144, 100000000000};
    const size_t n = sizeof(prices) / sizeof(prices[0]);
    for (size_t i = 0; i < n; i++)
        enter(&w, order(1, SELL, prices[(i * 7 + 3) % n], 1));
    struct exchange_level_view levels[16];
    assert_int_equal(exchange_core_depth(w.core, 1, EXCHANGE_SIDE_SELL, levels, 16), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(levels[i].price, prices[i]);
    enter(&w, order(2, BUY, 262143, n));
    assert_int_equal(exchange_core_depth(w.core, 1, EXCHANGE_SIDE_SELL, levels, 16), 2);
    world_free(&w);
}

static void test_no_bytes_stop_the_engine(void **state) {
    (void)state;
    struct world w = open_world();
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[100];
        for (size_t k = 0; k < sizeof(bytes); k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            bytes[k] = (uint8_t)(x & (x >> 20 & 1 ? 0xff : 0x03));
        }
        bytes[0] = (uint8_t)(x >> 33 & 15);
        size_t size = x >> 40 & 3   ? sizeof(struct exchange_command)
                      : x >> 42 & 1 ? sizeof(struct exchange_terms)
                                    : x >> 43 & 63;
        exchange_core_apply(w.core, bytes + (x >> 50 & 1), size, w.now);
        size_t count;
        exchange_core_outputs(w.core, &count);
        assert_true(count <= EXCHANGE_OUTPUTS_MAX(200));
    }
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fok_trades_at_the_makers_prices_not_at_its_limit),
        cmocka_unit_test(test_smaller_quantity_keeps_time_priority),
        cmocka_unit_test(test_larger_quantity_or_other_price_loses_time_priority),
        cmocka_unit_test(test_ioc_never_rests_and_needs_to_say_so_once),
        cmocka_unit_test(test_fok_counts_self_trade_prevention_and_a_killed_one_touches_nothing),
        cmocka_unit_test(test_self_trade_cancel_newest_leaves_nothing_of_it_resting),
        cmocka_unit_test(test_self_trade_modes_end_what_they_say),
        cmocka_unit_test(test_time_passes_in_commands_only),
        cmocka_unit_test(test_terms_of_a_symbol_refuse_what_does_not_fit),
        cmocka_unit_test(test_market_orders_stop_at_the_collar_and_the_band),
        cmocka_unit_test(test_post_only_never_trades_on_entry_or_replace),
        cmocka_unit_test(test_nobody_touches_another_accounts_order_but_the_operator),
        cmocka_unit_test(test_rising_references_survive_order_and_connection),
        cmocka_unit_test(test_suspended_account_loses_its_orders_and_enters_none),
        cmocka_unit_test(test_events_of_a_session_are_numbered_without_a_hole),
        cmocka_unit_test(test_halted_symbol_takes_only_less),
        cmocka_unit_test(test_full_engine_refuses_and_goes_on),
        cmocka_unit_test(test_one_command_meets_only_so_many_orders),
        cmocka_unit_test(test_mass_work_goes_on_with_ticks_and_spares_later_orders),
        cmocka_unit_test(test_far_apart_prices_are_ordered_and_traded),
        cmocka_unit_test(test_no_bytes_stop_the_engine),
    };
    return cmocka_run_group_tests_name("exchange engine", tests, NULL, NULL);
}
