#include "exchange/history.h"

#include "exchange/fold.h"

enum table { TABLE_ORDERS, TABLE_EXECUTIONS };

enum order_column {
    ORDER_ID,
    ORDER_ACCOUNT,
    ORDER_SESSION,
    ORDER_CLIENT_REF,
    ORDER_SYMBOL,
    ORDER_SYMBOL_NUMBER,
    ORDER_SIDE,
    ORDER_PRICE,
    ORDER_QUANTITY,
    ORDER_EXECUTED,
    ORDER_LEAVES,
    ORDER_STATE,
    ORDER_REASON,
    ORDER_ACCEPTED_MS,
    ORDER_UPDATED_MS,
    ORDER_ENDED_MS,
};
static const struct weir_column order_columns[] = {
    [ORDER_ID] = {"order_id", WEIR_COLUMN_INTEGER, "as the API names it", true},
    [ORDER_ACCOUNT] = {"account", WEIR_COLUMN_INTEGER, "whose"},
    [ORDER_SESSION] = {"session", WEIR_COLUMN_INTEGER, "of a gateway; 0: entered over HTTP"},
    [ORDER_CLIENT_REF] = {"client_ref", WEIR_COLUMN_INTEGER, "the client's own number; 0: none"},
    [ORDER_SYMBOL] = {"symbol", WEIR_COLUMN_TEXT, "the first eight characters of its name"},
    [ORDER_SYMBOL_NUMBER] = {"symbol_number", WEIR_COLUMN_INTEGER, "within its partition"},
    [ORDER_SIDE] = {"side", WEIR_COLUMN_TEXT, "BUY or SELL"},
    [ORDER_PRICE] = {"price", WEIR_COLUMN_INTEGER, "limit, in the symbol's units"},
    [ORDER_QUANTITY] = {"quantity", WEIR_COLUMN_INTEGER, "as accepted"},
    [ORDER_EXECUTED] = {"executed", WEIR_COLUMN_INTEGER, "traded so far"},
    [ORDER_LEAVES] = {"leaves", WEIR_COLUMN_INTEGER, "still open"},
    [ORDER_STATE] = {"state", WEIR_COLUMN_TEXT, "open, filled, canceled or expired"},
    [ORDER_REASON] = {"reason", WEIR_COLUMN_TEXT, "of its end, where it did not fill"},
    [ORDER_ACCEPTED_MS] = {"accepted_ms", WEIR_COLUMN_INTEGER, "Unix time"},
    [ORDER_UPDATED_MS] = {"updated_ms", WEIR_COLUMN_INTEGER, "of the last event"},
    [ORDER_ENDED_MS] = {"ended_ms", WEIR_COLUMN_INTEGER, "when it filled, was canceled or expired; NULL: it is open"},
    {0},
};

enum execution_column {
    EXECUTION_PART,
    EXECUTION_RECORD,
    EXECUTION_MATCH,
    EXECUTION_ORDER,
    EXECUTION_ACCOUNT,
    EXECUTION_SYMBOL_NUMBER,
    EXECUTION_SIDE,
    EXECUTION_IS_MAKER,
    EXECUTION_PRICE,
    EXECUTION_QUANTITY,
    EXECUTION_LEAVES,
    EXECUTION_TIME_MS,
};
static const struct weir_column execution_columns[] = {
    [EXECUTION_PART] = {"part", WEIR_COLUMN_INTEGER, "partition of exchange.events", true},
    [EXECUTION_RECORD] = {"record", WEIR_COLUMN_INTEGER, "offset there: with part the execution's identity", true},
    [EXECUTION_MATCH] = {"match_id", WEIR_COLUMN_INTEGER, "of the trade, within its partition; both sides have it"},
    [EXECUTION_ORDER] = {"order_id", WEIR_COLUMN_INTEGER, "of exchange_orders"},
    [EXECUTION_ACCOUNT] = {"account", WEIR_COLUMN_INTEGER, "whose"},
    [EXECUTION_SYMBOL_NUMBER] = {"symbol_number", WEIR_COLUMN_INTEGER, "within its partition"},
    [EXECUTION_SIDE] = {"side", WEIR_COLUMN_TEXT, "BUY or SELL"},
    [EXECUTION_IS_MAKER] = {"is_maker", WEIR_COLUMN_INTEGER, "1: the order rested in the book"},
    [EXECUTION_PRICE] = {"price", WEIR_COLUMN_INTEGER, "in the symbol's units"},
    [EXECUTION_QUANTITY] = {"quantity", WEIR_COLUMN_INTEGER, "traded"},
    [EXECUTION_LEAVES] = {"leaves", WEIR_COLUMN_INTEGER, "what the order had left"},
    [EXECUTION_TIME_MS] = {"time_ms", WEIR_COLUMN_INTEGER, "Unix time"},
    {0},
};

