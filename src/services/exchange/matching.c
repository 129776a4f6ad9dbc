/* A taker against the other side of the book: price, then time; trades at the resting order's price. */
#include "exchange/book.h"

static void trade_publish(
    struct exchange_core *core, struct symbol *symbol, const struct taker *taker, int64_t price, uint64_t quantity) {
    symbol->last_price = price;
    symbol->last_quantity = quantity;
    symbol->volume += quantity;
    symbol->trades++;
    core->counters.volume += quantity;
    core_output(core)->trade = (struct exchange_trade){
        .type = EXCHANGE_EVENT_TRADE,
        .side = taker->side,
        .symbol = taker->symbol,
        .sequence = symbol->trades,
        .match_id = core->counters.match_id,
        .price = price,
        .quantity = quantity,
        .time_ns = core->now,
    };
}

static inline struct exchange_event *taker_event(
    struct exchange_core *core, const struct taker *taker, uint8_t type, int64_t price, uint64_t quantity) {
    struct exchange_event *event = core_event(core, (struct event_fields){
                                                        .type = type,
                                                        .side = taker->side,
                                                        .symbol = taker->symbol,
                                                        .account = taker->account,
                                                        .session = taker->session,
                                                        .order_id = taker->id,
                                                        .client_ref = taker->client_ref,
                                                        .price = price,
                                                        .quantity = quantity,
                                                        .leaves = taker->leaves,
                                                        .executed = taker->executed,
                                                    });
    return event;
}

/* Takes a finished maker, the head of its level, out of everything. Its quantity is off the level already. */
static void maker_done(struct exchange_core *core, struct symbol *symbol, struct level *level, uint32_t slot) {
    struct order *maker = &core->orders[slot];
    level->head = maker->next;
    *(maker->next ? &core->orders[maker->next].prev : &level->tail) = 0;
    level->count--;
    symbol->sides[maker->side].orders--;
    book_unregister(core, slot);
    book_slot_give(core, slot);
}

/* One trade with the head of the level. */
static void trade(
    struct exchange_core *core, struct symbol *symbol, struct taker *taker, struct level *level, uint32_t slot) {
    struct order *maker = &core->orders[slot];
    uint64_t quantity = taker->leaves < maker->leaves ? taker->leaves : maker->leaves;
    bool done = quantity == maker->leaves;
    if (done)
        core->digest -= digest_order(maker, level->price);
    else
        core->digest += digest_factor(maker->id) * (quantity * (DIGEST_EXECUTED - DIGEST_LEAVES));
    maker->leaves -= quantity;
    maker->executed += quantity;
    taker->leaves -= quantity;
    taker->executed += quantity;
    level->quantity -= quantity;
    uint64_t match_id = ++core->counters.match_id;
    struct exchange_event *event = book_event(core, EXCHANGE_EVENT_EXECUTED, slot, level->price);
    event->flags = (uint8_t)(EXCHANGE_EVENT_MAKER | (done ? EXCHANGE_EVENT_ENDED : 0));
    event->quantity = quantity;
    event->match_id = match_id;
    event = taker_event(core, taker, EXCHANGE_EVENT_EXECUTED, level->price, quantity);
    event->flags = taker->leaves ? 0 : EXCHANGE_EVENT_ENDED;
    event->match_id = match_id;
    trade_publish(core, symbol, taker, level->price, quantity);
    if (done) maker_done(core, symbol, level, slot);
}

/* A reduction by self-trade prevention that leaves something, or the end if it leaves nothing. */
static void maker_decrement(
    struct exchange_core *core, struct symbol *symbol, struct level *level, uint32_t slot, uint64_t quantity) {
    struct order *maker = &core->orders[slot];
    bool done = quantity == maker->leaves;
    if (done)
        core->digest -= digest_order(maker, level->price);
    else
        core->digest -= digest_factor(maker->id) * (quantity * DIGEST_LEAVES);
    maker->leaves -= quantity;
    level->quantity -= quantity;
    struct exchange_event *event =
        book_event(core, done ? EXCHANGE_EVENT_CANCELED : EXCHANGE_EVENT_REDUCED, slot, level->price);
    event->reason = EXCHANGE_REASON_SELF_TRADE;
    event->quantity = quantity;
    event->flags = done ? EXCHANGE_EVENT_ENDED : 0;
    if (done) maker_done(core, symbol, level, slot);
}

