/* weir-sim: runs seeds for a while on all cores, prints what happened, and for a failure the seed that shows it. Ends
 * with 0: nothing was found; 1: a seed fails; 2: it could not do what it was asked. */
#include "sim/call_trace.h"
#include "sim/shrink.h"
#include "sim/sim.h"
#include "sim/workload.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 64

struct arguments {
    struct sim_options sim; /* seed: the first */
    uint64_t seeds;         /* 0: as many as the time allows */
    uint32_t seconds, workers;
    bool one, many;
};
/* What a worker shares with the process that waits for it. */
struct worker {
    pid_t pid;
    uint64_t seed; /* that it is at: what to name when it is ended by a signal */
    bool failed;
    uint64_t failed_seed;
    uint64_t longest_seed, longest_turns, trace_hash;
    struct sim_tally tally;
    char failure[SIM_FAILURE_MAX];
};
struct shared {
    _Atomic uint64_t next;
    _Atomic bool stop;
    struct worker workers[WORKERS_MAX];
};

static struct sys *machine; /* the real one: its clocks and cores */

static double now_s(void) {
    return (double)machine->mono_ns(machine) / 1e9;
}

static void work(struct shared *shared, struct worker *worker, const struct arguments *a, double until) {
    while (!atomic_load(&shared->stop) && (a->seeds > 0 || now_s() < until)) {
        uint64_t n = atomic_fetch_add(&shared->next, 1);
        if (a->seeds > 0 && n >= a->seeds) return;
        struct sim_options options = a->sim;
        worker->seed = options.seed += n;
        uint64_t before = worker->tally.turns;
        bool good = sim_run(&options, &worker->tally, worker->failure, &worker->trace_hash);
        uint64_t turns = worker->tally.turns - before;
        if (turns > worker->longest_turns) {
            worker->longest_turns = turns;
            worker->longest_seed = worker->seed;
        }
        if (good) continue;
        worker->failed_seed = worker->seed;
        worker->failed = true;
        atomic_store(&shared->stop, true);
    }
}

#define ULL(x) ((unsigned long long)(x))

static void print_report(const struct sim_tally *t, double seconds) {
    uint64_t crashes = t->kills + t->power_cuts;
    printf("seeds %llu in %.1f s: %.1f seeds/s, %.2f simulated hours, %.1f M turns\n", ULL(t->seeds), seconds,
        (double)t->seeds / seconds, (double)t->virtual_ns / 3.6e12, (double)t->turns / 1e6);
    printf(
        "crashes %llu (%.0f in 60 s): kill -9 %llu, power cut %llu; lives %llu, ready again %llu, clean stops %llu\n",
        ULL(crashes), (double)crashes / seconds * 60, ULL(t->kills), ULL(t->power_cuts), ULL(t->lives),
        ULL(t->recoveries), ULL(t->clean_stops));
    printf("ends of its own %llu, starts refused %llu (damage named %llu, repaired %llu), rivals for the folder %llu, "
           "upgrades %llu (refused %llu)\n",
        ULL(t->own_ends), ULL(t->refused_starts), ULL(t->corruption_named), ULL(t->repairs), ULL(t->races),
        ULL(t->upgrades), ULL(t->upgrades_refused));
    printf("lives by journal_write:");
    for (int way = 0; way < SYS_COMMIT_PATHS; way++)
        printf(
            "%s %s %llu", way ? "," : "", sys_commit_path_name((enum sys_commit_path)way), ULL(t->lives_by_way[way]));
    printf("\n");
    printf(
        "requests %llu, answered %llu, in doubt %llu; records checked %llu, against memory %llu, folds derived again "
        "%llu\n",
        ULL(t->requests), ULL(t->answered), ULL(t->in_doubt), ULL(t->records_checked), ULL(t->outputs_checked),
        ULL(t->replays_checked));
    printf(
        "crashes in a fold %llu, snapshots damaged %llu, clean stops looked at for a tail %llu, states derived offline "
        "%llu\n",
        ULL(t->segfaults), ULL(t->snapshots_damaged), ULL(t->tails_checked), ULL(t->states_replayed));
    printf("faults injected:");
    for (int f = 0; f < SYS_SIM_FAULT_COUNT; f++)
        printf("%s %s %llu", f ? "," : "", sys_sim_fault_name((enum sys_sim_fault)f), ULL(t->faults[f]));
    printf("\n");
}

