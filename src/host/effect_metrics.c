#include "host/effect_metrics.h"

#include <stdio.h>

static void show_row(struct effect_metrics *m, struct metric_registry *registry, const struct weir_service *service,
    const struct weir_effect_row *row, uint32_t partition) {
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } shown[] = {
        {METRIC_GAUGE, &m->waiting, "waiting", "Effects that wait for their gates."},
        {METRIC_GAUGE, &m->running, "running", "Attempts under way."},
        {METRIC_GAUGE, &m->resting, "resting", "Effects that rest until their next attempt."},
        {METRIC_GAUGE, &m->dead, "dead", "Dead letters that can be requeued."},
        {METRIC_GAUGE, &m->breaker, "breaker_state", "The row's circuit breaker: 0 closed, 1 open, 2 half open."},
        {METRIC_GAUGE, &m->keys_open, "keys_open", "Keys (destinations) whose circuit breaker is not closed."},
        {METRIC_GAUGE, &m->paused, "paused", "1 while an operator has paused the row."},
        {METRIC_COUNTER, &m->attempts, "attempts_total", "Attempts that ended, since the first record."},
        {METRIC_COUNTER, &m->failures, "failures_total", "Attempts that failed, since the first record."},
        {METRIC_COUNTER, &m->dead_total, "dead_total", "Effects given up, since the first record."},
        {METRIC_HISTOGRAM_NS, &m->duration_ns, "duration_seconds", "Duration of attempts of this life."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(shown); i++) {
        char name[96];
        snprintf(name, sizeof name, "weir_%s_effect_%s", service->name, shown[i].name);
        metric_register(registry, shown[i].kind, shown[i].metric, name, shown[i].help, "effect=\"%s\",partition=\"%u\"",
            row->name, partition);
    }
}

struct effect_metrics *effect_metrics_new(
    struct arena *arena, struct metric_registry *registry, const struct weir_service *service, uint32_t partition) {
    uint32_t count = 0;
    while (service->effects && service->effects[count].name)
        count++;
    struct effect_metrics *all = count ? ARENA_NEW_ARRAY(arena, struct effect_metrics, count) : NULL;
    for (uint32_t i = 0; all && registry && i < count; i++)
        show_row(&all[i], registry, service, &service->effects[i], partition);
    return all;
}

static uint64_t keys_open(const struct effect_row *r, uint64_t now_ns) {
    uint32_t place = 0;
    uint64_t key, count = 0;
    struct weir_gate *gate;
    while (r->has_key_gate && weir_gates_each(r->keys, &place, &key, &gate))
        count += weir_gate_state(gate, now_ns) != WEIR_GATE_CLOSED;
    return count;
}

void effect_metrics_publish(struct effect_metrics *metrics, const struct fold *fold) {
    for (uint32_t i = 0; metrics && i < fold->effects.row_count; i++) {
        const struct effect_row *r = &fold->effects.rows[i];
        struct effect_metrics *m = &metrics[i];
        metric_set(&m->waiting, r->waiting);
        metric_set(&m->running, r->gate.running);
        metric_set(&m->resting, r->resting);
        metric_set(&m->dead, r->dead.count);
        metric_set(&m->breaker, weir_gate_state(&r->gate, fold->time_ns));
        metric_set(&m->paused, r->paused);
        metric_set(&m->attempts, r->attempts);
        metric_set(&m->failures, r->failures);
        metric_set(&m->dead_total, r->dead_total);
        metric_set(&m->keys_open, keys_open(r, fold->time_ns));
    }
}
