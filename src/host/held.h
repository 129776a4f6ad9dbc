/* host/held.h: what one commit holds back until it is durable: deliveries, permission for emits to leave, acks to
 * sources.
 *
 * One per commit under way, taken from a pool of its lane. Entries are released in the order they were put. Room is
 * bounded by HELD_BYTES (address space, touched as used) and checked before a record is applied. Owner: the lane. Life:
 * open (batches are appended) - submitted - applied - durable - released - free.
 */
#ifndef WEIR_HOST_HELD_H
#define WEIR_HOST_HELD_H
#include "host/delivery.h"

#define HELD_BYTES    (32u << 20)
#define HELD_PER_LANE 16u

enum held_kind { HELD_DELIVERY, HELD_EMITS, HELD_ACK, HELD_SKIP, HELD_STARTS, HELD_TRACED };
struct held_entry { /* followed by the bytes of a delivery, or of what is traced */
    uint32_t size;  /* of all, a multiple of 8 */
    uint32_t kind;
    uint32_t partition; /* EMITS, STARTS, ACK: the source's number */
    uint32_t unused;
    uint64_t position; /* EMITS: in its outbox; ACK: of the entry; SKIP: offset; STARTS: the newest start's number */
};
struct held {
    struct log_commit *commit;
    uint8_t *memory;
    size_t used, cursor;    /* bytes put; bytes released */
    uint32_t output_cursor; /* of log_commit_output_batch while taps are served */
    uint32_t plain_cursor;  /* of log_commit_batch, likewise */
    uint32_t records;       /* appended into it */
    uint64_t sequence;      /* of its lane, given at submit */
    bool in_use, applied, durable;
};

static inline size_t held_room(const struct held *held) {
    return HELD_BYTES - held->used;
}
/* FULL: no room (callers that checked before may assert). */
WEIR_MUST bool held_delivery(struct held *held, const struct host_delivery *delivery);
WEIR_MUST bool held_mark(struct held *held, enum held_kind kind, uint32_t partition, uint64_t position);
/* Room for that many bytes of the caller's behind the entry, a multiple of 8; NULL: none left. */
void *held_bytes(struct held *held, enum held_kind kind, size_t size);
/* The entry at the cursor; NULL at the end. held_pass goes on. */
const struct held_entry *held_front(const struct held *held);
void held_pass(struct held *held);
#endif
