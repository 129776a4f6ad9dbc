/* The commands that end many orders: mass cancel, end of day, disconnect, suspension. They go work_max orders at a
 * time, in an order that the state alone decides: accounts ascending, each account's orders by id; or, when just a
 * symbol and perhaps a side is asked for, its bids then asks, best price first, in queue order. */
#include "exchange/book.h"

static bool takes(const struct exchange_core *core, const struct mass *m, uint32_t slot) {
    const struct order *order = &core->orders[slot];
    if (m->symbol && m->symbol != order->symbol) return false;
    if (m->side != EXCHANGE_SIDE_ANY && m->side != order->side) return false;
    if (m->day_only && order->tif != EXCHANGE_TIF_DAY) return false;
    return m->session == 0 || m->session == book_session(core, slot);
}

/* Through the accounts' lists. True when there is nothing left to do. */
static bool step_accounts(struct exchange_core *core, struct mass *m) {
    uint32_t visits = core->limits.work_max * MASS_VISITS;
    struct symbol *touched = NULL;
    for (;;) {
        if (!m->started) {
            m->slot = core->accounts[m->account].head;
            m->started = 1;
        }
        uint32_t slot = m->slot;
        if (slot == 0 || core->orders[slot].id > m->id_last) {
            uint32_t last = m->account_last < core->accounts_used ? m->account_last : core->accounts_used;
            if (m->account >= last) break;
            if (visits-- == 0) break;
            m->account++;
            m->started = 0;
            continue;
        }
        if (core->work_left == 0 || visits-- == 0) break;
        m->slot = core->links[slot].next;
        if (!takes(core, m, slot)) continue;
        core->work_left--;
        m->ended++;
        struct symbol *symbol = &core->symbols[core->orders[slot].symbol];
        if (touched && touched != symbol) book_publish_top(core, touched);
        touched = symbol;
        book_end(core, slot, m->type, m->reason);
    }
    if (touched) book_publish_top(core, touched);
    uint32_t last = m->account_last < core->accounts_used ? m->account_last : core->accounts_used;
    return m->account >= last && (m->slot == 0 || core->orders[m->slot].id > m->id_last);
}

/* The first order of the book that is older than the command, side and level at a time; 0 when there is none. */
static uint32_t book_first(const struct exchange_core *core, const struct mass *m, uint32_t *visits) {
    const struct symbol *symbol = &core->symbols[m->symbol];
    for (unsigned side = 0; side < 2; side++) {
        if (m->side != EXCHANGE_SIDE_ANY && m->side != side) continue;
        for (uint32_t level = symbol->sides[side].best; level; level = levels_worse(core, level, side))
            for (uint32_t slot = core->levels[level].head; slot; slot = core->orders[slot].next) {
                if (core->orders[slot].id <= m->id_last) return slot;
                if (*visits == 0) return 0;
                (*visits)--;
            }
    }
    return 0;
}

static bool step_book(struct exchange_core *core, struct mass *m) {
    uint32_t visits = core->limits.work_max * MASS_VISITS;
    uint32_t slot = book_first(core, m, &visits);
    while (slot && core->work_left) {
        core->work_left--;
        m->ended++;
        book_end(core, slot, m->type, m->reason);
        slot = book_first(core, m, &visits);
    }
    book_publish_top(core, &core->symbols[m->symbol]);
    if (slot == 0 && visits == 0) {
        /* Too many later orders stand before the old ones: the accounts' lists know where the old ones are. */
        m->account = 1;
        m->account_last = UINT32_MAX;
        m->started = 0;
        return false;
    }
    return slot == 0;
}

/* The session that asked hears when all is done. */
static void say_done(struct exchange_core *core, const struct mass *m) {
    struct exchange_event *event = core_event(core, (struct event_fields){
                                                        .type = EXCHANGE_EVENT_DONE,
                                                        .side = m->side,
                                                        .symbol = m->symbol,
                                                        .account = core->sessions[m->origin].account,
                                                        .session = m->origin,
                                                        .client_ref = m->client_ref,
                                                        .quantity = m->ended,
                                                    });
    if (m->symbol) memcpy(event->symbol_name, core->symbols[m->symbol].terms.name, sizeof(event->symbol_name));
}

