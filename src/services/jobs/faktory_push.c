/* PUSH and PUSHB. */
#include "jobs/faktory.h"

#define CHUNK_BYTES_MAX (1u << 20) /* of one command; a single larger job still goes alone */

/* Attempts, of which a first one is none to Faktory; the partition cuts them to jobs.attempts_max. */
static uint8_t attempts_of(int64_t retry) {
    return retry < 0 ? 1 : retry >= UINT8_MAX ? UINT8_MAX : (uint8_t)(retry + 1);
}

static struct jobs_new head_of(const struct weir_faktory_job *job) {
    const struct weir_faktory_custom *custom = &job->custom;
    int64_t priority = job->priority < 0 || job->priority > JOBS_PRIORITY_MAX ? JOBS_PRIORITY_MAX : job->priority;
    return (struct jobs_new){
        .lease_ms = job->reserve_s * 1000u,
        .run_at_ns = (uint64_t)job->at_ns,
        .expires_at_ns = custom->expires_at_ns > 0 ? (uint64_t)custom->expires_at_ns : 0,
        .unique_for_ns = custom->unique_for_s * UINT64_C(1000000000),
        .attempts_max = attempts_of(job->retry),
        .priority = job->priority < 0 ? 1 : (uint8_t)priority,
        .backoff = JOBS_BACKOFF_FAKTORY,
        .unique_until = custom->unique_until_start ? JOBS_UNIQUE_START : JOBS_UNIQUE_SUCCESS,
        .flags = (uint8_t)(JOBS_NEW_TEXT | JOBS_NEW_FAKTORY | (job->retry == 0 ? JOBS_NEW_NO_DEAD : 0)),
    };
}

/* Where jobs are made entries of commands, one after the other; in scratch. */
struct press {
    size_t size; /* of the largest text */
    uint8_t *text, *entry;
};
#define ENTRY_BYTES (sizeof(struct jobs_new) + 2 * JOBS_NAME_MAX + JOBS_TENANT_MAX + JOBS_JID_MAX + JOBS_UNIQUE_MAX + 8)

static enum weir_error press_open(struct weir_session *session, size_t text_max, struct press *ret) {
    ret->size = text_max + WEIR_FAKTORY_STORE_BYTES;
    ret->text = weir_session_scratch(session, ret->size);
    ret->entry = weir_session_scratch(session, ret->size + ENTRY_BYTES);
    if (ret->text && ret->entry) return WEIR_OK;
    return weir_error_context(WEIR_E_NO_MEMORY, "the node has no memory left to take the command; try again later");
}

static struct weir_slice entry_of(
    struct weir_session *session, const struct press *press, const struct weir_faktory_job *job) {
    char unique[WEIR_FAKTORY_UNIQUE_SIZE];
    struct byte_writer kept = byte_writer(press->text, press->size);
    weir_faktory_job_store(job, (int64_t)weir_session_wall_ns(session), &kept);
    WEIR_ASSERT(!kept.failed);
    struct jobs_new_view view = {.head = head_of(job),
        .queue = job->queue,
        .type = job->type,
        .tenant = weir_slice_text(weir_session_tenant(session)),
        .jid = job->jid,
        .payload = byte_writer_slice(&kept)};
    if (job->custom.unique_for_s) {
        weir_faktory_job_unique(job, unique);
        view.unique = weir_slice(unique, sizeof unique);
    }
    return weir_slice(press->entry, jobs_new_write(&view, press->entry));
}

/* ---- PUSH ---- */
enum faktory_taken faktory_push(struct weir_session *session, struct weir_slice payload) {
    struct weir_faktory_limits limits = faktory_limits(session);
    struct weir_faktory_job job;
    struct press press;
    struct arena arena;
    if (!faktory_arena(session, payload, &arena) || weir_faktory_job_parse(payload, &arena, &limits, &job) ||
        press_open(session, job.text.size, &press))
        return faktory_refuse(session);
    struct weir_command command = {.partition = faktory_partition(session, job.queue),
        .type = JOBS_RECORD_PUSH,
        .value = entry_of(session, &press, &job)};
    return faktory_ask(session, WEIR_FAKTORY_PUSH, &command, false);
}

/* A jid that is known is one that was pushed before its answer was lost: that is no fault. */
static bool is_refused(uint32_t reason) {
    return reason != JOBS_OK && reason != JOBS_E_DUPLICATE;
}

