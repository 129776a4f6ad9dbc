#include "host/timers.h"
#include "base/assert.h"
#include "sys/sys.h"

#define CAPACITY_FIRST 256u
#define DUE_MAX        256u

static size_t memory_size(uint32_t capacity) {
    return capacity * sizeof(struct timer) + map32_memory_size(capacity);
}

static bool before(const struct timer *a, const struct timer *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->id < b->id;
}

static void place(struct timers *t, uint32_t index, struct timer timer) {
    t->heap[index] = timer;
    WEIR_ASSERT(map32_put(&t->places, timer.id, index) != MAP_PUT_FULL);
}

static void sift(struct timers *t, uint32_t index, struct timer timer) {
    while (index > 0 && before(&timer, &t->heap[(index - 1) / 2])) {
        place(t, index, t->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        uint32_t child = index * 2 + 1;
        if (child >= t->count) break;
        if (child + 1 < t->count && before(&t->heap[child + 1], &t->heap[child])) child++;
        if (!before(&t->heap[child], &timer)) break;
        place(t, index, t->heap[child]);
        index = child;
    }
    place(t, index, timer);
}

static void grow(struct timers *t) {
    uint32_t capacity = t->capacity ? t->capacity * 2 : CAPACITY_FIRST;
    WEIR_ASSERT(capacity <= TIMERS_MAX);
    WEIR_ASSERT(t->heap || t->count == 0);
    void *memory;
    WEIR_ASSERT(sys_memory_map(memory_size(capacity), &memory) == WEIR_OK);
    struct timer *heap = memory;
    struct map32 places;
    struct map_options options = {.capacity = capacity, .seed = 1, .memory = heap + capacity, .memory_is_zero = true};
    WEIR_ASSERT(map32_init(&places, &options));
    for (uint32_t i = 0; i < t->count; i++) {
        heap[i] = t->heap[i];
        WEIR_ASSERT(map32_put(&places, heap[i].id, i) != MAP_PUT_FULL);
    }
    uint32_t count = t->count;
    timers_done(t);
    *t = (struct timers){.heap = heap, .count = count, .capacity = capacity, .places = places};
}

void timers_done(struct timers *timers) {
    if (timers->heap) sys_memory_unmap(timers->heap, memory_size(timers->capacity));
    memset(timers, 0, sizeof *timers);
}

void timers_set(struct timers *timers, uint64_t id, uint64_t at_ns) {
    uint32_t index;
    if (!timers->heap || !map32_find(&timers->places, id, &index)) {
        if (timers->count == timers->capacity) grow(timers);
        index = timers->count++;
    }
    sift(timers, index, (struct timer){.at_ns = at_ns, .id = id});
}

bool timers_cancel(struct timers *timers, uint64_t id) {
    uint32_t index;
    if (!timers->heap || !map32_find(&timers->places, id, &index)) return false;
    map32_erase(&timers->places, id);
    struct timer last = timers->heap[--timers->count];
    if (index < timers->count) sift(timers, index, last);
    return true;
}

bool timers_take_due(struct timers *timers, uint64_t id, uint64_t now_ns) {
    uint32_t index;
    if (!timers->heap || !map32_find(&timers->places, id, &index)) return false;
    if (timers->heap[index].at_ns > now_ns) return false;
    return timers_cancel(timers, id);
}

uint32_t timers_due(const struct timers *timers, uint64_t now_ns, uint32_t max, struct timer *ret_due) {
    uint32_t frontier[DUE_MAX + 2]; /* heap indices not visited yet; the smallest is the next in order */
    uint32_t size = 0, found = 0;
    WEIR_ASSERT(max <= DUE_MAX);
    if (timers->count) frontier[size++] = 0;
    while (size > 0 && found < max) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < size; i++)
            if (before(&timers->heap[frontier[i]], &timers->heap[frontier[best]])) best = i;
        uint32_t index = frontier[best];
        if (timers->heap[index].at_ns > now_ns) break;
        ret_due[found++] = timers->heap[index];
        frontier[best] = frontier[--size];
        for (uint32_t child = index * 2 + 1; child <= index * 2 + 2; child++)
            if (child < timers->count) frontier[size++] = child;
    }
    return found;
}