static const struct weir_table tables[] = {
    [TABLE_ORDERS] = {"exchange_orders", order_columns, "each order that was accepted, as it is now", "ended_ms"},
    [TABLE_EXECUTIONS] = {"exchange_executions", execution_columns, "each side of each trade", "time_ms"},
    {0},
};

static const struct weir_migration migrations[] = {
    {1, "orders and executions",
        "CREATE TABLE exchange_orders ("
        "order_id BIGINT PRIMARY KEY, account BIGINT, session BIGINT, client_ref BIGINT, symbol TEXT, "
        "symbol_number BIGINT, side TEXT, price BIGINT, quantity BIGINT, executed BIGINT, leaves BIGINT, "
        "state TEXT, reason TEXT, accepted_ms BIGINT, updated_ms BIGINT, ended_ms BIGINT);"
        "CREATE INDEX exchange_orders_account ON exchange_orders (account, order_id);"
        "CREATE INDEX exchange_orders_ended ON exchange_orders (ended_ms);"
        "CREATE TABLE exchange_executions ("
        "part BIGINT NOT NULL, record BIGINT NOT NULL, match_id BIGINT NOT NULL, order_id BIGINT NOT NULL, "
        "account BIGINT NOT NULL, symbol_number BIGINT NOT NULL, side TEXT NOT NULL, is_maker BIGINT NOT NULL, "
        "price BIGINT NOT NULL, quantity BIGINT NOT NULL, leaves BIGINT NOT NULL, time_ms BIGINT NOT NULL, "
        "PRIMARY KEY (part, record));"
        "CREATE INDEX exchange_executions_account ON exchange_executions (account, time_ms);"
        "CREATE INDEX exchange_executions_order ON exchange_executions (order_id);"
        "CREATE INDEX exchange_executions_time ON exchange_executions (time_ms);"},
    {0},
};

struct event { /* with what its record says beside it */
    struct exchange_event e;
    int64_t order_id, time_ms;
};

static const char *side_of(const struct exchange_event *e) {
    return e->side == EXCHANGE_SIDE_BUY ? "BUY" : "SELL";
}

static void put_text(struct weir_rows *rows, uint32_t column, const char *text) {
    weir_row_text(rows, column, weir_slice_text(text));
}

/* What every event says of its order. */
static void begin_order(struct weir_rows *rows, const struct event *event) {
    weir_row_upsert(rows, TABLE_ORDERS);
    weir_row_integer(rows, ORDER_ID, event->order_id);
    weir_row_integer(rows, ORDER_LEAVES, (int64_t)event->e.leaves);
    weir_row_integer(rows, ORDER_EXECUTED, (int64_t)event->e.executed);
    weir_row_integer(rows, ORDER_UPDATED_MS, event->time_ms);
}

static void put_state(struct weir_rows *rows, const struct event *event, const char *state) {
    put_text(rows, ORDER_STATE, state);
    if (strcmp(state, "open") != 0) weir_row_integer(rows, ORDER_ENDED_MS, event->time_ms);
}

static void accepted(struct weir_rows *rows, const struct event *event) {
    const struct exchange_event *e = &event->e;
    begin_order(rows, event);
    weir_row_integer(rows, ORDER_ACCOUNT, e->account);
    weir_row_integer(rows, ORDER_SESSION, e->session);
    weir_row_integer(rows, ORDER_CLIENT_REF, (int64_t)e->client_ref);
    weir_row_text(rows, ORDER_SYMBOL, weir_slice(e->symbol_name, strnlen(e->symbol_name, sizeof e->symbol_name)));
    weir_row_integer(rows, ORDER_SYMBOL_NUMBER, e->symbol);
    put_text(rows, ORDER_SIDE, side_of(e));
    weir_row_integer(rows, ORDER_PRICE, e->price);
    weir_row_integer(rows, ORDER_QUANTITY, (int64_t)e->quantity);
    put_state(rows, event, "open");
    weir_row_integer(rows, ORDER_ACCEPTED_MS, event->time_ms);
}

