/* Limits and failures: a full disk, a failing disk, a full journal, retention and its hold, idempotent producers, many
 * partitions, batches as clients send them. On the simulated world. */
#include "log/reader.h"
#include "log/test_world.h"

static void after_a_failed_sync_nothing_is_acknowledged_and_the_process_ends(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 30; n++) {
        struct world w;
        const char *message = NULL;
        world_init(&w, 21);
        must(world_open(&w));
        write_on(&w, 3, 5);
        sys_sim_fail_at(w.sys, SYS_SIM_SYNC, n, WEIR_E_IO);
        for (int i = 0; i < 30 && !sys_sim_fatal(w.sys, &message); i++) {
            uint64_t before = w.inputs[0].acked;
            world_commit(&w, 20);
            world_run(&w);
            if (sys_sim_fatal(w.sys, &message)) assert_true(w.inputs[0].acked >= before);
        }
        if (!sys_sim_fatal(w.sys, &message)) { /* it was a sync of the disk: then the files are synced one by one */
            assert_true(metric_get(&w.log->keeper.disk_syncs) > 0 && metric_get(&w.log->keeper.segment_syncs) > 0);
            world_check(&w);
            world_done(&w);
            continue;
        }
        assert_non_null(strstr(message, "nothing is acknowledged any more"));
        struct log_commit *c = NULL;
        assert_int_equal(log_commit_begin(w.writer, &c), WEIR_E_CLOSED);
        sys_sim_run(w.sys, 1000);
        assert_null(log_writer_durable(w.writer));
        world_crash(&w, false);
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

static void fail_a_commit(enum sys_commit_path how, enum sys_sim_call call) {
    struct world w;
    const char *message = NULL;
    world_init(&w, 22);
    w.options.journal_write = how;
    must(world_open(&w));
    write_on(&w, 3, 5);
    sys_sim_fail_at(w.sys, call, 1, WEIR_E_IO);
    assert_true(world_commit(&w, 5));
    uint64_t acked = w.inputs[0].acked + w.inputs[1].acked + w.inputs[2].acked;
    log_journal_work(&w.log->journal, 0); /* first of all agents: the failure is its own */
    world_run(&w);
    assert_true(sys_sim_fatal(w.sys, &message));
    assert_non_null(strstr(message, "the journal can't be written"));
    assert_int_equal(w.inputs[0].acked + w.inputs[1].acked + w.inputs[2].acked, acked);
    world_crash(&w, call == SYS_SIM_WRITE);
    w.options.journal_write = (enum sys_commit_path)((how + 1u) % SYS_COMMIT_PATHS);
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

static void a_failed_journal_write_or_sync_is_final_in_whatever_way(void **state) {
    (void)state;
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        fail_a_commit((enum sys_commit_path)how, SYS_SIM_WRITE);
        fail_a_commit((enum sys_commit_path)how, SYS_SIM_SYNC);
    }
}

static void segment_writes_wait_for_space_and_lose_nothing(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 23);
    must(world_open(&w));
    write_on(&w, 3, 5);
    /* The store's next writes find no space: it waits, nothing is fatal, the commits stay durable in the journal. */
    assert_true(world_commit(&w, 5));
    for (int i = 0; i < 100 && w.log->store.round_count == 0 && metric_get(&w.log->store.space_waits) == 0; i++) {
        sys_sim_fail_at(w.sys, SYS_SIM_WRITE, 2, WEIR_E_NO_SPACE); /* 1 is the journal's */
        log_journal_work(&w.log->journal, 0);
        world_take(&w);
        sys_sim_fail_at(w.sys, SYS_SIM_WRITE, 1, WEIR_E_NO_SPACE);
        log_store_work(&w.log->store, 0);
    }
    assert_true(metric_get(&w.log->store.space_waits) > 0);
    assert_true(atomic_load(&w.log->space_short));
    sys_sim_fail_at(w.sys, SYS_SIM_WRITE, 0, WEIR_OK);
    const char *message = NULL;
    assert_false(sys_sim_fatal(w.sys, &message));
    sys_sim_advance(w.sys, SYS_NANOS_PER_S);
    world_run(&w);
    assert_false(atomic_load(&w.log->space_short));
    world_check(&w);
    write_on(&w, 3, 5);
    world_check(&w);
    world_done(&w);
}

