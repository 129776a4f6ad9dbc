/* The whole state as bytes and back. What is written is a function of the state alone: symbols by number, each book
 * bids then asks, best price first, in queue order; accounts and sessions by number; nothing of slots, nodes or table
 * positions. Reading trusts nothing: every field is checked against what the engine itself could have written. */
#include "exchange/book.h"

#define SNAPSHOT_MAGIC   UINT64_C(0x3148435852494557) /* "WEIRXCH1" */
#define SNAPSHOT_VERSION 1

struct saved_header {
    uint64_t magic;
    uint32_t version, accounts_used, sessions_used, mass_count;
    uint64_t orders, now, digest;
    struct counters counters;
};
struct saved_symbol {
    struct exchange_terms terms;
    uint64_t sequence_l1, sequence_l2, volume, trades, last_quantity;
    int64_t last_price;
    uint32_t orders[2];
    uint64_t state;
};
struct saved_order {
    uint64_t id, priority, leaves, executed, client_ref, expire_ns;
    int64_t price;
    uint32_t account, session;
    uint8_t tif, stp, flags, reserved[5];
};
struct saved_account { /* then `open` order ids */
    uint32_t account, suspended, open, reserved;
};
struct saved_session {
    uint32_t session, account, flags, reserved; /* session 0: that was the last */
    uint64_t ref_last, events, token;
};
struct saved_mass {
    struct mass mass; /* slot is 0 */
    uint64_t next_id; /* of the order in slot, or 0 */
};
_Static_assert(sizeof(struct saved_header) == 112 && sizeof(struct saved_symbol) == 152, "the snapshot's layout");
_Static_assert(sizeof(struct saved_order) == 72 && sizeof(struct saved_mass) == 64, "the snapshot's layout");

/* ---- writing ---- */
struct writer {
    exchange_write_fn *sink;
    void *context;
    size_t used;
    bool failed;
    uint8_t buffer[8192];
};

static void put(struct writer *w, const void *bytes, size_t size) {
    if (w->used + size > sizeof(w->buffer)) {
        if (!w->failed && w->used) w->failed = !w->sink(w->context, w->buffer, w->used);
        w->used = 0;
    }
    memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
}

static void put_book(const struct exchange_core *core, struct writer *w, uint32_t level_number) {
    const struct level *level = &core->levels[level_number];
    for (uint32_t slot = level->head; slot; slot = core->orders[slot].next) {
        const struct order *o = &core->orders[slot];
        bool cold = o->flags & ORDER_COLD;
        struct saved_order saved = {
            .id = o->id,
            .priority = o->priority,
            .leaves = o->leaves,
            .executed = o->executed,
            .client_ref = o->client_ref,
            .expire_ns = cold ? core->cold[slot].expire_ns : 0,
            .price = level->price,
            .account = o->account,
            .session = cold ? core->cold[slot].session : 0,
            .tif = o->tif,
            .stp = o->stp,
            .flags = o->flags,
        };
        put(w, &saved, sizeof(saved));
    }
}

static void put_symbol(const struct exchange_core *core, struct writer *w, const struct symbol *symbol) {
    struct saved_symbol saved = {
        .terms = symbol->terms,
        .sequence_l1 = symbol->sequence_l1,
        .sequence_l2 = symbol->sequence_l2,
        .volume = symbol->volume,
        .trades = symbol->trades,
        .last_quantity = symbol->last_quantity,
        .last_price = symbol->last_price,
        .orders = {symbol->sides[0].orders, symbol->sides[1].orders},
        .state = symbol->state,
    };
    put(w, &saved, sizeof(saved));
    for (unsigned side = 0; side < 2; side++)
        for (uint32_t level = symbol->sides[side].best; level; level = levels_worse(core, level, side))
            put_book(core, w, level);
}

