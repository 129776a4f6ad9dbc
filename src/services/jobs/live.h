/* jobs/live.h: the JSON of the live view: what a client asks for read, events written. Pure over their arguments.
 *
 * A client says which events it wants; a second request replaces the first one:
 *   {"op":"subscribe"[,"queue":Q][,"type":T][,"job":ID][,"partition":P][,"offset":O]}   {"op":"unsubscribe"}
 *   Without an offset from now on, of all partitions unless one is named. An offset is one of jobs.events: what came
 *   from there on, and then what comes; with several partitions it needs one. Unknown fields are refused.
 * It hears, each one message:
 *   {"say":"subscribed"}   {"say":"live","partition":P}: it has all that was there   {"say":"unsubscribed"}
 *   {"say":"event","partition":P,"offset":O,"event":{...}}   the event as `weir topic read jobs.events` shows it
 *   {"say":"error","code":C,"sentence":S}
 */
#ifndef WEIR_JOBS_LIVE_H
#define WEIR_JOBS_LIVE_H
#include "jobs/event.h"

#define LIVE_PARTITIONS_ALL UINT32_MAX
#define LIVE_MESSAGE_MAX    20000u

enum live_op { LIVE_NONE, LIVE_SUBSCRIBE, LIVE_UNSUBSCRIBE };
struct live_request {
    enum live_op op;
    uint32_t partition;            /* LIVE_PARTITIONS_ALL: none was named */
    uint64_t offset;               /* UINT64_MAX: from now */
    uint64_t job;                  /* 0: any */
    uint8_t queue_size, type_size; /* 0: any */
    char queue[JOBS_NAME_MAX], type[JOBS_NAME_MAX];
};
/* False: *ret_error is a sentence. */
bool live_request_read(struct weir_slice text, struct live_request *ret, const char **ret_error);
/* An event as a message; 0: it is not one of those that are asked for. What would be too long loses the attempt's
 * message and result. */
size_t live_event_write(
    const struct live_request *wanted, uint32_t partition, const struct weir_record *record, char *out, size_t size);
size_t live_note_write(const char *say, uint32_t partition, char *out, size_t size);
size_t live_error_write(const char *code, const char *sentence, char *out, size_t size);
#endif
