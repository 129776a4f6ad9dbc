/* jobs/index.h: a hash table of u32 items whose keys lie elsewhere: 4 bytes a place, at most half full.
 *
 * Linear probing; deletion shifts back, so there are no tombstones. The table does not know the keys: who looks an item
 * up walks the candidates of a hash and compares, and deletion asks for the hash of an item. What is found does not
 * depend on the order of insertion, so the table need not be part of a snapshot. Pure; one owner thread.
 *
 *     for (uint32_t at = index_first(&t, hash); (i = index_at(&t, at)) != INDEX_NONE; at = index_next(&t, at))
 *         if (it is i) ...
 */
#ifndef WEIR_JOBS_INDEX_H
#define WEIR_JOBS_INDEX_H
#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index {
    uint32_t *places; /* item + 1; 0: empty */
    uint32_t mask, count;
    uint64_t (*hash_of)(const void *owner, uint32_t item);
    const void *owner;
};
static inline uint64_t index_slots(uint64_t capacity) {
    uint64_t slots = 16;
    while (slots < 2 * capacity)
        slots *= 2;
    return slots;
}
/* Memory is zero. */
static inline void index_init(struct index *t, uint32_t *memory, uint64_t capacity,
    uint64_t (*hash_of)(const void *owner, uint32_t item), const void *owner) {
    *t = (struct index){
        .places = memory, .mask = (uint32_t)(index_slots(capacity) - 1), .hash_of = hash_of, .owner = owner};
}
static inline uint32_t index_first(const struct index *t, uint64_t hash) {
    return (uint32_t)(hash >> 32) & t->mask;
}
static inline uint32_t index_next(const struct index *t, uint32_t at) {
    return (at + 1) & t->mask;
}
static inline uint32_t index_at(const struct index *t, uint32_t at) {
    return t->places[at] - 1; /* empty: INDEX_NONE */
}
static inline void index_put(struct index *t, uint64_t hash, uint32_t item) {
    WEIR_ASSERT(t->count <= t->mask / 2);
    uint32_t at = index_first(t, hash);
    while (t->places[at])
        at = index_next(t, at);
    t->places[at] = item + 1;
    t->count++;
}
static inline void index_erase(struct index *t, uint64_t hash, uint32_t item) {
    uint32_t hole = index_first(t, hash);
    while (t->places[hole] != item + 1) {
        WEIR_ASSERT(t->places[hole]); /* it is there */
        hole = index_next(t, hole);
    }
    for (uint32_t at = index_next(t, hole); t->places[at]; at = index_next(t, at)) {
        uint32_t home = index_first(t, t->hash_of(t->owner, t->places[at] - 1));
        if (((at - home) & t->mask) < ((at - hole) & t->mask)) continue; /* its home lies behind the hole */
        t->places[hole] = t->places[at];
        hole = at;
    }
    t->places[hole] = 0;
    t->count--;
}
#endif
