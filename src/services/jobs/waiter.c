#include "jobs/waiter.h"

#include "jobs/hook.h"
#include "jobs/lease.h"
#include "jobs/ready.h"
#include "jobs/worker.h"

/* ---- lists ---- */
static struct jobs_node *node_at(const struct jobs *s, uint32_t node) {
    return &s->waiters[node / JOBS_QUEUES_MAX].nodes[node % JOBS_QUEUES_MAX];
}

static void link_node(struct jobs *s, uint32_t queue, uint32_t node) {
    struct jobs_queue *q = &s->queues[queue];
    struct jobs_node *n = node_at(s, node);
    n->next = JOBS_NONE;
    n->previous = q->waiters_last;
    if (n->previous == JOBS_NONE)
        q->waiters = node;
    else
        node_at(s, n->previous)->next = node;
    q->waiters_last = node;
}

static void unlink_node(struct jobs *s, uint32_t queue, uint32_t node) {
    struct jobs_queue *q = &s->queues[queue];
    const struct jobs_node *n = node_at(s, node);
    if (n->previous == JOBS_NONE)
        q->waiters = n->next;
    else
        node_at(s, n->previous)->next = n->next;
    if (n->next == JOBS_NONE)
        q->waiters_last = n->previous;
    else
        node_at(s, n->next)->previous = n->previous;
}

bool waiter_add(struct jobs_turn *t, const struct jobs_fetch *fetch, const uint16_t *queues, uint32_t worker) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    uint32_t i = h->waiters_free;
    if (i != JOBS_NONE)
        h->waiters_free = s->waiters[i].max;
    else if (h->waiters_used < s->sizes.waiters)
        i = h->waiters_used++;
    else
        return false;
    struct jobs_waiter *w = &s->waiters[i];
    *w = (struct jobs_waiter){.max = fetch->max, .lease_ms = fetch->lease_ms, .worker = worker};
    w->ticket = weir_reply_later(t->out);
    w->time.slot = WHEEL_OUT;
    w->queue_count = fetch->queue_count;
    for (uint32_t k = 0; k < w->queue_count; k++) {
        w->queues[k] = queues[k];
        link_node(s, queues[k], i * JOBS_QUEUES_MAX + k);
    }
    if (worker != JOBS_NONE) s->workers[worker].waiters++;
    struct wheel_items times = jobs_waiter_times(s);
    wheel_add(&times, i, t->now_ns + (uint64_t)fetch->wait_ms * WHEEL_TICK_NS);
    h->waiter_count++;
    return true;
}

static void waiter_free(struct jobs_turn *t, uint32_t i) {
    struct jobs *s = t->s;
    struct jobs_waiter *w = &s->waiters[i];
    struct wheel_items times = jobs_waiter_times(s);
    wheel_remove(&times, i);
    for (uint32_t k = 0; k < w->queue_count; k++)
        unlink_node(s, w->queues[k], i * JOBS_QUEUES_MAX + k);
    if (w->worker != JOBS_NONE) {
        s->workers[w->worker].waiters--;
        worker_let_go(s, w->worker);
    }
    w->ticket = 0;
    w->max = s->head->waiters_free;
    s->head->waiters_free = i;
    s->head->waiter_count--;
}

/* ---- serving ---- */
void waiters_wake(struct jobs *s, uint32_t queue) {
    struct jobs_queue *q = &s->queues[queue];
    hooks_wake(s, queue);
    if (q->is_dirty || q->waiters == JOBS_NONE) return;
    q->is_dirty = 1;
    q->dirty_next = s->head->dirty_first;
    s->head->dirty_first = queue;
}

void waiters_wake_all(struct jobs *s) {
    if (s->head->waiter_count == 0 && s->head->names_used[JOBS_NAME_DESTINATION] == 0) return;
    for (uint32_t i = 0; i < s->head->names_used[JOBS_NAME_QUEUE]; i++)
        if (s->queues[i].sides[JOBS_SIDE_QUEUE].used || s->queues[i].sides[JOBS_SIDE_OWN].used) waiters_wake(s, i);
}

/* The oldest waiter of the queue gets what there is for it. False: nothing was to be had, or nothing more may be. */
static bool serve_one(struct jobs_turn *t, uint32_t queue) {
    struct jobs *s = t->s;
    uint32_t i = s->queues[queue].waiters / JOBS_QUEUES_MAX;
    const struct jobs_waiter *w = &s->waiters[i];
    uint32_t count = lease_pick(t, w->queues, w->queue_count, w->max, w->lease_ms, w->worker);
    if (count == 0) return false;
    uint64_t ticket = w->ticket;
    waiter_free(t, i);
    size_t size = lease_reply_size(s, count);
    lease_reply_write(s, count, weir_reply_to(t->out, ticket, 200, size));
    t->replies_left--;
    return true;
}

bool waiters_serve(struct jobs_turn *t) {
    struct jobs *s = t->s;
    while (s->head->dirty_first != JOBS_NONE) {
        uint32_t queue = s->head->dirty_first;
        struct jobs_queue *q = &s->queues[queue];
        bool more = true;
        while (more && q->waiters != JOBS_NONE) {
            if (t->replies_left == 0 || t->leases_left == 0) return false;
            more = serve_one(t, queue);
            if (!more && t->is_full) return false;
        }
        s->head->dirty_first = q->dirty_next;
        q->is_dirty = 0;
        q->dirty_next = JOBS_NONE;
    }
    return true;
}

bool waiters_expire(struct jobs_turn *t) {
    struct wheel_items times = jobs_waiter_times(t->s);
    bool more = false;
    while (t->replies_left > 0) {
        uint32_t i = wheel_take(&times, t->now_ns, &more);
        if (i == WHEEL_NONE) return !more;
        uint64_t ticket = t->s->waiters[i].ticket;
        waiter_free(t, i);
        lease_reply_write(t->s, 0, weir_reply_to(t->out, ticket, 200, lease_reply_size(t->s, 0)));
        t->replies_left--;
    }
    return false;
}

void waiters_forget(struct jobs_turn *t) {
    struct jobs *s = t->s;
    for (uint32_t i = 0; i < s->head->waiters_used; i++)
        if (s->waiters[i].ticket) waiter_free(t, i);
}
