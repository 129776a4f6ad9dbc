/* Jobs over HTTP: to workers, and what they say. */
#include "jobs/routes.h"

#include "base/text.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u

/* ---- fetch ---- */
enum weir_error jobs_encode_fetch(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Fetch *m = request->message;
    struct jobs_fetch_view v = {.head = {.max = m->max ? m->max : 1, .wait_ms = m->wait_ms, .lease_ms = m->lease_ms}};
    if (v.head.max > JOBS_ENTRIES_MAX)
        return weir_error_context(WEIR_E_INVALID, "max: 1 to %u jobs at once", JOBS_ENTRIES_MAX);
    if (m->wait_ms > JOBS_WAIT_MS_MAX)
        return weir_error_context(WEIR_E_INVALID, "waitMs: at most %u; then ask again", JOBS_WAIT_MS_MAX);
    if (m->n_queues > JOBS_QUEUES_MAX) return weir_error_context(WEIR_E_INVALID, "queues: at most %u", JOBS_QUEUES_MAX);
    enum weir_error e = jobs_route_text("worker", m->worker, JOBS_NAME_MAX, &v.worker);
    v.head.queue_count = (uint8_t)(m->n_queues ? m->n_queues : 1);
    v.queues[0] = weir_slice_text("default");
    for (size_t i = 0; !e && i < m->n_queues; i++) {
        if (m->queues[i][0] == 0) e = weir_error_context(WEIR_E_INVALID, "queues: a name is not empty");
        if (!e) e = jobs_route_text("queues", m->queues[i], JOBS_NAME_MAX - 1, &v.queues[i]);
        if (!e && jobs_route_partition(v.queues[i], request->partition_count) !=
                      jobs_route_partition(v.queues[0], request->partition_count))
            e = weir_error_context(WEIR_E_INVALID, "queues: all in one partition; %s is in another one", m->queues[i]);
    }
    if (e) return e;
    ret_command->partition = jobs_route_partition(v.queues[0], request->partition_count);
    uint8_t *at = jobs_route_room(request, jobs_fetch_write(&v, NULL), ret_command, JOBS_RECORD_FETCH);
    if (!at) return WEIR_E_TOO_LARGE;
    jobs_fetch_write(&v, at);
    return WEIR_OK;
}

/* message Leased */
enum {
    LEASED_ID = 1,
    LEASED_EPOCH,
    LEASED_QUEUE,
    LEASED_TYPE,
    LEASED_TENANT,
    LEASED_JID,
    LEASED_ATTEMPT,
    LEASED_ATTEMPTS_MAX,
    LEASED_PRIORITY,
    LEASED_DEADLINE,
    LEASED_PUSHED,
    LEASED_TAGS,
    LEASED_PAYLOAD,
    LEASED_PAYLOAD_BYTES,
    FETCHED_JOBS = 1
};

static uint32_t payload_field(const struct jobs_leased_view *v) {
    bool text = v->head.flags & JOBS_NEW_TEXT && utf8_valid(v->payload);
    return text ? LEASED_PAYLOAD : LEASED_PAYLOAD_BYTES;
}

static struct weir_slice next_tag(struct weir_slice *rest) {
    const uint8_t *comma = rest->size ? memchr(rest->data, ',', rest->size) : NULL;
    size_t size = comma ? (size_t)(comma - rest->data) : rest->size;
    struct weir_slice tag = weir_slice(rest->data, size);
    size_t passed = comma ? size + 1 : size;
    *rest = weir_slice(rest->data + passed, rest->size - passed);
    return tag;
}

static size_t leased_size(const struct jobs_leased_view *v) {
    const struct jobs_leased *h = &v->head;
    size_t size =
        jobs_message_bytes_size(LEASED_ID, JOBS_ID_SIZE) + jobs_message_number_size(LEASED_EPOCH, h->epoch) +
        jobs_message_bytes_size(LEASED_QUEUE, v->queue.size) + jobs_message_bytes_size(LEASED_TYPE, v->type.size) +
        jobs_message_bytes_size(LEASED_TENANT, v->tenant.size) + jobs_message_bytes_size(LEASED_JID, v->jid.size) +
        jobs_message_number_size(LEASED_ATTEMPT, h->attempt) +
        jobs_message_number_size(LEASED_ATTEMPTS_MAX, h->attempts_max) +
        jobs_message_number_size(LEASED_PRIORITY, h->priority) +
        jobs_message_number_size(LEASED_DEADLINE, h->deadline_ns / NANOS_PER_MS) +
        jobs_message_number_size(LEASED_PUSHED, h->pushed_ns / NANOS_PER_MS) +
        jobs_message_bytes_size(payload_field(v), v->payload.size);
    for (struct weir_slice rest = v->tags; rest.size;)
        size += jobs_message_bytes_size(LEASED_TAGS, next_tag(&rest).size);
    return size;
}

