/* Deadlines: the textbook heap, with each slot's place kept so that it can be found. */
#include "edge/deadlines.h"

void deadlines_init(struct deadlines *t, struct deadline_entry *heap, uint32_t *place, uint32_t capacity) {
    *t = (struct deadlines){heap, place, 0, capacity};
}

static void put(struct deadlines *t, uint32_t i, struct deadline_entry entry) {
    t->heap[i] = entry;
    t->place[entry.slot] = i + 1;
}

static void rise(struct deadlines *t, uint32_t i, struct deadline_entry entry) {
    while (i > 0 && t->heap[(i - 1) / 2].at_ns > entry.at_ns) {
        put(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(t, i, entry);
}

static void sink(struct deadlines *t, uint32_t i, struct deadline_entry entry) {
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= t->count) break;
        if (child + 1 < t->count && t->heap[child + 1].at_ns < t->heap[child].at_ns) child++;
        if (t->heap[child].at_ns >= entry.at_ns) break;
        put(t, i, t->heap[child]);
        i = child;
    }
    put(t, i, entry);
}

void deadlines_arm(struct deadlines *t, uint32_t slot, uint64_t at_ns) {
    WEIR_DEBUG_ASSERT(slot < t->capacity);
    struct deadline_entry entry = {at_ns, slot, 0};
    if (t->place[slot]) {
        uint32_t i = t->place[slot] - 1;
        if (t->heap[i].at_ns > at_ns) rise(t, i, entry);
    } else if (at_ns != DEADLINE_NEVER) {
        WEIR_ASSERT(t->count < t->capacity);
        rise(t, t->count++, entry);
    }
}

static void remove_at(struct deadlines *t, uint32_t i) {
    t->place[t->heap[i].slot] = 0;
    struct deadline_entry last = t->heap[--t->count];
    if (i == t->count) return;
    if (i > 0 && t->heap[(i - 1) / 2].at_ns > last.at_ns)
        rise(t, i, last);
    else
        sink(t, i, last);
}

void deadlines_cancel(struct deadlines *t, uint32_t slot) {
    if (t->place[slot]) remove_at(t, t->place[slot] - 1);
}

bool deadlines_pop(struct deadlines *t, uint64_t now_ns, uint32_t *ret_slot) {
    if (t->count == 0 || t->heap[0].at_ns > now_ns) return false;
    *ret_slot = t->heap[0].slot;
    WEIR_ASSERT(*ret_slot < t->capacity && t->place[*ret_slot] == 1);
    remove_at(t, 0);
    return true;
}
