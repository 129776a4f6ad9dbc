/* Compression of batches, shared with the pool. See pack.h. */
#include "log/pack.h"

#include "base/atomics.h"
#include "base/bytes.h"
#include "log/state.h"

#define BATCH_BYTES_MIN 512u         /* a smaller batch is mostly header, and costs more than it saves */
#define SHARE_BYTES_MIN (256u << 10) /* half a millisecond of zstd; waking a worker costs a tenth of that */
#define ROOM_BATCHES    8u
#define WAIT_NS         SYS_NANOS_PER_MS

/* Room for a few of the largest batches; address space until a topic compresses. */
enum weir_error pack_init(
    struct packer *p, struct sys *sys, struct shared_pool *pool, int poller, size_t batch_bytes_max) {
    void *memory = NULL;
    p->sys = sys;
    p->pool = pool;
    p->poller = poller;
    p->size = ROOM_BATCHES * (WEIR_BATCH_HEADER_SIZE + weir_compress_bound(batch_bytes_max));
    enum weir_error e = sys_memory_map(p->size, &memory);
    p->memory = memory;
    return e ? e : weir_compression_open(&p->codec);
}

void pack_done(struct packer *p) {
    while (p->has_group && !weir_group_is_done(&p->group)) /* the pool looks at it after the helper's last word */
        p->sys->pause(p->sys, WAIT_NS);
    for (uint32_t i = 0; i < PACK_HELPERS_MAX; i++)
        weir_compression_close(&p->helpers[i].codec);
    weir_compression_close(&p->codec);
    if (p->memory) sys_memory_unmap(p->memory, p->size);
    p->memory = NULL;
}

static enum weir_batch_compression wanted(const struct partition *p, const struct commit_batch *b) {
    enum log_compression c = p->partition.topic->config.compression;
    bool plain = (load_be16(b->bytes + WEIR_BATCH_AT_ATTRIBUTES) & WEIR_BATCH_COMPRESSION_MASK) == WEIR_BATCH_NONE;
    if (!plain || b->size < BATCH_BYTES_MIN) return WEIR_BATCH_NONE;
    return c == LOG_COMPRESSION_LZ4 ? WEIR_BATCH_LZ4 : c == LOG_COMPRESSION_ZSTD ? WEIR_BATCH_ZSTD : WEIR_BATCH_NONE;
}

/* False: no room. */
static bool make_item(
    struct packer *p, struct commit_batch *b, enum weir_batch_compression kind, struct pack_item *ret_item) {
    size_t need = WEIR_BATCH_HEADER_SIZE + weir_compress_bound(b->size);
    if (need > p->size - p->used) return false;
    *ret_item = (struct pack_item){.batch = b, .kind = kind, .out = p->memory + p->used, .out_max = need};
    return true;
}

static void pack_item(struct sys *sys, struct weir_compression *codec, struct pack_item *item) {
    uint64_t begin = sys->mono_ns(sys);
    struct weir_slice plain = weir_slice(item->batch->bytes, item->batch->size);
    if (weir_batch_compress(codec, item->kind, plain, item->out, item->out_max, &item->packed) != WEIR_OK)
        item->packed = weir_slice(NULL, 0); /* noise: it stays as it is */
    item->ns = sys->mono_ns(sys) - begin;
}

static void give(struct packer *p, const struct pack_item *item) {
    struct commit_batch *b = item->batch;
    b->stored = item->packed.data ? item->packed : weir_slice(b->bytes, b->size);
    if (!item->packed.data) metric_add(&p->kept, 1);
    metric_add(&p->in, b->size);
    metric_add(&p->out, b->stored.size);
    metric_record(&p->ns, item->ns);
}

/* ---- shared ---- */

/* NULL: nothing is left. The items were written before they became claimable. */
static struct pack_item *claim(struct packer *p) {
    uint32_t left = atomics_load(&p->claimable, ACQUIRE);
    while (left > 0)
        if (atomics_compare_exchange(&p->claimable, &left, left - 1, ACQUIRE)) return &p->items[left - 1];
    return NULL;
}

