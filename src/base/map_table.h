/* base/map_table.h: the integer maps' code, included once by map32.c and once by map64.c, which say before what it is
 * to become. Seen alone it is the code of map64.
 *
 * Invariants: hashes ascend along the table, skipping empty slots; a slot lies at or behind its home (hash >> shift)
 * with no empty slot in between; the last slot of all is always empty, so every scan ends.
 */
#ifndef WEIR_BASE_MAP_TABLE_H
#define WEIR_BASE_MAP_TABLE_H

#include "base/map_shape.h"

#ifndef MAP
#define MAP            map64
#define MAP_SLOT       struct map64_slot
#define MAP_VALUE      uint64_t
#define MAP_NAME(verb) map64_##verb
#endif

static bool MAP_NAME(table_new)(struct MAP *m, size_t capacity) {
    struct map_shape shape = map_shape(capacity);
    MAP_SLOT *table = weir_alloc(m->allocator, shape.slots * sizeof *table, 8);
    if (!table) return false;
    memset(table, 0, shape.slots * sizeof *table);
    m->table = table;
    m->capacity = shape.capacity;
    m->slots = shape.slots;
    m->shift = shape.shift;
    return true;
}

size_t MAP_NAME(memory_size)(size_t capacity) {
    return map_shape(capacity).slots * sizeof(MAP_SLOT);
}

bool MAP_NAME(init)(struct MAP *m, const struct map_options *o) {
    WEIR_ASSERT(!o->memory || !o->growable);
    *m = (struct MAP){.key = map_key_new(o->seed), .allocator = o->allocator, .growable = o->growable};
    size_t capacity = o->capacity || !o->growable ? o->capacity : 16;
    if (!o->memory) {
        m->owned = true;
        if (!MAP_NAME(table_new)(m, capacity)) return false;
    } else {
        struct map_shape shape = map_shape(capacity);
        m->table = o->memory;
        m->slots = shape.slots;
        m->shift = shape.shift;
        if (!o->memory_is_zero) memset(m->table, 0, m->slots * sizeof *m->table);
    }
    m->capacity = capacity;
    return true;
}

void MAP_NAME(done)(struct MAP *m) {
    if (m->owned) weir_dealloc(m->allocator, m->table, m->slots * sizeof *m->table, 8);
    *m = (struct MAP){0};
}

void MAP_NAME(clear)(struct MAP *m) {
    memset(m->table, 0, m->slots * sizeof *m->table);
    m->count = 0;
    m->has_zero = false;
}

/* Twice the capacity; slots are in hash order, so one pass places them all without hashing. */
static bool MAP_NAME(grow)(struct MAP *m) {
    struct MAP grown = *m;
    if (!m->growable || m->capacity > SIZE_MAX / 4 || !MAP_NAME(table_new)(&grown, m->capacity * 2)) return false;
    size_t next = 0;
    for (size_t i = 0; i < m->slots; i++) {
        if (m->table[i].hash == 0) continue;
        size_t home = (size_t)(m->table[i].hash >> grown.shift);
        next = home > next ? home : next;
        WEIR_ASSERT(next < grown.slots - 1); /* a wider table spreads every run */
        grown.table[next++] = m->table[i];
    }
    weir_dealloc(m->allocator, m->table, m->slots * sizeof *m->table, 8);
    *m = grown;
    return true;
}

/* Finds the slot of hash h or makes room for it; NULL when full. */
static MAP_SLOT *MAP_NAME(slot)(struct MAP *m, uint64_t h, bool *ret_new) {
    for (;;) {
        size_t i = (size_t)(h >> m->shift);
        while (m->table[i].hash - 1 < h - 1)
            i++;
        if (m->table[i].hash == h) {
            *ret_new = false;
            return m->table + i;
        }
        size_t end = i;
        while (m->table[end].hash != 0)
            end++;
        if (m->count < m->capacity && end < m->slots - 1) {
            memmove(m->table + i + 1, m->table + i, (end - i) * sizeof *m->table);
            m->table[i].hash = h;
            m->count++;
            *ret_new = true;
            return m->table + i;
        }
        if (!MAP_NAME(grow)(m)) return NULL;
    }
}

enum map_put MAP_NAME(put)(struct MAP *m, uint64_t key, MAP_VALUE value) {
    uint64_t h = map_hash(&m->key, key);
    bool is_new;
    if (WEIR_UNLIKELY(h == 0)) {
        is_new = !m->has_zero;
        if (is_new && m->count == m->capacity && !MAP_NAME(grow)(m)) return MAP_PUT_FULL;
        m->count += is_new;
        m->has_zero = true;
        m->zero_value = value;
        return is_new ? MAP_PUT_NEW : MAP_PUT_REPLACED;
    }
    MAP_SLOT *slot = MAP_NAME(slot)(m, h, &is_new);
    if (!slot) return MAP_PUT_FULL;
    slot->value = value;
    return is_new ? MAP_PUT_NEW : MAP_PUT_REPLACED;
}

bool MAP_NAME(erase)(struct MAP *m, uint64_t key) {
    uint64_t h = map_hash(&m->key, key);
    if (WEIR_UNLIKELY(h == 0)) {
        if (!m->has_zero) return false;
        m->has_zero = false;
        m->count--;
        return true;
    }
    size_t i = (size_t)(h >> m->shift);
    while (m->table[i].hash - 1 < h - 1)
        i++;
    if (m->table[i].hash != h) return false;
    /* Shift back what is behind it until a slot that is empty or at home. */
    size_t end = i + 1;
    while (m->table[end].hash != 0 && (size_t)(m->table[end].hash >> m->shift) != end)
        end++;
    memmove(m->table + i, m->table + i + 1, (end - 1 - i) * sizeof *m->table);
    m->table[end - 1].hash = 0;
    m->count--;
    return true;
}

/* *at: 0 = the key with hash 0, then the table's slots from 1 on. */
bool MAP_NAME(each)(const struct MAP *m, size_t *at, uint64_t *ret_key, MAP_VALUE *ret_value) {
    if (*at == 0) {
        *at = 1;
        if (m->has_zero) {
            *ret_key = map_unhash(&m->key, 0);
            *ret_value = m->zero_value;
            return true;
        }
    }
    while (*at <= m->slots) {
        const MAP_SLOT *s = m->table + (*at)++ - 1;
        if (s->hash == 0) continue;
        *ret_key = map_unhash(&m->key, s->hash);
        *ret_value = s->value;
        return true;
    }
    return false;
}

size_t MAP_NAME(keys)(const struct MAP *m, uint64_t *keys) {
    size_t at = 0, n = 0;
    MAP_VALUE ignored;
    while (n < m->count && MAP_NAME(each)(m, &at, keys + n, &ignored))
        n++;
    map_sort(keys, n);
    return n;
}

#endif
