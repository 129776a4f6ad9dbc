/* WebSocket on a connection: whole messages for a service's protocol, pings, and the close handshake. */
#include "edge/http_session.h"
#include "edge/topics.h"

#define DEFLATE_BYTES_MIN 128u  /* a smaller message gains a few bytes at most */
#define INFLATE_STEP      4096u /* room that is made at least */

void ws_session_open(struct conn *conn, const struct route *route, const struct http_call *call,
    const struct weir_ws_deflate_terms *terms) {
    struct weir_ws_limits limits = WEIR_WS_LIMITS_DEFAULT;
    if (route->protocol->receive_bytes_max) limits.message_bytes_max = route->protocol->receive_bytes_max;
    if (route->service == EDGE_NO_SERVICE)
        topics_tail_open(conn, route->protocol, call);
    else
        gateway_open(conn, route->protocol, route->service, true);
    weir_ws_stream_init(&conn->session.ws, WEIR_WS_SERVER, &limits);
    conn->session.deflate = *terms;
    conn->session.ws.is_deflate_agreed = terms->window_bits != 0;
}

/* Into the room behind where the header will be, when it becomes smaller. */
static bool deflated(struct conn *conn, struct weir_slice payload, uint8_t *room, struct weir_slice *ret_deflated) {
    const struct weir_ws_deflate_terms *terms = &conn->session.deflate;
    size_t size = 0;
    if (!terms->window_bits || payload.size < DEFLATE_BYTES_MIN) return false;
    if (weir_ws_deflate_message(&conn->lane->deflate, terms, payload, room, payload.size, &size)) return false;
    *ret_deflated = weir_slice(room, size);
    return true;
}

bool ws_session_send(struct conn *conn, enum weir_ws_opcode opcode, struct weir_slice payload) {
    struct edge_lane *lane = conn->lane;
    if (conn->dead || conn->lingering) return true;
    size_t need = WEIR_WS_HEADER_SIZE_MAX + payload.size, size = 0;
    if (!buffer_reserve(&lane->buffers, &conn->out, need, HTTP_OUT_MAX)) return false;
    uint8_t *frame = conn->out.data + conn->out.size;
    bool is_deflated = opcode < WEIR_WS_CLOSE && deflated(conn, payload, frame + WEIR_WS_HEADER_SIZE_MAX, &payload);
    enum weir_error e = weir_ws_frame_write(frame, buffer_room(&conn->out), opcode, true, payload, NULL, &size);
    if (e) return false;
    if (is_deflated) frame[0] |= WEIR_WS_RSV1;
    conn->out.size += (uint32_t)size;
    conn_touch(conn);
    return true;
}

/* Sends our close frame once; the connection ends after it was written, whether the peer answers or not. */
void ws_session_close(struct conn *conn, uint16_t code, const char *reason) {
    uint8_t frame[WEIR_WS_HEADER_SIZE_MAX + WEIR_WS_CONTROL_SIZE_MAX];
    size_t size = 0;
    if (conn->dead || conn->closing) return;
    if (!conn->session.close_sent) {
        conn->session.close_sent = true;
        enum weir_error e = weir_ws_close_write(frame, sizeof frame, code, weir_slice_text(reason), NULL, &size);
        if (e || !conn_send(conn, weir_slice(frame, size), HTTP_OUT_MAX)) {
            conn_kill(conn);
            return;
        }
    }
    conn->idle_at_ns = conn->lane->now_ns + EDGE_LINGER_NS;
    conn_close_after_flush(conn);
}

/* False: the message has to be offered again later. */
static bool offer(struct conn *conn, const struct weir_ws_message *message) {
    struct weir_session *s = &conn->session;
    size_t consumed = message->payload.size;
    s->was_full = false;
    if (s->opened) s->protocol->on_bytes(s, message->payload, message->opcode == WEIR_WS_TEXT, &consumed);
    return true;
}

