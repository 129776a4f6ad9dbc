#include "jobs/test_out.h"

#include <weir/effect.h>

#include "jobs/batch.h"
#include "jobs/job.h"

/* ---- the host's side ---- */
static uint8_t *room(struct weir_out *out, size_t size) {
    size_t at = (out->used + 15) & ~(size_t)15;
    assert_true(at + size <= OUT_BYTES);
    memset(out->memory + out->used, 0, at - out->used);
    out->used = at + size;
    return out->memory + at;
}
void *weir_output(
    struct weir_out *out, uint32_t topic, uint16_t type, uint64_t key, size_t size, uint64_t *ret_offset) {
    (void)key;
    assert_int_equal(topic, JOBS_TOPIC_EVENTS);
    assert_null(ret_offset);
    assert_true(out->event_count < OUT_PIECES);
    uint8_t *at = room(out, size);
    out->events[out->event_count++] = (struct out_piece){.bytes = weir_slice(at, size), .type = type};
    return at;
}
void *weir_reply(struct weir_out *out, uint16_t status, size_t size) {
    assert_false(out->replied || out->later);
    uint8_t *at = room(out, size);
    out->replied = true;
    out->status = status;
    out->reply = weir_slice(at, size);
    return at;
}
void weir_refuse(struct weir_out *out, uint16_t code) {
    memset(weir_reply(out, 400, 3), 0, 3);
    out->refused = code;
}
uint64_t weir_reply_later(struct weir_out *out) {
    assert_false(out->replied || out->later);
    out->later = true;
    return out->offset;
}
void *weir_reply_to(struct weir_out *out, uint64_t ticket, uint16_t status, size_t size) {
    assert_true(out->late_count < WEIR_REPLIES_MAX);
    uint8_t *at = room(out, size);
    out->late[out->late_count++] =
        (struct out_piece){.bytes = weir_slice(at, size), .ticket = ticket, .status = status};
    return at;
}
void *weir_effect(struct weir_out *out, uint32_t row, const struct weir_effect_options *options, size_t size) {
    (void)row;
    assert_int_equal(out->effect_tag, 0); /* one of each record */
    out->effect_tag = options->tag;
    return room(out, size);
}
bool weir_result(const struct weir_record *record, struct weir_result *ret_result) {
    if (record->kind != WEIR_RECORD_RESULT || record->value.size != sizeof *ret_result) return false;
    memcpy(ret_result, record->value.data, sizeof *ret_result); /* as these tests write them */
    return true;
}
void weir_timer_set(struct weir_out *out, uint64_t id, uint64_t at_ns) {
    assert_int_equal(id, 1);
    out->timer_ns = at_ns;
}
void weir_timer_cancel(struct weir_out *out, uint64_t id) {
    assert_int_equal(id, 1);
    out->timer_ns = UINT64_MAX;
}
void weir_metric_set(struct weir_out *out, uint32_t row, uint64_t n) {
    (void)out, (void)n;
    assert_true(row < JOBS_METRIC_COUNT);
}
const struct weir_setting_value *weir_settings(const struct weir_out *out) {
    return out->settings;
}

