/* A connection: reading, writing, deadlines, and its end. What its bytes mean is its session's business. */
#include "edge/http_session.h"
#include "edge/lane.h"

#include <stdio.h>

#define READ_BYTES_HTTP   16384u
#define READ_BYTES_STREAM 65536u

static void name_peer(struct conn *conn, const struct sys_address *peer) {
    conn->identity[0] = 0;
    conn->is_certified = false;
    if (peer->is_unix) {
        snprintf(conn->peer, sizeof conn->peer, "unix:uid=%u,pid=%u", peer->uid, peer->process_id);
        snprintf(conn->identity, sizeof conn->identity, "uid=%u", peer->uid);
        return;
    }
    snprintf(conn->peer, sizeof conn->peer, strchr(peer->host, ':') ? "[%s]:%u" : "%s:%u", peer->host, peer->port);
}

const char *conn_principal(const struct conn *conn) {
    return conn->is_certified ? conn->identity : "local";
}

void conn_open(struct conn *conn, int socket, const struct sys_address *peer, const struct listener *listener) {
    struct edge_lane *lane = conn->lane;
    WEIR_ASSERT(conn->kind == CONN_FREE && conn->slot < lane->capacity && socket >= 0);
    conn->socket = socket;
    conn->kind = CONN_HANDSHAKE;
    conn->listener = listener;
    conn->tls.ssl = NULL;
    conn->shake_older = conn->slot;
    conn->accepted_ns = lane->now_ns;
    conn->poll_bits = SYS_POLL_READ;
    /* dirty and stalled stay: they tell whether the slot is on the lane's lists, whoever has it. */
    conn->read_paused = conn->peer_closed = false;
    conn->closing = conn->lingering = conn->dead = false;
    conn->idle_at_ns = lane->now_ns + lane->live.idle_ns;
    conn->wake_at_ns = DEADLINE_NEVER;
    conn->http = NULL;
    name_peer(conn, peer);
    conn->auth.known = false;
    conn->auth.size = 0;
    metric_add(&lane->metrics.connections_total, 1);
    metric_set(&lane->metrics.connections_open, lane->conn_pool.count);
}

void conn_touch(struct conn *conn) {
    if (conn->dirty) return;
    conn->dirty = true;
    conn->dirty_next = conn->lane->dirty_head;
    conn->lane->dirty_head = conn->slot;
}

static void stall(struct conn *conn) {
    if (conn->stalled) return;
    conn->stalled = true;
    conn->stalled_next = conn->lane->stalled_head;
    conn->lane->stalled_head = conn->slot;
}

void conn_stall(struct conn *conn) {
    if (!conn->dead) stall(conn);
}

struct host_origin conn_origin(const struct conn *conn, uint64_t correlation) {
    return (struct host_origin){
        .lane = conn->lane->index, .slot = conn->slot, .generation = conn->generation, .correlation = correlation};
}

void conn_kill(struct conn *conn) {
    conn->dead = true;
    conn_touch(conn);
}

void conn_close_after_flush(struct conn *conn) {
    conn->closing = true;
    conn_touch(conn);
}

bool conn_send(struct conn *conn, struct weir_slice bytes, size_t queued_max) {
    if (conn->dead || conn->lingering) return true; /* nobody hears it; the end is under way */
    if (!buffer_add(&conn->lane->buffers, &conn->out, bytes, queued_max)) return false;
    conn_touch(conn);
    return true;
}

bool conn_send_buffer(struct conn *conn, struct buffer *bytes, size_t queued_max) {
    if (buffer_count(&conn->out) || conn->dead || conn->lingering)
        return conn_send(conn, buffer_slice(bytes), queued_max);
    if (buffer_count(bytes) > queued_max) return false;
    buffer_release(&conn->lane->buffers, &conn->out);
    conn->out = *bytes;
    *bytes = (struct buffer){0};
    conn_touch(conn);
    return true;
}

void conn_advance(struct conn *conn) {
    if (conn->dead || conn->lingering) return;
    switch (conn->kind) {
    case CONN_HANDSHAKE:
        handshake_advance(conn);
        break;
    case CONN_HTTP:
        http_session_advance(conn);
        break;
    case CONN_STREAM:
        gateway_advance(conn);
        break;
    case CONN_SOCKET:
        ws_session_advance(conn);
        break;
    default:
        WEIR_ASSERT(conn->kind != CONN_FREE);
    }
}

