/* jobs/routes.h: the HTTP side: requests into commands, replies and state into messages. Pure functions over their
 * arguments; scratch memory is the request's.
 *
 * Answers are written field by field (struct jobs_message) rather than through protobuf-c's structs: those want a NUL
 * behind each text and an array of pointers for each list. The numbers are those of schema/jobs.proto, and a test reads
 * what is written by its descriptors.
 */
#ifndef WEIR_JOBS_ROUTES_H
#define WEIR_JOBS_ROUTES_H
#include "jobs/command.h"
#include "jobs/state.h"

#include <protobuf-c/protobuf-c.h>

/* ---- reading requests (routes_push.c, routes_work.c) ---- */
WEIR_MUST enum weir_error jobs_encode_push(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error jobs_encode_push_many(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error jobs_encode_fetch(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error jobs_encode_ack(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error jobs_encode_fail(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error jobs_encode_extend(const struct weir_request *request, struct weir_command *ret_command);
WEIR_MUST enum weir_error jobs_encode_return(const struct weir_request *request, struct weir_command *ret_command);
#define ENCODE(name)                                                                                                   \
    WEIR_MUST enum weir_error jobs_encode_##name(const struct weir_request *request, struct weir_command *ret_command)
/* routes_operate.c */
ENCODE(cancel);
ENCODE(requeue);
ENCODE(kill);
ENCODE(drop);
ENCODE(operate);
ENCODE(pause);
ENCODE(resume);
ENCODE(clear);
ENCODE(limits);
ENCODE(beat);
ENCODE(quiet);
ENCODE(terminate);
/* routes_hooks.c */
ENCODE(destination);
ENCODE(no_destination);
/* routes_schedule.c */
ENCODE(schedule);
ENCODE(unschedule);
ENCODE(schedule_pause);
ENCODE(schedule_resume);
ENCODE(schedule_run);
/* routes_batch.c */
ENCODE(batch);
ENCODE(batch_commit);
ENCODE(batch_open);
#undef ENCODE
WEIR_MUST enum weir_error jobs_query_schedules(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_decode_batched(uint16_t status, struct weir_slice value, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_partition_of_batch(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error jobs_query_batch(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_partition_of_batches(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error jobs_query_batches(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
struct Weir__Jobs__Job;
/* A job of a request as the bytes of an entry, in scratch memory. */
WEIR_MUST enum weir_error jobs_route_job(
    const struct weir_request *request, const struct Weir__Jobs__Job *job, struct weir_slice *ret_entry);
/* Jobs in a reply that reached nobody are given back. */
WEIR_MUST enum weir_error jobs_undelivered(
    const struct weir_request *request, uint16_t status, struct weir_slice value, struct weir_command *ret_command);

WEIR_MUST enum weir_error jobs_decode_pushed(uint16_t status, struct weir_slice value, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_decode_pushed_many(uint16_t status, struct weir_slice value, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_decode_fetched(uint16_t status, struct weir_slice value, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_decode_reported(uint16_t status, struct weir_slice value, struct weir_answer *answer);

WEIR_MUST enum weir_error jobs_decode_operated(uint16_t status, struct weir_slice value, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_decode_beaten(uint16_t status, struct weir_slice value, struct weir_answer *answer);

/* ---- state (query.c, query_lists.c) ---- */
WEIR_MUST enum weir_error jobs_partition_of_job(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error jobs_query_job(
    const void *state, const struct weir_request *request, struct weir_answer *answer);

WEIR_MUST enum weir_error jobs_partition_of_list(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error jobs_query_list(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_partition_asked(const struct weir_request *request, uint32_t *ret_partition);
WEIR_MUST enum weir_error jobs_query_queues(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_query_workers(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_query_stats(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error jobs_query_top(
    const void *state, const struct weir_request *request, struct weir_answer *answer); /* query_top.c */

/* query_hooks.c */
WEIR_MUST enum weir_error jobs_query_destinations(
    const void *state, const struct weir_request *request, struct weir_answer *answer);

/* ---- shared ---- */
/* A command's value of these parts, one behind the other. */
WEIR_MUST enum weir_error jobs_route_parts(const struct weir_request *request, const struct weir_slice *parts,
    size_t count, uint16_t type, struct weir_command *ret_command);
/* A message, or bytes as they are (a refusal), into the answer. */
WEIR_MUST enum weir_error jobs_route_answer(struct weir_answer *answer, const ProtobufCMessage *message);
WEIR_MUST enum weir_error jobs_route_pass(struct weir_slice value, struct weir_answer *answer);
/* Bytes as text with a NUL behind it, in scratch memory; "" for what is no text. */
char *jobs_route_string(const struct weir_request *request, struct weir_slice bytes);
struct Weir__Jobs__QueueView;
struct Weir__Jobs__WorkerView;
struct Weir__Jobs__Stats;
void jobs_route_queue(
    const struct jobs *s, const struct weir_request *request, uint32_t i, struct Weir__Jobs__QueueView *m);
void jobs_route_worker(
    const struct weir_request *request, const struct jobs_worker *w, struct Weir__Jobs__WorkerView *m);
void jobs_route_stats(const struct jobs *s, struct Weir__Jobs__Stats *m);
struct Weir__Jobs__JobView;
void jobs_route_view(
    const struct jobs *s, const struct weir_request *request, const struct job *job, struct Weir__Jobs__JobView *m);
/* Memory for a command's value; NULL: an error is set. */
uint8_t *jobs_route_room(
    const struct weir_request *request, size_t size, struct weir_command *ret_command, uint16_t type);
/* A text field of a request within its limit. INVALID names the field. */
WEIR_MUST enum weir_error jobs_route_text(const char *field, const char *text, size_t max, struct weir_slice *ret);
/* A URL that jobs can be sent to; "": none. */
WEIR_MUST enum weir_error jobs_route_url(const char *url, struct weir_slice *ret);
const char *jobs_reason_name(uint32_t reason);
uint32_t jobs_route_partition(struct weir_slice queue, uint32_t partition_count);
/* An id of a request; the partition it is in. */
WEIR_MUST enum weir_error jobs_route_id(const struct weir_request *request, const char *text, uint64_t *ret_id);

/* A message being written: into bytes of the answer that are large enough. */
struct jobs_message {
    uint8_t *at;
};
/* The bytes of a field; 0 for a value that is not written (zero, empty). */
size_t jobs_message_number_size(uint32_t field, uint64_t value);
size_t jobs_message_bytes_size(uint32_t field, size_t size);
void jobs_message_number(struct jobs_message *m, uint32_t field, uint64_t value);
void jobs_message_bytes(struct jobs_message *m, uint32_t field, struct weir_slice bytes);
/* The head of a sub-message of so many bytes, which follow. */
void jobs_message_open(struct jobs_message *m, uint32_t field, size_t size);
static inline size_t jobs_message_open_size(size_t size) {
    return jobs_message_bytes_size(1, size ? size : 1) - (size ? size : 1);
}
#endif
