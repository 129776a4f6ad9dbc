#include "jobs/batch.h"

#include "base/hash.h"
#include "jobs/push.h"

void batches_init(struct jobs_head *h) {
    h->batches_free = h->batches_due = h->batches_due_last = h->batches_over = h->batches_over_last = JOBS_NONE;
}

/* ---- look-up ---- */
static uint64_t hash_id(uint64_t id) {
    return hash_u64(id, 0x6261746368u);
}
uint64_t batch_hash(const void *state, uint32_t i) {
    return hash_id(((const struct jobs *)state)->batches[i].id);
}

uint32_t batch_find(const struct jobs *s, uint64_t id) {
    const struct index *t = &s->by_batch;
    uint32_t i;
    for (uint32_t at = index_first(t, hash_id(id)); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at))
        if (s->batches[i].id == id) return i;
    return JOBS_NONE;
}

enum jobs_reason batch_find_taking(const struct jobs *s, uint64_t id, uint32_t *ret_batch) {
    uint32_t i = batch_find(s, id);
    if (i == JOBS_NONE) return JOBS_E_BATCH;
    if (s->batches[i].is_complete) return JOBS_E_BATCH_ENDED;
    *ret_batch = i;
    return JOBS_OK;
}

struct weir_slice batch_description(const struct jobs *s, const struct jobs_batch *b) {
    return weir_slice(b->description_size ? blob_at(&s->blob, b->bytes) : (const uint8_t *)"", b->description_size);
}

struct jobs_batched batch_counts(const struct jobs_batch *b) {
    enum jobs_batch_state state = b->is_success    ? JOBS_BATCH_SUCCEEDED
                                  : b->is_complete ? JOBS_BATCH_COMPLETE
                                  : b->is_open     ? JOBS_BATCH_IS_OPEN
                                                   : JOBS_BATCH_COMMITTED;
    return (struct jobs_batched){
        .id = b->id, .total = b->total, .pending = b->pending, .failed = b->failed, .state = (uint8_t)state};
}

/* ---- lists ---- */
static void append(struct jobs *s, uint32_t i, uint32_t *first, uint32_t *last) {
    s->batches[i].next = JOBS_NONE;
    if (*last == JOBS_NONE)
        *first = i;
    else
        s->batches[*last].next = i;
    *last = i;
}

static uint32_t take_first(struct jobs *s, uint32_t *first, uint32_t *last) {
    uint32_t i = *first;
    if (i == JOBS_NONE) return JOBS_NONE;
    *first = s->batches[i].next;
    if (*first == JOBS_NONE) *last = JOBS_NONE;
    return i;
}

static void look_at_later(struct jobs *s, uint32_t i) {
    struct jobs_batch *b = &s->batches[i];
    if (b->is_due || b->is_open || b->pending) return;
    b->is_due = 1;
    append(s, i, &s->head->batches_due, &s->head->batches_due_last);
}

/* ---- places ---- */
static uint32_t take_place(struct jobs *s) {
    struct jobs_head *h = s->head;
    uint32_t i = h->batches_free;
    if (i != JOBS_NONE) {
        h->batches_free = s->batches[i].next;
        return i;
    }
    if (h->batches_used < s->sizes.batches) return h->batches_used++;
    i = take_first(s, &h->batches_over, &h->batches_over_last);
    if (i == JOBS_NONE) return i;
    index_erase(&s->by_batch, batch_hash(s, i), i);
    blob_give(&s->blob, s->batches[i].bytes);
    h->batch_count--;
    return i;
}

static void give_place(struct jobs *s, uint32_t i) {
    s->batches[i] = (struct jobs_batch){.next = s->head->batches_free, .parent = JOBS_NONE};
    s->head->batches_free = i;
}

/* ---- members ---- */
static void join(struct jobs *s, uint32_t batch) {
    struct jobs_batch *b = &s->batches[batch];
    b->total++;
    b->pending++;
    b->members++;
}

void batch_add(struct jobs *s, struct job *job, uint32_t batch) {
    job->batch = batch;
    join(s, batch);
}

void batch_ended(struct jobs *s, uint32_t batch, bool done) {
    struct jobs_batch *b = &s->batches[batch];
    WEIR_ASSERT(b->pending > 0);
    b->pending--;
    b->failed += !done;
    look_at_later(s, batch);
}

void batch_revived(struct jobs *s, uint32_t batch) {
    struct jobs_batch *b = &s->batches[batch];
    WEIR_ASSERT(b->failed > 0);
    b->failed--;
    b->pending++;
}

static void leave(struct jobs *s, uint32_t batch) {
    WEIR_ASSERT(s->batches[batch].members > 0);
    s->batches[batch].members--;
    look_at_later(s, batch);
}

void batch_leave(struct jobs *s, struct job *job) {
    leave(s, job->batch);
    job->batch = JOBS_NONE;
}

/* ---- what follows ---- */
static void push_callback(struct jobs_turn *t, const struct jobs_batch *b, size_t from, uint32_t size) {
    if (!size) return;
    blob_read(&t->s->blob, b->bytes, from, t->s->then, size);
    push_then(t, size);
}

/* What its parent counts of it: ended once, and perhaps no longer as failed. */
static void tell_parent(struct jobs *s, struct jobs_batch *b, bool first) {
    if (b->parent == JOBS_NONE) return;
    struct jobs_batch *parent = &s->batches[b->parent];
    if (first) {
        b->is_counted = b->failed > 0;
        batch_ended(s, b->parent, b->failed == 0);
    } else if (b->is_counted) {
        b->is_counted = 0;
        parent->failed--;
        look_at_later(s, b->parent);
    }
}

