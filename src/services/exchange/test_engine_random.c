/* The engine in lock step with the naive model over random commands: equal private events, and what the public is told
 * must rebuild exactly the books the model has. */
#include "exchange/test_engine_model.h"
#include "exchange/test_engine_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SYMBOLS  3
#define ACCOUNTS 5
#define PRICES   512 /* of the rebuilt books: PRICE_BASE .. PRICE_BASE + PRICES */
#define BASE     10000

struct rng {
    uint64_t state;
};
static uint64_t next_random(struct rng *r) {
    r->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}
static uint64_t below(struct rng *r, uint64_t n) {
    return next_random(r) % n;
}

/* What a subscriber of the public feed knows. */
struct viewer {
    struct {
        uint64_t quantity[2][PRICES], orders[2][PRICES];
        uint64_t sequence[3];
        struct exchange_l1 top;
    } books[SYMBOLS + 1];
    uint64_t public_volume, private_volume;
};

static void view(struct viewer *v, const union exchange_output *o) {
    uint32_t symbol = o->type == EXCHANGE_EVENT_L2      ? o->l2.symbol
                      : o->type == EXCHANGE_EVENT_L1    ? o->l1.symbol
                      : o->type == EXCHANGE_EVENT_TRADE ? o->trade.symbol
                      : o->type == EXCHANGE_EVENT_STATE ? o->state.symbol
                                                        : 0;
    if (symbol == 0) {
        if (o->type == EXCHANGE_EVENT_EXECUTED && !(o->event.flags & EXCHANGE_EVENT_MAKER))
            v->private_volume += o->event.quantity;
        return;
    }
    /* A sequence for each topic of a symbol, without a hole. */
    uint64_t sequence;
    memcpy(&sequence, (const uint8_t *)o + 8, 8);
    size_t topic = o->type == EXCHANGE_EVENT_L2 ? 0 : o->type == EXCHANGE_EVENT_TRADE ? 1 : 2;
    assert_int_equal(sequence, ++v->books[symbol].sequence[topic]);
    if (o->type == EXCHANGE_EVENT_L2) {
        size_t at = (size_t)(o->l2.price - BASE);
        assert_true(at < PRICES);
        v->books[symbol].quantity[o->l2.side][at] = o->l2.quantity;
        v->books[symbol].orders[o->l2.side][at] = o->l2.orders;
    }
    if (o->type == EXCHANGE_EVENT_L1) v->books[symbol].top = o->l1;
    if (o->type == EXCHANGE_EVENT_TRADE) v->public_volume += o->trade.quantity;
}

/* The rebuilt book equals the model's, the engine's depth equals both, and no book is crossed. */
static void compare_books(const struct viewer *v, const struct model *m, const struct exchange_core *core) {
    for (uint32_t s = 1; s <= SYMBOLS; s++) {
        uint64_t quantity[2][PRICES] = {{0}}, orders[2][PRICES] = {{0}};
        for (size_t i = 0; i < m->order_count; i++) {
            const struct exchange_event *o = &m->orders[i].o;
            if (o->symbol != s) continue;
            quantity[o->side][o->price - BASE] += o->leaves;
            orders[o->side][o->price - BASE]++;
        }
        assert_memory_equal(quantity, v->books[s].quantity, sizeof(quantity));
        assert_memory_equal(orders, v->books[s].orders, sizeof(orders));
        struct exchange_level_view levels[2][PRICES];
        size_t count[2];
        for (int side = 0; side < 2; side++) {
            count[side] = exchange_core_depth(core, s, (enum exchange_side)side, levels[side], PRICES);
            size_t occupied = 0;
            for (size_t i = 0; i < PRICES; i++)
                occupied += quantity[side][i] != 0;
            assert_int_equal(occupied, count[side]);
            for (size_t i = 0; i < count[side]; i++) {
                assert_int_equal(levels[side][i].quantity, quantity[side][levels[side][i].price - BASE]);
                if (i) assert_true((levels[side][i].price < levels[side][i - 1].price) == (side == EXCHANGE_SIDE_BUY));
            }
        }
        const struct exchange_l1 *top = &v->books[s].top;
        assert_int_equal(top->bid_quantity, count[0] ? levels[0][0].quantity : 0);
        assert_int_equal(top->bid_price, count[0] ? levels[0][0].price : 0);
        assert_int_equal(top->ask_quantity, count[1] ? levels[1][0].quantity : 0);
        assert_int_equal(top->ask_price, count[1] ? levels[1][0].price : 0);
        assert_true(count[0] == 0 || count[1] == 0 || levels[0][0].price < levels[1][0].price);
    }
}

