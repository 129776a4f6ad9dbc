/* edge/edge.h: the node's face: listeners, HTTP and WebSocket sessions, gateways of services, admin API, metrics page.
 *
 * The edge lives on the host's lanes: it gives the host a struct host_edge whose functions run on each lane's thread.
 * Each lane has its own listening sockets (SO_REUSEPORT when there are several), connection table and buffers; lanes
 * share nothing but the read-only routing table, settings and counters.
 *
 *     edge_open()                 binds every listener: a port in use is found before anything is recovered
 *     host_open(.., edge_side())  then host_start(): lanes call the edge; edge_print_ready() gives the line for stdout
 *     edge_drain()                listeners close, sessions are told to leave; until edge_connections() is 0 or
 * patience ends host_stop(), host_close(), edge_close()
 *
 * Addresses: loopback, or any other with `auth: tokens` and either TLS or `insecure: true`. With port 0 in `listen`,
 * listeners of services whose address nobody set take any port too. Threads: open, close: one. drain, connections: any.
 * Everything else: the lanes. Memory: address space for connections_max per lane is mapped at open and costs what is
 * touched; buffers come from pools with a bound per lane. No allocation per request. Errors: CONFIG or FORBIDDEN with a
 * sentence for an address that is malformed or may not be listened on; EXISTS port in use; NO_MEMORY.
 */
#ifndef WEIR_EDGE_EDGE_H
#define WEIR_EDGE_EDGE_H
#include "edge/live.h"
#include "host/host.h"

struct edge;
struct backup_agent;
struct projection_agent;

struct edge_options {
    struct sys *sys;
    const struct settings *settings;
    const struct weir_service *const *services; /* those that run, NULL-terminated; the same array as the host's */
    uint32_t lanes;
    struct metric_registry *metrics; /* the edge registers its own and prints all at /metrics */
    const char *version;             /* "0.1.0" */
    /* Reads the configuration again and puts it in force (POST /v1/config/reload); text: a JSON object that tells what
     * changed or what is wrong. NULL: this node has none. The work agent. */
    enum weir_error (*reload)(void *ctx, char *text, size_t size);
    void *reload_ctx;
    /* Writes one whole log line (newline included) where logs go: stderr. Any thread. NULL: no log. */
    void (*log_put)(void *ctx, const char *line, size_t size);
    void *log_ctx;
};

/* What can be said of settings without opening anything: each mistake is told. Reads the certificates; at a start an
 * expired one is better than no node. */
void edge_check(struct sys *sys, const struct settings *settings, const struct weir_service *const *services,
    bool at_start, settings_mistake_fn mistake, void *ctx);
WEIR_MUST enum weir_error edge_open(const struct edge_options *options, struct edge **ret_edge);
/* Before host_start: the node's backups, for /v1/backup and /metrics; NULL: there are none. They need the log, which is
 * opened after the listeners. */
void edge_set_backup(struct edge *edge, struct backup_agent *backup);
/* The same for its projections: /v1/projections, and routes that read rows. */
void edge_set_projection(struct edge *edge, struct projection_agent *projection);
const struct host_edge *edge_side(const struct edge *edge); /* for host_options.edge */
/* "weir ready http=127.0.0.1:7070 exchange.ouch=127.0.0.1:9879": names and real addresses, no newline. Returns bytes
 * needed. */
size_t edge_print_ready(const struct edge *edge, char *buf, size_t size);
/* ---- reload, reload.c; one thread at a time ---- */
/* Reads certificates and all; nothing changes when it fails. */
WEIR_MUST enum weir_error edge_reload_prepare(struct edge *edge, const struct settings *next, struct live *ret_live);
/* Cannot fail; takes what `live` holds. pending: rows that wait for a restart. */
void edge_reload_commit(
    struct edge *edge, struct live *live, const struct settings *next, const struct settings_rows *pending);
void edge_reload_refused(struct edge *edge);     /* counts it */
bool edge_reload_taken(const struct edge *edge); /* by every lane */
/* To be called every now and then: when a certificate's file has changed, the new one is read, checked and put in
 * force; one that is wrong is told of, and the old one stays. settings: those in force. */
void edge_certificates_look(struct edge *edge, const struct settings *settings);
void edge_drain(struct edge *edge);
uint32_t edge_connections(const struct edge *edge); /* open now, all lanes */
void edge_close(struct edge *edge);

/* ---- the node's own log lines, also for whoever starts the node ------------------------------------------------- */
struct logline;
struct logline *edge_log(struct edge *edge);

#endif