static void below_the_disk_reserve_commits_are_refused_before_anything_is_applied(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 24);
    w.options.disk_reserve_bytes = UINT64_MAX;
    must(world_open(&w));
    world_run(&w);
    sys_sim_advance(w.sys, 2 * SYS_NANOS_PER_S);
    world_run(&w);
    struct log_commit *c = NULL;
    assert_int_equal(log_commit_begin(w.writer, &c), WEIR_E_NO_SPACE);
    world_done(&w);
}

static void a_journal_at_its_bound_refuses_until_what_it_holds_is_released(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 25);
    w.options.commits_per_lane = 1024;
    must(world_open(&w));
    struct log_commit *c = NULL, *held[1024];
    size_t count = 0;
    enum weir_error e = WEIR_OK;
    while (!(e = log_commit_begin(w.writer, &c))) {
        uint8_t value[600];
        uint64_t offset = 0;
        struct log_partition *p = w.in->partitions[0];
        for (int i = 0; i < 30; i++) {
            struct log_record r = {.time_ms = 1, .value = world_value(p->uid, p->next, value)};
            must(log_commit_append(c, p, &r, &offset));
        }
        log_commit_submit(c);
        sys_sim_run(w.sys, 1000);
        held[count++] = log_writer_durable(w.writer);
        assert_non_null(held[count - 1]);
    }
    assert_int_equal(e, WEIR_E_FULL);
    assert_true(count > 10);
    assert_true(atomic_load(&w.log->journal.used) <= w.options.journal_bytes_max);
    for (size_t i = 0; i < count; i++)
        log_commit_release(held[i]);
    world_run(&w);
    must(log_commit_begin(w.writer, &c));
    log_commit_submit(c);
    world_run(&w);
    assert_int_equal(world_check_partition(&w, w.in->partitions[0]), count * 30);
    world_done(&w);
}

static void retention_takes_whole_segments_and_never_passes_the_hold(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 26);
    must(world_open(&w));
    struct log_topic_config config = {.retention_bytes = 20 << 10, .segment_bytes = 4 << 10};
    struct log_topic *t = NULL;
    must(log_topic_create(w.log, "kept", 1, &config, &t));
    struct log_partition *p = t->partitions[0];
    atomic_store(&p->hold, 10);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 60; i++) {
            struct log_commit *c = NULL;
            uint64_t offset = 0;
            uint8_t value[600];
            must(log_commit_begin(w.writer, &c));
            for (int k = 0; k < 8; k++) {
                struct log_record r = {.time_ms = 1, .value = world_value(p->uid, p->next, value)};
                must(log_commit_append(c, p, &r, &offset));
            }
            log_commit_submit(c);
            world_run(&w);
            log_checkpoint_soon(w.log);
            world_run(&w);
        }
        if (round == 0) assert_true(atomic_load(&p->start) <= 10);
        if (round == 0) assert_true(atomic_load(&p->bytes) > 60 << 10);
        atomic_store(&p->hold, UINT64_MAX);
    }
    assert_true(atomic_load(&p->start) > 10);
    assert_true(atomic_load(&p->bytes) <= 28 << 10);
    size_t size = 0;
    assert_int_equal(log_read(w.log, p, 0, true, w.read_buffer, WORLD_READ_SIZE, &size), WEIR_E_OUT_OF_RANGE);
    uint64_t end = world_check_partition(&w, p), start = atomic_load(&p->start);
    world_crash(&w, false);
    must(world_open(&w));
    p = log_topic_find(w.log, "kept")->partitions[0];
    assert_int_equal(world_check_partition(&w, p), end);
    assert_int_equal(atomic_load(&p->start), start);
    world_done(&w);
}