static void put_parties(const struct exchange_core *core, struct writer *w) {
    for (uint32_t i = 1; i <= core->accounts_used; i++) {
        const struct account *account = &core->accounts[i];
        if (account->open == 0 && account->suspended == 0) continue;
        struct saved_account saved = {.account = i, .suspended = account->suspended, .open = account->open};
        put(w, &saved, sizeof(saved));
        for (uint32_t slot = account->head; slot; slot = core->links[slot].next)
            put(w, &core->orders[slot].id, sizeof(uint64_t));
    }
    struct saved_account last = {0};
    put(w, &last, sizeof(last));
    for (uint32_t i = 1; i <= core->sessions_used; i++) {
        const struct session *s = &core->sessions[i];
        if (s->account == 0) continue;
        struct saved_session saved = {.session = i,
            .account = s->account,
            .flags = s->flags,
            .ref_last = s->ref_last,
            .events = s->events,
            .token = s->token};
        put(w, &saved, sizeof(saved));
    }
    struct saved_session end = {0};
    put(w, &end, sizeof(end));
    for (uint32_t i = 0; i < core->mass_count; i++) {
        struct saved_mass saved = {.mass = core->mass[i]};
        bool at = saved.mass.started && saved.mass.slot;
        saved.next_id = at ? core->orders[saved.mass.slot].id : 0;
        saved.mass.slot = 0;
        put(w, &saved, sizeof(saved));
    }
}

bool exchange_core_save(const struct exchange_core *core, exchange_write_fn *write, void *context) {
    struct writer w;
    w.sink = write;
    w.context = context;
    w.used = 0;
    w.failed = false;
    struct saved_header header = {
        .magic = SNAPSHOT_MAGIC,
        .version = SNAPSHOT_VERSION,
        .accounts_used = core->accounts_used,
        .sessions_used = core->sessions_used,
        .mass_count = core->mass_count,
        .orders = core->order_open,
        .now = core->now,
        .digest = exchange_core_digest(core),
        .counters = core->counters,
    };
    put(&w, &header, sizeof(header));
    for (uint32_t i = 1; i <= core->counters.symbols; i++)
        put_symbol(core, &w, &core->symbols[i]);
    put_parties(core, &w);
    uint64_t end = SNAPSHOT_MAGIC;
    put(&w, &end, sizeof(end));
    if (!w.failed) w.failed = !w.sink(context, w.buffer, w.used);
    return !w.failed;
}

/* ---- reading ---- */
struct loader {
    struct exchange_core *core;
    exchange_read_fn *read;
    void *context;
    const char *error;
    struct saved_header header;
};

static bool fail(struct loader *l, const char *sentence) {
    if (l->error == NULL) l->error = sentence;
    return false;
}
static bool get(struct loader *l, void *bytes, size_t size) {
    return l->read(l->context, bytes, size) || fail(l, "the snapshot ends too early");
}

static bool order_sane(const struct loader *l, const struct symbol *symbol, const struct saved_order *o) {
    const struct exchange_core *core = l->core;
    const struct counters *c = &l->header.counters;
    if (o->id == 0 || o->id > c->order_id || o->priority == 0 || o->priority > c->priority || o->leaves == 0)
        return false;
    if (o->leaves > INT64_MAX || o->executed > INT64_MAX || o->account - 1 >= core->limits.accounts_max) return false;
    if (o->session > core->limits.sessions_max || o->stp > EXCHANGE_STP_DECREMENT || o->tif > EXCHANGE_TIF_GTD)
        return false;
    if (o->flags & ~(ORDER_POST_ONLY | ORDER_COLD)) return false;
    bool cold = o->flags & ORDER_COLD;
    if (cold != (o->session || o->tif == EXCHANGE_TIF_GTD) || (o->tif == EXCHANGE_TIF_GTD) != (o->expire_ns != 0))
        return false;
    int64_t ticks = o->price / symbol->tick;
    if (ticks > TICKS_MAX || ticks < -TICKS_MAX || o->price % symbol->tick) return false;
    if (id_find(core, o->id)) return false;
    return o->client_ref == 0 || ref_find(core, o->account, o->client_ref) == 0;
}

