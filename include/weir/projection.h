/* weir/projection.h: an output topic as rows of a database.
 *
 * A row of a service's .projections names the topic, the tables as numbered migrations, and a pure function that says
 * which rows a record makes. The node follows the topic, writes the rows and the offset behind them in one transaction,
 * and so has each record's rows once: whatever crashes, whatever database it is. Nothing here knows which.
 *
 * A projection is derived: it can be dropped and made again from what the log still holds.
 */
#ifndef WEIR_PROJECTION_H
#define WEIR_PROJECTION_H
#include <weir/service.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* What both databases have: BIGINT, DOUBLE PRECISION, TEXT, and BLOB or BYTEA. */
enum weir_column_kind { WEIR_COLUMN_INTEGER, WEIR_COLUMN_REAL, WEIR_COLUMN_TEXT, WEIR_COLUMN_BYTES };
struct weir_column {
    const char *name;
    enum weir_column_kind kind;
    const char *summary;
    bool is_key; /* part of the primary key: what upsert and delete find a row by */
};
#define WEIR_COLUMNS_MAX 48 /* of one table */
#define WEIR_TABLES_MAX  16 /* of one projection */
struct weir_table {
    const char *name;                  /* the service's name, alone or with '_' and more behind it */
    const struct weir_column *columns; /* ends with name NULL */
    const char *summary;
    /* The INTEGER column with a row's time, Unix milliseconds, by which old rows go; NULL: they stay. Give it an index.
     */
    const char *time_column;
};

/* Numbers begin at 1 and rise by 1. What was released never changes: a change is the next number. Each runs once, in a
 * transaction. */
struct weir_migration {
    uint32_t number;
    const char *summary;           /* NULL ends the table */
    const char *sql;               /* statements that both databases understand; NULL: the two below */
    const char *sqlite, *postgres; /* where they differ; run behind .sql */
};

/* ---- what a record becomes; inside .project only ---- */
struct weir_rows;
/* Each begins an operation on row `table` of .tables; the setters below give it values. What is not set: NULL in an
 * insert, and left as it is by an upsert that finds its row. A delete needs the key's columns only. Operations on one
 * row count in the order they were given. An insert of a key that is there is an error, which stops the projection. */
void weir_row_insert(struct weir_rows *rows, uint32_t table);
void weir_row_upsert(struct weir_rows *rows, uint32_t table);
void weir_row_delete(struct weir_rows *rows, uint32_t table);
/* column: row of .columns, of that kind. Bytes are copied. Text that is no UTF-8, or has a NUL in it, gets U+FFFD where
 * it is wrong, as no database takes it otherwise. */
void weir_row_integer(struct weir_rows *rows, uint32_t column, int64_t value);
void weir_row_real(struct weir_rows *rows, uint32_t column, double value);
void weir_row_text(struct weir_rows *rows, uint32_t column, struct weir_slice text);
void weir_row_bytes(struct weir_rows *rows, uint32_t column, struct weir_slice bytes);
void weir_row_null(struct weir_rows *rows, uint32_t column); /* an upsert takes the value away */
/* Partitions of the topic, the same for as long as it is there: for identities that are made with it. */
uint32_t weir_row_partition_count(const struct weir_rows *rows);
/* As weir_message(): a record's value unpacked, for the rest of this call. */
const void *weir_row_message(struct weir_rows *rows, const void *descriptor, struct weir_slice value);

struct weir_projection {
    const char *name; /* a-z, 0-9 and _: the node knows it as SERVICE.NAME */
    const char *summary;
    uint32_t topic;                          /* row of .topics: an output that is not in memory */
    uint32_t version;                        /* of .project, from 1: raised when a record gives other rows */
    const struct weir_table *tables;         /* ends with name NULL */
    const struct weir_migration *migrations; /* ends with summary NULL */
    /* Pure, as apply is: no clock, no randomness, nothing remembered. Called once per record, in the partition's order.
     * A record that nothing is to be said of makes no rows. */
    void (*project)(const struct weir_record *record, uint32_t partition, struct weir_rows *rows);
    /* Name of a DURATION setting of the service: rows older than that are deleted; 0s, or NULL here: they stay. */
    const char *keep_setting;
    bool on_request; /* runs only where the setting projection.run names it, or says all */
};

/* ---- questions about the rows: routes of kind WEIR_ROUTE_ROWS ----
 * The database answers, off the lanes: the answer may be behind what was just written by as much as the projection is.
 * The request's message has the filters' fields, and may have `limit` (an integer) and `after` (a string); the
 * response's has .rows, and may have `next` (a string): the page's end, to be given as `after` for the page behind it;
 * "" when there is none. */

/* A condition, where the request has the field: it is set, or is not zero or empty where it has no presence. */
struct weir_filter {
    const char *field; /* of the request */
    const char *where; /* "account = $": each $ stands for the field's value, an enum's as its name */
};
#define WEIR_FILTERS_MAX 16
#define WEIR_ROWS_MAX    1000 /* of one answer */
struct weir_select {
    uint32_t projection; /* row of .projections */
    const char *from;    /* a table or view of it */
    const char *key; /* "time_ms, part, record": INTEGER columns that order the rows and tell each from all others */
    bool descending; /* all of .key */
    const struct weir_filter *filters; /* ends with field NULL */
    const char *rows; /* the response's repeated field: its message's fields are columns of their names */
    uint32_t
        limit_max; /* of `limit`, at most WEIR_ROWS_MAX; what is used where it is not given: 100, or this if less */
};

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
