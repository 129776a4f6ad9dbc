/* base/histogram.h: log-linear histogram of u64 values; relative error of a quantile <= 1/128 (0.8 %).
 *
 * Values below 128 are exact; above, every power of two has 64 buckets, and a quantile answers the middle of its
 * bucket, clamped to the exact min and max. Recording is O(1), a few instructions, no allocation. Memory is the
 * caller's, fixed at init by the largest value to tell apart (30 KB for all of u64, 18 KB up to 2^40); larger values
 * count in the last bucket and in `clipped`. The memory must be zero at init and only the range of buckets in use is
 * ever touched or cleared. One writer thread; a copy or a merge by another thread needs the owner's help.
 */
#ifndef WEIR_BASE_HISTOGRAM_H
#define WEIR_BASE_HISTOGRAM_H

#include "base/assert.h"
#include "base/wide.h"

#include <weir/slice.h>

#define HISTOGRAM_BITS        6
#define HISTOGRAM_BUCKETS_MAX (128 + 57 * 64) /* for all of u64 */

struct histogram {
    uint64_t *buckets;
    uint32_t bucket_count;
    uint32_t low, high; /* buckets in use: low <= i < high; low >= high = empty */
    uint64_t count;
    uint64_t clipped; /* values above the largest bucket */
    uint64_t min, max;
    uint64_t sum_low, sum_high; /* 128-bit sum */
};

/* The bucket of a value: 0..127 exact, then 64 per power of two. */
static inline uint32_t histogram_bucket(uint64_t value) {
    if (value < 128) return (uint32_t)value;
    unsigned shift = 57u - (unsigned)__builtin_clzll(value); /* value >> shift is 64..127 */
    return (uint32_t)(64u * shift + (value >> shift));
}
/* The smallest value of a bucket (of bucket + 1: one past its largest; UINT64_MAX behind the last). */
uint64_t histogram_bucket_start(uint32_t bucket);

/* Buckets (of 8 bytes) needed to tell values up to value_max apart. */
static inline size_t histogram_bucket_count(uint64_t value_max) {
    return (size_t)histogram_bucket(value_max) + 1;
}
/* buckets: bucket_count zeroed u64s that outlive the histogram; bucket_count from histogram_bucket_count(). */
void histogram_init(struct histogram *h, uint64_t *buckets, size_t bucket_count);
/* Empties it; clears only the range in use. */
void histogram_reset(struct histogram *h);

/* Records `value` `times` times. */
static inline void histogram_record_many(struct histogram *h, uint64_t value, uint64_t times) {
    uint32_t i = histogram_bucket(value);
    if (WEIR_UNLIKELY(i >= h->bucket_count)) {
        i = h->bucket_count - 1;
        h->clipped += times;
    }
    h->buckets[i] += times;
    if (i < h->low) h->low = i;
    if (i >= h->high) h->high = i + 1;
    h->count += times;
    struct wide product = wide_product(value, times);
    h->sum_high += product.high + __builtin_add_overflow(h->sum_low, product.low, &h->sum_low);
    if (value < h->min) h->min = value;
    if (value > h->max) h->max = value;
}
static inline void histogram_record(struct histogram *h, uint64_t value) {
    histogram_record_many(h, value, 1);
}

/* Adds everything in `from`; bucket counts may differ. */
void histogram_merge(struct histogram *h, const struct histogram *from);

/* The value at quantile q (0..1): at least ceil(q * count) values are at or below its bucket. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* Values <= value (exact at bucket bounds, else with the bucket's share counted whole): for Prometheus buckets. */
uint64_t histogram_count_below(const struct histogram *h, uint64_t value);
double histogram_mean(const struct histogram *h); /* exact sum / count; 0 when empty */
double histogram_sum(const struct histogram *h);
/* min is UINT64_MAX and max 0 in an empty histogram; these answer 0. */
uint64_t histogram_min(const struct histogram *h);
uint64_t histogram_max(const struct histogram *h);

#endif
