/* Schedules over HTTP. */
#include "base/cron.h"
#include "jobs/routes.h"
#include "jobs/schedule.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u

/* The zone's file as what the fold reads; nothing: UTC. */
static enum weir_error put_zone(
    const struct weir_request *request, const ProtobufCBinaryData *file, struct weir_slice *ret_zone) {
    struct zone zone;
    *ret_zone = weir_slice("", 0);
    if (file->len == 0) return WEIR_OK;
    enum weir_error e = zone_load(weir_slice(file->data, file->len), &zone);
    if (e) return weir_error_wrap(e, "zone");
    uint8_t *room = weir_scratch(request, ZONE_BYTES_MAX);
    if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    struct byte_writer w = {.data = room, .size = ZONE_BYTES_MAX};
    zone_encode(&zone, &w);
    *ret_zone = weir_slice(room, w.at);
    return WEIR_OK;
}

static enum weir_error check_times(const Weir__Jobs__Schedule *m) {
    struct cron cron;
    if ((m->cron[0] != 0) == (m->every_ms != 0))
        return weir_error_context(WEIR_E_INVALID, "cron or everyMs: one of them");
    if (m->every_ms && (m->every_ms < 10 || m->every_ms > UINT64_MAX / NANOS_PER_MS / 4))
        return weir_error_context(WEIR_E_INVALID, "everyMs: at least 10");
    enum weir_error e = m->cron[0] ? cron_parse(weir_slice_text(m->cron), &cron) : WEIR_OK;
    return e ? weir_error_wrap(e, "cron") : WEIR_OK;
}

static enum weir_error encode(const struct weir_request *request, const struct jobs_schedule_view *view,
    uint32_t partition, struct weir_command *ret_command) {
    struct jobs_schedule_order o = view->head;
    o.name_size = (uint8_t)view->name.size;
    o.cron_size = (uint8_t)view->cron.size;
    o.zone_name_size = (uint8_t)view->zone_name.size;
    o.zone_size = (uint16_t)view->zone.size;
    o.job_size = (uint32_t)view->job.size;
    ret_command->partition = partition;
    const struct weir_slice parts[] = {
        weir_slice(&o, sizeof o), view->name, view->cron, view->zone_name, view->zone, view->job};
    return jobs_route_parts(request, parts, WEIR_ARRAY_COUNT(parts), JOBS_RECORD_SCHEDULE, ret_command);
}

enum weir_error jobs_encode_schedule(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Schedule *m = request->message;
    struct jobs_schedule_view v = {.head = {.action = JOBS_SCHEDULE_PUT,
                                       .every_ns = m->every_ms * NANOS_PER_MS,
                                       .catch_up = (uint8_t)m->catch_up,
                                       .paused = m->paused != 0}};
    if (!m->job) return weir_error_context(WEIR_E_INVALID, "job: what is pushed");
    if ((unsigned)m->catch_up > JOBS_CATCH_UP_NONE)
        return weir_error_context(WEIR_E_INVALID, "catchUp: ONE, ALL or NONE");
    if (request->partition_count > 1)
        return weir_error_context(WEIR_E_UNSUPPORTED, "schedules need a single partition; jobs.partitions is larger");
    enum weir_error e = check_times(m);
    if (!e) e = jobs_route_text("name", m->name, JOBS_NAME_MAX, &v.name);
    if (!e) e = jobs_route_text("cron", m->cron, JOBS_CRON_MAX, &v.cron);
    if (!e) e = jobs_route_text("zoneName", m->zone_name, JOBS_NAME_MAX, &v.zone_name);
    if (!e) e = put_zone(request, &m->zone, &v.zone);
    if (!e) e = jobs_route_job(request, m->job, &v.job);
    return e ? e : encode(request, &v, 0, ret_command);
}

static enum weir_error encode_change(
    const struct weir_request *request, uint8_t action, struct weir_command *ret_command) {
    const Weir__Jobs__ScheduleRef *m = request->message;
    struct jobs_schedule_view v = {.head = {.action = action}};
    v.cron = v.zone_name = v.zone = v.job = weir_slice("", 0);
    enum weir_error e = jobs_route_text("name", m->name, JOBS_NAME_MAX, &v.name);
    return e ? e : encode(request, &v, 0, ret_command);
}
enum weir_error jobs_encode_unschedule(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_change(request, JOBS_SCHEDULE_DROP, ret_command);
}
enum weir_error jobs_encode_schedule_pause(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_change(request, JOBS_SCHEDULE_PAUSE, ret_command);
}
enum weir_error jobs_encode_schedule_resume(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_change(request, JOBS_SCHEDULE_RESUME, ret_command);
}
enum weir_error jobs_encode_schedule_run(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_change(request, JOBS_SCHEDULE_RUN, ret_command);
}

static void fill(const struct jobs *s, const struct weir_request *request, const struct jobs_schedule *c,
    Weir__Jobs__ScheduleView *m) {
    struct jobs_new_view job;
    size_t at = 0;
    weir__jobs__schedule_view__init(m);
    m->name = jobs_route_string(request, weir_slice(c->name, c->name_size));
    m->cron = jobs_route_string(request, schedule_cron(s, c));
    m->every_ms = c->every_ns / NANOS_PER_MS;
    m->zone_name = jobs_route_string(request, schedule_zone_name(s, c));
    m->catch_up = (Weir__Jobs__CatchUp)c->catch_up;
    m->paused = c->paused;
    m->next_ms = c->next_ns == UINT64_MAX ? 0 : c->next_ns / NANOS_PER_MS;
    m->last_ms = c->last_ns / NANOS_PER_MS;
    m->pushed = c->pushed;
    m->passed = c->passed;
    uint8_t *entry = weir_scratch(request, c->job_size);
    if (!entry) return;
    blob_read(&s->blob, c->bytes, (size_t)c->cron_size + c->zone_name_size + c->zone_size, entry, c->job_size);
    if (!jobs_new_next(weir_slice(entry, c->job_size), &at, &job)) return;
    m->queue = jobs_route_string(request, job.queue);
    m->type = jobs_route_string(request, job.type);
}

#define SCHEDULES_MAX 2000u /* of one answer */

enum weir_error jobs_query_schedules(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    uint32_t most = s->head->schedule_count < SCHEDULES_MAX ? s->head->schedule_count : SCHEDULES_MAX;
    Weir__Jobs__ScheduleView *views = weir_scratch(request, most * sizeof *views + 1);
    Weir__Jobs__ScheduleView **list = weir_scratch(request, most * sizeof *list + 1);
    if (!views || !list) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    Weir__Jobs__ScheduleList m = WEIR__JOBS__SCHEDULE_LIST__INIT;
    for (uint32_t i = 0; i < s->head->schedules_used && m.n_schedules < most; i++) {
        if (!s->schedules[i].is_used) continue;
        fill(s, request, &s->schedules[i], &views[m.n_schedules]);
        list[m.n_schedules] = &views[m.n_schedules];
        m.n_schedules++;
    }
    m.schedules = list;
    return jobs_route_answer(answer, &m.base);
}
