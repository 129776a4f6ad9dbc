#include "base/explore_memory.h"

#include "base/assert.h"

#include <string.h>

struct view {
    uint32_t clock[MEMORY_THREADS_MAX];   /* what of each thread happened before */
    uint16_t floor[MEMORY_LOCATIONS_MAX]; /* the oldest store of each variable that is not hidden */
    uint16_t consistent;                  /* the newest sequentially consistent store or fence that happened before */
};

struct store {
    uint64_t value;
    int thread; /* -1: was there before the run */
    uint32_t clock;
    uint16_t consistent;  /* its place in the order of the sequentially consistent ones; 0: it is not one */
    bool updates;         /* the write of a read-modify-write */
    struct view released; /* what a thread that acquires it learns */
};

struct location {
    void *memory; /* holds the newest value, for whoever looks without an atomic operation */
    size_t size;
    unsigned count;
    struct store stores[MEMORY_STORES_MAX];
};

struct thread {
    struct view now;
    struct view unfenced; /* what relaxed loads have read: an acquire fence takes it over */
    struct view fenced;   /* as of the last release fence: relaxed stores carry it */
};

/* Eight bytes of plain memory: who wrote them last, and who has read them since. 0 is never: clocks start at 1. */
struct cell {
    uintptr_t address;
    unsigned writer;
    uint32_t written, read[MEMORY_THREADS_MAX];
};

static struct {
    struct thread threads[MEMORY_THREADS_MAX];
    struct location locations[MEMORY_LOCATIONS_MAX];
    struct cell cells[MEMORY_CELLS_MAX];
    int location_count;
    unsigned cell_count;
    /* The single order of sequentially consistent stores and fences: what one that comes right after the first k of
     * them may not miss (floors only). */
    struct view consistent[MEMORY_CONSISTENT_MAX];
    unsigned consistent_count;
} memory;

