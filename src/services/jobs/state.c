/* The tables' places in memory, and their limits. */
#include "jobs/state.h"

#include "base/hash.h"
#include "jobs/batch.h"
#include "jobs/job.h"
#include "jobs/names.h"
#include "jobs/ready.h"
#include "jobs/unique.h"
#include "jobs/worker.h"

#define PAGE 4096u

static struct jobs_sizes sizes_of(const struct weir_setting_value *v) {
    struct jobs_sizes sizes = {
        .jobs = (uint32_t)(v[JOBS_SET_JOBS_MAX].number + v[JOBS_SET_JOBS_MAX].number / 8 + 16), /* followers' reserve */
        .queues = (uint32_t)v[JOBS_SET_QUEUES_MAX].number,
        .types = (uint32_t)v[JOBS_SET_TYPES_MAX].number,
        .tenants = (uint32_t)v[JOBS_SET_TENANTS_MAX].number,
        .destinations = (uint32_t)v[JOBS_SET_DESTINATIONS_MAX].number,
        .workers = (uint32_t)v[JOBS_SET_WORKERS_MAX].number,
        .waiters = (uint32_t)v[JOBS_SET_WAITERS_MAX].number,
        .uniques = (uint32_t)v[JOBS_SET_UNIQUES_MAX].number,
        .schedules = (uint32_t)v[JOBS_SET_SCHEDULES_MAX].number,
        .batches = (uint32_t)v[JOBS_SET_BATCHES_MAX].number,
        .payload_bytes = v[JOBS_SET_PAYLOAD_MEMORY].number,
    };
    sizes.flows = sizes.jobs; /* one that is empty goes, so there are never more than ready jobs */
    return sizes;
}

/* Lays a table of so many bytes at *at; memory NULL: counts only. */
static void *place(uint8_t *memory, size_t *at, size_t bytes) {
    void *table = memory ? memory + *at : NULL;
    *at += (bytes + PAGE - 1) / PAGE * PAGE;
    return table;
}

static size_t lay_out(struct jobs *s, const struct jobs_sizes *z, uint8_t *memory, bool fresh) {
    size_t at = 0;
    (void)place(memory, &at, sizeof *s);
    s->head = place(memory, &at, sizeof *s->head);
    s->jobs = place(memory, &at, z->jobs * sizeof *s->jobs);
    const uint32_t names[JOBS_NAME_KINDS] = {z->queues, z->types, z->tenants, z->destinations};
    uint32_t *tables[JOBS_NAME_KINDS];
    for (uint32_t k = 0; k < JOBS_NAME_KINDS; k++) {
        s->names[k] = place(memory, &at, names[k] * sizeof *s->names[k]);
        tables[k] = place(memory, &at, index_slots(names[k]) * sizeof(uint32_t));
    }
    s->queues = place(memory, &at, z->queues * sizeof *s->queues);
    s->flows = place(memory, &at, z->flows * sizeof *s->flows);
    s->waiters = place(memory, &at, z->waiters * sizeof *s->waiters);
    s->workers = place(memory, &at, z->workers * sizeof *s->workers);
    s->uniques = place(memory, &at, z->uniques * sizeof *s->uniques);
    s->schedules = place(memory, &at, z->schedules * sizeof *s->schedules);
    s->gates = place(memory, &at, z->destinations * sizeof *s->gates);
    s->calls = place(memory, &at, JOBS_CALLS_MAX * sizeof *s->calls);
    void *type_gates = place(memory, &at, weir_gates_bytes(JOBS_TYPE_GATES));
    s->batches = place(memory, &at, z->batches * sizeof *s->batches);
    uint32_t *by_id = place(memory, &at, index_slots(z->jobs) * sizeof(uint32_t));
    uint32_t *by_jid = place(memory, &at, index_slots(z->jobs) * sizeof(uint32_t));
    uint32_t *by_flow = place(memory, &at, index_slots(z->flows) * sizeof(uint32_t));
    uint32_t *by_unique = place(memory, &at, index_slots(z->uniques) * sizeof(uint32_t));
    uint32_t *by_worker = place(memory, &at, index_slots(z->workers) * sizeof(uint32_t));
    uint32_t *by_batch = place(memory, &at, index_slots(z->batches) * sizeof(uint32_t));
    s->then = place(memory, &at, JOBS_PAYLOAD_MAX);
    void *blobs = place(memory, &at, blob_memory_size(z->payload_bytes));
    if (!memory) return at;
    s->sizes = *z;
    s->type_gates = weir_gates_init(type_gates, JOBS_TYPE_GATES);
    blob_init(&s->blob, blobs, z->payload_bytes, fresh);
    index_init(&s->by_id, by_id, z->jobs, job_hash_id, s);
    index_init(&s->by_jid, by_jid, z->jobs, job_hash_jid, s);
    index_init(&s->by_flow, by_flow, z->flows, ready_hash_flow, s);
    index_init(&s->by_unique, by_unique, z->uniques, unique_hash, s);
    index_init(&s->by_worker, by_worker, z->workers, worker_hash, s);
    index_init(&s->by_batch, by_batch, z->batches, batch_hash, s);
    for (uint32_t k = 0; k < JOBS_NAME_KINDS; k++)
        index_init(&s->by_name[k], tables[k], names[k],
            k == JOBS_NAME_QUEUE    ? names_hash_queue
            : k == JOBS_NAME_TYPE   ? names_hash_type
            : k == JOBS_NAME_TENANT ? names_hash_tenant
                                    : names_hash_destination,
            s);
    return at;
}

