/* Jobs of the Faktory protocol: read, kept, delivered. */
#include "base/civil.h"
#include "base/encode.h"
#include "wire/faktory_fields.h"

#include <openssl/evp.h>

#define NANOS_PER_DAY (INT64_C(86400) * 1000000000)

enum row {
    ROW_JID,
    ROW_TYPE,
    ROW_QUEUE,
    ROW_ARGS,
    ROW_AT,
    ROW_RETRY,
    ROW_RESERVE,
    ROW_PRIORITY,
    ROW_CREATED,
    ROW_CUSTOM,
    ROW_ENQUEUED, /* from here on: the server's own */
    ROW_FAILURE,
    ROW_COUNT,
};

/* Where a job's members go before they are judged. */
struct draft {
    struct weir_faktory_job job;
    int64_t reserve_s;
    struct weir_slice custom, ignored[2];
};

static const struct faktory_field job_rows[ROW_COUNT] = {
    [ROW_JID] = {"jid", FAKTORY_TEXT, offsetof(struct draft, job.jid), 0},
    [ROW_TYPE] = {"jobtype", FAKTORY_TEXT, offsetof(struct draft, job.type), 0},
    [ROW_QUEUE] = {"queue", FAKTORY_TEXT, offsetof(struct draft, job.queue), 0},
    [ROW_ARGS] = {"args", FAKTORY_ARRAY, offsetof(struct draft, job.args), 0},
    [ROW_AT] = {"at", FAKTORY_TIME, offsetof(struct draft, job.at_ns), 0},
    [ROW_RETRY] = {"retry", FAKTORY_INTEGER, offsetof(struct draft, job.retry), 0},
    [ROW_RESERVE] = {"reserve_for", FAKTORY_INTEGER, offsetof(struct draft, reserve_s), 0},
    [ROW_PRIORITY] = {"priority", FAKTORY_INTEGER, offsetof(struct draft, job.priority), 0},
    [ROW_CREATED] = {"created_at", FAKTORY_TEXT, offsetof(struct draft, job.created_at), 0},
    [ROW_CUSTOM] = {"custom", FAKTORY_OBJECT, offsetof(struct draft, custom), 0},
    [ROW_ENQUEUED] = {"enqueued_at", FAKTORY_RAW, offsetof(struct draft, ignored[0]), 0},
    [ROW_FAILURE] = {"failure", FAKTORY_RAW, offsetof(struct draft, ignored[1]), 0},
};

struct cutting {
    struct weir_faktory_job *job;
    bool any_kept; /* a member before this one stays */
    bool is_open;  /* the last cut goes on to the next member: it has no comma in front to take along */
};

/* What the server writes itself, so that no key is there twice: also what is there and says nothing. */
static bool is_servers(const struct weir_faktory_job *job, int row) {
    return row >= ROW_ENQUEUED || (row == ROW_QUEUE && job->queue.size == 0) ||
           (row == ROW_CREATED && job->created_at.size == 0);
}

/* Marks what is not kept; a key may come once, so that all find room. */
static void on_member(void *context, int row, size_t before, size_t begin, size_t end) {
    struct cutting *cutting = context;
    struct weir_faktory_job *job = cutting->job;
    if (cutting->is_open) job->cuts[job->cut_count - 1].to = begin;
    cutting->is_open = false;
    if (!is_servers(job, row)) {
        cutting->any_kept = true;
        return;
    }
    if (job->cut_count == WEIR_ARRAY_COUNT(job->cuts)) return; /* a key that is given twice: refused */
    cutting->is_open = !cutting->any_kept;
    job->cuts[job->cut_count].from = cutting->any_kept ? before : begin;
    job->cuts[job->cut_count].to = end;
    job->cut_count++;
}

static void text_limit(struct faktory_reading *reading, const char *name, struct weir_slice text, size_t bytes_max) {
    if (text.size > bytes_max)
        (void)faktory_fields_refuse(
            reading, WEIR_E_TOO_LARGE, "%s: %zu bytes, the limit is %zu", name, text.size, bytes_max);
}

