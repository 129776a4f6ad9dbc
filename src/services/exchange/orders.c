/* The commands about one order: new, cancel, reduce, replace. */
#include "exchange/book.h"

static struct exchange_event *taker_say(struct exchange_core *core, const struct taker *taker, uint8_t type) {
    struct exchange_event *event = core_event(core, (struct event_fields){
                                                        .type = type,
                                                        .side = taker->side,
                                                        .symbol = taker->symbol,
                                                        .account = taker->account,
                                                        .session = taker->session,
                                                        .order_id = taker->id,
                                                        .client_ref = taker->client_ref,
                                                        .price = taker->price,
                                                        .quantity = taker->leaves,
                                                        .leaves = taker->leaves,
                                                        .executed = taker->executed,
                                                    });
    return event;
}

static void taker_end(struct exchange_core *core, struct taker *taker, enum exchange_reason reason) {
    struct exchange_event *event = taker_say(core, taker, EXCHANGE_EVENT_CANCELED);
    event->reason = (uint8_t)reason;
    event->flags = EXCHANGE_EVENT_ENDED;
    event->leaves = 0;
    taker->leaves = 0;
}

/* What a limit price must be, whoever asks. */
static inline enum exchange_reason price_check(const struct symbol *symbol, int64_t price) {
    if (UNLIKELY(price < symbol->price_low || price > symbol->price_high))
        return symbol->terms.band ? EXCHANGE_REASON_PRICE_BAND : EXCHANGE_REASON_PRICE_RANGE;
    if (UNLIKELY(symbol->tick != 1 && price % symbol->tick != 0)) return EXCHANGE_REASON_TICK;
    return EXCHANGE_REASON_NONE;
}

static inline enum exchange_reason quantity_check(const struct symbol *symbol, uint64_t quantity) {
    if (UNLIKELY(quantity == 0 || quantity > symbol->quantity_max)) return EXCHANGE_REASON_QUANTITY;
    if (UNLIKELY(symbol->lot != 1 && quantity % symbol->lot != 0)) return EXCHANGE_REASON_LOT;
    return EXCHANGE_REASON_NONE;
}

static inline enum exchange_reason notional_check(const struct symbol *symbol, int64_t price, uint64_t quantity) {
    if (LIKELY(symbol->notional_max == 0)) return EXCHANGE_REASON_NONE;
    uint64_t size = price < 0 ? (uint64_t)-price : (uint64_t)price, notional;
    if (__builtin_mul_overflow(size, quantity, &notional) || notional > symbol->notional_max)
        return EXCHANGE_REASON_NOTIONAL;
    return EXCHANGE_REASON_NONE;
}

/* The account, session and reference of a command that enters or renames an order. */
enum exchange_reason sessions_check(
    struct exchange_core *core, uint32_t number, uint32_t account, uint64_t client_ref) {
    if (number > core->limits.sessions_max) return EXCHANGE_REASON_UNKNOWN_SESSION;
    struct session *session = &core->sessions[number];
    if (!(session->flags & SESSION_CONNECTED) || session->account != account) return EXCHANGE_REASON_UNKNOWN_SESSION;
    if (session->flags & SESSION_REFS_RISE && client_ref) {
        core->retransmitted = client_ref <= session->ref_last;
        if (core->retransmitted) return EXCHANGE_REASON_DUPLICATE_REF;
        core->digest -= sessions_digest(core, number);
        session->ref_last = client_ref;
        core->digest += sessions_digest(core, number);
    }
    return EXCHANGE_REASON_NONE;
}

static inline enum exchange_reason party_check(
    struct exchange_core *core, const struct exchange_command *c, uint32_t account) {
    if (UNLIKELY(account - 1 >= core->limits.accounts_max)) return EXCHANGE_REASON_UNKNOWN_ACCOUNT;
    if (c->session) {
        enum exchange_reason reason = sessions_check(core, c->session, account, c->client_ref);
        if (UNLIKELY(reason)) return reason;
    }
    if (c->client_ref && UNLIKELY(ref_find(core, account, c->client_ref))) return EXCHANGE_REASON_DUPLICATE_REF;
    return EXCHANGE_REASON_NONE;
}