size_t jobs_state_bytes(const struct weir_setting_value *settings) {
    struct jobs_sizes sizes = sizes_of(settings);
    struct jobs s;
    return lay_out(&s, &sizes, NULL, true);
}

enum weir_error jobs_open(const struct weir_open *open, void **ret_state) {
    struct jobs *s = open->memory;
    struct jobs_sizes sizes = sizes_of(open->capacity);
    WEIR_ASSERT(lay_out(s, &sizes, open->memory, true) <= open->memory_bytes);
    s->partition = open->partition;
    s->partition_count = open->partition_count;
    struct jobs_head *h = s->head;
    h->jobs_free = h->flows_free = h->waiters_free = h->workers_free = h->uniques_free = h->schedules_free = JOBS_NONE;
    h->dead_first = h->dead_last = h->dirty_first = h->hooks_first = h->hooks_last = JOBS_NONE;
    batches_init(h);
    h->timer_ns = h->rate_ns = UINT64_MAX;
    wheel_init(&h->job_times, 0);
    wheel_init(&h->waiter_times, 0);
    wheel_init(&h->worker_times, 0);
    wheel_init(&h->unique_times, 0);
    wheel_init(&h->schedule_times, 0);
    jobs_take_settings(s, open->settings);
    *ret_state = s;
    return WEIR_OK;
}

void jobs_take_settings(struct jobs *s, const struct weir_setting_value *v) {
    s->in_force = (struct jobs_defaults){
        .payload_bytes_max = v[JOBS_SET_PAYLOAD_BYTES_MAX].number,
        .lease_ms = v[JOBS_SET_LEASE].number / WHEEL_TICK_NS,
        .backoff_ms = v[JOBS_SET_BACKOFF].number / WHEEL_TICK_NS,
        .backoff_max_ms = v[JOBS_SET_BACKOFF_MAX].number / WHEEL_TICK_NS,
        .worker_timeout_ns = v[JOBS_SET_WORKER_TIMEOUT].number,
        .worker_grace_ns = v[JOBS_SET_WORKER_GRACE].number,
        .dead_max = v[JOBS_SET_DEAD_MAX].number,
        .dead_age_ns = v[JOBS_SET_DEAD_AGE].number,
        .attempts_max = (uint32_t)v[JOBS_SET_ATTEMPTS_MAX].number,
        .jobs_max = (uint32_t)v[JOBS_SET_JOBS_MAX].number,
        .webhook_timeout_ns = v[JOBS_SET_WEBHOOK_TIMEOUT].number,
        .breaker_open_ns = v[JOBS_SET_BREAKER_OPEN].number,
        .webhooks = (uint32_t)v[JOBS_SET_WEBHOOKS].number,
        .webhooks_each = (uint32_t)v[JOBS_SET_WEBHOOKS_EACH].number,
        .breaker_calls = (uint32_t)v[JOBS_SET_BREAKER_CALLS].number,
    };
}

uint64_t jobs_bytes_per_job(const struct jobs *s) {
    uint64_t count = s->head->job_count, places = 2 * 2 * sizeof(uint32_t); /* two tables, half full */
    return count ? sizeof(struct job) + places + s->blob.head->bytes / count : 0;
}

uint64_t jobs_digest(const void *state) {
    const struct jobs *s = state;
    const struct jobs_head *h = s->head;
    uint64_t sum = hash_u64(h->digest, h->sequence);
    sum = hash_u64(sum ^ h->schedule_count, hash_u64(h->calls, h->call_serial));
    sum = hash_u64(sum ^ h->batch_count, h->batch_sequence);
    return hash_u64(sum ^ h->job_count, hash_u64(h->timer_ns, h->waiter_count) ^ h->worker_count);
}

void jobs_index_all(struct jobs *s) {
    const struct jobs_head *h = s->head;
    for (uint32_t k = 0; k < JOBS_NAME_KINDS; k++)
        for (uint32_t i = 0; i < h->names_used[k]; i++)
            if (s->names[k][i].size) index_put(&s->by_name[k], s->by_name[k].hash_of(s, i), i);
    for (uint32_t i = 0; i < h->jobs_used; i++) {
        if (s->jobs[i].id == 0) continue;
        index_put(&s->by_id, job_hash_id(s, i), i);
        if (s->jobs[i].jid_size) index_put(&s->by_jid, job_hash_jid(s, i), i);
    }
    for (uint32_t i = 0; i < h->flows_used; i++)
        if (s->flows[i].count) index_put(&s->by_flow, ready_hash_flow(s, i), i);
    for (uint32_t i = 0; i < h->uniques_used; i++)
        if (s->uniques[i].is_used) index_put(&s->by_unique, unique_hash(s, i), i);
    for (uint32_t i = 0; i < h->workers_used; i++)
        if (s->workers[i].is_used) index_put(&s->by_worker, worker_hash(s, i), i);
    for (uint32_t i = 0; i < h->batches_used; i++)
        if (s->batches[i].is_used) index_put(&s->by_batch, batch_hash(s, i), i);
}
