/* load/plan.h: which request is next and when: a worker's share of the curve, with arrivals that are even or random,
 * late by jitter, out of order, or due again after a failure. In the order of their times. Memory at init; bounded.
 * Owner: one thread. */
#ifndef WEIR_LOAD_PLAN_H
#define WEIR_LOAD_PLAN_H
#include "base/prng.h"
#include "load/curve.h"

struct load_due {
    uint64_t at_ns;     /* when to send, from the run's start */
    uint64_t origin_ns; /* what latency is measured from: when it was first to be sent */
    uint64_t n;
    uint32_t attempt; /* 0: the first */
};

struct load_plan_options {
    uint32_t index, step; /* this worker takes requests index, index + step, ... */
    bool random_arrivals; /* a Poisson process along the curve instead of even gaps */
    uint64_t jitter_ns;   /* each is due up to that much later */
    uint32_t reorder_ppm; /* that share is due reorder_ns later: others overtake it */
    uint64_t reorder_ns;
    uint64_t seed;
    uint32_t waiting_max; /* requests that wait for another attempt at most */
};

struct load_plan {
    const struct load_curve *curve;
    struct load_plan_options options;
    struct prng random;
    struct load_due *heap; /* least at_ns first */
    uint32_t count, room, waiting;
    uint64_t next_n;  /* of the curve */
    double position;  /* of it */
    uint64_t next_ns; /* when it is due, before jitter; UINT64_MAX: the curve has no more */
    uint32_t cursor;
};

WEIR_MUST enum weir_error load_plan_init(
    struct load_plan *plan, const struct load_curve *curve, const struct load_plan_options *options);
void load_plan_done(struct load_plan *plan);
/* The next request; false when there is none any more. Without a pop in between it is the same one. */
bool load_plan_peek(struct load_plan *plan, struct load_due *ret_due);
void load_plan_pop(struct load_plan *plan);
/* Puts a request in again; false when too many wait. */
bool load_plan_again(struct load_plan *plan, const struct load_due *due);
#endif