/* How far a market order may go: the collar from the best opposite price and the band; false when nothing is there. */
static bool market_limit(
    const struct exchange_core *core, const struct symbol *symbol, unsigned side, int64_t *ret_limit) {
    uint32_t best = symbol->sides[side ^ 1u].best;
    if (best == 0) return false;
    int64_t collar = symbol->terms.collar;
    int64_t price = core->levels[best].price;
    if (side == EXCHANGE_SIDE_BUY) {
        int64_t edge = collar ? price + collar : symbol->price_high;
        *ret_limit = edge < symbol->price_high ? edge : symbol->price_high;
    } else {
        int64_t edge = collar ? price - collar : symbol->price_low;
        *ret_limit = edge > symbol->price_low ? edge : symbol->price_low;
    }
    return true;
}

static bool would_trade(const struct exchange_core *core, const struct symbol *symbol, unsigned side, int64_t limit) {
    uint32_t best = symbol->sides[side ^ 1u].best;
    return best && price_crosses(side, limit, core->levels[best].price);
}

static bool rests(const struct exchange_command *c) {
    return c->tif < EXCHANGE_TIF_IOC && !(c->flags & EXCHANGE_FLAG_MARKET);
}

/* When a good-till-date order ends; 0 for any other. */
static inline uint64_t expire_ns(const struct exchange_core *core, const struct exchange_command *c) {
    if (LIKELY(c->tif != EXCHANGE_TIF_GTD)) return 0;
    uint64_t base = c->flags & EXCHANGE_FLAG_EXPIRE_IN ? core->now : 0;
    return c->expire_ns > UINT64_MAX - 1 - base ? UINT64_MAX - 1 : base + c->expire_ns;
}

/* The checks only an order that can rest needs. */
static inline enum exchange_reason resting_check(
    struct exchange_core *core, const struct symbol *symbol, const struct exchange_command *c) {
    if (UNLIKELY(c->tif == EXCHANGE_TIF_GTD && expire_ns(core, c) <= core->now)) return EXCHANGE_REASON_EXPIRED_ALREADY;
    if (UNLIKELY(core->accounts[c->account].open >= core->limits.open_max)) return EXCHANGE_REASON_OPEN_LIMIT;
    if (UNLIKELY(core->order_open >= core->limits.orders_max)) return EXCHANGE_REASON_ORDERS_FULL;
    if (UNLIKELY(!book_has_level(core))) return EXCHANGE_REASON_LEVELS_FULL;
    if (UNLIKELY(c->flags & EXCHANGE_FLAG_POST_ONLY && would_trade(core, symbol, c->side, c->price)))
        return EXCHANGE_REASON_POST_ONLY;
    return EXCHANGE_REASON_NONE;
}

static inline enum exchange_reason new_check(
    struct exchange_core *core, const struct symbol *symbol, const struct exchange_command *c) {
    if (UNLIKELY(c->side > EXCHANGE_SIDE_SELL || c->tif > EXCHANGE_TIF_FOK || c->stp > EXCHANGE_STP_DECREMENT ||
                 (c->flags & ~(EXCHANGE_FLAG_MARKET | EXCHANGE_FLAG_POST_ONLY | EXCHANGE_FLAG_EXPIRE_IN))))
        return EXCHANGE_REASON_MALFORMED;
    if (UNLIKELY(c->flags & EXCHANGE_FLAG_POST_ONLY && !rests(c))) return EXCHANGE_REASON_MALFORMED;
    if (UNLIKELY(symbol == NULL)) return EXCHANGE_REASON_UNKNOWN_SYMBOL;
    enum exchange_reason reason = party_check(core, c, c->account);
    if (UNLIKELY(reason)) return reason;
    if (UNLIKELY(symbol->state != EXCHANGE_SYMBOL_OPEN)) return EXCHANGE_REASON_HALTED;
    if (UNLIKELY(core->accounts[c->account].suspended)) return EXCHANGE_REASON_SUSPENDED;
    reason = quantity_check(symbol, c->quantity);
    if (UNLIKELY(reason)) return reason;
    if (LIKELY(!(c->flags & EXCHANGE_FLAG_MARKET))) {
        reason = price_check(symbol, c->price);
        if (UNLIKELY(reason)) return reason;
        reason = notional_check(symbol, c->price, c->quantity);
        if (UNLIKELY(reason)) return reason;
    }
    return rests(c) ? resting_check(core, symbol, c) : EXCHANGE_REASON_NONE;
}

