#include "sim/shrink.h"
#include "sim/workload.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct verdict {
    int status; /* of the process */
    char failure[SIM_FAILURE_MAX];
};

static void try_it(const struct sim_options *options, struct verdict *verdict) {
    memset(verdict, 0, sizeof *verdict);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int quiet = open("/dev/null", O_WRONLY);
        if (quiet >= 0) dup2(quiet, STDERR_FILENO);
        struct sim_tally tally = {0};
        uint64_t hash;
        _exit(sim_run(options, &tally, verdict->failure, &hash) ? 0 : 1);
    }
    waitpid(child, &verdict->status, 0);
}

/* Times, offsets and numbers differ from one plan to the next. */
static bool same_sentence(const char *a, const char *b) {
    for (;; a++, b++) {
        while (isdigit((unsigned char)*a) || *a == '.')
            a++;
        while (isdigit((unsigned char)*b) || *b == '.')
            b++;
        if (*a != *b) return false;
        if (*a == 0) return true;
    }
}

static bool still_fails(const struct sim_options *options, const struct verdict *original, struct verdict *room) {
    try_it(options, room);
    return room->status != 0 && room->status == original->status && same_sentence(room->failure, original->failure);
}

void shrink(struct sim_options *options) {
    struct verdict *v = mmap(NULL, 2 * sizeof *v, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (v == MAP_FAILED) return;
    try_it(options, &v[0]);
    for (uint32_t f = 0; f < SYS_SIM_FAULT_COUNT; f++) {
        struct sim_options less = *options;
        less.faults_off |= 1u << f;
        if (still_fails(&less, &v[0], &v[1])) *options = less;
    }
    for (uint32_t w = 0; sim_workloads[w] && !options->only; w++) {
        struct sim_options less = *options;
        less.workloads_off |= 1u << w;
        if (still_fails(&less, &v[0], &v[1])) *options = less;
    }
    struct plan plan;
    plan_make(options->seed, &plan);
    for (uint32_t lives = 1; lives < plan.lives; lives++) {
        struct sim_options less = *options;
        less.lives_max = lives;
        if (!still_fails(&less, &v[0], &v[1])) continue;
        *options = less;
        break;
    }
    munmap(v, 2 * sizeof *v);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */
static void flag_of(uint32_t fault, char name[64]) {
    snprintf(name, 64, "%s", sys_sim_fault_name((enum sys_sim_fault)fault));
    for (char *c = name; *c; c++)
        if (*c == ' ') *c = '-';
}

void shrink_print(const struct sim_options *options, char *buf, size_t size) {
    struct plan plan;
    plan_make(options->seed, &plan);
    size_t n = 0;
    const char *before = " --without ";
    buf[0] = 0;
    for (uint32_t f = 0; f < SYS_SIM_FAULT_COUNT && n < size; f++) {
        char name[64];
        flag_of(f, name);
        if (!(options->faults_off >> f & 1) || plan.rates[f] == 0) continue; /* it was not planned anyway */
        n += (size_t)snprintf(buf + n, size - n, "%s%s", before, name);
        before = ",";
    }
    for (uint32_t w = 0; sim_workloads[w] && n < size; w++) {
        if (!(options->workloads_off >> w & 1)) continue;
        n += (size_t)snprintf(buf + n, size - n, "%s%s", before, sim_workloads[w]->name);
        before = ",";
    }
    if (options->lives_max > 0 && n < size) snprintf(buf + n, size - n, " --lives %u", options->lives_max);
}

bool shrink_parse(struct sim_options *options, const char *name) {
    for (uint32_t f = 0; f < SYS_SIM_FAULT_COUNT; f++) {
        char flag[64];
        flag_of(f, flag);
        if (strcmp(flag, name) != 0) continue;
        options->faults_off |= 1u << f;
        return true;
    }
    for (uint32_t w = 0; sim_workloads[w]; w++) {
        if (strcmp(sim_workloads[w]->name, name) != 0) continue;
        options->workloads_off |= 1u << w;
        return true;
    }
    return false;
}