static size_t receive_max(const struct conn *conn) {
    return conn->kind == CONN_HTTP ? weir_http_limits_buffer_size(&conn->http->parser.limits)
                                   : gateway_receive_max(&conn->session);
}

static enum weir_error get(struct conn *conn, void *data, size_t size, size_t *ret_size) {
    if (conn->tls.ssl) return tls_link_read(&conn->tls, data, size, ret_size);
    return conn->lane->sys->socket_read(conn->lane->sys, conn->socket, data, size, ret_size);
}

static enum weir_error put(struct conn *conn, const void *data, size_t size, size_t *ret_size) {
    if (conn->tls.ssl) return tls_link_write(&conn->tls, data, size, ret_size);
    struct sys_iovec part = {(void *)(uintptr_t)data, size};
    return conn->lane->sys->socket_write(conn->lane->sys, conn->socket, &part, 1, ret_size);
}

bool conn_has_more(const struct conn *conn) {
    return conn->tls.ssl && !conn->dead && !conn->read_paused && !conn->peer_closed && !conn->closing &&
           !conn->lingering && tls_link_pending(&conn->tls);
}

/* After our last words input is read only so that the kernel does not reset what the client has not read yet. */
static void read_and_forget(struct conn *conn) {
    uint8_t waste[4096];
    size_t got = 0;
    enum weir_error e = conn->lane->sys->socket_read(conn->lane->sys, conn->socket, waste, sizeof waste, &got);
    if (e == WEIR_E_AGAIN) return;
    if (e || got == 0) conn_kill(conn);
}

void conn_read(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    if (conn->dead || conn->read_paused) return; /* an event that was on its way when reading was paused */
    if (conn->lingering || conn->closing) {
        read_and_forget(conn);
        return;
    }
    if (conn->kind == CONN_HANDSHAKE) handshake_advance(conn);
    if (conn->kind == CONN_HANDSHAKE || conn->dead) return;
    size_t want = conn->kind == CONN_HTTP ? READ_BYTES_HTTP : READ_BYTES_STREAM, max = receive_max(conn);
    size_t count = buffer_count(&conn->in);
    if (count + want > max) want = max > count ? max - count : 0;
    if (want == 0 || !buffer_reserve(&lane->buffers, &conn->in, want, max * 2)) {
        if (want)
            logline_error(
                &lane->edge->log, LOGLINE_WARN, "buffers_full", WEIR_E_FULL, "the lane's buffers are used up");
        conn->read_paused = true; /* the window closes; consuming opens it again */
        conn_touch(conn);
        return;
    }
    size_t got = 0;
    enum weir_error e = get(conn, conn->in.data + conn->in.size, buffer_room(&conn->in), &got);
    if (e == WEIR_E_AGAIN) return;
    conn_touch(conn);
    if (e) {
        conn->dead = true;
        return;
    }
    if (got == 0) conn->peer_closed = true;
    bool was_empty = count == 0;
    conn->in.size += (uint32_t)got;
    WEIR_ASSERT(conn->in.at <= conn->in.size && conn->in.size <= conn->in.cap);
    metric_add(&lane->metrics.bytes_received, got);
    if (conn->kind == CONN_HTTP) {
        if (was_empty) http_session_idle_restart(conn); /* a request has the idle time to arrive whole */
    } else if (got) {
        gateway_idle_restart(conn);
    }
    conn_advance(conn);
}

/* What may be read or written is what the poller is asked for; a change costs a system call, so only a change does. */
static void update_poll(struct conn *conn) {
    uint8_t bits = 0;
    if (!conn->read_paused && !conn->peer_closed) bits |= SYS_POLL_READ;
    if (buffer_count(&conn->out) || (conn->tls.ssl && conn->tls.wants_write)) bits |= SYS_POLL_WRITE;
    if (bits == conn->poll_bits) return;
    struct edge_lane *lane = conn->lane;
    uint64_t token = (uint64_t)(conn->generation & 0x3fffffff) << 32 | conn->slot;
    if (lane->sys->poller_change(lane->sys, lane->poller, conn->socket, token, bits)) {
        conn->dead = true;
        return;
    }
    conn->poll_bits = bits;
}

