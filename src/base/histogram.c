/* base/histogram.c: reading, merging, emptying. */
#include "base/histogram.h"

uint64_t histogram_bucket_start(uint32_t bucket) {
    if (bucket < 128) return bucket;
    if (bucket >= HISTOGRAM_BUCKETS_MAX) return UINT64_MAX;
    unsigned shift = bucket / 64 - 1;
    return (uint64_t)(bucket - 64 * shift) << shift;
}

void histogram_init(struct histogram *h, uint64_t *buckets, size_t bucket_count) {
    WEIR_ASSERT(bucket_count > 0 && bucket_count <= HISTOGRAM_BUCKETS_MAX);
    *h = (struct histogram){.buckets = buckets, .bucket_count = (uint32_t)bucket_count, .min = UINT64_MAX};
    h->low = h->bucket_count;
}

void histogram_reset(struct histogram *h) {
    if (h->low < h->high) memset(h->buckets + h->low, 0, (h->high - h->low) * sizeof h->buckets[0]);
    histogram_init(h, h->buckets, h->bucket_count);
}

void histogram_merge(struct histogram *h, const struct histogram *from) {
    if (from->count == 0) return;
    for (uint32_t i = from->low; i < from->high; i++) {
        uint32_t to = i < h->bucket_count ? i : h->bucket_count - 1;
        if (to != i) h->clipped += from->buckets[i];
        h->buckets[to] += from->buckets[i];
    }
    uint32_t low = from->low < h->bucket_count ? from->low : h->bucket_count - 1;
    uint32_t high = from->high < h->bucket_count ? from->high : h->bucket_count;
    h->low = low < h->low ? low : h->low;
    h->high = high > h->high ? high : h->high;
    h->count += from->count;
    /* Values that `from` clipped sit in its last bucket; they are clipped here too unless already counted as moved. */
    if (from->bucket_count <= h->bucket_count) h->clipped += from->clipped;
    h->sum_high += from->sum_high + __builtin_add_overflow(h->sum_low, from->sum_low, &h->sum_low);
    h->min = from->min < h->min ? from->min : h->min;
    h->max = from->max > h->max ? from->max : h->max;
}

uint64_t histogram_quantile(const struct histogram *h, double q) {
    if (h->count == 0) return 0;
    if (!(q > 0)) return h->min;
    if (q >= 1) return h->max;
    double exact = q * (double)h->count;
    uint64_t rank = (uint64_t)exact;
    rank += (double)rank < exact;
    rank = rank < 1 ? 1 : rank > h->count ? h->count : rank;
    uint64_t seen = 0;
    uint32_t i = h->low;
    for (; i + 1 < h->high; i++) {
        seen += h->buckets[i];
        if (seen >= rank) break;
    }
    uint64_t start = histogram_bucket_start(i), end = histogram_bucket_start(i + 1) - 1;
    uint64_t middle = start + (end - start) / 2;
    /* A value beyond the last bucket is nearer to the maximum than to that bucket. */
    if (i + 1 == h->bucket_count && h->clipped) middle = h->max;
    return middle < h->min ? h->min : middle > h->max ? h->max : middle;
}

uint64_t histogram_count_below(const struct histogram *h, uint64_t value) {
    uint64_t seen = 0;
    for (uint32_t i = h->low; i < h->high && histogram_bucket_start(i) <= value; i++)
        seen += h->buckets[i];
    return value < h->max && seen == h->count && h->clipped ? h->count - h->clipped : seen;
}

double histogram_sum(const struct histogram *h) {
    return (double)h->sum_high * 0x1p64 + (double)h->sum_low;
}

double histogram_mean(const struct histogram *h) {
    return h->count ? histogram_sum(h) / (double)h->count : 0;
}

uint64_t histogram_min(const struct histogram *h) {
    return h->count ? h->min : 0;
}

uint64_t histogram_max(const struct histogram *h) {
    return h->max;
}
