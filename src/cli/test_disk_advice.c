/* What follows from a disk's facts and figures: each trap is named, certain ones are called unsafe, and the way to
 * write that is recommended was faster beyond noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/disk_advice.h"

#include <stdio.h>
#include <string.h>

static const struct disk_facts plain = {.type = "ext4",
    .source = "/dev/nvme0n1p2",
    .mount = "/",
    .options = "rw,relatime",
    .device = "nvme0n1p2",
    .write_back = 1};

/* All ways cost the same: 100 us. */
static struct commit_costs even(void) {
    struct commit_costs costs = {.rounds = 9};
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        for (size_t s = 0; s < COMMIT_COST_SIZES; s++)
            costs.costs[how][s] = (struct commit_cost){90, 100000, 200000, 10000, 1, how == 0 ? 0 : 4};
    }
    return costs;
}

static struct disk_advice advise(struct disk_facts facts, struct commit_costs costs) {
    struct disk_advice a;
    disk_advise(&facts, &costs, UINT64_MAX, &a);
    return a;
}

/* The level of the item that says so; -1: none does. */
static int level_of(const struct disk_advice *a, const char *words) {
    for (uint32_t i = 0; i < a->count; i++)
        if (strstr(a->items[i].text, words)) return (int)a->items[i].level;
    return -1;
}

static void a_plain_disk_gets_no_warning_and_stays_with_sync(void **state) {
    (void)state;
    struct disk_advice a = advise(plain, even());
    assert_false(a.unsafe);
    assert_int_equal(a.best, SYS_COMMIT_SYNC);
    for (uint32_t i = 0; i < a.count; i++)
        assert_int_equal(a.items[i].level, ADVICE_NOTE);
    assert_int_equal(level_of(&a, "only a power cut would prove"), ADVICE_NOTE);
}

static void what_certainly_loses_is_called_unsafe_and_gets_no_other_way(void **state) {
    (void)state;
    const struct {
        const char *type, *options, *device;
    } unsafe[] = {{"tmpfs", "rw", ""}, {"ramfs", "rw", ""}, {"overlay", "rw,lowerdir=/a,volatile", ""},
        {"ext4", "rw,nobarrier", "sda1"}, {"ext4", "barrier=0,rw", "sda1"}, {"f2fs", "rw,fsync_mode=nobarrier", "sda1"},
        {"ext4", "rw", "zram0"}, {"ext4", "rw", "ram1"}};
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        struct disk_facts f = plain;
        struct commit_costs costs = even();
        costs.costs[SYS_COMMIT_DIRECT][0].ratio = 3;
        costs.costs[SYS_COMMIT_DIRECT][0].rounds_ahead = 9;
        snprintf(f.type, sizeof f.type, "%s", unsafe[i].type);
        snprintf(f.options, sizeof f.options, "%s", unsafe[i].options);
        snprintf(f.device, sizeof f.device, "%s", unsafe[i].device);
        struct disk_advice a = advise(f, costs);
        assert_true(a.unsafe);
        assert_int_equal(a.best, SYS_COMMIT_SYNC);
    }
}

static void options_are_whole_words_and_a_disk_without_a_cache_needs_no_barrier(void **state) {
    (void)state;
    struct disk_facts f = plain;
    snprintf(f.options, sizeof f.options, "rw,lowerdir=/nobarrier,xnobarrier,barrier=01,async");
    struct disk_advice a = advise(f, even());
    assert_false(a.unsafe);
    assert_int_equal(level_of(&a, "mounted"), -1);
    snprintf(f.options, sizeof f.options, "rw,nobarrier");
    f.write_back = 0;
    a = advise(f, even());
    assert_false(a.unsafe);
    assert_int_equal(level_of(&a, "nobarrier"), ADVICE_NOTE);
}

static void where_another_machine_answers_it_stays_with_sync(void **state) {
    (void)state;
    const char *const types[] = {"nfs4", "9p", "virtiofs", "fuse.sshfs", "fuse", "cifs"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct disk_facts f = plain;
        struct commit_costs costs = even();
        costs.costs[SYS_COMMIT_DSYNC][0].ratio = 5;
        costs.costs[SYS_COMMIT_DSYNC][0].rounds_ahead = 9;
        snprintf(f.type, sizeof f.type, "%s", types[i]);
        struct disk_advice a = advise(f, costs);
        assert_int_equal(a.best, SYS_COMMIT_SYNC);
        assert_int_equal(level_of(&a, "server or host"), ADVICE_WARNING);
    }
}

static void traps_of_file_systems_and_devices_are_named(void **state) {
    (void)state;
    const struct {
        const char *type, *device, *words;
    } traps[] = {{"btrfs", "", "chattr +C"}, {"zfs", "", "sync=disabled"}, {"vfat", "sdb1", "no journal of its own"},
        {"overlay", "", "mount a volume"}, {"ext4", "loop3", "a file on another disk"}, {"", "", "not known"}};
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        struct disk_facts f = plain;
        snprintf(f.type, sizeof f.type, "%s", traps[i].type);
        snprintf(f.device, sizeof f.device, "%s", traps[i].device);
        struct disk_advice a = advise(f, even());
        assert_int_equal(level_of(&a, traps[i].words), ADVICE_WARNING);
        assert_false(a.unsafe);
    }
}

