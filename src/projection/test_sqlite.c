/* The contract of database.h, kept by SQLite: values there and back, transactions, errors by their kinds, time limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "projection/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    struct sys *sys;
    char folder[64], path[96];
    struct database_options options;
    struct database *db;
};

static void begin(struct bench *b) {
    *b = (struct bench){.folder = "/tmp/weir-sqlite-XXXXXX"};
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/t.db", b->folder);
    assert_int_equal(sys_linux_new(&b->sys), WEIR_OK);
    b->options =
        (struct database_options){.sys = b->sys, .url = b->path, .timeout_ns = 10 * SYS_NANOS_PER_S, .poller = -1};
    enum weir_error e = database_sqlite.open(&b->options, &b->db);
    if (e) fail_msg("%s", weir_error_text());
    assert_int_equal(
        database_sqlite.script(b->db, "CREATE TABLE t (id BIGINT PRIMARY KEY, a TEXT, b DOUBLE PRECISION, c BLOB)"),
        WEIR_OK);
}

static void end(struct bench *b) {
    char other[112];
    if (b->db) database_sqlite.close(b->db);
    unlink(b->path);
    snprintf(other, sizeof other, "%s-wal", b->path);
    unlink(other);
    snprintf(other, sizeof other, "%s-shm", b->path);
    unlink(other);
    rmdir(b->folder);
    sys_linux_free(b->sys);
}

static const char insert_sql[] = "INSERT INTO t (id, a, b, c) VALUES ($1, $2, $3, $4)";
static enum weir_error insert(struct bench *b, int64_t id, const char *text) {
    const struct database_value values[] = {database_integer(id), database_text(text),
        {.kind = DATABASE_REAL, .real = 0.5}, {.kind = DATABASE_BYTES, .bytes = weir_slice("\0\xff", 2)}};
    return database_sqlite.run(b->db, insert_sql, values, 4);
}

struct found {
    uint32_t rows;
    int64_t id, stop_at;
    char text[32];
    bool good;
};
static bool take(void *ctx, const struct database_value *v, uint32_t count) {
    struct found *f = ctx;
    f->rows++;
    f->id = v[0].integer;
    f->good = count == 4 && v[0].kind == DATABASE_INTEGER && v[1].kind == DATABASE_TEXT && v[2].kind == DATABASE_REAL &&
              v[2].real == 0.5 && v[3].kind == DATABASE_BYTES && v[3].bytes.size == 2;
    if (v[1].kind == DATABASE_TEXT) snprintf(f->text, sizeof f->text, "%.*s", (int)v[1].bytes.size, v[1].bytes.data);
    return f->id != f->stop_at;
}
static struct found find(struct bench *b) {
    struct found f = {.stop_at = -1};
    assert_int_equal(
        database_sqlite.select(b->db, "SELECT id, a, b, c FROM t ORDER BY id", NULL, 0, take, &f), WEIR_OK);
    return f;
}

static void values_come_back_as_they_went(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    assert_int_equal(database_sqlite.begin(b.db), WEIR_OK);
    assert_int_equal(insert(&b, INT64_MIN, "\xc3\xa4"), WEIR_OK);
    assert_int_equal(database_sqlite.commit(b.db), WEIR_OK);
    struct found f = find(&b);
    assert_true(f.rows == 1 && f.good && f.id == INT64_MIN);
    assert_string_equal(f.text, "\xc3\xa4");
    assert_int_equal(database_sqlite.settle(b.db), WEIR_OK);
    end(&b);
}

static void what_was_not_committed_is_not_there(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    assert_int_equal(database_sqlite.begin(b.db), WEIR_OK);
    assert_int_equal(insert(&b, 1, "x"), WEIR_OK);
    database_sqlite.close(b.db);
    assert_int_equal(database_sqlite.open(&b.options, &b.db), WEIR_OK);
    assert_int_equal(find(&b).rows, 0);
    end(&b);
}

static void errors_have_their_kinds(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    assert_int_equal(insert(&b, 1, "x"), WEIR_OK);
    assert_int_equal(insert(&b, 1, "x"), WEIR_E_CONFLICT);
    assert_int_equal(database_sqlite.run(b.db, "INSERT INTO nothing VALUES (1)", NULL, 0), WEIR_E_MISMATCH);
    struct database_options reader = b.options, lost = b.options;
    struct database *other;
    reader.reader = true;
    assert_int_equal(database_sqlite.open(&reader, &other), WEIR_OK);
    assert_int_equal(database_sqlite.script(other, "DELETE FROM t"), WEIR_E_PERMISSION);
    database_sqlite.close(other);
    lost.url = "/nowhere/t.db";
    assert_int_equal(database_sqlite.open(&lost, &other), WEIR_E_CLOSED);
    assert_non_null(strstr(weir_error_text(), "/nowhere/t.db"));
    assert_int_equal(find(&b).rows, 1);
    end(&b);
}

static void a_question_ends_at_its_time(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    struct database_options hurry = b.options;
    struct database *other;
    struct found f = {0};
    hurry.reader = true;
    hurry.timeout_ns = 20 * SYS_NANOS_PER_MS;
    assert_int_equal(database_sqlite.open(&hurry, &other), WEIR_OK);
    const char endless[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*), '', 0.0, x'' FROM n";
    assert_int_equal(database_sqlite.select(other, endless, NULL, 0, take, &f), WEIR_E_TIMEOUT);
    database_sqlite.close(other);
    end(&b);
}

static void a_reader_stops_when_it_has_enough(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(insert(&b, i, "x"), WEIR_OK);
    struct found f = {.stop_at = 3};
    assert_int_equal(database_sqlite.select(b.db, "SELECT id, a, b, c FROM t ORDER BY id", NULL, 0, take, &f), WEIR_OK);
    assert_int_equal(f.rows, 4);
    assert_int_equal(database_sqlite.empty(b.db, "t"), WEIR_OK);
    assert_int_equal(find(&b).rows, 0);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_as_they_went),
        cmocka_unit_test(what_was_not_committed_is_not_there),
        cmocka_unit_test(errors_have_their_kinds),
        cmocka_unit_test(a_question_ends_at_its_time),
        cmocka_unit_test(a_reader_stops_when_it_has_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
