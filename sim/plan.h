/* sim/plan.h: what a seed has in store: the machine, the node's limits, the weather. Pure. */
#ifndef WEIR_SIM_PLAN_H
#define WEIR_SIM_PLAN_H
#include "base/prng.h"
#include "log/log.h"
#include "sys/sim.h"

/* Kinds of weather: swarm testing (Groce et al., ISSTA 2012): runs with few kinds of fault reach what runs with all of
 * them never do, because one fault hides another. */
enum weather {
    WEATHER_CRASHES, /* the process dies, the power is cut: nothing else */
    WEATHER_ERRORS,  /* and the disk says EIO and ENOSPC */
    WEATHER_SLOW,    /* and the disk is slow, threads stall, the clock jumps */
    WEATHER_NETWORK, /* and connections are cut, go silent, dribble */
    WEATHER_STORM,   /* and all of these */
    WEATHER_DAMAGE,  /* and bits rot, reads and writes go astray: what is damaged must be refused by name */
    WEATHER_COUNT
};
const char *weather_name(enum weather weather);

struct plan {
    enum weather weather;
    struct sys_sim_plan world;
    uint32_t rates[SYS_SIM_FAULT_COUNT];
    struct log_options log; /* folder and lanes are set by the run */
    uint32_t lives;
    uint32_t early_percent; /* of lives that die before or soon after they are ready: crashes during recoveries */
    uint32_t steps_max;     /* of clients, in one life */
};
void plan_make(uint64_t seed, struct plan *ret_plan);

#endif
