/* Lists of the state: jobs, queues, workers. */
#include "jobs/names.h"
#include "jobs/operate.h"
#include "jobs/ready.h"
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u
#define PAGE         100u
#define PAGE_MAX     500u
#define LOOKS_MAX    200000u /* jobs that one question looks at */

static enum weir_error check_partition(const struct weir_request *request, uint32_t partition, uint32_t *ret) {
    if (partition >= request->partition_count)
        return weir_error_context(WEIR_E_INVALID, "partition: jobs has %u", request->partition_count);
    *ret = partition;
    return WEIR_OK;
}

enum weir_error jobs_partition_of_list(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Jobs__ListJobs *m = request->message;
    if (m->queue[0] && m->partition == 0) {
        *ret_partition = jobs_route_partition(weir_slice_text(m->queue), request->partition_count);
        return WEIR_OK;
    }
    return check_partition(request, m->partition, ret_partition);
}

enum weir_error jobs_partition_asked(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Jobs__PartitionRef *m = request->message;
    return check_partition(request, m->partition, ret_partition);
}

enum weir_error jobs_query_list(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    const Weir__Jobs__ListJobs *asked = request->message;
    if ((unsigned)asked->state > JOBS_HELD)
        return weir_error_context(WEIR_E_INVALID, "state: a job that is DONE, CANCELLED or EXPIRED is in the audit");
    struct jobs_filter filter = {.state = (uint8_t)asked->state,
        .queue = weir_slice_text(asked->queue),
        .type = weir_slice_text(asked->type),
        .tenant = weir_slice_text(asked->tenant),
        .text = weir_slice_text(asked->text)};
    uint32_t limit = asked->limit ? asked->limit : PAGE;
    if (limit > PAGE_MAX) return weir_error_context(WEIR_E_INVALID, "limit: at most %u", PAGE_MAX);
    Weir__Jobs__JobView *views = weir_scratch(request, limit * sizeof *views);
    Weir__Jobs__JobView **list = weir_scratch(request, limit * sizeof *list);
    if (!views || !list) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    Weir__Jobs__JobList m = WEIR__JOBS__JOB_LIST__INIT;
    uint64_t at = asked->after, end = s->head->jobs_used;
    for (uint32_t looks = 0; at < end && looks < LOOKS_MAX && m.n_jobs < limit; at++, looks++) {
        if (!operate_matches(s, &s->jobs[at], &filter)) continue;
        jobs_route_view(s, request, &s->jobs[at], &views[m.n_jobs]);
        list[m.n_jobs] = &views[m.n_jobs];
        m.n_jobs++;
    }
    m.jobs = list;
    m.next = at < end ? at : 0;
    return jobs_route_answer(answer, &m.base);
}

/* ---- queues ---- */
static uint32_t count_waiters(const struct jobs *s, const struct jobs_queue *q) {
    uint32_t count = 0;
    for (uint32_t n = q->waiters; n != JOBS_NONE; count++)
        n = s->waiters[n / JOBS_QUEUES_MAX].nodes[n % JOBS_QUEUES_MAX].next;
    return count;
}

void jobs_route_queue(const struct jobs *s, const struct weir_request *request, uint32_t i, Weir__Jobs__QueueView *m) {
    const struct jobs_queue *q = &s->queues[i];
    const struct jobs_name *name = &s->names[JOBS_NAME_QUEUE][i];
    weir__jobs__queue_view__init(m);
    m->queue = jobs_route_string(request, names_text(s, JOBS_NAME_QUEUE, i));
    m->paused = q->paused;
    m->scheduled = q->states[JOBS_SCHEDULED];
    m->ready = q->states[JOBS_READY];
    m->running = q->states[JOBS_RUNNING];
    m->retry = q->states[JOBS_RETRY];
    m->dead = q->states[JOBS_DEAD];
    m->pushed = name->pushed;
    m->done = name->done;
    m->failed = name->failed;
    m->died = name->dead;
    m->oldest_ready_ms = ready_oldest_ns(s, i) / NANOS_PER_MS;
    m->waiters = count_waiters(s, q);
    m->concurrency = name->limit.concurrency;
    m->rate_per_s = name->limit.rate_per_s;
    char *url = q->url_size ? weir_scratch(request, q->url_size + 1u) : NULL;
    if (!url) return;
    blob_read(&s->blob, q->url, 0, url, q->url_size);
    url[q->url_size] = 0;
    m->url = url;
}

