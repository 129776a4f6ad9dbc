/* exchange/routes.h: the HTTP side: requests into records, replies and state into messages. Pure functions over their
 * arguments; scratch memory is the request's. */
#ifndef WEIR_EXCHANGE_ROUTES_H
#define WEIR_EXCHANGE_ROUTES_H
#include "exchange/fold.h"
#include <protobuf-c/protobuf-c.h>

/* A message into the answer. */
WEIR_MUST enum weir_error exchange_route_answer(struct weir_answer *answer, const ProtobufCMessage *message);
/* A named command as the record to append; symbol "" names none. */
WEIR_MUST enum weir_error exchange_route_command(const struct weir_request *request,
    const struct exchange_command *command, const char *symbol, struct weir_command *ret_command);
/* Takes a public id apart. */
static inline uint64_t exchange_route_engine_id(
    const struct weir_request *request, uint64_t id, uint32_t *ret_partition) {
    *ret_partition = (uint32_t)(id % request->partition_count);
    return id / request->partition_count;
}

/* Orders (order_routes.c). */
WEIR_MUST enum weir_error exchange_encode_new(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_cancel(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_reduce(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_replace(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_mass_cancel(
    const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_suspend(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_reinstate(
    const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_decode_reply(uint16_t status, struct weir_slice value, struct weir_answer *answer);
WEIR_MUST enum weir_error exchange_partition_of_order(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error exchange_partition_of_account(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error exchange_query_order(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error exchange_query_account_orders(
    const void *state, const struct weir_request *request, struct weir_answer *answer);

/* Symbols and market data (market_routes.c). */
WEIR_MUST enum weir_error exchange_encode_define(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_alter(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_halt(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_resume(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_encode_day_end(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error exchange_partition_of_symbol(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error exchange_partition_of_book(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error exchange_partition_of_symbols(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error exchange_partition_of_stats(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error exchange_query_symbol(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error exchange_query_symbols(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error exchange_query_book(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error exchange_query_stats(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
#endif
