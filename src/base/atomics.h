/* base/atomics.h: the atomic operations of the lock-free structures, with their memory order in plain sight.
 *
 * In every build of weir these are the compiler's __atomic builtins and nothing else: ThreadSanitizer sees each edge
 * and the machine code is what the builtins give. A test that defines WEIR_EXPLORE before it includes a structure gets
 * the same structure on top of base/explore.h, which runs it under every interleaving and under every value a load may
 * return. Such a test includes the structure's .c file too, when it has one.
 *
 * p points to an integer of 1, 4 or 8 bytes that is not _Atomic. order is RELAXED, ACQUIRE, RELEASE, ACQ_REL or
 * SEQ_CST.
 */
#ifndef WEIR_BASE_ATOMICS_H
#define WEIR_BASE_ATOMICS_H

#ifndef WEIR_EXPLORE

#define atomics_load(p, order)             __atomic_load_n(p, __ATOMIC_##order)
#define atomics_store(p, value, order)     __atomic_store_n(p, value, __ATOMIC_##order)
#define atomics_exchange(p, value, order)  __atomic_exchange_n(p, value, __ATOMIC_##order)
#define atomics_fetch_add(p, value, order) __atomic_fetch_add(p, value, __ATOMIC_##order)
#define atomics_fence(order)               __atomic_thread_fence(__ATOMIC_##order)
/* Strong. On failure *expected is what was there, and nothing is ordered. */
#define atomics_compare_exchange(p, expected, value, order)                                                            \
    __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_##order, __ATOMIC_RELAXED)

/* For the explorer, nothing elsewhere: the structure itself is about to read or write size plain bytes that another
 * thread writes too, at another time. */
#define atomics_plain_read(p, size)  ((void)0)
#define atomics_plain_write(p, size) ((void)0)
/* For the explorer: the loop goes round again, and only a newer value of what this thread loaded last can end it. */
#define atomics_spin() ((void)0)

#else
#include "base/explore.h"

#define atomics_load(p, order)             explore_load(p, sizeof *(p), EXPLORE_SITE(p, "load", order))
#define atomics_store(p, value, order)     explore_store(p, sizeof *(p), value, EXPLORE_SITE(p, "store", order))
#define atomics_exchange(p, value, order)  explore_exchange(p, sizeof *(p), value, EXPLORE_SITE(p, "exchange", order))
#define atomics_fetch_add(p, value, order) explore_fetch_add(p, sizeof *(p), value, EXPLORE_SITE(p, "add", order))
#define atomics_fence(order)               explore_fence(EXPLORE_SITE(, "fence", order))
#define atomics_compare_exchange(p, expected, value, order)                                                            \
    ({                                                                                                                 \
        uint64_t atomics_found = *(expected);                                                                          \
        bool atomics_done =                                                                                            \
            explore_compare_exchange(p, sizeof *(p), &atomics_found, value, EXPLORE_SITE(p, "cas", order));            \
        *(expected) = (__typeof__(*(expected)))atomics_found;                                                          \
        atomics_done;                                                                                                  \
    })
#define atomics_plain_read(p, size)  explore_read(p, size)
#define atomics_plain_write(p, size) explore_write(p, size)
#define atomics_spin()               explore_spin()

#endif
#endif