static void settle(struct jobs_turn *t, uint32_t i) {
    struct jobs *s = t->s;
    struct jobs_batch *b = &s->batches[i];
    bool first = !b->is_complete;
    b->is_due = 0;
    if (b->is_open || b->pending || b->is_over) return; /* it took another one meanwhile */
    b->is_complete = 1;
    if (first) b->ended_ns = t->now_ns;
    if (first) push_callback(t, b, (size_t)b->description_size + b->success_size, b->complete_size);
    bool succeeds = b->failed == 0 && !b->is_success;
    if (succeeds) {
        b->is_success = 1;
        push_callback(t, b, b->description_size, b->success_size);
    }
    if (first || succeeds) tell_parent(s, b, first);
    if (b->members) return;
    b->is_over = 1;
    if (b->parent != JOBS_NONE) leave(s, b->parent);
    b->parent = JOBS_NONE; /* which may be forgotten now */
    append(s, i, &s->head->batches_over, &s->head->batches_over_last);
}

bool batches_settle(struct jobs_turn *t) {
    struct jobs_head *h = t->s->head;
    for (uint32_t n = 0; n < BATCHES_SETTLED_MAX && h->batches_due != JOBS_NONE; n++)
        settle(t, take_first(t->s, &h->batches_due, &h->batches_due_last));
    return h->batches_due == JOBS_NONE;
}

/* ---- orders ---- */
/* Each callback is one well-formed job. */
static bool is_sound(const struct jobs_batch_view *v) {
    return (!v->success.size || push_count(v->success) == 1) && (!v->complete.size || push_count(v->complete) == 1);
}

static enum jobs_reason store(struct jobs *s, const struct jobs_batch_view *v, uint32_t *ret_bytes) {
    const struct weir_slice parts[] = {v->description, v->success, v->complete};
    size_t size = v->description.size + v->success.size + v->complete.size, at = 0;
    *ret_bytes = BLOB_NONE;
    if (size == 0) return JOBS_OK;
    *ret_bytes = blob_take(&s->blob, size);
    if (*ret_bytes == BLOB_NONE) return JOBS_E_PAYLOADS_FULL;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++) {
        blob_write(&s->blob, *ret_bytes, at, parts[i]);
        at += parts[i].size;
    }
    return JOBS_OK;
}

static enum jobs_reason make(struct jobs_turn *t, const struct jobs_batch_view *v, uint32_t *ret_batch) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    uint32_t parent = JOBS_NONE, bytes;
    if (!is_sound(v)) return JOBS_E_INVALID;
    enum jobs_reason reason = v->head.id ? batch_find_taking(s, v->head.id, &parent) : JOBS_OK;
    if (reason != JOBS_OK) return reason;
    uint32_t i = take_place(s);
    if (i == JOBS_NONE) return JOBS_E_BATCHES_FULL;
    reason = store(s, v, &bytes);
    if (reason != JOBS_OK) {
        give_place(s, i);
        return reason;
    }
    s->batches[i] =
        (struct jobs_batch){.id = (uint64_t)s->partition << (64 - JOBS_ID_PARTITION_BITS) | ++h->batch_sequence,
            .created_ns = t->now_ns,
            .parent = parent,
            .next = JOBS_NONE,
            .bytes = bytes,
            .success_size = v->head.success_size,
            .complete_size = v->head.complete_size,
            .description_size = v->head.description_size,
            .is_used = 1,
            .is_open = 1};
    index_put(&s->by_batch, batch_hash(s, i), i);
    h->batch_count++;
    if (parent != JOBS_NONE) join(s, parent);
    *ret_batch = i;
    return JOBS_OK;
}

static enum jobs_reason change(struct jobs *s, const struct jobs_batch_order *o, uint32_t *ret_batch) {
    uint32_t i = batch_find(s, o->id);
    if (i == JOBS_NONE) return JOBS_E_BATCH;
    *ret_batch = i;
    if (o->action == JOBS_BATCH_OPEN && s->batches[i].is_complete) return JOBS_E_BATCH_ENDED;
    if (s->batches[i].is_complete) return JOBS_OK; /* committed, once more */
    s->batches[i].is_open = o->action == JOBS_BATCH_OPEN;
    look_at_later(s, i);
    return JOBS_OK;
}

void batch_order(struct jobs_turn *t, struct weir_slice value) {
    struct jobs_batch_view v;
    uint32_t i = JOBS_NONE;
    enum jobs_reason reason = JOBS_E_INVALID;
    if (jobs_batch_read(value, &v))
        reason = v.head.action == JOBS_BATCH_NEW ? make(t, &v, &i) : change(t->s, &v.head, &i);
    if (reason != JOBS_OK) {
        weir_refuse(t->out, (uint16_t)reason);
        return;
    }
    struct jobs_batched reply = batch_counts(&t->s->batches[i]);
    bool made = v.head.action == JOBS_BATCH_NEW;
    memcpy(weir_reply(t->out, made ? 201 : 200, sizeof reply), &reply, sizeof reply);
}

bool batch_is_whole(const struct jobs *s, const struct jobs_batch *b) {
    uint32_t used = s->head->batches_used;
    bool links = (b->next == JOBS_NONE || b->next < used) && (b->parent == JOBS_NONE || b->parent < used);
    if (!b->is_used) return links;
    size_t size = (size_t)b->description_size + b->success_size + b->complete_size;
    return links && b->success_size <= JOBS_PAYLOAD_MAX && b->complete_size <= JOBS_PAYLOAD_MAX &&
           (size == 0 || blob_is_block(&s->blob, b->bytes, b->description_size ? b->description_size : 1));
}
