/* /v1/services: what runs here, what is in force there and where each partition stands; snapshots and skips by order.
 */
#include "edge/services.h"

#include "base/units.h"
#include "edge/desk.h"
#include <weir/projection.h>

/* ---- shared with /v1/node ---- */

static void put_partition(struct json_writer *w, const struct host_partition_facts *f, uint64_t wall_ns) {
    json_write_object_open(w);
    json_put_text(w, "service", f->service);
    json_put_text(w, "topic", f->topic);
    json_put_u64(w, "partition", f->partition);
    json_put_u64(w, "lane", f->lane);
    json_put_u64(w, "version", f->version);
    json_put_u64(w, "applied", f->applied);
    json_put_u64(w, "durable", f->durable);
    json_put_u64(w, "high", f->high);
    json_put_u64(w, "snapshot", f->snapshot);
    if (f->snapshot_bytes) {
        json_put_u64(w, "snapshotBytes", f->snapshot_bytes);
        json_put_u64(w, "snapshotAgeSeconds",
            wall_ns > f->snapshot_time_ns ? (wall_ns - f->snapshot_time_ns) / SYS_NANOS_PER_S : 0);
    }
    json_put_u64(w, "lag", f->durable > f->applied ? f->durable - f->applied : 0);
    json_put_u64(w, "stateBytes", f->state_bytes);
    char hash[20];
    struct text_builder t = TEXT_BUILDER(hash);
    text_printf(&t, "%016llx", (unsigned long long)f->emission_hash);
    json_put_text(w, "emissionHash", hash);
    text_clear(&t);
    text_printf(&t, "%016llx", (unsigned long long)f->digest);
    json_put_text(w, "digest", hash);
    json_put_bool(w, "replaying", f->replaying);
    json_put_bool(w, "parked", f->parked);
    if (f->parked) {
        json_put_u64(w, "parkedOffset", f->parked_offset);
        json_put_text(w, "parkedReason", f->parked_text);
    }
    json_write_object_close(w);
}

void services_put_partitions(struct json_writer *w, const struct edge *edge, const char *service) {
    const struct host *host = edge->host;
    uint64_t wall_ns = edge->sys->wall_ns(edge->sys);
    json_write_key(w, "partitions");
    json_write_array_open(w);
    for (uint32_t i = 0; i < host_partition_count(host); i++) {
        struct host_partition_facts facts;
        host_partition_facts(host, i, &facts);
        if (!service || strcmp(service, facts.service) == 0) put_partition(w, &facts, wall_ns);
    }
    json_write_array_close(w);
}

void services_put_head(struct json_writer *w, const struct weir_service *service) {
    json_put_text(w, "name", service->name);
    json_put_text(w, "summary", service->summary);
    json_put_u64(w, "version", service->version);
}

/* ---- /v1/services ---- */

const struct weir_service *services_find(struct http_call *call, uint32_t *ret_index) {
    const struct edge *edge = call->lane->edge;
    const char *names[256];
    uint32_t count = 0;
    for (uint32_t i = 0; i < edge->service_count; i++) {
        const struct weir_service *service = edge_service(edge, i);
        if (weir_slice_equal(weir_slice_text(service->name), call->params[0])) {
            *ret_index = i;
            return service;
        }
        if (count < WEIR_ARRAY_COUNT(names)) names[count++] = service->name;
    }
    int nearest = text_nearest(call->params[0], names, count);
    char detail[256], shown[100];
    struct text_builder t = TEXT_BUILDER(detail), s = TEXT_BUILDER(shown);
    text_add_quoted(&s, call->params[0], 64);
    text_printf(&t, "no service %s runs here", shown);
    if (nearest >= 0) text_printf(&t, "; did you mean %s?", names[nearest]);
    http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND, detail);
    return NULL;
}

static void put_settings(
    struct json_writer *w, const struct weir_service *service, const struct weir_setting_value *values) {
    json_write_key(w, "settings");
    json_write_object_open(w);
    for (uint32_t i = 0; service->settings && values && service->settings[i].name; i++) {
        char shown[64];
        struct text_builder t = TEXT_BUILDER(shown);
        json_write_key(w, service->settings[i].name);
        switch (service->settings[i].kind) {
        case WEIR_SETTING_UINT:
            json_write_u64(w, values[i].number);
            break;
        case WEIR_SETTING_BOOL:
            json_write_bool(w, values[i].number);
            break;
        case WEIR_SETTING_BYTES:
            text_add_bytes(&t, values[i].number);
            json_write_text(w, shown);
            break;
        case WEIR_SETTING_DURATION:
            text_add_duration(&t, values[i].number);
            json_write_text(w, shown);
            break;
        case WEIR_SETTING_TEXT:
            json_write_text(w, values[i].text);
            break;
        }
    }
    json_write_object_close(w);
}

