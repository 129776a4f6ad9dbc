/* bench pool: what a task costs, beside one queue under a mutex, the same pool without padding, and oneTBB where it is
 * installed. JSON on stdout, a table on stderr.
 *
 *     bench_pool [THREADS [ROUNDS]]
 *
 * The contenders take turns, round by round, so that what else the machine does hits all of them; each figure is the
 * median of the rounds. A ratio is the other's time over ours: above 1 we are faster. */
#include "sys/bench_pool_weir.h"

#include "base/ring.h"

#include <pthread.h>
#include <time.h>

#define FIB        25
#define FIB_TASKS  121392.0 /* calls with n >= 2, each of which forks */
#define ITEMS      100000
#define ROUNDS_MAX 101

const struct bench_pool bench_pool_weir = {"weir", start, stop, fib, loop, spawn, submit};

static const struct bench_pool *const contenders[] = {
    &bench_pool_weir,
    &bench_pool_unpadded,
    &bench_pool_mutex,
#ifdef WEIR_BENCH_PEER
    &bench_pool_tbb,
#endif
};
#define CONTENDERS (sizeof contenders / sizeof contenders[0])
enum work { FIB_WORK, LOOP_WORK, SPAWN_WORK, SUBMIT_WORK, WORKS };
static const char *const work_names[WORKS] = {"fib", "loop", "spawn", "submit"};

static uint64_t items[ITEMS];
static double ns[2][CONTENDERS][WORKS][ROUNDS_MAX]; /* of a task; with one thread, with all */

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double once(const struct bench_pool *c, enum work work) {
    double from = now_ns();
    switch (work) {
    case FIB_WORK:
        if (c->fib(FIB) != 75025) abort();
        break;
    case LOOP_WORK:
        c->loop(items, ITEMS);
        break;
    case SPAWN_WORK:
        c->spawn(items, ITEMS);
        break;
    default:
        c->submit(items, ITEMS);
        break;
    }
    return (now_ns() - from) / (work == FIB_WORK ? FIB_TASKS : ITEMS);
}

static void rounds_run(unsigned threads, unsigned rounds, bool all) {
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned c = 0; c < CONTENDERS; c++) {
            contenders[c]->start(threads);
            (void)once(contenders[c], LOOP_WORK); /* its threads are there */
            for (unsigned work = 0; work < WORKS; work++)
                ns[all][c][work][round] = once(contenders[c], (enum work)work);
            contenders[c]->stop();
        }
}

/* ---- false sharing alone: two threads that count, each in a field of its own ------------------------------------- */
#define COUNTS 5000000

static uint64_t fields[2 * RING_SEPARATION / sizeof(uint64_t)];

static void *count(void *field) {
    for (int i = 0; i < COUNTS; i++)
        (void)__atomic_fetch_add((uint64_t *)field, 1, __ATOMIC_RELAXED);
    return NULL;
}
static double count_two(size_t apart) {
    pthread_t other;
    double from = now_ns();
    if (pthread_create(&other, NULL, count, &fields[apart / sizeof(uint64_t)]) != 0) abort();
    (void)count(&fields[0]);
    pthread_join(other, NULL);
    return (now_ns() - from) / COUNTS;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

#define MEDIAN(all, c, work) ns[all][c][work][rounds / 2]

static void print_json(unsigned threads, unsigned rounds, double sharing) {
    printf("{\"bench\":\"pool\",\"threads\":%u,\"rounds\":%u,\"ratio\":{", threads, rounds);
    for (unsigned c = 1; c < CONTENDERS; c++)
        for (unsigned work = 0; work < WORKS; work++)
            printf("\"%s_%s\":%.3f,", contenders[c]->name, work_names[work], MEDIAN(1, c, work) / MEDIAN(1, 0, work));
    for (unsigned work = 0; work < WORKS; work++)
        printf("\"scaling_%s\":%.3f,", work_names[work], MEDIAN(0, 0, work) / MEDIAN(1, 0, work));
    printf("\"false_sharing\":%.3f},\"tasks_per_s\":{", sharing);
    for (unsigned work = 0; work < WORKS; work++)
        printf("%s\"%s\":%.0f", work ? "," : "", work_names[work], 1e9 / MEDIAN(1, 0, work));
    printf("},\"ns\":{");
    for (unsigned c = 0; c < CONTENDERS; c++)
        for (unsigned work = 0; work < WORKS; work++)
            printf("%s\"%s_%s\":%.1f,\"%s_%s_one_thread\":%.1f", c + work ? "," : "", contenders[c]->name,
                work_names[work], MEDIAN(1, c, work), contenders[c]->name, work_names[work], MEDIAN(0, c, work));
    printf("}}\n");
}

static void print_table(unsigned threads, unsigned rounds, double sharing) {
    fprintf(stderr, "ratio: the time of a task over ours, %u threads; ns: of a task; then with one thread\n%-10s",
        threads, "");
    for (unsigned work = 0; work < WORKS; work++)
        fprintf(stderr, "  %-28s", work_names[work]);
    for (unsigned c = 0; c < CONTENDERS; c++) {
        fprintf(stderr, "\n%-10s", contenders[c]->name);
        for (unsigned work = 0; work < WORKS; work++)
            fprintf(stderr, "  %7.2f %9.1f %9.1f ", MEDIAN(1, c, work) / MEDIAN(1, 0, work), MEDIAN(1, c, work),
                MEDIAN(0, c, work));
    }
    fprintf(stderr, "\n%-10s", "scaling");
    for (unsigned work = 0; work < WORKS; work++)
        fprintf(stderr, "  %7.2f %20s", MEDIAN(0, 0, work) / MEDIAN(1, 0, work), "");
    fprintf(stderr, "\ntwo threads that count in fields side by side: %.1f times as slow as %d bytes apart\n", sharing,
        RING_SEPARATION);
}

int main(int argc, char **argv) {
    unsigned threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : sys_core_count();
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 9;
    if (threads < 1 || threads > WEIR_POOL_WORKERS_MAX || rounds < 1 || rounds > ROUNDS_MAX) return 2;
    rounds_run(1, rounds, false);
    rounds_run(threads, rounds, true);
    double beside[ROUNDS_MAX], apart[ROUNDS_MAX];
    for (unsigned round = 0; round < rounds; round++) {
        beside[round] = count_two(sizeof(uint64_t));
        apart[round] = count_two(RING_SEPARATION);
    }
    qsort(beside, rounds, sizeof(double), by_size);
    qsort(apart, rounds, sizeof(double), by_size);
    for (unsigned all = 0; all < 2; all++)
        for (unsigned c = 0; c < CONTENDERS; c++)
            for (unsigned work = 0; work < WORKS; work++)
                qsort(ns[all][c][work], rounds, sizeof(double), by_size);
    double sharing = beside[rounds / 2] / apart[rounds / 2];
    print_json(threads, rounds, sharing);
    print_table(threads, rounds, sharing);
    return 0;
}
