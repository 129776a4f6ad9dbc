/* A connection's life: opening, sending, receiving, ending. */
#include "base/assert.h"
#include "base/text.h"
#include "load/worker.h"

#define BACKOFF_NS_MIN  (10 * SYS_NANOS_PER_MS)
#define BACKOFF_NS_MAX  SYS_NANOS_PER_S
#define READS_MAX       16 /* of one connection at a time: others want their turn */
#define NARROW_BYTES    4096
#define SLOW_READ_BYTES 256 /* at a time, so that a slow reader's pace is even */

static uint8_t *out_of(const struct load_worker *w, const struct load_conn *c) {
    return w->out + (size_t)load_conn_index(w, c) * w->out_max;
}

static bool is_opening(const struct load_conn *c) {
    return c->state >= LOAD_CONN_CONNECTING && c->state <= LOAD_CONN_OPENING;
}

static bool is_limited(const struct load_conn *c) {
    return c->kind == LOAD_KIND_SLOW || c->down.trace || c->down.delay_ns;
}

/* ---- the poller ---- */

static void watch(struct load_worker *w, struct load_conn *c, bool reading, bool writing) {
    if (c->is_reading == reading && c->is_writing == writing) return;
    c->is_reading = reading;
    c->is_writing = writing;
    enum weir_error e = w->sys->poller_change(w->sys, w->poller, c->socket, load_conn_index(w, c),
        (reading ? SYS_POLL_READ : 0u) | (writing ? SYS_POLL_WRITE : 0u));
    WEIR_ASSERT(e == WEIR_OK);
}

/* ---- opening ---- */

static void connect_failed(struct load_worker *w, struct load_conn *c, uint64_t now) {
    w->result.counts.connect_failures++;
    load_worker_note(w, weir_error_text());
    load_stream_close(w, c, false);
    c->state = LOAD_CONN_DOWN;
    uint64_t wait = BACKOFF_NS_MIN << (c->failures < 7 ? c->failures : 7);
    c->failures++;
    load_worker_wake_at(w, c, now + (wait < BACKOFF_NS_MAX ? wait : BACKOFF_NS_MAX));
    load_worker_settled(w, c, false);
    /* A client that finds no connection has failed in what it wanted: the oldest request that is due. */
    struct load_due due;
    if (w->base_ns == 0 || !load_plan_peek(&w->plan, &due) || w->base_ns + due.at_ns > now) return;
    load_plan_pop(&w->plan);
    w->result.counts.planned += due.attempt == 0;
    load_failed(w, &due, LOAD_FAILURE_CONNECT, now);
}

static void conn_reset(struct load_conn *c, uint64_t now) {
    c->pending_first = c->pending_count = c->released = 0;
    c->in_size = c->out_size = c->out_sent = c->out_allowed = 0;
    c->requests = 0;
    c->opened_ns = now;
    c->since_ns = c->byte_ns = c->read_debt_ns = 0;
}

/* Connections take a name's addresses in turns; one that fails goes on to the next. */
static const char *address_of(const struct load_worker *w, const struct load_conn *c) {
    const struct load_addresses *a = w->options->addresses;
    if (!a || a->count == 0) return w->options->target.host;
    return a->items[(load_conn_index(w, c) + c->failures) % a->count];
}

void load_conn_open(struct load_worker *w, struct load_conn *c, uint64_t now) {
    const struct load_target *target = &w->options->target;
    const char *host = address_of(w, c);
    struct sys *sys = w->sys;
    WEIR_ASSERT(c->state == LOAD_CONN_DOWN && c->socket < 0);
    conn_reset(c, now);
    enum weir_error e = w->protocol->is_datagram ? sys->udp_connect(sys, host, target->port, &c->socket)
                                                 : sys->tcp_connect(sys, host, target->port, &c->socket);
    if (e == WEIR_OK) {
        c->is_reading = false;
        c->is_writing = true;
        e = sys->poller_add(sys, w->poller, c->socket, load_conn_index(w, c), SYS_POLL_WRITE);
    }
    if (e != WEIR_OK) {
        connect_failed(w, c, now);
        return;
    }
    if (is_limited(c)) sys->socket_narrow(sys, c->socket, NARROW_BYTES);
    c->state = LOAD_CONN_CONNECTING;
    w->opening++;
}

