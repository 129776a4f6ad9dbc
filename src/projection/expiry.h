/* projection/expiry.h: rows go when they are older than the service's setting says: few at a time, in transactions of
 * their own, so that neither writer nor readers wait for it.
 *
 * Age is of the row's time column, against the wall clock. Owner: the follower's thread.
 */
#ifndef WEIR_PROJECTION_EXPIRY_H
#define WEIR_PROJECTION_EXPIRY_H
#include "base/arena.h"
#include "projection/database.h"

#include <weir/projection.h>

#define EXPIRY_ROWS 1000u /* of one transaction */

struct expiry {
    uint64_t keep_ms; /* 0: rows stay */
    uint64_t due_ns;  /* mono time of the next look */
    struct arena arena;
    const char *sql[WEIR_TABLES_MAX]; /* NULL: the table's rows have no time */
};
WEIR_MUST enum weir_error expiry_open(
    const struct weir_projection *projection, uint64_t keep_ms, struct expiry *expiry);
void expiry_close(struct expiry *expiry); /* accepts a zeroed one */
/* Deletes up to EXPIRY_ROWS of each table, when it is time to. Returns again at once as long as there are more. */
WEIR_MUST enum weir_error expiry_work(
    struct expiry *expiry, struct sys *sys, struct database *database, uint32_t *ret_rows);

#endif
