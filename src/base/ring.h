/* base/ring.h: bounded queues between exactly two threads, one that writes and one that reads (SPSC).
 *
 *   struct slot_ring   slots of one size
 *   struct byte_ring   messages of any size, each contiguous, with a u32 tag
 *
 * C11 memory model through base/atomics.h, so ThreadSanitizer sees every edge and test_explore_ring.c every
 * interleaving. Neither side ever waits or retries: full and empty are answers. Positions are u64 counters that never
 * wrap in practice (584 years at 1 GHz). Memory is the caller's, its size a power of two; it is not touched at init.
 * The two sides' fields are 128 bytes apart (adjacent-line prefetch), and each keeps a private copy of the other's
 * position, so that the shared line moves only when the copy says full or empty.
 *
 * There is no multi-producer ring on purpose: N writers get N rings and the reader polls them in a fixed order. That
 * keeps a slow writer from blocking the others, gives every pair its own credits, and makes the reader's order a
 * function of what it polled.
 */
#ifndef WEIR_BASE_RING_H
#define WEIR_BASE_RING_H

#include "base/assert.h"
#include "base/atomics.h"

#include <weir/slice.h>

#define RING_SEPARATION 128

struct ring_side {
    uint64_t position; /* written by its owner only, read by both */
    uint64_t other;    /* the owner's private, possibly old, copy of the other's position */
    uint8_t separation[RING_SEPARATION - 16];
};

struct slot_ring {
    uint8_t *memory;
    uint64_t mask; /* slots - 1 */
    size_t slot_size;
    uint8_t separation[RING_SEPARATION];
    struct ring_side writer, reader; /* in slots */
};

/* memory has slot_count (a power of two) slots of slot_size bytes each. */
void slot_ring_init(struct slot_ring *r, void *memory, size_t slot_size, size_t slot_count);

/* Writer: the index-th free slot (0 = next), to be filled, or NULL when there is none. */
static inline void *slot_ring_reserve(struct slot_ring *r, uint64_t index) {
    uint64_t at = r->writer.position + index;
    if (at - r->writer.other > r->mask) {
        r->writer.other = atomics_load(&r->reader.position, ACQUIRE);
        if (at - r->writer.other > r->mask) return NULL;
    }
    return r->memory + (size_t)(at & r->mask) * r->slot_size;
}
/* Writer: the next n reserved slots become visible to the reader. */
static inline void slot_ring_commit(struct slot_ring *r, uint64_t n) {
    atomics_store(&r->writer.position, r->writer.position + n, RELEASE);
}
/* Writer: copies one slot in; false when full. */
static inline bool slot_ring_push(struct slot_ring *r, const void *item) {
    void *slot = slot_ring_reserve(r, 0);
    if (!slot) return false;
    atomics_plain_write(slot, r->slot_size);
    memcpy(slot, item, r->slot_size);
    slot_ring_commit(r, 1);
    return true;
}
/* Writer: free slots, exact or fewer than there are by now. Its credits. */
uint64_t slot_ring_room(struct slot_ring *r);

/* Reader: the index-th unread slot (0 = oldest), or NULL. Valid until released. */
static inline const void *slot_ring_peek(struct slot_ring *r, uint64_t index) {
    uint64_t at = r->reader.position + index;
    if (at >= r->reader.other) {
        r->reader.other = atomics_load(&r->writer.position, ACQUIRE);
        if (at >= r->reader.other) return NULL;
    }
    return r->memory + (size_t)(at & r->mask) * r->slot_size;
}
/* Reader: the oldest n peeked slots are free again. */
static inline void slot_ring_release(struct slot_ring *r, uint64_t n) {
    atomics_store(&r->reader.position, r->reader.position + n, RELEASE);
}
/* Reader: copies one slot out; false when empty. */
static inline bool slot_ring_pop(struct slot_ring *r, void *ret_item) {
    const void *slot = slot_ring_peek(r, 0);
    if (!slot) return false;
    atomics_plain_read(slot, r->slot_size);
    memcpy(ret_item, slot, r->slot_size);
    slot_ring_release(r, 1);
    return true;
}
/* Any thread: unread slots, approximate while both sides run. For metrics. */
uint64_t slot_ring_count(const struct slot_ring *r);

struct byte_ring {
    uint8_t *memory;
    uint64_t mask; /* bytes - 1 */
    uint8_t separation[RING_SEPARATION];
    struct ring_side writer; /* in bytes */
    uint64_t reserved;       /* writer: where the reserved message's header is, counting the padding before it */
    uint64_t reserved_size;  /* writer: its size limit; UINT64_MAX = nothing reserved */
    uint8_t separation2[RING_SEPARATION];
    struct ring_side reader;
    uint64_t peeked; /* reader: position after the peeked message; = reader.position when none is */
};

#define BYTE_RING_HEADER  8          /* in front of every message: u32 size, u32 tag; messages are 8-aligned */
#define BYTE_RING_PADDING UINT32_MAX /* the tag of filler at the end of the memory; not for callers */

/* memory has size bytes (a power of two, >= 64), 8-aligned. */
void byte_ring_init(struct byte_ring *r, void *memory, size_t size);
/* The largest message that can always be sent once the reader has caught up: size / 2 - 8. Larger ones are refused
 * (assert), because a contiguous place for them may never come. */
size_t byte_ring_message_max(const struct byte_ring *r);

/* Writer: room for a message of at most size bytes, 8-aligned, or NULL when it does not fit now. A second reserve
 * replaces the first. */
void *byte_ring_reserve(struct byte_ring *r, size_t size);
/* Writer: sends the reserved message; its size may be smaller than reserved. tag is any value but BYTE_RING_PADDING. */
void byte_ring_commit(struct byte_ring *r, size_t size, uint32_t tag);
/* Writer: reserve, copy, commit; false when it does not fit now. */
bool byte_ring_send(struct byte_ring *r, struct weir_slice message, uint32_t tag);
/* Writer: how many messages of at most size bytes can certainly be sent now. Its credits. */
size_t byte_ring_room(struct byte_ring *r, size_t size);

/* Reader: the oldest message, in place, until it is released; false when there is none. */
bool byte_ring_peek(struct byte_ring *r, struct weir_slice *ret_message, uint32_t *ret_tag);
/* Reader: frees the peeked message. */
void byte_ring_release(struct byte_ring *r);
/* Any thread: bytes in use, headers and padding included; approximate while both sides run. */
uint64_t byte_ring_bytes_used(const struct byte_ring *r);

#endif
