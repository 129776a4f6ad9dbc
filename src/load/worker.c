#include "load/worker.h"
#include "base/assert.h"
#include "base/atomics.h"
#include "base/text.h"
#include "tls/tls.h"
#include <stdlib.h>

#define OPENING_MAX 256u /* connects on their way at once: listen queues are short */
#define SENDS_MAX   256  /* of a turn; then answers are read */
#define EVENTS_MAX  256
#define SCAN_MAX    256u /* connections looked at for timeouts, each turn */
#define IDLE_NS     (50 * SYS_NANOS_PER_MS)
#define BATCH_RATE  20000.0 /* above, waking for each request would cost the target's processor time */
#define BATCH_NS    50000u
#define READ_BYTES  (64u << 10)
#define EXTRA_BYTES 512u /* of greetings and pongs, beside the requests */
#define WAITING_MAX 65536u

const struct load_protocol *load_protocol_of(enum load_scheme scheme) {
    static const struct load_protocol *const all[] = {[LOAD_HTTP] = &load_protocol_http,
        [LOAD_WS] = &load_protocol_ws,
        [LOAD_OUCH] = &load_protocol_ouch,
        [LOAD_UDP] = &load_protocol_udp};
    return all[scheme];
}

/* ---- life ---- */

static enum weir_error map(size_t count, size_t size, void *ret) {
    void *memory = NULL;
    enum weir_error e = sys_memory_map(count * size, &memory);
    if (e == WEIR_OK) memcpy(ret, &memory, sizeof memory);
    return e;
}

static void sizes_set(struct load_worker *w) {
    const struct load_options *o = w->options;
    size_t message = o->body.size_max > o->packets.size_max ? o->body.size_max : o->packets.size_max;
    switch (o->target.scheme) {
    case LOAD_HTTP:
        w->request_max = o->head.size_max + o->body.size_max + 64;
        w->in_max = WEIR_HTTP_LIMITS_DEFAULT.head_bytes_max;
        break;
    case LOAD_WS: {
        struct weir_ws_limits limits = WEIR_WS_LIMITS_DEFAULT;
        w->request_max = message + WEIR_WS_HEADER_SIZE_MAX;
        w->in_max = weir_ws_limits_buffer_size(&limits);
        break;
    }
    case LOAD_OUCH:
        w->request_max = 512;
        w->in_max = 4096;
        break;
    case LOAD_UDP:
        w->request_max = message ? message : 1;
        w->in_max = 0;
        break;
    }
    size_t greeting = o->head.size_max + o->hello.size + EXTRA_BYTES;
    w->out_max = w->pipeline * w->request_max + greeting;
    w->scratch_size = w->in_max + READ_BYTES + w->request_max;
}

static void kinds_set(struct load_worker *w, struct load_conn *c, uint64_t place) {
    const struct load_options *o = w->options;
    /* The unwell ones are spread evenly: every k-th connection of all threads. */
    uint64_t spread = place * 1000003 % 1000000;
    if (w->protocol->is_datagram) return;
    if (spread < o->half_open_ppm)
        c->kind = LOAD_KIND_HALF_OPEN;
    else if (spread < (uint64_t)o->half_open_ppm + o->slow_ppm)
        c->kind = LOAD_KIND_SLOW;
    else if (spread < (uint64_t)o->half_open_ppm + o->slow_ppm + o->dribble_ppm)
        c->kind = LOAD_KIND_DRIBBLE;
}

static void conns_init(struct load_worker *w) {
    const struct load_options *o = w->options;
    uint64_t total = o->connections;
    for (uint32_t i = 0; i < w->conn_count; i++) {
        struct load_conn *c = &w->conns[i];
        *c = (struct load_conn){.socket = -1, .wake_ns = UINT64_MAX};
        uint64_t place = (uint64_t)i * o->threads + w->index;
        kinds_set(w, c, (place * 1000000 + total / 2) / total);
        struct load_rtt way = {.delay_ns = o->delay_ns, .delay_sd_ns = o->delay_sd_ns};
        if (o->rtts.count > 0) way = o->rtts.items[place % o->rtts.count];
        load_link_init(&c->up, o->has_up ? &o->up : NULL, way.delay_ns, way.delay_sd_ns, o->loss_ppm, &w->random);
        load_link_init(&c->down, o->has_down ? &o->down : NULL, way.delay_ns, way.delay_sd_ns, 0, &w->random);
        if (w->protocol->is_datagram) c->up.loss_ppm = 0; /* a datagram lost is gone: udp.c */
        c->down.start_us = c->up.start_us;
    }
}

