/* Damaged bytes: refused and named where they were acknowledged, cut where they were not; verify, repair and dump on
 * them. */
#include "base/crc32c.h"
#include "log/journal_scan.h"
#include "log/test_world.h"

/* A log that stopped without warning, its last frames in the journal only (no checkpoint since the start). */
static void make_tail(struct world *w, uint64_t seed, int commits) {
    world_init(w, seed);
    must(world_open(w));
    for (int i = 0; i < commits; i++) {
        world_commit(w, 8);
        world_run(w);
    }
    world_crash(w, true);
}

/* Where frames stand: found by reading the files as recovery does. */
static void scan_world(struct world *w, struct journal_scan *scan, struct checkpoint *c) {
    must(log_checkpoint_read(w->sys, "data", c, NULL, NULL));
    must(log_journal_scan(scan, w->sys, "data", c));
}

static void frame_place(struct world *w, size_t i, char path[64], uint64_t *ret_offset, size_t *ret_count) {
    struct journal_scan scan;
    struct checkpoint c;
    scan_world(w, &scan, &c);
    assert_true(scan.frames.count > 0);
    const struct scan_frame *f = &scan.frames.data[i < scan.frames.count ? i : scan.frames.count - 1];
    snprintf(path, 64, "data/journal/" JOURNAL_NAME_FORMAT, scan.files.data[f->file].number);
    *ret_offset = f->offset;
    *ret_count = scan.frames.count;
    log_journal_scan_done(&scan);
}

struct findings {
    uint32_t count, errors;
    char text[4096];
};
static void on_finding(void *ctx, const struct log_finding *f) {
    struct findings *all = ctx;
    all->count++;
    all->errors += f->error != WEIR_OK;
    size_t at = strlen(all->text);
    snprintf(all->text + at, sizeof all->text - at, "%s:%llu: %s\n", f->path, (unsigned long long)f->byte, f->text);
}

static void a_flipped_bit_in_the_middle_of_the_journal_is_refused_and_named(void **state) {
    (void)state;
    for (uint64_t byte = 0; byte < 200; byte += 7) {
        struct world w;
        char path[64];
        uint64_t offset = 0;
        size_t frames = 0;
        make_tail(&w, 3, 6);
        frame_place(&w, 2, path, &offset, &frames);

        must(sys_sim_flip(w.sys, path, offset + byte, 0x10));
        enum weir_error e = world_open(&w);
        assert_int_equal(e, WEIR_E_CORRUPT);
        assert_non_null(strstr(weir_error_text(), path));
        assert_non_null(strstr(weir_error_text(), "log repair"));
        assert_int_equal(world_open(&w), WEIR_E_CORRUPT); /* nothing was changed by trying */
        struct findings all = {0};
        assert_int_equal(log_verify(w.sys, "data", on_finding, &all), WEIR_E_CORRUPT);
        assert_non_null(strstr(all.text, path));
        memset(&all, 0, sizeof all);
        must(log_repair(w.sys, "data", on_finding, &all));
        assert_true(all.errors > 0);
        must(log_verify(w.sys, "data", on_finding, &all));
        must(world_open(&w));
        for (uint32_t k = 0; k < WORLD_PARTITIONS; k++) {
            uint64_t end = world_check_partition(&w, w.in->partitions[k]);
            assert_true(end > 0 && end <= w.inputs[k].submitted);
        }
        world_done(&w);
    }
}

static void a_flipped_bit_in_the_last_frame_is_cut_as_torn(void **state) {
    (void)state;
    struct world w;
    char path[64];
    uint64_t offset = 0;
    size_t frames = 0;
    make_tail(&w, 3, 6);
    frame_place(&w, SIZE_MAX, path, &offset, &frames);
    must(sys_sim_flip(w.sys, path, offset + 70, 1));
    must(world_open(&w));
    assert_int_equal(log_recovered(w.log)->frames, frames - 1);
    assert_true(log_recovered(w.log)->torn_bytes > 0);
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++)
        (void)world_check_partition(&w, w.in->partitions[k]);
    world_done(&w);
}

/* A first frame that is bad in a recycled file, with the next one behind it in the same file. */
static void damage_at_the_start_of_a_file_is_seen_from_the_frames_behind_it(void **state) {
    (void)state;
    struct world w;
    make_tail(&w, 5, 30);
    struct journal_scan scan;
    struct checkpoint c;
    scan_world(&w, &scan, &c);
    char path[64] = "";
    for (size_t i = 1; i + 1 < scan.frames.count; i++) {
        const struct scan_frame *f = &scan.frames.data[i];
        if (f->offset == 0)
            snprintf(path, sizeof path, "data/journal/" JOURNAL_NAME_FORMAT, scan.files.data[f->file].number);
    }
    log_journal_scan_done(&scan);
    assert_true(path[0] != 0);
    must(sys_sim_flip(w.sys, path, 0, 0xff));
    assert_int_equal(world_open(&w), WEIR_E_CORRUPT);
    world_done(&w);
}

