#include "jobs/event.h"

#include "jobs/fold.h"
#include "jobs/job.h"
#include "jobs/names.h"

static uint8_t *put(uint8_t *at, struct weir_slice bytes) {
    if (bytes.size) memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static struct weir_slice worker_name(const struct jobs *s, const struct job *job, const struct jobs_event_more *more) {
    uint32_t i = more && more->worker != JOBS_NONE ? more->worker : job->worker;
    return i == JOBS_NONE ? weir_slice("", 0) : weir_slice(s->workers[i].name, s->workers[i].size);
}

void event_put(
    struct jobs_turn *t, const struct job *job, enum jobs_transition what, const struct jobs_event_more *more) {
    const struct jobs *s = t->s;
    const struct weir_slice none = weir_slice("", 0);
    bool first = what == JOBS_PUSHED;
    const struct weir_slice parts[] = {names_text(s, JOBS_NAME_QUEUE, job->queue),
        names_text(s, JOBS_NAME_TYPE, job->type), first ? names_text(s, JOBS_NAME_TENANT, job->tenant) : none,
        first ? job_jid(s, job) : none, worker_name(s, job, more), first ? job_tags(s, job) : none,
        more ? more->error : none, more ? more->message : none, more ? more->result : none};
    struct jobs_event e = {.job = job->id,
        .time_ns = t->now_ns,
        .due_ns = job->time.slot == WHEEL_OUT ? 0 : job->time.due_ns,
        .span_ns = more ? more->span_ns : 0,
        .epoch = job->epoch,
        .transition = (uint8_t)what,
        .state = job->state,
        .attempt = job->attempt,
        .attempts_max = job->attempts_max,
        .priority = job->priority,
        .progress = job->progress,
        .queue_size = (uint8_t)parts[0].size,
        .type_size = (uint8_t)parts[1].size,
        .tenant_size = (uint8_t)parts[2].size,
        .jid_size = (uint8_t)parts[3].size,
        .worker_size = (uint8_t)parts[4].size,
        .tags_size = (uint16_t)parts[5].size,
        .error_size = (uint8_t)parts[6].size,
        .message_size = (uint16_t)parts[7].size,
        .result_size = (uint16_t)parts[8].size};
    size_t size = sizeof e;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++)
        size += parts[i].size;
    uint8_t *at = weir_output(t->out, JOBS_TOPIC_EVENTS, (uint16_t)what, job->id, size, NULL);
    at = put(at, weir_slice(&e, sizeof e));
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++)
        at = put(at, parts[i]);
}

bool jobs_event_read(struct weir_slice value, struct jobs_event_view *ret) {
    struct jobs_event *h = &ret->head;
    if (value.size < sizeof *h) return false;
    memcpy(h, value.data, sizeof *h);
    const size_t sizes[] = {h->queue_size, h->type_size, h->tenant_size, h->jid_size, h->worker_size, h->tags_size,
        h->error_size, h->message_size, h->result_size};
    struct weir_slice *parts[] = {&ret->queue, &ret->type, &ret->tenant, &ret->jid, &ret->worker, &ret->tags,
        &ret->error, &ret->message, &ret->result};
    size_t at = sizeof *h;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++) {
        if (sizes[i] > value.size - at) return false;
        *parts[i] = weir_slice(value.data + at, sizes[i]);
        at += sizes[i];
    }
    return at == value.size;
}
