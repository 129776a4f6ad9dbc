#include "load/run.h"
#include "base/atomics.h"
#include "load/worker.h"

#define LOOK_NS         (20 * SYS_NANOS_PER_MS)
#define START_NS        (5 * SYS_NANOS_PER_MS) /* the schedule begins when all threads have heard of it */
#define OWN_DESCRIPTORS 64u                    /* beside the connections */

struct run {
    struct sys *sys;
    const struct load_options *options;
    load_progress_fn *progress;
    void *context;
    struct load_worker workers[LOAD_THREADS_MAX];
    int agents[LOAD_THREADS_MAX];
    uint32_t started;
    uint64_t begin_ns, resident;
    struct histogram interval; /* of all workers */
    uint64_t intervals;        /* told */
    enum weir_error failure;   /* of who was told */
    bool stopped;
};

static enum weir_error check(const struct load_options *o) {
    size_t request = o->head.size_max + o->body.size_max;
    if (request > LOAD_REQUEST_MAX)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "a request has at most %u bytes, these could have %zu", LOAD_REQUEST_MAX, request);
    uint64_t want = (uint64_t)o->connections + OWN_DESCRIPTORS, have = sys_descriptors_raise(want);
    if (have < want)
        return weir_error_context(WEIR_E_FULL,
            "%u connections need %llu descriptors, and this process may have %llu: run `ulimit -n %llu` first (as "
            "root, or "
            "raise nofile in /etc/security/limits.conf)",
            o->connections, (unsigned long long)want, (unsigned long long)have, (unsigned long long)want);
    return WEIR_OK;
}

static enum weir_error start(struct run *run) {
    enum weir_error e = WEIR_OK;
    run->resident = run->sys->memory_resident(run->sys);
    for (uint32_t i = 0; i < run->options->threads && e == WEIR_OK; i++) {
        run->agents[i] = -1;
        run->started = i + 1;
        e = load_worker_init(&run->workers[i], run->sys, run->options, i);
    }
    for (uint32_t i = 0; i < run->options->threads && e == WEIR_OK; i++) {
        struct load_worker *w = &run->workers[i];
        e = run->sys->agent_start(
            run->sys, &(struct sys_agent){"load", load_worker_turn, w}, w->poller, &run->agents[i]);
    }
    return e;
}

static void stop(struct run *run) {
    for (uint32_t i = 0; i < run->started; i++)
        run->sys->agent_stop(run->sys, run->agents[i]);
}

/* Tells of an interval that ended at end_ns of the run. */
static void interval_tell(struct run *run, uint64_t end_ns) {
    const struct load_options *o = run->options;
    uint64_t start_ns = run->intervals++ * o->interval_ns;
    if (end_ns <= start_ns) end_ns = start_ns + SYS_NANOS_PER_MS; /* answers of its very beginning */
    if (run->failure == WEIR_OK)
        run->failure = o->on_interval(o->interval_context, start_ns, end_ns - start_ns, &run->interval);
    histogram_reset(&run->interval);
}

/* Those that all workers have ended. */
static void intervals_take(struct run *run) {
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < run->options->threads; i++)
        waiting += load_intervals_wait(&run->workers[i].intervals);
    if (run->options->interval_ns == 0 || waiting < run->options->threads) return;
    for (uint32_t i = 0; i < run->options->threads; i++)
        load_intervals_take(&run->workers[i].intervals, &run->interval);
    interval_tell(run, (run->intervals + 1) * run->options->interval_ns);
}

/* Of workers that have ended: what came behind the last interval's end. */
static void intervals_rest(struct run *run, uint64_t end_ns) {
    if (run->options->interval_ns == 0) return;
    for (uint32_t i = 0; i < run->options->threads; i++)
        load_intervals_rest(&run->workers[i].intervals, &run->interval);
    if (run->interval.count > 0) interval_tell(run, end_ns);
}

