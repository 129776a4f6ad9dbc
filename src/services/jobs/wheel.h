/* jobs/wheel.h: everything that is due at some time, at a cost that does not depend on how much of it there is.
 *
 * A hierarchical timing wheel (Varghese and Lauck, 1987): five levels of 256 slots of 1 ms, 256 ms, 65.5 s, 4.7 h and
 * 50 d. A slot is a list of u32 items whose links lie in the items themselves. When time enters a slot of a higher
 * level, its items move down; that is done in pieces (WHEEL_MOVES_MAX at a call), so that no call is long whatever is
 * due: the slots that time stands in take no new items, so a half-moved one stays what it is. Within a millisecond
 * items come in the order of their lists, which is a function of the calls alone. Without pointers: a copy of the bytes
 * is the wheel. Pure; one owner thread.
 */
#ifndef WEIR_JOBS_WHEEL_H
#define WEIR_JOBS_WHEEL_H
#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_NONE      UINT32_MAX
#define WHEEL_TICK_NS   1000000u
#define WHEEL_BITS      8u
#define WHEEL_SLOTS     (1u << WHEEL_BITS)
#define WHEEL_LEVELS    5u
#define WHEEL_MOVES_MAX 16384u

struct wheel_node {
    uint64_t due_ns;
    uint32_t next, previous; /* of the slot; previous of its first: WHEEL_NONE */
    uint16_t slot;           /* level * 256 + slot; WHEEL_OUT: in none */
    uint16_t unused;
};
#define WHEEL_OUT UINT16_MAX

struct wheel {
    uint64_t tick;                                 /* that is being worked on: all before it is done */
    uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* slots that are not empty */
    uint32_t heads[WHEEL_LEVELS * WHEEL_SLOTS];
    uint32_t tails[WHEEL_LEVELS * WHEEL_SLOTS];
    uint32_t count, unused;
};
/* Where the items lie: node of item i is at nodes + i * stride. */
struct wheel_items {
    struct wheel *wheel;
    uint8_t *nodes;
    uint32_t stride;
};
static inline struct wheel_node *wheel_node(const struct wheel_items *items, uint32_t item) {
    return (struct wheel_node *)(void *)(items->nodes + (size_t)item * items->stride);
}

void wheel_init(struct wheel *wheel, uint64_t now_ns);
/* Nothing is in it: it may stand anywhere, best where what comes is near. */
static inline void wheel_rest(struct wheel *wheel, uint64_t now_ns) {
    if (wheel->count == 0 && now_ns / WHEEL_TICK_NS > wheel->tick) wheel->tick = now_ns / WHEEL_TICK_NS;
}
/* The item is in no slot. What is due in the past is due now. */
void wheel_add(const struct wheel_items *items, uint32_t item, uint64_t due_ns);
void wheel_remove(const struct wheel_items *items, uint32_t item); /* nothing when it is in no slot */
/* Takes out the next item that is due at now_ns. WHEEL_NONE: there is none, or (*ret_more) moving down took all that a
 * call may; call again, in another record. */
uint32_t wheel_take(const struct wheel_items *items, uint64_t now_ns, bool *ret_more);
/* When wheel_take has something to do next; UINT64_MAX: never. Not later than the first item's time. */
uint64_t wheel_next_ns(const struct wheel *wheel);
#endif
