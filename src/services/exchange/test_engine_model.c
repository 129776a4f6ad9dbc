#include "exchange/test_engine_model.h"
#include <string.h>

typedef struct exchange_command command;
typedef struct exchange_event event;
#define R(name) EXCHANGE_REASON_##name

static event *say(struct model *m, uint8_t type, const event *order) {
    event *e = &m->events[m->event_count++];
    *e = *order;
    e->type = type;
    e->flags = e->reason = 0;
    e->quantity = e->match_id = 0;
    e->time_ns = m->now;
    if (type == EXCHANGE_EVENT_ACCEPTED || type == EXCHANGE_EVENT_REPLACED)
        memcpy(e->symbol_name, m->symbols[e->symbol].name, sizeof(e->symbol_name));
    return e;
}
static void reject(struct model *m, const command *c, uint8_t reason) {
    event *e = &m->events[m->event_count++];
    *e = (event){.type = EXCHANGE_EVENT_REJECTED, .reason = reason, .side = c->side, .command = c->type};
    e->symbol = c->symbol, e->account = c->account, e->session = c->session, e->order_id = c->order_id;
    e->client_ref = c->client_ref, e->price = c->price, e->quantity = c->quantity, e->time_ns = m->now;
}
static void forget(struct model *m, struct model_order *o) {
    *o = m->orders[--m->order_count];
}
/* Says that an order (or what is left of it) ended. */
static void end(struct model *m, const event *order, uint8_t type, uint8_t reason) {
    event *e = say(m, type, order);
    e->reason = reason;
    e->flags = EXCHANGE_EVENT_ENDED;
    e->quantity = order->leaves;
    e->leaves = 0;
}
static bool better(const struct model_order *a, const struct model_order *b) {
    if (a->o.price != b->o.price) return (a->o.price > b->o.price) == (a->o.side == EXCHANGE_SIDE_BUY);
    return a->priority < b->priority;
}
/* The best order of a side after `after` (NULL: from the front). */
static struct model_order *next(struct model *m, uint32_t symbol, uint8_t side, const struct model_order *after) {
    struct model_order *best = NULL;
    for (size_t i = 0; i < m->order_count; i++) {
        struct model_order *o = &m->orders[i];
        if (o->o.symbol != symbol || o->o.side != side || (after && !better(after, o))) continue;
        if (best == NULL || better(o, best)) best = o;
    }
    return best;
}
static bool crosses(uint8_t taker_side, int64_t limit, const struct model_order *maker) {
    return taker_side == EXCHANGE_SIDE_BUY ? maker->o.price <= limit : maker->o.price >= limit;
}
static void decrement(struct model *m, struct model_order *maker, uint64_t quantity) {
    maker->o.leaves -= quantity;
    event *e = say(m, maker->o.leaves ? EXCHANGE_EVENT_REDUCED : EXCHANGE_EVENT_CANCELED, &maker->o);
    e->reason = R(SELF_TRADE);
    e->quantity = quantity;
    e->flags = maker->o.leaves ? 0 : EXCHANGE_EVENT_ENDED;
    if (maker->o.leaves == 0) forget(m, maker);
}
/* The taker met its own order. */
static void self_trade(struct model *m, event *taker, uint8_t stp, struct model_order *maker) {
    uint64_t both = taker->leaves < maker->o.leaves ? taker->leaves : maker->o.leaves;
    if (stp == EXCHANGE_STP_CANCEL_OLDEST || stp == EXCHANGE_STP_CANCEL_BOTH) decrement(m, maker, maker->o.leaves);
    if (stp == EXCHANGE_STP_DECREMENT) decrement(m, maker, both);
    if (stp == EXCHANGE_STP_CANCEL_OLDEST) return;
    if (stp == EXCHANGE_STP_DECREMENT && both < taker->leaves) {
        taker->leaves -= both;
        event *e = say(m, EXCHANGE_EVENT_REDUCED, taker);
        e->reason = R(SELF_TRADE);
        e->quantity = both;
        return;
    }
    end(m, taker, EXCHANGE_EVENT_CANCELED, R(SELF_TRADE));
    taker->leaves = 0;
}
static void match(struct model *m, event *taker, uint8_t stp, int64_t limit) {
    struct model_order *maker;
    while (
        taker->leaves && (maker = next(m, taker->symbol, !taker->side, NULL)) && crosses(taker->side, limit, maker)) {
        if (stp && maker->o.account == taker->account) {
            self_trade(m, taker, stp, maker);
            continue;
        }
        uint64_t quantity = taker->leaves < maker->o.leaves ? taker->leaves : maker->o.leaves;
        int64_t price = maker->o.price;
        maker->o.leaves -= quantity, maker->o.executed += quantity;
        taker->leaves -= quantity, taker->executed += quantity;
        event *e = say(m, EXCHANGE_EVENT_EXECUTED, &maker->o);
        e->flags = (uint8_t)(EXCHANGE_EVENT_MAKER | (maker->o.leaves ? 0 : EXCHANGE_EVENT_ENDED));
        e->quantity = quantity, e->match_id = ++m->matches;
        e = say(m, EXCHANGE_EVENT_EXECUTED, taker);
        e->flags = taker->leaves ? 0 : EXCHANGE_EVENT_ENDED;
        e->quantity = quantity, e->match_id = m->matches, e->price = price;
        if (maker->o.leaves == 0) forget(m, maker);
    }
}
static bool fillable(struct model *m, const event *taker, uint8_t stp, int64_t limit) {
    uint64_t wanted = taker->leaves;
    for (struct model_order *o = NULL;
         (o = next(m, taker->symbol, !taker->side, o)) && crosses(taker->side, limit, o);) {
        if (stp && o->o.account == taker->account && stp != EXCHANGE_STP_CANCEL_OLDEST) return false;
        if (stp && o->o.account == taker->account) continue;
        if (o->o.leaves >= wanted) return true;
        wanted -= o->o.leaves;
    }
    return false;
}
static struct model_order *find(struct model *m, const command *c) {
    for (size_t i = 0; i < m->order_count; i++) {
        struct model_order *o = &m->orders[i];
        bool by_ref = c->flags & EXCHANGE_FLAG_BY_REF;
        if (by_ref ? o->o.client_ref && o->o.client_ref == c->order_id && o->o.account == c->account
                   : o->o.order_id == c->order_id && (c->account == 0 || o->o.account == c->account))
            return o;
    }
    return NULL;
}
static uint8_t check_price(const struct exchange_terms *t, int64_t price, uint64_t quantity) {
    if (t->band && (price < t->reference - t->band || price > t->reference + t->band)) return R(PRICE_BAND);
    if (price % t->tick) return R(TICK);
    __int128 notional = (__int128)(price < 0 ? -price : price) * quantity;
    return t->notional_max && notional > t->notional_max ? R(NOTIONAL) : R(NONE);
}
static uint8_t check_quantity(const struct exchange_terms *t, uint64_t quantity) {
    if (quantity == 0 || quantity > (t->quantity_max ? t->quantity_max : INT64_MAX)) return R(QUANTITY);
    return quantity % t->lot ? R(LOT) : R(NONE);
}
static uint8_t check_party(struct model *m, const command *c, uint32_t account) {
    if (account == 0 || account > m->accounts_max) return R(UNKNOWN_ACCOUNT);
    uint8_t said = c->session && m->check_session ? m->check_session(m->sessions, c, account) : R(NONE);
    for (size_t i = 0; said == R(NONE) && i < m->order_count; i++)
        if (c->client_ref && m->orders[i].o.account == account && m->orders[i].o.client_ref == c->client_ref)
            return R(DUPLICATE_REF);
    return said;
}
static bool rests(const command *c) {
    return c->tif <= EXCHANGE_TIF_GTD && !(c->flags & EXCHANGE_FLAG_MARKET);
}
static uint64_t gtd_end(const struct model *m, const command *c) {
    if (c->tif != EXCHANGE_TIF_GTD) return 0;
    return c->expire_ns + (c->flags & EXCHANGE_FLAG_EXPIRE_IN ? m->now : 0);
}
static uint8_t check_new(struct model *m, const command *c) {
    const struct exchange_terms *t = &m->symbols[c->symbol <= m->symbol_count ? c->symbol : 0];
    uint8_t reason;
    if (c->side > 1 || c->tif > EXCHANGE_TIF_FOK || c->stp > EXCHANGE_STP_DECREMENT ||
        (c->flags & ~(3 | EXCHANGE_FLAG_EXPIRE_IN)))
        return R(MALFORMED);
    if (c->flags & EXCHANGE_FLAG_POST_ONLY && !rests(c)) return R(MALFORMED);
    if (c->symbol == 0 || c->symbol > m->symbol_count) return R(UNKNOWN_SYMBOL);
    if ((reason = check_party(m, c, c->account))) return reason;
    if (m->halted[c->symbol]) return R(HALTED);
    if ((reason = check_quantity(t, c->quantity))) return reason;
    if (!(c->flags & EXCHANGE_FLAG_MARKET) && (reason = check_price(t, c->price, c->quantity))) return reason;
    if (!rests(c)) return R(NONE);
    if (c->tif == EXCHANGE_TIF_GTD && gtd_end(m, c) <= m->now) return R(EXPIRED_ALREADY);
    uint32_t open = 0;
    for (size_t i = 0; i < m->order_count; i++)
        open += m->orders[i].o.account == c->account;
    if (open >= m->open_max) return R(OPEN_LIMIT);
    struct model_order *best = next(m, c->symbol, !c->side, NULL);
    return c->flags & EXCHANGE_FLAG_POST_ONLY && best && crosses(c->side, c->price, best) ? R(POST_ONLY) : R(NONE);
}
static void enter(struct model *m, const command *c) {
    uint8_t reason = check_new(m, c);
    struct model_order *best = reason ? NULL : next(m, c->symbol, !c->side, NULL);
    int64_t limit = c->price;
    if (reason == 0 && c->flags & EXCHANGE_FLAG_MARKET && best) {
        const struct exchange_terms *t = &m->symbols[c->symbol];
        int64_t sign = c->side ? -1 : 1;
        limit = t->collar ? best->o.price + sign * t->collar : sign * (INT64_C(1) << 47);
        int64_t edge = t->reference + sign * t->band;
        if (t->band && (limit - edge) * sign > 0) limit = edge;
        if (t->notional_max && (__int128)(limit < 0 ? -limit : limit) * c->quantity > t->notional_max)
            reason = R(NOTIONAL);
    }
    if (reason) return reject(m, c, reason);
    bool market = c->flags & EXCHANGE_FLAG_MARKET;
    event o = {.side = c->side, .symbol = c->symbol, .account = c->account, .session = c->session};
    o.order_id = ++m->ids, o.client_ref = c->client_ref, o.price = market ? 0 : c->price, o.leaves = c->quantity;
    say(m, EXCHANGE_EVENT_ACCEPTED, &o)->quantity = c->quantity;
    if (c->tif == EXCHANGE_TIF_FOK && !(best && fillable(m, &o, c->stp, limit))) {
        end(m, &o, EXCHANGE_EVENT_CANCELED, R(FOK_UNFILLED));
        return;
    }
    if (best) match(m, &o, c->stp, limit);
    if (o.leaves && !rests(c)) end(m, &o, EXCHANGE_EVENT_CANCELED, market ? R(NO_LIQUIDITY) : R(IOC_REMAINDER));
    if (o.leaves && rests(c))
        m->orders[m->order_count++] =
            (struct model_order){o, ++m->priorities, gtd_end(m, c), c->tif, c->stp, (uint8_t)c->flags};
}
static void reduce(struct model *m, const command *c) {
    struct model_order *o = find(m, c);
    if (o == NULL) {
        reject(m, c, R(UNKNOWN_ORDER));
    } else if (c->type == EXCHANGE_COMMAND_CANCEL || c->quantity >= o->o.leaves) {
        end(m, &o->o, EXCHANGE_EVENT_CANCELED, R(BY_CLIENT));
        forget(m, o);
    } else if (c->quantity == 0 || c->quantity % m->symbols[o->o.symbol].lot) {
        reject(m, c, c->quantity ? R(LOT) : R(QUANTITY));
    } else {
        o->o.leaves -= c->quantity;
        event *e = say(m, EXCHANGE_EVENT_REDUCED, &o->o);
        e->quantity = c->quantity, e->reason = R(BY_CLIENT);
    }
}
static uint8_t check_replace(struct model *m, const command *c, const struct model_order *o) {
    const struct exchange_terms *t = &m->symbols[o->o.symbol];
    uint8_t reason;
    if (m->halted[o->o.symbol]) return R(HALTED);
    if ((reason = check_party(m, c, o->o.account))) return reason;
    if (c->quantity && (reason = check_quantity(t, c->quantity))) return reason;
    uint64_t total = c->quantity ? c->quantity : o->o.leaves + o->o.executed;
    if ((reason = check_price(t, c->price, total > o->o.executed ? total - o->o.executed : 0))) return reason;
    struct model_order *best = next(m, o->o.symbol, !o->o.side, NULL);
    return o->flags & EXCHANGE_FLAG_POST_ONLY && best && crosses(o->o.side, c->price, best) ? R(POST_ONLY) : R(NONE);
}
static void replace(struct model *m, const command *c) {
    struct model_order *o = find(m, c);
    uint8_t reason = o ? check_replace(m, c, o) : R(UNKNOWN_ORDER);
    if (reason) return reject(m, c, reason);
    uint64_t total = c->quantity ? c->quantity : o->o.leaves + o->o.executed, ref = o->o.client_ref;
    if (total <= o->o.executed) {
        end(m, &o->o, EXCHANGE_EVENT_CANCELED, R(REPLACED_BELOW_FILLED));
        forget(m, o);
        return;
    }
    bool keeps = c->price == o->o.price && total - o->o.executed <= o->o.leaves && !(c->flags & EXCHANGE_FLAG_REQUEUE);
    o->o.price = c->price, o->o.leaves = total - o->o.executed;
    o->o.client_ref = c->client_ref ? c->client_ref : ref;
    event *e = say(m, EXCHANGE_EVENT_REPLACED, &o->o);
    e->quantity = ref, e->flags = keeps ? 0 : EXCHANGE_EVENT_PRIORITY_LOST;
    if (keeps) return;
    struct model_order copy = *o;
    forget(m, o);
    match(m, &copy.o, copy.stp, c->price);
    copy.priority = copy.o.leaves ? ++m->priorities : 0;
    if (copy.o.leaves) m->orders[m->order_count++] = copy;
}
/* Ends, in the order of their times, of accounts and ids, or of the book, all that a filter and the reason take. */
static void sweep(struct model *m, const command *c, uint8_t type, uint8_t reason) {
    bool day = reason == R(DAY_ENDED), due = reason == R(TIME_REACHED),
         book = !day && !due && c->account == 0 && c->symbol;
    for (;;) {
        struct model_order *first = NULL;
        for (size_t i = 0; i < m->order_count; i++) {
            struct model_order *o = &m->orders[i];
            if ((c->account && o->o.account != c->account) || (c->symbol && o->o.symbol != c->symbol) ||
                (c->session && o->o.session != c->session) || (c->side != EXCHANGE_SIDE_ANY && o->o.side != c->side) ||
                (day && o->tif != EXCHANGE_TIF_DAY) || (due && (o->expire_ns == 0 || o->expire_ns > m->now)))
                continue;
            bool sooner = first == NULL;
            if (first && due && o->expire_ns != first->expire_ns)
                sooner = o->expire_ns < first->expire_ns;
            else if (first && due)
                sooner = o->o.order_id < first->o.order_id;
            else if (first && book)
                sooner = o->o.side != first->o.side ? o->o.side < first->o.side : better(o, first);
            else if (first)
                sooner = o->o.account != first->o.account ? o->o.account < first->o.account
                                                          : o->o.order_id < first->o.order_id;
            if (sooner) first = o;
        }
        if (first == NULL) return;
        end(m, &first->o, type, reason);
        forget(m, first);
    }
}
void model_apply(struct model *m, const void *record, size_t size, uint64_t time_ns) {
    const command *c = record;
    m->event_count = 0;
    m->now = time_ns;
    command all = {.side = EXCHANGE_SIDE_ANY};
    sweep(m, &all, EXCHANGE_EVENT_EXPIRED, R(TIME_REACHED));
    if (size == sizeof(struct exchange_terms)) {
        m->symbols[++m->symbol_count] = *(const struct exchange_terms *)record;
    } else if (c->type == EXCHANGE_COMMAND_NEW) {
        enter(m, c);
    } else if (c->type == EXCHANGE_COMMAND_CANCEL || c->type == EXCHANGE_COMMAND_REDUCE) {
        reduce(m, c);
    } else if (c->type == EXCHANGE_COMMAND_REPLACE) {
        replace(m, c);
    } else if (c->type == EXCHANGE_COMMAND_TICK) {
        return;
    } else if (c->symbol > m->symbol_count ||
               (c->symbol == 0 && (c->type == EXCHANGE_COMMAND_HALT || c->type == EXCHANGE_COMMAND_RESUME))) {
        reject(m, c, R(UNKNOWN_SYMBOL));
    } else if (c->account > m->accounts_max) {
        reject(m, c, R(UNKNOWN_ACCOUNT));
    } else if (c->type == EXCHANGE_COMMAND_HALT || c->type == EXCHANGE_COMMAND_RESUME) {
        m->halted[c->symbol] = c->type == EXCHANGE_COMMAND_HALT;
    } else if (c->type == EXCHANGE_COMMAND_MASS_CANCEL || c->type == EXCHANGE_COMMAND_DISCONNECT) {
        sweep(m, c, EXCHANGE_EVENT_CANCELED,
            c->type == EXCHANGE_COMMAND_DISCONNECT ? R(BY_DISCONNECT) : R(BY_MASS_CANCEL));
    } else {
        all.symbol = c->symbol;
        sweep(m, &all, EXCHANGE_EVENT_EXPIRED, R(DAY_ENDED));
    }
}