static void finish_closing(struct conn *conn) {
    tls_link_say_bye(&conn->tls);
    if (conn->peer_closed) {
        conn->dead = true;
        return;
    }
    conn->lane->sys->socket_shutdown(conn->lane->sys, conn->socket);
    conn->lingering = true;
    conn->read_paused = false;
    conn->idle_at_ns = conn->lane->now_ns + EDGE_LINGER_NS;
    buffer_release(&conn->lane->buffers, &conn->in);
}

void conn_flush(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    while (!conn->dead && buffer_count(&conn->out)) {
        size_t done = 0;
        enum weir_error e = put(conn, conn->out.data + conn->out.at, buffer_count(&conn->out), &done);
        if (e == WEIR_E_AGAIN) break;
        if (e) {
            conn->dead = true;
            return;
        }
        WEIR_ASSERT(done <= buffer_count(&conn->out));
        metric_add(&lane->metrics.bytes_sent, done);
        buffer_consume(&conn->out, done);
        if (conn->kind == CONN_HTTP) http_session_idle_restart(conn);
    }
    if (conn->dead) return;
    if (buffer_count(&conn->out) == 0) {
        buffer_release(&lane->buffers, &conn->out);
        if (conn->closing && !conn->lingering) finish_closing(conn);
    }
    if (buffer_count(&conn->in) == 0) buffer_release(&lane->buffers, &conn->in);
    if (!conn->dead) update_poll(conn);
}

uint64_t conn_deadline(const struct conn *conn) {
    uint64_t idle = conn->idle_at_ns;
    if (conn->kind == CONN_HTTP && !conn->lingering && http_session_waits(conn)) idle = DEADLINE_NEVER;
    return idle < conn->wake_at_ns ? idle : conn->wake_at_ns;
}

void conn_due(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    if (conn->dead) return;
    if (conn->lingering || (conn->closing && conn->idle_at_ns <= lane->now_ns)) {
        conn_kill(conn);
    } else if (conn->kind == CONN_HANDSHAKE) {
        handshake_fail(conn, TLS_FAILURE_TIMEOUT);
    } else if (conn->kind == CONN_HTTP) {
        metric_add(&lane->metrics.timeouts, 1);
        http_session_timeout(conn);
    } else {
        gateway_due(conn);
    }
    conn_touch(conn);
}

/* All but the slot and the session: nobody hears or says anything on this connection any more. */
static void let_go(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    struct host_origin origin = conn_origin(conn, 0);
    if (lane->host) host_forget(lane->host, &origin);
    handshake_forget(conn);
    tls_link_done(&conn->tls);
    lane->sys->poller_remove(lane->sys, lane->poller, conn->socket);
    lane->sys->socket_close(lane->sys, conn->socket);
    conn->socket = -1;
    buffer_release(&lane->buffers, &conn->in);
    buffer_release(&lane->buffers, &conn->out);
    deadlines_cancel(&lane->deadlines, conn->slot);
}

void conn_reap(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    WEIR_ASSERT(conn->kind != CONN_FREE && conn->dead);
    bool is_said = true;
    if (conn->kind == CONN_HTTP)
        http_session_close(conn);
    else if (conn->kind != CONN_HANDSHAKE)
        is_said = gateway_close(conn);
    if (conn->socket >= 0) let_go(conn);
    if (!is_said && !lane->stopping) {
        stall(conn);
        return;
    }
    if (!is_said)
        logline_error(&lane->edge->log, LOGLINE_WARN, "last_words_lost", WEIR_E_FULL,
            "the node stops before a closed session's last command was taken");
    buffer_release(&lane->buffers, &conn->session.state);
    explicit_bzero(&conn->auth, sizeof conn->auth);
    conn->kind = CONN_FREE;
    conn->generation++;
    pool_give(&lane->conn_pool, conn->slot);
    metric_set(&lane->metrics.connections_open, lane->conn_pool.count);
}
