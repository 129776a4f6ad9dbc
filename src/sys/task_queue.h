/* sys/task_queue.h: a bounded queue of u64 items that any thread fills and any thread empties, oldest first. The way
 * into the pool from outside it.
 *
 * Vyukov's bounded queue: each cell has a turn, which says whether it waits for the push or for the pop of a position.
 * A push claims a position by moving tail, fills the cell, and then publishes it by its turn; a pop does the same with
 * head. Between the claim and the publication the cells behind are filled but not reached: a pop then answers empty.
 * No thread waits for another.
 *
 *   closing     is a bit of tail: a push either claimed its position before, and will publish it, or sees the bit
 *   sleepers    the turn is published by SEQ_CST and looked at by SEQ_CST, for the pool's protocol (sys/parking.h):
 *               a push that finds nobody asleep is seen by whoever falls asleep after that
 *
 * test_explore_pool.c runs it in every interleaving.
 */
#ifndef WEIR_SYS_TASK_QUEUE_H
#define WEIR_SYS_TASK_QUEUE_H
#include "base/assert.h"
#include "base/deque.h"

#define TASK_QUEUE_CLOSED (1ull << 63)

struct task_cell {
    uint64_t turn; /* position: free for its push; position + 1: filled; position + cells: free for the next round */
    uint64_t item;
};

struct task_queue {
    struct task_cell *cells;
    uint64_t mask; /* cells - 1 */
    uint8_t separation[DEQUE_SEPARATION];
    uint64_t tail; /* the next push */
    uint8_t separation2[DEQUE_SEPARATION];
    uint64_t head; /* the next pop */
    uint8_t separation3[DEQUE_SEPARATION];
};

enum task_queue_answer { TASK_QUEUE_OK, TASK_QUEUE_FULL, TASK_QUEUE_CLOSED_NOW };

/* cells has count (a power of two) of them. */
static inline void task_queue_init(struct task_queue *q, struct task_cell *cells, uint64_t count) {
    WEIR_ASSERT(count > 0 && (count & (count - 1)) == 0);
    *q = (struct task_queue){.cells = cells, .mask = count - 1};
    for (uint64_t i = 0; i < count; i++)
        cells[i] = (struct task_cell){.turn = i};
}

static inline enum task_queue_answer task_queue_push(struct task_queue *q, uint64_t item) {
    uint64_t at = atomics_load(&q->tail, RELAXED);
    for (;;) {
        if (at & TASK_QUEUE_CLOSED) return TASK_QUEUE_CLOSED_NOW;
        struct task_cell *cell = &q->cells[at & q->mask];
        int64_t ahead = (int64_t)(atomics_load(&cell->turn, ACQUIRE) - at);
        if (ahead < 0) return TASK_QUEUE_FULL;
        if (ahead > 0) { /* another push was here */
            at = atomics_load(&q->tail, RELAXED);
            continue;
        }
        if (!atomics_compare_exchange(&q->tail, &at, at + 1, RELAXED)) continue;
        atomics_plain_write(&cell->item, sizeof cell->item);
        cell->item = item;
        atomics_store(&cell->turn, at + 1, SEQ_CST);
        return TASK_QUEUE_OK;
    }
}

static inline bool task_queue_pop(struct task_queue *q, uint64_t *ret_item) {
    uint64_t at = atomics_load(&q->head, RELAXED);
    for (;;) {
        struct task_cell *cell = &q->cells[at & q->mask];
        int64_t ahead = (int64_t)(atomics_load(&cell->turn, SEQ_CST) - (at + 1));
        if (ahead < 0) return false;
        if (ahead > 0) {
            at = atomics_load(&q->head, RELAXED);
            continue;
        }
        if (!atomics_compare_exchange(&q->head, &at, at + 1, RELAXED)) continue;
        atomics_plain_read(&cell->item, sizeof cell->item);
        *ret_item = cell->item;
        atomics_store(&cell->turn, at + q->mask + 1, RELEASE);
        return true;
    }
}

/* Once: pushes from here on are refused. */
static inline void task_queue_close(struct task_queue *q) {
    (void)atomics_fetch_add(&q->tail, TASK_QUEUE_CLOSED, RELAXED);
}

/* Claimed positions that were not popped; approximate while others run, exact for a closed queue with one reader. */
static inline uint64_t task_queue_count(struct task_queue *q) {
    uint64_t head = atomics_load(&q->head, RELAXED);
    uint64_t tail = atomics_load(&q->tail, RELAXED) & ~TASK_QUEUE_CLOSED;
    return tail > head ? tail - head : 0;
}

#endif
