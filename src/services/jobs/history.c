#include "jobs/history.h"

#include "jobs/command.h"
#include "jobs/event.h"
#include "jobs/fold.h"

enum table { TABLE_JOBS, TABLE_EVENTS };

enum job_column {
    JOB_NUMBER,
    JOB_ID,
    JOB_JID,
    JOB_QUEUE,
    JOB_TYPE,
    JOB_TENANT,
    JOB_TAGS,
    JOB_STATE,
    JOB_PRIORITY,
    JOB_ATTEMPT,
    JOB_ATTEMPTS_MAX,
    JOB_EPOCH,
    JOB_PROGRESS,
    JOB_WORKER,
    JOB_ERROR,
    JOB_MESSAGE,
    JOB_RESULT,
    JOB_SPAN_MS,
    JOB_DUE_MS,
    JOB_PUSHED_MS,
    JOB_UPDATED_MS,
    JOB_ENDED_MS,
};
static const struct weir_column job_columns[] = {
    [JOB_NUMBER] = {"number", WEIR_COLUMN_INTEGER, "the id as a number", true},
    [JOB_ID] = {"id", WEIR_COLUMN_TEXT, "as the API has it: 16 hexadecimal digits"},
    [JOB_JID] = {"jid", WEIR_COLUMN_TEXT, "the client's own id"},
    [JOB_QUEUE] = {"queue", WEIR_COLUMN_TEXT, "its queue"},
    [JOB_TYPE] = {"type", WEIR_COLUMN_TEXT, "its type"},
    [JOB_TENANT] = {"tenant", WEIR_COLUMN_TEXT, "its tenant"},
    [JOB_TAGS] = {"tags", WEIR_COLUMN_TEXT, "its tags"},
    [JOB_STATE] = {"state", WEIR_COLUMN_TEXT, "SCHEDULED, READY, RUNNING, RETRY, DEAD, HELD, DONE, CANCELLED, EXPIRED"},
    [JOB_PRIORITY] = {"priority", WEIR_COLUMN_INTEGER, "9 first"},
    [JOB_ATTEMPT] = {"attempt", WEIR_COLUMN_INTEGER, "of attempts_max"},
    [JOB_ATTEMPTS_MAX] = {"attempts_max", WEIR_COLUMN_INTEGER, "then it is dead"},
    [JOB_EPOCH] = {"epoch", WEIR_COLUMN_INTEGER, "of the last lease"},
    [JOB_PROGRESS] = {"progress", WEIR_COLUMN_INTEGER, "per cent, as the worker said"},
    [JOB_WORKER] = {"worker", WEIR_COLUMN_TEXT, "who had it last"},
    [JOB_ERROR] = {"error", WEIR_COLUMN_TEXT, "class of the last failure"},
    [JOB_MESSAGE] = {"message", WEIR_COLUMN_TEXT, "of the last failure"},
    [JOB_RESULT] = {"result", WEIR_COLUMN_TEXT, "what the worker gave with its ack"},
    [JOB_SPAN_MS] = {"span_ms", WEIR_COLUMN_INTEGER, "how long the last attempt ran"},
    [JOB_DUE_MS] = {"due_ms", WEIR_COLUMN_INTEGER,
        "when it runs, is tried again, or its lease ends; NULL: none of these"},
    [JOB_PUSHED_MS] = {"pushed_ms", WEIR_COLUMN_INTEGER, "Unix time"},
    [JOB_UPDATED_MS] = {"updated_ms", WEIR_COLUMN_INTEGER, "of the last transition"},
    [JOB_ENDED_MS] = {"ended_ms", WEIR_COLUMN_INTEGER,
        "done, cancelled, expired, or dropped when dead; NULL: it is there"},
    {0},
};