static void executed(struct weir_rows *rows, const struct event *event, uint32_t partition, uint64_t offset) {
    const struct exchange_event *e = &event->e;
    weir_row_insert(rows, TABLE_EXECUTIONS);
    weir_row_integer(rows, EXECUTION_PART, partition);
    weir_row_integer(rows, EXECUTION_RECORD, (int64_t)offset);
    weir_row_integer(rows, EXECUTION_MATCH, (int64_t)e->match_id);
    weir_row_integer(rows, EXECUTION_ORDER, event->order_id);
    weir_row_integer(rows, EXECUTION_ACCOUNT, e->account);
    weir_row_integer(rows, EXECUTION_SYMBOL_NUMBER, e->symbol);
    put_text(rows, EXECUTION_SIDE, side_of(e));
    weir_row_integer(rows, EXECUTION_IS_MAKER, (e->flags & EXCHANGE_EVENT_MAKER) != 0);
    weir_row_integer(rows, EXECUTION_PRICE, e->price);
    weir_row_integer(rows, EXECUTION_QUANTITY, (int64_t)e->quantity);
    weir_row_integer(rows, EXECUTION_LEAVES, (int64_t)e->leaves);
    weir_row_integer(rows, EXECUTION_TIME_MS, event->time_ms);
    begin_order(rows, event);
    put_state(rows, event, e->leaves ? "open" : "filled");
}

static void ended(struct weir_rows *rows, const struct event *event, const char *state) {
    begin_order(rows, event);
    put_state(rows, event, state);
    put_text(rows, ORDER_REASON, exchange_reason_code(event->e.reason));
}

static void replaced(struct weir_rows *rows, const struct event *event) {
    begin_order(rows, event);
    weir_row_integer(rows, ORDER_PRICE, event->e.price);
    weir_row_integer(rows, ORDER_CLIENT_REF, (int64_t)event->e.client_ref);
    weir_row_integer(rows, ORDER_QUANTITY, (int64_t)(event->e.executed + event->e.leaves));
}

static void project(const struct weir_record *record, uint32_t partition, struct weir_rows *rows) {
    struct event event = {0};
    if (record->value.size < sizeof event.e) return;
    memcpy(&event.e, record->value.data, sizeof event.e);
    event.order_id = (int64_t)exchange_public_id(event.e.order_id, partition, weir_row_partition_count(rows));
    event.time_ms = (int64_t)(record->time_ns / 1000000u);
    switch (event.e.type) {
    case EXCHANGE_EVENT_ACCEPTED:
        accepted(rows, &event);
        break;
    case EXCHANGE_EVENT_EXECUTED:
        executed(rows, &event, partition, record->offset);
        break;
    case EXCHANGE_EVENT_CANCELED:
        ended(rows, &event, "canceled");
        break;
    case EXCHANGE_EVENT_EXPIRED:
        ended(rows, &event, "expired");
        break;
    case EXCHANGE_EVENT_REDUCED:
        begin_order(rows, &event);
        break;
    case EXCHANGE_EVENT_REPLACED:
        replaced(rows, &event);
        break;
    default: /* refusals, and what sessions are told */
        break;
    }
}

const struct weir_projection exchange_projections[] = {
    {.name = "history",
        .summary = "orders and executions",
        .topic = EXCHANGE_TOPIC_EVENTS,
        .version = 1,
        .tables = tables,
        .migrations = migrations,
        .project = project,
        .keep_setting = "history_keep",
        .on_request = true},
    {0},
};

static const struct weir_filter order_filters[] = {
    {"account", "account = $"},
    {"symbol", "symbol = $"},
    {"state", "state = $"},
    {"since_ms", "accepted_ms >= $"},
    {"until_ms", "accepted_ms < $"},
    {0},
};
const struct weir_select exchange_select_orders = {
    .from = "exchange_orders",
    .key = "order_id",
    .descending = true,
    .filters = order_filters,
    .rows = "orders",
    .limit_max = 1000,
};

static const struct weir_filter execution_filters[] = {
    {"account", "account = $"},
    {"order_id", "order_id = $"},
    {"since_ms", "time_ms >= $"},
    {"until_ms", "time_ms < $"},
    {0},
};
const struct weir_select exchange_select_executions = {
    .from = "exchange_executions",
    .key = "time_ms, part, record",
    .descending = true,
    .filters = execution_filters,
    .rows = "executions",
    .limit_max = 1000,
};
