/* A lane of the edge: its listeners, its table of connections, and what it does in each cycle. */
#include "edge/lane.h"

#include "edge/desk.h"
#include "edge/http_session.h"
#include "edge/rows_call.h"

#define LISTENER_TOKEN   (1ull << 62)
#define ACCEPTS_AT_ONCE  64u
#define ACCEPT_PAUSE_NS  (100 * SYS_NANOS_PER_MS)
#define BUFFERS_PER_LANE (512ull << 20)
#define ARENA_BLOCK      (256u << 10)
#define ARENA_MAX        (64u << 20)
#define ARENA_KEEP       (1u << 20)
#define DRAIN_LOOK_NS    (50 * SYS_NANOS_PER_MS)

struct layout {
    size_t conns, sessions, heap, places, tenants, desk, deflate, total;
};

static struct layout layout_of(uint32_t capacity) {
    struct layout l = {0};
    size_t at = 0;
    l.conns = at;
    at += (size_t)capacity * sizeof(struct conn);
    at = (at + 63) & ~(size_t)63;
    l.sessions = at;
    at += (size_t)capacity * sizeof(struct http_session);
    at = (at + 63) & ~(size_t)63;
    l.heap = at;
    at += (size_t)capacity * sizeof(struct deadline_entry);
    l.places = at;
    at += (size_t)capacity * sizeof(uint32_t);
    at = (at + 63) & ~(size_t)63;
    l.tenants = at;
    at += TENANTS_MAX * sizeof(struct tenant_metrics);
    l.desk = at;
    at += sizeof(struct desk);
    at = (at + 63) & ~(size_t)63;
    l.deflate = at;
    at += WEIR_WS_DEFLATE_MEMORY;
    l.total = at;
    return l;
}

enum weir_error edge_lane_open(struct edge_lane *lane, struct edge *edge, uint32_t index) {
    lane->edge = edge;
    lane->sys = edge->sys;
    lane->index = index;
    lane->poller = -1;
    lane->dirty_head = lane->stalled_head = lane->shake_oldest = lane->shake_newest = EDGE_SLOT_NONE;
    lane->accept_again_ns = DEADLINE_NEVER;
    uint64_t max = edge->node[NODE_CONNECTIONS_MAX].number;
    lane->capacity = (uint32_t)(max ? max : 1);
    struct layout l = layout_of(lane->capacity);
    enum weir_error e = sys_memory_map(l.total, &lane->mapped);
    if (!e) {
        lane->mapped_size = l.total;
        e = buffers_open(&lane->buffers, BUFFERS_PER_LANE);
    }
    if (!e) e = batch_checker_open(&lane->checker);
    if (!e && edge->node[NODE_WEBSOCKET_DEFLATE].number)
        e = weir_ws_deflate_open(&lane->deflate, (uint8_t *)lane->mapped + l.deflate);
    if (e) return e;
    uint8_t *base = lane->mapped;
    lane->conns = (void *)(base + l.conns);
    lane->http_sessions = (void *)(base + l.sessions);
    lane->tenants = (void *)(base + l.tenants);
    lane->desk = (void *)(base + l.desk);
    pool_init(&lane->conn_pool, lane->conns, sizeof(struct conn), lane->capacity);
    deadlines_init(&lane->deadlines, (void *)(base + l.heap), (void *)(base + l.places), lane->capacity);
    arena_init(&lane->arena, NULL, ARENA_BLOCK, ARENA_MAX);
    return WEIR_OK;
}

void edge_lane_close(struct edge_lane *lane) {
    live_done(&lane->live);
    live_done(&lane->offer.next);
    arena_done(&lane->arena);
    buffers_close(&lane->buffers);
    batch_checker_close(&lane->checker);
    if (lane->mapped) sys_memory_unmap(lane->mapped, lane->mapped_size);
    lane->mapped = NULL;
}

