/* edge/effects.h: the handlers of /v1/services/{name}/effects: what is outstanding and dead, and operators' orders. */
#ifndef WEIR_EDGE_EFFECTS_H
#define WEIR_EDGE_EFFECTS_H
#include "edge/http_session.h"

void effects_list_get(struct http_call *call);
void effect_get(struct http_call *call);
void effects_order_post(struct http_call *call);
#endif
