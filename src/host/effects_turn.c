/* Which effect starts next: queues by key in rings, gates, timers. */
#include "base/assert.h"
#include "host/effects.h"

/* ---- rings of queues ---- */
static struct effect_queue *queue_at(const struct effects *effects, uint32_t index) {
    return pool_at(&effects->queues, index);
}
static struct effect_list *ring_of(struct effects *effects, const struct effect_queue *q) {
    return &effects->rows[q->row].ring[q->priority];
}

static void ring_push(struct effects *effects, struct effect_queue *q) {
    struct effect_list *ring = ring_of(effects, q);
    uint32_t index = pool_index(&effects->queues, q);
    q->state = EFFECT_QUEUE_RING;
    q->next = POOL_NONE;
    q->previous = ring->last;
    if (ring->last == POOL_NONE)
        ring->first = index;
    else
        queue_at(effects, ring->last)->next = index;
    ring->last = index;
    ring->count++;
}

static void ring_remove(struct effects *effects, struct effect_queue *q) {
    struct effect_list *ring = ring_of(effects, q);
    if (q->previous == POOL_NONE)
        ring->first = q->next;
    else
        queue_at(effects, q->previous)->next = q->next;
    if (q->next == POOL_NONE)
        ring->last = q->previous;
    else
        queue_at(effects, q->next)->previous = q->previous;
    ring->count--;
}

/* A queue's timer stands under the id of its first effect: ids are the same in every life, places in memory are not. */
static void set_aside(struct effects *effects, struct effect_queue *q, uint64_t again_ns) {
    q->state = again_ns == WEIR_GATE_NEVER ? EFFECT_QUEUE_BUSY : EFFECT_QUEUE_TIMED;
    q->again_ns = again_ns;
    if (q->state == EFFECT_QUEUE_TIMED)
        timers_set(&effects->timers, effects_at(effects, q->waiting.first)->id, again_ns);
}

void effects_enqueue(struct effects *effects, struct effect *effect) {
    struct effect_row *r = &effects->rows[effect->row];
    struct map32 *by_key = &r->by_key[effect->priority];
    uint32_t index;
    struct effect_queue *q;
    if (map32_find(by_key, effect->key, &index)) {
        q = queue_at(effects, index);
    } else {
        index = pool_take(&effects->queues);
        WEIR_ASSERT(index != POOL_NONE); /* one for each outstanding effect */
        q = queue_at(effects, index);
        *q = (struct effect_queue){.key = effect->key, .row = effect->row, .priority = effect->priority};
        effect_list_init(&q->waiting);
        WEIR_ASSERT(map32_put(by_key, effect->key, index) == MAP_PUT_NEW);
        ring_push(effects, q);
    }
    effect->state = EFFECT_WAITING;
    effect->queue = index;
    r->waiting++;
    effect_list_push(effects, &q->waiting, effect);
}

void effects_dequeue(struct effects *effects, struct effect *effect) {
    struct effect_row *r = &effects->rows[effect->row];
    struct effect_queue *q = queue_at(effects, effect->queue);
    bool timed = q->state == EFFECT_QUEUE_TIMED && timers_cancel(&effects->timers, effect->id);
    effect_list_remove(effects, &q->waiting, effect);
    r->waiting--;
    if (q->waiting.count > 0) {
        if (timed) set_aside(effects, q, q->again_ns);
        return;
    }
    if (q->state == EFFECT_QUEUE_RING) ring_remove(effects, q);
    map32_erase(&r->by_key[q->priority], q->key);
    pool_give(&effects->queues, effect->queue);
}

void effects_place_queue(struct effects *effects, uint32_t queue, enum effect_queue_state state, uint64_t again_ns) {
    struct effect_queue *q = queue_at(effects, queue);
    WEIR_ASSERT(q->state == EFFECT_QUEUE_RING);
    q->again_ns = again_ns;
    if (state == EFFECT_QUEUE_RING) return;
    ring_remove(effects, q);
    set_aside(effects, q, state == EFFECT_QUEUE_BUSY ? WEIR_GATE_NEVER : again_ns);
}

void effects_free_key(struct effects *effects, struct effect_row *row, uint64_t key) {
    uint32_t index;
    for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++) {
        if (!map32_find(&row->by_key[p], key, &index)) continue;
        struct effect_queue *q = queue_at(effects, index);
        if (q->state == EFFECT_QUEUE_BUSY) ring_push(effects, q);
    }
}

/* ---- limits ---- */
void effects_limits(
    const struct effect_row *row, const struct weir_setting_value *values, struct weir_gate_limits *ret_limits) {
    struct weir_gate_limits l = row->row->gate;
    if (row->running_setting >= 0) l.running_max = (uint32_t)values[row->running_setting].number;
    if (row->per_second_setting >= 0) l.per_second = (uint32_t)values[row->per_second_setting].number;
    if (l.running_max == 0) l.running_max = EFFECT_AT_ONCE;
    *ret_limits = l;
}

