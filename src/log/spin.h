/* log/spin.h: a lock held for a few memory accesses, never across a system call.
 *
 * It guards what a reader shares with the store and keeper agents: a partition's segment table, the list of open
 * segment files. A waiter that meets a holder that lost its processor yields after a short spin.
 */
#ifndef WEIR_LOG_SPIN_H
#define WEIR_LOG_SPIN_H
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

struct spin {
    _Atomic bool held;
};

static inline void spin_lock(struct spin *s) {
    unsigned tries = 0;
    while (atomic_exchange_explicit(&s->held, true, memory_order_acquire)) {
        while (atomic_load_explicit(&s->held, memory_order_relaxed)) {
            if (++tries % 64 == 0) sched_yield();
        }
    }
}
static inline void spin_unlock(struct spin *s) {
    atomic_store_explicit(&s->held, false, memory_order_release);
}

#endif
