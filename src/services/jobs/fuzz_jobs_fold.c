/* Any commands in any order, well-formed and not, with time between them: the fold answers each at most once, keeps its
 * counts, and goes on from its own snapshot as if nothing had been. Snapshots with a byte changed are refused, or
 * loaded and let go. Covers: batch.c blob.c command.c dead.c event.c fold.c hook.c job.c lease.c names.c operate.c
 * push.c ready.c retry.c schedule.c snapshot.c state.c unique.c waiter.c wheel.c worker.c. */
#include "jobs/event.h"
#include "jobs/fold.h"
#include "jobs/state.h"
#include "jobs/test_plain_out.h"

#define MS 1000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_setting_value settings[JOBS_SET_COUNT];
static uint8_t command[1 << 16];

struct world {
    struct jobs *s;
    void *memory;
    size_t bytes;
    struct weir_out out;
    uint64_t now_ns;
    const uint8_t *in; /* the input that is left */
    size_t left;
    uint64_t pushed; /* ids up to this are known */
};

static uint8_t byte(struct world *w) {
    if (w->left == 0) return 0;
    w->left--;
    return *w->in++;
}

static void open_state(struct world *w) {
    void *state;
    w->bytes = jobs_state_bytes(settings);
    w->memory = aligned_alloc(4096, w->bytes);
    WEIR_ASSERT(w->memory);
    memset(w->memory, 0, w->bytes);
    struct weir_open open = {.settings = settings,
        .capacity = settings,
        .partition_count = 1,
        .memory = w->memory,
        .memory_bytes = w->bytes};
    WEIR_ASSERT(jobs_open(&open, &state) == WEIR_OK);
    w->s = state;
}

static void apply(struct world *w, uint8_t kind, uint16_t type, size_t size) {
    plain_out_begin(&w->out);
    if (kind == WEIR_RECORD_TIMER) w->out.timer_ns = UINT64_MAX;
    struct weir_record record = {
        .offset = w->out.offset, .time_ns = w->now_ns, .kind = kind, .type = type, .value = weir_slice(command, size)};
    jobs_apply(w->s, &record, &w->out);
}

static void pass(struct world *w, uint64_t span_ns) {
    uint64_t to_ns = w->now_ns + span_ns;
    for (uint32_t i = 0; i < 200 && w->out.timer_ns <= to_ns; i++) {
        if (w->out.timer_ns > w->now_ns) w->now_ns = w->out.timer_ns;
        apply(w, WEIR_RECORD_TIMER, 0, 0);
    }
    if (to_ns > w->now_ns) w->now_ns = to_ns;
}

/* ---- commands of few names, so that jobs meet ---- */
static struct weir_slice pick(struct world *w, const char *names) {
    return weir_slice(names + 2 * (byte(w) % 4), 1 + (size_t)(byte(w) % 8 == 0));
}

static size_t put_job(struct world *w, uint8_t *at, struct weir_slice then) {
    static const uint8_t payload[40000];
    uint8_t how = byte(w), more = byte(w), span = byte(w);
    struct jobs_new_view v = {.queue = pick(w, "qaqbqcqd"), .type = pick(w, "tatbtctd"), .then = then};
    v.tenant = weir_slice(&"xyzv"[how % 4], how & 1);
    v.payload = weir_slice(payload, how & 2 ? (more == 255 ? sizeof payload : more) : 0);
    v.jid = how & 4 ? pick(w, "jajbjcjd") : weir_slice("", 0);
    v.unique = how & 8 ? pick(w, "uaubucud") : weir_slice("", 0);
    v.tags = how & 16 ? weir_slice("a,b", 3) : weir_slice("", 0);
    v.head.delay_ns = how & 32 ? span * 10 * MS : 0;
    v.head.expires_in_ns = how & 64 ? (span + 1) * 7 * MS : 0;
    v.head.lease_ms = how & 128 ? 1 + span : 0;
    v.head.priority = more % 10;
    v.head.attempts_max = more % 4;
    v.head.backoff = more % 3;
    v.head.backoff_ms = span;
    v.head.unique_until = span % 3;
    v.head.unique_for_ns = span % 3 == 2 || span % 5 == 0 ? (span + 1) * MS : 0;
    v.head.batch = more >= 240 ? 1 + span % 8 : 0;
    v.head.flags = more & (JOBS_NEW_TEXT | JOBS_NEW_NO_DEAD | JOBS_NEW_AT_FRONT);
    return jobs_new_write(&v, at);
}

