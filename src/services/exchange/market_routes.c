/* Symbols, books and figures over HTTP. */
#include "exchange/routes.h"
#include "schema/exchange.pb-c.h"

#define DEPTH_INITIAL 10
#define DEPTH_MAX     500
#define SYMBOLS_PAGE  100

/* ---- commands
 * ------------------------------------------------------------------------------------------------------------- */

static enum weir_error encode_terms(
    const struct weir_request *request, uint8_t type, struct weir_command *ret_command) {
    const Weir__Exchange__SymbolTerms *m = request->message;
    struct exchange_terms *terms = weir_scratch(request, sizeof *terms);
    if (!terms) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    if (m->quantity_max > INT64_MAX || m->notional_max > INT64_MAX || m->price_decimals > 18 ||
        m->quantity_decimals > 18)
        return weir_error_context(WEIR_E_INVALID, "quantityMax and notionalMax end at 2^63-1, decimals at 18");
    *terms = (struct exchange_terms){
        .type = type,
        .tick = m->tick ? m->tick : 1,
        .lot = m->lot ? m->lot : 1,
        .quantity_max = m->quantity_max,
        .notional_max = m->notional_max,
        .reference = m->reference,
        .band = m->band,
        .collar = m->collar,
        .decimals = m->price_decimals + (uint64_t)m->quantity_decimals * 256,
    };
    if (!exchange_name(terms->name, m->symbol))
        return weir_error_context(WEIR_E_INVALID, "symbol: a name of 1 to %d characters", EXCHANGE_NAME_SIZE);
    ret_command->partition = exchange_partition(m->symbol, request->partition_count);
    ret_command->type = EXCHANGE_RECORD_TERMS;
    ret_command->key = (struct weir_slice){0};
    ret_command->value = weir_slice(terms, sizeof *terms);
    return WEIR_OK;
}

enum weir_error exchange_encode_define(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_terms(request, EXCHANGE_COMMAND_DEFINE, ret_command);
}

enum weir_error exchange_encode_alter(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_terms(request, EXCHANGE_COMMAND_ALTER, ret_command);
}

static enum weir_error encode_symbol_command(
    const struct weir_request *request, uint8_t type, struct weir_command *ret_command) {
    const Weir__Exchange__SymbolRef *m = request->message;
    struct exchange_command command = {.type = type};
    ret_command->partition = exchange_partition(m->symbol, request->partition_count);
    return exchange_route_command(request, &command, m->symbol, ret_command);
}

enum weir_error exchange_encode_halt(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_symbol_command(request, EXCHANGE_COMMAND_HALT, ret_command);
}

enum weir_error exchange_encode_resume(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_symbol_command(request, EXCHANGE_COMMAND_RESUME, ret_command);
}

enum weir_error exchange_encode_day_end(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Exchange__DayEnd *m = request->message;
    struct exchange_command command = {.type = EXCHANGE_COMMAND_END_OF_DAY};
    bool one = m->symbol && m->symbol[0];
    if (!one && request->partition_count > 1)
        return weir_error_context(WEIR_E_INVALID, "symbol: with several partitions the day is ended symbol by symbol");
    ret_command->partition = one ? exchange_partition(m->symbol, request->partition_count) : 0;
    return exchange_route_command(request, &command, m->symbol, ret_command);
}

/* ---- queries
 * ---------------------------------------------------------------------------------------------------------------- */

enum weir_error exchange_partition_of_symbol(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Exchange__SymbolRef *m = request->message;
    *ret_partition = exchange_partition(m->symbol, request->partition_count);
    return WEIR_OK;
}

enum weir_error exchange_partition_of_book(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Exchange__BookRequest *m = request->message;
    *ret_partition = exchange_partition(m->symbol, request->partition_count);
    return WEIR_OK;
}

enum weir_error exchange_partition_of_symbols(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Exchange__SymbolsRequest *m = request->message;
    *ret_partition = m->partition;
    return WEIR_OK;
}

enum weir_error exchange_partition_of_stats(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Exchange__StatsRequest *m = request->message;
    *ret_partition = m->partition;
    return WEIR_OK;
}

static enum weir_error find_symbol(
    const struct exchange_fold *fold, const char *text, uint32_t *ret_number, struct exchange_symbol_view *ret_view) {
    char name[EXCHANGE_NAME_SIZE];
    uint32_t number = exchange_name(name, text) ? exchange_core_symbol_find(fold->core, name) : 0;
    if (number == 0 || !exchange_core_symbol(fold->core, number, ret_view))
        return weir_error_context(WEIR_E_NOT_FOUND,
            "there is no symbol %.40s; GET /v1/exchange/symbols lists them, POST /v1/exchange/symbols defines one",
            text);
    *ret_number = number;
    return WEIR_OK;
}

struct symbol_message {
    Weir__Exchange__Symbol symbol;
    Weir__Exchange__SymbolTerms terms;
    char name[EXCHANGE_NAME_SIZE + 1];
};

