/* HTTP/1.1 on a connection of the generator: requests from the templates, answers read without keeping their bodies. */
#include "base/text.h"
#include "load/worker.h"

#define BODY_BYTES_MAX (UINT64_C(1) << 40) /* bodies are passed over, not kept */
#define BODY_SALT      1
#define HEAD_SALT      2

static void http_greet(struct load_worker *w, struct load_conn *c, uint64_t now) {
    c->http.in_body = false;
    load_conn_ready(w, c, now);
}

static size_t http_render(struct load_worker *w, struct load_conn *c, struct load_pending *pending, uint8_t *out) {
    static const char name[] = "Content-Length: ";
    const struct load_options *o = w->options;
    (void)c;
    size_t size = load_template_render(&o->head, o->seed, pending->n, HEAD_SALT, out);
    if (o->has_body) {
        size_t body = load_template_render(&o->body, o->seed, pending->n, BODY_SALT, w->body);
        memcpy(out + size, name, sizeof name - 1);
        size += sizeof name - 1;
        size += text_format_u64((char *)out + size, body);
        memcpy(out + size, "\r\n\r\n", 4);
        memcpy(out + size + 4, w->body, body);
        return size + 4 + body;
    }
    memcpy(out + size, "\r\n", 2);
    return size + 2;
}

/* A whole answer: what it means for the request it belongs to. */
static void answer(struct load_worker *w, struct load_conn *c, uint64_t now) {
    int status = c->http.status;
    enum load_failure how = status >= 500   ? LOAD_FAILURE_STATUS_5XX
                            : status >= 400 ? LOAD_FAILURE_STATUS_4XX
                                            : LOAD_ANSWERED;
    c->http.in_body = false;
    w->result.counts.statuses[status]++;
    if (how != LOAD_ANSWERED && !w->result.first_failure[0]) {
        struct text_builder t = TEXT_BUILDER(w->result.first_failure);
        text_printf(&t, "the answer was %d %s", status, weir_http_status_text(status));
    }
    bool keep_alive = c->http.keep_alive;
    load_conn_finish(w, c, 0, how, now);
    if (c->state == LOAD_CONN_DOWN || keep_alive) return;
    w->result.counts.cuts++;
    load_conn_lose(w, c, LOAD_FAILURE_CUT, LOAD_FAILURE_CUT, now);
}

/* The head of an answer at the front of bytes. Returns its size; 0: more is needed; BAD. */
static size_t head_take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t size, bool *ret_is_whole) {
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    *ret_is_whole = false;
    if (!end) return size >= limits.head_bytes_max ? LOAD_TAKE_BAD : 0;
    size_t head = (size_t)(end + 4 - bytes);
    limits.body_bytes_max = BODY_BYTES_MAX;
    weir_http_response_parser_init(&w->parser, &limits, w->options->is_head);
    enum weir_http_result r = weir_http_response_parser_feed(&w->parser, bytes, head);
    if (r == WEIR_HTTP_ERROR) {
        load_worker_note(w, w->parser.reason);
        return LOAD_TAKE_BAD;
    }
    if (!w->parser.has_head) return head; /* an interim answer; the final one follows */
    if (c->pending_count == 0) {
        char text[120];
        struct text_builder t = TEXT_BUILDER(text);
        text_printf(&t, "an answer to no request: %d %s", w->parser.response.status,
            weir_http_status_text(w->parser.response.status));
        load_worker_note(w, text);
        return LOAD_TAKE_BAD;
    }
    const struct weir_http_response *response = &w->parser.response;
    c->http.status = response->status;
    c->http.keep_alive = response->keep_alive;
    c->http.in_body = true;
    *ret_is_whole = r == WEIR_HTTP_COMPLETE;
    weir_http_body_init(&c->http.body, response->framing, response->content_length, BODY_BYTES_MAX);
    return head;
}

static size_t http_take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t *size_io, uint64_t now) {
    size_t at = 0, size = *size_io;
    while (at < size) {
        bool is_whole = false;
        if (!c->http.in_body) {
            size_t head = head_take(w, c, bytes + at, size - at, &is_whole);
            if (head == 0) return at;
            if (head == LOAD_TAKE_BAD) return head;
            at += head;
        }
        while (c->http.in_body && !is_whole && at < size) {
            size_t consumed = 0;
            struct weir_slice data;
            enum weir_http_result r =
                weir_http_body_next(&c->http.body, weir_slice(bytes + at, size - at), &consumed, &data);
            if (r == WEIR_HTTP_ERROR) {
                load_worker_note(w, c->http.body.reason);
                return LOAD_TAKE_BAD;
            }
            at += consumed;
            is_whole = r == WEIR_HTTP_COMPLETE;
        }
        if (is_whole) answer(w, c, now);
        if (c->state == LOAD_CONN_DOWN) return at;
    }
    return at;
}

/* A body that runs until the close is whole now. */
static enum load_failure http_end(struct load_worker *w, struct load_conn *c) {
    if (c->pending_count == 0 || !c->http.in_body || c->http.body.framing != WEIR_HTTP_FRAMING_CLOSE)
        return LOAD_FAILURE_CUT;
    int status = c->http.status;
    w->result.counts.statuses[status]++;
    return status >= 500 ? LOAD_FAILURE_STATUS_5XX : status >= 400 ? LOAD_FAILURE_STATUS_4XX : LOAD_ANSWERED;
}

const struct load_protocol load_protocol_http = {
    .greet = http_greet, .render = http_render, .take = http_take, .end = http_end};
