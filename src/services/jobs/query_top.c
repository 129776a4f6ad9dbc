/* What a glance at a partition shows: its counts, its busiest queues and workers. */
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

#define SHOWN_MAX 20u

/* The SHOWN_MAX rows with most to show, the most first; rows without any are none. */
struct top {
    uint32_t rows[SHOWN_MAX];
    uint64_t weights[SHOWN_MAX];
    uint32_t count, all;
};
static void look(struct top *top, uint32_t row, uint64_t weight) {
    if (weight == 0) return;
    top->all++;
    if (top->count == SHOWN_MAX && top->weights[SHOWN_MAX - 1] >= weight) return;
    uint32_t at = top->count < SHOWN_MAX ? top->count++ : SHOWN_MAX - 1;
    for (; at > 0 && top->weights[at - 1] < weight; at--) {
        top->rows[at] = top->rows[at - 1];
        top->weights[at] = top->weights[at - 1];
    }
    top->rows[at] = row;
    top->weights[at] = weight;
}

static struct top busiest_queues(const struct jobs *s) {
    struct top top = {0};
    for (uint32_t i = 0; i < s->head->names_used[JOBS_NAME_QUEUE]; i++) {
        const uint32_t *states = s->queues[i].states;
        uint64_t living =
            (uint64_t)states[JOBS_READY] + states[JOBS_RUNNING] + states[JOBS_RETRY] + states[JOBS_SCHEDULED];
        if (s->names[JOBS_NAME_QUEUE][i].size) look(&top, i, living + (s->queues[i].paused || states[JOBS_DEAD]));
    }
    return top;
}

static struct top busiest_workers(const struct jobs *s) {
    struct top top = {0};
    for (uint32_t i = 0; i < s->head->workers_used; i++)
        if (s->workers[i].is_used) look(&top, i, s->workers[i].lease_count + 1u);
    return top;
}

enum weir_error jobs_query_top(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    struct top queues = busiest_queues(s), workers = busiest_workers(s);
    Weir__Jobs__Stats stats;
    Weir__Jobs__QueueView queue_views[SHOWN_MAX], *queue_list[SHOWN_MAX];
    Weir__Jobs__WorkerView worker_views[SHOWN_MAX], *worker_list[SHOWN_MAX];
    Weir__Jobs__Top m = WEIR__JOBS__TOP__INIT;
    jobs_route_stats(s, &stats);
    for (uint32_t i = 0; i < queues.count; i++) {
        jobs_route_queue(s, request, queues.rows[i], &queue_views[i]);
        queue_list[i] = &queue_views[i];
    }
    for (uint32_t i = 0; i < workers.count; i++) {
        jobs_route_worker(request, &s->workers[workers.rows[i]], &worker_views[i]);
        worker_list[i] = &worker_views[i];
    }
    m.stats = &stats;
    m.n_queues = queues.count;
    m.queues = queue_list;
    m.queues_all = queues.all;
    m.n_workers = workers.count;
    m.workers = worker_list;
    m.workers_all = workers.all;
    return jobs_route_answer(answer, &m.base);
}