static void connected(struct load_worker *w, struct load_conn *c, uint64_t now) {
    watch(w, c, true, false);
    c->state = LOAD_CONN_OPENING;
    w->result.counts.connects++;
    w->protocol->greet(w, c, now);
    if (c->state == LOAD_CONN_OPENING) load_conn_flush(w, c, now);
}

static void shake(struct load_worker *w, struct load_conn *c, uint64_t now) {
    bool wants_write = false;
    c->state = LOAD_CONN_SHAKING;
    enum weir_error e = load_stream_shake(w, c, &wants_write);
    if (e == WEIR_OK)
        connected(w, c, now);
    else if (e == WEIR_E_AGAIN)
        watch(w, c, !wants_write, wants_write);
    else
        load_conn_lose(w, c, LOAD_FAILURE_CONNECT, LOAD_FAILURE_CONNECT, now);
}

/* Half a request, and then silence. */
static void stay_idle(struct load_worker *w, struct load_conn *c, uint64_t now) {
    struct load_pending half = {0};
    size_t size = w->protocol->render(w, c, &half, w->scratch);
    c->state = LOAD_CONN_IDLE;
    if (load_conn_put(w, c, weir_slice(w->scratch, size / 2))) load_conn_flush(w, c, now);
}

void load_conn_ready(struct load_worker *w, struct load_conn *c, uint64_t now) {
    histogram_record(&w->result.connect, now - c->opened_ns);
    w->opening--;
    c->failures = 0;
    load_worker_settled(w, c, true);
    if (c->kind == LOAD_KIND_HALF_OPEN) {
        stay_idle(w, c, now);
        return;
    }
    c->state = LOAD_CONN_READY;
    if (w->protocol->hello) w->protocol->hello(w, c);
    load_worker_ready(w, c, now);
}

/* ---- sending ---- */

static uint8_t *out_room(struct load_worker *w, struct load_conn *c, size_t size) {
    uint8_t *out = out_of(w, c);
    if (c->out_sent > 0 && c->out_size + size > w->out_max) {
        memmove(out, out + c->out_sent, c->out_size - c->out_sent);
        c->out_size -= c->out_sent;
        c->out_allowed -= c->out_sent;
        c->out_sent = 0;
    }
    WEIR_ASSERT(c->out_size + size <= w->out_max);
    return out + c->out_size;
}

bool load_conn_put(struct load_worker *w, struct load_conn *c, struct weir_slice bytes) {
    size_t kept_free = (size_t)(w->pipeline - c->pending_count) * w->request_max;
    if (c->out_size - c->out_sent + bytes.size + kept_free > w->out_max) return false;
    memcpy(out_room(w, c, bytes.size), bytes.data, bytes.size);
    c->out_size += (uint32_t)bytes.size;
    /* It goes with what is in front of it: what the network holds back it cannot overtake. */
    if (c->released == c->pending_count)
        c->out_allowed = c->out_size;
    else
        load_conn_pending(w, c, c->pending_count - 1)->size += (uint32_t)bytes.size;
    load_worker_dirty(w, c);
    return true;
}

void load_conn_send(struct load_worker *w, struct load_conn *c, const struct load_due *due, uint64_t now) {
    struct load_counts *counts = &w->result.counts;
    WEIR_ASSERT(c->pending_count < w->pipeline);
    uint64_t at = w->base_ns + due->at_ns, able = at > w->free_since_ns ? at : w->free_since_ns;
    histogram_record(&w->result.late, now > able ? now - able : 0);
    struct load_pending *p = load_conn_pending(w, c, c->pending_count);
    *p = (struct load_pending){
        .n = due->n, .origin_ns = w->base_ns + due->origin_ns, .sent_ns = now, .attempt = due->attempt};
    p->size = (uint32_t)w->protocol->render(w, c, p, out_room(w, c, w->request_max));
    c->out_size += p->size;
    p->release_ns = w->epoch_ns + load_link_cross(&c->up, now - w->epoch_ns, p->size, &w->random, &counts->lost);
    c->pending_count++;
    c->requests++;
    w->under_way++;
    counts->attempts++;
    counts->retries += due->attempt > 0;
    counts->planned += due->attempt == 0;
    load_worker_dirty(w, c);
    const struct load_options *o = w->options;
    bool leaves = (o->reconnect_requests && c->requests >= o->reconnect_requests) ||
                  (o->reconnect_ns && now - c->opened_ns >= o->reconnect_ns);
    if (leaves) c->state = LOAD_CONN_LEAVING;
}