enum weir_error jobs_query_queues(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    uint32_t count = s->head->names_used[JOBS_NAME_QUEUE];
    Weir__Jobs__QueueView *views = weir_scratch(request, count * sizeof *views + 1);
    Weir__Jobs__QueueView **list = weir_scratch(request, count * sizeof *list + 1);
    if (!views || !list) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    Weir__Jobs__QueueList m = WEIR__JOBS__QUEUE_LIST__INIT;
    for (uint32_t i = 0; i < count; i++) {
        jobs_route_queue(s, request, i, &views[i]);
        list[i] = &views[i];
    }
    m.n_queues = count;
    m.queues = list;
    return jobs_route_answer(answer, &m.base);
}

/* ---- workers ---- */
#define WORKERS_MAX 2000u /* of one answer */

void jobs_route_worker(const struct weir_request *request, const struct jobs_worker *w, Weir__Jobs__WorkerView *m) {
    weir__jobs__worker_view__init(m);
    m->worker = jobs_route_string(request, weir_slice(w->name, w->size));
    m->state = (Weir__Jobs__WorkerState)w->state;
    m->beats = w->beats;
    m->leases = w->lease_count;
    m->waiting = w->waiters;
    m->since_ms = w->since_ns / NANOS_PER_MS;
    m->beat_ms = w->beat_ns / NANOS_PER_MS;
    m->rss_kb = w->rss_kb;
}

enum weir_error jobs_query_workers(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    uint32_t most = s->head->worker_count < WORKERS_MAX ? s->head->worker_count : WORKERS_MAX;
    Weir__Jobs__WorkerView *views = weir_scratch(request, most * sizeof *views + 1);
    Weir__Jobs__WorkerView **list = weir_scratch(request, most * sizeof *list + 1);
    if (!views || !list) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    Weir__Jobs__WorkerList m = WEIR__JOBS__WORKER_LIST__INIT;
    for (uint32_t i = 0; i < s->head->workers_used && m.n_workers < most; i++) {
        const struct jobs_worker *w = &s->workers[i];
        if (!w->is_used) continue;
        list[m.n_workers] = &views[m.n_workers];
        jobs_route_worker(request, w, list[m.n_workers++]);
    }
    m.workers = list;
    return jobs_route_answer(answer, &m.base);
}

void jobs_route_stats(const struct jobs *s, Weir__Jobs__Stats *m) {
    const struct jobs_head *h = s->head;
    weir__jobs__stats__init(m);
    m->scheduled = h->states[JOBS_SCHEDULED];
    m->ready = h->states[JOBS_READY];
    m->running = h->states[JOBS_RUNNING];
    m->retry = h->states[JOBS_RETRY];
    m->dead = h->states[JOBS_DEAD];
    m->pushed = h->pushed;
    m->done = h->done;
    m->failed = h->failed;
    m->died = h->dead;
    m->cancelled = h->cancelled;
    m->expired = h->expired;
    m->timed_out = h->timed_out;
    m->retried = h->retried;
    m->dropped = h->dropped;
    m->stale = h->stale;
    m->workers = h->worker_count;
    m->waiters = h->waiter_count;
    m->bytes_per_job = jobs_bytes_per_job(s);
}

enum weir_error jobs_query_stats(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    Weir__Jobs__Stats m;
    (void)request;
    jobs_route_stats(state, &m);
    return jobs_route_answer(answer, &m.base);
}
