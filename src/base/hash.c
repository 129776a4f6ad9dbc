/* base/hash.c: byte hashes. */
#include "base/hash.h"

#include "base/bytes.h"

/* Odd constants with balanced bits, from the decimals of pi; they are part of the on-disk meaning of hash_bytes. */
#define K0 0x243f6a8885a308d3u
#define K1 0x13198a2e03707345u
#define K2 0xa4093822299f31d1u
#define K3 0x082efa98ec4e6c89u

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed) {
    const uint8_t *p = data;
    uint64_t h = seed ^ hash_fold(seed ^ K0, K1), a = 0, b = 0;
    size_t left = size;
    for (; left > 32; left -= 32, p += 32) {
        /* Two chains side by side keep the multiplier busy; the second starts from another constant. */
        uint64_t x = hash_fold(load_le64(p) ^ K1, load_le64(p + 8) ^ h);
        uint64_t y = hash_fold(load_le64(p + 16) ^ K2, load_le64(p + 24) ^ h ^ K3);
        h = (x + ((y << 23) | (y >> 41))) ^ y;
    }
    if (left > 16) {
        h = hash_fold(load_le64(p) ^ K3, load_le64(p + 8) ^ h);
        a = load_le64(p + left - 16);
        b = load_le64(p + left - 8);
    } else if (left >= 8) {
        a = load_le64(p);
        b = load_le64(p + left - 8);
    } else if (left >= 4) {
        a = load_le32(p);
        b = load_le32(p + left - 4);
    } else if (left > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
    }
    return hash_fold(K1 ^ size, hash_fold(a ^ K2, b ^ h) ^ K0);
}

static inline uint64_t rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

static inline void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static inline __attribute__((always_inline)) uint64_t siphash(
    const uint8_t *p, size_t size, uint64_t key0, uint64_t key1, int rounds, int last_rounds) {
    uint64_t v[4] = {
        key0 ^ 0x736f6d6570736575u, key1 ^ 0x646f72616e646f6du, key0 ^ 0x6c7967656e657261u, key1 ^ 0x7465646279746573u};
    uint64_t tail = (uint64_t)size << 56;
    size_t whole = size & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8) {
        uint64_t m = load_le64(p + at);
        v[3] ^= m;
        for (int i = 0; i < rounds; i++)
            sip_round(v);
        v[0] ^= m;
    }
    for (size_t i = whole; i < size; i++)
        tail |= (uint64_t)p[i] << (8 * (i - whole));
    v[3] ^= tail;
    for (int i = 0; i < rounds; i++)
        sip_round(v);
    v[0] ^= tail;
    v[2] ^= 0xff;
    for (int i = 0; i < last_rounds; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash13(const void *data, size_t size, uint64_t key0, uint64_t key1) {
    return siphash(data, size, key0, key1, 1, 3);
}

uint64_t siphash24(const void *data, size_t size, uint64_t key0, uint64_t key1) {
    return siphash(data, size, key0, key1, 2, 4);
}
