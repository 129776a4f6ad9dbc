/* The edge: opens what listens, builds the routing table and the OpenAPI text, and stands between host and lanes. */
#include "base/units.h"
#include "edge/admin.h"
#include "edge/desk.h"
#include "edge/http_session.h"
#include "edge/openapi.h"
#include "edge/transcode.h"

#include <stdio.h>

#define ARENA_BLOCK (64u << 10)

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
        {METRIC_COUNTER, &m->tls_handshakes, "weir_tls_handshakes_total", "TLS handshakes done."},
        {METRIC_COUNTER, &m->tls_resumed, "weir_tls_resumed_total", "Of them those that a ticket made short."},
        {METRIC_GAUGE, &m->tls_handshakes_open, "weir_tls_handshakes", "TLS handshakes under way."},
        {METRIC_HISTOGRAM_NS, &m->tls_handshake_ns, "weir_tls_handshake_seconds",
            "From accepting to a handshake's end."},
        {METRIC_COUNTER, &m->records_sent, "weir_edge_records_delivered_total",
            "Subscribed records given to sessions."},
    };
    for (size_t k = 0; k < WEIR_ARRAY_COUNT(rows); k++)
        metric_register(r, rows[k].kind, rows[k].metric, rows[k].name, rows[k].help, "lane=\"%u\"", i);
    for (unsigned c = 1; c < 6; c++)
        metric_register(r, METRIC_COUNTER, &m->responses[c], "weir_http_responses_total",
            "HTTP responses by status class.", "lane=\"%u\",status=\"%uxx\"", i, c);
    for (unsigned f = 0; f < TLS_FAILURE_COUNT; f++)
        metric_register(r, METRIC_COUNTER, &m->tls_failures[f], "weir_tls_failures_total",
            "TLS handshakes that failed, by reason.", "lane=\"%u\",reason=\"%s\"", i, tls_failure_names[f]);
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

/* A service that gave something away in its reply, which reached nobody, takes it back by a command. Should that find no
 * room, the service's own deadline for what it gave remains. */
static void undelivered(struct edge_lane *lane, const struct host_delivery *d) {
    if (d->kind != HOST_REPLY || d->error || d->service == 0) return;
    uint32_t index = d->service - 1u;
    const struct weir_service *service = edge_service(lane->edge, index);
    if (!service->undelivered) return;
    struct arena_mark mark = arena_save(&lane->arena);
    struct weir_request request = {.principal = "",
        .tenant = "",
        .partition_count = host_service_partitions(lane->edge->host, index),
        .settings = host_service_settings(lane->edge->host, index),
        .scratch = &lane->arena};
    struct host_command command = {.service = index};
    weir_error_clear();
    enum weir_error e = service->undelivered(&request, d->status, d->value, &command.command);
    command.command.partition = d->partition;
    if (!e) e = host_submit(lane->host, &command);
    if (e && e != WEIR_E_NOT_FOUND) logline_error(&lane->edge->log, LOGLINE_WARN, "undelivered_reply", e, NULL);
    arena_restore(&lane->arena, mark);
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
    if (!conn)
        undelivered(lane, delivery);
    else if (conn->kind != CONN_HTTP)
        gateway_deliver(conn, delivery);
    else if (!http_session_deliver(conn, delivery))
        undelivered(lane, delivery);
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

static enum weir_error open_lanes(struct edge *edge, const struct live *live) {
    void *memory;
    edge->lanes_size = edge->options.lanes * sizeof(struct edge_lane);
    enum weir_error e = sys_memory_map(edge->lanes_size, &memory);
    if (e) return e;
    edge->lanes = memory;
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        e = edge_lane_open(&edge->lanes[i], edge, i);
        if (e) return e;
        live_copy(&edge->lanes[i].live, live);
        if (edge->options.metrics) register_lane(edge->options.metrics, &edge->lanes[i]);
    }
    return WEIR_OK;
}

void edge_check(struct sys *sys, const struct settings *settings, const struct weir_service *const *services,
    bool at_start, settings_mistake_fn mistake, void *ctx) {
    const struct weir_setting_value *s = settings_node(settings);
    struct live live = {0};
    if (logline_set(NULL, s[NODE_LOG_LEVEL].text, s[NODE_LOG_FORMAT].text)) mistake(ctx, weir_error_text());
    if (live_read(sys, settings, at_start, &live)) mistake(ctx, weir_error_text());
    live_done(&live);
    if (auth_check_settings(s)) mistake(ctx, weir_error_text());
    listeners_check(settings, services, mistake, ctx);
}

static enum weir_error open_all(struct edge *edge) {
    const struct weir_setting_value *s = edge->node;
    struct live live = {0};
    struct weir_slice openapi = weir_slice("", 0);
    enum weir_error e = logline_init(&edge->log, edge->sys, s[NODE_LOG_LEVEL].text, s[NODE_LOG_FORMAT].text);
    if (!e) e = live_read(edge->sys, edge->options.settings, true, &live);
    if (!e) reload_say_certificates(edge, &live);
    if (!e) e = auth_open(edge);
    if (!e) e = listeners_open(edge);
    if (!e) e = add_routes(edge);
    if (!e) e = openapi_build(edge, &edge->arena, &openapi);
    file_init(&edge->openapi, openapi, "application/json");
    page_init(&edge->page);
    if (!e) e = open_lanes(edge, &live);
    reload_begin(edge, &live);
    return e;
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
    e = open_all(edge);
    if (e) {
        edge_close(edge);
        return e;
    }
    *ret_edge = edge;
    return WEIR_OK;
}

void edge_set_backup(struct edge *edge, struct backup_agent *backup) {
    edge->backup = backup;
}

const struct host_edge *edge_side(const struct edge *edge) {
    return &edge->side;
}

struct logline *edge_log(struct edge *edge) {
    return &edge->log;
}

size_t edge_print_ready(const struct edge *edge, char *buf, size_t size) {
    char own[EDGE_LISTENERS_MAX * (LISTENER_ADDRESS_MAX + 64)];
    struct text_builder t = TEXT_BUILDER(own);
    text_add(&t, "weir ready");
    for (uint32_t i = 0; i < edge->listener_count; i++) {
        char address[LISTENER_ADDRESS_MAX];
        listener_address(&edge->listeners[i], address);
        text_printf(&t, " %s=%s", edge->listeners[i].name, address);
    }
    if (size) snprintf(buf, size, "%s", own);
    return t.size;
}

void edge_drain(struct edge *edge) {
    atomic_store(&edge->draining, true);
    if (edge->host) host_late_end(edge->host);
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
    listeners_close(edge);
    live_done(&edge->reload.live);
    for (uint32_t i = 0; edge->lanes && i < edge->options.lanes; i++)
        edge_lane_close(&edge->lanes[i]);
    if (edge->lanes) sys_memory_unmap(edge->lanes, edge->lanes_size);
    auth_close(edge);
    arena_done(&edge->arena);
    sys_memory_unmap(edge, sizeof *edge);
}
