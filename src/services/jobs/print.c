/* Records as JSON, for `weir topic read`, tails and the console. Written by hand into the caller's buffer: these run
 * where nothing may allocate. */
#include "jobs/print.h"
#include "base/json.h"
#include "jobs/event.h"

static const char *const transitions[] = {"", "pushed", "released", "leased", "extended", "returned", "failed",
    "timed_out", "ended", "requeued", "killed", "dropped"};
static const char *const states[] = {
    "", "scheduled", "ready", "running", "retry", "dead", "held", "done", "cancelled", "expired"};

struct printer {
    char text[16384];
    struct text_builder out;
    struct json_writer w;
};

static struct json_writer *begin(struct printer *p) {
    p->out = text_builder(p->text, sizeof p->text);
    p->w = json_writer(&p->out, 0);
    json_write_object_open(&p->w);
    return &p->w;
}

static size_t end(struct printer *p, char *buf, size_t size) {
    json_write_object_close(&p->w);
    if (size > 0) {
        size_t n = p->out.size < size - 1 ? p->out.size : size - 1;
        memcpy(buf, p->text, n);
        buf[n] = 0;
    }
    return p->out.size;
}

static void put_text(struct json_writer *w, const char *key, struct weir_slice text) {
    if (text.size) json_put_slice(w, key, utf8_valid(text) ? text : weir_slice_text("?"));
}
static void put_u64(struct json_writer *w, const char *key, uint64_t value) {
    if (value) json_put_u64(w, key, value);
}
static void put_id(struct json_writer *w, const char *key, uint64_t id) {
    char text[JOBS_ID_SIZE + 1];
    jobs_id_print(id, text);
    json_put_text(w, key, text);
}
static const char *name_in(const char *const *names, size_t count, uint32_t i) {
    return i < count ? names[i] : "unknown";
}
const char *jobs_state_name(uint32_t state) {
    return name_in(states, WEIR_ARRAY_COUNT(states), state);
}

static size_t print_malformed(struct weir_slice value, char *buf, size_t size) {
    struct printer p;
    json_put_u64(begin(&p), "malformed_bytes", value.size);
    return end(&p, buf, size);
}

size_t jobs_event_print(struct weir_slice value, char *buf, size_t size) {
    struct jobs_event_view v;
    if (!jobs_event_read(value, &v)) return print_malformed(value, buf, size);
    struct printer p;
    struct json_writer *w = begin(&p);
    put_id(w, "job", v.head.job);
    json_put_text(w, "transition", name_in(transitions, WEIR_ARRAY_COUNT(transitions), v.head.transition));
    json_put_text(w, "state", jobs_state_name(v.head.state));
    put_text(w, "queue", v.queue);
    put_text(w, "type", v.type);
    put_text(w, "tenant", v.tenant);
    put_text(w, "jid", v.jid);
    put_text(w, "worker", v.worker);
    put_text(w, "tags", v.tags);
    put_u64(w, "attempt", v.head.attempt);
    json_put_u64(w, "attempts_max", v.head.attempts_max);
    json_put_u64(w, "priority", v.head.priority);
    put_u64(w, "epoch", v.head.epoch);
    put_u64(w, "progress", v.head.progress);
    json_put_u64(w, "time_ns", v.head.time_ns);
    put_u64(w, "due_ns", v.head.due_ns);
    put_u64(w, "span_ns", v.head.span_ns);
    put_text(w, "error", v.error);
    put_text(w, "message", v.message);
    put_text(w, "result", v.result);
    return end(&p, buf, size);
}

/* ---- commands: how many entries, and what the first one says ---- */
static void put_push(struct json_writer *w, struct weir_slice value) {
    struct jobs_new_view v;
    uint32_t count = 0;
    for (size_t at = 0; at < value.size && jobs_new_next(value, &at, &v); count++) {
        if (count > 0) continue;
        put_text(w, "queue", v.queue);
        put_text(w, "type", v.type);
        put_text(w, "tenant", v.tenant);
        put_text(w, "jid", v.jid);
        json_put_u64(w, "payload_bytes", v.payload.size);
    }
    json_put_u64(w, "jobs", count);
}

static void put_fetch(struct json_writer *w, struct weir_slice value) {
    struct jobs_fetch_view v;
    if (!jobs_fetch_read(value, &v)) return;
    put_text(w, "worker", v.worker);
    put_text(w, "queue", v.queues[0]);
    json_put_u64(w, "queues", v.head.queue_count);
    json_put_u64(w, "max", v.head.max);
    put_u64(w, "wait_ms", v.head.wait_ms);
}

