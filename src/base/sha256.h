/* base/sha256.h: SHA-256 (FIPS 180-4), and a comparison whose time does not depend on where the bytes differ.
 *
 * For what must resist an adversary and is short: secrets and their stored hashes. Checksums are crc32c.h, tables and
 * sharding hash.h. Its time depends on the size of the input alone: there are no tables and no branches on data. Pure.
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include <weir/slice.h>

#define SHA256_SIZE 32

void sha256(struct weir_slice bytes, uint8_t out[SHA256_SIZE]);
/* True when equal. Looks at all size bytes, whatever they are. */
bool equal_constant_time(const void *a, const void *b, size_t size);

#endif
