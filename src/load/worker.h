/* load/worker.h: one thread of the generator: its connections, its share of the plan, its figures.
 *
 * The loop sends what is due over the connections that have room, reads what has come, and never waits for an answer
 * before it sends the next request: only connections x pipeline bound what is under way. A request for which no
 * connection is free keeps its intended time, and what it waits is latency. All memory at init; a connection's buffers
 * are address space, touched as far as they are used. Owner: its thread; others read `live` and set `begin_ns` and
 * `stop` (atomics).
 */
#ifndef WEIR_LOAD_WORKER_H
#define WEIR_LOAD_WORKER_H
#include "load/interval.h"
#include "load/options.h"
#include "load/plan.h"
#include "load/result.h"
#include "sys/sys.h"
#include "wire/ws.h"

enum load_conn_state {
    LOAD_CONN_DOWN,       /* no socket; opens again at wake_ns */
    LOAD_CONN_CONNECTING, /* TCP is on its way */
    LOAD_CONN_SHAKING,    /* TLS is */
    LOAD_CONN_OPENING,    /* connected; the protocol's greeting is on its way */
    LOAD_CONN_READY,
    LOAD_CONN_LEAVING, /* takes no more requests; opens again when the last is answered */
    LOAD_CONN_IDLE,    /* half open on purpose */
};
enum load_conn_kind { LOAD_KIND_PLAIN, LOAD_KIND_SLOW, LOAD_KIND_DRIBBLE, LOAD_KIND_HALF_OPEN };

/* A request under way. */
struct load_pending {
    uint64_t n, origin_ns, sent_ns; /* absolute times */
    uint64_t release_ns;            /* not before then may its bytes leave: the network in between */
    uint64_t key;                   /* the protocol's */
    uint32_t attempt, size;
};

struct load_conn {
    int socket;
    uint8_t state, kind;
    bool in_ready, dirty, is_reading, is_writing, is_settled;
    uint32_t failures; /* connects in a row that failed */
    uint32_t pending_first, pending_count, released;
    uint32_t in_size;
    uint32_t out_size, out_sent, out_allowed;
    uint64_t requests;          /* since it was opened */
    uint64_t opened_ns;         /* when the connect began */
    uint64_t wake_ns;           /* UINT64_MAX: nothing to do at a time of its own */
    uint64_t since_ns, byte_ns; /* bytes have waited to be read since then; when the next byte may leave */
    uint64_t read_debt_ns;      /* slow: when the next read is paid for */
    struct load_link up, down;
    union {
        struct {
            struct weir_http_body body;
            bool in_body, keep_alive;
            int status;
        } http;
        struct {
            struct weir_ws_stream stream;
            char key[WEIR_WS_KEY_SIZE];
        } ws;
        struct {
            uint64_t heard_ns, said_ns;
            uint32_t next_ref;
        } ouch;
    };
};

struct tls_link;

struct load_wake {
    uint64_t at_ns;
    uint32_t conn;
};
struct load_live { /* written by the worker with relaxed atomics, read by anyone */
    uint64_t attempts, answered, failed, under_way, opened, is_over;
};

struct load_worker {
    struct sys *sys;
    const struct load_options *options;
    const struct load_protocol *protocol;
    uint32_t index;
    int poller;
    struct load_plan plan;
    struct load_result result;
    struct load_intervals intervals;
    struct prng random;
    struct load_conn *conns;
    struct load_pending *pending; /* conn i: [i * pipeline, ...) */
    uint8_t *in, *out;            /* conn i: [i * in_max, ...), [i * out_max, ...) */
    uint32_t *ready;              /* ring of connections with room */
    uint32_t *dirty;              /* connections with bytes to flush */
    struct tls_link *links;       /* of each connection; NULL: no TLS */
    struct load_wake *wakes;      /* heap; entries that are not their connection's wake_ns are dead */
    size_t in_max, out_max, scratch_size, request_max;
    uint8_t *scratch, *body; /* where bytes are read into; where a body is rendered */
    uint32_t conn_count, opening, started, settled, opened, pipeline;
    uint32_t ready_first, ready_count, dirty_count, wake_count, wake_room, scan;
    bool is_behind; /* more is due than one turn sends */
    uint64_t under_way;
    uint64_t free_since_ns; /* a connection has had room since then */
    uint64_t epoch_ns;      /* links count from here */
    uint64_t base_ns;       /* the run's start; 0 before */
    uint64_t end_ns, deadline_ns, last_ns;
    uint64_t idle_ns;
    struct weir_http_response_parser parser; /* one answer's head at a time */
    struct load_live live;
    uint64_t begin_ns, stop; /* atomics, set by the main thread */
};

