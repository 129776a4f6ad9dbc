/* The rules of a start and of what is met in the first moments after it, each with the fault that breaks it
 * (docs/testing.md, Planted faults). */
#include "log/test_rules.h"

/* ---- what is read
 * ---------------------------------------------------------------------------------------------------------------- */

/* Its advice is to repair, which gives up what could be read a moment later. */
static void a_disk_that_cannot_be_read_now_is_not_called_damaged(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 101);
    must(world_open(&w));
    write_on(&w, 3, 5);
    world_crash(&w, false);
    must(w.sys->path_unlink(w.sys, "data/FORMAT"));
    for (uint64_t n = 1; n < 4; n++) { /* the checkpoint, then the journal */
        sys_sim_fail_at(w.sys, SYS_SIM_READ, n, WEIR_E_IO);
        assert_int_equal(world_open(&w), WEIR_E_IO);
    }
    sys_sim_fail_at(w.sys, SYS_SIM_READ, 0, WEIR_OK);
    assert_int_equal(world_open(&w), WEIR_E_CORRUPT);
    assert_non_null(strstr(weir_error_text(), "FORMAT is missing"));
    world_done(&w);
}

static uint64_t reads, wrong_read;
static enum weir_error (*read_below)(
    struct sys *sys, int file, uint64_t offset, void *data, size_t size, size_t *ret_size);
static enum weir_error read_and_turn_a_bit(
    struct sys *sys, int file, uint64_t offset, void *data, size_t size, size_t *ret_size) {
    enum weir_error e = read_below(sys, file, offset, data, size, ret_size);
    if (!e && ++reads == wrong_read && *ret_size > 200) ((uint8_t *)data)[150] ^= 1; /* in a batch of a frame */
    return e;
}

/* The copy gets a checksum of its own, which would make the wrong bytes right for ever. */
static void a_frame_that_is_read_wrongly_when_it_is_copied_is_noticed(void **state) {
    (void)state;
    uint64_t frames = 0, noticed = 0, last = 200;
    for (wrong_read = 0; wrong_read <= last; wrong_read++) {
        struct world w;
        strict_init(&w, 102);
        w.options.checkpoint_bytes = w.options.journal_bytes_max;
        must(world_open(&w));
        write_on(&w, 6, 10);
        world_crash(&w, false);
        read_below = w.sys->file_read;
        w.sys->file_read = read_and_turn_a_bit;
        reads = 0;
        enum weir_error e = world_open(&w);
        w.sys->file_read = read_below;
        if (wrong_read == 0) {
            must(e);
            last = reads;
            frames = w.log->recovery.frames;
            assert_true(frames > 3);
        }
        if (e) noticed += strstr(weir_error_text(), "gives other bytes for frame") != NULL;
        if (!e && w.log->recovery.frames == frames) world_check(&w); /* else the first look was the wrong one */
        world_done(&w);
    }
    assert_int_equal(noticed, 2 * frames); /* also when the segments are made from it */
}

/* ---- segments
 * ---------------------------------------------------------------------------------------------------------------- */

