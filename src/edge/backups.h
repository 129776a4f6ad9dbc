/* edge/backups.h: the node's backups over HTTP: what is known of them, and one more now. */
#ifndef WEIR_EDGE_BACKUPS_H
#define WEIR_EDGE_BACKUPS_H
#include "edge/http_session.h"

void backups_get(struct http_call *call);  /* 404 when backup.to is not set */
void backups_post(struct http_call *call); /* 202 at once; the answer's number tells when it has ended */
/* The member "backup" of an object: null when there are none. */
void backups_put(struct json_writer *w, const struct edge *edge);

#endif
