#include "jobs/names.h"

#include "base/hash.h"

static uint64_t hash_name(struct weir_slice name) {
    return hash_bytes(name.data, name.size, 0x6e616d65u);
}

uint64_t names_hash_queue(const void *state, uint32_t i) {
    return hash_name(names_text(state, JOBS_NAME_QUEUE, i));
}
uint64_t names_hash_type(const void *state, uint32_t i) {
    return hash_name(names_text(state, JOBS_NAME_TYPE, i));
}
uint64_t names_hash_tenant(const void *state, uint32_t i) {
    return hash_name(names_text(state, JOBS_NAME_TENANT, i));
}
uint64_t names_hash_destination(const void *state, uint32_t i) {
    return hash_name(names_text(state, JOBS_NAME_DESTINATION, i));
}

uint32_t names_find(const struct jobs *s, enum jobs_name_kind kind, struct weir_slice name) {
    const struct index *t = &s->by_name[kind];
    uint32_t i;
    for (uint32_t at = index_first(t, hash_name(name)); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at))
        if (weir_slice_equal(names_text(s, kind, i), name)) return i;
    return JOBS_NONE;
}

static uint32_t capacity_of(const struct jobs *s, enum jobs_name_kind kind) {
    const uint32_t sizes[JOBS_NAME_KINDS] = {s->sizes.queues, s->sizes.types, s->sizes.tenants, s->sizes.destinations};
    return sizes[kind];
}

static bool is_idle(const struct jobs *s, enum jobs_name_kind kind, uint32_t i) {
    const struct jobs_name *name = &s->names[kind][i];
    bool waited_for = kind == JOBS_NAME_QUEUE && s->queues[i].waiters != JOBS_NONE;
    bool listed = kind == JOBS_NAME_QUEUE && (s->queues[i].is_dirty || s->queues[i].is_hook_dirty);
    return name->jobs == 0 && !name->is_set && !waited_for && !listed;
}

static uint32_t take_place(struct jobs *s, enum jobs_name_kind kind) {
    uint32_t *used = &s->head->names_used[kind];
    if (*used < capacity_of(s, kind)) return (*used)++;
    for (uint32_t i = 0; i < *used; i++)
        if (is_idle(s, kind, i)) {
            index_erase(&s->by_name[kind], s->by_name[kind].hash_of(s, i), i);
            return i;
        }
    return JOBS_NONE;
}

uint32_t names_find_or_make(struct jobs *s, enum jobs_name_kind kind, struct weir_slice text) {
    uint32_t i = names_find(s, kind, text);
    if (i != JOBS_NONE) return i;
    i = take_place(s, kind);
    if (i == JOBS_NONE) return JOBS_NONE;
    struct jobs_name *name = &s->names[kind][i];
    memset(name, 0, sizeof *name);
    name->size = (uint8_t)(text.size + 1);
    if (text.size) memcpy(name->text, text.data, text.size);
    if (kind == JOBS_NAME_QUEUE) {
        struct jobs_queue *q = &s->queues[i];
        memset(q, 0, sizeof *q);
        for (uint32_t side = 0; side < JOBS_SIDES; side++) {
            memset(q->sides[side].first, 0xff, sizeof q->sides[side].first);
            memset(q->sides[side].last, 0xff, sizeof q->sides[side].last);
        }
        q->waiters = q->waiters_last = q->dirty_next = q->hook_next = JOBS_NONE;
        q->destination = JOBS_NO_DESTINATION;
    }
    if (kind == JOBS_NAME_DESTINATION) {
        s->head->destinations_open -= s->gates[i].state != WEIR_GATE_CLOSED;
        s->gates[i] = (struct weir_gate){0};
    }
    index_put(&s->by_name[kind], hash_name(text), i);
    return i;
}

void names_settle_queue(struct jobs *s, uint32_t queue) {
    struct jobs_name *name = &s->names[JOBS_NAME_QUEUE][queue];
    const struct jobs_queue *q = &s->queues[queue];
    name->is_set = name->limit.concurrency || name->limit.rate_per_s || name->weight > 1 || q->paused ||
                   q->destination != JOBS_NO_DESTINATION;
}
