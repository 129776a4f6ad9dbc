/* projection/database.h: the small part of SQL that projections need, with two implementations: sqlite.c, postgres.c.
 *
 * Parameters are written $1, $2, ... and stand in that order in both. One connection per object; one thread at a time.
 * Nothing here waits longer than options.timeout_ns, and a raised `stop` ends a wait at once with CLOSED.
 *
 * Errors, whatever the database: CLOSED it is not there, or went away; LOCKED another writer is in the way; NO_SPACE;
 * PERMISSION it is read-only, or we may not; TIMEOUT; CONFLICT, INVALID a value it refuses (these will not go away by
 * trying again); MISMATCH a table or column that is not there; IO the rest. The context says what it said.
 */
#ifndef WEIR_PROJECTION_DATABASE_H
#define WEIR_PROJECTION_DATABASE_H
#include "sys/sys.h"
#include <stdatomic.h>

enum database_value_kind {
    DATABASE_NULL,
    DATABASE_INTEGER,
    DATABASE_REAL,
    DATABASE_TEXT,
    DATABASE_BYTES,
};
struct database_value {
    enum database_value_kind kind;
    union {
        int64_t integer;
        double real;
        struct weir_slice bytes; /* TEXT, BYTES; borrowed */
    };
};
#define DATABASE_VALUES_MAX     64  /* of one statement */
#define DATABASE_STATEMENTS_MAX 256 /* kinds of statements that one connection keeps prepared */

struct database;
struct database_options {
    struct sys *sys;
    const char *url; /* PostgreSQL: as libpq takes it. SQLite: the file */
    bool reader;     /* only selects */
    uint64_t timeout_ns;
    int poller;               /* of the calling thread, to wait in; -1 where the database is a file */
    const _Atomic bool *stop; /* NULL: never */
};
/* A row of an answer; its values are valid during the call. False: no more, please. */
typedef bool (*database_row_fn)(void *ctx, const struct database_value *values, uint32_t count);

struct database_kind {
    const char *name;
    bool arrays; /* what run_rows takes */
    WEIR_MUST enum weir_error (*open)(const struct database_options *options, struct database **ret_database);
    void (*close)(struct database *database); /* takes back what was begun: the way out of any failure */
    WEIR_MUST enum weir_error (*begin)(struct database *database);
    /* A statement without an answer. `sql` is the statement's identity: text that lives as long as the connection. Its
     * failure may be told by a later call of the same transaction, at the latest by commit. */
    WEIR_MUST enum weir_error (*run)(
        struct database *database, const char *sql, const struct database_value *values, uint32_t count);
    /* The same for many rows: a statement of one row where .arrays is false, else of any number, each parameter an
     * array of a column's values. values: `rows` times `count`, row by row. */
    WEIR_MUST enum weir_error (*run_rows)(
        struct database *database, const char *sql, const struct database_value *values, uint32_t count, uint32_t rows);
    WEIR_MUST enum weir_error (*select)(struct database *database, const char *sql, const struct database_value *values,
        uint32_t count, database_row_fn fn, void *ctx);
    WEIR_MUST enum weir_error (*script)(struct database *database, const char *sql); /* several statements */
    WEIR_MUST enum weir_error (*commit)(struct database *database);
    /* What was committed survives a loss of power from here on. Commits alone do not promise it: they are cheaper so,
     * and the log has it all the same. */
    WEIR_MUST enum weir_error (*settle)(struct database *database);
    /* Empties tables: their names with commas between. */
    WEIR_MUST enum weir_error (*empty)(struct database *database, const char *table);
};
struct database { /* first member of each implementation */
    const struct database_kind *kind;
};
extern const struct database_kind database_sqlite, database_postgres;

static inline struct database_value database_integer(int64_t integer) {
    return (struct database_value){.kind = DATABASE_INTEGER, .integer = integer};
}
static inline struct database_value database_text(const char *text) {
    return (struct database_value){.kind = DATABASE_TEXT, .bytes = weir_slice_text(text)};
}

#endif
