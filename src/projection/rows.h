/* projection/rows.h: what records became, on its way to a database: row operations with typed values.
 *
 * Filled by a service's .project through the calls of weir/projection.h, read by the writer, reset per transaction.
 * Owner: one thread. Memory: ROWS_BYTES of address space, touched as far as the largest batch needed; an operation
 * that does not fit sets `failed`, and the record it belongs to is taken back by rows_undo.
 */
#ifndef WEIR_PROJECTION_ROWS_H
#define WEIR_PROJECTION_ROWS_H
#include "base/arena.h"
#include "projection/database.h"

#include <weir/projection.h>

#define ROWS_BYTES (32u << 20)
/* A batch is full at about that many bytes of values: large enough that a transaction's own cost no longer shows, small
 * enough to be repeated cheaply. The rest of ROWS_BYTES is for the record that crosses the line. */
#define ROWS_BATCH_BYTES (1u << 20)

enum row_kind { ROW_INSERT, ROW_UPSERT, ROW_DELETE, ROW_KINDS };
struct row {
    struct row *next;
    uint32_t table;
    enum row_kind kind;
    bool replaces; /* what is there is deleted first; set by a merge */
    uint64_t set;  /* bit per column that has a value */
    struct database_value *values;
};
struct weir_rows {
    const struct weir_projection *projection;
    struct row *first, *last;
    uint32_t count, column_count; /* of the batch; of last's table */
    uint32_t partition_count;     /* of the topic */
    bool failed;
    struct arena arena;
    void *memory, *message; /* message: for weir_row_message, mapped when it is first asked for */
};
struct rows_mark {
    struct row *last;
    uint32_t count;
    struct arena_mark arena;
};

WEIR_MUST enum weir_error rows_open(
    const struct weir_projection *projection, uint32_t partition_count, struct weir_rows *rows);
void rows_close(struct weir_rows *rows); /* accepts a zeroed one */
void rows_reset(struct weir_rows *rows);
/* What a record added can be taken back, marks in reverse order. */
struct rows_mark rows_save(const struct weir_rows *rows);
void rows_undo(struct weir_rows *rows, const struct rows_mark *mark);
size_t rows_bytes(const struct weir_rows *rows); /* used by the batch so far */
uint32_t rows_columns(const struct weir_table *table);
uint64_t rows_key(const struct weir_table *table); /* bit per column of the key */

#endif