static struct exchange_command random_new(struct rng *r, uint64_t now, bool rising_refs, uint64_t *refs) {
    static const uint8_t tifs[] = {0, 0, 0, 0, 1, 2, 3, 4};
    struct exchange_command c = {
        .type = EXCHANGE_COMMAND_NEW,
        .side = (uint8_t)below(r, 2),
        .tif = tifs[below(r, sizeof(tifs))],
        .stp = (uint8_t)(below(r, 3) ? 0 : below(r, 5)),
        .symbol = 1 + (uint32_t)below(r, SYMBOLS),
        .account = 1 + (uint32_t)below(r, ACCOUNTS),
        .price = BASE + 200 + (int64_t)below(r, 60) + (int64_t)below(r, 60),
        .quantity = 10 * (1 + below(r, 20)),
    };
    c.price += c.side ? 18 : -18;
    if (below(r, 2)) c.client_ref = rising_refs ? ++*refs : 1 + below(r, 400);
    if (c.tif == EXCHANGE_TIF_GTD) c.expire_ns = now + below(r, 4000) - 100;
    if (c.tif == EXCHANGE_TIF_GTD && below(r, 4) == 0) c.expire_ns -= now - 100, c.flags = EXCHANGE_FLAG_EXPIRE_IN;
    if (c.tif >= EXCHANGE_TIF_IOC && below(r, 3) == 0) {
        c.flags = EXCHANGE_FLAG_MARKET;
        c.price = 0;
    } else if (below(r, 10) == 0) {
        c.flags |= EXCHANGE_FLAG_POST_ONLY;
    }
    if (below(r, 40) == 0) c.quantity += below(r, 10);
    if (below(r, 60) == 0) c.price += below(r, 2) ? 150 : -150;
    if (below(r, 80) == 0) c.symbol = (uint32_t)below(r, 10);
    if (below(r, 80) == 0) c.account = (uint32_t)below(r, 10);
    if (below(r, 200) == 0) ((uint8_t *)&c)[below(r, 6)] = (uint8_t)below(r, 256);
    return c;
}

/* A command about an order that is probably there. */
static struct exchange_command random_change(struct rng *r, const struct model *m) {
    struct exchange_command c = {.account = 1 + (uint32_t)below(r, ACCOUNTS), .order_id = below(r, m->ids + 10)};
    uint64_t kind = below(r, 10);
    const struct model_order *o = m->order_count ? &m->orders[below(r, m->order_count)] : NULL;
    c.price = BASE + 200 + (int64_t)below(r, 120);
    if (o && below(r, 20)) {
        bool by_ref = o->o.client_ref && below(r, 2);
        c.account = below(r, 20) ? o->o.account : 0;
        c.order_id = by_ref ? o->o.client_ref : o->o.order_id;
        c.flags = by_ref ? EXCHANGE_FLAG_BY_REF : 0;
        if (below(r, 2)) c.price = o->o.price;
    }
    c.type = kind < 4 ? EXCHANGE_COMMAND_CANCEL : kind < 6 ? EXCHANGE_COMMAND_REDUCE : EXCHANGE_COMMAND_REPLACE;
    if (c.type != EXCHANGE_COMMAND_CANCEL) c.quantity = 10 * below(r, 25) + (below(r, 30) ? 0 : below(r, 10));
    if (c.type == EXCHANGE_COMMAND_REPLACE) {
        if (below(r, 3) == 0) c.client_ref = 1 + below(r, 400);
        if (below(r, 5) == 0) c.flags |= EXCHANGE_FLAG_REQUEUE;
    }
    return c;
}

/* What undoes a halt now and then, so that there is trading most of the time. */
static struct exchange_command random_repair(struct rng *r) {
    struct exchange_command c = {.type = EXCHANGE_COMMAND_RESUME, .symbol = 1 + (uint32_t)below(r, SYMBOLS)};
    return c;
}

static struct exchange_command random_admin(struct rng *r) {
    static const uint8_t types[] = {EXCHANGE_COMMAND_MASS_CANCEL, EXCHANGE_COMMAND_MASS_CANCEL, EXCHANGE_COMMAND_HALT,
        EXCHANGE_COMMAND_RESUME, EXCHANGE_COMMAND_END_OF_DAY, EXCHANGE_COMMAND_TICK};
    struct exchange_command c = {.type = types[below(r, sizeof(types))], .side = (uint8_t)below(r, 3)};
    c.symbol = (uint32_t)below(r, SYMBOLS + 2);
    if (c.type == EXCHANGE_COMMAND_MASS_CANCEL) c.account = (uint32_t)below(r, ACCOUNTS + 2);
    return c;
}

static void define_symbols(struct world *w, struct model *m, struct viewer *v) {
    struct exchange_terms terms[SYMBOLS] = {world_terms("PLAIN"), world_terms("COARSE"), world_terms("FENCED")};
    terms[1].tick = 5, terms[1].lot = 10, terms[1].collar = 20;
    terms[2].quantity_max = 150, terms[2].notional_max = 1400000, terms[2].reference = BASE + 260, terms[2].band = 45;
    for (int i = 0; i < SYMBOLS; i++) {
        world_define(w, terms[i]);
        model_apply(m, &terms[i], sizeof(terms[i]), w->now);
        size_t count;
        const union exchange_output *outputs = exchange_core_outputs(w->core, &count);
        assert_int_equal(count, 1);
        view(v, outputs);
    }
}

/* What must have happened somewhere for the run to have meant anything. */
static uint64_t seen_reasons[64], seen_types[32];

