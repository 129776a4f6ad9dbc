#include "sim/trace.h"

static void print(void *ctx, const char *line) {
    const struct sim *sim = ctx;
    if (sim_now_ns(sim) >= sim->options->trace_from) puts(line);
}

static void keep(void *ctx, const char *line) {
    const struct sim *sim = ctx;
    struct trace_end *end = sim->options->trace_end;
    if (sim->failed || strstr(line, ": turn of")) return;
    snprintf(end->lines[end->count++ % TRACE_LINES], TRACE_WIDTH, "%s", line);
}

void trace_begin(struct sim *sim, const struct sim_options *options) {
    if (options->trace)
        sys_sim_trace(sim->sys, print, sim);
    else if (options->trace_end)
        sys_sim_trace(sim->sys, keep, sim);
}

void trace_end_print(const struct trace_end *end) {
    for (uint64_t n = end->count > TRACE_LINES ? end->count - TRACE_LINES : 0; n < end->count; n++)
        printf("    %s\n", end->lines[n % TRACE_LINES]);
}
