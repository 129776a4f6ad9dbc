/* What the layers above rely on from files and names, in both worlds. */
#include "sys/test_world.h"

static void written_parts_are_read_back_in_order(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = world_create(world, "f");
    char a[] = "one", b[] = "", c[] = "three";
    struct sys_iovec parts[] = {{a, 3}, {b, 0}, {c, 5}, {NULL, 0}};
    assert_ok(sys->file_write(sys, file, 2, parts, 4));
    char got[32];
    size_t size = 0;
    assert_ok(sys->file_read(sys, file, 0, got, sizeof got, &size));
    assert_int_equal(size, 10);
    assert_memory_equal(got, "\0\0onethree", 10); /* a hole reads as zeros */
    uint64_t total = 0;
    assert_ok(sys->file_size(sys, file, &total));
    assert_int_equal(total, 10);
    assert_ok(sys->file_sync(sys, file));
    sys->file_close(sys, file);
}

static void a_write_of_very_many_parts_is_whole(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = world_create(world, "f");
    static uint8_t bytes[1024 * 97], got[sizeof bytes + 1];
    static struct sys_iovec parts[1024];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    for (size_t i = 0; i < 1024; i++)
        parts[i] = (struct sys_iovec){bytes + i * 97, 97};
    assert_ok(sys->file_write(sys, file, 0, parts, 1024));
    size_t size = 0;
    assert_ok(sys->file_read(sys, file, 0, got, sizeof got, &size));
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(got, bytes, sizeof bytes);
    sys->file_close(sys, file);
}

static void reading_at_the_end_is_short_and_behind_it_empty(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = world_create(world, "f");
    assert_ok(world_write(sys, file, 0, "abcdef", 6));
    char got[8];
    size_t size = 99;
    assert_ok(sys->file_read(sys, file, 4, got, sizeof got, &size));
    assert_int_equal(size, 2);
    assert_memory_equal(got, "ef", 2);
    assert_ok(sys->file_read(sys, file, 6, got, sizeof got, &size));
    assert_int_equal(size, 0);
    assert_ok(sys->file_read(sys, file, 1000, got, sizeof got, &size));
    assert_int_equal(size, 0);
    sys->file_close(sys, file);
}

static void truncated_bytes_do_not_come_back(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = world_create(world, "f");
    static uint8_t bytes[10000], got[10000], zeros[10000];
    memset(bytes, 0xAB, sizeof bytes);
    assert_ok(world_write(sys, file, 0, bytes, sizeof bytes));
    assert_ok(sys->file_truncate(sys, file, 100));
    assert_ok(sys->file_truncate(sys, file, sizeof bytes));
    size_t size = 0;
    assert_ok(sys->file_read(sys, file, 0, got, sizeof got, &size));
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(got, bytes, 100);
    assert_memory_equal(got + 100, zeros, sizeof got - 100);
    sys->file_close(sys, file);
}

static void allocating_grows_with_zeros_and_keeps_content(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = world_create(world, "f");
    assert_ok(world_write(sys, file, 0, "abc", 3));
    assert_ok(sys->file_allocate(sys, file, 0, 8192));
    uint64_t total = 0;
    assert_ok(sys->file_size(sys, file, &total));
    assert_int_equal(total, 8192);
    assert_ok(sys->file_allocate(sys, file, 0, 10)); /* never shrinks */
    assert_ok(sys->file_size(sys, file, &total));
    assert_int_equal(total, 8192);
    char got[5];
    size_t size = 0;
    assert_ok(sys->file_read(sys, file, 0, got, sizeof got, &size));
    assert_memory_equal(got, "abc\0\0", 5);
    sys->file_writeback(sys, file, 0, 8192);
    sys->file_forget(sys, file, 0, 8192);
    assert_ok(sys->file_read(sys, file, 0, got, sizeof got, &size));
    assert_memory_equal(got, "abc\0\0", 5);
    sys->file_close(sys, file);
}

