/* sys/parking.h: which workers of a pool sleep, so that whoever has new work wakes one of them and none is woken in
 * vain. One word holds a bit for each worker that sleeps or is about to.
 *
 *   A worker that found nothing sets its bit, looks everywhere once more, and only then sleeps. Whoever makes work
 *   visible (SEQ_CST) then looks at the word (SEQ_CST). In the single order of these accesses one comes second and sees
 *   the other: either the worker finds the work, or its bit is seen.
 *
 *   To wake a worker is to claim its bit; one claim, one wake. A worker that awoke, or found work after it had set its
 *   bit, takes the bit back. When it is gone somebody counts on this worker for work that it may not have looked for:
 *   it has to look again, or to pass the claim on when it is busy now. Without that, the second of two tasks could wait
 *   for the first one's end beside a worker that sleeps.
 *
 * The lower half is for workers that take any work, the upper one for those that wait inside a task and take only what
 * tasks submitted. test_explore_pool.c runs the protocol in every interleaving.
 */
#ifndef WEIR_SYS_PARKING_H
#define WEIR_SYS_PARKING_H
#include "base/atomics.h"

#include <stdbool.h>
#include <stdint.h>

#define PARKING_WORKERS_MAX 32u
#define PARKING_ANY         0xffffffffull /* workers that take any work */

static inline uint64_t parking_bit(uint32_t worker, bool takes_any) {
    return 1ull << (takes_any ? worker : worker + PARKING_WORKERS_MAX);
}

/* Worker: it must look for work after this, and only then sleep. bit 0: it is not to be woken for work. */
static inline void parking_enter(uint64_t *word, uint64_t bit) {
    if (bit) (void)atomics_fetch_add(word, bit, SEQ_CST);
}

/* Worker: false when somebody has claimed it meanwhile. */
static inline bool parking_leave(uint64_t *word, uint64_t bit) {
    uint64_t parked = atomics_load(word, RELAXED);
    while (parked & bit)
        if (atomics_compare_exchange(word, &parked, parked & ~bit, RELAXED)) return true;
    return bit == 0;
}

/* Whoever has made work visible: the worker to be woken now, or -1 when none of these sleeps. Those that take any work
 * come first, as their bits are the lower ones. */
static inline int parking_claim(uint64_t *word, uint64_t among) {
    uint64_t parked = atomics_load(word, SEQ_CST);
    while (parked & among) {
        uint64_t bit = (parked & among) & -(parked & among);
        if (!atomics_compare_exchange(word, &parked, parked & ~bit, RELAXED)) continue;
        return __builtin_ctzll(bit) % (int)PARKING_WORKERS_MAX;
    }
    return -1;
}

#endif