static enum weir_error memory_init(struct load_worker *w) {
    uint32_t n = w->conn_count;
    w->wake_room = 4 * n + 64;
    enum weir_error e = map(n, sizeof *w->conns, &w->conns);
    if (e == WEIR_OK) e = map((size_t)n * w->pipeline, sizeof *w->pending, &w->pending);
    if (e == WEIR_OK) e = map(n, w->in_max + 1, &w->in);
    if (e == WEIR_OK) e = map(n, w->out_max, &w->out);
    if (e == WEIR_OK) e = map(n, sizeof *w->ready, &w->ready);
    if (e == WEIR_OK) e = map(n, sizeof *w->dirty, &w->dirty);
    if (e == WEIR_OK) e = map(w->wake_room, sizeof *w->wakes, &w->wakes);
    if (e == WEIR_OK && w->options->tls) e = map(n, sizeof *w->links, &w->links);
    if (e == WEIR_OK) e = map(1, w->scratch_size, &w->scratch);
    if (e == WEIR_OK) e = map(1, w->request_max, &w->body);
    return e;
}

enum weir_error load_worker_init(
    struct load_worker *w, struct sys *sys, const struct load_options *options, uint32_t index) {
    *w = (struct load_worker){.sys = sys, .options = options, .index = index, .poller = -1};
    w->protocol = options->protocol ? options->protocol : load_protocol_of(options->target.scheme);
    w->pipeline = options->pipeline;
    w->conn_count = options->connections / options->threads + (index < options->connections % options->threads);
    w->random = prng_seed(options->seed ^ (index + 1));
    w->epoch_ns = sys->mono_ns(sys);
    sizes_set(w);
    struct load_plan_options plan = {.index = index,
        .step = options->threads,
        .random_arrivals = options->random_arrivals,
        .jitter_ns = options->jitter_ns,
        .reorder_ppm = options->reorder_ppm,
        .reorder_ns = options->reorder_ns,
        .seed = options->seed,
        .waiting_max = options->retries ? WAITING_MAX : 0};
    enum weir_error e = load_plan_init(&w->plan, &options->curve, &plan);
    if (e == WEIR_OK) e = load_result_init(&w->result);
    if (e == WEIR_OK) e = load_intervals_init(&w->intervals, options->interval_ns);
    if (e == WEIR_OK) e = memory_init(w);
    if (e == WEIR_OK) e = sys->poller_open(sys, &w->poller);
    if (e == WEIR_OK) conns_init(w);
    return e;
}

void load_worker_done(struct load_worker *w) {
    if (!w->sys) return;
    uint32_t n = w->conn_count;
    for (uint32_t i = 0; w->poller >= 0 && i < n; i++)
        load_stream_close(w, &w->conns[i], false);
    if (w->poller >= 0) w->sys->poller_close(w->sys, w->poller);
    sys_memory_unmap(w->conns, n * sizeof *w->conns);
    sys_memory_unmap(w->pending, (size_t)n * w->pipeline * sizeof *w->pending);
    sys_memory_unmap(w->in, n * (w->in_max + 1));
    sys_memory_unmap(w->out, n * w->out_max);
    sys_memory_unmap(w->ready, n * sizeof *w->ready);
    sys_memory_unmap(w->dirty, n * sizeof *w->dirty);
    sys_memory_unmap(w->wakes, w->wake_room * sizeof *w->wakes);
    if (w->links) sys_memory_unmap(w->links, n * sizeof *w->links);
    sys_memory_unmap(w->scratch, w->scratch_size);
    sys_memory_unmap(w->body, w->request_max);
    load_plan_done(&w->plan);
    load_result_done(&w->result);
    load_intervals_done(&w->intervals);
    *w = (struct load_worker){0};
}

/* ---- connections in line ---- */

void load_worker_ready(struct load_worker *w, struct load_conn *c, uint64_t now) {
    if (c->state != LOAD_CONN_READY || c->in_ready || c->pending_count >= w->pipeline) return;
    if (c->out_size - c->out_sent + w->request_max > w->out_max) return;
    if (w->ready_count == 0) w->free_since_ns = now;
    uint32_t at = w->ready_first + w->ready_count++;
    w->ready[at < w->conn_count ? at : at - w->conn_count] = load_conn_index(w, c);
    c->in_ready = true;
}

/* The connection that has had room for longest; NULL: none. */
static struct load_conn *ready_take(struct load_worker *w) {
    while (w->ready_count > 0) {
        struct load_conn *c = &w->conns[w->ready[w->ready_first]];
        w->ready_first = w->ready_first + 1 < w->conn_count ? w->ready_first + 1 : 0;
        w->ready_count--;
        c->in_ready = false;
        if (c->state == LOAD_CONN_READY && c->pending_count < w->pipeline &&
            c->out_size - c->out_sent + w->request_max <= w->out_max)
            return c;
    }
    return NULL;
}

void load_worker_dirty(struct load_worker *w, struct load_conn *c) {
    if (c->dirty) return;
    c->dirty = true;
    w->dirty[w->dirty_count++] = load_conn_index(w, c);
}

