#include "jobs/operate.h"

#include "jobs/batch.h"
#include "jobs/dead.h"
#include "jobs/event.h"
#include "jobs/job.h"
#include "jobs/names.h"
#include "jobs/ready.h"
#include "jobs/waiter.h"

#define LOOKS_MAX  65536u /* jobs that one order looks at */
#define TEXT_BYTES 4096u  /* of a payload that a text is looked for in */

/* ---- which ---- */
static bool has(struct weir_slice where, struct weir_slice what) {
    return what.size <= where.size && where.size && memmem(where.data, where.size, what.data, what.size) != NULL;
}

static bool has_text(const struct jobs *s, const struct job *job, struct weir_slice text) {
    if (has(job_jid(s, job), text) || has(job_tags(s, job), text)) return true;
    if (job->attempts != BLOB_NONE) {
        struct job_attempt a;
        const uint8_t *at = blob_at(&s->blob, job->attempts);
        memcpy(&a, at, sizeof a);
        if (has(weir_slice(at + sizeof a + a.worker_size, (size_t)a.error_size + a.message_size), text)) return true;
    }
    uint8_t payload[TEXT_BYTES];
    size_t size = job->payload_size < sizeof payload ? job->payload_size : sizeof payload;
    if (size == 0) return false;
    blob_read(&s->blob, job->bytes, (size_t)job->jid_size + job->unique_size + job->tags_size, payload, size);
    return has(weir_slice(payload, size), text);
}

static bool is_named(const struct jobs *s, enum jobs_name_kind kind, uint32_t i, struct weir_slice name) {
    return name.size == 0 || weir_slice_equal(names_text(s, kind, i), name);
}

bool operate_matches(const struct jobs *s, const struct job *job, const struct jobs_filter *f) {
    return job->id && (f->state == JOBS_FREE || f->state == job->state) &&
           is_named(s, JOBS_NAME_QUEUE, job->queue, f->queue) && is_named(s, JOBS_NAME_TYPE, job->type, f->type) &&
           is_named(s, JOBS_NAME_TENANT, job->tenant, f->tenant) && (f->text.size == 0 || has_text(s, job, f->text));
}

/* ---- what ---- */
static enum jobs_reason requeue(struct jobs_turn *t, struct job *job) {
    if (job->state != JOBS_DEAD && job->state != JOBS_RETRY && job->state != JOBS_SCHEDULED) return JOBS_E_STATE;
    bool was_dead = job->state == JOBS_DEAD;
    job_unlist(t, job);
    job_unsum(t->s, job);
    if (was_dead) job->attempt = 0; /* it has all its attempts again; what happened stays with it */
    job_sum(t->s, job);
    if (was_dead && job->batch != JOBS_NONE) batch_revived(t->s, job->batch);
    job_ready(t, job, false);
    event_put(t, job, JOBS_REQUEUED, NULL);
    return JOBS_OK;
}

static enum jobs_reason kill_job(struct jobs_turn *t, struct job *job) {
    if (job->state == JOBS_DEAD) return JOBS_E_STATE;
    job_unlist(t, job);
    dead_add(t, job);
    event_put(t, job, JOBS_KILLED, NULL);
    return JOBS_OK;
}

static enum jobs_reason act(struct jobs_turn *t, struct job *job, uint8_t action) {
    switch (action) {
    case JOBS_REQUEUE:
        return requeue(t, job);
    case JOBS_KILL:
        return kill_job(t, job);
    case JOBS_DROP:
        if (job->state != JOBS_DEAD) return JOBS_E_STATE;
        dead_drop(t, job);
        return JOBS_OK;
    case JOBS_CANCEL:
        if (job->state == JOBS_DEAD) return JOBS_E_STATE;
        job_unlist(t, job); /* the worker of a running one hears STALE from its next report on */
        job_end(t, job, JOBS_CANCELLED, NULL);
        return JOBS_OK;
    default:
        return JOBS_E_INVALID;
    }
}

/* The next one that is meant, from *at on, which moves behind it; NULL: there is none, or enough were looked at. */
static struct job *next_of_all(const struct jobs *s, const struct jobs_filter *filter, uint64_t *at, uint32_t *looks) {
    while (*at < s->head->jobs_used && (*looks)++ < LOOKS_MAX) {
        struct job *job = &s->jobs[(*at)++];
        if (operate_matches(s, job, filter)) return job;
    }
    return NULL;
}

static void act_on_many(
    struct jobs_turn *t, const struct jobs_operate *o, const struct jobs_filter *filter, struct jobs_operated *reply) {
    uint64_t at = o->after;
    uint32_t looks = 0, max = o->max && o->max < JOBS_ENTRIES_MAX ? o->max : JOBS_ENTRIES_MAX;
    struct job *job;
    while (reply->count < max && (job = next_of_all(t->s, filter, &at, &looks)))
        reply->count += act(t, job, o->action) == JOBS_OK;
    reply->next = at < t->s->head->jobs_used ? at : 0;
}

static bool read_operate(struct weir_slice value, struct jobs_operate *o, struct jobs_filter *filter) {
    if (value.size < sizeof *o) return false;
    memcpy(o, value.data, sizeof *o);
    const uint8_t *at = value.data + sizeof *o;
    size_t sum = (size_t)o->queue_size + o->type_size + o->tenant_size + o->text_size;
    if (value.size - sizeof *o != sum || o->action < JOBS_CANCEL || o->action > JOBS_DROP) return false;
    *filter = (struct jobs_filter){.state = o->state,
        .queue = weir_slice(at, o->queue_size),
        .type = weir_slice(at + o->queue_size, o->type_size),
        .tenant = weir_slice(at + o->queue_size + o->type_size, o->tenant_size),
        .text = weir_slice(at + sum - o->text_size, o->text_size)};
    return o->id || (o->state >= JOBS_SCHEDULED && o->state <= JOBS_DEAD);
}