static enum weir_error watch_listeners(struct edge_lane *lane) {
    for (uint32_t i = 0; i < lane->edge->listener_count; i++) {
        int socket = lane->edge->listeners[i].sockets[lane->index];
        if (socket < 0) continue;
        enum weir_error e = lane->sys->poller_add(lane->sys, lane->poller, socket, LISTENER_TOKEN | i, SYS_POLL_READ);
        if (e) return e;
    }
    return WEIR_OK;
}

static void unwatch_listeners(struct edge_lane *lane) {
    for (uint32_t i = 0; i < lane->edge->listener_count; i++) {
        int socket = lane->edge->listeners[i].sockets[lane->index];
        if (socket >= 0) lane->sys->poller_remove(lane->sys, lane->poller, socket);
    }
}

enum weir_error edge_lane_start(struct edge_lane *lane, struct host_lane *host) {
    lane->host = host;
    lane->poller = host_lane_poller(host);
    lane->trace = host_lane_trace(host);
    lane->now_ns = lane->sys->mono_ns(lane->sys);
    host_lane_set_edge(host, lane);
    return watch_listeners(lane);
}

struct conn *edge_lane_conn(struct edge_lane *lane, uint32_t slot, uint32_t generation) {
    if (slot >= lane->conn_pool.fresh) return NULL;
    struct conn *conn = &lane->conns[slot];
    return conn->kind != CONN_FREE && conn->generation == generation && !conn->dead ? conn : NULL;
}

struct weir_slice edge_lane_date(struct edge_lane *lane) {
    uint64_t s = lane->sys->wall_ns(lane->sys) / SYS_NANOS_PER_S;
    if (s != lane->date_s) {
        civil_format_http((int64_t)(s * SYS_NANOS_PER_S), lane->date);
        lane->date_s = s;
    }
    return weir_slice(lane->date, CIVIL_HTTP_SIZE - 1);
}

/* ---- accepting ---- */

static void refuse(struct edge_lane *lane, const struct listener *listener, int socket) {
    static const char busy[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        "Retry-After: 1\r\nConnection: close\r\nContent-Length: 125\r\n\r\n"
        "{\"type\":\"urn:weir:error:full\",\"title\":\"a bounded queue is full, try again later\","
        "\"status\":503,\"detail\":\"connections_max\"}    ";
    metric_add(&lane->metrics.connections_refused, 1);
    if (!listener->protocol && !listener->has_tls) {
        struct sys_iovec part = {(void *)(uintptr_t)busy, sizeof busy - 1};
        size_t put = 0;
        enum weir_error e = lane->sys->socket_write(lane->sys, socket, &part, 1, &put);
        if (e) weir_error_clear(); /* it was told as well as could be */
        lane->sys->socket_shutdown(lane->sys, socket);
    }
    lane->sys->socket_close(lane->sys, socket);
    logline_error(&lane->edge->log, LOGLINE_WARN, "connection_refused", WEIR_E_FULL, "connections_max is reached");
}

void lane_open_session(struct conn *conn) {
    const struct listener *listener = conn->listener;
    WEIR_ASSERT(conn->kind == CONN_HANDSHAKE && !conn->dead);
    conn->kind = listener->protocol ? CONN_STREAM : CONN_HTTP;
    conn->idle_at_ns = conn->lane->now_ns + conn->lane->live.idle_ns;
    if (listener->protocol)
        gateway_open(conn, listener->protocol, listener->service, false);
    else
        http_session_open(conn);
}

static void welcome(
    struct edge_lane *lane, const struct listener *listener, int socket, const struct sys_address *peer) {
    uint32_t slot = pool_take(&lane->conn_pool);
    if (slot == POOL_NONE) {
        refuse(lane, listener, socket);
        return;
    }
    struct conn *conn = &lane->conns[slot];
    conn->slot = slot;
    conn->lane = lane;
    conn_open(conn, socket, peer, listener);
    uint64_t token = (uint64_t)(conn->generation & 0x3fffffff) << 32 | slot;
    enum weir_error e = lane->sys->poller_add(lane->sys, lane->poller, socket, token, SYS_POLL_READ);
    if (e) {
        logline_error(&lane->edge->log, LOGLINE_ERROR, "accept_failed", e, NULL);
        conn_kill(conn);
    } else if (listener->has_tls) {
        handshake_open(conn);
    } else {
        lane_open_session(conn);
    }
    conn_touch(conn); /* arms its deadline */
}

static void accept_some(struct edge_lane *lane, uint32_t index) {
    const struct listener *listener = &lane->edge->listeners[index];
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sys_address peer = {0};
        int socket = -1;
        enum weir_error e = lane->sys->tcp_accept(lane->sys, listener->sockets[lane->index], &socket, &peer);
        if (e == WEIR_E_AGAIN) return;
        if (e) {
            /* Usually no descriptors: asking again at once would spin. */
            metric_add(&lane->metrics.accept_errors, 1);
            logline_error(&lane->edge->log, LOGLINE_ERROR, "accept_failed", e, NULL);
            unwatch_listeners(lane);
            lane->accept_again_ns = lane->now_ns + ACCEPT_PAUSE_NS;
            return;
        }
        welcome(lane, listener, socket, &peer);
    }
}

