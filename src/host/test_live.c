/* Queries, subscriptions, idempotency, timers, back pressure, on the simulated world. */
#include "host/test_world.h"

static struct test_value add(uint64_t key, uint64_t amount) {
    return (struct test_value){OP_ADD, 0, key, amount};
}
static size_t count_kind(const struct world *w, enum host_delivery_kind kind, uint64_t correlation) {
    size_t n = 0;
    for (size_t i = 0; i < w->delivery_count; i++)
        n += w->deliveries[i].kind == kind && w->deliveries[i].origin.correlation == correlation;
    return n;
}
static const struct world_delivery *find(const struct world *w, enum host_delivery_kind kind, uint64_t correlation) {
    for (size_t i = 0; i < w->delivery_count; i++)
        if (w->deliveries[i].kind == kind && w->deliveries[i].origin.correlation == correlation)
            return &w->deliveries[i];
    return NULL;
}
static enum weir_error ask(struct world *w, uint32_t lane, uint32_t partition, uint64_t correlation) {
    struct host_query query = {.service = 0,
        .partition = partition,
        .query = test_query,
        .origin = {.lane = lane, .correlation = correlation}};
    return host_query(w->lanes[lane], &query);
}

static void an_answer_that_saw_undurable_records_waits_for_them(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_open(&w, 1);
    world_run(&w);
    must(ask(&w, 0, 0, 1)); /* nothing under way: at once, but not inside the call */
    assert_null(find(&w, HOST_ANSWER, 1));
    host_lane_work(w.lanes[0], 0);
    assert_non_null(find(&w, HOST_ANSWER, 1));
    must(world_send(&w, 0, 0, 0, add(5, 10), 2));
    for (int i = 0; i < 3; i++)
        host_lane_work(w.lanes[0], 0); /* applied; the journal's agent has not run */
    assert_int_equal(world_state(&w, 0, 0)->counters[5], 10);
    must(ask(&w, 0, 0, 3));
    for (int i = 0; i < 5; i++)
        host_lane_work(w.lanes[0], 0);
    assert_null(find(&w, HOST_ANSWER, 3));
    assert_null(find(&w, HOST_REPLY, 2));
    world_run(&w);
    const struct world_delivery *answer = find(&w, HOST_ANSWER, 3), *reply = find(&w, HOST_REPLY, 2);
    assert_non_null(answer);
    assert_true(reply && reply < answer);
    assert_int_equal(answer->size, sizeof(struct test_state));
    world_stop(&w);
    world_done(&w);
}

static void queries_and_commands_cross_lanes(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_open(&w, 4);
    for (uint64_t i = 0; i < 64; i++)
        must(world_send(&w, (uint32_t)(i % 4), (uint32_t)(i / 4 % 2), (uint32_t)(i / 8 % 2), add(i, i), i));
    world_run(&w);
    for (uint64_t i = 0; i < 64; i++)
        assert_int_equal(find(&w, HOST_REPLY, i)->total, i);
    for (uint32_t lane = 0; lane < 4; lane++)
        must(ask(&w, lane, lane % 2, 100 + lane));
    world_run(&w);
    for (uint32_t lane = 0; lane < 4; lane++) {
        assert_int_equal(count_kind(&w, HOST_ANSWER, 100 + lane), 1);
        assert_int_equal(find(&w, HOST_ANSWER, 100 + lane)->lane, lane);
    }
    world_stop(&w);
    world_done(&w);
}

/* ---- idempotency
 * ------------------------------------------------------------------------------------------------------ */
static void a_repeated_key_counts_once_and_gets_the_first_reply(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    world_open(&w, 2);
    must(world_send_once(&w, 0, 0, 0, add(5, 10), 42));
    must(world_send_once(&w, 0, 0, 0, add(5, 10), 42)); /* while the first is being committed: joins */
    must(world_send_once(&w, 0, 0, 0, add(5, 11), 42)); /* another body */
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->counters[5], 10);
    assert_int_equal(count_kind(&w, HOST_REPLY, 42), 3);
    uint32_t repeated = 0, refused = 0;
    for (size_t i = 0; i < w.delivery_count; i++) {
        repeated += w.deliveries[i].repeated && w.deliveries[i].error == WEIR_OK && w.deliveries[i].total == 10;
        refused += w.deliveries[i].error == WEIR_E_KEY_REUSED;
    }
    assert_int_equal(repeated, 1);
    assert_int_equal(refused, 1);
    for (int life = 0; life < 3; life++) { /* from the table; after a replay; after a snapshot */
        w.delivery_count = 0;
        must(world_send_once(&w, 0, 0, 0, add(5, 10), 42));
        must(world_send_once(&w, 0, 0, 0, add(5, 12), 42));
        world_run(&w);
        assert_int_equal(w.delivery_count, 2);
        assert_int_equal(w.deliveries[0].total + w.deliveries[1].total, 10);
        assert_int_equal(world_state(&w, 0, 0)->counters[5], 10);
        if (life == 0)
            world_crash(&w, false);
        else
            world_stop(&w);
        world_open(&w, 1);
    }
    world_stop(&w);
    world_done(&w);
}