/* Bytes that may leave: whole requests whose time on the network has come. */
static void release(struct load_worker *w, struct load_conn *c, uint64_t now) {
    while (c->released < c->pending_count) {
        struct load_pending *p = load_conn_pending(w, c, c->released);
        if (p->release_ns > now) {
            load_worker_wake_at(w, c, p->release_ns);
            return;
        }
        c->out_allowed += p->size;
        c->released++;
    }
}

/* On a share of requests the client cuts the line as soon as the bytes are out. */
static bool cut_by_plan(struct load_worker *w, struct load_conn *c, uint64_t now) {
    if (!w->options->reset_ppm || c->pending_count == 0) return false;
    if (!prng_chance(&w->random, w->options->reset_ppm, 1000000)) return false;
    w->result.counts.given_up += c->pending_count;
    w->under_way -= c->pending_count;
    c->pending_count = 0;
    load_stream_close(w, c, true);
    c->state = LOAD_CONN_DOWN;
    load_worker_wake_at(w, c, now);
    return true;
}

/* The datagram that is next is out, or lost on its way by plan. */
static void datagram_done(struct load_worker *w, struct load_conn *c, bool is_lost, uint64_t now) {
    uint32_t size = load_conn_pending(w, c, c->released)->size;
    c->released++;
    c->out_sent += size;
    c->out_allowed += size;
    if (is_lost) {
        w->result.counts.lost++;
        load_conn_drop(w, c, c->released - 1);
    } else if (w->options->match == LOAD_MATCH_NONE) {
        load_conn_finish(w, c, c->released - 1, LOAD_ANSWERED, now);
    }
}

static void flush_datagrams(struct load_worker *w, struct load_conn *c, uint64_t now) {
    const struct load_options *o = w->options;
    while (c->released < c->pending_count) {
        struct load_pending *p = load_conn_pending(w, c, c->released);
        if (p->release_ns > now) {
            load_worker_wake_at(w, c, p->release_ns);
            break;
        }
        bool is_lost = o->loss_ppm && prng_chance(&w->random, o->loss_ppm, 1000000);
        bool is_doubled = !is_lost && o->duplicate_ppm && prng_chance(&w->random, o->duplicate_ppm, 1000000);
        struct sys_iovec part = {out_of(w, c) + c->out_sent, p->size};
        size_t sent = 0;
        enum weir_error e = is_lost ? WEIR_OK : w->sys->socket_write(w->sys, c->socket, &part, 1, &sent);
        if (e == WEIR_OK && is_doubled) e = w->sys->socket_write(w->sys, c->socket, &part, 1, &sent);
        if (e == WEIR_E_AGAIN) {
            watch(w, c, true, true);
            return;
        }
        now = w->sys->mono_ns(w->sys);
        w->last_ns = now;
        if (e != WEIR_OK) { /* the answer to an earlier one: nobody listens there */
            load_worker_note(w, weir_error_text());
            load_conn_lose(w, c, LOAD_FAILURE_CUT, LOAD_FAILURE_CUT, now);
            return;
        }
        w->result.counts.doubled += is_doubled;
        w->result.counts.bytes_out += is_lost ? 0 : (uint64_t)p->size << is_doubled;
        datagram_done(w, c, is_lost, now);
        if (c->state == LOAD_CONN_DOWN) return;
    }
    watch(w, c, true, false);
    if (c->out_sent == c->out_size) c->out_size = c->out_sent = c->out_allowed = 0;
    load_worker_ready(w, c, now);
}

