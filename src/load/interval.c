#include "load/interval.h"
#include "base/atomics.h"
#include "load/result.h"

enum weir_error load_intervals_init(struct load_intervals *i, uint64_t every_ns) {
    *i = (struct load_intervals){.every_ns = every_ns, .next_ns = UINT64_MAX};
    enum weir_error e = WEIR_OK;
    for (int half = 0; every_ns && half < 2 && e == WEIR_OK; half++)
        e = load_histogram_open(&i->halves[half]);
    return e;
}

void load_intervals_done(struct load_intervals *i) {
    for (int half = 0; half < 2; half++)
        load_histogram_close(&i->halves[half]);
    *i = (struct load_intervals){0};
}

void load_intervals_begin(struct load_intervals *i, uint64_t now_ns) {
    if (i->every_ns) i->next_ns = now_ns + i->every_ns;
}

void load_intervals_turn(struct load_intervals *i, uint64_t now_ns) {
    if (now_ns < i->next_ns || atomics_load(&i->taken, ACQUIRE) != i->turned) return;
    i->next_ns += i->every_ns;
    atomics_store(&i->turned, i->turned + 1, RELEASE);
}

bool load_intervals_wait(const struct load_intervals *i) {
    return atomics_load(&i->turned, ACQUIRE) > i->taken;
}

void load_intervals_take(struct load_intervals *i, struct histogram *to) {
    struct histogram *half = &i->halves[i->taken & 1];
    histogram_merge(to, half);
    histogram_reset(half);
    atomics_store(&i->taken, i->taken + 1, RELEASE);
}

void load_intervals_rest(struct load_intervals *i, struct histogram *to) {
    for (int half = 0; i->every_ns && half < 2; half++)
        histogram_merge(to, &i->halves[half]);
}
