/* projection/merge.h: a batch's row operations as one operation per row of a table, in groups that one statement can
 * write.
 *
 * A record that changes what an earlier record of the batch made becomes one row with both's values: the database is
 * told the outcome. As each row is then touched once, order matters no more, but for a delete in front of a new row.
 * Owner: one thread. Memory: the batch's own arena, for as long as the batch.
 */
#ifndef WEIR_PROJECTION_MERGE_H
#define WEIR_PROJECTION_MERGE_H
#include "projection/statement.h"

struct merged { /* rows of one statement, in the order they came */
    struct row *first, *last;
    uint32_t count;
};
struct merge {
    struct merged groups[DATABASE_STATEMENTS_MAX]; /* by number of the statement */
    bool is_delete[DATABASE_STATEMENTS_MAX];
};
/* CONFLICT: a row is inserted that the batch has already. NO_MEMORY. FULL and INVALID as statement_of. */
WEIR_MUST enum weir_error merge_rows(struct weir_rows *rows, struct statements *statements, struct merge *ret_merge);

#endif