static void do_push(struct world *w) {
    static uint8_t then[1 << 16];
    uint32_t count = 1 + byte(w) % 4;
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t follow = byte(w) % 6 == 0 && sizeof command - size > 8192 ? put_job(w, then, weir_slice("", 0)) : 0;
        if (size > 16384) break;
        size += put_job(w, command + size, weir_slice(then, follow < 1024 ? follow : 0));
    }
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_PUSH, size);
    w->pushed = w->s->head->sequence;
}

static void do_fetch(struct world *w) {
    uint8_t how = byte(w);
    struct jobs_fetch_view v = {
        .head = {.max = 1u + how % 8, .wait_ms = how & 8 ? 50u * (how >> 4) : 0, .queue_count = 1 + (how & 1)}};
    v.worker = how & 16 ? pick(w, "wawbwcwd") : weir_slice("", 0);
    v.queues[0] = pick(w, "qaqbqcqd");
    v.queues[1] = pick(w, "qaqbqcqd");
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_FETCH, jobs_fetch_write(&v, command));
}

static void do_report(struct world *w) {
    static const uint8_t types[] = {JOBS_RECORD_ACK, JOBS_RECORD_FAIL, JOBS_RECORD_EXTEND, JOBS_RECORD_RETURN};
    uint8_t how = byte(w), which = byte(w);
    size_t size = 0;
    for (uint32_t i = 0; i < 1u + how % 4; i++) {
        struct jobs_report_view v = {0};
        v.head.id = w->pushed > which ? w->pushed - which + i : which;
        v.head.epoch = how & 4 ? byte(w) % 4 : 0;
        v.head.flags = how & 8 ? JOBS_REPORT_DEAD : 0;
        v.head.progress = how & 16 ? 51 : 0;
        v.head.span_ns = how & 32 ? which * MS : 0;
        v.jid = how & 64 ? pick(w, "jajbjcjd") : weir_slice("", 0);
        if (how & 64) v.head.id = 0;
        v.error = v.message = v.result = how & 128 ? weir_slice("boom", 4) : weir_slice("", 0);
        size += jobs_report_write(&v, command + size);
    }
    apply(w, WEIR_RECORD_COMMAND, types[which % 4], size);
}

static void do_beat(struct world *w) {
    uint8_t how = byte(w);
    struct weir_slice name = how & 32 ? weir_slice("", 0) : pick(w, "wawbwcwd");
    struct jobs_beat beat = {.worker_size = (uint8_t)name.size, .state = how % 4, .flags = how >> 2 & 3};
    memcpy(command, &beat, sizeof beat);
    memcpy(command + sizeof beat, name.data, name.size);
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_BEAT, sizeof beat + name.size);
}

static void do_operate(struct world *w) {
    uint8_t how = byte(w), which = byte(w);
    struct jobs_operate o = {
        .id = how & 4 ? w->pushed - which % 32 : 0, .action = how % 4 + 1, .state = how >> 3 & 7, .max = which};
    struct weir_slice queue = which & 1 ? pick(w, "qaqbqcqd") : weir_slice("", 0);
    struct weir_slice text = which & 2 ? weir_slice("boom", 4) : weir_slice("", 0);
    o.queue_size = (uint8_t)queue.size;
    o.text_size = (uint8_t)text.size;
    memcpy(command, &o, sizeof o);
    memcpy(command + sizeof o, queue.data, queue.size);
    memcpy(command + sizeof o + queue.size, text.data, text.size);
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_OPERATE, sizeof o + queue.size + text.size);
}

static void do_queue(struct world *w) {
    uint8_t how = byte(w), limit = byte(w);
    struct jobs_queue_order o = {
        .action = how % 4 + 1, .kind = how >> 2 & 3, .concurrency = limit & 3, .weight = limit >> 6};
    o.rate_per_s = how & 16 ? 1u + limit : 0;
    struct weir_slice name = o.kind == JOBS_NAME_QUEUE  ? pick(w, "qaqbqcqd")
                             : o.kind == JOBS_NAME_TYPE ? pick(w, "tatbtctd")
                                                        : weir_slice(&"xyzv"[limit % 4], 1);
    o.name_size = (uint8_t)name.size;
    memcpy(command, &o, sizeof o);
    memcpy(command + sizeof o, name.data, name.size);
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_QUEUE, sizeof o + name.size);
}

