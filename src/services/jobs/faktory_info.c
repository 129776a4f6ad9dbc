/* INFO, QUEUE LATENCY and TRACK: what there is to be known. */
#include "base/civil.h"
#include "base/text.h"
#include "jobs/faktory_ask.h"

#define NANOS_PER_S UINT64_C(1000000000)
#define INFO_BYTES  32768u

/* An answer in JSON: text between these two. */
struct bulk {
    struct byte_writer out;
    size_t opened;
    struct text_builder text;
};
static bool bulk_open(struct weir_session *session, size_t size, struct bulk *ret) {
    char *room = weir_session_scratch(session, size);
    if (!room) {
        faktory_say_error(session, "ERR", weir_slice_text("the node has no memory left for the answer"));
        return false;
    }
    ret->out = byte_writer(room, size);
    ret->opened = weir_faktory_bulk_open(&ret->out);
    ret->text = text_builder(room + ret->out.at, size - ret->out.at - 2);
    return true;
}

static void bulk_say(struct weir_session *session, struct bulk *bulk) {
    WEIR_ASSERT(!bulk->text.truncated); /* sized by its caller */
    (void)byte_put_raw(&bulk->out, bulk->text.size);
    weir_faktory_bulk_close(&bulk->out, bulk->opened);
    faktory_say(session, byte_writer_slice(&bulk->out));
}

/* ---- INFO ---- */
void faktory_info_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct faktory_sums *all = &f->errand.sums;
    static const size_t head_size = offsetof(struct faktory_sums, text);
    struct faktory_sums *sums = weir_session_scratch(session, sizeof *sums);
    (void)part;
    if (status >= 300 || value.size < head_size || value.size > sizeof *sums || !sums) {
        f->errand.failed = true;
        return;
    }
    memcpy(sums, value.data, value.size);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(sums->states); i++)
        all->states[i] += sums->states[i];
    all->pushed += sums->pushed;
    all->done += sums->done;
    all->failed += sums->failed;
    all->lost += sums->lost;
    all->bytes += sums->bytes;
    all->workers = sums->workers > all->workers ? sums->workers : all->workers; /* each is known to all partitions */
    all->connections = sums->connections > all->connections ? sums->connections : all->connections;
    all->queues += sums->queues;
    all->left_out += sums->left_out;
    all->started_s = sums->started_s > all->started_s ? sums->started_s : all->started_s;
    if (all->text_size + sums->text_size > sizeof all->text) {
        all->left_out += (uint32_t)sums->queues - sums->left_out;
        return;
    }
    memcpy(all->text + all->text_size, sums->text, sums->text_size);
    all->text_size += sums->text_size;
}

static void put_sizes(struct json_writer *w, const struct faktory_sums *sums) {
    const struct {
        const char *name;
        uint64_t size;
    } tasks[] = {{"Scheduled", sums->states[JOBS_SCHEDULED]}, {"Retries", sums->states[JOBS_RETRY]},
        {"Dead", sums->states[JOBS_DEAD]}, {"Busy", sums->states[JOBS_RUNNING]}, {"Workers", sums->workers}};
    json_write_key(w, "tasks");
    json_write_object_open(w);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(tasks); i++) {
        json_write_key(w, tasks[i].name);
        json_write_object_open(w);
        json_put_u64(w, "size", tasks[i].size);
        if (strcmp(tasks[i].name, "Busy") == 0) json_put_u64(w, "reaped", sums->lost);
        json_write_object_close(w);
    }
    json_write_object_close(w);
}

