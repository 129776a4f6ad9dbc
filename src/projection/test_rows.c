/* Rows of a batch: values, text that is none, undo; and what a merge makes of operations on one row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "projection/merge.h"

#include <stdlib.h>

static const struct weir_column columns[] = {{"id", WEIR_COLUMN_INTEGER, "", true},
    {"name", WEIR_COLUMN_TEXT, "", true}, {"amount", WEIR_COLUMN_INTEGER, ""}, {"share", WEIR_COLUMN_REAL, ""},
    {"raw", WEIR_COLUMN_BYTES, ""}, {0}};
static const struct weir_table tables[] = {{"t_a", columns, ""}, {"t_b", columns, ""}, {0}};
static const struct weir_projection projection = {.name = "t", .tables = tables};
enum { ID, NAME, AMOUNT, SHARE, RAW };

struct bench {
    struct weir_rows rows;
    struct statements statements;
    struct merge merge;
};

static void begin(struct bench *b, bool arrays) {
    assert_int_equal(rows_open(&projection, 1, &b->rows), WEIR_OK);
    rows_reset(&b->rows);
    statements_init(&b->statements, &projection, arrays);
}

static void end(struct bench *b) {
    rows_close(&b->rows);
    statements_done(&b->statements);
}

static void put_key(struct bench *b, int64_t id, const char *name) {
    weir_row_integer(&b->rows, ID, id);
    weir_row_text(&b->rows, NAME, weir_slice_text(name));
}

static void text_that_no_database_takes_is_mended(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b, false);
    static const struct {
        const char *bytes;
        size_t size;
        const char *want;
    } rows[] = {{"plain", 5, "plain"}, {"", 0, ""},
        {"a\0b", 3,
            "a\xef\xbf\xbd"
            "b"},
        {"\xff", 1, "\xef\xbf\xbd"}, {"\xc3\xa4\xc3", 3, "\xc3\xa4\xef\xbf\xbd"},
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weir_row_insert(&b->rows, 0);
        weir_row_text(&b->rows, NAME, weir_slice(rows[i].bytes, rows[i].size));
        const struct database_value *v = &b->rows.last->values[NAME];
        assert_int_equal(v->kind, DATABASE_TEXT);
        assert_int_equal(v->bytes.size, strlen(rows[i].want));
        assert_memory_equal(v->bytes.data, rows[i].want, v->bytes.size);
    }
    end(b);
    free(b);
}

static void a_record_that_does_not_fit_is_taken_back(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    uint8_t *much = calloc(1, ROWS_BYTES);
    begin(b, false);
    weir_row_insert(&b->rows, 0);
    put_key(b, 1, "one");
    struct rows_mark mark = rows_save(&b->rows);
    weir_row_insert(&b->rows, 0);
    put_key(b, 2, "two");
    weir_row_bytes(&b->rows, RAW, weir_slice(much, ROWS_BYTES));
    weir_row_integer(&b->rows, AMOUNT, 1);
    assert_true(b->rows.failed);
    rows_undo(&b->rows, &mark);
    assert_false(b->rows.failed);
    assert_int_equal(b->rows.count, 1);
    assert_null(b->rows.first->next);
    end(b);
    free(much);
    free(b);
}

static struct merged *group_of(struct bench *b, const char *sql) {
    for (uint32_t i = 0; i < b->statements.count; i++)
        if (strcmp(b->statements.rows[i].sql, sql) == 0) return &b->merge.groups[i];
    fail_msg("there is no statement %s", sql);
    return NULL;
}

static void operations_on_one_row_become_one(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b, false);
    weir_row_insert(&b->rows, 0); /* inserted, then changed: an insert of the outcome */
    put_key(b, 1, "a");
    weir_row_integer(&b->rows, AMOUNT, 10);
    weir_row_upsert(&b->rows, 0);
    put_key(b, 1, "a");
    weir_row_integer(&b->rows, AMOUNT, 11);
    weir_row_real(&b->rows, SHARE, 0.5);
    weir_row_upsert(&b->rows, 0); /* changed twice: both values */
    put_key(b, 2, "a");
    weir_row_integer(&b->rows, AMOUNT, 20);
    weir_row_upsert(&b->rows, 0);
    put_key(b, 2, "a");
    weir_row_real(&b->rows, SHARE, 1.5);
    weir_row_upsert(&b->rows, 0); /* gone in the end */
    put_key(b, 3, "a");
    weir_row_delete(&b->rows, 0);
    put_key(b, 3, "a");
    weir_row_delete(&b->rows, 0); /* made anew: nothing of before may stay */
    put_key(b, 4, "a");
    weir_row_upsert(&b->rows, 0);
    put_key(b, 4, "a");
    weir_row_integer(&b->rows, AMOUNT, 40);
    weir_row_upsert(&b->rows, 1); /* of another table, and of another name */
    put_key(b, 1, "a");
    weir_row_upsert(&b->rows, 0);
    put_key(b, 1, "b");
    assert_int_equal(merge_rows(&b->rows, &b->statements, &b->merge), WEIR_OK);
    const struct merged *g = group_of(b, "INSERT INTO t_a (id, name, amount, share, raw) VALUES ($1, $2, $3, $4, $5)");
    assert_int_equal(g->count, 1);
    assert_int_equal(g->first->values[AMOUNT].integer, 11);
    assert_int_equal(g->first->values[RAW].kind, DATABASE_NULL);
    g = group_of(b,
        "INSERT INTO t_a (id, name, amount, share) VALUES ($1, $2, $3, $4) ON CONFLICT (id, name) DO UPDATE SET "
        "amount = excluded.amount, share = excluded.share");
    assert_int_equal(g->count, 1);
    assert_int_equal(g->first->values[AMOUNT].integer, 20);
    assert_true(g->first->values[SHARE].real == 1.5);
    g = group_of(b, "DELETE FROM t_a WHERE t_a.id = $1 AND t_a.name = $2");
    assert_int_equal(g->count, 2);
    g = group_of(b,
        "INSERT INTO t_a (id, name, amount) VALUES ($1, $2, $3) ON CONFLICT (id, name) DO UPDATE SET amount = "
        "excluded.amount");
    assert_int_equal(g->count, 1);
    assert_int_equal(g->first->values[ID].integer, 4);
    g = group_of(b, "INSERT INTO t_b (id, name) VALUES ($1, $2) ON CONFLICT (id, name) DO NOTHING");
    assert_int_equal(g->count, 1);
    g = group_of(b, "INSERT INTO t_a (id, name) VALUES ($1, $2) ON CONFLICT (id, name) DO NOTHING");
    assert_int_equal(g->count, 1);
    end(b);
    free(b);
}