static void do_schedule(struct world *w) {
    uint8_t how = byte(w);
    struct jobs_schedule_order o = {.action = how % 5 + 1, .catch_up = how >> 3 & 3, .paused = how >> 7};
    struct weir_slice name = pick(w, "cacbcccd"), cron = how & 32 ? weir_slice("* * * * *", 9) : weir_slice("", 0);
    o.every_ns = how & 32 ? 0 : (byte(w) + 5u) * 3 * MS;
    o.name_size = (uint8_t)name.size;
    o.cron_size = (uint8_t)cron.size;
    uint8_t *at = command + sizeof o;
    memcpy(at, name.data, name.size);
    memcpy(at + name.size, cron.data, cron.size);
    at += name.size + cron.size;
    o.job_size = (uint32_t)(how & 64 ? put_job(w, at, weir_slice("", 0)) : 0);
    memcpy(command, &o, sizeof o);
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_SCHEDULE, (size_t)(at - command) + o.job_size);
}

static void do_batch(struct world *w) {
    uint8_t how = byte(w);
    struct jobs_batch_order o = {.action = how % 3 + 1, .id = how & 4 ? 1 + byte(w) % 8u : 0};
    uint8_t *at = command + sizeof o;
    o.description_size = how >> 6;
    memset(at, 'd', o.description_size);
    at += o.description_size;
    o.success_size = (uint32_t)(how & 16 ? put_job(w, at, weir_slice("", 0)) : 0);
    at += o.success_size;
    if (o.success_size > 16384) return;
    o.complete_size = (uint32_t)(how & 32 ? put_job(w, at, weir_slice("", 0)) : 0);
    at += o.complete_size;
    memcpy(command, &o, sizeof o);
    apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_BATCH, (size_t)(at - command));
}

/* The last command with a few bytes of its own. */
static void do_raw(struct world *w) {
    uint16_t type = byte(w) % 12;
    if (type == 11) type = JOBS_RECORD_BATCH;
    size_t size = byte(w) * 2u;
    for (uint32_t i = 0; i < 4; i++)
        command[byte(w)] = byte(w);
    apply(w, WEIR_RECORD_COMMAND, type, size);
}

/* A job for a URL, a queue's destination, or what came of the last one that was sent. */
static void do_hook(struct world *w) {
    static const uint16_t statuses[] = {200, 404, 429, 500};
    uint8_t how = byte(w);
    struct weir_slice url = how & 64 ? weir_slice("httpx://a", 9) : weir_slice("http://a/", 9);
    char own[] = "https://A:1/x";
    own[8] = (char)('a' + (how >> 2 & 7));
    if (how % 4 == 0) {
        struct jobs_new_view v = {
            .queue = pick(w, "qaqbqcqd"), .type = pick(w, "tatbtctd"), .url = weir_slice_text(own)};
        v.head.backoff_ms = 10;
        apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_PUSH, jobs_new_write(&v, command));
        w->pushed = w->s->head->sequence;
    } else if (how % 4 == 1) {
        struct jobs_destination_order o = {.url_size = how & 32 ? 9 : 0, .queue_size = 2};
        struct weir_slice queue = pick(w, "qaqbqcqd");
        o.queue_size = (uint8_t)queue.size;
        memcpy(command, &o, sizeof o);
        memcpy(command + sizeof o, queue.data, queue.size);
        memcpy(command + sizeof o + queue.size, url.data, o.url_size);
        apply(w, WEIR_RECORD_COMMAND, JOBS_RECORD_DESTINATION, sizeof o + queue.size + o.url_size);
    } else {
        struct weir_result r = {.tag = w->out.effect_tag, .final = true, .attempt = 1, .text = weir_slice("x", 1)};
        r.class_ = how & 4 ? WEIR_EFFECT_STATUS : (enum weir_effect_class)((how >> 3) % WEIR_EFFECT_CLASSES);
        r.status = statuses[how >> 3 & 3];
        r.retry_after_ns = how & 32 ? 50 * MS : 0;
        memcpy(command, &r, sizeof r);
        apply(w, WEIR_RECORD_RESULT, 0, sizeof r);
    }
}

/* ---- snapshots ---- */
static void reload(struct world *w) {
    struct weir_sink sink = {0};
    uint64_t digest = jobs_digest(w->s);
    WEIR_ASSERT(jobs_save(w->s, &sink) == WEIR_OK);
    free(w->memory);
    open_state(w);
    struct weir_source source = {sink.data, sink.size};
    WEIR_ASSERT(jobs_load(w->s, &source) == WEIR_OK && source.left == 0);
    WEIR_ASSERT(jobs_digest(w->s) == digest);
    free(sink.data);
}