/* Into the book, with what a taker had left or a quiet order brings. */
static inline void rest_new(struct exchange_core *core, struct symbol *symbol, const struct exchange_command *c,
    uint64_t id, uint64_t leaves, uint64_t executed) {
    uint32_t slot = book_slot_take(core);
    struct order *order = &core->orders[slot];
    unsigned side = c->side, flags = c->flags & EXCHANGE_FLAG_POST_ONLY;
    order->id = id;
    order->leaves = leaves;
    order->executed = executed;
    order->client_ref = c->client_ref;
    order->account = c->account;
    order->symbol = c->symbol;
    if (UNLIKELY(c->session || c->tif == EXCHANGE_TIF_GTD)) {
        flags |= ORDER_COLD;
        core->cold[slot] = (struct order_cold){
            .expire_ns = expire_ns(core, c),
            .session = c->session,
        };
    }
    order->how = order_how(side, c->tif, c->stp, flags);
    uint32_t level = book_join(core, symbol, side, slot, c->price);
    book_register(core, slot);
    book_publish_level(core, symbol, side, level);
    if (level == symbol->sides[side].best) book_publish_top(core, symbol);
}

/* An order that trades, or must at once or not at all. */
static __attribute__((noinline)) void take(struct exchange_core *core, struct symbol *symbol,
    const struct exchange_command *c, uint64_t id, int64_t limit, bool liquid) {
    struct taker taker; /* all fields, one by one: see core_event() */
    taker.id = id;
    taker.client_ref = c->client_ref;
    taker.leaves = c->quantity;
    taker.limit = limit;
    taker.price = c->flags & EXCHANGE_FLAG_MARKET ? 0 : c->price;
    taker.account = c->account;
    taker.session = c->session;
    taker.symbol = c->symbol;
    taker.side = c->side;
    taker.stp = c->stp;
    taker.expiring = expiry_due(core);
    taker.executed = 0;
    if (UNLIKELY(c->tif == EXCHANGE_TIF_FOK && !(liquid && matching_fillable(core, symbol, &taker)))) {
        taker_end(core, &taker, EXCHANGE_REASON_FOK_UNFILLED);
        return;
    }
    if (LIKELY(liquid)) matching_run(core, symbol, &taker);
    if (taker.leaves && rests(c))
        rest_new(core, symbol, c, id, taker.leaves, taker.executed);
    else if (taker.leaves)
        taker_end(core, &taker,
            c->flags & EXCHANGE_FLAG_MARKET ? EXCHANGE_REASON_NO_LIQUIDITY : EXCHANGE_REASON_IOC_REMAINDER);
    book_publish_top(core, symbol);
}

void orders_new(struct exchange_core *core, const struct exchange_command *c) {
    struct symbol *symbol = core_symbol(core, c->symbol);
    enum exchange_reason reason = new_check(core, symbol, c);
    int64_t limit = c->price;
    bool liquid = true, market = c->flags & EXCHANGE_FLAG_MARKET;
    if (UNLIKELY(market && reason == EXCHANGE_REASON_NONE)) {
        liquid = market_limit(core, symbol, c->side, &limit);
        if (liquid) reason = notional_check(symbol, limit, c->quantity);
    }
    if (UNLIKELY(reason)) {
        core_reject(core, c, reason);
        return;
    }
    uint64_t id = ++core->counters.order_id;
    /* Eight consecutive ids share a line of the table: fetch the one after next in time. */
    __builtin_prefetch(&core->ids.entries[table_home(&core->ids, id_tag(id + 16))], 1);
    struct exchange_event *event = core_event(core, (struct event_fields){
                                                        .type = EXCHANGE_EVENT_ACCEPTED,
                                                        .side = c->side,
                                                        .symbol = c->symbol,
                                                        .account = c->account,
                                                        .session = c->session,
                                                        .order_id = id,
                                                        .client_ref = c->client_ref,
                                                        .price = market ? 0 : c->price,
                                                        .quantity = c->quantity,
                                                        .leaves = c->quantity,
                                                    });
    memcpy(event->symbol_name, symbol->terms.name, sizeof(event->symbol_name));
    if (!rests(c) || would_trade(core, symbol, c->side, limit))
        take(core, symbol, c, id, limit, liquid);
    else
        rest_new(core, symbol, c, id, c->quantity, 0);
}

