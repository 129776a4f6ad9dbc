/* Jobs over HTTP: in. */
#include "jobs/push.h"
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u
#define DEPTH_MAX    16u /* of jobs that follow one another */

/* ---- a job of the request ---- */
static enum weir_error put_tags(const struct weir_request *request, const Weir__Jobs__Job *m, struct weir_slice *ret) {
    size_t size = 0;
    for (size_t i = 0; i < m->n_tags; i++) {
        if (m->tags[i][0] == 0 || strchr(m->tags[i], ','))
            return weir_error_context(WEIR_E_INVALID, "tags: a tag is not empty and has no comma");
        size += strlen(m->tags[i]) + (i > 0);
    }
    if (size > JOBS_TAGS_MAX)
        return weir_error_context(WEIR_E_INVALID, "tags: %zu bytes with their commas; at most %u", size, JOBS_TAGS_MAX);
    char *room = weir_scratch(request, size + 1), *at = room;
    if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    for (size_t i = 0; i < m->n_tags; i++) {
        size_t tag = strlen(m->tags[i]);
        if (i > 0) *at++ = ',';
        memcpy(at, m->tags[i], tag);
        at += tag;
    }
    *ret = weir_slice(room, size);
    return WEIR_OK;
}

static enum weir_error put_payload(const Weir__Jobs__Job *m, struct jobs_new_view *v) {
    size_t size = strlen(m->payload);
    if (size && m->payload_bytes.len)
        return weir_error_context(WEIR_E_INVALID, "payload and payloadBytes: one of them");
    v->payload = size ? weir_slice(m->payload, size) : weir_slice(m->payload_bytes.data, m->payload_bytes.len);
    if (v->payload.size > JOBS_PAYLOAD_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE,
            "payload: %zu bytes; at most %u: keep what is larger elsewhere and send a reference to it", v->payload.size,
            JOBS_PAYLOAD_MAX);
    if (!m->payload_bytes.len) v->head.flags |= JOBS_NEW_TEXT;
    return WEIR_OK;
}

static enum weir_error put_texts(
    const struct weir_request *request, const Weir__Jobs__Job *m, struct jobs_new_view *v) {
    const char *tenant = m->tenant[0] ? m->tenant : request->tenant;
    enum weir_error e = jobs_route_text("queue", m->queue[0] ? m->queue : "default", JOBS_NAME_MAX - 1, &v->queue);
    if (!e && m->type[0] == 0) e = weir_error_context(WEIR_E_INVALID, "type: what kind of job it is, a name");
    if (!e) e = jobs_route_text("type", m->type, JOBS_NAME_MAX - 1, &v->type);
    if (!e) e = jobs_route_text("tenant", tenant, JOBS_TENANT_MAX, &v->tenant);
    if (!e) e = jobs_route_text("jid", m->jid, JOBS_JID_MAX, &v->jid);
    if (!e) e = jobs_route_text("uniqueKey", m->unique_key, JOBS_UNIQUE_MAX, &v->unique);
    if (!e) e = jobs_route_url(m->url, &v->url);
    if (!e) e = put_tags(request, m, &v->tags);
    return e ? e : put_payload(m, v);
}

static enum weir_error put_numbers(const Weir__Jobs__Job *m, struct jobs_new *h) {
    if (m->priority > JOBS_PRIORITY_MAX)
        return weir_error_context(WEIR_E_INVALID, "priority: 1 to %u, %u first", JOBS_PRIORITY_MAX, JOBS_PRIORITY_MAX);
    if (m->attempts_max > 255) return weir_error_context(WEIR_E_INVALID, "attemptsMax: 1 to 255");
    if ((unsigned)m->backoff > JOBS_BACKOFF_FAKTORY)
        return weir_error_context(WEIR_E_INVALID, "backoff: EXPONENTIAL, FIXED or FAKTORY");
    if ((unsigned)m->unique_until > JOBS_UNIQUE_TIME)
        return weir_error_context(WEIR_E_INVALID, "uniqueUntil: SUCCESS, START or TIME");
    if (m->unique_until == WEIR__JOBS__UNIQUE_UNTIL__TIME && m->unique_for_ms == 0)
        return weir_error_context(WEIR_E_INVALID, "uniqueForMs: uniqueUntil TIME needs it");
    const uint64_t spans[] = {m->run_at_ms, m->delay_ms, m->expires_at_ms, m->expires_in_ms, m->unique_for_ms};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(spans); i++)
        if (spans[i] > UINT64_MAX / NANOS_PER_MS / 4)
            return weir_error_context(
                WEIR_E_INVALID, "a time of %llu ms is beyond the year 2100", (unsigned long long)spans[i]);
    if (m->batch[0] && !jobs_id_parse(weir_slice_text(m->batch), &h->batch))
        return weir_error_context(
            WEIR_E_INVALID, "batch: an id is 16 hexadecimal digits, as POST /v1/jobs/batches answered it");
    h->run_at_ns = m->run_at_ms * NANOS_PER_MS;
    h->delay_ns = m->delay_ms * NANOS_PER_MS;
    h->expires_at_ns = m->expires_at_ms * NANOS_PER_MS;
    h->expires_in_ns = m->expires_in_ms * NANOS_PER_MS;
    h->unique_for_ns = m->unique_for_ms * NANOS_PER_MS;
    h->lease_ms = m->timeout_ms;
    h->backoff_ms = m->backoff_ms;
    h->backoff_max_ms = m->backoff_max_ms;
    h->attempts_max = (uint8_t)m->attempts_max;
    h->priority = (uint8_t)m->priority;
    h->backoff = (uint8_t)m->backoff;
    h->unique_until = (uint8_t)m->unique_until;
    return WEIR_OK;
}

