/* host/drain.h: how a node that stops finds out that nothing is under way on any lane.
 *
 * Each lane says at the end of its cycle whether it is idle. Asking one after the other is not enough: the first may be
 * given an emit by the second right after it was asked, and the second, relieved of it, is found idle too. So a lane
 * counts its changes, and whoever asks goes round twice: the same counts in both rounds mean that all were idle at
 * once, between the rounds. That this is for good follows from two rules of the lanes. One that has handed on work (an
 * emit) is not idle before the receiver has acknowledged it; a receiver says that it is not idle before it
 * acknowledges. test_explore_drain.c tries it in every interleaving.
 */
#ifndef WEIR_HOST_DRAIN_H
#define WEIR_HOST_DRAIN_H
#include "base/atomics.h"

#include <stdbool.h>
#include <stdint.h>

struct drain {
    uint64_t changes; /* odd: idle. Zeroed: not idle */
};

/* The lane: what it is from now on. */
static inline void drain_say(struct drain *d, bool idle) {
    if ((d->changes & 1) != idle) atomics_store(&d->changes, d->changes + 1, RELEASE);
}

/* Any thread, one round of it: whether the lane is idle; its count is added to *sum. Counts only grow, so equal sums of
 * two rounds are equal counts. */
static inline bool drain_ask(const struct drain *d, uint64_t *sum) {
    uint64_t changes = atomics_load(&d->changes, ACQUIRE);
    *sum += changes;
    return changes & 1;
}

#endif
