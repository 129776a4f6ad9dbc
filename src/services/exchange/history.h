/* exchange/history.h: orders and executions as rows, for questions that the live books don't answer. Its one user is
 * the projection exchange.history; docs/projections.md has its columns. */
#ifndef WEIR_EXCHANGE_HISTORY_H
#define WEIR_EXCHANGE_HISTORY_H
#include <weir/projection.h>

extern const struct weir_projection exchange_projections[];
extern const struct weir_select exchange_select_orders, exchange_select_executions;

#endif
