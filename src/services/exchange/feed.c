#include "exchange/feed.h"

/* ---- requests ---- */
struct word {
    const char *text;
    uint32_t value;
};
static const struct word ops[] = {{"subscribe", FEED_SUBSCRIBE}, {"unsubscribe", FEED_UNSUBSCRIBE}, {"ping", FEED_PING},
    {"order", FEED_ORDER}, {"cancel", FEED_CANCEL}, {"reduce", FEED_REDUCE}, {"replace", FEED_REPLACE}, {0}};
static const struct word channels[] = {{"l1", FEED_L1}, {"l2", FEED_L2}, {"trades", FEED_TRADES}, {0}};
static const struct word sides[] = {{"BUY", EXCHANGE_SIDE_BUY}, {"SELL", EXCHANGE_SIDE_SELL}, {0}};
static const struct word types[] = {{"LIMIT", 0}, {"MARKET", EXCHANGE_FLAG_MARKET}, {0}};
static const struct word tifs[] = {{"GTC", EXCHANGE_TIF_GTC}, {"DAY", EXCHANGE_TIF_DAY}, {"GTD", EXCHANGE_TIF_GTD},
    {"IOC", EXCHANGE_TIF_IOC}, {"FOK", EXCHANGE_TIF_FOK}, {0}};
static const struct word stps[] = {{"ALLOW", EXCHANGE_STP_NONE}, {"CANCEL_NEWEST", EXCHANGE_STP_CANCEL_NEWEST},
    {"CANCEL_OLDEST", EXCHANGE_STP_CANCEL_OLDEST}, {"CANCEL_BOTH", EXCHANGE_STP_CANCEL_BOTH},
    {"DECREMENT", EXCHANGE_STP_DECREMENT}, {0}};

enum field {
    FIELD_OP,
    FIELD_CHANNEL,
    FIELD_SYMBOL,
    FIELD_SIDE,
    FIELD_TYPE,
    FIELD_TIF,
    FIELD_STP,
    FIELD_POST_ONLY,
    FIELD_PRICE,
    FIELD_REQUEST,
    FIELD_DEPTH,
    FIELD_OFFSET,
    FIELD_QUANTITY,
    FIELD_ACCOUNT,
    FIELD_CLIENT_REF,
    FIELD_ID,
    FIELD_EXPIRE,
    FIELD_COUNT
};
static const struct word fields[] = {{"op", FIELD_OP}, {"channel", FIELD_CHANNEL}, {"symbol", FIELD_SYMBOL},
    {"side", FIELD_SIDE}, {"type", FIELD_TYPE}, {"timeInForce", FIELD_TIF}, {"selfTrade", FIELD_STP},
    {"postOnly", FIELD_POST_ONLY}, {"price", FIELD_PRICE}, {"request", FIELD_REQUEST}, {"depth", FIELD_DEPTH},
    {"offset", FIELD_OFFSET}, {"quantity", FIELD_QUANTITY}, {"by", FIELD_QUANTITY}, {"account", FIELD_ACCOUNT},
    {"clientRef", FIELD_CLIENT_REF}, {"id", FIELD_ID}, {"expireAtMs", FIELD_EXPIRE}, {0}};

static bool word_of(const struct json_reader *r, const struct word *words, uint32_t *ret) {
    for (; words->text; words++)
        if (json_text_is(r, words->text)) {
            *ret = words->value;
            return true;
        }
    return false;
}

/* A number, or a string of digits. */
static bool natural(const struct json_reader *r, uint64_t *ret) {
    if (r->token == JSON_INTEGER && r->integer >= 0) {
        *ret = (uint64_t)r->integer;
        return true;
    }
    if (r->token == JSON_UNSIGNED) {
        *ret = r->natural;
        return true;
    }
    if (r->token != JSON_STRING || r->text.size == 0 || r->text.size > 19) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < r->text.size; i++) {
        if (r->text.data[i] < '0' || r->text.data[i] > '9') return false;
        value = value * 10 + (uint64_t)(r->text.data[i] - '0');
    }
    *ret = value;
    return true;
}

