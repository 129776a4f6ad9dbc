/* base/map.c: what the maps share: the shape of a table, the keyed bijection, sorting. */
#include "base/map.h"

#include "base/map_shape.h"
#include "base/prng.h"

/* Runs past the last home slot go on into a tail. At 3/4 full a run longer than 128 there has a chance of about e^-70
 * with hashes an adversary cannot choose; small maps have room for everything. The last slot stays empty. */
struct map_shape map_shape(size_t capacity) {
    WEIR_ASSERT(capacity <= SIZE_MAX / 64);
    unsigned bits = 3;
    while (((size_t)1 << bits) / 4 * 3 < capacity)
        bits++;
    size_t tail = (capacity < 128 ? capacity : 128) + 1;
    return (struct map_shape){.slots = ((size_t)1 << bits) + tail, .capacity = capacity, .shift = 64 - bits};
}

/* Newton's iteration doubles the correct low bits; an odd number is its own inverse modulo 8. */
static uint64_t inverse(uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 5; i++)
        x *= 2 - odd * x;
    return x;
}

struct map_key map_key_new(uint64_t seed) {
    struct map_key k = {.seed = prng_splitmix(&seed)};
    k.multiply0 = prng_splitmix(&seed) | 1;
    k.multiply1 = prng_splitmix(&seed) | 1;
    k.inverse0 = inverse(k.multiply0);
    k.inverse1 = inverse(k.multiply1);
    return k;
}

uint64_t map_unhash(const struct map_key *k, uint64_t hash) {
    uint64_t h = hash * k->inverse1;
    h ^= h >> 32;
    return (h * k->inverse0) ^ k->seed;
}

static void sift_down(uint64_t *keys, size_t at, size_t count) {
    uint64_t key = keys[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && keys[child + 1] > keys[child]) child++;
        if (keys[child] <= key) break;
        keys[at] = keys[child];
    }
    keys[at] = key;
}

/* Heapsort: in place, no allocation, no bad case. */
void map_sort(uint64_t *keys, size_t count) {
    for (size_t i = count / 2; i-- > 0;)
        sift_down(keys, i, count);
    for (size_t end = count; end-- > 1;) {
        uint64_t largest = keys[0];
        keys[0] = keys[end];
        keys[end] = largest;
        sift_down(keys, 0, end);
    }
}
