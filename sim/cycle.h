/* sim/cycle.h: two services that emit into each other, as raw as services can be: every mechanism of the host, no
 * purpose of their own. The workload in workload_cycle.c asks them and knows by a model what they must say.
 *
 * A step {op, hops, key, amount} changes one of 16 counters and puts out what it has become; while hops are left it
 * goes on to the other service with one less. Versions 2 and 3 count three times as much, so whoever replays records of
 * version 1 with them is found out; 3 replays what 2 wrote. Two folded settings are part of every output.
 */
#ifndef WEIR_SIM_CYCLE_H
#define WEIR_SIM_CYCLE_H
#include <weir/service.h>

#define CYCLE_COUNTERS     16u
#define CYCLE_VERSIONS     3u
#define CYCLE_WIDE_MAX     60000u /* of the right one; of the left one CYCLE_NARROW_MAX */
#define CYCLE_NARROW_MAX   3000u
#define CYCLE_LONG_MAX     6000u /* larger than any reply that the idempotency table keeps */
#define CYCLE_FAN_MAX      4u    /* emits of one record */
#define CYCLE_FAN_BYTES    15000u
#define CYCLE_POISON_TIMER 63u /* the timer whose record is poison */

/* WIDE: a large output. POISON: on its last hop it is one. FAN: several emits, of `amount` bytes each. LONG: a reply of
 * `amount` bytes. */
enum cycle_op {
    CYCLE_ADD = 1,
    CYCLE_TIMER,
    CYCLE_CANCEL,
    CYCLE_WIDE,
    CYCLE_FAN,
    CYCLE_LONG,
    CYCLE_POISON,
    CYCLE_OP_END
};
enum cycle_topic { CYCLE_IN, CYCLE_OUT, CYCLE_WIDE_OUT };
struct cycle_step { /* value of an input record; fixed layout of the simulator's machine, which is one at a time */
    uint64_t id;    /* of the request it began with */
    uint32_t op, hops;
    uint64_t key, amount; /* TIMER: ns; WIDE, FAN, LONG: bytes */
};
struct cycle_output {
    uint64_t id, key, total, seen;
    uint32_t kind, op, label, unused;
};

/* What befalls the folds, by the workload's will: one run at a time, so there is one of it. poison: the record is one
 * that may end the process. drifts: the live fold changes its state by what is not in its log. */
struct cycle_hooks {
    void *ctx;
    void (*poison)(void *ctx, uint32_t service, uint32_t partition, uint64_t offset);
    bool (*drifts)(void *ctx);
};
extern struct cycle_hooks cycle_hooks;

/* The pair of that version, or one of them alone, which is refused: NULL-terminated. */
const struct weir_service *const *cycle_services(uint32_t version, bool alone);
/* What one step adds, under a setting `scale`. */
static inline uint64_t cycle_amount(uint32_t version, uint64_t scale, const struct cycle_step *step) {
    return scale * (version == 1 ? step->amount : 3 * step->amount);
}
static inline uint64_t cycle_wide(uint32_t service, const struct cycle_step *step) {
    uint64_t max = service == 0 ? CYCLE_NARROW_MAX : CYCLE_WIDE_MAX;
    return step->amount < max ? step->amount : max;
}
/* How many records a step emits; the n-th of them (from 0). */
static inline uint32_t cycle_fan(const struct cycle_step *step) {
    if (step->hops == 0) return 0;
    return step->op == CYCLE_FAN ? 1 + (uint32_t)(step->key % CYCLE_FAN_MAX) : 1;
}
static inline struct cycle_step cycle_next(const struct cycle_step *step, uint32_t n) {
    struct cycle_step next = *step;
    next.hops--;
    next.key += step->hops + n;
    return next;
}
static inline uint64_t cycle_emit_size(const struct cycle_step *step) {
    return step->op == CYCLE_FAN && step->amount > sizeof *step ? step->amount : sizeof *step;
}
/* Of the text of setting `label`. */
uint32_t cycle_label(struct weir_slice text);

#endif
