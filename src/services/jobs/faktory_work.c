/* FETCH, ACK, FAIL and BEAT. */
#include "jobs/faktory.h"

#define GROUP_WAIT_MS 100u /* of a fetch from queues of several partitions: at each in turn */

/* ---- what a job looks like to a worker ---- */
/* The arguments of a job that was not pushed by a client of Faktory: its payload, as an array. */
static struct weir_slice args_of(struct weir_session *session, const struct jobs_leased_view *job) {
    struct json_reader reader = json_reader(job->payload, JSON_DEPTH_MAX);
    enum json_token first = json_next(&reader);
    bool is_json = job->head.flags & JOBS_NEW_TEXT && json_skip_value(&reader) && json_next(&reader) == JSON_END;
    if (is_json && first == JSON_ARRAY_OPEN) return job->payload;
    size_t room = 6 * job->payload.size + 16;
    char *text = weir_session_scratch(session, room);
    if (!text) return weir_slice(NULL, 0);
    struct text_builder t = text_builder(text, room);
    struct json_writer w = json_writer(&t, 0);
    json_write_array_open(&w);
    if (is_json)
        json_write_raw(&w, job->payload);
    else if (job->payload.size)
        json_write_slice(&w, job->payload);
    json_write_array_close(&w);
    return text_slice(&t);
}

/* The job as one that was pushed, in scratch. Empty: no memory. */
static struct weir_slice kept_of(struct weir_session *session, const struct jobs_leased_view *job) {
    char id[JOBS_ID_SIZE + 1];
    if (job->head.flags & JOBS_NEW_FAKTORY) return job->payload;
    struct weir_slice args = args_of(session, job);
    jobs_id_print(job->head.id, id);
    struct weir_faktory_made made = {.jid = job->jid.size ? job->jid : weir_slice(id, JOBS_ID_SIZE),
        .type = job->type,
        .queue = job->queue,
        .args = args,
        .retry = job->head.attempts_max - 1,
        .reserve_s = job->head.lease_ms / 1000};
    size_t room = args.size + 6 * (made.jid.size + made.type.size + made.queue.size) + 256;
    uint8_t *text = args.data ? weir_session_scratch(session, room) : NULL;
    struct byte_writer out = byte_writer(text, text ? room : 0);
    if (text) weir_faktory_job_make(&made, &out);
    return weir_slice(text, out.failed ? 0 : out.at);
}

static bool say_job(struct weir_session *session, const struct jobs_leased_view *job) {
    struct weir_slice kept = kept_of(session, job);
    struct weir_faktory_failure failure = {.count = job->head.attempt - 1u,
        .remaining = (uint32_t)(job->head.attempts_max - job->head.attempt),
        .failed_at_ns = (int64_t)job->head.failed_ns,
        .errtype = job->error,
        .message = job->message};
    size_t room = kept.size + 6 * (job->error.size + job->message.size) + WEIR_FAKTORY_DELIVER_BYTES +
                  WEIR_FAKTORY_BULK_HEAD_SIZE + 2;
    uint8_t *text = kept.size ? weir_session_scratch(session, room) : NULL;
    if (!text) return false;
    struct byte_writer out = byte_writer(text, room);
    size_t opened = weir_faktory_bulk_open(&out);
    weir_faktory_job_deliver(kept, (int64_t)job->head.ready_ns, &failure, &out);
    weir_faktory_bulk_close(&out, opened);
    if (out.failed) return false;
    faktory_say(session, byte_writer_slice(&out));
    return true;
}

/* A job that cannot be handed over is given back. Should even that find no room, its lease still ends. */
static void give_back(struct weir_session *session, const struct jobs_leased_view *job) {
    uint8_t value[sizeof(struct jobs_report)];
    struct jobs_report_view report = {.head = {.id = job->head.id, .epoch = job->head.epoch}};
    size_t size = jobs_report_write(&report, value);
    struct weir_command command = {
        .partition = jobs_id_partition(job->head.id), .type = JOBS_RECORD_RETURN, .value = weir_slice(value, size)};
    if (weir_session_command(session, &command, FAKTORY_CORRELATION_NOBODY)) weir_error_clear();
}

/* ---- FETCH ---- */
struct queues {
    struct weir_slice names[FAKTORY_QUEUES_MAX];
    uint32_t count;
};

static enum weir_error read_queues(struct weir_slice payload, struct queues *ret) {
    struct weir_slice name;
    ret->count = 0;
    while (weir_faktory_word(&payload, &name)) {
        bool is_known = false;
        for (uint32_t i = 0; i < ret->count && !is_known; i++)
            is_known = weir_slice_equal(ret->names[i], name);
        if (is_known) continue;
        if (!weir_faktory_is_queue(name) || name.size > JOBS_NAME_MAX)
            return weir_error_context(WEIR_E_INVALID,
                "FETCH: a queue's name has at most %u letters, digits, '.', '_' and '-'", JOBS_NAME_MAX);
        if (ret->count == FAKTORY_QUEUES_MAX)
            return weir_error_context(WEIR_E_TOO_LARGE, "FETCH: at most %u queues", FAKTORY_QUEUES_MAX);
        ret->names[ret->count++] = name;
    }
    if (ret->count == 0) return weir_error_context(WEIR_E_INVALID, "FETCH: it must name at least one queue");
    return WEIR_OK;
}

