#include "jobs/hook.h"

#include "base/hash.h"
#include "jobs/fold.h"
#include "jobs/job.h"
#include "jobs/lease.h"
#include "jobs/names.h"
#include "jobs/ready.h"
#include "jobs/retry.h"
#include "jobs/waiter.h"
#include "jobs/worker.h"

#include <weir/effect.h>

#include <stdio.h>

#define TOO_MANY   429u
#define REASON_MAX 200u /* bytes of a refusal's body that are its message */

/* ---- destinations ---- */
static bool begins(struct weir_slice text, const char *with, struct weir_slice *ret_rest) {
    size_t size = strlen(with);
    if (text.size < size || memcmp(text.data, with, size) != 0) return false;
    *ret_rest = weir_slice(text.data + size, text.size - size);
    return true;
}

static bool is_host_byte(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(".-_[]:", c);
}

bool hook_host(struct weir_slice url, char ret_host[JOBS_NAME_MAX], size_t *ret_size) {
    struct weir_slice rest;
    bool tls = begins(url, "https://", &rest), port = false;
    if (!tls && !begins(url, "http://", &rest)) return false;
    for (size_t i = 0; i < url.size; i++)
        if (url.data[i] <= ' ' || url.data[i] == 0x7f) return false;
    size_t n = 0;
    for (; n < rest.size && rest.data[n] != '/' && rest.data[n] != '?' && rest.data[n] != '#'; n++) {
        uint8_t c = rest.data[n];
        if (c == 0 || !is_host_byte(c) || n >= JOBS_NAME_MAX - 6) return false;
        if (c == ':') port = true;
        if (c == ']') port = false;
        ret_host[n] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (n == 0 || ret_host[0] == ':') return false;
    if (!port) n += (size_t)snprintf(ret_host + n, JOBS_NAME_MAX - n, ":%u", tls ? 443u : 80u);
    *ret_size = n;
    return n < JOBS_NAME_MAX;
}

enum jobs_reason hook_destination(struct jobs *s, struct weir_slice url, uint16_t *ret_destination) {
    char host[JOBS_NAME_MAX];
    size_t size;
    if (!hook_host(url, host, &size)) return JOBS_E_URL;
    uint32_t i = names_find_or_make(s, JOBS_NAME_DESTINATION, weir_slice(host, size));
    if (i == JOBS_NONE) return JOBS_E_DESTINATIONS_FULL;
    *ret_destination = (uint16_t)i;
    return JOBS_OK;
}

static uint32_t destination_of(const struct jobs *s, const struct job *job) {
    return job->url_size ? job->destination : s->queues[job->queue].destination;
}

/* ---- gates ---- */
struct weir_gate_limits hook_limits(const struct jobs *s, uint32_t destination) {
    const struct jobs_limit *l = &s->names[JOBS_NAME_DESTINATION][destination].limit;
    return (struct weir_gate_limits){.running_max = l->concurrency ? l->concurrency : s->in_force.webhooks_each,
        .per_second = l->rate_per_s,
        .burst = l->burst,
        WEIR_GATE_BREAKER,
        .calls_min = s->in_force.breaker_calls,
        .open_ns = s->in_force.breaker_open_ns};
}

static struct weir_gate_limits type_limits(const struct jobs *s) {
    return (struct weir_gate_limits){
        WEIR_GATE_BREAKER, .calls_min = s->in_force.breaker_calls, .open_ns = s->in_force.breaker_open_ns};
}

static uint64_t type_key(const struct jobs *s, uint32_t destination, uint32_t type) {
    struct weir_slice at = names_text(s, JOBS_NAME_DESTINATION, destination),
                      what = names_text(s, JOBS_NAME_TYPE, type);
    return hash_bytes(what.data, what.size, hash_bytes(at.data, at.size, 0x686f6f6bu));
}

static bool may_pass(struct jobs_turn *t, const struct weir_gate *gate, const struct weir_gate_limits *limits) {
    uint64_t again_ns;
    if (weir_gate_ask(gate, limits, t->now_ns, &again_ns) == WEIR_GATE_GO) return true;
    if (again_ns < t->s->head->rate_ns) t->s->head->rate_ns = again_ns;
    return false;
}

bool hook_may_start(struct jobs_turn *t, const struct job *job) {
    struct jobs *s = t->s;
    uint32_t destination = destination_of(s, job);
    struct weir_gate_limits limits = hook_limits(s, destination), of_type = type_limits(s);
    if (!may_pass(t, &s->gates[destination], &limits)) return false;
    const struct weir_gate *gate = weir_gates_find(s->type_gates, type_key(s, destination, job->type));
    return !gate || may_pass(t, gate, &of_type);
}

static enum weir_gate_outcome outcome_at(const struct weir_result *r, bool of_type) {
    if (r->class_ == WEIR_EFFECT_OK) return WEIR_GATE_SUCCEEDED;
    if (r->class_ == WEIR_EFFECT_TIMEOUT) return WEIR_GATE_TIMED_OUT;
    if (r->class_ == WEIR_EFFECT_REJECTED || r->class_ == WEIR_EFFECT_DROPPED) return WEIR_GATE_DROPPED;
    if (r->class_ != WEIR_EFFECT_STATUS || r->status >= 500) return WEIR_GATE_FAILED;
    bool comes_back = r->status == 408 || r->status == 425 || r->status == TOO_MANY;
    return of_type && !comes_back ? WEIR_GATE_FAILED : WEIR_GATE_DROPPED;
}

/* ---- calls under way ---- */
static void count_call(struct jobs *s, const struct jobs_call *call, uint32_t by) {
    s->head->calls += by;
    s->names[JOBS_NAME_DESTINATION][call->destination].jobs += by; /* neither is forgotten meanwhile */
    s->names[JOBS_NAME_TYPE][call->type].jobs += by;
}

static void begin_call(struct jobs_turn *t, const struct job *job, uint32_t slot, uint64_t tag) {
    struct jobs *s = t->s;
    uint32_t destination = destination_of(s, job);
    struct weir_gate_limits limits = hook_limits(s, destination), of_type = type_limits(s);
    struct jobs_call *call = &s->calls[slot];
    *call = (struct jobs_call){.tag = tag,
        .job = job->id,
        .epoch = job->epoch,
        .destination = (uint16_t)destination,
        .type = job->type,
        .type_key = type_key(s, destination, job->type)};
    call->ticket = weir_gate_begin(&s->gates[destination], &limits, t->now_ns);
    struct weir_gate *gate = weir_gates_take(s->type_gates, call->type_key, t->now_ns);
    WEIR_ASSERT(gate != NULL); /* there are more of them than calls under way */
    call->type_ticket = weir_gate_begin(gate, &of_type, t->now_ns);
    count_call(s, call, 1);
}

/* Its gates hear what came of it; who waited for one of them is looked at again. */
static void end_call(struct jobs_turn *t, struct jobs_call *call, const struct weir_result *r, uint64_t hold_ns) {
    struct jobs *s = t->s;
    struct weir_gate_limits limits = hook_limits(s, call->destination), of_type = type_limits(s);
    struct weir_gate *gate = &s->gates[call->destination], *type = weir_gates_find(s->type_gates, call->type_key);
    WEIR_ASSERT(type != NULL); /* something runs behind it */
    uint32_t was_open = gate->state != WEIR_GATE_CLOSED;
    bool held_back = was_open || type->state != WEIR_GATE_CLOSED || gate->running >= limits.running_max;
    weir_gate_end(gate, &limits, t->now_ns, call->ticket, outcome_at(r, false), r->duration_ns);
    weir_gate_end(type, &of_type, t->now_ns, call->type_ticket, outcome_at(r, true), r->duration_ns);
    s->head->destinations_open += (gate->state != WEIR_GATE_CLOSED) - was_open;
    if (hold_ns) weir_gate_hold(gate, t->now_ns + hold_ns);
    count_call(s, call, (uint32_t)-1);
    call->tag = 0;
    if (held_back) waiters_wake_all(s); /* who waits for a time is woken by that */
}

/* ---- sending ---- */
void hooks_wake(struct jobs *s, uint32_t queue) {
    struct jobs_queue *q = &s->queues[queue];
    struct jobs_head *h = s->head;
    bool has =
        q->sides[JOBS_SIDE_OWN].used || (q->destination != JOBS_NO_DESTINATION && q->sides[JOBS_SIDE_QUEUE].used);
    if (!has || q->is_hook_dirty) return;
    q->is_hook_dirty = 1;
    q->hook_next = JOBS_NONE;
    if (h->hooks_first == JOBS_NONE)
        h->hooks_first = queue;
    else
        s->queues[h->hooks_last].hook_next = queue;
    h->hooks_last = queue;
}

static void unlink_first(struct jobs *s) {
    struct jobs_head *h = s->head;
    struct jobs_queue *q = &s->queues[h->hooks_first];
    h->hooks_first = q->hook_next;
    if (h->hooks_first == JOBS_NONE) h->hooks_last = JOBS_NONE;
    q->is_hook_dirty = 0;
    q->hook_next = JOBS_NONE;
}

static struct weir_slice url_of(const struct jobs *s, const struct job *job, uint8_t room[JOBS_URL_MAX]) {
    const struct jobs_queue *q = &s->queues[job->queue];
    if (job->url_size)
        job_url(s, job, room);
    else
        blob_read(&s->blob, q->url, 0, room, q->url_size);
    return weir_slice(room, job->url_size ? job->url_size : q->url_size);
}

static uint64_t timeout_ns(const struct jobs *s, const struct job *job) {
    const struct jobs_queue *q = &s->queues[job->queue];
    uint64_t lease_ns = (uint64_t)job->lease_ms * WHEEL_TICK_NS;
    uint64_t most_ns = s->in_force.webhook_timeout_ns;
    if (!job->url_size && q->timeout_ms) most_ns = (uint64_t)q->timeout_ms * WHEEL_TICK_NS;
    return lease_ns < most_ns ? lease_ns : most_ns;
}

static const char *content_type(const struct job *job, struct weir_slice payload) {
    if (!(job->flags & JOB_TEXT)) return "application/octet-stream";
    bool json = payload.size && (payload.data[0] == '{' || payload.data[0] == '[');
    return json ? "application/json" : "text/plain; charset=utf-8";
}

/* A name as the value of a header: what may not stand there is shown as '?'. */
static struct weir_slice header_value(struct weir_slice name, uint8_t room[JOBS_NAME_MAX]) {
    for (size_t i = 0; i < name.size; i++)
        room[i] = name.data[i] < ' ' || name.data[i] >= 0x7f ? '?' : name.data[i];
    return weir_slice(room, name.size);
}

/* False: the host has no room for it. */
static bool ask_for(struct jobs_turn *t, const struct job *job, uint64_t tag) {
    struct jobs *s = t->s;
    uint8_t url[JOBS_URL_MAX], type[JOBS_NAME_MAX], queue[JOBS_NAME_MAX];
    char id[JOBS_ID_SIZE + 1], attempt[12];
    job_payload(s, job, s->then);
    struct weir_slice payload = weir_slice(s->then, job->payload_size);
    jobs_id_print(job->id, id);
    snprintf(attempt, sizeof attempt, "%u", job->attempt + 1u);
    const struct weir_effect_header headers[] = {
        {weir_slice_text("content-type"), weir_slice_text(content_type(job, payload))},
        {weir_slice_text("weir-job-id"), weir_slice_text(id)},
        {weir_slice_text("weir-job-type"), header_value(names_text(s, JOBS_NAME_TYPE, job->type), type)},
        {weir_slice_text("weir-job-queue"), header_value(names_text(s, JOBS_NAME_QUEUE, job->queue), queue)},
        {weir_slice_text("weir-job-attempt"), weir_slice_text(attempt)},
    };
    struct weir_effect_request request = {.method = weir_slice_text("POST"),
        .url = url_of(s, job, url),
        .headers = headers,
        .header_count = WEIR_ARRAY_COUNT(headers),
        .body = payload};
    struct weir_effect_options options = {
        .key = destination_of(s, job) + 1u, .tag = tag, .timeout_ns = timeout_ns(s, job), .attempts_max = 1};
    void *room = weir_effect(t->out, JOBS_EFFECT_WEBHOOK, &options, weir_effect_request_size(&request));
    if (room) weir_effect_request_store(&request, room);
    return room != NULL;
}

/* The queue's destination takes no payload of that size: no attempt would ever do. */
static void refuse(struct jobs_turn *t, struct job *job) {
    struct jobs_report_view said = {.head = {.flags = JOBS_REPORT_DEAD},
        .error = weir_slice_text("PayloadTooLarge"),
        .message = weir_slice_text("a payload that is sent to a URL has at most 60000 bytes")};
    lease_begin(t, job, 0, JOBS_NONE, 0);
    lease_fail(t, job, &said);
}

static bool send(struct jobs_turn *t, struct job *job) {
    struct jobs *s = t->s;
    uint32_t slot = 0;
    while (s->calls[slot].tag)
        slot++;
    uint64_t tag = (s->head->call_serial + 1) * JOBS_CALLS_MAX + slot;
    if (!ask_for(t, job, tag)) return false;
    s->head->call_serial++;
    t->sent = true;
    uint32_t worker = worker_find_or_make(t, weir_slice_text(HOOK_WORKER));
    lease_begin(t, job, 0, worker, 0);
    begin_call(t, job, slot, tag);
    return true;
}

bool hooks_serve(struct jobs_turn *t) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    while (h->hooks_first != JOBS_NONE && h->calls < s->in_force.webhooks) {
        uint32_t queue = h->hooks_first;
        if (t->sent || t->leases_left == 0) return false;
        struct job *job = ready_peek(t, queue, true);
        if (job && job->payload_size > JOBS_HOOK_MAX) {
            t->leases_left--;
            refuse(t, job);
            continue;
        }
        if (job && !send(t, job)) return true; /* no room: a result makes some */
        unlink_first(s);
        if (job) hooks_wake(s, queue); /* behind the others */
    }
    return true;
}

