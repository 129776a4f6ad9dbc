#include "host/waiters.h"
#include "base/assert.h"

enum weir_error waiters_init(struct waiters *waiters, uint32_t waiting_max, uint64_t seed) {
    memset(waiters, 0, sizeof *waiters);
    uint64_t slots = 16;
    while (slots < waiting_max)
        slots *= 2;
    size_t ring_size = slots * sizeof(struct waiter), map_size = map64_memory_size(waiting_max);
    waiters->memory_size = ring_size + map_size + waiting_max * sizeof(struct waiter_joined);
    enum weir_error e = sys_memory_map(waiters->memory_size, &waiters->memory);
    if (e != WEIR_OK) return e;
    uint8_t *at = waiters->memory;
    waiters->ring = (struct waiter *)(void *)at;
    waiters->mask = slots - 1;
    waiters->max = waiting_max;
    struct map_options options = {
        .capacity = waiting_max, .seed = seed, .memory = at + ring_size, .memory_is_zero = true};
    WEIR_ASSERT(map64_init(&waiters->keys, &options));
    pool_init(&waiters->joined, at + ring_size + map_size, sizeof(struct waiter_joined), waiting_max);
    return WEIR_OK;
}

void waiters_done(struct waiters *waiters) {
    if (waiters->memory) sys_memory_unmap(waiters->memory, waiters->memory_size);
    memset(waiters, 0, sizeof *waiters);
}

void waiters_add(struct waiters *waiters, const struct waiter *waiter) {
    WEIR_ASSERT(!waiters_full(waiters));
    struct waiter *slot = &waiters->ring[waiters->tail & waiters->mask];
    *slot = *waiter;
    slot->joined = POOL_NONE;
    slot->joined_count = 0;
    if (waiter->key.hash[0]) WEIR_ASSERT(map64_put(&waiters->keys, waiter->key.hash[0], waiters->tail) != MAP_PUT_FULL);
    waiters->tail++;
}

struct waiter *waiters_find(struct waiters *waiters, const struct waiter_key *key) {
    const uint64_t *position = waiters->keys.count ? map64_find(&waiters->keys, key->hash[0]) : NULL;
    if (!position) return NULL;
    struct waiter *waiter = &waiters->ring[*position & waiters->mask];
    return waiter->key.hash[1] == key->hash[1] ? waiter : NULL;
}

bool waiters_join(struct waiters *waiters, struct waiter *waiter, const struct host_origin *origin, bool conflict) {
    if (waiter->joined_count >= WAITERS_JOINED_MAX) return false;
    uint32_t index = pool_take(&waiters->joined);
    if (index == POOL_NONE) return false;
    *waiters_joined(waiters, index) =
        (struct waiter_joined){.next = waiter->joined, .conflict = conflict, .origin = *origin};
    waiter->joined = index;
    waiter->joined_count++;
    return true;
}

struct waiter_joined *waiters_joined(struct waiters *waiters, uint32_t index) {
    return pool_at(&waiters->joined, index);
}

struct waiter *waiters_at(struct waiters *waiters, uint64_t offset) {
    if (waiters->head == waiters->tail) return NULL;
    struct waiter *waiter = &waiters->ring[waiters->head & waiters->mask];
    WEIR_ASSERT(waiter->offset >= offset);
    return waiter->offset == offset ? waiter : NULL;
}

void waiters_pop(struct waiters *waiters) {
    WEIR_ASSERT(waiters->head < waiters->tail);
    struct waiter *waiter = &waiters->ring[waiters->head & waiters->mask];
    for (uint32_t i = waiter->joined; i != POOL_NONE;) {
        uint32_t next = waiters_joined(waiters, i)->next;
        pool_give(&waiters->joined, i);
        i = next;
    }
    const uint64_t *position = waiter->key.hash[0] ? map64_find(&waiters->keys, waiter->key.hash[0]) : NULL;
    if (position && *position == waiters->head) map64_erase(&waiters->keys, waiter->key.hash[0]);
    waiters->head++;
    /* Empty: begin at the ring's start again, so that what is touched stays as small as the longest queue. */
    if (waiters->head == waiters->tail) waiters->head = waiters->tail = 0;
}
