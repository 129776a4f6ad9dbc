/* The node's own API. One table of routes; the handlers of topics, services and the page live in their own files. */
#include "edge/admin.h"

#include "base/units.h"
#include "edge/openapi.h"
#include "edge/services.h"
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
    for (int round = 0; round < 3 && registry; round++) {
        char *text = arena_alloc(arena, size);
        if (!text) break;
        size_t need = metric_print(registry, text, size);
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
    http_answer(call->conn, call->turn, &(struct http_answer){.body = call->lane->edge->openapi});
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
        char address[80];
        struct text_builder t = TEXT_BUILDER(address);
        text_printf(&t, strchr(edge->listeners[i].host, ':') ? "[%s]:%u" : "%s:%u", edge->listeners[i].host,
            edge->listeners[i].port);
        json_write_object_open(w);
        json_put_text(w, "name", edge->listeners[i].name);
        json_put_text(w, "address", address);
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
    json_write_object_close(w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

const struct route_built_in admin_routes[] = {
    {"GET", "/", "node", "A page that shows this node, for a browser", page_get, .content_type = "text/html"},
    {"GET", "/healthz", "node", "200 while the process serves", healthz, .content_type = "text/plain"},
    {"GET", "/readyz", "node", "200 once every partition has replayed its log and its outputs can be read", readyz,
        .content_type = "text/plain"},
    {"GET", "/metrics", "node", "Every metric in Prometheus' text format", metrics, .content_type = "text/plain"},
    {"GET", "/openapi.json", "node", "This API as OpenAPI 3.1", openapi},
    {"GET", "/v1/node", "node", "Build, lanes, services, partitions, offsets, lag, disk, memory, recovery", node_get},
    {"GET", "/v1/errors", "node", "Distinct errors since the start, with how often each happened", errors},
    {"GET", "/v1/services", "services", "The services that run here, with what stands in them", services_list},
    {"GET", "/v1/services/{name}", "services",
        "One service: settings in force, topics, routes, listeners, metrics, reasons, partitions", service_get},
    {"POST", "/v1/services/{name}/snapshot", "services",
        "Takes a snapshot of every partition now; answered when they count, with their offsets", service_snapshot},
    {"POST", "/v1/services/{name}/skip", "services", "Passes over a poison record that parked a partition",
        service_skip, .query = "partition offset"},
    {"GET", "/v1/topics", "topics", "All topics with their partitions and offsets", topics_list},
    {"POST", "/v1/topics", "topics", "Creates a topic", topics_create,
        .body = "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},"
                "\"partitions\":{\"type\":\"integer\",\"minimum\":1},\"retentionBytes\":{\"type\":\"integer\"},"
                "\"retentionMs\":{\"type\":\"integer\"},\"segmentBytes\":{\"type\":\"integer\"}}}"},
    {"GET", "/v1/topics/{name}", "topics", "One topic", topics_get},
    {"DELETE", "/v1/topics/{name}", "topics", "Deletes a topic and its records", topics_delete},
    {"POST", "/v1/topics/{name}/records", "topics", "Appends records; answered once they are on disk", topics_append,
        .query = "partition producerId producerEpoch sequence",
        .body = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                "\"keyBase64\":{\"type\":\"string\"},\"value\":{\"type\":\"string\"},"
                "\"valueBase64\":{\"type\":\"string\"}}}}"},
    {"GET", "/v1/topics/{name}/records", "topics", "Reads records from an offset (-1: the end), waiting if asked to",
        topics_read, .query = "partition offset limit wait"},
    {"GET", "/v1/topics/{name}/tail", "topics", "WebSocket: each new record as a JSON message", NULL, &topics_tail,
        .query = "partition from"},
    {0},
};