/* The taker met an order of its own account at the head of the level: its mode decides. */
static void self_trade(
    struct exchange_core *core, struct symbol *symbol, struct taker *taker, struct level *level, uint32_t slot) {
    uint64_t maker_leaves = core->orders[slot].leaves;
    uint64_t both = taker->leaves < maker_leaves ? taker->leaves : maker_leaves;
    switch (taker->stp) {
    case EXCHANGE_STP_CANCEL_OLDEST:
        maker_decrement(core, symbol, level, slot, maker_leaves);
        return;
    case EXCHANGE_STP_CANCEL_BOTH:
        maker_decrement(core, symbol, level, slot, maker_leaves);
        break;
    case EXCHANGE_STP_DECREMENT:
        maker_decrement(core, symbol, level, slot, both);
        if (both < taker->leaves) {
            taker->leaves -= both;
            taker_event(core, taker, EXCHANGE_EVENT_REDUCED, taker->price, both)->reason = EXCHANGE_REASON_SELF_TRADE;
            return;
        }
        break;
    default: /* cancel newest: the maker stays */
        break;
    }
    uint64_t quantity = taker->leaves;
    taker->leaves = 0;
    struct exchange_event *event = taker_event(core, taker, EXCHANGE_EVENT_CANCELED, taker->price, quantity);
    event->reason = EXCHANGE_REASON_SELF_TRADE;
    event->flags = EXCHANGE_EVENT_ENDED;
}

/* A resting order past its time is gone, whether or not the expiry has come to it. */
static bool maker_expired(const struct exchange_core *core, uint32_t slot) {
    return core->orders[slot].tif == EXCHANGE_TIF_GTD && core->cold[slot].expire_ns <= core->now;
}

static void maker_expire(struct exchange_core *core, struct symbol *symbol, struct level *level, uint32_t slot) {
    struct order *maker = &core->orders[slot];
    struct exchange_event *event = book_event(core, EXCHANGE_EVENT_EXPIRED, slot, level->price);
    event->reason = EXCHANGE_REASON_TIME_REACHED;
    event->flags = EXCHANGE_EVENT_ENDED;
    event->quantity = maker->leaves;
    event->leaves = 0;
    core->digest -= digest_order(maker, level->price);
    level->quantity -= maker->leaves;
    maker_done(core, symbol, level, slot);
}

static void work_exhausted(struct exchange_core *core, struct taker *taker) {
    uint64_t quantity = taker->leaves;
    taker->leaves = 0;
    struct exchange_event *event = taker_event(core, taker, EXCHANGE_EVENT_CANCELED, taker->price, quantity);
    event->reason = EXCHANGE_REASON_WORK_LIMIT;
    event->flags = EXCHANGE_EVENT_ENDED;
}

void matching_run(struct exchange_core *core, struct symbol *symbol, struct taker *taker) {
    unsigned other = taker->side ^ 1u;
    while (taker->leaves) {
        uint32_t number = symbol->sides[other].best;
        struct level *level = &core->levels[number];
        if (number == 0 || !price_crosses(taker->side, taker->limit, level->price)) return;
        uint64_t quantity = level->quantity;
        do {
            uint32_t slot = level->head;
            if (UNLIKELY(core->work_left-- == 0)) {
                core->work_left = 0;
                work_exhausted(core, taker);
                break;
            }
            if (UNLIKELY(taker->expiring && maker_expired(core, slot)))
                maker_expire(core, symbol, level, slot);
            else if (UNLIKELY(taker->stp && core->orders[slot].account == taker->account))
                self_trade(core, symbol, taker, level, slot);
            else
                trade(core, symbol, taker, level, slot);
        } while (taker->leaves && level->head);
        if (quantity != level->quantity) book_publish_level(core, symbol, other, number);
    }
}

/* Order by order through one level. True when it is decided: *ret_fillable says how. */
static bool fillable_walk(const struct exchange_core *core, const struct level *level, const struct taker *taker,
    uint64_t *wanted, uint32_t *work, bool *ret_fillable) {
    for (uint32_t slot = level->head; slot; slot = core->orders[slot].next) {
        const struct order *maker = &core->orders[slot];
        *ret_fillable = false;
        if ((*work)-- == 0) return true;
        if (taker->expiring && maker_expired(core, slot)) continue;
        if (taker->stp && maker->account == taker->account) {
            if (taker->stp != EXCHANGE_STP_CANCEL_OLDEST)
                return true; /* the taker would be stopped or shrunk before it is filled */
            continue;
        }
        if (maker->leaves >= *wanted) {
            *ret_fillable = true;
            return true;
        }
        *wanted -= maker->leaves;
    }
    return false;
}

bool matching_fillable(const struct exchange_core *core, const struct symbol *symbol, const struct taker *taker) {
    unsigned other = taker->side ^ 1u;
    uint64_t wanted = taker->leaves;
    uint32_t work = core->work_left;
    bool fillable = false;
    for (uint32_t number = symbol->sides[other].best; number; number = levels_worse(core, number, other)) {
        const struct level *level = &core->levels[number];
        if (!price_crosses(taker->side, taker->limit, level->price)) return false;
        if (taker->stp || taker->expiring || level->count > work) {
            if (fillable_walk(core, level, taker, &wanted, &work, &fillable)) return fillable;
            continue;
        }
        if (level->quantity >= wanted) return true;
        wanted -= level->quantity;
        work -= level->count;
    }
    return false;
}
