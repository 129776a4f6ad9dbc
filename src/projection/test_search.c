/* Questions about rows: their SQL, their pages, and tables that do not fit their messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "projection/search.h"
#include "test_search.pb-c.h"

#define QUESTION &weir__projection_test__question__descriptor
#define ROWS     &weir__projection_test__rows__descriptor

static const struct weir_filter filters[] = {{"name", "name = $"}, {"part", "a = $ OR b = $"}, {0}};
static const struct weir_select select_rows = {
    .from = "t", .key = "time_ms, number", .filters = filters, .rows = "rows", .limit_max = 10};
#define FIELDS "narrow, wide, small, large, zigzag, fixed_small, fixed_large, half, whole, yes, name, raw, side"

static void check_sql(const struct search *search, const char *want, uint32_t want_count) {
    char text[SEARCH_SQL_MAX];
    struct text_builder sql = TEXT_BUILDER(text);
    struct database_value values[WEIR_FILTERS_MAX + SEARCH_KEY_MAX + 1];
    uint32_t count = 0;
    assert_int_equal(search_build(search, &sql, values, &count), WEIR_OK);
    assert_string_equal(text, want);
    assert_int_equal(count, want_count);
    assert_int_equal(values[count - 1].integer, search->limit + 1);
}

static void only_given_conditions_are_asked(void **state) {
    (void)state;
    struct search search = {.select = &select_rows, .response = ROWS, .limit = 5};
    check_sql(&search, "SELECT " FIELDS ", time_ms, number FROM t ORDER BY time_ms, number LIMIT $1", 1);
    search.set = 3;
    search.values[0] = search.values[1] = database_text("x");
    check_sql(&search,
        "SELECT " FIELDS
        ", time_ms, number FROM t WHERE (name = $1) AND (a = $2 OR b = $2) ORDER BY time_ms, number LIMIT $3",
        3);
    search.set = 2;
    search.has_after = true;
    check_sql(&search,
        "SELECT " FIELDS ", time_ms, number FROM t WHERE (a = $1 OR b = $1) AND (time_ms, number) > ($2, $3) ORDER BY "
        "time_ms, number LIMIT $4",
        4);
    struct weir_select down = select_rows;
    down.descending = true;
    search.select = &down;
    search.set = 0;
    check_sql(&search,
        "SELECT " FIELDS
        ", time_ms, number FROM t WHERE (time_ms, number) < ($1, $2) ORDER BY time_ms DESC, number DESC "
        "LIMIT $3",
        3);
}

static void a_place_in_the_pages_is_numbers(void **state) {
    (void)state;
    int64_t after[SEARCH_KEY_MAX];
    assert_true(search_parse_after(&select_rows, weir_slice_text("-5,7"), after));
    assert_true(after[0] == -5 && after[1] == 7);
    static const char *const wrong[] = {"", "5", "5,", ",7", "5,7,8", "5,x", "5 ,7", "9223372036854775808,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(search_parse_after(&select_rows, weir_slice_text(wrong[i]), after));
}

static void rows_become_the_response(void **state) {
    (void)state;
    static uint8_t page[SEARCH_ANSWER_MAX + 4096];
    const struct search search = {.select = &select_rows, .response = ROWS, .limit = 1};
    struct search_answer answer = {.search = &search, .out = byte_writer(page, sizeof page)};
    struct database_value v[15] = {database_integer(-1), database_integer(-2), database_integer(3), database_integer(4),
        database_integer(-5), database_integer(6), database_integer(-7), database_integer(8),
        {.kind = DATABASE_REAL, .real = 0.25}, database_integer(1), database_text("n"),
        {.kind = DATABASE_BYTES, .bytes = weir_slice("\0\1", 2)}, database_text("SELL"), database_integer(100),
        database_integer(200)};
    assert_true(search_take_row(&answer, v, 15));
    assert_false(search_take_row(&answer, v, 15));
    assert_int_equal(search_finish(&answer), WEIR_OK);
    Weir__ProjectionTest__Rows *m = weir__projection_test__rows__unpack(NULL, answer.out.at, page);
    assert_non_null(m);
    assert_int_equal(m->n_rows, 1);
    const Weir__ProjectionTest__Row *row = m->rows[0];
    assert_int_equal(row->narrow, -1);
    assert_int_equal(row->wide, -2);
    assert_int_equal(row->small, 3);
    assert_int_equal(row->large, 4);
    assert_int_equal(row->zigzag, -5);
    assert_int_equal(row->fixed_small, 6);
    assert_int_equal(row->fixed_large, -7);
    assert_true(row->half == 8.0f && row->whole == 0.25);
    assert_true(row->yes);
    assert_string_equal(row->name, "n");
    assert_int_equal(row->raw.len, 2);
    assert_int_equal(row->side, WEIR__PROJECTION_TEST__SIDE__SELL);
    assert_string_equal(m->next, "100,200");
    weir__projection_test__rows__free_unpacked(m, NULL);
}

static void tables_that_do_not_fit_their_messages_are_refused(void **state) {
    (void)state;
    static const struct weir_filter strange[] = {{"nothing", "x = $"}, {0}};
    struct weir_select s = select_rows;
    assert_int_equal(search_check(&s, QUESTION, ROWS), WEIR_OK);
    s.filters = strange;
    assert_int_equal(search_check(&s, QUESTION, ROWS), WEIR_E_CONFIG);
    s = select_rows;
    s.rows = "next";
    assert_int_equal(search_check(&s, QUESTION, ROWS), WEIR_E_CONFIG);
    s = select_rows;
    s.key = "a, b, c, d, e";
    assert_int_equal(search_check(&s, QUESTION, ROWS), WEIR_E_CONFIG);
    s.key = "";
    assert_int_equal(search_check(&s, QUESTION, ROWS), WEIR_E_CONFIG);
    assert_int_equal(search_check(&select_rows, QUESTION, QUESTION), WEIR_E_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_given_conditions_are_asked),
        cmocka_unit_test(a_place_in_the_pages_is_numbers),
        cmocka_unit_test(rows_become_the_response),
        cmocka_unit_test(tables_that_do_not_fit_their_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
