/* weir/pool.h: threads for work that must not run on a lane: decoding, inference, hashing, replaying for a snapshot.
 *
 *     weir_pool_start(sys, &(struct weir_pool_options){.workers = 2}, &pool);
 *     weir_group_begin(&group, pool, WEIR_POOL_NORMAL, my_poller);
 *     task.run = decode;                          a struct weir_task is a member of what the task works on
 *     if (weir_pool_submit(&group, &task)) ...    FULL: the queue is; try later, or say no to whoever asked
 *     weir_group_wait(&group);                    or go on, and look at weir_group_is_done() when my_poller is woken
 *     weir_pool_stop(pool, WEIR_POOL_DRAIN);
 *
 * Workers. Each has a deque of the tasks that tasks submit: it takes its newest, others steal its oldest. What comes
 * from outside goes through one bounded queue a class. A worker takes, in this order: what is queued in a class more
 * urgent than what it worked on last, its own deque, other queued tasks, what it can steal; a new BATCH task comes
 * last. Every 32nd time it begins elsewhere, each time with another of these sources, so none waits for ever. A running
 * task is never interrupted. A worker that finds nothing sleeps in its poller; no wake-up is lost.
 *
 * Memory. All of it is taken by weir_pool_start; nothing is allocated for a task. A task belongs to the pool from its
 * submission until its run or canceled function begins, and is the caller's again from then on: that function may free
 * it or submit it anew. A group is used by who began it and by its tasks, and belongs to the pool until
 * weir_group_wait or weir_worker_wait returned, or weir_group_is_done or weir_group_wake_me said that it is done.
 *
 * Threads. "Outside" is any thread that is not in a task; there, use weir_pool_submit and weir_group_wait. A task was
 * given its worker and uses weir_worker_submit and weir_worker_wait with it. weir_group_cancel, _is_canceled and
 * weir_pool_read_stats are for any thread. Under the simulator the workers are fibers or steps of the one thread:
 * nothing here depends on threads.
 *
 * A task that waits runs other tasks meanwhile, on its own stack: those of its group first, then stolen ones up to a
 * depth of WEIR_POOL_DEPTH_MAX (beyond it one more for each 100 ms in which its group was not done). So it must not
 * hold a lock that other tasks take. It may wait only for groups that it began itself.
 */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H
#include <weir/error.h>

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct sys;
struct weir_pool;
struct weir_worker;

#define WEIR_POOL_WORKERS_MAX 32u
#define WEIR_POOL_DEPTH_MAX   32u

enum weir_pool_class {
    WEIR_POOL_INTERACTIVE, /* somebody waits for it */
    WEIR_POOL_NORMAL,
    WEIR_POOL_BATCH, /* when there is nothing else */
    WEIR_POOL_CLASS_COUNT
};

struct weir_pool_options {
    uint32_t workers;     /* 1 to WEIR_POOL_WORKERS_MAX; 0: one less than there are cores, at least one */
    uint32_t queue_slots; /* tasks from outside that may wait, in each class; a power of two; 0: 1024 */
    uint32_t deque_slots; /* tasks that tasks submitted, for each worker; a power of two; 0: 1024 */
};

struct weir_group;
struct weir_task {
    void (*run)(struct weir_worker *worker, struct weir_task *task);
    /* The pool's: */
    struct weir_group *group;
    uint64_t queued_ns;
};

/* Tasks that are canceled together and waited for together. Its fields are the pool's. */
struct weir_group {
    struct weir_pool *pool;
    void (*canceled)(struct weir_task *task); /* may be set between begin and the first submission */
    uint64_t running;                         /* tasks not ended; the lowest bit: somebody sleeps until they have */
    uint64_t canceled_count;                  /* tasks that did not run */
    uint64_t mark;                            /* the worker's deque when the group began */
    int32_t poller;
    uint8_t class_, cancel;
};

/* ---- the pool ---- */
/* INVALID: options out of their range. Otherwise what memory, pollers and threads may fail with. */
WEIR_MUST enum weir_error weir_pool_start(
    struct sys *sys, const struct weir_pool_options *options, struct weir_pool **ret_pool);

enum weir_pool_stop {
    WEIR_POOL_DRAIN,  /* every task submitted runs first, and what these submit */
    WEIR_POOL_CANCEL, /* running tasks end, the others are canceled */
};
/* From outside, once. Refuses submissions from outside from here on (CLOSED); returns when all groups are done and the
 * threads have ended. Then the pool is gone: of its functions only weir_group_wait and weir_group_is_done may be
 * called, for its groups, and no other thread may still be inside a call. */
void weir_pool_stop(struct weir_pool *pool, enum weir_pool_stop how);

struct weir_pool_stats {
    uint64_t run, canceled; /* tasks ended either way */
    uint64_t stolen;        /* tasks that ran on another worker than the one that submitted them */
    uint64_t overflowed;    /* tasks run by weir_worker_submit itself, because the deque was full */
    uint64_t refused;       /* submissions answered with FULL */
    uint64_t slept;         /* times that a worker found nothing and slept */
    /* The longest that a task from outside was queued before it ran, of those measured: each that was alone in its
     * group, and every eighth. */
    uint64_t wait_ns_max;
    uint64_t queued, sleeping; /* now: tasks from outside that wait; workers that sleep */
};
void weir_pool_read_stats(struct weir_pool *pool, struct weir_pool_stats *ret_stats);

/* ---- from outside ---- */
/* poller: the calling thread's, where it learns that the group is done; -1 when it never waits. It stays open until the
 * pool was stopped. */
void weir_group_begin(struct weir_group *group, struct weir_pool *pool, enum weir_pool_class class_, int poller);
/* FULL: the class's queue is. CLOSED: the pool is being stopped. The task is then as it was. */
WEIR_MUST enum weir_error weir_pool_submit(struct weir_group *group, struct weir_task *task);
/* Sleeps in the group's poller until it is done, not at all when it is already; events of sockets stay there for the
 * next wait. Returns how many tasks were canceled. The group may be used again from its beginning. */
uint64_t weir_group_wait(struct weir_group *group);
/* Every task submitted so far has ended: seen by who submitted them; others see it too, a little later. Does not wake
 * the poller unless somebody waits or asked by weir_group_wake_me. */
bool weir_group_is_done(struct weir_group *group);
/* The group's poller, which it must have, is woken when the group is done. True when it is already: then it is not. */
bool weir_group_wake_me(struct weir_group *group);

/* ---- from a task ---- */
/* A group of subtasks; they have the class of the task that began it. */
void weir_worker_begin(struct weir_worker *worker, struct weir_group *group);
/* Into the worker's own deque. The group is one that this task began, or the one that it is in. When the deque is full
 * the task runs at once, on this stack: memory stays bounded, and what a task waits for can always go on. */
void weir_worker_submit(struct weir_worker *worker, struct weir_group *group, struct weir_task *task);
/* Runs tasks until the group is done. Returns how many of it were canceled. */
uint64_t weir_worker_wait(struct weir_worker *worker, struct weir_group *group);
uint32_t weir_worker_index(const struct weir_worker *worker); /* below the number of workers */

/* ---- canceling ---- */
/* Tasks of the group that have not begun will not run: group.canceled gets them instead, on a worker, and they are
 * counted. Running ones go on, and may ask. Groups that its tasks began are their own. */
void weir_group_cancel(struct weir_group *group);
bool weir_group_is_canceled(const struct weir_group *group);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
