#include "jobs/worker.h"

#include "base/hash.h"
#include "jobs/lease.h"

static uint64_t hash_name(struct weir_slice name) {
    return hash_bytes(name.data, name.size, 0x776f726bu);
}
static struct weir_slice name_of(const struct jobs *s, uint32_t i) {
    return weir_slice(s->workers[i].name, s->workers[i].size);
}
uint64_t worker_hash(const void *state, uint32_t i) {
    return hash_name(name_of(state, i));
}

uint32_t worker_find(const struct jobs *s, struct weir_slice name) {
    const struct index *t = &s->by_worker;
    uint32_t i;
    for (uint32_t at = index_first(t, hash_name(name)); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at))
        if (weir_slice_equal(name_of(s, i), name)) return i;
    return JOBS_NONE;
}

uint32_t worker_find_or_make(struct jobs_turn *t, struct weir_slice name) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    uint32_t i = name.size ? worker_find(s, name) : JOBS_NONE;
    if (i != JOBS_NONE || name.size == 0) return i;
    i = h->workers_free;
    if (i != JOBS_NONE)
        h->workers_free = s->workers[i].next_free;
    else if (h->workers_used < s->sizes.workers)
        i = h->workers_used++;
    else
        return JOBS_NONE;
    struct jobs_worker *w = &s->workers[i];
    *w = (struct jobs_worker){
        .since_ns = t->now_ns, .leases = JOBS_NONE, .leases_last = JOBS_NONE, .is_used = 1, .size = (uint8_t)name.size};
    w->time.slot = WHEEL_OUT;
    memcpy(w->name, name.data, name.size);
    index_put(&s->by_worker, hash_name(name), i);
    h->worker_count++;
    return i;
}

void worker_let_go(struct jobs *s, uint32_t i) {
    struct jobs_worker *w = &s->workers[i];
    if (w->beats || w->lease_count || w->waiters || w->connections) return;
    index_erase(&s->by_worker, worker_hash(s, i), i);
    w->is_used = 0;
    w->next_free = s->head->workers_free;
    s->head->workers_free = i;
    s->head->worker_count--;
}

/* ---- leases, oldest first ---- */
void worker_lease(struct jobs *s, uint32_t worker, struct job *job) {
    struct jobs_worker *w = &s->workers[worker];
    uint32_t i = jobs_index_of(s, job);
    job->next = JOBS_NONE;
    job->previous = w->leases_last;
    if (job->previous == JOBS_NONE)
        w->leases = i;
    else
        s->jobs[job->previous].next = i;
    w->leases_last = i;
    w->lease_count++;
}

void worker_unlease(struct jobs *s, struct job *job) {
    struct jobs_worker *w = &s->workers[job->worker];
    if (job->previous == JOBS_NONE)
        w->leases = job->next;
    else
        s->jobs[job->previous].next = job->next;
    if (job->next == JOBS_NONE)
        w->leases_last = job->previous;
    else
        s->jobs[job->next].previous = job->previous;
    job->next = job->previous = JOBS_NONE;
    w->lease_count--;
    uint32_t worker = job->worker;
    job->worker = JOBS_NONE;
    worker_let_go(s, worker);
}

/* Up to JOBS_ENTRIES_MAX of them, as that is what a record may do. False: there are more. */
static bool release(struct jobs_turn *t, uint32_t i, const char *why, uint32_t *ret_count) {
    struct jobs *s = t->s;
    *ret_count = 0;
    while (s->workers[i].is_used && s->workers[i].lease_count) {
        if (*ret_count == JOBS_ENTRIES_MAX) return false;
        lease_lost(t, &s->jobs[s->workers[i].leases], why);
        ++*ret_count;
    }
    return true;
}

/* ---- beats ---- */
static void silence_at(struct jobs *s, uint32_t i, uint64_t at_ns) {
    struct wheel_items times = jobs_worker_times(s);
    wheel_remove(&times, i);
    if (at_ns) wheel_add(&times, i, at_ns);
}

