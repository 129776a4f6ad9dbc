/* base/metric.h: counters, gauges and histograms that one thread writes and any thread reads, and the registry they are
 * listed in.
 *
 * A metric is plain memory inside its owner; the registry only points at it. One writer per metric (relaxed load +
 * store, no locked instruction); several writers give each its own and register them under the same name with different
 * labels. Names follow weir_<what>_<unit>, see Prometheus' naming rules.
 */
#ifndef WEIR_BASE_METRIC_H
#define WEIR_BASE_METRIC_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metric_counter { /* counter or gauge */
    _Atomic uint64_t value;
};
static inline void metric_add(struct metric_counter *c, uint64_t n) {
    atomic_store_explicit(&c->value, atomic_load_explicit(&c->value, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline void metric_set(struct metric_counter *c, uint64_t n) {
    atomic_store_explicit(&c->value, n, memory_order_relaxed);
}
static inline uint64_t metric_get(const struct metric_counter *c) {
    return atomic_load_explicit(&((struct metric_counter *)(uintptr_t)c)->value, memory_order_relaxed);
}

/* Log-linear: 32 buckets per power of two, so a quantile is within 1/64 of the truth; values up to 2^40 (18 minutes in
 * ns). */
#define METRIC_SUB_BITS 5
#define METRIC_SUB      (1u << METRIC_SUB_BITS)
#define METRIC_BUCKETS  (METRIC_SUB * (40 - METRIC_SUB_BITS + 1))
struct metric_histogram {
    _Atomic uint64_t count, sum, max;
    _Atomic uint64_t buckets[METRIC_BUCKETS];
};
static inline unsigned metric_bucket(uint64_t v) {
    if (v < METRIC_SUB) return (unsigned)v;
    unsigned top = 63u - (unsigned)__builtin_clzll(v);
    if (top >= 40) return METRIC_BUCKETS - 1;
    return (top - METRIC_SUB_BITS + 1) * METRIC_SUB + (unsigned)((v >> (top - METRIC_SUB_BITS)) & (METRIC_SUB - 1));
}
static inline void metric_record(struct metric_histogram *h, uint64_t v) {
    unsigned b = metric_bucket(v);
    atomic_store_explicit(
        &h->buckets[b], atomic_load_explicit(&h->buckets[b], memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&h->count, atomic_load_explicit(&h->count, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&h->sum, atomic_load_explicit(&h->sum, memory_order_relaxed) + v, memory_order_relaxed);
    if (v > atomic_load_explicit(&h->max, memory_order_relaxed))
        atomic_store_explicit(&h->max, v, memory_order_relaxed);
}
uint64_t metric_quantile(const struct metric_histogram *h, double q); /* middle of the bucket; 0 when empty */

enum metric_kind {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM_NS /* values in ns, shown in seconds */,
    METRIC_HISTOGRAM,
    METRIC_GAUGE_NS /* value in ns, shown in seconds */
};
struct metric_row {
    char name[64], help[120], labels[96]; /* labels as text: lane="0",topic="x" (values escaped by the registrant) */
    enum metric_kind kind;
    const void *metric;
};
#define METRIC_ROWS_MAX 1024
struct metric_registry {
    uint32_t count;
    struct metric_row rows[METRIC_ROWS_MAX];
};
/* At start only, one thread. Rows beyond METRIC_ROWS_MAX are counted in weir_metric_rows_dropped_total, not silently
 * lost. */
void metric_register(struct metric_registry *r, enum metric_kind kind, const void *metric, const char *name,
    const char *help, const char *labels_format, ...) __attribute__((format(printf, 6, 7)));
/* Prometheus text exposition format 0.0.4 into buf; rows of one name are grouped under one HELP/TYPE. Returns bytes
 * needed; when larger than size nothing after size was written. Histograms: buckets at 1-2-5 steps, _sum, _count. */
size_t metric_print(const struct metric_registry *r, char *buf, size_t size);
#endif
