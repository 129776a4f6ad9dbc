/* edge/deadlines.h: one deadline per connection slot, a binary heap with lazy moves.
 *
 * Deadlines mostly move later (every byte received moves the idle time on), so a slot's entry stays where it is until
 * it comes to the top: then the owner is asked for the true deadline, and the entry moves. Moving a deadline later
 * costs nothing, earlier O(log n). Memory is the caller's, sized at start. Owner: the lane.
 */
#ifndef WEIR_EDGE_DEADLINES_H
#define WEIR_EDGE_DEADLINES_H
#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

#define DEADLINE_NEVER UINT64_MAX

struct deadline_entry {
    uint64_t at_ns;
    uint32_t slot;
    uint32_t unused;
};
struct deadlines {
    struct deadline_entry *heap;
    uint32_t *place; /* slot -> index in heap + 1; 0: not there */
    uint32_t count, capacity;
};

/* heap: capacity entries, place: capacity zeroed. */
void deadlines_init(struct deadlines *deadlines, struct deadline_entry *heap, uint32_t *place, uint32_t capacity);
/* The slot's entry is at most at_ns afterwards. */
void deadlines_arm(struct deadlines *deadlines, uint32_t slot, uint64_t at_ns);
void deadlines_cancel(struct deadlines *deadlines, uint32_t slot);
static inline uint64_t deadlines_next(const struct deadlines *deadlines) {
    return deadlines->count ? deadlines->heap[0].at_ns : DEADLINE_NEVER;
}
/* Takes a slot whose entry is due off the heap; false when none is. The caller arms it again with its true deadline. */
bool deadlines_pop(struct deadlines *deadlines, uint64_t now_ns, uint32_t *ret_slot);

#endif
