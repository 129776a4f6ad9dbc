/* The rules of the host, each with the fault that breaks it (docs/testing.md, Planted faults): what may be appended
 * once, what holds the log, what a shadow compares, kills followed by power cuts. */
#include "host/test_world.h"

#include "host/mail.h"

static struct test_value add(uint64_t key, uint64_t amount) {
    return (struct test_value){OP_ADD, 0, key, amount};
}

/* ---- once
 * ----------------------------------------------------------------------------------------------------------------- */

/* The target of an emit may have it in its log already and not know yet: then it is there twice, and counts once. */
static void an_emit_that_is_in_the_log_twice_is_applied_once(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_open(&w, 1);
    struct host_partition *target = world_partition(&w, 1, 0);
    struct test_value v = add(4, 7);
    uint8_t key[8] = {0};
    for (uint32_t i = 0; i < 6; i++) {
        struct envelope e = {.kind = WEIR_RECORD_EMIT,
            .type = OP_ADD,
            .source = {.uid = 1, .epoch = 1, .offset = 10 + i / 3, .index = i % 3 == 2}};
        must(host_partition_append(target, &e, weir_slice(key, 8), weir_slice(&v, sizeof v), NULL));
    }
    world_run(&w);
    assert_int_equal(world_state(&w, 1, 0)->emits_seen, 4); /* (10,0) (10,1) (11,0) (11,1) */
    struct envelope e = {.kind = WEIR_RECORD_EMIT, .type = OP_ADD, .source = {.uid = 1, .epoch = 2, .offset = 3}};
    must(host_partition_append(target, &e, weir_slice(key, 8), weir_slice(&v, sizeof v), NULL));
    e.source.epoch = 1; /* of the life before */
    e.source.offset = 99;
    must(host_partition_append(target, &e, weir_slice(key, 8), weir_slice(&v, sizeof v), NULL));
    world_run(&w);
    assert_int_equal(world_state(&w, 1, 0)->emits_seen, 5);
    world_crash(&w, false);
    world_open(&w, 2);
    world_run(&w);
    assert_int_equal(world_state(&w, 1, 0)->emits_seen, 5);
    world_stop(&w);
    world_done(&w);
}

/* A source derives its emits again after a crash; a target that has them does not write them again. */
static void emits_derived_again_are_not_appended_again(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_open(&w, 2);
    for (uint64_t i = 0; i < 40; i++)
        must(world_send(
            &w, (uint32_t)(i % 2), (uint32_t)(i % 2), (uint32_t)(i / 2 % 2), (struct test_value){OP_ADD, 5, i, 1}, i));
    world_run(&w);
    for (int life = 0; life < 3; life++) {
        uint64_t before[4];
        for (uint32_t p = 0; p < 4; p++)
            before[p] = w.host->partitions[p].log->next;
        world_crash(&w, life == 1);
        world_open(&w, 1 + (uint32_t)life);
        world_run(&w);
        for (uint32_t p = 0; p < 4; p++)
            assert_int_equal(w.host->partitions[p].log->next, before[p] + 1); /* the settings record of this start */
    }
    world_stop(&w);
    world_done(&w);
}

static void outputs_that_are_in_the_log_are_not_put_there_again(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 14);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 20; i++)
        must(world_send(&w, 0, 0, 0, add(i, 1), i));
    world_run(&w);
    uint64_t outputs = log_topic_find(w.log, "left.out")->partitions[0]->next;
    assert_int_equal(outputs, 20);
    for (int life = 0; life < 3; life++) {
        log_checkpoint_soon(w.log);
        world_run(&w);
        world_crash(&w, life == 1);
        world_open(&w, 1 + (uint32_t)life); /* derives all twenty again: there is no snapshot */
        world_run(&w);
        struct world_records all = {0};
        assert_true(world_read(&w, "left.out", 0, &all));
        assert_int_equal(all.count, 20);
        for (uint64_t i = 0; i < 20; i++)
            assert_int_equal(all.data[i].output.key, i);
        free(all.data);
    }
    world_stop(&w);
    world_done(&w);
}

