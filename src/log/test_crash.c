/* Crash sweeps on the simulated world: the process dies, or the power is cut, at every n-th call of a kind in a whole
 * short life of a log; then it is opened again, and dies again inside that recovery; then everything acknowledged must
 * be there. */
#include "log/test_world.h"

#define LIFE_COMMITS 26

/* How the journal is written; the second half of a life, and what comes after it, go on in the next way. */
static uint32_t first_way = SYS_COMMIT_SYNC;

/* One life: open, write with checkpoints between, stop cleanly in the middle, open again, write on. False: it died. */
static bool live(struct world *w) {
    for (int half = 0; half < 2; half++) {
        w->options.journal_write = (enum sys_commit_path)((first_way + (uint32_t)half) % SYS_COMMIT_PATHS);
        if (world_open(w)) return false;
        world_check(w);
        for (int i = 0; i < LIFE_COMMITS; i++) {
            world_commit(w, 1 + (uint32_t)prng_below(&w->prng, 24));
            sys_sim_run(w->sys, 1 + prng_below(&w->prng, 5));
            world_take(w);
            if (i % 9 == 5) log_checkpoint_soon(w->log);
            if (sys_sim_dead(w->sys)) return false;
        }
        world_run(w);
        if (half == 0) {
            log_stop(w->log);
            log_close(w->log);
            w->log = NULL;
        }
        if (sys_sim_dead(w->sys)) return false;
    }
    return true;
}

/* Opens after a crash, dying at the m-th call of the recovery if m is not 0. */
static void recover_and_check(struct world *w, uint64_t n, uint64_t m, bool process_only) {
    if (m > 0) {
        sys_sim_fail_at(w->sys, SYS_SIM_ANY, m, WEIR_E_CLOSED);
        if (world_open(w) == WEIR_OK) world_crash(w, process_only);
        if (w->log || sys_sim_dead(w->sys) || w->dead) sys_sim_crash(w->sys, !process_only);
    }
    sys_sim_fail_at(w->sys, SYS_SIM_ANY, 0, WEIR_OK);
    enum weir_error e = world_open(w);
    if (e)
        fail_msg("crash at call %llu, again at %llu of the recovery: %s: %s", (unsigned long long)n,
            (unsigned long long)m, weir_error_name(e), weir_error_text());
    world_check(w);
    world_commit(w, 10);
    world_run(w);
    assert_int_equal(w->inputs[0].acked, w->inputs[0].submitted);
    world_check(w);
}

static uint64_t count_calls(enum sys_sim_call kind) {
    struct world w;
    world_init(&w, 7);
    assert_true(live(&w));
    uint64_t calls = sys_sim_calls(w.sys, kind);
    world_done(&w);
    return calls;
}

static void sweep(enum sys_sim_call kind, uint64_t step, bool process_only) {
    uint64_t calls = count_calls(kind), deaths = 0;
    for (uint64_t n = 1; n <= calls; n += step) {
        struct world w;
        world_init(&w, 7);
        sys_sim_fail_at(w.sys, kind, n, WEIR_E_CLOSED);
        deaths += !live(&w);
        if (w.log)
            world_crash(&w, process_only);
        else
            sys_sim_crash(w.sys, process_only);
        recover_and_check(&w, n, n % 5 == 0 ? 0 : 1 + n * 7 % 60, process_only);
        world_done(&w);
    }
    assert_true(deaths > 0);
}

static void a_power_cut_at_any_call_loses_nothing_acknowledged(void **state) {
    (void)state;
    sweep(SYS_SIM_ANY, 1, false);
}
static void a_killed_process_at_any_call_loses_nothing_acknowledged(void **state) {
    (void)state;
    sweep(SYS_SIM_ANY, 3, true);
}
static void a_power_cut_at_any_sync_rename_or_folder_sync_loses_nothing(void **state) {
    (void)state;
    sweep(SYS_SIM_SYNC, 1, false);
    sweep(SYS_SIM_RENAME, 1, false);
    sweep(SYS_SIM_DIR_SYNC, 1, false);
}

static void the_same_holds_for_each_way_to_write_the_journal(void **state) {
    (void)state;
    for (first_way = 0; first_way < SYS_COMMIT_PATHS; first_way++) {
        sweep(SYS_SIM_ANY, 5, false);
        sweep(SYS_SIM_ANY, 17, true);
        sweep(SYS_SIM_SYNC, 3, false);
    }
    first_way = SYS_COMMIT_SYNC;
}

static void many_seeds_of_random_crashes_lose_nothing(void **state) {
    (void)state;
    const char *seeds = getenv("WEIR_SEEDS"), *first = getenv("WEIR_SEED");
    uint64_t from = first ? strtoull(first, NULL, 10) : 1, count = seeds ? strtoull(seeds, NULL, 10) : first ? 1 : 60;
    for (uint64_t seed = from; seed < from + count; seed++) {
        struct world w;
        fprintf(
            stderr, "seed %llu\n", (unsigned long long)seed); /* the one that failed stays: WEIR_SEED=it repeats it */
        world_init(&w, seed);
        for (int life = 0; life < 5; life++) {
            first_way = (uint32_t)prng_below(&w.prng, SYS_COMMIT_PATHS);
            sys_sim_fail_at(w.sys, SYS_SIM_ANY, 1 + prng_below(&w.prng, 400), WEIR_E_CLOSED);
            (void)live(&w);
            bool process_only = prng_chance(&w.prng, 1, 3);
            if (w.log)
                world_crash(&w, process_only);
            else
                sys_sim_crash(w.sys, process_only);
        }
        sys_sim_fail_at(w.sys, SYS_SIM_ANY, 0, WEIR_OK);
        enum weir_error e = world_open(&w);
        if (e) fail_msg("seed %llu: %s: %s", (unsigned long long)seed, weir_error_name(e), weir_error_text());
        world_check(&w);
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_at_any_call_loses_nothing_acknowledged),
        cmocka_unit_test(a_killed_process_at_any_call_loses_nothing_acknowledged),
        cmocka_unit_test(a_power_cut_at_any_sync_rename_or_folder_sync_loses_nothing),
        cmocka_unit_test(the_same_holds_for_each_way_to_write_the_journal),
        cmocka_unit_test(many_seeds_of_random_crashes_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
