/* base/hash.h: hashes that are not checksums (crc32c.h) and not cryptography.
 *
 * hash_bytes is fast and seeded, for tables whose keys no stranger chooses, for sharding and for fingerprints; its
 * values are part of on-disk state and never change (vectors in the test). siphash13/24 (Aumasson and Bernstein) are
 * for tables with keys from outside. struct digest is the rolling 64-bit hash of everything a service emits: it
 * depends on order and on the boundaries between values, and is equal on every machine. Pure.
 */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "base/wide.h"
#include <weir/slice.h>

/* High and low half of the 128-bit product, folded: the mixing step of everything here. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b) {
    struct wide product = wide_product(a, b);
    return product.low ^ product.high;
}
/* One integer; a good spread of nearby keys. */
static inline uint64_t hash_u64(uint64_t key, uint64_t seed) {
    return hash_fold(
        key ^ 0x9e3779b97f4a7c15u, hash_fold(seed ^ 0xd1b54a32d192ed03u, 0x8cb92ba72f3d8dd7u) ^ 0x2127599bf4325c37u);
}
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);
uint64_t siphash13(const void *data, size_t size, uint64_t key0, uint64_t key1);
uint64_t siphash24(const void *data, size_t size, uint64_t key0, uint64_t key1);

struct digest {
    uint64_t state;
};
static inline void digest_u64(struct digest *d, uint64_t value) {
    d->state = hash_fold(d->state ^ value ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu) + 0x589965cc75374cc3u * value;
}
static inline void digest_bytes(struct digest *d, const void *data, size_t size) {
    digest_u64(d, hash_bytes(data, size, d->state));
    digest_u64(d, size);
}

#endif