static void leased_write(struct jobs_message *m, const struct jobs_leased_view *v) {
    const struct jobs_leased *h = &v->head;
    char id[JOBS_ID_SIZE + 1];
    jobs_id_print(h->id, id);
    jobs_message_bytes(m, LEASED_ID, weir_slice(id, JOBS_ID_SIZE));
    jobs_message_number(m, LEASED_EPOCH, h->epoch);
    jobs_message_bytes(m, LEASED_QUEUE, v->queue);
    jobs_message_bytes(m, LEASED_TYPE, v->type);
    jobs_message_bytes(m, LEASED_TENANT, v->tenant);
    jobs_message_bytes(m, LEASED_JID, v->jid);
    jobs_message_number(m, LEASED_ATTEMPT, h->attempt);
    jobs_message_number(m, LEASED_ATTEMPTS_MAX, h->attempts_max);
    jobs_message_number(m, LEASED_PRIORITY, h->priority);
    jobs_message_number(m, LEASED_DEADLINE, h->deadline_ns / NANOS_PER_MS);
    jobs_message_number(m, LEASED_PUSHED, h->pushed_ns / NANOS_PER_MS);
    for (struct weir_slice rest = v->tags; rest.size;)
        jobs_message_bytes(m, LEASED_TAGS, next_tag(&rest));
    jobs_message_bytes(m, payload_field(v), v->payload);
}

enum weir_error jobs_decode_fetched(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_leased_view v;
    if (status >= 400) return jobs_route_pass(value, answer);
    for (size_t at = 0; at < value.size;) {
        if (!jobs_leased_next(value, &at, &v))
            return weir_error_context(WEIR_E_CORRUPT, "jobs: the reply to a fetch is cut short");
        size_t size = leased_size(&v), whole = jobs_message_open_size(size) + size;
        struct jobs_message m = {weir_answer_room(answer, whole)};
        if (!m.at) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
        jobs_message_open(&m, FETCHED_JOBS, size);
        leased_write(&m, &v);
        weir_answer_commit(answer, whole);
    }
    return WEIR_OK;
}

enum weir_error jobs_undelivered(
    const struct weir_request *request, uint16_t status, struct weir_slice value, struct weir_command *ret_command) {
    struct jobs_leased_view v;
    size_t count = 0, at = 0;
    if (status >= 400) return WEIR_E_NOT_FOUND;
    while (at < value.size && jobs_leased_next(value, &at, &v))
        count++;
    if (count == 0 || at != value.size) return WEIR_E_NOT_FOUND; /* another command's reply */
    struct jobs_report_view back = {0};
    uint8_t *to = jobs_route_room(request, count * jobs_report_write(&back, NULL), ret_command, JOBS_RECORD_RETURN);
    if (!to) return WEIR_E_TOO_LARGE;
    for (at = 0; at < value.size && jobs_leased_next(value, &at, &v);) {
        back.head.id = v.head.id;
        back.head.epoch = v.head.epoch;
        to += jobs_report_write(&back, to);
    }
    return WEIR_OK;
}

/* ---- reports ---- */
struct reports {
    const struct weir_request *request;
    struct jobs_report_view *views;
    size_t count, size;
};

static enum weir_error begin(struct reports *r, const struct weir_request *request, size_t count) {
    if (count < 1 || count > JOBS_ENTRIES_MAX)
        return weir_error_context(WEIR_E_INVALID, "jobs: 1 to %u at once", JOBS_ENTRIES_MAX);
    *r = (struct reports){.request = request, .views = weir_scratch(request, count * sizeof *r->views), .count = count};
    if (!r->views) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    memset(r->views, 0, count * sizeof *r->views);
    return WEIR_OK;
}

static enum weir_error end(struct reports *r, uint16_t type, struct weir_command *ret_command) {
    for (size_t i = 0; i < r->count; i++) {
        if (jobs_id_partition(r->views[i].head.id) != jobs_id_partition(r->views[0].head.id))
            return weir_error_context(WEIR_E_INVALID, "jobs[%zu]: it is in another partition; send it apart", i);
        r->size += jobs_report_write(&r->views[i], NULL);
    }
    ret_command->partition = jobs_id_partition(r->views[0].head.id);
    if (r->size > JOBS_REPORTS_MAX) return weir_error_context(WEIR_E_TOO_LARGE, "results and messages beyond 1 MB");
    uint8_t *at = jobs_route_room(r->request, r->size, ret_command, type);
    if (!at) return WEIR_E_TOO_LARGE;
    for (size_t i = 0; i < r->count; i++)
        at += jobs_report_write(&r->views[i], at);
    return WEIR_OK;
}

