/* file_commit() by each of its paths: in both worlds what it writes is there and failures are told; in the simulated
 * one, what it makes durable and what it does not. */
#include "base/prng.h"
#include "sys/test_world.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#define BLOCK SYS_DIRECT_BLOCK

static uint8_t *aligned; /* BLOCKS_MAX blocks that O_DIRECT can read from */
#define BLOCKS_MAX 8

static int map_blocks(void **state) {
    (void)state;
    void *memory = NULL;
    assert_ok(sys_memory_map(BLOCKS_MAX * BLOCK, &memory));
    aligned = memory;
    return 0;
}

static int unmap_blocks(void **state) {
    (void)state;
    sys_memory_unmap(aligned, BLOCKS_MAX * BLOCK);
    return 0;
}

static enum weir_error open_for(struct sys *sys, const char *path, enum sys_commit_path how, int *ret_file) {
    uint32_t flags = SYS_OPEN_READ | SYS_OPEN_WRITE | SYS_OPEN_CREATE;
    return sys->file_open(sys, path, flags | (sys_commit_is_direct(how) ? SYS_OPEN_DIRECT : 0), ret_file);
}

static enum weir_error commit(
    struct sys *sys, int file, enum sys_commit_path how, uint64_t offset, int byte, size_t blocks) {
    memset(aligned, byte, blocks * BLOCK);
    return sys->file_commit(sys, file, how, offset, aligned, blocks * BLOCK);
}

static bool is_refused(enum weir_error e) {
    return e == WEIR_E_INVALID || e == WEIR_E_UNSUPPORTED || e == WEIR_E_PERMISSION;
}

static void what_each_path_writes_is_there_for_others(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        const char *path = world_path(world, sys_commit_path_name((enum sys_commit_path)how));
        static uint8_t got[5 * BLOCK];
        int file = -1;
        size_t size = 0;
        enum weir_error e = open_for(sys, path, (enum sys_commit_path)how, &file);
        if (!e) e = commit(sys, file, (enum sys_commit_path)how, 0, 'a', 3);
        if (is_refused(e) && !world->is_sim) {
            print_message("# SKIP %s: %s\n", sys_commit_path_name((enum sys_commit_path)how), weir_error_text());
            sys->file_close(sys, file);
            continue;
        }
        assert_ok(e);
        assert_ok(commit(sys, file, (enum sys_commit_path)how, BLOCK, 'b', 3));
        int other = -1; /* not past the page cache */
        assert_ok(sys->file_open(sys, path, SYS_OPEN_READ, &other));
        assert_ok(sys->file_read(sys, other, 0, got, sizeof got, &size));
        assert_int_equal(size, 4 * BLOCK);
        assert_int_equal(got[0], 'a');
        for (size_t i = BLOCK; i < size; i++)
            assert_int_equal(got[i], 'b');
        sys->file_close(sys, other);
        sys->file_close(sys, file);
    }
}

static void names_of_paths_are_read_as_they_are_written(void **state) {
    (void)state;
    enum sys_commit_path how = SYS_COMMIT_PATHS;
    for (int i = 0; i < SYS_COMMIT_PATHS; i++) {
        assert_true(sys_commit_path_parse(sys_commit_path_name((enum sys_commit_path)i), &how));
        assert_int_equal(how, i);
    }
    assert_false(sys_commit_path_parse("", &how));
    assert_false(sys_commit_path_parse("synced", &how));
}

/* ---- failures on Linux --------------------------------------------------------------------------------------- */
static bool ring_is_refused(struct test_world *world) {
    int file = world_create(world, "ring");
    enum weir_error e = commit(world->sys, file, SYS_COMMIT_URING, 0, 'x', 1);
    world->sys->file_close(world->sys, file);
    if (is_refused(e)) print_message("# SKIP io_uring: %s\n", weir_error_text());
    return is_refused(e);
}