static void fill_symbol(const struct exchange_fold *fold, uint32_t number, const struct exchange_symbol_view *view,
    struct symbol_message *m) {
    weir__exchange__symbol__init(&m->symbol);
    weir__exchange__symbol_terms__init(&m->terms);
    memcpy(m->name, view->terms.name, EXCHANGE_NAME_SIZE);
    m->name[EXCHANGE_NAME_SIZE] = 0;
    m->terms.symbol = m->name;
    m->terms.tick = view->terms.tick;
    m->terms.lot = view->terms.lot;
    m->terms.quantity_max = view->terms.quantity_max;
    m->terms.notional_max = view->terms.notional_max;
    m->terms.reference = view->terms.reference;
    m->terms.band = view->terms.band;
    m->terms.collar = view->terms.collar;
    m->terms.price_decimals = (uint32_t)(view->terms.decimals & 255);
    m->terms.quantity_decimals = (uint32_t)(view->terms.decimals >> 8 & 255);
    m->symbol.terms = &m->terms;
    m->symbol.number = number;
    m->symbol.partition = fold->partition;
    m->symbol.state = (Weir__Exchange__TradingState)view->state;
    m->symbol.sequence = view->sequence_l2;
    m->symbol.last_price = view->last_price;
    m->symbol.last_quantity = view->last_quantity;
    m->symbol.volume = view->volume;
    m->symbol.trades = view->trades;
    m->symbol.open_orders = view->orders;
}

enum weir_error exchange_query_symbol(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    const Weir__Exchange__SymbolRef *m = request->message;
    struct exchange_symbol_view view;
    struct symbol_message message;
    uint32_t number = 0;
    enum weir_error e = find_symbol(fold, m->symbol, &number, &view);
    if (e) return e;
    fill_symbol(fold, number, &view, &message);
    return exchange_route_answer(answer, &message.symbol.base);
}

enum weir_error exchange_query_symbols(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    const Weir__Exchange__SymbolsRequest *m = request->message;
    struct symbol_message *messages = weir_scratch(request, SYMBOLS_PAGE * sizeof *messages);
    Weir__Exchange__Symbol *list[SYMBOLS_PAGE];
    struct exchange_symbol_view view;
    Weir__Exchange__Symbols symbols = WEIR__EXCHANGE__SYMBOLS__INIT;
    if (!messages) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    symbols.symbols = list;
    for (uint32_t n = m->after + 1;
         n > m->after && symbols.n_symbols < SYMBOLS_PAGE && exchange_core_symbol(fold->core, n, &view); n++) {
        size_t i = symbols.n_symbols++;
        fill_symbol(fold, n, &view, &messages[i]);
        list[i] = &messages[i].symbol;
    }
    return exchange_route_answer(answer, &symbols.base);
}

struct side_message {
    Weir__Exchange__Level **list;
    size_t count;
};

static enum weir_error fill_side(const struct exchange_fold *fold, uint32_t symbol, enum exchange_side side,
    size_t depth, const struct weir_request *request, struct side_message *m) {
    struct exchange_level_view *views = weir_scratch(request, depth * sizeof *views);
    Weir__Exchange__Level *levels = weir_scratch(request, depth * sizeof *levels);
    m->list = weir_scratch(request, depth * sizeof *m->list);
    if (!views || !levels || !m->list)
        return weir_error_context(WEIR_E_TOO_LARGE, "depth: ask for fewer levels at a time");
    m->count = exchange_core_depth(fold->core, symbol, side, views, depth);
    for (size_t i = 0; i < m->count; i++) {
        weir__exchange__level__init(&levels[i]);
        levels[i].price = views[i].price;
        levels[i].quantity = views[i].quantity;
        levels[i].orders = views[i].orders;
        m->list[i] = &levels[i];
    }
    return WEIR_OK;
}

enum weir_error exchange_query_book(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    const Weir__Exchange__BookRequest *m = request->message;
    struct exchange_symbol_view view;
    struct side_message bids, asks;
    uint32_t number = 0;
    size_t depth = m->depth ? m->depth : DEPTH_INITIAL;
    if (depth > DEPTH_MAX) return weir_error_context(WEIR_E_INVALID, "depth: at most %d levels a side", DEPTH_MAX);
    enum weir_error e = find_symbol(fold, m->symbol, &number, &view);
    if (!e) e = fill_side(fold, number, EXCHANGE_SIDE_BUY, depth, request, &bids);
    if (!e) e = fill_side(fold, number, EXCHANGE_SIDE_SELL, depth, request, &asks);
    if (e) return e;
    Weir__Exchange__Book book = WEIR__EXCHANGE__BOOK__INIT;
    book.symbol = m->symbol;
    book.sequence = view.sequence_l2;
    book.state = (Weir__Exchange__TradingState)view.state;
    book.bids = bids.list;
    book.n_bids = bids.count;
    book.asks = asks.list;
    book.n_asks = asks.count;
    book.last_price = view.last_price;
    book.last_quantity = view.last_quantity;
    return exchange_route_answer(answer, &book.base);
}

enum weir_error exchange_query_stats(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    struct exchange_stats s;
    (void)request;
    exchange_core_stats(fold->core, &s);
    Weir__Exchange__Stats m = WEIR__EXCHANGE__STATS__INIT;
    m.commands = s.commands;
    m.orders = s.orders;
    m.trades = s.trades;
    m.volume = s.volume;
    m.rejected = s.rejected;
    m.open_orders = s.open;
    m.levels = s.levels;
    m.symbols = s.symbols;
    return exchange_route_answer(answer, &m.base);
}
