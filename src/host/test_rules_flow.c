/* What leaves the host, and when: subscribers, repeated batches, emits; and what must find room when commands find
 * none. The faults that break these rules are listed in docs/testing.md. */
#include "base/crc32c.h"
#include "host/test_world.h"

static struct test_value add(uint64_t key, uint64_t amount) {
    return (struct test_value){OP_ADD, 0, key, amount};
}

/* ---- before it is durable
 * -------------------------------------------------------------------------------------------------- */
static size_t count_kind(const struct world *w, enum host_delivery_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < w->delivery_count; i++)
        n += w->deliveries[i].kind == kind;
    return n;
}

static void a_subscriber_sees_nothing_that_is_not_durable(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 10);
    world_open(&w, 1);
    world_run(&w);
    for (uint32_t i = 0; i < 2; i++) {
        struct host_subscription s = {.topic = i ? "left.in" : "left.out",
            .key = WEIR_KEY_ANY,
            .from = WEIR_FROM_NOW,
            .origin = {.slot = i, .subscription = i, .correlation = i}};
        must(host_subscribe(w.lanes[0], &s));
    }
    world_run(&w);
    must(world_send(&w, 0, 0, 0, add(1, 1), 5));
    for (int i = 0; i < 20; i++)
        host_lane_work(w.lanes[0], 0); /* applied; the journal's agent has not run */
    assert_int_equal(world_state(&w, 0, 0)->counters[1], 1);
    assert_int_equal(count_kind(&w, HOST_RECORD), 0);
    world_run(&w);
    assert_int_equal(count_kind(&w, HOST_RECORD), 2);
    world_stop(&w);
    world_done(&w);
}

static enum weir_error make_plain(struct host *host, void *arg, char *text, size_t size) {
    (void)arg, (void)text, (void)size;
    return host_topic_create(host, "plain", 1, &(struct log_topic_config){0});
}
static enum weir_error delete_input(struct host *host, void *arg, char *text, size_t size) {
    (void)arg, (void)text, (void)size;
    return host_topic_delete(host, "left.in");
}
/* One record of a producer; the builder's header and the host's records do not go together in one file. */
static struct weir_slice producer_batch(uint8_t bytes[128]) {
    memset(bytes, 0, 128);
    store_be32(bytes + 8, 61 + 8 - 12); /* length */
    bytes[16] = 2;                      /* magic */
    store_be32(bytes + 23, 0);          /* last offset delta */
    store_be64(bytes + 27, 5);          /* times */
    store_be64(bytes + 35, 5);
    store_be64(bytes + 43, 7); /* producer, epoch 0, sequence 0 */
    store_be32(bytes + 57, 1); /* one record of 7 bytes: attributes, time, offset, no key, "x", no headers */
    memcpy(bytes + 61, (uint8_t[]){14, 0, 0, 0, 1, 2, 'x', 0}, 8);
    store_be32(bytes + 17, crc32c(bytes + 21, 61 + 8 - 21));
    return weir_slice(bytes, 61 + 8);
}

/* The repetition comes while the first is on its way to the disk: its answer must not be ahead of it. */
static void a_repeated_batch_is_answered_only_when_the_first_is_durable(void **state) {
    (void)state;
    struct world w;
    uint8_t bytes[128];
    world_init(&w, 11);
    world_open(&w, 1);
    must(host_work(w.lanes[0], make_plain, NULL, 0, (struct host_origin){.correlation = 1}));
    world_run(&w);
    w.delivery_count = 0;
    struct weir_slice batch = producer_batch(bytes);
    must(host_append(w.lanes[0], "plain", 0, batch, (struct host_origin){.correlation = 2}, NULL));
    for (int i = 0; i < 5; i++)
        host_lane_work(w.lanes[0], 0);
    must(host_append(w.lanes[0], "plain", 0, batch, (struct host_origin){.correlation = 3}, NULL));
    for (int i = 0; i < 5; i++)
        host_lane_work(w.lanes[0], 0);
    assert_int_equal(w.delivery_count, 0);
    world_run(&w);
    assert_int_equal(w.delivery_count, 2);
    assert_int_equal(world_reply(&w, 2)->error, WEIR_OK);
    assert_true(world_reply(&w, 3)->repeated);
    assert_int_equal(world_reply(&w, 3)->offset, world_reply(&w, 2)->offset);
    assert_int_equal(atomic_load(&log_topic_find(w.log, "plain")->partitions[0]->high), 1);
    must(host_work(w.lanes[0], delete_input, NULL, 0, (struct host_origin){.correlation = 4}));
    world_run(&w);
    assert_int_equal(w.deliveries[w.delivery_count - 1].error, WEIR_E_FORBIDDEN);
    assert_non_null(log_topic_find(w.log, "left.in"));
    world_stop(&w);
    must(settings_set(w.settings, "left.partitions", "1", "test")); /* fewer than there are: keys would move */
    assert_int_equal(world_try(&w, 1), WEIR_E_CONFIG);
    world_done(&w);
}