static void a_write_that_fails_is_told_by_each_path(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = -1;
    if (sys->file_open(sys, "/dev/full", SYS_OPEN_WRITE, &file)) skip();
    assert_int_equal(commit(sys, file, SYS_COMMIT_SYNC, 0, 'x', 1), WEIR_E_NO_SPACE);
    assert_int_equal(commit(sys, file, SYS_COMMIT_DSYNC, 0, 'x', 1), WEIR_E_INVALID); /* it knows no O_DSYNC */
    if (!ring_is_refused(world)) {
        assert_int_equal(commit(sys, file, SYS_COMMIT_URING, 0, 'x', 1), WEIR_E_NO_SPACE);
        assert_non_null(strstr(weir_error_text(), "io_uring"));
        assert_non_null(strstr(weir_error_text(), "/dev/full"));
    }
    sys->file_close(sys, file);
}

/* /dev/null takes every write whole and has no sync. */
static void a_sync_that_fails_behind_a_whole_write_is_told(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = -1;
    if (sys->file_open(sys, "/dev/null", SYS_OPEN_WRITE, &file)) skip();
    assert_int_not_equal(commit(sys, file, SYS_COMMIT_SYNC, 0, 'x', 1), WEIR_OK);
    if (!ring_is_refused(world)) {
        assert_int_not_equal(commit(sys, file, SYS_COMMIT_URING, 0, 'x', 1), WEIR_OK);
        assert_non_null(strstr(weir_error_text(), "sync"));
        int good = world_create(world, "good"); /* one failure does not hurt the ring */
        assert_ok(commit(sys, good, SYS_COMMIT_URING, 0, 'x', 2));
        sys->file_close(sys, good);
    }
    sys->file_close(sys, file);
}

/* At the limit of file sizes a write is short, and the rest of it fails. */
static void a_write_that_is_cut_short_is_no_success(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct rlimit before, low;
    bool ring = !ring_is_refused(world);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 3 * BLOCK + 512;
    signal(SIGXFSZ, SIG_IGN);
    for (int how = SYS_COMMIT_SYNC; how <= SYS_COMMIT_URING; how++) {
        if (how == SYS_COMMIT_DIRECT || (how == SYS_COMMIT_URING && !ring)) continue;
        int file = world_create(world, sys_commit_path_name((enum sys_commit_path)how));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
        enum weir_error inside = commit(sys, file, (enum sys_commit_path)how, 0, 'x', 3);
        enum weir_error across = commit(sys, file, (enum sys_commit_path)how, BLOCK, 'y', 4);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        uint64_t size = 0;
        assert_ok(sys->file_size(sys, file, &size));
        sys->file_close(sys, file);
        assert_ok(inside);
        assert_int_equal(across, WEIR_E_IO);
        assert_int_equal(size, 3 * BLOCK + 512); /* so it was short, not refused as a whole */
    }
    signal(SIGXFSZ, SIG_DFL);
}

struct committer {
    struct sys *sys;
    int file;
    uint8_t *block;
    enum weir_error error;
};

static void *commit_many(void *arg) {
    struct committer *c = arg;
    for (uint64_t i = 0; i < 40 && !c->error; i++)
        c->error = c->sys->file_commit(c->sys, c->file, SYS_COMMIT_URING, i * BLOCK, c->block, BLOCK);
    return NULL;
}

static void two_threads_get_each_their_own_completions(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    if (ring_is_refused(world)) skip();
    struct committer all[2] = {{sys, world_create(world, "a"), aligned, WEIR_OK}, {sys, -1, aligned + BLOCK, WEIR_OK}};
    assert_ok(sys->file_open(sys, "/dev/full", SYS_OPEN_WRITE, &all[1].file));
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, commit_many, &all[i]), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(all[0].error, WEIR_OK);
    assert_int_equal(all[1].error, WEIR_E_NO_SPACE);
    uint64_t size = 0;
    assert_ok(sys->file_size(sys, all[0].file, &size));
    assert_int_equal(size, 40 * BLOCK);
    for (size_t i = 0; i < 2; i++)
        sys->file_close(sys, all[i].file);
}

static void a_file_system_without_direct_writes_is_named(void **state) {
    struct test_world *world = *state;
    int file = -1;
    enum weir_error e =
        world->sys->file_open(world->sys, "/proc/self/comm", SYS_OPEN_READ | SYS_OPEN_DIRECT, &file); /* has none */
    assert_int_equal(e, WEIR_E_INVALID);
    assert_non_null(strstr(weir_error_text(), "O_DIRECT"));
}