/* All of a deflated message into `plain`. NULL, or why not. */
static const char *inflate_into(
    struct conn *conn, const struct weir_ws_message *message, struct buffer *plain, uint16_t *ret_code) {
    struct edge_lane *lane = conn->lane;
    size_t max = (size_t)conn->session.ws.limits.message_bytes_max, got = 0;
    enum weir_error e = WEIR_E_AGAIN;
    weir_ws_inflate_begin(&lane->deflate, message->payload);
    while (e == WEIR_E_AGAIN) {
        *ret_code = WEIR_WS_CODE_TRY_LATER;
        if (!buffer_reserve(&lane->buffers, plain, INFLATE_STEP, max + 2 * INFLATE_STEP))
            return "there is no memory for the message now";
        e = weir_ws_inflate_some(&lane->deflate, plain->data + plain->size, buffer_room(plain), &got);
        *ret_code = WEIR_WS_CODE_NOT_UTF8; /* RFC 6455 7.4.1: also of any data that is not what its type says */
        if (e && e != WEIR_E_AGAIN) return "the message is not deflated data";
        plain->size += (uint32_t)got;
        *ret_code = WEIR_WS_CODE_TOO_BIG;
        if (plain->size > max) return "the message is too large";
    }
    *ret_code = WEIR_WS_CODE_NOT_UTF8;
    bool is_bad = message->opcode == WEIR_WS_TEXT &&
                  weir_ws_utf8(WEIR_WS_UTF8_ACCEPT, buffer_slice(plain)) != WEIR_WS_UTF8_ACCEPT;
    return is_bad ? "a text message is not UTF-8" : NULL;
}

static bool offer_inflated(struct conn *conn, const struct weir_ws_message *message) {
    struct buffer plain = {0};
    uint16_t code = 0;
    const char *wrong = inflate_into(conn, message, &plain, &code);
    if (wrong) {
        ws_session_close(conn, code, wrong);
    } else {
        struct weir_ws_message inflated = *message;
        inflated.payload = buffer_slice(&plain);
        (void)offer(conn, &inflated);
    }
    buffer_release(&conn->lane->buffers, &plain);
    return !wrong;
}

static bool handle(struct conn *conn, enum weir_ws_event event, const struct weir_ws_message *message) {
    switch (event) {
    case WEIR_WS_EVENT_MORE:
        return false;
    case WEIR_WS_EVENT_MESSAGE:
        return message->is_compressed ? offer_inflated(conn, message) : offer(conn, message);
    case WEIR_WS_EVENT_PING:
        if (buffer_count(&conn->out) > EDGE_OUT_PAUSE_BYTES || !ws_session_send(conn, WEIR_WS_PONG, message->payload)) {
            metric_add(&conn->lane->metrics.slow_consumers, 1);
            conn_kill(conn); /* pings without ever reading the answers */
        }
        return true;
    case WEIR_WS_EVENT_PONG:
        return true;
    case WEIR_WS_EVENT_CLOSE:
        ws_session_close(conn, message->code == WEIR_WS_CODE_NONE ? WEIR_WS_CODE_NORMAL : message->code, "");
        return false;
    case WEIR_WS_EVENT_ERROR:
        ws_session_close(conn, message->code, message->reason ? message->reason : "");
        return false;
    }
    return false;
}

void ws_session_advance(struct conn *conn) {
    struct weir_session *s = &conn->session;
    conn_touch(conn);
    conn->read_paused = false;
    while (!conn->dead && !conn->closing) {
        size_t size = buffer_count(&conn->in), consumed = 0;
        if (size == 0) break;
        struct weir_ws_message message;
        enum weir_ws_event event = weir_ws_stream_feed(&s->ws, conn->in.data + conn->in.at, &size, &consumed, &message);
        conn->in.size = conn->in.at + (uint32_t)size;
        WEIR_ASSERT(size <= conn->in.cap - conn->in.at && consumed <= size);
        bool go_on = handle(conn, event, &message);
        buffer_consume(&conn->in, consumed);
        if (!go_on) break;
    }
    if (conn->closing || conn->dead)
        buffer_consume(&conn->in, buffer_count(&conn->in));
    else if (conn->peer_closed)
        conn_kill(conn); /* no close frame came; there is nobody to say goodbye to */
}
