/* What must have happened in one partition: every durable command through the naive model of the engine's tests.
 *
 * Around the model stands what it leaves out: symbols by name, sessions with their numbered events, what the gateway's
 * flags mean, replies, trades. Nothing here asks the engine; what the two share are the layouts of records. */
#include "exchange/sim_exchange.h"

#include "base/hash.h"
#include "host/batch.h"
#include "host/envelope.h"

#include <stdlib.h>

void *ex_room(void *array, uint32_t count, uint32_t *room, size_t size) {
    if (count < *room) return array;
    *room = *room ? *room * 2 : 64;
    array = realloc(array, *room * size);
    WEIR_ASSERT(array != NULL);
    return array;
}

/* ---- sessions ------------------------------------------------------------------------------------------------ */
static uint8_t check_session(void *ledger, const struct exchange_command *c, uint32_t account) {
    struct ex_ledger *l = ledger;
    uint32_t number = c->type == EXCHANGE_COMMAND_MASS_CANCEL ? (uint32_t)c->order_id : c->session;
    struct ex_session *s = &l->sessions[number];
    if (number > EX_ACCOUNTS || !s->connected || s->account != account) return EXCHANGE_REASON_UNKNOWN_SESSION;
    if (!s->refs_rise || c->client_ref == 0) return EXCHANGE_REASON_NONE;
    l->retransmitted = c->client_ref <= s->ref_last;
    if (l->retransmitted) return EXCHANGE_REASON_DUPLICATE_REF;
    s->ref_last = c->client_ref;
    return EXCHANGE_REASON_NONE;
}

/* A refusal is news to its session, unless it answers a reference the session had sent before. */
static bool is_news(const struct ex_ledger *l, const struct exchange_event *e) {
    if (e->session == 0 || e->session > EX_ACCOUNTS) return false;
    const struct ex_session *s = &l->sessions[e->session];
    return e->type != EXCHANGE_EVENT_REJECTED || (s->account == e->account && !l->retransmitted);
}

static void push_event(struct ex_ledger *l, const struct exchange_event *event, bool numbered) {
    l->events = ex_room(l->events, l->event_count, &l->event_room, sizeof *l->events);
    struct ex_event *e = &l->events[l->event_count];
    *e = (struct ex_event){.event = *event};
    bool echoes = event->type == EXCHANGE_EVENT_ACCEPTED || event->type == EXCHANGE_EVENT_REPLACED ||
                  event->type == EXCHANGE_EVENT_REJECTED;
    if (echoes && l->has_echo) {
        e->behind = sizeof e->echo;
        e->echo = l->echo;
    } else if (event->reason == EXCHANGE_REASON_SELF_TRADE) {
        e->behind = sizeof(struct exchange_prevented);
    }
    if (numbered && is_news(l, event)) {
        struct ex_session *s = &l->sessions[event->session];
        s->events = ex_room(s->events, s->event_count, &s->event_room, sizeof *s->events);
        s->events[s->event_count++] = l->event_count;
        e->event.session_sequence = s->event_count;
    }
    l->event_count++;
}

static void push_trade(struct ex_ledger *l, const struct exchange_event *e) {
    l->trades = ex_room(l->trades, l->trade_count, &l->trade_room, sizeof *l->trades);
    l->trades[l->trade_count++] = (struct exchange_trade){.type = EXCHANGE_EVENT_TRADE,
        .side = e->side,
        .symbol = e->symbol,
        .sequence = ++l->trade_sequence[e->symbol],
        .match_id = e->match_id,
        .price = e->price,
        .quantity = e->quantity,
        .time_ns = e->time_ns};
}

/* ---- through the model --------------------------------------------------------------------------------------- */
/* What the model says of a command, as the topic must say it of the one in the record. */
static void take_events(struct ex_ledger *l) {
    const struct exchange_command *c = &l->command;
    for (size_t i = 0; i < l->model->event_count; i++) {
        struct exchange_event *e = &l->model->events[i];
        if (e->type == EXCHANGE_EVENT_REJECTED) {
            e->quantity = c->quantity;
            if (c->type == EXCHANGE_COMMAND_MASS_CANCEL && c->order_id) e->session = (uint32_t)c->order_id;
        }
        if (e->type == EXCHANGE_EVENT_REDUCED && e->reason == EXCHANGE_REASON_BY_CLIENT &&
            c->flags & EXCHANGE_FLAG_MODIFY)
            e->flags |= EXCHANGE_EVENT_MODIFIED;
        push_event(l, e, true);
        if (e->type == EXCHANGE_EVENT_EXECUTED && !(e->flags & EXCHANGE_EVENT_MAKER)) push_trade(l, e);
    }
}

