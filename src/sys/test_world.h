/* sys/test_world.h: the two worlds for tests that hold in both. A test body takes a `struct test_world *` as its state;
 * IN_BOTH(body) registers it once per implementation. Each test has a fresh folder of its own. */
#ifndef WEIR_SYS_TEST_WORLD_H
#define WEIR_SYS_TEST_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/sim.h"

struct test_world {
    struct sys *sys;
    char folder[64];
    bool is_sim;
};

static inline int world_setup_linux(void **state) {
    struct test_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    snprintf(world->folder, sizeof world->folder, "/tmp/weir-sys-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    assert_int_equal(sys_linux_new(&world->sys), WEIR_OK);
    *state = world;
    return 0;
}

static inline int world_setup_sim(void **state) {
    struct test_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    struct sys_sim_plan plan = {.seed = 7};
    assert_int_equal(sys_sim_new(&plan, &world->sys), WEIR_OK);
    snprintf(world->folder, sizeof world->folder, "/t");
    assert_int_equal(world->sys->dir_make(world->sys, world->folder), WEIR_OK);
    world->is_sim = true;
    *state = world;
    return 0;
}

struct world_path { /* the folder that is being emptied */
    struct sys *sys;
    const char *path;
};

static inline bool world_empty(void *ctx, const char *name, bool is_folder) {
    struct world_path *at = ctx;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", at->path, name);
    if (!is_folder) {
        assert_int_equal(at->sys->path_unlink(at->sys, path), WEIR_OK);
        return true;
    }
    struct world_path below = {at->sys, path};
    assert_int_equal(at->sys->dir_list(at->sys, path, world_empty, &below), WEIR_OK);
    assert_int_equal(at->sys->dir_remove(at->sys, path), WEIR_OK);
    return true;
}

static inline int world_teardown(void **state) {
    struct test_world *world = *state;
    if (world->is_sim) {
        sys_sim_free(world->sys);
    } else {
        struct world_path at = {world->sys, world->folder};
        assert_int_equal(world->sys->dir_list(world->sys, world->folder, world_empty, &at), WEIR_OK);
        assert_int_equal(world->sys->dir_remove(world->sys, world->folder), WEIR_OK);
        sys_linux_free(world->sys);
    }
    free(world);
    return 0;
}

#define IN_LINUX(body)                                                                                                 \
    { "linux: " #body, body, world_setup_linux, world_teardown, NULL }
#define IN_SIM(body)                                                                                                   \
    { "sim: " #body, body, world_setup_sim, world_teardown, NULL }
#define IN_BOTH(body) IN_LINUX(body), IN_SIM(body)

#define assert_ok(call) assert_int_equal((call), WEIR_OK)

/* A path in the test's folder; valid until the fourth next call. */
static inline const char *world_path(const struct test_world *world, const char *name) {
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", world->folder, name);
    return path;
}

static inline int world_create(struct test_world *world, const char *name) {
    int file = -1;
    assert_ok(world->sys->file_open(
        world->sys, world_path(world, name), SYS_OPEN_READ | SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file));
    return file;
}

static inline enum weir_error world_write(struct sys *sys, int file, uint64_t offset, const void *data, size_t size) {
    struct sys_iovec part = {(void *)(uintptr_t)data, size};
    return sys->file_write(sys, file, offset, &part, 1);
}

#endif