/* ---- starts ---- */
static void start(struct effects *effects, struct effect *e, const struct weir_gate_limits *limits,
    struct weir_gate *key, uint64_t now_ns, struct digest *digest) {
    struct effect_row *r = &effects->rows[e->row];
    e->row_ticket = weir_gate_begin(&r->gate, limits, now_ns);
    e->passed_key = key != NULL;
    if (key) e->key_ticket = weir_gate_begin(key, &r->row->key_gate, now_ns);
    uint64_t measured = key ? weir_gate_timeout(key, &r->row->key_gate) : weir_gate_timeout(&r->gate, limits);
    e->limit_ns = e->timeout_ns ? e->timeout_ns : measured;
    e->state = EFFECT_RUNNING;
    e->at_ns = now_ns;
    e->attempt++;
    e->start = ++effects->starts;
    e->listed = true;
    effect_list_push(effects, &effects->starting, e);
    digest_u64(digest, e->id);
    digest_u64(digest, e->attempt);
}

void effects_take_start(struct effects *effects, struct effect *effect) {
    effect_list_remove(effects, &effects->starting, effect);
    effect->listed = false;
}

enum turn { TURN_STARTED, TURN_SET_ASIDE, TURN_STUCK };

/* The first queue of a ring has its turn. */
static enum turn turn_queue(struct effects *effects, struct effect_queue *q, const struct weir_gate_limits *limits,
    uint64_t now_ns, struct digest *digest) {
    struct effect_row *r = &effects->rows[q->row];
    struct weir_gate *key = NULL;
    if (q->key && r->has_key_gate) {
        uint64_t again_ns;
        key = weir_gates_take(r->keys, q->key, now_ns);
        if (!key) return TURN_STUCK; /* something runs behind every gate that is remembered: when one has ended */
        if (weir_gate_ask(key, &r->row->key_gate, now_ns, &again_ns) != WEIR_GATE_GO) {
            ring_remove(effects, q);
            set_aside(effects, q, again_ns);
            return TURN_SET_ASIDE;
        }
    }
    struct effect *e = effects_at(effects, q->waiting.first);
    bool more = q->waiting.count > 1;
    effects_dequeue(effects, e);
    if (more) { /* the others of this key come when every other key had its turn */
        ring_remove(effects, q);
        ring_push(effects, q);
    }
    start(effects, e, limits, key, now_ns, digest);
    return TURN_STARTED;
}

static void turn_row(struct effects *effects, struct effect_row *r, const struct weir_setting_value *values,
    uint64_t now_ns, struct digest *digest) {
    if (r->waiting == 0 || r->paused) return;
    struct weir_gate_limits limits;
    effects_limits(r, values, &limits);
    for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++)
        while (r->ring[p].count > 0) {
            uint64_t again_ns;
            if (weir_gate_ask(&r->gate, &limits, now_ns, &again_ns) != WEIR_GATE_GO) return;
            if (turn_queue(effects, queue_at(effects, r->ring[p].first), &limits, now_ns, digest) == TURN_STUCK) return;
        }
}

/* Those that have rested wait again; queues whose key's gate may say yes now are back in the ring. */
static void take_due(struct effects *effects, uint64_t now_ns) {
    struct timer due[64];
    uint32_t count;
    while ((count = timers_due(&effects->timers, now_ns, WEIR_ARRAY_COUNT(due), due)) > 0)
        for (uint32_t i = 0; i < count; i++) {
            timers_cancel(&effects->timers, due[i].id);
            struct effect *e = effects_find(effects, due[i].id);
            WEIR_ASSERT(e && (e->state == EFFECT_RESTING || e->state == EFFECT_WAITING));
            if (e->state == EFFECT_WAITING) {
                ring_push(effects, queue_at(effects, e->queue));
                continue;
            }
            effects->rows[e->row].resting--;
            effects_enqueue(effects, e);
        }
}

void effects_turn(
    struct effects *effects, const struct weir_setting_value *values, uint64_t now_ns, struct digest *digest) {
    if (effects->effects.count == 0) return;
    take_due(effects, now_ns);
    for (uint32_t i = 0; i < effects->row_count; i++)
        turn_row(effects, &effects->rows[i], values, now_ns, digest);
}

uint64_t effects_next_ns(const struct effects *effects, const struct weir_setting_value *values, uint64_t now_ns) {
    uint64_t next_ns = timers_next_ns(&effects->timers);
    for (uint32_t i = 0; i < effects->row_count; i++) {
        const struct effect_row *r = &effects->rows[i];
        bool ready = false;
        for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++)
            ready |= r->ring[p].count > 0;
        if (!ready || r->paused) continue;
        struct weir_gate_limits limits;
        uint64_t again_ns;
        effects_limits(r, values, &limits);
        weir_gate_ask(&r->gate, &limits, now_ns, &again_ns);
        if (again_ns < next_ns) next_ns = again_ns;
    }
    return next_ns;
}
