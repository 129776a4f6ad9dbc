/* Fuzzes questions about rows: `after` as clients send it, values of filters, and rows as a database gives them. The
 * SQL has no byte of a client's, and as many parameters as values; the answer is a message of the response's type with
 * as many rows as were taken; its `next` is an `after`. Input: u8 filters, u8 limit, u8 size of after, after, then for
 * each value of a row u8 kind and 8 bytes or u8 size and bytes. Covers: search.c. */
#include "base/assert.h"
#include "base/bytes.h"
#include "projection/search.h"
#include "test_search.pb-c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_filter filters[] = {
    {"name", "name = $"}, {"part", "text LIKE '%' || $ || '%' OR name = $"}, {0}};
static const struct weir_select select_rows = {
    .from = "t", .key = "time_ms, number", .descending = true, .filters = filters, .rows = "rows", .limit_max = 1000};

static struct database_value read_value(struct byte_reader *r) {
    struct database_value v = {.kind = byte_get_u8(r) % 5};
    if (v.kind >= DATABASE_TEXT) {
        size_t size = byte_get_u8(r), left = byte_reader_left(r);
        v.bytes = byte_get_slice(r, size < left ? size : left);
    } else if (v.kind != DATABASE_NULL) {
        v.integer = (int64_t)byte_get_le64(r); /* a real's bits, too */
    }
    return v;
}

static void check_sql(const struct search *search) {
    char text[SEARCH_SQL_MAX];
    struct text_builder sql = TEXT_BUILDER(text);
    struct database_value values[WEIR_FILTERS_MAX + SEARCH_KEY_MAX + 1];
    uint32_t count = 0;
    enum weir_error e = search_build(search, &sql, values, &count);
    WEIR_ASSERT(e == WEIR_OK);
    char last[16], next[16];
    struct text_builder a = TEXT_BUILDER(last), b = TEXT_BUILDER(next);
    text_printf(&a, "$%u", count);
    text_printf(&b, "$%u", count + 1);
    WEIR_ASSERT(strstr(text, last) && !strstr(text, next));
    WEIR_ASSERT(!strstr(text, "secret"));
}

static void check_answer(const struct search_answer *answer) {
    Weir__ProjectionTest__Rows *m = weir__projection_test__rows__unpack(NULL, answer->out.at, answer->out.data);
    int64_t after[SEARCH_KEY_MAX];
    WEIR_ASSERT(m && m->n_rows == answer->rows);
    WEIR_ASSERT(answer->more == (m->next[0] != 0));
    if (m->next[0])
        WEIR_ASSERT(search_parse_after(&select_rows, weir_slice_text(m->next), after) && after[0] == answer->last[0] &&
                    after[1] == answer->last[1]);
    weir__projection_test__rows__free_unpacked(m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct byte_reader r = byte_reader(weir_slice(data, size));
    struct search search = {.select = &select_rows,
        .response = &weir__projection_test__rows__descriptor,
        .set = byte_get_u8(&r) & 3u,
        .limit = 1 + byte_get_u8(&r) % 8u};
    const uint32_t columns = weir__projection_test__row__descriptor.n_fields + 2;
    if (search_check(&select_rows, &weir__projection_test__question__descriptor, search.response)) abort();
    size_t after_size = byte_get_u8(&r), left = byte_reader_left(&r);
    struct weir_slice after = byte_get_slice(&r, after_size < left ? after_size : left);
    search.has_after = search_parse_after(&select_rows, after, search.after);
    search.values[0] = search.values[1] = database_text("secret'; --");
    check_sql(&search);
    uint8_t *page = malloc(SEARCH_ANSWER_MAX + 4096);
    struct search_answer answer = {.search = &search, .out = byte_writer(page, SEARCH_ANSWER_MAX + 4096)};
    bool more = true;
    while (more && byte_reader_left(&r) > 0) {
        struct database_value values[DATABASE_VALUES_MAX];
        for (uint32_t i = 0; i < columns; i++)
            values[i] = read_value(&r);
        for (uint32_t i = 0; i < columns; i++) /* a driver's text is UTF-8, and keys are integers */
            if (values[i].kind == DATABASE_TEXT && !utf8_valid(values[i].bytes)) values[i].kind = DATABASE_BYTES;
        for (uint32_t i = columns - 2; i < columns; i++)
            values[i].kind = DATABASE_INTEGER;
        more = search_take_row(&answer, values, columns);
    }
    if (search_finish(&answer)) abort();
    check_answer(&answer);
    free(page);
    return 0;
}
