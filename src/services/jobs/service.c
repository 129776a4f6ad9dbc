/* The declaration of jobs. */
#include "jobs/event.h"
#include "jobs/faktory.h"
#include "jobs/fold.h"
#include "jobs/gateway_wire.h"
#include "jobs/history.h"
#include "jobs/print.h"
#include "jobs/routes.h"

#include <weir/effect.h>

static const struct weir_setting settings[] = {
    [JOBS_SET_PARTITIONS] = {"partitions", WEIR_SETTING_UINT, "1", 1, 64,
        "Partitions the queues are spread over, each queue in one; fixed once the data folder has jobs."},
    [JOBS_SET_JOBS_MAX] = {"jobs_max", WEIR_SETTING_UINT, "1000000", 16, 100000000,
        "Jobs per partition that have not ended, the dead among them.", true, true},
    [JOBS_SET_PAYLOAD_MEMORY] = {"payload_memory", WEIR_SETTING_BYTES, "1GB", 4 << 20, 128ull << 30,
        "Memory per partition for payloads, error messages and keys; costs what is used.", true},
    [JOBS_SET_PAYLOAD_BYTES_MAX] = {"payload_bytes_max", WEIR_SETTING_BYTES, "1000000", 0, JOBS_PAYLOAD_MAX,
        "Largest payload of a job; what is larger belongs into a store, and its reference into the job.", true, true},
    [JOBS_SET_QUEUES_MAX] = {"queues_max", WEIR_SETTING_UINT, "4096", 1, 65535, "Queues per partition.", true},
    [JOBS_SET_TYPES_MAX] = {"types_max", WEIR_SETTING_UINT, "4096", 1, 65535, "Job types per partition.", true},
    [JOBS_SET_TENANTS_MAX] = {"tenants_max", WEIR_SETTING_UINT, "65535", 1, 65535, "Tenants per partition.", true},
    [JOBS_SET_WORKERS_MAX] = {"workers_max", WEIR_SETTING_UINT, "65536", 1, 1 << 24,
        "Workers with a name per partition.", true},
    [JOBS_SET_WAITERS_MAX] = {"waiters_max", WEIR_SETTING_UINT, "16384", 1, 65536,
        "Fetches per partition that wait for a job.", true},
    [JOBS_SET_UNIQUES_MAX] = {"uniques_max", WEIR_SETTING_UINT, "1000000", 1, 100000000,
        "Unique keys per partition that are held.", true},
    [JOBS_SET_SCHEDULES_MAX] = {"schedules_max", WEIR_SETTING_UINT, "10000", 1, 1000000, "Schedules per partition.",
        true},
    [JOBS_SET_DEAD_MAX] = {"dead_max", WEIR_SETTING_UINT, "100000", 1, 100000000,
        "Dead jobs per partition; when there are more, the oldest is dropped.", true, true},
    [JOBS_SET_DEAD_AGE] = {"dead_age", WEIR_SETTING_DURATION, "180d", 0, 0,
        "How long a dead job is kept; 0: until it is dropped.", true, true},
    [JOBS_SET_ATTEMPTS_MAX] = {"attempts_max", WEIR_SETTING_UINT, "5", 1, 255,
        "Attempts of a job that does not say; and the most that one may ask for.", true, true},
    [JOBS_SET_LEASE] = {"lease", WEIR_SETTING_DURATION, "30m", 1000000, 0,
        "How long a worker may take for a job that does not say.", true, true},
    [JOBS_SET_BACKOFF] = {"backoff", WEIR_SETTING_DURATION, "1s", 1000000, 0,
        "First pause before another attempt; doubled with each, a random part of it is waited.", true, true},
    [JOBS_SET_BACKOFF_MAX] = {"backoff_max", WEIR_SETTING_DURATION, "1h", 1000000, 0, "Longest such pause.", true,
        true},
    [JOBS_SET_WORKER_TIMEOUT] = {"worker_timeout", WEIR_SETTING_DURATION, "60s", 1000000000, 0,
        "Silence of a worker that beats after which its leases end.", true, true},
    [JOBS_SET_WORKER_GRACE] = {"worker_grace", WEIR_SETTING_DURATION, "5s", 0, 0,
        "How long a worker whose last connection has ended may take to come back before its leases end.", true, true},
    [JOBS_SET_FAKTORY] = {"faktory", WEIR_SETTING_TEXT, "127.0.0.1:7419", 0, 0,
        "HOST:PORT of the Faktory work protocol; off: none. Port 0 picks a free one."},
    [JOBS_SET_FAKTORY_PASSWORD] = {"faktory_password", WEIR_SETTING_TEXT, "", 0, 0,
        "What Faktory clients have to know, at most 256 bytes; with auth: tokens the secret of one, whose roles they "
        "get. "
        "Empty: nothing is asked."},
    [JOBS_SET_FAKTORY_FLUSH] = {"faktory_flush", WEIR_SETTING_BOOL, "false", 0, 0,
        "Take Faktory's FLUSH, which forgets every job; for tests."},
    [JOBS_SET_WIRE] = {"wire", WEIR_SETTING_TEXT, "off", 0, 0,
        "HOST:PORT of the binary protocol; off: none. Port 0 picks a free one."},
    [JOBS_SET_HISTORY_KEEP] = {"history_keep", WEIR_SETTING_DURATION, "180d", 0, 0,
        "How long the projection jobs.history keeps jobs after their end, and transitions; 0s: for ever."},
    [JOBS_SET_DESTINATIONS_MAX] = {"destinations_max", WEIR_SETTING_UINT, "4096", 1, 65534,
        "Destinations (host:port) per partition that jobs are sent to; an idle one is forgotten when there are more.",
        true},
    [JOBS_SET_WEBHOOKS] = {"webhooks", WEIR_SETTING_UINT, "128", 1, JOBS_CALLS_MAX,
        "Jobs per partition that are being sent at once.", true, true},
    [JOBS_SET_WEBHOOKS_EACH] = {"webhooks_each", WEIR_SETTING_UINT, "8", 1, JOBS_CALLS_MAX,
        "The same to a destination without limits of its own.", true, true},
    [JOBS_SET_WEBHOOK_TIMEOUT] = {"webhook_timeout", WEIR_SETTING_DURATION, "10s", 1000000, 0,
        "How long a destination may take to answer, unless the queue says.", true, true},
    [JOBS_SET_WEBHOOK_SECRET] = {"webhook_secret", WEIR_SETTING_TEXT, "", 0, 0,
        "File with the secret that what is sent is signed with (Standard Webhooks); empty: none."},
    [JOBS_SET_BREAKER_CALLS] = {"breaker_calls", WEIR_SETTING_UINT, "20", 1, 1000000,
        "Attempts in 30 s from which on a destination's breaker opens when half of them failed.", true, true},
    [JOBS_SET_BREAKER_OPEN] = {"breaker_open", WEIR_SETTING_DURATION, "30s", 1000000, 600000000000,
        "How long it stays open before a probe; twice as long after each probe that fails, 10 minutes at most.", true,
        true},
    [JOBS_SET_BATCHES_MAX] = {"batches_max", WEIR_SETTING_UINT, "10000", 1, 1000000,
        "Batches per partition; those that are over are kept until their place is needed.", true},
    {0},
};

