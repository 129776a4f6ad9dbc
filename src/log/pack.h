/* log/pack.h: compressing batches on their way to segments, by the store agent and, where there is much, by workers of
 * the node's pool.
 *
 * pack_ahead() looks at a partition's chain and compresses what it can hold of it, all at once: the items lie in a
 * table, whoever is free claims the next one. The store agent claims too, and in the end waits only for items that a
 * worker has begun: workers that are busy elsewhere delay nothing, they just do not help. A helper that comes late
 * finds nothing to claim, or helps with what is there by then.
 *
 * Owner: the store agent; helpers touch the items they claimed and nothing else. Memory: a few of the largest batches;
 * codecs (400 KB) as helpers are first asked for.
 */
#ifndef WEIR_LOG_PACK_H
#define WEIR_LOG_PACK_H
#include "base/metric.h"
#include "sys/shared_pool.h"
#include "wire/compression.h"

struct commit_batch;
struct partition;

#define PACK_ITEMS_MAX   64u
#define PACK_HELPERS_MAX 8u /* beyond them the disk is what is slow */

struct pack_item {
    struct commit_batch *batch;
    enum weir_batch_compression kind;
    uint8_t *out;
    size_t out_max;
    struct weir_slice packed; /* data NULL: it saves nothing */
    uint64_t ns;
};
struct packer;
struct pack_helper {
    struct weir_task task;
    struct packer *packer;
    struct weir_compression codec;
    bool has_codec;
    uint32_t queued; /* the task is the pool's */
};
struct packer {
    struct sys *sys;
    struct shared_pool *pool; /* NULL: none */
    int poller;               /* the store agent's */
    uint8_t *memory;          /* of what was compressed since the last write */
    size_t size, used;
    struct weir_compression codec;
    struct pack_item items[PACK_ITEMS_MAX];
    uint32_t count, next;     /* of items: all, and the first that pack_batch has not given out */
    uint32_t claimable, done; /* shared with helpers */
    struct weir_group group;
    bool has_group;
    struct pack_helper helpers[PACK_HELPERS_MAX];
    struct metric_counter in, out, kept; /* bytes; batches that compression saved nothing of */
    struct metric_counter helped;        /* batches that a worker compressed */
    struct metric_histogram ns;
};

WEIR_MUST enum weir_error pack_init(
    struct packer *p, struct sys *sys, struct shared_pool *pool, int poller, size_t batch_bytes_max);
void pack_done(struct packer *p); /* waits until no helper is queued; the pool still runs */
/* What was packed is written: its room is free. */
static inline void pack_reset(struct packer *p) {
    p->used = 0;
    p->count = p->next = 0;
}
/* Compresses what comes first of the chain, if it is worth sharing. */
void pack_ahead(struct packer *p, const struct partition *partition, struct commit_batch *chain);
/* Decides what is written of the batch: compressed as the topic wants it, else itself; until pack_reset(). False: no
 * room for more before what was packed is written. */
bool pack_batch(struct packer *p, const struct partition *partition, struct commit_batch *batch);

#endif
