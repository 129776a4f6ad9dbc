/* load/options.h: all that is asked of a run. Filled by the command line, read by all threads. */
#ifndef WEIR_LOAD_OPTIONS_H
#define WEIR_LOAD_OPTIONS_H
#include "base/histogram.h"
#include "load/curve.h"
#include "load/link.h"
#include "load/resolve.h"
#include "load/rtt.h"
#include "load/target.h"
#include "load/template.h"
#include "wire/http.h"

#define LOAD_CONNECTIONS_MAX 200000u
#define LOAD_PIPELINE_MAX    65536u
#define LOAD_THREADS_MAX     32u
#define LOAD_REQUEST_MAX     (1u << 24)
#define LOAD_HEADERS_MAX     32u

enum load_match { LOAD_MATCH_ORDER, LOAD_MATCH_FIELD, LOAD_MATCH_NONE };

struct load_protocol;
struct tls;

struct load_options {
    struct load_target target;
    struct tls *tls;                        /* of target.is_tls: who is trusted, who we are; NULL: none */
    const struct load_addresses *addresses; /* of the target's name; NULL: target.host is numeric */
    const struct load_protocol *protocol;   /* the caller's own instead of the target's; NULL: the target's */
    void *context;                          /* of that */
    struct load_curve curve;
    uint32_t connections, pipeline, threads;
    uint64_t timeout_ns; /* of an attempt; also what a run waits after its last request */
    uint64_t seed;
    uint64_t late_max_ns; /* of the generator, at p99: above, the run is invalid */
    /* what is sent */
    struct load_template head; /* HTTP: the request's head without Content-Length and the blank line */
    struct load_template body; /* HTTP body, WebSocket message, datagram */
    bool has_body, is_head;    /* is_head: the method is HEAD */
    struct load_lines packets; /* UDP: datagrams of a capture, instead of the body */
    struct weir_http_header headers[LOAD_HEADERS_MAX]; /* WebSocket: of the handshake */
    uint32_t header_count;
    struct weir_slice hello; /* WebSocket: a message right after the handshake */
    enum load_match match;   /* WebSocket, UDP: which message answers which request */
    const char *match_field;
    struct {
        uint64_t account; /* of the first connection; the next ones count on */
        const char *password, *session, *symbol;
        uint64_t price_low, price_high, quantity;
    } ouch;
    /* when */
    bool random_arrivals;
    uint64_t jitter_ns, reorder_ns;
    uint32_t reorder_ppm;
    /* failures */
    uint32_t retries;
    uint64_t reconnect_requests, reconnect_ns; /* 0: never */
    uint32_t reset_ppm;                        /* of requests: the connection is reset instead of waiting */
    uint32_t duplicate_ppm, loss_ppm;
    /* clients that are not well, as shares of the connections */
    uint32_t slow_ppm, dribble_ppm, half_open_ppm;
    uint64_t slow_bytes_s, dribble_gap_ns;
    /* the network */
    struct load_trace up, down;
    bool has_up, has_down;
    uint64_t delay_ns, delay_sd_ns;
    struct load_rtts rtts; /* instead, where there are any: connections take them in turns */
    /* Latency while it runs: called on the main thread for each interval, in order; an error ends the run. */
    uint64_t interval_ns; /* 0: never */
    enum weir_error (*on_interval)(
        void *context, uint64_t start_ns, uint64_t length_ns, const struct histogram *latency);
    void *interval_context;
};
#endif
