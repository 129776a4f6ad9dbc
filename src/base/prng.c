/* base/prng.c: distributions over the generator. */
#include "base/prng.h"

#include "base/assert.h"
#include "base/wide.h"

#include <math.h>
#include <string.h>

/* Lemire's multiply and reject: the product's high half is uniform once the low half clears the biased part. */
uint64_t prng_below(struct prng *p, uint64_t bound) {
    WEIR_ASSERT(bound > 0);
    struct wide product = wide_product(prng_next(p), bound);
    if (product.low < bound) {
        uint64_t biased = (0u - bound) % bound;
        while (product.low < biased)
            product = wide_product(prng_next(p), bound);
    }
    return product.high;
}

uint64_t prng_between(struct prng *p, uint64_t low, uint64_t high) {
    WEIR_ASSERT(low <= high);
    uint64_t width = high - low;
    return low + (width == UINT64_MAX ? prng_next(p) : prng_below(p, width + 1));
}

double prng_exponential(struct prng *p, double mean) {
    return -mean * log(1.0 - prng_real(p));
}

void prng_bytes(struct prng *p, void *ret_data, size_t size) {
    uint8_t *out = ret_data;
    while (size > 0) {
        uint64_t x = prng_next(p);
        size_t n = size < sizeof x ? size : sizeof x;
        /* Low byte first whatever the machine, so that a seed means the same bytes everywhere. */
        for (size_t i = 0; i < n; i++)
            *out++ = (uint8_t)(x >> (8 * i));
        size -= n;
    }
}

struct prng prng_fork(struct prng *p) {
    return prng_seed(prng_next(p));
}
