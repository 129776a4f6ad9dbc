/* log/spin.h: a lock held for a few memory accesses, never across a system call.
 *
 * It guards what a reader shares with the store and keeper agents: a partition's segment table, the list of open
 * segment files. A waiter that meets a holder that lost its processor yields after a short spin.
 */
#ifndef WEIR_LOG_SPIN_H
#define WEIR_LOG_SPIN_H
#include "base/atomics.h"

#include <sched.h>
#include <stdbool.h>

struct spin {
    bool held;
};

static inline void spin_lock(struct spin *s) {
    unsigned tries = 0;
    while (atomics_exchange(&s->held, true, ACQUIRE)) {
        while (atomics_load(&s->held, RELAXED)) {
            atomics_spin();
            if (++tries % 64 == 0) sched_yield();
        }
    }
}
static inline void spin_unlock(struct spin *s) {
    atomics_store(&s->held, false, RELEASE);
}

#endif
