#include "exchange/tool_plan.h"
#include <stdlib.h>

void plan_done(struct plan *plan) {
    free(plan->requests);
    free(plan->levels);
    free(plan->makers);
    *plan = (struct plan){0};
}

enum weir_error plan_add(struct plan *plan, const struct plan_request *request) {
    if (plan->count == plan->room) {
        size_t room = plan->room ? plan->room * 2 : 4096;
        struct plan_request *requests = realloc(plan->requests, room * sizeof(*requests));
        if (requests == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for %zu requests", room);
        plan->requests = requests;
        plan->room = room;
    }
    plan->requests[plan->count++] = *request;
    return WEIR_OK;
}

void plan_command(
    const struct plan_request *request, const struct exchange_core *core, struct exchange_command *ret_command) {
    struct exchange_order_view order;
    *ret_command = (struct exchange_command){
        .side = request->side,
        .symbol = (uint32_t)request->symbol + 1,
        .account = PLAN_ACCOUNT,
        .price = request->price,
        .order_id = request->key,
        .flags = EXCHANGE_FLAG_BY_REF,
    };
    switch (request->kind) {
    case PLAN_CANCEL:
        ret_command->type = EXCHANGE_COMMAND_CANCEL;
        break;
    case PLAN_REDUCE:
        ret_command->type = EXCHANGE_COMMAND_REDUCE;
        if (exchange_core_order_by_ref(core, PLAN_ACCOUNT, request->key, &order) && order.leaves > request->quantity)
            ret_command->quantity = order.leaves - request->quantity;
        break;
    case PLAN_REPLACE:
        ret_command->type = EXCHANGE_COMMAND_REPLACE;
        if (exchange_core_order_by_ref(core, PLAN_ACCOUNT, request->key, &order))
            ret_command->quantity = order.executed + request->quantity;
        break;
    default:
        ret_command->type = EXCHANGE_COMMAND_NEW;
        ret_command->tif = request->kind == PLAN_IOC ? EXCHANGE_TIF_IOC : EXCHANGE_TIF_GTC;
        ret_command->quantity = request->quantity;
        ret_command->client_ref = request->key;
        ret_command->order_id = 0;
        ret_command->flags = 0;
        break;
    }
}

static enum weir_error plan_record(
    struct plan *plan, const struct weir_orderflow_record *r, struct exchange_core *core, uint32_t row) {
    static const uint8_t kinds[] = {[WEIR_ORDERFLOW_LIMIT] = PLAN_ENTER,
        [WEIR_ORDERFLOW_IOC] = PLAN_IOC,
        [WEIR_ORDERFLOW_CANCEL] = PLAN_CANCEL,
        [WEIR_ORDERFLOW_MOVE] = PLAN_REPLACE};
    struct plan_request request = {.kind = kinds[r->op],
        .side = r->side,
        .symbol = r->symbol,
        .quantity = r->quantity,
        .key = (uint32_t)r->order_id,
        .row = row,
        .price = r->price,
        .row_ends = true};
    if (r->quantity > PLAN_QUANTITY_MAX)
        return weir_error_context(
            WEIR_E_INVALID, "record %u: quantity %u is above the gateway's %u", row, r->quantity, PLAN_QUANTITY_MAX);
    if (r->price <= 0)
        return weir_error_context(
            WEIR_E_INVALID, "record %u: the gateway takes prices from 1, not %lld", row, (long long)r->price);
    struct exchange_order_view order;
    if (request.kind == PLAN_REPLACE && exchange_core_order_by_ref(core, PLAN_ACCOUNT, r->order_id, &order))
        request.quantity = (uint32_t)order.leaves;
    struct exchange_command command;
    plan_command(&request, core, &command);
    exchange_core_apply(core, &command, sizeof(command), r->time_ns);
    return plan_add(plan, &request);
}

enum weir_error plan_flow(const char *path, struct plan *ret_plan) {
    struct flow flow;
    enum weir_error error = flow_load(path, &flow);
    if (error) return error;
    struct plan plan = {.rows = (uint32_t)flow.count, .symbols = flow.symbols, .keys = flow.orders};
    if (!flow.dense) error = weir_error_context(WEIR_E_INVALID, "%s: order ids are not 1, 2, 3 ...", path);
    if (flow.count > UINT32_MAX) error = weir_error_context(WEIR_E_TOO_LARGE, "%s has too many records", path);
    struct exchange_limits limits = {
        .orders_max = flow.open_max + 64, .symbols_max = flow.symbols + 1, .accounts_max = PLAN_ACCOUNT};
    struct exchange_core *core = NULL;
    if (error == WEIR_OK) error = flow_engine_open(&limits, flow.symbols, &core);
    for (size_t i = 0; i < flow.count && error == WEIR_OK; i++) {
        error = plan_record(&plan, &flow.records[i], core, (uint32_t)i);
        if (error) error = weir_error_wrap(error, "%s", path);
    }
    if (core) flow_engine_close(core, &limits);
    flow_done(&flow);
    if (error) {
        plan_done(&plan);
        return error;
    }
    *ret_plan = plan;
    return WEIR_OK;
}