static void look(struct run *run, uint64_t *ret_opened, uint32_t *ret_settled, uint32_t *ret_over) {
    uint64_t now = run->sys->mono_ns(run->sys);
    struct load_progress p = {.seconds = -1};
    if (run->begin_ns) p.seconds = now > run->begin_ns ? (double)(now - run->begin_ns) / 1e9 : 0;
    *ret_settled = *ret_over = 0;
    *ret_opened = 0;
    for (uint32_t i = 0; i < run->options->threads; i++) {
        struct load_live *live = &run->workers[i].live;
        uint64_t opened = atomics_load(&live->opened, ACQUIRE);
        *ret_settled += opened > 0;
        *ret_opened += opened > 0 ? opened - 1 : 0;
        *ret_over += atomics_load(&live->is_over, ACQUIRE) > 0;
        p.attempts += atomics_load(&live->attempts, RELAXED);
        p.answered += atomics_load(&live->answered, RELAXED);
        p.failed += atomics_load(&live->failed, RELAXED);
        p.under_way += atomics_load(&live->under_way, RELAXED);
    }
    p.connections = *ret_opened;
    intervals_take(run);
    if (run->stopped || (run->progress(run->context, &p) && run->failure == WEIR_OK)) return;
    run->stopped = true;
    for (uint32_t i = 0; i < run->options->threads; i++)
        atomics_store(&run->workers[i].stop, 1, RELAXED);
}

/* All connections are there, or have failed once. */
static void open_all(struct run *run, struct load_result *result) {
    uint64_t opened = 0;
    uint32_t settled = 0, over = 0;
    while (settled < run->options->threads && !run->stopped) {
        run->sys->pause(run->sys, LOOK_NS);
        look(run, &opened, &settled, &over);
    }
    result->opened = (uint32_t)opened;
}

static void run_through(struct run *run) {
    uint64_t opened;
    uint32_t settled, over = 0;
    run->begin_ns = run->sys->mono_ns(run->sys) + START_NS;
    for (uint32_t i = 0; i < run->options->threads; i++) {
        atomics_store(&run->workers[i].begin_ns, run->begin_ns, RELEASE);
        run->sys->poller_wake(run->sys, run->workers[i].poller);
    }
    while (over < run->options->threads) {
        run->sys->pause(run->sys, LOOK_NS);
        look(run, &opened, &settled, &over);
    }
}

static void gather(struct run *run, struct load_result *result) {
    uint64_t resident = run->sys->memory_resident(run->sys);
    result->memory_bytes = resident > run->resident ? resident - run->resident : 0;
    uint64_t last = run->begin_ns;
    for (uint32_t i = 0; i < run->options->threads; i++) {
        load_result_merge(result, &run->workers[i].result);
        if (run->workers[i].last_ns > last) last = run->workers[i].last_ns;
    }
    result->connections = run->options->connections;
    result->threads = run->options->threads;
    result->seconds = (double)(last - run->begin_ns) / 1e9;
    result->wanted_s = run->options->curve.duration_s;
    intervals_rest(run, last - run->begin_ns);
    result->seed = run->options->seed;
    result->late_max_ns = run->options->late_max_ns;
}

enum weir_error load_run(struct sys *sys, const struct load_options *options, load_progress_fn *progress, void *context,
    struct load_result *result) {
    enum weir_error e = check(options);
    if (e != WEIR_OK) return e;
    void *memory = NULL;
    e = sys_memory_map(sizeof(struct run), &memory);
    if (e != WEIR_OK) return e;
    struct run *run = memory;
    *run = (struct run){.sys = sys, .options = options, .progress = progress, .context = context};
    e = options->interval_ns ? load_histogram_open(&run->interval) : WEIR_OK;
    if (e == WEIR_OK) e = start(run);
    if (e == WEIR_OK) open_all(run, result);
    if (e == WEIR_OK && result->opened > 0) run_through(run);
    stop(run);
    if (e == WEIR_OK) gather(run, result);
    if (e == WEIR_OK) e = run->failure;
    if (e == WEIR_OK && result->opened == 0)
        e = weir_error_context(WEIR_E_CLOSED, "not one of %u connections could be opened: %s", options->connections,
            result->first_failure[0] ? result->first_failure : "stopped");
    for (uint32_t i = 0; i < run->started; i++)
        load_worker_done(&run->workers[i]);
    load_histogram_close(&run->interval);
    sys_memory_unmap(run, sizeof *run);
    return e;
}
