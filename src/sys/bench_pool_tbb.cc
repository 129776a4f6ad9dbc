// bench_pool's work on oneTBB, in the way its manual shows it.
#include "sys/bench_pool.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <memory>

namespace {

std::unique_ptr<tbb::global_control> control;
std::unique_ptr<tbb::task_arena> arena;   // the calling thread is one of its threads
std::unique_ptr<tbb::task_arena> outside; // the calling thread only submits to it

void start(unsigned threads) {
    control = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, threads + 1);
    arena = std::make_unique<tbb::task_arena>(static_cast<int>(threads));
    outside = std::make_unique<tbb::task_arena>(static_cast<int>(threads), 0);
}
void stop() {
    arena.reset();
    outside.reset();
    control.reset();
}

uint64_t fib_of(unsigned n) {
    if (n < 2) return n;
    uint64_t left = 0;
    tbb::task_group group;
    group.run([&] { left = fib_of(n - 1); });
    uint64_t right = fib_of(n - 2);
    group.wait();
    return left + right;
}
uint64_t fib(unsigned n) {
    uint64_t result = 0;
    arena->execute([&] { result = fib_of(n); });
    return result;
}

void loop(uint64_t *items, size_t count) {
    arena->execute([&] {
        tbb::parallel_for(
            tbb::blocked_range<size_t>(0, count, 1),
            [&](const tbb::blocked_range<size_t> &range) {
                for (size_t i = range.begin(); i < range.end(); i++)
                    bench_item(&items[i]);
            },
            tbb::simple_partitioner());
    });
}

void spawn(uint64_t *items, size_t count) {
    arena->execute([&] {
        tbb::task_group group;
        for (size_t i = 0; i < count; i++)
            group.run([item = &items[i]] { bench_item(item); });
        group.wait();
    });
}

void submit(uint64_t *items, size_t count) {
    tbb::task_group group;
    for (size_t i = 0; i < count; i++)
        outside->enqueue(group.defer([item = &items[i]] { bench_item(item); }));
    outside->execute([&] { group.wait(); });
}

} // namespace

const struct bench_pool bench_pool_tbb = {"oneTBB", start, stop, fib, loop, spawn, submit};