void operate_jobs(struct jobs_turn *t, struct weir_slice value) {
    struct jobs_operate o;
    struct jobs_filter filter;
    struct jobs_operated reply = {0};
    if (!read_operate(value, &o, &filter)) {
        weir_refuse(t->out, JOBS_E_INVALID);
        return;
    }
    if (o.id == 0) {
        act_on_many(t, &o, &filter, &reply);
    } else {
        uint32_t i = job_find(t->s, o.id);
        bool is_other = i != JOBS_NONE && o.state && t->s->jobs[i].state != o.state;
        enum jobs_reason reason = i == JOBS_NONE ? JOBS_E_NOT_FOUND
                                  : is_other     ? JOBS_E_STATE
                                                 : act(t, &t->s->jobs[i], o.action);
        if (reason != JOBS_OK) {
            weir_refuse(t->out, (uint16_t)reason);
            return;
        }
        reply.count = 1;
    }
    memcpy(weir_reply(t->out, 200, sizeof reply), &reply, sizeof reply);
}

/* ---- names ---- */
static uint32_t clear_queue(struct jobs_turn *t, uint32_t queue, bool *ret_more) {
    struct jobs *s = t->s;
    struct jobs_queue *q = &s->queues[queue];
    uint32_t count = 0;
    *ret_more = false;
    for (uint32_t side = 0; side < JOBS_SIDES; side++) {
        struct jobs_flows *f = &q->sides[side];
        while (f->used && count < JOBS_ENTRIES_MAX) {
            struct job *job = &s->jobs[s->flows[f->first[__builtin_ctz(f->used)]].first];
            ready_remove(s, job);
            job_end(t, job, JOBS_CANCELLED, NULL);
            count++;
        }
        *ret_more |= f->used != 0;
    }
    return count;
}

static void set_limits(struct jobs *s, const struct jobs_queue_order *o, uint32_t i) {
    struct jobs_name *name = &s->names[o->kind][i];
    name->limit.concurrency = o->concurrency;
    name->limit.rate_per_s = o->rate_per_s;
    name->limit.burst = o->burst;
    name->limit.full_ns = 0;
    name->weight = o->weight;
    name->is_set = o->concurrency || o->rate_per_s || o->weight > 1;
    if (o->kind == JOBS_NAME_QUEUE) names_settle_queue(s, i);
}

static bool read_order(struct weir_slice value, struct jobs_queue_order *o, struct weir_slice *ret_name) {
    if (value.size < sizeof *o) return false;
    memcpy(o, value.data, sizeof *o);
    *ret_name = weir_slice(value.data + sizeof *o, value.size - sizeof *o);
    uint32_t max = o->kind == JOBS_NAME_TENANT ? JOBS_TENANT_MAX : JOBS_NAME_MAX - 1;
    return o->name_size == ret_name->size && o->name_size <= max && o->kind < JOBS_NAME_KINDS &&
           (o->name_size > 0 || o->kind == JOBS_NAME_TENANT || o->action != JOBS_QUEUE_SET) &&
           o->action >= JOBS_QUEUE_PAUSE && o->action <= JOBS_QUEUE_CLEAR && o->weight <= 100 &&
           (o->action == JOBS_QUEUE_SET || o->kind == JOBS_NAME_QUEUE);
}

static void order_one(struct jobs_turn *t, const struct jobs_queue_order *o, uint32_t i, struct jobs_operated *reply) {
    struct jobs *s = t->s;
    if (o->action == JOBS_QUEUE_SET) set_limits(s, o, i);
    if (o->action == JOBS_QUEUE_PAUSE) s->queues[i].paused = s->names[o->kind][i].is_set = 1;
    if (o->action == JOBS_QUEUE_RESUME) {
        s->queues[i].paused = 0;
        names_settle_queue(s, i);
    }
    if (o->action == JOBS_QUEUE_CLEAR) {
        bool more;
        reply->count += clear_queue(t, i, &more);
        reply->next |= more;
    }
}

/* Every queue that is known, as far as one record may go. */
static void order_all(struct jobs_turn *t, const struct jobs_queue_order *o, struct jobs_operated *reply) {
    const struct jobs *s = t->s;
    for (uint32_t i = 0; i < s->head->names_used[JOBS_NAME_QUEUE] && !reply->next; i++) {
        if (s->names[JOBS_NAME_QUEUE][i].size == 0) continue;
        order_one(t, o, i, reply);
        if (reply->count) reply->next = 1; /* one that had jobs is as much as a record may do */
    }
}

void operate_name(struct jobs_turn *t, struct weir_slice value) {
    struct jobs *s = t->s;
    struct jobs_queue_order o;
    struct weir_slice text;
    struct jobs_operated reply = {0};
    bool read = read_order(value, &o, &text);
    bool all = read && text.size == 0 && o.kind == JOBS_NAME_QUEUE;
    uint32_t i = read && !all ? names_find_or_make(s, o.kind, text) : JOBS_NONE;
    if (i == JOBS_NONE && !all) {
        weir_refuse(t->out, read ? JOBS_E_NAMES_FULL : JOBS_E_INVALID);
        return;
    }
    if (all)
        order_all(t, &o, &reply);
    else
        order_one(t, &o, i, &reply);
    waiters_wake_all(s); /* what was held back may go on */
    memcpy(weir_reply(t->out, 200, sizeof reply), &reply, sizeof reply);
}
