/* sys/countdown.h: how many tasks of a group have not ended, and whether somebody sleeps until they have.
 *
 * The waiter may free the group as soon as it has seen that it is done, so whoever ends the last task must not touch it
 * after the subtraction that says so: that one tells it, too, whether there is somebody to wake.
 * test_explore_pool.c runs it in every interleaving.
 */
#ifndef WEIR_SYS_COUNTDOWN_H
#define WEIR_SYS_COUNTDOWN_H
#include "base/atomics.h"

#include <stdbool.h>
#include <stdint.h>

#define COUNTDOWN_ASLEEP 1ull
#define COUNTDOWN_ONE    2ull

/* Before a task is submitted; by the waiter, or by a task that is counted itself. True when there was no other. */
static inline bool countdown_add(uint64_t *count) {
    return atomics_fetch_add(count, COUNTDOWN_ONE, RELAXED) < COUNTDOWN_ONE;
}
/* A task has ended. True when it was the last and the waiter has to be woken. */
static inline bool countdown_end(uint64_t *count) {
    return atomics_fetch_add(count, -COUNTDOWN_ONE, RELEASE) == (COUNTDOWN_ONE | COUNTDOWN_ASLEEP);
}
/* Waiter: what all tasks did is seen after true. */
static inline bool countdown_is_done(const uint64_t *count) {
    return atomics_load(count, ACQUIRE) < COUNTDOWN_ONE;
}
/* Waiter: true when there is nothing to wait for, else it will be woken. It may ask again after it awoke. */
static inline bool countdown_fall_asleep(uint64_t *count) {
    uint64_t now = atomics_load(count, RELAXED);
    while (now >= COUNTDOWN_ONE && !(now & COUNTDOWN_ASLEEP))
        if (atomics_compare_exchange(count, &now, now | COUNTDOWN_ASLEEP, RELAXED)) return false;
    return countdown_is_done(count);
}

#endif
