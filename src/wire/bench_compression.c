/* Ratio and speed of the codecs on batches of log lines as services write them (JSON with a time, an id, a few words),
 * from 1 KB to 1 MB. One JSON line a codec and size on stdout, a table on stderr. Process CPU time of one thread, best
 * of five runs. Codecs that weir only reads are not here: it makes no such batch. */
#include "base/prng.h"
#include "wire/compression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5 };
#define WORK_BYTES (64u << 20) /* per run */
#define LARGEST    (1u << 20)

static uint8_t plain[LARGEST + 4096], packed[2 * LARGEST], back[LARGEST + 4096];

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct weir_slice build(size_t size) {
    static const char *const levels[] = {"info", "info", "info", "warn", "error"};
    static const char *const events[] = {"order accepted", "order filled", "order canceled", "session opened", "retry"};
    struct prng prng = prng_seed(1);
    struct weir_record_builder builder;
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    weir_record_builder_init(&builder, plain, size, &options);
    for (uint64_t i = 0;; i++) {
        char value[400], key[32];
        int key_size = snprintf(key, sizeof key, "account-%llu", (unsigned long long)prng_below(&prng, 500));
        int value_size = snprintf(value, sizeof value,
            "{\"time\":%llu,\"level\":\"%s\",\"event\":\"%s\",\"id\":\"%016llx\",\"price\":%llu,\"quantity\":%llu}",
            1700000000000ull + i, levels[prng_below(&prng, 5)], events[prng_below(&prng, 5)],
            (unsigned long long)prng_next(&prng), 10000 + (unsigned long long)prng_below(&prng, 900),
            1 + (unsigned long long)prng_below(&prng, 100));
        if (weir_record_builder_append(&builder, 1700000000000 + (int64_t)i, weir_slice(key, (size_t)key_size),
                weir_slice(value, (size_t)value_size), NULL, 0))
            break;
    }
    return weir_record_builder_finish(&builder);
}

static void measure(struct weir_compression *c, const char *name, enum weir_batch_compression kind, size_t size) {
    struct weir_slice batch = build(size), out = {0}, again = {0};
    uint32_t rounds = (uint32_t)(WORK_BYTES / size);
    if (weir_batch_compress(c, kind, batch, packed, sizeof packed, &out)) {
        fprintf(stderr, "%-5s %8zu bytes  saves nothing\n", name, batch.size);
        return;
    }
    double best_in = 0, best_out = 0;
    for (int run = 0; run < RUNS; run++) {
        double start = cpu_s();
        for (uint32_t i = 0; i < rounds; i++)
            if (weir_batch_compress(c, kind, batch, packed, sizeof packed, &out)) abort();
        double middle = cpu_s();
        for (uint32_t i = 0; i < rounds; i++)
            if (weir_batch_decompress(c, out, back, sizeof back, &again)) abort();
        double end = cpu_s(), bytes = (double)batch.size * rounds;
        if (bytes / (middle - start) > best_in) best_in = bytes / (middle - start);
        if (bytes / (end - middle) > best_out) best_out = bytes / (end - middle);
    }
    if (!weir_slice_equal(again, batch)) abort();
    double ratio = (double)batch.size / (double)out.size;
    printf(
        "{\"bench\":\"compression\",\"codec\":\"%s\",\"batch_bytes\":%zu,\"ratio\":%.3g,\"compress_bytes_per_s\":%.3g,"
        "\"decompress_bytes_per_s\":%.3g}\n",
        name, batch.size, ratio, best_in, best_out);
    fprintf(stderr, "%-5s %8zu bytes  ratio %5.2f  compress %7.1f MB/s  decompress %7.1f MB/s\n", name, batch.size,
        ratio, best_in / 1e6, best_out / 1e6);
}

int main(void) {
    struct weir_compression contexts, *c = &contexts;
    if (weir_compression_open(c)) return 1;
    for (size_t size = 1u << 10; size <= LARGEST; size *= 4) {
        measure(c, "lz4", WEIR_BATCH_LZ4, size);
        measure(c, "zstd", WEIR_BATCH_ZSTD, size);
    }
    weir_compression_close(c);
    return 0;
}