static void a_forgotten_key_is_a_new_request(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 4);
    must(settings_set(w.settings, "idempotency_age", "10s", "test"));
    world_open(&w, 1);
    must(world_send_once(&w, 0, 0, 0, add(5, 10), 42));
    world_run(&w);
    sys_sim_advance(w.sys, 20 * SYS_NANOS_PER_S);
    world_run(&w);
    must(world_send(&w, 0, 0, 0, add(6, 1), 43)); /* record time moves on */
    world_run(&w);
    must(world_send_once(&w, 0, 0, 0, add(5, 10), 42));
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->counters[5], 20);
    world_stop(&w);
    world_done(&w);
}

/* ---- timers
 * ------------------------------------------------------------------------------------------------------------- */
static void a_timer_fires_once_when_record_time_reaches_it_and_survives_a_crash(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 5);
    world_open(&w, 2);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 9, 5 * SYS_NANOS_PER_S}, 1));
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 10, 5 * SYS_NANOS_PER_S}, 2));
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 11, 5 * SYS_NANOS_PER_S}, 3));
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_CANCEL, 0, 10, 0}, 4));
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 11, 60 * SYS_NANOS_PER_S}, 5)); /* moved */
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 0);
    world_crash(&w, false);
    world_open(&w, 1);
    uint64_t next = world_partition(&w, 0, 0)->log->next;
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 0);
    assert_int_equal(world_partition(&w, 0, 0)->log->next, next); /* no ticks while none is due */
    sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 1);
    assert_int_equal(world_state(&w, 0, 0)->counters[9], 1);
    assert_int_equal(world_state(&w, 0, 0)->counters[10], 0);
    world_crash(&w, false);
    world_open(&w, 4);
    sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 1); /* not again */
    for (int i = 0; i < 12; i++) {
        sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
        world_run(&w);
    }
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 2);
    assert_int_equal(world_state(&w, 0, 0)->counters[11], 1);
    world_stop(&w);
    world_done(&w);
}

static void record_time_never_goes_back_and_does_not_jump_with_the_wall(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 6);
    world_open(&w, 1);
    uint64_t last = 0;
    int64_t jumps[] = {0, -3600000000000, 3600000000000, 7200000000000, -1};
    for (int i = 0; i < 5; i++) {
        sys_sim_jump_wall(w.sys, jumps[i]);
        sys_sim_advance(w.sys, SYS_NANOS_PER_S);
        must(world_send(&w, 0, 0, 0, add(1, 1), (uint64_t)i));
        world_run(&w);
        uint64_t now = world_partition(&w, 0, 0)->fold.time_ns;
        assert_true(now > last);
        if (last) assert_true(now - last < 2 * SYS_NANOS_PER_S);
        last = now;
    }
    sys_sim_jump_wall(w.sys, -10 * 3600 * (int64_t)SYS_NANOS_PER_S);
    world_stop(&w);
    world_open(&w, 1); /* wall time is now hours behind the last record */
    must(world_send(&w, 0, 0, 0, add(1, 1), 9));
    world_run(&w);
    assert_true(world_partition(&w, 0, 0)->fold.time_ns >= last);
    last = world_partition(&w, 0, 0)->fold.time_ns;
    world_crash(&w, false);
    sys_sim_jump_wall(w.sys, -10 * 3600 * (int64_t)SYS_NANOS_PER_S);
    world_open(&w, 1); /* and no snapshot has it: it is replayed */
    must(world_send(&w, 0, 0, 0, add(1, 1), 10));
    world_run(&w);
    assert_true(world_partition(&w, 0, 0)->fold.time_ns >= last);
    world_stop(&w);
    world_done(&w);
}

/* ---- subscriptions
 * -------------------------------------------------------------------------------------------------------- */
static enum weir_error tap(struct world *w, uint32_t lane, uint64_t from, uint64_t key, uint32_t id, bool snapshot) {
    struct host_query query = {.query = test_query, .origin = {.lane = lane, .slot = id, .correlation = 1000 + id}};
    struct host_subscription s = {.topic = "left.out",
        .partition = 0,
        .key = key,
        .from = from,
        .snapshot = snapshot ? &query : NULL,
        .origin = {.lane = lane, .slot = id, .subscription = id, .correlation = id}};
    return host_subscribe(w->lanes[lane], &s);
}
/* Offsets of the records that subscription `id` got, each once and in order. */
static uint64_t got(const struct world *w, uint32_t id, uint64_t *ret_first) {
    uint64_t count = 0, last = 0;
    for (size_t i = 0; i < w->delivery_count; i++) {
        const struct world_delivery *d = &w->deliveries[i];
        if (d->kind != HOST_RECORD || d->origin.subscription != id) continue;
        if (count) assert_true(d->record_offset > last);
        if (!count) *ret_first = d->record_offset;
        last = d->record_offset;
        count++;
    }
    return count;
}

