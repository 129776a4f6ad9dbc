/* The measurement of a disk: what it measures, what it leaves out, and that nothing is left of its file. And the lines
 * of mountinfo it reads. */
#include "sys/commit_cost.h"
#include "sys/disk_facts.h"
#include "sys/test_world.h"

#define SECOND SYS_NANOS_PER_S

/* A disk on which time passes: it is what is measured. */
static int setup_sim(void **state) {
    struct test_world *world = calloc(1, sizeof *world);
    struct sys_sim_plan plan = {.seed = 7, .sync_ns = SYS_NANOS_PER_MS};
    assert_ok(sys_sim_new(&plan, &world->sys));
    snprintf(world->folder, sizeof world->folder, "/t");
    assert_ok(world->sys->dir_make(world->sys, world->folder));
    world->is_sim = true;
    *state = world;
    return 0;
}
#define IN_TIMED_SIM(body)                                                                                             \
    { "sim: " #body, body, setup_sim, world_teardown, NULL }
#define IN_TIMED_BOTH(body) IN_LINUX(body), IN_TIMED_SIM(body)

static bool count_entry(void *ctx, const char *name, bool is_folder) {
    (void)name, (void)is_folder;
    ++*(int *)ctx;
    return true;
}

static void assert_empty(struct test_world *world) {
    int entries = 0;
    assert_ok(world->sys->dir_list(world->sys, world->folder, count_entry, &entries));
    assert_int_equal(entries, 0);
}

static void each_path_is_measured_at_each_size_and_the_file_is_gone(void **state) {
    struct test_world *world = *state;
    struct commit_costs *costs = calloc(1, sizeof *costs);
    struct commit_cost_options options = {.folder = world->folder, .duration_ns = world->is_sim ? SECOND : SECOND / 4};
    assert_ok(commit_cost_measure(world->sys, &options, costs));
    assert_empty(world);
    assert_int_equal(costs->rounds, COMMIT_COST_ROUNDS);
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        if (costs->refused[how]) {
            assert_false(world->is_sim);
            assert_int_not_equal(how, SYS_COMMIT_SYNC);
            assert_true(strlen(costs->why[how]) > 10);
            print_message("# SKIP %s: %s\n", sys_commit_path_name((enum sys_commit_path)how), costs->why[how]);
            continue;
        }
        for (size_t s = 0; s < COMMIT_COST_SIZES; s++) {
            const struct commit_cost *c = &costs->costs[how][s];
            assert_true(c->commits >= costs->rounds);
            assert_true(c->p50_ns <= c->p99_ns);
            assert_true(world->is_sim || (c->per_s > 0 && c->ratio > 0));
            assert_true(c->rounds_ahead <= costs->rounds);
            if (how == SYS_COMMIT_SYNC && !world->is_sim) assert_true(c->ratio == 1);
        }
    }
    free(costs);
}

/* On a disk whose syncs take 1 ms, in virtual time: the figures are exact but for the histogram's steps. */
/* Syncs take 1 ms of virtual time: the figures are exact but for the histogram's steps. */
static void figures_are_those_of_the_disk(void **state) {
    struct test_world *world = *state;
    struct commit_costs *costs = calloc(1, sizeof *costs);
    struct commit_cost_options options = {.folder = world->folder, .duration_ns = SECOND};
    assert_ok(commit_cost_measure(world->sys, &options, costs));
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        for (size_t s = 0; s < COMMIT_COST_SIZES; s++) {
            const struct commit_cost *c = &costs->costs[how][s];
            assert_true(c->p50_ns > 980000 && c->p50_ns < 1020000);
            assert_true(c->per_s > 999 && c->per_s < 1001);
            assert_true(c->ratio > 0.999 && c->ratio < 1.001);
            assert_true(c->commits >= 60 && c->commits <= 120); /* a second; 45 sizes of rounds, two commits a turn */
        }
    }
    free(costs);
}

static enum weir_error (*commit_below)(
    struct sys *, int file, enum sys_commit_path path, uint64_t offset, const void *data, size_t size);
static enum weir_error no_ring(
    struct sys *sys, int file, enum sys_commit_path path, uint64_t offset, const void *data, size_t size) {
    if (path == SYS_COMMIT_URING || path == SYS_COMMIT_URING_DIRECT)
        return weir_error_context(WEIR_E_PERMISSION, "io_uring is forbidden here");
    return commit_below(sys, file, path, offset, data, size);
}

static void what_is_refused_is_named_and_the_rest_measured(void **state) {
    struct test_world *world = *state;
    struct commit_costs *costs = calloc(1, sizeof *costs);
    struct commit_cost_options options = {.folder = world->folder, .duration_ns = SECOND / 10};
    commit_below = world->sys->file_commit;
    world->sys->file_commit = no_ring;
    assert_ok(commit_cost_measure(world->sys, &options, costs));
    world->sys->file_commit = commit_below;
    assert_int_equal(costs->refused[SYS_COMMIT_URING], WEIR_E_PERMISSION);
    assert_non_null(strstr(costs->why[SYS_COMMIT_URING_DIRECT], "forbidden"));
    assert_int_equal(costs->costs[SYS_COMMIT_URING][0].commits, 0);
    assert_true(costs->costs[SYS_COMMIT_SYNC][2].commits > 0);
    assert_empty(world);
    free(costs);
}

