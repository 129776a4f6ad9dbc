/* base/crc32c.h: CRC-32C (Castagnoli, RFC 3720 appendix B.4), as Kafka batches, journal frames and snapshots use it.
 *
 * SSE4.2 or ARMv8 CRC instructions when the processor has them (chosen before main; three interleaved streams
 * for large buffers), else slicing by 8. All give the same answer. Any thread; no allocation.
 */
#ifndef WEIR_BASE_CRC32C_H
#define WEIR_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of data after earlier bytes whose checksum is crc; 0 to begin with. */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t size);
static inline uint32_t crc32c(const void *data, size_t size) {
    return crc32c_update(0, data, size);
}
/* The checksum of A followed by B from theirs; O(log size_b). */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b);

/* For tests and benches: always the portable one; and which one crc32c_update uses: "sse4.2", "armv8", "portable". */
uint32_t crc32c_update_portable(uint32_t crc, const void *data, size_t size);
const char *crc32c_backend(void);

#endif
