/* host/late.h: who waits for a reply that comes later than the apply of its command (weir_reply_later), per partition.
 *
 * A ticket is the command's offset. Only live: a restart begins with an empty table, and the partition's settings record
 * of that start tells the fold so. Bounded: LATE_MAX wait at once, more are told FULL.
 * Owner: the partition's lane. Memory: mapped at init, touched as used.
 */
#ifndef WEIR_HOST_LATE_H
#define WEIR_HOST_LATE_H
#include "base/map.h"
#include "base/pool.h"
#include "host/host.h"

#define LATE_MAX (64u << 10)

struct late_waiter {
    uint64_t ticket;
    struct host_origin origin;
    uint32_t next, previous; /* of those that nobody has told of the end; POOL_NONE: none */
    bool told;               /* of the end; its reply, should one come, is the edge's to give back */
};
struct late {
    struct map64 tickets; /* -> index */
    struct pool waiters;
    uint32_t first;
    void *memory;
    size_t memory_size;
};

WEIR_MUST enum weir_error late_init(struct late *late, uint64_t seed);
void late_done(struct late *late); /* accepts a zeroed one */
static inline uint32_t late_count(const struct late *late) {
    return late->waiters.count;
}
/* False: full. */
WEIR_MUST bool late_add(struct late *late, uint64_t ticket, const struct host_origin *origin);
/* Takes who waits for the ticket out. False: nobody does. */
bool late_take(struct late *late, uint64_t ticket, struct host_origin *ret_origin);
/* One that has not been told that the wait is over, which it is then; it stays, so that its reply is not lost unseen.
 * False: all have been told. */
bool late_tell(struct late *late, uint64_t *ret_ticket, struct host_origin *ret_origin);
void late_untold(struct late *late, uint64_t ticket); /* it could not be told */
#endif
