/* A follower over the real log on the simulated world, and a database that fails at each of its calls in turn: whatever
 * happens, each record's row is there once in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "projection/follower.h"
#include "projection/test_fake.h"
#include "sys/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define must(call)                                                                                                     \
    do {                                                                                                               \
        enum weir_error must_error_ = (call);                                                                          \
        if (must_error_ != WEIR_OK) fail_msg("%s: %s: %s", #call, weir_error_name(must_error_), weir_error_text());    \
    } while (0)

static const struct weir_column row_columns[] = {
    {"part", WEIR_COLUMN_INTEGER, "", true}, {"record", WEIR_COLUMN_INTEGER, "", true}, {0}};
static const struct weir_column last_columns[] = {
    {"part", WEIR_COLUMN_INTEGER, "", true}, {"record", WEIR_COLUMN_INTEGER, ""}, {0}};
static const struct weir_table tables[] = {{"t_rows", row_columns, ""}, {"t_last", last_columns, ""}, {0}};
static const struct weir_migration migrations[] = {{1, "one", "CREATE"}, {2, "two", "CREATE"}, {0}};

static void project(const struct weir_record *record, uint32_t partition, struct weir_rows *rows) {
    weir_row_insert(rows, 0);
    weir_row_integer(rows, 0, partition);
    weir_row_integer(rows, 1, (int64_t)record->offset);
    weir_row_upsert(rows, 1);
    weir_row_integer(rows, 0, partition);
    weir_row_integer(rows, 1, (int64_t)record->offset);
}
static const struct weir_projection projection = {
    .name = "t", .summary = "", .version = 1, .tables = tables, .migrations = migrations, .project = project};

struct bench { /* a log with records, and a follower of it */
    struct sys *sys;
    struct log *log;
    struct log_writer *writer;
    struct log_topic *topic;
    int poller;
    struct source source;
    struct follower f;
    char said[16][700];
    uint32_t said_count;
};

static void hear(void *ctx, bool failed, const char *sentence) {
    struct bench *b = ctx;
    (void)failed;
    if (b->said_count < 16) snprintf(b->said[b->said_count++], sizeof b->said[0], "%s", sentence);
}

static void settle_log(struct bench *b) {
    for (int i = 0; i < 20; i++) {
        struct log_commit *c;
        sys_sim_run(b->sys, 50);
        sys_sim_advance(b->sys, 2 * SYS_NANOS_PER_MS);
        while ((c = log_writer_durable(b->writer)))
            log_commit_release(c);
    }
}

/* Each commit has a few records of every partition. */
static void add_records(struct bench *b, uint32_t commits) {
    for (uint32_t i = 0; i < commits; i++) {
        struct log_commit *c = NULL;
        must(log_commit_begin(b->writer, &c));
        for (uint32_t k = 0; k < FAKE_PARTS * 3; k++) {
            char value[64];
            uint64_t offset;
            snprintf(value, sizeof value, "record %u of commit %u, at %llu", k, i,
                (unsigned long long)b->sys->mono_ns(b->sys));
            const struct log_record record = {.time_ms = 1000 + i, .value = weir_slice_text(value)};
            must(log_commit_append(c, b->topic->partitions[k % FAKE_PARTS], &record, &offset));
        }
        log_commit_submit(c);
        settle_log(b);
    }
}

static void open_log(struct bench *b) {
    struct log_options options;
    struct sys_sim_plan plan = {.seed = 1, .sync_ns = 1000, .write_ns = 1000};
    const struct log_topic_config config = {.durability = LOG_DURABLE};
    log_options_default(&options);
    options.folder = "data";
    options.partitions_max = 16;
    options.commit_bytes_max = 64u << 10;
    options.output_bytes_max = 64u << 10;
    options.batch_bytes_max = 16u << 10;
    options.journal_file_bytes = 128u << 10;
    options.journal_bytes_max = 1u << 20;
    options.checkpoint_bytes = 128u << 10;
    options.segment_bytes = 64u << 10;
    options.commits_per_lane = 4;
    options.disk_reserve_bytes = 0;
    options.lanes = 1;
    must(sys_sim_new(&plan, &b->sys));
    must(log_open(b->sys, &options, &b->log));
    must(log_topic_create(b->log, "t.out", FAKE_PARTS, &config, &b->topic));
    must(b->sys->poller_open(b->sys, &b->poller));
    must(log_writer_open(b->log, 0, b->poller, &b->writer));
    must(log_start(b->log));
}

static void open_follower(struct bench *b) {
    b->f = (struct follower){.projection = &projection,
        .name = "t.t",
        .owner = "the test",
        .sys = b->sys,
        .source = &b->source,
        .kind = &fake_kind,
        .hold_bytes = 1u << 30,
        .report = hear,
        .report_ctx = b};
    must(follower_open(&b->f, b->topic));
}

static void begin(struct bench *b) {
    memset(b, 0, sizeof *b);
    memset(&fake, 0, sizeof fake);
    open_log(b);
    must(source_open(b->log, &b->source));
    open_follower(b);
}

