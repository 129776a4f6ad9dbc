/* base/deque.c: the two sides that race. Positions compare by the sign of their difference, because bottom may be one
 * below top while a pop finds out that it came too late. */
#include "base/deque.h"

#include "base/assert.h"

void deque_init(struct deque *d, uint64_t *slots, size_t slot_count) {
    WEIR_ASSERT(slot_count > 0 && (slot_count & (slot_count - 1)) == 0);
    *d = (struct deque){.slots = slots, .mask = slot_count - 1};
}

bool deque_pop(struct deque *d, uint64_t *ret_item) {
    /* top never passes bottom, so a copy that has reached it is not old: nothing to claim, no barrier to pay. */
    if (d->bottom == d->seen_top) return false;
    uint64_t bottom = d->bottom - 1;
    atomics_store(&d->bottom, bottom, SEQ_CST); /* thieves that look from here on leave the item alone */
    uint64_t top = atomics_load(&d->top, SEQ_CST);
    d->seen_top = top;
    int64_t others = (int64_t)(bottom - top);
    if (others > 0) {
        *ret_item = atomics_load(&d->slots[bottom & d->mask], RELAXED);
        return true;
    }
    bool mine = false;
    if (others == 0) {
        /* The last one: a thief may have looked before the store above. */
        uint64_t item = atomics_load(&d->slots[bottom & d->mask], RELAXED);
        mine = atomics_compare_exchange(&d->top, &top, bottom + 1, SEQ_CST);
        if (mine) *ret_item = item;
        d->seen_top = bottom + 1;
    }
    atomics_store(&d->bottom, bottom + 1, RELAXED); /* empty: nothing to publish */
    return mine;
}

enum deque_answer deque_steal(struct deque *d, uint64_t *ret_item) {
    uint64_t top = atomics_load(&d->top, ACQUIRE); /* before bottom, see deque.h */
    uint64_t bottom = atomics_load(&d->bottom, SEQ_CST);
    if ((int64_t)(bottom - top) <= 0) return DEQUE_EMPTY;
    /* Read before it is claimed: afterwards the owner may fill the slot again. */
    uint64_t item = atomics_load(&d->slots[top & d->mask], RELAXED);
    if (!atomics_compare_exchange(&d->top, &top, top + 1, SEQ_CST)) return DEQUE_LOST;
    *ret_item = item;
    return DEQUE_ITEM;
}

uint64_t deque_count(const struct deque *d) {
    uint64_t top = atomics_load(&d->top, RELAXED), bottom = atomics_load(&d->bottom, RELAXED);
    int64_t count = (int64_t)(bottom - top);
    return count < 0 ? 0 : (uint64_t)count > d->mask + 1 ? d->mask + 1 : (uint64_t)count;
}