/* One order behind those before it. Its account's list is made later. */
static bool load_order(struct loader *l, struct symbol *symbol, unsigned side, struct saved_order *last) {
    struct exchange_core *core = l->core;
    struct saved_order o;
    if (!get(l, &o, sizeof(o))) return false;
    if (!order_sane(l, symbol, &o)) return fail(l, "an order in the snapshot is not one this engine could have had");
    if (last->id &&
        (price_better(side, o.price, last->price) || (o.price == last->price && o.priority <= last->priority)))
        return fail(l, "the orders of a book in the snapshot are out of order");
    if (core->order_open >= core->limits.orders_max || !book_has_level(core))
        return fail(l, "the snapshot holds more orders or price levels than the settings allow");
    *last = o;
    uint32_t slot = book_slot_take(core);
    struct order *order = &core->orders[slot];
    order->id = o.id;
    order->leaves = o.leaves;
    order->executed = o.executed;
    order->client_ref = o.client_ref;
    order->account = o.account;
    order->symbol = symbol->number;
    order->how = order_how(side, o.tif, o.stp, o.flags);
    core->counters.priority = o.priority - 1; /* what book_join gives is one more */
    book_join(core, symbol, side, slot, o.price);
    table_add(&core->ids, id_tag(o.id), slot);
    if (o.client_ref) table_add(&core->refs, ref_tag(core, o.account, o.client_ref), slot);
    if (o.flags & ORDER_COLD) core->cold[slot] = (struct order_cold){.expire_ns = o.expire_ns, .session = o.session};
    if (o.expire_ns) expiry_add(core, slot);
    core->links[slot] = (struct order_links){0};
    return true;
}

static bool load_symbol(struct loader *l, uint32_t number) {
    struct exchange_core *core = l->core;
    struct symbol *symbol = &core->symbols[number];
    struct saved_symbol saved;
    if (!get(l, &saved, sizeof(saved))) return false;
    if (saved.terms.type != 0 || saved.terms.symbol != number || symbols_check(&saved.terms) ||
        saved.state > EXCHANGE_SYMBOL_HALTED || name_find(core, saved.terms.name))
        return fail(l, "a symbol in the snapshot is not one this engine could have had");
    symbols_set(symbol, &saved.terms);
    name_add(core, number);
    symbol->state = (uint8_t)saved.state;
    symbol->sequence_l1 = saved.sequence_l1;
    symbol->sequence_l2 = saved.sequence_l2;
    symbol->volume = saved.volume;
    symbol->trades = saved.trades;
    symbol->last_price = saved.last_price;
    symbol->last_quantity = saved.last_quantity;
    core->digest += symbols_digest(symbol);
    for (unsigned side = 0; side < 2; side++) {
        struct saved_order last = {0};
        for (uint32_t i = 0; i < saved.orders[side]; i++)
            if (!load_order(l, symbol, side, &last)) return false;
    }
    uint32_t bid = symbol->sides[0].best, ask = symbol->sides[1].best;
    if (bid && ask && core->levels[bid].price >= core->levels[ask].price)
        return fail(l, "a book in the snapshot is crossed");
    for (unsigned side = 0; side < 2; side++) {
        symbol->top_price[side] = core->levels[symbol->sides[side].best].price;
        symbol->top_quantity[side] = core->levels[symbol->sides[side].best].quantity;
    }
    return true;
}

static bool load_account(struct loader *l, const struct saved_account *saved, uint64_t *linked) {
    struct exchange_core *core = l->core;
    struct account *account = &core->accounts[saved->account];
    uint64_t last = 0;
    for (uint32_t i = 0; i < saved->open; i++) {
        uint64_t id;
        if (!get(l, &id, sizeof(id))) return false;
        uint32_t slot = id_find(core, id);
        if (slot == 0 || id <= last || core->orders[slot].account != saved->account)
            return fail(l, "an account's list of orders in the snapshot does not fit its orders");
        last = id;
        core->links[slot].prev = account->tail;
        *(account->tail ? &core->links[account->tail].next : &account->head) = slot;
        account->tail = slot;
    }
    account->open = saved->open;
    account->suspended = saved->suspended;
    core->digest += accounts_digest(core, saved->account);
    *linked += saved->open;
    return true;
}

