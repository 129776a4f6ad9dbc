/* projection/statement.h: the SQL of a row operation. Its text depends on the table, the kind and which columns have a
 * value; a projection's code has a fixed number of those, so each is built once and lives as long as the set.
 *
 * Owner: one thread. Memory: the arena. FULL: more than DATABASE_STATEMENTS_MAX kinds.
 */
#ifndef WEIR_PROJECTION_STATEMENT_H
#define WEIR_PROJECTION_STATEMENT_H
#include "projection/rows.h"

struct statement {
    uint32_t table;
    enum row_kind kind;
    uint64_t set;
    const char *sql;
};
struct statements {
    const struct weir_projection *projection;
    struct arena arena;
    uint32_t count, last; /* last: the one found last, looked at first */
    struct statement rows[DATABASE_STATEMENTS_MAX];
};
void statements_init(struct statements *statements, const struct weir_projection *projection);
void statements_done(struct statements *statements); /* accepts a zeroed one */
/* The statement, and the row's values in the order of its parameters. values has room for WEIR_COLUMNS_MAX. INVALID: a
 * key column has no value; the context names it. */
WEIR_MUST enum weir_error statement_of(struct statements *statements, const struct row *row,
    struct database_value *ret_values, uint32_t *ret_count, const char **ret_sql);

#endif
