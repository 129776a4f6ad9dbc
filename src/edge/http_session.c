/* The HTTP session: takes requests off the connection's input, one turn each, and hands them to their routes. */
#include "edge/http_session.h"

#include "base/units.h"

#include <stdio.h>

void http_session_open(struct conn *conn) {
    struct http_session *s = &conn->lane->http_sessions[conn->slot];
    conn->http = s;
    weir_http_parser_init(&s->parser, &conn->lane->live.limits);
    s->first_sequence = 0;
    s->first = s->count = s->commands = 0;
    s->complete = s->last = s->continued = false;
}

void http_session_close(struct conn *conn) {
    struct http_session *s = conn->http;
    for (uint32_t i = 0; i < s->count; i++) {
        struct http_turn *turn = &s->turns[(s->first + i) % HTTP_TURNS];
        buffer_release(&conn->lane->buffers, &turn->response);
        if (turn->trace) http_trace_end(conn, turn, 0);
    }
    s->count = 0;
}

void http_session_idle_restart(struct conn *conn) {
    conn->idle_at_ns = conn->lane->now_ns + conn->lane->live.idle_ns;
}

bool http_session_waits(const struct conn *conn) {
    return conn->http->count > 0 && buffer_count(&conn->out) == 0;
}

static bool changes_state(const struct weir_http_request *request) {
    return request->method != WEIR_HTTP_GET && request->method != WEIR_HTTP_HEAD &&
           request->method != WEIR_HTTP_OPTIONS;
}

/* True while the next request may not begin. */
static bool must_wait(const struct conn *conn) {
    const struct http_session *s = conn->http;
    if (s->count == HTTP_TURNS || buffer_count(&conn->out) > EDGE_OUT_PAUSE_BYTES) return true;
    if (!s->complete) return false;
    if (s->count && s->parser.request.has_upgrade) return true; /* the connection becomes another one */
    return s->commands > 0 && !changes_state(&s->parser.request);
}

bool http_session_can_go_on(const struct conn *conn) {
    if (conn->closing || conn->lingering || must_wait(conn)) return false;
    return conn->peer_closed ? conn->http->count == 0 : conn->read_paused && !conn->http->last;
}

/* ---- a turn ---- */

static bool is_plain_id(struct weir_slice id) {
    for (size_t i = 0; i < id.size; i++) {
        uint8_t c = id.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || c == '.' || c == ':';
        if (!plain) return false;
    }
    return id.size > 0 && id.size <= HTTP_ID_SIZE;
}

static void set_id(struct edge_lane *lane, struct http_turn *turn, const struct weir_http_request *request) {
    struct weir_slice given;
    if (request && weir_http_request_header(request, weir_slice_text("X-Request-Id"), &given) && is_plain_id(given)) {
        memcpy(turn->id, given.data, given.size);
        turn->id_size = (uint8_t)given.size;
        return;
    }
    static const char digits[] = "0123456789abcdef";
    uint64_t n = ++lane->request_number | (uint64_t)(lane->index + 1) << 48;
    for (int i = 15; i >= 0; i--, n >>= 4)
        turn->id[i] = digits[n & 15];
    turn->id_size = 16;
}

static struct http_turn *take_turn(struct conn *conn, const struct weir_http_request *request) {
    struct http_session *s = conn->http;
    WEIR_ASSERT(s->count < HTTP_TURNS);
    struct http_turn *turn = &s->turns[(s->first + s->count++) % HTTP_TURNS];
    turn->state = HTTP_TURN_PENDING;
    turn->route = NULL;
    turn->deliver = NULL;
    turn->trace = NULL;
    turn->started_ns = conn->lane->now_ns;
    turn->response = (struct buffer){0};
    turn->limit.burst = 0;
    turn->is_head = request && request->method == WEIR_HTTP_HEAD;
    turn->is_command = request && changes_state(request);
    turn->is_old = request && request->version_minor == 0;
    turn->keep_alive =
        request && request->keep_alive && !atomic_load_explicit(&conn->lane->edge->draining, memory_order_relaxed);
    if (turn->is_command) s->commands++;
    if (!turn->keep_alive) s->last = true;
    set_id(conn->lane, turn, request);
    if (request && trace_is_on(conn->lane->trace)) http_trace_begin(conn, turn, request);
    metric_add(&conn->lane->metrics.requests, 1);
    return turn;
}

