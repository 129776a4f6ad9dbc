/* The rules of checkpoints, recycling and retention, each with the fault that breaks it (docs/testing.md, Planted
 * faults); and of stops and frames. */
#include "log/test_rules.h"

static void stop_and_open(struct world *w) {
    log_stop(w->log);
    log_close(w->log);
    w->log = NULL;
    must(world_open(w));
}

/* Fewer segments than make the keeper sync the disk as a whole, several of one partition. */
static void every_segment_that_was_filled_since_the_last_checkpoint_is_synced(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 61);
    must(world_open(&w));
    for (int i = 0; i < 10; i++) {
        commit_one(&w, 0, 20);
        run_without_keeper(&w);
    }
    assert_true(partition_of(w.in->partitions[0])->segment_count > 3);
    log_checkpoint_soon(w.log);
    world_run(&w);
    assert_int_equal(metric_get(&w.log->keeper.disk_syncs), 0);
    assert_int_equal(atomic_load(&w.in->partitions[0]->checkpointed), w.in->partitions[0]->next);
    world_crash(&w, false);
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* What is written while a checkpoint is being made belongs to the next one, and so do the journal files that hold it.
 */
static void a_checkpoint_claims_only_what_was_there_when_it_began(void **state) {
    (void)state;
    for (uint64_t more = 1; more < 40; more += 3) {
        struct world w;
        strict_init(&w, 62);
        w.options.checkpoint_bytes = w.options.journal_bytes_max = 1u << 20; /* only when asked */
        must(world_open(&w));
        write_on(&w, 2, 5);
        log_checkpoint_soon(w.log);
        world_run(&w);
        for (uint32_t k = 0; k < 3; k++)
            commit_one(&w, k, 5);
        run_without_keeper(&w);
        log_checkpoint_soon(w.log);
        log_keeper_work(&w.log->keeper, 0); /* its first syncs */
        assert_true(w.log->keeper.walking);
        for (uint64_t i = 0; i < more; i++) {
            commit_one(&w, (uint32_t)(i % 5), 12);
            run_without_keeper(&w);
        }
        for (int i = 0; i < 20 && w.log->keeper.walking; i++)
            log_keeper_work(&w.log->keeper, 0);
        assert_false(w.log->keeper.walking);
        for (uint64_t i = 0; i < 8; i++) { /* over whatever was recycled */
            commit_one(&w, (uint32_t)(i % 5), 12);
            run_without_keeper(&w);
        }
        world_crash(&w, false);
        enum weir_error e = world_open(&w);
        if (e) fail_msg("%llu commits: %s", (unsigned long long)more, weir_error_text());
        world_check(&w);
        world_done(&w);
    }
}

static void a_journal_file_is_used_again_only_after_the_checkpoint_that_needs_it_no_more(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 63);
    w.options.checkpoint_bytes = 1u << 20;
    must(world_open(&w));
    for (int i = 0; i < 8; i++) {
        commit_one(&w, 1, 25);
        run_without_keeper(&w);
    }
    log_checkpoint_soon(w.log);
    sys_sim_fail_at(w.sys, SYS_SIM_RENAME, 1, WEIR_E_NO_SPACE);
    for (int i = 0; i < 10; i++)
        log_keeper_work(&w.log->keeper, 0);
    assert_int_equal(metric_get(&w.log->keeper.checkpoints), 0);
    atomic_store(&w.log->space_short, false);
    for (int i = 0; i < 8; i++) { /* would run over the files that the old checkpoint still needs */
        commit_one(&w, 1, 25);
        run_without_keeper(&w);
    }
    world_crash(&w, false);
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* ---- retention
 * ------------------------------------------------------------------------------------------------------------ */