static void apply(struct ex_ledger *l, const void *record, size_t size, uint64_t time_ns) {
    model_apply(l->model, record, size, time_ns);
    take_events(l);
}

/* Time passes: orders expire. */
static void tick(struct ex_ledger *l, uint64_t time_ns) {
    struct exchange_command c = {.type = EXCHANGE_COMMAND_TICK};
    apply(l, &c, sizeof c, time_ns);
}

static void reject(struct ex_ledger *l, uint8_t reason, uint64_t time_ns) {
    const struct exchange_command *c = &l->command;
    bool mass = c->type == EXCHANGE_COMMAND_MASS_CANCEL && c->order_id;
    struct exchange_event e = {.type = EXCHANGE_EVENT_REJECTED,
        .side = c->side,
        .reason = reason,
        .symbol = c->symbol,
        .account = c->account,
        .session = mass ? (uint32_t)c->order_id : c->session,
        .order_id = c->order_id,
        .client_ref = c->client_ref,
        .price = c->price,
        .quantity = c->quantity,
        .command = c->type,
        .time_ns = time_ns};
    push_event(l, &e, true);
}

static const struct model_order *find(const struct ex_ledger *l, const struct exchange_command *c) {
    for (size_t i = 0; i < l->model->order_count; i++) {
        const struct exchange_event *o = &l->model->orders[i].o;
        bool by_ref = c->flags & EXCHANGE_FLAG_BY_REF;
        if ((c->account == 0 || o->account == c->account) &&
            (by_ref ? o->client_ref && o->client_ref == c->order_id : o->order_id == c->order_id))
            return &l->model->orders[i];
    }
    return NULL;
}

/* The model's reduce takes what goes, its replace the new total; the flag TO says what stays open. */
static struct exchange_command without_to(const struct exchange_command *c, const struct exchange_event *order) {
    struct exchange_command plain = *c;
    if (!order || !(c->flags & EXCHANGE_FLAG_TO)) return plain;
    if (c->type == EXCHANGE_COMMAND_REDUCE)
        plain.quantity = c->quantity < order->leaves ? order->leaves - c->quantity : 0;
    else if (c->quantity)
        plain.quantity = c->quantity + order->executed;
    return plain;
}

static void change(struct ex_ledger *l, uint64_t time_ns) {
    static const char letters[] = {'1', '0', '6', '3', '4'}; /* by enum exchange_tif */
    const struct exchange_command *c = &l->command;
    const struct model_order *order = find(l, c);
    if (order && c->type == EXCHANGE_COMMAND_REPLACE) l->echo.time_in_force = letters[order->tif];
    struct exchange_command plain = without_to(c, order ? &order->o : NULL);
    apply(l, &plain, sizeof plain, time_ns);
}

/* ---- commands the model does not know ------------------------------------------------------------------------ */
static void connect_session(struct ex_ledger *l, uint64_t time_ns) {
    const struct exchange_command *c = &l->command;
    struct ex_session *s = &l->sessions[c->session];
    tick(l, time_ns);
    s->account = c->account;
    s->token = c->order_id;
    s->connected = true;
    s->refs_rise = c->flags & EXCHANGE_FLAG_REFS_RISE;
    s->cancels = c->flags & EXCHANGE_FLAG_CANCEL_ON_DISCONNECT;
    struct exchange_event e = {.type = EXCHANGE_EVENT_CONNECTED,
        .account = c->account,
        .session = c->session,
        .order_id = c->order_id,
        .time_ns = time_ns};
    push_event(l, &e, false);
}

static void disconnect_session(struct ex_ledger *l, uint64_t time_ns) {
    const struct exchange_command *c = &l->command;
    struct ex_session *s = &l->sessions[c->session];
    if (!s->connected || s->token != c->order_id) return; /* another connection has it: nothing happens at all */
    s->connected = false;
    struct exchange_command all = {
        .type = c->type, .side = EXCHANGE_SIDE_ANY, .account = c->account, .session = c->session};
    if (s->cancels)
        apply(l, &all, sizeof all, time_ns);
    else
        tick(l, time_ns);
}

