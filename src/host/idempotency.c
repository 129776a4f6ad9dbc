#include "host/idempotency.h"
#include "base/assert.h"
#include "base/hash.h"
#include "sys/sys.h"

_Static_assert(sizeof(struct idempotency_entry) == 56, "no padding inside an entry; a filler fits into 64 bytes");

/* Of the ring, a power of two and whole pages on any machine: seldom enough for a system call, little enough to wait
 * for. */
#define STRETCH (256u << 10)

void idempotency_init(struct idempotency *table, const struct idempotency_options *options) {
    memset(table, 0, sizeof *table);
    table->options = *options;
}

static size_t map_size(const struct idempotency *t) {
    return map64_memory_size(t->options.keys_max + 1u);
}

static void open_memory(struct idempotency *t) {
    uint64_t size = 64 << 10;
    while (size < (uint64_t)t->options.keys_max * IDEMPOTENCY_ENTRY_BYTES)
        size *= 2;
    void *ring, *places;
    WEIR_ASSERT(sys_memory_map(size, &ring) == WEIR_OK);
    WEIR_ASSERT(sys_memory_map(map_size(t), &places) == WEIR_OK);
    t->ring = ring;
    t->ring_size = size;
    struct map_options options = {
        .capacity = t->options.keys_max + 1u, .seed = t->options.secret[0], .memory = places, .memory_is_zero = true};
    WEIR_ASSERT(map64_init(&t->places, &options));
}

void idempotency_done(struct idempotency *table) {
    if (table->ring) {
        sys_memory_unmap(table->places.table, map_size(table));
        sys_memory_unmap(table->ring, table->ring_size);
    }
    memset(table, 0, sizeof *table);
}

uint64_t idempotency_hash(const struct idempotency *table, struct weir_slice key) {
    return siphash13(key.data, key.size, table->options.secret[0], table->options.secret[1]);
}

static const struct idempotency_entry *entry_at(const struct idempotency *t, uint64_t position) {
    return (const struct idempotency_entry *)(const void *)(t->ring + (position & (t->ring_size - 1)));
}

struct weir_slice idempotency_key(const struct idempotency_entry *entry) {
    return weir_slice(entry + 1, entry->key_size);
}

struct weir_slice idempotency_value(const struct idempotency_entry *entry) {
    return weir_slice((const uint8_t *)(entry + 1) + entry->key_size, entry->value_size);
}

const struct idempotency_entry *idempotency_find(const struct idempotency *table, struct weir_slice key) {
    if (table->count == 0) return NULL;
    const uint64_t *position = map64_find(&table->places, idempotency_hash(table, key));
    if (!position) return NULL;
    const struct idempotency_entry *entry = entry_at(table, *position);
    return weir_slice_equal(idempotency_key(entry), key) ? entry : NULL;
}

/* The front has gone from one stretch of the ring to the next: the pages of those behind it go back, unless the tail
 * has come round into them. Else a ring with room for the largest entries ends whole in memory, however small they are.
 */
static void forget_behind(const struct idempotency *t, uint64_t head_before) {
    for (uint64_t at = head_before & ~(uint64_t)(STRETCH - 1); at + STRETCH <= t->head; at += STRETCH)
        if (t->tail <= at + t->ring_size && t->ring_size >= STRETCH)
            sys_memory_forget(t->ring + (at & (t->ring_size - 1)), STRETCH);
}

static void drop_front(struct idempotency *t) {
    uint64_t head_before = t->head;
    const struct idempotency_entry *entry = entry_at(t, t->head);
    if (!entry->filler) {
        const uint64_t *position = map64_find(&t->places, entry->hash);
        if (position && *position == t->head) map64_erase(&t->places, entry->hash);
        t->count--;
    }
    t->head += entry->size;
    forget_behind(t, head_before);
}

void idempotency_evict(struct idempotency *table, uint64_t now_ns) {
    while (table->head < table->tail) {
        const struct idempotency_entry *entry = entry_at(table, table->head);
        if (!entry->filler && now_ns - entry->time_ns <= table->options.age_ns_max) break;
        if (!entry->filler && now_ns < entry->time_ns) break;
        drop_front(table);
    }
}

/* Room of size contiguous bytes at the tail; evicts what stands in the way. */
static struct idempotency_entry *room(struct idempotency *t, uint32_t size) {
    uint64_t at = t->tail & (t->ring_size - 1);
    uint64_t fill = at + size > t->ring_size ? t->ring_size - at : 0;
    while (t->tail + fill + size - t->head > t->ring_size)
        drop_front(t);
    if (fill) {
        struct idempotency_entry *filler = (struct idempotency_entry *)(void *)(t->ring + at);
        *filler = (struct idempotency_entry){.size = (uint32_t)fill, .filler = 1}; /* fits: sizes are multiples of 64 */
        t->tail += fill;
    }
    return (struct idempotency_entry *)(void *)(t->ring + (t->tail & (t->ring_size - 1)));
}

void idempotency_add(struct idempotency *table, const struct idempotency_new *entry) {
    if (!table->ring) open_memory(table);
    size_t value_size = entry->value.size;
    if (value_size > table->ring_size / 16) value_size = 0;
    /* Multiples of 64, so that what is left at the ring's end always holds a filler. */
    size_t unit = 64, size = (sizeof(struct idempotency_entry) + entry->key.size + value_size + unit - 1) / unit * unit;
    while (table->count >= table->options.keys_max)
        drop_front(table);
    struct idempotency_entry *e = room(table, (uint32_t)size);
    *e = (struct idempotency_entry){
        .hash = idempotency_hash(table, entry->key),
        .time_ns = entry->time_ns,
        .offset = entry->offset,
        .body_hash = {entry->body_hash[0], entry->body_hash[1]},
        .size = (uint32_t)size,
        .value_size = (uint32_t)value_size,
        .key_size = (uint16_t)entry->key.size,
        .status = entry->status,
        .replied = entry->replied,
    };
    memcpy(e + 1, entry->key.data, entry->key.size);
    if (value_size) memcpy((uint8_t *)(e + 1) + entry->key.size, entry->value.data, value_size);
    WEIR_ASSERT(map64_put(&table->places, e->hash, table->tail) != MAP_PUT_FULL);
    table->tail += size;
    table->count++;
}

const struct idempotency_entry *idempotency_next(const struct idempotency *table, uint64_t *position) {
    while (*position < table->tail) {
        const struct idempotency_entry *entry = entry_at(table, *position);
        *position += entry->size;
        if (!entry->filler) return entry;
    }
    return NULL;
}
