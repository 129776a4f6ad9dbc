#include "trace/trace.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"

#define RING_MIN (64u << 10)

struct tracer {
    struct sys *sys;
    uint32_t lanes;
    _Atomic bool on, follows;
    _Atomic uint64_t threshold; /* a root is sampled when a random number is below it; UINT64_MAX: always */
    uint64_t ring_bytes;
    void *memory; /* the lanes, then their rings and requests */
    size_t memory_size;
    struct trace_lane lane[];
};

/* ---- life ---- */

static void register_metrics(struct metric_registry *r, struct trace_lane *lane, unsigned i) {
    struct trace_lane_metrics *m = &lane->metrics;
    const char *dropped = "weir_trace_spans_dropped_total", *help = "Spans lost, by reason.";
    metric_register(
        r, METRIC_COUNTER, &m->spans, "weir_trace_spans_total", "Spans written by lanes.", "lane=\"%u\"", i);
    metric_register(r, METRIC_COUNTER, &m->dropped_full, dropped, help, "lane=\"%u\",reason=\"queue_full\"", i);
    metric_register(r, METRIC_COUNTER, &m->dropped_open, dropped, help, "lane=\"%u\",reason=\"too_many_open\"", i);
}

static void open_lane(struct tracer *t, uint32_t index, uint8_t *memory) {
    struct trace_lane *lane = &t->lane[index];
    uint64_t seed;
    lane->tracer = t;
    lane->sys = t->sys;
    t->sys->random(t->sys, &seed, sizeof seed);
    lane->prng = prng_seed(seed);
    byte_ring_init(&lane->ring, memory, t->ring_bytes);
    lane->requests = (void *)(memory + t->ring_bytes);
    pool_init(&lane->open, lane->requests, sizeof(struct trace_request), TRACE_OPEN_MAX);
}

enum weir_error trace_open(const struct trace_options *options, struct tracer **ret_tracer) {
    uint64_t ring = RING_MIN;
    while (ring < options->queue_bytes)
        ring *= 2;
    size_t head = (sizeof(struct tracer) + options->lanes * sizeof(struct trace_lane) + 4095) & ~(size_t)4095;
    size_t part = (ring + TRACE_OPEN_MAX * sizeof(struct trace_request) + 4095) & ~(size_t)4095;
    void *memory;
    enum weir_error e = sys_memory_map(head + options->lanes * part, &memory);
    if (e) return weir_error_wrap(e, "trace.queue_bytes");
    struct tracer *t = memory;
    t->sys = options->sys;
    t->lanes = options->lanes;
    t->ring_bytes = ring;
    t->memory = memory;
    t->memory_size = head + options->lanes * part;
    for (uint32_t i = 0; i < options->lanes; i++) {
        open_lane(t, i, (uint8_t *)memory + head + i * part);
        if (options->metrics) register_metrics(options->metrics, &t->lane[i], i);
    }
    *ret_tracer = t;
    return WEIR_OK;
}

void trace_close(struct tracer *t) {
    if (t) sys_memory_unmap(t->memory, t->memory_size);
}

void trace_set(struct tracer *t, const struct trace_sampling *s) {
    WEIR_ASSERT(s->ratio >= 0 && s->ratio <= 1);
    uint64_t threshold = s->ratio >= 1 ? UINT64_MAX : (uint64_t)(s->ratio * 0x1p64);
    atomic_store_explicit(&t->threshold, threshold, memory_order_relaxed);
    atomic_store_explicit(&t->follows, s->follows, memory_order_relaxed);
    atomic_store_explicit(&t->on, s->on, memory_order_relaxed);
}

struct trace_lane *trace_lane(struct tracer *t, uint32_t lane) {
    return t ? &t->lane[lane] : NULL;
}

uint32_t trace_lanes(const struct tracer *t) {
    return t->lanes;
}

/* ---- on a lane ---- */

