#include "jobs/ready.h"

#include "base/hash.h"
#include "jobs/hook.h"
#include "jobs/waiter.h"

#define TURNS_MAX 64u /* flows that one look passes over */
#define AHEAD_MAX 32u /* jobs of a flow that is sent, as those of one type may have to wait */

/* ---- flows ---- */
static uint32_t side_of(const struct job *job) {
    return job->url_size ? JOBS_SIDE_OWN : JOBS_SIDE_QUEUE;
}
static uint64_t hash_of(uint32_t queue, uint32_t tenant, uint32_t priority, uint32_t destination) {
    return hash_u64((uint64_t)destination << 48 | (uint64_t)queue << 32 | tenant << 8 | priority, 0x666c6f77u);
}
static uint64_t hash_of_job(const struct job *job) {
    return hash_of(job->queue, job->tenant, job->priority, job->destination);
}
uint64_t ready_hash_flow(const void *state, uint32_t i) {
    const struct jobs_flow *f = &((const struct jobs *)state)->flows[i];
    return hash_of(f->queue, f->tenant, f->priority, f->destination);
}

static uint32_t flow_find(const struct jobs *s, const struct job *job) {
    const struct index *t = &s->by_flow;
    uint32_t i;
    uint64_t hash = hash_of_job(job);
    for (uint32_t at = index_first(t, hash); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at)) {
        const struct jobs_flow *f = &s->flows[i];
        if (f->queue == job->queue && f->tenant == job->tenant && f->priority == job->priority &&
            f->destination == job->destination)
            return i;
    }
    return JOBS_NONE;
}

static void flow_link(struct jobs *s, uint32_t i) {
    struct jobs_flow *f = &s->flows[i];
    struct jobs_flows *q = &s->queues[f->queue].sides[f->side];
    f->next = JOBS_NONE;
    f->previous = q->last[f->priority];
    if (f->previous == JOBS_NONE)
        q->first[f->priority] = i;
    else
        s->flows[f->previous].next = i;
    q->last[f->priority] = i;
    q->used |= 1u << f->priority;
}

static void flow_unlink(struct jobs *s, uint32_t i) {
    const struct jobs_flow *f = &s->flows[i];
    struct jobs_flows *q = &s->queues[f->queue].sides[f->side];
    if (f->previous == JOBS_NONE)
        q->first[f->priority] = f->next;
    else
        s->flows[f->previous].next = f->next;
    if (f->next == JOBS_NONE)
        q->last[f->priority] = f->previous;
    else
        s->flows[f->next].previous = f->previous;
    if (q->first[f->priority] == JOBS_NONE) q->used &= ~(1u << f->priority);
}

static uint32_t flow_make(struct jobs *s, const struct job *job) {
    struct jobs_head *h = s->head;
    uint32_t i = h->flows_free;
    if (i != JOBS_NONE)
        h->flows_free = s->flows[i].first;
    else
        i = h->flows_used++;
    WEIR_ASSERT(i < s->sizes.flows); /* a flow has a ready job, and there is a place for as many as there are jobs */
    s->flows[i] = (struct jobs_flow){.first = JOBS_NONE,
        .last = JOBS_NONE,
        .queue = job->queue,
        .tenant = job->tenant,
        .priority = job->priority,
        .side = (uint8_t)side_of(job),
        .destination = job->destination};
    index_put(&s->by_flow, hash_of_job(job), i);
    flow_link(s, i);
    return i;
}

static void flow_free(struct jobs *s, uint32_t i) {
    index_erase(&s->by_flow, ready_hash_flow(s, i), i);
    flow_unlink(s, i);
    s->flows[i].first = s->head->flows_free;
    s->head->flows_free = i;
}

/* ---- jobs ---- */
void ready_add(struct jobs *s, struct job *job, bool at_front) {
    uint32_t flow = flow_find(s, job), i = jobs_index_of(s, job);
    if (flow == JOBS_NONE) flow = flow_make(s, job);
    struct jobs_flow *f = &s->flows[flow];
    job->flow = flow;
    job->previous = at_front ? JOBS_NONE : f->last;
    job->next = at_front ? f->first : JOBS_NONE;
    if (job->previous == JOBS_NONE)
        f->first = i;
    else
        s->jobs[job->previous].next = i;
    if (job->next == JOBS_NONE)
        f->last = i;
    else
        s->jobs[job->next].previous = i;
    f->count++;
    waiters_wake(s, job->queue);
}

void ready_remove(struct jobs *s, struct job *job) {
    struct jobs_flow *f = &s->flows[job->flow];
    if (job->previous == JOBS_NONE)
        f->first = job->next;
    else
        s->jobs[job->previous].next = job->next;
    if (job->next == JOBS_NONE)
        f->last = job->previous;
    else
        s->jobs[job->next].previous = job->previous;
    job->next = job->previous = JOBS_NONE;
    if (--f->count == 0) flow_free(s, job->flow);
    job->flow = JOBS_NONE;
}

/* ---- limits: concurrency, and a rate as GCRA: full_ns runs ahead of time by what was taken ---- */
static bool may_start(const struct jobs_turn *t, const struct jobs_name *name) {
    const struct jobs_limit *l = &name->limit;
    if (l->concurrency && l->running >= l->concurrency) return false;
    if (!l->rate_per_s) return true;
    uint64_t burst = l->burst ? l->burst : l->rate_per_s, early_ns = (burst - 1) * (1000000000u / l->rate_per_s);
    if (l->full_ns <= t->now_ns + early_ns) return true;
    struct jobs_head *h = t->s->head;
    if (l->full_ns - early_ns < h->rate_ns) h->rate_ns = l->full_ns - early_ns;
    return false;
}

