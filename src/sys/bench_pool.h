/* What bench_pool compares: each contender does the same four things with a number of threads. Compiles as C and C++.
 */
#ifndef WEIR_SYS_BENCH_POOL_H
#define WEIR_SYS_BENCH_POOL_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_pool {
    const char *name;
    void (*start)(unsigned threads);
    void (*stop)(void);
    /* Fork and join with nothing to do: each call forks one and calls the other. */
    uint64_t (*fib)(unsigned n);
    /* A loop over items, halved down to a task for each item. */
    void (*loop)(uint64_t *items, size_t count);
    /* One task submits a task for each item and waits for them. */
    void (*spawn)(uint64_t *items, size_t count);
    /* A thread outside the pool submits a task for each item and waits for them. */
    void (*submit)(uint64_t *items, size_t count);
};

extern const struct bench_pool bench_pool_weir, bench_pool_unpadded, bench_pool_mutex;
#ifdef WEIR_BENCH_PEER
extern const struct bench_pool bench_pool_tbb;
#endif

#ifdef __cplusplus
}
#endif

/* About 100 ns: a chain of multiplications, which no processor does faster than one after the other. */
#define BENCH_STEPS 70
static inline void bench_item(uint64_t *item) {
    uint64_t x = *item;
    for (int i = 0; i < BENCH_STEPS; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    *item = x;
}

#endif
