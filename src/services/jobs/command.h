/* jobs/command.h: the records of jobs.commands and the replies to them: fixed layouts, little-endian, 8-aligned.
 *
 * A command is a head and entries behind it; an entry is a fixed struct with the sizes of the bytes behind it, in the
 * order in which its sizes stand, padded to a multiple of 8, `size` counting all of it. HTTP, the Faktory gateway and
 * the tools all build these; the fold reads nothing else. What does not fit its sizes is refused whole (INVALID) and
 * changes nothing. Never renumbered; a field that is added takes an `unused` one, zero meaning as before.
 * Pure; no allocation: encoders write into memory of the caller, readers point into the record.
 */
#ifndef WEIR_JOBS_COMMAND_H
#define WEIR_JOBS_COMMAND_H
#include "base/assert.h"

#include <weir/service.h>

/* Record types of jobs.commands. */
enum jobs_record {
    JOBS_RECORD_PUSH = 1,         /* entries: struct jobs_new; reply: struct jobs_pushed each */
    JOBS_RECORD_FETCH = 2,        /* struct jobs_fetch; reply: struct jobs_leased each, now or later */
    JOBS_RECORD_ACK = 3,          /* entries: struct jobs_report; reply: struct jobs_reported each */
    JOBS_RECORD_FAIL = 4,         /* likewise */
    JOBS_RECORD_EXTEND = 5,       /* likewise */
    JOBS_RECORD_RETURN = 6,       /* likewise: a lease is given back; the attempt does not count */
    JOBS_RECORD_BEAT = 7,         /* struct jobs_beat; reply: struct jobs_beaten */
    JOBS_RECORD_OPERATE = 8,      /* struct jobs_operate; reply: struct jobs_operated */
    JOBS_RECORD_QUEUE = 9,        /* struct jobs_queue_order; reply: struct jobs_operated */
    JOBS_RECORD_SCHEDULE = 10,    /* struct jobs_schedule_order; reply: struct jobs_operated, next: when it is due */
    JOBS_RECORD_DESTINATION = 11, /* struct jobs_destination_order; reply: struct jobs_operated */
    JOBS_RECORD_BATCH = 12,       /* struct jobs_batch_order; reply: struct jobs_batched */
};

/* Limits of one command and of what it holds. */
#define JOBS_ENTRIES_MAX  1000u /* entries of a command; jobs of a fetch */
#define JOBS_NAME_MAX     64u   /* queue, type, worker */
#define JOBS_TENANT_MAX   40u
#define JOBS_JID_MAX      64u
#define JOBS_UNIQUE_MAX   200u
#define JOBS_TAGS_MAX     200u /* all of them, a comma between two */
#define JOBS_ERROR_MAX    100u /* of an error */
#define JOBS_MESSAGE_MAX  1000u
#define JOBS_RESULT_MAX   4096u
#define JOBS_REPORTS_MAX  (1u << 20) /* bytes of a command of reports */
#define JOBS_THEN_MAX     3u         /* jobs that follow one */
#define JOBS_PAYLOAD_MAX  1000000u
#define JOBS_URL_MAX      2000u
#define JOBS_HOOK_MAX     60000u /* payload of a job that is sent to a URL */
#define JOBS_QUEUES_MAX   8u     /* of a fetch */
#define JOBS_WAIT_MS_MAX  60000u
#define JOBS_PRIORITY_MAX 9u

enum jobs_backoff { JOBS_BACKOFF_EXPONENTIAL, JOBS_BACKOFF_FIXED, JOBS_BACKOFF_FAKTORY };
enum jobs_unique { JOBS_UNIQUE_SUCCESS, JOBS_UNIQUE_START, JOBS_UNIQUE_TIME };

/* A job's life. The last three are ends: such a job is in the audit and no longer in the state. */
enum jobs_state {
    JOBS_FREE,
    JOBS_SCHEDULED,
    JOBS_READY,
    JOBS_RUNNING,
    JOBS_RETRY,
    JOBS_DEAD,
    JOBS_HELD,
    JOBS_DONE,
    JOBS_CANCELLED,
    JOBS_EXPIRED,
};

