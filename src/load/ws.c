/* WebSocket on a connection of the generator: a request is a text message; which message answers it is --match. */
#include "base/json.h"
#include "load/worker.h"

#define BODY_SALT 1

static void mask_of(struct load_worker *w, uint8_t mask[4]) {
    prng_bytes(&w->random, mask, 4);
}

static void ws_greet(struct load_worker *w, struct load_conn *c, uint64_t now) {
    const struct load_options *o = w->options;
    uint8_t nonce[16];
    struct weir_http_writer writer;
    struct weir_slice bytes;
    prng_bytes(&w->random, nonce, sizeof nonce);
    weir_ws_key(nonce, c->ws.key);
    weir_http_writer_init(&writer, w->scratch, w->scratch_size);
    weir_ws_handshake_request(
        &writer, weir_slice_text(o->target.path), weir_slice_text(o->target.authority), c->ws.key);
    for (uint32_t i = 0; i < o->header_count; i++)
        weir_http_writer_header(&writer, o->headers[i].name, o->headers[i].value);
    weir_http_writer_no_body(&writer);
    if (weir_http_writer_finish(&writer, &bytes) != WEIR_OK || !load_conn_put(w, c, bytes)) {
        weir_error_context(WEIR_E_TOO_LARGE, "the handshake is too large, or a header holds a line break");
        load_conn_lose(w, c, LOAD_FAILURE_CONNECT, LOAD_FAILURE_CONNECT, now);
    }
}

static size_t ws_render(struct load_worker *w, struct load_conn *c, struct load_pending *pending, uint8_t *out) {
    const struct load_options *o = w->options;
    uint8_t mask[4];
    size_t size = 0;
    (void)c;
    mask_of(w, mask);
    size_t body = load_template_render(&o->body, o->seed, pending->n, BODY_SALT, w->body);
    enum weir_error e =
        weir_ws_frame_write(out, w->request_max, WEIR_WS_TEXT, true, weir_slice(w->body, body), mask, &size);
    return e == WEIR_OK ? size : 0; /* request_max has room for any frame of the template */
}

static bool put_frame(
    struct load_worker *w, struct load_conn *c, enum weir_ws_opcode opcode, struct weir_slice payload) {
    uint8_t frame[WEIR_WS_HEADER_SIZE_MAX], mask[4];
    mask_of(w, mask);
    size_t header = weir_ws_frame_header(frame, opcode, true, payload.size, mask);
    if (payload.size > w->request_max + WEIR_WS_CONTROL_SIZE_MAX) return false;
    uint8_t *whole = w->scratch + w->scratch_size - w->request_max - WEIR_WS_CONTROL_SIZE_MAX - WEIR_WS_HEADER_SIZE_MAX;
    memmove(whole + header, payload.data, payload.size);
    memcpy(whole, frame, header);
    weir_ws_mask(whole + header, payload.size, mask, 0);
    return load_conn_put(w, c, weir_slice(whole, header + payload.size));
}

static size_t handshake_take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t size, uint64_t now) {
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return size >= limits.head_bytes_max ? LOAD_TAKE_BAD : 0;
    size_t head = (size_t)(end + 4 - bytes);
    weir_http_response_parser_init(&w->parser, &limits, true);
    enum weir_http_result r = weir_http_response_parser_feed(&w->parser, bytes, head);
    if (r != WEIR_HTTP_COMPLETE) {
        weir_error_context(WEIR_E_INVALID, "the handshake's answer: %s", w->parser.reason ? w->parser.reason : "cut");
        return LOAD_TAKE_BAD;
    }
    if (weir_ws_handshake_verify(&w->parser.response, c->ws.key) != WEIR_OK) return LOAD_TAKE_BAD;
    struct weir_ws_limits ws_limits = WEIR_WS_LIMITS_DEFAULT;
    weir_ws_stream_init(&c->ws.stream, WEIR_WS_CLIENT, &ws_limits);
    load_conn_ready(w, c, now);
    return head;
}

/* The request whose number stands in the member: its place among those under way; -1: none. */
static int64_t field_find(const struct load_worker *w, const struct load_conn *c, struct weir_slice message) {
    struct json_reader r = json_reader(message, 0);
    if (json_next(&r) != JSON_OBJECT_OPEN) return -1;
    while (json_next(&r) == JSON_KEY) {
        bool wanted = json_text_is(&r, w->options->match_field);
        uint64_t n = 0;
        json_next(&r);
        if (!wanted) {
            json_skip_value(&r);
            continue;
        }
        if (!json_get_u64(&r, &n)) return -1;
        for (uint32_t i = 0; i < c->pending_count; i++)
            if (load_conn_pending(w, c, i)->n == n) return i;
        return -1;
    }
    return -1;
}

static void message_take(struct load_worker *w, struct load_conn *c, struct weir_slice message, uint64_t now) {
    int64_t i = w->options->match == LOAD_MATCH_FIELD   ? field_find(w, c, message)
                : w->options->match == LOAD_MATCH_ORDER ? (c->pending_count ? 0 : -1)
                                                        : -1;
    if (i >= 0)
        load_conn_finish(w, c, (uint32_t)i, LOAD_ANSWERED, now);
    else
        w->result.counts.pushes++;
}

static size_t ws_take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t *size_io, uint64_t now) {
    size_t at = 0;
    if (c->state == LOAD_CONN_OPENING) {
        at = handshake_take(w, c, bytes, *size_io, now);
        if (at == LOAD_TAKE_BAD || at == 0) return at;
    }
    for (;;) {
        size_t left = *size_io - at, before = left, consumed = 0;
        struct weir_ws_message message;
        enum weir_ws_event event = weir_ws_stream_feed(&c->ws.stream, bytes + at, &left, &consumed, &message);
        *size_io -= before - left;
        at += consumed;
        switch (event) {
        case WEIR_WS_EVENT_MORE:
            return at;
        case WEIR_WS_EVENT_MESSAGE:
            message_take(w, c, message.payload, now);
            break;
        case WEIR_WS_EVENT_PING:
            (void)put_frame(w, c, WEIR_WS_PONG, message.payload); /* a flood of pings is not answered in full */
            break;
        case WEIR_WS_EVENT_PONG:
            break;
        case WEIR_WS_EVENT_CLOSE:
            w->result.counts.cuts++;
            load_worker_note(w, "the other side closed the WebSocket");
            load_conn_lose(w, c, LOAD_FAILURE_CUT, LOAD_FAILURE_CUT, now);
            return at;
        case WEIR_WS_EVENT_ERROR:
            load_worker_note(w, message.reason);
            return LOAD_TAKE_BAD;
        }
        if (c->state == LOAD_CONN_DOWN) return at;
    }
}

/* What the client says first, on each connection. */
static void ws_hello(struct load_worker *w, struct load_conn *c) {
    if (w->options->hello.size) (void)put_frame(w, c, WEIR_WS_TEXT, w->options->hello);
}

const struct load_protocol load_protocol_ws = {
    .greet = ws_greet, .render = ws_render, .take = ws_take, .hello = ws_hello, .sent_is_done = true};
