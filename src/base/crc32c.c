/* base/crc32c.c: CRC-32C three ways.
 *
 * Polynomial 0x1EDC6F41, reflected 0x82F63B78; register starts and ends inverted. "Appending n zero bytes" is a
 * multiplication by x^(8n) modulo the polynomial: combine does it with a general multiplication, the interleaved loop
 * with tables for its two fixed lengths.
 */
#include "base/crc32c.h"

#include "base/bytes.h"

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define CRC_NAME        "armv8"
#define CRC_TARGET      __attribute__((target("+crc")))
#define CRC_STEP8(c, x) ((uint64_t)__crc32cd((uint32_t)(c), (x)))
#define CRC_STEP1(c, x) ((uint64_t)__crc32cb((uint32_t)(c), (x)))
#elif defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_NAME        "sse4.2"
#define CRC_TARGET      __attribute__((target("sse4.2")))
#define CRC_STEP8(c, x) (_mm_crc32_u64((c), (x)))
#define CRC_STEP1(c, x) ((uint64_t)_mm_crc32_u8((uint32_t)(c), (x)))
#endif

#define POLYNOMIAL 0x82f63b78u

/* Stream lengths of the interleaved loop. An instruction takes 3 cycles but one can start each cycle, so three
 * streams run at once; joining costs about 8 table loads, nothing against LONG and little against SHORT. */
#define LONG  4096
#define SHORT 256

static uint32_t slices[8][256];     /* slices[k][b]: byte b followed by k zero bytes */
static uint32_t zeros_long[4][256]; /* the register byte k = b, followed by LONG zero bytes */
static uint32_t zeros_short[4][256];
static bool hardware;

/* a * b modulo the polynomial; bit 31 is x^0. */
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        if (a & bit) product ^= b;
        b = (b >> 1) ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

/* x^(8 * bytes) modulo the polynomial. */
static uint32_t power_of_zeros(uint64_t bytes) {
    uint32_t result = 1u << 31, base = 1u << 23;
    for (; bytes; bytes >>= 1) {
        if (bytes & 1) result = multiply(result, base);
        base = multiply(base, base);
    }
    return result;
}

static void zeros_fill(uint32_t table[4][256], uint64_t bytes) {
    uint32_t power = power_of_zeros(bytes);
    /* Linear: a byte's entry is the sum of its bits' entries. */
    for (unsigned k = 0; k < 4; k++)
        for (uint32_t b = 1; b < 256; b++) {
            uint32_t lowest = b & (0u - b);
            table[k][b] = b == lowest ? multiply(power, b << (8 * k)) : table[k][b ^ lowest] ^ table[k][lowest];
        }
}

/* Runs before main, so that no call has to ask whether the tables are there. About 10 us. */
static __attribute__((constructor)) void tables_init(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (c & 1 ? POLYNOMIAL : 0);
        slices[0][b] = c;
    }
    for (unsigned k = 1; k < 8; k++)
        for (unsigned b = 0; b < 256; b++)
            slices[k][b] = (slices[k - 1][b] >> 8) ^ slices[0][slices[k - 1][b] & 0xff];
#if defined(__aarch64__)
    hardware = (getauxval(AT_HWCAP) & (1ul << 7)) != 0; /* HWCAP_CRC32 */
#elif defined(__x86_64__)
    __builtin_cpu_init();
    hardware = __builtin_cpu_supports("sse4.2");
#endif
    if (hardware) {
        zeros_fill(zeros_long, LONG);
        zeros_fill(zeros_short, SHORT);
    }
}

uint32_t crc32c_update_portable(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    uint32_t c = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low = load_le32(p) ^ c, high = load_le32(p + 4);
        c = slices[7][low & 0xff] ^ slices[6][low >> 8 & 0xff] ^ slices[5][low >> 16 & 0xff] ^ slices[4][low >> 24] ^
            slices[3][high & 0xff] ^ slices[2][high >> 8 & 0xff] ^ slices[1][high >> 16 & 0xff] ^ slices[0][high >> 24];
    }
    while (size-- > 0)
        c = (c >> 8) ^ slices[0][(c ^ *p++) & 0xff];
    return ~c;
}

#ifdef CRC_NAME
static inline uint64_t zeros_append(const uint32_t table[4][256], uint64_t c) {
    return table[0][c & 0xff] ^ table[1][c >> 8 & 0xff] ^ table[2][c >> 16 & 0xff] ^ table[3][c >> 24 & 0xff];
}

CRC_TARGET static inline __attribute__((always_inline)) uint64_t update_three(
    uint64_t c0, const uint8_t *p, size_t length, const uint32_t table[4][256]) {
    uint64_t c1 = 0, c2 = 0;
    for (const uint8_t *end = p + length; p < end; p += 8) {
        c0 = CRC_STEP8(c0, load_le64(p));
        c1 = CRC_STEP8(c1, load_le64(p + length));
        c2 = CRC_STEP8(c2, load_le64(p + 2 * length));
    }
    return zeros_append(table, zeros_append(table, c0) ^ c1) ^ c2;
}

CRC_TARGET static uint32_t update_hardware(uint32_t crc, const uint8_t *p, size_t size) {
    uint64_t c = (uint32_t)~crc;
    for (; size >= 3 * LONG; size -= 3 * LONG, p += 3 * LONG)
        c = update_three(c, p, LONG, zeros_long);
    for (; size >= 3 * SHORT; size -= 3 * SHORT, p += 3 * SHORT)
        c = update_three(c, p, SHORT, zeros_short);
    for (; size >= 8; size -= 8, p += 8)
        c = CRC_STEP8(c, load_le64(p));
    for (; size > 0; size--, p++)
        c = CRC_STEP1(c, *p);
    return ~(uint32_t)c;
}
#endif

uint32_t crc32c_update(uint32_t crc, const void *data, size_t size) {
#ifdef CRC_NAME
    if (hardware) return update_hardware(crc, data, size);
#endif
    return crc32c_update_portable(crc, data, size);
}

const char *crc32c_backend(void) {
#ifdef CRC_NAME
    if (hardware) return CRC_NAME;
#endif
    return "portable";
}

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b) {
    return multiply(power_of_zeros(size_b), crc_a) ^ crc_b;
}