/* The open order a command names, if its account may touch it. */
static inline uint32_t target(const struct exchange_core *core, const struct exchange_command *c) {
    uint32_t slot = c->flags & EXCHANGE_FLAG_BY_REF ? (c->order_id ? ref_find(core, c->account, c->order_id) : 0)
                                                    : id_find(core, c->order_id);
    return slot && (core->orders[slot].account == c->account || c->account == 0) ? slot : 0;
}

void orders_cancel(struct exchange_core *core, const struct exchange_command *c) {
    uint32_t slot = target(core, c);
    if (slot == 0) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_ORDER);
        return;
    }
    struct symbol *symbol = &core->symbols[core->orders[slot].symbol];
    book_end(core, slot, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_CLIENT);
    book_publish_top(core, symbol);
}

/* Less of a resting order, in its place. */
static void shrink(struct exchange_core *core, struct order *order, uint64_t quantity) {
    order->leaves -= quantity;
    core->levels[order->level].quantity -= quantity;
    core->digest -= digest_factor(order->id) * (quantity * DIGEST_LEAVES);
}

void orders_reduce(struct exchange_core *core, const struct exchange_command *c) {
    uint32_t slot = target(core, c);
    if (slot == 0) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_ORDER);
        return;
    }
    struct order *order = &core->orders[slot];
    struct symbol *symbol = &core->symbols[order->symbol];
    bool to = c->flags & EXCHANGE_FLAG_TO;
    uint64_t quantity = !to ? c->quantity : c->quantity < order->leaves ? order->leaves - c->quantity : 0;
    if (quantity >= order->leaves) {
        book_end(core, slot, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_BY_CLIENT);
    } else if (quantity == 0) {
        core_reject(core, c, EXCHANGE_REASON_QUANTITY);
    } else if (quantity % symbol->lot) {
        core_reject(core, c, EXCHANGE_REASON_LOT);
    } else {
        shrink(core, order, quantity);
        struct exchange_event *event = book_event(core, EXCHANGE_EVENT_REDUCED, slot, core->levels[order->level].price);
        event->reason = EXCHANGE_REASON_BY_CLIENT;
        event->flags = c->flags & EXCHANGE_FLAG_MODIFY ? EXCHANGE_EVENT_MODIFIED : 0;
        event->quantity = quantity;
        book_publish_level(core, symbol, order->side, order->level);
    }
    book_publish_top(core, symbol);
}

/* Everything that can refuse a replace; the order stays as it was. ret_leaves: what the order would have open. */
static enum exchange_reason replace_check(
    struct exchange_core *core, const struct exchange_command *c, const struct order *order, uint64_t *ret_leaves) {
    const struct symbol *symbol = &core->symbols[order->symbol];
    if (symbol->state != EXCHANGE_SYMBOL_OPEN) return EXCHANGE_REASON_HALTED;
    enum exchange_reason reason = party_check(core, c, order->account);
    if (reason) return reason;
    if (core->accounts[order->account].suspended) return EXCHANGE_REASON_SUSPENDED;
    uint64_t total = c->quantity ? c->quantity : order->leaves + order->executed;
    if (c->quantity && c->flags & EXCHANGE_FLAG_TO && __builtin_add_overflow(c->quantity, order->executed, &total))
        return EXCHANGE_REASON_QUANTITY;
    if (c->quantity) {
        reason = quantity_check(symbol, total);
        if (reason) return reason;
    }
    reason = price_check(symbol, c->price);
    if (reason) return reason;
    *ret_leaves = total > order->executed ? total - order->executed : 0;
    reason = notional_check(symbol, c->price, *ret_leaves);
    if (reason) return reason;
    if (!book_has_level(core)) return EXCHANGE_REASON_LEVELS_FULL;
    if (order->flags & ORDER_POST_ONLY && would_trade(core, symbol, order->side, c->price))
        return EXCHANGE_REASON_POST_ONLY;
    return EXCHANGE_REASON_NONE;
}

static void rename_order(struct exchange_core *core, uint32_t slot, uint64_t client_ref) {
    struct order *order = &core->orders[slot];
    if (client_ref == 0 || client_ref == order->client_ref) return;
    if (order->client_ref) table_remove(&core->refs, ref_tag(core, order->account, order->client_ref), slot);
    core->digest += digest_factor(order->id) * ((client_ref - order->client_ref) * DIGEST_REF);
    order->client_ref = client_ref;
    table_add(&core->refs, ref_tag(core, order->account, client_ref), slot);
}