struct custom_draft {
    int64_t unique_for, expires_at;
    struct weir_slice until, bid;
    bool track;
};
static const struct faktory_field custom_rows[] = {
    {"unique_for", FAKTORY_INTEGER, offsetof(struct custom_draft, unique_for), 0},
    {"unique_until", FAKTORY_TEXT, offsetof(struct custom_draft, until), 0},
    {"expires_at", FAKTORY_TIME, offsetof(struct custom_draft, expires_at), 0},
    {"bid", FAKTORY_TEXT, offsetof(struct custom_draft, bid), 0},
    {"track", FAKTORY_FLAG, offsetof(struct custom_draft, track), 0},
};

static void custom_read(struct faktory_reading *reading, struct weir_slice text, struct weir_faktory_custom *ret) {
    struct custom_draft custom = {0};
    enum weir_error e =
        faktory_object_read("custom", text, reading->scratch, custom_rows, WEIR_ARRAY_COUNT(custom_rows), &custom);
    bool start = weir_slice_equal(custom.until, weir_slice_text("start"));
    if (e) {
        reading->error = e;
    } else if (custom.unique_for < 0) {
        (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "custom: unique_for must not be negative");
    } else if (custom.until.size && !start && !weir_slice_equal(custom.until, weir_slice_text("success"))) {
        (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "custom: unique_until must be \"success\" or \"start\"");
    }
    *ret = (struct weir_faktory_custom){
        .unique_for_s = custom.unique_for > 0 ? (uint64_t)custom.unique_for : 0,
        .unique_until_start = start,
        .expires_at_ns = custom.expires_at,
        .bid = custom.bid,
        .track = custom.track,
    };
}

static uint32_t reserve_clamp(int64_t seconds) {
    if (seconds == 0) return WEIR_FAKTORY_RESERVE_S_DEFAULT;
    return seconds < WEIR_FAKTORY_RESERVE_S_MIN ? WEIR_FAKTORY_RESERVE_S_MIN : (uint32_t)seconds;
}

/* What Faktory refuses, and what is beyond the limits given. */
static void judge(struct faktory_reading *reading, const struct weir_faktory_limits *limits, struct draft *draft) {
    struct weir_faktory_job *job = &draft->job;
    if (reading->error) return;
    if (job->jid.size < WEIR_FAKTORY_JID_BYTES_MIN)
        (void)faktory_fields_refuse(
            reading, WEIR_E_INVALID, "jobs must have a jid of at least %d characters", WEIR_FAKTORY_JID_BYTES_MIN);
    if (job->type.size == 0) (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "jobs must have a jobtype");
    if (!job->args.data) (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "jobs must have args, an array");
    if (draft->reserve_s > WEIR_FAKTORY_RESERVE_S_MAX)
        (void)faktory_fields_refuse(
            reading, WEIR_E_INVALID, "reserve_for: jobs cannot be reserved for more than one day");
    if (job->retry < -1 || job->retry > INT32_MAX)
        (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "retry must be -1, 0 or a number of attempts");
    if (job->at_ns < 0) (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "at: before 1970");
    job->queue_given = job->queue.size != 0;
    if (!job->queue_given) job->queue = weir_slice_text("default");
    if (!weir_faktory_is_queue(job->queue))
        (void)faktory_fields_refuse(
            reading, WEIR_E_INVALID, "queue: a name has only letters, digits, '.', '_' and '-'");
    text_limit(reading, "the job", job->text, limits->job_bytes_max);
    text_limit(reading, "jid", job->jid, limits->jid_bytes_max);
    text_limit(reading, "jobtype", job->type, limits->name_bytes_max);
    text_limit(reading, "queue", job->queue, limits->name_bytes_max);
    job->reserve_s = reserve_clamp(draft->reserve_s);
    if (draft->custom.data && !reading->error) custom_read(reading, draft->custom, &job->custom);
    text_limit(reading, "bid", job->custom.bid, limits->jid_bytes_max);
}

