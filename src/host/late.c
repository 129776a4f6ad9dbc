#include "host/late.h"
#include "base/assert.h"

enum weir_error late_init(struct late *late, uint64_t seed) {
    memset(late, 0, sizeof *late);
    size_t map_size = map64_memory_size(LATE_MAX);
    late->memory_size = map_size + LATE_MAX * sizeof(struct late_waiter);
    enum weir_error e = sys_memory_map(late->memory_size, &late->memory);
    if (e != WEIR_OK) return e;
    struct map_options options = {
        .capacity = LATE_MAX, .seed = seed, .memory = late->memory, .memory_is_zero = true};
    WEIR_ASSERT(map64_init(&late->tickets, &options));
    pool_init(&late->waiters, (uint8_t *)late->memory + map_size, sizeof(struct late_waiter), LATE_MAX);
    late->first = POOL_NONE;
    return WEIR_OK;
}

void late_done(struct late *late) {
    if (late->memory) sys_memory_unmap(late->memory, late->memory_size);
    memset(late, 0, sizeof *late);
}

static void link_waiter(struct late *late, uint32_t index) {
    struct late_waiter *w = pool_at(&late->waiters, index);
    w->told = false;
    w->previous = POOL_NONE;
    w->next = late->first;
    if (w->next != POOL_NONE) ((struct late_waiter *)pool_at(&late->waiters, w->next))->previous = index;
    late->first = index;
}

static void unlink_waiter(struct late *late, uint32_t index) {
    struct late_waiter *w = pool_at(&late->waiters, index);
    if (w->told) return;
    if (w->next != POOL_NONE) ((struct late_waiter *)pool_at(&late->waiters, w->next))->previous = w->previous;
    if (w->previous == POOL_NONE)
        late->first = w->next;
    else
        ((struct late_waiter *)pool_at(&late->waiters, w->previous))->next = w->next;
}

bool late_add(struct late *late, uint64_t ticket, const struct host_origin *origin) {
    uint32_t index = pool_take(&late->waiters);
    if (index == POOL_NONE) return false;
    struct late_waiter *w = pool_at(&late->waiters, index);
    *w = (struct late_waiter){.ticket = ticket, .origin = *origin};
    WEIR_ASSERT(map64_put(&late->tickets, ticket, index) == MAP_PUT_NEW); /* an offset is applied once */
    link_waiter(late, index);
    return true;
}

bool late_take(struct late *late, uint64_t ticket, struct host_origin *ret_origin) {
    const uint64_t *found = late->memory ? map64_find(&late->tickets, ticket) : NULL;
    if (!found) return false;
    uint32_t index = (uint32_t)*found;
    *ret_origin = ((struct late_waiter *)pool_at(&late->waiters, index))->origin;
    unlink_waiter(late, index);
    map64_erase(&late->tickets, ticket);
    pool_give(&late->waiters, index);
    return true;
}

bool late_tell(struct late *late, uint64_t *ret_ticket, struct host_origin *ret_origin) {
    if (!late->memory || late->first == POOL_NONE) return false;
    uint32_t index = late->first;
    struct late_waiter *w = pool_at(&late->waiters, index);
    *ret_ticket = w->ticket;
    *ret_origin = w->origin;
    unlink_waiter(late, index);
    w->told = true;
    return true;
}

void late_untold(struct late *late, uint64_t ticket) {
    const uint64_t *found = map64_find(&late->tickets, ticket);
    WEIR_ASSERT(found);
    link_waiter(late, (uint32_t)*found);
}