void load_conn_flush(struct load_worker *w, struct load_conn *c, uint64_t now) {
    if (c->state <= LOAD_CONN_SHAKING) return;
    if (w->protocol->is_datagram) {
        flush_datagrams(w, c, now);
        return;
    }
    release(w, c, now);
    while (c->out_sent < c->out_allowed) {
        size_t size = c->out_allowed - c->out_sent, sent = 0;
        if (c->kind == LOAD_KIND_DRIBBLE) {
            if (now < c->byte_ns) {
                load_worker_wake_at(w, c, c->byte_ns);
                break;
            }
            c->byte_ns = now + w->options->dribble_gap_ns;
            size = 1;
        }
        enum weir_error e = load_stream_put(w, c, out_of(w, c) + c->out_sent, size, &sent);
        if (e == WEIR_E_AGAIN) {
            watch(w, c, c->is_reading, true);
            return;
        }
        if (e != WEIR_OK) {
            load_worker_note(w, weir_error_text());
            load_conn_lose(w, c, LOAD_FAILURE_CUT, LOAD_FAILURE_CUT, now);
            return;
        }
        c->out_sent += (uint32_t)sent;
        w->result.counts.bytes_out += sent;
    }
    watch(w, c, c->is_reading, false);
    if (c->out_sent == c->out_size) {
        c->out_size = c->out_sent = c->out_allowed = 0;
        if (c->state != LOAD_CONN_IDLE && cut_by_plan(w, c, now)) return;
        while (w->protocol->sent_is_done && w->options->match == LOAD_MATCH_NONE && c->released > 0)
            load_conn_finish(w, c, 0, LOAD_ANSWERED, w->last_ns = w->sys->mono_ns(w->sys));
        load_worker_ready(w, c, now);
    }
}

/* ---- receiving ---- */

/* Bytes that may be read now; 0: the connection looks away until it is woken. */
static size_t read_allowance(struct load_worker *w, struct load_conn *c, size_t want, uint64_t now) {
    if (!is_limited(c)) return want;
    uint64_t next = 0;
    if (c->since_ns == 0) {
        c->since_ns = now;
        if (c->down.delay_ns) c->since_ns += load_link_delay(&c->down, &w->random);
    }
    size_t allowed = want;
    if (now < c->since_ns) {
        next = c->since_ns;
        allowed = 0;
    } else if (c->kind == LOAD_KIND_SLOW) {
        allowed = want < SLOW_READ_BYTES ? want : SLOW_READ_BYTES;
        next = c->read_debt_ns;
        if (now < next) allowed = 0;
    } else {
        allowed = load_link_allows(&c->down, c->since_ns - w->epoch_ns, now - w->epoch_ns, want, &next);
        next += w->epoch_ns;
    }
    watch(w, c, allowed > 0, c->is_writing);
    if (allowed == 0) load_worker_wake_at(w, c, next);
    return allowed;
}

static void ended(struct load_worker *w, struct load_conn *c, uint64_t now) {
    enum load_failure how = w->protocol->end ? w->protocol->end(w, c) : LOAD_FAILURE_CUT;
    if (c->pending_count && how == LOAD_FAILURE_CUT) load_worker_note(w, "the other side closed the connection");
    w->result.counts.cuts++;
    load_conn_lose(w, c, how, LOAD_FAILURE_CUT, now);
}

