/* sys/shared_pool.h: the one pool of workers (weir/pool.h) of a node, started when somebody first has work for it: a
 * node that never has any has no thread, poller or memory of it.
 *
 * Owner: who made it; it outlives all who use it. shared_pool_get and shared_pool_measure are for any thread.
 */
#ifndef WEIR_SYS_SHARED_POOL_H
#define WEIR_SYS_SHARED_POOL_H
#include "base/metric.h"
#include "sys/sys.h"

#include <weir/pool.h>

struct shared_pool {
    struct sys *sys;
    struct weir_pool_options options;
    uint32_t state; /* enum shared_pool_state */
    struct weir_pool *pool;
    /* As of the last shared_pool_measure(). */
    struct metric_counter workers, run, canceled, stolen, overflowed, refused, slept, wait_ns_max, queued, sleeping;
};

/* workers: as in struct weir_pool_options, and now with their number filled in. */
void shared_pool_init(struct shared_pool *shared, struct sys *sys, uint32_t workers);
/* AGAIN: another thread is starting it right now, or it could not be started yet. Else what weir_pool_start may fail
 * with: the next call tries again. */
WEIR_MUST enum weir_error shared_pool_get(struct shared_pool *shared, struct weir_pool **ret_pool);
/* Every task submitted ends first. Nobody calls get any more. Accepts one that was never started, or zeroed. */
void shared_pool_stop(struct shared_pool *shared);

/* Copies the pool's counters to where the registry reads them; one thread at a time, now and then. */
void shared_pool_measure(struct shared_pool *shared);
void shared_pool_register(const struct shared_pool *shared, struct metric_registry *registry);

#endif
