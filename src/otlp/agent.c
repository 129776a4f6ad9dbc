#include "otlp/agent.h"

#include "http_client/caller.h"
#include "otlp/answer.h"
#include "otlp/batch.h"
#include "otlp/gzip.h"

#include <stdio.h>

#define LOOK_NS        (100 * SYS_NANOS_PER_MS) /* between two looks at the rings: lanes wake nobody */
#define PAUSE_FIRST_NS (500 * SYS_NANOS_PER_MS)
#define PAUSE_MAX_NS   (30 * SYS_NANOS_PER_S)
#define AFTER_MAX_MS   60000u /* of a Retry-After: rings would be full long before */
#define OWN_HEADERS    3u

struct otlp_metrics {
    struct metric_counter exported, refused, rejected, unsent, exports, failures, retries, queue_bytes, up;
    struct metric_histogram export_ns;
};
struct parcel { /* a batch as a request */
    struct weir_slice body;
    struct http_header headers[OWN_HEADERS + OTLP_HEADERS_MAX];
    size_t header_count;
};

struct otlp_agent {
    struct sys *sys;
    struct tracer *tracer;
    const char *env_headers;
    void (*report)(void *ctx, bool failed, const char *sentence);
    void *report_ctx;
    int poller, handle;
    _Atomic bool stop;
    struct otlp_metrics metrics;
    /* agent only; after its end, who stops it */
    struct otlp_target target;
    struct http_caller *caller;
    bool owns_caller;
    struct otlp_batch batch;
    struct parcel parcel;
    bool sending; /* the parcel, which is the batch: not taken yet, nor given up */
    uint32_t attempt;
    uint64_t next_try_ns;
    struct prng prng;
    uint32_t first_lane; /* of the next round: none is always served last */
    uint64_t lost;       /* since spans were last taken */
    bool failing;        /* and it was told */
    /* under the lock */
    _Atomic bool locked, has_next;
    struct otlp_target next;
};

static void lock(struct otlp_agent *a) {
    while (atomic_exchange_explicit(&a->locked, true, memory_order_acquire))
        a->sys->pause(a->sys, 1000);
}

static void unlock(struct otlp_agent *a) {
    atomic_store_explicit(&a->locked, false, memory_order_release);
}

static uint64_t now(const struct otlp_agent *a) {
    return a->sys->mono_ns(a->sys);
}

static bool stopping(const struct otlp_agent *a) {
    return atomic_load_explicit(&((struct otlp_agent *)(uintptr_t)a)->stop, memory_order_relaxed);
}

/* ---- gathering ---- */

static void take_from(struct otlp_agent *a, struct trace_lane *lane) {
    struct weir_slice message;
    uint32_t tag, lost;
    while (!otlp_batch_is_full(&a->batch) && byte_ring_peek(&lane->ring, &message, &tag)) {
        if (!otlp_batch_add(&a->batch, tag, message, &lost)) metric_add(&a->metrics.unsent, lost);
        byte_ring_release(&lane->ring);
    }
}

static void gather(struct otlp_agent *a) {
    uint32_t lanes = trace_lanes(a->tracer);
    uint64_t used = 0;
    WEIR_ASSERT(lanes > 0);
    bool was_empty = a->batch.count == 0;
    if (was_empty) a->batch.wall_ns = a->sys->wall_ns(a->sys) - now(a);
    for (uint32_t i = 0; i < lanes; i++)
        used += byte_ring_bytes_used(&trace_lane(a->tracer, i)->ring);
    metric_set(&a->metrics.queue_bytes, used);
    for (uint32_t i = 0; i < lanes; i++)
        take_from(a, trace_lane(a->tracer, (a->first_lane + i) % lanes));
    a->first_lane = (a->first_lane + 1) % lanes;
    if (was_empty && a->batch.count) a->batch.first_ns = now(a);
}

/* ---- sending ---- */

/* The lines of the target, split where they are. */
static bool add_headers(struct otlp_agent *a, struct parcel *p) {
    for (char *line = a->target.headers; *line; line += strlen(line) + 1) {
        char *colon = strchr(line, ':');
        size_t size = (size_t)(colon - line);
        char *name = arena_alloc(&a->batch.arena, size + 1);
        if (!name) return false;
        memcpy(name, line, size);
        name[size] = 0;
        p->headers[p->header_count++] = (struct http_header){name, colon + 2};
    }
    return true;
}