static void end(struct bench *b) {
    follower_close(&b->f);
    source_close(&b->source);
    log_close(b->log);
    sys_sim_free(b->sys);
}

/* Until nothing is left to do, however often it has to wait. */
static void catch_up(struct bench *b) {
    for (int i = 0; i < 200 && (b->f.state != FOLLOWER_RUNNING || follower_lag(&b->f) > 0); i++) {
        follower_work(&b->f);
        sys_sim_advance(b->sys, 20 * SYS_NANOS_PER_S);
    }
}

static void check_rows(const struct bench *b) {
    for (uint32_t i = 0; i < FAKE_PARTS; i++) {
        uint64_t high = atomic_load(&b->topic->partitions[i]->high);
        assert_int_equal(fake.now.positions[i].next, high);
        for (uint64_t k = 0; k < FAKE_OFFSETS; k++)
            assert_int_equal(fake.now.rows[i][k], k < high);
        if (high) assert_int_equal(fake.now.last[i], high - 1);
    }
}

static void rows_are_those_of_the_records(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    add_records(b, 6);
    catch_up(b);
    check_rows(b);
    assert_int_equal(fake.now.migration, 2);
    assert_int_equal(b->f.state, FOLLOWER_RUNNING);
    assert_int_equal(b->said_count, 0);
    end(b);
    free(b);
}

/* Call by call, and each kind of failure there: before anything happened, and behind a commit that did. */
static void a_topic_without_records_opens_no_database(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    follower_work(&b->f);
    assert_int_equal(fake.opens, 0);
    assert_int_equal(b->f.state, FOLLOWER_RUNNING);
    add_records(b, 1);
    catch_up(b);
    assert_int_equal(fake.opens, 1);
    check_rows(b);
    end(b);
    free(b);
}

static void a_failure_at_any_call_loses_and_doubles_nothing(void **state) {
    (void)state;
    static const enum weir_error errors[] = {WEIR_E_CLOSED, WEIR_E_LOCKED, WEIR_E_NO_SPACE, WEIR_E_PERMISSION,
        WEIR_E_TIMEOUT, WEIR_E_CONFLICT, WEIR_E_INVALID, WEIR_E_MISMATCH, WEIR_E_IO};
    struct bench *b = calloc(1, sizeof *b);
    uint64_t calls = 60;
    for (uint64_t at = 1; at <= calls; at++)
        for (size_t k = 0; k < WEIR_ARRAY_COUNT(errors); k++)
            for (int anyway = 0; anyway < 2; anyway++) {
                begin(b);
                fake.fail_at = at;
                fake.fail_count = 1 + at % 3;
                fake.error = errors[k];
                fake.commits_anyway = anyway;
                add_records(b, 2);
                catch_up(b);
                add_records(b, 1);
                catch_up(b);
                check_rows(b);
                assert_int_equal(b->f.state, FOLLOWER_RUNNING);
                assert_string_equal(b->f.error, "");
                end(b);
            }
    free(b);
}

static void a_database_that_stays_away_is_told_of_once_and_asked_more_and_more_rarely(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    fake.fail_at = 1;
    fake.fail_count = UINT64_MAX / 2;
    fake.error = WEIR_E_CLOSED;
    add_records(b, 1);
    for (int i = 0; i < 600; i++) { /* a minute */
        follower_work(&b->f);
        sys_sim_advance(b->sys, 100 * SYS_NANOS_PER_MS);
    }
    assert_in_range(fake.calls, 5, 20);
    assert_int_equal(b->said_count, 1);
    assert_non_null(strstr(b->said[0], "waits and tries again"));
    assert_int_equal(metric_get(&b->f.metrics.up), 0);
    fake.fail_at = 0;
    catch_up(b);
    check_rows(b);
    assert_int_equal(b->said_count, 2);
    assert_non_null(strstr(b->said[1], "goes on"));
    end(b);
    free(b);
}

static void who_was_overtaken_writes_no_more(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    add_records(b, 2);
    catch_up(b);
    fake.now.epoch++; /* as another node does */
    for (int i = 0; i < FAKE_PARTS; i++)
        fake.now.positions[i].epoch = fake.now.epoch;
    struct fake_state theirs = fake.now;
    add_records(b, 2);
    for (int i = 0; i < 50; i++) {
        follower_work(&b->f);
        sys_sim_advance(b->sys, 20 * SYS_NANOS_PER_S);
    }
    assert_int_equal(b->f.state, FOLLOWER_FENCED);
    assert_memory_equal(&theirs, &fake.now, sizeof theirs);
    assert_non_null(strstr(b->said[b->said_count - 1], "somebody writes it now"));
    follower_close(&b->f); /* its next life takes it back */
    open_follower(b);
    catch_up(b);
    check_rows(b);
    end(b);
    free(b);
}

static void a_database_from_a_backup_is_caught_up_with(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    add_records(b, 1);
    catch_up(b);
    struct fake_state backup = fake.now;
    follower_close(&b->f);
    open_follower(b);
    add_records(b, 2);
    catch_up(b);
    fake.now = backup; /* while we are connected */
    add_records(b, 1);
    catch_up(b);
    check_rows(b);
    end(b);
    free(b);
}

