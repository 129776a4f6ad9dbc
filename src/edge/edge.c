/* The edge: opens what listens, builds the routing table and the OpenAPI text, and stands between host and lanes. */
#include "base/units.h"
#include "edge/admin.h"
#include "edge/desk.h"
#include "edge/http_session.h"
#include "edge/openapi.h"
#include "edge/transcode.h"

#include <stdio.h>

#define ARENA_BLOCK (64u << 10)

/* ---- addresses ---- */

static bool is_loopback(const char *host) {
    return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0 ||
           text_starts_with(weir_slice_text(host), "127.");
}

static enum weir_error parse_address(
    const char *what, const char *text, char *host, size_t host_size, uint16_t *ret_port) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (!colon || n == 0 || n >= host_size || parse_u64(weir_slice_text(colon + 1), &port) || port > 65535)
        return weir_error_context(
            WEIR_E_CONFIG, "%s is '%.80s'; write it as HOST:PORT, such as 127.0.0.1:7070", what, text);
    memcpy(host, text + brackets, n - 2 * brackets);
    host[n - 2 * brackets] = 0;
    *ret_port = (uint16_t)port;
    return WEIR_OK;
}

/* Closed by default: what other machines can reach is encrypted, or somebody said in so many words that it need not be,
 * and asks who is there. Every listener passes here, whatever it speaks. */
static enum weir_error may_listen(const struct edge *edge, const struct listener *l) {
    if (is_loopback(l->host)) return WEIR_OK;
    if (!edge->auth.on)
        return weir_error_context(WEIR_E_FORBIDDEN,
            "%s is '%s:%u', which other machines can reach, and auth is off, so that everybody there could do "
            "everything; "
            "set `auth: tokens` (and TLS), make a token with `weir token create`, or use 127.0.0.1:%u",
            l->name, l->host, l->port, l->port);
    if (!l->has_tls && !edge->node[NODE_INSECURE].number)
        return weir_error_context(WEIR_E_FORBIDDEN,
            "%s is '%s:%u', which other machines can reach, without TLS, so that everybody on the way could read "
            "tokens; "
            "set tls.cert and tls.key, or use 127.0.0.1:%u behind a proxy with TLS; where the network itself is "
            "private, say `insecure: true`",
            l->name, l->host, l->port, l->port);
    return WEIR_OK;
}

/* With several lanes the port is shared; a first socket that does not share finds out whether somebody else has it. */
static enum weir_error listen_on_lanes(struct edge *edge, struct listener *l) {
    struct sys *sys = edge->sys;
    bool share = edge->options.lanes > 1;
    for (uint32_t i = 0; i < edge->options.lanes; i++)
        l->sockets[i] = -1;
    if (share) {
        int probe;
        enum weir_error e = sys->tcp_listen(sys, l->host, l->port, false, &probe, &l->port);
        if (e) return e;
        sys->socket_close(sys, probe);
    }
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        enum weir_error e = sys->tcp_listen(sys, l->host, l->port, share, &l->sockets[i], &l->port);
        if (e) return e;
    }
    return WEIR_OK;
}

static enum weir_error add_listener(struct edge *edge, const char *name, const char *address, bool any_port,
    const struct weir_protocol *protocol, uint32_t service) {
    if (edge->listener_count == EDGE_LISTENERS_MAX)
        return weir_error_context(WEIR_E_CONFIG, "more than %d listeners", EDGE_LISTENERS_MAX);
    struct listener *l = &edge->listeners[edge->listener_count];
    snprintf(l->name, sizeof l->name, "%s", name);
    l->protocol = protocol;
    l->service = service;
    enum weir_error e = parse_address(name, address, l->host, sizeof l->host, &l->port);
    if (!e) e = may_listen(edge, l);
    if (e) return e;
    if (any_port) l->port = 0;
    edge->listener_count++;
    return listen_on_lanes(edge, l);
}

static const char *setting_text(const struct edge *edge, const struct weir_service *service, const char *name) {
    const struct weir_setting_value *values = settings_of(edge->options.settings, service->name);
    for (uint32_t i = 0; values && service->settings && service->settings[i].name; i++)
        if (strcmp(service->settings[i].name, name) == 0) return values[i].text;
    return NULL;
}

/* A node that takes any port for HTTP (a test, a second node beside the first) means that for the rest too, unless
 * somebody chose their addresses. */
