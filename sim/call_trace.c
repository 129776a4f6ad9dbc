#include "sim/call_trace.h"

static void print(void *ctx, const char *line) {
    const struct sim *sim = ctx;
    if (sim_now_ns(sim) >= sim->options->trace_from) puts(line);
}

static void keep(void *ctx, const char *line) {
    const struct sim *sim = ctx;
    struct call_trace *end = sim->options->trace_end;
    if (sim->failed || strstr(line, ": turn of")) return;
    snprintf(end->lines[end->count++ % CALL_TRACE_LINES], CALL_TRACE_WIDTH, "%s", line);
}

void call_trace_begin(struct sim *sim, const struct sim_options *options) {
    if (options->trace)
        sys_sim_trace(sim->sys, print, sim);
    else if (options->trace_end)
        sys_sim_trace(sim->sys, keep, sim);
}

void call_trace_print(const struct call_trace *end) {
    for (uint64_t n = end->count > CALL_TRACE_LINES ? end->count - CALL_TRACE_LINES : 0; n < end->count; n++)
        printf("    %s\n", end->lines[n % CALL_TRACE_LINES]);
}
