/* sim/cycle_poison.h: records that end the process when they are applied, as a null pointer in a fold would: some the
 * first time only, some each time. What the node may say and do about them. */
#ifndef WEIR_SIM_CYCLE_POISON_H
#define WEIR_SIM_CYCLE_POISON_H
#include "sim/sim.h"

#define POISON_PLACES_MAX 64u

struct poison_spot { /* a record; one that never got durable may be followed by another one at its place */
    uint32_t service, partition, crashes, crashes_max;
    uint64_t offset;
};
struct cycle_poison {
    struct sim *sim;
    struct poison_spot spots[POISON_PLACES_MAX];
    uint32_t count;
};
/* As cycle_hooks.poison: ctx is a struct cycle_poison. */
void cycle_poison_meets(void *ctx, uint32_t service, uint32_t partition, uint64_t offset);
/* The sentence tells that a partition is parked at a record that crashed at least twice. */
bool cycle_poison_expects(const struct cycle_poison *poison, const char *sentence);
/* Some partition of the node waits for an operator. The node must be open. */
bool cycle_poison_parks(const struct cycle_poison *poison);

#endif