static void open_flags_do_what_they_say(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = 1234;
    const char *path = world_path(world, "f");
    assert_int_equal(sys->file_open(sys, path, SYS_OPEN_READ, &file), WEIR_E_NOT_FOUND);
    assert_int_equal(file, 1234); /* outputs are untouched on failure */
    assert_non_null(strstr(weir_error_text(), path));
    assert_ok(sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_EXCLUSIVE, &file));
    assert_ok(world_write(sys, file, 0, "abc", 3));
    sys->file_close(sys, file);
    assert_int_equal(
        sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_EXCLUSIVE, &file), WEIR_E_EXISTS);
    assert_ok(sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file));
    uint64_t total = 0;
    assert_ok(sys->file_size(sys, file, &total));
    assert_int_equal(total, 3);
    sys->file_close(sys, file);
    assert_ok(sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_TRUNCATE, &file));
    assert_ok(sys->file_size(sys, file, &total));
    assert_int_equal(total, 0);
    sys->file_close(sys, file);
    assert_int_equal(
        sys->file_open(sys, world_path(world, "no/f"), SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file), WEIR_E_NOT_FOUND);
    assert_int_equal(sys->file_open(sys, world->folder, SYS_OPEN_WRITE, &file), WEIR_E_INVALID);
    sys->file_close(sys, -1); /* none */
}

static void a_rename_replaces_its_target(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int old = world_create(world, "old"), new = world_create(world, "new");
    assert_ok(world_write(sys, old, 0, "old", 3));
    assert_ok(world_write(sys, new, 0, "newer", 5));
    assert_ok(sys->path_rename(sys, world_path(world, "new"), world_path(world, "old")));
    bool exists = true;
    assert_ok(sys->path_exists(sys, world_path(world, "new"), &exists));
    assert_false(exists);
    struct weir_slice bytes;
    assert_ok(sys_read_all(sys, world_path(world, "old"), 100, &bytes));
    assert_int_equal(bytes.size, 5);
    assert_memory_equal(bytes.data, "newer", 5);
    sys_bytes_free(bytes);
    char got[3];
    size_t size = 0;
    assert_ok(sys->file_read(sys, old, 0, got, 3, &size)); /* an open file outlives its name */
    assert_memory_equal(got, "old", 3);
    sys->file_close(sys, old);
    sys->file_close(sys, new);
    assert_int_equal(sys->path_rename(sys, world_path(world, "gone"), world_path(world, "x")), WEIR_E_NOT_FOUND);
    assert_non_null(strstr(weir_error_text(), world_path(world, "gone")));
}

static void folders_are_made_removed_and_refuse_when_not_empty(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    assert_ok(sys->dir_make(sys, world_path(world, "d")));
    assert_ok(sys->dir_make(sys, world_path(world, "d"))); /* there already is fine */
    sys->file_close(sys, world_create(world, "d/f"));
    assert_int_equal(sys->dir_remove(sys, world_path(world, "d")), WEIR_E_CONFLICT);
    assert_int_equal(sys->path_unlink(sys, world_path(world, "d")), WEIR_E_INVALID);
    assert_int_equal(sys->dir_make(sys, world_path(world, "d/f")), WEIR_E_EXISTS);
    assert_int_equal(sys->dir_remove(sys, world_path(world, "d/f")), WEIR_E_NOT_FOUND);
    assert_ok(sys->path_unlink(sys, world_path(world, "d/f")));
    assert_int_equal(sys->path_unlink(sys, world_path(world, "d/f")), WEIR_E_NOT_FOUND);
    assert_ok(sys->dir_sync(sys, world_path(world, "d")));
    assert_ok(sys->dir_remove(sys, world_path(world, "d")));
    assert_int_equal(sys->dir_sync(sys, world_path(world, "d")), WEIR_E_NOT_FOUND);
    assert_int_equal(sys->dir_make(sys, world_path(world, "no/d")), WEIR_E_NOT_FOUND);
}

struct listing {
    char text[128];
    size_t stop_after;
};