/* The reader has just opened the object. Afterwards it has closed it, or is in error. */
static enum weir_error job_read(struct json_reader *reader, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_job *ret_job) {
    struct draft draft = {.job = {.retry = WEIR_FAKTORY_RETRY_DEFAULT}};
    struct cutting cutting = {.job = &draft.job};
    struct faktory_reading reading = {
        .reader = reader, .scratch = scratch, .on_member = on_member, .context = &cutting};
    size_t begin = reader->offset;
    faktory_fields_read(&reading, job_rows, ROW_COUNT, &draft);
    if (reader->token == JSON_ERROR) return faktory_json_error("job", reader);
    draft.job.text = weir_slice(reader->data + begin, reader->at - begin);
    for (unsigned i = 0; i < draft.job.cut_count; i++) {
        draft.job.cuts[i].from -= begin;
        draft.job.cuts[i].to -= begin;
    }
    judge(&reading, limits, &draft);
    *ret_job = draft.job;
    return reading.error;
}

enum weir_error weir_faktory_job_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_job *ret_job) {
    struct json_reader reader = json_reader(payload, JSON_DEPTH_MAX);
    struct weir_faktory_job job;
    if (json_next(&reader) != JSON_OBJECT_OPEN) return faktory_json_error("job", &reader);
    enum weir_error e = job_read(&reader, scratch, limits, &job);
    if (e) return e;
    if (json_next(&reader) != JSON_END) return faktory_json_error("job", &reader);
    *ret_job = job;
    return WEIR_OK;
}

/* ---- PUSHB ---- */
enum weir_error weir_faktory_jobs_open(struct weir_slice payload, struct weir_faktory_jobs *ret_jobs) {
    struct json_reader reader = json_reader(payload, JSON_DEPTH_MAX);
    enum json_token token = json_next(&reader);
    if (token == JSON_ERROR) return faktory_json_error("jobs", &reader);
    if (token != JSON_ARRAY_OPEN)
        return weir_error_context(
            WEIR_E_INVALID, "jobs: expected an array of jobs, not %s", json_token_name(reader.token));
    ret_jobs->reader = reader;
    return WEIR_OK;
}

bool weir_faktory_jobs_next(struct weir_faktory_jobs *jobs, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_job *ret_job, enum weir_error *ret_error) {
    struct json_reader *reader = &jobs->reader;
    if (reader->token == JSON_ARRAY_CLOSE && reader->depth == 0) return false;
    enum json_token token = json_next(reader);
    if (token == JSON_ERROR || token == JSON_ARRAY_CLOSE) return false;
    *ret_job = (struct weir_faktory_job){0};
    if (token != JSON_OBJECT_OPEN) {
        *ret_error = faktory_json_error("job", reader);
        return json_skip_value(reader);
    }
    *ret_error = job_read(reader, scratch, limits, ret_job);
    return reader->token != JSON_ERROR;
}

enum weir_error weir_faktory_jobs_close(struct weir_faktory_jobs *jobs) {
    struct json_reader *reader = &jobs->reader;
    WEIR_ASSERT(reader->token == JSON_ERROR || reader->depth == 0); /* all were asked for */
    return json_next(reader) == JSON_END ? WEIR_OK : faktory_json_error("jobs", reader);
}

/* ---- kept and delivered ---- */
static void put(struct byte_writer *out, const void *data, size_t size) {
    uint8_t *room = byte_put_raw(out, size);
    if (room && size) memcpy(room, data, size);
}

static void put_text(struct byte_writer *out, const char *text) {
    put(out, text, strlen(text));
}

static void put_time(struct json_writer *w, const char *key, int64_t ns) {
    char text[CIVIL_TEXT_SIZE];
    (void)civil_format(ns, 9, text);
    json_put_text(w, key, text);
}

