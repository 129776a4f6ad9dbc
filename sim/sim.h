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

struct sim_options;
struct sim_workload;
struct audit;

/* What happened, for the report; added up over seeds. */
struct sim_tally {
    uint64_t seeds, lives, recoveries, kills, power_cuts, clean_stops, own_ends, refused_starts, races;
    uint64_t virtual_ns, turns, requests, answered, in_doubt, records_checked, outputs_checked, replays_checked;
    uint64_t corruption_named, repairs, upgrades, upgrades_refused;
    uint64_t segfaults, snapshots_damaged, tails_checked, states_replayed;
    uint64_t lives_by_way[SYS_COMMIT_PATHS]; /* how the journal was written */
    uint64_t faults[SYS_SIM_FAULT_COUNT];
};

static inline void sim_tally_add(struct sim_tally *sum, const struct sim_tally *tally) {
    const uint64_t *from = (const uint64_t *)(const void *)tally;
    uint64_t *to = (uint64_t *)(void *)sum;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

/* What `log repair` said it gave up of a partition. */
struct sim_gap {
    char topic[LOG_TOPIC_NAME_MAX + 1];
    uint32_t partition;
    uint64_t from, to; /* inclusive */
};

struct sim {
    uint64_t seed;
    const struct sim_options *options;
    struct plan plan;
    struct prng prng;
    struct sys *sys;
    struct node node;
    const struct sim_workload *workloads[SIM_WORKLOADS_MAX];
    void *states[SIM_WORKLOADS_MAX];
    uint32_t workload_count;
    struct audit *audit;
    struct sim_tally tally;
    uint64_t harms;          /* done to files between two lives (sim_harm()) */
    uint64_t damages_mended; /* of sim_damages_ever(): those that were there when `log repair` was done */
    struct sim_gap *gaps;
    uint32_t gap_count;
    bool frames_given_up; /* and journal frames whose content nobody knows: they were the end of their partitions */
    bool calm;            /* no faults happen in this life, and everything must come right */
    bool failed;
    char failure[SIM_FAILURE_MAX];
};

struct sim_options {
    uint64_t seed;
    const char *only; /* a workload's name; NULL: those the seed chooses */
    /* What is left out of the seed's plan, to find the least that still fails: bits of enum sys_sim_fault, bits of
     * sim_workloads' rows, and how many lives at most (0: as planned). */
    uint32_t faults_off, workloads_off, lives_max;
    bool trace;                   /* every call and turn to stdout */
    uint64_t trace_from;          /* elapsed ns */
    struct call_trace *trace_end; /* gets the last calls of a run, up to its failure; NULL: nobody wants them */
};
/* True: nothing was found wrong. ret_failure (SIM_FAILURE_MAX) gets the sentence otherwise; ret_hash the hash of the
 * whole trace. Adds to the tally. */
bool sim_run(const struct sim_options *options, struct sim_tally *tally, char *ret_failure, uint64_t *ret_hash);

/* configure.c: what an operator can do with a configuration before a start. Leaves the settings as they are. */
struct settings;
void sim_check_settings(struct sim *sim, struct settings *settings, const struct weir_service *const *services);

/* Something is wrong: the first sentence is kept, the run ends soon after. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* All damage so far; and what may still be met, done since the last repair. What damage cost stays lost. */
static inline uint64_t sim_damages_ever(const struct sim *sim) {
    return sys_sim_damages(sim->sys) + sim->harms;
}
static inline uint64_t sim_damages(const struct sim *sim) {
    return sim_damages_ever(sim) - sim->damages_mended;
}
static inline bool sim_given_up(const struct sim *sim, const char *topic, uint32_t partition, uint64_t offset) {
    for (uint32_t i = 0; i < sim->gap_count; i++) {
        const struct sim_gap *g = &sim->gaps[i];
        if (g->partition == partition && g->from <= offset && offset <= g->to && strcmp(g->topic, topic) == 0)
            return true;
    }
    return false;
}
static inline uint64_t sim_now_ns(const struct sim *sim) {
    return sys_sim_elapsed_ns(sim->sys);
}
/* An index below count, an event with that chance in a hundred. One draw in a full expression at most, or && || ?: ,
 * between them: C leaves open which argument, operand or initializer is evaluated first, and compilers and machines
 * differ. */
static inline uint32_t sim_pick(struct sim *sim, uint32_t count) {
    return (uint32_t)prng_below(&sim->prng, count);
}
static inline bool sim_percent(struct sim *sim, uint32_t percent) {
    return prng_below(&sim->prng, 100) < percent;
}
/* Of each workload, in the calm: how many new requests it begins and carries through. Now and then more than the node
 * has room for at once: room that is not given back is missed then. */
#define SIM_CALM_REQUESTS_MAX 200u
static inline uint32_t sim_calm_requests(struct sim *sim) {
    return sim_percent(sim, 10) ? SIM_CALM_REQUESTS_MAX : 1 + sim_pick(sim, 8);
}

#endif