/* What differs between protocols. */
#define LOAD_TAKE_BAD SIZE_MAX
struct load_protocol {
    bool is_datagram;
    bool sent_is_done; /* with --match none a request is over when its bytes have left */
    void (*hello)(struct load_worker *w, struct load_conn *c); /* first words of a ready connection; NULL: none */
    /* Connected: puts its greeting with load_conn_put() and stays OPENING, or says load_conn_ready(). */
    void (*greet)(struct load_worker *w, struct load_conn *c, uint64_t now);
    /* The request's bytes into out (request_max); may set pending->key. Returns the size. */
    size_t (*render)(struct load_worker *w, struct load_conn *c, struct load_pending *pending, uint8_t *out);
    /* Bytes came: returns those done with, the rest comes again with more behind it; BAD: not the protocol's. May
     * change the bytes and make them fewer. Stops at once when the connection is not what it was (state DOWN). */
    size_t (*take)(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t *size_io, uint64_t now);
    /* The other side has ended: what that means for the first request under way. NULL: CUT. */
    enum load_failure (*end)(struct load_worker *w, struct load_conn *c);
    /* Asked several times a second: heartbeats. NULL: none. */
    void (*tick)(struct load_worker *w, struct load_conn *c, uint64_t now);
};
extern const struct load_protocol load_protocol_http, load_protocol_ws, load_protocol_ouch, load_protocol_udp;
const struct load_protocol *load_protocol_of(enum load_scheme scheme);

WEIR_MUST enum weir_error load_worker_init(
    struct load_worker *w, struct sys *sys, const struct load_options *options, uint32_t index);
void load_worker_done(struct load_worker *w);
/* An agent's do_work. */
uint32_t load_worker_turn(void *self, uint64_t block_ns);

/* ---- for conn.c and the protocols ---- */
static inline uint32_t load_conn_index(const struct load_worker *w, const struct load_conn *c) {
    return (uint32_t)(c - w->conns);
}
static inline struct load_pending *load_conn_pending(
    const struct load_worker *w, const struct load_conn *c, uint32_t i) {
    uint32_t at = c->pending_first + i;
    return &w->pending[(size_t)load_conn_index(w, c) * w->pipeline + (at < w->pipeline ? at : at - w->pipeline)];
}
void load_worker_wake_at(struct load_worker *w, struct load_conn *c, uint64_t at_ns);
/* Puts it in line for requests if it can take one. */
void load_worker_ready(struct load_worker *w, struct load_conn *c, uint64_t now);
void load_worker_dirty(struct load_worker *w, struct load_conn *c);
void load_worker_note(struct load_worker *w, const char *text); /* of the first failure */
/* The first outcome of a connection's opening: the run begins when all have one. */
void load_worker_settled(struct load_worker *w, struct load_conn *c, bool is_ready);

/* ---- stream.c: the bytes of a connection, with TLS or without ---- */
/* The next step of the handshake. AGAIN: waits for the socket, to be written when *ret_wants_write. */
WEIR_MUST enum weir_error load_stream_shake(struct load_worker *w, struct load_conn *c, bool *ret_wants_write);
/* As socket_write and socket_read of sys. */
WEIR_MUST enum weir_error load_stream_put(
    struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t size, size_t *ret_size);
WEIR_MUST enum weir_error load_stream_get(
    struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t size, size_t *ret_size);
bool load_stream_holds(
    const struct load_worker *w, const struct load_conn *c); /* bytes of which the poller does not tell */
void load_stream_close(struct load_worker *w, struct load_conn *c, bool resets);

void load_conn_open(struct load_worker *w, struct load_conn *c, uint64_t now);
void load_conn_ready(struct load_worker *w, struct load_conn *c, uint64_t now);
/* Bytes that are no request, behind what is queued; false when there is no room for them. */
bool load_conn_put(struct load_worker *w, struct load_conn *c, struct weir_slice bytes);
void load_conn_send(struct load_worker *w, struct load_conn *c, const struct load_due *due, uint64_t now);
void load_conn_flush(struct load_worker *w, struct load_conn *c, uint64_t now);
void load_conn_event(struct load_worker *w, struct load_conn *c, uint32_t bits, uint64_t now);
void load_conn_woken(struct load_worker *w, struct load_conn *c, uint64_t now);
/* Request i under way is over. May close the connection. */
void load_conn_finish(struct load_worker *w, struct load_conn *c, uint32_t i, enum load_failure how, uint64_t now);
/* Request i is taken out of what is under way, and what became of it is the caller's to say. */
struct load_pending load_conn_drop(struct load_worker *w, struct load_conn *c, uint32_t i);
/* Closes; the first request under way failed for `first`, those behind it for `rest`; opens again soon. */
void load_conn_lose(
    struct load_worker *w, struct load_conn *c, enum load_failure first, enum load_failure rest, uint64_t now);
void load_conn_expire(struct load_worker *w, struct load_conn *c, uint64_t now);
void load_failed(struct load_worker *w, const struct load_due *due, enum load_failure how, uint64_t now);
#endif
