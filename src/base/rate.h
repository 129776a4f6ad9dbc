/* base/rate.h: a token bucket that many threads may take from: GCRA (ITU-T I.371), one 64-bit word of state.
 *
 * The word is the time at which the bucket will be full again. Taking moves it on by one interval with one
 * compare-and-exchange, so the limit is exact over all threads together and nothing has to refill anything. Threads'
 * clocks may differ: one that is behind sees a bucket that is less full, by that much. Pure; zeroed state is a full
 * bucket. Limits: up to 10^9 per second; above 10^6 per second the interval's whole nanoseconds make the rate up to 0.1
 * % higher than asked.
 */
#ifndef WEIR_BASE_RATE_H
#define WEIR_BASE_RATE_H
#include "base/atomics.h"

#include <stdbool.h>
#include <stdint.h>

#define RATE_NANOS_PER_S 1000000000ull

struct rate {
    uint64_t full_at_ns;
};
struct rate_limit {
    uint64_t interval_ns; /* of one; 0: no limit */
    uint64_t depth_ns;    /* of the whole bucket: burst x interval */
};

/* burst 0: what a second gives, at least one. per_second 0: no limit. */
static inline struct rate_limit rate_limit(uint64_t per_second, uint64_t burst) {
    struct rate_limit limit = {0, 0};
    if (per_second == 0) return limit;
    limit.interval_ns = per_second >= RATE_NANOS_PER_S ? 1 : RATE_NANOS_PER_S / per_second;
    if (burst == 0) burst = per_second;
    uint64_t most = UINT64_MAX / 4 / limit.interval_ns;
    limit.depth_ns = (burst < most ? burst : most) * limit.interval_ns;
    return limit;
}

/* Takes one. False: there is none, and *ret_wait_ns is the time until there is; nothing was taken. */
static inline bool rate_take(struct rate *rate, struct rate_limit limit, uint64_t now_ns, uint64_t *ret_wait_ns) {
    if (limit.interval_ns == 0) return true;
    uint64_t full_at = atomics_load(&rate->full_at_ns, RELAXED);
    for (;;) {
        uint64_t next = (full_at > now_ns ? full_at : now_ns) + limit.interval_ns;
        if (next - now_ns > limit.depth_ns) {
            *ret_wait_ns = next - now_ns - limit.depth_ns;
            return false;
        }
        if (atomics_compare_exchange(&rate->full_at_ns, &full_at, next, RELAXED)) return true;
        atomics_spin();
    }
}

/* Puts back what rate_take took, for who needs two buckets and found the other one empty. */
static inline void rate_give(struct rate *rate, struct rate_limit limit) {
    if (limit.interval_ns) (void)atomics_fetch_add(&rate->full_at_ns, -limit.interval_ns, RELAXED);
}

/* How many could be taken now, and the time until the bucket is full. */
static inline uint64_t rate_left(
    const struct rate *rate, struct rate_limit limit, uint64_t now_ns, uint64_t *ret_full_in_ns) {
    uint64_t full_at = atomics_load(&((struct rate *)(uintptr_t)rate)->full_at_ns, RELAXED);
    *ret_full_in_ns = full_at > now_ns ? full_at - now_ns : 0;
    if (limit.interval_ns == 0) return UINT64_MAX;
    return *ret_full_in_ns >= limit.depth_ns ? 0 : (limit.depth_ns - *ret_full_in_ns) / limit.interval_ns;
}

#endif