/* A life that died between the sync of a segment and its checkpoint leaves more there than the checkpoint says. */
static void a_segment_that_a_start_cut_is_synced_before_another_follows_it(void **state) {
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct world w;
        struct log_path path;
        uint64_t checkpointed = 0, size = 0;
        int file = -1;
        strict_init(&w, 103);
        must(world_open(&w));
        commit_one(&w, 0, 10);
        world_run(&w);
        log_checkpoint_soon(w.log);
        world_run(&w);
        checkpointed = partition_of(w.in->partitions[0])->row.segment_size;
        log_partition_segment_path(partition_of(w.in->partitions[0]), 0, &path);
        commit_one(&w, 0, 5);
        run_without_keeper(&w);
        log_checkpoint_soon(w.log);
        sys_sim_fail_at(w.sys, SYS_SIM_RENAME, 1, WEIR_E_CLOSED);
        world_run(&w);
        assert_true(sys_sim_dead(w.sys));
        world_crash(&w, true);
        w.options.segment_bytes = 1u << 10; /* what is stored again goes to a segment of its own */
        must(world_open(&w));
        if (killed) { /* the next start finds it cut, and it is not for ever */
            world_crash(&w, true);
            must(world_open(&w));
        }
        assert_int_equal(partition_of(w.in->partitions[0])->segment_count, 2);
        log_checkpoint_soon(w.log);
        world_run(&w);
        assert_int_equal(atomic_load(&w.in->partitions[0]->checkpointed), 15);
        world_crash(&w, false);
        must(w.sys->file_open(w.sys, path.text, SYS_OPEN_READ, &file));
        must(w.sys->file_size(w.sys, file, &size));
        w.sys->file_close(w.sys, file);
        assert_int_equal(size, checkpointed); /* else two segments would hold the same offsets */
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

/* Retention would delete the file of both, and its successor's records with it. */
static void a_segment_whose_first_write_found_no_space_is_not_made_twice(void **state) {
    (void)state;
    struct world w;
    strict_init(&w, 104);
    w.options.segment_bytes = 1u << 10; /* less than the batch */
    must(world_open(&w));
    write_on(&w, 1, 1);
    commit_one(&w, 0, 15);
    uint32_t before = partition_of(w.in->partitions[0])->segment_count;
    log_journal_work(&w.log->journal, 0);
    world_take(&w);
    sys_sim_fail_at(w.sys, SYS_SIM_WRITE, 1, WEIR_E_NO_SPACE);
    log_store_work(&w.log->store, 0);
    assert_int_equal(partition_of(w.in->partitions[0])->segment_count, before + 1);
    assert_true(atomic_load(&w.in->partitions[0]->high) < w.in->partitions[0]->next);
    world_run(&w);
    sys_sim_advance(w.sys, 6 * SYS_NANOS_PER_S);
    world_run(&w);
    assert_int_equal(atomic_load(&w.in->partitions[0]->high), w.in->partitions[0]->next);
    assert_int_equal(partition_of(w.in->partitions[0])->segment_count, before + 1);
    world_check(&w);
    world_done(&w);
}

/* ---- a full disk
 * ---------------------------------------------------------------------------------------------------------------- */

/* A node that was killed on a full disk starts again on that disk, and what was not written there is not counted on. */
static void a_recovery_without_space_puts_the_tail_into_files_that_are_there(void **state) {
    (void)state;
    for (uint64_t n = 2; n < 4; n++) { /* the lock's process id is the first write, the copies follow */
        struct world w;
        struct journal_file *const *f;
        strict_init(&w, 57);
        w.options.checkpoint_bytes = w.options.journal_bytes_max;
        must(world_open(&w));
        write_on(&w, 14, 10);
        world_crash(&w, false);
        sys_sim_fail_at(w.sys, SYS_SIM_WRITE, n, WEIR_E_NO_SPACE);
        must(log_open(w.sys, &w.options, &w.log));
        uint64_t size = 0, used = 0, unwritten = 0;
        for (uint64_t i = 0; (f = slot_ring_peek(&w.log->journal.in_use, i)); i++) {
            must(w.sys->file_size(w.sys, (*f)->file, &size));
            unwritten += size < (*f)->capacity;
            used += atomic_load(&(*f)->charged);
        }
        assert_int_equal(unwritten, 0);
        assert_int_equal(used, atomic_load(&w.log->journal.used));
        assert_true(used < 3 * w.options.journal_file_bytes); /* a file that could not be written is not charged */
        world_crash(&w, false);                               /* the copies and their names are durable */
        must(world_open(&w));
        world_check(&w);
        write_on(&w, 20, 10);
        assert_int_equal(metric_get(&w.log->journal.grown), 0);
        world_done(&w);
    }
}

/* ---- the way to write
 * ------------------------------------------------------------------------------------------------------------- */

static enum weir_error commit_answer;
static enum weir_error commit_refused(
    struct sys *sys, int file, enum sys_commit_path path, uint64_t offset, const void *data, size_t size) {
    (void)sys, (void)file, (void)path, (void)offset, (void)data, (void)size;
    return weir_error_context(commit_answer, "no such thing on this disk");
}

static bool find_probe(void *ctx, const char *name, bool is_folder) {
    (void)is_folder;
    if (strcmp(name, "write-probe") == 0) *(bool *)ctx = true;
    return true;
}

/* Before anything of the folder is read or changed: the next start, with another way, finds it as it was. */
static void a_way_to_write_that_is_refused_is_named_and_changes_nothing(void **state) {
    (void)state;
    const enum weir_error answers[] = {WEIR_E_INVALID, WEIR_E_UNSUPPORTED, WEIR_E_PERMISSION, WEIR_E_IO};
    struct world w;
    strict_init(&w, 110);
    must(world_open(&w));
    write_on(&w, 5, 5);
    world_crash(&w, false);
    for (int how = SYS_COMMIT_DSYNC; how < SYS_COMMIT_PATHS; how++) {
        for (size_t i = 0; i < 4; i++) {
            uint64_t renames = sys_sim_calls(w.sys, SYS_SIM_RENAME), syncs = sys_sim_calls(w.sys, SYS_SIM_SYNC);
            bool left = false;
            enum weir_error (*commit)(struct sys *, int, enum sys_commit_path, uint64_t, const void *, size_t) =
                w.sys->file_commit;
            w.sys->file_commit = commit_refused;
            commit_answer = answers[i];
            w.options.journal_write = (enum sys_commit_path)how;
            enum weir_error e = world_open(&w);
            assert_int_equal(e, answers[i] == WEIR_E_IO ? WEIR_E_IO : WEIR_E_CONFIG);
            assert_non_null(strstr(weir_error_text(), "no such thing on this disk"));
            if (e == WEIR_E_CONFIG) {
                assert_non_null(strstr(weir_error_text(), "journal_write: "));
                assert_non_null(strstr(weir_error_text(), sys_commit_path_name((enum sys_commit_path)how)));
                assert_non_null(strstr(weir_error_text(), "choose journal_write: sync"));
            }
            w.sys->file_commit = commit;
            assert_int_equal(sys_sim_calls(w.sys, SYS_SIM_RENAME), renames);
            assert_int_equal(sys_sim_calls(w.sys, SYS_SIM_SYNC), syncs);
            must(w.sys->dir_list(w.sys, "data", find_probe, &left));
            assert_false(left);
        }
    }
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_cannot_be_read_now_is_not_called_damaged),
        cmocka_unit_test(a_frame_that_is_read_wrongly_when_it_is_copied_is_noticed),
        cmocka_unit_test(a_segment_that_a_start_cut_is_synced_before_another_follows_it),
        cmocka_unit_test(a_segment_whose_first_write_found_no_space_is_not_made_twice),
        cmocka_unit_test(a_recovery_without_space_puts_the_tail_into_files_that_are_there),
        cmocka_unit_test(a_way_to_write_that_is_refused_is_named_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