static bool load_accounts(struct loader *l) {
    uint64_t linked = 0;
    for (uint32_t last = 0;;) {
        struct saved_account saved;
        if (!get(l, &saved, sizeof(saved))) return false;
        if (saved.account == 0) break;
        if (saved.account <= last || saved.account > l->core->accounts_used || saved.suspended > 1)
            return fail(l, "an account in the snapshot is not one this engine could have had");
        last = saved.account;
        if (!load_account(l, &saved, &linked)) return false;
    }
    return linked == l->core->order_open || fail(l, "an order in the snapshot is in no account's list");
}

static bool load_sessions(struct loader *l) {
    struct exchange_core *core = l->core;
    for (uint32_t last = 0;;) {
        struct saved_session s;
        if (!get(l, &s, sizeof(s))) return false;
        if (s.session == 0) return true;
        if (s.session <= last || s.session > core->sessions_used || s.account - 1 >= core->limits.accounts_max ||
            (s.flags & ~(uint32_t)(SESSION_CONNECTED | SESSION_CANCEL | SESSION_REFS_RISE)))
            return fail(l, "a session in the snapshot is not one this engine could have had");
        last = s.session;
        core->sessions[last] = (struct session){
            .account = s.account, .flags = s.flags, .ref_last = s.ref_last, .events = s.events, .token = s.token};
        core->digest += sessions_digest(core, last);
    }
}

static bool load_mass(struct loader *l) {
    struct exchange_core *core = l->core;
    for (uint32_t i = 0; i < l->header.mass_count; i++) {
        struct saved_mass saved;
        if (!get(l, &saved, sizeof(saved))) return false;
        struct mass *m = &core->mass[i];
        *m = saved.mass;
        m->slot = saved.next_id ? id_find(core, saved.next_id) : 0;
        bool good = m->side <= EXCHANGE_SIDE_ANY && m->started <= 1 && (m->slot != 0) == (saved.next_id != 0) &&
                    m->account <= core->limits.accounts_max && (m->symbol == 0 || core_symbol(core, m->symbol)) &&
                    (m->account || m->symbol) && m->origin <= core->limits.sessions_max &&
                    (m->type == EXCHANGE_EVENT_CANCELED || m->type == EXCHANGE_EVENT_EXPIRED);
        if (!good) return fail(l, "a mass cancel in the snapshot is not one this engine could have had");
        core->mass_count++;
    }
    return true;
}

static bool load_header(struct loader *l) {
    const struct exchange_core *core = l->core;
    const struct saved_header *h = &l->header;
    if (!get(l, &l->header, sizeof(l->header))) return false;
    if (h->magic != SNAPSHOT_MAGIC) return fail(l, "this is not a snapshot of an exchange");
    if (h->version != SNAPSHOT_VERSION) return fail(l, "the snapshot's version is not known to this version");
    if (h->counters.symbols > core->limits.symbols_max || h->orders > core->limits.orders_max ||
        h->accounts_used > core->limits.accounts_max || h->sessions_used > core->limits.sessions_max ||
        h->mass_count > core->mass_max)
        return fail(l, "the snapshot holds more symbols, orders, accounts or sessions than the settings allow");
    return true;
}

bool exchange_core_load(struct exchange_core *core, exchange_read_fn *read, void *context, const char **ret_error) {
    struct loader l = {.core = core, .read = read, .context = context};
    bool good = load_header(&l);
    if (good) {
        core->now = l.header.now;
        core->accounts_used = l.header.accounts_used;
        core->sessions_used = l.header.sessions_used;
    }
    for (uint32_t i = 1; good && i <= l.header.counters.symbols; i++) {
        core->counters.symbols = i - 1; /* a name is looked for among those before it */
        good = load_symbol(&l, i);
    }
    core->counters = good ? l.header.counters : core->counters;
    good = good && load_accounts(&l) && load_sessions(&l) && load_mass(&l);
    uint64_t end = 0;
    good = good && get(&l, &end, sizeof(end));
    if (good && (end != SNAPSHOT_MAGIC || core->order_open != l.header.orders))
        good = fail(&l, "the snapshot does not end where it should");
    if (good && exchange_core_digest(core) != l.header.digest)
        good = fail(&l, "the state read from the snapshot has another digest than the state that was saved");
    if (!good) *ret_error = l.error;
    return good;
}