/* Of all of an account's orders, by one of its sessions, which hears when it is done. */
static void mass_cancel(struct ex_ledger *l, uint64_t time_ns) {
    struct exchange_command c = l->command;
    uint32_t first = l->event_count;
    uint8_t reason = EXCHANGE_REASON_NONE;
    if (c.symbol <= l->model->symbol_count && c.order_id) reason = check_session(l, &c, c.account);
    if (reason) {
        tick(l, time_ns);
        reject(l, reason, time_ns);
        return;
    }
    apply(l, &c, sizeof c, time_ns);
    uint64_t ended = 0;
    for (uint32_t i = first; i < l->event_count; i++) {
        if (l->events[i].event.type == EXCHANGE_EVENT_REJECTED) return;
        ended += l->events[i].event.reason == EXCHANGE_REASON_BY_MASS_CANCEL;
    }
    if (c.order_id == 0) return;
    struct exchange_event e = {.type = EXCHANGE_EVENT_DONE,
        .side = c.side,
        .symbol = c.symbol,
        .account = c.account,
        .session = (uint32_t)c.order_id,
        .client_ref = c.client_ref,
        .quantity = ended,
        .time_ns = time_ns};
    if (c.symbol) memcpy(e.symbol_name, l->model->symbols[c.symbol].name, sizeof e.symbol_name);
    push_event(l, &e, true);
}

uint32_t ex_ledger_symbol(const struct ex_ledger *l, const char name[EXCHANGE_NAME_SIZE]) {
    for (uint32_t i = 1; i <= l->model->symbol_count; i++)
        if (memcmp(l->model->symbols[i].name, name, EXCHANGE_NAME_SIZE) == 0) return i;
    return 0;
}

static bool has_orders(const struct ex_ledger *l, uint32_t symbol) {
    for (size_t i = 0; i < l->model->order_count; i++)
        if (l->model->orders[i].o.symbol == symbol) return true;
    return false;
}

static void take_terms(struct ex_ledger *l, const struct exchange_terms *terms, uint64_t time_ns) {
    uint32_t number = ex_ledger_symbol(l, terms->name);
    bool defines = terms->type == EXCHANGE_COMMAND_DEFINE;
    uint8_t reason = EXCHANGE_REASON_NONE;
    tick(l, time_ns);
    if (defines && number)
        reason = EXCHANGE_REASON_SYMBOL_EXISTS;
    else if (defines && l->model->symbol_count >= EX_SYMBOLS_MAX)
        reason = EXCHANGE_REASON_SYMBOLS_FULL;
    else if (!defines && number == 0)
        reason = EXCHANGE_REASON_UNKNOWN_SYMBOL;
    else if (!defines && has_orders(l, number) &&
             (terms->tick != l->model->symbols[number].tick || terms->lot != l->model->symbols[number].lot))
        reason = EXCHANGE_REASON_TERMS;
    l->command = (struct exchange_command){.type = terms->type, .symbol = defines ? 0 : number};
    if (reason)
        reject(l, reason, time_ns);
    else if (defines)
        apply(l, terms, sizeof *terms, time_ns);
    else
        l->model->symbols[number] = *terms;
}

/* ---- what whoever asked must be told ------------------------------------------------------------------------- */
static uint64_t hash_fill(uint64_t hash, const struct exchange_event *e) {
    uint64_t fill[] = {(uint64_t)e->price, e->quantity, e->match_id};
    return hash_bytes(fill, sizeof fill, hash);
}

/* The order a command is about: the one it entered, or the one it named. */
static uint64_t subject(const struct ex_ledger *l, uint32_t first) {
    if (l->command.type != EXCHANGE_COMMAND_NEW) return l->command.order_id;
    for (uint32_t i = first; i < l->event_count; i++)
        if (l->events[i].event.type == EXCHANGE_EVENT_ACCEPTED) return l->events[i].event.order_id;
    return 0;
}

