/* Sessions of protocols: the functions of weir/gateway.h, and how bytes, replies and records reach the callbacks.
 *
 * Back pressure: a command that meets a full queue marks the session; what it did not consume is offered again in later
 * cycles, and until then its socket is not read, so that the client's TCP window closes. */
#include "edge/lane.h"

#define SEND_BYTES_DEFAULT    (1u << 20)
#define RECEIVE_BYTES_DEFAULT (64u << 10)

static size_t send_max(const struct weir_session *session) {
    return session->protocol->send_bytes_max ? session->protocol->send_bytes_max : SEND_BYTES_DEFAULT;
}

size_t gateway_receive_max(const struct weir_session *session) {
    size_t max = session->protocol->receive_bytes_max ? session->protocol->receive_bytes_max : RECEIVE_BYTES_DEFAULT;
    if (!session->is_message) return max;
    struct weir_ws_limits limits = WEIR_WS_LIMITS_DEFAULT;
    limits.message_bytes_max = max;
    return weir_ws_limits_buffer_size(&limits);
}

void gateway_idle_restart(struct conn *conn) {
    uint64_t max = conn->session.protocol->idle_ns_max;
    if (conn->lingering || conn->closing) return;
    conn->idle_at_ns = max ? conn->lane->now_ns + max : DEADLINE_NEVER;
}

/* ---- life ---- */

void gateway_open(struct conn *conn, const struct weir_protocol *protocol, uint32_t service, bool is_message) {
    struct edge_lane *lane = conn->lane;
    struct weir_session *s = &conn->session;
    struct buffer state = {0};
    memset(s, 0, sizeof *s);
    s->conn = conn;
    s->protocol = protocol;
    s->service = service;
    s->is_message = is_message;
    s->number = ++lane->session_number << 8 | lane->index;
    conn->wake_at_ns = DEADLINE_NEVER;
    gateway_idle_restart(conn);
    if (!buffer_reserve(&lane->buffers, &state, protocol->session_bytes + 1, UINT32_MAX)) {
        logline_error(&lane->edge->log, LOGLINE_WARN, "session_refused", WEIR_E_FULL, "the lane's buffers are used up");
        conn_kill(conn);
        return;
    }
    memset(state.data, 0, protocol->session_bytes + 1);
    s->state = state;
    s->opened = true;
    metric_add(&lane->metrics.sessions_total, 1);
    metric_add(&lane->metrics.sessions_open, 1);
    weir_error_clear();
    enum weir_error e = protocol->open ? protocol->open(s) : WEIR_OK;
    if (e) {
        logline_error(&lane->edge->log, LOGLINE_WARN, "session_refused", e, NULL);
        weir_session_close(s, weir_error_text());
    }
}

bool gateway_close(struct conn *conn) {
    struct weir_session *s = &conn->session;
    if (!s->opened) return true;
    s->met_full = false;
    if (s->protocol->on_close) s->protocol->on_close(s);
    if (s->met_full) return false;
    s->opened = false;
    metric_add(&conn->lane->metrics.sessions_open, (uint64_t)-1);
    return true;
}

void gateway_due(struct conn *conn) {
    struct weir_session *s = &conn->session;
    uint64_t now = conn->lane->now_ns;
    if (conn->wake_at_ns <= now) {
        struct arena_mark mark = arena_save(&conn->lane->arena);
        conn->wake_at_ns = DEADLINE_NEVER;
        if (s->opened && s->protocol->on_time) s->protocol->on_time(s, now);
        arena_restore(&conn->lane->arena, mark);
    }
    if (conn->idle_at_ns <= now && !conn->dead) {
        metric_add(&conn->lane->metrics.timeouts, 1);
        weir_session_close(s, "no word from the client for too long");
        conn->idle_at_ns = now + EDGE_LINGER_NS; /* for the flush of what is queued */
    }
}

/* ---- bytes in ---- */

/* What came in, to the session; returns how much it took. */
static size_t offer(struct conn *conn) {
    struct weir_session *s = &conn->session;
    struct arena_mark mark = arena_save(&conn->lane->arena);
    size_t consumed = 0;
    s->protocol->on_bytes(s, buffer_slice(&conn->in), false, &consumed);
    WEIR_ASSERT(consumed <= buffer_count(&conn->in));
    buffer_consume(&conn->in, consumed);
    arena_restore(&conn->lane->arena, mark);
    return consumed;
}

void gateway_advance(struct conn *conn) {
    struct weir_session *s = &conn->session;
    size_t count = buffer_count(&conn->in);
    conn_touch(conn);
    if (!s->opened || conn->dead || conn->closing) {
        buffer_consume(&conn->in, count);
        return;
    }
    s->was_full = s->resumed = false;
    if (count && !s->paused) count -= offer(conn);
    conn->read_paused = s->paused || (count > 0 && s->was_full);
    if (conn->dead || conn->closing) return;
    if (conn->read_paused) {
        if (!s->paused) conn_stall(conn);
        return;
    }
    if (count >= gateway_receive_max(s)) weir_session_close(s, "a message is longer than the limit");
    if (conn->peer_closed) conn_close_after_flush(conn);
}

