/* edge/projections.h: the node's projections over HTTP: what is known of them, and all rows again. */
#ifndef WEIR_EDGE_PROJECTIONS_H
#define WEIR_EDGE_PROJECTIONS_H
#include "edge/http_session.h"

void projections_list(struct http_call *call);
void projection_get(struct http_call *call);          /* 404 when none of that name runs */
void projection_rebuild_post(struct http_call *call); /* audited; the answer's number tells when it was done */

#endif
