/* Jobs over HTTP: what operators and workers' heartbeats say. */
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

/* ---- one job, or those a filter means ---- */
static enum weir_error encode_one(
    const struct weir_request *request, uint8_t action, struct weir_command *ret_command) {
    const Weir__Jobs__JobRef *m = request->message;
    struct jobs_operate o = {.action = action};
    enum weir_error e = jobs_route_id(request, m->id, &o.id);
    if (e) return e;
    ret_command->partition = jobs_id_partition(o.id);
    uint8_t *at = jobs_route_room(request, sizeof o, ret_command, JOBS_RECORD_OPERATE);
    if (!at) return WEIR_E_TOO_LARGE;
    memcpy(at, &o, sizeof o);
    return WEIR_OK;
}
enum weir_error jobs_encode_cancel(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_one(request, JOBS_CANCEL, ret_command);
}
enum weir_error jobs_encode_requeue(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_one(request, JOBS_REQUEUE, ret_command);
}
enum weir_error jobs_encode_kill(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_one(request, JOBS_KILL, ret_command);
}
enum weir_error jobs_encode_drop(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_one(request, JOBS_DROP, ret_command);
}

enum weir_error jobs_encode_operate(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Operate *m = request->message;
    struct weir_slice queue, type, tenant, text;
    if ((unsigned)m->action < JOBS_CANCEL || (unsigned)m->action > JOBS_DROP)
        return weir_error_context(WEIR_E_INVALID, "action: CANCEL, REQUEUE, KILL or DROP");
    if ((unsigned)m->state < JOBS_SCHEDULED || (unsigned)m->state > JOBS_DEAD)
        return weir_error_context(
            WEIR_E_INVALID, "state: SCHEDULED, READY, RUNNING, RETRY or DEAD: which jobs are meant");
    enum weir_error e = jobs_route_text("queue", m->queue, JOBS_NAME_MAX, &queue);
    if (!e) e = jobs_route_text("type", m->type, JOBS_NAME_MAX, &type);
    if (!e) e = jobs_route_text("tenant", m->tenant, JOBS_TENANT_MAX, &tenant);
    if (!e) e = jobs_route_text("text", m->text, 255, &text);
    if (e) return e;
    ret_command->partition = m->partition;
    struct jobs_operate o = {.after = m->after,
        .max = m->max,
        .action = (uint8_t)m->action,
        .state = (uint8_t)m->state,
        .queue_size = (uint8_t)queue.size,
        .type_size = (uint8_t)type.size,
        .tenant_size = (uint8_t)tenant.size,
        .text_size = (uint8_t)text.size};
    const struct weir_slice parts[] = {weir_slice(&o, sizeof o), queue, type, tenant, text};
    return jobs_route_parts(request, parts, WEIR_ARRAY_COUNT(parts), JOBS_RECORD_OPERATE, ret_command);
}

enum weir_error jobs_decode_operated(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_operated done;
    if (status >= 400 || value.size != sizeof done) return jobs_route_pass(value, answer);
    memcpy(&done, value.data, sizeof done);
    Weir__Jobs__Operated m = WEIR__JOBS__OPERATED__INIT;
    m.count = done.count;
    m.next = done.next;
    return jobs_route_answer(answer, &m.base);
}

/* ---- queues, types, tenants ---- */
static enum weir_error encode_order(const struct weir_request *request, const struct jobs_queue_order *order,
    const char *name, uint32_t partition, struct weir_command *ret_command) {
    struct jobs_queue_order o = *order;
    struct weir_slice text;
    uint32_t max = o.kind == JOBS_NAME_TENANT ? JOBS_TENANT_MAX : JOBS_NAME_MAX - 1;
    enum weir_error e = jobs_route_text("name", name, max, &text);
    if (e) return e;
    if (text.size == 0 && o.kind != JOBS_NAME_TENANT) return weir_error_context(WEIR_E_INVALID, "name: of what");
    o.name_size = (uint8_t)text.size;
    ret_command->partition =
        o.kind == JOBS_NAME_QUEUE ? jobs_route_partition(text, request->partition_count) : partition;
    const struct weir_slice parts[] = {weir_slice(&o, sizeof o), text};
    return jobs_route_parts(request, parts, WEIR_ARRAY_COUNT(parts), JOBS_RECORD_QUEUE, ret_command);
}

