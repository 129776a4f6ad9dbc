#include "sim/trace.h"

#include <stdlib.h>

static struct trace *at_hand;

static void take(void *ctx, const char *line) {
    struct trace *t = ctx;
    if (t->options->trace && sim_now_ns(t->sim) >= t->options->trace_from) puts(line);
    if (!t->lines || t->sim->failed || strstr(line, ": turn of")) return;
    snprintf(t->lines[t->count++ % TRACE_LINES], TRACE_WIDTH, "%s", line);
}

void trace_open(struct trace *t, struct sim *sim, const struct sim_options *options) {
    *t = (struct trace){.sim = sim, .options = options};
    if (!options->trace && !options->trace_end) return;
    if (options->trace_end) t->lines = calloc(TRACE_LINES, TRACE_WIDTH);
    sys_sim_trace(sim->sys, take, t);
    at_hand = t;
}

static void print_end(struct trace *t) {
    uint64_t from = t->count > TRACE_LINES ? t->count - TRACE_LINES : 0;
    for (; t->lines && from < t->count; from++)
        printf("    %s\n", t->lines[from % TRACE_LINES]);
    fflush(stdout);
}

void trace_end_now(void) {
    if (at_hand) print_end(at_hand);
}

void trace_close(struct trace *t) {
    if (t->sim->failed) print_end(t);
    free(t->lines);
    at_hand = NULL;
}
