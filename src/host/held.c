#include "host/held.h"
#include "base/assert.h"

static struct held_entry *put(struct held *held, enum held_kind kind, size_t bytes) {
    size_t size = sizeof(struct held_entry) + bytes;
    if (size > held_room(held)) return NULL;
    struct held_entry *entry = (struct held_entry *)(void *)(held->memory + held->used);
    *entry = (struct held_entry){.size = (uint32_t)size, .kind = kind};
    held->used += size;
    return entry;
}

bool held_delivery(struct held *held, const struct host_delivery *delivery) {
    struct held_entry *entry = put(held, HELD_DELIVERY, delivery_size(delivery));
    if (!entry) return false;
    delivery_store(delivery, entry + 1);
    return true;
}

void *held_bytes(struct held *held, enum held_kind kind, size_t size) {
    WEIR_DEBUG_ASSERT(kind == HELD_TRACED && size % 8 == 0);
    struct held_entry *entry = put(held, kind, size);
    return entry ? entry + 1 : NULL;
}

bool held_mark(struct held *held, enum held_kind kind, uint32_t partition, uint64_t position) {
    WEIR_DEBUG_ASSERT(kind != HELD_DELIVERY);
    struct held_entry *entry = put(held, kind, 0);
    if (!entry) return false;
    entry->partition = partition;
    entry->position = position;
    return true;
}

const struct held_entry *held_front(const struct held *held) {
    if (held->cursor == held->used) return NULL;
    return (const struct held_entry *)(const void *)(held->memory + held->cursor);
}

void held_pass(struct held *held) {
    WEIR_DEBUG_ASSERT(held->cursor < held->used);
    held->cursor += held_front(held)->size;
}
