/* base/map64.c: u64 keys to u64 values. */
#define MAP            map64
#define MAP_SLOT       struct map64_slot
#define MAP_VALUE      uint64_t
#define MAP_NAME(verb) map64_##verb
#include "base/map_table.h"

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
