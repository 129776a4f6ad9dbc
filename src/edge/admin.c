/* The node's own API. One table of routes; the handlers of topics, services, tokens and the page live in their own
 * files. */
#include "edge/admin.h"

#include "backup/agent.h"
#include "base/units.h"
#include "edge/backups.h"
#include "edge/desk.h"
#include "edge/effects.h"
#include "edge/openapi.h"
#include "edge/projections.h"
#include "edge/services.h"
#include "edge/token_routes.h"
#include "edge/topics.h"

/* ---- health and metrics ---- */

static void healthz(struct http_call *call) {
    http_answer(call->conn, call->turn,
        &(struct http_answer){.content_type = "text/plain; charset=utf-8", .body = weir_slice("ok\n", 3)});
}

static void readyz(struct http_call *call) {
    if (host_ready(call->lane->edge->host))
        healthz(call);
    else
        http_fail(call->conn, call->turn, WEIR_E_CLOSED, "the node is replaying its log; it serves when that is done");
}

#define METRICS_BYTES_MIN (64u << 10)

static void metrics(struct http_call *call) {
    struct arena *arena = &call->lane->arena;
    const struct metric_registry *registry = call->lane->edge->options.metrics;
    size_t size = METRICS_BYTES_MIN;
    memory_measure(call->lane->edge);
    if (call->lane->edge->backup) backup_agent_refresh(call->lane->edge->backup);
    for (int round = 0; round < 3 && registry; round++) {
        char *text = arena_alloc(arena, size);
        if (!text) break;
        size_t need = metric_print(registry, text, size);
        struct text_builder tail = text_builder(text + (need < size ? need : size - 1), need < size ? size - need : 1);
        if (need < size) auth_print_metrics(call->lane->edge, &tail);
        if (tail.truncated)
            need = size + METRICS_BYTES_MIN;
        else
            need += tail.size;
        if (need <= size) {
            http_answer(call->conn, call->turn,
                &(struct http_answer){
                    .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = weir_slice(text, need)});
            return;
        }
        size = need + need / 8;
    }
    http_fail(call->conn, call->turn, WEIR_E_NO_MEMORY, "the metrics page needs more memory than one request may have");
}

static void openapi(struct http_call *call) {
    file_answer(call, &call->lane->edge->openapi);
}

