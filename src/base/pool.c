/* base/pool.c: the beginning of a pool. */
#include "base/pool.h"

void pool_init(struct pool *p, void *memory, uint32_t object_size, uint32_t capacity) {
    WEIR_ASSERT(object_size >= sizeof p->free_head && capacity < POOL_NONE && (memory || capacity == 0));
    *p = (struct pool){.memory = memory, .object_size = object_size, .capacity = capacity, .free_head = POOL_NONE};
}

void pool_reset(struct pool *p) {
    p->fresh = 0;
    p->count = 0;
    p->free_head = POOL_NONE;
}