/* ---- snapshots ---- */
struct weir_sink {
    uint8_t *data;
    size_t size, room;
};
struct weir_source {
    const uint8_t *data;
    size_t left;
};
enum weir_error weir_sink_put(struct weir_sink *sink, const void *data, size_t size) {
    if (sink->size + size > sink->room) {
        sink->room = 2 * (sink->size + size);
        sink->data = realloc(sink->data, sink->room);
        assert_non_null(sink->data);
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return WEIR_OK;
}
enum weir_error weir_source_get(struct weir_source *source, void *data, size_t size) {
    if (size > source->left) return WEIR_E_CORRUPT;
    memcpy(data, source->data, size);
    source->data += size;
    source->left -= size;
    return WEIR_OK;
}

/* ---- worlds ---- */
static void open_state(struct jobs_world *w) {
    size_t size = jobs_state_bytes(w->settings);
    w->memory = calloc(1, size + 4096);
    assert_non_null(w->memory);
    void *aligned = (void *)(((uintptr_t)w->memory + 4095) & ~(uintptr_t)4095), *state;
    struct weir_open open = {.settings = w->settings,
        .capacity = w->settings,
        .partition_count = 1,
        .memory = aligned,
        .memory_bytes = size};
    assert_int_equal(jobs_open(&open, &state), WEIR_OK);
    w->s = state;
    w->out.memory = malloc(OUT_BYTES);
    w->out.settings = w->settings;
}

void world_open(struct jobs_world *w, uint32_t jobs_max) {
    memset(w, 0, sizeof *w);
    const uint64_t numbers[JOBS_SET_COUNT] = {[JOBS_SET_PARTITIONS] = 1,
        [JOBS_SET_JOBS_MAX] = jobs_max,
        [JOBS_SET_PAYLOAD_MEMORY] = 16 << 20,
        [JOBS_SET_PAYLOAD_BYTES_MAX] = JOBS_PAYLOAD_MAX,
        [JOBS_SET_QUEUES_MAX] = 16,
        [JOBS_SET_TYPES_MAX] = 16,
        [JOBS_SET_TENANTS_MAX] = 64,
        [JOBS_SET_WORKERS_MAX] = 32,
        [JOBS_SET_WAITERS_MAX] = 64,
        [JOBS_SET_SCHEDULES_MAX] = 3,
        [JOBS_SET_DESTINATIONS_MAX] = 4,
        [JOBS_SET_WEBHOOKS] = 16,
        [JOBS_SET_WEBHOOKS_EACH] = 2,
        [JOBS_SET_WEBHOOK_TIMEOUT] = 10000000000,
        [JOBS_SET_BREAKER_CALLS] = 4,
        [JOBS_SET_BREAKER_OPEN] = 1000000000,
        [JOBS_SET_BATCHES_MAX] = 40,
        [JOBS_SET_UNIQUES_MAX] = 256,
        [JOBS_SET_DEAD_MAX] = 50,
        [JOBS_SET_DEAD_AGE] = 3600000000000,
        [JOBS_SET_ATTEMPTS_MAX] = 5,
        [JOBS_SET_LEASE] = 60000000000,
        [JOBS_SET_BACKOFF] = 1000000000,
        [JOBS_SET_BACKOFF_MAX] = 60000000000,
        [JOBS_SET_WORKER_TIMEOUT] = 10000000000};
    for (uint32_t i = 0; i < JOBS_SET_COUNT; i++)
        w->settings[i].number = numbers[i];
    w->now_ns = 1700000000000000000;
    w->out.timer_ns = UINT64_MAX;
    open_state(w);
    world_apply(w, WEIR_RECORD_SETTINGS, 0, weir_slice("", 0));
}

void world_done(struct jobs_world *w) {
    free(w->memory);
    free(w->out.memory);
}

static void compare(const struct jobs_world *w, const struct jobs_world *twin) {
    const struct weir_out *a = &w->out, *b = &twin->out;
    assert_int_equal(a->event_count, b->event_count);
    assert_int_equal(a->late_count, b->late_count);
    assert_int_equal(a->used, b->used); /* events, reply and late replies, in the order in which they were given */
    assert_memory_equal(a->memory, b->memory, a->used);
    assert_int_equal(a->timer_ns, b->timer_ns);
    assert_true(jobs_digest(w->s) == jobs_digest(twin->s));
}

void world_apply(struct jobs_world *w, uint8_t kind, uint16_t type, struct weir_slice value) {
    struct weir_out *out = &w->out;
    out->used = 0;
    out->event_count = out->late_count = 0;
    out->effect_tag = 0;
    out->replied = out->later = false;
    out->refused = 0;
    out->reply = weir_slice("", 0);
    out->offset = w->offset;
    struct weir_record record = {
        .offset = w->offset++, .time_ns = w->now_ns, .kind = kind, .type = type, .timer_id = 1, .value = value};
    if (kind == WEIR_RECORD_TIMER) out->timer_ns = UINT64_MAX;
    jobs_apply(w->s, &record, out);
    if (!w->twin) return;
    w->twin->now_ns = w->now_ns;
    world_apply(w->twin, kind, type, value);
    compare(w, w->twin);
}

void world_pass(struct jobs_world *w, uint64_t to_ns) {
    while (w->out.timer_ns <= to_ns) {
        if (w->out.timer_ns > w->now_ns) w->now_ns = w->out.timer_ns;
        world_apply(w, WEIR_RECORD_TIMER, 0, weir_slice("", 0));
    }
    w->now_ns = to_ns;
}

void world_copy(const struct jobs_world *from, struct jobs_world *to) {
    struct weir_sink sink = {0};
    memset(to, 0, sizeof *to);
    memcpy(to->settings, from->settings, sizeof to->settings);
    to->now_ns = from->now_ns;
    to->offset = from->offset;
    open_state(to);
    to->out.timer_ns = from->out.timer_ns; /* the host's own */
    assert_int_equal(jobs_save(from->s, &sink), WEIR_OK);
    struct weir_source source = {sink.data, sink.size};
    assert_int_equal(jobs_load(to->s, &source), WEIR_OK);
    assert_int_equal(source.left, 0);
    free(sink.data);
    assert_true(jobs_digest(to->s) == jobs_digest(from->s));
}

/* ---- what must always hold ---- */
static void check_lists(const struct jobs *s, uint8_t *seen) {
    const struct jobs_head *h = s->head;
    for (uint32_t i = h->dead_first, last = JOBS_NONE; i != JOBS_NONE; last = i, i = s->jobs[i].next) {
        assert_int_equal(s->jobs[i].state, JOBS_DEAD);
        assert_int_equal(s->jobs[i].previous, last);
        seen[i]++;
    }
    for (uint32_t f = 0; f < h->flows_used; f++) {
        if (!s->flows[f].count) continue;
        uint32_t count = 0;
        for (uint32_t i = s->flows[f].first, last = JOBS_NONE; i != JOBS_NONE; last = i, i = s->jobs[i].next, count++) {
            assert_int_equal(s->jobs[i].state, JOBS_READY);
            assert_int_equal(s->jobs[i].flow, f);
            assert_int_equal(s->jobs[i].previous, last);
            assert_int_equal(s->jobs[i].queue, s->flows[f].queue);
            seen[i]++;
        }
        assert_int_equal(count, s->flows[f].count);
    }
    for (uint32_t k = 0; k < h->workers_used; k++) {
        if (!s->workers[k].is_used) continue;
        uint32_t count = 0;
        for (uint32_t i = s->workers[k].leases; i != JOBS_NONE; i = s->jobs[i].next, count++) {
            assert_int_equal(s->jobs[i].state, JOBS_RUNNING);
            assert_int_equal(s->jobs[i].worker, k);
            seen[i]++;
        }
        assert_int_equal(count, s->workers[k].lease_count);
    }
}

static bool is_listed(const struct job *job) {
    return job->state == JOBS_READY || job->state == JOBS_DEAD ||
           (job->state == JOBS_RUNNING && job->worker != JOBS_NONE);
}

static bool has_call(const struct jobs *s, const struct job *job) {
    for (uint32_t i = 0; i < JOBS_CALLS_MAX; i++)
        if (s->calls[i].tag && s->calls[i].job == job->id && s->calls[i].epoch == job->epoch) return true;
    return false;
}

static void check_calls(const struct jobs *s) {
    const struct jobs_head *h = s->head;
    uint32_t running = 0, open = 0, calls = 0;
    for (uint32_t i = 0; i < h->names_used[JOBS_NAME_DESTINATION]; i++) {
        running += s->gates[i].running;
        open += s->gates[i].state != WEIR_GATE_CLOSED;
    }
    for (uint32_t i = 0; i < JOBS_CALLS_MAX; i++)
        calls += s->calls[i].tag != 0;
    assert_int_equal(running, calls);
    assert_int_equal(h->calls, calls);
    assert_int_equal(h->destinations_open, open);
}

static void check_batches(const struct jobs *s) {
    const struct jobs_head *h = s->head;
    uint32_t *members = calloc(h->batches_used + 1, sizeof *members), count = 0;
    for (uint32_t i = 0; i < h->jobs_used; i++)
        if (s->jobs[i].id && s->jobs[i].batch != JOBS_NONE) members[s->jobs[i].batch]++;
    for (uint32_t i = 0; i < h->batches_used; i++)
        if (s->batches[i].is_used && s->batches[i].parent != JOBS_NONE) members[s->batches[i].parent]++;
    for (uint32_t i = 0; i < h->batches_used; i++) {
        const struct jobs_batch *b = &s->batches[i];
        if (!b->is_used) continue;
        count++;
        assert_int_equal(batch_find(s, b->id), i);
        assert_int_equal(b->members, members[i]);
        assert_true(b->pending + b->failed <= b->total && b->pending <= b->members);
        assert_true(b->is_open || b->pending || b->is_complete || b->is_due);
        if (b->is_over) assert_true(b->is_complete && b->members == 0);
    }
    assert_int_equal(count, h->batch_count);
    assert_int_equal(s->by_batch.count, count);
    free(members);
}

void world_check(const struct jobs_world *w) {
    const struct jobs *s = w->s;
    const struct jobs_head *h = s->head;
    uint8_t *seen = calloc(h->jobs_used + 1, 1);
    uint64_t states[JOBS_HELD + 1] = {0}, running = 0;
    uint32_t count = 0, due = 0;
    check_lists(s, seen);
    check_calls(s);
    for (uint32_t i = 0; i < h->jobs_used; i++) {
        const struct job *job = &s->jobs[i];
        if (!job->id) continue;
        count++;
        states[job->state]++;
        assert_int_equal(seen[i], is_listed(job));
        assert_int_equal(job_find(s, job->id), i);
        due += job->time.slot != WHEEL_OUT;
        bool timed = job->state == JOBS_SCHEDULED || job->state == JOBS_RETRY || job->state == JOBS_RUNNING;
        if (timed) assert_true(job->time.slot != WHEEL_OUT || has_call(s, job));
        if (job->unique != JOBS_NONE) assert_int_equal(s->uniques[job->unique].job, job->id);
    }
    for (uint32_t i = 0; i < h->names_used[JOBS_NAME_QUEUE]; i++)
        running += s->names[JOBS_NAME_QUEUE][i].limit.running;
    assert_int_equal(count, h->job_count);
    assert_int_equal(due, h->job_times.count);
    assert_int_equal(running, h->states[JOBS_RUNNING]);
    assert_memory_equal(states, h->states, sizeof states);
    assert_int_equal(s->by_id.count, count);
    check_batches(s);
    free(seen);
}

/* ---- commands ---- */
static struct weir_slice text(const char *t) {
    return t ? weir_slice_text(t) : weir_slice("", 0);
}

size_t world_new(const struct world_push *p, uint8_t *at) {
    struct jobs_new_view v = {.head = p->head,
        .queue = text(p->queue ? p->queue : "q"),
        .type = text(p->type ? p->type : "t"),
        .tenant = text(p->tenant),
        .jid = text(p->jid),
        .unique = text(p->unique),
        .tags = text(NULL),
        .payload = p->payload,
        .then = p->then,
        .url = p->url};
    return jobs_new_write(&v, at);
}

struct jobs_pushed world_push(struct jobs_world *w, const struct world_push *p) {
    struct jobs_pushed pushed = {0};
    size_t size = world_new(p, NULL);
    uint8_t *bytes = malloc(size);
    world_new(p, bytes);
    world_command(w, JOBS_RECORD_PUSH, weir_slice(bytes, size));
    free(bytes);
    assert_true(w->out.replied);
    assert_int_equal(w->out.reply.size, sizeof pushed);
    memcpy(&pushed, w->out.reply.data, sizeof pushed);
    return pushed;
}

uint32_t world_fetch(struct jobs_world *w, const char *worker, const char *queue, uint32_t max, uint32_t wait_ms,
    struct jobs_leased_view *ret, uint32_t ret_max) {
    struct jobs_fetch_view v = {.head = {.max = max, .wait_ms = wait_ms, .queue_count = 1}};
    uint8_t bytes[256];
    v.worker = text(worker);
    v.queues[0] = text(queue);
    world_command(w, JOBS_RECORD_FETCH, weir_slice(bytes, jobs_fetch_write(&v, bytes)));
    if (!w->out.replied || w->out.refused) return 0;
    uint32_t count = 0;
    struct jobs_leased_view leased;
    for (size_t at = 0; at < w->out.reply.size; count++) {
        assert_true(jobs_leased_next(w->out.reply, &at, count < ret_max ? &ret[count] : &leased));
    }
    return count;
}

struct jobs_reported world_report(struct jobs_world *w, uint16_t type, const struct jobs_report *head) {
    struct jobs_report_view v = {.head = *head};
    uint8_t bytes[256];
    world_command(w, type, weir_slice(bytes, jobs_report_write(&v, bytes)));
    struct jobs_reported said;
    assert_int_equal(w->out.reply.size, sizeof said);
    memcpy(&said, w->out.reply.data, sizeof said);
    return said;
}