/* A replaced order as a taker. False when nothing is left of it. */
static __attribute__((noinline)) bool retake(struct exchange_core *core, struct symbol *symbol, uint32_t slot,
    int64_t price, uint64_t leaves_before, int64_t price_before) {
    struct order *order = &core->orders[slot];
    uint64_t leaves = order->leaves;
    order->leaves = leaves_before;
    uint64_t digest = digest_order(order, price_before);
    order->leaves = leaves;
    struct taker taker = {
        .id = order->id,
        .client_ref = order->client_ref,
        .leaves = order->leaves,
        .executed = order->executed,
        .limit = price,
        .price = price,
        .account = order->account,
        .session = book_session(core, slot),
        .symbol = order->symbol,
        .side = order->side,
        .stp = order->stp,
        .expiring = expiry_due(core),
    };
    matching_run(core, symbol, &taker);
    order->leaves = taker.leaves;
    order->executed = taker.executed;
    if (taker.leaves == 0) {
        core->digest -= digest;
        book_unregister(core, slot);
        book_slot_give(core, slot);
    }
    return taker.leaves != 0;
}

/* Out of its level and in again, as a taker in between if it reaches the other side. */
static inline void requeue(struct exchange_core *core, struct symbol *symbol, uint32_t slot, int64_t price,
    uint64_t leaves, uint64_t ref_before) {
    struct order *order = &core->orders[slot];
    uint32_t level = order->level;
    unsigned side = order->side;
    int64_t price_before = core->levels[level].price;
    uint64_t leaves_before = order->leaves, priority_before = order->priority;
    book_unlink(core, slot);
    book_publish_level(core, symbol, side, level);
    order->leaves = leaves;
    struct exchange_event *event = book_event(core, EXCHANGE_EVENT_REPLACED, slot, price);
    event->flags = EXCHANGE_EVENT_PRIORITY_LOST;
    event->quantity = ref_before;
    memcpy(event->symbol_name, symbol->terms.name, sizeof(event->symbol_name));
    /* In the digest stands the order as it was; what differs when it is in again is brought there in one step. */
    uint64_t executed_before = order->executed;
    if (would_trade(core, symbol, side, price) && !retake(core, symbol, slot, price, leaves_before, price_before))
        return;
    level = book_link(core, symbol, side, slot, price);
    core->digest +=
        digest_factor(order->id) *
        ((order->leaves - leaves_before) * DIGEST_LEAVES + (order->executed - executed_before) * DIGEST_EXECUTED +
            (uint64_t)(price - price_before) * DIGEST_PRICE + (order->priority - priority_before) * DIGEST_PRIORITY);
    book_publish_level(core, symbol, side, level);
}

void orders_replace(struct exchange_core *core, const struct exchange_command *c) {
    uint32_t slot = target(core, c);
    uint64_t leaves = 0;
    enum exchange_reason reason =
        slot ? replace_check(core, c, &core->orders[slot], &leaves) : EXCHANGE_REASON_UNKNOWN_ORDER;
    if (UNLIKELY(reason)) {
        core_reject(core, c, reason);
        return;
    }
    struct order *order = &core->orders[slot];
    struct symbol *symbol = &core->symbols[order->symbol];
    uint64_t ref_before = order->client_ref;
    if (UNLIKELY(leaves == 0)) {
        book_end(core, slot, EXCHANGE_EVENT_CANCELED, EXCHANGE_REASON_REPLACED_BELOW_FILLED);
    } else if (c->price == core->levels[order->level].price && leaves <= order->leaves &&
               !(c->flags & EXCHANGE_FLAG_REQUEUE)) {
        rename_order(core, slot, c->client_ref);
        shrink(core, order, order->leaves - leaves);
        struct exchange_event *event = book_event(core, EXCHANGE_EVENT_REPLACED, slot, c->price);
        event->quantity = ref_before;
        memcpy(event->symbol_name, symbol->terms.name, sizeof(event->symbol_name));
        book_publish_level(core, symbol, order->side, order->level);
    } else {
        rename_order(core, slot, c->client_ref);
        requeue(core, symbol, slot, c->price, leaves, ref_before);
    }
    book_publish_top(core, symbol);
}
