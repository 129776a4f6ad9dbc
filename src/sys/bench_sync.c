/* What a sync costs on this disk: writing into bytes written before against growing the file, 4 KiB and 64 KiB.
 *
 *     bench_sync [FOLDER [ROUNDS]]
 *
 * The kinds take turns, round by round, so that a noisy disk is noisy for all of them: only the ratios mean something.
 * Prints one JSON object: per kind p50 and p99 of write + sync in microseconds, and each against the pre-written kind.
 */
#include "sys/sys.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS_DEFAULT 300
#define ROUNDS_MAX     100000
#define BLOCK_MAX      65536

enum file_kind { KIND_PREWRITTEN, KIND_ALLOCATED, KIND_GROWING, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"prewritten", "allocated", "growing"};
static const size_t block_sizes[] = {4096, BLOCK_MAX};
#define SIZE_COUNT (sizeof block_sizes / sizeof *block_sizes)

struct sample { /* one file and the durations of its syncs */
    int file;
    char path[512];
    uint64_t *ns;
};
static struct sample samples[SIZE_COUNT][KIND_COUNT];
static uint8_t block[BLOCK_MAX];

static void must(enum weir_error e) {
    if (!e) return;
    fprintf(stderr, "bench_sync: %s: %s\n", weir_error_name(e), weir_error_text());
    exit(1);
}

static void write_block(struct sys *sys, int file, uint64_t offset, size_t size) {
    struct sys_iovec part = {block, size};
    must(sys->file_write(sys, file, offset, &part, 1));
}

static void prepare(struct sys *sys, const char *folder, size_t size_index, enum file_kind kind, uint64_t rounds) {
    struct sample *sample = &samples[size_index][kind];
    size_t size = block_sizes[size_index];
    snprintf(sample->path, sizeof sample->path, "%.400s/bench_sync_%zu_%s", folder, size, kind_names[kind]);
    must(sys->file_open(sys, sample->path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE, &sample->file));
    sample->ns = calloc(rounds, sizeof *sample->ns);
    if (!sample->ns)
        must(weir_error_context(WEIR_E_NO_MEMORY, "no memory for %llu rounds", (unsigned long long)rounds));
    if (kind == KIND_ALLOCATED) must(sys->file_allocate(sys, sample->file, 0, rounds * size));
    for (uint64_t i = 0; kind == KIND_PREWRITTEN && i < rounds; i++)
        write_block(sys, sample->file, i * size, size);
    must(sys->file_sync(sys, sample->file));
}

static void round_once(struct sys *sys, size_t size_index, enum file_kind kind, uint64_t round) {
    struct sample *sample = &samples[size_index][kind];
    uint64_t start = sys->mono_ns(sys);
    write_block(sys, sample->file, round * block_sizes[size_index], block_sizes[size_index]);
    must(sys->file_sync(sys, sample->file));
    sample->ns[round] = sys->mono_ns(sys) - start;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(uint64_t rounds) {
    printf("{\"rounds\":%llu", (unsigned long long)rounds);
    for (size_t s = 0; s < SIZE_COUNT; s++) {
        double base50 = 0, base99 = 0;
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            uint64_t *ns = samples[s][kind].ns;
            qsort(ns, rounds, sizeof *ns, compare);
            double p50 = (double)ns[rounds / 2] / 1e3, p99 = (double)ns[rounds - 1 - rounds / 100] / 1e3;
            if (kind == KIND_PREWRITTEN) base50 = p50, base99 = p99;
            printf(",\"%s_%zu\":{\"p50_ratio\":%.2f,\"p99_ratio\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f}",
                kind_names[kind], block_sizes[s], p50 / base50, p99 / base99, p50, p99);
        }
    }
    printf("}\n");
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : ".";
    uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : ROUNDS_DEFAULT;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench_sync: rounds must be 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    struct sys *sys = NULL;
    must(sys_linux_new(&sys));
    sys->random(sys, block, sizeof block);
    for (size_t s = 0; s < SIZE_COUNT; s++) {
        for (int kind = 0; kind < KIND_COUNT; kind++)
            prepare(sys, folder, s, (enum file_kind)kind, rounds);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            for (int kind = 0; kind < KIND_COUNT; kind++)
                round_once(sys, s, (enum file_kind)kind, round);
        }
    }
    report(rounds);
    for (size_t s = 0; s < SIZE_COUNT; s++) {
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            sys->file_close(sys, samples[s][kind].file);
            must(sys->path_unlink(sys, samples[s][kind].path));
            free(samples[s][kind].ns);
        }
    }
    sys_linux_free(sys);
    return 0;
}
