/* bench_pool's work on what one writes first: threads around one stack of tasks, a mutex and a condition variable. */
#include "sys/bench_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define THREADS_MAX 32
#define SLOTS       (1u << 20)

struct task {
    void (*run)(struct task *task);
    _Atomic uint64_t *running;
    bool awaited; /* from outside: the calling thread sleeps until it has ended */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t some, ended;
    struct task **tasks;
    size_t count;
    bool stopping;
    unsigned thread_count;
    pthread_t threads[THREADS_MAX];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void push(struct task *task) {
    atomic_fetch_add_explicit(task->running, 1, memory_order_relaxed);
    pthread_mutex_lock(&pool.lock);
    if (pool.count == SLOTS) abort();
    pool.tasks[pool.count++] = task;
    pthread_cond_signal(&pool.some);
    pthread_mutex_unlock(&pool.lock);
}
static struct task *pop(bool wait) {
    struct task *task = NULL;
    pthread_mutex_lock(&pool.lock);
    while (wait && pool.count == 0 && !pool.stopping)
        pthread_cond_wait(&pool.some, &pool.lock);
    if (pool.count > 0) task = pool.tasks[--pool.count];
    pthread_mutex_unlock(&pool.lock);
    return task;
}
static void execute(struct task *task) {
    _Atomic uint64_t *running = task->running;
    bool awaited = task->awaited;
    task->run(task);
    if (atomic_fetch_sub_explicit(running, 1, memory_order_release) != 1 || !awaited) return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_signal(&pool.ended);
    pthread_mutex_unlock(&pool.lock);
}
static void await(_Atomic uint64_t *running) {
    pthread_mutex_lock(&pool.lock);
    while (atomic_load_explicit(running, memory_order_acquire) > 0)
        pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}
static void join(_Atomic uint64_t *running) {
    while (atomic_load_explicit(running, memory_order_acquire) > 0) {
        struct task *task = pop(false);
        if (task)
            execute(task);
        else
            sched_yield();
    }
}
static void *work(void *unused) {
    for (struct task *task; (task = pop(true));)
        execute(task);
    return unused;
}

static void start(unsigned threads) {
    pool.tasks = malloc(SLOTS * sizeof *pool.tasks);
    pool.stopping = false;
    pool.thread_count = threads;
    for (unsigned i = 0; i < pool.thread_count; i++)
        if (pthread_create(&pool.threads[i], NULL, work, NULL) != 0) abort();
}
static void stop(void) {
    pthread_mutex_lock(&pool.lock);
    pool.stopping = true;
    pthread_cond_broadcast(&pool.some);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < pool.thread_count; i++)
        pthread_join(pool.threads[i], NULL);
    free(pool.tasks);
}

struct fib {
    struct task task;
    unsigned n;
    uint64_t result;
};

static uint64_t fib_of(unsigned n);
static void fib_run(struct task *task) {
    struct fib *f = (struct fib *)(void *)task;
    f->result = fib_of(f->n);
}
static uint64_t fib_of(unsigned n) {
    if (n < 2) return n;
    _Atomic uint64_t running = 0;
    struct fib left = {{fib_run, &running, false}, n - 1, 0};
    push(&left.task);
    uint64_t right = fib_of(n - 2);
    join(&running);
    return left.result + right;
}
static uint64_t fib(unsigned n) {
    _Atomic uint64_t running = 0;
    struct fib f = {{fib_run, &running, true}, n, 0};
    push(&f.task);
    await(&running);
    return f.result;
}

struct range {
    struct task task;
    uint64_t *items;
    size_t count;
};

static void range_run(struct task *task) {
    struct range *r = (struct range *)(void *)task;
    if (r->count == 1) {
        bench_item(r->items);
        return;
    }
    _Atomic uint64_t running = 0;
    size_t half = r->count / 2;
    struct range lower = {.items = r->items, .count = half};
    struct range upper = {{range_run, &running, false}, r->items + half, r->count - half};
    push(&upper.task);
    range_run(&lower.task);
    join(&running);
}
static void range_await(void (*run)(struct task *task), uint64_t *items, size_t count) {
    _Atomic uint64_t running = 0;
    struct range r = {{run, &running, true}, items, count};
    push(&r.task);
    await(&running);
}
static void loop(uint64_t *items, size_t count) {
    range_await(range_run, items, count);
}

struct job {
    struct task task;
    uint64_t *item;
};
static void job_run(struct task *task) {
    bench_item(((struct job *)(void *)task)->item);
}
static void jobs_push(uint64_t *items, size_t count, bool awaited) {
    struct job *jobs = malloc(count * sizeof *jobs);
    _Atomic uint64_t running = 0;
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct job){{job_run, &running, awaited}, &items[i]};
        push(&jobs[i].task);
    }
    if (awaited)
        await(&running);
    else
        join(&running);
    free(jobs);
}
static void spawn_run(struct task *task) {
    struct range *r = (struct range *)(void *)task;
    jobs_push(r->items, r->count, false);
}
static void spawn(uint64_t *items, size_t count) {
    range_await(spawn_run, items, count);
}
static void submit(uint64_t *items, size_t count) {
    jobs_push(items, count, true);
}

const struct bench_pool bench_pool_mutex = {"mutex", start, stop, fib, loop, spawn, submit};