static struct ex_told derive(const struct ex_ledger *l, uint32_t first) {
    uint8_t type = l->command.type;
    bool one = type < EXCHANGE_COMMAND_MASS_CANCEL, creates = type == EXCHANGE_COMMAND_NEW;
    uint64_t id = subject(l, first);
    struct ex_told t = {.status = EXCHANGE_DONE, .http = 200};
    if (creates || type == EXCHANGE_COMMAND_DEFINE) t.http = 201;
    for (uint32_t i = first; i < l->event_count; i++) {
        const struct exchange_event *e = &l->events[i].event;
        bool ends = e->type == EXCHANGE_EVENT_CANCELED || e->type == EXCHANGE_EVENT_EXPIRED;
        if (e->type == EXCHANGE_EVENT_REJECTED)
            return (struct ex_told){.http = exchange_reason_status(e->reason),
                .status = EXCHANGE_REJECTED,
                .reason = e->reason,
                .order_id = exchange_public_id(e->order_id, l->partition, l->x->partitions)};
        t.canceled += !one && ends && e->reason != EXCHANGE_REASON_TIME_REACHED;
        if (!one || e->order_id != id) continue;
        t.order_id = exchange_public_id(id, l->partition, l->x->partitions);
        t.executed = e->executed;
        t.leaves = e->leaves;
        t.status = ends ? EXCHANGE_CANCELED : e->leaves ? EXCHANGE_OPEN : EXCHANGE_FILLED;
        t.reason = ends ? e->reason : EXCHANGE_REASON_NONE;
        if (e->type != EXCHANGE_EVENT_EXECUTED) continue;
        t.fills++;
        t.fills_hash = hash_fill(t.fills_hash, e);
    }
    return t;
}

/* ---- records ------------------------------------------------------------------------------------------------- */
static void take_command(struct ex_ledger *l, const struct envelope *envelope, struct weir_slice value) {
    struct exchange_echoed_command c = {0};
    if (value.size > sizeof c || value.size < sizeof c.named.command) {
        sim_fail(l->x->sim, "exchange.orders-%u: a command of %zu bytes", l->partition, value.size);
        return;
    }
    memcpy(&c, value.data, value.size);
    if (c.named.command.session > EX_ACCOUNTS) {
        sim_fail(l->x->sim, "exchange.orders-%u: session %u", l->partition, c.named.command.session);
        return;
    }
    if (envelope->type == EXCHANGE_RECORD_ORDER) ex_binary_seen(l->x, l, &c);
    l->command = c.named.command;
    l->has_echo = value.size == sizeof c;
    l->echo = c.echo;
    if (c.named.name[0]) {
        uint32_t number = ex_ledger_symbol(l, c.named.name);
        l->command.symbol = number ? number : UINT32_MAX;
    }
    switch (l->command.type) {
    case EXCHANGE_COMMAND_CONNECT:
        connect_session(l, envelope->time_ns);
        break;
    case EXCHANGE_COMMAND_DISCONNECT:
        disconnect_session(l, envelope->time_ns);
        break;
    case EXCHANGE_COMMAND_MASS_CANCEL:
        mass_cancel(l, envelope->time_ns);
        break;
    case EXCHANGE_COMMAND_REDUCE:
    case EXCHANGE_COMMAND_REPLACE:
        change(l, envelope->time_ns);
        break;
    default:
        apply(l, &l->command, sizeof l->command, envelope->time_ns);
    }
}

static bool take_record(void *ctx, const struct batch_record *record) {
    struct ex_ledger *l = ctx;
    struct sim *sim = l->x->sim;
    struct weir_slice value = record->record.value;
    struct envelope envelope;
    uint32_t first = l->event_count;
    l->input_next = record->offset + 1;
    sim->tally.records_checked++;
    if (envelope_load(&record->record, &envelope) != WEIR_OK || envelope.kind == WEIR_RECORD_EMIT) {
        sim_fail(sim, "exchange.orders-%u: nobody sent what is at offset %llu", l->partition,
            (unsigned long long)record->offset);
        return false;
    }
    if (envelope.time_ns < l->time_ns)
        sim_fail(sim,
            "exchange.orders-%u: the time of offset %llu (kind %u) is %llu, %llu before that of the one before",
            l->partition, (unsigned long long)record->offset, envelope.kind, (unsigned long long)envelope.time_ns,
            (unsigned long long)(l->time_ns - envelope.time_ns));
    l->time_ns = envelope.time_ns;
    l->has_echo = l->retransmitted = false;
    l->command = (struct exchange_command){0};
    struct ex_ask *ask = envelope.key.size ? ex_http_seen(l->x, l, envelope.key, envelope.type, value) : NULL;
    if (envelope.kind == WEIR_RECORD_TIMER) {
        tick(l, envelope.time_ns);
    } else if (envelope.kind == WEIR_RECORD_COMMAND && envelope.type == EXCHANGE_RECORD_TERMS) {
        struct exchange_terms terms;
        memcpy(&terms, value.data, sizeof terms);
        take_terms(l, &terms, envelope.time_ns);
    } else if (envelope.kind == WEIR_RECORD_COMMAND) {
        take_command(l, &envelope, value);
    }
    if (ask) {
        ask->derived = derive(l, first);
        ask->is_derived = true;
    }
    return !sim->failed;
}

