#include "sim/plan.h"

#define KB 1024u

static const char *const weather_names[WEATHER_COUNT] = {
    [WEATHER_CRASHES] = "crashes",
    [WEATHER_ERRORS] = "disk errors",
    [WEATHER_SLOW] = "slow disk",
    [WEATHER_NETWORK] = "bad network",
    [WEATHER_STORM] = "storm",
    [WEATHER_DAMAGE] = "damage",
};

const char *weather_name(enum weather weather) {
    return weather_names[weather];
}

static uint64_t one_of(struct prng *p, const uint64_t *values, uint64_t count) {
    return values[prng_below(p, count)];
}

/* Each fault of a kind of weather comes in one of three strengths, or not at all. */
static void rate(struct plan *plan, struct prng *p, enum sys_sim_fault fault, uint32_t usual) {
    static const uint64_t strengths[] = {0, 1, 4, 20};
    plan->rates[fault] = (uint32_t)(usual * one_of(p, strengths, 4));
}

static void disk_errors(struct plan *plan, struct prng *p) {
    rate(plan, p, SYS_SIM_FAULT_READ, 50);
    rate(plan, p, SYS_SIM_FAULT_WRITE, 50);
    rate(plan, p, SYS_SIM_FAULT_SYNC, 100);
    rate(plan, p, SYS_SIM_FAULT_NAME, 50);
    rate(plan, p, SYS_SIM_FAULT_SPACE, 100);
}

static void slowness(struct plan *plan, struct prng *p) {
    rate(plan, p, SYS_SIM_FAULT_SLOW, 500);
    rate(plan, p, SYS_SIM_FAULT_STALL, 100);
    rate(plan, p, SYS_SIM_FAULT_CLOCK, 50);
}

static void bad_network(struct plan *plan, struct prng *p) {
    rate(plan, p, SYS_SIM_FAULT_CUT, 1000);
    rate(plan, p, SYS_SIM_FAULT_HALF_OPEN, 300);
    rate(plan, p, SYS_SIM_FAULT_DRIBBLE, 1000);
}

static void make_weather(struct plan *plan, struct prng *p) {
    static const uint8_t odds[WEATHER_COUNT] = {35, 17, 12, 12, 12, 12}; /* of a hundred */
    uint64_t drawn = prng_below(p, 100);
    plan->weather = WEATHER_CRASHES;
    while (drawn >= odds[plan->weather])
        drawn -= odds[plan->weather++];
    rate(plan, p, SYS_SIM_FAULT_DIE, 200);
    if (plan->weather == WEATHER_ERRORS || plan->weather == WEATHER_STORM) disk_errors(plan, p);
    if (plan->weather == WEATHER_SLOW || plan->weather == WEATHER_STORM) slowness(plan, p);
    if (plan->weather == WEATHER_NETWORK || plan->weather == WEATHER_STORM) bad_network(plan, p);
    if (plan->weather == WEATHER_DAMAGE) {
        rate(plan, p, SYS_SIM_FAULT_ROT, 20);
        rate(plan, p, SYS_SIM_FAULT_READ_WRONG, 50);
        rate(plan, p, SYS_SIM_FAULT_WRITE_WRONG, 50);
    }
}

static void make_world(struct plan *plan, struct prng *p) {
    static const uint64_t chances[] = {0, 20, 50, 80, 100}, syncs[] = {30000, 300000, 4000000};
    struct sys_sim_plan *w = &plan->world;
    w->seed = prng_next(p);
    w->keep_unsynced_percent = (uint32_t)one_of(p, chances, 5);
    w->tear_percent = (uint32_t)one_of(p, chances, 5);
    w->keep_entry_percent = (uint32_t)one_of(p, chances, 5);
    w->sync_ns = one_of(p, syncs, 3);
    w->write_ns = w->sync_ns / 20;
    w->turn_ns = 2000;
}

/* Small enough that every mechanism of the log works in every run: files roll, checkpoints are due, bounds are met. */
static void make_log(struct plan *plan, struct prng *p) {
    static const uint64_t segments[] = {8 * KB, 32 * KB, 256 * KB}, checkpoints[] = {32 * KB, 96 * KB, 256 * KB};
    struct log_options *o = &plan->log;
    log_options_default(o);
    o->folder = "data";
    o->partitions_max = 64;
    o->commit_bytes_max = 128 * KB;
    o->batch_bytes_max = 96 * KB;
    o->output_bytes_max = 4096 * KB;
    o->journal_file_bytes = 192 * KB;
    o->journal_bytes_max = (4 + prng_below(p, 5)) * o->journal_file_bytes;
    o->checkpoint_bytes = one_of(p, checkpoints, 3);
    o->segment_bytes = one_of(p, segments, 3);
    o->commits_per_lane = (uint32_t)prng_between(p, 4, 10);
    o->disk_reserve_bytes = 0;
}

void plan_make(uint64_t seed, struct plan *ret_plan) {
    struct prng p = prng_seed(seed);
    *ret_plan = (struct plan){0};
    make_world(ret_plan, &p);
    make_weather(ret_plan, &p);
    make_log(ret_plan, &p);
    ret_plan->lives = (uint32_t)prng_between(&p, 3, 9);
    static const uint64_t early[] = {0, 10, 40, 70};
    ret_plan->early_percent = (uint32_t)one_of(&p, early, 4);
    if (ret_plan->early_percent >= 40) ret_plan->lives *= 2;
    ret_plan->steps_max = (uint32_t)prng_between(&p, 20, 300);
}
