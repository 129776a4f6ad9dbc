/* edge/openapi.h: the API as OpenAPI 3.1, made once at start from the routing table, the services' declarations and
 * their Protobuf descriptors, so that it cannot say anything else than what is served. */
#ifndef WEIR_EDGE_OPENAPI_H
#define WEIR_EDGE_OPENAPI_H
#include "edge/lane.h"

WEIR_MUST enum weir_error openapi_build(const struct edge *edge, struct arena *arena, struct weir_slice *ret_text);

#endif
