/* SQLite: a file in write-ahead mode, so that readers never wait for the writer nor it for them. The library is loaded
 * when the first file is opened. */
#include "base/text.h"
#include "projection/database.h"

#include <sqlite3.h>

/* What is used of it. */
#define FUNCTIONS(X)                                                                                                   \
    X(open_v2)                                                                                                         \
    X(close_v2)                                                                                                        \
    X(busy_timeout)                                                                                                    \
    X(exec)                                                                                                            \
    X(free)                                                                                                            \
    X(prepare_v3)                                                                                                      \
    X(bind_int64)                                                                                                      \
    X(bind_double)                                                                                                     \
    X(bind_text)                                                                                                       \
    X(bind_blob)                                                                                                       \
    X(bind_null)                                                                                                       \
    X(step)                                                                                                            \
    X(reset)                                                                                                           \
    X(clear_bindings)                                                                                                  \
    X(finalize)                                                                                                        \
    X(column_count)                                                                                                    \
    X(column_type)                                                                                                     \
    X(column_int64)                                                                                                    \
    X(column_double)                                                                                                   \
    X(column_text)                                                                                                     \
    X(column_blob)                                                                                                     \
    X(column_bytes) X(errmsg) X(extended_errcode) X(get_autocommit) X(progress_handler) X(wal_checkpoint_v2)
#define LIBRARY "libsqlite3.so.0"

struct sqlite_library {
#define FIELD(name) __typeof__(&sqlite3_##name) name;
    FUNCTIONS(FIELD)
#undef FIELD
};

#define BUSY_MS 2000 /* another program, as sqlite3(1), may write for a moment */
#define PROGRESS_STEPS                                                                                                 \
    100000 /* of SQLite's machine, well below a millisecond each thousand, between looks at the time */

struct prepared {
    const char *sql;
    sqlite3_stmt *statement;
};
struct sqlite {
    struct database database;
    struct sqlite_library library;
    struct sys *sys;
    const _Atomic bool *stop;
    uint64_t timeout_ns, until_ns;
    bool reader;
    sqlite3 *file;
    uint32_t count, last;
    struct prepared statements[DATABASE_STATEMENTS_MAX];
};

static struct sqlite *sqlite_of(struct database *database) {
    return WEIR_CONTAINER_OF(database, struct sqlite, database);
}

/* ---- errors ---- */

static enum weir_error kind_of(int code) {
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WEIR_E_LOCKED;
    case SQLITE_FULL:
        return WEIR_E_NO_SPACE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return WEIR_E_PERMISSION;
    case SQLITE_CONSTRAINT:
        return WEIR_E_CONFLICT;
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return WEIR_E_INVALID;
    case SQLITE_ERROR: /* what does not fit the schema */
    case SQLITE_SCHEMA:
        return WEIR_E_MISMATCH;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEIR_E_CORRUPT;
    case SQLITE_CANTOPEN:
        return WEIR_E_CLOSED;
    case SQLITE_INTERRUPT:
        return WEIR_E_TIMEOUT;
    case SQLITE_NOMEM:
        return WEIR_E_NO_MEMORY;
    }
    return WEIR_E_IO;
}

static enum weir_error fail(struct sqlite *s) {
    int code = s->library.extended_errcode(s->file);
    enum weir_error e = kind_of(code);
    if (e == WEIR_E_TIMEOUT && s->stop && atomic_load(s->stop)) e = WEIR_E_CLOSED;
    return weir_error_context(e, "SQLite: %s", s->library.errmsg(s->file));
}

/* ---- life ---- */

