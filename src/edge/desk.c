#include "edge/desk.h"

#include "edge/auth.h"
#include "edge/batch_build.h"

#include <stdio.h>

#define NOTE         UINT64_MAX /* correlation of a record that nobody waits for */
#define DETAIL_SHOWN 512u

static struct host_origin own_origin(const struct edge_lane *lane, uint64_t correlation) {
    return (struct host_origin){.lane = lane->index, .slot = DESK_SLOT, .correlation = correlation};
}

/* ---- records ---- */

static void put_cut(struct json_writer *w, const char *key, const char *text, size_t size, size_t max) {
    struct weir_slice s = weir_slice(text, size);
    if (s.size > max) s.size = max;
    s.size = utf8_valid_size(s); /* a client's bytes may be anything; a cut may fall inside a character */
    json_put_slice(w, key, s);
}

static void put_time(struct json_writer *w, struct edge_lane *lane) {
    char time[CIVIL_TEXT_SIZE];
    civil_format((int64_t)lane->sys->wall_ns(lane->sys), 3, time);
    json_put_text(w, "time", time);
}

static enum weir_error append(
    struct edge_lane *lane, const char *key, const struct http_json *json, uint64_t correlation) {
    struct weir_slice batch;
    if (!json_writer_finished(&json->w)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for an audit record");
    enum weir_error e = batch_build_one(&lane->arena, weir_slice_text(key), text_slice(&json->text),
        lane->sys->wall_ns(lane->sys) / SYS_NANOS_PER_MS, &batch);
    return e ? e : host_audit_append(lane->host, batch, own_origin(lane, correlation));
}

static enum weir_error record(struct edge_lane *lane, const struct desk_row *row, bool is_done) {
    struct arena_mark mark = arena_save(&lane->arena);
    struct http_json json;
    http_json_begin(lane, &json);
    struct json_writer *w = &json.w;
    json_write_object_open(w);
    put_time(w, lane);
    json_put_text(w, "phase", is_done ? "done" : "asked");
    json_put_text(w, "action", row->action);
    json_put_text(w, "target", row->target);
    json_put_text(w, "principal", row->principal);
    json_put_text(w, "tenant", row->tenant);
    json_put_text(w, "peer", row->peer);
    json_put_text(w, "requestId", row->id);
    if (is_done) json_put_text(w, "outcome", weir_error_name(row->error));
    if (is_done && row->error) put_cut(w, "detail", row->text, row->text_size, DETAIL_SHOWN);
    if (!is_done && row->body_size) put_cut(w, "detail", row->body, row->body_size, DESK_BODY_MAX);
    json_write_object_close(w);
    enum weir_error e = append(lane, row->action, &json, (uint64_t)(row - lane->desk->rows));
    arena_restore(&lane->arena, mark);
    return e;
}

void desk_note(struct conn *conn, const char *action, const struct token *token, const struct http_turn *turn,
    const char *detail) {
    struct edge_lane *lane = conn->lane;
    struct auth *auth = &lane->edge->auth;
    static const struct rate_limit limit = {
        RATE_NANOS_PER_S / AUTH_NOTES_PER_S, AUTH_NOTES_AT_ONCE * RATE_NANOS_PER_S / AUTH_NOTES_PER_S};
    uint64_t wait_ns;
    if (!rate_take(&auth->notes, limit, lane->now_ns, &wait_ns)) {
        atomic_fetch_add_explicit(&auth->notes_left_out, 1, memory_order_relaxed);
        return;
    }
    struct arena_mark mark = arena_save(&lane->arena);
    struct http_json json;
    http_json_begin(lane, &json);
    struct json_writer *w = &json.w;
    json_write_object_open(w);
    put_time(w, lane);
    json_put_text(w, "phase", "refused");
    json_put_text(w, "action", action);
    if (turn && turn->route) json_put_text(w, "target", turn->route->path);
    json_put_text(w, "principal", token ? token->name : "");
    json_put_text(w, "tenant", auth_tenant(lane, token));
    json_put_text(w, "peer", conn->peer);
    if (turn) json_put_slice(w, "requestId", weir_slice(turn->id, turn->id_size));
    json_put_text(w, "detail", detail);
    json_put_u64(w, "leftOut", atomic_exchange_explicit(&auth->notes_left_out, 0, memory_order_relaxed));
    json_write_object_close(w);
    if (append(lane, action, &json, NOTE)) weir_error_clear(); /* the metrics count it all the same */
    arena_restore(&lane->arena, mark);
}

/* ---- an action's way ---- */

/* Behind an error's sentence, what the function said in detail. */
static struct weir_slice cut_details(struct desk_row *row) {
    char *end = row->error ? memchr(row->text, '\n', row->text_size) : NULL;
    if (!end) return weir_slice(row->text, row->error ? 0 : row->text_size);
    *end = 0;
    return weir_slice(end + 1, row->text_size - (size_t)(end + 1 - row->text));
}

static void answer(struct edge_lane *lane, struct desk_row *row) {
    struct weir_slice told = cut_details(row);
    struct conn *conn = edge_lane_conn(lane, row->origin.slot, row->origin.generation);
    struct host_delivery d = {.kind = HOST_DONE,
        .origin = row->origin,
        .error = row->error,
        .status = row->status,
        .text = row->error ? row->text : "",
        .value = told};
    row->phase = DESK_FREE;
    lane->desk->busy--;
    if (conn && conn->kind == CONN_HTTP) (void)http_session_deliver(conn, &d);
    if (conn && conn->kind == CONN_STREAM) (void)gateway_deliver(conn, &d);
    explicit_bzero(row->text, row->text_size); /* it may have been a secret */
}

static void set_outcome(struct desk_row *row, enum weir_error error, struct weir_slice text) {
    row->error = error;
    row->status = (uint16_t)weir_error_http(error);
    row->text_size = (uint32_t)(text.size < sizeof row->text - 1 ? text.size : sizeof row->text - 1);
    if (text.size) memcpy(row->text, text.data, row->text_size);
    row->text[row->text_size] = 0;
}

static void set_told(struct desk_row *row, const struct host_delivery *d) {
    const char *text = d->text ? d->text : "";
    set_outcome(row, d->error, d->error || !d->value.size ? weir_slice_text(text) : d->value);
    if (!d->error || !d->value.size) return;
    size_t room = sizeof row->text - 1 - row->text_size;
    int size =
        snprintf(row->text + row->text_size, room + 1, "\n%.*s", (int)d->value.size, (const char *)d->value.data);
    row->text_size += (uint32_t)((size_t)size < room ? (size_t)size : room);
}

static void fail(struct edge_lane *lane, struct desk_row *row, enum weir_error error, const char *what) {
    char text[600];
    struct text_builder t = TEXT_BUILDER(text);
    text_printf(&t, "%s: %s", what, weir_error_text()[0] ? weir_error_text() : weir_error_sentence(error));
    set_outcome(row, error, text_slice(&t));
    answer(lane, row);
}

/* The outcome stays what it was. One that was done must not sound like a refusal (NO_SPACE), after which a client takes
 * the world for unchanged. */
static void answer_unrecorded(struct edge_lane *lane, struct desk_row *row) {
    if (row->error)
        answer(lane, row);
    else
        fail(lane, row, WEIR_E_IO, "it was done, and could not be recorded");
}

static void record_outcome(struct edge_lane *lane, struct desk_row *row) {
    bool was_recording = row->phase == DESK_RECORDING;
    weir_error_clear();
    enum weir_error e = record(lane, row, true);
    bool is_full = e == WEIR_E_FULL || e == WEIR_E_AGAIN;
    row->phase = is_full ? DESK_RECORDING : DESK_DONE;
    if (is_full && !was_recording) lane->desk->recording++;
    if (!is_full && was_recording) lane->desk->recording--;
    if (e && !is_full) answer_unrecorded(lane, row);
}

static void begin_work(struct edge_lane *lane, struct desk_row *row) {
    weir_error_clear();
    enum weir_error e =
        host_work(lane->host, row->fn, row->arg, row->arg_size, own_origin(lane, (uint64_t)(row - lane->desk->rows)));
    row->phase = DESK_DOING;
    if (!e) return;
    set_outcome(row, e, weir_slice_text(weir_error_text()));
    record_outcome(lane, row);
}

void desk_deliver(struct edge_lane *lane, const struct host_delivery *d) {
    if (d->origin.correlation == NOTE) return;
    WEIR_ASSERT(d->origin.correlation < DESK_ACTIONS);
    struct desk_row *row = &lane->desk->rows[d->origin.correlation];
    if (row->phase == DESK_ASKED && d->error) {
        (void)weir_error_context(d->error, "%s", d->text ? d->text : "");
        fail(lane, row, d->error, "it was not done, because it could not be recorded");
    } else if (row->phase == DESK_ASKED) {
        begin_work(lane, row);
    } else if (row->phase == DESK_DOING) {
        set_told(row, d);
        record_outcome(lane, row);
    } else {
        WEIR_ASSERT(row->phase == DESK_DONE);
        if (d->error == WEIR_E_FULL || d->error == WEIR_E_AGAIN) {
            row->phase = DESK_RECORDING;
            lane->desk->recording++;
        } else if (d->error) {
            (void)weir_error_context(d->error, "%s", d->text ? d->text : "");
            answer_unrecorded(lane, row);
        } else {
            answer(lane, row);
        }
    }
}

uint64_t desk_cycle(struct edge_lane *lane) {
    struct desk *desk = lane->desk;
    if (desk->recording && lane->now_ns >= desk->retry_at_ns) {
        desk->retry_at_ns = lane->now_ns + EDGE_RETRY_NS;
        for (uint32_t i = 0; desk->recording && i < DESK_ACTIONS; i++)
            if (desk->rows[i].phase == DESK_RECORDING) record_outcome(lane, &desk->rows[i]);
    }
    return desk->recording ? desk->retry_at_ns : DEADLINE_NEVER;
}

/* ---- an order ---- */

static struct desk_row *take_row(struct edge_lane *lane) {
    for (uint32_t i = 0; i < DESK_ACTIONS; i++)
        if (lane->desk->rows[i].phase == DESK_FREE) return &lane->desk->rows[i];
    return NULL;
}

static void copy(char *out, size_t size, struct weir_slice text) {
    struct text_builder t = text_builder(out, size);
    text_add_slice(&t, text);
}

static enum weir_error take(struct desk_row *row, const struct desk_order *order, const struct desk_asker *asker) {
    struct edge_lane *lane = asker->conn->lane;
    WEIR_ASSERT(order->arg_size <= DESK_ARG_MAX);
    row->origin = asker->origin;
    row->fn = order->fn;
    row->arg_size = (uint32_t)order->arg_size;
    memcpy(row->arg, order->arg, order->arg_size);
    copy(row->action, sizeof row->action, weir_slice_text(order->action));
    copy(row->target, sizeof row->target, order->target);
    copy(row->principal, sizeof row->principal, weir_slice_text(auth_principal(asker->conn, asker->token)));
    copy(row->tenant, sizeof row->tenant, weir_slice_text(auth_tenant(lane, asker->token)));
    copy(row->peer, sizeof row->peer, weir_slice_text(asker->conn->peer));
    copy(row->id, sizeof row->id, asker->id);
    row->body_size = (uint32_t)(asker->body.size < DESK_BODY_MAX ? asker->body.size : DESK_BODY_MAX);
    if (row->body_size) memcpy(row->body, asker->body.data, row->body_size);
    set_outcome(row, WEIR_OK, weir_slice(NULL, 0));
    weir_error_clear();
    enum weir_error e = record(lane, row, false);
    if (e) return weir_error_wrap(e, "it was not done, because it could not be recorded");
    row->phase = DESK_ASKED;
    lane->desk->busy++;
    return WEIR_OK;
}

enum weir_error desk_take(const struct desk_order *order, const struct desk_asker *asker) {
    struct desk_row *row = take_row(asker->conn->lane);
    return row ? take(row, order, asker) : weir_error_context(WEIR_E_FULL, "too many admin actions are under way");
}

void desk_begin(struct http_call *call, const struct desk_order *order) {
    struct desk_row *row = take_row(call->lane);
    if (!row) {
        http_fail(call->conn, call->turn, WEIR_E_FULL, "too many admin actions are under way");
        return;
    }
    struct desk_asker asker = {.conn = call->conn,
        .token = call->token,
        .id = weir_slice(call->turn->id, call->turn->id_size),
        .body = call->request->body.size ? call->request->body : call->request->query,
        .origin = http_wait(call, order->deliver)};
    enum weir_error e = take(row, order, &asker);
    if (e) http_fail(call->conn, call->turn, e, NULL);
}