/* ---- the simulated disk -------------------------------------------------------------------------------------- */
static struct sys *sim_start(struct sys_sim_plan plan) {
    struct sys *sys = NULL;
    assert_ok(sys_sim_new(&plan, &sys));
    assert_ok(sys->dir_make(sys, "d"));
    assert_ok(sys->dir_sync(sys, "/"));
    return sys;
}

static int sim_create(struct sys *sys, enum sys_commit_path how) {
    int file = -1;
    assert_ok(open_for(sys, "d/f", how, &file));
    assert_ok(sys->dir_sync(sys, "d"));
    return file;
}

static size_t sim_content(struct sys *sys, uint8_t *got, size_t size) {
    struct weir_slice bytes;
    assert_ok(sys_read_all(sys, "d/f", size, &bytes));
    size_t whole = bytes.size;
    memcpy(got, bytes.data, whole);
    sys_bytes_free(bytes);
    return whole;
}

static void with_o_dsync_only_its_own_bytes_are_durable(void **state) {
    (void)state;
    const enum sys_commit_path narrow[] = {SYS_COMMIT_DSYNC, SYS_COMMIT_DIRECT, SYS_COMMIT_URING_DIRECT};
    uint8_t got[8 * BLOCK];
    for (size_t i = 0; i < 3; i++) {
        struct sys *sys = sim_start((struct sys_sim_plan){.seed = 1});
        int file = sim_create(sys, narrow[i]);
        memset(got, 'o', sizeof got);
        assert_ok(world_write(sys, file, 0, got, 5 * BLOCK));
        assert_ok(commit(sys, file, narrow[i], BLOCK, 'n', 2));
        sys_sim_crash(sys, false);
        assert_int_equal(sim_content(sys, got, sizeof got), 3 * BLOCK); /* as far as its bytes need it */
        assert_int_equal(got[0], 0);
        assert_int_equal(got[BLOCK], 'n');
        assert_int_equal(got[3 * BLOCK - 1], 'n');
        sys_sim_free(sys);
    }
}

static void with_fdatasync_the_whole_file_is_durable(void **state) {
    (void)state;
    uint8_t got[8 * BLOCK];
    for (int i = 0; i < 2; i++) {
        enum sys_commit_path how = i ? SYS_COMMIT_URING : SYS_COMMIT_SYNC;
        struct sys *sys = sim_start((struct sys_sim_plan){.seed = 1});
        int file = sim_create(sys, how);
        memset(got, 'o', sizeof got);
        assert_ok(world_write(sys, file, 0, got, 5 * BLOCK));
        assert_ok(commit(sys, file, how, BLOCK, 'n', 2));
        sys_sim_crash(sys, false);
        assert_int_equal(sim_content(sys, got, sizeof got), 5 * BLOCK);
        assert_int_equal(got[0], 'o');
        assert_int_equal(got[BLOCK], 'n');
        assert_int_equal(got[4 * BLOCK], 'o');
        sys_sim_free(sys);
    }
}

static void past_the_page_cache_alone_nothing_is_durable(void **state) {
    (void)state;
    uint8_t got[BLOCK];
    struct sys *sys = sim_start((struct sys_sim_plan){.seed = 1});
    int file = sim_create(sys, SYS_COMMIT_DIRECT);
    memset(aligned, 'x', BLOCK);
    assert_ok(world_write(sys, file, 0, aligned, BLOCK)); /* O_DIRECT without O_DSYNC: in the disk's cache */
    sys_sim_crash(sys, false);
    assert_int_equal(sim_content(sys, got, sizeof got), 0);
    sys_sim_free(sys);
}

static void each_commit_can_fail_as_a_write_and_as_a_sync(void **state) {
    (void)state;
    uint8_t got[4 * BLOCK];
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        for (int as_sync = 0; as_sync < 2; as_sync++) {
            struct sys *sys = sim_start((struct sys_sim_plan){.seed = 1});
            int file = sim_create(sys, (enum sys_commit_path)how);
            sys_sim_fail_at(sys, as_sync ? SYS_SIM_SYNC : SYS_SIM_WRITE, 1, WEIR_E_IO);
            assert_int_equal(commit(sys, file, (enum sys_commit_path)how, 0, 'x', 1), WEIR_E_IO);
            assert_ok(commit(sys, file, (enum sys_commit_path)how, 2 * BLOCK, 'y', 1)); /* does not save the first */
            sys_sim_crash(sys, false);
            assert_int_equal(sim_content(sys, got, sizeof got), 3 * BLOCK);
            if (as_sync) assert_int_equal(got[0], 0);
            assert_int_equal(got[2 * BLOCK], 'y');
            sys_sim_free(sys);
        }
    }
}

