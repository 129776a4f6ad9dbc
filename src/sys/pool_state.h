/* sys/pool_state.h: what the files of the pool share. The contract is weir/pool.h. */
#ifndef WEIR_SYS_POOL_STATE_H
#define WEIR_SYS_POOL_STATE_H
#include "base/deque.h"
#include "base/metric.h"
#include "sys/countdown.h"
#include "sys/parking.h"
#include "sys/sys.h"
#include "sys/task_queue.h"

#include <weir/pool.h>

WEIR_STATIC_ASSERT(WEIR_POOL_WORKERS_MAX == PARKING_WORKERS_MAX, "a bit of the parking word for each worker");

/* Written by the worker alone, read by any thread. */
struct worker_counters {
    struct metric_counter run, canceled, stolen, overflowed, slept, wait_ns_max;
};

/* Workers lie one after the other: the deque's separation keeps what only the owner uses away from its top, which
 * thieves write, and the last one from the next worker. */
struct weir_worker {
    struct deque deque;
    struct weir_pool *pool;
    uint32_t index;
    int poller, agent; /* -1: none */
    uint8_t class_;    /* of the task that it ran last */
    uint32_t depth;    /* stolen tasks on its stack, each above a task that waits */
    uint32_t looks;    /* for work, so far */
    struct worker_counters counters;
    uint8_t separation[DEQUE_SEPARATION];
};

struct weir_pool {
    struct sys *sys;
    size_t memory_size; /* of the one mapping that holds this struct and all below */
    struct weir_worker *workers;
    uint32_t worker_count;
    uint32_t stopping; /* enum weir_pool_stop + 1; 0: no */
    uint8_t separation[DEQUE_SEPARATION];
    uint64_t parked; /* sys/parking.h */
    uint8_t separation2[DEQUE_SEPARATION];
    uint64_t refused; /* by any thread, and rare */
    uint8_t separation3[DEQUE_SEPARATION];
    struct task_queue queues[WEIR_POOL_CLASS_COUNT];
};

static inline uint64_t task_item(struct weir_task *task) {
    return (uint64_t)(uintptr_t)task;
}
static inline struct weir_task *task_of(uint64_t item) {
    return (struct weir_task *)(uintptr_t)item;
}

/* Work was made visible: wakes one worker that sleeps and may take it. among: of parking_bit()s. */
static inline void pool_notify(struct weir_pool *pool, uint64_t among) {
    int worker = parking_claim(&pool->parked, among);
    if (worker >= 0) pool->sys->poller_wake(pool->sys, pool->workers[worker].poller);
}

/* The agent's do_work. */
uint32_t worker_do_work(void *self, uint64_t block_ns);
/* Everything there is, until there is nothing: for stopping. Returns the tasks ended. */
uint32_t worker_drain(struct weir_worker *w);

#endif