/* What a reader was given in one life is there when the next is ready; before, it is told to come again, not that its
 * offset is beyond the end. */
static void a_reader_finds_no_less_when_the_node_is_ready_again(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 15);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 20; i++)
        must(world_send(&w, 0, 0, 0, add(i, 1), i));
    world_run(&w);
    assert_int_equal(log_topic_find(w.log, "left.out")->partitions[0]->high, 20);
    world_crash(&w, true);
    must(world_try(&w, 1));
    const struct log_partition *out = log_topic_find(w.log, "left.out")->partitions[0];
    assert_int_equal(out->high, 0); /* no checkpoint covered them */
    sys_sim_run(w.sys, 1);          /* the lane has begun */
    w.delivery_count = 0;
    must(host_read(w.lanes[0], "left.out", 0, 20, 65536, 0, (struct host_origin){.correlation = 3}));
    while (!host_ready(w.host)) {
        sys_sim_run(w.sys, 1);
        sys_sim_advance(w.sys, 10000);
    }
    assert_int_equal(out->high, 20);
    world_run(&w);
    assert_int_equal(w.delivery_count, 1);
    assert_int_equal(w.deliveries[0].error, WEIR_E_AGAIN);
    world_stop(&w);
    world_done(&w);
}

/* Its settings record finds no room, but what is there is replayed and can be read; commands are taken when space
 * comes. */
static void a_start_on_a_full_disk_gets_ready_and_takes_commands_later(void **state) {
    (void)state;
    uint32_t refused = 0;
    for (uint64_t seed = 0; seed < 8; seed++) { /* who is first, the keeper that looks at the disk or the lane */
        struct world w;
        world_init(&w, seed);
        w.log_options.disk_reserve_bytes = 1u << 20;
        world_open(&w, 1);
        must(world_send(&w, 0, 0, 0, add(1, 1), 0));
        world_run(&w);
        world_crash(&w, true); /* the next start has records to replay, and one to append */
        int filler;
        must(w.sys->file_open(w.sys, "filler", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &filler));
        must(w.sys->file_allocate(w.sys, filler, 0, (uint64_t)1 << 40));
        world_open(&w, 1);
        assert_int_equal(world_state(&w, 0, 0)->counters[1], 1);
        assert_int_equal(log_topic_find(w.log, "left.out")->partitions[0]->high, 1);
        refused += world_send(&w, 0, 0, 0, add(1, 1), 1) == WEIR_E_NO_SPACE;
        if (seed % 2) { /* a stop need not wait for space */
            w.sys->file_close(w.sys, filler);
            world_stop(&w);
            world_done(&w);
            continue;
        }
        must(w.sys->file_truncate(w.sys, filler, 0));
        for (int i = 0; i < 5; i++) {
            world_run(&w);
            sys_sim_advance(w.sys, SYS_NANOS_PER_S);
        }
        must(world_send(&w, 0, 0, 0, add(1, 1), 2));
        world_run(&w);
        assert_non_null(world_reply(&w, 2));
        w.sys->file_close(w.sys, filler);
        world_stop(&w);
        world_done(&w);
    }
    assert_true(refused > 0);
}

static void a_due_timer_is_appended_once_however_slow_the_disk(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 3; i++)
        must(world_send(&w, 0, 0, 0, (struct test_value){OP_TIMER, 0, 9 + i, SYS_NANOS_PER_S}, i));
    world_run(&w);
    struct host_partition *p = world_partition(&w, 0, 0);
    must(world_send(&w, 0, 0, 0, add(1, 1), 5));
    host_lane_work(w.lanes[0], 0); /* on its way: what is due next waits in the open commit, unseen by the fold */
    uint64_t next = p->log->next;
    for (int i = 0; i < 50; i++) { /* the journal's agent does not run */
        sys_sim_advance(w.sys, SYS_NANOS_PER_S);
        host_lane_work(w.lanes[0], 0);
    }
    assert_int_equal(p->log->next, next + 3);
    world_run(&w);
    assert_int_equal(p->log->next, next + 3);
    assert_int_equal(world_state(&w, 0, 0)->timers_seen, 3);
    world_stop(&w);
    world_done(&w);
}

