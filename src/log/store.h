/* log/store.h: the agent that writes released commits to their segments and moves the high watermarks.
 *
 * It takes everything that was released since its last round, chains it per partition, and writes each chain with as
 * few calls as the segments allow: what lags is written in larger pieces. Only then do watermarks move and commits
 * become free. NO_SPACE is waited out; any other error is final.
 */
#ifndef WEIR_LOG_STORE_H
#define WEIR_LOG_STORE_H
#include "base/metric.h"
#include "log/log.h"
#include "log/pack.h"

struct commit;
struct commit_batch;
struct partition;

struct store {
    struct log *log;
    int poller;
    _Atomic int waiter; /* poller of who waits for watermarks to move; -1: nobody */
    /* store agent only */
    struct commit **round; /* commits being stored */
    uint32_t round_count, round_max;
    struct partition *pending; /* partitions with batches to write */
    struct partition **pending_tail;
    bool waiting;           /* for space */
    uint64_t rest_until_ns; /* for more to come together; 0: not */
    struct packer packer;
    struct metric_counter batches, bytes, writes, space_waits, segments_made, memory_dropped;
};
WEIR_MUST enum weir_error log_store_init(struct store *s, struct log *log);
void log_store_done(struct store *s);
uint32_t log_store_work(void *store, uint64_t block_ns);
/* Chains a batch to its partition. */
void log_store_chain(struct store *s, struct partition *p, struct commit_batch *batch);
/* Writes all chains. NO_SPACE: the rest is still chained. */
WEIR_MUST enum weir_error log_store_write(struct store *s);

#endif