static void a_database_of_another_log_is_refused(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    for (int ahead = 0; ahead < 2; ahead++) {
        begin(b);
        add_records(b, 2);
        catch_up(b);
        uint32_t part = 0;
        while (fake.now.positions[part].next == 0)
            part++;
        if (ahead)
            fake.now.positions[part].next += 1000;
        else
            fake.now.positions[part].hash ^= 1;
        struct fake_state before = fake.now;
        follower_close(&b->f);
        open_follower(b);
        follower_work(&b->f);
        assert_int_equal(b->f.state, FOLLOWER_REFUSED);
        assert_non_null(strstr(b->f.error, "weir projection rebuild t.t"));
        assert_memory_equal(before.rows, fake.now.rows, sizeof before.rows);
        must(follower_rebuild(&b->f));
        catch_up(b);
        check_rows(b);
        end(b);
    }
    free(b);
}

static void a_newer_weirs_tables_are_refused(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    add_records(b, 1);
    fake.now = (struct fake_state){.exists = true, .epoch = 4, .version = 1, .migration = 3};
    follower_work(&b->f);
    assert_int_equal(b->f.state, FOLLOWER_REFUSED);
    assert_non_null(strstr(b->f.error, "migration 3"));
    assert_int_equal(fake.now.epoch, 4);
    end(b);
    begin(b);
    add_records(b, 1);
    fake.now = (struct fake_state){.exists = true, .epoch = 4, .version = 2, .migration = 2};
    follower_work(&b->f);
    assert_int_equal(b->f.state, FOLLOWER_REFUSED);
    assert_non_null(strstr(b->f.error, "version 2"));
    end(b);
    free(b);
}

static void retention_waits_for_what_was_not_settled(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    struct log_partition *p = b->topic->partitions[0];
    assert_int_equal(atomic_load(&p->hold), 0);
    add_records(b, 3);
    follower_work(&b->f);
    sys_sim_advance(b->sys, 2 * SYS_NANOS_PER_S);
    follower_work(&b->f);
    follower_work(&b->f);
    assert_true(fake.settles > 0);
    assert_int_equal(atomic_load(&p->hold), atomic_load(&p->high));
    b->f.hold_bytes = 0;
    follower_work(&b->f);
    assert_int_equal(atomic_load(&p->hold), atomic_load(&p->high)); /* nothing waits */
    fake.fail_at = 1;
    fake.fail_count = UINT64_MAX / 2;
    fake.error = WEIR_E_CLOSED;
    add_records(b, 1); /* and now more does than may */
    follower_work(&b->f);
    assert_true(atomic_load(&p->hold) == UINT64_MAX);
    end(b);
    free(b);
}

static void what_retention_took_is_counted_and_said(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    add_records(b, 3);
    struct log_partition *p = b->topic->partitions[0];
    uint64_t high = atomic_load(&p->high), gap = high / 2;
    assert_true(gap > 0);
    atomic_store(&p->start, gap); /* as retention leaves it */
    catch_up(b);
    assert_int_equal(metric_get(&b->f.metrics.gap_records), gap);
    assert_non_null(strstr(b->said[0], "retention took them"));
    for (uint64_t k = 0; k < high; k++)
        assert_int_equal(fake.now.rows[0][k], k >= gap);
    end(b);
    free(b);
}

static void a_row_that_is_refused_is_named(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b);
    add_records(b, 3);
    fake.has_poison = true;
    fake.poison_part = 3;
    fake.poison_record = 5;
    for (int i = 0; i < 40; i++) {
        follower_work(&b->f);
        sys_sim_advance(b->sys, 20 * SYS_NANOS_PER_S);
    }
    assert_int_equal(b->f.state, FOLLOWER_RETRYING);
    assert_non_null(strstr(b->f.error, "the record at offset 5 of t.out/3: the fake does not like it"));
    assert_int_equal(b->said_count, 1);
    assert_int_equal(fake.now.rows[3][4], 1); /* what stood before it is there, and all of the others */
    assert_int_equal(fake.now.positions[3].next, 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fake.now.positions[i].next, atomic_load(&b->topic->partitions[i]->high));
    fake.has_poison = false;
    catch_up(b);
    check_rows(b);
    end(b);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_the_records),
        cmocka_unit_test(a_topic_without_records_opens_no_database),
        cmocka_unit_test(a_failure_at_any_call_loses_and_doubles_nothing),
        cmocka_unit_test(a_database_that_stays_away_is_told_of_once_and_asked_more_and_more_rarely),
        cmocka_unit_test(who_was_overtaken_writes_no_more),
        cmocka_unit_test(a_database_from_a_backup_is_caught_up_with),
        cmocka_unit_test(a_database_of_another_log_is_refused),
        cmocka_unit_test(a_newer_weirs_tables_are_refused),
        cmocka_unit_test(retention_waits_for_what_was_not_settled),
        cmocka_unit_test(what_retention_took_is_counted_and_said),
        cmocka_unit_test(a_row_that_is_refused_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
