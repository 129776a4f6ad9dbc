/* What is read of the state, between records. */
#include "base/text.h"
#include "jobs/job.h"
#include "jobs/names.h"
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u
#define ATTEMPTS_MAX 64u

enum weir_error jobs_partition_of_job(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Jobs__JobRef *m = request->message;
    uint64_t id;
    enum weir_error e = jobs_route_id(request, m->id, &id);
    if (!e) *ret_partition = jobs_id_partition(id);
    return e;
}

/* ---- a job as a message ---- */
static void put_attempt(const struct weir_request *request, const uint8_t *at, Weir__Jobs__Attempt *m) {
    struct job_attempt a;
    memcpy(&a, at, sizeof a);
    at += sizeof a;
    weir__jobs__attempt__init(m);
    m->attempt = a.attempt;
    m->started_ms = a.started_ns / NANOS_PER_MS;
    m->duration_ms = (a.ended_ns - a.started_ns) / NANOS_PER_MS;
    m->worker = jobs_route_string(request, weir_slice(at, a.worker_size));
    m->error = jobs_route_string(request, weir_slice(at + a.worker_size, a.error_size));
    m->message = jobs_route_string(request, weir_slice(at + a.worker_size + a.error_size, a.message_size));
}

/* Oldest first. */
static void put_attempts(
    const struct jobs *s, const struct weir_request *request, const struct job *job, Weir__Jobs__JobView *m) {
    Weir__Jobs__Attempt **list = weir_scratch(request, ATTEMPTS_MAX * sizeof *list), *attempt;
    uint32_t count = 0;
    for (uint32_t at = job->attempts; list && at != BLOB_NONE && count < ATTEMPTS_MAX; count++) {
        const uint8_t *bytes = blob_at(&s->blob, at);
        attempt = weir_scratch(request, sizeof *attempt);
        if (!attempt) break;
        put_attempt(request, bytes, attempt);
        list[count] = attempt;
        struct job_attempt a;
        memcpy(&a, bytes, sizeof a);
        at = a.older;
    }
    for (uint32_t i = 0; i < count / 2; i++) {
        attempt = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = attempt;
    }
    m->n_attempts = count;
    m->attempts = list;
}

static void put_tags(
    const struct jobs *s, const struct weir_request *request, const struct job *job, Weir__Jobs__JobView *m) {
    char *all = jobs_route_string(request, job_tags(s, job)),
         **list = weir_scratch(request, (JOBS_TAGS_MAX + 1) * sizeof *list);
    m->n_tags = 0;
    m->tags = list;
    while (list && *all) {
        list[m->n_tags++] = all;
        all += strcspn(all, ",");
        if (*all) *all++ = 0;
    }
}

static void put_payload(
    const struct jobs *s, const struct weir_request *request, const struct job *job, Weir__Jobs__JobView *m) {
    char *bytes = weir_scratch(request, job->payload_size + 1u);
    if (!bytes) return;
    job_payload(s, job, bytes);
    bytes[job->payload_size] = 0;
    bool text =
        job->flags & JOB_TEXT && utf8_valid(weir_slice(bytes, job->payload_size)) && strlen(bytes) == job->payload_size;
    if (text)
        m->payload = bytes;
    else
        m->payload_bytes = (ProtobufCBinaryData){job->payload_size, (uint8_t *)bytes};
}

void jobs_route_view(
    const struct jobs *s, const struct weir_request *request, const struct job *job, Weir__Jobs__JobView *m) {
    weir__jobs__job_view__init(m);
    m->id = weir_scratch(request, JOBS_ID_SIZE + 1);
    if (m->id) jobs_id_print(job->id, m->id);
    m->state = (Weir__Jobs__State)job->state;
    m->queue = jobs_route_string(request, names_text(s, JOBS_NAME_QUEUE, job->queue));
    m->type = jobs_route_string(request, names_text(s, JOBS_NAME_TYPE, job->type));
    m->tenant = jobs_route_string(request, names_text(s, JOBS_NAME_TENANT, job->tenant));
    m->jid = jobs_route_string(request, job_jid(s, job));
    m->unique_key = jobs_route_string(request, job_unique(s, job));
    m->attempt = job->attempt;
    m->attempts_max = job->attempts_max;
    m->priority = job->priority;
    m->epoch = job->epoch;
    m->progress = job->progress;
    m->pushed_ms = job->pushed_ns / NANOS_PER_MS;
    m->since_ms = job->since_ns / NANOS_PER_MS;
    m->due_ms = job->time.slot == WHEEL_OUT ? 0 : job->time.due_ns / NANOS_PER_MS;
    m->expires_at_ms = job->expires_ns / NANOS_PER_MS;
    if (job->worker != JOBS_NONE)
        m->worker = jobs_route_string(request, weir_slice(s->workers[job->worker].name, s->workers[job->worker].size));
    if (job->batch != JOBS_NONE && (m->batch = weir_scratch(request, JOBS_ID_SIZE + 1)))
        jobs_id_print(s->batches[job->batch].id, m->batch);
    put_tags(s, request, job, m);
}

enum weir_error jobs_query_job(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    const Weir__Jobs__JobRef *ref = request->message;
    uint64_t id;
    enum weir_error e = jobs_route_id(request, ref->id, &id);
    if (e) return e;
    uint32_t i = job_find(s, id);
    if (i == JOBS_NONE)
        return weir_error_context(WEIR_E_NOT_FOUND,
            "there is no job %s that has not ended; the topic jobs.events has the history of those that have", ref->id);
    Weir__Jobs__JobView m;
    jobs_route_view(s, request, &s->jobs[i], &m);
    put_attempts(s, request, &s->jobs[i], &m);
    put_payload(s, request, &s->jobs[i], &m);
    return jobs_route_answer(answer, &m.base);
}