void edge_lane_event(struct edge_lane *lane, uint64_t token, uint32_t bits) {
    lane->now_ns = host_lane_mono_ns(lane->host);
    live_take(&lane->offer, &lane->live); /* what a client sends after a reload's answer meets the reload */
    if (token & LISTENER_TOKEN) {
        accept_some(lane, (uint32_t)token);
        return;
    }
    uint32_t slot = (uint32_t)token;
    if (slot >= lane->conn_pool.fresh) return;
    struct conn *conn = &lane->conns[slot];
    if (conn->kind == CONN_FREE || conn->dead || (conn->generation & 0x3fffffff) != token >> 32) return;
    if ((bits & SYS_POLL_READ) || (conn->tls.ssl && conn->tls.wants_write && (bits & SYS_POLL_WRITE)))
        conn_read(conn);
    else if (bits & SYS_POLL_CLOSED)
        conn->dead = true;
    conn_touch(conn);
}

/* ---- the cycle ---- */

static void drain(struct edge_lane *lane) {
    lane->drained = true;
    if (lane->accept_again_ns == DEADLINE_NEVER) unwatch_listeners(lane);
    lane->accept_again_ns = DEADLINE_NEVER;
    for (uint32_t i = 0; i < lane->edge->listener_count; i++) {
        struct listener *listener = &lane->edge->listeners[i];
        lane->sys->socket_close(lane->sys, listener->sockets[lane->index]);
        listener->sockets[lane->index] = -1;
    }
    for (uint32_t slot = 0; slot < lane->conn_pool.fresh; slot++) {
        struct conn *conn = &lane->conns[slot];
        if (conn->kind == CONN_FREE || conn->dead) continue;
        if (conn->kind == CONN_HANDSHAKE)
            conn_kill(conn);
        else if (conn->kind == CONN_HTTP)
            http_session_drain(conn);
        else if (conn->kind == CONN_SOCKET)
            ws_session_close(conn, WEIR_WS_CODE_GOING_AWAY, "the node is stopping");
        else
            conn_close_after_flush(conn);
        conn_touch(conn);
    }
}

static void retry_stalled(struct edge_lane *lane) {
    uint32_t slot = lane->stalled_head;
    lane->stalled_head = EDGE_SLOT_NONE;
    while (slot != EDGE_SLOT_NONE) {
        struct conn *conn = &lane->conns[slot];
        slot = conn->stalled_next;
        conn->stalled = false;
        if (conn->kind == CONN_FREE) continue;
        conn_advance(conn);
        conn_touch(conn);
    }
}

