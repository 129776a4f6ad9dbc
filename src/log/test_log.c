/* Tests of the straight path: what goes in comes out, before and after a stop. */
#include "log/test_world.h"

static void what_was_committed_is_read_back_and_again_after_a_clean_stop(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    must(world_open(&w));
    assert_true(log_recovered(w.log)->clean);
    for (int i = 0; i < 100; i++) {
        world_commit(&w, 10);
        world_run(&w);
    }
    assert_true(w.inputs[0].acked > 100);
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++) {
        assert_int_equal(w.inputs[k].acked, w.inputs[k].submitted);
        assert_int_equal(atomic_load(&w.in->partitions[k]->high), w.inputs[k].acked);
    }
    world_check(&w);
    log_stop(w.log);
    log_close(w.log);
    must(world_open(&w));
    assert_true(log_recovered(w.log)->clean);
    assert_int_equal(log_recovered(w.log)->frames, 0);
    world_check(&w);
    assert_true(w.inputs[0].acked > 100 && w.outputs[0].submitted > 10);
    world_done(&w);
}

static void what_was_told_to_be_durable_is_below_the_end_before_it_is_stored(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 5);
    must(world_open(&w));
    write_on(&w, 5, 10);
    uint64_t ends[WORLD_PARTITIONS];
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++)
        ends[k] = log_partition_end(w.in->partitions[k]);
    assert_true(world_commit(&w, 40));
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++)
        assert_int_equal(log_partition_end(w.in->partitions[k]), ends[k]);
    struct log_commit *c = NULL;
    for (int i = 0; i < 1000 && !(c = log_writer_durable(w.writer)); i++)
        sys_sim_run(w.sys, 100);
    assert_non_null(c);
    uint64_t behind = 0;
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++) {
        assert_int_equal(log_partition_end(w.in->partitions[k]), w.inputs[k].submitted);
        behind += log_partition_end(w.in->partitions[k]) - atomic_load(&w.in->partitions[k]->high);
    }
    assert_true(behind > 0); /* it is not stored before it is released */
    log_commit_release(c);
    world_run(&w);
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++)
        assert_int_equal(atomic_load(&w.in->partitions[k]->high), w.inputs[k].submitted);
    world_done(&w);
}

static void a_killed_process_finds_every_acknowledged_record(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct world w;
        world_init(&w, seed);
        must(world_open(&w));
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 30; i++) {
                world_commit(&w, 1 + (uint32_t)prng_below(&w.prng, 20));
                sys_sim_run(w.sys, prng_below(&w.prng, 6));
                world_take(&w);
            }
            world_crash(&w, round % 2);
            must(world_open(&w));
            assert_false(log_recovered(w.log)->clean);
            world_check(&w);
        }
        assert_true(w.inputs[0].acked > 10);
        world_done(&w);
    }
}

/* Whether the poller was woken: else waiting takes its time. */
static bool was_woken(struct world *w, int poller) {
    struct sys_poll_event event;
    uint64_t begin = w->sys->mono_ns(w->sys);
    (void)w->sys->poller_wait(w->sys, poller, &event, 1, SYS_NANOS_PER_S);
    return w->sys->mono_ns(w->sys) - begin < SYS_NANOS_PER_S;
}

static void who_waits_for_records_is_woken_once_when_they_can_be_read(void **state) {
    (void)state;
    struct world w;
    int poller = -1;
    world_init(&w, 3);
    must(world_open(&w));
    must(w.sys->poller_open(w.sys, &poller));
    write_on(&w, 3, 10);
    assert_false(was_woken(&w, poller)); /* it had not asked */
    for (int i = 0; i < 20; i++) {
        log_wake_when_stored(w.log, poller);
        assert_false(was_woken(&w, poller)); /* nothing came */
        write_on(&w, 1, 10);
        assert_true(was_woken(&w, poller));
        write_on(&w, 1, 10);
        assert_false(was_woken(&w, poller));
    }
    log_stop(w.log);
    w.sys->poller_close(w.sys, poller);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_is_read_back_and_again_after_a_clean_stop),
        cmocka_unit_test(what_was_told_to_be_durable_is_below_the_end_before_it_is_stored),
        cmocka_unit_test(who_waits_for_records_is_woken_once_when_they_can_be_read),
        cmocka_unit_test(a_killed_process_finds_every_acknowledged_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