static bool whole(const struct json_reader *r, int64_t *ret) {
    uint64_t value;
    if (r->token == JSON_INTEGER) {
        *ret = r->integer;
        return true;
    }
    if (!natural(r, &value) || value > INT64_MAX) return false;
    *ret = (int64_t)value;
    return true;
}

static const char *read_word(const struct json_reader *r, uint32_t field, struct feed_request *q) {
    uint32_t value = 0;
    static const struct {
        const struct word *words;
        const char *sentence;
    } rows[] = {[FIELD_OP] = {ops, "op is subscribe, unsubscribe, ping, order, cancel, reduce or replace"},
        [FIELD_CHANNEL] = {channels, "channel is l1, l2 or trades"},
        [FIELD_SIDE] = {sides, "side is BUY or SELL"},
        [FIELD_TYPE] = {types, "type is LIMIT or MARKET"},
        [FIELD_TIF] = {tifs, "timeInForce is GTC, DAY, GTD, IOC or FOK"},
        [FIELD_STP] = {stps, "selfTrade is ALLOW, CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH or DECREMENT"}};
    if (r->token != JSON_STRING || !word_of(r, rows[field].words, &value)) return rows[field].sentence;
    switch (field) {
    case FIELD_OP:
        q->op = (enum feed_op)value;
        break;
    case FIELD_CHANNEL:
        q->channel = value;
        break;
    case FIELD_SIDE:
        q->command.side = (uint8_t)value;
        break;
    case FIELD_TYPE:
        q->command.flags |= (uint16_t)value;
        break;
    case FIELD_TIF:
        q->command.tif = (uint8_t)value;
        break;
    default:
        q->command.stp = (uint8_t)value;
    }
    return NULL;
}

static const char *read_number(const struct json_reader *r, uint32_t field, struct feed_request *q) {
    uint64_t value = 0;
    if (!natural(r, &value))
        return "request, depth, offset, quantity, by, account, clientRef, id and expireAtMs are numbers from 0";
    if ((field == FIELD_REQUEST || field == FIELD_ACCOUNT) && value > UINT32_MAX)
        return "request and account end at 4294967295";
    switch (field) {
    case FIELD_REQUEST:
        q->request = (uint32_t)value;
        break;
    case FIELD_DEPTH:
        q->depth = value;
        break;
    case FIELD_OFFSET:
        q->offset = value;
        break;
    case FIELD_QUANTITY:
        q->command.quantity = value;
        break;
    case FIELD_ACCOUNT:
        q->command.account = (uint32_t)value;
        break;
    case FIELD_CLIENT_REF:
        q->command.client_ref = value;
        break;
    case FIELD_ID:
        q->public_id = value;
        break;
    default:
        if (value > UINT64_MAX / 1000000) return "expireAtMs is too far away";
        q->command.expire_ns = value * 1000000;
    }
    return NULL;
}

static const char *read_value(const struct json_reader *r, uint32_t field, struct feed_request *q) {
    switch (field) {
    case FIELD_SYMBOL:
        if (r->token != JSON_STRING || r->escaped || r->text.size == 0 || r->text.size > EXCHANGE_NAME_SIZE)
            return "symbol is a name of 1 to 16 characters";
        memcpy(q->symbol, r->text.data, r->text.size);
        return NULL;
    case FIELD_POST_ONLY:
        if (r->token != JSON_TRUE && r->token != JSON_FALSE) return "postOnly is true or false";
        if (r->token == JSON_TRUE) q->command.flags |= EXCHANGE_FLAG_POST_ONLY;
        return NULL;
    case FIELD_PRICE:
        return whole(r, &q->command.price) ? NULL : "price is a whole number in the symbol's units";
    default:
        return field <= FIELD_STP ? read_word(r, field, q) : read_number(r, field, q);
    }
}

