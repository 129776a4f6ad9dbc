/* base/map32.c: u64 keys to u32 values. */
#define MAP            map32
#define MAP_SLOT       struct map32_slot
#define MAP_VALUE      uint32_t
#define MAP_NAME(verb) map32_##verb
#include "base/map_table.h"