/* One read and what it brings. False: nothing more for now. */
static bool receive(struct load_worker *w, struct load_conn *c, uint64_t now) {
    size_t want = read_allowance(w, c, w->scratch_size - c->in_size, now), got = 0;
    if (want == 0) return false;
    uint8_t *kept = w->in + (size_t)load_conn_index(w, c) * w->in_max;
    if (c->in_size) memcpy(w->scratch, kept, c->in_size);
    enum weir_error e = load_stream_get(w, c, w->scratch + c->in_size, want, &got);
    if (e == WEIR_E_AGAIN) {
        c->since_ns = 0;
        return false;
    }
    if (e != WEIR_OK || (got == 0 && !w->protocol->is_datagram)) {
        if (e != WEIR_OK) load_worker_note(w, weir_error_text());
        ended(w, c, now);
        return false;
    }
    now = w->sys->mono_ns(w->sys);
    w->last_ns = now;
    w->result.counts.bytes_in += got;
    if (c->kind == LOAD_KIND_SLOW) c->read_debt_ns = now + got * SYS_NANOS_PER_S / w->options->slow_bytes_s;
    size_t size = c->in_size + got, taken = w->protocol->take(w, c, w->scratch, &size, now);
    if (c->state == LOAD_CONN_DOWN) return false;
    if (taken == LOAD_TAKE_BAD || size - taken > w->in_max) {
        load_conn_lose(w, c, LOAD_FAILURE_MALFORMED, LOAD_FAILURE_CUT, now);
        return false;
    }
    c->in_size = (uint32_t)(size - taken);
    if (c->in_size) memcpy(kept, w->scratch + taken, c->in_size);
    return got == want || w->protocol->is_datagram || is_limited(c) || load_stream_holds(w, c);
}

void load_conn_event(struct load_worker *w, struct load_conn *c, uint32_t bits, uint64_t now) {
    if (c->state == LOAD_CONN_DOWN) return; /* closed by an earlier event of the same turn */
    if (c->state == LOAD_CONN_CONNECTING) {
        /* Writing nothing tells whether the connect succeeded. */
        struct sys_iovec none = {w->scratch, 0};
        size_t sent = 0;
        enum weir_error e =
            w->protocol->is_datagram ? WEIR_OK : w->sys->socket_write(w->sys, c->socket, &none, 1, &sent);
        if (e == WEIR_OK && !(bits & SYS_POLL_CLOSED)) {
            w->links ? shake(w, c, now) : connected(w, c, now);
        } else {
            /* Reading tells why; it cannot succeed on what is closed, but for bytes that came before. */
            if (e == WEIR_OK && w->sys->socket_read(w->sys, c->socket, w->scratch, 1, &sent) == WEIR_OK)
                weir_error_context(WEIR_E_CLOSED, "the other side closed at once");
            w->opening--;
            connect_failed(w, c, now);
        }
        return;
    }
    if (c->state == LOAD_CONN_SHAKING) {
        shake(w, c, now);
        return;
    }
    if (bits & SYS_POLL_WRITE) load_conn_flush(w, c, now);
    if (c->state == LOAD_CONN_DOWN || !(bits & (SYS_POLL_READ | SYS_POLL_CLOSED))) return;
    for (int i = 0; i < READS_MAX && receive(w, c, now); i++)
        if (c->state == LOAD_CONN_DOWN) return;
    if (c->state != LOAD_CONN_DOWN && !is_limited(c) && load_stream_holds(w, c)) load_worker_wake_at(w, c, now);
}

void load_conn_woken(struct load_worker *w, struct load_conn *c, uint64_t now) {
    if (c->state == LOAD_CONN_DOWN) {
        load_conn_open(w, c, now);
        return;
    }
    load_conn_flush(w, c, now);
    if (c->state > LOAD_CONN_SHAKING && (!c->is_reading || load_stream_holds(w, c)))
        load_conn_event(w, c, SYS_POLL_READ, now);
}

/* ---- ending ---- */

static bool worth_retrying(const struct load_conn *c, enum load_failure how) {
    if (how == LOAD_FAILURE_STATUS_4XX || how == LOAD_FAILURE_STATUS_5XX)
        return c->http.status == 429 || (c->http.status >= 502 && c->http.status <= 504);
    return how == LOAD_FAILURE_CONNECT || how == LOAD_FAILURE_TIMEOUT || how == LOAD_FAILURE_CUT;
}