static void a_subscriber_gets_every_record_once_from_wherever_it_starts(void **state) {
    (void)state;
    for (uint32_t lanes = 1; lanes <= 4; lanes *= 2) {
        struct world w;
        world_init(&w, 7 + lanes);
        world_open(&w, lanes);
        for (uint64_t i = 0; i < 100; i++)
            must(world_send(&w, 0, 0, 0, add(i % 5, 1), i));
        world_run(&w);
        uint32_t lane = lanes - 1;
        must(tap(&w, lane, 0, WEIR_KEY_ANY, 1, false));
        must(tap(&w, lane, 37, WEIR_KEY_ANY, 2, false));
        must(tap(&w, lane, WEIR_FROM_NOW, WEIR_KEY_ANY, 3, false));
        must(tap(&w, lane, 0, 3, 4, false));
        must(tap(&w, lane, WEIR_FROM_NOW, WEIR_KEY_ANY, 5, true));
        for (uint64_t i = 100; i < 200; i++) { /* while they catch up */
            while (world_send(&w, 0, 0, 0, add(i % 5, 1), i) == WEIR_E_FULL)
                sys_sim_run(w.sys, 5);
            if (i % 3 == 0) sys_sim_run(w.sys, 5);
        }
        world_run(&w);
        uint64_t first = 0;
        assert_int_equal(got(&w, 1, &first), 200);
        assert_int_equal(first, 0);
        assert_int_equal(got(&w, 2, &first), 163);
        assert_int_equal(first, 37);
        assert_int_equal(got(&w, 4, &first), 40);
        assert_true(got(&w, 3, &first) <= 100);
        assert_int_equal(first + got(&w, 3, &first), 200);
        assert_int_equal(count_kind(&w, HOST_LIVE, 1), 1);
        /* Snapshot and increments fit without a gap: what the answer had seen, plus what came after it, is everything.
         */
        const struct world_delivery *answer = find(&w, HOST_ANSWER, 1005);
        assert_non_null(answer);
        struct test_state seen;
        (void)seen;
        uint64_t increments = got(&w, 5, &first);
        assert_int_equal(first + increments, 200);
        for (const struct world_delivery *d = w.deliveries; d < answer; d++)
            assert_false(d->kind == HOST_RECORD && d->origin.subscription == 5);
        host_forget(w.lanes[lane], &(struct host_origin){.lane = lane, .slot = 1});
        world_run(&w);
        size_t before = w.delivery_count;
        must(world_send(&w, 0, 0, 0, add(3, 1), 999));
        world_run(&w);
        assert_int_equal(w.delivery_count - before, 1 + 4); /* the reply, and all but the forgotten one */
        world_stop(&w);
        world_done(&w);
    }
}

static void a_subscription_outside_what_is_stored_is_refused(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 20);
    world_open(&w, 2);
    must(tap(&w, 1, 5, WEIR_KEY_ANY, 1, false));
    world_run(&w);
    assert_int_equal(find(&w, HOST_LIVE, 1)->error, WEIR_E_OUT_OF_RANGE);
    world_stop(&w);
    world_done(&w);
}

/* ---- plain topics, reads, back pressure
 * ------------------------------------------------------------------------------------ */
static enum weir_error make_topic(struct host *host, void *arg, char *text, size_t size) {
    (void)arg, (void)text, (void)size;
    return host_topic_create(host, "plain", 2, &(struct log_topic_config){0});
}
static void a_long_poll_is_answered_when_data_comes_or_time_is_up(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 21);
    world_open(&w, 2);
    must(host_work(w.lanes[1], make_topic, NULL, 0, (struct host_origin){.lane = 1, .correlation = 1}));
    world_run(&w);
    assert_int_equal(find(&w, HOST_DONE, 1)->error, WEIR_OK);
    must(host_work(w.lanes[1], make_topic, NULL, 0, (struct host_origin){.lane = 1, .correlation = 2}));
    world_run(&w);
    assert_int_equal(find(&w, HOST_DONE, 2)->error, WEIR_E_EXISTS);
    must(host_read(w.lanes[0], "left.out", 0, 0, 65536, 10 * SYS_NANOS_PER_S, (struct host_origin){.correlation = 3}));
    must(host_read(w.lanes[0], "plain", 0, 0, 65536, SYS_NANOS_PER_S, (struct host_origin){.correlation = 4}));
    world_run(&w);
    assert_null(find(&w, HOST_ANSWER, 3));
    must(world_send(&w, 0, 0, 0, add(1, 1), 5));
    world_run(&w);
    assert_true(find(&w, HOST_ANSWER, 3) && find(&w, HOST_ANSWER, 3)->size > 0);
    sys_sim_advance(w.sys, 2 * SYS_NANOS_PER_S);
    world_run(&w);
    assert_int_equal(find(&w, HOST_ANSWER, 4)->size, 0);
    assert_int_equal(
        host_append(w.lanes[0], "left.in", 0, weir_slice_text("x"), (struct host_origin){0}, NULL), WEIR_E_FORBIDDEN);
    world_stop(&w);
    world_done(&w);
}

