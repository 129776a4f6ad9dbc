/* base/map.c: the maps; the integer ones come from map_table.h, the text one is written out. */
#include "base/map.h"

#include "base/hash.h"
#include "base/prng.h"

struct map_shape {
    size_t slots, capacity;
    unsigned shift;
};

/* Runs past the last home slot go on into a tail. At 3/4 full a run longer than 128 there has a chance of about e^-70
 * with hashes an adversary cannot choose; small maps have room for everything. The last slot stays empty. */
static struct map_shape map_shape(size_t capacity) {
    WEIR_ASSERT(capacity <= SIZE_MAX / 64);
    unsigned bits = 3;
    while (((size_t)1 << bits) / 4 * 3 < capacity)
        bits++;
    size_t tail = (capacity < 128 ? capacity : 128) + 1;
    return (struct map_shape){.slots = ((size_t)1 << bits) + tail, .capacity = capacity, .shift = 64 - bits};
}

/* Newton's iteration doubles the correct low bits; an odd number is its own inverse modulo 8. */
static uint64_t inverse(uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 5; i++)
        x *= 2 - odd * x;
    return x;
}

static struct map_key map_key(uint64_t seed) {
    struct map_key k = {.seed = prng_splitmix(&seed)};
    k.multiply0 = prng_splitmix(&seed) | 1;
    k.multiply1 = prng_splitmix(&seed) | 1;
    k.inverse0 = inverse(k.multiply0);
    k.inverse1 = inverse(k.multiply1);
    return k;
}

uint64_t map_unhash(const struct map_key *k, uint64_t hash) {
    uint64_t h = hash * k->inverse1;
    h ^= h >> 32;
    return (h * k->inverse0) ^ k->seed;
}

static void sift_down(uint64_t *keys, size_t at, size_t count) {
    uint64_t key = keys[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && keys[child + 1] > keys[child]) child++;
        if (keys[child] <= key) break;
        keys[at] = keys[child];
    }
    keys[at] = key;
}

/* Heapsort: in place, no allocation, no bad case. */
static void map_sort(uint64_t *keys, size_t count) {
    for (size_t i = count / 2; i-- > 0;)
        sift_down(keys, i, count);
    for (size_t end = count; end-- > 1;) {
        uint64_t largest = keys[0];
        keys[0] = keys[end];
        keys[end] = largest;
        sift_down(keys, 0, end);
    }
}

#define MAP            map64
#define MAP_SLOT       struct map64_slot
#define MAP_VALUE      uint64_t
#define MAP_NAME(verb) map64_##verb
#include "base/map_table.h"
#undef MAP
#undef MAP_SLOT
#undef MAP_VALUE
#undef MAP_NAME

uint64_t *map64_find_or_put(struct map64 *m, uint64_t key, uint64_t value, bool *ret_new) {
    uint64_t h = map_hash(&m->key, key);
    if (WEIR_UNLIKELY(h == 0)) {
        bool was_there = m->has_zero;
        if (!was_there && map64_put(m, key, value) == MAP_PUT_FULL) return NULL;
        *ret_new = !was_there;
        return &m->zero_value;
    }
    bool is_new;
    struct map64_slot *slot = map64_slot(m, h, &is_new);
    if (!slot) return NULL;
    if (is_new) slot->value = value;
    *ret_new = is_new;
    return &slot->value;
}

#define MAP            map32
#define MAP_SLOT       struct map32_slot
#define MAP_VALUE      uint32_t
#define MAP_NAME(verb) map32_##verb
#include "base/map_table.h"

/* The text map: the same table, but equal hashes may be different keys, which are then in order of size and bytes. */

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
