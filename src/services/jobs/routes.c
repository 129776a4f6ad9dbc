/* The HTTP routes, one row each; their functions lie beside what they touch. */
#include "jobs/routes.h"

#include "jobs/gateway_live.h"
#include "jobs/history.h"

#include "base/text.h"
#include "schema/jobs.pb-c.h"

#define M(name) &weir__jobs__##name##__descriptor

const struct weir_route jobs_routes[] = {
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs",
        .verb = "push",
        .summary = "Push a job",
        .description = "201 once it is on disk; 200 with duplicate when its jid is that of a living job; 409 when its "
                       "unique key is held, with the holder's id.",
        .request = M(job),
        .response = M(pushed),
        .encode = jobs_encode_push,
        .decode = jobs_decode_pushed},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/push",
        .verb = "push-many",
        .summary = "Push many jobs in one commit",
        .description = "Each is answered for itself, in order; one that is refused does not hinder the others.",
        .request = M(push_many),
        .response = M(pushed_many),
        .encode = jobs_encode_push_many,
        .decode = jobs_decode_pushed_many},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/fetch",
        .verb = "fetch",
        .summary = "Take jobs to work on",
        .description = "Leases up to max jobs; with waitMs it waits for the first one. Jobs in an answer that reaches "
                       "nobody are given back at once.",
        .request = M(fetch),
        .response = M(fetched),
        .encode = jobs_encode_fetch,
        .decode = jobs_decode_fetched},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/ack",
        .verb = "ack",
        .summary = "Jobs are done",
        .description = "Each is answered for itself: a lease that ended meanwhile is STALE.",
        .request = M(ack_many),
        .response = M(reported_many),
        .encode = jobs_encode_ack,
        .decode = jobs_decode_reported},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/fail",
        .verb = "fail",
        .summary = "Jobs have failed",
        .description = "Tried again after their backoff, or dead after their last attempt.",
        .request = M(fail_many),
        .response = M(reported_many),
        .encode = jobs_encode_fail,
        .decode = jobs_decode_reported},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/extend",
        .verb = "extend",
        .summary = "Longer leases, progress",
        .request = M(extend_many),
        .response = M(reported_many),
        .encode = jobs_encode_extend,
        .decode = jobs_decode_reported},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/return",
        .verb = "return",
        .summary = "Give jobs back",
        .description = "To the front of their queue; the attempt does not count.",
        .request = M(ack_many),
        .response = M(reported_many),
        .encode = jobs_encode_return,
        .decode = jobs_decode_reported},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/{id}",
        .verb = "show",
        .summary = "A job that has not ended, with its failed attempts",
        .request = M(job_ref),
        .response = M(job_view),
        .partition = jobs_partition_of_job,
        .query = jobs_query_job},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/{id}/cancel",
        .verb = "cancel",
        .summary = "Cancel a job; the worker of a running one hears STALE from its next report on",
        .request = M(job_ref),
        .response = M(operated),
        .encode = jobs_encode_cancel,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/{id}/requeue",
        .verb = "requeue",
        .summary = "Make a dead, scheduled or failed job ready at once; a dead one has all its attempts again",
        .request = M(job_ref),
        .response = M(operated),
        .encode = jobs_encode_requeue,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/{id}/kill",
        .verb = "kill",
        .summary = "Make a job dead",
        .request = M(job_ref),
        .response = M(operated),
        .encode = jobs_encode_kill,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/{id}/drop",
        .verb = "drop",
        .summary = "Forget a dead job",
        .request = M(job_ref),
        .response = M(operated),
        .encode = jobs_encode_drop,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/operate",
        .verb = "operate",
        .summary = "The same to all jobs that a filter means, up to 1000 at once",
        .request = M(operate),
        .response = M(operated),
        .encode = jobs_encode_operate,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/queues/{queue}/pause",
        .verb = "pause",
        .summary = "Nothing of a queue is given out any more; pushes are taken",
        .request = M(queue_ref),
        .response = M(operated),
        .encode = jobs_encode_pause,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/queues/{queue}/resume",
        .verb = "resume",
        .summary = "Go on",
        .request = M(queue_ref),
        .response = M(operated),
        .encode = jobs_encode_resume,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/queues/{queue}/clear",
        .verb = "clear",
        .summary = "Cancel the ready jobs of a queue, up to 1000 at once",
        .request = M(queue_ref),
        .response = M(operated),
        .encode = jobs_encode_clear,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/limits",
        .verb = "limits",
        .summary = "What a queue, type or tenant may run at once and per second, and a tenant its weight",
        .request = M(limits),
        .response = M(operated),
        .encode = jobs_encode_limits,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/beat",
        .verb = "beat",
        .summary = "A worker is alive; it hears what it shall do",
        .request = M(beat),
        .response = M(beaten),
        .encode = jobs_encode_beat,
        .decode = jobs_decode_beaten},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/workers/{worker}/quiet",
        .verb = "quiet",
        .summary = "A worker (*: all) shall take nothing more",
        .request = M(worker_ref),
        .response = M(beaten),
        .encode = jobs_encode_quiet,
        .decode = jobs_decode_beaten},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/workers/{worker}/terminate",
        .verb = "terminate",
        .summary = "A worker (*: all) shall end",
        .request = M(worker_ref),
        .response = M(beaten),
        .encode = jobs_encode_terminate,
        .decode = jobs_decode_beaten},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs",
        .verb = "list",
        .summary = "Jobs that have not ended, by state, queue, type, tenant or a text",
        .request = M(list_jobs),
        .response = M(job_list),
        .partition = jobs_partition_of_list,
        .query = jobs_query_list},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/queues",
        .verb = "queues",
        .summary = "Queues with their counts",
        .request = M(partition_ref),
        .response = M(queue_list),
        .partition = jobs_partition_asked,
        .query = jobs_query_queues},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/workers",
        .verb = "workers",
        .summary = "Workers with their leases",
        .request = M(partition_ref),
        .response = M(worker_list),
        .partition = jobs_partition_asked,
        .query = jobs_query_workers},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/stats",
        .verb = "stats",
        .summary = "Counts of all jobs",
        .request = M(partition_ref),
        .response = M(stats),
        .partition = jobs_partition_asked,
        .query = jobs_query_stats},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/top",
        .verb = "top",
        .summary = "Counts, the busiest queues and workers; on a terminal drawn again each second",
        .request = M(partition_ref),
        .response = M(top),
        .partition = jobs_partition_asked,
        .query = jobs_query_top},
    {.kind = WEIR_ROUTE_ROWS,
        .method = "GET",
        .path = "/v1/jobs/history",
        .summary = "All jobs that ever were, newest first",
        .description = "Rows of the projection jobs.history, ended jobs and dead letters among them; what happened a "
                       "moment ago may not be there yet.",
        .request = M(history_search),
        .response = M(history_jobs),
        .select = &jobs_select_history,
        .verb = "history"},
    {.kind = WEIR_ROUTE_ROWS,
        .method = "GET",
        .path = "/v1/jobs/history/{id}",
        .summary = "Every transition of a job, in order",
        .request = M(history_ref),
        .response = M(history_events),
        .select = &jobs_select_events,
        .verb = "events"},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "PUT",
        .path = "/v1/jobs/schedules/{name}",
        .verb = "schedule",
        .summary = "Push a job again and again, by cron or every so often",
        .description =
            "A schedule of that name is replaced. Times are those of the zone whose TZif file is sent along, else UTC.",
        .request = M(schedule),
        .response = M(operated),
        .encode = jobs_encode_schedule,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "DELETE",
        .path = "/v1/jobs/schedules/{name}",
        .verb = "unschedule",
        .summary = "Forget a schedule",
        .request = M(schedule_ref),
        .response = M(operated),
        .encode = jobs_encode_unschedule,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/schedules/{name}/pause",
        .verb = "pause-schedule",
        .summary = "Nothing is pushed by it until it is resumed",
        .request = M(schedule_ref),
        .response = M(operated),
        .encode = jobs_encode_schedule_pause,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/schedules/{name}/resume",
        .verb = "resume-schedule",
        .summary = "Go on; what passed meanwhile is caught up as the schedule says",
        .request = M(schedule_ref),
        .response = M(operated),
        .encode = jobs_encode_schedule_resume,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/schedules/{name}/run",
        .verb = "run-schedule",
        .summary = "Push its job now, beside its times",
        .request = M(schedule_ref),
        .response = M(operated),
        .encode = jobs_encode_schedule_run,
        .decode = jobs_decode_operated},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/schedules",
        .verb = "schedules",
        .summary = "Schedules and when they are due",
        .request = M(partition_ref),
        .response = M(schedule_list),
        .partition = jobs_partition_asked,
        .query = jobs_query_schedules},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/batches",
        .verb = "batch",
        .summary = "Make a batch: jobs that belong together, and what is pushed when all of them have ended",
        .description = "Jobs are pushed with its id as batch; commit it when all were. The jobs of a batch, its "
                       "callbacks and its parent are in one partition.",
        .request = M(batch),
        .response = M(batch_view),
        .encode = jobs_encode_batch,
        .decode = jobs_decode_batched},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/batches/{id}/commit",
        .verb = "commit-batch",
        .summary = "All of its jobs were pushed: it is complete once they have ended",
        .request = M(batch_ref),
        .response = M(batch_view),
        .encode = jobs_encode_batch_commit,
        .decode = jobs_decode_batched},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "POST",
        .path = "/v1/jobs/batches/{id}/open",
        .verb = "open-batch",
        .summary = "More jobs will come: it is not complete before it is committed again",
        .request = M(batch_ref),
        .response = M(batch_view),
        .encode = jobs_encode_batch_open,
        .decode = jobs_decode_batched},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/batches/{id}",
        .verb = "show-batch",
        .summary = "How far a batch is",
        .request = M(batch_ref),
        .response = M(batch_view),
        .partition = jobs_partition_of_batch,
        .query = jobs_query_batch},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/jobs/batches",
        .verb = "batches",
        .summary = "Batches, those that are over as long as their places are not needed",
        .request = M(list_batches),
        .response = M(batch_list),
        .partition = jobs_partition_of_batches,
        .query = jobs_query_batches},
    {.kind = WEIR_ROUTE_SOCKET,
        .method = "GET",
        .path = "/v1/jobs/live",
        .summary = "WebSocket: what happens to jobs, as it happens, by queue, type or job",
        .description = "JSON messages; see docs/jobs.md.",
        .protocol = &jobs_live_protocol},
    {0},
};