static bool may_take_any_port(const struct edge *edge, const struct weir_service *service, const char *name) {
    const struct settings *settings = edge->options.settings;
    const char *listen = edge->node[NODE_LISTEN].text, *colon = strrchr(listen, ':');
    if (!settings || !colon || strcmp(colon, ":0") != 0) return false;
    for (uint32_t g = 0; g < settings->count; g++) {
        const struct settings_group *group = &settings->groups[g];
        for (uint32_t i = 0; strcmp(group->name, service->name) == 0 && i < group->count; i++)
            if (strcmp(group->rows[i].name, name) == 0) return strcmp(group->origins[i], "initial") == 0;
    }
    return false;
}

static enum weir_error add_service_listeners(struct edge *edge, uint32_t index) {
    const struct weir_service *service = edge_service(edge, index);
    for (const struct weir_listener *row = service->listeners; row && row->name; row++) {
        char name[64];
        const char *address = setting_text(edge, service, row->setting);
        snprintf(name, sizeof name, "%s.%s", service->name, row->name);
        if (!address)
            return weir_error_context(
                WEIR_E_CONFIG, "%s: the setting %s.%s does not exist", name, service->name, row->setting);
        if (!*address || strcmp(address, "off") == 0) continue;
        enum weir_error e =
            add_listener(edge, name, address, may_take_any_port(edge, service, row->setting), row->protocol, index);
        if (e) return weir_error_wrap(e, "%s.%s", service->name, row->setting);
    }
    return WEIR_OK;
}

/* ---- routes ---- */

/* Every parameter must be a field of the request; found out at start, not by a client. */
static enum weir_error check_row(
    const struct weir_service *service, const struct weir_route *row, const struct route *route) {
    const ProtobufCMessageDescriptor *type = row->request;
    for (uint32_t i = 0; i < route->param_count; i++)
        if (row->kind != WEIR_ROUTE_SOCKET && (!type || !transcode_field(type, route->params[i])))
            return weir_error_context(WEIR_E_CONFIG,
                "%s: the route %s has the parameter %.*s, which its request does not", service->name, row->path,
                (int)route->params[i].size, (const char *)route->params[i].data);
    if (row->partition_by && (!type || !transcode_field(type, weir_slice_text(row->partition_by))))
        return weir_error_context(WEIR_E_CONFIG,
            "%s: the route %s is partitioned by %s, which its request does not have", service->name, row->path,
            row->partition_by);
    return WEIR_OK;
}

static enum weir_error add_service_routes(struct edge *edge, uint32_t index) {
    const struct weir_service *service = edge_service(edge, index);
    for (const struct weir_route *row = service->routes; row && row->path; row++) {
        struct route route = {.path = row->path, .service = index, .row = row, .handle = service_call};
        route.access = row->kind == WEIR_ROUTE_COMMAND ? ROUTE_SERVICE_WRITE : ROUTE_SERVICE_READ;
        if (row->kind == WEIR_ROUTE_SOCKET) route.protocol = row->protocol;
        enum weir_error e = routes_add(&edge->routes, &route, row->method ? row->method : "GET");
        if (!e) e = check_row(service, row, &edge->routes.rows[edge->routes.count - 1]);
        if (e) return e;
    }
    return WEIR_OK;
}

static enum weir_error add_routes(struct edge *edge) {
    routes_init(&edge->routes);
    for (const struct route_built_in *row = admin_routes; row->path; row++) {
        struct route route = {.path = row->path,
            .service = EDGE_NO_SERVICE,
            .access = row->access,
            .is_metrics = strcmp(row->path, "/metrics") == 0,
            .handle = row->handle,
            .built_in = row,
            .protocol = row->protocol};
        enum weir_error e = routes_add(&edge->routes, &route, row->method);
        if (e) return e;
    }
    for (uint32_t i = 0; i < edge->service_count; i++) {
        enum weir_error e = add_service_routes(edge, i);
        if (e) return e;
    }
    return WEIR_OK;
}

/* ---- metrics ---- */

