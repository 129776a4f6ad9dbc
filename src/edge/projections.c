#include "edge/projections.h"

#include "edge/desk.h"
#include "projection/agent.h"

#include <stdio.h>

static void put_positions(struct json_writer *w, const struct projection_agent *agent, uint32_t i, uint32_t count) {
    json_write_key(w, "partitions");
    json_write_array_open(w);
    for (uint32_t p = 0; p < count; p++) {
        struct projection_position position;
        projection_position(agent, i, p, &position);
        json_write_object_open(w);
        json_put_u64(w, "partition", p);
        json_put_u64(w, "start", position.start);
        json_put_u64(w, "next", position.next);
        json_put_u64(w, "high", position.high);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_facts(struct json_writer *w, const struct projection_agent *agent, uint32_t i, bool with_positions) {
    struct projection_facts f;
    projection_facts(agent, i, &f);
    json_write_object_open(w);
    json_put_text(w, "name", f.name);
    json_put_text(w, "summary", f.summary);
    json_put_text(w, "state", f.state);
    json_put_text(w, "topic", f.topic);
    json_put_text(w, "database", f.database);
    json_put_text(w, "where", f.where);
    json_put_u64(w, "lagRecords", f.lag);
    json_put_u64(w, "records", f.records);
    json_put_u64(w, "rows", f.rows);
    json_put_u64(w, "errors", f.errors);
    json_put_u64(w, "gapRecords", f.gap_records);
    json_put_u64(w, "expiredRows", f.expired_rows);
    json_put_u64(w, "epoch", f.epoch);
    json_put_u64(w, "rebuilds", f.rebuilds);
    json_write_key(w, "lastRecordUnixMs");
    if (f.last_record_ms)
        json_write_u64(w, f.last_record_ms);
    else
        json_write_null(w);
    json_put_text(w, "error", f.error[0] ? f.error : NULL);
    json_put_text(w, "rebuildError", f.rebuild_error[0] ? f.rebuild_error : NULL);
    if (with_positions) put_positions(w, agent, i, f.position_count);
    json_write_object_close(w);
}

void projections_list(struct http_call *call) {
    const struct projection_agent *agent = call->lane->edge->projection;
    struct http_json json;
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    json_write_key(&json.w, "projections");
    json_write_array_open(&json.w);
    for (uint32_t i = 0; i < projection_count(agent); i++)
        put_facts(&json.w, agent, i, false);
    json_write_array_close(&json.w);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* Of the path; -1: it was answered. */
static int find(struct http_call *call) {
    char text[300];
    int i = projection_find(call->lane->edge->projection, call->params[0]);
    if (i >= 0) return i;
    snprintf(text, sizeof text,
        "no projection %.*s runs here; GET /v1/projections lists them, projection.run says which do",
        (int)(call->params[0].size < 80 ? call->params[0].size : 80), call->params[0].data);
    http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND, text);
    return -1;
}

void projection_get(struct http_call *call) {
    struct http_json json;
    int i = find(call);
    if (i < 0) return;
    http_json_begin(call->lane, &json);
    put_facts(&json.w, call->lane->edge->projection, (uint32_t)i, true);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* ---- rebuild ---- */

struct rebuild_work {
    struct projection_agent *agent;
    uint32_t index;
};

static enum weir_error rebuild_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct rebuild_work *work = arg;
    (void)host;
    uint64_t number = projection_rebuild(work->agent, work->index);
    snprintf(text, text_size, "{\"number\":%llu}", (unsigned long long)number);
    return WEIR_OK;
}

static void rebuild_done(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error)
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
    else
        http_answer(conn, turn, &(struct http_answer){.status = 202, .body = d->value});
}

/* Records that retention took have no rows afterwards: only who says so may lose them. */
static bool would_lose(struct http_call *call, uint32_t i) {
    struct projection_facts facts;
    struct projection_position p;
    char text[300];
    projection_facts(call->lane->edge->projection, i, &facts);
    for (uint32_t k = 0; k < facts.position_count; k++) {
        projection_position(call->lane->edge->projection, i, k, &p);
        if (p.start == 0) continue;
        snprintf(text, sizeof text,
            "the log begins at offset %llu of %s/%u: rows of records before that would be gone. To have it so, add "
            "partial=true (weir projection rebuild --partial)",
            (unsigned long long)p.start, facts.topic, k);
        http_fail(call->conn, call->turn, WEIR_E_CONFLICT, text);
        return true;
    }
    return false;
}

static bool is_partial(const struct http_call *call) {
    struct weir_slice rest = call->request->query;
    struct weir_http_query_pair pair;
    while (weir_http_query_next(&rest, &pair))
        if (weir_slice_equal(pair.name, weir_slice_text("partial")))
            return weir_slice_equal(pair.value, weir_slice_text("true"));
    return false;
}

void projection_rebuild_post(struct http_call *call) {
    int i = find(call);
    if (i < 0 || (!is_partial(call) && would_lose(call, (uint32_t)i))) return;
    const struct rebuild_work work = {call->lane->edge->projection, (uint32_t)i};
    desk_begin(call, &(struct desk_order){.action = "projection.rebuild",
                         .target = call->params[0],
                         .fn = rebuild_work,
                         .arg = &work,
                         .arg_size = sizeof work,
                         .deliver = rebuild_done});
}
