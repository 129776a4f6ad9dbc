#include "jobs/fold.h"

#include "jobs/batch.h"
#include "jobs/dead.h"
#include "jobs/hook.h"
#include "jobs/job.h"
#include "jobs/lease.h"
#include "jobs/names.h"
#include "jobs/operate.h"
#include "jobs/push.h"
#include "jobs/ready.h"
#include "jobs/schedule.h"
#include "jobs/unique.h"
#include "jobs/waiter.h"
#include "jobs/worker.h"

#define TIMER       1u
#define NANOS_PER_S UINT64_C(1000000000)

/* ---- commands: a handler each ---- */
static void on_push(struct jobs_turn *t, struct weir_slice value) {
    uint32_t count = push_count(value);
    if (count == 0) {
        weir_refuse(t->out, JOBS_E_INVALID);
        return;
    }
    struct jobs_new_view view;
    uint8_t *reply = weir_reply(t->out, 201, count * sizeof(struct jobs_pushed));
    for (size_t at = 0; at < value.size && jobs_new_next(value, &at, &view); reply += sizeof(struct jobs_pushed)) {
        struct jobs_pushed pushed = push_one(t, &view);
        memcpy(reply, &pushed, sizeof pushed);
    }
}

/* Queues' numbers; a queue that nobody has heard of is made, as its first job may come while one waits. */
static bool number_queues(struct jobs *s, const struct jobs_fetch_view *view, uint16_t *queues) {
    for (uint32_t i = 0; i < view->head.queue_count; i++) {
        uint32_t queue = names_find_or_make(s, JOBS_NAME_QUEUE, view->queues[i]);
        if (queue == JOBS_NONE) return false;
        queues[i] = (uint16_t)queue;
    }
    return true;
}

static bool is_twice(const uint16_t *queues, uint32_t count) {
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (queues[i] == queues[k]) return true;
    return false;
}

static void on_fetch(struct jobs_turn *t, struct weir_slice value) {
    struct jobs *s = t->s;
    struct jobs_fetch_view view;
    uint16_t queues[JOBS_QUEUES_MAX];
    if (!jobs_fetch_read(value, &view)) {
        weir_refuse(t->out, JOBS_E_INVALID);
        return;
    }
    if (!number_queues(s, &view, queues)) {
        weir_refuse(t->out, JOBS_E_NAMES_FULL);
        return;
    }
    if (is_twice(queues, view.head.queue_count)) {
        weir_refuse(t->out, JOBS_E_INVALID);
        return;
    }
    uint32_t worker = worker_find_or_make(t, view.worker), count = 0;
    if (worker == JOBS_NONE && view.worker.size) {
        weir_refuse(t->out, JOBS_E_WORKERS_FULL);
        return;
    }
    bool quiet = worker != JOBS_NONE && s->workers[worker].state != JOBS_WORKER_RUNNING;
    if (!quiet) count = lease_pick(t, queues, view.head.queue_count, view.head.max, view.head.lease_ms, worker);
    if (count == 0 && view.head.wait_ms && !quiet) {
        if (!waiter_add(t, &view.head, queues, worker)) weir_refuse(t->out, JOBS_E_WAITERS_FULL);
    } else {
        lease_reply_write(s, count, weir_reply(t->out, 200, lease_reply_size(s, count)));
    }
    if (worker != JOBS_NONE) worker_let_go(s, worker);
}

typedef void (*report_fn)(struct jobs_turn *t, struct job *job, const struct jobs_report_view *view);
static void report_ack(struct jobs_turn *t, struct job *job, const struct jobs_report_view *view) {
    lease_done(t, job, view->result);
}
static void report_extend(struct jobs_turn *t, struct job *job, const struct jobs_report_view *view) {
    lease_extend(t, job, view);
}
static void report_return(struct jobs_turn *t, struct job *job, const struct jobs_report_view *view) {
    (void)view;
    lease_return(t, job);
}

static uint32_t count_reports(struct weir_slice value) {
    struct jobs_report_view view;
    uint32_t count = 0;
    if (value.size > JOBS_REPORTS_MAX) return 0;
    for (size_t at = 0; at < value.size; count++)
        if (count == JOBS_ENTRIES_MAX || !jobs_report_next(value, &at, &view)) return 0;
    return count;
}

