/* jobs/job.h: a job's place, its bytes, and its changes of state. Where a job stands in a list is its state's matter
 * (ready.h, lease.h, dead.h); every change goes through job_move, which keeps counts and digest.
 */
#ifndef WEIR_JOBS_JOB_H
#define WEIR_JOBS_JOB_H
#include "jobs/state.h"

/* JOBS_NONE: there is none. */
uint32_t job_find(const struct jobs *s, uint64_t id);
uint32_t job_find_jid(const struct jobs *s, struct weir_slice jid);
/* By its client's own id; or by ours as text, which is what a job without one is called outside. */
uint32_t job_find_name(const struct jobs *s, struct weir_slice name);
/* Takes a place and the bytes; the job is in no state yet (JOBS_FREE). Reason: JOBS_OK, or why not. */
enum jobs_reason job_make(struct jobs_turn *t, const struct jobs_new_view *view, struct job **ret_job);
/* Gives place and bytes back; it stands in no list and the digest does not have it (job_move to an end did that). */
void job_free(struct jobs *s, struct job *job);

/* The state changes: out of counts, digest and wheel of the old one, into those of the new one. due_ns 0: not due. */
void job_move(struct jobs_turn *t, struct job *job, enum jobs_state state, uint64_t due_ns);
/* For changes within a state: what the digest has of it is taken out, then put in. */
void job_unsum(struct jobs *s, const struct job *job);
void job_sum(struct jobs *s, const struct job *job);

struct weir_slice job_jid(const struct jobs *s, const struct job *job);
struct weir_slice job_unique(const struct jobs *s, const struct job *job);
struct weir_slice job_tags(const struct jobs *s, const struct job *job);
/* Into memory of payload_size (then_size, url_size) bytes. */
void job_payload(const struct jobs *s, const struct job *job, void *ret);
void job_then(const struct jobs *s, const struct job *job, void *ret);
void job_url(const struct jobs *s, const struct job *job, void *ret);

/* A failed attempt is kept with the job. Without room for it the job goes on without it. */
struct jobs_event_more;
void job_note_attempt(struct jobs_turn *t, struct job *job, const struct jobs_event_more *more);

uint64_t job_hash_id(const void *state, uint32_t i);
uint64_t job_hash_jid(const void *state, uint32_t i);
#endif
