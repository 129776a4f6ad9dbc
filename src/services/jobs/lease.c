#include "jobs/lease.h"

#include "jobs/dead.h"
#include "jobs/job.h"
#include "jobs/names.h"
#include "jobs/ready.h"
#include "jobs/retry.h"
#include "jobs/unique.h"
#include "jobs/waiter.h"
#include "jobs/worker.h"

/* ---- beginning ---- */
void lease_begin(struct jobs_turn *t, struct job *job, uint32_t lease_ms, uint32_t worker, uint64_t due_ns) {
    struct jobs *s = t->s;
    ready_take(s, job);
    job_unsum(s, job);
    job->worker = worker;
    job->epoch++;
    job->attempt++;
    job->progress = 0;
    if (lease_ms) job->lease_ms = lease_ms;
    if (worker != JOBS_NONE) worker_lease(s, worker, job);
    job_sum(s, job);
    job_move(t, job, JOBS_RUNNING, due_ns);
    ready_started(t, job);
    if (job->unique != JOBS_NONE && job->unique_until == JOBS_UNIQUE_START) unique_release(s, job);
    event_put(t, job, JOBS_LEASED, NULL);
}

/* Its newest failed attempt; an empty one when there is none. */
static struct job_attempt last_attempt(
    const struct jobs *s, const struct job *job, struct weir_slice *ret_error, struct weir_slice *ret_message) {
    struct job_attempt last = {0};
    *ret_error = *ret_message = weir_slice("", 0);
    if (job->attempts == BLOB_NONE) return last;
    const uint8_t *at = blob_at(&s->blob, job->attempts);
    memcpy(&last, at, sizeof last);
    at += sizeof last + last.worker_size;
    *ret_error = weir_slice(at, last.error_size);
    *ret_message = weir_slice(at + last.error_size, last.message_size);
    return last;
}

static size_t leased_size(const struct jobs *s, const struct job *job) {
    struct weir_slice error, message;
    (void)last_attempt(s, job, &error, &message);
    return JOBS_ALIGN(sizeof(struct jobs_leased) + names_text(s, JOBS_NAME_QUEUE, job->queue).size +
                      names_text(s, JOBS_NAME_TYPE, job->type).size +
                      names_text(s, JOBS_NAME_TENANT, job->tenant).size + job->jid_size + job->tags_size +
                      job->payload_size + error.size + message.size);
}

uint32_t lease_pick(struct jobs_turn *t, const uint16_t *queues, uint32_t queue_count, uint32_t max, uint32_t lease_ms,
    uint32_t worker) {
    struct jobs *s = t->s;
    uint32_t count = 0;
    if (max > t->leases_left) max = t->leases_left;
    for (uint32_t q = 0; q < queue_count && count < max; q++) {
        struct job *job;
        while (count < max && (job = ready_peek(t, queues[q], false))) {
            size_t size = leased_size(s, job);
            if (size > t->reply_bytes_left) {
                t->is_full = true;
                return count;
            }
            t->reply_bytes_left -= size;
            uint32_t span_ms = lease_ms ? lease_ms : job->lease_ms;
            s->ready_ns[count] = job->since_ns;
            lease_begin(t, job, lease_ms, worker, t->now_ns + (uint64_t)span_ms * WHEEL_TICK_NS);
            s->picked[count++] = jobs_index_of(s, job);
            t->leases_left--;
        }
    }
    return count;
}

size_t lease_reply_size(const struct jobs *s, uint32_t count) {
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += leased_size(s, &s->jobs[s->picked[i]]);
    return size;
}

static uint8_t *put(uint8_t *at, struct weir_slice bytes) {
    if (bytes.size) memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static size_t write_leased(const struct jobs *s, const struct job *job, uint64_t ready_ns, uint8_t *at) {
    struct weir_slice error, message;
    struct job_attempt last = last_attempt(s, job, &error, &message);
    const struct weir_slice parts[] = {names_text(s, JOBS_NAME_QUEUE, job->queue),
        names_text(s, JOBS_NAME_TYPE, job->type), names_text(s, JOBS_NAME_TENANT, job->tenant), job_jid(s, job),
        job_tags(s, job)};
    struct jobs_leased h = {.size = (uint32_t)leased_size(s, job),
        .payload_size = job->payload_size,
        .id = job->id,
        .deadline_ns = job->time.due_ns,
        .pushed_ns = job->pushed_ns,
        .ready_ns = ready_ns,
        .failed_ns = last.ended_ns,
        .epoch = job->epoch,
        .lease_ms = job->lease_ms,
        .queue_size = (uint8_t)parts[0].size,
        .type_size = (uint8_t)parts[1].size,
        .tenant_size = (uint8_t)parts[2].size,
        .jid_size = (uint8_t)parts[3].size,
        .tags_size = (uint16_t)parts[4].size,
        .attempt = job->attempt,
        .attempts_max = job->attempts_max,
        .priority = job->priority,
        .flags = job->flags & (JOB_TEXT | JOB_FAKTORY),
        .message_size = (uint16_t)message.size,
        .error_size = (uint8_t)error.size};
    uint8_t *to = put(at, weir_slice(&h, sizeof h));
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++)
        to = put(to, parts[i]);
    job_payload(s, job, to);
    to = put(put(to + job->payload_size, error), message);
    memset(to, 0, h.size - (size_t)(to - at));
    return h.size;
}

