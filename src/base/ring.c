/* base/ring.c: the byte ring, and what of the slot ring is not hot.
 *
 * A message is [u32 size][u32 tag][bytes, padded to 8]. It never wraps: when the rest of the memory is too short for
 * it, a padding header of that length fills the rest. Positions are multiples of 8, so a header always fits the rest.
 */
#include "base/ring.h"

struct message_header {
    uint32_t size;
    uint32_t tag;
};
WEIR_STATIC_ASSERT(
    sizeof(struct message_header) == BYTE_RING_HEADER, "the header is part of the positions' arithmetic");

#define NOTHING UINT64_MAX

void slot_ring_init(struct slot_ring *r, void *memory, size_t slot_size, size_t slot_count) {
    WEIR_ASSERT(slot_size > 0 && slot_count > 0 && (slot_count & (slot_count - 1)) == 0);
    *r = (struct slot_ring){.memory = memory, .mask = slot_count - 1, .slot_size = slot_size};
}

uint64_t slot_ring_room(struct slot_ring *r) {
    r->writer.other = atomics_load(&r->reader.position, ACQUIRE);
    return r->mask + 1 - (r->writer.position - r->writer.other);
}

uint64_t slot_ring_count(const struct slot_ring *r) {
    /* Reader first: the writer's position can only have grown since, so the difference is never negative. */
    uint64_t read = atomics_load(&r->reader.position, ACQUIRE);
    uint64_t written = atomics_load(&r->writer.position, ACQUIRE);
    return written - read > r->mask + 1 ? r->mask + 1 : written - read;
}

void byte_ring_init(struct byte_ring *r, void *memory, size_t size) {
    WEIR_ASSERT(size >= 64 && (size & (size - 1)) == 0 && ((uintptr_t)memory & 7) == 0);
    *r = (struct byte_ring){.memory = memory, .mask = size - 1, .reserved_size = NOTHING};
}

size_t byte_ring_message_max(const struct byte_ring *r) {
    size_t max = (size_t)(r->mask + 1) / 2 - BYTE_RING_HEADER;
    return max < UINT32_MAX - 8 ? max : UINT32_MAX - 8;
}

static uint64_t footprint(size_t size) {
    return BYTE_RING_HEADER + (((uint64_t)size + 7) & ~(uint64_t)7);
}

static struct message_header *header_at(const struct byte_ring *r, uint64_t position) {
    return (struct message_header *)(void *)(r->memory + (size_t)(position & r->mask));
}

static void write_header(struct byte_ring *r, uint64_t position, uint32_t size, uint32_t tag) {
    struct message_header *h = header_at(r, position);
    atomics_plain_write(h, sizeof *h);
    *h = (struct message_header){size, tag};
}

/* Bytes from position to the end of the memory. */
static uint64_t rest_at(const struct byte_ring *r, uint64_t position) {
    return r->mask + 1 - (position & r->mask);
}

static bool writer_fits(struct byte_ring *r, uint64_t bytes) {
    uint64_t size = r->mask + 1, used = r->writer.position - r->writer.other;
    if (bytes <= size - used) return true;
    r->writer.other = atomics_load(&r->reader.position, ACQUIRE);
    return bytes <= size - (r->writer.position - r->writer.other);
}

void *byte_ring_reserve(struct byte_ring *r, size_t size) {
    WEIR_ASSERT(size <= byte_ring_message_max(r));
    uint64_t need = footprint(size), rest = rest_at(r, r->writer.position);
    uint64_t padding = rest < need ? rest : 0;
    r->reserved_size = NOTHING;
    if (!writer_fits(r, padding + need)) return NULL;
    r->reserved = r->writer.position + padding;
    r->reserved_size = size;
    return r->memory + (size_t)(r->reserved & r->mask) + BYTE_RING_HEADER;
}

void byte_ring_commit(struct byte_ring *r, size_t size, uint32_t tag) {
    WEIR_ASSERT(r->reserved_size != NOTHING && size <= r->reserved_size && tag != BYTE_RING_PADDING);
    uint64_t padding = r->reserved - r->writer.position;
    if (padding) write_header(r, r->writer.position, (uint32_t)(padding - BYTE_RING_HEADER), BYTE_RING_PADDING);
    write_header(r, r->reserved, (uint32_t)size, tag);
    r->reserved_size = NOTHING;
    atomics_store(&r->writer.position, r->reserved + footprint(size), RELEASE);
}

bool byte_ring_send(struct byte_ring *r, struct weir_slice message, uint32_t tag) {
    void *place = byte_ring_reserve(r, message.size);
    if (!place) return false;
    atomics_plain_write(place, message.size);
    if (message.size) memcpy(place, message.data, message.size);
    byte_ring_commit(r, message.size, tag);
    return true;
}

size_t byte_ring_room(struct byte_ring *r, size_t size) {
    r->writer.other = atomics_load(&r->reader.position, ACQUIRE);
    uint64_t need = footprint(size), free_bytes = r->mask + 1 - (r->writer.position - r->writer.other);
    uint64_t rest = rest_at(r, r->writer.position);
    if (free_bytes <= rest) return (size_t)(free_bytes / need);
    /* The worst case: smaller messages shift the end so that just not one of them fits the rest. */
    uint64_t waste = need - 8;
    return free_bytes <= waste ? 0 : (size_t)((free_bytes - waste) / need);
}

bool byte_ring_peek(struct byte_ring *r, struct weir_slice *ret_message, uint32_t *ret_tag) {
    uint64_t at = r->reader.position;
    if (at == r->reader.other) {
        r->reader.other = atomics_load(&r->writer.position, ACQUIRE);
        if (at == r->reader.other) return false;
    }
    const struct message_header *h = header_at(r, at);
    atomics_plain_read(h, sizeof *h);
    if (h->tag == BYTE_RING_PADDING) {
        /* Padding is published together with the message behind it. */
        at += footprint(h->size);
        h = header_at(r, at);
        atomics_plain_read(h, sizeof *h);
    }
    WEIR_DEBUG_ASSERT(at < r->reader.other && h->size <= byte_ring_message_max(r));
    *ret_message = weir_slice((const uint8_t *)h + BYTE_RING_HEADER, h->size);
    *ret_tag = h->tag;
    r->peeked = at + footprint(h->size);
    return true;
}

void byte_ring_release(struct byte_ring *r) {
    WEIR_ASSERT(r->peeked > r->reader.position);
    atomics_store(&r->reader.position, r->peeked, RELEASE);
}

uint64_t byte_ring_bytes_used(const struct byte_ring *r) {
    uint64_t read = atomics_load(&r->reader.position, ACQUIRE);
    uint64_t written = atomics_load(&r->writer.position, ACQUIRE);
    return written - read > r->mask + 1 ? r->mask + 1 : written - read;
}
