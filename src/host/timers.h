/* host/timers.h: a partition's timers, part of its fold: (id -> at_ns), ordered by (at_ns, id).
 *
 * A binary heap and a map from id to its place. Owner: the fold's thread. Memory: mapped at the first timer, doubled
 * as needed up to TIMERS_MAX (asserted: a fold that needs more keeps its own order and one timer). Contents and answers
 * depend only on the calls.
 */
#ifndef WEIR_HOST_TIMERS_H
#define WEIR_HOST_TIMERS_H
#include "base/map.h"

#include <weir/error.h>

#define TIMERS_MAX (1u << 24)

struct timer {
    uint64_t at_ns, id;
};
struct timers {
    struct timer *heap;
    uint32_t count, capacity;
    struct map32 places; /* id -> index in heap */
};

void timers_done(struct timers *timers); /* accepts zeroed */
void timers_set(struct timers *timers, uint64_t id, uint64_t at_ns);
bool timers_cancel(struct timers *timers, uint64_t id); /* false: there was none */
/* Takes the timer when it is set and due at `now_ns`: what a TIMER record does first. False: moved or cancelled since.
 */
bool timers_take_due(struct timers *timers, uint64_t id, uint64_t now_ns);
static inline uint64_t timers_next_ns(const struct timers *timers) {
    return timers->count ? timers->heap[0].at_ns : UINT64_MAX;
}
/* The first (at most max, max <= 256) due timers in order, without taking them; returns how many. */
uint32_t timers_due(const struct timers *timers, uint64_t now_ns, uint32_t max, struct timer *ret_due);
#endif