static void count_start(const struct jobs_turn *t, struct jobs_name *name) {
    struct jobs_limit *l = &name->limit;
    l->running++;
    if (!l->rate_per_s) return;
    if (l->full_ns < t->now_ns) l->full_ns = t->now_ns;
    l->full_ns += 1000000000u / l->rate_per_s;
}

static bool may_run(const struct jobs_turn *t, const struct job *job) {
    return may_start(t, &t->s->names[JOBS_NAME_TENANT][job->tenant]) &&
           may_start(t, &t->s->names[JOBS_NAME_TYPE][job->type]);
}

void ready_started(struct jobs_turn *t, const struct job *job) {
    count_start(t, &t->s->names[JOBS_NAME_QUEUE][job->queue]);
    count_start(t, &t->s->names[JOBS_NAME_TYPE][job->type]);
    count_start(t, &t->s->names[JOBS_NAME_TENANT][job->tenant]);
}

static bool count_end(struct jobs_name *name) {
    WEIR_ASSERT(name->limit.running > 0);
    return name->limit.running-- == name->limit.concurrency;
}

void ready_ended(struct jobs_turn *t, const struct job *job) {
    struct jobs *s = t->s;
    bool queue = count_end(&s->names[JOBS_NAME_QUEUE][job->queue]);
    bool type = count_end(&s->names[JOBS_NAME_TYPE][job->type]);
    bool tenant = count_end(&s->names[JOBS_NAME_TENANT][job->tenant]);
    if (type || tenant)
        waiters_wake_all(s); /* who was held back may be in any queue */
    else if (queue)
        waiters_wake(s, job->queue);
}

/* ---- whose turn ---- */
static uint32_t weight_of(const struct jobs *s, const struct jobs_flow *f) {
    uint16_t weight = s->names[JOBS_NAME_TENANT][f->tenant].weight;
    return weight ? weight : 1;
}

/* The first job of a flow that may run; of one that is sent, among its first AHEAD_MAX. */
static struct job *look_into(struct jobs_turn *t, const struct jobs_flow *flow, bool to_send) {
    struct jobs *s = t->s;
    uint32_t ahead = 0;
    for (uint32_t i = flow->first; i != JOBS_NONE && ahead < AHEAD_MAX; i = s->jobs[i].next, ahead++) {
        struct job *job = &s->jobs[i];
        if (may_run(t, job) && (!to_send || hook_may_start(t, job))) return job;
        if (!to_send) return NULL;
    }
    return NULL;
}

static struct job *look_at(
    struct jobs_turn *t, const struct jobs_flows *q, uint32_t priority, bool to_send, uint32_t *turns) {
    struct jobs *s = t->s;
    uint32_t first = q->first[priority], i = first;
    if (first == JOBS_NONE) return NULL;
    do {
        struct job *job = look_into(t, &s->flows[i], to_send);
        if (job) return job;
        uint32_t next = s->flows[i].next; /* it keeps its place: a later look begins behind what it may pass */
        if (next == JOBS_NONE || ++*turns == TURNS_MAX) break;
        flow_unlink(s, i);
        flow_link(s, i);
        i = q->first[priority];
    } while (i != first);
    return NULL;
}

struct job *ready_peek(struct jobs_turn *t, uint32_t queue, bool to_send) {
    struct jobs *s = t->s;
    const struct jobs_queue *q = &s->queues[queue];
    bool is_sent = q->destination != JOBS_NO_DESTINATION;
    uint32_t of_queue = is_sent == to_send ? q->sides[JOBS_SIDE_QUEUE].used : 0;
    uint32_t of_own = to_send ? q->sides[JOBS_SIDE_OWN].used : 0, turns = 0;
    if (q->paused || !(of_queue | of_own) || !may_start(t, &s->names[JOBS_NAME_QUEUE][queue])) return NULL;
    for (uint32_t left = of_queue | of_own; left;) {
        uint32_t priority = 31 - (uint32_t)__builtin_clz(left), bit = 1u << priority;
        struct job *job = of_queue & bit ? look_at(t, &q->sides[JOBS_SIDE_QUEUE], priority, to_send, &turns) : NULL;
        if (!job && of_own & bit) job = look_at(t, &q->sides[JOBS_SIDE_OWN], priority, to_send, &turns);
        if (job) return job;
        left &= ~bit;
    }
    return NULL;
}

void ready_take(struct jobs *s, struct job *job) {
    uint32_t i = job->flow;
    struct jobs_flow *f = &s->flows[i];
    if (f->credit == 0) f->credit = weight_of(s, f);
    bool last = f->count == 1;
    if (--f->credit == 0 && !last && f->next != JOBS_NONE) {
        flow_unlink(s, i);
        flow_link(s, i);
    }
    ready_remove(s, job);
}

uint64_t ready_oldest_ns(const struct jobs *s, uint32_t queue) {
    uint64_t oldest_ns = UINT64_MAX;
    for (uint32_t side = 0; side < JOBS_SIDES; side++) {
        const struct jobs_flows *q = &s->queues[queue].sides[side];
        for (uint32_t left = q->used; left; left &= left - 1)
            for (uint32_t f = q->first[__builtin_ctz(left)]; f != JOBS_NONE; f = s->flows[f].next)
                if (s->jobs[s->flows[f].first].since_ns < oldest_ns) oldest_ns = s->jobs[s->flows[f].first].since_ns;
    }
    return oldest_ns == UINT64_MAX ? 0 : oldest_ns;
}
