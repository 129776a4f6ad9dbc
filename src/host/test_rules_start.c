/* Starts of a node, upgrades among them, and what a lane does that has to wait; each with the fault that breaks it
 * (docs/testing.md, Planted faults). */
#include "host/test_world.h"

static struct test_value add(uint64_t key, uint64_t amount) {
    return (struct test_value){OP_ADD, 0, key, amount};
}

/* ---- versions
 * ---------------------------------------------------------------------------------------------------------------- */

/* The only snapshot is the older version's, and nothing that version wrote stands behind it. */
static void an_upgrade_that_dies_before_its_first_snapshot_starts_again(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 80);
    world_open(&w, 1);
    must(world_send(&w, 0, 0, 0, add(1, 1), 1));
    world_run(&w);
    world_stop(&w);
    left_service.version = left_service.version_replays = 2;
    for (int life = 0; life < 3; life++) {
        world_open(&w, 1);
        must(world_send(&w, 0, 0, 0, add(1, 1), 2));
        world_run(&w);
        assert_int_equal(world_state(&w, 0, 0)->counters[1], 2 + life);
        assert_int_equal(world_partition(&w, 0, 0)->fold.in_force.version, 2);
        world_crash(&w, true);
    }
    left_service.version = left_service.version_replays = 1; /* nor can the older one go on from there */
    enum weir_error e = world_try(&w, 1);
    assert_int_equal(e, WEIR_E_VERSION);
    left_service.version = left_service.version_replays = 3; /* nor one that replays only its own */
    assert_int_equal(world_try(&w, 1), WEIR_E_VERSION);
    left_service.version = left_service.version_replays = 1;
    world_done(&w);
}

/* One that can't replay stops the node; had the others been announced, the older binary could not start either. */
static void nobody_announces_its_version_before_all_have_replayed(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 81);
    world_open(&w, 2);
    world_run(&w);
    world_crash(&w, true);
    must(world_try(&w, 2));
    const struct host_partition *others = NULL;
    for (int i = 0; i < 20; i++)
        host_lane_work(&w.host->lanes[0], 0);
    for (uint32_t i = 0; i < w.host->partition_count; i++) {
        const struct host_partition *p = &w.host->partitions[i];
        if (p->lane != &w.host->lanes[0]) {
            others = p;
            continue;
        }
        assert_true(p->replayed);
        assert_false(p->announced);
        assert_int_equal(p->log->next, p->replay_end);
    }
    assert_non_null(others);
    assert_false(others->replayed);
    world_ready(&w);
    assert_true(host_ready(w.host));
    assert_true(others->announced);
    world_stop(&w);
    world_done(&w);
}

/* ---- time
 * --------------------------------------------------------------------------------------------------------------------
 */

/* An emit or an order may be appended before the tail is replayed. */
static void record_time_goes_on_from_the_last_record_not_from_the_snapshot(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 82);
    must(settings_set(w.settings, "snapshot_age", "365d", "test")); /* only the clean stop's */
    world_open(&w, 1);
    world_stop(&w);
    world_open(&w, 1);
    sys_sim_advance(w.sys, 3600 * SYS_NANOS_PER_S);
    world_run(&w);
    must(world_send(&w, 0, 0, 0, add(1, 1), 1));
    world_run(&w);
    uint64_t last = world_partition(&w, 0, 0)->fold.time_ns;
    world_crash(&w, true);
    sys_sim_jump_wall(w.sys, -10 * 3600 * (int64_t)SYS_NANOS_PER_S);
    must(world_try(&w, 1));
    assert_true(world_partition(&w, 0, 0)->fold.time_ns < last); /* nothing is replayed yet */
    assert_true(host_partition_time(world_partition(&w, 0, 0)) >= last);
    world_ready(&w);
    world_stop(&w);
    world_done(&w);
}

/* ---- a lane that has to wait
 * ------------------------------------------------------------------------------------------------------------------ */
static uint64_t waited_ns;
static size_t (*wait_below)(
    struct sys *sys, int poller, struct sys_poll_event *events, size_t events_max, uint64_t timeout_ns);
static size_t wait_and_note(
    struct sys *sys, int poller, struct sys_poll_event *events, size_t events_max, uint64_t timeout_ns) {
    waited_ns = timeout_ns;
    return wait_below(sys, poller, events, events_max, 0);
}

static uint64_t cycle(struct world *w, uint32_t lane) {
    wait_below = w->sys->poller_wait;
    w->sys->poller_wait = wait_and_note;
    waited_ns = UINT64_MAX;
    host_lane_work(&w->host->lanes[lane], SYS_NANOS_PER_S);
    w->sys->poller_wait = wait_below;
    return waited_ns;
}

/* While the disk is slow it would take a core to look at a full queue again and again. */
static void a_lane_whose_message_must_stay_where_it_is_waits_a_moment(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 83);
    must(settings_set(w.settings, "waiting_max", "16", "test"));
    world_open(&w, 2);
    world_run(&w);
    const struct host_partition *p = world_partition(&w, 0, 0);
    uint32_t owner = p->lane->index, from = 1 - owner;
    struct test_value value = add(1, 1);
    struct host_command command = {
        .command = {.type = OP_ADD, .value = weir_slice(&value, sizeof value)}, .wants_reply = true, .in_order = true};
    command.origin.lane = from;
    for (uint64_t i = 0; i < 200; i++) {
        command.origin.correlation = i;
        must(host_submit(w.lanes[from], &command));
    }
    for (int i = 0; i < 20; i++) { /* the disk does nothing */
        uint64_t ns = cycle(&w, owner);
        if (i >= 10) assert_in_range(ns, 1000, SYS_NANOS_PER_MS);
    }
    world_run(&w);
    for (uint64_t i = 0; i < 200; i++) {
        const struct world_delivery *d = world_reply(&w, i);
        assert_non_null(d);
        assert_int_equal(d->error, WEIR_OK);
        assert_int_equal(d->total, i + 1); /* in their order */
    }
    world_stop(&w);
    world_done(&w);
}

/* It is not fired any more, so it stays due. */
static void a_timer_that_is_due_does_not_keep_a_stopping_lane_spinning(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 84);
    world_open(&w, 1);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 5, SYS_NANOS_PER_S}, 1));
    world_run(&w);
    sys_sim_advance(w.sys, 10 * SYS_NANOS_PER_S);
    host_stop_begin(w.host);
    for (int i = 0; i < 20; i++) {
        uint64_t ns = cycle(&w, 0);
        if (i >= 10) assert_in_range(ns, 1000, 2 * SYS_NANOS_PER_MS);
    }
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 0);
    world_stop(&w);
    world_done(&w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upgrade_that_dies_before_its_first_snapshot_starts_again),
        cmocka_unit_test(nobody_announces_its_version_before_all_have_replayed),
        cmocka_unit_test(record_time_goes_on_from_the_last_record_not_from_the_snapshot),
        cmocka_unit_test(a_lane_whose_message_must_stay_where_it_is_waits_a_moment),
        cmocka_unit_test(a_timer_that_is_due_does_not_keep_a_stopping_lane_spinning),
    };
    return cmocka_run_group_tests_name("host rules of starts", tests, NULL, NULL);
}
