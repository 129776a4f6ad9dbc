/* The rules of the log, each with the fault that breaks it (docs/testing.md, Planted faults): names that are not
 * durable, kills followed by power cuts, errors that are final, what a recovery may trust. */
#include "log/test_rules.h"
#include "log/journal_scan.h"

/* ---- names
 * ---------------------------------------------------------------------------------------------------------------- */

static void a_journal_file_made_in_a_hurry_has_a_durable_name_before_anything_in_it_is_acknowledged(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 41);
    must(world_open(&w));
    for (int i = 0; i < 40 && metric_get(&w.log->journal.grown) == 0; i++) {
        world_commit(&w, 10);
        run_without_keeper(&w);
    }
    assert_true(metric_get(&w.log->journal.grown) > 0);
    world_crash(&w, false);
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* A stop, clean or not, while the keeper makes a file: the next life takes the file over and must not trust its name.
 */
static void a_journal_file_that_an_earlier_life_left_half_made_is_named_durably_before_it_is_used(void **state) {
    (void)state;
    for (uint64_t steps = 1; steps < 24; steps++) {
        for (int clean = 0; clean < 2; clean++) {
            struct world w;
            strict_init(&w, 42);
            w.options.journal_file_bytes = 3u << 20;
            w.options.journal_bytes_max = 12u << 20;
            must(world_open(&w));
            sys_sim_run(w.sys, steps);
            if (clean) {
                log_stop(w.log);
                log_close(w.log);
                w.log = NULL;
            } else {
                world_crash(&w, true);
            }
            must(world_open(&w));
            for (int i = 0; i < 60; i++) { /* past the first, small file */
                world_commit(&w, 60);
                run_without_keeper(&w);
            }
            assert_true(w.inputs[0].acked > 100);
            world_crash(&w, false);
            must(world_open(&w));
            world_check(&w);
            world_done(&w);
        }
    }
}

static void a_journal_file_made_ahead_is_whole_on_disk_before_it_is_used(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 43);
    must(world_open(&w));
    write_on(&w, 1, 2);
    world_run(&w);
    uint32_t ready = slot_ring_count(&w.log->journal.ready), whole = 0;
    assert_true(ready > 0);
    world_crash(&w, false);
    for (uint32_t number = 1; number < 10; number++) {
        char path[64];
        int file = -1;
        uint64_t size = 0;
        snprintf(path, sizeof path, "data/journal/" JOURNAL_NAME_FORMAT, number);
        if (w.sys->file_open(w.sys, path, SYS_OPEN_READ, &file)) continue;
        must(w.sys->file_size(w.sys, file, &size));
        w.sys->file_close(w.sys, file);
        whole += size == w.options.journal_file_bytes;
    }
    assert_true(whole >= ready);
    world_done(&w);
}

static bool short_life(struct world *w) {
    if (world_open(w)) return false;
    for (int i = 0; i < 12; i++) {
        world_commit(w, 1 + (uint32_t)prng_below(&w->prng, 24));
        sys_sim_run(w->sys, 1 + prng_below(&w->prng, 5));
        world_take(w);
        if (i % 5 == 3) log_checkpoint_soon(w->log);
        if (sys_sim_dead(w->sys)) return false;
    }
    world_run(w);
    if (!sys_sim_dead(w->sys)) log_stop(w->log);
    bool lived = !sys_sim_dead(w->sys);
    if (!lived) return false;
    log_close(w->log);
    w->log = NULL;
    return true;
}

/* What a killed process left in the page cache looks durable to the next one, and is not. */
static void a_kill_at_any_call_then_a_life_then_a_power_cut_loses_nothing_acknowledged(void **state) {
    (void)state;
    uint64_t deaths = 0;
    bool lived = false;
    for (uint64_t n = 1; !lived; n++) {
        struct world w;
        strict_init(&w, 44);
        sys_sim_fail_at(w.sys, SYS_SIM_ANY, n, WEIR_E_CLOSED);
        lived = short_life(&w);
        deaths += !lived;
        if (w.log)
            world_crash(&w, true);
        else
            sys_sim_crash(w.sys, true);
        enum weir_error e = world_open(&w);
        if (e) fail_msg("killed at call %llu: %s", (unsigned long long)n, weir_error_text());
        world_check(&w);
        for (int i = 0; i < 3; i++) {
            world_commit(&w, 5);
            run_without_keeper(&w);
        }
        world_crash(&w, false);
        e = world_open(&w);
        if (e) fail_msg("killed at call %llu, then cut: %s", (unsigned long long)n, weir_error_text());
        world_check(&w);
        world_done(&w);
    }
    assert_true(deaths > 50);
}

