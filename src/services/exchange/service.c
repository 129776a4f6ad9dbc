/* The exchange's declaration. */
#include "exchange/fold.h"
#include "exchange/history.h"

static const struct weir_setting settings[] = {
    [EXCHANGE_PARTITIONS] = {"partitions", WEIR_SETTING_UINT, "1", 1, 64,
        "Partitions the symbols are spread over; fixed once the data folder has orders.", false},
    [EXCHANGE_ORDERS_MAX] = {"orders_max", WEIR_SETTING_UINT, "2000000", 1024, 1u << 26, "Open orders per partition.",
        true, true},
    [EXCHANGE_SYMBOLS_MAX] = {"symbols_max", WEIR_SETTING_UINT, "4096", 1, 1u << 20, "Symbols per partition.", true,
        true},
    [EXCHANGE_ACCOUNTS_MAX] = {"accounts_max", WEIR_SETTING_UINT, "65536", 1, 1u << 24,
        "Accounts are numbered 1 to this.", true, true},
    [EXCHANGE_OPEN_MAX] = {"open_max", WEIR_SETTING_UINT, "1000000", 1, 1u << 26,
        "Open orders of one account per partition.", true, true},
    [EXCHANGE_OUCH] = {"ouch", WEIR_SETTING_TEXT, "127.0.0.1:9879", 0, 0,
        "HOST:PORT of the binary order entry gateway; off: none. Port 0 picks a free one.", false},
    [EXCHANGE_OUCH_CANCEL] = {"ouch_cancel_on_disconnect", WEIR_SETTING_BOOL, "false", 0, 0,
        "Cancel the open orders of a binary session when its connection ends.", false},
    [EXCHANGE_HISTORY_KEEP] = {"history_keep", WEIR_SETTING_DURATION, "0s", 0, 0,
        "Age at which executions and ended orders leave the projection exchange.history; 0s keeps them.", false},
    {0},
};

static const struct weir_record_type order_types[] = {
    {EXCHANGE_RECORD_ORDER, "order", "a command of 64 bytes, the symbol's name and an echo behind it, from a gateway",
        NULL, exchange_print_command},
    {EXCHANGE_RECORD_REQUEST, "request", "the same from HTTP; it gets a reply", NULL, exchange_print_command},
    {EXCHANGE_RECORD_TERMS, "terms", "a symbol is defined or altered", NULL, exchange_print_terms},
    {0},
};
static const struct weir_record_type event_types[] = {
    {EXCHANGE_EVENT_ACCEPTED, "accepted", "an order was accepted", NULL, exchange_print_output},
    {EXCHANGE_EVENT_REJECTED, "rejected", "a command was refused, with the reason", NULL, exchange_print_output},
    {EXCHANGE_EVENT_EXECUTED, "executed", "an order traded", NULL, exchange_print_output},
    {EXCHANGE_EVENT_CANCELED, "canceled", "an order ended without trading its rest", NULL, exchange_print_output},
    {EXCHANGE_EVENT_REDUCED, "reduced", "an order lost quantity and kept its place", NULL, exchange_print_output},
    {EXCHANGE_EVENT_REPLACED, "replaced", "an order has a new price or quantity", NULL, exchange_print_output},
    {EXCHANGE_EVENT_EXPIRED, "expired", "an order reached its time", NULL, exchange_print_output},
    {EXCHANGE_EVENT_DONE, "done", "a session's mass cancel came to its end", NULL, exchange_print_output},
    {EXCHANGE_EVENT_CONNECTED, "connected", "a connection took a session", NULL, exchange_print_output},
    {0},
};
static const struct weir_record_type market_types[] = {
    {EXCHANGE_EVENT_L2, "l2", "a price level after a change", NULL, exchange_print_output},
    {EXCHANGE_EVENT_L1, "l1", "the best bid and ask after a change", NULL, exchange_print_output},
    {EXCHANGE_EVENT_TRADE, "trade", "a trade", NULL, exchange_print_output},
    {EXCHANGE_EVENT_STATE, "state", "a symbol was defined, altered, halted or resumed", NULL, exchange_print_output},
    {0},
};