static void a_full_queue_refuses_and_recovers(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 22);
    must(settings_set(w.settings, "waiting_max", "16", "test"));
    world_open(&w, 1);
    uint64_t taken = 0, refused = 0;
    for (uint64_t i = 0; i < 100; i++) {
        enum weir_error e = world_send(&w, 0, 0, 0, add(1, 1), i);
        taken += e == WEIR_OK;
        refused += e == WEIR_E_FULL;
    }
    assert_int_equal(taken, 16);
    assert_int_equal(refused, 84);
    world_run(&w);
    must(world_send(&w, 0, 0, 0, add(1, 1), 200));
    world_run(&w);
    assert_int_equal(find(&w, HOST_REPLY, 200)->total, 17);
    world_stop(&w);
    world_done(&w);
}

/* More output than one commit holds: the partition lags behind its own commits and catches up, in order. */
static void outputs_larger_than_a_commit_spread_over_several(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 23);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 600; i++)
        must(world_send(&w, 0, 0, 0, (struct test_value){OP_WIDE, 0, i, 3000}, i));
    world_run(&w);
    for (uint64_t i = 0; i < 600; i++)
        assert_int_equal(count_kind(&w, HOST_REPLY, i), 1);
    assert_int_equal(atomic_load(&log_topic_find(w.log, "left.wide")->partitions[0]->high), 600);
    world_stop(&w);
    world_done(&w);
}

static void a_cycle_of_services_with_full_outboxes_does_not_deadlock(void **state) {
    (void)state;
    for (uint32_t lanes = 1; lanes <= 4; lanes *= 2) {
        struct world w;
        world_init(&w, 30 + lanes);
        world_open(&w, lanes);
        uint64_t expected = 0, stalls = 0;
        for (uint32_t i = 0; i < w.host->partition_count; i++)
            w.host->partitions[i].outbox.size = 256u << 10; /* of its memory: full after about a thousand */
        for (uint64_t i = 0; i < 4000; i++) {
            must(world_send(&w, (uint32_t)(i % lanes), (uint32_t)(i % 2), (uint32_t)(i / 2 % 2),
                (struct test_value){OP_ADD, 20, i, 1}, i));
            expected += 20;
            if (i % 1000 == 999) sys_sim_run(w.sys, 20);
            for (uint32_t p = 0; p < w.host->partition_count; p++)
                stalls += !outbox_fits(&w.host->partitions[p].outbox, 1);
        }
        for (int i = 0; i < 100; i++) {
            world_run(&w);
            for (uint32_t p = 0; p < w.host->partition_count; p++)
                stalls += !outbox_fits(&w.host->partitions[p].outbox, 1);
        }
        assert_true(stalls > 0); /* else this test shows nothing */
        uint64_t emits = 0;
        for (uint32_t s = 0; s < 2; s++)
            for (uint32_t p = 0; p < 2; p++)
                emits += world_state(&w, s, p)->emits_seen;
        assert_int_equal(emits, expected);
        world_stop(&w);
        world_done(&w);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_saw_undurable_records_waits_for_them),
        cmocka_unit_test(queries_and_commands_cross_lanes),
        cmocka_unit_test(a_repeated_key_counts_once_and_gets_the_first_reply),
        cmocka_unit_test(a_forgotten_key_is_a_new_request),
        cmocka_unit_test(a_timer_fires_once_when_record_time_reaches_it_and_survives_a_crash),
        cmocka_unit_test(record_time_never_goes_back_and_does_not_jump_with_the_wall),
        cmocka_unit_test(a_subscriber_gets_every_record_once_from_wherever_it_starts),
        cmocka_unit_test(a_subscription_outside_what_is_stored_is_refused),
        cmocka_unit_test(a_long_poll_is_answered_when_data_comes_or_time_is_up),
        cmocka_unit_test(a_full_queue_refuses_and_recovers),
        cmocka_unit_test(outputs_larger_than_a_commit_spread_over_several),
        cmocka_unit_test(a_cycle_of_services_with_full_outboxes_does_not_deadlock),
    };
    return cmocka_run_group_tests_name("host live", tests, NULL, NULL);
}