static enum weir_error encode_queue(
    const struct weir_request *request, uint8_t action, struct weir_command *ret_command) {
    const Weir__Jobs__QueueRef *m = request->message;
    struct jobs_queue_order o = {.action = action, .kind = JOBS_NAME_QUEUE};
    return encode_order(request, &o, m->queue, 0, ret_command);
}
enum weir_error jobs_encode_pause(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_queue(request, JOBS_QUEUE_PAUSE, ret_command);
}
enum weir_error jobs_encode_resume(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_queue(request, JOBS_QUEUE_RESUME, ret_command);
}
enum weir_error jobs_encode_clear(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_queue(request, JOBS_QUEUE_CLEAR, ret_command);
}

enum weir_error jobs_encode_limits(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Limits *m = request->message;
    if ((unsigned)m->kind >= JOBS_NAME_KINDS)
        return weir_error_context(WEIR_E_INVALID, "kind: QUEUE, TYPE, TENANT or DESTINATION");
    if (m->weight > 100) return weir_error_context(WEIR_E_INVALID, "weight: 1 to 100");
    if (m->rate_per_s > 1000000000) return weir_error_context(WEIR_E_INVALID, "ratePerS: at most 1000000000");
    struct jobs_queue_order o = {.action = JOBS_QUEUE_SET,
        .kind = (uint8_t)m->kind,
        .concurrency = m->concurrency,
        .rate_per_s = m->rate_per_s,
        .burst = m->burst,
        .weight = (uint16_t)m->weight};
    return encode_order(request, &o, m->name, m->partition, ret_command);
}

/* ---- workers ---- */
static enum weir_error encode_beat(const struct weir_request *request, const struct jobs_beat *beat, const char *worker,
    uint32_t partition, struct weir_command *ret_command) {
    struct jobs_beat b = *beat;
    struct weir_slice name;
    enum weir_error e = jobs_route_text("worker", worker, JOBS_NAME_MAX, &name);
    if (e) return e;
    if (name.size == 0 && !(b.flags & JOBS_BEAT_ORDER))
        return weir_error_context(WEIR_E_INVALID, "worker: whose heartbeat it is");
    b.worker_size = (uint8_t)name.size;
    ret_command->partition = partition;
    const struct weir_slice parts[] = {weir_slice(&b, sizeof b), name};
    return jobs_route_parts(request, parts, WEIR_ARRAY_COUNT(parts), JOBS_RECORD_BEAT, ret_command);
}

enum weir_error jobs_encode_beat(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Beat *m = request->message;
    if ((unsigned)m->state > JOBS_WORKER_TERMINATE)
        return weir_error_context(WEIR_E_INVALID, "state: WORKING, QUIET or TERMINATE");
    struct jobs_beat beat = {.rss_kb = m->rss_kb, .state = (uint8_t)m->state, .flags = m->gone ? JOBS_BEAT_GONE : 0};
    return encode_beat(request, &beat, m->worker, m->partition, ret_command);
}

static enum weir_error encode_worker(
    const struct weir_request *request, uint8_t state, struct weir_command *ret_command) {
    const Weir__Jobs__WorkerRef *m = request->message;
    struct jobs_beat beat = {.state = state, .flags = JOBS_BEAT_ORDER};
    return encode_beat(request, &beat, strcmp(m->worker, "*") == 0 ? "" : m->worker, m->partition, ret_command);
}
enum weir_error jobs_encode_quiet(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_worker(request, JOBS_WORKER_QUIET, ret_command);
}
enum weir_error jobs_encode_terminate(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_worker(request, JOBS_WORKER_TERMINATE, ret_command);
}

enum weir_error jobs_decode_beaten(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_beaten beaten;
    if (status >= 400 || value.size != sizeof beaten) return jobs_route_pass(value, answer);
    memcpy(&beaten, value.data, sizeof beaten);
    Weir__Jobs__Beaten m = WEIR__JOBS__BEATEN__INIT;
    m.state = (Weir__Jobs__WorkerState)beaten.state;
    m.released = beaten.released;
    return jobs_route_answer(answer, &m.base);
}