static enum weir_error make_parcel(struct otlp_agent *a, struct parcel *p) {
    p->header_count = 0;
    p->headers[p->header_count++] = (struct http_header){"Content-Type", "application/x-protobuf"};
    p->headers[p->header_count++] = (struct http_header){"User-Agent", "OTel-OTLP-Exporter-weir/" WEIR_VERSION};
    if (a->target.gzip) p->headers[p->header_count++] = (struct http_header){"Content-Encoding", "gzip"};
    if (!add_headers(a, p)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the headers");
    enum weir_error e = otlp_batch_pack(&a->batch, &a->target, &p->body);
    return !e && a->target.gzip ? otlp_gzip(&a->batch.arena, p->body, &p->body) : e;
}

static void tell(struct otlp_agent *a, bool failed, const char *text) {
    char sentence[512];
    if (!failed && !a->failing) return;
    if (failed)
        snprintf(sentence, sizeof sentence, "spans cannot be sent to %s: %s", a->target.url, text);
    else
        snprintf(sentence, sizeof sentence, "spans are sent to %s again; %llu were lost", a->target.url,
            (unsigned long long)a->lost);
    if (a->report && failed != a->failing) a->report(a->report_ctx, failed, sentence);
    a->failing = failed;
    if (!failed) a->lost = 0;
}

static void lose(struct otlp_agent *a, struct metric_counter *why, uint32_t spans, const char *text) {
    metric_add(why, spans);
    a->lost += spans;
    tell(a, true, text);
}

static void taken(struct otlp_agent *a, const struct otlp_answer *answer) {
    metric_add(&a->metrics.exported, a->batch.count - answer->rejected);
    tell(a, false, NULL);
    if (answer->rejected || answer->text[0]) {
        char sentence[320];
        snprintf(sentence, sizeof sentence, "%s took %u spans and rejected %u: %s", a->target.url,
            a->batch.count - answer->rejected, answer->rejected,
            answer->text[0] ? answer->text : "it does not say why");
        metric_add(&a->metrics.rejected, answer->rejected);
        if (a->report) a->report(a->report_ctx, answer->rejected > 0, sentence);
    }
}

static enum weir_error open_caller(struct otlp_agent *a) {
    if (a->caller) return WEIR_OK;
    enum weir_error e = http_caller_open(a->sys, &(struct http_options){.reach = HTTP_ANYWHERE}, &a->caller);
    a->owns_caller = !e;
    return e;
}

/* One try. *ret_after_ms: how long the collector wants to be left alone; HTTP_RETRY_AFTER_NONE. */
static struct otlp_answer try(
    struct otlp_agent *a, const struct parcel *p, uint64_t timeout_ns, bool stoppable, uint64_t *ret_after_ms) {
    struct arena_mark mark = arena_save(&a->batch.arena);
    struct http_buffer body = {.data = arena_alloc(&a->batch.arena, OTLP_ANSWER_BYTES), .room = OTLP_ANSWER_BYTES};
    struct http_request request = {.method = "POST",
        .url = a->target.url,
        .headers = p->headers,
        .header_count = p->header_count,
        .body = p->body,
        .total_ms = timeout_ns / SYS_NANOS_PER_MS + 1};
    struct http_reply reply = {.retry_after_ms = HTTP_RETRY_AFTER_NONE};
    struct otlp_answer answer = {.verdict = OTLP_LATER};
    enum weir_error e = body.data ? open_caller(a) : weir_error_context(WEIR_E_NO_MEMORY, "no memory for an answer");
    uint64_t begin_ns = now(a);
    metric_add(&a->metrics.exports, 1);
    if (!e) e = a->caller->call(a->caller, &request, http_buffer_take, &body, stoppable ? &a->stop : NULL, &reply);
    metric_record(&a->metrics.export_ns, now(a) - begin_ns);
    /* A body that is too long does not undo what its status says. */
    if (e && !(e == WEIR_E_TOO_LARGE && reply.status))
        snprintf(answer.text, sizeof answer.text, "%s", weir_error_text());
    else
        otlp_answer_read(
            reply.status, weir_slice(body.data, e ? 0 : body.size), a->batch.count, &a->batch.arena, &answer);
    if (answer.verdict != OTLP_TAKEN) {
        metric_add(&a->metrics.failures, 1);
        if (!answer.text[0]) snprintf(answer.text, sizeof answer.text, "it answered %d", reply.status);
    }
    metric_set(&a->metrics.up, answer.verdict == OTLP_TAKEN);
    *ret_after_ms = reply.retry_after_ms;
    arena_restore(&a->batch.arena, mark);
    return answer;
}

/* Full jitter, so that the nodes of a fleet do not come back together; what the collector asks for is kept. */
static uint64_t pause_ns(struct otlp_agent *a, uint32_t attempt, uint64_t after_ms) {
    if (after_ms != HTTP_RETRY_AFTER_NONE)
        return (after_ms < AFTER_MAX_MS ? after_ms : AFTER_MAX_MS) * SYS_NANOS_PER_MS +
               prng_below(&a->prng, PAUSE_FIRST_NS / 5);
    uint64_t most = PAUSE_FIRST_NS << attempt;
    return PAUSE_FIRST_NS / 5 + prng_below(&a->prng, most < PAUSE_MAX_NS ? most : PAUSE_MAX_NS);
}

static void finish(struct otlp_agent *a) {
    a->sending = false;
    otlp_batch_reset(&a->batch);
}

static void begin(struct otlp_agent *a) {
    a->attempt = 0;
    a->next_try_ns = now(a);
    a->sending = make_parcel(a, &a->parcel) == WEIR_OK;
    if (a->sending) return;
    lose(a, &a->metrics.unsent, a->batch.count, weir_error_text());
    finish(a);
}

/* One try, and what follows from it. A stop keeps the batch for the goodbye. */
static void send(struct otlp_agent *a) {
    uint64_t after_ms;
    struct otlp_answer answer = try(a, &a->parcel, a->target.timeout_ns, true, &after_ms);
    bool refused = answer.verdict == OTLP_REFUSED;
    if (answer.verdict == OTLP_TAKEN) {
        taken(a, &answer);
        finish(a);
    } else if (refused || ++a->attempt == OTLP_ATTEMPTS) {
        lose(a, refused ? &a->metrics.refused : &a->metrics.unsent, a->batch.count, answer.text);
        finish(a);
    } else if (!stopping(a)) {
        tell(a, true, answer.text);
        metric_add(&a->metrics.retries, 1);
        a->next_try_ns = now(a) + pause_ns(a, a->attempt - 1, after_ms);
    }
}

/* ---- the agent ---- */

static void take_target(struct otlp_agent *a) {
    if (!atomic_load_explicit(&a->has_next, memory_order_acquire)) return;
    lock(a);
    a->target = a->next;
    atomic_store_explicit(&a->has_next, false, memory_order_relaxed);
    unlock(a);
    if (a->sending) begin(a); /* to the new place, with the new headers */
}

/* Switched off while they were under way. */
static void drop(struct otlp_agent *a) {
    metric_add(&a->metrics.unsent, a->batch.count);
    finish(a);
}

/* When there is something to do again. */
static uint64_t next_ns(const struct otlp_agent *a) {
    if (a->sending) return a->next_try_ns;
    uint64_t due_ns = a->batch.count ? a->batch.first_ns + a->target.every_ns : UINT64_MAX;
    uint64_t look_ns = a->target.sampling.on || a->batch.count ? now(a) + LOOK_NS : UINT64_MAX;
    return due_ns < look_ns ? due_ns : look_ns;
}

static uint32_t work(void *self, uint64_t block_ns) {
    struct otlp_agent *a = self;
    struct sys_poll_event event;
    take_target(a);
    if (!a->sending) gather(a);
    bool due = a->batch.count && (otlp_batch_is_full(&a->batch) || now(a) >= a->batch.first_ns + a->target.every_ns);
    if (a->batch.count && !a->target.url[0])
        drop(a);
    else if (!a->sending && due)
        begin(a);
    if (a->sending && now(a) >= a->next_try_ns) {
        send(a);
        return 1;
    }
    uint64_t at = now(a), next = next_ns(a), wait = next > at ? next - at : 0;
    (void)a->sys->poller_wait(a->sys, a->poller, &event, 1, wait < block_ns ? wait : block_ns);
    return 0;
}

/* ---- life ---- */

static void register_metrics(struct otlp_agent *a, struct metric_registry *r) {
    struct otlp_metrics *m = &a->metrics;
    const char *dropped = "weir_trace_spans_dropped_total", *help = "Spans lost, by reason.";
    metric_register(r, METRIC_COUNTER, &m->refused, dropped, help, "reason=\"refused\"");
    metric_register(r, METRIC_COUNTER, &m->rejected, dropped, help, "reason=\"rejected\"");
    metric_register(r, METRIC_COUNTER, &m->unsent, dropped, help, "reason=\"unsent\"");
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_COUNTER, &m->exported, "weir_trace_spans_exported_total", "Spans the collector took."},
        {METRIC_COUNTER, &m->exports, "weir_trace_exports_total", "Requests to the collector."},
        {METRIC_COUNTER, &m->failures, "weir_trace_export_failures_total", "Of them those that took no spans there."},
        {METRIC_COUNTER, &m->retries, "weir_trace_export_retries_total", "Of them those to come that try again."},
        {METRIC_GAUGE, &m->queue_bytes, "weir_trace_queue_bytes", "Spans that wait in the lanes' queues."},
        {METRIC_GAUGE, &m->up, "weir_trace_collector_up", "1 when the last request took spans there."},
        {METRIC_HISTOGRAM_NS, &m->export_ns, "weir_trace_export_seconds", "Of a request to the collector."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        metric_register(r, rows[i].kind, rows[i].metric, rows[i].name, rows[i].help, NULL);
}

static enum weir_error open_parts(struct otlp_agent *a, const struct otlp_agent_options *o) {
    const struct weir_setting_value *s = settings_of(o->settings, TRACE_GROUP);
    const struct trace_options options = {
        .sys = o->sys, .lanes = o->lanes, .queue_bytes = s[TRACE_QUEUE_BYTES].number, .metrics = o->metrics};
    uint64_t seed;
    a->sys->random(a->sys, &seed, sizeof seed);
    a->prng = prng_seed(seed);
    enum weir_error e = otlp_target_read(o->sys, o->settings, o->env_headers, &a->target);
    if (!e) e = a->sys->poller_open(a->sys, &a->poller);
    if (!e) e = trace_open(&options, &a->tracer);
    if (!e) trace_set(a->tracer, &a->target.sampling);
    return e;
}

enum weir_error otlp_agent_open(const struct otlp_agent_options *o, struct otlp_agent **ret_agent) {
    void *memory; /* mapped: a batch's list of spans is touched when there are some */
    enum weir_error e = sys_memory_map(sizeof(struct otlp_agent), &memory);
    if (e) return e;
    struct otlp_agent *a = memory;
    a->sys = o->sys;
    a->env_headers = o->env_headers;
    a->report = o->report;
    a->report_ctx = o->report_ctx;
    a->caller = o->caller;
    a->poller = a->handle = -1;
    otlp_batch_init(&a->batch);
    e = open_parts(a, o);
    if (e) {
        otlp_agent_close(a);
        return e;
    }
    if (o->metrics) register_metrics(a, o->metrics);
    *ret_agent = a;
    return WEIR_OK;
}

struct tracer *otlp_agent_tracer(const struct otlp_agent *a) {
    return a->tracer;
}

enum weir_error otlp_agent_start(struct otlp_agent *a) {
    if (!a) return WEIR_OK;
    const struct sys_agent agent = {.name = "otlp", .do_work = work, .self = a, .background = true};
    return a->sys->agent_start(a->sys, &agent, a->poller, &a->handle);
}

/* One try per batch, all within the time there is; then the rest is given up. */
static void say_goodbye(struct otlp_agent *a) {
    uint64_t until = now(a) + OTLP_GOODBYE_NS, after_ms;
    take_target(a);
    for (gather(a); a->batch.count && a->target.url[0]; gather(a)) {
        uint64_t at = now(a), left = until > at ? until - at : 0;
        struct otlp_answer answer = {.verdict = OTLP_LATER, .text = "the node stops"};
        if (!a->sending) begin(a);
        if (left && a->sending)
            answer = try(a, &a->parcel, left < a->target.timeout_ns ? left : a->target.timeout_ns, false, &after_ms);
        if (answer.verdict == OTLP_TAKEN)
            taken(a, &answer);
        else
            lose(a, &a->metrics.unsent, a->batch.count, answer.text);
        finish(a);
        if (answer.verdict != OTLP_TAKEN) return;
    }
}

void otlp_agent_stop(struct otlp_agent *a) {
    if (!a || a->handle < 0) return;
    atomic_store(&a->stop, true);
    a->sys->agent_stop(a->sys, a->handle);
    a->handle = -1;
    say_goodbye(a);
}

void otlp_agent_close(struct otlp_agent *a) {
    if (!a) return;
    otlp_agent_stop(a);
    if (a->poller >= 0) a->sys->poller_close(a->sys, a->poller);
    if (a->owns_caller) http_caller_close(a->caller);
    otlp_batch_done(&a->batch);
    trace_close(a->tracer);
    sys_memory_unmap(a, sizeof *a);
}

/* ---- settings ---- */

void otlp_check(
    struct sys *sys, const struct settings *settings, const char *env_headers, settings_mistake_fn mistake, void *ctx) {
    struct otlp_target target;
    if (otlp_target_read(sys, settings, env_headers, &target)) mistake(ctx, weir_error_text());
}

enum weir_error otlp_reload_prepare(
    const struct otlp_agent *a, const struct settings *next, struct otlp_target *ret_target) {
    return otlp_target_read(a->sys, next, a->env_headers, ret_target);
}

void otlp_reload_commit(struct otlp_agent *a, const struct otlp_target *target) {
    lock(a);
    a->next = *target;
    atomic_store_explicit(&a->has_next, true, memory_order_release);
    unlock(a);
    trace_set(a->tracer, &target->sampling);
    a->sys->poller_wake(a->sys, a->poller);
}