/* It would be work that no lane's idleness speaks of: the stop would not wait for it. */
static void a_batch_on_its_way_to_its_lane_is_refused_when_the_node_stops(void **state) {
    (void)state;
    struct world w;
    uint8_t bytes[128];
    world_init(&w, 13);
    world_open(&w, 2);
    must(host_work(w.lanes[0], make_plain, NULL, 0, (struct host_origin){.correlation = 1}));
    world_run(&w);
    struct log_partition *partition = log_topic_find(w.log, "plain")->partitions[0];
    struct host_origin origin = {.lane = 1 - partition->uid % 2, .correlation = 2};
    must(host_append(w.lanes[origin.lane], "plain", 0, producer_batch(bytes), origin, NULL));
    host_stop_begin(w.host);
    world_run(&w);
    assert_int_equal(world_reply(&w, 2)->error, WEIR_E_CLOSED);
    assert_int_equal(atomic_load(&partition->high), 0);
    world_stop(&w);
    world_done(&w);
}

/* It was the first of its commit, which stays open and empty. */
static void a_refused_batch_does_not_keep_the_node_from_stopping(void **state) {
    (void)state;
    struct world w;
    uint8_t bytes[128];
    world_init(&w, 14);
    world_open(&w, 1);
    must(host_work(w.lanes[0], make_plain, NULL, 0, (struct host_origin){.correlation = 1}));
    world_run(&w);
    struct weir_slice batch = producer_batch(bytes);
    must(host_append(w.lanes[0], "plain", 0, batch, (struct host_origin){.correlation = 2}, NULL));
    world_run(&w);
    store_be32(bytes + 53, 5); /* a sequence that is not the next one */
    store_be32(bytes + 17, crc32c(bytes + 21, 61 + 8 - 21));
    enum weir_error e = host_append(w.lanes[0], "plain", 0, batch, (struct host_origin){.correlation = 3}, NULL);
    assert_int_equal(e, WEIR_E_OUT_OF_SEQUENCE);
    world_run(&w);
    world_stop(&w);
    world_done(&w);
}

static void an_emit_leaves_only_when_its_cause_is_durable(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 12);
    world_open(&w, 1);
    world_run(&w);
    uint64_t before = 0, after = 0;
    for (uint32_t p = 0; p < 2; p++)
        before += world_partition(&w, 1, p)->log->next;
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 1, 1, 1}, 1));
    for (int i = 0; i < 20; i++)
        host_lane_work(w.lanes[0], 0); /* applied; the journal's agent has not run */
    for (uint32_t p = 0; p < 2; p++)
        after += world_partition(&w, 1, p)->log->next;
    assert_int_equal(after, before);
    assert_true(world_partition(&w, 0, 0)->outbox.tail > world_partition(&w, 0, 0)->outbox.head);
    world_run(&w);
    assert_int_equal(world_state(&w, 1, 0)->emits_seen + world_state(&w, 1, 1)->emits_seen, 1);
    world_stop(&w);
    world_done(&w);
}

