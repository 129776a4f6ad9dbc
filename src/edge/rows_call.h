/* edge/rows_call.h: routes of kind WEIR_ROUTE_ROWS: a request becomes a question to the projection's database. */
#ifndef WEIR_EDGE_ROWS_CALL_H
#define WEIR_EDGE_ROWS_CALL_H
#include "edge/http_session.h"

void rows_call(struct http_call *call, const struct weir_request *request);
/* Once per cycle of the lane: answers that came. */
void rows_cycle(struct edge_lane *lane);

#endif