/* A disk that fails while it is measured is no disk to choose a way for. */
static void a_disk_error_ends_it_and_leaves_nothing(void **state) {
    struct test_world *world = *state;
    struct commit_costs *costs = calloc(1, sizeof *costs);
    struct commit_cost_options options = {.folder = world->folder, .duration_ns = SECOND / 10};
    const uint64_t moments[] = {1, 2, 3, 50};
    for (size_t i = 0; i < 4; i++) {
        sys_sim_fail_at(world->sys, SYS_SIM_SYNC, moments[i], WEIR_E_IO);
        assert_int_equal(commit_cost_measure(world->sys, &options, costs), WEIR_E_IO);
        assert_empty(world);
    }
    sys_sim_fail_at(world->sys, SYS_SIM_WRITE, 3, WEIR_E_NO_SPACE);
    assert_int_equal(commit_cost_measure(world->sys, &options, costs), WEIR_E_NO_SPACE);
    assert_empty(world);
    free(costs);
}

static bool say_no_later(void *ctx, uint32_t done) {
    uint32_t *last = ctx;
    assert_true(done >= *last && done <= 1000); /* progress goes on */
    *last = done;
    return done < 300;
}

static void it_ends_when_it_is_told_to(void **state) {
    struct test_world *world = *state;
    struct commit_costs *costs = calloc(1, sizeof *costs);
    uint32_t last = 0;
    struct commit_cost_options options = {world->folder, SECOND / 4, say_no_later, &last};
    assert_int_equal(commit_cost_measure(world->sys, &options, costs), WEIR_E_CLOSED);
    assert_true(last >= 300 && last < 400);
    assert_empty(world);
    free(costs);
}

/* ---- mountinfo ----------------------------------------------------------------------------------------------- */
static void mount_lines_are_read_as_the_kernel_writes_them(void **state) {
    (void)state;
    struct disk_facts f = {0};
    uint64_t id = 0;
    assert_true(disk_facts_parse_mount(
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue", &f, &id));
    assert_int_equal(id, 36);
    assert_string_equal(f.type, "ext3");
    assert_string_equal(f.source, "/dev/root");
    assert_string_equal(f.mount, "/mnt2");
    assert_string_equal(f.options, "rw,noatime,rw,errors=continue");
    assert_true(disk_facts_parse_mount("7 1 0:30 / /a\\040b\\134c rw - tmpfs no\\011name rw", &f, &id));
    assert_string_equal(f.mount, "/a b\\c");
    assert_string_equal(f.source, "no\tname");
    assert_true(disk_facts_parse_mount("8 1 0:30 / / rw - overlay overlay", &f, &id)); /* options may be missing */
    assert_string_equal(f.options, "rw");
}

static void lines_that_are_none_change_nothing(void **state) {
    (void)state;
    const char *const lines[] = {"", " ", "36", "36 35 98:0 / /mnt rw", "36 35 98:0 / /mnt rw -",
        "36 35 98:0 / /mnt rw - ext4", "x6 35 98:0 / /mnt rw - ext4 /dev/x rw",
        "36 35 98:0 / /mnt rw master:1 ext4 /dev/x rw"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct disk_facts f = {.type = "before"}, before = f;
        uint64_t id = 99;
        assert_false(disk_facts_parse_mount(lines[i], &f, &id));
        assert_memory_equal(&f, &before, sizeof f);
        assert_int_equal(id, 99);
    }
    static char line[20000];
    memset(line, 'x', sizeof line - 1);
    struct disk_facts f = {0};
    uint64_t id = 0;
    assert_false(disk_facts_parse_mount(line, &f, &id));
}

static void the_disk_of_a_folder_is_found(void **state) {
    struct test_world *world = *state;
    struct disk_facts f;
    assert_ok(disk_facts_read(world->folder, &f));
    assert_true(f.type[0] != 0 && f.mount[0] == '/');
    assert_ok(disk_facts_read("/proc", &f));
    assert_string_equal(f.type, "proc");
    assert_int_equal(disk_facts_read("/nowhere/at/all", &f), WEIR_E_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TIMED_BOTH(each_path_is_measured_at_each_size_and_the_file_is_gone),
        IN_TIMED_SIM(figures_are_those_of_the_disk),
        IN_TIMED_SIM(what_is_refused_is_named_and_the_rest_measured),
        IN_TIMED_SIM(a_disk_error_ends_it_and_leaves_nothing),
        IN_TIMED_BOTH(it_ends_when_it_is_told_to),
        cmocka_unit_test(mount_lines_are_read_as_the_kernel_writes_them),
        cmocka_unit_test(lines_that_are_none_change_nothing),
        IN_LINUX(the_disk_of_a_folder_is_found),
    };
    return cmocka_run_group_tests_name("sys commit_cost", tests, NULL, NULL);
}