static void run_timers(struct edge_lane *lane) {
    uint32_t slot;
    while (deadlines_pop(&lane->deadlines, lane->now_ns, &slot)) {
        struct conn *conn = &lane->conns[slot];
        uint64_t deadline = conn_deadline(conn);
        if (deadline <= lane->now_ns)
            conn_due(conn);
        else
            deadlines_arm(&lane->deadlines, slot, deadline);
    }
}

static bool can_go_on(const struct conn *conn) {
    if (conn->dead) return false;
    return conn->kind == CONN_HTTP ? http_session_can_go_on(conn) : conn->kind == CONN_STREAM && conn->session.resumed;
}

/* Flushing may let a session go on, which may send more: twice is enough for one cycle, the rest waits for the next. */
static void flush_dirty(struct edge_lane *lane) {
    for (int round = 0; round < 3 && lane->dirty_head != EDGE_SLOT_NONE; round++) {
        uint32_t slot = lane->dirty_head;
        lane->dirty_head = EDGE_SLOT_NONE;
        while (slot != EDGE_SLOT_NONE) {
            struct conn *conn = &lane->conns[slot];
            slot = conn->dirty_next;
            conn->dirty = false;
            conn_flush(conn);
            if (can_go_on(conn)) conn_advance(conn);
            if (conn_has_more(conn)) conn_read(conn);
            if (!conn->dead && !conn->dirty) deadlines_arm(&lane->deadlines, conn->slot, conn_deadline(conn));
            if (conn->dead) {
                conn->dirty = true; /* not listed twice by what runs at its end */
                conn_reap(conn);
                conn->dirty = false;
            }
        }
    }
}

uint64_t edge_lane_cycle(struct edge_lane *lane, uint64_t now_ns) {
    lane->now_ns = now_ns;
    live_take(&lane->offer, &lane->live);
    bool draining = atomic_load_explicit(&lane->edge->draining, memory_order_relaxed);
    if (draining && !lane->drained) drain(lane);
    if (lane->accept_again_ns <= now_ns) {
        lane->accept_again_ns = DEADLINE_NEVER;
        if (watch_listeners(lane)) lane->accept_again_ns = now_ns + ACCEPT_PAUSE_NS;
    }
    uint64_t auth_next = auth_cycle(lane);
    uint64_t desk_next = desk_cycle(lane);
    rows_cycle(lane);
    if (lane->stalled_head != EDGE_SLOT_NONE) retry_stalled(lane);
    run_timers(lane);
    flush_dirty(lane);
    if (lane->arena.bytes_held > ARENA_KEEP) {
        arena_reset(&lane->arena);
        arena_trim(&lane->arena, ARENA_KEEP);
    }
    uint64_t buffers_next = buffers_rest(&lane->buffers, now_ns);
    metric_set(&lane->metrics.buffer_bytes, lane->buffers.bytes_used + lane->buffers.spare_bytes);
    uint64_t next = deadlines_next(&lane->deadlines);
    if (buffers_next < next) next = buffers_next;
    if (auth_next < next) next = auth_next;
    if (lane->dirty_head != EDGE_SLOT_NONE) next = now_ns;
    if (desk_next < next) next = desk_next;
    if (lane->stalled_head != EDGE_SLOT_NONE && next > now_ns + EDGE_RETRY_NS) next = now_ns + EDGE_RETRY_NS;
    if (lane->accept_again_ns < next) next = lane->accept_again_ns;
    if (draining && lane->conn_pool.count && next > now_ns + DRAIN_LOOK_NS) next = now_ns + DRAIN_LOOK_NS;
    return next;
}

void edge_lane_stop(struct edge_lane *lane) {
    lane->now_ns = lane->sys->mono_ns(lane->sys);
    lane->stopping = true;
    auth_lane_stop(lane);
    if (!lane->drained) drain(lane);
    flush_dirty(lane);
    for (uint32_t slot = 0; slot < lane->conn_pool.fresh; slot++)
        if (lane->conns[slot].kind != CONN_FREE) {
            lane->conns[slot].dead = true;
            conn_reap(&lane->conns[slot]);
        }
}
