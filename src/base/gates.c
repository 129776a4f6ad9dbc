/* A gate for each key: entries side by side, found by an open-addressed index of their numbers. */
#include <weir/gate.h>

#include "base/assert.h"
#include "base/hash.h"

#define LOOK_AT 64u /* entries considered for eviction: bounds the time of a take, as Redis bounds its sampled LRU */

struct weir_gates {
    uint32_t capacity, count;
    uint32_t slots; /* of the index, a power of two, at most half full */
    uint32_t hand;  /* where eviction looks next */
};
struct entry {
    uint64_t key;
    struct weir_gate gate;
};

static uint32_t slots_for(uint32_t capacity) {
    uint32_t slots = 4;
    while (slots < 2 * capacity)
        slots *= 2;
    return slots;
}
static uint32_t *index_of(const struct weir_gates *g) { /* entry number + 1; 0: free */
    return (uint32_t *)(uintptr_t)(g + 1);
}
static struct entry *entries_of(const struct weir_gates *g) {
    return (struct entry *)(void *)(index_of(g) + g->slots);
}
static uint32_t home(const struct weir_gates *g, uint64_t key) {
    return (uint32_t)(hash_u64(key, 0x67617465)) & (g->slots - 1);
}

size_t weir_gates_bytes(uint32_t capacity) {
    WEIR_ASSERT(capacity >= 1 && capacity <= 1u << 24);
    return sizeof(struct weir_gates) + slots_for(capacity) * sizeof(uint32_t) + capacity * sizeof(struct entry);
}

struct weir_gates *weir_gates_init(void *memory, uint32_t capacity) {
    struct weir_gates *g = memory;
    WEIR_ASSERT(capacity >= 1 && capacity <= 1u << 24 && (uintptr_t)memory % 8 == 0);
    *g = (struct weir_gates){.capacity = capacity, .slots = slots_for(capacity)};
    return g;
}

/* The slot where the key is, or where it would go. */
static uint32_t seek(const struct weir_gates *g, uint64_t key) {
    const uint32_t *index = index_of(g);
    uint32_t at = home(g, key);
    while (index[at] && entries_of(g)[index[at] - 1].key != key)
        at = (at + 1) & (g->slots - 1);
    return at;
}

/* Later ones of the run move up, so that no search ends at the gap. */
static void unlink_slot(struct weir_gates *g, uint32_t gap) {
    uint32_t *index = index_of(g), mask = g->slots - 1;
    for (uint32_t at = (gap + 1) & mask; index[at]; at = (at + 1) & mask) {
        uint32_t wants = home(g, entries_of(g)[index[at] - 1].key);
        if (((at - wants) & mask) < ((at - gap) & mask)) continue;
        index[gap] = index[at];
        gap = at;
    }
    index[gap] = 0;
}

static bool better(const struct weir_gate *a, const struct weir_gate *b) {
    bool a_closed = a->state == WEIR_GATE_CLOSED, b_closed = b->state == WEIR_GATE_CLOSED;
    return a_closed != b_closed ? a_closed : a->used_ns < b->used_ns;
}

/* The number of an entry that may go; UINT32_MAX: none. Looks further than LOOK_AT only until it has found one. */
static uint32_t pick(struct weir_gates *g) {
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < g->count && (i < LOOK_AT || best == UINT32_MAX); i++) {
        const struct entry *e = &entries_of(g)[g->hand];
        if (e->gate.running == 0 && (best == UINT32_MAX || better(&e->gate, &entries_of(g)[best].gate))) best = g->hand;
        g->hand = g->hand + 1 < g->count ? g->hand + 1 : 0;
    }
    return best;
}

struct weir_gate *weir_gates_find(struct weir_gates *gates, uint64_t key) {
    uint32_t number = index_of(gates)[seek(gates, key)];
    return number ? &entries_of(gates)[number - 1].gate : NULL;
}

struct weir_gate *weir_gates_take(struct weir_gates *gates, uint64_t key, uint64_t now_ns) {
    struct weir_gate *found = weir_gates_find(gates, key);
    if (found) return found;
    uint32_t number = gates->count;
    if (number == gates->capacity) {
        number = pick(gates);
        if (number == UINT32_MAX) return NULL;
        unlink_slot(gates, seek(gates, entries_of(gates)[number].key));
    } else {
        gates->count++;
    }
    struct entry *e = &entries_of(gates)[number];
    *e = (struct entry){.key = key, .gate = {.used_ns = now_ns}};
    index_of(gates)[seek(gates, key)] = number + 1;
    return &e->gate;
}

uint32_t weir_gates_count(const struct weir_gates *gates) {
    return gates->count;
}

bool weir_gates_each(struct weir_gates *gates, uint32_t *place, uint64_t *ret_key, struct weir_gate **ret_gate) {
    if (*place >= gates->count) return false;
    struct entry *e = &entries_of(gates)[(*place)++];
    *ret_key = e->key;
    *ret_gate = &e->gate;
    return true;
}

bool weir_gates_valid(const struct weir_gates *gates, uint32_t capacity) {
    if (gates->capacity != capacity || gates->slots != slots_for(capacity) || gates->count > capacity) return false;
    if (gates->hand >= (gates->count ? gates->count : 1)) return false;
    const uint32_t *index = index_of(gates);
    uint32_t used = 0;
    for (uint32_t i = 0; i < gates->slots; i++) {
        if (index[i] > gates->count) return false;
        used += index[i] != 0;
    }
    if (used != gates->count) return false;
    for (uint32_t i = 0; i < gates->count; i++)
        if (index[seek(gates, entries_of(gates)[i].key)] != i + 1) return false;
    return true;
}
