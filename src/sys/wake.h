/* sys/wake.h: how a thread falls asleep without missing what others have for it, and others wake it without a system
 * call while it is awake (a producer wakes a lane per batch). One word decides:
 *
 *   AWAKE      the owner works
 *   ASLEEP     it is in the kernel, or about to be
 *   NOTIFIED   a wake came since it last woke up
 *
 * The owner looks at its queues, then wait: wake_fall_asleep, the kernel, wake_up. Whoever has something for it puts
 * that into a queue, then calls wake_notify. Every change is a read-modify-write of the one word, so either the
 * notifier finds ASLEEP and must end the sleep, or the owner finds NOTIFIED and does not sleep. What was written before
 * a wake_notify is seen after the next wake_up. test_explore_wake.c proves it in every interleaving and that no order
 * here may be weaker.
 */
#ifndef WEIR_SYS_WAKE_H
#define WEIR_SYS_WAKE_H
#include "base/atomics.h"

#include <stdbool.h>
#include <stdint.h>

enum wake_state { WAKE_AWAKE, WAKE_ASLEEP, WAKE_NOTIFIED };

struct wake {
    uint32_t state; /* enum wake_state; zeroed: awake */
};

/* Owner: false when a wake came since the last wake_up; then it may look at the kernel, but not wait there. */
static inline bool wake_fall_asleep(struct wake *w) {
    uint32_t awake = WAKE_AWAKE;
    return atomics_compare_exchange(&w->state, &awake, WAKE_ASLEEP, RELAXED);
}
/* Owner: back from the kernel, whether it slept or not. It must look at its queues after this before it sleeps. */
static inline void wake_up(struct wake *w) {
    (void)atomics_exchange(&w->state, WAKE_AWAKE, ACQUIRE);
}
/* Any thread: true when the owner is asleep and this call has to end its sleep: only the first of many gets that. */
static inline bool wake_notify(struct wake *w) {
    return atomics_exchange(&w->state, WAKE_NOTIFIED, RELEASE) == WAKE_ASLEEP;
}

#endif