/* ---- deliveries ---- */

bool gateway_deliver(struct conn *conn, const struct host_delivery *d) {
    struct weir_session *s = &conn->session;
    const struct weir_protocol *p = s->protocol;
    if (!s->opened || conn->closing || conn->dead) return false;
    conn_touch(conn);
    struct arena_mark mark = arena_save(&conn->lane->arena);
    if (s->deliver) {
        s->deliver(s, d);
        arena_restore(&conn->lane->arena, mark);
        return true;
    }
    switch (d->kind) {
    case HOST_REPLY:
        if (p->on_reply)
            p->on_reply(s, d->origin.correlation, d->error,
                d->error && !d->status ? (uint16_t)weir_error_http(d->error) : d->status, d->value);
        break;
    case HOST_ANSWER:
        if (p->on_answer)
            p->on_answer(s, d->origin.correlation, d->error,
                d->error && !d->status ? (uint16_t)weir_error_http(d->error) : d->status, d->value);
        break;
    case HOST_RECORD:
        metric_add(&conn->lane->metrics.records_sent, 1);
        if (p->on_record) p->on_record(s, d->origin.subscription, &d->record);
        break;
    case HOST_LIVE:
        if (p->on_live) p->on_live(s, d->origin.subscription, d->error);
        break;
    case HOST_DONE:
        break;
    }
    arena_restore(&conn->lane->arena, mark);
    return true;
}

/* ---- weir/gateway.h ---- */

void *weir_session_state(struct weir_session *session) {
    return session->state.data;
}

const struct weir_setting_value *weir_session_settings(struct weir_session *session) {
    if (session->service == EDGE_NO_SERVICE) return session->conn->lane->edge->node;
    return host_service_settings(session->conn->lane->edge->host, session->service);
}

uint32_t weir_session_partition_count(struct weir_session *session) {
    if (session->service == EDGE_NO_SERVICE) return 0;
    return host_service_partitions(session->conn->lane->edge->host, session->service);
}

const char *weir_session_peer(struct weir_session *session) {
    return session->conn->peer;
}

const char *weir_session_principal(struct weir_session *session) {
    const struct token *token = auth_of(session->conn);
    return token || !session->conn->lane->edge->auth.on ? auth_principal(session->conn, token) : "";
}

const char *weir_session_tenant(struct weir_session *session) {
    return auth_tenant(session->conn->lane, auth_of(session->conn));
}

enum weir_error weir_session_login(struct weir_session *session, struct weir_slice secret) {
    return auth_login(session->conn, session->service, secret);
}

uint64_t weir_session_number(struct weir_session *session) {
    return session->number;
}

uint64_t weir_session_mono_ns(struct weir_session *session) {
    return session->conn->lane->now_ns;
}

uint64_t weir_session_wall_ns(struct weir_session *session) {
    struct sys *sys = session->conn->lane->sys;
    return sys->wall_ns(sys);
}

uint64_t weir_session_random(struct weir_session *session) {
    struct sys *sys = session->conn->lane->sys;
    uint64_t bits;
    sys->random(sys, &bits, sizeof bits);
    return bits;
}

void *weir_session_scratch(struct weir_session *session, size_t size) {
    return size <= WEIR_SESSION_SCRATCH_MAX ? arena_alloc(&session->conn->lane->arena, size) : NULL;
}

static enum weir_error reads_too_slowly(struct conn *conn) {
    metric_add(&conn->lane->metrics.slow_consumers, 1);
    logline_error(&conn->lane->edge->log, LOGLINE_WARN, "slow_consumer", WEIR_E_FULL,
        "a client did not read what its session sent and was closed");
    conn_kill(conn);
    return weir_error_context(WEIR_E_FULL, "%s reads too slowly", conn->peer);
}

enum weir_error weir_session_send(struct weir_session *session, struct weir_slice bytes, bool text) {
    struct conn *conn = session->conn;
    if (conn->dead || conn->closing || conn->lingering) return WEIR_E_CLOSED;
    bool sent = session->is_message
                    ? buffer_count(&conn->out) + bytes.size <= send_max(session) + WEIR_WS_HEADER_SIZE_MAX &&
                          ws_session_send(conn, text ? WEIR_WS_TEXT : WEIR_WS_BINARY, bytes)
                    : conn_send(conn, bytes, send_max(session) * 2) && buffer_count(&conn->out) <= send_max(session);
    return sent ? WEIR_OK : reads_too_slowly(conn);
}

enum weir_error gateway_send_buffer(struct weir_session *session, struct buffer *bytes) {
    struct conn *conn = session->conn;
    WEIR_ASSERT(!session->is_message);
    if (conn->dead || conn->closing || conn->lingering) return WEIR_E_CLOSED;
    bool sent = conn_send_buffer(conn, bytes, send_max(session) * 2) && buffer_count(&conn->out) <= send_max(session);
    return sent ? WEIR_OK : reads_too_slowly(conn);
}

