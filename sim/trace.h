/* sim/trace.h: what becomes of a run's trace: all of it to stdout, or the last calls before a failure. */
#ifndef WEIR_SIM_TRACE_H
#define WEIR_SIM_TRACE_H
#include "sim/sim.h"

#define TRACE_LINES 40u
#define TRACE_WIDTH 160u

struct trace {
    struct sim *sim;
    const struct sim_options *options;
    uint64_t count;
    char (*lines)[TRACE_WIDTH]; /* a ring of the newest TRACE_LINES, turns left out */
};
void trace_open(struct trace *trace, struct sim *sim, const struct sim_options *options);
void trace_close(struct trace *trace); /* of a failed run: prints its end */
void trace_end_now(void);              /* the same of the run at hand, which an assertion is about to end */

#endif
