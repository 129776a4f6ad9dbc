/* sim/cycle.h: two services that emit into each other, as raw as services can be: every mechanism of the host, no
 * purpose of their own. The workload in workload_cycle.c asks them and knows by a model what they must say.
 *
 * A step {op, hops, key, amount} changes one of 16 counters and puts out what it has become; while hops are left it
 * goes on to the other service with one less. Version 2 counts three times as much, so whoever replays one version's
 * records with the other is found out.
 */
#ifndef WEIR_SIM_CYCLE_H
#define WEIR_SIM_CYCLE_H
#include <weir/service.h>

#define CYCLE_COUNTERS 16u
#define CYCLE_WIDE_MAX 3000u

enum cycle_op { CYCLE_ADD = 1, CYCLE_TIMER, CYCLE_CANCEL, CYCLE_WIDE, CYCLE_OP_END };
enum cycle_topic { CYCLE_IN, CYCLE_OUT, CYCLE_WIDE_OUT };
struct cycle_step { /* value of an input record; fixed layout of the simulator's machine, which is one at a time */
    uint64_t id;    /* of the request it began with */
    uint32_t op, hops;
    uint64_t key, amount; /* TIMER: ns; WIDE: bytes */
};
struct cycle_output {
    uint64_t id, key, total, seen;
    uint32_t kind, op;
};

/* The pair of that version (1 or 2): NULL-terminated. */
const struct weir_service *const *cycle_services(uint32_t version);
/* What one step adds. */
static inline uint64_t cycle_amount(uint32_t version, const struct cycle_step *step) {
    return version == 1 ? step->amount : 3 * step->amount;
}

#endif
