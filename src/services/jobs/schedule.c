#include "jobs/schedule.h"

#include "base/cron.h"
#include "jobs/push.h"

#define NANOS_PER_S 1000000000ull
#define LATE_NS     (60 * NANOS_PER_S) /* a time further back is missed, where nothing is caught up */
#define PUSHES_MAX  100u               /* of one record */

static struct weir_slice part(const struct jobs *s, const struct jobs_schedule *c, size_t from, size_t size) {
    return weir_slice(blob_at(&s->blob, c->bytes) + from, size);
}
struct weir_slice schedule_cron(const struct jobs *s, const struct jobs_schedule *c) {
    return part(s, c, 0, c->cron_size);
}
struct weir_slice schedule_zone_name(const struct jobs *s, const struct jobs_schedule *c) {
    return part(s, c, c->cron_size, c->zone_name_size);
}

/* ---- times ---- */
static bool read_zone(struct weir_slice bytes, struct zone *ret) {
    *ret = zone_utc();
    if (bytes.size == 0) return true;
    struct byte_reader r = byte_reader(bytes);
    return zone_decode(&r, ret) == WEIR_OK && byte_reader_finished(&r);
}

/* The first time after `after_ns`; UINT64_MAX: never. */
static uint64_t next_after(const struct jobs *s, const struct jobs_schedule *c, uint64_t after_ns) {
    struct cron cron;
    struct zone zone;
    int64_t at;
    if (c->every_ns) { /* of those planned from its beginning on */
        uint64_t next_ns = c->next_ns + c->every_ns;
        if (next_ns <= after_ns) next_ns += (after_ns - next_ns) / c->every_ns * c->every_ns + c->every_ns;
        return next_ns;
    }
    bool due = read_zone(part(s, c, (size_t)c->cron_size + c->zone_name_size, c->zone_size), &zone) &&
               cron_parse(schedule_cron(s, c), &cron) == WEIR_OK &&
               cron_next(&cron, &zone, (int64_t)(after_ns / NANOS_PER_S), &at) && at > 0;
    return due ? (uint64_t)at * NANOS_PER_S : UINT64_MAX;
}

static void plan(struct jobs *s, struct jobs_schedule *c, uint64_t next_ns) {
    struct wheel_items times = jobs_schedule_times(s);
    uint32_t i = (uint32_t)(c - s->schedules);
    wheel_remove(&times, i);
    c->next_ns = next_ns;
    if (!c->paused && next_ns != UINT64_MAX) wheel_add(&times, i, next_ns);
}

static void push_job(struct jobs_turn *t, struct jobs_schedule *c) {
    struct jobs *s = t->s;
    struct jobs_new_view view;
    size_t at = 0;
    blob_read(&s->blob, c->bytes, (size_t)c->cron_size + c->zone_name_size + c->zone_size, s->then, c->job_size);
    bool pushed = jobs_new_next(weir_slice(s->then, c->job_size), &at, &view) && push_one(t, &view).reason == JOBS_OK;
    c->last_ns = t->now_ns;
    c->pushed += pushed;
    c->passed += !pushed;
}

bool schedules_due(struct jobs_turn *t) {
    struct jobs *s = t->s;
    struct wheel_items times = jobs_schedule_times(s);
    bool more = false;
    for (uint32_t n = 0; n < PUSHES_MAX; n++) {
        uint32_t i = wheel_take(&times, t->now_ns, &more);
        if (i == WHEEL_NONE) return !more;
        struct jobs_schedule *c = &s->schedules[i];
        bool missed = c->catch_up == JOBS_CATCH_UP_NONE && c->next_ns + LATE_NS < t->now_ns;
        if (missed)
            c->passed++;
        else
            push_job(t, c);
        plan(s, c, next_after(s, c, c->catch_up == JOBS_CATCH_UP_ALL ? c->next_ns : t->now_ns));
    }
    return wheel_next_ns(&s->head->schedule_times) > t->now_ns;
}

/* ---- orders ---- */
static struct jobs_schedule *find(const struct jobs *s, struct weir_slice name) {
    for (uint32_t i = 0; i < s->head->schedules_used; i++) {
        struct jobs_schedule *c = &s->schedules[i];
        if (c->is_used && weir_slice_equal(weir_slice(c->name, c->name_size), name)) return c;
    }
    return NULL;
}