static enum weir_error view_of(
    const struct weir_request *request, const Weir__Jobs__Job *m, uint32_t depth, struct jobs_new_view *v);

static enum weir_error put_then(
    const struct weir_request *request, const Weir__Jobs__Job *m, uint32_t depth, struct jobs_new_view *v) {
    if (m->n_then > JOBS_THEN_MAX || (m->n_then && depth == DEPTH_MAX))
        return weir_error_context(
            WEIR_E_INVALID, "then: at most %u jobs follow one, %u levels deep", JOBS_THEN_MAX, DEPTH_MAX);
    struct jobs_new_view *views = weir_scratch(request, (m->n_then + 1) * sizeof *views);
    enum weir_error e = views ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    size_t size = 0;
    for (size_t i = 0; !e && i < m->n_then; i++) {
        e = view_of(request, m->then[i], depth + 1, &views[i]);
        if (!e) size += jobs_new_write(&views[i], NULL);
    }
    if (e) return e;
    uint8_t *room = size <= JOBS_PAYLOAD_MAX ? weir_scratch(request, size + 1) : NULL;
    if (!room) return weir_error_context(WEIR_E_TOO_LARGE, "then: more than %u bytes of jobs", JOBS_PAYLOAD_MAX);
    v->then = weir_slice(room, size);
    for (size_t i = 0; i < m->n_then; i++)
        room += jobs_new_write(&views[i], room);
    return WEIR_OK;
}

static enum weir_error view_of(
    const struct weir_request *request, const Weir__Jobs__Job *m, uint32_t depth, struct jobs_new_view *v) {
    *v = (struct jobs_new_view){0};
    enum weir_error e = put_texts(request, m, v);
    if (!e) e = put_numbers(m, &v->head);
    return e ? e : put_then(request, m, depth, v);
}

enum weir_error jobs_route_job(
    const struct weir_request *request, const Weir__Jobs__Job *job, struct weir_slice *ret_entry) {
    struct jobs_new_view v;
    enum weir_error e = view_of(request, job, 0, &v);
    if (e) return e;
    size_t size = jobs_new_write(&v, NULL);
    uint8_t *room = size <= JOBS_PAYLOAD_MAX ? weir_scratch(request, size) : NULL;
    if (!room) return weir_error_context(WEIR_E_TOO_LARGE, "job: %zu bytes; at most %u", size, JOBS_PAYLOAD_MAX);
    jobs_new_write(&v, room);
    *ret_entry = weir_slice(room, size);
    return WEIR_OK;
}

/* ---- commands ---- */
static enum weir_error encode(
    const struct weir_request *request, Weir__Jobs__Job *const *jobs, size_t count, struct weir_command *ret_command) {
    if (count < 1 || count > JOBS_ENTRIES_MAX)
        return weir_error_context(WEIR_E_INVALID, "jobs: 1 to %u at once", JOBS_ENTRIES_MAX);
    struct jobs_new_view *views = weir_scratch(request, count * sizeof *views);
    enum weir_error e = views ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    size_t size = 0;
    for (size_t i = 0; !e && i < count; i++) {
        e = view_of(request, jobs[i], 0, &views[i]);
        if (e && count > 1) e = weir_error_wrap(e, "jobs[%zu]", i);
        if (e) break;
        size += jobs_new_write(&views[i], NULL);
        uint32_t partition = jobs_route_partition(views[i].queue, request->partition_count);
        if (i == 0) ret_command->partition = partition;
        if (!e && views[i].head.batch && jobs_id_partition(views[i].head.batch) != partition)
            e = weir_error_context(WEIR_E_INVALID,
                "jobs[%zu]: its queue is in another partition than its batch; a batch's jobs are all in one", i);
        if (!e && partition != ret_command->partition)
            e = weir_error_context(
                WEIR_E_INVALID, "jobs[%zu]: its queue is in another partition than the first one's; send it apart", i);
    }
    if (e) return e;
    uint8_t *at = jobs_route_room(request, size, ret_command, JOBS_RECORD_PUSH);
    if (!at) return WEIR_E_TOO_LARGE;
    for (size_t i = 0; i < count; i++)
        at += jobs_new_write(&views[i], at);
    return WEIR_OK;
}

