/* Records as JSON, for `weir topic read`, tails, dumps and the console. Written by hand into the caller's buffer: these
 * run where nothing may allocate. */
#include "base/json.h"
#include "exchange/fold.h"
#include "exchange/trailer.h"

struct printer {
    char text[2048];
    struct text_builder out;
    struct json_writer w;
};

static struct json_writer *begin(struct printer *p) {
    p->out = text_builder(p->text, sizeof p->text);
    p->w = json_writer(&p->out, 0);
    json_write_object_open(&p->w);
    return &p->w;
}

static size_t end(struct printer *p, char *buf, size_t size) {
    json_write_object_close(&p->w);
    if (size > 0) {
        size_t n = p->out.size < size - 1 ? p->out.size : size - 1;
        memcpy(buf, p->text, n);
        buf[n] = 0;
    }
    return p->out.size;
}

static size_t print_hex(struct weir_slice value, char *buf, size_t size) {
    struct printer p;
    json_put_u64(begin(&p), "malformed_bytes", value.size);
    return end(&p, buf, size);
}

static const char *side_name(uint8_t side) {
    return side == EXCHANGE_SIDE_BUY ? "BUY" : side == EXCHANGE_SIDE_SELL ? "SELL" : "ANY";
}

static const char *const command_names[] = {"", "new", "cancel", "reduce", "replace", "mass_cancel", "halt", "resume",
    "end_of_day", "tick", "connect", "disconnect", "suspend", "reinstate", "define", "alter"};

static const char *command_name(uint8_t type) {
    return type < sizeof command_names / sizeof command_names[0] ? command_names[type] : "unknown";
}

static void put_name(struct json_writer *w, const char *key, const char name[EXCHANGE_NAME_SIZE]) {
    size_t size = strnlen(name, EXCHANGE_NAME_SIZE);
    bool plain = utf8_valid(weir_slice(name, size));
    json_put_slice(w, key, plain ? weir_slice(name, size) : weir_slice_text("?"));
}

static void put_u64(struct json_writer *w, const char *key, uint64_t value) {
    if (value) json_put_u64(w, key, value);
}

static void put_letters(struct json_writer *w, const char *key, const char *letters, size_t size) {
    while (size > 0 && letters[size - 1] == ' ')
        size--;
    struct weir_slice text = weir_slice(letters, size);
    json_put_slice(w, key, utf8_valid(text) ? text : weir_slice_text("?"));
}

static void put_echo(struct json_writer *w, const struct exchange_echo *echo) {
    put_letters(w, "client_id", echo->client_id, sizeof echo->client_id);
    put_letters(w, "capacity", &echo->capacity, 1);
    put_letters(w, "time_in_force", &echo->time_in_force, 1);
}

size_t exchange_print_command(struct weir_slice value, char *buf, size_t size) {
    struct exchange_echoed_command echoed = {0};
    const struct exchange_named_command *named = &echoed.named;
    const struct exchange_command *c = &named->command;
    if (value.size != sizeof echoed && value.size != sizeof *named && value.size != sizeof *c)
        return print_hex(value, buf, size);
    memcpy(&echoed, value.data, value.size);
    struct printer p;
    struct json_writer *w = begin(&p);
    json_put_text(w, "command", command_name(c->type));
    if (named->name[0]) put_name(w, "symbol", named->name);
    put_u64(w, "symbol_number", c->symbol);
    json_put_text(w, "side", side_name(c->side));
    put_u64(w, "tif", c->tif);
    put_u64(w, "stp", c->stp);
    put_u64(w, "flags", c->flags);
    put_u64(w, "account", c->account);
    put_u64(w, "session", c->session);
    put_u64(w, "order", c->order_id);
    put_u64(w, "client_ref", c->client_ref);
    json_put_i64(w, "price", c->price);
    json_put_u64(w, "quantity", c->quantity);
    put_u64(w, "expire_ns", c->expire_ns);
    if (value.size == sizeof echoed) put_echo(w, &echoed.echo);
    return end(&p, buf, size);
}

