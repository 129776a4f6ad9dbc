/* projection/statement.h: the SQL of row operations. Its text depends on the table, the kind and which columns have a
 * value; a projection's code has a fixed number of those, so each is built once and lives as long as the set.
 *
 * A statement writes one row, its values as parameters; or, where the database takes arrays, any number of rows, a
 * column's values as one parameter. Owner: one thread. Memory: the arena. FULL: more than DATABASE_STATEMENTS_MAX
 * kinds.
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
    bool arrays;
    struct arena arena;
    uint32_t count, last; /* last: the one found last, looked at first */
    struct statement rows[DATABASE_STATEMENTS_MAX];
};
void statements_init(struct statements *statements, const struct weir_projection *projection, bool arrays);
void statements_done(struct statements *statements); /* accepts a zeroed one */
/* INVALID: a key column has no value; the context names it. */
WEIR_MUST enum weir_error statement_check_key(const struct weir_table *table, const struct row *row);
/* The statement that writes the row as `kind`: its index in .rows. */
WEIR_MUST enum weir_error statement_number(
    struct statements *statements, const struct row *row, enum row_kind kind, uint32_t *ret_number);
/* The row's values in the order of the statement's parameters; room for WEIR_COLUMNS_MAX. Returns how many. */
uint32_t statement_values(const struct statement *statement, const struct row *row, struct database_value *ret_values);

#endif
