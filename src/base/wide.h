/* base/wide.h: the product of two 64-bit numbers, in two words. Also where the compiler has no __int128 (32-bit
 * machines). Pure. */
#ifndef WEIR_BASE_WIDE_H
#define WEIR_BASE_WIDE_H
#include <stdint.h>

struct wide {
    uint64_t high, low;
};

/* Schoolbook, by halves: what __int128 is checked against in the tests. */
static inline struct wide wide_product_of_halves(uint64_t a, uint64_t b) {
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, middle = a_high * b_low + (low >> 32);
    uint64_t other = a_low * b_high + (uint32_t)middle;
    return (struct wide){a_high * b_high + (middle >> 32) + (other >> 32), other << 32 | (uint32_t)low};
}

static inline struct wide wide_product(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (struct wide){(uint64_t)(product >> 64), (uint64_t)product};
#else
    return wide_product_of_halves(a, b);
#endif
}
#endif