static void put_reports(struct json_writer *w, struct weir_slice value) {
    struct jobs_report_view v;
    uint32_t count = 0;
    for (size_t at = 0; at < value.size && jobs_report_next(value, &at, &v); count++) {
        if (count > 0) continue;
        put_id(w, "job", v.head.id);
        put_text(w, "jid", v.jid);
        put_u64(w, "epoch", v.head.epoch);
        put_text(w, "error", v.error);
        put_text(w, "message", v.message);
    }
    json_put_u64(w, "jobs", count);
}

static size_t print_by(
    void (*put)(struct json_writer *w, struct weir_slice value), struct weir_slice value, char *buf, size_t size) {
    struct printer p;
    put(begin(&p), value);
    return end(&p, buf, size);
}
size_t jobs_print_push(struct weir_slice value, char *buf, size_t size) {
    return print_by(put_push, value, buf, size);
}
size_t jobs_print_fetch(struct weir_slice value, char *buf, size_t size) {
    return print_by(put_fetch, value, buf, size);
}
size_t jobs_print_reports(struct weir_slice value, char *buf, size_t size) {
    return print_by(put_reports, value, buf, size);
}
size_t jobs_print_beat(struct weir_slice value, char *buf, size_t size) {
    struct jobs_beat beat;
    if (value.size < sizeof beat) return print_malformed(value, buf, size);
    memcpy(&beat, value.data, sizeof beat);
    struct printer p;
    struct json_writer *w = begin(&p);
    put_text(w, "worker", weir_slice(value.data + sizeof beat, value.size - sizeof beat));
    json_put_u64(w, "state", beat.state);
    json_put_u64(w, "flags", beat.flags);
    return end(&p, buf, size);
}
size_t jobs_print_operate(struct weir_slice value, char *buf, size_t size) {
    struct jobs_operate o;
    if (value.size < sizeof o) return print_malformed(value, buf, size);
    memcpy(&o, value.data, sizeof o);
    struct printer p;
    struct json_writer *w = begin(&p);
    if (o.id) put_id(w, "job", o.id);
    json_put_text(w, "state", jobs_state_name(o.state));
    json_put_u64(w, "action", o.action);
    return end(&p, buf, size);
}
size_t jobs_print_queue(struct weir_slice value, char *buf, size_t size) {
    struct jobs_queue_order o;
    if (value.size < sizeof o) return print_malformed(value, buf, size);
    memcpy(&o, value.data, sizeof o);
    struct printer p;
    struct json_writer *w = begin(&p);
    put_text(w, "name", weir_slice(value.data + sizeof o, value.size - sizeof o));
    json_put_u64(w, "kind", o.kind);
    json_put_u64(w, "action", o.action);
    put_u64(w, "concurrency", o.concurrency);
    put_u64(w, "rate_per_s", o.rate_per_s);
    put_u64(w, "weight", o.weight);
    return end(&p, buf, size);
}
size_t jobs_print_destination(struct weir_slice value, char *buf, size_t size) {
    struct jobs_destination_order o;
    if (value.size < sizeof o) return print_malformed(value, buf, size);
    memcpy(&o, value.data, sizeof o);
    if (value.size - sizeof o != (size_t)o.queue_size + o.url_size) return print_malformed(value, buf, size);
    struct printer p;
    struct json_writer *w = begin(&p);
    put_text(w, "queue", weir_slice(value.data + sizeof o, o.queue_size));
    put_text(w, "url", weir_slice(value.data + sizeof o + o.queue_size, o.url_size));
    put_u64(w, "timeout_ms", o.timeout_ms);
    return end(&p, buf, size);
}
size_t jobs_print_schedule(struct weir_slice value, char *buf, size_t size) {
    struct jobs_schedule_view v;
    if (!jobs_schedule_read(value, &v)) return print_malformed(value, buf, size);
    struct printer p;
    struct json_writer *w = begin(&p);
    put_text(w, "name", v.name);
    json_put_u64(w, "action", v.head.action);
    put_text(w, "cron", v.cron);
    put_u64(w, "every_ns", v.head.every_ns);
    put_text(w, "zone", v.zone_name);
    return end(&p, buf, size);
}
size_t jobs_print_batch(struct weir_slice value, char *buf, size_t size) {
    struct jobs_batch_view v;
    if (!jobs_batch_read(value, &v)) return print_malformed(value, buf, size);
    struct printer p;
    struct json_writer *w = begin(&p);
    if (v.head.id) put_id(w, v.head.action == JOBS_BATCH_NEW ? "parent" : "batch", v.head.id);
    json_put_u64(w, "action", v.head.action);
    put_text(w, "description", v.description);
    return end(&p, buf, size);
}
