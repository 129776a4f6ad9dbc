/* sim/call_trace.h: what becomes of a run's trace: all of it to stdout, or the last calls before a failure kept. */
#ifndef WEIR_SIM_CALL_TRACE_H
#define WEIR_SIM_CALL_TRACE_H
#include "sim/sim.h"

#define CALL_TRACE_LINES 40u
#define CALL_TRACE_WIDTH 160u

/* A ring of the newest calls, turns left out. In memory shared with the parent it outlives a process that an assertion
 * ends. */
struct call_trace {
    uint64_t count;
    char lines[CALL_TRACE_LINES][CALL_TRACE_WIDTH];
};
void call_trace_begin(struct sim *sim, const struct sim_options *options);
void call_trace_print(const struct call_trace *end);

#endif
