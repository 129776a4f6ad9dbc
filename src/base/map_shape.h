/* base/map_shape.h: what the files of the maps share; nobody else includes it. */
#ifndef WEIR_BASE_MAP_SHAPE_H
#define WEIR_BASE_MAP_SHAPE_H

#include "base/map.h"

/* The table for a capacity: slots in all, the shift from hash to home slot. */
struct map_shape {
    size_t slots, capacity;
    unsigned shift;
};

struct map_shape map_shape(size_t capacity);
struct map_key map_key_new(uint64_t seed);
void map_sort(uint64_t *keys, size_t count); /* ascending, in place */

#endif