/* What every operation must have been given. */
static const char *complete(struct feed_request *q, uint32_t seen) {
    static const uint8_t commands[] = {[FEED_ORDER] = EXCHANGE_COMMAND_NEW,
        [FEED_CANCEL] = EXCHANGE_COMMAND_CANCEL,
        [FEED_REDUCE] = EXCHANGE_COMMAND_REDUCE,
        [FEED_REPLACE] = EXCHANGE_COMMAND_REPLACE};
    if (q->op == FEED_NONE) return "op is missing: subscribe, unsubscribe, ping, order, cancel, reduce or replace";
    if (q->op == FEED_PING) return NULL;
    if (q->op < FEED_PING) return q->channel && q->symbol[0] ? NULL : "name a channel and a symbol";
    q->command.type = commands[q->op];
    if (q->op != FEED_ORDER) return q->public_id ? NULL : "id is missing: the order's number";
    if (!(seen >> FIELD_SIDE & 1) || !q->symbol[0] || !q->command.account)
        return "an order needs symbol, side, quantity and account";
    return NULL;
}

bool feed_request_read(struct weir_slice text, struct feed_request *ret_request, const char **ret_error) {
    struct json_reader r = json_reader(text, 4);
    struct feed_request q = {.offset = UINT64_MAX};
    uint32_t seen = 0;
    const char *error = json_next(&r) == JSON_OBJECT_OPEN ? NULL : "a request is one JSON object";
    while (!error && json_next(&r) == JSON_KEY) {
        uint32_t field = FIELD_COUNT;
        if (!word_of(&r, fields, &field)) {
            error = "the request has a field that is not known";
            break;
        }
        if (seen >> field & 1) error = "a field is given twice";
        seen |= 1u << field;
        json_next(&r);
        if (!error) error = read_value(&r, field, &q);
    }
    if (!error && (r.token != JSON_OBJECT_CLOSE || json_next(&r) != JSON_END)) error = "the request is not valid JSON";
    if (!error) error = complete(&q, seen);
    *ret_request = q;
    if (error) *ret_error = error;
    return error == NULL;
}

/* ---- messages ---- */
const char *feed_channel_name(uint32_t channel) {
    return channel == FEED_L1 ? "l1" : channel == FEED_L2 ? "l2" : "trades";
}

static const char *side_name(uint8_t side) {
    return side == EXCHANGE_SIDE_BUY ? "BUY" : "SELL";
}

static size_t finish(struct json_writer *w, const struct text_builder *t) {
    json_write_object_close(w);
    return t->truncated ? 0 : t->size;
}

static void put_record(struct json_writer *w, const union exchange_output *o) {
    switch (o->type) {
    case EXCHANGE_EVENT_L2:
        json_put_text(w, "side", side_name(o->l2.side));
        json_put_i64(w, "price", o->l2.price);
        json_put_u64(w, "quantity", o->l2.quantity);
        json_put_u64(w, "orders", o->l2.orders);
        json_put_u64(w, "timeNs", o->l2.time_ns);
        break;
    case EXCHANGE_EVENT_L1:
        json_put_i64(w, "bidPrice", o->l1.bid_price);
        json_put_u64(w, "bidQuantity", o->l1.bid_quantity);
        json_put_i64(w, "askPrice", o->l1.ask_price);
        json_put_u64(w, "askQuantity", o->l1.ask_quantity);
        json_put_u64(w, "timeNs", o->l1.time_ns);
        break;
    case EXCHANGE_EVENT_TRADE:
        json_put_text(w, "side", side_name(o->trade.side));
        json_put_i64(w, "price", o->trade.price);
        json_put_u64(w, "quantity", o->trade.quantity);
        json_put_u64(w, "matchId", o->trade.match_id);
        json_put_u64(w, "timeNs", o->trade.time_ns);
        break;
    default:
        json_put_text(w, "state", o->state.state == EXCHANGE_SYMBOL_HALTED ? "HALTED" : "TRADING");
        json_put_u64(w, "timeNs", o->state.time_ns);
    }
}