static void a_damaged_segment_is_never_served_and_repair_keeps_what_is_before_it(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 9);
    must(world_open(&w));
    for (int i = 0; i < 40; i++) {
        world_commit(&w, 8);
        world_run(&w);
    }
    log_stop(w.log);
    log_close(w.log);
    w.log = NULL;
    const char *path = "data/topics/in/1/00000000000000000000.log";
    must(sys_sim_flip(w.sys, path, 1500, 4));
    must(world_open(&w)); /* segments are not read at start */
    size_t size = 0;
    enum weir_error e = WEIR_OK;
    for (uint64_t at = 0; !e && at < w.in->partitions[1]->high; at++)
        e = log_read(w.log, w.in->partitions[1], at, true, w.read_buffer, WORLD_READ_SIZE, &size);
    assert_int_equal(e, WEIR_E_CORRUPT);
    assert_non_null(strstr(weir_error_text(), path));
    uint64_t high = w.in->partitions[0]->high;
    log_stop(w.log);
    log_close(w.log);
    w.log = NULL;
    struct findings all = {0};
    assert_int_equal(log_verify(w.sys, "data", on_finding, &all), WEIR_E_CORRUPT);
    assert_non_null(strstr(all.text, path));
    must(log_repair(w.sys, "data", on_finding, &all));
    must(log_verify(w.sys, "data", NULL, NULL));
    must(world_open(&w));
    assert_int_equal(world_check_partition(&w, w.in->partitions[0]), high);
    assert_true(world_check_partition(&w, w.in->partitions[1]) > 0);
    world_done(&w);
}

