/* Answers: heads and bodies into the connection's buffer in the order of the requests, and problems as RFC 9457 says.
 */
#include "edge/http_session.h"

#define HEAD_BYTES_MAX 2048u

static struct weir_slice text(const char *s) {
    return weir_slice_text(s);
}

/* draft-ietf-httpapi-ratelimit-headers-10: a policy of so many in so many seconds, and what is left of it. */
static void put_limit(const struct http_limit *limit, struct weir_http_writer *w) {
    char policy[64], left[64];
    struct text_builder p = TEXT_BUILDER(policy), l = TEXT_BUILDER(left);
    text_add(&p, "\"token\";q=");
    text_add_u64(&p, limit->burst);
    text_add(&p, ";w=");
    text_add_u64(&p, limit->window_s);
    text_add(&l, "\"token\";r=");
    text_add_u64(&l, limit->left);
    text_add(&l, ";t=");
    text_add_u64(&l, limit->full_in_s);
    weir_http_writer_header(w, text("RateLimit-Policy"), text_slice(&p));
    weir_http_writer_header(w, text("RateLimit"), text_slice(&l));
}

/* Who is told to upgrade is told to what (RFC 9110 15.5.22, RFC 6455 4.4); there is one thing. */
static void put_connection(const struct http_turn *turn, const struct http_answer *a, struct weir_http_writer *w) {
    bool upgrades = a->status == 426;
    const char *connection = turn->is_old ? "keep-alive" : upgrades ? "upgrade" : NULL;
    if (!turn->keep_alive) connection = upgrades ? "close, upgrade" : "close";
    if (connection) weir_http_writer_header(w, text("Connection"), text(connection));
    if (!upgrades) return;
    weir_http_writer_header(w, text("Upgrade"), text("websocket"));
    weir_http_writer_header(w, text("Sec-WebSocket-Version"), text("13"));
}

static void write_head(
    struct conn *conn, struct http_turn *turn, const struct http_answer *a, struct weir_http_writer *w) {
    weir_http_writer_status(w, a->status ? a->status : 200, edge_lane_date(conn->lane));
    bool has_body = a->status != 204 && a->status != 304;
    if (has_body)
        weir_http_writer_header(w, text("Content-Type"), text(a->content_type ? a->content_type : "application/json"));
    weir_http_writer_header(w, text("X-Request-Id"), weir_slice(turn->id, turn->id_size));
    if (a->allow) weir_http_writer_header(w, text("Allow"), text(a->allow));
    if (a->location) weir_http_writer_header(w, text("Location"), text(a->location));
    if (a->retry_after_s) weir_http_writer_header_u64(w, text("Retry-After"), a->retry_after_s);
    if (a->www_authenticate) weir_http_writer_header(w, text("WWW-Authenticate"), text(a->www_authenticate));
    if (a->content_range) weir_http_writer_header(w, text("Content-Range"), text(a->content_range));
    if (a->etag) {
        weir_http_writer_header(w, text("ETag"), text(a->etag));
        weir_http_writer_header(w, text("Accept-Ranges"), text("bytes"));
        weir_http_writer_header(w, text("Cache-Control"), text("no-cache"));
    }
    if (turn->limit.burst) put_limit(&turn->limit, w);
    if (a->replayed) weir_http_writer_header(w, text("Idempotency-Replayed"), text("true"));
    put_connection(turn, a, w);
    if (!has_body) {
        weir_http_writer_no_body(w);
    } else if (turn->is_head) {
        weir_http_writer_header_u64(w, text("Content-Length"), a->body.size);
        weir_http_writer_no_body(w);
    } else {
        weir_http_writer_body(w, a->body);
    }
}

static void count_answer(struct conn *conn, struct http_turn *turn, int status) {
    struct edge_lane *lane = conn->lane;
    metric_add(&lane->metrics.responses[status / 100 % 6], 1);
    metric_record(&lane->metrics.request_ns, lane->now_ns > turn->started_ns ? lane->now_ns - turn->started_ns : 0);
    if (turn->trace) http_trace_end(conn, turn, status);
    if (!logline_wants(&lane->edge->log, LOGLINE_DEBUG)) return;
    char id[HTTP_ID_SIZE + 1];
    memcpy(id, turn->id, turn->id_size);
    id[turn->id_size] = 0;
    struct logline_field fields[] = {LOGLINE_TEXT("peer", conn->peer), LOGLINE_TEXT("id", id),
        LOGLINE_TEXT("method", turn->route ? weir_http_method_name(turn->route->method) : "-"),
        LOGLINE_TEXT("route", turn->route ? turn->route->path : "-"), LOGLINE_NUMBER("status", (uint64_t)status),
        LOGLINE_NUMBER("us", (lane->now_ns - turn->started_ns) / 1000)};
    logline_fields(&lane->edge->log, LOGLINE_DEBUG, "request", fields, WEIR_ARRAY_COUNT(fields));
}

