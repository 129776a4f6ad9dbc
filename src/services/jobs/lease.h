/* jobs/lease.h: jobs handed to workers, and what becomes of them there.
 *
 * A lease is part of its job: worker, deadline and epoch. The epoch rises with each; whoever reports names it, and a
 * stale one is refused by name. A lease ends by ACK, FAIL, RETURN, its deadline, or the loss of its worker.
 */
#ifndef WEIR_JOBS_LEASE_H
#define WEIR_JOBS_LEASE_H
#include "jobs/event.h"
#include "jobs/state.h"

#define LEASE_REPLY_BYTES_MAX (1u << 20) /* of all replies of a record; one job of JOBS_PAYLOAD_MAX always fits */

/* Leases up to max jobs from the queues, in their order, and notes them in s->picked; returns how many. As many as
 * t->reply_bytes_left takes; when not even one fits, t->is_full is set. */
uint32_t lease_pick(struct jobs_turn *t, const uint16_t *queues, uint32_t queue_count, uint32_t max, uint32_t lease_ms,
    uint32_t worker);
/* A ready job that was peeked is leased; due_ns 0: the lease has no deadline. */
void lease_begin(struct jobs_turn *t, struct job *job, uint32_t lease_ms, uint32_t worker, uint64_t due_ns);
/* The reply to a fetch of what was picked: struct jobs_leased each. */
size_t lease_reply_size(const struct jobs *s, uint32_t count);
void lease_reply_write(const struct jobs *s, uint32_t count, uint8_t *at);

/* ACK, FAIL, EXTEND, RETURN: the job a report means (JOBS_OK), or why not. */
enum jobs_reason lease_find(const struct jobs *s, const struct jobs_report_view *report, struct job **ret_job);
void lease_done(struct jobs_turn *t, struct job *job, struct weir_slice result);
void lease_fail(struct jobs_turn *t, struct job *job, const struct jobs_report_view *report);
void lease_extend(struct jobs_turn *t, struct job *job, const struct jobs_report_view *report);
void lease_return(struct jobs_turn *t, struct job *job);
/* Its deadline has come, or its worker is lost. */
void lease_lost(struct jobs_turn *t, struct job *job, const char *why);
/* Out of its worker's list, and out of what is counted as running: the job goes on to another state. */
void lease_end(struct jobs_turn *t, struct job *job);
#endif
