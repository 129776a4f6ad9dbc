/* edge/listeners.h: the addresses the node listens on, as settings write them, and their sockets.
 *
 * A setting is a list separated by commas: HOST:PORT, [V6]:PORT, unix:/PATH; `tls:` or `plain:` in front of one decides
 * for it alone. Without such a word TCP speaks TLS when there is a certificate, and Unix sockets do not: who may open
 * one is decided by its permissions.
 * Owner: who opens and closes the edge; lanes own the sockets in between.
 */
#ifndef WEIR_EDGE_LISTENERS_H
#define WEIR_EDGE_LISTENERS_H
#include "host/settings.h"
#include "log/log.h"
#include "sys/sys.h"

#include <weir/service.h>

#define EDGE_LISTENERS_MAX   32
#define LISTENER_ADDRESS_MAX 140

struct edge;
struct listener {
    char name[64];                    /* "http", "exchange.ouch" */
    char host[SYS_UNIX_PATH_MAX + 1]; /* or the path */
    uint16_t port;
    bool is_unix;
    bool has_tls;                         /* its bytes are sealed, and its clients may have shown a certificate */
    const struct weir_protocol *protocol; /* NULL: HTTP */
    uint32_t service;
    int lock; /* of a Unix socket's path */
    int sockets[LOG_LANES_MAX];
};

/* All of them, in the order http, then services. CONFIG, FORBIDDEN, EXISTS with the setting's name. */
WEIR_MUST enum weir_error listeners_open(struct edge *edge);
/* Tells of each address that could not be listened on as it is written; opens nothing. */
void listeners_check(const struct settings *settings, const struct weir_service *const *services,
    settings_mistake_fn mistake, void *ctx);
void listeners_close(struct edge *edge);
/* "127.0.0.1:7070", "[::1]:7070", "unix:/run/weir.sock" */
void listener_address(const struct listener *listener, char buf[LISTENER_ADDRESS_MAX]);

#endif