/* The oldest turn was answered: it leaves, and every one behind it that is ready follows. */
static void turns_move_on(struct conn *conn) {
    struct http_session *s = conn->http;
    for (;;) {
        WEIR_ASSERT(s->count > 0 && s->count <= HTTP_TURNS && s->turns[s->first].state == HTTP_TURN_READY);
        bool keep_alive = s->turns[s->first].keep_alive;
        s->first = (s->first + 1) % HTTP_TURNS;
        s->first_sequence++;
        if (--s->count == 0) s->first = 0; /* a connection that does not pipeline touches one turn's memory only */
        if (!keep_alive) {
            conn_close_after_flush(conn);
            return;
        }
        struct http_turn *next = &s->turns[s->first];
        if (s->count == 0 || next->state != HTTP_TURN_READY) return;
        if (!buffer_add(&conn->lane->buffers, &conn->out, buffer_slice(&next->response), HTTP_OUT_MAX)) {
            conn_kill(conn);
            return;
        }
        buffer_release(&conn->lane->buffers, &next->response);
    }
}

void http_answer(struct conn *conn, struct http_turn *turn, const struct http_answer *a) {
    struct http_session *s = conn->http;
    WEIR_ASSERT(turn->state == HTTP_TURN_PENDING && s->count > 0);
    conn_touch(conn);
    count_answer(conn, turn, a->status ? a->status : 200);
    turn->state = HTTP_TURN_READY;
    WEIR_ASSERT(!turn->is_command || s->commands > 0);
    if (turn->is_command) s->commands--;
    bool is_first = turn == &s->turns[s->first];
    struct buffer *to = is_first ? &conn->out : &turn->response;
    struct weir_http_writer w;
    struct weir_slice written;
    if (!buffer_reserve(&conn->lane->buffers, to, HEAD_BYTES_MAX + a->body.size, HTTP_OUT_MAX)) {
        metric_add(&conn->lane->metrics.slow_consumers, 1);
        conn_kill(conn); /* no memory to answer in: the client sees the connection end, and may ask again */
        return;
    }
    weir_http_writer_init(&w, to->data + to->size, buffer_room(to));
    write_head(conn, turn, a, &w);
    enum weir_error e = weir_http_writer_finish(&w, &written);
    if (e) {
        logline_error(&conn->lane->edge->log, LOGLINE_ERROR, "answer_not_written", e, NULL);
        conn_kill(conn);
        return;
    }
    WEIR_ASSERT(written.size <= buffer_room(to));
    to->size += (uint32_t)written.size;
    if (is_first) turns_move_on(conn);
}

void http_json_begin(struct edge_lane *lane, struct http_json *json) {
    json->text = text_builder_arena(&lane->arena, 0);
    json->w = json_writer(&json->text, 0);
}

void http_json_answer(struct conn *conn, struct http_turn *turn, const struct http_json *json, int status) {
    if (!json_writer_finished(&json->w)) {
        http_fail(conn, turn, WEIR_E_NO_MEMORY, "the answer is larger than the lane's memory for one request");
        return;
    }
    http_answer(conn, turn, &(struct http_answer){.status = status, .body = text_slice(&json->text)});
}

void http_problem(struct conn *conn, struct http_turn *turn, const struct http_problem *p) {
    struct edge_lane *lane = conn->lane;
    struct arena_mark mark = arena_save(&lane->arena);
    struct http_json json;
    http_json_begin(lane, &json);
    char type[80];
    struct text_builder t = TEXT_BUILDER(type);
    text_add(&t, "urn:weir:error:");
    for (const char *c = p->code; *c; c++)
        text_add_char(&t, *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c);
    char id[HTTP_ID_SIZE + 1];
    memcpy(id, turn->id, turn->id_size);
    id[turn->id_size] = 0;
    json_write_object_open(&json.w);
    json_put_text(&json.w, "type", type);
    json_put_text(&json.w, "title", p->title ? p->title : weir_http_status_text(p->status));
    json_put_i64(&json.w, "status", p->status);
    if (p->detail && *p->detail) json_put_text(&json.w, "detail", p->detail);
    json_put_text(&json.w, "code", p->code);
    json_put_text(&json.w, "requestId", id);
    if (p->fields) p->fields(p->ctx, &json.w);
    json_write_object_close(&json.w);
    http_answer(conn, turn,
        &(struct http_answer){.status = p->status,
            .content_type = "application/problem+json",
            .body = text_slice(&json.text),
            .allow = p->allow,
            .www_authenticate = p->www_authenticate,
            .content_range = p->content_range,
            .retry_after_s = p->retry_after_s});
    arena_restore(&lane->arena, mark);
}

void http_fail_status(
    struct conn *conn, struct http_turn *turn, enum weir_error error, int status, const char *detail) {
    char copy[512];
    struct text_builder t = TEXT_BUILDER(copy);
    text_add(&t, detail ? detail : weir_error_text());
    http_problem(conn, turn,
        &(struct http_problem){.status = status,
            .code = weir_error_name(error),
            .title = weir_error_sentence(error),
            .detail = copy,
            .retry_after_s = status == 503 || status == 429 ? 1 : 0});
}

void http_fail(struct conn *conn, struct http_turn *turn, enum weir_error error, const char *detail) {
    http_fail_status(conn, turn, error, weir_error_http(error), detail);
}