/* A batch as a client would send it. */
static struct weir_slice client_batch(uint8_t *bytes, int64_t id, int16_t epoch, int32_t sequence, int records) {
    struct weir_record_builder b;
    struct weir_record_builder_options o = WEIR_RECORD_BUILDER_OPTIONS;
    o.producer_id = id;
    o.producer_epoch = epoch;
    o.base_sequence = sequence;
    o.base_timestamp_ms = 5;
    weir_record_builder_init(&b, bytes, 4096, &o);
    for (int i = 0; i < records; i++)
        must(weir_record_builder_append(&b, 5, (struct weir_slice){0}, weir_slice_text("x"), NULL, 0));
    return weir_record_builder_finish(&b);
}

static enum weir_error send(
    struct world *w, int64_t id, int16_t epoch, int32_t sequence, int records, uint64_t *ret_base) {
    uint8_t bytes[4096];
    struct log_commit *c = NULL;
    must(log_commit_begin(w->writer, &c));
    enum weir_error e = log_commit_append_batch(
        c, w->in->partitions[0], client_batch(bytes, id, epoch, sequence, records), 77, ret_base);
    log_commit_submit(c);
    sys_sim_run(w->sys, 10000);
    while ((c = log_writer_durable(w->writer)))
        log_commit_release(c);
    sys_sim_run(w->sys, 10000);
    return e;
}

static void a_batch_sent_twice_is_stored_once_also_after_a_crash(void **state) {
    (void)state;
    for (int checkpointed = 0; checkpointed < 2; checkpointed++) {
        struct world w;
        uint64_t base = 99;
        world_init(&w, 27);
        must(world_open(&w));
        must(send(&w, 7, 0, 0, 3, &base));
        assert_int_equal(base, 0);
        must(send(&w, 7, 0, 3, 2, &base));
        assert_int_equal(base, 3);
        assert_int_equal(send(&w, 7, 0, 0, 3, &base), WEIR_E_DUPLICATE);
        assert_int_equal(base, 0);
        assert_int_equal(send(&w, 7, 0, 9, 1, &base), WEIR_E_OUT_OF_SEQUENCE);
        must(send(&w, 8, 0, 0, 1, &base)); /* another producer */
        if (checkpointed) {
            log_checkpoint_soon(w.log);
            sys_sim_run(w.sys, 10000);
        }
        world_crash(&w, false);
        must(world_open(&w));
        assert_int_equal(send(&w, 7, 0, 3, 2, &base), WEIR_E_DUPLICATE);
        assert_int_equal(base, 3);
        assert_int_equal(send(&w, 7, 0, 6, 2, &base), WEIR_E_OUT_OF_SEQUENCE);
        must(send(&w, 7, 1, 0, 1, &base));
        assert_int_equal(send(&w, 7, 0, 5, 1, &base), WEIR_E_FENCED);
        assert_int_equal(atomic_load(&w.in->partitions[0]->high), 7);
        uint64_t a = 0, b = 0;
        must(log_producer_id_new(w.log, &a));
        world_crash(&w, false);
        must(world_open(&w));
        must(log_producer_id_new(w.log, &b));
        assert_true(b > a);
        world_done(&w);
    }
}

static void a_batch_gets_its_time_offset_and_a_fresh_checksum(void **state) {
    (void)state;
    struct world w;
    uint64_t base = 0;
    size_t size = 0;
    struct weir_record_batch b;
    world_init(&w, 28);
    must(world_open(&w));
    must(send(&w, -1, -1, -1, 2, &base));
    must(send(&w, -1, -1, -1, 2, &base));
    must(log_read(w.log, w.in->partitions[0], 2, true, w.read_buffer, WORLD_READ_SIZE, &size));
    must(weir_record_batch_check(weir_slice(w.read_buffer, size), NULL, &b));
    assert_int_equal(b.base_offset, 2);
    assert_int_equal(b.max_timestamp_ms, 77);
    assert_true(b.attributes & WEIR_BATCH_LOG_APPEND_TIME);
    world_done(&w);
}