static void register_lane(struct metric_registry *r, struct edge_lane *lane) {
    struct edge_lane_metrics *m = &lane->metrics;
    unsigned i = lane->index;
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_GAUGE, &m->connections_open, "weir_edge_connections", "Connections open now."},
        {METRIC_COUNTER, &m->connections_total, "weir_edge_connections_total", "Connections accepted."},
        {METRIC_COUNTER, &m->connections_refused, "weir_edge_connections_refused_total",
            "Connections refused at connections_max."},
        {METRIC_COUNTER, &m->accept_errors, "weir_edge_accept_errors_total", "Times accepting failed."},
        {METRIC_COUNTER, &m->bytes_received, "weir_edge_received_bytes_total", "Bytes read from clients."},
        {METRIC_COUNTER, &m->bytes_sent, "weir_edge_sent_bytes_total", "Bytes written to clients."},
        {METRIC_COUNTER, &m->slow_consumers, "weir_edge_slow_consumers_total",
            "Clients closed because they did not read."},
        {METRIC_COUNTER, &m->timeouts, "weir_edge_timeouts_total", "Connections whose idle time ran out."},
        {METRIC_GAUGE, &m->buffer_bytes, "weir_edge_buffer_bytes", "Memory in connection buffers."},
        {METRIC_COUNTER, &m->requests, "weir_http_requests_total", "HTTP requests begun."},
        {METRIC_HISTOGRAM_NS, &m->request_ns, "weir_http_request_seconds", "From a request's last byte to its answer."},
        {METRIC_COUNTER, &m->unauthorized, "weir_edge_unauthorized_total",
            "Requests and logins without a token that holds."},
        {METRIC_COUNTER, &m->forbidden, "weir_edge_forbidden_total", "Requests and commands that no role includes."},
        {METRIC_COUNTER, &m->limited, "weir_edge_limited_total", "Requests answered with 429."},
        {METRIC_COUNTER, &m->sessions_ended, "weir_edge_sessions_ended_total",
            "Sessions closed because their token was revoked or expired."},
        {METRIC_GAUGE, &m->sessions_open, "weir_edge_sessions", "Gateway and WebSocket sessions open now."},
        {METRIC_COUNTER, &m->sessions_total, "weir_edge_sessions_total", "Gateway and WebSocket sessions opened."},
        {METRIC_COUNTER, &m->commands, "weir_edge_commands_total", "Commands handed to the host."},
        {METRIC_COUNTER, &m->commands_refused, "weir_edge_commands_refused_total",
            "Commands the host had no room for."},
        {METRIC_COUNTER, &m->queries, "weir_edge_queries_total", "Queries handed to the host."},
        {METRIC_COUNTER, &m->records_sent, "weir_edge_records_delivered_total",
            "Subscribed records given to sessions."},
    };
    for (size_t k = 0; k < WEIR_ARRAY_COUNT(rows); k++)
        metric_register(r, rows[k].kind, rows[k].metric, rows[k].name, rows[k].help, "lane=\"%u\"", i);
    for (unsigned c = 1; c < 6; c++)
        metric_register(r, METRIC_COUNTER, &m->responses[c], "weir_http_responses_total",
            "HTTP responses by status class.", "lane=\"%u\",status=\"%uxx\"", i, c);
}

/* ---- the host's side ---- */

static enum weir_error on_start(void *ctx, struct host_lane *host) {
    struct edge *edge = ctx;
    if (!edge->host) {
        enum weir_error e = auth_load(edge);
        if (e) return e;
    }
    edge->host = host_lane_host(host);
    return edge_lane_start(&edge->lanes[host_lane_index(host)], host);
}

static void on_event(void *ctx, struct host_lane *host, uint64_t token, uint32_t bits) {
    (void)ctx;
    edge_lane_event(host_lane_edge(host), token, bits);
}

static void on_delivery(void *ctx, struct host_lane *host, const struct host_delivery *delivery) {
    (void)ctx;
    struct edge_lane *lane = host_lane_edge(host);
    if (delivery->origin.slot == DESK_SLOT) {
        lane->now_ns = host_lane_mono_ns(host);
        desk_deliver(lane, delivery);
        return;
    }
    struct conn *conn = edge_lane_conn(lane, delivery->origin.slot, delivery->origin.generation);
    lane->now_ns = host_lane_mono_ns(host);
    if (!conn) return;
    if (conn->kind == CONN_HTTP)
        http_session_deliver(conn, delivery);
    else
        gateway_deliver(conn, delivery);
}

static uint64_t on_cycle(void *ctx, struct host_lane *host, uint64_t mono_ns) {
    (void)ctx;
    return edge_lane_cycle(host_lane_edge(host), mono_ns);
}

static void on_stop(void *ctx, struct host_lane *host) {
    (void)ctx;
    edge_lane_stop(host_lane_edge(host));
}

/* ---- life ---- */

static void read_settings(struct edge *edge) {
    const struct weir_setting_value *s = edge->node;
    edge->limits = WEIR_HTTP_LIMITS_DEFAULT;
    edge->limits.head_bytes_max = (uint32_t)s[NODE_HEADER_BYTES].number;
    if (edge->limits.target_bytes_max > edge->limits.head_bytes_max)
        edge->limits.target_bytes_max = edge->limits.head_bytes_max;
    edge->limits.body_bytes_max = s[NODE_BODY_BYTES].number;
    edge->idle_ns = s[NODE_IDLE].number ? s[NODE_IDLE].number : 60 * SYS_NANOS_PER_S;
}