size_t feed_record_write(const struct weir_record *record, const char *symbol, char *out, size_t size) {
    union exchange_output o = {0};
    size_t want = record->value.size ? exchange_output_size(record->value.data[0]) : 0;
    if (want == 0 || want != record->value.size || record->value.data[0] < EXCHANGE_EVENT_L2) return 0;
    memcpy(&o, record->value.data, want);
    static const char *const names[] = {"l2", "l1", "trade", "state"};
    struct text_builder t = text_builder(out, size);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_text(&w, "type", names[o.type - EXCHANGE_EVENT_L2]);
    json_put_text(&w, "symbol", symbol);
    json_put_u64(&w, "sequence", o.l2.sequence); /* at the same place in all of them */
    json_put_u64(&w, "offset", record->offset);
    put_record(&w, &o);
    return finish(&w, &t);
}
_Static_assert(offsetof(struct exchange_l1, sequence) == offsetof(struct exchange_l2, sequence) &&
                   offsetof(struct exchange_trade, sequence) == offsetof(struct exchange_l2, sequence) &&
                   offsetof(struct exchange_state, sequence) == offsetof(struct exchange_l2, sequence),
    "the sequence of every public record is at one place");

size_t feed_error_write(uint32_t request, const char *code, const char *sentence, char *out, size_t size) {
    struct text_builder t = text_builder(out, size);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_text(&w, "type", "error");
    if (request) json_put_u64(&w, "request", request);
    json_put_text(&w, "code", code);
    json_put_text(&w, "sentence", sentence);
    return finish(&w, &t);
}

size_t feed_note_write(
    const char *type, uint32_t request, uint32_t channel, const char *symbol, char *out, size_t size) {
    struct text_builder t = text_builder(out, size);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_text(&w, "type", type);
    if (request) json_put_u64(&w, "request", request);
    if (channel) json_put_text(&w, "channel", feed_channel_name(channel));
    if (symbol) json_put_text(&w, "symbol", symbol);
    return finish(&w, &t);
}

size_t feed_reply_write(uint32_t request, uint16_t status, struct weir_slice value, char *out, size_t size) {
    static const char *const names[] = {"REJECTED", "OPEN", "FILLED", "CANCELED", "DONE"};
    struct exchange_reply reply;
    if (value.size < sizeof reply) return 0;
    memcpy(&reply, value.data, sizeof reply);
    if (reply.status >= sizeof names / sizeof names[0]) return 0;
    struct text_builder t = text_builder(out, size);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_text(&w, "type", "reply");
    if (request) json_put_u64(&w, "request", request);
    json_put_u64(&w, "httpStatus", status);
    json_put_text(&w, "status", names[reply.status]);
    json_put_u64(&w, "orderId", reply.order_id);
    json_put_u64(&w, "clientRef", reply.client_ref);
    json_put_u64(&w, "executed", reply.executed);
    json_put_u64(&w, "leaves", reply.leaves);
    if (reply.reason) {
        json_put_u64(&w, "reason", reply.reason);
        json_put_text(&w, "reasonCode", exchange_reason_code(reply.reason));
        json_put_text(&w, "sentence", exchange_reason_sentence(reply.reason));
    }
    json_write_key(&w, "fills");
    json_write_array_open(&w);
    for (uint32_t i = 0; i < reply.fills && value.size >= sizeof reply + (i + 1) * sizeof(struct exchange_fill); i++) {
        struct exchange_fill fill;
        memcpy(&fill, value.data + sizeof reply + i * sizeof fill, sizeof fill);
        json_write_array_open(&w);
        json_write_i64(&w, fill.price);
        json_write_u64(&w, fill.quantity);
        json_write_u64(&w, fill.match_id);
        json_write_array_close(&w);
    }
    json_write_array_close(&w);
    return finish(&w, &t);
}

