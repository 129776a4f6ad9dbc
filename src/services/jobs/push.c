#include "jobs/push.h"

#include "jobs/batch.h"
#include "jobs/dead.h"
#include "jobs/event.h"
#include "jobs/job.h"
#include "jobs/unique.h"

static uint64_t start_ns(const struct jobs_turn *t, const struct jobs_new *n) {
    uint64_t at_ns = n->delay_ns ? t->now_ns + n->delay_ns : n->run_at_ns;
    return at_ns > t->now_ns ? at_ns : 0;
}

static void settle(struct jobs_turn *t, struct job *job, const struct jobs_new *n) {
    uint64_t at_ns = start_ns(t, n);
    if (at_ns)
        job_move(t, job, JOBS_SCHEDULED, job->expires_ns && job->expires_ns < at_ns ? job->expires_ns : at_ns);
    else
        job_ready(t, job, n->flags & JOBS_NEW_AT_FRONT);
    event_put(t, job, JOBS_PUSHED, NULL);
}

struct jobs_pushed push_one(struct jobs_turn *t, const struct jobs_new_view *v) {
    struct jobs *s = t->s;
    struct jobs_pushed pushed = {0};
    uint32_t there = v->jid.size ? job_find_jid(s, v->jid) : JOBS_NONE;
    if (there != JOBS_NONE) {
        pushed.id = s->jobs[there].id;
        pushed.reason = JOBS_E_DUPLICATE;
        return pushed;
    }
    uint32_t holder = v->unique.size ? unique_find(s, v->unique) : JOBS_NONE;
    if (holder != JOBS_NONE) {
        pushed.id = s->uniques[holder].job;
        pushed.reason = JOBS_E_NOT_UNIQUE;
        return pushed;
    }
    uint32_t batch = JOBS_NONE;
    pushed.reason = v->head.batch ? batch_find_taking(s, v->head.batch, &batch) : JOBS_OK;
    if (pushed.reason != JOBS_OK) return pushed;
    struct job *job;
    pushed.reason = job_make(t, v, &job);
    if (pushed.reason != JOBS_OK) return pushed;
    pushed.id = job->id;
    if (v->unique.size && !unique_hold(t, job, v->unique, v->head.unique_for_ns)) {
        s->head->pushed--;
        job_free(s, job);
        pushed = (struct jobs_pushed){.reason = JOBS_E_NAMES_FULL};
        return pushed;
    }
    if (batch != JOBS_NONE) batch_add(s, job, batch);
    settle(t, job, &v->head);
    return pushed;
}

void push_then(struct jobs_turn *t, size_t size) {
    struct jobs_new_view view;
    struct weir_slice value = weir_slice(t->s->then, size);
    t->follows = true;
    for (size_t at = 0; at < size;) {
        if (!jobs_new_next(value, &at, &view)) break; /* push_count() looked at them when they came */
        struct jobs_pushed pushed = push_one(t, &view);
        bool lost = pushed.reason != JOBS_OK && pushed.reason != JOBS_E_NOT_UNIQUE && pushed.reason != JOBS_E_DUPLICATE;
        t->s->head->followers_refused += lost;
    }
    t->follows = false;
}

static uint32_t count_new(struct weir_slice value, uint32_t max, uint32_t depth) {
    struct jobs_new_view view;
    uint32_t count = 0;
    for (size_t at = 0; at < value.size; count++) {
        if (count == max || !jobs_new_next(value, &at, &view)) return 0;
        if (view.then.size && (depth == 0 || count_new(view.then, JOBS_THEN_MAX, depth - 1) == 0)) return 0;
    }
    return count;
}

uint32_t push_count(struct weir_slice value) {
    return count_new(value, JOBS_ENTRIES_MAX, 16);
}