#define REASON(code_, name_, sentence_, status_)                                                                       \
    { code_, name_, sentence_, status_ }
const struct weir_reason jobs_reasons[] = {
    REASON(JOBS_E_INVALID, "INVALID_COMMAND", "The command's bytes are not what its type says.", 400),
    REASON(JOBS_E_NOT_UNIQUE, "NOT_UNIQUE", "Another job holds the unique key.", 409),
    REASON(JOBS_E_JOBS_FULL, "JOBS_FULL", "There are as many jobs as there may be: raise jobs.jobs_max.", 503),
    REASON(JOBS_E_PAYLOADS_FULL, "PAYLOADS_FULL", "No memory for payloads is left: raise jobs.payload_memory.", 503),
    REASON(JOBS_E_NAMES_FULL, "NAMES_FULL",
        "Too many queues, types, tenants or unique keys are in use: raise the setting of that name.", 503),
    REASON(JOBS_E_NOT_FOUND, "JOB_NOT_FOUND", "There is no such job; one that has ended is in the audit.", 404),
    REASON(JOBS_E_STALE, "STALE", "The lease has ended, and the job may be another's by now.", 409),
    REASON(JOBS_E_WAITERS_FULL, "WAITERS_FULL", "Too many fetches wait for jobs: raise jobs.waiters_max.", 503),
    REASON(JOBS_E_NOT_RUNNING, "NOT_RUNNING", "No worker has the job now.", 409),
    REASON(JOBS_E_PAYLOAD_SIZE, "PAYLOAD_SIZE", "The payload is larger than jobs.payload_bytes_max.", 413),
    REASON(JOBS_E_DUPLICATE, "DUPLICATE", "A job of that jid is there; nothing was changed.", 409),
    REASON(JOBS_E_STATE, "WRONG_STATE", "A job in its state can't have that done to it.", 409),
    REASON(JOBS_E_WORKERS_FULL, "WORKERS_FULL", "Too many workers: raise jobs.workers_max.", 503),
    REASON(JOBS_E_SCHEDULES_FULL, "SCHEDULES_FULL", "Too many schedules: raise jobs.schedules_max.", 503),
    REASON(JOBS_E_SCHEDULE, "SCHEDULE", "There is no such schedule, or it is never due.", 404),
    REASON(JOBS_E_BATCHES_FULL, "BATCHES_FULL", "Too many batches are not over: raise jobs.batches_max.", 503),
    REASON(JOBS_E_BATCH, "BATCH_NOT_FOUND", "There is no such batch; one that is over goes when its place is needed.",
        404),
    REASON(JOBS_E_BATCH_ENDED, "BATCH_ENDED", "The batch is complete and takes nothing more.", 409),
    {0},
};