void ex_ledger_open(struct ex_ledger *l, struct exchange_sim *x, uint32_t partition) {
    *l = (struct ex_ledger){.x = x, .partition = partition, .model = calloc(1, sizeof *l->model)};
    WEIR_ASSERT(l->model != NULL);
    l->model->accounts_max = EX_ACCOUNTS;
    l->model->open_max = EX_OPEN_MAX;
    l->model->check_session = check_session;
    l->model->sessions = l;
}

void ex_ledger_close(struct ex_ledger *l) {
    for (uint32_t i = 0; i <= EX_ACCOUNTS; i++)
        free(l->sessions[i].events);
    free(l->model);
    free(l->events);
    free(l->trades);
    free(l->open);
}

bool ex_ledger_take(struct ex_ledger *l) {
    return sim_read(l->x->sim, "exchange.orders", l->partition, l->input_next, take_record, l);
}

/* ---- the outputs --------------------------------------------------------------------------------------------- */
/* Quantity is conserved: every event leaves of its order what the one before left, less what it says itself. */
static bool conserves(struct ex_ledger *l, const struct exchange_event *e) {
    if (e->type == EXCHANGE_EVENT_REJECTED || e->type >= EXCHANGE_EVENT_DONE) return true;
    bool enters = e->type == EXCHANGE_EVENT_ACCEPTED;
    if (enters != (e->order_id == l->open_count + 1)) return false;
    if (enters) {
        l->open = ex_room(l->open, l->open_count, &l->open_room, sizeof *l->open);
        l->open[l->open_count++] = e->leaves;
        return e->leaves == e->quantity;
    }
    if (e->order_id == 0 || e->order_id > l->open_count) return false;
    uint64_t before = l->open[e->order_id - 1];
    l->open[e->order_id - 1] = e->leaves;
    if (e->type == EXCHANGE_EVENT_REPLACED) return before > 0;
    return before > 0 && before == e->quantity + e->leaves;
}

static bool compare_event(void *ctx, const struct batch_record *record) {
    struct ex_ledger *l = ctx;
    struct weir_slice value = record->record.value;
    if (l->events_next == l->event_count) return false; /* its cause cannot be read yet */
    const struct ex_event *right = &l->events[l->events_next++];
    const struct exchange_event *a = &right->event;
    struct exchange_event b = {0};
    memcpy(&b, value.data, value.size < sizeof b ? value.size : sizeof b);
    bool same =
        value.size == sizeof b + right->behind && memcmp(a, &b, sizeof b) == 0 &&
        (right->behind != sizeof right->echo || memcmp(value.data + sizeof b, &right->echo, sizeof right->echo) == 0);
    if (!same)
        sim_fail(l->x->sim,
            "exchange.events-%u at %llu: type %u reason %s order %llu of account %u session %u (event %llu), quantity "
            "%llu, leaves %llu, %zu bytes, at time %llu; the plain rules say type %u reason %s order %llu of account "
            "%u session %u "
            "(event %llu), quantity %llu, leaves %llu, %zu bytes, at time %llu",
            l->partition, (unsigned long long)record->offset, b.type, exchange_reason_code(b.reason),
            (unsigned long long)b.order_id, b.account, b.session, (unsigned long long)b.session_sequence,
            (unsigned long long)b.quantity, (unsigned long long)b.leaves, value.size, (unsigned long long)b.time_ns,
            a->type, exchange_reason_code(a->reason), (unsigned long long)a->order_id, a->account, a->session,
            (unsigned long long)a->session_sequence, (unsigned long long)a->quantity, (unsigned long long)a->leaves,
            sizeof b + right->behind, (unsigned long long)a->time_ns);
    else if (!conserves(l, &b))
        sim_fail(l->x->sim, "exchange.events-%u at %llu: quantity of order %llu came from nowhere or is lost",
            l->partition, (unsigned long long)record->offset, (unsigned long long)b.order_id);
    return !l->x->sim->failed;
}