static void help(struct weir_worker *worker, struct weir_task *task) {
    struct pack_helper *h = (struct pack_helper *)(void *)task; /* its first member */
    struct packer *p = h->packer;
    struct sys *sys = p->sys;
    int poller = p->poller;
    (void)worker;
    for (struct pack_item *item; (item = claim(p));) {
        pack_item(sys, &h->codec, item);
        (void)atomics_fetch_add(&p->done, 1, RELEASE);
        sys->poller_wake(sys, poller);
    }
    atomics_store(&h->queued, 0, RELEASE); /* the last that is touched: then it may be submitted anew */
}

static void ask(struct packer *p, struct pack_helper *h) {
    if (atomics_load(&h->queued, ACQUIRE)) return; /* it has not come by yet */
    if (!h->has_codec && weir_compression_open(&h->codec) != WEIR_OK) return;
    h->has_codec = true;
    h->packer = p;
    h->task.run = help;
    atomics_store(&h->queued, 1, RELAXED);
    if (weir_pool_submit(&p->group, &h->task) != WEIR_OK) atomics_store(&h->queued, 0, RELAXED);
}

/* As many as there are items beside the store agent's own. Whatever can't be had is done without. */
static void ask_helpers(struct packer *p) {
    struct weir_pool *pool = NULL;
    if (shared_pool_get(p->pool, &pool) != WEIR_OK) return;
    if (!p->has_group) weir_group_begin(&p->group, pool, WEIR_POOL_NORMAL, -1);
    p->has_group = true;
    for (uint32_t i = 0; i < PACK_HELPERS_MAX && i < p->pool->options.workers && i + 1 < p->count; i++)
        ask(p, &p->helpers[i]);
}

static void pack_items(struct packer *p) {
    uint32_t own = 0;
    struct sys_poll_event event;
    atomics_store(&p->done, 0, RELAXED); /* of the last round nobody is left: all its items were done */
    atomics_store(&p->claimable, p->count, RELEASE);
    ask_helpers(p);
    for (struct pack_item *item; (item = claim(p)); own++)
        pack_item(p->sys, &p->codec, item);
    while (atomics_load(&p->done, ACQUIRE) + own < p->count)
        (void)p->sys->poller_wait(p->sys, p->poller, &event, 1, WAIT_NS);
    metric_add(&p->helped, p->count - own);
}

void pack_ahead(struct packer *p, const struct partition *partition, struct commit_batch *chain) {
    size_t bytes = 0;
    pack_reset(p);
    if (!p->pool) return;
    for (struct commit_batch *b = chain; b && p->count < PACK_ITEMS_MAX; b = b->next) {
        enum weir_batch_compression kind = wanted(partition, b);
        if (kind == WEIR_BATCH_NONE) continue;
        if (!make_item(p, b, kind, &p->items[p->count])) break;
        p->used += p->items[p->count++].out_max;
        bytes += b->size;
    }
    if (p->count < 2 || bytes < SHARE_BYTES_MIN)
        pack_reset(p);
    else
        pack_items(p);
}

bool pack_batch(struct packer *p, const struct partition *partition, struct commit_batch *b) {
    if (p->next < p->count && p->items[p->next].batch == b) {
        give(p, &p->items[p->next++]);
        return true;
    }
    enum weir_batch_compression kind = wanted(partition, b);
    struct pack_item item;
    b->stored = weir_slice(b->bytes, b->size);
    if (kind == WEIR_BATCH_NONE) return true;
    if (!make_item(p, b, kind, &item)) {
        b->stored = weir_slice(NULL, 0);
        return false;
    }
    pack_item(p->sys, &p->codec, &item);
    give(p, &item);
    p->used += item.packed.data ? item.packed.size : 0;
    return true;
}