static const struct weir_record_type command_types[] = {
    {JOBS_RECORD_PUSH, "push", "jobs come in", NULL, jobs_print_push},
    {JOBS_RECORD_FETCH, "fetch", "a worker asks for jobs", NULL, jobs_print_fetch},
    {JOBS_RECORD_ACK, "ack", "jobs are done", NULL, jobs_print_reports},
    {JOBS_RECORD_FAIL, "fail", "jobs have failed", NULL, jobs_print_reports},
    {JOBS_RECORD_EXTEND, "extend", "leases are made longer", NULL, jobs_print_reports},
    {JOBS_RECORD_RETURN, "return", "jobs are given back", NULL, jobs_print_reports},
    {JOBS_RECORD_BEAT, "beat", "a worker is alive, or shall stop", NULL, jobs_print_beat},
    {JOBS_RECORD_OPERATE, "operate", "jobs are cancelled, requeued, killed or dropped", NULL, jobs_print_operate},
    {JOBS_RECORD_QUEUE, "queue", "what a queue, type or tenant may do", NULL, jobs_print_queue},
    {JOBS_RECORD_DESTINATION, "destination", "where a queue's jobs are sent", NULL, jobs_print_destination},
    {JOBS_RECORD_SCHEDULE, "schedule", "a schedule is set, dropped, paused, resumed or run", NULL, jobs_print_schedule},
    {JOBS_RECORD_BATCH, "batch", "a batch is made, committed or opened again", NULL, jobs_print_batch},
    {0},
};
static const struct weir_record_type event_types[] = {
    {JOBS_PUSHED, "pushed", "a job came in", NULL, jobs_event_print},
    {JOBS_RELEASED, "released", "its time has come", NULL, jobs_event_print},
    {JOBS_LEASED, "leased", "a worker has it", NULL, jobs_event_print},
    {JOBS_EXTENDED, "extended", "its lease is longer, or there is progress", NULL, jobs_event_print},
    {JOBS_RETURNED, "returned", "given back without an attempt", NULL, jobs_event_print},
    {JOBS_FAILED, "failed", "an attempt failed", NULL, jobs_event_print},
    {JOBS_TIMED_OUT, "timed_out", "the lease ended, or its worker was lost", NULL, jobs_event_print},
    {JOBS_ENDED, "ended", "done, cancelled or expired", NULL, jobs_event_print},
    {JOBS_REQUEUED, "requeued", "an operator made it ready", NULL, jobs_event_print},
    {JOBS_KILLED, "killed", "an operator made it dead", NULL, jobs_event_print},
    {JOBS_DROPPED, "dropped", "a dead one was forgotten", NULL, jobs_event_print},
    {0},
};
static const struct weir_topic topics[] = {
    [JOBS_TOPIC_COMMANDS] = {"jobs.commands", WEIR_TOPIC_INPUT, command_types, "What clients and workers said."},
    [JOBS_TOPIC_EVENTS] = {"jobs.events", WEIR_TOPIC_OUTPUT, event_types,
        "The audit: every transition of every job, in order; key: the job's id."},
    WEIR_DEAD_TOPIC("jobs"),
    {0},
};

