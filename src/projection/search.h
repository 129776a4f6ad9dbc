/* projection/search.h: a question about rows: the SQL of it, and its answer as the route's packed response.
 *
 * The conditions come from the service's table and the values are parameters: nothing a client sends becomes SQL.
 * Paging is by key (WHERE (a, b) > (..., ...)), so that every page costs the same, and rows that come meanwhile move
 * none. Pure, apart from the database that is asked. Memory: the caller's.
 */
#ifndef WEIR_PROJECTION_SEARCH_H
#define WEIR_PROJECTION_SEARCH_H
#include "base/bytes.h"
#include "base/text.h"
#include "projection/database.h"

#include <protobuf-c/protobuf-c.h>
#include <weir/projection.h>

#define SEARCH_KEY_MAX     4u
#define SEARCH_TEXT_MAX    4096u        /* of the values together */
#define SEARCH_ANSWER_MAX  (256u << 10) /* a page ends there, however many rows were asked for */
#define SEARCH_LIMIT       100u
#define SEARCH_SQL_MAX     8192u
#define SEARCH_CURSOR_SIZE (SEARCH_KEY_MAX * 21u) /* numbers of 64 bits with commas between, and a NUL */

struct search {
    const struct weir_select *select;
    const ProtobufCMessageDescriptor *response;
    uint32_t limit;
    uint32_t set; /* bit per filter that has a value */
    struct database_value values[WEIR_FILTERS_MAX];
    bool has_after;
    int64_t after[SEARCH_KEY_MAX];
};

/* Whether the route's table and messages fit each other. CONFIG. */
WEIR_MUST enum weir_error search_check(const struct weir_select *select, const ProtobufCMessageDescriptor *request,
    const ProtobufCMessageDescriptor *response);
/* "12,7" as `next` gave it. False: it is not of this select. */
WEIR_MUST bool search_parse_after(const struct weir_select *select, struct weir_slice text, int64_t *ret_after);
/* values has room for WEIR_FILTERS_MAX + SEARCH_KEY_MAX + 1. NO_MEMORY: the text is too long. */
WEIR_MUST enum weir_error search_build(
    const struct search *search, struct text_builder *sql, struct database_value *ret_values, uint32_t *ret_count);

/* Packs the rows it is given into `out`. */
struct search_answer {
    const struct search *search;
    struct byte_writer out;
    uint32_t rows;
    bool more;
    int64_t last[SEARCH_KEY_MAX]; /* of the last row */
};
bool search_take_row(void *answer, const struct database_value *values, uint32_t count); /* a database_row_fn */
/* Adds `next`. TOO_LARGE: a single row did not fit. */
WEIR_MUST enum weir_error search_finish(struct search_answer *answer);

#endif