/* How many queues from `first` on one command can ask for: neighbours of the same partition. */
static uint32_t group_size(struct weir_session *session, const struct queues *queues, uint32_t first) {
    uint32_t partition = faktory_partition(session, queues->names[first]), size = 1;
    while (first + size < queues->count && size < JOBS_QUEUES_MAX &&
           faktory_partition(session, queues->names[first + size]) == partition)
        size++;
    return size;
}

#define FETCH_BYTES_MAX (sizeof(struct jobs_fetch) + JOBS_NAME_MAX + JOBS_QUEUES_MAX * (JOBS_NAME_MAX + 1u))
static struct weir_command fetch_command(struct weir_session *session, const struct queues *queues, uint32_t first,
    uint32_t count, uint32_t wait_ms, uint8_t *room) {
    const struct faktory *f = weir_session_state(session);
    struct jobs_fetch_view view = {.head = {.max = 1, .wait_ms = wait_ms, .queue_count = (uint8_t)count},
        .worker = weir_slice(f->name, f->name_size)};
    for (uint32_t i = 0; i < count; i++)
        view.queues[i] = queues->names[first + i];
    size_t size = jobs_fetch_write(&view, room);
    return (struct weir_command){.partition = faktory_partition(session, queues->names[first]),
        .type = JOBS_RECORD_FETCH,
        .value = weir_slice(room, size)};
}

/* Queues of several partitions: each group in its turn without waiting, as their order says; then a little at each,
 * until the time is up. */
static enum faktory_taken fetch_in_turn(struct weir_session *session, const struct queues *queues) {
    struct faktory *f = weir_session_state(session);
    struct faktory_errand *errand = &f->errand;
    uint8_t room[FETCH_BYTES_MAX];
    if (!faktory_errand(session, WEIR_FAKTORY_FETCH)) return FAKTORY_LATER;
    uint64_t gone_ms = (weir_session_mono_ns(session) - errand->since_ns) / FAKTORY_NANOS_PER_MS;
    if (errand->said) return faktory_errand_end(session);
    if (errand->failed || gone_ms >= FAKTORY_WAIT_MS) {
        faktory_say_null(session);
        return faktory_errand_end(session);
    }
    if (errand->step >= queues->count) {
        errand->step = 0;
        errand->count = GROUP_WAIT_MS;
    }
    uint32_t count = group_size(session, queues, errand->step);
    struct weir_command command = fetch_command(session, queues, errand->step, count, (uint32_t)errand->count, room);
    if (faktory_errand_ask(session, &command, 0)) errand->step += count;
    if (!errand->failed) return FAKTORY_LATER;
    faktory_say_error(session, "ERR", weir_slice_text(weir_error_text()));
    return faktory_errand_end(session);
}

void faktory_fetch_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct jobs_leased_view job;
    size_t at = 0;
    (void)part;
    if (status >= 300) {
        f->errand.failed = true;
    } else if (value.size && jobs_leased_next(value, &at, &job)) {
        f->errand.said = say_job(session, &job);
        if (!f->errand.said) give_back(session, &job);
    }
}

enum faktory_taken faktory_fetch(struct weir_session *session, struct weir_slice payload) {
    struct queues queues;
    uint8_t room[FETCH_BYTES_MAX];
    if (read_queues(payload, &queues)) return faktory_refuse(session);
    if (group_size(session, &queues, 0) < queues.count) return fetch_in_turn(session, &queues);
    struct weir_command command = fetch_command(session, &queues, 0, queues.count, FAKTORY_WAIT_MS, room);
    return faktory_ask(session, WEIR_FAKTORY_FETCH, &command, false);
}

/* A job for a fetch before which another one still waits for its own goes back: it could only be kept here. */
void faktory_fetch_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct jobs_leased_view job;
    size_t at = 0;
    slot->answer = FAKTORY_ANSWER_NULL_LATER; /* a quiet worker's comes at once */
    if (!value.size || !jobs_leased_next(value, &at, &job)) return;
    if (slot == faktory_oldest(f) && say_job(session, &job)) {
        slot->answer = FAKTORY_ANSWER_SAID;
        return;
    }
    slot->answer = FAKTORY_ANSWER_NULL;
    give_back(session, &job);
}

/* ---- ACK and FAIL ---- */
/* The queue is not said, so that each partition is asked whether the job is there. The worker's name goes along: who
 * has lost the lease has no say any more. */
