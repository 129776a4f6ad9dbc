/* base/prng.h: a small deterministic random generator (xoshiro256**, Blackman and Vigna; seeded by SplitMix64).
 *
 * For tests, the simulator and jitter. State is explicit: the same seed gives the same numbers on every machine. Not
 * for secrets, tokens or anything an adversary should not guess: those come from `sys`. One owner thread.
 */
#ifndef WEIR_BASE_PRNG_H
#define WEIR_BASE_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t s[4]; /* not all zero */
};

/* The next state of a SplitMix64 sequence and its output; also a fine way to derive seeds. */
static inline uint64_t prng_splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline struct prng prng_seed(uint64_t seed) {
    struct prng p;
    for (int i = 0; i < 4; i++)
        p.s[i] = prng_splitmix(&seed);
    return p;
}
static inline uint64_t prng_rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}
static inline uint64_t prng_next(struct prng *p) {
    uint64_t result = prng_rotate(p->s[1] * 5, 7) * 9, t = p->s[1] << 17;
    p->s[2] ^= p->s[0];
    p->s[3] ^= p->s[1];
    p->s[1] ^= p->s[2];
    p->s[0] ^= p->s[3];
    p->s[2] ^= t;
    p->s[3] = prng_rotate(p->s[3], 45);
    return result;
}
/* Uniform in 0..bound-1, without bias; bound >= 1. */
uint64_t prng_below(struct prng *p, uint64_t bound);
/* Uniform in low..high, both included; low <= high. */
uint64_t prng_between(struct prng *p, uint64_t low, uint64_t high);
/* True with probability numerator / denominator. */
static inline bool prng_chance(struct prng *p, uint64_t numerator, uint64_t denominator) {
    return prng_below(p, denominator) < numerator;
}
/* Uniform in [0, 1), 53 bits. */
static inline double prng_real(struct prng *p) {
    return (double)(prng_next(p) >> 11) * 0x1p-53;
}
/* Exponentially distributed with that mean: gaps of an open-loop load. */
double prng_exponential(struct prng *p, double mean);
void prng_bytes(struct prng *p, void *ret_data, size_t size);
/* An independent generator for a part, so that parts do not disturb each other's numbers. */
struct prng prng_fork(struct prng *p);

#endif