static void what_no_row_can_be_is_refused(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b, false);
    for (int i = 0; i < 2; i++) {
        weir_row_insert(&b->rows, 0);
        put_key(b, 1, "a");
    }
    assert_int_equal(merge_rows(&b->rows, &b->statements, &b->merge), WEIR_E_CONFLICT);
    rows_reset(&b->rows);
    weir_row_upsert(&b->rows, 0);
    weir_row_integer(&b->rows, ID, 1);
    assert_int_equal(merge_rows(&b->rows, &b->statements, &b->merge), WEIR_E_INVALID);
    assert_non_null(strstr(weir_error_text(), "name"));
    end(b);
    free(b);
}

static void arrays_are_unnested(void **state) {
    (void)state;
    struct bench *b = calloc(1, sizeof *b);
    begin(b, true);
    weir_row_upsert(&b->rows, 0);
    put_key(b, 1, "a");
    weir_row_real(&b->rows, SHARE, 1);
    weir_row_delete(&b->rows, 0);
    put_key(b, 2, "a");
    assert_int_equal(merge_rows(&b->rows, &b->statements, &b->merge), WEIR_OK);
    (void)group_of(b, "INSERT INTO t_a (id, name, share) SELECT * FROM unnest($1::bigint[], $2::text[], $3::double "
                      "precision[]) ON CONFLICT (id, name) DO UPDATE SET share = excluded.share");
    (void)group_of(b,
        "DELETE FROM t_a USING unnest($1::bigint[], $2::text[]) AS gone (id, name) WHERE t_a.id = gone.id AND "
        "t_a.name = gone.name");
    end(b);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_no_database_takes_is_mended),
        cmocka_unit_test(a_record_that_does_not_fit_is_taken_back),
        cmocka_unit_test(operations_on_one_row_become_one),
        cmocka_unit_test(what_no_row_can_be_is_refused),
        cmocka_unit_test(arrays_are_unnested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
