#include "jobs/dead.h"

#include "jobs/batch.h"
#include "jobs/job.h"
#include "jobs/lease.h"
#include "jobs/push.h"
#include "jobs/ready.h"
#include "jobs/unique.h"

void job_ready(struct jobs_turn *t, struct job *job, bool at_front) {
    job->worker = JOBS_NONE;
    job_move(t, job, JOBS_READY, job->expires_ns);
    ready_add(t->s, job, at_front);
}

void job_unlist(struct jobs_turn *t, struct job *job) {
    if (job->state == JOBS_READY) ready_remove(t->s, job);
    if (job->state == JOBS_RUNNING) lease_end(t, job);
    if (job->state == JOBS_DEAD) dead_remove(t->s, job);
}

void job_end(struct jobs_turn *t, struct job *job, enum jobs_state state, const struct jobs_event_more *more) {
    struct jobs *s = t->s;
    if (job->unique != JOBS_NONE) unique_end(s, job);
    job_move(t, job, state, 0);
    s->head->cancelled += state == JOBS_CANCELLED;
    s->head->expired += state == JOBS_EXPIRED;
    event_put(t, job, JOBS_ENDED, more);
    if (job->batch != JOBS_NONE) batch_ended(s, job->batch, state == JOBS_DONE);
    uint32_t then_size = state == JOBS_DONE ? job->then_size : 0;
    if (then_size) job_then(s, job, s->then);
    job_free(s, job);
    if (then_size) push_then(t, then_size);
}

/* ---- the dead: a list, oldest first ---- */
void dead_add(struct jobs_turn *t, struct job *job) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    uint32_t i = jobs_index_of(s, job);
    if (job->unique != JOBS_NONE) unique_end(s, job);
    if (h->states[JOBS_DEAD] >= s->in_force.dead_max && h->dead_first != JOBS_NONE)
        dead_drop(t, &s->jobs[h->dead_first]);
    if (job->batch != JOBS_NONE) batch_ended(s, job->batch, false);
    job->worker = JOBS_NONE;
    job_move(t, job, JOBS_DEAD, s->in_force.dead_age_ns ? t->now_ns + s->in_force.dead_age_ns : 0);
    job->next = JOBS_NONE;
    job->previous = h->dead_last;
    if (job->previous == JOBS_NONE)
        h->dead_first = i;
    else
        s->jobs[job->previous].next = i;
    h->dead_last = i;
    h->dead++;
    s->names[JOBS_NAME_QUEUE][job->queue].dead++;
}

void dead_remove(struct jobs *s, struct job *job) {
    struct jobs_head *h = s->head;
    if (job->previous == JOBS_NONE)
        h->dead_first = job->next;
    else
        s->jobs[job->previous].next = job->next;
    if (job->next == JOBS_NONE)
        h->dead_last = job->previous;
    else
        s->jobs[job->next].previous = job->previous;
    job->next = job->previous = JOBS_NONE;
}

void dead_drop(struct jobs_turn *t, struct job *job) {
    dead_remove(t->s, job);
    t->s->head->dropped++;
    event_put(t, job, JOBS_DROPPED, NULL);
    job_move(t, job, JOBS_FREE, 0);
    job_free(t->s, job);
}