/* True: all its leases have ended. */
static bool lose(struct jobs_turn *t, uint32_t i, const char *why, uint32_t *ret_count) {
    struct jobs *s = t->s;
    s->workers[i].beats = 1; /* kept until the last lease is released */
    if (!release(t, i, why, ret_count)) {
        silence_at(s, i, t->now_ns); /* the rest in another record, at once */
        return false;
    }
    silence_at(s, i, 0);
    s->workers[i].beats = 0;
    worker_let_go(s, i);
    return true;
}

static void order(struct jobs *s, uint8_t state, uint32_t i) {
    if (i != JOBS_NONE && state > s->workers[i].state) s->workers[i].state = state;
}

/* A connection that began or ended; of one from before a restart nothing is known. */
static void connection(struct jobs_turn *t, uint32_t i, uint8_t flags) {
    struct jobs *s = t->s;
    struct jobs_worker *w = &s->workers[i];
    if (flags & JOBS_BEAT_OPEN) {
        w->connections++;
        w->beats = 1;
        w->beat_ns = t->now_ns;
        silence_at(s, i, t->now_ns + s->in_force.worker_timeout_ns);
    } else if (w->connections && --w->connections == 0) {
        w->beats = 1;
        silence_at(s, i, t->now_ns + s->in_force.worker_grace_ns);
    }
}

void workers_restart(struct jobs_turn *t) {
    struct jobs *s = t->s;
    for (uint32_t i = 0; i < s->head->workers_used; i++) {
        struct jobs_worker *w = &s->workers[i];
        if (!w->is_used) continue;
        w->connections = 0;
        if (w->beats) silence_at(s, i, t->now_ns + s->in_force.worker_timeout_ns);
        worker_let_go(s, i);
    }
}

void worker_beat(struct jobs_turn *t, const struct jobs_beat *beat, struct weir_slice name) {
    struct jobs *s = t->s;
    struct jobs_beaten reply = {0};
    uint32_t i = name.size ? worker_find(s, name) : JOBS_NONE;
    if (beat->flags & JOBS_BEAT_ORDER) {
        for (uint32_t k = 0; name.size == 0 && k < s->head->workers_used; k++)
            if (s->workers[k].is_used) order(s, beat->state, k);
        order(s, beat->state, i);
    } else if (beat->flags & JOBS_BEAT_GONE) {
        if (i != JOBS_NONE) lose(t, i, "its worker has left", &reply.released);
        i = JOBS_NONE;
    } else if (!(beat->flags & JOBS_BEAT_SHUT)) {
        i = worker_find_or_make(t, name);
    }
    if (i != JOBS_NONE && beat->flags & (JOBS_BEAT_OPEN | JOBS_BEAT_SHUT)) {
        connection(t, i, beat->flags);
    } else if (i != JOBS_NONE && !(beat->flags & JOBS_BEAT_ORDER)) {
        struct jobs_worker *w = &s->workers[i];
        w->beats = 1;
        w->beat_ns = t->now_ns;
        w->rss_kb = beat->rss_kb;
        if (beat->state > w->state) w->state = beat->state;
        silence_at(s, i, t->now_ns + s->in_force.worker_timeout_ns);
    }
    if (i != JOBS_NONE) reply.state = s->workers[i].state;
    memcpy(weir_reply(t->out, 200, sizeof reply), &reply, sizeof reply);
}

bool workers_expire(struct jobs_turn *t) {
    struct jobs *s = t->s;
    struct wheel_items times = jobs_worker_times(s);
    bool more = false;
    uint32_t i = wheel_take(&times, t->now_ns, &more), released;
    if (i == WHEEL_NONE) return !more;
    /* One a record: what it held may be as much as a record may do. */
    lose(t, i, "its worker was silent too long", &released);
    return wheel_next_ns(&s->head->worker_times) > t->now_ns;
}