void faktory_push_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value) {
    struct jobs_pushed pushed;
    (void)session;
    if (value.size != sizeof pushed) return;
    memcpy(&pushed, value.data, sizeof pushed);
    if (!is_refused(pushed.reason)) return;
    slot->answer = FAKTORY_ANSWER_REASON;
    slot->code = (uint16_t)pushed.reason;
}

/* ---- PUSHB: the good jobs, partition by partition, in commands of up to JOBS_ENTRIES_MAX ---- */
struct chunk {
    uint8_t *bytes;
    size_t size;
    uint32_t partition, count, first; /* the first one's number among all that are sent */
};

static bool send_chunk(struct weir_session *session, struct chunk *chunk) {
    struct faktory *f = weir_session_state(session);
    if (chunk->count == 0) return true;
    struct weir_command command = {
        .partition = chunk->partition, .type = JOBS_RECORD_PUSH, .value = weir_slice(chunk->bytes, chunk->size)};
    if (!faktory_errand_ask(session, &command, chunk->first)) return false;
    f->errand.sent += chunk->count;
    *chunk = (struct chunk){.bytes = chunk->bytes, .partition = chunk->partition, .first = f->errand.sent};
    return true;
}

/* Adds an entry; what does not fit any more is sent first. False: the host takes no more now, or there is no memory. */
static bool add(struct weir_session *session, struct chunk *chunk, struct weir_slice entry) {
    bool fits = chunk->count < JOBS_ENTRIES_MAX && chunk->size + entry.size <= CHUNK_BYTES_MAX;
    if (!fits && !send_chunk(session, chunk)) return false;
    if (entry.size > CHUNK_BYTES_MAX) { /* alone */
        uint8_t *common = chunk->bytes;
        chunk->bytes = (uint8_t *)(uintptr_t)entry.data;
        chunk->size = entry.size;
        chunk->count = 1;
        bool sent = send_chunk(session, chunk);
        chunk->bytes = common;
        return sent;
    }
    memcpy(chunk->bytes + chunk->size, entry.data, entry.size);
    chunk->size += entry.size;
    chunk->count++;
    return true;
}

/* One reading of the jobs of a PUSHB. */
struct many {
    struct weir_session *session;
    struct weir_faktory_limits limits;
    struct arena arena;
    struct weir_faktory_jobs jobs;
    struct weir_faktory_job job;
    enum weir_error error; /* of the job */
};

static enum weir_error many_open(struct many *many, struct weir_slice payload) {
    arena_reset(&many->arena);
    return weir_faktory_jobs_open(payload, &many->jobs);
}

static bool many_next(struct many *many) {
    return weir_faktory_jobs_next(&many->jobs, &many->arena, &many->limits, &many->job, &many->error);
}

/* The next good one of the partition. */
static bool many_next_of(struct many *many, uint32_t partition) {
    while (many_next(many))
        if (!many->error && faktory_partition(many->session, many->job.queue) == partition) return true;
    return false;
}

static enum weir_error count_jobs(struct many *many, struct weir_slice payload, uint32_t *ret_good, uint32_t *ret_bad) {
    enum weir_error e = many_open(many, payload);
    if (e) return e;
    while (many_next(many))
        ++*(many->error ? ret_bad : ret_good);
    e = weir_faktory_jobs_close(&many->jobs);
    uint32_t count = *ret_good + *ret_bad;
    if (!e && count > FAKTORY_PUSHB_MAX)
        e = weir_error_context(WEIR_E_TOO_LARGE, "PUSHB: %u jobs, the limit is %u", count, FAKTORY_PUSHB_MAX);
    return e;
}

/* Sends what has not been sent yet. False: not all of it. */
static bool send_all(struct many *many, struct weir_slice payload, const struct press *press, uint8_t *room) {
    struct weir_session *session = many->session;
    struct faktory *f = weir_session_state(session);
    uint32_t number = 0; /* of a job in the order of sending */
    for (uint32_t p = 0; p < weir_session_partition_count(session); p++) {
        struct chunk chunk = {.bytes = room, .partition = p, .first = f->errand.sent};
        if (many_open(many, payload)) return false;
        while (many_next_of(many, p)) {
            if (number++ < f->errand.sent) continue;
            if (!add(session, &chunk, entry_of(session, press, &many->job))) return false;
        }
        if (!send_chunk(session, &chunk)) return false;
    }
    return true;
}