static bool step(struct exchange_core *core, struct mass *m) {
    if (!(m->account ? step_accounts(core, m) : step_book(core, m))) return false;
    if (m->origin) say_done(core, m);
    return true;
}

/* Starts an operation; what is left of it waits for ticks. The caller checked for room. */
static void start(struct exchange_core *core, struct mass *m) {
    m->id_last = core->counters.order_id;
    if (step(core, m)) return;
    /* A session that comes and goes again while its orders are still being canceled needs no second operation. */
    for (uint32_t i = 0; i < core->mass_count; i++)
        if (m->reason == EXCHANGE_REASON_BY_DISCONNECT && core->mass[i].reason == m->reason &&
            core->mass[i].session == m->session) {
            core->mass[i] = *m;
            return;
        }
    core->mass[core->mass_count++] = *m;
}

void mass_continue(struct exchange_core *core) {
    while (core->mass_count && core->work_left) {
        if (!step(core, &core->mass[0])) return;
        core->mass_count--;
        memmove(&core->mass[0], &core->mass[1], core->mass_count * sizeof(core->mass[0]));
    }
}

void mass_moved(struct exchange_core *core, uint32_t slot, uint32_t next) {
    for (uint32_t i = 0; i < core->mass_count; i++)
        if (core->mass[i].started && core->mass[i].slot == slot) core->mass[i].slot = next;
}

void mass_account(struct exchange_core *core, uint32_t account, uint32_t session, enum exchange_reason reason) {
    struct mass m = {
        .account = account,
        .account_last = account,
        .session = session,
        .side = EXCHANGE_SIDE_ANY,
        .type = EXCHANGE_EVENT_CANCELED,
        .reason = (uint8_t)reason,
    };
    start(core, &m);
}

static enum exchange_reason check(const struct exchange_core *core, const struct exchange_command *c) {
    if (c->side > EXCHANGE_SIDE_ANY) return EXCHANGE_REASON_MALFORMED;
    if (c->symbol && !core_symbol(core, c->symbol)) return EXCHANGE_REASON_UNKNOWN_SYMBOL;
    if (c->account > core->limits.accounts_max) return EXCHANGE_REASON_UNKNOWN_ACCOUNT;
    return core->mass_count >= MASS_SPARE ? EXCHANGE_REASON_BUSY : EXCHANGE_REASON_NONE;
}

void mass_cancel(struct exchange_core *core, const struct exchange_command *c) {
    enum exchange_reason reason = check(core, c);
    uint32_t origin = (uint32_t)c->order_id;
    if (reason == EXCHANGE_REASON_NONE && c->order_id) {
        reason = c->order_id > core->limits.sessions_max ? EXCHANGE_REASON_UNKNOWN_SESSION
                                                         : sessions_check(core, origin, c->account, c->client_ref);
    }
    if (reason) {
        struct exchange_command refused = *c;
        if (c->order_id && c->order_id <= core->limits.sessions_max) refused.session = origin;
        core_reject(core, &refused, reason);
        return;
    }
    bool by_book = c->account == 0 && c->symbol && c->session == 0;
    struct mass m = {
        .account = by_book      ? 0
                   : c->account ? c->account
                                : 1,
        .account_last = c->account ? c->account : UINT32_MAX,
        .symbol = c->symbol,
        .session = c->session,
        .side = c->side,
        .type = EXCHANGE_EVENT_CANCELED,
        .reason = EXCHANGE_REASON_BY_MASS_CANCEL,
        .origin = origin,
        .client_ref = c->client_ref,
    };
    start(core, &m);
}

void mass_end_of_day(struct exchange_core *core, const struct exchange_command *c) {
    enum exchange_reason reason = check(core, c);
    if (reason) {
        core_reject(core, c, reason);
        return;
    }
    struct mass m = {
        .account = 1,
        .account_last = UINT32_MAX,
        .symbol = c->symbol,
        .side = EXCHANGE_SIDE_ANY,
        .type = EXCHANGE_EVENT_EXPIRED,
        .reason = EXCHANGE_REASON_DAY_ENDED,
        .day_only = 1,
    };
    start(core, &m);
}