static struct weir_slice cut(const char *text, size_t max) {
    size_t size = strlen(text);
    if (size <= max) return weir_slice(text, size);
    while (max > 0 && ((uint8_t)text[max] & 0xc0) == 0x80) /* not within a character */
        max--;
    return weir_slice(text, max);
}

static enum weir_error encode_acks(
    const struct weir_request *request, uint16_t type, struct weir_command *ret_command) {
    const Weir__Jobs__AckMany *m = request->message;
    struct reports r;
    enum weir_error e = begin(&r, request, m->n_jobs);
    for (size_t i = 0; !e && i < r.count; i++) {
        e = jobs_route_id(request, m->jobs[i]->id, &r.views[i].head.id);
        r.views[i].head.epoch = m->jobs[i]->epoch;
        if (!e) e = jobs_route_text("result", m->jobs[i]->result, JOBS_RESULT_MAX, &r.views[i].result);
    }
    return e ? e : end(&r, type, ret_command);
}

enum weir_error jobs_encode_ack(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_acks(request, JOBS_RECORD_ACK, ret_command);
}

enum weir_error jobs_encode_return(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_acks(request, JOBS_RECORD_RETURN, ret_command);
}

enum weir_error jobs_encode_fail(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__FailMany *m = request->message;
    struct reports r;
    enum weir_error e = begin(&r, request, m->n_jobs);
    for (size_t i = 0; !e && i < r.count; i++) {
        const Weir__Jobs__Fail *fail = m->jobs[i];
        struct jobs_report_view *v = &r.views[i];
        e = jobs_route_id(request, fail->id, &v->head.id);
        v->head.epoch = fail->epoch;
        v->head.span_ns = fail->retry_after_ms * NANOS_PER_MS;
        v->head.flags = fail->dead ? JOBS_REPORT_DEAD : 0;
        v->error = cut(fail->error, JOBS_ERROR_MAX);
        v->message = cut(fail->message, JOBS_MESSAGE_MAX);
        if (!e && fail->retry_after_ms > UINT64_MAX / NANOS_PER_MS / 4)
            e = weir_error_context(WEIR_E_INVALID, "retryAfterMs: beyond the year 2100");
    }
    return e ? e : end(&r, JOBS_RECORD_FAIL, ret_command);
}

enum weir_error jobs_encode_extend(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__ExtendMany *m = request->message;
    struct reports r;
    enum weir_error e = begin(&r, request, m->n_jobs);
    for (size_t i = 0; !e && i < r.count; i++) {
        const Weir__Jobs__Extend *extend = m->jobs[i];
        struct jobs_report *h = &r.views[i].head;
        e = jobs_route_id(request, extend->id, &h->id);
        h->epoch = extend->epoch;
        h->span_ns = (uint64_t)extend->lease_ms * NANOS_PER_MS;
        if (!e && extend->progress > 100) e = weir_error_context(WEIR_E_INVALID, "progress: per cent, 0 to 100");
        h->progress = extend->progress ? (uint8_t)(extend->progress + 1) : 0;
    }
    return e ? e : end(&r, JOBS_RECORD_EXTEND, ret_command);
}

/* message Reported */
enum { REPORTED_ID = 1, REPORTED_REASON, REPORTED_STATE, REPORTED_DUE, REPORTED_MANY_JOBS = 1 };

enum weir_error jobs_decode_reported(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_reported said;
    if (status >= 400) return jobs_route_pass(value, answer);
    for (size_t at = 0; at + sizeof said <= value.size; at += sizeof said) {
        memcpy(&said, value.data + at, sizeof said);
        char id[JOBS_ID_SIZE + 1];
        jobs_id_print(said.id, id);
        struct weir_slice reason = weir_slice_text(jobs_reason_name(said.reason));
        size_t size = jobs_message_bytes_size(REPORTED_ID, JOBS_ID_SIZE) +
                      jobs_message_bytes_size(REPORTED_REASON, reason.size) +
                      jobs_message_number_size(REPORTED_STATE, said.state) +
                      jobs_message_number_size(REPORTED_DUE, said.due_ns / NANOS_PER_MS);
        size_t whole = jobs_message_open_size(size) + size;
        struct jobs_message m = {weir_answer_room(answer, whole)};
        if (!m.at) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
        jobs_message_open(&m, REPORTED_MANY_JOBS, size);
        jobs_message_bytes(&m, REPORTED_ID, weir_slice(id, JOBS_ID_SIZE));
        jobs_message_bytes(&m, REPORTED_REASON, reason);
        jobs_message_number(&m, REPORTED_STATE, said.state);
        jobs_message_number(&m, REPORTED_DUE, said.due_ns / NANOS_PER_MS);
        weir_answer_commit(answer, whole);
    }
    return WEIR_OK;
}