static enum weir_error open_lanes(struct edge *edge) {
    void *memory;
    edge->lanes_size = edge->options.lanes * sizeof(struct edge_lane);
    enum weir_error e = sys_memory_map(edge->lanes_size, &memory);
    if (e) return e;
    edge->lanes = memory;
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        e = edge_lane_open(&edge->lanes[i], edge, i);
        if (e) return e;
        if (edge->options.metrics) register_lane(edge->options.metrics, &edge->lanes[i]);
    }
    return WEIR_OK;
}

static enum weir_error open_all(struct edge *edge) {
    const struct weir_setting_value *s = edge->node;
    enum weir_error e = logline_init(&edge->log, edge->sys, s[NODE_LOG_LEVEL].text, s[NODE_LOG_FORMAT].text);
    if (!e) e = auth_open(edge);
    if (!e) e = add_listener(edge, "http", s[NODE_LISTEN].text, false, NULL, EDGE_NO_SERVICE);
    for (uint32_t i = 0; !e && i < edge->service_count; i++)
        e = add_service_listeners(edge, i);
    if (!e) e = add_routes(edge);
    if (!e) e = openapi_build(edge, &edge->arena, &edge->openapi);
    return e ? e : open_lanes(edge);
}

enum weir_error edge_open(const struct edge_options *options, struct edge **ret_edge) {
    void *memory;
    WEIR_ASSERT(options->lanes >= 1 && options->lanes <= LOG_LANES_MAX);
    enum weir_error e = sys_memory_map(sizeof(struct edge), &memory);
    if (e) return e;
    struct edge *edge = memory;
    edge->sys = options->sys;
    edge->options = *options;
    edge->node = settings_node(options->settings);
    while (options->services[edge->service_count])
        edge->service_count++;
    edge->started_mono_ns = edge->sys->mono_ns(edge->sys);
    edge->started_wall_ns = edge->sys->wall_ns(edge->sys);
    edge->log.put = options->log_put;
    edge->log.ctx = options->log_ctx;
    edge->side = (struct host_edge){edge, on_start, on_event, on_delivery, on_cycle, on_stop};
    arena_init(&edge->arena, NULL, ARENA_BLOCK, 0);
    read_settings(edge);
    e = open_all(edge);
    if (e) {
        edge_close(edge);
        return e;
    }
    *ret_edge = edge;
    return WEIR_OK;
}

const struct host_edge *edge_side(const struct edge *edge) {
    return &edge->side;
}

struct logline *edge_log(struct edge *edge) {
    return &edge->log;
}

size_t edge_print_ready(const struct edge *edge, char *buf, size_t size) {
    char own[EDGE_LISTENERS_MAX * 140];
    struct text_builder t = TEXT_BUILDER(own);
    text_add(&t, "weir ready");
    for (uint32_t i = 0; i < edge->listener_count; i++) {
        const struct listener *l = &edge->listeners[i];
        text_printf(&t, strchr(l->host, ':') ? " %s=[%s]:%u" : " %s=%s:%u", l->name, l->host, l->port);
    }
    if (size) snprintf(buf, size, "%s", own);
    return t.size;
}

void edge_drain(struct edge *edge) {
    atomic_store(&edge->draining, true);
    for (uint32_t i = 0; i < edge->options.lanes; i++)
        if (edge->lanes && edge->lanes[i].poller >= 0) edge->sys->poller_wake(edge->sys, edge->lanes[i].poller);
}

uint32_t edge_connections(const struct edge *edge) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < edge->options.lanes; i++)
        count += metric_get(&edge->lanes[i].metrics.connections_open);
    return (uint32_t)count;
}

void edge_close(struct edge *edge) {
    if (!edge) return;
    for (uint32_t i = 0; i < edge->listener_count; i++)
        for (uint32_t k = 0; k < edge->options.lanes; k++)
            if (edge->listeners[i].sockets[k] >= 0) edge->sys->socket_close(edge->sys, edge->listeners[i].sockets[k]);
    for (uint32_t i = 0; edge->lanes && i < edge->options.lanes; i++)
        edge_lane_close(&edge->lanes[i]);
    if (edge->lanes) sys_memory_unmap(edge->lanes, edge->lanes_size);
    auth_close(edge);
    arena_done(&edge->arena);
    sys_memory_unmap(edge, sizeof *edge);
}
