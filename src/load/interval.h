/* load/interval.h: latency by intervals of a run, while it runs. A worker records into one of two histograms; at an
 * interval's end it turns to the other one, and the main thread takes what is in the first. A worker whose last
 * interval was not taken yet stays in this one: late, never lost. Owner: `halves[turned & 1]` the worker, the other one
 * the main thread once `turned` is seen to have risen. Memory: at init. */
#ifndef WEIR_LOAD_INTERVAL_H
#define WEIR_LOAD_INTERVAL_H
#include "base/histogram.h"
#include <weir/error.h>

struct load_intervals {
    struct histogram halves[2];
    uint64_t turned, taken; /* atomics: intervals that the worker has ended, that the main thread has taken */
    uint64_t every_ns;      /* 0: none are kept */
    uint64_t next_ns;       /* when this one ends */
};
WEIR_MUST enum weir_error load_intervals_init(struct load_intervals *i, uint64_t every_ns);
void load_intervals_done(struct load_intervals *i);

/* Worker: the run begins; an answer came. The time turns it. */
void load_intervals_begin(struct load_intervals *i, uint64_t now_ns);
void load_intervals_turn(struct load_intervals *i, uint64_t now_ns);
static inline void load_intervals_record(struct load_intervals *i, uint64_t now_ns, uint64_t latency_ns) {
    if (!i->every_ns) return;
    load_intervals_turn(i, now_ns);
    histogram_record(&i->halves[i->turned & 1], latency_ns);
}

/* Main thread: whether an interval waits to be taken; adds it to `to`. */
bool load_intervals_wait(const struct load_intervals *i);
void load_intervals_take(struct load_intervals *i, struct histogram *to);
/* After the worker has ended: all that is left. */
void load_intervals_rest(struct load_intervals *i, struct histogram *to);
#endif
