/* What the process holds, told apart by where it comes from: a heap that grows is a leak; what was mapped at start
 * grows only until it has been touched from end to end. Measured when somebody asks for the metrics page. */
#include "edge/lane.h"

void memory_begin(struct edge *edge) {
    const struct memory_state *s = &edge->memory;
    const struct {
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {&s->resident, "weir_memory_resident_bytes", "Memory of the process that is in RAM, pages of files included."},
        {&s->heap, "weir_memory_heap_bytes",
            "Memory in use that was allocated. Flat, but for topics and their segments."},
        {&s->heap_held, "weir_memory_heap_held_bytes", "The same with what the allocator keeps to give out again."},
        {&s->mapped, "weir_memory_mapped_bytes",
            "Address space mapped for tables and buffers; in RAM is what was touched."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows) && edge->options.metrics; i++)
        metric_register(edge->options.metrics, METRIC_GAUGE, rows[i].metric, rows[i].name, rows[i].help, NULL);
}

void memory_measure(struct edge *edge) {
    struct memory_state *s = &edge->memory;
    struct sys_memory_usage usage;
    edge->sys->memory_usage(edge->sys, &usage);
    metric_set(&s->resident, usage.resident_bytes);
    metric_set(&s->heap, usage.heap_bytes);
    metric_set(&s->heap_held, usage.heap_held_bytes);
    metric_set(&s->mapped, usage.mapped_bytes);
}
