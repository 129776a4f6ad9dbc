#include "base/sha256.h"

#define BLOCK 64u

/* The fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7,
    0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c,
    0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

static uint32_t load(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store(uint8_t *p, uint32_t x) {
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(x >> (24 - 8 * i));
}

static void take_block(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    for (unsigned i = 0; i < 16; i++)
        w[i] = load(block + 4 * (size_t)i);
    for (unsigned i = 16; i < 64; i++)
        w[i] = (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10) + w[i - 7] +
               (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t t1 = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
        uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    const uint32_t now[8] = {a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < 8; i++)
        state[i] += now[i];
}

void sha256(struct weir_slice bytes, uint8_t out[SHA256_SIZE]) {
    /* The fractional parts of the square roots of the first 8 primes. */
    uint32_t state[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t last[2 * BLOCK] = {0};
    size_t at = 0;
    for (; bytes.size - at >= BLOCK; at += BLOCK)
        take_block(state, bytes.data + at);
    size_t rest = bytes.size - at, size = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    if (rest) memcpy(last, bytes.data + at, rest);
    last[rest] = 0x80;
    uint64_t bits = (uint64_t)bytes.size * 8;
    store(last + size - 8, (uint32_t)(bits >> 32));
    store(last + size - 4, (uint32_t)bits);
    for (at = 0; at < size; at += BLOCK)
        take_block(state, last + at);
    for (unsigned i = 0; i < 8; i++)
        store(out + 4 * (size_t)i, state[i]);
}

bool equal_constant_time(const void *a, const void *b, size_t size) {
    const uint8_t *x = a, *y = b;
    uint64_t differs = 0, p, q;
    size_t at = 0;
    for (; size - at >= sizeof p; at += sizeof p) {
        memcpy(&p, x + at, sizeof p);
        memcpy(&q, y + at, sizeof q);
        differs |= p ^ q;
        __asm__("" : "+r"(differs)); /* the compiler knows nothing of it, and finds no way out of the loop */
    }
    for (; at < size; at++) {
        differs |= (uint64_t)(x[at] ^ y[at]);
        __asm__("" : "+r"(differs));
    }
    return differs == 0;
}