static void put_faktory(struct json_writer *w, const struct faktory_sums *sums, uint32_t attempts_max) {
    json_write_key(w, "faktory");
    json_write_object_open(w);
    json_write_key(w, "queues");
    char queues[sizeof sums->text + 2];
    struct text_builder text = TEXT_BUILDER(queues);
    text_add_char(&text, '{');
    text_add_slice(&text, weir_slice(sums->text, sums->text_size ? sums->text_size - 1 : 0)); /* its last comma */
    text_add_char(&text, '}');
    json_write_raw(w, text_slice(&text));
    json_put_u64(w, "queues_left_out", sums->left_out);
    json_write_key(w, "sets");
    json_write_object_open(w);
    json_put_u64(w, "scheduled", sums->states[JOBS_SCHEDULED]);
    json_put_u64(w, "retries", sums->states[JOBS_RETRY]);
    json_put_u64(w, "dead", sums->states[JOBS_DEAD]);
    json_put_u64(w, "working", sums->states[JOBS_RUNNING]);
    json_write_object_close(w);
    put_sizes(w, sums);
    json_put_u64(w, "total_failures", sums->failed + sums->lost);
    json_put_u64(w, "total_processed", sums->done + sums->failed + sums->lost);
    json_put_u64(w, "total_enqueued", sums->states[JOBS_READY]);
    json_put_u64(w, "total_queues", sums->queues);
    json_put_u64(w, "retry_max", attempts_max - 1); /* what a job's `retry` is cut to */
    json_write_object_close(w);
}

static void put_server(struct json_writer *w, const struct faktory_sums *sums, uint64_t now_ns) {
    uint64_t now_s = now_ns / NANOS_PER_S;
    json_write_key(w, "server");
    json_write_object_open(w);
    json_put_text(w, "description", "weir");
    json_put_text(w, "faktory_version", WEIR_FAKTORY_SERVER_VERSION);
    json_put_u64(w, "uptime", now_s > sums->started_s ? now_s - sums->started_s : 0);
    json_put_u64(w, "connections", sums->connections);
    json_put_u64(w, "command_count", sums->pushed + sums->done + sums->failed + sums->lost);
    json_put_u64(w, "used_memory_mb", sums->bytes >> 20);
    json_write_object_close(w);
}

enum faktory_taken faktory_info(struct weir_session *session, struct weir_slice payload) {
    struct faktory *f = weir_session_state(session);
    struct bulk bulk;
    (void)payload;
    if (!faktory_errand(session, WEIR_FAKTORY_INFO)) return FAKTORY_LATER;
    while (!f->errand.failed && f->errand.step < weir_session_partition_count(session)) {
        if (faktory_errand_query(session, f->errand.step, faktory_query_sums, weir_slice("", 0), 0))
            f->errand.step++;
        else if (!f->errand.failed)
            return FAKTORY_LATER;
    }
    if (f->errand.waits) return FAKTORY_LATER;
    if (f->errand.failed) return faktory_errand_fail(session);
    if (!bulk_open(session, INFO_BYTES, &bulk)) return faktory_errand_end(session);
    uint64_t now_ns = weir_session_wall_ns(session);
    struct civil now = civil_from_ns((int64_t)now_ns);
    char time[CIVIL_TEXT_SIZE], clock[32];
    (void)civil_format((int64_t)now_ns, 9, time);
    struct text_builder utc = TEXT_BUILDER(clock);
    text_printf(&utc, "%02u:%02u:%02u UTC", now.hour, now.minute, now.second);
    struct json_writer w = json_writer(&bulk.text, 0);
    json_write_object_open(&w);
    json_put_text(&w, "now", time);
    json_put_text(&w, "server_utc_time", clock);
    put_faktory(&w, &f->errand.sums, (uint32_t)weir_session_settings(session)[JOBS_SET_ATTEMPTS_MAX].number);
    put_server(&w, &f->errand.sums, now_ns);
    json_write_object_close(&w);
    bulk_say(session, &bulk);
    return faktory_errand_end(session);
}

/* ---- QUEUE LATENCY ---- */
void faktory_latency_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    if (status >= 300 || value.size != sizeof(uint64_t) || part >= FAKTORY_SELECT_MAX)
        f->errand.failed = true;
    else
        f->errand.ids[part] = load_le64(value.data);
}