void weir_session_close(struct weir_session *session, const char *reason) {
    struct conn *conn = session->conn;
    if (conn->dead || conn->closing) return;
    if (logline_wants(&conn->lane->edge->log, LOGLINE_DEBUG))
        logline_fields(&conn->lane->edge->log, LOGLINE_DEBUG, "session_closed",
            (struct logline_field[]){LOGLINE_TEXT("peer", conn->peer), LOGLINE_TEXT("reason", reason ? reason : "")},
            2);
    if (session->is_message)
        ws_session_close(conn, WEIR_WS_CODE_NORMAL, reason ? reason : "");
    else
        conn_close_after_flush(conn);
    if (!conn->dead) conn->idle_at_ns = conn->lane->now_ns + EDGE_LINGER_NS;
}

void weir_session_wake_at(struct weir_session *session, uint64_t mono_ns) {
    struct conn *conn = session->conn;
    conn->wake_at_ns = mono_ns ? mono_ns : DEADLINE_NEVER;
    conn_touch(conn);
}

void weir_session_pause(struct weir_session *session) {
    WEIR_ASSERT(!session->is_message);
    session->paused = true;
}

void weir_session_resume(struct weir_session *session) {
    if (!session->paused) return;
    session->paused = false;
    session->resumed = true;
    session->conn->read_paused = false;
    conn_touch(session->conn);
}

enum weir_error weir_session_command(
    struct weir_session *session, const struct weir_command *command, uint64_t correlation) {
    struct conn *conn = session->conn;
    /* Last words are the session's end, not a wish of its client: they are said whatever became of its token. */
    enum weir_error e = conn->dead ? WEIR_OK : auth_session(conn, session->service, ROLE_WRITE);
    if (!e && !conn->dead) e = auth_session_take(conn);
    if (e) {
        session->was_full = e == WEIR_E_FULL; /* what is forbidden does not become allowed by waiting */
        return e;
    }
    struct host_command host = {.service = session->service,
        .command = *command,
        .origin = conn_origin(conn, correlation),
        .wants_reply = session->protocol->on_reply != NULL,
        .in_order = true};
    e = host_submit(conn->lane->host, &host);
    metric_add(&conn->lane->metrics.commands, 1);
    if (e) {
        metric_add(&conn->lane->metrics.commands_refused, 1);
        session->was_full = true;
        if (e == WEIR_E_FULL) session->met_full = true;
    }
    return e;
}

enum weir_error weir_session_query(struct weir_session *session, uint32_t partition,
    enum weir_error (*query)(const void *state, const struct weir_request *request, struct weir_answer *answer),
    struct weir_slice packed, uint64_t correlation) {
    struct conn *conn = session->conn;
    enum weir_error e = auth_session(conn, session->service, ROLE_READ);
    if (e) return e;
    const struct token *token = auth_of(conn);
    struct host_query host = {.service = session->service,
        .partition = partition,
        .principal = auth_principal(session->conn, token),
        .tenant = auth_tenant(conn->lane, token),
        .query = query,
        .packed = packed,
        .origin = conn_origin(session->conn, correlation)};
    metric_add(&session->conn->lane->metrics.queries, 1);
    e = host_query(session->conn->lane->host, &host);
    if (e) session->was_full = true;
    return e;
}

enum weir_error weir_session_subscribe(struct weir_session *session, const struct weir_subscribe *subscribe) {
    struct conn *conn = session->conn;
    WEIR_ASSERT(session->service != EDGE_NO_SERVICE);
    const struct weir_topic *topic = edge_service(conn->lane->edge, session->service)->topics;
    for (uint32_t i = 0; i < subscribe->topic; i++)
        WEIR_ASSERT(topic[i].name != NULL);
    enum weir_error e = auth_session(conn, session->service, ROLE_READ);
    if (e) return e;
    const struct token *token = auth_of(conn);
    struct host_query snapshot = {.service = session->service,
        .principal = auth_principal(session->conn, token),
        .tenant = auth_tenant(conn->lane, token),
        .partition = subscribe->partition,
        .query = subscribe->query,
        .packed = subscribe->packed,
        .origin = conn_origin(conn, subscribe->correlation)};
    struct host_subscription host = {.topic = topic[subscribe->topic].name,
        .partition = subscribe->partition,
        .key = subscribe->key,
        .from = subscribe->from,
        .snapshot = subscribe->query ? &snapshot : NULL,
        .origin = conn_origin(conn, subscribe->correlation)};
    host.origin.subscription = snapshot.origin.subscription = subscribe->id;
    return host_subscribe(conn->lane->host, &host);
}

void weir_session_unsubscribe(struct weir_session *session, uint32_t id) {
    struct host_origin origin = conn_origin(session->conn, 0);
    origin.subscription = id;
    host_unsubscribe(session->conn->lane->host, &origin);
}