enum weir_error jobs_encode_push(const struct weir_request *request, struct weir_command *ret_command) {
    Weir__Jobs__Job *one = (Weir__Jobs__Job *)(uintptr_t)request->message;
    return encode(request, &one, 1, ret_command);
}

enum weir_error jobs_encode_push_many(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__PushMany *m = request->message;
    return encode(request, m->jobs, m->n_jobs, ret_command);
}

/* ---- replies: message Pushed ---- */
enum { PUSHED_ID = 1, PUSHED_DUPLICATE = 2, PUSHED_REASON = 3, PUSHED_MANY_JOBS = 1 };

struct pushed_text {
    char id[JOBS_ID_SIZE + 1];
    struct weir_slice id_text, reason;
    bool duplicate;
};

static size_t pushed_size(const struct jobs_pushed *pushed, struct pushed_text *t) {
    jobs_id_print(pushed->id, t->id);
    t->id_text = weir_slice(t->id, pushed->id ? JOBS_ID_SIZE : 0);
    t->duplicate = pushed->reason == JOBS_E_DUPLICATE;
    t->reason = t->duplicate ? weir_slice("", 0) : weir_slice_text(jobs_reason_name(pushed->reason));
    return jobs_message_bytes_size(PUSHED_ID, t->id_text.size) +
           jobs_message_number_size(PUSHED_DUPLICATE, t->duplicate) +
           jobs_message_bytes_size(PUSHED_REASON, t->reason.size);
}

static void pushed_write(struct jobs_message *m, const struct pushed_text *t) {
    jobs_message_bytes(m, PUSHED_ID, t->id_text);
    jobs_message_number(m, PUSHED_DUPLICATE, t->duplicate);
    jobs_message_bytes(m, PUSHED_REASON, t->reason);
}

static const struct {
    uint32_t reason;
    uint16_t status;
} statuses[] = {{JOBS_OK, 201}, {JOBS_E_DUPLICATE, 200}, {JOBS_E_NOT_UNIQUE, 409}, {JOBS_E_JOBS_FULL, 503},
    {JOBS_E_PAYLOADS_FULL, 503}, {JOBS_E_NAMES_FULL, 503}, {JOBS_E_PAYLOAD_SIZE, 413}, {JOBS_E_URL, 400},
    {JOBS_E_DESTINATIONS_FULL, 503}, {JOBS_E_BATCH, 404}, {JOBS_E_BATCH_ENDED, 409}};

enum weir_error jobs_decode_pushed(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_pushed pushed;
    struct pushed_text text;
    if (value.size != sizeof pushed) return jobs_route_pass(value, answer); /* a refusal */
    memcpy(&pushed, value.data, sizeof pushed);
    size_t size = pushed_size(&pushed, &text);
    struct jobs_message m = {weir_answer_room(answer, size)};
    if (!m.at) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    pushed_write(&m, &text);
    weir_answer_commit(answer, size);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(statuses); i++)
        if (statuses[i].reason == pushed.reason) status = statuses[i].status;
    weir_answer_status(answer, status);
    return WEIR_OK;
}

enum weir_error jobs_decode_pushed_many(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_pushed pushed;
    struct pushed_text text;
    if (status >= 400) return jobs_decode_pushed(status, value, answer);
    for (size_t at = 0; at + sizeof pushed <= value.size; at += sizeof pushed) {
        memcpy(&pushed, value.data + at, sizeof pushed);
        size_t size = pushed_size(&pushed, &text), whole = jobs_message_open_size(size) + size;
        struct jobs_message m = {weir_answer_room(answer, whole)};
        if (!m.at) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
        jobs_message_open(&m, PUSHED_MANY_JOBS, size);
        pushed_write(&m, &text);
        weir_answer_commit(answer, whole);
    }
    weir_answer_status(answer, 200);
    return WEIR_OK;
}