/* ---- snapshots
 * -------------------------------------------------------------------------------------------------------------- */
static enum weir_error snapshot_work(struct host *host, void *arg, char *text, size_t size) {
    (void)arg, (void)text, (void)size;
    return host_service_snapshot(host, "left");
}
static enum weir_error snapshot_now(struct world *w) {
    w->delivery_count = 0;
    must(host_work(w->lanes[0], snapshot_work, NULL, 0, (struct host_origin){.correlation = 1}));
    for (int i = 0; i < 100 && w->delivery_count == 0; i++)
        world_run(w);
    assert_true(w->delivery_count > 0);
    return w->deliveries[w->delivery_count - 1].error;
}

static void the_log_is_held_from_the_older_of_two_snapshots_on(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 4);
    world_open(&w, 1);
    uint64_t last = 0, before_last = 0;
    for (uint64_t round = 0; round < 4; round++) {
        assert_int_equal(atomic_load(&world_partition(&w, 0, 0)->log->hold), before_last);
        for (uint64_t i = 0; i < 5; i++)
            must(world_send(&w, 0, 0, 0, add(i, 1), i));
        world_run(&w);
        must(snapshot_now(&w));
        before_last = last;
        last = world_partition(&w, 0, 0)->fold.applied;
        assert_int_equal(atomic_load(&world_partition(&w, 0, 0)->log->hold), before_last);
        world_crash(&w, round % 2);
        world_open(&w, 1);
        world_run(&w);
    }
    assert_true(before_last > 10);
    world_stop(&w);
    world_done(&w);
}

/* A snapshot file of any length but its own is passed over, the older one is used, and nothing is lost. */
static void a_snapshot_file_cut_short_is_passed_over(void **state) {
    (void)state;
    static const uint64_t keep[] = {0, 1, 8, 23, 24, 100, UINT64_MAX};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(keep); i++) {
        struct world w;
        world_init(&w, 5);
        world_open(&w, 1);
        uint64_t older = 0, newest = 0, size = 0;
        for (uint64_t round = 0; round < 2; round++) {
            must(world_send(&w, 0, 0, 0, add(3, 5), round));
            world_run(&w);
            must(snapshot_now(&w));
            older = newest;
            newest = world_partition(&w, 0, 0)->fold.applied;
        }
        world_crash(&w, false);
        char path[SNAPSHOT_PATH_MAX];
        snapshot_path(path, sizeof path, "data", "left", 0, newest);
        int file;
        must(w.sys->file_open(w.sys, path, SYS_OPEN_READ | SYS_OPEN_WRITE, &file));
        must(w.sys->file_size(w.sys, file, &size));
        must(w.sys->file_truncate(w.sys, file, keep[i] < size ? keep[i] : size - 1));
        w.sys->file_close(w.sys, file);
        must(world_try(&w, 1));
        assert_int_equal(world_partition(&w, 0, 0)->fold.applied, older);
        assert_true(atomic_load(&world_partition(&w, 0, 0)->log->hold) <= older);
        world_ready(&w);
        assert_int_equal(world_state(&w, 0, 0)->counters[3], 10);
        world_stop(&w);
        world_done(&w);
    }
}

/* A snapshot that tells of more than the log holds belongs to another log: whatever its checksum says, it is not used.
 */
