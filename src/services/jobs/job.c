#include "jobs/job.h"

#include "base/hash.h"
#include "jobs/batch.h"
#include "jobs/event.h"
#include "jobs/hook.h"
#include "jobs/names.h"

/* ---- look-up ---- */
static uint64_t hash_jid(struct weir_slice jid) {
    return hash_bytes(jid.data, jid.size, 0x6a6964u);
}
static uint64_t hash_id(uint64_t id) {
    return hash_u64(id, 0x6964u);
}
uint64_t job_hash_id(const void *state, uint32_t i) {
    return hash_id(((const struct jobs *)state)->jobs[i].id);
}
uint64_t job_hash_jid(const void *state, uint32_t i) {
    const struct jobs *s = state;
    return hash_jid(job_jid(s, &s->jobs[i]));
}

uint32_t job_find(const struct jobs *s, uint64_t id) {
    const struct index *t = &s->by_id;
    uint32_t i;
    for (uint32_t at = index_first(t, hash_id(id)); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at))
        if (s->jobs[i].id == id) return i;
    return JOBS_NONE;
}

uint32_t job_find_jid(const struct jobs *s, struct weir_slice jid) {
    const struct index *t = &s->by_jid;
    uint32_t i;
    for (uint32_t at = index_first(t, hash_jid(jid)); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at))
        if (weir_slice_equal(job_jid(s, &s->jobs[i]), jid)) return i;
    return JOBS_NONE;
}

uint32_t job_find_name(const struct jobs *s, struct weir_slice name) {
    uint64_t id;
    uint32_t i = job_find_jid(s, name);
    return i == JOBS_NONE && jobs_id_parse(name, &id) ? job_find(s, id) : i;
}

/* ---- bytes ---- */
struct weir_slice job_jid(const struct jobs *s, const struct job *job) {
    return job->jid_size ? weir_slice(blob_at(&s->blob, job->bytes), job->jid_size) : weir_slice("", 0);
}
struct weir_slice job_unique(const struct jobs *s, const struct job *job) {
    if (!job->unique_size) return weir_slice("", 0);
    return weir_slice(blob_at(&s->blob, job->bytes) + job->jid_size, job->unique_size);
}
static size_t behind_names(const struct job *job) {
    return (size_t)job->jid_size + job->unique_size;
}
struct weir_slice job_tags(const struct jobs *s, const struct job *job) {
    if (!job->tags_size) return weir_slice("", 0);
    return weir_slice(blob_at(&s->blob, job->bytes) + behind_names(job), job->tags_size);
}
void job_payload(const struct jobs *s, const struct job *job, void *ret) {
    if (job->payload_size) blob_read(&s->blob, job->bytes, behind_names(job) + job->tags_size, ret, job->payload_size);
}
void job_then(const struct jobs *s, const struct job *job, void *ret) {
    if (job->then_size)
        blob_read(&s->blob, job->bytes, behind_names(job) + job->tags_size + job->payload_size, ret, job->then_size);
}

void job_url(const struct jobs *s, const struct job *job, void *ret) {
    size_t at = behind_names(job) + job->tags_size + job->payload_size + job->then_size;
    if (job->url_size) blob_read(&s->blob, job->bytes, at, ret, job->url_size);
}

static enum jobs_reason store_bytes(struct jobs *s, const struct jobs_new_view *v, struct job *job) {
    const struct weir_slice parts[] = {v->jid, v->unique, v->tags, v->payload, v->then, v->url};
    size_t size = 0, at = 0;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++)
        size += parts[i].size;
    job->bytes = BLOB_NONE;
    if (size == 0) return JOBS_OK;
    job->bytes = blob_take(&s->blob, size);
    if (job->bytes == BLOB_NONE) return JOBS_E_PAYLOADS_FULL;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++) {
        blob_write(&s->blob, job->bytes, at, parts[i]);
        at += parts[i].size;
    }
    return JOBS_OK;
}

/* ---- life ---- */
static uint32_t take_place(const struct jobs_turn *t) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    uint32_t i = h->jobs_free;
    if (h->job_count >= s->in_force.jobs_max && !t->follows) return JOBS_NONE;
    if (i != JOBS_NONE)
        h->jobs_free = s->jobs[i].next;
    else if (h->jobs_used < s->sizes.jobs)
        i = h->jobs_used++;
    return i;
}