/* The sentence, then the least of the seed's plan that still fails so, and the last calls before it does. */
static void print_failure(const struct sim_options *failed, const char *failure) {
    struct sim_options least = *failed;
    struct plan plan;
    plan_make(failed->seed, &plan);
    printf("seed %llu FAILS (weather: %s): %s\n", ULL(failed->seed), weather_name(plan.weather), failure);
    shrink(&least);
    char without[512], text[SIM_FAILURE_MAX];
    shrink_print(&least, without, sizeof without);
    struct call_trace *end = mmap(NULL, sizeof *end, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (end == MAP_FAILED) return;
    fflush(stdout);
    pid_t child = fork(); /* it may end in an assertion */
    if (child == 0) {
        struct sim_tally tally = {0};
        uint64_t hash;
        least.trace_end = end;
        sim_run(&least, &tally, text, &hash);
        exit(0);
    }
    waitpid(child, NULL, 0);
    printf("the least that still fails; its last calls:\n");
    call_trace_print(end);
    munmap(end, sizeof *end);
    printf("again, with the whole trace: ./x sim --seed %llu%s%s%s --trace\n", ULL(failed->seed),
        failed->only ? " --service " : "", failed->only ? failed->only : "", without);
}

static int run_many(const struct arguments *a) {
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 2;
    double begin = now_s();
    fflush(stdout);
    for (uint32_t i = 0; i < a->workers; i++) {
        struct worker *worker = &shared->workers[i];
        pid_t pid = fork();
        if (pid == 0) {
            work(shared, worker, a, begin + a->seconds);
            exit(0);
        }
        if (pid < 0) {
            fprintf(stderr, "weir-sim: a worker cannot be started: %s\n", strerror(errno));
            atomic_store(&shared->stop, true);
            return 2; /* those that run end after their seed */
        }
        worker->pid = pid; /* the memory is shared: the child must not write its own idea of it */
    }
    struct sim_tally sum = {0};
    bool good = true;
    for (uint32_t i = 0; i < a->workers; i++) {
        struct worker *worker = &shared->workers[i];
        int status = 0;
        waitpid(worker->pid, &status, 0);
        sim_tally_add(&sum, &worker->tally);
        if (!worker->failed && status == 0) continue;
        good = false;
        char text[64];
        if (WIFSIGNALED(status))
            snprintf(text, sizeof text, "ended by signal %d (its words stand above)", WTERMSIG(status));
        else
            snprintf(text, sizeof text, "ended with %d (its words stand above)", WEXITSTATUS(status));
        struct sim_options failed = a->sim;
        failed.seed = worker->failed ? worker->failed_seed : worker->seed;
        print_failure(&failed, worker->failed ? worker->failure : text);
    }
    print_report(&sum, now_s() - begin);
    const struct worker *longest = &shared->workers[0];
    for (uint32_t i = 1; i < a->workers; i++)
        if (shared->workers[i].longest_turns > longest->longest_turns) longest = &shared->workers[i];
    if (a->one)
        printf("trace %016llx\n", ULL(shared->workers[0].trace_hash));
    else
        printf("the longest seed: %llu, %llu turns\n", ULL(longest->longest_seed), ULL(longest->longest_turns));
    if (good && sum.seeds == 0) {
        fprintf(stderr, "weir-sim: no seed was run\n");
        return 2;
    }
    return good ? 0 : 1;
}

/* In this process, so that a debugger meets it. */
static int run_traced(const struct arguments *a) {
    struct sim_tally tally = {0};
    char failure[SIM_FAILURE_MAX];
    uint64_t hash = 0;
    double begin = now_s();
    bool good = sim_run(&a->sim, &tally, failure, &hash);
    if (!good) printf("FAILS: %s\n", failure);
    print_report(&tally, now_s() - begin);
    printf("trace %016llx\n", ULL(hash));
    return good ? 0 : 1;
}

static void usage(FILE *out) {
    fprintf(out,
        "usage: weir-sim [--seed N] [--seeds N] [--seconds S] [--workers N] [--service NAME] [--trace [--from S]]\n"
        "                [--without LIST] [--lives N]\n"
        "  --seed N      one seed; with --seeds or --seconds the first of many\n"
        "  --seeds N     that many; --seconds S (default 60): as many as fit\n"
        "  --service W   only this workload:");
    for (const struct sim_workload *const *w = sim_workloads; *w; w++)
        fprintf(out, " %s", (*w)->name);
    fprintf(out, "\n  --trace       every call and turn of one seed, from second S of its time on\n"
                 "  --without L   faults and workloads of its plan to leave out, as a failure names them; --lives N: "
                 "at most so many\n");
}

static bool leave_out(struct arguments *a, const char *list) {
    while (*list) {
        size_t size = strcspn(list, ",");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)size, list);
        if (!shrink_parse(&a->sim, name)) return false;
        list += size + (list[size] == ',');
    }
    return true;
}

