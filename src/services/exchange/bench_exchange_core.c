/* The matching core alone, by process CPU time: recorded streams, cost against symbols and resting orders, bytes per
 * order. bench_exchange_core [FOLDER with the .bin or .bin.zst streams] JSON on stdout, a table on stderr. */
#include "exchange/tool_flow.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING      32
#define SPREAD    1000 /* prices of a side */
#define PASS_OPS  400000
#define PASSES    5
#define REFERENCE 20e6 /* the aim in operations per second; the best peers on these shapes: 10.4, 4.5 and 5.5 M */

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t resident_bytes(void) {
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) return 0;
    char line[128];
    if (fgets(line, sizeof(line), file)) {
        char *end;
        total = strtoull(line, &end, 10);
        resident = strtoull(end, NULL, 10);
    }
    fclose(file);
    (void)total;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- recorded streams ---- */
static int stream(const char *folder, const char *name, bool first) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct match_options options = {.file = path, .repeat = 31};
    struct match_result r;
    enum weir_error error = match_run(&options, &r);
    if (error) {
        fprintf(stderr, "%s: %s\n", path, weir_error_text());
        return 1;
    }
    printf("%s\n  {\"stream\": \"%s\", \"ratio\": %.2f, \"cpu_ops_per_s\": %.0f, \"cpu_ops_per_s_median\": %.0f, "
           "\"p50_ns\": %.0f, "
           "\"p99_ns\": %.0f, \"p999_ns\": %.0f, \"ops\": %" PRIu64 ", \"events\": %" PRIu64 ", \"trades\": %" PRIu64
           ", \"trade_hash\": \"%016" PRIx64 "\"}",
        first ? "" : ",", name, r.cpu_best / REFERENCE, r.cpu_best, r.cpu_median, r.p50, r.p99, r.p999, r.ops, r.events,
        r.trades, r.hash);
    fprintf(stderr, "%-28s %6.1f M/s (median %5.1f)  p50 %3.0f  p99 %4.0f  p99.9 %4.0f ns  hash %016" PRIx64 "\n", name,
        r.cpu_best / 1e6, r.cpu_median / 1e6, r.p50, r.p99, r.p999, r.hash);
    return 0;
}