enum event_column {
    EVENT_PART,
    EVENT_RECORD,
    EVENT_NUMBER,
    EVENT_JOB,
    EVENT_TRANSITION,
    EVENT_STATE,
    EVENT_ATTEMPT,
    EVENT_EPOCH,
    EVENT_WORKER,
    EVENT_ERROR,
    EVENT_MESSAGE,
    EVENT_SPAN_MS,
    EVENT_DUE_MS,
    EVENT_TIME_MS,
};
static const struct weir_column event_columns[] = {
    [EVENT_PART] = {"part", WEIR_COLUMN_INTEGER, "partition of jobs.events", true},
    [EVENT_RECORD] = {"record", WEIR_COLUMN_INTEGER, "offset there", true},
    [EVENT_NUMBER] = {"number", WEIR_COLUMN_INTEGER, "of the table jobs"},
    [EVENT_JOB] = {"job", WEIR_COLUMN_TEXT, "its id"},
    [EVENT_TRANSITION] = {"transition", WEIR_COLUMN_TEXT,
        "pushed, released, leased, extended, returned, failed, "
        "timed_out, ended, requeued, killed, dropped"},
    [EVENT_STATE] = {"state", WEIR_COLUMN_TEXT, "after it"},
    [EVENT_ATTEMPT] = {"attempt", WEIR_COLUMN_INTEGER, "of the job"},
    [EVENT_EPOCH] = {"epoch", WEIR_COLUMN_INTEGER, "of its lease"},
    [EVENT_WORKER] = {"worker", WEIR_COLUMN_TEXT, "who has or had it"},
    [EVENT_ERROR] = {"error", WEIR_COLUMN_TEXT, "class of a failure"},
    [EVENT_MESSAGE] = {"message", WEIR_COLUMN_TEXT, "of a failure"},
    [EVENT_SPAN_MS] = {"span_ms", WEIR_COLUMN_INTEGER, "how long the attempt ran"},
    [EVENT_DUE_MS] = {"due_ms", WEIR_COLUMN_INTEGER, "when something is due; NULL: nothing"},
    [EVENT_TIME_MS] = {"time_ms", WEIR_COLUMN_INTEGER, "Unix time"},
    {0},
};

static const struct weir_table tables[] = {
    [TABLE_JOBS] = {"jobs", job_columns, "each job, as it is now or was at its end", "ended_ms"},
    [TABLE_EVENTS] = {"jobs_events", event_columns, "each transition of each job", "time_ms"},
    {0},
};

static const struct weir_migration migrations[] = {
    {1, "jobs and their transitions",
        "CREATE TABLE jobs ("
        "number BIGINT PRIMARY KEY, id TEXT, jid TEXT, queue TEXT, type TEXT, tenant TEXT, tags TEXT, state TEXT, "
        "priority BIGINT, attempt BIGINT, attempts_max BIGINT, epoch BIGINT, progress BIGINT, worker TEXT, error TEXT, "
        "message TEXT, result TEXT, span_ms BIGINT, due_ms BIGINT, pushed_ms BIGINT, updated_ms BIGINT, "
        "ended_ms BIGINT);"
        "CREATE INDEX jobs_pushed ON jobs (pushed_ms, number);"
        "CREATE INDEX jobs_queue ON jobs (queue, pushed_ms, number);"
        "CREATE INDEX jobs_state ON jobs (state, pushed_ms, number);"
        "CREATE INDEX jobs_jid ON jobs (jid);"
        "CREATE INDEX jobs_ended ON jobs (ended_ms);"
        "CREATE TABLE jobs_events ("
        "part BIGINT NOT NULL, record BIGINT NOT NULL, number BIGINT NOT NULL, job TEXT NOT NULL, "
        "transition TEXT NOT NULL, state TEXT NOT NULL, attempt BIGINT NOT NULL, epoch BIGINT NOT NULL, worker TEXT, "
        "error TEXT, message TEXT, span_ms BIGINT, due_ms BIGINT, time_ms BIGINT NOT NULL, PRIMARY KEY (part, record));"
        "CREATE INDEX jobs_events_job ON jobs_events (job, part, record);"
        "CREATE INDEX jobs_events_time ON jobs_events (time_ms);"},
    {0},
};

/* Of schema/jobs.proto, by enum jobs_state. */
static const char *state_of(const struct jobs_event *e) {
    static const char *const names[] = {
        "UNKNOWN", "SCHEDULED", "READY", "RUNNING", "RETRY", "DEAD", "HELD", "DONE", "CANCELLED", "EXPIRED"};
    return e->state < sizeof names / sizeof names[0] ? names[e->state] : names[0];
}

static const char *transition_of(const struct jobs_event *e) {
    static const char *const names[] = {"", "pushed", "released", "leased", "extended", "returned", "failed",
        "timed_out", "ended", "requeued", "killed", "dropped"};
    return e->transition < sizeof names / sizeof names[0] ? names[e->transition] : names[0];
}

static int64_t ms(uint64_t ns) {
    return (int64_t)(ns / 1000000u);
}

/* NULL where there is none. */
static void put_text(struct weir_rows *rows, uint32_t column, struct weir_slice text) {
    if (text.size) weir_row_text(rows, column, text);
}

static void put_ms(struct weir_rows *rows, uint32_t column, uint64_t ns) {
    if (ns)
        weir_row_integer(rows, column, ms(ns));
    else
        weir_row_null(rows, column);
}