const char *jobs_reason_name(uint32_t reason) {
    for (const struct weir_reason *row = jobs_reasons; row->name; row++)
        if (row->code == reason) return row->name;
    return "";
}

uint8_t *jobs_route_room(
    const struct weir_request *request, size_t size, struct weir_command *ret_command, uint16_t type) {
    uint8_t *room = weir_scratch(request, size);
    if (!room) {
        (void)weir_error_context(WEIR_E_TOO_LARGE, "a command of %zu bytes", size);
        return NULL;
    }
    ret_command->type = type;
    ret_command->key = (struct weir_slice){0};
    ret_command->value = weir_slice(room, size);
    return room;
}

enum weir_error jobs_route_parts(const struct weir_request *request, const struct weir_slice *parts, size_t count,
    uint16_t type, struct weir_command *ret_command) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    uint8_t *at = jobs_route_room(request, size, ret_command, type);
    if (!at) return WEIR_E_TOO_LARGE;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size) memcpy(at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    return WEIR_OK;
}

enum weir_error jobs_route_answer(struct weir_answer *answer, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = weir_answer_room(answer, size);
    if (!room) return weir_error_context(WEIR_E_TOO_LARGE, "the answer has %zu bytes", size);
    protobuf_c_message_pack(message, room);
    weir_answer_commit(answer, size);
    return WEIR_OK;
}

