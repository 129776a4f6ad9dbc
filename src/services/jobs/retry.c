#include "jobs/retry.h"

#include "base/hash.h"
#include "jobs/dead.h"
#include "jobs/job.h"
#include "jobs/lease.h"

#define NANOS_PER_S 1000000000u

static uint64_t chance(const struct job *job, uint64_t below) {
    uint64_t random = hash_u64(job->id, job->attempt + 1u);
    return below ? (uint64_t)(((unsigned __int128)random * below) >> 64) : 0;
}

uint64_t retry_pause_ns(const struct job *job) {
    uint64_t base = (uint64_t)job->backoff_ms * WHEEL_TICK_NS, max = (uint64_t)job->backoff_max_ms * WHEEL_TICK_NS;
    uint64_t n = job->attempt ? job->attempt - 1u : 0; /* retries before this one */
    if (job->backoff == JOBS_BACKOFF_FIXED) return base;
    if (job->backoff == JOBS_BACKOFF_FAKTORY) /* its server: count^4 + 15 + rand(30) * (count + 1) seconds */
        return (n * n * n * n + 15) * NANOS_PER_S + chance(job, 30) * (n + 1) * NANOS_PER_S;
    uint64_t span = n < 40 && base << n >> n == base ? base << n : max;
    return chance(job, (span < max ? span : max) + 1);
}

void retry_or_end(struct jobs_turn *t, struct job *job, enum jobs_transition what, const struct jobs_event_more *more,
    uint64_t span_ns, bool is_last) {
    struct jobs *s = t->s;
    job_note_attempt(t, job, more);
    lease_end(t, job);
    s->names[JOBS_NAME_QUEUE][job->queue].failed++;
    if (!is_last && job->attempt < job->attempts_max) {
        uint64_t pause_ns = span_ns ? span_ns : what == JOBS_TIMED_OUT ? 0 : retry_pause_ns(job);
        s->head->retried++;
        if (pause_ns)
            job_move(t, job, JOBS_RETRY, t->now_ns + pause_ns);
        else
            job_ready(t, job, false);
        event_put(t, job, what, more);
        return;
    }
    dead_add(t, job);
    event_put(t, job, what, more);
    if (job->flags & JOB_NO_DEAD) dead_drop(t, job);
}