static struct jobs_reported report(struct jobs_turn *t, const struct jobs_report_view *view, report_fn fn) {
    struct jobs *s = t->s;
    struct job *job;
    struct jobs_reported said = {.id = view->head.id};
    said.reason = (uint16_t)lease_find(s, view, &job);
    if (said.reason != JOBS_OK) {
        s->head->stale++;
        return said;
    }
    uint64_t id = said.id = job->id;
    fn(t, job, view);
    if (job->id != id) { /* gone */
        said.state = fn == report_ack ? JOBS_DONE : JOBS_FREE;
        return said;
    }
    said.state = job->state;
    said.due_ns = job->time.slot == WHEEL_OUT ? 0 : job->time.due_ns;
    return said;
}

static void on_reports(struct jobs_turn *t, struct weir_slice value, report_fn fn) {
    uint32_t count = count_reports(value);
    if (count == 0) {
        weir_refuse(t->out, JOBS_E_INVALID);
        return;
    }
    struct jobs_report_view view;
    uint8_t *reply = weir_reply(t->out, 200, count * sizeof(struct jobs_reported));
    for (size_t at = 0; at < value.size && jobs_report_next(value, &at, &view); reply += sizeof(struct jobs_reported)) {
        struct jobs_reported said = report(t, &view, fn);
        memcpy(reply, &said, sizeof said);
    }
}
static void on_ack(struct jobs_turn *t, struct weir_slice value) {
    on_reports(t, value, report_ack);
}
static void on_fail(struct jobs_turn *t, struct weir_slice value) {
    on_reports(t, value, lease_fail);
}
static void on_extend(struct jobs_turn *t, struct weir_slice value) {
    on_reports(t, value, report_extend);
}
static void on_return(struct jobs_turn *t, struct weir_slice value) {
    on_reports(t, value, report_return);
}

static void on_beat(struct jobs_turn *t, struct weir_slice value) {
    struct jobs_beat beat;
    bool read = value.size >= sizeof beat;
    if (read) memcpy(&beat, value.data, sizeof beat);
    read = read && beat.worker_size == value.size - sizeof beat && beat.worker_size <= JOBS_NAME_MAX &&
           beat.state <= JOBS_WORKER_TERMINATE && (beat.worker_size > 0 || beat.flags & JOBS_BEAT_ORDER);
    if (!read)
        weir_refuse(t->out, JOBS_E_INVALID);
    else
        worker_beat(t, &beat, weir_slice(value.data + sizeof beat, beat.worker_size));
}

typedef void (*command_fn)(struct jobs_turn *t, struct weir_slice value);
static const command_fn commands[] = {
    [JOBS_RECORD_PUSH] = on_push,
    [JOBS_RECORD_FETCH] = on_fetch,
    [JOBS_RECORD_ACK] = on_ack,
    [JOBS_RECORD_FAIL] = on_fail,
    [JOBS_RECORD_EXTEND] = on_extend,
    [JOBS_RECORD_RETURN] = on_return,
    [JOBS_RECORD_BEAT] = on_beat,
    [JOBS_RECORD_OPERATE] = operate_jobs,
    [JOBS_RECORD_QUEUE] = operate_name,
    [JOBS_RECORD_SCHEDULE] = schedule_order,
    [JOBS_RECORD_DESTINATION] = hook_order,
    [JOBS_RECORD_BATCH] = batch_order,
};

/* ---- time ---- */
static void on_due(struct jobs_turn *t, struct job *job) {
    bool expired = job->expires_ns && job->expires_ns <= t->now_ns;
    switch (job->state) {
    case JOBS_RUNNING:
        lease_lost(t, job, "its lease came to its end");
        break;
    case JOBS_DEAD:
        dead_drop(t, job);
        break;
    default: /* SCHEDULED, RETRY, READY */
        if (expired) {
            job_unlist(t, job);
            job_end(t, job, JOBS_EXPIRED, NULL);
            break;
        }
        job_ready(t, job, false);
        event_put(t, job, JOBS_RELEASED, NULL);
    }
}

/* False: more is due than one record may do. */
static bool jobs_due(struct jobs_turn *t) {
    struct wheel_items times = jobs_times(t->s);
    bool more = false;
    for (uint32_t n = 0; n < JOBS_ENTRIES_MAX; n++) {
        uint32_t i = wheel_take(&times, t->now_ns, &more);
        if (i == WHEEL_NONE) return !more;
        struct job *job = &t->s->jobs[i];
        on_due(t, job);
    }
    return wheel_next_ns(&t->s->head->job_times) > t->now_ns;
}