struct host_origin http_wait(struct http_call *call,
    void (*deliver)(struct conn *conn, struct http_turn *turn, const struct host_delivery *delivery)) {
    call->turn->deliver = deliver;
    return conn_origin(call->conn, call->sequence);
}

bool http_session_deliver(struct conn *conn, const struct host_delivery *delivery) {
    struct http_session *s = conn->http;
    uint64_t i = delivery->origin.correlation - s->first_sequence;
    if (i >= s->count) return false;
    struct http_turn *turn = &s->turns[(s->first + i) % HTTP_TURNS];
    if (turn->state != HTTP_TURN_PENDING || !turn->deliver) return false;
    struct arena_mark mark = arena_save(&conn->lane->arena);
    turn->deliver(conn, turn, delivery);
    arena_restore(&conn->lane->arena, mark);
    return true;
}

/* ---- parameters of a request ---- */

bool http_query(const struct http_call *call, const char *name, struct weir_slice *ret_value) {
    struct weir_slice rest = call->request->query, decoded;
    struct weir_http_query_pair pair;
    while (weir_http_query_next(&rest, &pair)) {
        if (!weir_slice_equal(pair.name, weir_slice_text(name))) continue;
        uint8_t *room = arena_alloc(&call->lane->arena, pair.value.size + 1);
        if (!room || weir_http_percent_decode(pair.value, true, room, pair.value.size, &decoded)) return false;
        *ret_value = decoded;
        return true;
    }
    return false;
}

bool http_query_u64(struct http_call *call, const char *name, uint64_t initial, uint64_t *ret_value) {
    struct weir_slice text;
    *ret_value = initial;
    if (!http_query(call, name, &text)) return true;
    enum weir_error e = parse_u64(text, ret_value);
    if (!e) return true;
    (void)weir_error_wrap(e, "query parameter %s", name);
    http_fail_status(call->conn, call->turn, WEIR_E_INVALID, 400, NULL);
    return false;
}

static enum weir_error decode_params(struct http_call *call, const struct route_match *match) {
    call->param_count = match->param_count;
    for (uint32_t i = 0; i < match->param_count; i++) {
        struct weir_slice raw = match->params[i];
        uint8_t *room = arena_alloc(&call->lane->arena, raw.size + 1);
        enum weir_error e = room ? weir_http_percent_decode(raw, false, room, raw.size, &call->params[i])
                                 : weir_error_context(WEIR_E_NO_MEMORY, "no memory for the path");
        if (e) return e;
    }
    return WEIR_OK;
}

/* ---- routing ---- */

static void no_route(struct conn *conn, struct http_turn *turn, const struct weir_http_request *request) {
    char shown[200], detail[512];
    struct text_builder s = TEXT_BUILDER(shown), d = TEXT_BUILDER(detail);
    text_add_quoted(&s, request->path, 100);
    const char *nearest = routes_nearest(&conn->lane->edge->routes, request->path);
    text_printf(&d, "there is no %s here", shown);
    text_printf(&d, nearest ? "; did you mean %s?" : "; /openapi.json lists every path", nearest);
    http_fail(conn, turn, WEIR_E_NOT_FOUND, detail);
}

static void other_method(
    struct conn *conn, struct http_turn *turn, const struct weir_http_request *request, uint32_t methods) {
    char allow[96], detail[256];
    routes_allow(methods, allow, sizeof allow);
    if (request->method == WEIR_HTTP_OPTIONS) {
        http_answer(conn, turn, &(struct http_answer){.status = 204, .allow = allow});
        return;
    }
    struct text_builder d = TEXT_BUILDER(detail);
    text_printf(&d, "%s is not answered here; this path allows %s", weir_http_method_name(request->method), allow);
    http_problem(conn, turn,
        &(struct http_problem){.status = 405, .code = "METHOD_NOT_ALLOWED", .detail = detail, .allow = allow});
}

