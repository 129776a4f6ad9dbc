/* What would break users of a store in a folder: half an object, a key that leads out of it, an object lost by a power
 * cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "objects/objects.h"
#include "sys/sim.h"

#include <stdio.h>
#include <string.h>

static struct sys *new_world(void) {
    struct sys *sys = NULL;
    assert_int_equal(sys_sim_new(&(struct sys_sim_plan){.seed = 1}, &sys), WEIR_OK);
    return sys;
}

static struct object_store *open_in(struct sys *sys) {
    struct object_store *store = NULL;
    assert_int_equal(object_store_open(sys, &(struct object_store_options){.url = "store"}, &store), WEIR_OK);
    return store;
}

static enum weir_error count_object(void *ctx, const char *key, uint64_t size) {
    char *text = ctx;
    size_t at = strlen(text);
    snprintf(text + at, 256 - at, "%s=%llu;", key, (unsigned long long)size);
    return WEIR_OK;
}

static void what_is_put_is_there_until_it_is_removed(void **state) {
    (void)state;
    struct sys *sys = new_world();
    struct object_store *store = open_in(sys);
    struct weir_slice bytes;
    char seen[256] = "";
    bool exists = true;
    assert_int_equal(store->exists(store, "a/b", &exists), WEIR_OK);
    assert_false(exists);
    assert_int_equal(store->get(store, "a/b", 10, &bytes), WEIR_E_NOT_FOUND);
    assert_int_equal(store->put(store, "a/b", weir_slice_text("first")), WEIR_OK);
    assert_int_equal(store->put(store, "a/b", weir_slice_text("second")), WEIR_OK);
    assert_int_equal(store->put(store, "a/c/d", weir_slice(NULL, 0)), WEIR_OK);
    assert_int_equal(store->put(store, "z", weir_slice_text("z")), WEIR_OK);
    assert_int_equal(store->get(store, "a/b", 10, &bytes), WEIR_OK);
    assert_string_equal((const char *)bytes.data, "second");
    sys_bytes_free(bytes);
    assert_int_equal(store->get(store, "a/b", 5, &bytes), WEIR_E_TOO_LARGE);
    assert_int_equal(store->list(store, "a/", count_object, seen), WEIR_OK);
    assert_string_equal(seen, "a/b=6;a/c/d=0;");
    seen[0] = 0;
    assert_int_equal(store->list(store, "none/", count_object, seen), WEIR_OK);
    assert_string_equal(seen, "");
    assert_int_equal(store->remove(store, "a/b"), WEIR_OK);
    assert_int_equal(store->remove(store, "a/b"), WEIR_OK);
    assert_int_equal(store->exists(store, "a/b", &exists), WEIR_OK);
    assert_false(exists);
    object_store_close(store);
    sys_sim_free(sys);
}

static void a_key_that_is_none_is_refused(void **state) {
    (void)state;
    static const char *const keys[] = {"", "/a", "a/", "a//b", "..", "a/../b", ".", "a b", "a\n", "\xc3\xa9"};
    struct sys *sys = new_world();
    struct object_store *store = open_in(sys);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_false(object_key_valid(keys[i]));
        assert_int_equal(store->put(store, keys[i], weir_slice_text("x")), WEIR_E_INVALID);
    }
    assert_false(object_key_valid("a/...b/..c/1~"));
    assert_true(object_key_valid("a/...b/..c/1-2_3.x"));
    object_store_close(store);
    sys_sim_free(sys);
}

static void a_place_that_is_none_is_refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        "", "file://x", "ftp://a/b", "s3://", "s3://ab", "s3://UPPER/x", "s3://bucket/a//b"};
    struct sys *sys = new_world();
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct object_store *store = NULL;
        const struct object_store_options o = {.url = urls[i], .key_id = "id", .secret = "secret"};
        assert_int_equal(object_store_open(sys, &o, &store), WEIR_E_CONFIG);
    }
    struct object_store *store = NULL;
    const struct object_store_options no_key = {.url = "s3://bucket"},
                                      odd = {"s3://bucket", "host", "r", "id", "secret", 0, 0, 0, 0};
    assert_int_equal(object_store_open(sys, &no_key, &store), WEIR_E_CONFIG);
    assert_int_equal(object_store_open(sys, &odd, &store), WEIR_E_CONFIG);
    sys_sim_free(sys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_there_until_it_is_removed),
        cmocka_unit_test(a_key_that_is_none_is_refused),
        cmocka_unit_test(a_place_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
