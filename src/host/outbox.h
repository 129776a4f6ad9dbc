/* host/outbox.h: a source partition's emits between apply and the target's durable journal.
 *
 * A byte FIFO of entries in the order of (offset, index). Positions:
 *     head -- acked --> ... sent --> released --> tail
 *   tail      written by apply; may be of records that are not durable yet
 *   released  the commit that carries their cause is durable: they may leave
 *   sent      handed to the target's lane, in order (the target's duplicate check needs that)
 *   head      the oldest that its target has not made durable; room before it is free again
 * Credits are the free bytes: a record is applied only when outbox_fits() says that all its emits have room. Nothing
 * waits inside apply, and freeing needs only that targets append, never that they apply: cycles cannot deadlock.
 * Owner: the source's lane. Memory: mapped at init by the caller's size (power of two).
 */
#ifndef WEIR_HOST_OUTBOX_H
#define WEIR_HOST_OUTBOX_H
#include "host/envelope.h"

#define EMIT_BYTES_MAX (64u << 10)

struct outbox_entry {
    uint32_t size;   /* of the whole entry */
    uint32_t target; /* the host's number of the target partition; UINT32_MAX: filler at the ring's end */
    struct envelope_source source;
    struct weir_trace_link trace;
    uint64_t key;
    uint32_t value_size;
    uint16_t type;
    uint16_t acked;
};
struct outbox {
    uint8_t *memory;
    uint64_t size, head, sent, released, tail;
};

WEIR_MUST enum weir_error outbox_init(struct outbox *outbox, uint32_t emits_max); /* 0: stays empty */
void outbox_done(struct outbox *outbox);
bool outbox_fits(const struct outbox *outbox, uint32_t emits_max);
/* Room for value_size bytes behind the entry (asserted to fit: credits were taken before). */
struct outbox_entry *outbox_add(struct outbox *outbox, size_t value_size);
struct outbox_entry *outbox_at(const struct outbox *outbox, uint64_t position);
static inline uint8_t *outbox_value(struct outbox_entry *entry) {
    return (uint8_t *)(entry + 1);
}
/* The next released entry that was not sent, or NULL. outbox_sent() passes it. */
struct outbox_entry *outbox_next(struct outbox *outbox, uint64_t *ret_position);
void outbox_sent(struct outbox *outbox);
void outbox_acked(struct outbox *outbox, uint64_t position);
bool outbox_under_way(const struct outbox *outbox); /* an ack is to come */
/* Every emit of records below this offset is durable at its target. `applied` when nothing is outstanding. */
uint64_t outbox_acked_below(const struct outbox *outbox, uint64_t applied);
#endif
