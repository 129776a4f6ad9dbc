#include "host/outbox.h"
#include "base/assert.h"

#define FILLER UINT32_MAX
#define UNIT   128u /* sizes are multiples of it, so that what is left at the ring's end always holds a filler */
_Static_assert(sizeof(struct outbox_entry) <= UNIT, "a filler fits into the least that can be left");

static uint64_t entry_size(size_t value_size) {
    return (sizeof(struct outbox_entry) + value_size + UNIT - 1) & ~(uint64_t)(UNIT - 1);
}

enum weir_error outbox_init(struct outbox *outbox, uint32_t emits_max) {
    memset(outbox, 0, sizeof *outbox);
    if (emits_max == 0) return WEIR_OK;
    uint64_t size = 1 << 20;
    while (size < 8 * (uint64_t)emits_max * entry_size(EMIT_BYTES_MAX))
        size *= 2;
    void *memory;
    enum weir_error e = sys_memory_map(size, &memory);
    if (e != WEIR_OK) return e;
    outbox->memory = memory;
    outbox->size = size;
    return WEIR_OK;
}

void outbox_done(struct outbox *outbox) {
    if (outbox->memory) sys_memory_unmap(outbox->memory, outbox->size);
    memset(outbox, 0, sizeof *outbox);
}

bool outbox_fits(const struct outbox *outbox, uint32_t emits_max) {
    /* One entry more: the filler that a wrap may need. */
    return outbox->size - (outbox->tail - outbox->head) >= (emits_max + 1ull) * entry_size(EMIT_BYTES_MAX);
}

struct outbox_entry *outbox_at(const struct outbox *outbox, uint64_t position) {
    return (struct outbox_entry *)(void *)(outbox->memory + (position & (outbox->size - 1)));
}

struct outbox_entry *outbox_add(struct outbox *outbox, size_t value_size) {
    WEIR_ASSERT(outbox->memory && value_size <= EMIT_BYTES_MAX);
    uint64_t size = entry_size(value_size), left = outbox->size - (outbox->tail & (outbox->size - 1));
    if (left < size) {
        *outbox_at(outbox, outbox->tail) = (struct outbox_entry){.size = (uint32_t)left, .target = FILLER, .acked = 1};
        outbox->tail += left;
    }
    WEIR_ASSERT(outbox->size - (outbox->tail - outbox->head) >= size);
    struct outbox_entry *entry = outbox_at(outbox, outbox->tail);
    *entry = (struct outbox_entry){.size = (uint32_t)size, .value_size = (uint32_t)value_size};
    outbox->tail += size;
    return entry;
}

struct outbox_entry *outbox_next(struct outbox *outbox, uint64_t *ret_position) {
    while (outbox->sent < outbox->released) {
        struct outbox_entry *entry = outbox_at(outbox, outbox->sent);
        if (entry->target != FILLER) {
            *ret_position = outbox->sent;
            return entry;
        }
        outbox->sent += entry->size;
    }
    return NULL;
}

void outbox_sent(struct outbox *outbox) {
    WEIR_ASSERT(outbox->sent < outbox->released);
    outbox->sent += outbox_at(outbox, outbox->sent)->size;
}

void outbox_acked(struct outbox *outbox, uint64_t position) {
    WEIR_ASSERT(position >= outbox->head && position < outbox->sent);
    outbox_at(outbox, position)->acked = 1;
    while (outbox->head < outbox->sent && outbox_at(outbox, outbox->head)->acked)
        outbox->head += outbox_at(outbox, outbox->head)->size;
    if (outbox->head == outbox->tail) { /* begin at the memory's start again: what is touched stays small */
        uint64_t start = (outbox->tail + outbox->size - 1) & ~(outbox->size - 1);
        outbox->head = outbox->sent = outbox->released = outbox->tail = start;
    }
}

bool outbox_under_way(const struct outbox *outbox) {
    for (uint64_t at = outbox->head; at < outbox->sent; at += outbox_at(outbox, at)->size)
        if (!outbox_at(outbox, at)->acked) return true;
    return false;
}

uint64_t outbox_acked_below(const struct outbox *outbox, uint64_t applied) {
    for (uint64_t at = outbox->head; at < outbox->tail; at += outbox_at(outbox, at)->size)
        if (outbox_at(outbox, at)->target != FILLER) return outbox_at(outbox, at)->source.offset;
    return applied;
}
