/* edge/admin.h: the node's own API: health, metrics, what runs here and how it is. Handlers run on the lane that got
 * the request; facts of other lanes are read through the host's any-thread calls. */
#ifndef WEIR_EDGE_ADMIN_H
#define WEIR_EDGE_ADMIN_H
#include "edge/http_session.h"

extern const struct route_built_in admin_routes[]; /* ends with path NULL */

/* page.c */
void page_init(struct file *page);
void page_get(struct http_call *call);

#endif