static void give_place(struct jobs *s, struct job *job) {
    job->id = 0;
    job->state = JOBS_FREE;
    job->next = s->head->jobs_free;
    s->head->jobs_free = jobs_index_of(s, job);
}

static uint32_t or_default(uint32_t given, uint64_t initial) {
    return given ? given : (uint32_t)initial;
}

static void fill(struct jobs_turn *t, const struct jobs_new *n, struct job *job) {
    const struct jobs *s = t->s;
    uint8_t attempts = n->attempts_max ? n->attempts_max : (uint8_t)s->in_force.attempts_max;
    job->pushed_ns = job->since_ns = t->now_ns;
    job->expires_ns = n->expires_in_ns ? t->now_ns + n->expires_in_ns : n->expires_at_ns;
    job->lease_ms = or_default(n->lease_ms, s->in_force.lease_ms);
    job->backoff_ms = or_default(n->backoff_ms, s->in_force.backoff_ms);
    job->backoff_max_ms = or_default(n->backoff_max_ms, s->in_force.backoff_max_ms);
    job->payload_size = n->payload_size;
    job->then_size = n->then_size;
    job->tags_size = n->tags_size;
    job->jid_size = n->jid_size;
    job->unique_size = n->unique_size;
    job->url_size = n->url_size;
    job->attempts_max = attempts < s->in_force.attempts_max ? attempts : (uint8_t)s->in_force.attempts_max;
    job->priority = n->priority ? n->priority : 5;
    job->backoff = n->backoff;
    job->unique_until = n->unique_until;
    job->flags = n->flags & (JOB_TEXT | JOB_NO_DEAD | JOB_FAKTORY);
}

/* Numbers for its names. What a name was made for in vain is idle, and goes when its place is needed. */
static bool name_it(struct jobs *s, const struct jobs_new_view *v, struct job *job) {
    uint32_t queue = names_find_or_make(s, JOBS_NAME_QUEUE, v->queue);
    uint32_t type = names_find_or_make(s, JOBS_NAME_TYPE, v->type);
    uint32_t tenant = names_find_or_make(s, JOBS_NAME_TENANT, v->tenant);
    if (queue == JOBS_NONE || type == JOBS_NONE || tenant == JOBS_NONE) return false;
    job->queue = (uint16_t)queue;
    job->type = (uint16_t)type;
    job->tenant = (uint16_t)tenant;
    return true;
}

static enum jobs_reason send_it(struct jobs *s, const struct jobs_new_view *v, struct job *job) {
    job->destination = JOBS_NO_DESTINATION;
    if (!v->url.size) return JOBS_OK;
    if (v->payload.size > JOBS_HOOK_MAX) return JOBS_E_PAYLOAD_SIZE;
    return hook_destination(s, v->url, &job->destination);
}

static void count_names(struct jobs *s, const struct job *job, uint32_t by) {
    s->names[JOBS_NAME_QUEUE][job->queue].jobs += by;
    s->names[JOBS_NAME_TYPE][job->type].jobs += by;
    s->names[JOBS_NAME_TENANT][job->tenant].jobs += by;
    if (job->url_size) s->names[JOBS_NAME_DESTINATION][job->destination].jobs += by;
}

enum jobs_reason job_make(struct jobs_turn *t, const struct jobs_new_view *view, struct job **ret_job) {
    struct jobs *s = t->s;
    if (view->payload.size > s->in_force.payload_bytes_max) return JOBS_E_PAYLOAD_SIZE;
    uint32_t i = take_place(t);
    if (i == JOBS_NONE) return JOBS_E_JOBS_FULL;
    struct job *job = &s->jobs[i];
    memset(job, 0, sizeof *job);
    job->time.slot = WHEEL_OUT;
    job->flow = job->worker = job->unique = job->next = job->previous = job->batch = JOBS_NONE;
    fill(t, &view->head, job);
    enum jobs_reason reason = name_it(s, view, job) ? send_it(s, view, job) : JOBS_E_NAMES_FULL;
    if (reason == JOBS_OK) reason = store_bytes(s, view, job);
    if (reason != JOBS_OK) {
        give_place(s, job);
        return reason;
    }
    job->id = (uint64_t)s->partition << (64 - JOBS_ID_PARTITION_BITS) | ++s->head->sequence;
    index_put(&s->by_id, hash_id(job->id), i);
    if (job->jid_size) index_put(&s->by_jid, hash_jid(view->jid), i);
    count_names(s, job, 1);
    s->names[JOBS_NAME_QUEUE][job->queue].pushed++;
    s->head->job_count++;
    s->head->pushed++;
    *ret_job = job;
    return JOBS_OK;
}

