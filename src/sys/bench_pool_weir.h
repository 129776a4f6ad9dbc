/* bench_pool's work on weir/pool.h; included once with the pool as it is and once with a pool without padding. */
#include "sys/bench_pool.h"
#include "sys/sys.h"

#include <weir/pool.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define QUEUE_SLOTS 131072 /* never full, as the others have no bound or a larger one */

static struct sys *sys;
static struct weir_pool *pool;
static int poller;

static void must(enum weir_error e) {
    if (!e) return;
    fprintf(stderr, "bench_pool: %s\n", weir_error_text());
    exit(1);
}

static void start(unsigned threads) {
    must(sys_linux_new(&sys));
    must(sys->poller_open(sys, &poller));
    must(weir_pool_start(sys, &(struct weir_pool_options){threads, QUEUE_SLOTS, 1024}, &pool));
}
static void stop(void) {
    weir_pool_stop(pool, WEIR_POOL_DRAIN);
    sys->poller_close(sys, poller);
    sys_linux_free(sys);
}

static void run_one(struct weir_task *task) {
    struct weir_group group;
    weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
    must(weir_pool_submit(&group, task));
    (void)weir_group_wait(&group);
}

struct fib {
    struct weir_task task;
    unsigned n;
    uint64_t result;
};

static uint64_t fib_of(struct weir_worker *w, unsigned n);
static void fib_run(struct weir_worker *w, struct weir_task *task) {
    struct fib *f = (struct fib *)(void *)task;
    f->result = fib_of(w, f->n);
}
static uint64_t fib_of(struct weir_worker *w, unsigned n) {
    if (n < 2) return n;
    struct fib left = {.task.run = fib_run, .n = n - 1};
    struct weir_group group;
    weir_worker_begin(w, &group);
    weir_worker_submit(w, &group, &left.task);
    uint64_t right = fib_of(w, n - 2);
    (void)weir_worker_wait(w, &group);
    return left.result + right;
}
static uint64_t fib(unsigned n) {
    struct fib f = {.task.run = fib_run, .n = n};
    run_one(&f.task);
    return f.result;
}

struct range {
    struct weir_task task;
    uint64_t *items;
    size_t count;
};

static void range_run(struct weir_worker *w, struct weir_task *task) {
    struct range *r = (struct range *)(void *)task, upper;
    struct weir_group group;
    if (r->count == 1) {
        bench_item(r->items);
        return;
    }
    size_t half = r->count / 2;
    struct range lower = {.items = r->items, .count = half};
    upper = (struct range){.task.run = range_run, .items = r->items + half, .count = r->count - half};
    weir_worker_begin(w, &group);
    weir_worker_submit(w, &group, &upper.task);
    range_run(w, &lower.task);
    (void)weir_worker_wait(w, &group);
}
static void loop(uint64_t *items, size_t count) {
    struct range r = {.task.run = range_run, .items = items, .count = count};
    run_one(&r.task);
}

struct job {
    struct weir_task task;
    uint64_t *item;
};
static struct job *jobs;

static void job_run(struct weir_worker *w, struct weir_task *task) {
    (void)w;
    bench_item(((struct job *)(void *)task)->item);
}
static void jobs_run(struct weir_worker *w, struct weir_task *task) {
    struct range *r = (struct range *)(void *)task;
    struct weir_group group;
    weir_worker_begin(w, &group);
    for (size_t i = 0; i < r->count; i++) {
        jobs[i] = (struct job){.task.run = job_run, .item = &r->items[i]};
        weir_worker_submit(w, &group, &jobs[i].task);
    }
    (void)weir_worker_wait(w, &group);
}
static void spawn(uint64_t *items, size_t count) {
    struct range r = {.task.run = jobs_run, .items = items, .count = count};
    jobs = malloc(count * sizeof *jobs);
    run_one(&r.task);
    free(jobs);
}

static void submit(uint64_t *items, size_t count) {
    struct weir_group group;
    jobs = malloc(count * sizeof *jobs);
    weir_group_begin(&group, pool, WEIR_POOL_NORMAL, poller);
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct job){.task.run = job_run, .item = &items[i]};
        while (weir_pool_submit(&group, &jobs[i].task))
            sched_yield(); /* full */
    }
    (void)weir_group_wait(&group);
    free(jobs);
}