bool trace_is_on(const struct trace_lane *lane) {
    return lane && atomic_load_explicit(&lane->tracer->on, memory_order_relaxed);
}

static bool sample_root(struct trace_lane *lane) {
    uint64_t threshold = atomic_load_explicit(&lane->tracer->threshold, memory_order_relaxed);
    return threshold == UINT64_MAX || (threshold > 0 && prng_next(&lane->prng) < threshold);
}

static void draw(struct trace_lane *lane, uint8_t *out, size_t size) {
    do
        prng_bytes(&lane->prng, out, size);
    while (out[0] == 0); /* never all zeros, which is no id */
}

struct trace_request *trace_request_begin(struct trace_lane *lane, const struct trace_headers *h, uint64_t now_ns) {
    struct weir_traceparent parent = {.flags = 0};
    bool follows = atomic_load_explicit(&lane->tracer->follows, memory_order_relaxed);
    bool has_parent = follows && h->parents == 1 && weir_traceparent_parse(h->parent, &parent);
    if (has_parent ? !(parent.flags & WEIR_TRACE_FLAG_SAMPLED) : !sample_root(lane)) return NULL;
    uint32_t slot = pool_take(&lane->open);
    if (slot == POOL_NONE) {
        metric_add(&lane->metrics.dropped_open, 1);
        return NULL;
    }
    struct trace_request *r = &lane->requests[slot];
    *r = (struct trace_request){.begin_ns = now_ns, .flags = parent.flags};
    if (has_parent) {
        memcpy(r->link.trace_id, parent.link.trace_id, sizeof r->link.trace_id);
        memcpy(r->parent_id, parent.link.span_id, sizeof r->parent_id);
        if (h->state_count <= WEIR_TRACESTATE_MEMBERS)
            r->state_size = (uint16_t)weir_tracestate_join(h->states, h->state_count, r->state);
    } else {
        draw(lane, r->link.trace_id, sizeof r->link.trace_id);
        r->flags = WEIR_TRACE_FLAG_SAMPLED | WEIR_TRACE_FLAG_RANDOM;
    }
    draw(lane, r->link.span_id, sizeof r->link.span_id);
    return r;
}

static void send(struct trace_lane *lane, const void *message, size_t size, enum trace_tag tag, uint32_t spans) {
    if (byte_ring_send(&lane->ring, weir_slice(message, size), tag))
        metric_add(&lane->metrics.spans, spans);
    else
        metric_add(&lane->metrics.dropped_full, spans);
}

void trace_request_end(struct trace_lane *lane, struct trace_request *r, uint64_t now_ns) {
    r->end_ns = now_ns;
    send(lane, r, offsetof(struct trace_request, state) + r->state_size, TRACE_REQUEST, 1);
    trace_request_drop(lane, r);
}

void trace_request_drop(struct trace_lane *lane, struct trace_request *r) {
    pool_give(&lane->open, pool_index(&lane->open, r));
}

bool trace_request_is_root(const struct trace_request *r) {
    static const uint8_t none[WEIR_SPAN_ID_SIZE];
    return memcmp(r->parent_id, none, sizeof none) == 0;
}

void trace_record(struct trace_lane *lane, const struct trace_record *r) {
    send(lane, r, sizeof *r, TRACE_RECORD, trace_record_spans(r));
}

uint32_t trace_record_spans(const struct trace_record *r) {
    return r->apply_ns ? TRACE_SPANS_PER_RECORD : TRACE_SPANS_PER_RECORD - 1;
}

struct weir_trace_link trace_record_link(const struct weir_trace_link *cause, uint32_t uid, uint64_t offset) {
    struct weir_trace_link link = *cause;
    uint8_t place[16];
    store_le64(place, uid);
    store_le64(place + 8, offset);
    uint64_t hash = hash_bytes(place, sizeof place, hash_bytes(cause, sizeof *cause, 0x7370616eu));
    store_le64(link.span_id, hash ? hash : 1);
    return link;
}