/* A partition of small segments of which most may go; nothing is checkpointed unless asked for. */
static struct log_partition *make_kept(struct world *w) {
    struct log_topic_config config = {.retention_bytes = 8 << 10, .segment_bytes = 4 << 10};
    struct log_topic *t = NULL;
    must(log_topic_create(w->log, "kept", 1, &config, &t));
    for (int i = 0; i < 16; i++) {
        struct log_commit *c = NULL;
        uint64_t offset = 0;
        uint8_t value[600];
        must(log_commit_begin(w->writer, &c));
        for (int k = 0; k < 12; k++) {
            struct log_partition *p = t->partitions[0];
            struct log_record r = {.time_ms = 1, .value = world_value(p->uid, p->next, value)};
            must(log_commit_append(c, p, &r, &offset));
        }
        log_commit_submit(c);
        log_journal_work(&w->log->journal, 0);
        c = log_writer_durable(w->writer);
        if (c) log_commit_release(c);
        run_without_keeper(w);
    }
    return t->partitions[0];
}

static void retention_never_passes_what_is_checkpointed(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 64);
    w.options.checkpoint_bytes = 1u << 20;
    must(world_open(&w));
    run_without_keeper(&w);
    struct log_partition *p = make_kept(&w);
    uint64_t end = p->next;
    assert_true(end > 100 && atomic_load(&p->bytes) > 16 << 10);
    log_keeper_work(&w.log->keeper, 0);
    assert_int_equal(atomic_load(&p->start), 0);
    world_crash(&w, false);
    must(world_open(&w));
    p = log_topic_find(w.log, "kept")->partitions[0];
    assert_int_equal(atomic_load(&p->start), 0);
    assert_int_equal(world_check_partition(&w, p), end);
    world_done(&w);
}

static void a_power_cut_at_any_call_of_retention_leaves_a_whole_partition(void **state) {
    (void)state;
    bool died = true;
    for (uint64_t n = 1; died; n++) {
        for (int luck = 0; luck < 2; luck++) {
            struct world w;
            if (luck)
                world_init(&w, 65 + n);
            else
                strict_init(&w, 65);
            w.options.checkpoint_bytes = 1u << 20;
            must(world_open(&w));
            run_without_keeper(&w);
            struct log_partition *p = make_kept(&w);
            uint64_t end = p->next;
            atomic_store(&p->hold, 0);
            log_checkpoint_soon(w.log);
            world_run(&w);
            assert_int_equal(atomic_load(&p->start), 0);
            atomic_store(&p->hold, UINT64_MAX);
            sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
            sys_sim_fail_at(w.sys, SYS_SIM_ANY, n, WEIR_E_CLOSED);
            for (int i = 0; i < 5; i++)
                log_keeper_work(&w.log->keeper, 0);
            died = sys_sim_dead(w.sys);
            uint64_t told = atomic_load(&p->start); /* what a reader may have been told */
            if (!died) assert_true(told > 0);
            world_crash(&w, n % 3 == 0);
            enum weir_error e = world_open(&w);
            if (e) fail_msg("call %llu: %s", (unsigned long long)n, weir_error_text());
            p = log_topic_find(w.log, "kept")->partitions[0];
            assert_true(atomic_load(&p->start) >= told);
            assert_int_equal(world_check_partition(&w, p), end);
            world_done(&w);
        }
    }
}

/* ---- stops and frames
 * ------------------------------------------------------------------------------------------------------ */

static void a_stop_with_a_commit_that_was_not_released_is_not_called_clean(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 66);
    must(world_open(&w));
    write_on(&w, 3, 5);
    commit_one(&w, 3, 4);
    log_journal_work(&w.log->journal, 0);
    struct log_commit *c = log_writer_durable(w.writer); /* acknowledged, and its lane ended before it let go */
    assert_non_null(c);
    w.inputs[3].acked = w.in->partitions[3]->next;
    stop_and_open(&w);
    assert_false(log_recovered(w.log)->clean);
    world_check(&w);
    stop_and_open(&w);
    assert_true(log_recovered(w.log)->clean);
    world_check(&w);
    world_done(&w);
}