static void put_rows(struct json_writer *w, const struct weir_service *service) {
    json_write_key(w, "topics");
    json_write_array_open(w);
    for (const struct weir_topic *t = service->topics; t && t->name; t++) {
        json_write_object_open(w);
        json_put_text(w, "name", t->name);
        json_put_text(w, "role", t->role == WEIR_TOPIC_INPUT ? "input" : "output");
        json_put_text(w, "summary", t->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_key(w, "reasons");
    json_write_array_open(w);
    for (const struct weir_reason *r = service->reasons; r && r->name; r++) {
        json_write_object_open(w);
        json_put_u64(w, "code", r->code);
        json_put_text(w, "name", r->name);
        json_put_text(w, "sentence", r->sentence);
        json_put_u64(w, "status", r->status);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_ways_in(struct json_writer *w, const struct weir_service *service) {
    json_write_key(w, "routes");
    json_write_array_open(w);
    for (const struct weir_route *r = service->routes; r && r->path; r++) {
        json_write_object_open(w);
        json_put_text(w, "method", r->method ? r->method : "GET");
        json_put_text(w, "path", r->path);
        json_put_text(w, "summary", r->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_key(w, "listeners");
    json_write_array_open(w);
    for (const struct weir_listener *l = service->listeners; l && l->name; l++) {
        json_write_object_open(w);
        json_put_text(w, "name", l->name);
        json_put_text(w, "setting", l->setting);
        json_put_text(w, "summary", l->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_metrics(struct json_writer *w, const struct weir_service *service) {
    char name[128];
    json_write_key(w, "metrics");
    json_write_array_open(w);
    for (const struct weir_metric *m = service->metrics; m && m->name; m++) {
        struct text_builder t = TEXT_BUILDER(name);
        text_printf(&t, "weir_%s_%s", service->name, m->name);
        json_write_object_open(w);
        json_put_text(w, "name", name);
        json_put_text(w, "help", m->help);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_columns(struct json_writer *w, const struct weir_table *table) {
    static const char *const kinds[] = {"integer", "real", "text", "bytes"};
    json_write_key(w, "columns");
    json_write_array_open(w);
    for (const struct weir_column *c = table->columns; c->name; c++) {
        json_write_object_open(w);
        json_put_text(w, "name", c->name);
        json_put_text(w, "kind", kinds[c->kind]);
        json_put_bool(w, "key", c->is_key);
        json_put_text(w, "summary", c->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_projections(struct json_writer *w, const struct weir_service *service) {
    json_write_key(w, "projections");
    json_write_array_open(w);
    for (const struct weir_projection *p = service->projections; p && p->name; p++) {
        json_write_object_open(w);
        json_put_text(w, "name", p->name);
        json_put_text(w, "topic", service->topics[p->topic].name);
        json_put_text(w, "summary", p->summary);
        json_put_bool(w, "onRequest", p->on_request);
        json_write_key(w, "tables");
        json_write_array_open(w);
        for (const struct weir_table *t = p->tables; t && t->name; t++) {
            json_write_object_open(w);
            json_put_text(w, "name", t->name);
            json_put_text(w, "summary", t->summary);
            put_columns(w, t);
            json_write_object_close(w);
        }
        json_write_array_close(w);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

void services_put_declaration(struct json_writer *w, const struct weir_service *service) {
    put_rows(w, service);
    put_projections(w, service);
    put_ways_in(w, service);
    put_metrics(w, service);
}

/* Each with what stands in it, summed over partitions. */
void services_list(struct http_call *call) {
    const struct edge *edge = call->lane->edge;
    struct http_json json;
    http_json_begin(call->lane, &json);
    struct json_writer *w = &json.w;
    json_write_object_open(w);
    json_write_key(w, "services");
    json_write_array_open(w);
    for (uint32_t i = 0; i < edge->service_count; i++) {
        uint64_t applied = 0, lag = 0, state_bytes = 0, parked = 0;
        for (uint32_t k = 0; k < host_partition_count(edge->host); k++) {
            struct host_partition_facts f;
            host_partition_facts(edge->host, k, &f);
            if (strcmp(f.service, edge_service(edge, i)->name) != 0) continue;
            applied += f.applied;
            lag += f.durable > f.applied ? f.durable - f.applied : 0;
            state_bytes += f.state_bytes;
            parked += f.parked;
        }
        json_write_object_open(w);
        json_put_text(w, "name", edge_service(edge, i)->name);
        json_put_u64(w, "version", edge_service(edge, i)->version);
        json_put_u64(w, "partitions", host_service_partitions(edge->host, i));
        json_put_u64(w, "applied", applied);
        json_put_u64(w, "lag", lag);
        json_put_u64(w, "parked", parked);
        json_put_u64(w, "stateBytes", state_bytes);
        json_put_text(w, "summary", edge_service(edge, i)->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_object_close(w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

void service_get(struct http_call *call) {
    uint32_t index;
    const struct weir_service *service = services_find(call, &index);
    if (!service) return;
    struct http_json json;
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    services_put_head(&json.w, service);
    json_put_u64(&json.w, "versionReplays", service->version_replays);
    put_settings(&json.w, service, host_service_settings(call->lane->edge->host, index));
    services_put_declaration(&json.w, service);
    services_put_partitions(&json.w, call->lane->edge, service->name);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

struct service_work {
    char name[64];
    uint32_t partition;
    uint64_t offset;
};

static enum weir_error snapshot_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct service_work *work = arg;
    enum weir_error e = host_service_snapshot(host, work->name);
    struct text_builder t = text_builder(text, text_size);
    if (!e) text_add(&t, work->name);
    return e;
}

static enum weir_error skip_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct service_work *work = arg;
    enum weir_error e = host_service_skip(host, work->name, work->partition, work->offset);
    struct text_builder t = text_builder(text, text_size);
    if (!e)
        text_printf(&t, "{\"service\":\"%s\",\"partition\":%u,\"skipped\":%llu}", work->name, work->partition,
            (unsigned long long)work->offset);
    return e;
}

void services_work_done(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error)
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
    else
        http_answer(conn, turn,
            &(struct http_answer){
                .body = d->value.size ? d->value : weir_slice_text(d->text && *d->text ? d->text : "{}")});
}

/* Where each partition's snapshot stands now. */
static void snapshot_done(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    char name[64];
    struct text_builder t = TEXT_BUILDER(name);
    text_add_slice(&t, d->value);
    if (d->error) {
        services_work_done(conn, turn, d);
        return;
    }
    struct http_json json;
    http_json_begin(conn->lane, &json);
    struct json_writer *w = &json.w;
    json_write_object_open(w);
    json_put_text(w, "service", name);
    json_put_bool(w, "snapshot", true);
    json_write_key(w, "partitions");
    json_write_array_open(w);
    for (uint32_t i = 0; i < host_partition_count(conn->lane->edge->host); i++) {
        struct host_partition_facts f;
        host_partition_facts(conn->lane->edge->host, i, &f);
        if (strcmp(f.service, name) != 0) continue;
        json_write_object_open(w);
        json_put_u64(w, "partition", f.partition);
        json_put_u64(w, "offset", f.snapshot);
        json_put_u64(w, "bytes", f.snapshot_bytes);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_object_close(w);
    http_json_answer(conn, turn, &json, 200);
}

static void start_work(struct http_call *call, const struct service_work *work, struct desk_order order) {
    order.target = weir_slice_text(work->name);
    order.arg = work;
    order.arg_size = sizeof *work;
    desk_begin(call, &order);
}

void service_snapshot(struct http_call *call) {
    uint32_t index;
    struct service_work work = {0};
    const struct weir_service *service = services_find(call, &index);
    if (!service) return;
    struct text_builder t = TEXT_BUILDER(work.name);
    text_add(&t, service->name);
    start_work(
        call, &work, (struct desk_order){.action = "service.snapshot", .fn = snapshot_work, .deliver = snapshot_done});
}

void service_skip(struct http_call *call) {
    uint32_t index;
    uint64_t partition;
    struct service_work work = {0};
    const struct weir_service *service = services_find(call, &index);
    if (!service || !http_query_u64(call, "partition", 0, &partition) ||
        !http_query_u64(call, "offset", UINT64_MAX, &work.offset))
        return;
    if (work.offset == UINT64_MAX || partition >= host_service_partitions(call->lane->edge->host, index)) {
        http_fail(call->conn, call->turn, WEIR_E_INVALID,
            "say which record to pass over: ?partition=P&offset=N of a partition of this service");
        return;
    }
    work.partition = (uint32_t)partition;
    struct text_builder t = TEXT_BUILDER(work.name);
    text_add(&t, service->name);
    start_work(
        call, &work, (struct desk_order){.action = "service.skip", .fn = skip_work, .deliver = services_work_done});
}