/* ---- what came of it ---- */
static struct jobs_report_view report_of(
    const struct job *job, const struct weir_result *r, uint64_t retry_after_ns, char error[JOBS_ERROR_MAX]) {
    struct weir_slice why = r->text;
    if (r->class_ == WEIR_EFFECT_STATUS) {
        snprintf(error, JOBS_ERROR_MAX, "Http%u", r->status);
        why = weir_slice(r->body.data, r->body.size < REASON_MAX ? r->body.size : REASON_MAX);
    } else {
        snprintf(error, JOBS_ERROR_MAX, "%s", weir_effect_class_name(r->class_));
    }
    if (why.size > JOBS_MESSAGE_MAX) why.size = JOBS_MESSAGE_MAX;
    struct jobs_report_view v = {.error = weir_slice_text(error), .message = why};
    if (retry_after_ns) v.head.span_ns = retry_after_ns + retry_pause_ns(job);
    return v;
}

static void end_job(struct jobs_turn *t, struct job *job, const struct weir_result *r, uint64_t retry_after_ns) {
    char error[JOBS_ERROR_MAX];
    if (r->class_ == WEIR_EFFECT_OK) {
        lease_done(t, job, weir_slice(r->body.data, r->body.size < JOBS_RESULT_MAX ? r->body.size : JOBS_RESULT_MAX));
        return;
    }
    struct jobs_report_view said = report_of(job, r, retry_after_ns, error);
    lease_fail(t, job, &said);
}