/* Leaves HTTP for the route's protocol. The request is the only one under way (must_wait). */
static void upgrade(struct http_call *call) {
    struct conn *conn = call->conn;
    struct edge_lane *lane = call->lane;
    char accept[WEIR_WS_ACCEPT_SIZE];
    if (!weir_ws_request_is_upgrade(call->request)) {
        http_problem(conn, call->turn,
            &(struct http_problem){.status = 426,
                .code = "UPGRADE_REQUIRED",
                .detail = "this path speaks WebSocket: connect with ws:// and this path"});
        return;
    }
    enum weir_error e = weir_ws_handshake_check(call->request, accept);
    if (e) {
        http_fail_status(conn, call->turn, WEIR_E_INVALID, e == WEIR_E_VERSION ? 426 : 400, NULL);
        return;
    }
    struct weir_ws_deflate_terms terms = {0};
    char extensions[WEIR_WS_DEFLATE_ANSWER_MAX];
    if (lane->edge->node[NODE_WEBSOCKET_DEFLATE].number) terms = weir_ws_deflate_agree(call->request);
    struct weir_http_writer w;
    struct weir_slice written;
    uint8_t head[512];
    weir_http_writer_init(&w, head, sizeof head);
    weir_ws_handshake_write(&w, accept,
        terms.window_bits ? weir_ws_deflate_answer(&terms, extensions) : weir_slice(NULL, 0), edge_lane_date(lane));
    e = weir_http_writer_finish(&w, &written);
    if (e || !conn_send(conn, written, HTTP_OUT_MAX)) {
        conn_kill(conn);
        return;
    }
    metric_add(&lane->metrics.responses[1], 1);
    if (call->turn->trace) http_trace_end(conn, call->turn, 101);
    const struct route *route = call->route;
    struct http_call copy = *call;
    http_session_close(conn);
    conn->kind = CONN_SOCKET;
    ws_session_open(conn, route, &copy, &terms);
}

/* ---- who asks ---- */

/* A web page that a browser got elsewhere must not use this node: it could name us by a host name of its own that it
 * lets point to this machine (then Host is that name), or send commands across sites (then Origin is not us). Clients
 * that are no browsers send no Origin and call us by address or as localhost. */
static bool is_own_name(struct weir_slice host) {
    if (host.size == 0) return true; /* HTTP/1.0 may leave it out; no browser does */
    const uint8_t *dot = memchr(host.data, '.', host.size);
    if (!dot || host.data[0] == '[') return true;
    const uint8_t *colon = memchr(host.data, ':', host.size);
    struct weir_slice name = weir_slice(host.data, colon ? (size_t)(colon - host.data) : host.size);
    static const char local[] = ".localhost";
    size_t tail = sizeof local - 1;
    if (name.size > tail && text_equal_nocase(weir_slice(name.data + name.size - tail, tail), weir_slice(local, tail)))
        return true;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9')) return false;
    return true;
}

/* A page that gave us a name of its own has no certificate for it, and with tokens it gains nothing by naming us: it
 * has none, and a browser sends none by itself. */
static bool is_for_us(const struct conn *conn, const struct weir_http_request *request) {
    return conn->tls.ssl || conn->lane->edge->auth.on || is_own_name(request->host);
}

static bool is_from_elsewhere(const struct weir_http_request *request) {
    struct weir_slice origin;
    if (!weir_http_request_header(request, weir_slice_text("Origin"), &origin)) return false;
    if (!changes_state(request) && !request->has_upgrade) return false;
    size_t scheme = text_starts_with(origin, "http://") ? 7 : text_starts_with(origin, "https://") ? 8 : 0;
    return !scheme || !text_equal_nocase(weir_slice(origin.data + scheme, origin.size - scheme), request->host);
}

