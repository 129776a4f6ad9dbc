/* A reload of services' settings while lanes run: a record in each partition, in the order the reloads came, and the
 * same state in every replay. */
#include "host/test_world.h"

static struct settings *with_limit(const char *limit) {
    struct settings *settings = NULL;
    must(settings_new(test_services, &settings));
    must(settings_set(settings, "left.limit", limit, "test"));
    return settings;
}

static void reload(struct world *w, const struct settings *next) {
    must(host_reload_check(w->host, next));
    host_reload(w->host, next);
}

static void expect_limit(struct world *w, uint64_t limit) {
    for (uint32_t p = 0; p < 2; p++) {
        assert_int_equal(world_state(w, 0, p)->limit, limit);
        assert_int_equal(world_partition(w, 0, p)->fold.in_force.values[1].number, limit);
    }
}

static struct test_value add(uint64_t key, uint64_t amount) {
    return (struct test_value){OP_ADD, 1, key, amount};
}

static void a_change_is_a_record_of_each_partition_and_survives_crashes(void **state) {
    (void)state;
    for (uint32_t lanes = 1; lanes <= 2; lanes++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct world w;
            world_init(&w, seed);
            world_open(&w, lanes);
            must(world_send(&w, 0, 0, 0, add(1, 1), 1));
            world_run(&w);
            uint64_t records = world_state(&w, 0, 0)->settings_seen;
            struct settings *next = with_limit("5");
            reload(&w, next);
            must(world_send(&w, 0, 0, 1, add(2, 1), 2));
            world_run(&w);
            assert_true(host_reload_taken(w.host));
            expect_limit(&w, 5);
            assert_int_equal(world_state(&w, 0, 0)->settings_seen, records + 1);
            assert_int_equal(world_state(&w, 1, 0)->settings_seen, world_state(&w, 1, 1)->settings_seen);
            uint64_t digests[2] = {world_state(&w, 0, 0)->digest, world_state(&w, 0, 1)->digest};
            world_crash(&w, seed % 2);
            settings_free(next);
            must(settings_set(w.settings, "left.limit", "5", "the file"));
            world_open(&w, lanes);
            world_run(&w);
            expect_limit(&w, 5);
            /* What was applied before the crash is applied again; a start that may have lost input adds its own record.
             */
            assert_true(world_state(&w, 0, 0)->settings_seen >= records + 1);
            if (world_state(&w, 0, 0)->settings_seen == records + 1)
                for (uint32_t p = 0; p < 2; p++)
                    assert_int_equal(world_state(&w, 0, p)->digest, digests[p]);
            world_stop(&w);
            world_done(&w);
        }
}

/* The record is appended behind a commit that is on its way to the disk, and not applied. */
static bool is_under_way(struct world *w, const struct settings *settings) {
    for (uint32_t p = 0; p < 2; p++) {
        const struct host_partition *left = world_partition(w, 0, p);
        if (left->settled == settings && left->fold.applied <= left->settings_offset) return true;
    }
    return false;
}

/* There and back before the first was applied: what is in force is the last, not the first. */
static void reloads_that_overtake_each_other_end_with_the_last(void **state) {
    (void)state;
    uint32_t overtaken = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        world_init(&w, seed);
        world_open(&w, 1);
        struct settings *there = with_limit("5"), *back = with_limit("7");
        for (uint32_t p = 0; p < 2; p++)
            must(world_send(&w, 0, 0, p, add(1, 1), p));
        sys_sim_run(w.sys, seed % 5 + 1);
        reload(&w, there);
        for (int i = 0; i < 100 && !is_under_way(&w, there); i++)
            sys_sim_run(w.sys, 1);
        overtaken += is_under_way(&w, there);
        reload(&w, back);
        world_run(&w);
        assert_true(host_reload_taken(w.host));
        expect_limit(&w, 7);
        world_stop(&w);
        world_open(&w, 1);
        expect_limit(&w, 7);
        world_stop(&w);
        world_done(&w);
        settings_free(there);
        settings_free(back);
    }
    assert_true(overtaken > 0); /* else nothing was tried */
}

static void what_is_the_same_is_no_record(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    world_open(&w, 1);
    world_run(&w);
    uint64_t applied = world_partition(&w, 0, 0)->fold.applied;
    struct settings *same = with_limit("7");
    reload(&w, same);
    world_run(&w);
    assert_true(host_reload_taken(w.host));
    assert_int_equal(world_partition(&w, 0, 0)->fold.applied, applied);
    assert_true(host_reload_has_room(w.host, "left", 1, 7));
    assert_false(host_reload_has_room(w.host, "left", 1, 8)); /* the state was laid out for 7 */
    assert_true(host_reload_has_room(w.host, "left", 0, 64)); /* not folded: nothing of the state depends on it */
    world_stop(&w);
    world_done(&w);
    settings_free(same);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_a_record_of_each_partition_and_survives_crashes),
        cmocka_unit_test(reloads_that_overtake_each_other_end_with_the_last),
        cmocka_unit_test(what_is_the_same_is_no_record),
    };
    return cmocka_run_group_tests_name("host reload", tests, NULL, NULL);
}
