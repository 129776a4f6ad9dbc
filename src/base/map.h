/* base/map.h: hash maps that cannot be attacked and whose order is a function of their contents.
 *
 *   struct map64     u64 key -> u64 value, 16 bytes a slot
 *   struct map32     u64 key -> u32 value, 12 bytes a slot
 *   struct map_text  bytes   -> u64 value, 32 bytes a slot; the caller keeps the key bytes alive and unchanged
 *
 * Open addressing, at most 3/4 full, slots kept in ascending order of the seeded hash: a miss stops early, deletion
 * shifts back (no tombstones), and iteration visits keys in the order of their hash. That order depends only on the
 * set of keys and the seed, neither on the history nor on the capacity, so replay may rely on it; use the sorted
 * copy (map64_keys) where a seed-free order is needed. The seed is the caller's: draw it from `sys` once, and where a
 * fold depends on the order keep it with the state; equal seeds give equal maps. Integer hashing is a keyed
 * bijection (equal hash = equal key); text keys use SipHash-1-3 and are compared in full.
 *
 * Fixed maps never allocate after init and refuse when full; init does not touch the memory when it is known to be
 * zero (fresh mmap), so capacity for the worst day costs no resident memory. Growable ones double through the
 * allocator, O(n) at that moment; they refuse only without memory. Pointers to values live until the next put, erase.
 * One owner thread.
 */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/assert.h"

#include <weir/slice.h>
#include <weir/vec.h>

/* What a map needs to know at init. */
struct map_options {
    size_t capacity;                        /* keys it must hold (growable: to begin with, 0 = 16) */
    uint64_t seed;                          /* any value; two seeds of a text map are derived from it */
    void *memory;                           /* fixed over this memory, of mapNN_memory_size(capacity) bytes, or */
    bool memory_is_zero;                    /* ... which is zero already */
    const struct weir_allocator *allocator; /* taken from here (NULL = system) when memory is NULL */
    bool growable;                          /* only with an allocator */
};

/* The keyed bijection; 0 marks an empty slot, so the one key that hashes to 0 lives beside the table. */
struct map_key {
    uint64_t seed, multiply0, multiply1; /* multipliers are odd */
    uint64_t inverse0, inverse1;         /* of the multipliers, for the way back */
};
static inline uint64_t map_hash(const struct map_key *k, uint64_t key) {
    uint64_t h = (key ^ k->seed) * k->multiply0;
    return (h ^ (h >> 32)) * k->multiply1;
}
/* The key whose hash this is. */
uint64_t map_unhash(const struct map_key *k, uint64_t hash);

#define MAP_FIELDS                                                                                                     \
    size_t count;    /* keys now */                                                                                    \
    size_t capacity; /* keys it holds before it is full or grows */                                                    \
    size_t slots;    /* of the table, with the run-out at its end */                                                   \
    unsigned shift;  /* home slot = hash >> shift */                                                                   \
    bool owned, growable;                                                                                              \
    const struct weir_allocator *allocator

struct map64_slot {
    uint64_t hash, value;
};
struct map64 {
    struct map64_slot *table;
    struct map_key key;
    MAP_FIELDS;
    bool has_zero; /* the key with hash 0 is present */
    uint64_t zero_value;
};

struct __attribute__((packed)) map32_slot {
    uint64_t hash;
    uint32_t value;
};
struct map32 {
    struct map32_slot *table;
    struct map_key key;
    MAP_FIELDS;
    bool has_zero;
    uint32_t zero_value;
};

/* Bytes of memory a fixed map of that capacity takes (alignment 8). */
size_t map64_memory_size(size_t capacity);
size_t map32_memory_size(size_t capacity);
/* False: no memory. */
WEIR_VEC_UNUSED bool map64_init(struct map64 *m, const struct map_options *o);
WEIR_VEC_UNUSED bool map32_init(struct map32 *m, const struct map_options *o);
void map64_done(struct map64 *m); /* accepts a zeroed map */
void map32_done(struct map32 *m);
/* Empties; keeps the memory. Clears the whole table: O(slots). */
void map64_clear(struct map64 *m);
void map32_clear(struct map32 *m);

/* The value of a key, or NULL. The pointer may be written through. (map32 values are 4-aligned.) */
static inline uint64_t *map64_find(const struct map64 *m, uint64_t key) {
    uint64_t h = map_hash(&m->key, key);
    if (WEIR_UNLIKELY(h == 0)) return m->has_zero ? (uint64_t *)&m->zero_value : NULL;
    struct map64_slot *s = m->table + (h >> m->shift);
    while (s->hash - 1 < h - 1) /* stops at an empty slot (0 - 1 is the largest) and at the first hash >= h */
        s++;
    return s->hash == h ? &s->value : NULL;
}
static inline bool map32_find(const struct map32 *m, uint64_t key, uint32_t *ret) {
    uint64_t h = map_hash(&m->key, key);
    if (WEIR_UNLIKELY(h == 0)) {
        if (m->has_zero) *ret = m->zero_value;
        return m->has_zero;
    }
    const struct map32_slot *s = m->table + (h >> m->shift);
    while (s->hash - 1 < h - 1)
        s++;
    if (s->hash != h) return false;
    *ret = s->value;
    return true;
}

enum map_put {
    MAP_PUT_NEW,      /* inserted */
    MAP_PUT_REPLACED, /* the key was there; its value is the new one now */
    MAP_PUT_FULL,     /* nothing changed: fixed and full, or no memory to grow */
};
enum map_put map64_put(struct map64 *m, uint64_t key, uint64_t value);
enum map_put map32_put(struct map32 *m, uint64_t key, uint32_t value);
/* Inserts `value` unless the key is there; either way returns where its value is; NULL when full. */
uint64_t *map64_find_or_put(struct map64 *m, uint64_t key, uint64_t value, bool *ret_new);
/* False when the key is not there. */
bool map64_erase(struct map64 *m, uint64_t key);
bool map32_erase(struct map32 *m, uint64_t key);

/* Iteration in hash order: start with *at = 0; false at the end. The map must not change meanwhile. */
bool map64_each(const struct map64 *m, size_t *at, uint64_t *ret_key, uint64_t *ret_value);
bool map32_each(const struct map32 *m, size_t *at, uint64_t *ret_key, uint32_t *ret_value);
/* All keys in ascending order into keys[], which has room for m->count; returns how many. */
size_t map64_keys(const struct map64 *m, uint64_t *keys);
size_t map32_keys(const struct map32 *m, uint64_t *keys);

struct map_text_slot {
    uint64_t hash; /* 0 = empty */
    const uint8_t *key;
    size_t key_size;
    uint64_t value;
};
struct map_text {
    struct map_text_slot *table;
    uint64_t seed0, seed1;
    MAP_FIELDS;
};

size_t map_text_memory_size(size_t capacity);
WEIR_VEC_UNUSED bool map_text_init(struct map_text *m, const struct map_options *o);
void map_text_done(struct map_text *m);
void map_text_clear(struct map_text *m);
uint64_t *map_text_find(const struct map_text *m, struct weir_slice key);
/* Keeps the pointer key.data until the key is erased. On REPLACED the pointer of the first put is kept. */
enum map_put map_text_put(struct map_text *m, struct weir_slice key, uint64_t value);
/* ret_key (may be NULL): the key bytes as kept, so that the caller can free them. */
bool map_text_erase(struct map_text *m, struct weir_slice key, struct weir_slice *ret_key);
bool map_text_each(const struct map_text *m, size_t *at, struct weir_slice *ret_key, uint64_t *ret_value);

#endif