static bool is_welcome(struct conn *conn, struct http_turn *turn, const struct weir_http_request *request) {
    if (!is_for_us(conn, request)) {
        http_problem(conn, turn,
            &(struct http_problem){.status = 421,
                .code = "MISDIRECTED",
                .detail =
                    "this node answers to its address and to localhost, not to other names; a proxy in front of it "
                    "has to set the Host header to the address it connects to"});
        return false;
    }
    if (!is_from_elsewhere(request)) return true;
    http_fail(conn, turn, WEIR_E_FORBIDDEN, "a web page of another origin may not send commands to this node");
    return false;
}

static void route_request(struct conn *conn, uint64_t sequence, struct http_turn *turn) {
    struct edge_lane *lane = conn->lane;
    const struct weir_http_request *request = &conn->http->parser.request;
    struct route_match match;
    if (!is_welcome(conn, turn, request)) return;
    if (request->path.size == 1 && request->path.data[0] == '*') {
        other_method(conn, turn, request, (1u << WEIR_HTTP_METHOD_COUNT) - 1);
        return;
    }
    switch (routes_match(&lane->edge->routes, request->method, request->path, &match)) {
    case ROUTE_NONE:
        no_route(conn, turn, request);
        return;
    case ROUTE_OTHER_METHOD:
        other_method(conn, turn, request, match.methods);
        return;
    case ROUTE_FOUND:
        break;
    }
    turn->route = match.route;
    struct http_call call = {
        .lane = lane, .conn = conn, .turn = turn, .sequence = sequence, .request = request, .route = match.route};
    struct arena_mark mark = arena_save(&lane->arena);
    enum weir_error e = decode_params(&call, &match);
    if (e) {
        http_fail(conn, turn, e, NULL);
    } else if (auth_admit(&call)) {
        if (turn->trace) http_trace_admitted(&call);
        if (match.route->protocol)
            upgrade(&call);
        else
            match.route->handle(&call);
    }
    arena_restore(&lane->arena, mark);
}

/* ---- the loop ---- */

static void refuse_rest(struct conn *conn, int status, const char *reason) {
    struct http_turn *turn = take_turn(conn, NULL);
    const char *code = status == 413 || status == 414 || status == 431 ? "TOO_LARGE"
                       : status == 501                                 ? "UNSUPPORTED"
                       : status == 408                                 ? "TIMEOUT"
                       : status == 505                                 ? "VERSION"
                       : status == 417                                 ? "EXPECTATION_FAILED"
                                                                       : "INVALID";
    http_problem(conn, turn, &(struct http_problem){.status = status, .code = code, .detail = reason});
}

/* Will the request be refused whatever its body is? */
static bool is_refused_by_head(struct conn *conn, const struct weir_http_request *request) {
    struct edge_lane *lane = conn->lane;
    struct route_match match;
    if (!is_for_us(conn, request) || is_from_elsewhere(request)) return true;
    if (routes_match(&lane->edge->routes, request->method, request->path, &match) != ROUTE_FOUND) return true;
    struct http_call call = {.lane = lane, .conn = conn, .request = request, .route = match.route};
    struct arena_mark mark = arena_save(&lane->arena);
    bool refused = decode_params(&call, &match) != WEIR_OK || !auth_would_admit(&call);
    arena_restore(&lane->arena, mark);
    return refused;
}

/* A client that was to wait for our word ends with a request that is refused, whether its body has come by now, will
 * come or will not: what a connection answers does not depend on when its bytes came. */
static void refuse_by_head(struct conn *conn, uint64_t sequence) {
    struct http_turn *turn = take_turn(conn, &conn->http->parser.request);
    turn->keep_alive = false;
    conn->http->last = true;
    route_request(conn, sequence, turn);
}