/* ---- queries ---- */
static enum weir_error question_of(const void *state, const struct weir_request *request, struct feed_question *ret,
    struct exchange_symbol_view *ret_view, uint32_t *ret_number) {
    const struct exchange_fold *fold = state;
    if (request->packed.size != sizeof *ret)
        return weir_error_context(WEIR_E_INVALID, "a feed's question is malformed");
    memcpy(ret, request->packed.data, sizeof *ret);
    *ret_number = exchange_core_symbol_find(fold->core, ret->symbol);
    if (*ret_number == 0 || !exchange_core_symbol(fold->core, *ret_number, ret_view))
        return weir_error_context(WEIR_E_NOT_FOUND, "there is no symbol %.16s", ret->symbol);
    return WEIR_OK;
}

enum weir_error feed_query_number(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    struct feed_question question;
    struct exchange_symbol_view view;
    uint32_t number = 0;
    enum weir_error e = question_of(state, request, &question, &view, &number);
    if (e) return e;
    uint64_t wide = number;
    void *room = weir_answer_room(answer, sizeof wide);
    if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no room for an answer");
    memcpy(room, &wide, sizeof wide);
    weir_answer_commit(answer, sizeof wide);
    return WEIR_OK;
}

static void put_levels(struct json_writer *w, const char *key, const struct exchange_level_view *levels, size_t count) {
    json_write_key(w, key);
    json_write_array_open(w);
    for (size_t i = 0; i < count; i++) {
        json_write_array_open(w);
        json_write_i64(w, levels[i].price);
        json_write_u64(w, levels[i].quantity);
        json_write_u64(w, levels[i].orders);
        json_write_array_close(w);
    }
    json_write_array_close(w);
}

enum weir_error feed_query_snapshot(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    struct feed_question q;
    struct exchange_symbol_view view;
    uint32_t number = 0;
    enum weir_error e = question_of(state, request, &q, &view, &number);
    if (e) return e;
    size_t depth = q.channel == FEED_L2 ? q.depth : 1;
    struct exchange_level_view *levels = weir_scratch(request, 2 * depth * sizeof *levels);
    size_t room = 512 + 2 * depth * 64;
    char *text = weir_answer_room(answer, room), name[EXCHANGE_NAME_SIZE + 1] = {0};
    if (!levels || !text) return weir_error_context(WEIR_E_TOO_LARGE, "depth: ask for fewer levels at a time");
    memcpy(name, view.terms.name, EXCHANGE_NAME_SIZE);
    struct text_builder t = text_builder(text, room);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_text(&w, "type", "snapshot");
    if (q.request) json_put_u64(&w, "request", q.request);
    json_put_text(&w, "channel", feed_channel_name(q.channel));
    json_put_text(&w, "symbol", name);
    json_put_u64(&w, "sequence",
        q.channel == FEED_L2   ? view.sequence_l2
        : q.channel == FEED_L1 ? view.sequence_l1
                               : view.trades);
    json_put_text(&w, "state", view.state == EXCHANGE_SYMBOL_HALTED ? "HALTED" : "TRADING");
    if (q.channel != FEED_TRADES) {
        size_t bids = exchange_core_depth(fold->core, number, EXCHANGE_SIDE_BUY, levels, depth);
        size_t asks = exchange_core_depth(fold->core, number, EXCHANGE_SIDE_SELL, levels + depth, depth);
        put_levels(&w, "bids", levels, bids);
        put_levels(&w, "asks", levels + depth, asks);
    }
    json_put_i64(&w, "lastPrice", view.last_price);
    json_put_u64(&w, "lastQuantity", view.last_quantity);
    weir_answer_commit(answer, finish(&w, &t));
    return WEIR_OK;
}