static const struct weir_topic topics[] = {
    [EXCHANGE_TOPIC_ORDERS] = {"exchange.orders", WEIR_TOPIC_INPUT, order_types,
        "every command, in the order it was taken", 0},
    [EXCHANGE_TOPIC_EVENTS] = {"exchange.events", WEIR_TOPIC_OUTPUT, event_types, "what became of orders; key: account",
        0},
    [EXCHANGE_TOPIC_L1] = {"exchange.l1", WEIR_TOPIC_OUTPUT, market_types, "best bid and ask; key: symbol number", 0},
    [EXCHANGE_TOPIC_L2] = {"exchange.l2", WEIR_TOPIC_OUTPUT, market_types, "price levels; key: symbol number", 0},
    [EXCHANGE_TOPIC_TRADES] = {"exchange.trades", WEIR_TOPIC_OUTPUT, market_types, "trades; key: symbol number", 0},
    {0},
};

static const struct weir_listener listeners[] = {
    {"ouch", "order entry: OUCH 5.0-style messages over SoupBinTCP", "ouch", &exchange_ouch_protocol},
    {0},
};

static const struct weir_metric metrics[] = {
    [EXCHANGE_METRIC_COMMANDS] = {"commands_total", WEIR_METRIC_COUNTER, "Commands applied."},
    [EXCHANGE_METRIC_REJECTED] = {"rejected_total", WEIR_METRIC_COUNTER, "Commands refused."},
    [EXCHANGE_METRIC_TRADES] = {"trades_total", WEIR_METRIC_COUNTER, "Trades."},
    [EXCHANGE_METRIC_VOLUME] = {"volume_total", WEIR_METRIC_COUNTER, "Quantity traded."},
    [EXCHANGE_METRIC_OPEN] = {"open_orders", WEIR_METRIC_GAUGE, "Open orders."},
    {0},
};

#define STATUS_OF(value)                                                                                               \
    ((value) >= 3 && (value) <= 6                                          ? 404                                       \
        : (value) >= 7 && (value) <= 9                                     ? 409                                       \
        : (value) == 19 || (value) == 22                                   ? 409                                       \
        : (value) == 17 || (value) == 18 || (value) == 21 || (value) == 24 ? 503                                       \
                                                                           : 422)
static const struct weir_reason reasons[] = {
#define REASON(NAME, value, code, sentence) {value, code, sentence, STATUS_OF(value)},
    EXCHANGE_REASON_TABLE(REASON)
#undef REASON
        {0},
};

extern const struct weir_tool exchange_tools[];
const struct weir_service weir_service_exchange = {
    .name = "exchange",
    .summary =
        "price-time-priority matching engine: order books per symbol, OUCH-style and HTTP order entry, market data",
    /* 2: limits in force as records say; echoes and what was prevented behind events; connections
     * 3: a session hears that a reference is another open order's */
    .version = 3,
    .version_replays = 3,
    .partitions_setting = "partitions",
    .settings = settings,
    .topics = topics,
    .routes = exchange_routes,
    .listeners = listeners,
    .metrics = metrics,
    .reasons = reasons,
    .output_bytes_max =
        EXCHANGE_OUTPUT_BYTES_MAX(EXCHANGE_WORK_MAX) + 2 * sizeof(struct exchange_prevented) * (EXCHANGE_WORK_MAX + 1u),
    .state_bytes = exchange_state_bytes,
    .open = exchange_open,
    .apply = exchange_apply,
    .save = exchange_save,
    .load = exchange_load,
    .digest = exchange_digest,
    .dump = exchange_dump,
    .tools = exchange_tools,
    .projections = exchange_projections,
};
