/* A snapshot: the used part of every table as it lies in memory, behind a head that says how much and of which layout.
 */
#include "jobs/batch.h"
#include "jobs/state.h"

#define LAYOUT 1u /* raised when a saved struct changes */

struct saved_head {
    uint32_t layout, job_size, jobs_used, flows_used, waiters_used, workers_used, uniques_used;
    uint32_t names_used[JOBS_NAME_KINDS];
    uint32_t blob_pages, schedules_used;
    uint32_t batches_used;
};

/* Every table with its used part, in the order in which they are saved. */
struct table {
    void *rows;
    size_t row_size, used, capacity;
};
#define TABLES 18u
static void list_tables(const struct jobs *s, const struct saved_head *saved, struct table tables[TABLES]) {
    const struct jobs_sizes *z = &s->sizes;
    const uint32_t names[JOBS_NAME_KINDS] = {z->queues, z->types, z->tenants, z->destinations};
    uint32_t destinations = saved->names_used[JOBS_NAME_DESTINATION];
    struct table list[TABLES] = {
        {s->head, sizeof *s->head, 1, 1},
        {s->jobs, sizeof *s->jobs, saved->jobs_used, z->jobs},
        {s->flows, sizeof *s->flows, saved->flows_used, z->flows},
        {s->waiters, sizeof *s->waiters, saved->waiters_used, z->waiters},
        {s->workers, sizeof *s->workers, saved->workers_used, z->workers},
        {s->uniques, sizeof *s->uniques, saved->uniques_used, z->uniques},
        {s->queues, sizeof *s->queues, saved->names_used[JOBS_NAME_QUEUE], z->queues},
        {NULL, 0, 0, 0},
        {NULL, 0, 0, 0},
        {NULL, 0, 0, 0},
        {NULL, 0, 0, 0},
        {s->schedules, sizeof *s->schedules, saved->schedules_used, z->schedules},
        {s->blob.head, sizeof *s->blob.head, 1, 1},
        {s->blob.pages, sizeof *s->blob.pages, saved->blob_pages, s->blob.page_count},
        {s->gates, sizeof *s->gates, destinations, z->destinations},
        {s->calls, sizeof *s->calls, destinations ? JOBS_CALLS_MAX : 0, JOBS_CALLS_MAX},
        {s->type_gates, weir_gates_bytes(JOBS_TYPE_GATES), destinations > 0, 1},
        {s->batches, sizeof *s->batches, saved->batches_used, z->batches},
    };
    for (uint32_t k = 0; k < JOBS_NAME_KINDS; k++)
        list[7 + k] = (struct table){s->names[k], sizeof *s->names[k], saved->names_used[k], names[k]};
    memcpy(tables, list, sizeof list);
}

enum weir_error jobs_save(const void *state, struct weir_sink *sink) {
    const struct jobs *s = state;
    const struct jobs_head *h = s->head;
    struct saved_head saved = {.layout = LAYOUT,
        .job_size = sizeof(struct job),
        .jobs_used = h->jobs_used,
        .flows_used = h->flows_used,
        .waiters_used = h->waiters_used,
        .workers_used = h->workers_used,
        .uniques_used = h->uniques_used,
        .schedules_used = h->schedules_used,
        .batches_used = h->batches_used,
        .blob_pages = s->blob.head->pages_used};
    memcpy(saved.names_used, h->names_used, sizeof saved.names_used);
    struct table tables[TABLES];
    list_tables(s, &saved, tables);
    enum weir_error e = weir_sink_put(sink, &saved, sizeof saved);
    for (uint32_t i = 0; !e && i < TABLES; i++)
        if (tables[i].used) e = weir_sink_put(sink, tables[i].rows, tables[i].used * tables[i].row_size);
    for (uint32_t page = 0; !e && page < saved.blob_pages; page++)
        e = weir_sink_put(sink, s->blob.memory + (size_t)page * BLOB_PAGE_BYTES, BLOB_PAGE_BYTES);
    return e;
}

/* ---- loading: what the head says fits, and no link leads out of its table ---- */
static bool in(uint32_t link, uint32_t used) {
    return link == JOBS_NONE || link < used;
}

static bool job_is_whole(const struct jobs *s, const struct job *job) {
    const struct jobs_head *h = s->head;
    uint32_t used = h->jobs_used;
    if (!in(job->next, used)) return false;
    if (job->id == 0) return true;
    size_t names = (size_t)job->jid_size + job->unique_size + job->tags_size;
    bool blob = names == 0 || blob_is_block(&s->blob, job->bytes, names);
    return blob && in(job->previous, used) && in(job->time.next, used) && in(job->time.previous, used) &&
           in(job->flow, h->flows_used) && in(job->worker, h->workers_used) && in(job->unique, h->uniques_used) &&
           in(job->batch, h->batches_used) && (job->batch == JOBS_NONE || s->batches[job->batch].is_used) &&
           job->queue < h->names_used[JOBS_NAME_QUEUE] && job->type < h->names_used[JOBS_NAME_TYPE] &&
           job->tenant < h->names_used[JOBS_NAME_TENANT] && job->state >= JOBS_SCHEDULED && job->state <= JOBS_HELD &&
           (job->url_size == 0 || job->destination < h->names_used[JOBS_NAME_DESTINATION]) &&
           job->priority < JOBS_PRIORITIES;
}