static void load_damaged(struct world *w) {
    struct weir_sink sink = {0};
    struct world other = {0};
    WEIR_ASSERT(jobs_save(w->s, &sink) == WEIR_OK);
    size_t at = ((size_t)byte(w) << 8 | byte(w)) * 7 % sink.size;
    sink.data[at] ^= (uint8_t)(1 + byte(w));
    struct weir_source source = {sink.data, sink.size - (byte(w) % 8 == 0)};
    open_state(&other);
    enum weir_error e = jobs_load(other.s, &source); /* CORRUPT, NO_MEMORY, VERSION, or a state of other values */
    (void)e;
    free(other.memory);
    free(sink.data);
}

static void check(const struct world *w) {
    const struct jobs_head *h = w->s->head;
    uint64_t states[JOBS_HELD + 1] = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < h->jobs_used; i++) {
        if (!w->s->jobs[i].id) continue;
        states[w->s->jobs[i].state]++;
        count++;
        WEIR_ASSERT(w->s->jobs[i].attempt <= w->s->jobs[i].attempts_max);
    }
    WEIR_ASSERT(count == h->job_count && memcmp(states, h->states, sizeof states) == 0);
    WEIR_ASSERT(h->pushed == count + h->done + h->cancelled + h->expired + h->dropped);
}

static void begin(void) {
    const uint64_t numbers[JOBS_SET_COUNT] = {[JOBS_SET_JOBS_MAX] = 64,
        [JOBS_SET_PAYLOAD_MEMORY] = 3 << 20,
        [JOBS_SET_PAYLOAD_BYTES_MAX] = 40000,
        [JOBS_SET_QUEUES_MAX] = 4,
        [JOBS_SET_TYPES_MAX] = 4,
        [JOBS_SET_TENANTS_MAX] = 4,
        [JOBS_SET_WORKERS_MAX] = 3,
        [JOBS_SET_WAITERS_MAX] = 4,
        [JOBS_SET_SCHEDULES_MAX] = 3,
        [JOBS_SET_DESTINATIONS_MAX] = 4,
        [JOBS_SET_WEBHOOKS] = 16,
        [JOBS_SET_WEBHOOKS_EACH] = 2,
        [JOBS_SET_WEBHOOK_TIMEOUT] = 10000000000,
        [JOBS_SET_BREAKER_CALLS] = 4,
        [JOBS_SET_BREAKER_OPEN] = 1000000000,
        [JOBS_SET_BATCHES_MAX] = 3,
        [JOBS_SET_UNIQUES_MAX] = 4,
        [JOBS_SET_DEAD_MAX] = 6,
        [JOBS_SET_DEAD_AGE] = 3000 * MS,
        [JOBS_SET_ATTEMPTS_MAX] = 5,
        [JOBS_SET_LEASE] = 500 * MS,
        [JOBS_SET_BACKOFF] = 10 * MS,
        [JOBS_SET_BACKOFF_MAX] = 400 * MS,
        [JOBS_SET_WORKER_TIMEOUT] = 1000 * MS};
    for (uint32_t i = 0; i < JOBS_SET_COUNT; i++)
        settings[i].number = numbers[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const steps[])(struct world * w) = {do_push, do_push, do_push, do_fetch, do_fetch, do_report,
        do_report, do_beat, do_operate, do_queue, do_schedule, do_raw, reload, load_damaged};
    struct world w = {.in = data, .left = size, .now_ns = 1700000000000 * MS};
    begin();
    plain_out_open(&w.out, settings);
    open_state(&w);
    apply(&w, WEIR_RECORD_SETTINGS, 0, 0);
    while (w.left > 0) {
        uint8_t what = byte(&w);
        if (what >= 240)
            apply(&w, WEIR_RECORD_SETTINGS, 0, 0);
        else if (what >= 180)
            pass(&w, (what - 179u) * (what - 179u) * 2 * MS);
        else if (what >= 172)
            do_batch(&w);
        else if (what >= 166)
            do_hook(&w);
        else
            steps[what % WEIR_ARRAY_COUNT(steps)](&w);
        check(&w);
    }
    pass(&w, 100000000 * MS);
    check(&w);
    free(w.memory);
    free(w.out.memory);
    return 0;
}