static bool compare_trade(void *ctx, const struct batch_record *record) {
    struct ex_ledger *l = ctx;
    if (l->trades_next == l->trade_count) return false;
    const struct exchange_trade *right = &l->trades[l->trades_next++];
    if (!weir_slice_equal(record->record.value, weir_slice(right, sizeof *right)))
        sim_fail(l->x->sim, "exchange.trades-%u at %llu is not trade %llu: %llu at %lld", l->partition,
            (unsigned long long)record->offset, (unsigned long long)right->match_id,
            (unsigned long long)right->quantity, (long long)right->price);
    return !l->x->sim->failed;
}

/* All that the input says is there, and nothing behind it. */
static void compare_end(struct ex_ledger *l, const char *topic, uint64_t count) {
    const struct log_topic *t = log_topic_find(l->x->sim->node.log, topic);
    uint64_t high = atomic_load(&t->partitions[l->partition]->high);
    if (high != count)
        sim_fail(l->x->sim, "%s-%u holds %llu records, the plain rules give %llu", topic, l->partition,
            (unsigned long long)high, (unsigned long long)count);
}

bool ex_ledger_compare(struct ex_ledger *l, bool whole) {
    struct sim *sim = l->x->sim;
    if (!sim_read(sim, "exchange.events", l->partition, l->events_next, compare_event, l)) return false;
    if (!sim_read(sim, "exchange.trades", l->partition, l->trades_next, compare_trade, l)) return false;
    if (!whole || sim->failed) return true;
    uint64_t count =
        l->event_count; /* orders may have expired just now: their timer can be read, its outputs not yet */
    while (count > l->events_next && l->events[count - 1].event.type == EXCHANGE_EVENT_EXPIRED)
        count--;
    compare_end(l, "exchange.events", count);
    compare_end(l, "exchange.trades", l->trade_count);
    return true;
}

/* ---- as text ------------------------------------------------------------------------------------------------- */
size_t ex_ledger_side(const struct ex_ledger *l, const char *symbol, uint8_t side, char *text, size_t size) {
    char name[EXCHANGE_NAME_SIZE];
    uint32_t number = exchange_name(name, symbol) ? ex_ledger_symbol(l, name) : 0;
    size_t at = 0;
    text[0] = 0;
    for (int64_t price, last = 0; at + 80 < size; last = price) {
        uint64_t quantity = 0, orders = 0;
        price = 0;
        for (size_t i = 0; i < l->model->order_count; i++) {
            const struct exchange_event *o = &l->model->orders[i].o;
            if (o->symbol != number || o->side != side) continue;
            bool behind = last == 0 || (side == EXCHANGE_SIDE_BUY ? o->price < last : o->price > last);
            bool before = price == 0 || (side == EXCHANGE_SIDE_BUY ? o->price > price : o->price < price);
            if (!behind || (!before && o->price != price)) continue;
            if (before) quantity = orders = 0;
            price = o->price;
            quantity += o->leaves;
            orders++;
        }
        if (price == 0) break;
        at += (size_t)snprintf(text + at, size - at, "%lld %llu %llu;", (long long)price, (unsigned long long)quantity,
            (unsigned long long)orders);
    }
    return at;
}

size_t ex_ledger_account(const struct ex_ledger *l, uint32_t account, char *text, size_t size) {
    size_t at = 0;
    text[0] = 0;
    for (uint64_t last = 0; at + 80 < size;) {
        const struct exchange_event *next = NULL;
        for (size_t i = 0; i < l->model->order_count; i++) {
            const struct exchange_event *o = &l->model->orders[i].o;
            if (o->account == account && o->order_id > last && (!next || o->order_id < next->order_id)) next = o;
        }
        if (!next) break;
        last = next->order_id;
        at += (size_t)snprintf(text + at, size - at, "%llu %lld %llu;",
            (unsigned long long)exchange_public_id(last, l->partition, l->x->partitions), (long long)next->price,
            (unsigned long long)next->leaves);
    }
    return at;
}