void hook_result(struct jobs_turn *t, const struct weir_record *record) {
    struct jobs *s = t->s;
    struct weir_result r;
    if (!weir_result(record, &r) || !r.final) return;
    struct jobs_call *call = &s->calls[r.tag % JOBS_CALLS_MAX];
    if (call->tag != r.tag || r.tag == 0) return; /* an operator requeued the effect: its job went on without it */
    struct jobs_call was = *call;
    uint32_t i = job_find(s, was.job);
    struct job *job = i == JOBS_NONE ? NULL : &s->jobs[i];
    uint64_t most_ns = (job ? job->backoff_max_ms : s->in_force.backoff_max_ms) * WHEEL_TICK_NS;
    uint64_t retry_after_ns = r.retry_after_ns < most_ns ? r.retry_after_ns : most_ns;
    if (r.class_ == WEIR_EFFECT_OK) retry_after_ns = 0;
    end_call(t, call, &r, retry_after_ns);
    if (job && job->state == JOBS_RUNNING && job->epoch == was.epoch) end_job(t, job, &r, retry_after_ns);
}

/* ---- orders ---- */
static bool read_order(struct weir_slice value, struct jobs_destination_order *o, struct weir_slice *ret_queue,
    struct weir_slice *ret_url) {
    if (value.size < sizeof *o) return false;
    memcpy(o, value.data, sizeof *o);
    if (value.size - sizeof *o != (size_t)o->queue_size + o->url_size) return false;
    *ret_queue = weir_slice(value.data + sizeof *o, o->queue_size);
    *ret_url = weir_slice(value.data + sizeof *o + o->queue_size, o->url_size);
    return o->queue_size > 0 && o->queue_size < JOBS_NAME_MAX && o->url_size <= JOBS_URL_MAX;
}