static void a_read_with_a_small_buffer_learns_the_size_it_needs(void **state) {
    (void)state;
    struct world w;
    size_t size = 0;
    world_init(&w, 29);
    must(world_open(&w));
    write_on(&w, 10, 20);
    struct log_partition *p = w.in->partitions[0];
    assert_int_equal(log_read(w.log, p, 0, true, w.read_buffer, 10, &size), WEIR_E_TOO_LARGE);
    assert_int_equal(log_read(w.log, p, 0, true, w.read_buffer, size, &size), WEIR_E_TOO_LARGE);
    must(log_read(w.log, p, 0, true, w.read_buffer, size, &size));
    assert_true(size > 0);
    assert_int_equal(log_read(w.log, p, p->next + 1, true, w.read_buffer, WORLD_READ_SIZE, &size), WEIR_E_OUT_OF_RANGE);
    must(log_read(w.log, p, p->next, true, w.read_buffer, WORLD_READ_SIZE, &size));
    assert_int_equal(size, 0);
    world_done(&w);
}

static void offsets_are_found_by_time(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 30);
    must(world_open(&w));
    write_on(&w, 60, 20); /* commit n has time 1000 + n */
    struct log_partition *p = w.in->partitions[2];
    uint64_t last = 0, at = 0;
    for (uint64_t t = 990; t < 1070; t += 3) {
        must(log_offset_at(w.log, p, t, &at));
        assert_true(at >= last);
        last = at;
        uint64_t time = 0;
        if (at < p->high) must(log_batch_time(w.log, partition_of(p), at, &time));
        if (at < p->high) assert_true(time >= t);
        if (at > 0) {
            must(log_batch_time(w.log, partition_of(p), at - 1, &time));
            assert_true(time < t);
        }
    }
    assert_int_equal(last, p->high);
    world_done(&w);
}

