/* A TLS connection before it has a session: the handshake, its deadline, and how it fails.
 *
 * Handshakes under way are listed by age. When there are too many the oldest has to go: a true client is done within
 * milliseconds, so the oldest of many is one that means no good, and newcomers are served. */
#include "edge/http_session.h"
#include "edge/lane.h"

#include <stdio.h>

/* ---- the list ---- */

static void list(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    conn->shake_older = lane->shake_newest;
    conn->shake_newer = EDGE_SLOT_NONE;
    if (lane->shake_newest == EDGE_SLOT_NONE)
        lane->shake_oldest = conn->slot;
    else
        lane->conns[lane->shake_newest].shake_newer = conn->slot;
    lane->shake_newest = conn->slot;
    metric_set(&lane->metrics.tls_handshakes_open, ++lane->shake_count);
}

void handshake_forget(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    uint32_t older = conn->shake_older, newer = conn->shake_newer;
    if (conn->shake_older == conn->slot) return; /* itself: not listed */
    if (older == EDGE_SLOT_NONE)
        lane->shake_oldest = newer;
    else
        lane->conns[older].shake_newer = newer;
    if (newer == EDGE_SLOT_NONE)
        lane->shake_newest = older;
    else
        lane->conns[newer].shake_older = older;
    conn->shake_older = conn->slot;
    metric_set(&lane->metrics.tls_handshakes_open, --lane->shake_count);
}

/* ---- its ends ---- */

/* To who speaks HTTP where TLS is spoken: the sentence goes out in the clear, as it was asked for. */
static void answer_plain(struct conn *conn) {
    static const char detail[] =
        "this address speaks only HTTPS: write https:// in front of it, or use an address of the node without TLS";
    char text[640];
    char body[320];
    struct edge_lane *lane = conn->lane;
    int n = snprintf(body, sizeof body,
        "{\"type\":\"urn:weir:error:invalid\",\"title\":\"HTTP was sent to an HTTPS address\",\"status\":400,"
        "\"detail\":\"%s\"}",
        detail);
    int size = snprintf(text, sizeof text,
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
        "Content-Length: %d\r\n\r\n%s",
        n, body);
    WEIR_ASSERT(n > 0 && (size_t)n < sizeof body && size > 0 && (size_t)size < sizeof text);
    tls_link_done(&conn->tls); /* what follows is not TLS */
    struct sys_iovec part = {text, (size_t)size};
    size_t put = 0;
    if (lane->sys->socket_write(lane->sys, conn->socket, &part, 1, &put))
        weir_error_clear(); /* told as well as could be */
    metric_add(&lane->metrics.responses[4], 1);
    lane->sys->socket_shutdown(lane->sys, conn->socket);
    conn->lingering = true;
    conn->idle_at_ns = lane->now_ns + EDGE_LINGER_NS;
}

void handshake_fail(struct conn *conn, enum tls_failure failure) {
    struct edge_lane *lane = conn->lane;
    metric_add(&lane->metrics.tls_failures[failure], 1);
    handshake_forget(conn);
    if (failure == TLS_FAILURE_PLAIN && !conn->listener->protocol)
        answer_plain(conn);
    else
        conn->dead = true;
    conn_touch(conn);
}

static void finish(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    handshake_forget(conn);
    metric_add(&lane->metrics.tls_handshakes, 1);
    if (tls_link_resumed(&conn->tls)) metric_add(&lane->metrics.tls_resumed, 1);
    metric_record(&lane->metrics.tls_handshake_ns, lane->now_ns - conn->accepted_ns);
    char subject[TLS_NAME_MAX];
    if (!tls_link_subject(&conn->tls, subject, sizeof subject)) {
        logline_error(&lane->edge->log, LOGLINE_WARN, "tls_refused", WEIR_E_TOO_LARGE,
            "a client certificate's subject is empty or longer than 255 bytes");
        handshake_fail(conn, TLS_FAILURE_CERTIFICATE);
        return;
    }
    if (*subject) {
        snprintf(conn->identity, sizeof conn->identity, "%s", subject);
        conn->is_certified = true;
    }
    lane_open_session(conn);
}

/* ---- the conversation ---- */

void handshake_open(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    if (lane->shake_count >= lane->live.handshakes_max)
        handshake_fail(&lane->conns[lane->shake_oldest], TLS_FAILURE_CROWDED);
    conn->idle_at_ns = lane->now_ns + lane->live.handshake_ns;
    enum weir_error e = lane->live.tls ? tls_link_accept(&conn->tls, lane->live.tls, lane->sys, conn->socket,
                                             conn->listener->protocol == NULL)
                                       : weir_error_context(WEIR_E_CONFIG, "there is no certificate any more");
    if (e) {
        logline_error(&lane->edge->log, LOGLINE_ERROR, "tls_refused", e, NULL);
        conn_kill(conn);
        return;
    }
    list(conn);
}

void handshake_advance(struct conn *conn) {
    enum tls_failure failure;
    enum weir_error e = tls_link_handshake(&conn->tls, &failure);
    conn_touch(conn);
    if (e == WEIR_E_AGAIN) return;
    if (!e) {
        finish(conn);
        return;
    }
    if (failure != TLS_FAILURE_CLOSED && failure != TLS_FAILURE_PLAIN)
        logline_error(&conn->lane->edge->log, LOGLINE_WARN, "tls_failed", e, NULL);
    handshake_fail(conn, failure);
}