void load_worker_note(struct load_worker *w, const char *text) {
    if (w->result.first_failure[0]) return;
    struct text_builder t = TEXT_BUILDER(w->result.first_failure);
    text_add(&t, text);
}

void load_worker_settled(struct load_worker *w, struct load_conn *c, bool is_ready) {
    if (c->is_settled) return;
    c->is_settled = true;
    w->settled++;
    w->opened += is_ready;
}

/* ---- wakes ---- */

static void wake_sift(struct load_worker *w, struct load_wake wake) {
    uint32_t i = w->wake_count++;
    for (; i > 0 && w->wakes[(i - 1) / 2].at_ns > wake.at_ns; i = (i - 1) / 2)
        w->wakes[i] = w->wakes[(i - 1) / 2];
    w->wakes[i] = wake;
}

void load_worker_wake_at(struct load_worker *w, struct load_conn *c, uint64_t at_ns) {
    if (c->wake_ns <= at_ns) return;
    c->wake_ns = at_ns;
    if (w->wake_count == w->wake_room) { /* full of dead entries: only the living ones stay */
        w->wake_count = 0;
        for (uint32_t i = 0; i < w->conn_count; i++)
            if (w->conns[i].wake_ns != UINT64_MAX) wake_sift(w, (struct load_wake){w->conns[i].wake_ns, i});
        return;
    }
    wake_sift(w, (struct load_wake){at_ns, load_conn_index(w, c)});
}

static void wake_take(struct load_worker *w) {
    struct load_wake last = w->wakes[--w->wake_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= w->wake_count) break;
        if (child + 1 < w->wake_count && w->wakes[child + 1].at_ns < w->wakes[child].at_ns) child++;
        if (w->wakes[child].at_ns >= last.at_ns) break;
        w->wakes[i] = w->wakes[child];
        i = child;
    }
    w->wakes[i] = last;
}

static void run_wakes(struct load_worker *w, uint64_t now) {
    for (uint32_t left = w->wake_room; left > 0 && w->wake_count > 0 && w->wakes[0].at_ns <= now; left--) {
        struct load_wake wake = w->wakes[0];
        struct load_conn *c = &w->conns[wake.conn];
        if (c->wake_ns == wake.at_ns && c->state == LOAD_CONN_DOWN && w->opening >= OPENING_MAX) return;
        wake_take(w);
        if (c->wake_ns != wake.at_ns) continue;
        c->wake_ns = UINT64_MAX;
        load_conn_woken(w, c, now);
    }
}

/* ---- a turn ---- */

static void flush_dirty(struct load_worker *w, uint64_t now) {
    for (uint32_t i = 0; i < w->dirty_count; i++) {
        struct load_conn *c = &w->conns[w->dirty[i]];
        c->dirty = false;
        load_conn_flush(w, c, now);
    }
    w->dirty_count = 0;
}

static void send_due(struct load_worker *w) {
    struct load_due due;
    uint64_t now = w->sys->mono_ns(w->sys);
    int sends = 0;
    for (; sends < SENDS_MAX && load_plan_peek(&w->plan, &due); sends++) {
        if (w->base_ns + due.at_ns > now) {
            now = w->sys->mono_ns(w->sys);
            if (w->base_ns + due.at_ns > now) break;
        }
        struct load_conn *c = ready_take(w);
        if (!c) break;
        load_plan_pop(&w->plan);
        load_conn_send(w, c, &due, now);
        load_worker_ready(w, c, now);
        /* With one request a connection there is nothing to gather. */
        if (w->pipeline == 1) {
            flush_dirty(w, now);
            now = w->sys->mono_ns(w->sys);
        }
    }
    w->is_behind = sends == SENDS_MAX;
    flush_dirty(w, now);
}

static void open_some(struct load_worker *w, uint64_t now) {
    while (w->started < w->conn_count && w->opening < OPENING_MAX)
        load_conn_open(w, &w->conns[w->started++], now);
}

static void expire_some(struct load_worker *w, uint64_t now) {
    uint32_t count = w->conn_count < SCAN_MAX ? w->conn_count : SCAN_MAX;
    for (uint32_t i = 0; i < count; i++) {
        load_conn_expire(w, &w->conns[w->scan], now);
        w->scan = w->scan + 1 < w->conn_count ? w->scan + 1 : 0;
    }
}

static uint64_t wait_ns(struct load_worker *w, uint64_t now, uint64_t block_ns) {
    uint64_t until = now + (block_ns < IDLE_NS ? block_ns : IDLE_NS);
    struct load_due due;
    if (w->wake_count && w->wakes[0].at_ns < until) until = w->wakes[0].at_ns;
    if (w->base_ns && w->ready_count && load_plan_peek(&w->plan, &due) && w->base_ns + due.at_ns < until)
        until = w->base_ns + due.at_ns;
    uint64_t least = w->base_ns && w->options->curve.rate_max / w->options->threads > BATCH_RATE ? BATCH_NS : 0;
    if (w->is_behind) return 0;
    return until > now + least ? until - now : least;
}