/* Random writes, commits, truncations and crashes of one file against what may stand in each block: the last value that
 * was committed, or one written since. */
struct model {
    uint32_t may[BLOCKS_MAX]; /* bit v: value v */
};

static void model_step(struct sys *sys, int plain, int direct, struct prng *p, struct model *m) {
    uint64_t first = prng_below(p, BLOCKS_MAX), blocks = 1 + prng_below(p, BLOCKS_MAX - first);
    int value = (int)prng_between(p, 1, 30);
    enum sys_commit_path how = (enum sys_commit_path)prng_below(p, SYS_COMMIT_PATHS);
    bool commits = prng_chance(p, 1, 3);
    if (commits) {
        assert_ok(commit(sys, sys_commit_is_direct(how) ? direct : plain, how, first * BLOCK, value, (size_t)blocks));
    } else {
        memset(aligned, value, BLOCKS_MAX * BLOCK);
        assert_ok(world_write(sys, plain, first * BLOCK, aligned, (size_t)blocks * BLOCK));
    }
    for (uint64_t i = first; i < first + blocks; i++)
        m->may[i] = commits ? 1u << value : m->may[i] | 1u << value;
}

static void model_check(struct sys *sys, struct model *m) {
    static uint8_t got[BLOCKS_MAX * BLOCK];
    memset(got, 0, sizeof got);
    (void)sim_content(sys, got, sizeof got);
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        uint32_t seen = 0;
        for (size_t k = 0; k < BLOCK; k++)
            seen |= 1u << got[i * BLOCK + k];
        if (seen & ~m->may[i]) fail_msg("block %zu holds values %x; there may be %x", i, seen, m->may[i]);
        m->may[i] = seen; /* what there is now is durable */
    }
}

static void what_is_committed_stays_whatever_waits_around_it(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct prng p = prng_seed(seed);
        struct sys *sys = sim_start((struct sys_sim_plan){.seed = seed,
            .keep_unsynced_percent = (uint32_t)prng_below(&p, 101),
            .tear_percent = (uint32_t)prng_below(&p, 101)});
        struct model m;
        for (size_t i = 0; i < BLOCKS_MAX; i++)
            m.may[i] = 1; /* zeros */
        for (int life = 0; life < 5; life++) {
            int plain = sim_create(sys, SYS_COMMIT_SYNC), direct = sim_create(sys, SYS_COMMIT_DIRECT);
            for (int step = 0; step < 12; step++)
                model_step(sys, plain, direct, &p, &m);
            sys_sim_crash(sys, false);
            model_check(sys, &m);
        }
        sys_sim_free(sys);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BOTH(what_each_path_writes_is_there_for_others),
        cmocka_unit_test(names_of_paths_are_read_as_they_are_written),
        IN_LINUX(a_write_that_fails_is_told_by_each_path),
        IN_LINUX(a_sync_that_fails_behind_a_whole_write_is_told),
        IN_LINUX(a_write_that_is_cut_short_is_no_success),
        IN_LINUX(two_threads_get_each_their_own_completions),
        IN_LINUX(a_file_system_without_direct_writes_is_named),
        cmocka_unit_test(with_o_dsync_only_its_own_bytes_are_durable),
        cmocka_unit_test(with_fdatasync_the_whole_file_is_durable),
        cmocka_unit_test(past_the_page_cache_alone_nothing_is_durable),
        cmocka_unit_test(each_commit_can_fail_as_a_write_and_as_a_sync),
        cmocka_unit_test(what_is_committed_stays_whatever_waits_around_it),
    };
    return cmocka_run_group_tests_name("sys commit", tests, map_blocks, unmap_blocks);
}
