/* The registry of metrics, and its text for Prometheus. See metric.h. */
#include "base/metric.h"

#include "base/assert.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The smallest value of a bucket. */
static uint64_t bucket_start(unsigned bucket) {
    if (bucket < METRIC_SUB) return bucket;
    unsigned power = bucket / METRIC_SUB - 1;
    return (uint64_t)(METRIC_SUB + bucket % METRIC_SUB) << power;
}

uint64_t metric_quantile(const struct metric_histogram *h, double q) {
    struct metric_histogram *m = (struct metric_histogram *)(uintptr_t)h;
    uint64_t count = 0, seen = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS; i++)
        count += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
    if (count == 0) return 0;
    double want = q * (double)count;
    uint64_t target = want < 1 ? 1 : (uint64_t)ceil(want);
    if (target > count) target = count;
    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if (seen >= target) return (bucket_start(i) + bucket_start(i + 1) - 1) / 2;
    }
    return atomic_load_explicit(&m->max, memory_order_relaxed);
}

void metric_register(struct metric_registry *r, enum metric_kind kind, const void *metric, const char *name,
    const char *help, const char *labels_format, ...) {
    WEIR_ASSERT(metric && name && help);
    if (r->count >= METRIC_ROWS_MAX) {
        r->count++; /* rows beyond the end are only counted: see print_dropped */
        return;
    }
    struct metric_row *row = &r->rows[r->count++];
    row->kind = kind;
    row->metric = metric;
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->help, sizeof row->help, "%s", help);
    row->labels[0] = 0;
    if (!labels_format) return;
    va_list args;
    va_start(args, labels_format);
    vsnprintf(row->labels, sizeof row->labels, labels_format, args);
    va_end(args);
}

struct printer {
    char *buf;
    size_t size, at; /* at counts on behind size, so that the caller learns what it takes */
};

static void __attribute__((format(printf, 2, 3))) put(struct printer *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t left = p->at < p->size ? p->size - p->at : 0;
    int n = vsnprintf(left ? p->buf + p->at : NULL, left, format, args);
    va_end(args);
    if (n > 0) p->at += (size_t)n;
}

static const char *kind_name(enum metric_kind kind) {
    return kind == METRIC_COUNTER ? "counter" : kind == METRIC_GAUGE || kind == METRIC_GAUGE_NS ? "gauge" : "histogram";
}

/* Prints the buckets at 1-2-5 steps. A bucket of the histogram counts below a step when all its values do, so a step's
 * count is at most one bucket (3 %) short of the truth, never above it. */
static void print_histogram(struct printer *p, const struct metric_row *row) {
    struct metric_histogram *h = (struct metric_histogram *)(uintptr_t)row->metric;
    bool seconds = row->kind == METRIC_HISTOGRAM_NS;
    uint64_t step = seconds ? 1000 : 1, last = seconds ? 100000000000u : 1000000000u; /* 1 us .. 100 s, or 1 .. 1e9 */
    const char *comma = row->labels[0] ? "," : "";
    uint64_t below = 0;
    unsigned bucket = 0;
    for (unsigned i = 0; step <= last; i++) {
        for (; bucket < METRIC_BUCKETS && bucket_start(bucket + 1) - 1 <= step; bucket++)
            below += atomic_load_explicit(&h->buckets[bucket], memory_order_relaxed);
        put(p, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", row->name, row->labels, comma,
            seconds ? (double)step / 1e9 : (double)step, below);
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    }
    for (; bucket < METRIC_BUCKETS; bucket++)
        below += atomic_load_explicit(&h->buckets[bucket], memory_order_relaxed);
    const char *open = row->labels[0] ? "{" : "", *close = row->labels[0] ? "}" : "";
    uint64_t sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
    put(p, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", row->name, row->labels, comma, below);
    put(p, "%s_sum%s%s%s %.9g\n", row->name, open, row->labels, close, seconds ? (double)sum / 1e9 : (double)sum);
    put(p, "%s_count%s%s%s %" PRIu64 "\n", row->name, open, row->labels, close, below);
}

static void print_row(struct printer *p, const struct metric_row *row) {
    if (row->kind == METRIC_HISTOGRAM || row->kind == METRIC_HISTOGRAM_NS) {
        print_histogram(p, row);
        return;
    }
    const char *open = row->labels[0] ? "{" : "", *close = row->labels[0] ? "}" : "";
    if (row->kind == METRIC_GAUGE_NS)
        put(p, "%s%s%s%s %.9g\n", row->name, open, row->labels, close, (double)metric_get(row->metric) / 1e9);
    else
        put(p, "%s%s%s%s %" PRIu64 "\n", row->name, open, row->labels, close, metric_get(row->metric));
}

static void print_dropped(struct printer *p, const struct metric_registry *r) {
    if (r->count <= METRIC_ROWS_MAX) return;
    put(p,
        "# HELP weir_metric_rows_dropped_total Metrics that found the registry full.\n"
        "# TYPE weir_metric_rows_dropped_total counter\nweir_metric_rows_dropped_total %u\n",
        r->count - METRIC_ROWS_MAX);
}

size_t metric_print(const struct metric_registry *r, char *buf, size_t size) {
    struct printer p = {buf, size, 0};
    uint32_t count = r->count < METRIC_ROWS_MAX ? r->count : METRIC_ROWS_MAX;
    bool printed[METRIC_ROWS_MAX] = {false};
    for (uint32_t i = 0; i < count; i++) {
        const struct metric_row *first = &r->rows[i];
        if (printed[i]) continue;
        put(&p, "# HELP %s %s\n# TYPE %s %s\n", first->name, first->help, first->name, kind_name(first->kind));
        for (uint32_t k = i; k < count; k++) {
            if (printed[k] || strcmp(r->rows[k].name, first->name) != 0) continue;
            print_row(&p, &r->rows[k]);
            printed[k] = true;
        }
    }
    print_dropped(&p, r);
    return p.at;
}