void weir_faktory_job_store(const struct weir_faktory_job *job, int64_t now_ns, struct byte_writer *out) {
    size_t at = 0;
    for (unsigned i = 0; i < job->cut_count; i++) {
        put(out, job->text.data + at, job->cuts[i].from - at);
        at = job->cuts[i].to;
    }
    put(out, job->text.data + at, job->text.size - 1 - at);
    if (!job->queue_given) put_text(out, ",\"queue\":\"default\"");
    if (!job->created_at.size) {
        char time[CIVIL_TEXT_SIZE];
        (void)civil_format(now_ns, 9, time);
        put_text(out, ",\"created_at\":\"");
        put_text(out, time);
        put_text(out, "\"");
    }
    put_text(out, "}");
}

static void digest(struct weir_slice bytes, uint8_t out[32]) {
    int done = EVP_Digest(bytes.data, bytes.size, out, NULL, EVP_sha256(), NULL);
    WEIR_ASSERT(done == 1);
}

void weir_faktory_job_unique(const struct weir_faktory_job *job, char out[WEIR_FAKTORY_UNIQUE_SIZE]) {
    uint8_t parts[3][32], whole[32]; /* of each its own digest, so that none can run over into the next one */
    digest(job->queue, parts[0]);
    digest(job->type, parts[1]);
    digest(job->args, parts[2]);
    digest(weir_slice(parts, sizeof parts), whole);
    hex_encode(weir_slice(whole, WEIR_FAKTORY_UNIQUE_SIZE / 2), out);
}

/* A text built in the room that is left: text_open, then what is put into it, then text_close. */
static struct text_builder text_open(struct byte_writer *out) {
    static char none[1];
    size_t left = byte_writer_left(out);
    return left ? text_builder((char *)out->data + out->at, left) : text_builder(none, sizeof none);
}

static void text_close(struct byte_writer *out, const struct text_builder *text) {
    if (text->truncated)
        out->failed = true;
    else
        (void)byte_put_raw(out, text->size);
}

void weir_faktory_job_make(const struct weir_faktory_made *made, struct byte_writer *out) {
    struct text_builder text = text_open(out);
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    json_put_slice(&w, "jid", made->jid);
    json_put_slice(&w, "queue", made->queue);
    json_put_slice(&w, "jobtype", made->type);
    json_write_key(&w, "args");
    json_write_raw(&w, made->args);
    if (made->at_ns) put_time(&w, "at", made->at_ns);
    json_put_u64(&w, "reserve_for", made->reserve_s);
    json_put_i64(&w, "retry", made->retry);
    json_write_object_close(&w);
    text_close(out, &text);
}

static void put_failure(struct json_writer *w, const struct weir_faktory_failure *failure) {
    json_write_key(w, "failure");
    json_write_object_open(w);
    json_put_u64(w, "retry_count", failure->count);
    json_put_u64(w, "remaining", failure->remaining);
    put_time(w, "failed_at", failure->failed_at_ns);
    if (failure->next_at_ns) put_time(w, "next_at", failure->next_at_ns);
    json_put_slice(w, "message", failure->message);
    json_put_slice(w, "errtype", failure->errtype);
    json_write_key(w, "backtrace");
    json_write_array_open(w);
    if (failure->backtrace.size) json_write_raw(w, failure->backtrace);
    json_write_array_close(w);
    json_write_object_close(w);
}

void weir_faktory_job_deliver(
    struct weir_slice kept, int64_t enqueued_ns, const struct weir_faktory_failure *failure, struct byte_writer *out) {
    WEIR_ASSERT(kept.size >= 2 && kept.data[kept.size - 1] == '}');
    put(out, kept.data, kept.size - 1);
    put(out, ",", 1);
    size_t opened = out->at;
    struct text_builder text = text_open(out);
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    put_time(&w, "enqueued_at", enqueued_ns);
    if (failure && failure->count) put_failure(&w, failure);
    json_write_object_close(&w);
    text_close(out, &text);
    /* The members go on behind those that were kept: without the brace of their own. */
    if (out->failed) return;
    memmove(out->data + opened, out->data + opened + 1, out->at - opened - 1);
    out->at--;
}
