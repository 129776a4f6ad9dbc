/* base/deque.h: a bounded queue of u64 items (numbers, or pointers as uintptr_t) that one thread, the owner, fills and
 * empties at one end, last in first out, while any other thread, a thief, may take the oldest item from the other end.
 *
 * Chase and Lev's deque ("Dynamic circular work-stealing deque", SPAA'05) in the form for weak memory of Le, Pop, Cohen
 * and Zappa Nardelli ("Correct and efficient work-stealing for weak memory models", PPoPP'13), with two changes:
 *
 *   bounded      the memory is the caller's and never grows; full is an answer
 *   no fences    the paper orders pop's store of bottom before its load of top by a fence; ThreadSanitizer does not
 *                understand fences, so here the two accesses, and the thief's load of bottom, are SEQ_CST. On x86 that
 *                is the same full barrier (xchg for mov + mfence); bench_base measures both.
 *
 * Why no item is taken twice: pop lowers bottom before it looks at top, a thief looks at top before it looks at bottom.
 * In the single order of these accesses one of them comes second and sees the other; only for the last item do they
 * have to race for top, by compare-and-exchange. test_explore_deque.c runs that in every interleaving.
 *
 * Neither side ever waits or retries. The sides' fields are a ring's RING_SEPARATION apart. What an item points to is
 * visible to whoever gets it.
 */
#ifndef WEIR_BASE_DEQUE_H
#define WEIR_BASE_DEQUE_H

#include "base/atomics.h"
#include "base/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef DEQUE_SEPARATION /* a benchmark sets it to see what it is good for */
#define DEQUE_SEPARATION RING_SEPARATION
#endif

struct deque {
    uint64_t *slots; /* all accesses are atomic: a thief may read a slot that is being filled again, and then loses */
    uint64_t mask;   /* slots - 1 */
    uint8_t separation[DEQUE_SEPARATION];
    uint64_t bottom;   /* owner: where the next item goes; one lower while a pop is under way */
    uint64_t seen_top; /* owner: its private, possibly old, copy of top */
    uint8_t separation2[DEQUE_SEPARATION];
    uint64_t top; /* the oldest item; only grows */
    uint8_t separation3[DEQUE_SEPARATION];
};

/* slots has slot_count (a power of two) of them. Positions are counters that never wrap in practice. */
void deque_init(struct deque *d, uint64_t *slots, size_t slot_count);

static inline bool deque_is_full(struct deque *d) {
    if (d->bottom - d->seen_top <= d->mask) return false;
    d->seen_top = atomics_load(&d->top, ACQUIRE);
    return d->bottom - d->seen_top > d->mask;
}
/* Owner: false when full. */
static inline bool deque_push(struct deque *d, uint64_t item) {
    if (deque_is_full(d)) return false;
    atomics_store(&d->slots[d->bottom & d->mask], item, RELAXED);
    atomics_store(&d->bottom, d->bottom + 1, RELEASE);
    return true;
}
/* Owner: the same for one that looks next whether a thief sleeps (SEQ_CST), where the thief says that it sleeps, then
 * tries to steal: either the owner sees the sleeper or the thief sees the item. Costs a barrier. */
static inline bool deque_push_then_look(struct deque *d, uint64_t item) {
    if (deque_is_full(d)) return false;
    atomics_store(&d->slots[d->bottom & d->mask], item, RELAXED);
    atomics_store(&d->bottom, d->bottom + 1, SEQ_CST);
    return true;
}

/* Owner: the item it pushed last that is still there; false when there is none. */
bool deque_pop(struct deque *d, uint64_t *ret_item);

enum deque_answer {
    DEQUE_ITEM,
    DEQUE_EMPTY,
    DEQUE_LOST, /* another one took the item meanwhile; there may be more */
};

/* Any thread, the owner between its own operations too: the oldest item. */
enum deque_answer deque_steal(struct deque *d, uint64_t *ret_item);

/* Any thread: items, approximate while others run. For metrics and for choosing whom to steal from. */
uint64_t deque_count(const struct deque *d);

#endif