static void a_snapshot_ahead_of_the_log_is_passed_over(void **state) {
    (void)state;
    for (int of_output = 0; of_output < 2; of_output++) {
        struct world w;
        world_init(&w, 8);
        world_open(&w, 1);
        for (uint64_t i = 0; i < 5; i++)
            must(world_send(&w, 0, 0, 0, add(3, 1), i));
        world_run(&w);
        struct host_partition *p = world_partition(&w, 0, 0);
        uint64_t applied = p->fold.applied;
        log_checkpoint_soon(w.log); /* the outputs are there after the crash */
        world_run(&w);
        struct weir_sink sink = {0};
        uint64_t hold = 0;
        if (of_output)
            p->fold.outputs_next[1] += 3;
        else
            p->fold.applied += 3;
        must(snapshot_store(&p->fold, &sink));
        must(snapshot_write(w.sys, "data", &p->fold, &sink, &hold));
        sink_done(&sink);
        world_crash(&w, true);
        must(world_try(&w, 1));
        assert_int_equal(world_partition(&w, 0, 0)->fold.applied, 0);
        assert_true(w.report_count > 0);
        world_ready(&w);
        assert_int_equal(world_state(&w, 0, 0)->counters[3], 5);
        assert_int_equal(world_partition(&w, 0, 0)->replay_end, applied);
        world_stop(&w);
        world_done(&w);
    }
}

static void a_clean_stop_leaves_no_tail(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 9);
    world_open(&w, 2);
    for (uint64_t i = 0; i < 40; i++)
        must(world_send(
            &w, (uint32_t)(i % 2), (uint32_t)(i % 2), (uint32_t)(i / 2 % 2), (struct test_value){OP_ADD, 2, i, 1}, i));
    world_run(&w);
    world_stop(&w);
    must(world_try(&w, 1));
    for (uint32_t p = 0; p < 4; p++) { /* nothing has run yet: all of it was loaded */
        assert_int_equal(w.host->partitions[p].fold.applied, w.host->partitions[p].log->next);
        assert_true(w.host->partitions[p].fold.applied > 5);
    }
    world_ready(&w);
    world_stop(&w);
    world_done(&w);
}

/* Folds that are not functions of their log, each in one way only. */
static enum { IN_VALUE, IN_STATE, IN_EMIT, IN_COUNT, FAULTS } fault;
static uint64_t chance;
static void unfaithful_apply(void *state, const struct weir_record *r, struct weir_out *out) {
    struct test_state *s = state;
    test_apply(state, r, out);
    if (r->kind != WEIR_RECORD_COMMAND) return;
    if (fault == IN_VALUE) memcpy(weir_output(out, 1, 5, 1, 8, NULL), &chance, 8);
    if (fault == IN_STATE) s->counters[7] = chance;
    struct test_value emitted = add(1, chance);
    if (fault == IN_EMIT) memcpy(weir_emit(out, 0, OP_ADD, 1, sizeof emitted), &emitted, sizeof emitted);
    for (uint64_t i = 0; fault == IN_COUNT && i < chance; i++)
        memset(weir_output(out, 1, 5, 1, 8, NULL), 0, 8);
}
static void a_shadow_sees_every_way_in_which_a_fold_can_differ(void **state) {
    (void)state;
    for (fault = IN_VALUE; fault < FAULTS; fault++) {
        struct world w;
        world_init(&w, 6);
        left_service.apply = unfaithful_apply;
        chance = 1;
        world_open(&w, 1);
        must(world_send(&w, 0, 0, 0, add(3, 1), 1));
        world_run(&w);
        must(snapshot_now(&w)); /* as long as it is faithful it may have one */
        must(world_send(&w, 0, 0, 0, add(3, 1), 2));
        world_run(&w);
        chance = 2;
        assert_int_equal(snapshot_now(&w), WEIR_E_MISMATCH);
        world_crash(&w, true);
        left_service.apply = test_apply;
        world_done(&w);
    }
}

