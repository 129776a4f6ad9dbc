/* edge/services.h: the handlers of /v1/services, and what /v1/node shows of services too. */
#ifndef WEIR_EDGE_SERVICES_H
#define WEIR_EDGE_SERVICES_H
#include "edge/http_session.h"

/* The service named by the path's first parameter. NULL: answered that there is none. */
const struct weir_service *services_find(struct http_call *call, uint32_t *ret_index);
/* A desk's order was done: its text is the answer. */
void services_work_done(struct conn *conn, struct http_turn *turn, const struct host_delivery *delivery);
void services_list(struct http_call *call);
void service_get(struct http_call *call);
void service_snapshot(struct http_call *call);
void service_skip(struct http_call *call);

/* Members of an object: name, summary, version. */
void services_put_head(struct json_writer *w, const struct weir_service *service);
/* Members of an object: what its author declared: topics, reasons, routes, listeners, metrics. */
void services_put_declaration(struct json_writer *w, const struct weir_service *service);
/* The member "partitions"; service NULL: of all. */
void services_put_partitions(struct json_writer *w, const struct edge *edge, const char *service);
#endif