static bool acquires(int order) {
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool releases(int order) {
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static void raise_floors(struct view *view, const struct view *other) {
    for (int i = 0; i < memory.location_count; i++)
        if (view->floor[i] < other->floor[i]) view->floor[i] = other->floor[i];
}

static void join(struct view *view, const struct view *other) {
    for (unsigned t = 0; t < MEMORY_THREADS_MAX; t++)
        if (view->clock[t] < other->clock[t]) view->clock[t] = other->clock[t];
    if (view->consistent < other->consistent) view->consistent = other->consistent;
    raise_floors(view, other);
}

static uint64_t peek(const void *p, size_t size) {
    uint8_t byte;
    uint32_t word;
    uint64_t value;
    switch (size) {
    case 1:
        return memcpy(&byte, p, 1), byte;
    case 4:
        return memcpy(&word, p, 4), word;
    default:
        return memcpy(&value, p, 8), value;
    }
}

static void poke(void *p, size_t size, uint64_t value) {
    uint8_t byte = (uint8_t)value;
    uint32_t word = (uint32_t)value;
    const void *from = size == 1 ? (void *)&byte : size == 4 ? (void *)&word : (void *)&value;
    memcpy(p, from, size);
}

void memory_begin(void) {
    memory.location_count = 0;
    memory.cell_count = 0;
    memset(memory.threads, 0, sizeof memory.threads);
    memset(&memory.consistent[0], 0, sizeof memory.consistent[0]);
    memory.consistent_count = 0;
    for (unsigned t = 0; t < MEMORY_THREADS_MAX; t++)
        memory.threads[t].now.clock[t] = 1;
}

int memory_location(const void *p, size_t size) {
    WEIR_ASSERT(size == 1 || size == 4 || size == 8);
    for (int i = 0; i < memory.location_count; i++)
        if (memory.locations[i].memory == p) return i;
    if (memory.location_count == MEMORY_LOCATIONS_MAX) return -1;
    struct location *l = &memory.locations[memory.location_count];
    l->memory = (void *)(uintptr_t)p;
    l->size = size;
    l->count = 1;
    l->stores[0] = (struct store){.value = peek(p, size), .thread = -1};
    return memory.location_count++;
}

void memory_join_all(unsigned thread) {
    for (unsigned t = 0; t < MEMORY_THREADS_MAX; t++)
        join(&memory.threads[thread].now, &memory.threads[t].now);
    for (int i = 0; i < memory.location_count; i++)
        memory_raise(thread, i, memory_newest(i));
}

unsigned memory_newest(int location) {
    return memory.locations[location].count - 1;
}

unsigned memory_oldest(unsigned thread, int location, int order) {
    const struct view *now = &memory.threads[thread].now;
    unsigned seen = now->floor[location];
    if (order != __ATOMIC_SEQ_CST) return seen;
    /* The load need not come last in the single order, only after what happened before it. */
    unsigned consistent = memory.consistent[now->consistent].floor[location];
    return consistent > seen ? consistent : seen;
}

uint64_t memory_value(int location, unsigned index) {
    return memory.locations[location].stores[index].value;
}

void memory_raise(unsigned thread, int location, unsigned index) {
    uint16_t *floor = &memory.threads[thread].now.floor[location];
    if (*floor < index) *floor = (uint16_t)index;
}

/* A place in the single order for a store or fence of the thread; 0: too many. */
static uint16_t consistent_next(struct view *now) {
    unsigned k = memory.consistent_count + 1;
    if (k == MEMORY_CONSISTENT_MAX) return 0;
    memory.consistent[k] = memory.consistent[k - 1];
    memory.consistent_count = k;
    return now->consistent = (uint16_t)k;
}

/* released: what the new store carries beside itself. */
static const char *append(unsigned thread, int location, uint64_t value, int order, const struct view *released) {
    struct location *l = &memory.locations[location];
    struct view *now = &memory.threads[thread].now;
    if (l->count == MEMORY_STORES_MAX) return "too many stores to one variable: make the case smaller";
    struct store *s = &l->stores[l->count];
    *s = (struct store){.value = value, .thread = (int)thread, .clock = now->clock[thread], .released = *released};
    if (order == __ATOMIC_SEQ_CST) {
        if (!(s->consistent = consistent_next(now))) return "too many seq_cst operations: make the case smaller";
        memory.consistent[s->consistent].floor[location] = (uint16_t)l->count;
        s->released.consistent = s->consistent;
    }
    memory_raise(thread, location, l->count);
    s->released.floor[location] = (uint16_t)l->count;
    l->count++;
    poke(l->memory, l->size, value);
    s->value = peek(l->memory, l->size); /* what of it fits the variable */
    /* What the thread does after this store is not part of what the store releases. */
    now->clock[thread]++;
    return NULL;
}

const char *memory_store(unsigned thread, int location, uint64_t value, int order) {
    const struct location *l = &memory.locations[location];
    const struct store *last = &l->stores[l->count - 1];
    while (last->updates)
        last--;
    const struct thread *t = &memory.threads[thread];
    if (last->thread >= 0 && last->clock > t->now.clock[last->thread])
        return "two stores in no order: outside the explorer's model";
    struct view released = releases(order) ? t->now : t->fenced;
    return append(thread, location, value, order, &released);
}

const char *memory_update(unsigned thread, int location, uint64_t value, int order) {
    struct thread *t = &memory.threads[thread];
    unsigned newest = memory_newest(location);
    memory_load(thread, location, newest, order);
    /* A read-modify-write carries on what the store that it replaces released. */
    struct view released = releases(order) ? t->now : t->fenced;
    join(&released, &memory.locations[location].stores[newest].released);
    const char *problem = append(thread, location, value, order, &released);
    memory.locations[location].stores[memory_newest(location)].updates = true;
    return problem;
}

void memory_load(unsigned thread, int location, unsigned index, int order) {
    struct thread *t = &memory.threads[thread];
    const struct store *stores = memory.locations[location].stores;
    const struct view *released = &stores[index].released;
    memory_raise(thread, location, index);
    for (unsigned i = 0; order == __ATOMIC_SEQ_CST && i <= index; i++)
        if (t->now.consistent < stores[i].consistent) t->now.consistent = stores[i].consistent;
    join(acquires(order) ? &t->now : &t->unfenced, released);
}

const char *memory_fence(unsigned thread, int order) {
    struct thread *t = &memory.threads[thread];
    if (acquires(order)) join(&t->now, &t->unfenced);
    if (order == __ATOMIC_SEQ_CST) {
        uint16_t k = consistent_next(&t->now);
        if (!k) return "too many seq_cst operations: make the case smaller";
        raise_floors(&t->now, &memory.consistent[k]);
        raise_floors(&memory.consistent[k], &t->now);
    }
    if (releases(order)) {
        t->fenced = t->now;
        t->now.clock[thread]++;
    }
    return NULL;
}

static struct cell *cell_at(uintptr_t address) {
    for (unsigned i = 0; i < memory.cell_count; i++)
        if (memory.cells[i].address == address) return &memory.cells[i];
    if (memory.cell_count == MEMORY_CELLS_MAX) return NULL;
    struct cell *c = &memory.cells[memory.cell_count++];
    *c = (struct cell){.address = address};
    return c;
}

const char *memory_plain(unsigned thread, const void *p, size_t size, bool writes) {
    const uint32_t *seen = memory.threads[thread].now.clock;
    for (uintptr_t at = (uintptr_t)p & ~(uintptr_t)7; at < (uintptr_t)p + size; at += 8) {
        struct cell *c = cell_at(at);
        if (!c) return "too much plain memory: make the case smaller";
        if (c->written > seen[c->writer]) return writes ? "a data race: two writes" : "a data race: a read of a write";
        for (unsigned t = 0; writes && t < MEMORY_THREADS_MAX; t++)
            if (c->read[t] > seen[t]) return "a data race: a write of what is being read";
        if (!writes) {
            c->read[thread] = seen[thread];
            continue;
        }
        *c = (struct cell){.address = at, .writer = thread, .written = seen[thread]};
    }
    return NULL;
}