static void forget(struct jobs *s, uint32_t queue) {
    struct jobs_queue *q = &s->queues[queue];
    if (q->destination == JOBS_NO_DESTINATION) return;
    s->names[JOBS_NAME_DESTINATION][q->destination].jobs--;
    blob_give(&s->blob, q->url);
    q->url = BLOB_NONE;
    q->url_size = 0;
    q->destination = JOBS_NO_DESTINATION;
}

static enum jobs_reason set(struct jobs *s, uint32_t queue, struct weir_slice url, uint32_t timeout_ms) {
    struct jobs_queue *q = &s->queues[queue];
    uint16_t destination = JOBS_NO_DESTINATION;
    uint32_t bytes = BLOB_NONE;
    enum jobs_reason reason = url.size ? hook_destination(s, url, &destination) : JOBS_OK;
    if (reason != JOBS_OK) return reason;
    if (url.size && (bytes = blob_take(&s->blob, url.size)) == BLOB_NONE) return JOBS_E_PAYLOADS_FULL;
    if (url.size) s->names[JOBS_NAME_DESTINATION][destination].jobs++;
    forget(s, queue);
    if (url.size) blob_write(&s->blob, bytes, 0, url);
    q->url = bytes;
    q->url_size = (uint16_t)url.size;
    q->destination = destination;
    q->timeout_ms = timeout_ms;
    names_settle_queue(s, queue);
    return JOBS_OK;
}

void hook_order(struct jobs_turn *t, struct weir_slice value) {
    struct jobs *s = t->s;
    struct jobs_destination_order o;
    struct weir_slice name, url;
    struct jobs_operated reply = {.count = 1};
    enum jobs_reason reason = JOBS_E_INVALID;
    if (read_order(value, &o, &name, &url)) {
        uint32_t queue = names_find_or_make(s, JOBS_NAME_QUEUE, name);
        reason = queue == JOBS_NONE ? JOBS_E_NAMES_FULL : set(s, queue, url, o.timeout_ms);
        if (reason == JOBS_OK) waiters_wake(s, queue);
    }
    if (reason != JOBS_OK)
        weir_refuse(t->out, (uint16_t)reason);
    else
        memcpy(weir_reply(t->out, 200, sizeof reply), &reply, sizeof reply);
}