static bool again(struct load_worker *w, const struct load_pending *p, uint64_t now) {
    if (p->attempt >= w->options->retries || now >= w->deadline_ns) return false;
    uint64_t wait = BACKOFF_NS_MIN << (p->attempt < 10 ? p->attempt : 10);
    struct load_due due = {.at_ns = now - w->base_ns + prng_below(&w->random, wait),
        .origin_ns = p->origin_ns - w->base_ns,
        .n = p->n,
        .attempt = p->attempt + 1};
    return load_plan_again(&w->plan, &due);
}

static void answered(struct load_worker *w, const struct load_conn *c, const struct load_pending *p, uint64_t now) {
    w->result.counts.answered++;
    w->result.counts.answered_late += p->attempt > 0;
    uint64_t latency = now > p->origin_ns ? now - p->origin_ns : 0;
    if (c->kind == LOAD_KIND_SLOW || c->kind == LOAD_KIND_DRIBBLE) {
        histogram_record(&w->result.slow, latency);
        return;
    }
    histogram_record(&w->result.latency, latency);
    load_intervals_record(&w->intervals, now, latency);
    histogram_record(&w->result.service, now - p->sent_ns);
}

struct load_pending load_conn_drop(struct load_worker *w, struct load_conn *c, uint32_t i) {
    WEIR_ASSERT(i < c->pending_count);
    struct load_pending p = *load_conn_pending(w, c, i);
    for (; i > 0; i--) /* answers out of order are few and near the front */
        *load_conn_pending(w, c, i) = *load_conn_pending(w, c, i - 1);
    if (c->released == 0) c->out_allowed += p.size; /* answered before all of it was sent: the rest may go */
    c->released -= c->released > 0;
    c->pending_first = c->pending_first + 1 < w->pipeline ? c->pending_first + 1 : 0;
    c->pending_count--;
    w->under_way--;
    return p;
}

void load_conn_finish(struct load_worker *w, struct load_conn *c, uint32_t i, enum load_failure how, uint64_t now) {
    struct load_pending p = load_conn_drop(w, c, i);
    if (how == LOAD_ANSWERED) {
        answered(w, c, &p, now);
    } else if (!worth_retrying(c, how) || !again(w, &p, now)) {
        w->result.counts.failed[how]++;
        histogram_record(&w->result.failed, now > p.origin_ns ? now - p.origin_ns : 0);
    }
    load_worker_ready(w, c, now);
    if (c->state == LOAD_CONN_LEAVING && c->pending_count == 0) load_conn_lose(w, c, how, how, now);
}

void load_failed(struct load_worker *w, const struct load_due *due, enum load_failure how, uint64_t now) {
    uint64_t origin = w->base_ns + due->origin_ns;
    w->result.counts.failed[how]++;
    histogram_record(&w->result.failed, now > origin ? now - origin : 0);
}

void load_conn_lose(
    struct load_worker *w, struct load_conn *c, enum load_failure first, enum load_failure rest, uint64_t now) {
    bool was_opening = is_opening(c);
    w->opening -= was_opening;
    load_stream_close(w, c, false);
    c->state = LOAD_CONN_DOWN;
    for (enum load_failure how = first; c->pending_count > 0; how = rest)
        load_conn_finish(w, c, 0, how, now);
    if (was_opening) {
        connect_failed(w, c, now);
        return;
    }
    load_worker_wake_at(w, c, now);
}

void load_conn_expire(struct load_worker *w, struct load_conn *c, uint64_t now) {
    uint64_t timeout = w->options->timeout_ns;
    if (is_opening(c)) {
        if (now - c->opened_ns < timeout) return;
        weir_error_context(WEIR_E_TIMEOUT, "no connection within the timeout");
        load_conn_lose(w, c, LOAD_FAILURE_TIMEOUT, LOAD_FAILURE_TIMEOUT, now);
        return;
    }
    if (c->state != LOAD_CONN_DOWN && w->protocol->tick) w->protocol->tick(w, c, now);
    if (c->state == LOAD_CONN_DOWN || c->pending_count == 0) return;
    if (now - load_conn_pending(w, c, 0)->sent_ns < timeout) return;
    load_worker_note(w, "no answer within the timeout");
    load_conn_lose(w, c, LOAD_FAILURE_TIMEOUT, LOAD_FAILURE_CUT, now);
}