/* The engine's private events are the model's, one by one. */
static void compare_events(const union exchange_output *outputs, size_t count, const struct model *m, struct viewer *v,
    uint64_t seed, int step) {
    size_t said = 0;
    for (size_t i = 0; i < count; i++) {
        view(v, &outputs[i]);
        seen_types[outputs[i].type]++;
        if (outputs[i].type >= EXCHANGE_EVENT_L2) continue;
        seen_reasons[outputs[i].event.reason]++;
        if (said >= m->event_count || memcmp(&outputs[i].event, &m->events[said], sizeof(struct exchange_event)) != 0) {
            const struct exchange_event *a = &outputs[i].event, *b = &m->events[said];
            fail_msg("seed %llu step %d event %zu: engine type %u reason %s id %llu qty %llu leaves %llu; model type "
                     "%u reason %s id %llu qty %llu leaves %llu",
                (unsigned long long)seed, step, said, a->type, exchange_reason_code(a->reason),
                (unsigned long long)a->order_id, (unsigned long long)a->quantity, (unsigned long long)a->leaves,
                b->type, exchange_reason_code(b->reason), (unsigned long long)b->order_id,
                (unsigned long long)b->quantity, (unsigned long long)b->leaves);
        }
        said++;
    }
    if (said != m->event_count)
        fail_msg("seed %llu step %d: engine says %zu events, model %zu", (unsigned long long)seed, step, said,
            m->event_count);
}

static void lock_step(uint64_t seed, int steps) {
    struct exchange_limits limits = {.orders_max = 4000,
        .symbols_max = SYMBOLS,
        .accounts_max = ACCOUNTS,
        .sessions_max = 1,
        .open_max = 14,
        .work_max = 4000,
        .hash_seed = seed};
    struct world w = world_new(&limits);
    struct model *m = calloc(1, sizeof(*m));
    struct viewer *v = calloc(1, sizeof(*v));
    m->accounts_max = ACCOUNTS, m->open_max = limits.open_max;
    struct rng r = {seed};
    uint64_t refs = 1000;
    define_symbols(&w, m, v);
    for (int step = 0; step < steps; step++) {
        w.now += below(&r, 20);
        uint64_t kind = below(&r, 1000);
        struct exchange_command c = kind < 700   ? random_new(&r, w.now, seed & 1, &refs)
                                    : kind < 980 ? random_change(&r, m)
                                    : kind < 995 ? random_repair(&r)
                                                 : random_admin(&r);
        if (c.type == 0 || c.type > EXCHANGE_COMMAND_TICK) continue;
        model_apply(m, &c, sizeof(c), w.now);
        size_t count;
        const union exchange_output *outputs = world_do(&w, c, &count);
        compare_events(outputs, count, m, v, seed, step);
        if (step % 16 == 0) compare_books(v, m, w.core);
    }
    compare_books(v, m, w.core);
    assert_int_equal(v->public_volume, v->private_volume);
    struct exchange_stats stats;
    exchange_core_stats(w.core, &stats);
    assert_int_equal(stats.open, m->order_count);
    assert_int_equal(stats.trades, m->matches);
    free(v);
    free(m);
    world_free(&w);
}

static void test_every_event_is_what_the_plain_rules_give(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        lock_step(seed, 6000);
    static const uint8_t reasons[] = {EXCHANGE_REASON_MALFORMED, EXCHANGE_REASON_UNKNOWN_SYMBOL,
        EXCHANGE_REASON_UNKNOWN_ACCOUNT, EXCHANGE_REASON_UNKNOWN_ORDER, EXCHANGE_REASON_DUPLICATE_REF,
        EXCHANGE_REASON_HALTED, EXCHANGE_REASON_TICK, EXCHANGE_REASON_LOT, EXCHANGE_REASON_QUANTITY,
        EXCHANGE_REASON_NOTIONAL, EXCHANGE_REASON_PRICE_BAND, EXCHANGE_REASON_OPEN_LIMIT, EXCHANGE_REASON_POST_ONLY,
        EXCHANGE_REASON_EXPIRED_ALREADY, EXCHANGE_REASON_BY_CLIENT, EXCHANGE_REASON_BY_MASS_CANCEL,
        EXCHANGE_REASON_IOC_REMAINDER, EXCHANGE_REASON_FOK_UNFILLED, EXCHANGE_REASON_NO_LIQUIDITY,
        EXCHANGE_REASON_SELF_TRADE, EXCHANGE_REASON_DAY_ENDED, EXCHANGE_REASON_TIME_REACHED,
        EXCHANGE_REASON_REPLACED_BELOW_FILLED};
    for (size_t i = 0; i < sizeof(reasons); i++)
        if (seen_reasons[reasons[i]] == 0) fail_msg("no command ever met %s", exchange_reason_code(reasons[i]));
    for (uint8_t type = EXCHANGE_EVENT_ACCEPTED; type <= EXCHANGE_EVENT_EXPIRED; type++)
        assert_true(seen_types[type] > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_event_is_what_the_plain_rules_give)};
    return cmocka_run_group_tests_name("exchange engine against the model", tests, NULL, NULL);
}
