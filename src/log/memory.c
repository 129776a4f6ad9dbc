/* Topics that are kept in memory. See memory.h. */
#include "log/memory.h"

#include "log/state.h"

#define RING_SEGMENTS 8u

static uint64_t segment_room(const struct log_topic_config *c, uint64_t batch) {
    uint64_t room = c->segment_bytes ? c->segment_bytes : c->retention_bytes / RING_SEGMENTS;
    if (room > c->retention_bytes) room = c->retention_bytes;
    return batch > room ? batch : room;
}

uint64_t log_memory_needed(const struct log_topic_config *config, uint32_t partitions) {
    return config->durability == LOG_MEMORY ? config->retention_bytes * partitions : 0;
}

/* The oldest go until `room` more fit. The start moves under the same lock: a reader finds its segment, or is told. */
static void make_room(struct partition *p, uint64_t room, uint64_t base) {
    struct log *log = p->log;
    while (p->segment_count > 0 && p->memory_mapped + room > p->partition.topic->config.retention_bytes) {
        spin_lock(&p->lock);
        struct segment *s = p->segments[0];
        memmove(p->segments, p->segments + 1, --p->segment_count * sizeof(struct segment *));
        uint64_t start = p->segment_count > 0 ? p->segments[0]->base : base;
        atomic_store_explicit(&p->partition.start, start, memory_order_release);
        spin_unlock(&p->lock);
        uint64_t size = atomic_load_explicit(&s->size, memory_order_relaxed);
        p->memory_mapped -= s->memory_size;
        atomic_fetch_sub_explicit(&p->partition.bytes, size, memory_order_relaxed);
        metric_add(&log->store.memory_dropped, size);
        log_segment_drop(&log->cache, s);
    }
}

/* The segment that takes the batch, with a reference. */
static enum weir_error active_segment(struct partition *p, const struct commit_batch *b, struct segment **ret_segment) {
    struct segment *s = log_partition_newest(p);
    if (s && s->memory_size - atomic_load_explicit(&s->size, memory_order_relaxed) >= b->stored.size) {
        *ret_segment = s;
        return WEIR_OK;
    }
    if (s) log_segment_drop(&p->log->cache, s);
    uint64_t base = load_be64(b->bytes), room = segment_room(&p->partition.topic->config, b->stored.size);
    make_room(p, room, base);
    s = log_segment_new_in_memory(p, base, room);
    if (!s) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for topic %s", p->partition.topic->name);
    enum weir_error e = log_partition_add_segment(p, s);
    if (e) {
        log_segment_drop(&p->log->cache, s);
        return e;
    }
    p->memory_mapped += room;
    *ret_segment = s;
    return WEIR_OK;
}

/* As many batches as the segment holds, one publishing for all. */
static enum weir_error store_some(struct partition *p, struct segment *s) {
    uint64_t at = atomic_load_explicit(&s->size, memory_order_relaxed), bytes = 0, batches = 0;
    uint64_t end = atomic_load_explicit(&p->partition.high, memory_order_relaxed);
    struct commit_batch *b = p->pending_first;
    for (; b && (b->stored.data || pack_batch(&p->log->store.packer, p, b)); b = b->next) {
        if (b->stored.size > s->memory_size - at - bytes) break;
        WEIR_ASSERT(load_be64(b->bytes) == end); /* dense, in order: what a reader relies on */
        memcpy(s->memory + at + bytes, b->stored.data, b->stored.size);
        bytes += b->stored.size;
        end = commit_batch_end(b);
        batches++;
    }
    metric_add(&p->log->store.batches, batches);
    return log_partition_publish(p, s, p->pending_first, b, bytes, end);
}

enum weir_error log_memory_store(struct partition *p) {
    while (p->pending_first) {
        if (atomic_load_explicit(&p->deleted, memory_order_acquire)) {
            p->pending_first = NULL;
            return WEIR_OK;
        }
        struct segment *s = NULL;
        pack_reset(&p->log->store.packer);
        bool packed = pack_batch(&p->log->store.packer, p, p->pending_first);
        WEIR_ASSERT(packed); /* there is room for one */
        enum weir_error e = active_segment(p, p->pending_first, &s);
        if (e) return e;
        e = store_some(p, s);
        log_segment_drop(&p->log->cache, s);
        if (e) return e;
    }
    return WEIR_OK;
}
