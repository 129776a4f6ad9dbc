/* Orders over HTTP. */
#include "exchange/routes.h"
#include "schema/exchange.pb-c.h"

#define NANOS_PER_MS UINT64_C(1000000)
#define ORDERS_PAGE  100

enum weir_error exchange_route_answer(struct weir_answer *answer, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = weir_answer_room(answer, size);
    if (!room)
        return weir_error_context(WEIR_E_TOO_LARGE, "the answer is larger than its limit; ask for less at a time");
    weir_answer_commit(answer, protobuf_c_message_pack(message, room));
    return WEIR_OK;
}

enum weir_error exchange_route_command(const struct weir_request *request, const struct exchange_command *command,
    const char *symbol, struct weir_command *ret_command) {
    struct exchange_named_command *named = weir_scratch(request, sizeof *named);
    if (!named) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    *named = (struct exchange_named_command){.command = *command};
    if (symbol && symbol[0] && !exchange_name(named->name, symbol))
        return weir_error_context(
            WEIR_E_INVALID, "symbol: \"%.40s\" is longer than %d characters", symbol, EXCHANGE_NAME_SIZE);
    ret_command->type = EXCHANGE_RECORD_REQUEST;
    ret_command->key = (struct weir_slice){0};
    ret_command->value = weir_slice(named, sizeof *named);
    return WEIR_OK;
}

/* ---- commands
 * ------------------------------------------------------------------------------------------------------------- */

/* A number may stand where a name should, and any number is one: what it means must not depend on its low bits. */
static enum weir_error check_kinds(const Weir__Exchange__NewOrder *m) {
    if (m->type != WEIR__EXCHANGE__ORDER_TYPE__LIMIT && m->type != WEIR__EXCHANGE__ORDER_TYPE__MARKET)
        return weir_error_context(WEIR_E_INVALID, "type: LIMIT or MARKET");
    if ((unsigned)m->time_in_force > EXCHANGE_TIF_FOK)
        return weir_error_context(WEIR_E_INVALID, "timeInForce: GTC, DAY, GTD, IOC or FOK");
    if ((unsigned)m->self_trade > EXCHANGE_STP_DECREMENT)
        return weir_error_context(
            WEIR_E_INVALID, "selfTrade: ALLOW, CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH or DECREMENT");
    return WEIR_OK;
}

enum weir_error exchange_encode_new(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Exchange__NewOrder *m = request->message;
    if (!m->symbol || !m->symbol[0]) return weir_error_context(WEIR_E_INVALID, "symbol: name the symbol to trade");
    if (m->side != WEIR__EXCHANGE__SIDE__BUY && m->side != WEIR__EXCHANGE__SIDE__SELL)
        return weir_error_context(WEIR_E_INVALID, "side: say \"BUY\" or \"SELL\"");
    if (m->account == 0) return weir_error_context(WEIR_E_INVALID, "account: whose order it is, a number from 1");
    if (m->expire_at_ms > UINT64_MAX / NANOS_PER_MS)
        return weir_error_context(WEIR_E_INVALID, "expireAtMs: too far away");
    enum weir_error e = check_kinds(m);
    if (e) return e;
    uint16_t flags = m->type == WEIR__EXCHANGE__ORDER_TYPE__MARKET ? EXCHANGE_FLAG_MARKET : 0;
    if (m->post_only) flags |= EXCHANGE_FLAG_POST_ONLY;
    struct exchange_command command = {
        .type = EXCHANGE_COMMAND_NEW,
        .side = m->side == WEIR__EXCHANGE__SIDE__BUY ? EXCHANGE_SIDE_BUY : EXCHANGE_SIDE_SELL,
        .tif = (uint8_t)m->time_in_force,
        .stp = (uint8_t)m->self_trade,
        .flags = flags,
        .account = m->account,
        .client_ref = m->client_ref,
        .price = m->price,
        .quantity = m->quantity,
        .expire_ns = m->expire_at_ms * NANOS_PER_MS,
    };
    ret_command->partition = exchange_partition(m->symbol, request->partition_count);
    return exchange_route_command(request, &command, m->symbol, ret_command);
}