static void syncs_that_are_too_fast_are_doubted_only_as_far_as_can_be_known(void **state) {
    (void)state;
    struct disk_facts f = plain;
    struct commit_costs costs = even();
    struct commit_cost *sync = &costs.costs[SYS_COMMIT_SYNC][0];
    sync->p50_ns = 2000;
    struct disk_advice a = advise(f, costs);
    assert_int_equal(level_of(&a, "no disk answers as fast"), ADVICE_WARNING);
    sync->p50_ns = 15000;
    a = advise(f, costs);
    assert_int_equal(level_of(&a, "protected against a power cut"), ADVICE_NOTE);
    f.rotational = 1;
    sync->p50_ns = 300000;
    a = advise(f, costs);
    assert_int_equal(level_of(&a, "spinning disk"), ADVICE_WARNING);
    snprintf(f.device, sizeof f.device, "vdb");
    a = advise(f, costs);
    assert_int_equal(level_of(&a, "spinning disk"), -1); /* its host says so of every disk */
    f = plain;
    f.rotational = 1;
    sync->p50_ns = 8000000;
    a = advise(f, costs);
    assert_int_equal(level_of(&a, "spinning disk"), -1);
    assert_false(a.unsafe);
}

static void little_space_is_told(void **state) {
    (void)state;
    struct commit_costs costs = even();
    struct disk_advice a;
    disk_advise(&plain, &costs, 100u << 20, &a);
    assert_int_equal(level_of(&a, "MB are free"), ADVICE_WARNING);
}

/* A way that is better: 1.5 times at small commits in all rounds. */
static struct commit_costs with_better(enum sys_commit_path how) {
    struct commit_costs costs = even();
    costs.costs[how][0].ratio = 1.5;
    costs.costs[how][0].rounds_ahead = 9;
    return costs;
}

static void what_is_faster_beyond_noise_is_recommended_with_its_figures(void **state) {
    (void)state;
    for (int how = SYS_COMMIT_DSYNC; how < SYS_COMMIT_PATHS; how++) {
        struct disk_advice a = advise(plain, with_better((enum sys_commit_path)how));
        assert_int_equal(a.best, how);
        assert_non_null(strstr(a.reason, "1.50 x"));
        assert_non_null(strstr(a.reason, "9 of 9 rounds"));
    }
}

static void what_is_not_clearly_better_is_not_recommended(void **state) {
    (void)state;
    struct commit_costs costs = with_better(SYS_COMMIT_DIRECT);
    costs.costs[SYS_COMMIT_DIRECT][0].ratio = 1.09; /* too little */
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_SYNC);
    costs = with_better(SYS_COMMIT_DIRECT);
    costs.costs[SYS_COMMIT_DIRECT][0].rounds_ahead = 7; /* too seldom */
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_SYNC);
    costs = with_better(SYS_COMMIT_DIRECT);
    costs.costs[SYS_COMMIT_DIRECT][0].p99_ns = 301000; /* a longer tail */
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_SYNC);
    costs = with_better(SYS_COMMIT_DIRECT);
    costs.costs[SYS_COMMIT_DIRECT][2].ratio = 0.8; /* slower elsewhere */
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_SYNC);
    costs = with_better(SYS_COMMIT_DIRECT);
    costs.refused[SYS_COMMIT_DIRECT] = WEIR_E_INVALID; /* not possible */
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_SYNC);
}

static void of_two_that_are_alike_the_plainer_one_is_recommended(void **state) {
    (void)state;
    struct commit_costs costs = with_better(SYS_COMMIT_DSYNC);
    costs.costs[SYS_COMMIT_URING][0].ratio = 1.55;
    costs.costs[SYS_COMMIT_URING][0].rounds_ahead = 9;
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_DSYNC);
    costs.costs[SYS_COMMIT_URING][0].ratio = 1.7;
    assert_int_equal(advise(plain, costs).best, SYS_COMMIT_URING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_disk_gets_no_warning_and_stays_with_sync),
        cmocka_unit_test(what_certainly_loses_is_called_unsafe_and_gets_no_other_way),
        cmocka_unit_test(options_are_whole_words_and_a_disk_without_a_cache_needs_no_barrier),
        cmocka_unit_test(where_another_machine_answers_it_stays_with_sync),
        cmocka_unit_test(traps_of_file_systems_and_devices_are_named),
        cmocka_unit_test(syncs_that_are_too_fast_are_doubted_only_as_far_as_can_be_known),
        cmocka_unit_test(little_space_is_told),
        cmocka_unit_test(what_is_faster_beyond_noise_is_recommended_with_its_figures),
        cmocka_unit_test(what_is_not_clearly_better_is_not_recommended),
        cmocka_unit_test(of_two_that_are_alike_the_plainer_one_is_recommended),
    };
    return cmocka_run_group_tests_name("cli disk_advice", tests, NULL, NULL);
}