/* Why something was not done: rows of the service's .reasons. */
enum jobs_reason {
    JOBS_OK = 0,
    JOBS_E_INVALID = 1,
    JOBS_E_NOT_UNIQUE = 2,
    JOBS_E_JOBS_FULL = 3,
    JOBS_E_PAYLOADS_FULL = 4,
    JOBS_E_NAMES_FULL = 5,
    JOBS_E_NOT_FOUND = 6,
    JOBS_E_STALE = 7,
    JOBS_E_WAITERS_FULL = 8,
    JOBS_E_NOT_RUNNING = 9,
    JOBS_E_PAYLOAD_SIZE = 10,
    JOBS_E_DUPLICATE = 11, /* the client's own id is known: no fault, nothing was changed */
    JOBS_E_STATE = 12,     /* a job in that state cannot be ... */
    JOBS_E_WORKERS_FULL = 13,
    JOBS_E_SCHEDULES_FULL = 14,
    JOBS_E_SCHEDULE = 15, /* there is no such schedule, or its times make no sense */
    JOBS_E_URL = 16,
    JOBS_E_DESTINATIONS_FULL = 17,
    JOBS_E_BATCHES_FULL = 20,
    JOBS_E_BATCH = 21,       /* there is no such batch */
    JOBS_E_BATCH_ENDED = 22, /* it is complete: it takes nothing more */
};

/* ---- push ---- */
#define JOBS_NEW_TEXT     0x01u /* the payload is text, as HTTP shows it; else base64 */
#define JOBS_NEW_NO_DEAD  0x02u /* after its last failure it is dropped rather than kept as dead */
#define JOBS_NEW_AT_FRONT 0x04u /* before those that wait already */
#define JOBS_NEW_FAKTORY  0x08u /* the payload is a job as the Faktory protocol has it */
struct jobs_new { /* then queue, type, tenant, jid, unique, tags, payload, then (entries of the same kind), url */
    uint32_t size, payload_size, then_size;
    uint32_t lease_ms, backoff_ms, backoff_max_ms; /* 0: the default */
    uint64_t run_at_ns, delay_ns, expires_at_ns, expires_in_ns;
    uint64_t unique_for_ns; /* 0: as long as unique_until says */
    uint64_t batch;         /* its id; 0: none */
    uint16_t tags_size;
    uint8_t queue_size, type_size, tenant_size, jid_size, unique_size;
    uint8_t attempts_max; /* 0: the default */
    uint8_t priority;     /* 1 to 9, 9 first; 0: 5 */
    uint8_t backoff, unique_until, flags;
    uint16_t url_size; /* not 0: the job is sent there rather than fetched */
    uint8_t unused[2];
};
struct jobs_new_view {
    struct jobs_new head;
    struct weir_slice queue, type, tenant, jid, unique, tags, payload, then, url;
};
struct jobs_pushed {
    uint64_t id; /* with NOT_UNIQUE and DUPLICATE of the job that is in its way */
    uint32_t reason, unused;
};

/* ---- fetch ---- */
struct jobs_fetch { /* then worker; then per queue its size, 1 byte, and its name */
    uint32_t max, wait_ms, lease_ms;
    uint8_t worker_size, queue_count, unused[2];
};
struct jobs_fetch_view {
    struct jobs_fetch head;
    struct weir_slice worker, queues[JOBS_QUEUES_MAX];
};
struct jobs_leased { /* then queue, type, tenant, jid, tags, payload, the last error and its message */
    uint32_t size, payload_size;
    uint64_t id, deadline_ns, pushed_ns;
    uint64_t ready_ns;  /* since when it waited for a worker */
    uint64_t failed_ns; /* its last attempt; 0: this is the first one */
    uint32_t epoch, lease_ms;
    uint16_t tags_size;
    uint8_t queue_size, type_size, tenant_size, jid_size;
    uint8_t attempt, attempts_max, priority, flags /* JOBS_NEW_TEXT, JOBS_NEW_FAKTORY */;
    uint16_t message_size;
    uint8_t error_size, unused[3];
};
struct jobs_leased_view {
    struct jobs_leased head;
    struct weir_slice queue, type, tenant, jid, tags, payload, error, message;
};