static enum weir_error encode_target(const struct weir_request *request, uint64_t id, struct exchange_command *command,
    struct weir_command *ret_command) {
    if (id == 0) return weir_error_context(WEIR_E_INVALID, "id: an order's id is a number from 1");
    command->order_id = exchange_route_engine_id(request, id, &ret_command->partition);
    return exchange_route_command(request, command, NULL, ret_command);
}

enum weir_error exchange_encode_cancel(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Exchange__CancelOrder *m = request->message;
    struct exchange_command command = {.type = EXCHANGE_COMMAND_CANCEL, .account = m->account};
    return encode_target(request, m->id, &command, ret_command);
}

enum weir_error exchange_encode_reduce(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Exchange__ReduceOrder *m = request->message;
    struct exchange_command command = {.type = EXCHANGE_COMMAND_REDUCE, .account = m->account, .quantity = m->by};
    return encode_target(request, m->id, &command, ret_command);
}

enum weir_error exchange_encode_replace(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Exchange__ReplaceOrder *m = request->message;
    struct exchange_command command = {.type = EXCHANGE_COMMAND_REPLACE,
        .account = m->account,
        .price = m->price,
        .quantity = m->quantity,
        .client_ref = m->client_ref};
    return encode_target(request, m->id, &command, ret_command);
}

enum weir_error exchange_encode_mass_cancel(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Exchange__MassCancel *m = request->message;
    if ((unsigned)m->side > WEIR__EXCHANGE__SIDE__SELL)
        return weir_error_context(WEIR_E_INVALID, "side: \"BUY\", \"SELL\" or left out for both");
    uint8_t side = m->side == WEIR__EXCHANGE__SIDE__BUY    ? EXCHANGE_SIDE_BUY
                   : m->side == WEIR__EXCHANGE__SIDE__SELL ? EXCHANGE_SIDE_SELL
                                                           : EXCHANGE_SIDE_ANY;
    struct exchange_command command = {.type = EXCHANGE_COMMAND_MASS_CANCEL, .account = m->account, .side = side};
    bool one = m->symbol && m->symbol[0];
    if (!one && request->partition_count > 1)
        return weir_error_context(WEIR_E_INVALID, "symbol: with several partitions a mass cancel names its symbol");
    ret_command->partition = one ? exchange_partition(m->symbol, request->partition_count) : 0;
    return exchange_route_command(request, &command, m->symbol, ret_command);
}

static enum weir_error encode_account(
    const struct weir_request *request, uint8_t type, struct weir_command *ret_command) {
    const Weir__Exchange__AccountCommand *m = request->message;
    struct exchange_command command = {.type = type, .account = m->account};
    if (request->partition_count > 1)
        return weir_error_context(
            WEIR_E_UNSUPPORTED, "accounts are suspended on one partition only; exchange.partitions is larger");
    ret_command->partition = 0;
    return exchange_route_command(request, &command, NULL, ret_command);
}

enum weir_error exchange_encode_suspend(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_account(request, EXCHANGE_COMMAND_SUSPEND, ret_command);
}

enum weir_error exchange_encode_reinstate(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_account(request, EXCHANGE_COMMAND_REINSTATE, ret_command);
}

/* ---- replies
 * ---------------------------------------------------------------------------------------------------------------- */