enum weir_error jobs_route_pass(struct weir_slice value, struct weir_answer *answer) {
    uint8_t *same = weir_answer_room(answer, value.size);
    if (!same) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    if (value.size) memcpy(same, value.data, value.size);
    weir_answer_commit(answer, value.size);
    return WEIR_OK;
}

char *jobs_route_string(const struct weir_request *request, struct weir_slice bytes) {
    char *text = weir_scratch(request, bytes.size + 1);
    if (!text || !utf8_valid(bytes)) return (char *)(uintptr_t) "";
    if (bytes.size) memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = 0;
    return text;
}

enum weir_error jobs_route_text(const char *field, const char *text, size_t max, struct weir_slice *ret) {
    size_t size = strlen(text);
    if (size > max) return weir_error_context(WEIR_E_INVALID, "%s: %zu bytes; at most %zu", field, size, max);
    *ret = weir_slice(text, size);
    return WEIR_OK;
}

uint32_t jobs_route_partition(struct weir_slice queue, uint32_t partition_count) {
    return partition_count > 1 ? weir_partition_of(queue, partition_count) : 0;
}

enum weir_error jobs_route_id(const struct weir_request *request, const char *text, uint64_t *ret_id) {
    if (!jobs_id_parse(weir_slice_text(text), ret_id))
        return weir_error_context(WEIR_E_INVALID, "id: a job's id is 16 hexadecimal digits, as push answered it");
    if (jobs_id_partition(*ret_id) >= request->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "id: this node has no job %s", text);
    return WEIR_OK;
}