/* ---- what a worker says of a lease: ACK, FAIL, EXTEND, RETURN ---- */
#define JOBS_REPORT_DEAD 0x01u /* FAIL: no further attempt */
#define JOBS_REPORT_KEEP 0x02u /* EXTEND: the lease ends when it would; only the progress is said */
struct jobs_report {           /* then jid, error's class, message, result, worker */
    uint32_t size;
    uint32_t epoch;   /* of the lease; 0: whoever has it */
    uint64_t id;      /* 0: the jid says which, or the id as text in its place */
    uint64_t span_ns; /* FAIL: not before that long from now; EXTEND: the lease from now. 0: as the job says */
    uint32_t result_size;
    uint16_t error_size, message_size;
    uint8_t jid_size, progress /* EXTEND: per cent + 1; 0: unchanged */, flags;
    uint8_t worker_size; /* 0: whoever it is; else STALE when another one has the lease */
    uint8_t unused[4];
};
struct jobs_report_view {
    struct jobs_report head;
    struct weir_slice jid, error, message, result, worker;
};
struct jobs_reported {
    uint64_t id, due_ns;
    uint16_t reason;
    uint8_t state; /* enum jobs_state of the job now */
    uint8_t unused[5];
};

/* ---- workers ---- */
enum jobs_worker_state { JOBS_WORKER_RUNNING, JOBS_WORKER_QUIET, JOBS_WORKER_TERMINATE };
#define JOBS_BEAT_GONE  0x01u /* the worker is gone: its leases are released at once */
#define JOBS_BEAT_ORDER 0x02u /* of an operator: `state` is what the worker shall hear; moves up only */
#define JOBS_BEAT_OPEN  0x04u /* a connection of the worker's has begun */
#define JOBS_BEAT_SHUT  0x08u /* it has ended; when none is left, its leases end after jobs.worker_grace */
struct jobs_beat {            /* then worker ("": with ORDER all) */
    uint64_t rss_kb;
    uint8_t worker_size, state, flags;
    uint8_t unused[5];
};
struct jobs_beaten {
    uint32_t released;
    uint8_t state; /* enum jobs_worker_state that the worker shall be in */
    uint8_t unused[3];
};

/* ---- operators ---- */
enum jobs_action { JOBS_CANCEL = 1, JOBS_REQUEUE, JOBS_KILL, JOBS_DROP };
struct jobs_operate { /* then queue, type, tenant, text ("": any) */
    uint64_t id;      /* not 0: that one; of the rest only `state` is looked at, when it is not 0 */
    uint64_t after;   /* with a filter: `next` of the answer before; 0: from the beginning */
    uint32_t max;     /* jobs at most, JOBS_ENTRIES_MAX */
    uint8_t action, state /* of those meant: SCHEDULED, READY, RETRY, DEAD */;
    uint8_t queue_size, type_size, tenant_size, text_size;
    uint8_t unused[6];
};
struct jobs_operated {
    uint64_t next; /* there may be more: say it as `after` */
    uint32_t count, unused;
};
enum jobs_queue_action { JOBS_QUEUE_PAUSE = 1, JOBS_QUEUE_RESUME, JOBS_QUEUE_SET, JOBS_QUEUE_CLEAR };
enum jobs_name_kind { JOBS_NAME_QUEUE, JOBS_NAME_TYPE, JOBS_NAME_TENANT, JOBS_NAME_DESTINATION, JOBS_NAME_KINDS };
struct jobs_queue_order { /* then name; of a queue "": all of them, but for SET */
    uint32_t concurrency; /* SET: jobs that run at once; 0: no limit */
    uint32_t rate_per_s;  /* SET: starts per second; 0: no limit */
    uint32_t burst;       /* SET: of the rate; 0: as the rate */
    uint16_t weight;      /* SET: 1 to 100; 0: 1 */
    uint8_t action, kind, name_size;
    uint8_t unused[7];
};

/* ---- destinations: where a queue's jobs are sent ---- */
struct jobs_destination_order { /* then queue, url ("": nowhere any more, workers fetch them) */
    uint32_t timeout_ms;        /* of an attempt; 0: the default */
    uint16_t url_size;
    uint8_t queue_size, unused;
};
WEIR_STATIC_ASSERT(sizeof(struct jobs_destination_order) == 8, "a layout on disk");