/* One attempt each: when it is tried again is the job's matter, and what may be sent is asked of the fold's own gates.
 * So many outstanding that commands are not held up by them (weir_effect). */
static const struct weir_effect_row effects[] = {
    [JOBS_EFFECT_WEBHOOK] = {.name = "webhook",
        .summary = "POSTs a job to its URL.",
        .kind = WEIR_EFFECT_HTTP,
        .attempts_max = 1,
        .outstanding_max = 16384,
        .dead_max = 64,
        .request_bytes_max = WEIR_EFFECT_BYTES_MAX,
        .result_bytes_max = JOBS_RESULT_MAX,
        .keys_max = 4096,
        .gate = {.running_max = JOBS_CALLS_MAX},
        .secret_setting = "webhook_secret"},
    {0},
};

static const struct weir_metric metrics[] = {
    [JOBS_METRIC_PUSHED] = {"pushed_total", WEIR_METRIC_COUNTER, "Jobs pushed."},
    [JOBS_METRIC_DONE] = {"done_total", WEIR_METRIC_COUNTER, "Jobs done."},
    [JOBS_METRIC_FAILED] = {"failed_total", WEIR_METRIC_COUNTER, "Attempts that workers called failed."},
    [JOBS_METRIC_TIMED_OUT] = {"timed_out_total", WEIR_METRIC_COUNTER, "Leases that came to their end."},
    [JOBS_METRIC_DEAD_TOTAL] = {"dead_total", WEIR_METRIC_COUNTER, "Jobs that died after their last attempt."},
    [JOBS_METRIC_SCHEDULED] = {"scheduled", WEIR_METRIC_GAUGE, "Jobs that wait for their time."},
    [JOBS_METRIC_READY] = {"ready", WEIR_METRIC_GAUGE, "Jobs that wait for a worker."},
    [JOBS_METRIC_RUNNING] = {"running", WEIR_METRIC_GAUGE, "Jobs that a worker has."},
    [JOBS_METRIC_RETRY] = {"retry", WEIR_METRIC_GAUGE, "Jobs that wait for another attempt."},
    [JOBS_METRIC_DEAD] = {"dead", WEIR_METRIC_GAUGE, "Dead jobs that are kept."},
    [JOBS_METRIC_WORKERS] = {"workers", WEIR_METRIC_GAUGE, "Workers that hold leases, wait or beat."},
    [JOBS_METRIC_WAITERS] = {"waiters", WEIR_METRIC_GAUGE, "Fetches that wait for a job."},
    [JOBS_METRIC_BYTES] = {"state_bytes", WEIR_METRIC_GAUGE, "Bytes of jobs, their payloads and look-up tables."},
    [JOBS_METRIC_BYTES_PER_JOB] = {"bytes_per_job", WEIR_METRIC_GAUGE, "The same for each job that has not ended."},
    [JOBS_METRIC_STALE] = {"stale_total", WEIR_METRIC_COUNTER, "Reports about a lease that had ended."},
    [JOBS_METRIC_FOLLOWERS_REFUSED] = {"followers_refused_total", WEIR_METRIC_COUNTER,
        "Jobs that were to follow one that is done and found no memory."},
    [JOBS_METRIC_WEBHOOKS] = {"webhooks", WEIR_METRIC_GAUGE, "Jobs that are being sent to a URL."},
    [JOBS_METRIC_DESTINATIONS] = {"destinations", WEIR_METRIC_GAUGE, "Destinations that are remembered."},
    [JOBS_METRIC_DESTINATIONS_OPEN] = {"destinations_open", WEIR_METRIC_GAUGE,
        "Destinations whose breaker is open or half open."},
    {0},
};

static const struct weir_listener listeners[] = {
    {"faktory", "the Faktory work protocol, for its clients and workers in any language", "faktory",
        &jobs_faktory_protocol},
    {"wire", "the commands as they are in the log, for workers and producers in bulk", "wire", &jobs_wire_protocol},
    {0},
};

extern const struct weir_route jobs_routes[];
extern const struct weir_reason jobs_reasons[];
const struct weir_service weir_service_jobs = {
    .name = "jobs",
    .summary = "background jobs: queues, leases, retries with backoff, schedules, dead letters",
    .version = 1,
    .version_replays = 1,
    .partitions_setting = "partitions",
    .settings = settings,
    .topics = topics,
    .effects = effects,
    .effects_max = 1,
    .routes = jobs_routes,
    .listeners = listeners,
    .metrics = metrics,
    .reasons = jobs_reasons,
    .output_bytes_max = JOBS_OUTPUT_BYTES_MAX,
    .replies_max = WEIR_REPLIES_MAX,
    .undelivered = jobs_undelivered,
    .state_bytes = jobs_state_bytes,
    .open = jobs_open,
    .apply = jobs_apply,
    .save = jobs_save,
    .load = jobs_load,
    .digest = jobs_digest,
    .projections = jobs_projections,
};