enum faktory_taken faktory_latency(struct weir_session *session, struct weir_slice names) {
    struct faktory *f = weir_session_state(session);
    struct weir_slice rest = names, name;
    struct bulk bulk;
    uint32_t count = 0;
    if (!faktory_errand(session, WEIR_FAKTORY_QUEUE)) return FAKTORY_LATER;
    for (; !f->errand.failed && weir_faktory_word(&rest, &name) && count < FAKTORY_QUEUES_MAX; count++) {
        if (count < f->errand.step) continue;
        if (faktory_errand_query(session, faktory_partition(session, name), faktory_query_oldest, name, count))
            f->errand.step++;
        else if (!f->errand.failed)
            return FAKTORY_LATER;
    }
    if (f->errand.waits) return FAKTORY_LATER;
    if (f->errand.failed || weir_faktory_word(&rest, &name)) return faktory_errand_fail(session);
    if (!bulk_open(session, 64 + count * (6 * (size_t)JOBS_NAME_MAX + 40), &bulk)) return faktory_errand_end(session);
    uint64_t now_ns = weir_session_wall_ns(session);
    struct json_writer w = json_writer(&bulk.text, 0);
    json_write_object_open(&w);
    for (uint32_t i = 0; i < count && weir_faktory_word(&names, &name); i++) {
        uint64_t since_ns = f->errand.ids[i];
        uint64_t waits_ns = since_ns && since_ns < now_ns ? now_ns - since_ns : 0;
        json_write_key_slice(&w, name);
        json_write_double(&w, (double)(waits_ns / 1000000) / 1e3);
    }
    json_write_object_close(&w);
    bulk_say(session, &bulk);
    return faktory_errand_end(session);
}

/* ---- TRACK ---- */
static const char *track_state(uint32_t state) {
    switch (state) {
    case JOBS_SCHEDULED:
        return "scheduled";
    case JOBS_READY:
    case JOBS_HELD:
        return "enqueued";
    case JOBS_RUNNING:
        return "working";
    case JOBS_RETRY:
        return "failed";
    case JOBS_DEAD:
        return "dead";
    default:
        return "unknown"; /* done, or never pushed: the audit says which */
    }
}

void faktory_track_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct faktory_track track;
    (void)part;
    if (status >= 300 || value.size != sizeof track) {
        f->errand.failed = true;
        return;
    }
    memcpy(&track, value.data, sizeof track);
    if (track.state == JOBS_FREE) return;
    f->errand.ids[0] = track.state;
    f->errand.ids[1] = track.progress;
    f->errand.ids[2] = track.since_ns;
}

static enum faktory_taken track_get(struct weir_session *session, struct weir_slice jid) {
    struct faktory *f = weir_session_state(session);
    char time[CIVIL_TEXT_SIZE];
    struct bulk bulk;
    if (!faktory_errand(session, WEIR_FAKTORY_TRACK)) return FAKTORY_LATER;
    while (!f->errand.failed && f->errand.step < weir_session_partition_count(session)) {
        if (faktory_errand_query(session, f->errand.step, faktory_query_track, jid, 0))
            f->errand.step++;
        else if (!f->errand.failed)
            return FAKTORY_LATER;
    }
    if (f->errand.waits) return FAKTORY_LATER;
    if (f->errand.failed) return faktory_errand_fail(session);
    if (!bulk_open(session, 512, &bulk)) return faktory_errand_end(session);
    struct json_writer w = json_writer(&bulk.text, 0);
    json_write_object_open(&w);
    json_put_slice(&w, "jid", jid);
    json_put_text(&w, "state", track_state((uint32_t)f->errand.ids[0]));
    json_put_u64(&w, "percent", f->errand.ids[1]);
    json_put_text(&w, "desc", "");
    (void)civil_format((int64_t)f->errand.ids[2], 9, time);
    json_put_text(&w, "updated_at", f->errand.ids[0] ? time : "");
    json_write_object_close(&w);
    bulk_say(session, &bulk);
    return faktory_errand_end(session);
}

enum faktory_taken faktory_track(struct weir_session *session, struct weir_slice payload) {
    struct weir_faktory_limits limits = faktory_limits(session);
    struct weir_faktory_track track;
    struct arena arena;
    if (!faktory_arena(session, payload, &arena) || weir_faktory_track_parse(payload, &arena, &limits, &track))
        return faktory_refuse(session);
    return track.is_set ? faktory_track_set(session, &track) : track_get(session, track.jid);
}