/* The input may be forgotten behind a snapshot: so what came out of it must be safe where it went. */
static void a_snapshot_waits_for_emits_that_their_target_has_not_taken(void **state) {
    (void)state;
    struct world w;
    uint64_t newest = 0;
    world_init(&w, 13);
    world_open(&w, 1);
    world_run(&w);
    for (uint32_t p = 0; p < 2; p++) /* while a target replays, sources are patient */
        atomic_store(&world_partition(&w, 1, p)->facts.takes_emits, false);
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 1, 1, 1}, 1));
    world_run(&w);
    w.delivery_count = 0;
    must(host_work(w.lanes[0], snapshot_work, NULL, 0, (struct host_origin){.correlation = 1}));
    for (int i = 0; i < 10; i++)
        world_run(&w);
    struct snapshot_offsets list;
    must(snapshot_list(w.sys, "data", "left", 0, &list));
    assert_int_equal(list.count, 0);
    for (uint32_t p = 0; p < 2; p++)
        atomic_store(&world_partition(&w, 1, p)->facts.takes_emits, true);
    for (int i = 0; i < 20 && w.delivery_count == 0; i++)
        world_run(&w);
    must(snapshot_list(w.sys, "data", "left", 0, &list));
    assert_int_equal(list.count, 1);
    newest = list.offsets[0];
    assert_int_equal(newest, world_partition(&w, 0, 0)->fold.applied);
    world_stop(&w);
    world_done(&w);
}

/* ---- a skip
 * ----------------------------------------------------------------------------------------------------------------- */
static void note_crash(struct world *w, uint32_t uid, uint64_t offset, uint64_t at) {
    uint8_t note[POISON_NOTE_SIZE];
    poison_store(uid, offset, note);
    int file;
    must(w->sys->file_open(w->sys, "data/snapshots/poison", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file));
    must(w->sys->file_write(w->sys, file, at * POISON_NOTE_SIZE, &(struct sys_iovec){note, sizeof note}, 1));
    must(w->sys->file_sync(w->sys, file));
    w->sys->file_close(w->sys, file);
    must(w->sys->dir_sync(w->sys, "data/snapshots"));
}

static void a_parked_partition_moves_only_when_the_order_is_durable(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 7);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 5; i++)
        must(world_send(&w, 0, 0, 0, add(3, 1), i));
    world_run(&w);
    struct host_partition *p = world_partition(&w, 0, 0);
    uint64_t poison = world_reply(&w, 2)->offset;
    uint32_t uid = p->log->uid;
    world_crash(&w, false);
    note_crash(&w, uid, poison, 0);
    note_crash(&w, uid, poison, 1);
    world_open(&w, 1);
    world_run(&w);
    p = world_partition(&w, 0, 0);
    assert_true(p->parked);
    uint32_t self = host_work_endpoint(w.host);
    struct mail_skip *mail = mailbox_reserve(&w.host->mailbox, MAIL_REQUEST, self, 0, sizeof *mail);
    assert_non_null(mail);
    *mail = (struct mail_skip){.offset = poison, .partition = p->number};
    mailbox_commit(&w.host->mailbox, MAIL_REQUEST, self, 0, sizeof *mail, MAIL_SKIP);
    for (int i = 0; i < 10; i++)
        host_lane_work(w.lanes[0], 0); /* the journal's agent does not run */
    assert_true(p->parked);
    assert_int_equal(p->fold.applied, poison);
    world_run(&w);
    assert_false(p->parked);
    assert_int_equal(world_state(&w, 0, 0)->counters[3], 4);
    world_stop(&w);
    world_done(&w);
}

/* ---- a kill, a life, a power cut
 * --------------------------------------------------------------------------------------------------- */
#define LATER 1000u

static void send_all(struct world *w, uint64_t from, uint64_t count) {
    for (uint64_t i = from; i < from + count && !sys_sim_dead(w->sys); i++) {
        (void)world_send_once(w, (uint32_t)(i % w->lane_count), (uint32_t)(i % 2), (uint32_t)(i / 2 % 2),
            (struct test_value){OP_ADD, (uint32_t)(i % 3), i % 64, 1}, i);
        if (i % 4 == 0) sys_sim_run(w->sys, 5 + i % 20);
        if (i % 16 == 7) log_checkpoint_soon(w->log);
        if (i % 32 == 9)
            for (uint32_t p = 0; p < w->host->partition_count; p++)
                w->host->work->shadow.paces[p].wanted = true;
    }
    world_run(w);
}
static bool acked(const struct world *w, uint64_t i) {
    const struct world_delivery *reply = world_reply(w, i);
    return reply && reply->error == WEIR_OK;
}