static enum weir_error load(struct sqlite_library *ret_library) {
    void *library;
    enum weir_error e = sys_library_load(LIBRARY, "libsqlite3-0", &library);
    if (e) return weir_error_wrap(e, "SQLite is needed for projections");
    bool whole = true;
#define LOAD(name)                                                                                                     \
    ret_library->name = (__typeof__(&sqlite3_##name))sys_library_symbol(library, "sqlite3_" #name);                    \
    whole = whole && ret_library->name;
    FUNCTIONS(LOAD)
#undef LOAD
    return whole ? WEIR_OK : weir_error_context(WEIR_E_VERSION, LIBRARY " is too old; 3.40 will do");
}

static int on_progress(void *ctx) {
    const struct sqlite *s = ctx;
    return (s->stop && atomic_load_explicit(s->stop, memory_order_relaxed)) || s->sys->mono_ns(s->sys) > s->until_ns;
}

static enum weir_error exec(struct sqlite *s, const char *sql) {
    s->until_ns = s->sys->mono_ns(s->sys) + s->timeout_ns;
    return s->library.exec(s->file, sql, NULL, NULL, NULL) == SQLITE_OK ? WEIR_OK : fail(s);
}

static void close_file(struct database *database) {
    struct sqlite *s = sqlite_of(database);
    for (uint32_t i = 0; i < s->count; i++)
        s->library.finalize(s->statements[i].statement);
    if (s->file) s->library.close_v2(s->file);
    weir_dealloc(NULL, s, sizeof *s, _Alignof(struct sqlite));
}

/* Commits are not synced one by one (synchronous = NORMAL): a loss of power takes the last ones, offsets and rows
 * alike, and the log is read again from there. */
static enum weir_error prepare_file(struct sqlite *s) {
    enum weir_error e = s->reader ? exec(s, "PRAGMA query_only = 1") : exec(s, "PRAGMA journal_mode = WAL");
    if (!e && !s->reader) e = exec(s, "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864");
    return e;
}

static enum weir_error open_file(const struct database_options *options, struct database **ret_database) {
    struct sqlite *s = weir_alloc(NULL, sizeof *s, _Alignof(struct sqlite));
    if (!s) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a connection to SQLite");
    memset(s, 0, sizeof *s);
    s->database.kind = &database_sqlite;
    s->sys = options->sys;
    s->stop = options->stop;
    s->timeout_ns = options->timeout_ns;
    s->reader = options->reader;
    enum weir_error e = load(&s->library);
    int flags = SQLITE_OPEN_NOMUTEX | (s->reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (!e && s->library.open_v2(options->url, &s->file, flags, NULL) != SQLITE_OK)
        e = s->file ? fail(s) : weir_error_context(WEIR_E_NO_MEMORY, "no memory for SQLite");
    if (!e) {
        s->library.busy_timeout(s->file, BUSY_MS);
        s->library.progress_handler(s->file, PROGRESS_STEPS, on_progress, s);
        e = prepare_file(s);
    }
    if (e) {
        if (s->library.close_v2)
            close_file(&s->database);
        else
            weir_dealloc(NULL, s, sizeof *s, _Alignof(struct sqlite));
        return weir_error_wrap(e, "%s", options->url);
    }
    *ret_database = &s->database;
    return WEIR_OK;
}

/* ---- statements ---- */

static enum weir_error prepare(struct sqlite *s, const char *sql, sqlite3_stmt **ret_statement) {
    uint32_t i = s->last;
    if (!(i < s->count && s->statements[i].sql == sql))
        for (i = 0; i < s->count && s->statements[i].sql != sql;)
            i++;
    if (i == DATABASE_STATEMENTS_MAX)
        return weir_error_context(WEIR_E_FULL, "more than %d statements", DATABASE_STATEMENTS_MAX);
    if (i == s->count) {
        struct prepared *p = &s->statements[i];
        if (s->library.prepare_v3(s->file, sql, -1, SQLITE_PREPARE_PERSISTENT, &p->statement, NULL) != SQLITE_OK)
            return fail(s);
        p->sql = sql;
        s->count++;
    }
    s->last = i;
    *ret_statement = s->statements[i].statement;
    return WEIR_OK;
}

static int bind(const struct sqlite_library *l, sqlite3_stmt *statement, int at, const struct database_value *v) {
    const void *data = v->kind >= DATABASE_TEXT && v->bytes.data ? (const void *)v->bytes.data : "";
    switch (v->kind) {
    case DATABASE_INTEGER:
        return l->bind_int64(statement, at, v->integer);
    case DATABASE_REAL:
        return l->bind_double(statement, at, v->real);
    case DATABASE_TEXT: /* borrowed: it is there until the step returns */
        return l->bind_text(statement, at, data, (int)v->bytes.size, SQLITE_STATIC);
    case DATABASE_BYTES:
        return l->bind_blob(statement, at, data, (int)v->bytes.size, SQLITE_STATIC);
    case DATABASE_NULL:
        break;
    }
    return l->bind_null(statement, at);
}

static enum weir_error bind_all(
    struct sqlite *s, sqlite3_stmt *statement, const struct database_value *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (bind(&s->library, statement, (int)i + 1, &values[i]) != SQLITE_OK) return fail(s);
    return WEIR_OK;
}

static void read_row(
    const struct sqlite_library *l, sqlite3_stmt *statement, struct database_value *ret_values, int count) {
    for (int i = 0; i < count; i++) {
        struct database_value *v = &ret_values[i];
        *v = (struct database_value){.kind = DATABASE_NULL};
        switch (l->column_type(statement, i)) {
        case SQLITE_INTEGER:
            *v = database_integer(l->column_int64(statement, i));
            break;
        case SQLITE_FLOAT:
            *v = (struct database_value){.kind = DATABASE_REAL, .real = l->column_double(statement, i)};
            break;
        case SQLITE_TEXT:
            v->kind = DATABASE_TEXT;
            v->bytes.data = l->column_text(statement, i);
            v->bytes.size = (size_t)l->column_bytes(statement, i);
            break;
        case SQLITE_BLOB:
            v->kind = DATABASE_BYTES;
            v->bytes.data = l->column_blob(statement, i);
            v->bytes.size = (size_t)l->column_bytes(statement, i);
            break;
        default:
            break;
        }
    }
}

static enum weir_error select_rows(struct database *database, const char *sql, const struct database_value *values,
    uint32_t count, database_row_fn fn, void *ctx) {
    struct sqlite *s = sqlite_of(database);
    sqlite3_stmt *statement = NULL;
    struct database_value row[DATABASE_VALUES_MAX];
    s->until_ns = s->sys->mono_ns(s->sys) + s->timeout_ns;
    enum weir_error e = prepare(s, sql, &statement);
    if (!e) e = bind_all(s, statement, values, count);
    if (e) return e;
    int columns = s->library.column_count(statement), step;
    if (columns > DATABASE_VALUES_MAX) columns = DATABASE_VALUES_MAX;
    bool more = true;
    /* One that returns rows of what it changes (RETURNING) has changed all of it by its first row. */
    while ((step = s->library.step(statement)) == SQLITE_ROW && more) {
        read_row(&s->library, statement, row, columns);
        more = fn(ctx, row, (uint32_t)columns);
    }
    if (step != SQLITE_DONE && step != SQLITE_ROW) e = fail(s);
    s->library.reset(statement);
    s->library.clear_bindings(statement);
    return e;
}

static enum weir_error run(
    struct database *database, const char *sql, const struct database_value *values, uint32_t count) {
    struct sqlite *s = sqlite_of(database);
    sqlite3_stmt *statement = NULL;
    enum weir_error e = prepare(s, sql, &statement);
    if (!e) e = bind_all(s, statement, values, count);
    if (e) return e;
    if (s->library.step(statement) != SQLITE_DONE) e = fail(s);
    s->library.reset(statement);
    return e;
}

static enum weir_error run_rows(
    struct database *database, const char *sql, const struct database_value *values, uint32_t count, uint32_t rows) {
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < rows; i++)
        e = run(database, sql, values + (size_t)i * count, count);
    return e;
}

/* ---- transactions ---- */

static enum weir_error begin(struct database *database) {
    struct sqlite *s = sqlite_of(database);
    return exec(s, s->reader ? "BEGIN" : "BEGIN IMMEDIATE");
}

static enum weir_error script(struct database *database, const char *sql) {
    return exec(sqlite_of(database), sql);
}

static enum weir_error commit(struct database *database) {
    return exec(sqlite_of(database), "COMMIT");
}

/* A checkpoint syncs the write-ahead file before it copies from it. One that a reader keeps from copying all of it has
 * synced all of it nevertheless. */
static enum weir_error settle(struct database *database) {
    struct sqlite *s = sqlite_of(database);
    s->until_ns = s->sys->mono_ns(s->sys) + s->timeout_ns;
    int code = s->library.wal_checkpoint_v2(s->file, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK ? WEIR_OK : fail(s);
}

static enum weir_error empty(struct database *database, const char *table) {
    char sql[256];
    struct text_builder t = TEXT_BUILDER(sql);
    text_printf(&t, "DELETE FROM %s", table); /* without a condition SQLite drops the pages whole */
    return exec(sqlite_of(database), sql);
}

const struct database_kind database_sqlite = {
    .name = "sqlite",
    .open = open_file,
    .close = close_file,
    .begin = begin,
    .run = run,
    .run_rows = run_rows,
    .select = select_rows,
    .script = script,
    .commit = commit,
    .settle = settle,
    .empty = empty,
};
