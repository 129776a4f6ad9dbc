/* sim/cycle_model.h: what the cycle services' outputs must be, derived from their inputs without any code of the host's
 * or of the services: one pass over each input partition, against what its output topics hold. */
#ifndef WEIR_SIM_CYCLE_MODEL_H
#define WEIR_SIM_CYCLE_MODEL_H
#include "sim/cycle.h"
#include "sim/sim.h"

#define CYCLE_PARTITIONS_MAX 3u

struct cycle_asked {  /* by a client; its id is its index */
    uint32_t service; /* 0 left, 1 right */
    struct cycle_step step;
    bool twisted; /* also asked with the same key and an amount of one more: whichever came first counts */
    bool acked;
};
struct cycle_limits { /* of the node, the same in all its lives */
    uint32_t partitions, keys_max;
    uint64_t key_age_ns;
};
struct cycle_model;
struct cycle_model *cycle_model_new(struct sim *sim, const struct cycle_limits *limits);
void cycle_model_free(struct cycle_model *model);
/* whole: nothing is under way any more, so everything must be there. */
bool cycle_model_check(struct cycle_model *model, const struct cycle_asked *asked, uint64_t count, bool whole);

#endif
