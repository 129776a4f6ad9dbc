/* base/map_text.c: bytes to u64 values. The table is that of map_table.h, but equal hashes may be different keys, which
 * are then in order of size and bytes. */
#include "base/hash.h"
#include "base/map_shape.h"
#include "base/prng.h"

static uint64_t text_hash(const struct map_text *m, struct weir_slice key) {
    uint64_t h = siphash13(key.data, key.size, m->seed0, m->seed1);
    return h + (h == 0);
}

static int text_order(const struct map_text_slot *s, uint64_t hash, struct weir_slice key) {
    if (s->hash != hash) return s->hash < hash ? -1 : 1;
    if (s->key_size != key.size) return s->key_size < key.size ? -1 : 1;
    return key.size ? memcmp(s->key, key.data, key.size) : 0;
}

/* Where the key is, or where it would be inserted. */
static size_t text_place(const struct map_text *m, uint64_t hash, struct weir_slice key, bool *ret_found) {
    size_t i = (size_t)(hash >> m->shift);
    int order = 1;
    while (m->table[i].hash != 0 && (order = text_order(m->table + i, hash, key)) < 0)
        i++;
    *ret_found = m->table[i].hash != 0 && order == 0;
    return i;
}

static bool text_table_new(struct map_text *m, size_t capacity) {
    struct map_shape shape = map_shape(capacity);
    struct map_text_slot *table = weir_alloc(m->allocator, shape.slots * sizeof *table, 8);
    if (!table) return false;
    memset(table, 0, shape.slots * sizeof *table);
    m->table = table;
    m->capacity = shape.capacity;
    m->slots = shape.slots;
    m->shift = shape.shift;
    return true;
}

size_t map_text_memory_size(size_t capacity) {
    return map_shape(capacity).slots * sizeof(struct map_text_slot);
}

bool map_text_init(struct map_text *m, const struct map_options *o) {
    WEIR_ASSERT(!o->memory || !o->growable);
    uint64_t seed = o->seed;
    *m = (struct map_text){.allocator = o->allocator, .growable = o->growable};
    m->seed0 = prng_splitmix(&seed);
    m->seed1 = prng_splitmix(&seed);
    size_t capacity = o->capacity || !o->growable ? o->capacity : 16;
    if (!o->memory) {
        m->owned = true;
        return text_table_new(m, capacity);
    }
    struct map_shape shape = map_shape(capacity);
    m->table = o->memory;
    m->capacity = capacity;
    m->slots = shape.slots;
    m->shift = shape.shift;
    if (!o->memory_is_zero) memset(m->table, 0, m->slots * sizeof *m->table);
    return true;
}

void map_text_done(struct map_text *m) {
    if (m->owned) weir_dealloc(m->allocator, m->table, m->slots * sizeof *m->table, 8);
    *m = (struct map_text){0};
}

void map_text_clear(struct map_text *m) {
    memset(m->table, 0, m->slots * sizeof *m->table);
    m->count = 0;
}

static bool text_grow(struct map_text *m) {
    struct map_text grown = *m;
    if (!m->growable || m->capacity > SIZE_MAX / 128 || !text_table_new(&grown, m->capacity * 2)) return false;
    size_t next = 0;
    for (size_t i = 0; i < m->slots; i++) {
        if (m->table[i].hash == 0) continue;
        size_t home = (size_t)(m->table[i].hash >> grown.shift);
        next = home > next ? home : next;
        WEIR_ASSERT(next < grown.slots - 1);
        grown.table[next++] = m->table[i];
    }
    weir_dealloc(m->allocator, m->table, m->slots * sizeof *m->table, 8);
    *m = grown;
    return true;
}

uint64_t *map_text_find(const struct map_text *m, struct weir_slice key) {
    bool found;
    size_t i = text_place(m, text_hash(m, key), key, &found);
    return found ? &m->table[i].value : NULL;
}

enum map_put map_text_put(struct map_text *m, struct weir_slice key, uint64_t value) {
    uint64_t hash = text_hash(m, key);
    for (;;) {
        bool found;
        size_t i = text_place(m, hash, key, &found), end = i;
        if (found) {
            m->table[i].value = value;
            return MAP_PUT_REPLACED;
        }
        while (m->table[end].hash != 0)
            end++;
        if (m->count < m->capacity && end < m->slots - 1) {
            memmove(m->table + i + 1, m->table + i, (end - i) * sizeof *m->table);
            m->table[i] = (struct map_text_slot){hash, key.data, key.size, value};
            m->count++;
            return MAP_PUT_NEW;
        }
        if (!text_grow(m)) return MAP_PUT_FULL;
    }
}

bool map_text_erase(struct map_text *m, struct weir_slice key, struct weir_slice *ret_key) {
    bool found;
    size_t i = text_place(m, text_hash(m, key), key, &found), end = i + 1;
    if (!found) return false;
    if (ret_key) *ret_key = weir_slice(m->table[i].key, m->table[i].key_size);
    while (m->table[end].hash != 0 && (size_t)(m->table[end].hash >> m->shift) != end)
        end++;
    memmove(m->table + i, m->table + i + 1, (end - 1 - i) * sizeof *m->table);
    m->table[end - 1] = (struct map_text_slot){0};
    m->count--;
    return true;
}

bool map_text_each(const struct map_text *m, size_t *at, struct weir_slice *ret_key, uint64_t *ret_value) {
    while (*at < m->slots) {
        const struct map_text_slot *s = m->table + (*at)++;
        if (s->hash == 0) continue;
        *ret_key = weir_slice(s->key, s->key_size);
        *ret_value = s->value;
        return true;
    }
    return false;
}