static void topics_come_go_and_come_again_without_mixing(void **state) {
    (void)state;
    struct world w;
    struct log_topic_config config = {0};
    struct log_topic *t = NULL;
    world_init(&w, 31);
    must(world_open(&w));
    write_on(&w, 10, 20);
    assert_int_equal(log_topic_create(w.log, "in", 1, &config, &t), WEIR_E_EXISTS);
    assert_ptr_equal(t, w.in);
    assert_int_equal(log_topic_create(w.log, "a/b", 1, &config, &t), WEIR_E_INVALID);
    assert_int_equal(log_topic_create(w.log, "..", 1, &config, &t), WEIR_E_INVALID);
    assert_int_equal(log_topic_create(w.log, "many", 65, &config, &t), WEIR_E_FULL);
    must(log_topic_delete(w.log, "in"));
    assert_null(log_topic_find(w.log, "in"));
    assert_int_equal(log_topic_delete(w.log, "in"), WEIR_E_NOT_FOUND);
    must(log_topic_create(w.log, "in", WORLD_PARTITIONS, &config, &w.in));
    assert_int_equal(atomic_load(&w.in->partitions[0]->high), 0);
    memset(w.inputs, 0, sizeof w.inputs);
    write_on(&w, 4, 20);
    world_crash(&w, false); /* the journal still holds frames of the deleted one */
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* Its deletion fails at each call in turn: it is deleted, or it is there with everything; never half. */
static void a_topic_whose_deletion_fails_loses_nothing(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 12; n++) {
        struct world w;
        const char *message = NULL;
        world_init(&w, 33);
        must(world_open(&w));
        write_on(&w, 10, 20);
        sys_sim_fail_at(w.sys, SYS_SIM_ANY, n, WEIR_E_IO);
        enum weir_error e = log_topic_delete(w.log, "in");
        sys_sim_fail_at(w.sys, SYS_SIM_ANY, 0, WEIR_E_IO);
        if (e && !sys_sim_fatal(w.sys, &message)) {
            assert_ptr_equal(log_topic_find(w.log, "in"), w.in);
            write_on(&w, 10, 20); /* and a checkpoint or two */
        }
        world_crash(&w, false);
        if (!e) memset(w.inputs, 0, sizeof w.inputs);
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

/* The store agent may still be about to write for the old one. */
static void a_topic_made_again_at_once_shares_no_folder_with_the_old_one(void **state) {
    (void)state;
    struct world w;
    struct log_topic_config config = {0};
    struct log_topic *first = NULL, *second = NULL;
    world_init(&w, 34);
    must(world_open(&w));
    must(log_topic_create(w.log, "again", 1, &config, &first));
    must(log_topic_delete(w.log, "again"));
    must(log_topic_create(w.log, "again", 1, &config, &second));
    assert_string_not_equal(((struct topic *)first)->folder, ((struct topic *)second)->folder);
    world_done(&w);
}

static void a_thousand_partitions_in_one_commit_come_back(void **state) {
    (void)state;
    struct world w;
    struct log_topic_config config = {0};
    struct log_topic *t = NULL;
    world_init(&w, 32);
    log_options_default(&w.options);
    w.options.folder = "data";
    w.options.disk_reserve_bytes = 0;
    must(world_open(&w));
    must(log_topic_create(w.log, "many", 1000, &config, &t));
    for (int round = 0; round < 3; round++) {
        struct log_commit *c = NULL;
        must(log_commit_begin(w.writer, &c));
        for (uint32_t i = 0; i < 3000; i++) {
            struct log_partition *p = t->partitions[i % 1000];
            uint8_t value[600];
            uint64_t offset = 0;
            struct log_record r = {.time_ms = 1, .value = world_value(p->uid, p->next, value)};
            must(log_commit_append(c, p, &r, &offset));
        }
        log_commit_submit(c);
        assert_true(c->batch_count >= 1000);
        sys_sim_run(w.sys, 10000);
        while ((c = log_writer_durable(w.writer)))
            log_commit_release(c);
        sys_sim_run(w.sys, 10000);
    }
    assert_true(metric_get(&w.log->journal.frames) <= 4);
    world_crash(&w, false);
    must(world_open(&w));
    t = log_topic_find(w.log, "many");
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(world_check_partition(&w, t->partitions[i]), 9);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_failed_sync_nothing_is_acknowledged_and_the_process_ends),
        cmocka_unit_test(a_failed_journal_write_or_sync_is_final_in_whatever_way),
        cmocka_unit_test(segment_writes_wait_for_space_and_lose_nothing),
        cmocka_unit_test(below_the_disk_reserve_commits_are_refused_before_anything_is_applied),
        cmocka_unit_test(a_journal_at_its_bound_refuses_until_what_it_holds_is_released),
        cmocka_unit_test(retention_takes_whole_segments_and_never_passes_the_hold),
        cmocka_unit_test(a_batch_sent_twice_is_stored_once_also_after_a_crash),
        cmocka_unit_test(a_batch_gets_its_time_offset_and_a_fresh_checksum),
        cmocka_unit_test(a_read_with_a_small_buffer_learns_the_size_it_needs),
        cmocka_unit_test(offsets_are_found_by_time),
        cmocka_unit_test(topics_come_go_and_come_again_without_mixing),
        cmocka_unit_test(a_topic_whose_deletion_fails_loses_nothing),
        cmocka_unit_test(a_topic_made_again_at_once_shares_no_folder_with_the_old_one),
        cmocka_unit_test(a_thousand_partitions_in_one_commit_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
