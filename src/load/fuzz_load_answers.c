/* What a target may answer: HTTP, WebSocket, OUCH and datagrams, in two pieces, to a connection with requests under
 * way. Each request ends at most once, what was not taken is within the bytes, and nothing is remembered of a lost
 * connection. Input: a byte that chooses the protocol and how requests are matched, one where the bytes are cut, the
 * bytes. Covers: http.c ouch.c udp.c ws.c. */
#include "base/assert.h"
#include "load/worker.h"

#include <stdlib.h>

#define REQUESTS 6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct load_options options;
static struct load_worker workers[4];

static void options_init(enum load_scheme scheme) {
    static bool done;
    options = (struct load_options){.connections = 1,
        .pipeline = 8,
        .threads = 1,
        .timeout_ns = SYS_NANOS_PER_S,
        .seed = 1,
        .match_field = "n",
        .curve = options.curve,
        .body = options.body,
        .head = options.head};
    options.target =
        (struct load_target){.scheme = scheme, .host = "127.0.0.1", .port = 1, .authority = "h", .path = "/"};
    options.ouch.symbol = "S", options.ouch.password = options.ouch.session = "", options.ouch.account = 1;
    options.ouch.price_low = 1, options.ouch.price_high = 2, options.ouch.quantity = 1;
    options.headers[0] = (struct weir_http_header){weir_slice_text("A"), weir_slice_text("b")};
    options.header_count = 1;
    options.hello = weir_slice_text("hi");
    if (done) return;
    enum weir_error e = load_curve_init(&options.curve, "steady", (struct weir_slice){0}, 10, 10);
    if (e == WEIR_OK) e = load_template_init(&options.body, weir_slice_text("{\"n\":{{n}}}"), NULL);
    if (e == WEIR_OK) e = load_template_init(&options.head, weir_slice_text("POST / HTTP/1.1\r\n"), NULL);
    WEIR_ASSERT(e == WEIR_OK);
    done = true;
}

static struct load_worker *worker_of(enum load_scheme scheme) {
    static struct sys *sys;
    struct load_worker *w = &workers[scheme];
    options_init(scheme);
    if (w->sys) return w;
    enum weir_error e = sys ? WEIR_OK : sys_linux_new(&sys);
    if (e == WEIR_OK) e = load_worker_init(w, sys, &options, 0);
    WEIR_ASSERT(e == WEIR_OK);
    w->base_ns = w->end_ns = 1;
    return w;
}

/* As after a connect, the same each time. */
static void conn_start(struct load_worker *w, struct load_conn *c) {
    *c = (struct load_conn){.socket = -1, .wake_ns = UINT64_MAX, .state = LOAD_CONN_OPENING};
    w->ready_count = w->dirty_count = w->wake_count = 0;
    w->under_way = 0;
    w->opening = 1;
    w->random = prng_seed(1);
    w->result.first_failure[0] = 0;
    w->protocol->greet(w, c, 1);
}

static void ask(struct load_worker *w, struct load_conn *c) {
    while (c->state == LOAD_CONN_READY && c->pending_count < REQUESTS)
        load_conn_send(w, c, &(struct load_due){.n = c->pending_count}, 2);
}

static uint64_t ended(const struct load_worker *w) {
    uint64_t failures = load_result_failures(&w->result);
    return w->result.counts.answered + failures;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1 << 14) return 0;
    struct load_worker *w = worker_of((enum load_scheme)(data[0] % 4));
    options.match = (enum load_match)(data[0] / 4 % 3);
    options.has_body = data[0] / 16 % 2;
    options.is_head = data[0] / 32 % 2;
    struct load_conn *c = &w->conns[0];
    size_t cut = data[1], at = 0, had = 0;
    uint64_t before = ended(w), planned = w->result.counts.planned;
    conn_start(w, c);
    data += 2, size -= 2;
    ask(w, c);
    for (int piece = 0; piece < 2 && c->state != LOAD_CONN_DOWN; piece++) {
        size_t more = piece == 0 ? (cut < size ? cut : size) : size - at;
        memcpy(w->scratch + had, data + at, more);
        at += more;
        had += more;
        if (had == 0) continue;
        size_t taken = w->protocol->take(w, c, w->scratch, &had, 3);
        if (taken == LOAD_TAKE_BAD) {
            load_conn_lose(w, c, LOAD_FAILURE_MALFORMED, LOAD_FAILURE_CUT, 4);
            break;
        }
        if (c->state == LOAD_CONN_DOWN) break;
        WEIR_ASSERT(taken <= had);
        had -= taken;
        memmove(w->scratch, w->scratch + taken, had);
        if (w->protocol->tick) w->protocol->tick(w, c, SYS_NANOS_PER_S * 2);
        ask(w, c); /* a connection that became ready by its greeting's answer */
    }
    if (c->state != LOAD_CONN_DOWN) {
        enum load_failure how = w->protocol->end ? w->protocol->end(w, c) : LOAD_FAILURE_CUT;
        load_conn_lose(w, c, how, LOAD_FAILURE_CUT, 5);
    }
    WEIR_ASSERT(w->under_way == 0 && c->pending_count == 0);
    /* A connection that cannot be made ends a request too: the oldest that is due. */
    WEIR_ASSERT(ended(w) - before == w->result.counts.planned - planned);
    return 0;
}
