/* host/idempotency.h: what was answered under an idempotency key, per partition, part of the fold.
 *
 * Key = (principal, route, key) as packed by envelope_pack_key. Entries lie in record order in one byte ring and are
 * evicted from its front: by record time, by count, and when the bytes are needed. Look-ups hash with SipHash under
 * a secret of this process (keys come from strangers) and compare the key's bytes.
 * Owner: the fold's thread. Memory: mapped at the first key: IDEMPOTENCY_ENTRY_BYTES per key of address space; what the
 * entries take of it, and half a megabyte beside them, is in RAM.
 * A reply larger than 1/16 of the ring is kept without its bytes.
 */
#ifndef WEIR_HOST_IDEMPOTENCY_H
#define WEIR_HOST_IDEMPOTENCY_H
#include "base/map.h"

#include <weir/error.h>
#include <weir/slice.h>

#define IDEMPOTENCY_ENTRY_BYTES 512u
#define IDEMPOTENCY_SKIPPED     1u /* status of an entry without a reply: an order passed over its record */

struct idempotency_options {
    uint32_t keys_max;
    uint64_t age_ns_max;
    uint64_t secret[2];
};
struct idempotency_entry { /* in the ring, 8-aligned; key and value bytes follow */
    uint64_t hash, time_ns, offset, body_hash[2];
    uint32_t size; /* of the whole entry */
    uint32_t value_size;
    uint16_t key_size, status;
    uint16_t replied; /* the fold answered (else status is 0 or IDEMPOTENCY_SKIPPED) */
    uint16_t filler;  /* 1: skips the ring's end */
};
struct idempotency {
    struct idempotency_options options;
    uint8_t *ring;
    uint64_t ring_size, head, tail; /* positions; bytes [head, tail) are entries */
    uint32_t count;
    struct map64 places; /* hash -> position */
};

void idempotency_init(struct idempotency *table, const struct idempotency_options *options);
void idempotency_done(struct idempotency *table);
uint64_t idempotency_hash(const struct idempotency *table, struct weir_slice key);
const struct idempotency_entry *idempotency_find(const struct idempotency *table, struct weir_slice key);
struct weir_slice idempotency_value(const struct idempotency_entry *entry);
struct weir_slice idempotency_key(const struct idempotency_entry *entry);
void idempotency_evict(struct idempotency *table, uint64_t now_ns); /* those older than the age */

struct idempotency_new {
    struct weir_slice key, value;
    uint64_t time_ns, offset, body_hash[2];
    uint16_t status;
    bool replied;
};
void idempotency_add(struct idempotency *table, const struct idempotency_new *entry);
/* Entries from oldest to newest: start with position = table->head; NULL at the end. */
const struct idempotency_entry *idempotency_next(const struct idempotency *table, uint64_t *position);
#endif