static bool on_time(struct jobs_turn *t) {
    struct jobs *s = t->s;
    s->head->timer_ns = UINT64_MAX;
    if (s->head->rate_ns <= t->now_ns) {
        s->head->rate_ns = UINT64_MAX;
        waiters_wake_all(s);
    }
    bool done = waiters_expire(t);
    done = uniques_expire(t) && done;
    done = schedules_due(t) && done;
    /* Either may do all that a record may. */
    if (wheel_next_ns(&s->head->worker_times) <= t->now_ns) return workers_expire(t) && false;
    return jobs_due(t) && done;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void set_timer(struct jobs_turn *t, bool done) {
    struct jobs_head *h = t->s->head;
    uint64_t at_ns = least(least(wheel_next_ns(&h->job_times), wheel_next_ns(&h->waiter_times)),
        least(wheel_next_ns(&h->worker_times), wheel_next_ns(&h->unique_times)));
    at_ns = least(at_ns, wheel_next_ns(&h->schedule_times));
    at_ns = least(at_ns, h->waiter_count || h->names_used[JOBS_NAME_DESTINATION] ? h->rate_ns : UINT64_MAX);
    if (!done) at_ns = t->now_ns;
    if (at_ns == h->timer_ns) return;
    h->timer_ns = at_ns;
    if (at_ns == UINT64_MAX)
        weir_timer_cancel(t->out, TIMER);
    else
        weir_timer_set(t->out, TIMER, at_ns);
}

/* ---- the fold ---- */
static void count(struct jobs_turn *t) {
    const struct jobs_head *h = t->s->head;
    uint64_t per_job = jobs_bytes_per_job(t->s);
    const uint64_t values[JOBS_METRIC_COUNT] = {
        [JOBS_METRIC_PUSHED] = h->pushed,
        [JOBS_METRIC_DONE] = h->done,
        [JOBS_METRIC_FAILED] = h->failed,
        [JOBS_METRIC_TIMED_OUT] = h->timed_out,
        [JOBS_METRIC_DEAD_TOTAL] = h->dead,
        [JOBS_METRIC_SCHEDULED] = h->states[JOBS_SCHEDULED],
        [JOBS_METRIC_READY] = h->states[JOBS_READY],
        [JOBS_METRIC_RUNNING] = h->states[JOBS_RUNNING],
        [JOBS_METRIC_RETRY] = h->states[JOBS_RETRY],
        [JOBS_METRIC_DEAD] = h->states[JOBS_DEAD],
        [JOBS_METRIC_WORKERS] = h->worker_count,
        [JOBS_METRIC_WAITERS] = h->waiter_count,
        [JOBS_METRIC_BYTES] = per_job * h->job_count,
        [JOBS_METRIC_BYTES_PER_JOB] = per_job,
        [JOBS_METRIC_STALE] = h->stale,
        [JOBS_METRIC_FOLLOWERS_REFUSED] = h->followers_refused,
        [JOBS_METRIC_WEBHOOKS] = h->calls,
        [JOBS_METRIC_DESTINATIONS] = h->names_used[JOBS_NAME_DESTINATION],
        [JOBS_METRIC_DESTINATIONS_OPEN] = h->destinations_open,
    };
    for (uint32_t i = 0; i < JOBS_METRIC_COUNT; i++)
        weir_metric_set(t->out, i, values[i]);
}

void jobs_apply(void *state, const struct weir_record *record, struct weir_out *out) {
    struct jobs *s = state;
    struct jobs_turn t = {.s = s,
        .out = out,
        .now_ns = record->time_ns,
        .leases_left = JOBS_ENTRIES_MAX,
        .replies_left = WEIR_REPLIES_MAX,
        .reply_bytes_left = LEASE_REPLY_BYTES_MAX};
    bool done = true;
    wheel_rest(&s->head->job_times, record->time_ns);
    wheel_rest(&s->head->waiter_times, record->time_ns);
    wheel_rest(&s->head->worker_times, record->time_ns);
    wheel_rest(&s->head->unique_times, record->time_ns);
    wheel_rest(&s->head->schedule_times, record->time_ns);
    if (record->kind == WEIR_RECORD_SETTINGS) {
        jobs_take_settings(s, weir_settings(out));
        waiters_forget(&t);
        workers_restart(&t);
        s->head->started_s = (uint32_t)(record->time_ns / NANOS_PER_S);
    } else if (record->kind == WEIR_RECORD_TIMER) {
        done = on_time(&t);
    } else if (record->kind == WEIR_RECORD_RESULT) {
        hook_result(&t, record);
    } else if (record->kind == WEIR_RECORD_COMMAND && record->type < WEIR_ARRAY_COUNT(commands) &&
               commands[record->type]) {
        commands[record->type](&t, record->value);
    }
    done = batches_settle(&t) && done;
    done = waiters_serve(&t) && done;
    done = hooks_serve(&t) && done;
    set_timer(&t, done);
    count(&t);
}
