/* sim/cycle_start.h: what a start of the cycle services is like: their version, their settings, what an operator got
 * wrong, a snapshot that has rotted meanwhile; and what the node may say about it. */
#ifndef WEIR_SIM_CYCLE_START_H
#define WEIR_SIM_CYCLE_START_H
#include "sim/cycle_model.h"

struct cycle_start {
    struct sim *sim;
    struct cycle_limits limits;
    /* In force, as far as one knows; highest that may be (its start died before it was ready); of this start. */
    uint32_t below; /* an older version started since `version` was ready, whose first record may not have been durable;
                       0: none */
    uint32_t version, perhaps, tried;
    uint32_t scale, label, room_kb, room_kb_max;
    bool topics_made;      /* durably */
    bool ready;            /* in this life */
    bool wrong_partitions; /* this start has another number of them */
    bool left_alone;       /* this start forgets the other service */
    bool alone;            /* no other service runs: the node's own limits may be narrow */
    uint32_t waiting_max;
    char damaged[128]; /* a snapshot's path, of this start; "": none */
};
void cycle_start_init(struct cycle_start *start, struct sim *sim);
void cycle_start_begin(struct cycle_start *start);
void cycle_start_configure(const struct cycle_start *start, struct settings *settings);
void cycle_start_step(struct cycle_start *start); /* notices when the node gets ready */
/* True when the node may say so: why it does not start, why it ends, what it reports. */
bool cycle_start_expects(struct cycle_start *start, const char *sentence);

#endif