static void put_event(struct weir_rows *rows, const struct jobs_event_view *v, struct weir_slice id, uint32_t partition,
    uint64_t offset) {
    const struct jobs_event *e = &v->head;
    weir_row_insert(rows, TABLE_EVENTS);
    weir_row_integer(rows, EVENT_PART, partition);
    weir_row_integer(rows, EVENT_RECORD, (int64_t)offset);
    weir_row_integer(rows, EVENT_NUMBER, (int64_t)e->job);
    weir_row_text(rows, EVENT_JOB, id);
    weir_row_text(rows, EVENT_TRANSITION, weir_slice_text(transition_of(e)));
    weir_row_text(rows, EVENT_STATE, weir_slice_text(state_of(e)));
    weir_row_integer(rows, EVENT_ATTEMPT, e->attempt);
    weir_row_integer(rows, EVENT_EPOCH, e->epoch);
    put_text(rows, EVENT_WORKER, v->worker);
    put_text(rows, EVENT_ERROR, v->error);
    put_text(rows, EVENT_MESSAGE, v->message);
    put_ms(rows, EVENT_SPAN_MS, e->span_ns);
    put_ms(rows, EVENT_DUE_MS, e->due_ns);
    weir_row_integer(rows, EVENT_TIME_MS, ms(e->time_ns));
}

/* What only the first event of a job says. */
static void put_pushed(struct weir_rows *rows, const struct jobs_event_view *v) {
    put_text(rows, JOB_JID, v->jid);
    weir_row_text(rows, JOB_TENANT, v->tenant);
    put_text(rows, JOB_TAGS, v->tags);
    weir_row_integer(rows, JOB_PUSHED_MS, ms(v->head.time_ns));
}

static void put_job(struct weir_rows *rows, const struct jobs_event_view *v, struct weir_slice id) {
    const struct jobs_event *e = &v->head;
    weir_row_upsert(rows, TABLE_JOBS);
    weir_row_integer(rows, JOB_NUMBER, (int64_t)e->job);
    weir_row_text(rows, JOB_ID, id);
    weir_row_text(rows, JOB_QUEUE, v->queue);
    weir_row_text(rows, JOB_TYPE, v->type);
    weir_row_text(rows, JOB_STATE, weir_slice_text(state_of(e)));
    weir_row_integer(rows, JOB_PRIORITY, e->priority);
    weir_row_integer(rows, JOB_ATTEMPT, e->attempt);
    weir_row_integer(rows, JOB_ATTEMPTS_MAX, e->attempts_max);
    weir_row_integer(rows, JOB_EPOCH, e->epoch);
    weir_row_integer(rows, JOB_PROGRESS, e->progress);
    weir_row_integer(rows, JOB_UPDATED_MS, ms(e->time_ns));
    if (e->transition == JOBS_PUSHED) put_pushed(rows, v);
    put_text(rows, JOB_WORKER, v->worker);
    put_text(rows, JOB_ERROR, v->error);
    put_text(rows, JOB_MESSAGE, v->message);
    put_text(rows, JOB_RESULT, v->result);
    if (e->span_ns) put_ms(rows, JOB_SPAN_MS, e->span_ns);
    put_ms(rows, JOB_DUE_MS, e->due_ns);
    if (e->transition == JOBS_ENDED || e->transition == JOBS_DROPPED)
        weir_row_integer(rows, JOB_ENDED_MS, ms(e->time_ns));
}

static void project(const struct weir_record *record, uint32_t partition, struct weir_rows *rows) {
    struct jobs_event_view v;
    char id[JOBS_ID_SIZE + 1];
    if (!jobs_event_read(record->value, &v)) return;
    jobs_id_print(v.head.job, id);
    put_event(rows, &v, weir_slice_text(id), partition, record->offset);
    put_job(rows, &v, weir_slice_text(id));
}

const struct weir_projection jobs_projections[] = {
    {.name = "history",
        .summary = "jobs and their transitions",
        .topic = JOBS_TOPIC_EVENTS,
        .version = 1,
        .tables = tables,
        .migrations = migrations,
        .project = project,
        .keep_setting = "history_keep"},
    {0},
};

static const struct weir_filter history_filters[] = {
    {"queue", "queue = $"},
    {"type", "type = $"},
    {"tenant", "tenant = $"},
    {"state", "state = $"},
    {"jid", "jid = $"},
    {"worker", "worker = $"},
    {"error", "error = $"},
    {"text", "message LIKE '%' || $ || '%'"},
    {"since_ms", "pushed_ms >= $"},
    {"until_ms", "pushed_ms < $"},
    {0},
};
const struct weir_select jobs_select_history = {
    .from = "jobs",
    .key = "pushed_ms, number",
    .descending = true,
    .filters = history_filters,
    .rows = "jobs",
    .limit_max = 1000,
};

static const struct weir_filter events_filters[] = {{"id", "job = $"}, {0}};
const struct weir_select jobs_select_events = {
    .from = "jobs_events",
    .key = "part, record",
    .filters = events_filters,
    .rows = "events",
    .limit_max = 1000,
};