/* ---- topics
 * --------------------------------------------------------------------------------------------------------------- */

static void a_topic_made_before_the_new_folder_is_ready_survives_a_kill(void **state) {
    (void)state;
    struct log_topic_config config = {0};
    struct log_topic *t = NULL;
    for (int power = 0; power < 2; power++) {
        struct world w;
        uint64_t a = 0, b = 0;
        strict_init(&w, 45);
        must(world_open(&w)); /* no agent has run yet */
        must(log_topic_create(w.log, "late", 3, &config, &t));
        must(log_producer_id_new(w.log, &a));
        uint32_t uid = t->partitions[0]->uid;
        world_crash(&w, power == 0);
        must(world_open(&w));
        t = log_topic_find(w.log, "late");
        assert_non_null(t);
        assert_int_equal(t->partitions[0]->uid, uid);
        must(log_producer_id_new(w.log, &b));
        assert_true(b > a);
        write_on(&w, 5, 10);
        world_crash(&w, false);
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

static void a_topic_made_before_the_start_of_an_old_folder_is_durable_with_its_first_record(void **state) {
    (void)state;
    struct log_topic_config config = {0};
    struct log_topic *t = NULL;
    struct world w;
    strict_init(&w, 55);
    must(world_open(&w));
    write_on(&w, 2, 5);
    for (int clean = 0; clean < 2; clean++) {
        char name[16];
        snprintf(name, sizeof name, "more-%d", clean);
        if (clean) {
            log_stop(w.log);
            log_close(w.log);
        } else {
            world_crash(&w, false);
        }
        must(log_open(w.sys, &w.options, &w.log));
        must(log_topic_create(w.log, name, WORLD_PARTITIONS, &config, &t));
        must(log_writer_open(w.log, 0, -1, &w.writer));
        must(log_start(w.log));
        w.in = t;
        memset(w.inputs, 0, sizeof w.inputs);
        w.out = log_topic_find(w.log, "out");
        commit_one(&w, 2, 5);
        run_without_keeper(&w);
        assert_int_equal(w.inputs[2].acked, 5);
        world_crash(&w, false);
        must(world_open(&w));
        w.in = log_topic_find(w.log, name);
        assert_non_null(w.in);
        world_check(&w);
    }
    world_done(&w);
}

/* Frames and checkpoint rows of a deleted topic may outlive it. */
static void the_number_of_a_deleted_topics_partition_is_never_used_again(void **state) {
    (void)state;
    struct log_topic_config config = {0};
    struct log_topic *t = NULL;
    struct world w;
    uint32_t highest = 0;
    strict_init(&w, 56);
    for (int life = 0; life < 4; life++) {
        must(world_open(&w));
        write_on(&w, 1, 3);
        must(log_topic_create(w.log, "gone", 3, &config, &t));
        for (uint32_t i = 0; i < 3; i++)
            assert_true(t->partitions[i]->uid > highest);
        highest = t->partitions[2]->uid;
        must(log_topic_delete(w.log, "gone"));
        if (life % 2) {
            world_crash(&w, false);
        } else {
            log_stop(w.log);
            log_close(w.log);
            w.log = NULL;
        }
    }
    world_done(&w);
}

static struct log *watched;
static uint32_t renames;
static enum weir_error (*rename_below)(struct sys *sys, const char *from, const char *to);
static enum weir_error rename_and_look(struct sys *sys, const char *from, const char *to) {
    assert_null(log_topic_find(watched, "late"));
    renames++;
    return rename_below(sys, from, to);
}

/* Else another lane appends to it, its client hears so, and after a kill the journal names a partition that never was.
 */
static void a_topic_is_in_the_catalogue_before_anyone_can_find_it(void **state) {
    (void)state;
    struct log_topic_config config = {0};
    struct log_topic *t = NULL;
    struct world w;
    world_init(&w, 46);
    must(world_open(&w));
    write_on(&w, 2, 5);
    watched = w.log;
    renames = 0;
    rename_below = w.sys->path_rename;
    w.sys->path_rename = rename_and_look;
    must(log_topic_create(w.log, "late", 2, &config, &t));
    w.sys->path_rename = rename_below;
    assert_int_equal(renames, 1);
    assert_ptr_equal(log_topic_find(w.log, "late"), t);
    sys_sim_fail_at(w.sys, SYS_SIM_RENAME, 1, WEIR_E_NO_SPACE);
    assert_int_equal(log_topic_create(w.log, "later", 2, &config, &t), WEIR_E_NO_SPACE);
    assert_null(log_topic_find(w.log, "later"));
    must(log_topic_create(w.log, "later", 2, &config, &t));
    world_crash(&w, false);
    must(world_open(&w));
    assert_non_null(log_topic_find(w.log, "late"));
    assert_non_null(log_topic_find(w.log, "later"));
    world_done(&w);
}

/* A service that is not run this time holds its input as firmly as one that is. */
static void an_input_of_a_service_that_does_not_run_is_not_let_go(void **state) {
    (void)state;
    struct log_topic_config config = {
        .retention_bytes = 8 << 10, .retention_ms = 1000, .segment_bytes = 4 << 10, .internal = true};
    struct world w;
    world_init(&w, 47);
    must(world_open(&w));
    struct log_topic *t = NULL;
    must(log_topic_create(w.log, "service.in", 1, &config, &t));
    atomic_store(&t->partitions[0]->hold, 0); /* as the host says while it runs */
    for (int i = 0; i < 40; i++) {
        struct log_commit *c = NULL;
        uint64_t offset = 0;
        uint8_t value[600];
        must(log_commit_begin(w.writer, &c));
        for (int k = 0; k < 8; k++) {
            struct log_record r = {
                .time_ms = 1, .value = world_value(t->partitions[0]->uid, t->partitions[0]->next, value)};
            must(log_commit_append(c, t->partitions[0], &r, &offset));
        }
        log_commit_submit(c);
        world_run(&w);
    }
    for (int clean = 0; clean < 2; clean++) {
        log_checkpoint_soon(w.log);
        world_run(&w);
        assert_int_equal(atomic_load(&t->partitions[0]->start), 0);
        if (clean) {
            log_stop(w.log);
            log_close(w.log);
            w.log = NULL;
        } else {
            world_crash(&w, false);
        }
        must(world_open(&w)); /* nobody sets a hold in this life */
        t = log_topic_find(w.log, "service.in");
        for (int i = 0; i < 10; i++) {
            sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
            log_checkpoint_soon(w.log);
            world_run(&w);
        }
        assert_int_equal(atomic_load(&t->partitions[0]->start), 0);
    }
    atomic_store(&t->partitions[0]->hold, UINT64_MAX);
    for (int i = 0; i < 10; i++) {
        sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
        world_run(&w);
    }
    assert_true(atomic_load(&t->partitions[0]->start) > 0);
    world_done(&w);
}

/* ---- errors
 * --------------------------------------------------------------------------------------------------------------- */

static void an_error_of_the_journal_is_final_whatever_it_is(void **state) {
    (void)state;
    static const enum weir_error errors[] = {WEIR_E_IO, WEIR_E_NO_SPACE};
    static const enum sys_sim_call calls[] = {SYS_SIM_WRITE, SYS_SIM_SYNC};
    for (int i = 0; i < 4; i++) {
        struct world w;
        const char *message = NULL;
        strict_init(&w, 48);
        must(world_open(&w));
        write_on(&w, 3, 5);
        uint64_t acked = w.inputs[1].acked;
        commit_one(&w, 1, 3);
        sys_sim_fail_at(w.sys, calls[i / 2], 1, errors[i % 2]);
        log_journal_work(&w.log->journal, 0);
        assert_true(sys_sim_fatal(w.sys, &message));
        assert_null(log_writer_durable(w.writer));
        world_run(&w);
        assert_int_equal(w.inputs[1].acked, acked);
        world_crash(&w, false);
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

/* Only the want of space is waited out. */
static void an_error_of_a_segment_write_is_final(void **state) {
    (void)state;
    struct world w;
    const char *message = NULL;
    strict_init(&w, 54);
    must(world_open(&w));
    write_on(&w, 3, 5);
    commit_one(&w, 1, 3);
    log_journal_work(&w.log->journal, 0);
    world_take(&w);
    sys_sim_fail_at(w.sys, SYS_SIM_WRITE, 1, WEIR_E_IO);
    log_store_work(&w.log->store, 0);
    assert_true(sys_sim_fatal(w.sys, &message));
    world_crash(&w, false);
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* One segment to sync, so that it is not the sync of the whole disk. */
static void an_error_of_a_segment_sync_is_final_whatever_it_is(void **state) {
    (void)state;
    static const enum weir_error errors[] = {WEIR_E_IO, WEIR_E_NO_SPACE};
    for (int i = 0; i < 2; i++) {
        struct world w;
        const char *message = NULL;
        strict_init(&w, 49);
        must(world_open(&w));
        write_on(&w, 3, 5);
        log_checkpoint_soon(w.log);
        world_run(&w);
        commit_one(&w, 1, 3);
        run_without_keeper(&w);
        sys_sim_fail_at(w.sys, SYS_SIM_SYNC, 1, errors[i]);
        log_checkpoint_soon(w.log);
        for (int k = 0; k < 20; k++)
            log_keeper_work(&w.log->keeper, 0);
        assert_true(sys_sim_fatal(w.sys, &message));
        world_crash(&w, false);
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

/* A checkpoint that could not be made for want of space is made again whole: names, contents and what it tells. */
static void a_checkpoint_without_space_claims_nothing_and_is_made_again(void **state) {
    (void)state;
    static const enum sys_sim_call calls[] = {SYS_SIM_WRITE, SYS_SIM_RENAME, SYS_SIM_DIR_SYNC, SYS_SIM_OPEN};
    for (uint32_t i = 0; i < 4; i++) {
        for (uint64_t n = 1; n < 14; n++) {
            struct world w;
            const char *message = NULL;
            strict_init(&w, 50);
            must(world_open(&w));
            write_on(&w, 2, 5);
            log_checkpoint_soon(w.log);
            world_run(&w);
            for (uint32_t k = 0; k < 4; k++) {
                commit_one(&w, k, 25); /* new segments, with new names */
                run_without_keeper(&w);
            }
            sys_sim_fail_at(w.sys, calls[i], n, WEIR_E_NO_SPACE);
            log_checkpoint_soon(w.log);
            for (int k = 0; k < 10; k++)
                log_keeper_work(&w.log->keeper, 0);
            sys_sim_fail_at(w.sys, calls[i], 0, WEIR_OK);
            if (!sys_sim_fatal(w.sys, &message)) {
                sys_sim_advance(w.sys, SYS_NANOS_PER_S);
                world_run(&w);
                log_checkpoint_soon(w.log);
                world_run(&w);
                for (uint32_t k = 0; k < WORLD_PARTITIONS; k++)
                    assert_int_equal(
                        atomic_load(&w.in->partitions[k]->checkpointed), atomic_load(&w.in->partitions[k]->high));
            }
            world_crash(&w, false);
            enum weir_error e = world_open(&w);
            if (e) fail_msg("call %u, the %llu-th: %s", calls[i], (unsigned long long)n, weir_error_text());
            world_check(&w);
            world_done(&w);
        }
    }
}

/* ---- what recovery may trust
 * ----------------------------------------------------------------------------------------------- */

static void segments_beyond_the_checkpoint_are_gone_after_recovery(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 51);
    must(world_open(&w));
    for (int i = 0; i < 12; i++) {
        commit_one(&w, 0, 20);
        run_without_keeper(&w);
    }
    assert_true(partition_of(w.in->partitions[0])->segment_count > 3);
    world_crash(&w, true);
    w.options.segment_bytes = 11u << 10; /* the rebuilt ones begin elsewhere */
    must(world_open(&w));
    world_check(&w);
    write_on(&w, 5, 20);
    log_stop(w.log);
    log_close(w.log);
    w.log = NULL;
    must(log_verify(w.sys, "data", NULL, NULL));
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

/* The bytes of the last accepted frame; the caller frees them. */
static uint8_t *last_frame(struct world *w, char path[64], struct scan_frame *ret_frame, size_t *ret_count) {
    struct journal_scan scan;
    struct checkpoint c;
    struct weir_slice whole;
    must(log_checkpoint_read(w->sys, "data", &c, NULL, NULL));
    must(log_journal_scan(&scan, w->sys, "data", &c));
    assert_true(scan.frames.count > 2);
    *ret_count = scan.frames.count;
    *ret_frame = scan.frames.data[scan.frames.count - 1];
    snprintf(path, 64, "data/journal/" JOURNAL_NAME_FORMAT, scan.files.data[ret_frame->file].number);
    log_journal_scan_done(&scan);
    must(sys_read_all(w->sys, path, 1 << 20, &whole));
    uint8_t *bytes = malloc(ret_frame->size);
    memcpy(bytes, whole.data + ret_frame->offset, ret_frame->size);
    sys_bytes_free(whole);
    return bytes;
}

static void put_bytes(struct world *w, const char *path, uint64_t offset, void *bytes, size_t size) {
    int file = -1;
    struct sys_iovec part = {bytes, size};
    must(w->sys->file_open(w->sys, path, SYS_OPEN_READ | SYS_OPEN_WRITE, &file));
    must(w->sys->file_write(w->sys, file, offset, &part, 1));
    w->sys->file_close(w->sys, file);
}

/* Frames are a chain: one that does not follow its predecessor is not the next one, whatever its own checksum says. */
static void a_frame_that_does_not_follow_the_one_before_it_is_not_accepted(void **state) {
    (void)state;
    enum { CHAIN_BROKEN, MOVED, GAP, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct world w;
        char path[64];
        struct scan_frame f;
        size_t count = 0;
        strict_init(&w, 52);
        must(world_open(&w));
        for (int i = 0; i < 6; i++) {
            commit_one(&w, 0, 2);
            run_without_keeper(&w);
        }
        world_crash(&w, true);
        uint8_t *bytes = last_frame(&w, path, &f, &count), zeros[JOURNAL_BLOCK] = {0};
        if (way == MOVED) {
            put_bytes(&w, path, f.offset, zeros, sizeof zeros);
            put_bytes(&w, path, f.offset + 3 * JOURNAL_BLOCK, bytes, f.size);
        } else {
            struct frame_header h;
            uint16_t version = 0;
            uint8_t *batch = bytes + FRAME_HEADER_SIZE + FRAME_ENTRY_HEADER;
            assert_true(log_frame_peek(weir_slice(bytes, f.size), &h, &version));
            if (way == CHAIN_BROKEN) h.previous_crc ^= 1;
            if (way == GAP) store_be64(batch, load_be64(batch) + 5); /* its offset, outside the batch's checksum */
            log_frame_seal(bytes, &h);
            put_bytes(&w, path, f.offset, bytes, f.size);
        }
        assert_int_equal(world_open(&w), WEIR_E_CORRUPT);
        assert_non_null(strstr(weir_error_text(), "log repair"));
        free(bytes);
        world_done(&w);
    }
}

/* The copy of the tail is written to a file that grows with it: it must not pass for one that was written ahead. */
static void after_a_recovery_no_commit_grows_a_journal_file(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 53);
    must(world_open(&w));
    write_on(&w, 6, 10);
    world_crash(&w, false);
    must(world_open(&w));
    for (int i = 0; i < 120; i++) {
        world_commit(&w, 12);
        struct journal *j = &w.log->journal;
        uint64_t before = 0, after = 0;
        struct journal_file *current = j->current;
        if (current) must(w.sys->file_size(w.sys, current->file, &before));
        world_run(&w);
        if (current && current == j->current) {
            must(w.sys->file_size(w.sys, current->file, &after));
            assert_int_equal(after, before);
        }
        if (i % 10 == 9) log_checkpoint_soon(w.log);
    }
    assert_int_equal(metric_get(&w.log->journal.grown), 0);
    assert_true(metric_get(&w.log->keeper.files_recycled) > 4);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_file_made_in_a_hurry_has_a_durable_name_before_anything_in_it_is_acknowledged),
        cmocka_unit_test(a_journal_file_that_an_earlier_life_left_half_made_is_named_durably_before_it_is_used),
        cmocka_unit_test(a_journal_file_made_ahead_is_whole_on_disk_before_it_is_used),
        cmocka_unit_test(a_kill_at_any_call_then_a_life_then_a_power_cut_loses_nothing_acknowledged),
        cmocka_unit_test(a_topic_made_before_the_new_folder_is_ready_survives_a_kill),
        cmocka_unit_test(a_topic_made_before_the_start_of_an_old_folder_is_durable_with_its_first_record),
        cmocka_unit_test(the_number_of_a_deleted_topics_partition_is_never_used_again),
        cmocka_unit_test(a_topic_is_in_the_catalogue_before_anyone_can_find_it),
        cmocka_unit_test(an_input_of_a_service_that_does_not_run_is_not_let_go),
        cmocka_unit_test(an_error_of_the_journal_is_final_whatever_it_is),
        cmocka_unit_test(an_error_of_a_segment_write_is_final),
        cmocka_unit_test(an_error_of_a_segment_sync_is_final_whatever_it_is),
        cmocka_unit_test(a_checkpoint_without_space_claims_nothing_and_is_made_again),
        cmocka_unit_test(segments_beyond_the_checkpoint_are_gone_after_recovery),
        cmocka_unit_test(a_frame_that_does_not_follow_the_one_before_it_is_not_accepted),
        cmocka_unit_test(after_a_recovery_no_commit_grows_a_journal_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