void job_free(struct jobs *s, struct job *job) {
    uint32_t i = jobs_index_of(s, job);
    WEIR_ASSERT(job->time.slot == WHEEL_OUT && job->unique == JOBS_NONE);
    index_erase(&s->by_id, hash_id(job->id), i);
    if (job->jid_size) index_erase(&s->by_jid, job_hash_jid(s, i), i);
    if (job->batch != JOBS_NONE) batch_leave(s, job);
    count_names(s, job, (uint32_t)-1);
    for (uint32_t at = job->attempts; at != BLOB_NONE;) {
        struct job_attempt attempt;
        memcpy(&attempt, blob_at(&s->blob, at), sizeof attempt);
        blob_give(&s->blob, at);
        at = attempt.older;
    }
    blob_give(&s->blob, job->bytes);
    s->head->job_count--;
    give_place(s, job);
}

/* ---- states ---- */
static uint64_t sum_of(const struct job *job) {
    uint64_t due = job->time.slot == WHEEL_OUT ? 0 : job->time.due_ns;
    uint64_t what = (uint64_t)job->state << 56 | (uint64_t)job->attempt << 48 | (uint64_t)job->queue << 32 | job->epoch;
    return hash_u64(hash_fold(job->id, what ^ 0x9e3779b97f4a7c15u), due);
}

static bool is_kept(const struct job *job) {
    return job->state != JOBS_FREE && job->state < JOBS_DONE;
}

void job_unsum(struct jobs *s, const struct job *job) {
    if (is_kept(job)) s->head->digest -= sum_of(job);
}

void job_sum(struct jobs *s, const struct job *job) {
    if (is_kept(job)) s->head->digest += sum_of(job);
}

void job_move(struct jobs_turn *t, struct job *job, enum jobs_state state, uint64_t due_ns) {
    struct jobs *s = t->s;
    struct wheel_items times = jobs_times(s);
    struct jobs_queue *q = &s->queues[job->queue];
    job_unsum(s, job);
    if (is_kept(job)) {
        s->head->states[job->state]--;
        q->states[job->state]--;
    }
    wheel_remove(&times, jobs_index_of(s, job));
    job->state = (uint8_t)state;
    job->since_ns = t->now_ns;
    if (due_ns) wheel_add(&times, jobs_index_of(s, job), due_ns);
    if (is_kept(job)) {
        s->head->states[job->state]++;
        q->states[job->state]++;
    }
    job_sum(s, job);
}

/* ---- attempts ---- */
void job_note_attempt(struct jobs_turn *t, struct job *job, const struct jobs_event_more *more) {
    struct jobs *s = t->s;
    const struct jobs_worker *worker = job->worker == JOBS_NONE ? NULL : &s->workers[job->worker];
    struct job_attempt a = {.started_ns = job->since_ns,
        .ended_ns = t->now_ns,
        .older = job->attempts,
        .error_size = (uint16_t)more->error.size,
        .message_size = (uint16_t)more->message.size,
        .worker_size = worker ? worker->size : 0,
        .attempt = job->attempt};
    uint32_t ref = blob_take(&s->blob, sizeof a + a.worker_size + more->error.size + more->message.size);
    if (ref == BLOB_NONE) return;
    uint8_t *at = blob_at(&s->blob, ref);
    memcpy(at, &a, sizeof a);
    at += sizeof a;
    if (worker) memcpy(at, worker->name, worker->size);
    at += a.worker_size;
    if (more->error.size) memcpy(at, more->error.data, more->error.size);
    if (more->message.size) memcpy(at + more->error.size, more->message.data, more->message.size);
    job->attempts = ref;
}