static enum faktory_taken report(
    struct weir_session *session, enum weir_faktory_verb verb, uint16_t type, struct jobs_report_view *view) {
    const struct faktory *f = weir_session_state(session);
    uint8_t room[sizeof(struct jobs_report) + JOBS_JID_MAX + JOBS_ERROR_MAX + JOBS_MESSAGE_MAX + JOBS_NAME_MAX + 8];
    view->worker = weir_slice(f->name, f->name_size);
    size_t size = jobs_report_write(view, room);
    struct weir_command command = {.type = type, .value = weir_slice(room, size)};
    return faktory_ask(session, verb, &command, true);
}

enum faktory_taken faktory_ack(struct weir_session *session, struct weir_slice payload) {
    struct weir_faktory_limits limits = faktory_limits(session);
    struct jobs_report_view view = {0};
    struct arena arena;
    if (!faktory_arena(session, payload, &arena) || weir_faktory_ack_parse(payload, &arena, &limits, &view.jid))
        return faktory_refuse(session);
    return report(session, WEIR_FAKTORY_ACK, JOBS_RECORD_ACK, &view);
}

enum faktory_taken faktory_fail(struct weir_session *session, struct weir_slice payload) {
    struct weir_faktory_limits limits = faktory_limits(session);
    struct weir_faktory_fail fail;
    struct arena arena;
    if (!faktory_arena(session, payload, &arena) || weir_faktory_fail_parse(payload, &arena, &limits, &fail))
        return faktory_refuse(session);
    struct jobs_report_view view = {.jid = fail.jid, .error = fail.errtype, .message = fail.message};
    return report(session, WEIR_FAKTORY_FAIL, JOBS_RECORD_FAIL, &view);
}

/* One partition has it, if any does: its word counts, whenever it comes. An unknown job was done and acknowledged
 * before, as far as an ACK goes. */
void faktory_report_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value) {
    struct jobs_reported said;
    (void)session;
    if (value.size != sizeof said) return;
    memcpy(&said, value.data, sizeof said);
    bool is_unknown = said.reason == JOBS_E_NOT_FOUND;
    if (said.reason == JOBS_OK) {
        slot->is_settled = true;
        slot->answer = FAKTORY_ANSWER_OK;
    } else if (!slot->is_settled && !(is_unknown && (slot->verb == WEIR_FAKTORY_ACK || slot->answer))) {
        slot->answer = FAKTORY_ANSWER_REASON;
        slot->code = said.reason;
    }
}

/* ---- TRACK SET: progress, and a longer lease ---- */
enum faktory_taken faktory_track_set(struct weir_session *session, const struct weir_faktory_track *track) {
    uint64_t now_ns = weir_session_wall_ns(session), until_ns = (uint64_t)track->reserve_until_ns;
    size_t desc_size = track->desc.size < JOBS_MESSAGE_MAX ? track->desc.size : utf8_cut(track->desc, JOBS_MESSAGE_MAX);
    struct jobs_report_view view = {.jid = track->jid, .message = weir_slice(track->desc.data, desc_size)};
    view.head.progress = (uint8_t)(track->percent + 1);
    view.head.span_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    view.head.flags = view.head.span_ns ? 0 : JOBS_REPORT_KEEP;
    return report(session, WEIR_FAKTORY_TRACK, JOBS_RECORD_EXTEND, &view);
}

/* ---- BEAT ---- */
enum faktory_taken faktory_beat(struct weir_session *session, struct weir_slice payload) {
    struct weir_faktory_limits limits = faktory_limits(session);
    struct weir_faktory_beat said;
    struct arena arena;
    uint8_t room[sizeof(struct jobs_beat) + JOBS_NAME_MAX];
    if (!faktory_arena(session, payload, &arena) || weir_faktory_beat_parse(payload, &arena, &limits, &said))
        return faktory_refuse(session);
    struct jobs_beat beat = {.rss_kb = said.rss_kb > 0 ? (uint64_t)said.rss_kb : 0,
        .worker_size = (uint8_t)said.wid.size,
        .state = (uint8_t)said.state};
    memcpy(room, &beat, sizeof beat);
    memcpy(room + sizeof beat, said.wid.data, said.wid.size);
    struct weir_command command = {.type = JOBS_RECORD_BEAT, .value = weir_slice(room, sizeof beat + said.wid.size)};
    return faktory_ask(session, WEIR_FAKTORY_BEAT, &command, true);
}

void faktory_beat_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value) {
    struct jobs_beaten beaten;
    (void)session;
    if (value.size != sizeof beaten) return;
    memcpy(&beaten, value.data, sizeof beaten);
    if (beaten.state > slot->code) slot->code = beaten.state;
    slot->answer = FAKTORY_ANSWER_STATE;
}