enum weir_error exchange_decode_reply(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct exchange_reply reply;
    (void)status;
    if (value.size < sizeof reply)
        return weir_error_context(WEIR_E_CORRUPT, "exchange: a reply is %zu bytes", value.size);
    memcpy(&reply, value.data, sizeof reply);
    if (reply.version != 1 || reply.fills > EXCHANGE_REPLY_FILLS_MAX ||
        value.size != sizeof reply + reply.fills * sizeof(struct exchange_fill))
        return weir_error_context(WEIR_E_VERSION, "exchange: a reply of a layout this version does not know");
    Weir__Exchange__Fill fills[EXCHANGE_REPLY_FILLS_MAX], *list[EXCHANGE_REPLY_FILLS_MAX];
    for (uint32_t i = 0; i < reply.fills; i++) {
        struct exchange_fill fill;
        memcpy(&fill, value.data + sizeof reply + i * sizeof fill, sizeof fill);
        weir__exchange__fill__init(&fills[i]);
        fills[i].price = fill.price;
        fills[i].quantity = fill.quantity;
        fills[i].match_id = fill.match_id;
        list[i] = &fills[i];
    }
    Weir__Exchange__OrderReply m = WEIR__EXCHANGE__ORDER_REPLY__INIT;
    m.status = (Weir__Exchange__OrderStatus)reply.status;
    m.order_id = reply.order_id;
    m.client_ref = reply.client_ref;
    m.executed = reply.executed;
    m.leaves = reply.leaves;
    m.canceled_orders = reply.canceled_orders;
    m.n_fills = reply.fills;
    m.fills = list;
    m.reason = reply.reason;
    m.reason_code = (char *)(uintptr_t)exchange_reason_code(reply.reason);
    if (reply.reason) m.sentence = (char *)(uintptr_t)exchange_reason_sentence(reply.reason);
    return exchange_route_answer(answer, &m.base);
}

/* ---- queries
 * ---------------------------------------------------------------------------------------------------------------- */

enum weir_error exchange_partition_of_order(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Exchange__OrderRef *m = request->message;
    (void)exchange_route_engine_id(request, m->id, ret_partition);
    return WEIR_OK;
}

enum weir_error exchange_partition_of_account(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Exchange__AccountRef *m = request->message;
    *ret_partition = m->partition;
    return WEIR_OK;
}

/* A view as a message; the symbol's name is not NUL-terminated when it fills its field, hence the room. */
struct order_message {
    Weir__Exchange__Order order;
    char symbol[EXCHANGE_NAME_SIZE + 1];
};

static void fill_order(
    const struct exchange_fold *fold, const struct exchange_order_view *view, struct order_message *m) {
    struct exchange_symbol_view symbol;
    weir__exchange__order__init(&m->order);
    memset(m->symbol, 0, sizeof m->symbol);
    if (exchange_core_symbol(fold->core, view->symbol, &symbol))
        memcpy(m->symbol, symbol.terms.name, EXCHANGE_NAME_SIZE);
    m->order.order_id = exchange_public_id(view->id, fold->partition, fold->partition_count);
    m->order.client_ref = view->client_ref;
    m->order.symbol = m->symbol;
    m->order.side = view->side == EXCHANGE_SIDE_BUY ? WEIR__EXCHANGE__SIDE__BUY : WEIR__EXCHANGE__SIDE__SELL;
    m->order.time_in_force = (Weir__Exchange__TimeInForce)view->tif;
    m->order.price = view->price;
    m->order.leaves = view->leaves;
    m->order.executed = view->executed;
    m->order.account = view->account;
    m->order.expire_at_ms = view->expire_ns / NANOS_PER_MS;
}

enum weir_error exchange_query_order(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    const Weir__Exchange__OrderRef *m = request->message;
    struct exchange_order_view view;
    struct order_message message;
    if (!exchange_core_order(fold->core, m->id / fold->partition_count, &view))
        return weir_error_context(WEIR_E_NOT_FOUND,
            "there is no open order %llu; the topic exchange.events has its history", (unsigned long long)m->id);
    fill_order(fold, &view, &message);
    return exchange_route_answer(answer, &message.order.base);
}

enum weir_error exchange_query_account_orders(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct exchange_fold *fold = state;
    const Weir__Exchange__AccountRef *m = request->message;
    struct exchange_order_view views[ORDERS_PAGE];
    struct order_message *messages = weir_scratch(request, ORDERS_PAGE * sizeof *messages);
    Weir__Exchange__Order *list[ORDERS_PAGE];
    if (!messages) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    size_t count =
        exchange_core_account_orders(fold->core, m->account, m->after / fold->partition_count, views, ORDERS_PAGE);
    for (size_t i = 0; i < count; i++) {
        fill_order(fold, &views[i], &messages[i]);
        list[i] = &messages[i].order;
    }
    Weir__Exchange__Orders orders = WEIR__EXCHANGE__ORDERS__INIT;
    orders.n_orders = count;
    orders.orders = list;
    return exchange_route_answer(answer, &orders.base);
}
