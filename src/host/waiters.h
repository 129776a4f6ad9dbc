/* host/waiters.h: who waits for the reply of a command that is appended and not applied yet, per partition.
 *
 * A bounded FIFO in offset order, matched at apply, also when the partition lags. A command with an idempotency key is
 * findable here, so that its duplicate joins the reply instead of being appended again; a key is known by 128 bits of
 * SipHash under this process's secret.
 * Owner: the partition's lane. Memory: mapped at init for waiting_max, touched as used.
 */
#ifndef WEIR_HOST_WAITERS_H
#define WEIR_HOST_WAITERS_H
#include "base/map.h"
#include "base/pool.h"
#include "host/host.h"

#define WAITERS_JOINED_MAX 8u /* duplicates of one pending command */

struct waiter_key {
    uint64_t hash[2], body_hash[2]; /* hash 0: no key */
};
struct waiter {
    uint64_t offset;
    struct host_origin origin;
    struct waiter_key key;
    uint32_t joined; /* chain, POOL_NONE: none */
    uint16_t joined_count;
    bool wants_reply;
};
struct waiter_joined {
    uint32_t next;
    bool conflict; /* same key, another body */
    struct host_origin origin;
};
struct waiters {
    struct waiter *ring;
    uint64_t mask, head, tail;
    uint32_t max;
    struct map64 keys; /* hash[0] -> position */
    struct pool joined;
    void *memory;
    size_t memory_size;
};

WEIR_MUST enum weir_error waiters_init(struct waiters *waiters, uint32_t waiting_max, uint64_t seed);
void waiters_done(struct waiters *waiters);
static inline uint32_t waiters_count(const struct waiters *waiters) {
    return (uint32_t)(waiters->tail - waiters->head);
}
static inline bool waiters_full(const struct waiters *waiters) {
    return waiters_count(waiters) >= waiters->max;
}
void waiters_add(struct waiters *waiters, const struct waiter *waiter); /* asserted: not full */
struct waiter *waiters_find(struct waiters *waiters, const struct waiter_key *key);
/* False: too many duplicates wait already. */
bool waiters_join(struct waiters *waiters, struct waiter *waiter, const struct host_origin *origin, bool conflict);
/* The oldest waiter when it waits for this offset; older ones are dropped (asserted: there are none). */
struct waiter *waiters_at(struct waiters *waiters, uint64_t offset);
struct waiter_joined *waiters_joined(struct waiters *waiters, uint32_t index);
void waiters_pop(struct waiters *waiters);
#endif