static bool head_is_whole(const struct jobs *s, const struct saved_head *saved) {
    const struct jobs_head *h = s->head;
    return h->jobs_used == saved->jobs_used && h->flows_used == saved->flows_used &&
           h->waiters_used == saved->waiters_used && h->workers_used == saved->workers_used &&
           h->uniques_used == saved->uniques_used && h->schedules_used == saved->schedules_used &&
           h->batches_used == saved->batches_used && in(h->batches_free, h->batches_used) &&
           in(h->batches_due, h->batches_used) && in(h->batches_due_last, h->batches_used) &&
           in(h->batches_over, h->batches_used) && in(h->batches_over_last, h->batches_used) &&
           s->blob.head->pages_used == saved->blob_pages &&
           memcmp(h->names_used, saved->names_used, sizeof saved->names_used) == 0 && in(h->jobs_free, h->jobs_used) &&
           in(h->dead_first, h->jobs_used) && in(h->dead_last, h->jobs_used);
}

static bool names_are_whole(const struct jobs *s) {
    for (uint32_t k = 0; k < JOBS_NAME_KINDS; k++)
        for (uint32_t i = 0; i < s->head->names_used[k]; i++)
            if (s->names[k][i].size < 1 || s->names[k][i].size > JOBS_NAME_MAX) return false;
    for (uint32_t i = 0; i < s->head->workers_used; i++)
        if (s->workers[i].size > JOBS_NAME_MAX) return false;
    return true;
}

static bool hooks_are_whole(const struct jobs *s) {
    const struct jobs_head *h = s->head;
    uint32_t used = h->names_used[JOBS_NAME_DESTINATION], queues = h->names_used[JOBS_NAME_QUEUE];
    for (uint32_t i = 0; i < queues; i++) {
        const struct jobs_queue *q = &s->queues[i];
        if (!in(q->hook_next, queues)) return false;
        if (q->destination == JOBS_NO_DESTINATION) continue;
        if (q->destination >= used || q->url_size > JOBS_URL_MAX || !blob_is_block(&s->blob, q->url, q->url_size))
            return false;
    }
    for (uint32_t i = 0; i < JOBS_CALLS_MAX; i++)
        if (s->calls[i].tag && (s->calls[i].destination >= used || s->calls[i].type >= h->names_used[JOBS_NAME_TYPE]))
            return false;
    return in(h->hooks_first, queues) && in(h->hooks_last, queues) && weir_gates_valid(s->type_gates, JOBS_TYPE_GATES);
}

static enum weir_error check(const struct jobs *s, const struct saved_head *saved) {
    bool whole = head_is_whole(s, saved) && names_are_whole(s) && hooks_are_whole(s);
    for (uint32_t i = 0; whole && i < s->head->batches_used; i++)
        whole = batch_is_whole(s, &s->batches[i]);
    for (uint32_t i = 0; whole && i < s->head->jobs_used; i++)
        whole = job_is_whole(s, &s->jobs[i]);
    return whole ? WEIR_OK : weir_error_context(WEIR_E_CORRUPT, "jobs: the snapshot's tables do not fit together");
}

static enum weir_error check_room(const struct table tables[TABLES]) {
    for (uint32_t i = 0; i < TABLES; i++)
        if (tables[i].used > tables[i].capacity)
            return weir_error_context(WEIR_E_NO_MEMORY,
                "jobs: the snapshot has %zu rows in a table that the settings lay out for %zu: raise jobs_max, "
                "payload_memory or the limit that was lowered",
                tables[i].used, tables[i].capacity);
    return WEIR_OK;
}

enum weir_error jobs_load(void *state, struct weir_source *source) {
    struct jobs *s = state;
    struct saved_head saved = {0};
    struct table tables[TABLES];
    enum weir_error e = weir_source_get(source, &saved, sizeof saved);
    if (e) return e;
    if (saved.layout != LAYOUT || saved.job_size != sizeof(struct job))
        return weir_error_context(
            WEIR_E_VERSION, "jobs: the snapshot is of layout %u, this version reads %u", saved.layout, LAYOUT);
    list_tables(s, &saved, tables);
    e = check_room(tables);
    for (uint32_t i = 0; !e && i < TABLES; i++)
        if (tables[i].used) e = weir_source_get(source, tables[i].rows, tables[i].used * tables[i].row_size);
    for (uint32_t page = 0; !e && page < saved.blob_pages; page++)
        e = weir_source_get(source, s->blob.memory + (size_t)page * BLOB_PAGE_BYTES, BLOB_PAGE_BYTES);
    if (!e) e = check(s, &saved);
    if (!e) jobs_index_all(s);
    return e;
}