/* However many lanes wrote, one write and one sync: and every lane's commit is in it. */
static void commits_of_all_lanes_share_one_frame(void **state) {
    (void)state;
    struct world w;
    struct log_writer *writers[4];
    strict_init(&w, 67);
    w.options.lanes = 4;
    w.options.journal_bytes_max = 1u << 20;
    must(world_open(&w));
    write_on(&w, 1, 5);
    writers[0] = w.writer;
    for (uint32_t lane = 1; lane < 4; lane++)
        must(log_writer_open(w.log, lane, -1, &writers[lane]));
    for (int round = 0; round < 3; round++) {
        uint64_t frames = metric_get(&w.log->journal.frames), syncs = sys_sim_calls(w.sys, SYS_SIM_SYNC);
        for (uint32_t lane = 0; lane < 4; lane++) {
            w.writer = writers[lane];
            commit_one(&w, lane, 3);
            commit_one(&w, lane, 2);
        }
        log_journal_work(&w.log->journal, 0);
        assert_int_equal(metric_get(&w.log->journal.frames) - frames, 1);
        assert_int_equal(sys_sim_calls(w.sys, SYS_SIM_SYNC) - syncs, 1);
        for (uint32_t lane = 0; lane < 4; lane++) {
            w.writer = writers[lane];
            world_take(&w);
            assert_int_equal(w.inputs[lane].acked, w.inputs[lane].submitted);
        }
        log_store_work(&w.log->store, 0);
    }
    world_crash(&w, false);
    w.options.lanes = 1; /* another number of lanes reads them all the same */
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* What was altered and made when the call returned is there after a power cut; after an error all is as it was. */
static void a_topic_is_changed_durably_or_not_at_all(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 68);
    must(world_open(&w));
    commit_one(&w, 0, 5);
    run_without_keeper(&w);
    struct log_topic_config config = w.in->config;
    config.retention_bytes = 4096;
    config.retention_ms = 1000;
    sys_sim_fail_at(w.sys, SYS_SIM_RENAME, 1, WEIR_E_NO_SPACE);
    assert_int_equal(log_topic_alter(w.log, "in", &config), WEIR_E_NO_SPACE);
    sys_sim_fail_at(w.sys, SYS_SIM_RENAME, 1, WEIR_E_NO_SPACE);
    assert_int_equal(log_topic_grow(w.log, "in", 9), WEIR_E_NO_SPACE);
    assert_int_equal(w.in->config.retention_bytes, 0);
    assert_int_equal(w.in->partition_count, WORLD_PARTITIONS);
    assert_int_equal(log_topic_grow(w.log, "in", WORLD_PARTITIONS), WEIR_E_INVALID);
    assert_int_equal(log_topic_grow(w.log, "in", 1000), WEIR_E_FULL);
    assert_int_equal(log_topic_alter(w.log, "absent", &config), WEIR_E_NOT_FOUND);
    must(log_topic_alter(w.log, "in", &config));
    must(log_topic_grow(w.log, "in", 9));
    uint32_t uid = w.in->partitions[8]->uid;
    world_crash(&w, false);
    must(world_open(&w));
    assert_int_equal(w.in->config.retention_bytes, 4096);
    assert_int_equal(w.in->config.retention_ms, 1000);
    assert_int_equal(w.in->partition_count, 9);
    assert_int_equal(w.in->partitions[8]->uid, uid);
    config.compression = LOG_COMPRESSION_ZSTD;
    assert_int_equal(log_topic_alter(w.log, "in", &config), WEIR_E_INVALID);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_segment_that_was_filled_since_the_last_checkpoint_is_synced),
        cmocka_unit_test(a_checkpoint_claims_only_what_was_there_when_it_began),
        cmocka_unit_test(a_journal_file_is_used_again_only_after_the_checkpoint_that_needs_it_no_more),
        cmocka_unit_test(retention_never_passes_what_is_checkpointed),
        cmocka_unit_test(a_power_cut_at_any_call_of_retention_leaves_a_whole_partition),
        cmocka_unit_test(a_stop_with_a_commit_that_was_not_released_is_not_called_clean),
        cmocka_unit_test(commits_of_all_lanes_share_one_frame),
        cmocka_unit_test(a_topic_is_changed_durably_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
