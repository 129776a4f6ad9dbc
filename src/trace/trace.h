/* trace/trace.h: what lanes write down of the requests that are traced, on its way to the agent that exports it.
 *
 *     lane: trace_request_begin() ... trace_request_end(), trace_record() -- ring --> the exporter (src/otlp)
 *
 * A span is written once, when it is over, as one message of its lane's ring; nothing is shared between lanes. A ring
 * that is full, or too many requests open at once, costs spans and never waits: each is counted. While tracing is off a
 * request costs one relaxed load; while it is on, one that is not sampled costs the search for its header and a random
 * number. Records of requests that are not sampled carry nothing (host/envelope.h).
 *
 * The id of a record's span is a function of the trace, its partition and its offset, not of chance: whoever derives
 * the record's emits again after a crash names the same cause.
 *
 * Threads: a trace_lane belongs to its lane, its ring's other end to the exporter. trace_set(): any, one at a time.
 * Memory: mapped at open, touched when used. Times are the monotonic clock's; who exports knows the wall's.
 */
#ifndef WEIR_TRACE_TRACE_H
#define WEIR_TRACE_TRACE_H
#include "base/metric.h"
#include "base/pool.h"
#include "base/prng.h"
#include "base/ring.h"
#include "sys/sys.h"
#include "wire/trace_context.h"

#define TRACE_OPEN_MAX         4096u /* traced requests of a lane that may be under way */
#define TRACE_TEXT_MAX         128u  /* of a path, a peer; longer ones are cut */
#define TRACE_NAME_MAX         40u   /* of a principal, a tenant, a request id */
#define TRACE_SPANS_PER_RECORD 5u    /* what one struct trace_record becomes at most */

struct tracer;
struct trace_lane;

/* ---- what is written down; the ring's messages, by their tag ---- */
enum trace_tag { TRACE_REQUEST, TRACE_RECORD };

struct trace_request {
    uint32_t pool_link; /* the pool's while free */
    struct weir_trace_link link;
    uint8_t parent_id[WEIR_SPAN_ID_SIZE]; /* zeros: a root */
    uint8_t flags;
    bool is_tls;
    uint16_t status;                      /* of the answer; 0: the client was gone before it */
    uint64_t begin_ns, end_ns;            /* from the request's last byte to its answer */
    const char *method, *route, *service; /* of static life, or the node's; NULL: none */
    char id[TRACE_NAME_MAX + 1];          /* X-Request-Id */
    char principal[TRACE_NAME_MAX + 1], tenant[TRACE_NAME_MAX + 1];
    char path[TRACE_TEXT_MAX], peer[TRACE_TEXT_MAX];
    uint16_t state_size; /* last: a message ends behind the state */
    char state[WEIR_TRACESTATE_MAX];
};
/* A record of a service's input, from its append to the release of what it caused. */
struct trace_record {
    struct weir_trace_link cause; /* its parent: the request, or the record that emitted it */
    uint64_t offset;
    uint64_t appended_ns;          /* into the open commit */
    uint64_t submitted_ns;         /* that commit, to the journal */
    uint64_t durable_ns;           /* its sync returned */
    uint64_t apply_ns, applied_ns; /* the fold, which runs while the disk works; 0: a plain topic has none */
    uint64_t released_ns;          /* replies and emits left */
    const char *service, *topic;   /* of static life, or the node's; service NULL: a plain topic */
    uint32_t uid, partition;
    uint32_t commit_records; /* that shared the sync */
    bool is_emit;            /* of another record, else a command */
};

struct trace_lane_metrics {
    struct metric_counter spans, dropped_full, dropped_open; /* spans written; lost to a full ring, to TRACE_OPEN_MAX */
};
struct trace_lane {
    struct tracer *tracer;
    struct sys *sys;
    struct prng prng;
    struct byte_ring ring;
    struct pool open; /* of struct trace_request */
    struct trace_request *requests;
    struct trace_lane_metrics metrics;
};

/* ---- life ---- */
struct trace_options {
    struct sys *sys;
    uint32_t lanes;
    uint64_t queue_bytes; /* of a lane's ring; rounded up to a power of two */
    struct metric_registry *metrics;
};
WEIR_MUST enum weir_error trace_open(const struct trace_options *options, struct tracer **ret_tracer);
void trace_close(struct tracer *tracer); /* accepts NULL */
/* Puts in force from the next request on. ratio: of requests that begin a trace here, 0 to 1. follows: a request whose
 * traceparent is sampled is traced, one whose is not is not; else every request begins a trace of its own. */
struct trace_sampling {
    bool on, follows;
    double ratio;
};
void trace_set(struct tracer *tracer, const struct trace_sampling *sampling);
struct trace_lane *trace_lane(struct tracer *tracer, uint32_t lane); /* NULL when tracer is */
uint32_t trace_lanes(const struct tracer *tracer);

/* ---- on a lane ---- */
bool trace_is_on(const struct trace_lane *lane); /* false for NULL */
/* The headers as they came. A request that has more than one traceparent has none, and one with more states than there
 * may be members has no state. */
struct trace_headers {
    struct weir_slice parent, states[WEIR_TRACESTATE_MEMBERS];
    uint32_t parents, state_count;
};
/* NULL: not traced. Else to be filled in, and ended. */
struct trace_request *trace_request_begin(
    struct trace_lane *lane, const struct trace_headers *headers, uint64_t now_ns);
void trace_request_end(struct trace_lane *lane, struct trace_request *request, uint64_t now_ns);
void trace_request_drop(struct trace_lane *lane, struct trace_request *request); /* instead: it is not worth a span */
bool trace_request_is_root(const struct trace_request *request);
void trace_record(struct trace_lane *lane, const struct trace_record *record);
uint32_t trace_record_spans(const struct trace_record *record); /* that it becomes */
/* The span of the record at this place that `cause` led to. */
struct weir_trace_link trace_record_link(const struct weir_trace_link *cause, uint32_t uid, uint64_t offset);

#endif
