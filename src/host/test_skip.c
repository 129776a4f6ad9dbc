/* A record that an operator's order passed over stays passed over: neither its client's repetition, nor its source, nor
 * its timer brings it back; and an offline replay obeys the order as the node does. */
#include "host/test_dump.h"

struct skipping {
    const char *service;
    uint64_t offset;
};
static enum weir_error skip_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct skipping *s = arg;
    (void)text, (void)text_size;
    return host_service_skip(host, s->service, 0, s->offset);
}

static void note_crashes_at(struct world *w, uint32_t uid, uint64_t offset, uint64_t place) {
    uint8_t notes[2 * POISON_NOTE_SIZE];
    int file;
    poison_store(uid, offset, notes);
    poison_store(uid, offset, notes + POISON_NOTE_SIZE);
    must(w->sys->file_open(w->sys, "data/snapshots/poison", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file));
    must(w->sys->file_write(w->sys, file, place * sizeof notes, &(struct sys_iovec){notes, sizeof notes}, 1));
    must(w->sys->file_sync(w->sys, file));
    w->sys->file_close(w->sys, file);
    must(w->sys->dir_sync(w->sys, "data/snapshots"));
}

static void order_skip(struct world *w, uint32_t service, uint64_t offset) {
    struct skipping s = {service == 0 ? "left" : "right", offset};
    must(host_work(w->lanes[0], skip_work, &s, sizeof s, (struct host_origin){.correlation = 7}));
    world_run(w);
}

/* The record crashed two lives, this one parks in front of it, and the operator has it passed over. */
static void crash_and_skip(struct world *w, uint32_t service, uint64_t offset) {
    note_crashes_at(w, world_partition(w, service, 0)->log->uid, offset, 0);
    world_crash(w, true);
    world_open(w, 1);
    assert_true(world_partition(w, service, 0)->parked);
    order_skip(w, service, offset);
    assert_false(world_partition(w, service, 0)->parked);
}

static void init(struct world *w, uint64_t seed) {
    world_init(w, seed);
    must(settings_set(w->settings, "left.partitions", "1", "test"));
    must(settings_set(w->settings, "right.partitions", "1", "test"));
    world_open(w, 1);
}

static void a_repetition_of_a_skipped_command_is_not_taken(void **state) {
    (void)state;
    struct world w;
    init(&w, 1);
    must(world_send_once(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 3, 1}, 50));
    world_run(&w);
    crash_and_skip(&w, 0, world_reply(&w, 50)->offset);
    for (int life = 0; life < 2; life++) {
        uint64_t next = world_partition(&w, 0, 0)->log->next;
        must(world_send_once(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 3, 1}, 50));
        world_run(&w);
        assert_int_equal(world_reply(&w, 50)->error, WEIR_E_SKIPPED);
        assert_int_equal(world_reply(&w, 50)->status, 409);
        assert_int_equal(world_partition(&w, 0, 0)->log->next, next);
        world_stop(&w); /* the next life has it from the snapshot */
        world_open(&w, 1);
    }
    world_stop(&w);
    world_done(&w);
}

static void a_skipped_emit_is_not_sent_again(void **state) {
    (void)state;
    struct world w;
    init(&w, 2);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 1, 3, 1}, 50));
    world_run(&w);
    uint64_t next = world_partition(&w, 1, 0)->log->next;
    assert_int_equal(world_state(&w, 1, 0)->emits_seen, 1);
    crash_and_skip(&w, 1, next - 1);
    assert_int_equal(world_state(&w, 1, 0)->emits_seen, 0);
    world_crash(&w, true); /* its source derives it again */
    world_open(&w, 1);
    world_run(&w);
    assert_int_equal(world_state(&w, 1, 0)->emits_seen, 0);
    world_stop(&w);
    world_done(&w);
}

static void a_skipped_timer_does_not_fire_again(void **state) {
    (void)state;
    struct world w;
    init(&w, 3);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 5, 0}, 50));
    world_run(&w);
    uint64_t timer = world_partition(&w, 0, 0)->log->next - 1;
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 1);
    crash_and_skip(&w, 0, timer);
    sys_sim_advance(w.sys, SYS_NANOS_PER_S);
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 0);
    world_stop(&w);
    world_done(&w);
}

static void an_offline_replay_passes_over_it_too(void **state) {
    (void)state;
    struct world w;
    init(&w, 4);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 3, 1}, 50));
    world_run(&w);
    uint64_t poison = world_reply(&w, 50)->offset;
    crash_and_skip(&w, 0, poison);
    char digest[64];
    snprintf(digest, sizeof digest, "\"digest\":\"%016llx\"",
        (unsigned long long)fold_digest(&world_partition(&w, 0, 0)->fold));
    world_stop(&w);
    const char *text = world_replay(&w, &left_service, 0, poison + 1); /* no snapshot is that old */
    char expected[64];
    snprintf(expected, sizeof expected, "\"applied\":%llu,", (unsigned long long)poison + 1);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "\"emission\":\"0000000000000000\"")); /* it has put out nothing */
    assert_non_null(strstr(world_replay(&w, &left_service, 0, UINT64_MAX), digest));
    world_done(&w);
}

static void two_poison_records_wait_for_an_order_each(void **state) {
    (void)state;
    struct world w;
    init(&w, 6);
    for (uint64_t i = 0; i < 3; i++)
        must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 3, 1}, i));
    world_run(&w);
    uint64_t first = world_reply(&w, 0)->offset, last = world_reply(&w, 2)->offset;
    uint32_t uid = world_partition(&w, 0, 0)->log->uid;
    note_crashes_at(&w, uid, first, 0);
    note_crashes_at(&w, uid, last, 1);
    world_crash(&w, true);
    world_open(&w, 1);
    assert_int_equal(world_partition(&w, 0, 0)->park_at, first);
    order_skip(&w, 0, first);
    assert_true(world_partition(&w, 0, 0)->parked); /* and not applied once more */
    assert_int_equal(world_partition(&w, 0, 0)->park_at, last);
    order_skip(&w, 0, last);
    assert_false(world_partition(&w, 0, 0)->parked);
    assert_int_equal(world_state(&w, 0, 0)->counters[3], 1);
    world_stop(&w);
    world_done(&w);
}

/* What crashes a simulated process leaves its last words, whatever becomes of the power. */
static void the_note_of_a_crash_survives_a_power_cut(void **state) {
    (void)state;
    struct world w;
    init(&w, 5);
    uint32_t uid = world_partition(&w, 0, 0)->log->uid;
    poison_mark(uid, 17);
    assert_true(sys_sim_segfault(w.sys));
    poison_clear();
    assert_true(sys_sim_dead(w.sys));
    world_crash(&w, false);
    world_open(&w, 1);
    assert_int_equal(w.host->poison->count, 1);
    assert_int_equal(w.host->poison->notes[0].uid, uid);
    assert_int_equal(w.host->poison->notes[0].offset, 17);
    world_stop(&w);
    world_done(&w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repetition_of_a_skipped_command_is_not_taken),
        cmocka_unit_test(a_skipped_emit_is_not_sent_again),
        cmocka_unit_test(a_skipped_timer_does_not_fire_again),
        cmocka_unit_test(an_offline_replay_passes_over_it_too),
        cmocka_unit_test(two_poison_records_wait_for_an_order_each),
        cmocka_unit_test(the_note_of_a_crash_survives_a_power_cut),
    };
    return cmocka_run_group_tests_name("host skip", tests, NULL, NULL);
}