/* What one process left unsynced, the next may read and may not stand on. */
static void a_kill_at_any_call_then_a_life_then_a_power_cut_loses_and_doubles_nothing(void **state) {
    (void)state;
    static const uint32_t lanes[] = {1, 2, 4};
    uint64_t deaths = 0;
    for (uint64_t n = 1; n < 900; n += 11) {
        struct world w;
        world_init(&w, n);
        world_open(&w, lanes[n % 3]);
        sys_sim_fail_at(w.sys, SYS_SIM_ANY, n, WEIR_E_CLOSED);
        send_all(&w, 0, 80);
        deaths += sys_sim_dead(w.sys);
        world_crash(&w, true);
        world_open(&w, lanes[(n + 1) % 3]);
        send_all(&w, LATER, 40);
        world_crash(&w, false);
        world_open(&w, lanes[(n + 2) % 3]);
        world_run(&w);
        uint64_t known[2] = {0};
        for (uint32_t s = 0; s < 2; s++)
            for (uint32_t p = 0; p < 2; p++)
                for (int k = 0; k < 64; k++)
                    known[0] += world_state(&w, s, p)->counters[k];
        for (uint64_t i = 0; i < LATER + 40; i = i == 79 ? LATER : i + 1)
            known[1] += acked(&w, i) ? 1 + i % 3 : 0; /* itself, and each hop */
        assert_true(known[0] >= known[1]);
        w.delivery_count = 0;
        send_all(&w, 0, 80); /* again: those that are there answer from the table */
        send_all(&w, LATER, 40);
        for (int round = 0; round < 20; round++)
            world_run(&w);
        uint64_t total = 0, expected = 0;
        for (uint32_t s = 0; s < 2; s++)
            for (uint32_t p = 0; p < 2; p++)
                for (int k = 0; k < 64; k++)
                    total += world_state(&w, s, p)->counters[k];
        for (uint64_t i = 0; i < LATER + 40; i = i == 79 ? LATER : i + 1) {
            assert_true(acked(&w, i));
            expected += 1 + i % 3;
        }
        assert_int_equal(total, expected);
        world_stop(&w);
        world_done(&w);
    }
    assert_true(deaths > 10);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emit_that_is_in_the_log_twice_is_applied_once),
        cmocka_unit_test(emits_derived_again_are_not_appended_again),
        cmocka_unit_test(outputs_that_are_in_the_log_are_not_put_there_again),
        cmocka_unit_test(a_reader_finds_no_less_when_the_node_is_ready_again),
        cmocka_unit_test(a_start_on_a_full_disk_gets_ready_and_takes_commands_later),
        cmocka_unit_test(a_snapshot_waits_for_emits_that_their_target_has_not_taken),
        cmocka_unit_test(a_due_timer_is_appended_once_however_slow_the_disk),
        cmocka_unit_test(the_log_is_held_from_the_older_of_two_snapshots_on),
        cmocka_unit_test(a_snapshot_file_cut_short_is_passed_over),
        cmocka_unit_test(a_snapshot_ahead_of_the_log_is_passed_over),
        cmocka_unit_test(a_clean_stop_leaves_no_tail),
        cmocka_unit_test(a_shadow_sees_every_way_in_which_a_fold_can_differ),
        cmocka_unit_test(a_parked_partition_moves_only_when_the_order_is_durable),
        cmocka_unit_test(a_kill_at_any_call_then_a_life_then_a_power_cut_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests_name("host rules", tests, NULL, NULL);
}