static void errors(struct http_call *call) {
    struct http_json json;
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    json_write_key(&json.w, "errors");
    logline_print_errors(&call->lane->edge->log, &json.w);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* ---- the node ---- */

static void put_recovery(struct json_writer *w, const struct log_recovery *r) {
    json_write_key(w, "recovery");
    json_write_object_open(w);
    json_put_bool(w, "clean", r->clean);
    json_put_u64(w, "frames", r->frames);
    json_put_u64(w, "journalBytes", r->journal_bytes);
    json_put_u64(w, "tornBytes", r->torn_bytes);
    json_put_u64(w, "records", r->records);
    json_put_u64(w, "lazyRecords", r->lazy_records);
    json_put_u64(w, "segmentBytesDiscarded", r->segment_bytes_discarded);
    json_put_double(w, "elapsedMs", (double)r->elapsed_ns / 1e6);
    json_write_object_close(w);
}

static void put_disk(struct json_writer *w, struct edge *edge) {
    struct sys_disk_space space;
    struct log *log = host_log(edge->host);
    uint64_t stored = 0;
    for (uint32_t i = 0; i < log_topic_count(log); i++) {
        const struct log_topic *topic = log_topic_at(log, i);
        for (uint32_t p = 0; topic && p < topic->partition_count; p++)
            stored += atomic_load_explicit(&topic->partitions[p]->bytes, memory_order_relaxed);
    }
    json_write_key(w, "disk");
    json_write_object_open(w);
    json_put_text(w, "folder", edge->node[NODE_DATA].text);
    json_put_text(w, "journalWrite", sys_commit_path_name(log_journal_write(log)));
    json_put_u64(w, "segmentBytes", stored);
    if (edge->sys->disk_space(edge->sys, edge->node[NODE_DATA].text, &space) == WEIR_OK) {
        json_put_u64(w, "bytesTotal", space.bytes_total);
        json_put_u64(w, "bytesFree", space.bytes_free);
    }
    json_write_object_close(w);
}

static void put_lanes(struct json_writer *w, const struct edge *edge) {
    json_write_key(w, "lanes");
    json_write_array_open(w);
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        const struct edge_lane_metrics *m = &edge->lanes[i].metrics;
        json_write_object_open(w);
        json_put_u64(w, "lane", i);
        json_put_u64(w, "connections", metric_get(&m->connections_open));
        json_put_u64(w, "sessions", metric_get(&m->sessions_open));
        json_put_u64(w, "requests", metric_get(&m->requests));
        json_put_u64(w, "commands", metric_get(&m->commands));
        json_put_double(w, "requestP99Ms", (double)metric_quantile(&m->request_ns, 0.99) / 1e6);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_listeners(struct json_writer *w, const struct edge *edge) {
    json_write_key(w, "listeners");
    json_write_array_open(w);
    for (uint32_t i = 0; i < edge->listener_count; i++) {
        char address[LISTENER_ADDRESS_MAX];
        listener_address(&edge->listeners[i], address);
        json_write_object_open(w);
        json_put_text(w, "name", edge->listeners[i].name);
        json_put_text(w, "address", address);
        json_put_bool(w, "tls", edge->listeners[i].has_tls);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void node_get(struct http_call *call) {
    struct edge *edge = call->lane->edge;
    struct http_json json;
    http_json_begin(call->lane, &json);
    struct json_writer *w = &json.w;
    json_write_object_open(w);
    json_put_text(w, "version", edge->options.version ? edge->options.version : "");
    json_put_bool(w, "ready", host_ready(edge->host));
    json_put_bool(w, "draining", atomic_load(&edge->draining));
    json_put_u64(w, "startedUnixMs", edge->started_wall_ns / SYS_NANOS_PER_MS);
    json_put_double(w, "uptimeSeconds", (double)(edge->sys->mono_ns(edge->sys) - edge->started_mono_ns) / 1e9);
    json_put_u64(w, "memoryResidentBytes", edge->sys->memory_resident(edge->sys));
    put_listeners(w, edge);
    reload_print(edge, w);
    put_lanes(w, edge);
    json_write_key(w, "services");
    json_write_array_open(w);
    for (uint32_t i = 0; i < edge->service_count; i++) {
        json_write_object_open(w);
        services_put_head(w, edge_service(edge, i));
        json_put_u64(w, "partitions", host_service_partitions(edge->host, i));
        json_write_object_close(w);
    }
    json_write_array_close(w);
    services_put_partitions(w, edge, NULL);
    put_disk(w, edge);
    put_recovery(w, log_recovered(host_log(edge->host)));
    backups_put(w, edge);
    json_write_object_close(w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* ---- configuration ---- */

struct reload_work {
    struct edge *edge;
};

static enum weir_error reload_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct edge *edge = ((const struct reload_work *)arg)->edge;
    (void)host;
    return edge->options.reload(edge->options.reload_ctx, text, text_size);
}

static void put_mistakes(void *ctx, struct json_writer *w) {
    const struct weir_slice *lines = ctx;
    struct weir_slice rest = *lines;
    json_write_key(w, "mistakes");
    json_write_array_open(w);
    while (rest.size) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t n = end ? (size_t)(end - rest.data) : rest.size;
        json_write_slice(w, weir_slice(rest.data, n));
        rest = weir_slice(rest.data + n + (end != NULL), rest.size - n - (end != NULL));
    }
    json_write_array_close(w);
}

/* Refused: the value is a line for each mistake. */
static void reload_done(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    struct weir_slice lines = d->value;
    if (d->error == WEIR_E_CONFIG && lines.size)
        http_problem(conn, turn,
            &(struct http_problem){.status = 422,
                .code = "CONFIG",
                .title = "the configuration is wrong, and the old one stays in force",
                .detail = d->text,
                .fields = put_mistakes,
                .ctx = &lines});
    else if (d->error)
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
    else
        http_answer(conn, turn, &(struct http_answer){.body = d->value});
}

static void config_reload(struct http_call *call) {
    const struct reload_work work = {call->lane->edge};
    if (work.edge->options.reload)
        desk_begin(call, &(struct desk_order){.action = "config.reload",
                             .fn = reload_work,
                             .arg = &work,
                             .arg_size = sizeof work,
                             .deliver = reload_done});
    else
        http_fail(call->conn, call->turn, WEIR_E_UNSUPPORTED, "this node was not started from a configuration");
}

const struct route_built_in admin_routes[] = {
    {"GET", "/", ROUTE_OPEN, "node", "A page that shows this node, for a browser", page_get,
        .content_type = "text/html"},
    {"GET", "/healthz", ROUTE_OPEN, "node", "200 while the process serves", healthz, .content_type = "text/plain"},
    {"GET", "/readyz", ROUTE_OPEN, "node", "200 once every partition has replayed its log and its outputs can be read",
        readyz, .content_type = "text/plain"},
    {"GET", "/metrics", ROUTE_NODE_READ, "node", "Every metric in Prometheus' text format", metrics,
        .content_type = "text/plain"},
    {"GET", "/openapi.json", ROUTE_ANY_TOKEN, "node", "This API as OpenAPI 3.1", openapi},
    {"GET", "/v1/node", ROUTE_NODE_READ, "node",
        "Build, lanes, services, partitions, offsets, lag, disk, memory, recovery", node_get},
    {"POST", "/v1/config/reload", ROUTE_NODE_ADMIN, "node",
        "Reads the configuration again: checks all of it, puts in force what may change, lists what needs a restart",
        config_reload},
    {"GET", "/v1/errors", ROUTE_NODE_READ, "node", "Distinct errors since the start, with how often each happened",
        errors},
    {"GET", "/v1/backup", ROUTE_NODE_READ, "node", "The node's backups: age of the last cut, last success and failure",
        backups_get},
    {"POST", "/v1/backup", ROUTE_NODE_ADMIN, "node", "Begins a backup; it has ended when GET says finished >= number",
        backups_post},
    {"GET", "/v1/projections", ROUTE_NODE_READ, "node",
        "The projections that run here: state, lag, where their rows are", projections_list},
    {"GET", "/v1/projections/{name}", ROUTE_NODE_READ, "node", "One projection, with its position in each partition",
        projection_get},
    {"POST", "/v1/projections/{name}/rebuild", ROUTE_NODE_ADMIN, "node",
        "Makes all its rows again; it was done when GET says rebuilds >= number", projection_rebuild_post,
        .query = "partial"},
    {"GET", "/v1/services", ROUTE_NODE_READ, "services", "The services that run here, with what stands in them",
        services_list},
    {"GET", "/v1/services/{name}", ROUTE_SERVICE_READ, "services",
        "One service: settings in force, topics, routes, listeners, metrics, reasons, partitions", service_get},
    {"POST", "/v1/services/{name}/snapshot", ROUTE_SERVICE_ADMIN, "services",
        "Takes a snapshot of every partition now; answered when they count, with their offsets", service_snapshot},
    {"POST", "/v1/services/{name}/skip", ROUTE_SERVICE_ADMIN, "services",
        "Passes over a poison record that parked a partition", service_skip, .query = "partition offset"},
    {"GET", "/v1/services/{name}/effects", ROUTE_SERVICE_READ, "services",
        "Effects of a partition that are outstanding or dead, and the gates of each row", effects_list_get,
        .query = "partition effect state limit after"},
    {"GET", "/v1/services/{name}/effects/{id}", ROUTE_SERVICE_READ, "services",
        "One effect with its request and every attempt", effect_get, .query = "partition"},
    {"POST", "/v1/services/{name}/effects/{order}", ROUTE_SERVICE_ADMIN, "services",
        "requeue or drop one (id) or all dead ones of a row (id=all, effect), pause or resume a row (effect)",
        effects_order_post, .query = "partition id effect"},
    {"GET", "/v1/tokens", ROUTE_NODE_ADMIN, "tokens", "All tokens, without their secrets", tokens_list_get},
    {"POST", "/v1/tokens", ROUTE_NODE_ADMIN, "tokens", "Makes a token; its secret is in the answer and nowhere else",
        tokens_create_post, .body = TOKEN_BODY_SCHEMA},
    {"POST", "/v1/tokens/{name}/rotate", ROUTE_NODE_ADMIN, "tokens",
        "A new secret for a token; the old one works as long as asked", tokens_rotate_post, .body = TOKEN_GRACE_SCHEMA},
    {"DELETE", "/v1/tokens/{name}", ROUTE_NODE_ADMIN, "tokens", "Revokes a token and ends its sessions",
        tokens_revoke_delete},
    {"GET", "/v1/tenants", ROUTE_NODE_ADMIN, "tokens", "All tenants and their limits", tenants_list_get},
    {"PUT", "/v1/tenants/{name}", ROUTE_NODE_ADMIN, "tokens", "Limits all tokens of a tenant together",
        tenants_limit_put, .body = TENANT_BODY_SCHEMA},
    {"GET", "/v1/topics", ROUTE_ANY_TOKEN, "topics", "All topics with their partitions and offsets", topics_list},
    {"POST", "/v1/topics", ROUTE_TOPIC_ADMIN, "topics", "Creates a topic", topics_create,
        .body = "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},"
                "\"partitions\":{\"type\":\"integer\",\"minimum\":1},"
                "\"durability\":{\"type\":\"string\",\"enum\":[\"durable\",\"lazy\",\"memory\"]},"
                "\"compression\":{\"type\":\"string\",\"enum\":[\"producer\",\"none\",\"lz4\",\"zstd\"]},"
                "\"retentionBytes\":{\"type\":\"integer\"},"
                "\"retentionMs\":{\"type\":\"integer\"},\"segmentBytes\":{\"type\":\"integer\"}}}"},
    {"GET", "/v1/topics/{name}", ROUTE_TOPIC_READ, "topics", "One topic", topics_get},
    {"DELETE", "/v1/topics/{name}", ROUTE_TOPIC_ADMIN, "topics", "Deletes a topic and its records", topics_delete},
    {"POST", "/v1/topics/{name}/records", ROUTE_TOPIC_WRITE, "topics",
        "Appends records; answered once they are on disk", topics_append,
        .query = "partition producerId producerEpoch sequence",
        .body = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                "\"keyBase64\":{\"type\":\"string\"},\"value\":{\"type\":\"string\"},"
                "\"valueBase64\":{\"type\":\"string\"}}}}"},
    {"GET", "/v1/topics/{name}/records", ROUTE_TOPIC_READ, "topics",
        "Reads records from an offset (-1: the end), waiting if asked to", topics_read,
        .query = "partition offset limit wait"},
    {"GET", "/v1/topics/{name}/tail", ROUTE_TOPIC_READ, "topics", "WebSocket: each new record as a JSON message", NULL,
        &topics_tail, .query = "partition from"},
    {0},
};
