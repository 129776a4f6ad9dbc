#include "load/hdr_log.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/encode.h"

#include <stdlib.h>
#include <zlib.h>

#define DIGITS        2
#define HALF_BITS     7 /* 2 * 10^2 values to a half at least: 256 buckets, of which 128 are new per power of two */
#define INDEXES       ((65 - HALF_BITS) << HALF_BITS) /* those of the first power of two are twice as many */
#define COUNT_BYTES   9
#define HEAD_BYTES    40
#define WRAPPER_BYTES 8
/* Cookies of version 2, with the word size that stands for LEB128. */
#define COOKIE_PLAIN  0x1c849313u
#define COOKIE_ZIPPED 0x1c849314u
#define HIGHEST_NS    UINT64_C(3600000000000) /* what readers make room for at least: an hour */
#define DOUBLE_ONE    UINT64_C(0x3ff0000000000000)

enum weir_error load_hdr_log_init(struct load_hdr_log *log) {
    *log = (struct load_hdr_log){.plain_max = HEAD_BYTES + INDEXES * COUNT_BYTES};
    log->zipped_max = WRAPPER_BYTES + compressBound(log->plain_max);
    log->counts = malloc(INDEXES * sizeof *log->counts);
    log->plain = malloc(log->plain_max);
    log->zipped = malloc(log->zipped_max);
    log->text = malloc(base64_size(log->zipped_max) + 1);
    if (log->counts && log->plain && log->zipped && log->text) return WEIR_OK;
    load_hdr_log_done(log);
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the log of histograms");
}

void load_hdr_log_done(struct load_hdr_log *log) {
    free(log->counts);
    free(log->plain);
    free(log->zipped);
    free(log->text);
    *log = (struct load_hdr_log){0};
}

void load_hdr_log_head(struct text_builder *out, uint64_t wall_ns) {
    text_printf(out,
        "#[Histogram log format version 1.3]\n#[StartTime: %.3f (seconds since epoch)]\n"
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        (double)wall_ns / 1e9);
}

static uint32_t index_of(uint64_t value) {
    if (value < 2u << HALF_BITS) return (uint32_t)value;
    unsigned shift = 63u - HALF_BITS - (unsigned)__builtin_clzll(value);
    return (uint32_t)((shift << HALF_BITS) + (value >> shift));
}

/* The middle of our bucket; of the last one the greatest value there was. */
static uint64_t value_of(const struct histogram *h, uint32_t bucket) {
    if (bucket + 1 == h->high) return h->max;
    uint64_t start = histogram_bucket_start(bucket), end = histogram_bucket_start(bucket + 1) - 1;
    uint64_t middle = start + (end - start) / 2;
    return middle > h->min ? middle : h->min;
}

/* Indexes in use. */
static uint32_t counts_set(struct load_hdr_log *log, const struct histogram *h) {
    memset(log->counts, 0, INDEXES * sizeof *log->counts);
    if (h->count == 0) return 0;
    for (uint32_t i = h->low; i < h->high; i++)
        if (h->buckets[i]) log->counts[index_of(value_of(h, i))] += (int64_t)h->buckets[i];
    return index_of(h->max) + 1;
}

/* LEB128 whose ninth byte, if it comes to that, has eight bits of the number. */
static size_t number_put(uint8_t *out, int64_t number) {
    uint64_t rest = zigzag64_encode(number);
    size_t n = 0;
    for (; rest >= 0x80 && n < COUNT_BYTES - 1; n++, rest >>= 7)
        out[n] = (uint8_t)(rest | 0x80);
    out[n++] = (uint8_t)rest;
    return n;
}

static size_t counts_put(const struct load_hdr_log *log, uint32_t count, uint8_t *out) {
    size_t at = 0;
    for (uint32_t i = 0; i < count;) {
        uint32_t zeros = 0;
        while (i + zeros < count && log->counts[i + zeros] == 0)
            zeros++;
        if (zeros > 0) {
            at += number_put(out + at, zeros > 1 ? -(int64_t)zeros : 0);
            i += zeros;
        } else {
            at += number_put(out + at, log->counts[i++]);
        }
    }
    return at;
}

static size_t encode(struct load_hdr_log *log, const struct histogram *h) {
    uint8_t *head = log->plain;
    size_t size = counts_put(log, counts_set(log, h), head + HEAD_BYTES);
    store_be32(head, COOKIE_PLAIN);
    store_be32(head + 4, (uint32_t)size);
    store_be32(head + 8, 0); /* the first index */
    store_be32(head + 12, DIGITS);
    store_be64(head + 16, 1); /* lowest value told apart */
    store_be64(head + 24, h->count && h->max > HIGHEST_NS ? h->max : HIGHEST_NS);
    store_be64(head + 32, DOUBLE_ONE); /* integers are what was measured */
    return HEAD_BYTES + size;
}

enum weir_error load_hdr_log_line(struct load_hdr_log *log, struct text_builder *out, uint64_t start_ns,
    uint64_t length_ns, const struct histogram *h) {
    uLongf zipped = log->zipped_max - WRAPPER_BYTES;
    if (compress(log->zipped + WRAPPER_BYTES, &zipped, log->plain, encode(log, h)) != Z_OK)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory to compress a histogram");
    store_be32(log->zipped, COOKIE_ZIPPED);
    store_be32(log->zipped + 4, (uint32_t)zipped);
    struct weir_slice bytes = weir_slice(log->zipped, WRAPPER_BYTES + zipped);
    base64_encode(bytes, log->text);
    log->text[base64_size(bytes.size)] = 0;
    text_printf(
        out, "%.3f,%.3f,%.3f,", (double)start_ns / 1e9, (double)length_ns / 1e9, h->count ? (double)h->max / 1e6 : 0.0);
    text_add(out, log->text);
    text_add(out, "\n");
    return WEIR_OK;
}