/* ---- what PUSHB answers: each job that was not taken, by its jid ---- */
static void say_wrong(struct json_writer *w, const struct weir_faktory_job *job, const char *code, const char *text) {
    char sentence[600];
    struct text_builder t = TEXT_BUILDER(sentence);
    text_printf(&t, "%s %s", code, text);
    json_write_key_slice(w, job->jid);
    json_write_text(w, sentence);
}

static void write_wrong(struct many *many, struct weir_slice payload, struct json_writer *w) {
    const struct faktory *f = weir_session_state(many->session);
    uint32_t number = 0;
    json_write_object_open(w);
    if (many_open(many, payload)) return;
    while (many_next(many))
        if (many->error) say_wrong(w, &many->job, "ERR", weir_error_text());
    for (uint32_t p = 0; p < weir_session_partition_count(many->session); p++) {
        if (many_open(many, payload)) return;
        while (many_next_of(many, p)) {
            uint32_t reason = f->errand.reasons[number++];
            const char *code, *text = faktory_reason_text(reason, &code);
            if (is_refused(reason)) say_wrong(w, &many->job, code, text);
        }
    }
    json_write_object_close(w);
}

static void say_many(struct many *many, struct weir_slice payload, uint32_t refused) {
    size_t room = 64 + (size_t)refused * (6 * (size_t)JOBS_JID_MAX + 1024);
    if (room > WEIR_SESSION_SCRATCH_MAX / 2) room = WEIR_SESSION_SCRATCH_MAX / 2;
    char *text = weir_session_scratch(many->session, room);
    if (!text) {
        faktory_say_error(many->session, "ERR", weir_slice_text("no memory to name the jobs that were refused"));
        return;
    }
    struct byte_writer out = byte_writer(text, room);
    size_t opened = weir_faktory_bulk_open(&out);
    struct text_builder t = text_builder(text + out.at, room - out.at - 2);
    struct json_writer w = json_writer(&t, 0);
    write_wrong(many, payload, &w);
    (void)byte_put_raw(&out, t.size);
    weir_faktory_bulk_close(&out, opened);
    if (t.truncated)
        faktory_say_error(many->session, "ERR", weir_slice_text("so many jobs were refused that they cannot be named"));
    else
        faktory_say(many->session, byte_writer_slice(&out));
}

static uint32_t count_refused(const struct faktory *f, uint32_t count) {
    uint32_t refused = 0;
    for (uint32_t i = 0; i < count; i++)
        refused += is_refused(f->errand.reasons[i]);
    return refused;
}

enum faktory_taken faktory_push_many(struct weir_session *session, struct weir_slice payload) {
    struct faktory *f = weir_session_state(session);
    struct many many = {.session = session, .limits = faktory_limits(session)};
    struct press press = {0};
    uint32_t good = 0, bad = 0;
    if (!faktory_errand(session, WEIR_FAKTORY_PUSHB)) return FAKTORY_LATER;
    size_t text_max = payload.size < many.limits.job_bytes_max ? payload.size : many.limits.job_bytes_max;
    uint8_t *room = weir_session_scratch(session, CHUNK_BYTES_MAX);
    if (!faktory_arena(session, payload, &many.arena) || press_open(session, text_max, &press) || !room ||
        count_jobs(&many, payload, &good, &bad)) {
        (void)faktory_refuse(session);
        return faktory_errand_end(session);
    }
    if (!f->errand.failed && !send_all(&many, payload, &press, room) && !f->errand.failed) return FAKTORY_LATER;
    if (f->errand.waits) return FAKTORY_LATER;
    if (f->errand.failed) return faktory_errand_fail(session);
    say_many(&many, payload, bad + count_refused(f, good));
    return faktory_errand_end(session);
}

void faktory_push_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct jobs_pushed pushed;
    if (status >= 300) f->errand.failed = true;
    for (size_t at = 0; status < 300 && at + sizeof pushed <= value.size; at += sizeof pushed, part++) {
        memcpy(&pushed, value.data + at, sizeof pushed);
        if (part < FAKTORY_PUSHB_MAX) f->errand.reasons[part] = (uint8_t)pushed.reason;
    }
}