/* False, with a sentence, when it is no number. */
static bool number(const char *flag, const char *text, uint64_t max, uint64_t *ret) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == 0 && errno == 0 && value <= max) {
        *ret = value;
        return true;
    }
    fprintf(stderr, "weir-sim: %s takes a number up to %llu, not '%s'\n", flag, ULL(max), text);
    return false;
}

static bool take_service(struct arguments *a, const char *name) {
    for (const struct sim_workload *const *w = sim_workloads; *w; w++)
        if (strcmp((*w)->name, name) == 0) a->sim.only = (*w)->name;
    if (!a->sim.only) fprintf(stderr, "weir-sim: there is no workload '%s'\n", name);
    return a->sim.only != NULL;
}

static bool take(struct arguments *a, const char *flag, const char *value) {
    uint64_t n = 0;
    if (strcmp(flag, "--service") == 0) return take_service(a, value);
    if (strcmp(flag, "--from") == 0) {
        a->sim.trace_from = (uint64_t)(strtod(value, NULL) * 1e9);
        return true;
    }
    if (strcmp(flag, "--without") == 0) {
        if (leave_out(a, value)) return true;
        fprintf(stderr, "weir-sim: '%s' names something that no plan has\n", value);
        return false;
    }
    if (strcmp(flag, "--seed") == 0) return a->one = number(flag, value, UINT64_MAX, &a->sim.seed);
    if (strcmp(flag, "--seeds") == 0) return a->many = number(flag, value, UINT64_MAX, &a->seeds);
    if (strcmp(flag, "--seconds") == 0) {
        a->many = number(flag, value, UINT32_MAX, &n);
        a->seconds = (uint32_t)n;
        return a->many;
    }
    bool is_workers = strcmp(flag, "--workers") == 0;
    if (!is_workers && strcmp(flag, "--lives") != 0) {
        fprintf(stderr, "weir-sim: there is no flag '%s'\n", flag);
        return false;
    }
    bool good = number(flag, value, is_workers ? WORKERS_MAX : UINT32_MAX, &n);
    *(is_workers ? &a->workers : &a->sim.lives_max) = (uint32_t)n;
    return good;
}

static bool parse(int argc, char **argv, struct arguments *a) {
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i];
        if (strcmp(flag, "--trace") == 0) {
            a->sim.trace = true;
            continue;
        }
        if (i + 1 == argc) {
            fprintf(stderr, "weir-sim: %s takes a value, or is no flag\n", flag);
            return false;
        }
        if (!take(a, flag, argv[++i])) return false;
    }
    a->one = a->one && !a->many;
    if (a->workers == 0) fprintf(stderr, "weir-sim: --workers takes at least 1\n");
    return a->workers >= 1;
}

int main(int argc, char **argv) {
    if (sys_linux_new(&machine) != WEIR_OK) return 2;
    struct arguments a = {.seconds = 60, .workers = sys_core_count()};
    a.sim.seed = machine->wall_ns(machine) / SYS_NANOS_PER_S * 1000;
    if (a.workers > WORKERS_MAX) a.workers = WORKERS_MAX;
    if (!parse(argc, argv, &a)) {
        usage(stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!a.one) printf("from seed %llu on, %u workers\n", ULL(a.sim.seed), a.workers);
    if (a.one) a.seeds = a.workers = 1;
    int code = a.sim.trace ? run_traced(&a) : run_many(&a);
    sys_linux_free(machine);
    return code;
}