/* ---- schedules ---- */
#define JOBS_CRON_MAX 120u
enum jobs_schedule_action {
    JOBS_SCHEDULE_PUT = 1,
    JOBS_SCHEDULE_DROP,
    JOBS_SCHEDULE_PAUSE,
    JOBS_SCHEDULE_RESUME,
    JOBS_SCHEDULE_RUN
};
enum jobs_catch_up { JOBS_CATCH_UP_ONE, JOBS_CATCH_UP_ALL, JOBS_CATCH_UP_NONE };
struct jobs_schedule_order { /* then name, cron, zone's name, zone (zone_encode), job (a struct jobs_new entry) */
    uint64_t every_ns;       /* 0: by cron */
    uint32_t job_size;
    uint16_t zone_size; /* 0: UTC */
    uint8_t action, name_size, cron_size, zone_name_size, catch_up, paused;
    uint8_t unused[4];
};
struct jobs_schedule_view {
    struct jobs_schedule_order head;
    struct weir_slice name, cron, zone_name, zone, job;
};

/* ---- batches ---- */
#define JOBS_DESCRIPTION_MAX 200u
enum jobs_batch_action { JOBS_BATCH_NEW = 1, JOBS_BATCH_COMMIT, JOBS_BATCH_OPEN };
enum jobs_batch_state { JOBS_BATCH_IS_OPEN = 1, JOBS_BATCH_COMMITTED, JOBS_BATCH_COMPLETE, JOBS_BATCH_SUCCEEDED };
struct jobs_batch_order { /* then description, success, complete (a struct jobs_new entry each, or nothing) */
    uint64_t id;          /* NEW: of the parent, 0: none */
    uint32_t success_size, complete_size;
    uint8_t action, description_size;
    uint8_t unused[6];
};
struct jobs_batch_view {
    struct jobs_batch_order head;
    struct weir_slice description, success, complete;
};
struct jobs_batched {
    uint64_t id;
    uint32_t total, pending, failed;
    uint8_t state, unused[3]; /* enum jobs_batch_state */
};

#define JOBS_ALIGN(size) (((size) + 7u) & ~(size_t)7)
WEIR_STATIC_ASSERT(sizeof(struct jobs_new) == 88, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_fetch) == 16, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_leased) == 72, "a layout on the wire");
WEIR_STATIC_ASSERT(sizeof(struct jobs_report) == 40, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_reported) == 24, "a layout on the wire");
WEIR_STATIC_ASSERT(sizeof(struct jobs_pushed) == 16, "a layout on the wire");
WEIR_STATIC_ASSERT(sizeof(struct jobs_beat) == 16, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_operate) == 32, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_queue_order) == 24, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_schedule_order) == 24, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_batch_order) == 24, "a layout on disk");
WEIR_STATIC_ASSERT(sizeof(struct jobs_batched) == 24, "a layout on the wire");

/* Readers: false: the bytes are no such entry (sizes, limits). *at moves behind it. */
WEIR_MUST bool jobs_new_next(struct weir_slice value, size_t *at, struct jobs_new_view *ret);
WEIR_MUST bool jobs_fetch_read(struct weir_slice value, struct jobs_fetch_view *ret);
WEIR_MUST bool jobs_report_next(struct weir_slice value, size_t *at, struct jobs_report_view *ret);
WEIR_MUST bool jobs_schedule_read(struct weir_slice value, struct jobs_schedule_view *ret);
WEIR_MUST bool jobs_batch_read(struct weir_slice value, struct jobs_batch_view *ret);
WEIR_MUST bool jobs_leased_next(struct weir_slice value, size_t *at, struct jobs_leased_view *ret);

/* Writers: the bytes needed; written to `at` when it is not NULL. Sizes and `size` of the head are set from the slices,
 * which must be within the limits. */
size_t jobs_new_write(const struct jobs_new_view *view, uint8_t *at);
size_t jobs_fetch_write(const struct jobs_fetch_view *view, uint8_t *at);
size_t jobs_report_write(const struct jobs_report_view *view, uint8_t *at);

/* An id as text: 16 lower-case hexadecimal digits; the partition in the upper 10 bits. */
#define JOBS_ID_SIZE           16u
#define JOBS_ID_PARTITION_BITS 10u
void jobs_id_print(uint64_t id, char ret_text[JOBS_ID_SIZE + 1]);
WEIR_MUST bool jobs_id_parse(struct weir_slice text, uint64_t *ret_id);
static inline uint32_t jobs_id_partition(uint64_t id) {
    return (uint32_t)(id >> (64 - JOBS_ID_PARTITION_BITS));
}
#endif
