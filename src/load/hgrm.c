/* HdrHistogram's percentile distribution, as its Java original prints it: five steps to each halving of the distance to
 * 100 %. */
#include "load/report.h"
#include <math.h>

#define TICKS_PER_HALF 5

static double deviation(const struct histogram *h) {
    double mean = histogram_mean(h), sum = 0;
    for (uint32_t i = h->low; i < h->high; i++) {
        double start = (double)histogram_bucket_start(i), end = (double)histogram_bucket_start(i + 1) - 1;
        double off = start + (end - start) / 2 - mean;
        sum += off * off * (double)h->buckets[i];
    }
    return h->count ? sqrt(sum / (double)h->count) : 0;
}

void load_report_hgrm(struct text_builder *out, const struct histogram *h) {
    text_printf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    uint64_t seen = 0;
    double next = 0; /* the quantile of the next line */
    for (uint32_t i = h->low; i < h->high; i++) {
        if (!h->buckets[i]) continue;
        seen += h->buckets[i];
        double here = (double)seen / (double)h->count;
        uint64_t end = histogram_bucket_start(i + 1) - 1;
        double value = (double)(end < h->max ? end : h->max) / 1e6;
        while (seen < h->count && next <= here) {
            text_printf(out, "%12.6f %2.12f %10llu %14.2f\n", value, next, (unsigned long long)seen, 1 / (1 - next));
            double halves = exp2(floor(log2(1 / (1 - next))) + 1);
            next += 1 / (TICKS_PER_HALF * halves);
        }
    }
    if (h->count) text_printf(out, "%12.6f %2.12f %10llu\n", (double)h->max / 1e6, 1.0, (unsigned long long)h->count);
    text_printf(out, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n#[Max     = %12.6f, Total count    = %12llu]\n",
        histogram_mean(h) / 1e6, deviation(h) / 1e6, (double)h->max / 1e6, (unsigned long long)h->count);
    text_printf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 64 - HISTOGRAM_BITS, 1 << HISTOGRAM_BITS);
}
