/* base/pool.h: objects of one size over one stretch of memory, named by u32 indices.
 *
 * Nothing is allocated after init, and init touches none of the memory: objects are handed out in index order first
 * (bump), then from the free list (last given, first taken), so that a pool sized for the worst day costs resident
 * memory only for what was used. The order of indices is a function of the calls alone: replay gives the same indices.
 * The first 4 bytes of a free object hold the list's link; the rest keeps what was there. One owner thread.
 */
#ifndef WEIR_BASE_POOL_H
#define WEIR_BASE_POOL_H

#include "base/assert.h"

#include <weir/slice.h>

#define POOL_NONE UINT32_MAX

struct pool {
    uint8_t *memory;
    uint32_t object_size; /* >= 4 */
    uint32_t capacity;    /* objects; <= UINT32_MAX - 1 */
    uint32_t fresh;       /* high-water mark: indices below it were handed out at least once */
    uint32_t free_head;   /* POOL_NONE = free list empty */
    uint32_t count;       /* handed out now */
};

/* memory holds capacity objects of object_size bytes (a multiple of the objects' alignment) and outlives the pool. */
void pool_init(struct pool *p, void *memory, uint32_t object_size, uint32_t capacity);
/* All objects are free again; the high-water mark is forgotten, the order starts again at index 0. */
void pool_reset(struct pool *p);

static inline void *pool_at(const struct pool *p, uint32_t index) {
    WEIR_DEBUG_ASSERT(index < p->fresh);
    return p->memory + (size_t)index * p->object_size;
}
/* The index of an object of this pool. */
static inline uint32_t pool_index(const struct pool *p, const void *object) {
    size_t offset = (size_t)((const uint8_t *)object - p->memory);
    WEIR_DEBUG_ASSERT(offset % p->object_size == 0 && offset / p->object_size < p->capacity);
    return (uint32_t)(offset / p->object_size);
}
/* Takes an object, contents undefined; POOL_NONE when the pool is full. */
static inline uint32_t pool_take(struct pool *p) {
    uint32_t index = p->free_head;
    if (index != POOL_NONE) {
        memcpy(&p->free_head, p->memory + (size_t)index * p->object_size, sizeof p->free_head);
    } else {
        if (p->fresh == p->capacity) return POOL_NONE;
        index = p->fresh++;
    }
    p->count++;
    return index;
}
/* Gives an object back; it must have been taken and not given yet. */
static inline void pool_give(struct pool *p, uint32_t index) {
    WEIR_ASSERT(index < p->fresh && p->count > 0);
    memcpy(p->memory + (size_t)index * p->object_size, &p->free_head, sizeof p->free_head);
    p->free_head = index;
    p->count--;
}

#endif