static bool is_stream(const char *name) {
    size_t length = strlen(name);
    return (length > 4 && strcmp(name + length - 4, ".bin") == 0) ||
           (length > 8 && strcmp(name + length - 8, ".bin.zst") == 0);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int streams(const char *folder) {
    DIR *dir = opendir(folder);
    char *names[64];
    size_t count = 0;
    int failed = 0;
    if (dir == NULL) {
        fprintf(stderr, "no streams in %s: their figures are absent\n", folder);
        return 0;
    }
    for (struct dirent *e; (e = readdir(dir)) && count < 64;)
        if (is_stream(e->d_name)) names[count++] = strdup(e->d_name);
    closedir(dir);
    qsort(names, count, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < count; i++) {
        failed += stream(folder, names[i], i == 0);
        free(names[i]);
    }
    return failed;
}

/* ---- the same work in books of every size ---- */
struct load {
    struct exchange_core *core;
    uint32_t *live; /* ids of resting orders, by chance; a cancel names one, a new order takes its place */
    uint32_t resting, symbols;
    uint64_t random, last_id;
};

static uint64_t next_random(struct load *l) {
    l->random ^= l->random << 13, l->random ^= l->random >> 7, l->random ^= l->random << 17;
    return l->random;
}

static void make_new(struct load *l, struct exchange_command *c) {
    uint64_t x = next_random(l);
    *c = (struct exchange_command){
        .type = EXCHANGE_COMMAND_NEW,
        .side = (uint8_t)(x & 1),
        .symbol = 1 + (uint32_t)((x >> 32) % l->symbols),
        .account = 1 + (uint32_t)(x >> 8 & 1023),
        .quantity = 1 + (x >> 20 & 63),
    };
    /* Nearer prices are likelier; sides do not meet, so that every order rests. */
    int64_t away = (int64_t)((x >> 44 & 1023) * (x >> 54) / 1024 * SPREAD / 1024);
    c->price = 100000 + (c->side ? 1 + away : -away);
}

static void make_cancel(struct load *l, struct exchange_command *c, uint32_t *ret_place) {
    *ret_place = (uint32_t)(next_random(l) % l->resting);
    *c = (struct exchange_command){.type = EXCHANGE_COMMAND_CANCEL, .order_id = l->live[*ret_place]};
}

static void fill(struct load *l) {
    for (uint32_t i = 0; i < l->resting; i++) {
        struct exchange_command c;
        make_new(l, &c);
        exchange_core_apply(l->core, &c, sizeof(c), 1);
        l->live[i] = (uint32_t)++l->last_id;
    }
}

/* Cancels one of the resting orders, enters another, and so on; commands are made ahead, outside the clock. */
static double churn_ns(struct load *l, struct exchange_command *commands) {
    for (uint32_t i = 0; i < PASS_OPS; i += 2) {
        uint32_t place;
        make_cancel(l, &commands[i], &place);
        make_new(l, &commands[i + 1]);
        l->live[place] = (uint32_t)++l->last_id;
    }
    struct exchange_hints hints;
    exchange_core_prefetch_start(l->core, &hints);
    uint64_t start = cpu_ns();
    for (uint32_t i = 0; i < PASS_OPS; i++) {
        if (i + EXCHANGE_AHEAD < PASS_OPS) exchange_core_prefetch(l->core, &hints, &commands[i + EXCHANGE_AHEAD]);
        exchange_core_apply(l->core, &commands[i], sizeof(commands[i]), 1);
    }
    return (double)(cpu_ns() - start) / PASS_OPS;
}

static double cost(uint32_t symbols, uint32_t resting, double *ret_bytes) {
    struct exchange_limits limits = {.orders_max = resting + 16, .symbols_max = symbols, .accounts_max = 1024};
    struct load l = {.resting = resting, .symbols = symbols, .random = 0x9E3779B97F4A7C15u};
    struct exchange_command *commands = malloc(PASS_OPS * sizeof(*commands));
    l.live = malloc(resting * sizeof(*l.live));
    memset(l.live, 0, resting * sizeof(*l.live));
    memset(commands, 0, PASS_OPS * sizeof(*commands));
    double best = -1;
    uint64_t before = resident_bytes();
    if (commands && flow_engine_open(&limits, symbols, &l.core) == WEIR_OK) {
        fill(&l);
        *ret_bytes = (double)(resident_bytes() - before) / resting;
        for (int i = 0; i < PASSES; i++) {
            double ns = churn_ns(&l, commands);
            best = best < 0 || ns < best ? ns : best;
        }
        struct exchange_stats stats;
        exchange_core_stats(l.core, &stats);
        if (stats.open != resting || stats.rejected) best = -1; /* the work was not what it should be */
        flow_engine_close(l.core, &limits);
    }
    free(l.live);
    free(commands);
    return best;
}

static int costs(const char *title, const uint32_t (*points)[2], size_t count) {
    int failed = 0;
    printf(",\n \"%s\": [", title);
    for (size_t i = 0; i < count; i++) {
        double bytes = 0, ns = cost(points[i][0], points[i][1], &bytes);
        failed += ns < 0;
        printf("%s\n  {\"symbols\": %u, \"resting\": %u, \"ns_per_op\": %.1f, \"bytes_per_order\": %.0f}", i ? "," : "",
            points[i][0], points[i][1], ns, bytes);
        fprintf(
            stderr, "%6u symbols %9u resting  %6.1f ns/op  %5.0f bytes/order\n", points[i][0], points[i][1], ns, bytes);
    }
    printf("]");
    return failed;
}

int main(int argc, char **argv) {
    static const uint32_t by_symbols[][2] = {{1, 100000}, {100, 100000}, {10000, 100000}};
    static const uint32_t by_resting[][2] = {{100, 1000}, {100, 10000}, {100, 100000}, {100, 1000000}, {100, 10000000}};
    printf("{\"streams\": [");
    int failed = streams(argc > 1 ? argv[1] : "../shared/data/orders/flows");
    printf("]");
    failed += costs("against_symbols", by_symbols, 3);
    failed += costs("against_resting_orders", by_resting, 5);
    printf("}\n");
    return failed != 0;
}