static uint32_t wait_and_read(struct load_worker *w, uint64_t now, uint64_t block_ns) {
    struct sys_poll_event events[EVENTS_MAX];
    uint64_t wait = wait_ns(w, now, block_ns);
    size_t count = w->sys->poller_wait(w->sys, w->poller, events, EVENTS_MAX, wait);
    uint64_t woken = w->sys->mono_ns(w->sys);
    if (wait > 0) w->idle_ns += woken - now;
    for (size_t i = 0; i < count; i++)
        load_conn_event(w, &w->conns[events[i].token], events[i].bits, woken);
    return (uint32_t)count;
}

static void begin(struct load_worker *w, uint64_t at) {
    w->base_ns = w->last_ns = w->free_since_ns = at;
    w->end_ns = at + (uint64_t)(w->options->curve.duration_s * 1e9) + w->options->jitter_ns;
    if (w->options->reorder_ppm) w->end_ns += w->options->reorder_ns;
    w->deadline_ns = w->end_ns + w->options->timeout_ns;
    w->idle_ns = 0;
    load_intervals_begin(&w->intervals, at);
}

/* It belongs to this run: one that was stopped early does not want what was not due yet. */
static bool is_wanted(const struct load_worker *w, const struct load_due *due) {
    return due->attempt > 0 || w->base_ns + due->at_ns <= w->end_ns;
}

/* What is left at the end is told, not forgotten. */
static void finish(struct load_worker *w, uint64_t now) {
    struct load_due due;
    for (uint32_t i = 0; i < w->conn_count; i++)
        while (w->conns[i].pending_count > 0)
            load_conn_finish(w, &w->conns[i], 0, LOAD_FAILURE_TIMEOUT, now);
    while (load_plan_peek(&w->plan, &due) && is_wanted(w, &due)) {
        load_plan_pop(&w->plan);
        w->result.counts.planned += due.attempt == 0;
        load_failed(w, &due, due.attempt ? LOAD_FAILURE_TIMEOUT : LOAD_FAILURE_UNSENT, now);
    }
    for (uint32_t i = 0; i < w->plan.count; i++) /* behind what a run that was stopped had not come to */
        if (w->plan.heap[i].attempt > 0) load_failed(w, &w->plan.heap[i], LOAD_FAILURE_TIMEOUT, now);
    w->result.run_ns = now - w->base_ns;
    w->result.busy_ns = w->result.run_ns > w->idle_ns ? w->result.run_ns - w->idle_ns : 0;
}

static bool is_over(struct load_worker *w, uint64_t now) {
    struct load_due due;
    if (atomics_load(&w->stop, RELAXED) && now < w->end_ns) {
        w->end_ns = now;
        w->deadline_ns = now;
    }
    if (now < w->end_ns) return false;
    bool more = load_plan_peek(&w->plan, &due) && is_wanted(w, &due);
    return (!more && w->under_way == 0) || now >= w->deadline_ns;
}

static void tell(struct load_worker *w) {
    const struct load_counts *counts = &w->result.counts;
    uint64_t failed = 0;
    for (int i = 0; i < LOAD_FAILURES; i++)
        failed += counts->failed[i];
    atomics_store(&w->live.attempts, counts->attempts, RELAXED);
    atomics_store(&w->live.answered, counts->answered, RELAXED);
    atomics_store(&w->live.failed, failed, RELAXED);
    atomics_store(&w->live.under_way, w->under_way, RELAXED);
    if (w->settled == w->conn_count) atomics_store(&w->live.opened, 1 + (uint64_t)w->opened, RELEASE);
}

uint32_t load_worker_turn(void *self, uint64_t block_ns) {
    struct load_worker *w = self;
    uint64_t now = w->sys->mono_ns(w->sys);
    load_intervals_turn(&w->intervals, now);
    if (w->live.is_over) {
        w->sys->poller_wait(w->sys, w->poller, (struct sys_poll_event[1]){{0}}, 1, block_ns);
        return 0;
    }
    if (w->started == 0) sys_timers_precise();
    uint64_t at = atomics_load(&w->begin_ns, ACQUIRE);
    if (!w->base_ns && at) begin(w, at);
    open_some(w, now);
    run_wakes(w, now);
    expire_some(w, now);
    if (w->base_ns) send_due(w);
    flush_dirty(w, now);
    now = w->sys->mono_ns(w->sys);
    uint32_t did = wait_and_read(w, now, block_ns);
    tell(w);
    if (w->base_ns && is_over(w, now)) {
        finish(w, now);
        atomics_store(&w->live.is_over, 1, RELEASE);
    }
    return did;
}
