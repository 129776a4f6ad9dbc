/* sim/sim.h: one simulated world: a node, its clients, what may befall them, and the verdict.
 *
 * Everything is a function of the seed. sim_run() makes a plan from it (plan.h), then lets one life of the node after
 * another begin and end while workloads (workload.h) act as its clients; after every recovery they and the auditor
 * (audit.h) look for what must not be. The first thing found is the run's failure.
 *
 * Threads: one. Memory: malloc, given back at the end of a run.
 */
#ifndef WEIR_SIM_SIM_H
#define WEIR_SIM_SIM_H
#include "base/assert.h"
#include "base/prng.h"
#include "sim/node.h"
#include "sim/plan.h"
#include "sys/sim.h"

#include <stdarg.h>
#include <stdio.h>

#define SIM_WORKLOADS_MAX 16
#define SIM_FAILURE_MAX   2048

struct sim_workload;
struct audit;

/* What happened, for the report; added up over seeds. */
struct sim_tally {
    uint64_t seeds, lives, recoveries, kills, power_cuts, clean_stops, own_ends, refused_starts, races;
    uint64_t virtual_ns, turns, requests, answered, in_doubt, records_checked, outputs_checked, replays_checked;
    uint64_t corruption_named, upgrades, upgrades_refused;
    uint64_t segfaults, snapshots_damaged, tails_checked, states_replayed;
    uint64_t faults[SYS_SIM_FAULT_COUNT];
};

struct sim {
    uint64_t seed;
    struct plan plan;
    struct prng prng;
    struct sys *sys;
    struct node node;
    const struct sim_workload *workloads[SIM_WORKLOADS_MAX];
    void *states[SIM_WORKLOADS_MAX];
    uint32_t workload_count;
    struct audit *audit;
    struct sim_tally tally;
    bool calm; /* no faults happen in this life, and everything must come right */
    bool failed;
    char failure[SIM_FAILURE_MAX];
};

struct sim_options {
    uint64_t seed;
    const char *only;    /* a workload's name; NULL: those the seed chooses */
    bool trace;          /* every call and turn to stdout */
    uint64_t trace_from; /* elapsed ns */
};
/* True: nothing was found wrong. ret_failure (SIM_FAILURE_MAX) gets the sentence otherwise; ret_hash the hash of the
 * whole trace. Adds to the tally. */
bool sim_run(const struct sim_options *options, struct sim_tally *tally, char *ret_failure, uint64_t *ret_hash);

/* configure.c: what an operator can do with a configuration before a start. Leaves the settings as they are. */
struct settings;
void sim_check_settings(struct sim *sim, struct settings *settings, const struct weir_service *const *services);

/* Something is wrong: the first sentence is kept, the run ends soon after. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline uint64_t sim_now_ns(const struct sim *sim) {
    return sys_sim_elapsed_ns(sim->sys);
}
/* An index below count, an event with that chance in a hundred. */
static inline uint32_t sim_pick(struct sim *sim, uint32_t count) {
    return (uint32_t)prng_below(&sim->prng, count);
}
static inline bool sim_percent(struct sim *sim, uint32_t percent) {
    return prng_below(&sim->prng, 100) < percent;
}

#endif