static struct jobs_schedule *take_place(struct jobs *s) {
    struct jobs_head *h = s->head;
    uint32_t i = h->schedules_free;
    if (i != JOBS_NONE)
        h->schedules_free = s->schedules[i].next_free;
    else if (h->schedules_used < s->sizes.schedules)
        i = h->schedules_used++;
    else
        return NULL;
    h->schedule_count++;
    return &s->schedules[i];
}

static void drop(struct jobs *s, struct jobs_schedule *c) {
    struct wheel_items times = jobs_schedule_times(s);
    wheel_remove(&times, (uint32_t)(c - s->schedules));
    blob_give(&s->blob, c->bytes);
    *c = (struct jobs_schedule){.next_free = s->head->schedules_free, .time = {.slot = WHEEL_OUT}};
    s->head->schedules_free = (uint32_t)(c - s->schedules);
    s->head->schedule_count--;
}

/* What it says makes sense; its job is one, which has none to follow it beyond what a push may have. */
static bool is_sound(const struct jobs_schedule_view *v) {
    struct cron cron;
    struct zone zone;
    bool times = v->head.every_ns ? v->head.every_ns >= WHEEL_TICK_NS * 10 && v->cron.size == 0
                                  : cron_parse(v->cron, &cron) == WEIR_OK;
    return times && read_zone(v->zone, &zone) && push_count(v->job) == 1;
}

static enum jobs_reason put(struct jobs_turn *t, const struct jobs_schedule_view *v, uint64_t *ret_next_ns) {
    struct jobs *s = t->s;
    if (!is_sound(v)) return JOBS_E_INVALID;
    const struct weir_slice parts[] = {v->cron, v->zone_name, v->zone, v->job};
    size_t at = 0;
    uint32_t bytes = blob_take(&s->blob, v->cron.size + v->zone_name.size + v->zone.size + v->job.size);
    if (bytes == BLOB_NONE) return JOBS_E_PAYLOADS_FULL;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++) {
        blob_write(&s->blob, bytes, at, parts[i]);
        at += parts[i].size;
    }
    struct jobs_schedule *c = find(s, v->name);
    if (c) drop(s, c);
    c = take_place(s);
    if (!c) {
        blob_give(&s->blob, bytes);
        return JOBS_E_SCHEDULES_FULL;
    }
    *c = (struct jobs_schedule){.every_ns = v->head.every_ns,
        .next_ns = t->now_ns,
        .bytes = bytes,
        .job_size = v->head.job_size,
        .zone_size = v->head.zone_size,
        .is_used = 1,
        .paused = v->head.paused,
        .catch_up = v->head.catch_up,
        .name_size = v->head.name_size,
        .cron_size = v->head.cron_size,
        .zone_name_size = v->head.zone_name_size};
    c->time.slot = WHEEL_OUT;
    memcpy(c->name, v->name.data, v->name.size);
    plan(s, c, next_after(s, c, t->now_ns));
    *ret_next_ns = c->next_ns;
    return JOBS_OK;
}

static void change(struct jobs_turn *t, struct jobs_schedule *c, uint8_t action) {
    if (action == JOBS_SCHEDULE_DROP) {
        drop(t->s, c);
    } else if (action == JOBS_SCHEDULE_RUN) {
        push_job(t, c);
    } else {
        c->paused = action == JOBS_SCHEDULE_PAUSE;
        plan(t->s, c, c->next_ns);
    }
}

void schedule_order(struct jobs_turn *t, struct weir_slice value) {
    struct jobs_schedule_view v;
    struct jobs_operated reply = {.count = 1};
    enum jobs_reason reason = jobs_schedule_read(value, &v) ? JOBS_OK : JOBS_E_INVALID;
    if (reason == JOBS_OK && v.head.action == JOBS_SCHEDULE_PUT) {
        reason = put(t, &v, &reply.next);
    } else if (reason == JOBS_OK) {
        struct jobs_schedule *c = find(t->s, v.name);
        if (c) change(t, c, v.head.action);
        if (!c) reason = JOBS_E_SCHEDULE;
    }
    if (reason != JOBS_OK)
        weir_refuse(t->out, (uint16_t)reason);
    else
        memcpy(weir_reply(t->out, 200, sizeof reply), &reply, sizeof reply);
}
