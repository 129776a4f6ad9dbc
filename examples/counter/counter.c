#include "counter.h"

#include <weir/service.h>

static struct counter *place_of(const struct counters *counters, struct weir_slice name) {
    uint64_t at = weir_hash(name, 0) % counters->places;
    while (counters->table[at].name_size &&
           !weir_slice_equal(weir_slice(counters->table[at].name, counters->table[at].name_size), name))
        at = (at + 1) % counters->places;
    return (struct counter *)&counters->table[at];
}

struct counter *counters_find(const struct counters *counters, struct weir_slice name) {
    struct counter *counter = place_of(counters, name);
    return counter->name_size ? counter : NULL;
}

static uint64_t hash_of(int64_t value, uint64_t seed) {
    return weir_hash(weir_slice(&value, sizeof value), seed);
}

struct counter *counters_add(struct counters *counters, struct weir_slice name, int64_t amount) {
    struct counter *counter = place_of(counters, name);
    if (!counter->name_size) {
        if (counters->count >= counters->places / 2) return NULL;
        counter->name_size = (uint8_t)name.size;
        memcpy(counter->name, name.data, name.size);
        counters->count++;
    }
    uint64_t name_hash = weir_hash(name, 1);
    counters->digest -= hash_of(counter->value, name_hash);
    counter->value = (int64_t)((uint64_t)counter->value + (uint64_t)amount); /* wraps, the same everywhere */
    counters->digest += hash_of(counter->value, name_hash);
    return counter;
}
