/* counter/counter.h: named counters in memory given once: the example's deterministic core.
 *
 * Open addressing; nothing is ever removed, so a look-up ends at the first free place. Pure: no clock, no heap, no I/O.
 */
#ifndef COUNTER_COUNTER_H
#define COUNTER_COUNTER_H
#include <weir/slice.h>

#define COUNTER_NAME_MAX 56u

struct counter {
    int64_t value;
    uint8_t name_size; /* 0: a free place */
    char name[63];     /* at most COUNTER_NAME_MAX of them used; no padding behind */
};
struct counters {
    uint64_t places, count, digest; /* digest: a hash of all values, kept with every change */
    struct counter table[];
};

static inline size_t counters_bytes(uint64_t max) {
    return sizeof(struct counters) + 2 * max * sizeof(struct counter);
}
struct counter *counters_find(const struct counters *counters, struct weir_slice name); /* NULL: there is none */
/* Finds or makes it and adds; NULL when the table is half full and it is new. */
struct counter *counters_add(struct counters *counters, struct weir_slice name, int64_t amount);
#endif