size_t exchange_print_terms(struct weir_slice value, char *buf, size_t size) {
    struct exchange_terms t;
    if (value.size != sizeof t) return print_hex(value, buf, size);
    memcpy(&t, value.data, sizeof t);
    struct printer p;
    struct json_writer *w = begin(&p);
    json_put_text(w, "command", command_name(t.type));
    put_name(w, "symbol", t.name);
    json_put_i64(w, "tick", t.tick);
    json_put_u64(w, "lot", t.lot);
    put_u64(w, "quantity_max", t.quantity_max);
    put_u64(w, "notional_max", t.notional_max);
    json_put_i64(w, "reference", t.reference);
    json_put_i64(w, "band", t.band);
    json_put_i64(w, "collar", t.collar);
    return end(&p, buf, size);
}

static void put_event(struct json_writer *w, const struct exchange_event *e) {
    static const char *const names[] = {
        "", "accepted", "rejected", "executed", "canceled", "reduced", "replaced", "expired", "done", "connected"};
    json_put_text(w, "event", names[e->type]);
    json_put_u64(w, "symbol_number", e->symbol);
    json_put_u64(w, "account", e->account);
    put_u64(w, "session", e->session);
    json_put_text(w, "side", side_name(e->side));
    json_put_u64(w, "order", e->order_id);
    put_u64(w, "client_ref", e->client_ref);
    json_put_i64(w, "price", e->price);
    json_put_u64(w, e->type == EXCHANGE_EVENT_REPLACED ? "client_ref_before" : "quantity", e->quantity);
    json_put_u64(w, "leaves", e->leaves);
    json_put_u64(w, "executed", e->executed);
    if (e->type == EXCHANGE_EVENT_EXECUTED) put_u64(w, "match_id", e->match_id);
    if (e->type == EXCHANGE_EVENT_REJECTED) put_u64(w, "command", e->command);
    put_u64(w, "session_sequence", e->session_sequence);
    if (e->reason) json_put_text(w, "reason", exchange_reason_code(e->reason));
    if (e->flags & EXCHANGE_EVENT_MAKER) json_put_bool(w, "maker", true);
    if (e->flags & EXCHANGE_EVENT_PRIORITY_LOST) json_put_bool(w, "priority_lost", true);
    if (e->flags & EXCHANGE_EVENT_ENDED) json_put_bool(w, "ended", true);
    json_put_u64(w, "time_ns", e->time_ns);
}

static void put_prevented(struct json_writer *w, const struct exchange_prevented *p) {
    json_put_i64(w, "prevented_price", p->price);
    json_put_u64(w, "prevented_quantity", p->quantity);
    json_put_bool(w, "maker", p->is_maker);
    json_put_u64(w, "stp", p->mode);
}

static void put_market(struct json_writer *w, const union exchange_output *o) {
    switch (o->type) {
    case EXCHANGE_EVENT_L2:
        json_put_u64(w, "symbol_number", o->l2.symbol);
        json_put_u64(w, "sequence", o->l2.sequence);
        json_put_text(w, "side", side_name(o->l2.side));
        json_put_i64(w, "price", o->l2.price);
        json_put_u64(w, "quantity", o->l2.quantity);
        json_put_u64(w, "orders", o->l2.orders);
        json_put_u64(w, "time_ns", o->l2.time_ns);
        break;
    case EXCHANGE_EVENT_L1:
        json_put_u64(w, "symbol_number", o->l1.symbol);
        json_put_u64(w, "sequence", o->l1.sequence);
        json_put_i64(w, "bid_price", o->l1.bid_price);
        json_put_u64(w, "bid_quantity", o->l1.bid_quantity);
        json_put_i64(w, "ask_price", o->l1.ask_price);
        json_put_u64(w, "ask_quantity", o->l1.ask_quantity);
        json_put_u64(w, "time_ns", o->l1.time_ns);
        break;
    case EXCHANGE_EVENT_TRADE:
        json_put_u64(w, "symbol_number", o->trade.symbol);
        json_put_u64(w, "sequence", o->trade.sequence);
        json_put_text(w, "taker_side", side_name(o->trade.side));
        json_put_u64(w, "match_id", o->trade.match_id);
        json_put_i64(w, "price", o->trade.price);
        json_put_u64(w, "quantity", o->trade.quantity);
        json_put_u64(w, "time_ns", o->trade.time_ns);
        break;
    default:
        json_put_u64(w, "symbol_number", o->state.symbol);
        json_put_u64(w, "sequence", o->state.sequence);
        put_name(w, "symbol", o->state.name);
        json_put_text(w, "state", o->state.state == EXCHANGE_SYMBOL_HALTED ? "HALTED" : "TRADING");
        json_put_i64(w, "tick", o->state.tick);
        json_put_u64(w, "lot", o->state.lot);
        json_put_u64(w, "time_ns", o->state.time_ns);
    }
}