/* Segments of a process that was killed before it synced their names; then the checkpoint is lost. */
static void what_repair_counts_on_has_a_durable_name(void **state) {
    (void)state;
    for (uint64_t seed = 40; seed < 60; seed++) {
        struct world w;
        world_init(&w, seed);
        w.options.checkpoint_bytes = w.options.journal_bytes_max = 1u << 20; /* none but the first */
        must(world_open(&w));
        for (int i = 0; i < 10; i++) {
            world_commit(&w, 8);
            world_run(&w);
        }
        world_crash(&w, true);
        must(w.sys->path_unlink(w.sys, "data/checkpoint"));
        must(log_repair(w.sys, "data", NULL, NULL));
        world_crash(&w, false);
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

/* A retention that was cut short leaves a file before the start: what is in it counts for nothing, also its damage. */
static void damage_before_the_start_costs_nothing(void **state) {
    (void)state;
    struct world w;
    struct log_topic_config config = {.retention_bytes = 20 << 10, .segment_bytes = 4 << 10};
    struct log_topic *t = NULL;
    world_init(&w, 12);
    must(world_open(&w));
    must(log_topic_create(w.log, "kept", 1, &config, &t));
    for (int i = 0; i < 60; i++) {
        struct log_commit *c = NULL;
        uint64_t offset = 0;
        uint8_t value[600];
        struct log_partition *p = t->partitions[0];
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
    uint64_t start = atomic_load(&t->partitions[0]->start), high = atomic_load(&t->partitions[0]->high);
    assert_true(start > 0);
    log_stop(w.log);
    log_close(w.log);
    w.log = NULL;
    must(sys_replace_file(w.sys, "data/topics/kept/0/00000000000000000000.log", weir_slice_text("rubbish")));
    must(sys_sim_flip(w.sys, "data/FORMAT", 0, 1)); /* something to repair */
    must(log_repair(w.sys, "data", NULL, NULL));
    must(world_open(&w));
    struct log_partition *p = log_topic_find(w.log, "kept")->partitions[0];
    assert_int_equal(atomic_load(&p->start), start);
    assert_int_equal(world_check_partition(&w, p), high);
    world_done(&w);
}

static void a_damaged_or_missing_checkpoint_is_refused_and_repaired_without_loss(void **state) {
    (void)state;
    for (int missing = 0; missing < 2; missing++) {
        struct world w;
        make_tail(&w, 11, 20);
        if (missing)
            must(w.sys->path_unlink(w.sys, "data/checkpoint"));
        else
            must(sys_sim_flip(w.sys, "data/checkpoint", 30, 1));
        assert_int_equal(world_open(&w), WEIR_E_CORRUPT);
        struct findings all = {0};
        assert_int_equal(log_verify(w.sys, "data", on_finding, &all), WEIR_E_CORRUPT);
        must(log_repair(w.sys, "data", on_finding, &all));
        must(world_open(&w));
        world_check(&w);
        world_done(&w);
    }
}

/* Whole and checked, yet it contradicts itself: the first row, which begins after the head and its count, twice. */
static void a_checkpoint_with_two_rows_of_a_partition_is_refused(void **state) {
    (void)state;
    enum { COUNT_AT = 56, ROW_AT = 60, ROW = 40 };
    struct world w;
    struct weir_slice bytes;
    world_init(&w, 12);
    must(world_open(&w));
    world_commit(&w, 8);
    world_run(&w);
    log_stop(w.log); /* a clean stop writes rows */
    log_close(w.log);
    w.log = NULL;
    must(sys_read_all(w.sys, "data/checkpoint", CHECKPOINT_BYTES_MAX, &bytes));
    uint8_t twice[1024];
    size_t behind = bytes.size - 4 - (ROW_AT + ROW);
    memcpy(twice, bytes.data, ROW_AT + ROW);
    memcpy(twice + ROW_AT + ROW, bytes.data + ROW_AT, ROW + behind);
    store_le32(twice + COUNT_AT, load_le32(twice + COUNT_AT) + 1);
    size_t size = bytes.size - 4 + ROW;
    store_le32(twice + size, crc32c(twice, size));
    must(sys_replace_file(w.sys, "data/checkpoint", weir_slice(twice, size + 4)));
    sys_bytes_free(bytes);
    assert_int_equal(world_open(&w), WEIR_E_CORRUPT);
    assert_non_null(strstr(weir_error_text(), "two rows"));
    must(log_repair(w.sys, "data", NULL, NULL));
    must(world_open(&w));
    world_check(&w);
    world_done(&w);
}

static void a_newer_format_a_lost_format_and_a_lock_are_refused_with_a_sentence(void **state) {
    (void)state;
    struct world w;
    make_tail(&w, 13, 5);
    must(sys_replace_file(w.sys, "data/FORMAT", weir_slice_text("weir log 9\n")));
    assert_int_equal(world_open(&w), WEIR_E_VERSION);
    assert_non_null(strstr(weir_error_text(), "newer weir"));
    must(w.sys->path_unlink(w.sys, "data/FORMAT"));
    assert_int_equal(world_open(&w), WEIR_E_CORRUPT);
    must(log_repair(w.sys, "data", NULL, NULL));
    must(world_open(&w));
    world_check(&w);
    struct log *second = NULL;
    assert_int_equal(log_open(w.sys, &w.options, &second), WEIR_E_LOCKED);
    assert_non_null(strstr(weir_error_text(), "in use"));
    world_done(&w);
}

static void count_line(void *ctx, const char *line) {
    assert_true(line[0] != 0);
    ++*(uint64_t *)ctx;
}

static void dump_shows_every_frame_and_record(void **state) {
    (void)state;
    struct world w;
    make_tail(&w, 15, 12);
    uint64_t lines = 0, shallow = 0, records = 0;
    must(log_dump(w.sys, "data", true, count_line, &lines));
    must(log_dump(w.sys, "data", false, count_line, &shallow));
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++)
        records += w.inputs[k].acked;
    assert_true(lines >= shallow + records); /* each is in the journal, and most in a segment too */
    must(log_dump(w.sys, "data/checkpoint", false, count_line, &lines));
    assert_int_equal(log_dump(w.sys, "data/nothing", false, count_line, &lines), WEIR_E_NOT_FOUND);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_in_the_middle_of_the_journal_is_refused_and_named),
        cmocka_unit_test(a_flipped_bit_in_the_last_frame_is_cut_as_torn),
        cmocka_unit_test(damage_at_the_start_of_a_file_is_seen_from_the_frames_behind_it),
        cmocka_unit_test(a_damaged_segment_is_never_served_and_repair_keeps_what_is_before_it),
        cmocka_unit_test(what_repair_counts_on_has_a_durable_name),
        cmocka_unit_test(damage_before_the_start_costs_nothing),
        cmocka_unit_test(a_damaged_or_missing_checkpoint_is_refused_and_repaired_without_loss),
        cmocka_unit_test(a_checkpoint_with_two_rows_of_a_partition_is_refused),
        cmocka_unit_test(a_newer_format_a_lost_format_and_a_lock_are_refused_with_a_sentence),
        cmocka_unit_test(dump_shows_every_frame_and_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