void lease_reply_write(const struct jobs *s, uint32_t count, uint8_t *at) {
    for (uint32_t i = 0; i < count; i++)
        at += write_leased(s, &s->jobs[s->picked[i]], s->ready_ns[i], at);
}

/* ---- ends ---- */
static bool is_of(const struct jobs *s, const struct job *job, struct weir_slice worker) {
    return job->worker != JOBS_NONE && worker_find(s, worker) == job->worker;
}

enum jobs_reason lease_find(const struct jobs *s, const struct jobs_report_view *report, struct job **ret_job) {
    uint32_t i = report->head.id    ? job_find(s, report->head.id)
                 : report->jid.size ? job_find_name(s, report->jid)
                                    : JOBS_NONE;
    if (i == JOBS_NONE) return JOBS_E_NOT_FOUND;
    struct job *job = &s->jobs[i];
    if (report->head.epoch && report->head.epoch != job->epoch) return JOBS_E_STALE;
    if (job->state != JOBS_RUNNING) return report->head.epoch ? JOBS_E_STALE : JOBS_E_NOT_RUNNING;
    if (report->worker.size && !is_of(s, job, report->worker)) return JOBS_E_STALE;
    *ret_job = job;
    return JOBS_OK;
}

void lease_end(struct jobs_turn *t, struct job *job) {
    if (job->worker != JOBS_NONE) worker_unlease(t->s, job);
    ready_ended(t, job);
}

void lease_done(struct jobs_turn *t, struct job *job, struct weir_slice result) {
    struct jobs_event_more more = {.span_ns = t->now_ns - job->since_ns, .result = result, .worker = job->worker};
    lease_end(t, job);
    t->s->names[JOBS_NAME_QUEUE][job->queue].done++;
    t->s->head->done++;
    job_end(t, job, JOBS_DONE, &more);
}

void lease_fail(struct jobs_turn *t, struct job *job, const struct jobs_report_view *report) {
    struct jobs_event_more more = {.span_ns = t->now_ns - job->since_ns,
        .error = report->error,
        .message = report->message,
        .result = report->result,
        .worker = job->worker};
    t->s->head->failed++;
    job->flags &= (uint8_t)~JOB_TIMED_OUT;
    retry_or_end(t, job, JOBS_FAILED, &more, report->head.span_ns, report->head.flags & JOBS_REPORT_DEAD);
}

void lease_lost(struct jobs_turn *t, struct job *job, const char *why) {
    struct jobs_event_more more = {.span_ns = t->now_ns - job->since_ns,
        .error = weir_slice_text("LeaseLost"),
        .message = weir_slice_text(why),
        .worker = job->worker};
    t->s->head->timed_out++;
    job->flags |= JOB_TIMED_OUT;
    retry_or_end(t, job, JOBS_TIMED_OUT, &more, 0, false);
}

void lease_extend(struct jobs_turn *t, struct job *job, const struct jobs_report_view *view) {
    struct jobs *s = t->s;
    const struct jobs_report *report = &view->head;
    struct wheel_items times = jobs_times(s);
    struct jobs_event_more more = {.message = view->message, .worker = job->worker};
    uint64_t span_ns = report->span_ns ? report->span_ns : (uint64_t)job->lease_ms * WHEEL_TICK_NS;
    job_unsum(s, job);
    if (!(report->flags & JOBS_REPORT_KEEP)) {
        wheel_remove(&times, jobs_index_of(s, job));
        wheel_add(&times, jobs_index_of(s, job), t->now_ns + span_ns);
    }
    if (report->progress) job->progress = (uint8_t)(report->progress - 1);
    job_sum(s, job);
    event_put(t, job, JOBS_EXTENDED, &more);
}

void lease_return(struct jobs_turn *t, struct job *job) {
    lease_end(t, job);
    job_unsum(t->s, job);
    job->attempt--; /* it was not tried */
    job_sum(t->s, job);
    job_ready(t, job, true);
    event_put(t, job, JOBS_RETURNED, NULL);
}