size_t exchange_print_output(struct weir_slice value, char *buf, size_t size) {
    union exchange_output o = {0};
    size_t want = value.size > 0 ? exchange_output_size(value.data[0]) : 0;
    union exchange_trailer trailer;
    size_t behind = value.size - want;
    bool is_event = want == sizeof o.event;
    bool fits = want == value.size || (is_event && want < value.size &&
                                          (behind == sizeof trailer.echo || behind == sizeof trailer.prevented));
    if (want == 0 || !fits) return print_hex(value, buf, size);
    memcpy(&o, value.data, want);
    if (behind) memcpy(&trailer, value.data + want, behind);
    struct printer p;
    struct json_writer *w = begin(&p);
    if (is_event) {
        put_event(w, &o.event);
        if (behind == sizeof trailer.echo) put_echo(w, &trailer.echo);
        if (behind == sizeof trailer.prevented) put_prevented(w, &trailer.prevented);
    } else
        put_market(w, &o);
    return end(&p, buf, size);
}

/* ---- the whole state, for `weir service replay --dump` ------------------------------------------------------------
 */

#define DUMP_LEVELS 256

static enum weir_error dump_text(struct weir_sink *text, const char *piece) {
    return weir_sink_put(text, piece, strlen(piece));
}

/* What was written so far, without closing the object. */
static enum weir_error dump_open(struct weir_sink *text, struct printer *p) {
    return weir_sink_put(text, p->text, p->out.size);
}

/* The levels of a side from the best one; those behind the 256th are counted, not shown. */
static enum weir_error dump_side(const struct exchange_fold *fold, uint32_t symbol, enum exchange_side side,
    const char *name, struct weir_sink *text) {
    struct exchange_level_view levels[DUMP_LEVELS];
    size_t count = exchange_core_depth(fold->core, symbol, side, levels, DUMP_LEVELS);
    enum weir_error e = dump_text(text, name);
    for (size_t i = 0; !e && i < count; i++) {
        char level[128];
        struct text_builder t = TEXT_BUILDER(level);
        text_printf(&t, "%s[%lld,%llu,%llu]", i ? "," : "", (long long)levels[i].price,
            (unsigned long long)levels[i].quantity, (unsigned long long)levels[i].orders);
        e = dump_text(text, level);
    }
    return e ? e : dump_text(text, count == DUMP_LEVELS ? ",\"more levels follow\"]" : "]");
}

static enum weir_error dump_symbol(const struct exchange_fold *fold, uint32_t number,
    const struct exchange_symbol_view *view, struct weir_sink *text) {
    struct printer p;
    struct json_writer *w = begin(&p);
    put_name(w, "symbol", view->terms.name);
    json_put_u64(w, "symbol_number", number);
    json_put_u64(w, "sequence", view->sequence_l2);
    json_put_i64(w, "last_price", view->last_price);
    json_put_u64(w, "volume", view->volume);
    json_put_u64(w, "open_orders", view->orders);
    enum weir_error e = dump_open(text, &p);
    if (!e) e = dump_side(fold, number, EXCHANGE_SIDE_BUY, ",\"bids\":[", text);
    if (!e) e = dump_side(fold, number, EXCHANGE_SIDE_SELL, ",\"asks\":[", text);
    return e ? e : dump_text(text, "}");
}

enum weir_error exchange_dump(const void *state, struct weir_sink *text) {
    const struct exchange_fold *fold = state;
    struct exchange_stats s;
    struct printer p;
    exchange_core_stats(fold->core, &s);
    struct json_writer *w = begin(&p);
    json_put_u64(w, "commands", s.commands);
    json_put_u64(w, "orders", s.orders);
    json_put_u64(w, "trades", s.trades);
    json_put_u64(w, "volume", s.volume);
    json_put_u64(w, "open_orders", s.open);
    enum weir_error e = dump_open(text, &p);
    if (!e) e = dump_text(text, ",\"symbols\":[");
    struct exchange_symbol_view view;
    for (uint32_t n = 1; !e && exchange_core_symbol(fold->core, n, &view); n++) {
        if (n > 1) e = dump_text(text, ",\n");
        if (!e) e = dump_symbol(fold, n, &view, text);
    }
    return e ? e : dump_text(text, "]}");
}