static bool list_entry(void *ctx, const char *name, bool is_folder) {
    struct listing *listing = ctx;
    size_t used = strlen(listing->text);
    snprintf(listing->text + used, sizeof listing->text - used, "%s%s ", name, is_folder ? "/" : "");
    return listing->stop_after == 0 || --listing->stop_after > 0;
}

static void a_listing_is_in_name_order_and_can_be_stopped(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    static const char *const names[] = {"b", "a10", "a2", "Z", "c"};
    for (size_t i = 0; i < 5; i++)
        sys->file_close(sys, world_create(world, names[i]));
    assert_ok(sys->dir_make(sys, world_path(world, "ba")));
    struct listing listing = {0};
    assert_ok(sys->dir_list(sys, world->folder, list_entry, &listing));
    assert_string_equal(listing.text, "Z a10 a2 b ba/ c ");
    struct listing first = {.stop_after = 2};
    assert_ok(sys->dir_list(sys, world->folder, list_entry, &first));
    assert_string_equal(first.text, "Z a10 ");
    assert_int_equal(sys->dir_list(sys, world_path(world, "no"), list_entry, &first), WEIR_E_NOT_FOUND);
}

static void a_lock_keeps_a_second_handle_out_until_it_is_closed(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int first = world_create(world, "lock"), second = world_create(world, "lock");
    assert_ok(sys->file_lock(sys, first));
    assert_ok(sys->file_lock(sys, first));
    assert_int_equal(sys->file_lock(sys, second), WEIR_E_LOCKED);
    assert_non_null(strstr(weir_error_text(), world_path(world, "lock")));
    assert_non_null(strstr(weir_error_text(), "another process"));
    sys->file_close(sys, first);
    assert_ok(sys->file_lock(sys, second));
    sys->file_close(sys, second);
}

static void a_replaced_file_is_whole_and_leaves_no_temporary(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    const char *path = world_path(world, "settings");
    assert_ok(sys_replace_file(sys, path, weir_slice_text("first, longer")));
    assert_ok(sys_replace_file(sys, path, weir_slice_text("second")));
    struct weir_slice bytes;
    assert_ok(sys_read_all(sys, path, 6, &bytes));
    assert_true(weir_slice_equal(bytes, weir_slice_text("second")));
    sys_bytes_free(bytes);
    assert_int_equal(sys_read_all(sys, path, 5, &bytes), WEIR_E_TOO_LARGE);
    assert_ok(sys_replace_file(sys, path, weir_slice("", 0)));
    assert_ok(sys_read_all(sys, path, 5, &bytes));
    assert_int_equal(bytes.size, 0);
    sys_bytes_free(bytes);
    struct listing listing = {0};
    assert_ok(sys->dir_list(sys, world->folder, list_entry, &listing));
    assert_string_equal(listing.text, "settings ");
}

static void folders_are_made_with_their_parents(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    assert_ok(sys_make_folders(sys, world_path(world, "a//b/c/")));
    assert_ok(sys_make_folders(sys, world_path(world, "a/b/c")));
    bool exists = false;
    assert_ok(sys->path_exists(sys, world_path(world, "a/b/c"), &exists));
    assert_true(exists);
    sys->file_close(sys, world_create(world, "a/f"));
    enum weir_error e = sys_make_folders(sys, world_path(world, "a/f/g"));
    assert_int_not_equal(e, WEIR_OK);
    assert_int_equal(sys_make_folders(sys, ""), WEIR_E_INVALID);
}

static void free_space_is_told(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct sys_disk_space space = {0};
    assert_ok(sys->disk_space(sys, world->folder, &space));
    assert_true(space.bytes_total > 0);
    assert_true(space.bytes_free <= space.bytes_total);
    assert_int_equal(sys->disk_space(sys, world_path(world, "no"), &space), WEIR_E_NOT_FOUND);
}