/* The head is there and the client waits for a word before it sends the body. */
static void answer_expect(struct conn *conn) {
    static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_session *s = conn->http;
    const struct weir_http_request *request = &s->parser.request;
    if (!s->parser.has_head || !request->expect_continue || s->continued || s->count) return;
    s->continued = true;
    if (is_refused_by_head(conn, request)) {
        refuse_by_head(conn, s->first_sequence + s->count);
        return;
    }
    if (!conn_send(conn, weir_slice(words, sizeof words - 1), HTTP_OUT_MAX)) conn_kill(conn);
}

/* One step over the input: false when there is nothing more to do now. */
static bool step(struct conn *conn) {
    struct http_session *s = conn->http;
    if (!s->complete) {
        if (buffer_count(&conn->in) == 0) return false;
        uint8_t *bytes = conn->in.data + conn->in.at;
        if (!s->parser.has_head)
            s->parser.limits = conn->lane->live.limits; /* a reload counts from the next request on */
        switch (weir_http_parser_feed(&s->parser, bytes, buffer_count(&conn->in))) {
        case WEIR_HTTP_MORE:
            conn->in.size =
                conn->in.at + (uint32_t)weir_http_parser_compact(&s->parser, bytes, buffer_count(&conn->in));
            answer_expect(conn);
            return false;
        case WEIR_HTTP_ERROR:
            refuse_rest(conn, s->parser.status, s->parser.reason);
            return false;
        case WEIR_HTTP_COMPLETE:
            s->complete = true;
            if (must_wait(conn)) return false;
        }
    }
    size_t consumed = s->parser.consumed;
    WEIR_ASSERT(consumed > 0 && consumed <= buffer_count(&conn->in));
    uint64_t sequence = s->first_sequence + s->count;
    s->complete = false;
    s->continued = false;
    if (s->parser.request.expect_continue && is_refused_by_head(conn, &s->parser.request))
        refuse_by_head(conn, sequence);
    else
        route_request(conn, sequence, take_turn(conn, &s->parser.request));
    buffer_consume(&conn->in, consumed);
    if (conn->kind != CONN_HTTP) return false;
    weir_http_parser_reset(&s->parser);
    http_session_idle_restart(conn);
    return true;
}

void http_session_advance(struct conn *conn) {
    struct http_session *s = conn->http;
    bool waits = false;
    while (!conn->dead && !conn->closing && !s->last && !(waits = must_wait(conn)) && step(conn))
        ;
    if (conn->dead) return;
    if (conn->kind != CONN_HTTP) {
        conn_advance(conn); /* what came behind the upgrade is the new protocol's */
        return;
    }
    conn->read_paused = waits || must_wait(conn) || s->last;
    if (s->last) buffer_consume(&conn->in, buffer_count(&conn->in));
    /* The client has sent all it will: what is under way is still answered. */
    if (conn->peer_closed && !conn->read_paused && s->count == 0) conn_close_after_flush(conn);
    conn_touch(conn);
}

void http_session_timeout(struct conn *conn) {
    struct http_session *s = conn->http;
    bool is_partial = buffer_count(&conn->in) > 0 && !s->complete;
    if (buffer_count(&conn->out)) {
        metric_add(&conn->lane->metrics.slow_consumers, 1);
        conn_kill(conn); /* has not read for the whole idle time */
    } else if (s->count == 0 && is_partial && !conn->closing) {
        refuse_rest(conn, 408, "the request did not arrive whole within the idle time");
        buffer_consume(&conn->in, buffer_count(&conn->in));
    } else if (s->count == 0) {
        conn_close_after_flush(conn);
    }
}

void http_session_drain(struct conn *conn) {
    struct http_session *s = conn->http;
    for (uint32_t i = 0; i + 1 < s->count; i++)
        s->turns[(s->first + i) % HTTP_TURNS].keep_alive = true;
    if (s->count == 0) {
        conn_close_after_flush(conn);
        return;
    }
    s->last = true; /* the answer to the newest request ends the connection */
    s->turns[(s->first + s->count - 1) % HTTP_TURNS].keep_alive = false;
}
