/* jobs/event.h: the audit: a record of jobs.events for every transition of a job, in the order in which they happen.
 *
 * A fixed head and the bytes whose sizes it has, in their order. The first one of a job (PUSHED) has all that does not
 * change: queue, type, tenant, jid, tags; later ones have queue and type, and what is theirs. The record's key is the
 * job's id.
 */
#ifndef WEIR_JOBS_EVENT_H
#define WEIR_JOBS_EVENT_H
#include "jobs/state.h"

enum jobs_transition {
    JOBS_PUSHED = 1,    /* state: SCHEDULED, READY or HELD */
    JOBS_RELEASED = 2,  /* its time has come: READY */
    JOBS_LEASED = 3,    /* a worker has it: RUNNING; due: the lease's end */
    JOBS_EXTENDED = 4,  /* its lease is longer, or there is progress */
    JOBS_RETURNED = 5,  /* given back without an attempt: READY */
    JOBS_FAILED = 6,    /* the attempt failed; state: RETRY, DEAD */
    JOBS_TIMED_OUT = 7, /* the lease ended, or its worker was lost; state: RETRY, READY, DEAD */
    JOBS_ENDED = 8,     /* state: DONE, CANCELLED, EXPIRED */
    JOBS_REQUEUED = 9,  /* by an operator: READY */
    JOBS_KILLED = 10,   /* by an operator: DEAD */
    JOBS_DROPPED = 11,  /* a dead one is forgotten: by an operator, by its age, or as there are too many */
};
struct jobs_event { /* then queue, type, tenant, jid, worker, tags, error's class, message, result */
    uint64_t job, time_ns;
    uint64_t due_ns;  /* run, retry or the lease's end; 0: none */
    uint64_t span_ns; /* FAILED, TIMED_OUT, DONE: how long the attempt ran */
    uint32_t epoch;
    uint16_t tags_size, message_size, result_size;
    uint8_t transition, state;
    uint8_t attempt, attempts_max, priority, progress;
    uint8_t queue_size, type_size, tenant_size, jid_size, worker_size, error_size;
    uint8_t unused[2];
};
WEIR_STATIC_ASSERT(sizeof(struct jobs_event) == 56, "a layout on disk");
struct jobs_event_view {
    struct jobs_event head;
    struct weir_slice queue, type, tenant, jid, worker, tags, error, message, result;
};
/* False: the bytes are no event. */
WEIR_MUST bool jobs_event_read(struct weir_slice value, struct jobs_event_view *ret);
size_t jobs_event_print(struct weir_slice value, char *buf, size_t size);

/* What an event says beside what the job says of itself. */
struct jobs_event_more {
    uint64_t span_ns;
    struct weir_slice error, message, result;
    uint32_t worker; /* JOBS_NONE: the job's own */
};
void event_put(
    struct jobs_turn *t, const struct job *job, enum jobs_transition what, const struct jobs_event_more *more);
#endif