/* Each waits for the other: taking must not need room that only the other's taking frees. */
static void a_cycle_whose_outboxes_are_all_full_drains(void **state) {
    (void)state;
    struct world w;
    uint64_t sent = 0, emits = 0;
    world_init(&w, 15);
    must(settings_set(w.settings, "waiting_max", "8192", "test"));
    world_open(&w, 1);
    world_run(&w);
    for (uint32_t p = 0; p < 4; p++) {
        w.host->partitions[p].outbox.size = 256u << 10;
        atomic_store(&w.host->partitions[p].facts.takes_emits, false); /* sources are patient */
    }
    for (bool full = false; !full && sent < 20000;) {
        for (int i = 0; i < 40; i++, sent++) {
            struct test_value v = {OP_ADD, 3, sent, 1};
            (void)world_send(&w, 0, (uint32_t)(sent % 2), (uint32_t)(sent / 2 % 2), v, sent);
        }
        world_run(&w);
        full = true;
        for (uint32_t p = 0; p < 4; p++)
            full = full && !outbox_fits(&w.host->partitions[p].outbox, 1);
    }
    for (uint32_t p = 0; p < 4; p++) {
        assert_false(outbox_fits(&w.host->partitions[p].outbox, 1));
        atomic_store(&w.host->partitions[p].facts.takes_emits, true);
    }
    for (int i = 0; i < 100; i++)
        world_run(&w);
    for (uint32_t p = 0; p < 4; p++) {
        assert_int_equal(w.host->partitions[p].outbox.head, w.host->partitions[p].outbox.tail);
        emits += world_state(&w, p / 2, p % 2)->emits_seen;
    }
    assert_true(emits > 3000 && emits % 3 == 0);
    world_stop(&w);
    world_done(&w);
}

/* Commands fill the last commit only so far: what the host itself must write finds room when they find none. */
static void commands_leave_room_for_timers_and_emits(void **state) {
    (void)state;
    static uint8_t large[48 << 10];
    struct world w;
    world_init(&w, 16);
    world_open(&w, 1);
    world_run(&w);
    struct host_command c = {.command = {.type = OP_ADD, .value = weir_slice(large, sizeof large)}};
    enum weir_error e = WEIR_OK;
    uint32_t taken = 0;
    for (; !e && taken < 1000; taken++) /* the journal's agent does not run */
        e = host_submit(w.lanes[0], &c);
    assert_int_equal(e, WEIR_E_FULL);
    assert_true(taken > 8);
    struct envelope envelope = {.kind = WEIR_RECORD_TIMER, .timer_id = 1};
    for (int i = 0; i < 100; i++)
        must(host_partition_append(
            world_partition(&w, 0, 0), &envelope, (struct weir_slice){0}, (struct weir_slice){0}, NULL));
    world_run(&w);
    assert_int_equal(host_submit(w.lanes[0], &c), WEIR_OK);
    world_stop(&w);
    world_done(&w);
}

static void an_emit_that_finds_no_room_is_sent_again(void **state) {
    (void)state;
    static uint8_t large[60 << 10];
    uint32_t refused = 0;
    for (uint64_t steps = 1; steps < 40; steps++) {
        struct world w;
        world_init(&w, 17 + steps);
        world_open(&w, 1);
        world_run(&w);
        must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 1, 1, 1}, 1));
        host_lane_work(w.lanes[0], 0);
        struct envelope envelope = {
            .kind = WEIR_RECORD_TIMER, .timer_id = 1}; /* of the host: has no reserve to spare */
        enum weir_error e = WEIR_OK;
        while (!e) /* until every commit is full and under way */
            e = host_partition_append(
                world_partition(&w, 0, 1), &envelope, (struct weir_slice){0}, weir_slice(large, sizeof large), NULL);
        assert_int_equal(e, WEIR_E_FULL);
        const struct outbox *outbox = &world_partition(&w, 0, 0)->outbox;
        for (uint64_t i = 0; i < steps; i++) {
            sys_sim_run(w.sys, 1);
            refused += outbox->released > outbox->sent;
        }
        world_run(&w);
        assert_int_equal(world_state(&w, 1, 0)->emits_seen + world_state(&w, 1, 1)->emits_seen, 1);
        assert_int_equal(outbox->head, outbox->tail);
        world_stop(&w);
        world_done(&w);
    }
    assert_true(refused > 0); /* it was released and could not be taken at once */
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscriber_sees_nothing_that_is_not_durable),
        cmocka_unit_test(a_repeated_batch_is_answered_only_when_the_first_is_durable),
        cmocka_unit_test(a_batch_on_its_way_to_its_lane_is_refused_when_the_node_stops),
        cmocka_unit_test(a_refused_batch_does_not_keep_the_node_from_stopping),
        cmocka_unit_test(an_emit_leaves_only_when_its_cause_is_durable),
        cmocka_unit_test(a_cycle_whose_outboxes_are_all_full_drains),
        cmocka_unit_test(an_emit_that_finds_no_room_is_sent_again),
        cmocka_unit_test(commands_leave_room_for_timers_and_emits),
    };
    return cmocka_run_group_tests_name("host rules of flow", tests, NULL, NULL);
}
