/* sim/trace.h: what becomes of a run's trace: all of it to stdout, or the last calls before a failure kept. */
#ifndef WEIR_SIM_TRACE_H
#define WEIR_SIM_TRACE_H
#include "sim/sim.h"

#define TRACE_LINES 40u
#define TRACE_WIDTH 160u

/* A ring of the newest calls, turns left out. In memory shared with the parent it outlives a process that an assertion
 * ends. */
struct trace_end {
    uint64_t count;
    char lines[TRACE_LINES][TRACE_WIDTH];
};
void trace_begin(struct sim *sim, const struct sim_options *options);
void trace_end_print(const struct trace_end *end);

#endif