static void clocks_go_on_and_randomness_differs(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    uint64_t before = sys->mono_ns(sys);
    assert_true(sys->mono_ns(sys) >= before);
    assert_true(sys->wall_ns(sys) > 1700000000ull * SYS_NANOS_PER_S);
    uint8_t a[32] = {0}, b[32] = {0};
    sys->random(sys, a, sizeof a);
    sys->random(sys, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* Linux alone: what has no place in the simulator. */
static void denied_access_is_named_as_such(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = -1;
    /* The kernel denies writing here even to the superuser. */
    enum weir_error e = sys->file_open(sys, "/proc/version", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file);
    if (!e) sys->file_close(sys, file);
    if (geteuid() != 0) assert_int_equal(e, WEIR_E_PERMISSION);
    assert_int_equal(sys->dir_make(sys, "/proc/weir"), WEIR_E_NOT_FOUND);
}

static void a_full_disk_is_told_from_a_broken_one(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    int file = -1;
    enum weir_error e = sys->file_open(sys, "/dev/full", SYS_OPEN_WRITE, &file);
    if (e) skip();
    assert_int_equal(world_write(sys, file, 0, "x", 1), WEIR_E_NO_SPACE);
    assert_non_null(strstr(weir_error_text(), "/dev/full"));
    assert_non_null(strstr(weir_error_text(), "free space"));
    sys->file_close(sys, file);
}

static void mapped_memory_is_zero_and_an_absurd_amount_is_an_error(void **state) {
    (void)state;
    void *memory = NULL;
    assert_ok(sys_memory_map(1 << 20, &memory));
    const uint8_t *bytes = memory;
    assert_int_equal(bytes[0] | bytes[(1 << 20) - 1], 0);
    sys_memory_unmap(memory, 1 << 20);
    assert_int_equal(sys_memory_map(SIZE_MAX - (1 << 20), &memory), WEIR_E_NO_MEMORY);
    assert_true(sys_core_count() >= 1);
    struct sys *sys;
    assert_ok(sys_linux_new(&sys));
    assert_true(sys->memory_resident(sys) > 0);
    struct sys_memory_usage before, mapped, after;
    sys->memory_usage(sys, &before);
    assert_ok(sys_memory_map(1 << 20, &memory));
    sys->memory_usage(sys, &mapped);
    sys_memory_unmap(memory, 1 << 20);
    sys->memory_usage(sys, &after);
    assert_true(before.resident_bytes > 0 && before.heap_bytes <= before.heap_held_bytes);
    assert_int_equal(mapped.mapped_bytes, before.mapped_bytes + (1 << 20));
    assert_int_equal(after.mapped_bytes, before.mapped_bytes);
    sys_linux_free(sys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BOTH(written_parts_are_read_back_in_order),
        IN_BOTH(a_write_of_very_many_parts_is_whole),
        IN_BOTH(reading_at_the_end_is_short_and_behind_it_empty),
        IN_BOTH(truncated_bytes_do_not_come_back),
        IN_BOTH(allocating_grows_with_zeros_and_keeps_content),
        IN_BOTH(open_flags_do_what_they_say),
        IN_BOTH(a_rename_replaces_its_target),
        IN_BOTH(folders_are_made_removed_and_refuse_when_not_empty),
        IN_BOTH(a_listing_is_in_name_order_and_can_be_stopped),
        IN_BOTH(a_lock_keeps_a_second_handle_out_until_it_is_closed),
        IN_BOTH(a_replaced_file_is_whole_and_leaves_no_temporary),
        IN_BOTH(folders_are_made_with_their_parents),
        IN_BOTH(free_space_is_told),
        IN_BOTH(clocks_go_on_and_randomness_differs),
        IN_LINUX(denied_access_is_named_as_such),
        IN_LINUX(a_full_disk_is_told_from_a_broken_one),
        cmocka_unit_test(mapped_memory_is_zero_and_an_absurd_amount_is_an_error),
    };
    return cmocka_run_group_tests_name("sys file", tests, NULL, NULL);
}
