/* PostgreSQL through libpq, never blocking: whatever waits, waits in the caller's poller, with a limit and until it is
 * told to stop. Statements without an answer go out in pipeline mode: a transaction costs a few round trips, however
 * many rows it has. The library is loaded when the first connection is made. */
#include "base/arena.h"
#include "base/assert.h"
#include "base/encode.h"
#include "base/text.h"
#include "projection/database.h"

#include <libpq-fe.h>
#include <stdlib.h>

/* What is used of it. */
#define FUNCTIONS(X)                                                                                                   \
    X(connectStartParams)                                                                                              \
    X(connectPoll)                                                                                                     \
    X(status)                                                                                                          \
    X(socket)                                                                                                          \
    X(setnonblocking)                                                                                                  \
    X(finish)                                                                                                          \
    X(errorMessage)                                                                                                    \
    X(sendQuery)                                                                                                       \
    X(sendPrepare)                                                                                                     \
    X(sendQueryPrepared)                                                                                               \
    X(flush)                                                                                                           \
    X(consumeInput)                                                                                                    \
    X(isBusy)                                                                                                          \
    X(getResult)                                                                                                       \
    X(resultStatus)                                                                                                    \
    X(resultErrorField)                                                                                                \
    X(resultErrorMessage)                                                                                              \
    X(clear)                                                                                                           \
    X(enterPipelineMode)                                                                                               \
    X(exitPipelineMode)                                                                                                \
    X(pipelineSync)                                                                                                    \
    X(sendFlushRequest)                                                                                                \
    X(ntuples)                                                                                                         \
    X(nfields) X(getvalue) X(getlength) X(getisnull) X(ftype) X(cmdStatus) X(setNoticeProcessor) X(serverVersion)
#define LIBRARY "libpq.so.5"

struct postgres_library {
#define FIELD(name) __typeof__(&PQ##name) name;
    FUNCTIONS(FIELD)
#undef FIELD
};

#define CONNECT_NS    (10 * SYS_NANOS_PER_S)
#define PENDING_MAX   1024u       /* commands without their result: each holds memory at both ends */
#define PENDING_LOW   256u        /* results are taken until so few are left, in one go */
#define SCRATCH_BLOCK (64u << 10) /* of parameters and answers of one statement */
#define SERVER_MIN    100000      /* 10.0; 9.6 has no pipeline-friendly extended protocol of ours tested */
#define APPLICATION   "weir"
#define SETTLE_SQL    "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'weir', ''); COMMIT"

struct postgres {
    struct database database;
    struct postgres_library library;
    struct sys *sys;
    const _Atomic bool *stop;
    int poller;
    uint64_t timeout_ns, until_ns;
    PGconn *connection;
    bool pipeline; /* commands may be without their result */
    uint32_t pending;
    enum weir_error failure; /* the first of the pipeline */
    char failure_text[400];
    uint32_t count, last;
    const char *statements[DATABASE_STATEMENTS_MAX]; /* prepared, under the name "w<index>" */
    struct arena scratch, arrays; /* of one statement: parameters and answers; parameters of many rows */
};

static struct postgres *postgres_of(struct database *database) {
    return WEIR_CONTAINER_OF(database, struct postgres, database);
}

/* ---- errors ---- */

/* https://www.postgresql.org/docs/15/errcodes-appendix.html; the first row that fits. */
static const struct {
    const char *prefix;
    enum weir_error error;
} states[] = {
    {"08", WEIR_E_CLOSED},                                 /* connection exception */
    {"25006", WEIR_E_PERMISSION},                          /* read-only transaction */
    {"22", WEIR_E_INVALID},                                /* data exception */
    {"23", WEIR_E_CONFLICT},                               /* integrity constraint violation */
    {"28", WEIR_E_PERMISSION},                             /* authorization */
    {"40", WEIR_E_LOCKED},                                 /* rolled back: deadlock, serialization */
    {"42501", WEIR_E_PERMISSION}, {"42", WEIR_E_MISMATCH}, /* undefined table, column, function; syntax */
    {"53100", WEIR_E_NO_SPACE}, {"53200", WEIR_E_NO_MEMORY}, {"53", WEIR_E_CLOSED}, /* too many connections */
    {"54", WEIR_E_INVALID},                              /* program limit exceeded: a row too large for an index */
    {"55P03", WEIR_E_LOCKED}, {"57014", WEIR_E_TIMEOUT}, /* statement_timeout */
    {"57", WEIR_E_CLOSED},                               /* shut down, crashed, starting */
};

static enum weir_error kind_of(const char *state) {
    for (size_t i = 0; state && i < WEIR_ARRAY_COUNT(states); i++)
        if (strncmp(state, states[i].prefix, strlen(states[i].prefix)) == 0) return states[i].error;
    return state ? WEIR_E_IO : WEIR_E_CLOSED;
}

static enum weir_error lost(struct postgres *p) {
    return weir_error_context(WEIR_E_CLOSED, "PostgreSQL: %s", p->library.errorMessage(p->connection));
}

static enum weir_error fail(struct postgres *p, const PGresult *result) {
    const char *state = p->library.resultErrorField(result, PG_DIAG_SQLSTATE);
    return weir_error_context(kind_of(state), "PostgreSQL: %s", p->library.resultErrorMessage(result));
}

/* ---- waiting ---- */

static void start_clock(struct postgres *p) {
    p->until_ns = p->sys->mono_ns(p->sys) + p->timeout_ns;
}

/* Until the socket can do one of `bits`. */
static enum weir_error wait_for(struct postgres *p, uint32_t bits) {
    struct sys_poll_event event;
    int socket = p->library.socket(p->connection);
    if (socket < 0) return lost(p);
    enum weir_error e = p->sys->poller_add(p->sys, p->poller, socket, 0, bits);
    if (e) return e;
    size_t count = 0;
    while (!e && count == 0) {
        uint64_t now = p->sys->mono_ns(p->sys);
        if (p->stop && atomic_load(p->stop))
            e = weir_error_context(WEIR_E_CLOSED, "the node stops");
        else if (now >= p->until_ns)
            e = weir_error_context(WEIR_E_TIMEOUT, "PostgreSQL does not answer; see projection.timeout");
        else
            count = p->sys->poller_wait(p->sys, p->poller, &event, 1, p->until_ns - now);
    }
    p->sys->poller_remove(p->sys, p->poller, socket);
    return e;
}

static enum weir_error flush(struct postgres *p) {
    int left;
    while ((left = p->library.flush(p->connection)) > 0) {
        enum weir_error e = wait_for(p, SYS_POLL_READ | SYS_POLL_WRITE);
        if (e) return e;
        if (!p->library.consumeInput(p->connection)) return lost(p);
    }
    return left < 0 ? lost(p) : WEIR_OK;
}

/* The next result, NULL behind the last one of a command. */
static enum weir_error next_result(struct postgres *p, PGresult **ret_result) {
    while (p->library.isBusy(p->connection)) {
        enum weir_error e = wait_for(p, SYS_POLL_READ);
        if (e) return e;
        if (!p->library.consumeInput(p->connection)) return lost(p);
    }
    *ret_result = p->library.getResult(p->connection);
    return WEIR_OK;
}

/* ---- life ---- */

static enum weir_error load(struct postgres_library *ret_library) {
    void *library;
    enum weir_error e = sys_library_load(LIBRARY, "libpq5", &library);
    if (e) return weir_error_wrap(e, "projection.url is PostgreSQL");
    bool whole = true;
#define LOAD(name)                                                                                                     \
    ret_library->name = (__typeof__(&PQ##name))sys_library_symbol(library, "PQ" #name);                                \
    whole = whole && ret_library->name;
    FUNCTIONS(LOAD)
#undef LOAD
    return whole ? WEIR_OK : weir_error_context(WEIR_E_VERSION, LIBRARY " is older than PostgreSQL 14's");
}

static void ignore_notice(void *ctx, const char *message) {
    (void)ctx;
    (void)message;
}

static enum weir_error connect_server(struct postgres *p, const char *url) {
    const char *const names[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {url, APPLICATION, "UTF8", NULL};
    p->until_ns = p->sys->mono_ns(p->sys) + CONNECT_NS;
    p->connection = p->library.connectStartParams(names, values, 1);
    if (!p->connection) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a connection to PostgreSQL");
    if (p->library.status(p->connection) == CONNECTION_BAD) return lost(p);
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    while (want != PGRES_POLLING_OK) {
        enum weir_error e = wait_for(p, want == PGRES_POLLING_READING ? SYS_POLL_READ : SYS_POLL_WRITE);
        if (e) return e;
        want = p->library.connectPoll(p->connection);
        if (want == PGRES_POLLING_FAILED) return lost(p);
    }
    p->library.setNoticeProcessor(p->connection, ignore_notice, NULL);
    if (p->library.serverVersion(p->connection) < SERVER_MIN)
        return weir_error_context(WEIR_E_VERSION, "PostgreSQL is older than version 10");
    return p->library.setnonblocking(p->connection, 1) == 0 ? WEIR_OK : lost(p);
}

static enum weir_error script(struct database *database, const char *sql);

/* Commits are not waited for (settle() is). A node that hangs in the midst of a transaction must not keep the rows
 * locked from the one that takes over. */
static enum weir_error prepare_session(struct postgres *p, bool reader) {
    char sql[300];
    struct text_builder t = TEXT_BUILDER(sql);
    text_printf(&t,
        "SET synchronous_commit = off; SET statement_timeout = %llu; SET idle_in_transaction_session_timeout = %llu",
        (unsigned long long)(p->timeout_ns / SYS_NANOS_PER_MS), (unsigned long long)(p->timeout_ns / SYS_NANOS_PER_MS));
    if (reader) text_add(&t, "; SET default_transaction_read_only = on");
    return script(&p->database, sql);
}

static void close_server(struct database *database) {
    struct postgres *p = postgres_of(database);
    if (p->connection) p->library.finish(p->connection);
    arena_done(&p->scratch);
    arena_done(&p->arrays);
    weir_dealloc(NULL, p, sizeof *p, _Alignof(struct postgres));
}

static enum weir_error open_server(const struct database_options *options, struct database **ret_database) {
    struct postgres *p = weir_alloc(NULL, sizeof *p, _Alignof(struct postgres));
    if (!p) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a connection to PostgreSQL");
    memset(p, 0, sizeof *p);
    p->database.kind = &database_postgres;
    p->sys = options->sys;
    p->stop = options->stop;
    p->poller = options->poller;
    p->timeout_ns = options->timeout_ns;
    arena_init(&p->scratch, NULL, SCRATCH_BLOCK, 0);
    arena_init(&p->arrays, NULL, SCRATCH_BLOCK, 0);
    enum weir_error e = load(&p->library);
    if (!e) e = connect_server(p, options->url);
    if (!e) e = prepare_session(p, options->reader);
    if (e) {
        close_server(&p->database);
        return e;
    }
    *ret_database = &p->database;
    return WEIR_OK;
}

/* ---- the pipeline ---- */

static void note_failure(struct postgres *p, const PGresult *result) {
    if (p->failure) return;
    p->failure = fail(p, result);
    struct text_builder t = TEXT_BUILDER(p->failure_text);
    text_add(&t, weir_error_text());
}

/* Takes results until at most `left` commands are without one. */
static enum weir_error take_results(struct postgres *p, uint32_t left) {
    while (p->pending > left) {
        PGresult *result;
        enum weir_error e = next_result(p, &result);
        if (e) return e;
        if (!result) {
            p->pending--;
            continue;
        }
        ExecStatusType status = p->library.resultStatus(result);
        if (status == PGRES_FATAL_ERROR) note_failure(p, result);
        p->library.clear(result);
    }
    return WEIR_OK;
}

/* The answer to a sync has no NULL behind it. */
static enum weir_error take_sync(struct postgres *p) {
    PGresult *result;
    enum weir_error e = next_result(p, &result);
    if (e) return e;
    bool synced = result && p->library.resultStatus(result) == PGRES_PIPELINE_SYNC;
    p->library.clear(result);
    return synced ? WEIR_OK : lost(p);
}

/* Everything sent has its result, and the connection is out of pipeline mode. The first failure. */
static enum weir_error drain(struct postgres *p) {
    if (!p->pipeline) return WEIR_OK;
    if (!p->library.pipelineSync(p->connection)) return lost(p);
    enum weir_error e = flush(p);
    if (!e) e = take_results(p, 0);
    if (!e) e = take_sync(p);
    if (e) return e;
    if (!p->library.exitPipelineMode(p->connection)) return lost(p);
    p->pipeline = false;
    return p->failure ? weir_error_context(p->failure, "%s", p->failure_text) : WEIR_OK;
}

static enum weir_error enter(struct postgres *p) {
    if (p->pipeline) return WEIR_OK;
    p->failure = WEIR_OK;
    p->pending = 0;
    p->pipeline = p->library.enterPipelineMode(p->connection) == 1;
    return p->pipeline ? WEIR_OK : lost(p);
}

/* Room for further commands: at the mark, results are asked for and taken. */
static enum weir_error make_room(struct postgres *p) {
    if (p->pending < PENDING_MAX) return WEIR_OK;
    if (!p->library.sendFlushRequest(p->connection)) return lost(p);
    enum weir_error e = flush(p);
    if (!e) e = take_results(p, PENDING_LOW);
    if (e) return e;
    return p->failure ? weir_error_context(p->failure, "%s", p->failure_text) : WEIR_OK;
}

/* ---- statements ---- */

struct parameters {
    const char *values[DATABASE_VALUES_MAX];
    int sizes[DATABASE_VALUES_MAX], formats[DATABASE_VALUES_MAX];
};

/* Numbers as text, so that the column may be of any numeric type; the rest as the bytes it is. */
static enum weir_error set_parameter(
    struct postgres *p, struct parameters *to, uint32_t i, const struct database_value *v) {
    to->values[i] = NULL;
    to->sizes[i] = to->formats[i] = 0;
    switch (v->kind) {
    case DATABASE_NULL:
        return WEIR_OK;
    case DATABASE_INTEGER:
        to->values[i] = arena_printf(&p->scratch, "%lld", (long long)v->integer);
        break;
    case DATABASE_REAL:
        to->values[i] = arena_printf(&p->scratch, "%.17g", v->real);
        break;
    case DATABASE_TEXT:
    case DATABASE_BYTES:
        to->values[i] = v->bytes.data ? (const char *)v->bytes.data : "";
        to->sizes[i] = (int)v->bytes.size;
        to->formats[i] = 1;
        break;
    }
    return to->values[i] ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "no memory for a parameter");
}

static enum weir_error set_parameters(
    struct postgres *p, struct parameters *to, const struct database_value *values, uint32_t count) {
    enum weir_error e = WEIR_OK;
    WEIR_ASSERT(count <= DATABASE_VALUES_MAX);
    arena_reset(&p->scratch);
    for (uint32_t i = 0; !e && i < count; i++)
        e = set_parameter(p, to, i, &values[i]);
    return e;
}

static uint32_t find(const struct postgres *p, const char *sql) {
    if (p->last < p->count && p->statements[p->last] == sql) return p->last;
    uint32_t i = 0;
    while (i < p->count && p->statements[i] != sql)
        i++;
    return i;
}

static void name_of(uint32_t index, char name[16]) {
    struct text_builder t = text_builder(name, 16);
    text_add(&t, "w");
    text_add_u64(&t, index);
}

/* Sends the statement, and before its first time its text. Each is a command of the pipeline. */
static enum weir_error send_parameters(
    struct postgres *p, const char *sql, const struct parameters *to, uint32_t count) {
    char name[16];
    uint32_t i = find(p, sql);
    if (i == DATABASE_STATEMENTS_MAX)
        return weir_error_context(WEIR_E_FULL, "more than %d statements", DATABASE_STATEMENTS_MAX);
    name_of(i, name);
    enum weir_error e = enter(p);
    if (!e) e = make_room(p);
    if (e) return e;
    if (i == p->count) {
        if (!p->library.sendPrepare(p->connection, name, sql, 0, NULL)) return lost(p);
        p->statements[p->count++] = sql;
        p->pending++;
    }
    p->last = i;
    if (!p->library.sendQueryPrepared(p->connection, name, (int)count, to->values, to->sizes, to->formats, 0))
        return lost(p);
    p->pending++;
    return WEIR_OK;
}

static enum weir_error send(struct postgres *p, const char *sql, const struct database_value *values, uint32_t count) {
    struct parameters to;
    enum weir_error e = set_parameters(p, &to, values, count);
    return e ? e : send_parameters(p, sql, &to, count);
}

static enum weir_error run(
    struct database *database, const char *sql, const struct database_value *values, uint32_t count) {
    struct postgres *p = postgres_of(database);
    start_clock(p);
    return send(p, sql, values, count);
}

/* ---- arrays: {1,2,NULL}, {"a","b\\"c"}; https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO ---- */

static void add_quoted(struct text_builder *t, struct weir_slice text) {
    text_add_char(t, '"');
    while (text.size) {
        size_t plain = 0;
        while (plain < text.size && text.data[plain] != '"' && text.data[plain] != '\\')
            plain++;
        text_add_slice(t, weir_slice(text.data, plain));
        if (plain == text.size) break;
        text_add_char(t, '\\');
        text_add_char(t, (char)text.data[plain]);
        text = weir_slice(text.data + plain + 1, text.size - plain - 1);
    }
    text_add_char(t, '"');
}

static void add_hex(struct text_builder *t, struct weir_slice bytes) {
    text_add(t, "\"\\\\x");
    char *room = text_reserve(t, 2 * bytes.size);
    if (!room) return;
    hex_encode(bytes, room);
    text_commit(t, 2 * bytes.size);
    text_add_char(t, '"');
}

static void add_element(struct text_builder *t, const struct database_value *v) {
    switch (v->kind) {
    case DATABASE_NULL:
        text_add(t, "NULL");
        break;
    case DATABASE_INTEGER:
        text_add_i64(t, v->integer);
        break;
    case DATABASE_REAL:
        text_printf(t, "%.17g", v->real);
        break;
    case DATABASE_TEXT:
        add_quoted(t, v->bytes);
        break;
    case DATABASE_BYTES:
        add_hex(t, v->bytes);
        break;
    }
}

static enum weir_error build_array(struct postgres *p, const struct database_value *values, uint32_t step,
    uint32_t rows, struct database_value *ret_array) {
    struct text_builder t = text_builder_arena(&p->arrays, 0);
    text_add_char(&t, '{');
    for (uint32_t i = 0; i < rows; i++) {
        if (i) text_add_char(&t, ',');
        add_element(&t, &values[(size_t)i * step]);
    }
    text_add_char(&t, '}');
    *ret_array = (struct database_value){.kind = DATABASE_NULL, .bytes = text_slice(&t)};
    return t.truncated ? weir_error_context(WEIR_E_NO_MEMORY, "no memory for a statement's rows") : WEIR_OK;
}

static enum weir_error run_rows(
    struct database *database, const char *sql, const struct database_value *values, uint32_t count, uint32_t rows) {
    struct postgres *p = postgres_of(database);
    struct parameters to = {0};
    enum weir_error e = WEIR_OK;
    WEIR_ASSERT(count <= DATABASE_VALUES_MAX);
    arena_reset(&p->arrays);
    start_clock(p);
    for (uint32_t i = 0; !e && i < count; i++) {
        struct database_value array;
        e = build_array(p, values + i, count, rows, &array);
        to.values[i] = (const char *)array.bytes.data; /* has a NUL behind it, as every built text */
    }
    return e ? e : send_parameters(p, sql, &to, count);
}

/* ---- answers ---- */

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700
}; /* pg_type.dat */

/* \x and hexadecimal digits. */
static struct weir_slice read_bytes(struct postgres *p, const char *text, size_t size) {
    uint8_t *out = size >= 2 ? arena_alloc(&p->scratch, size / 2) : NULL;
    if (out && hex_decode(weir_slice(text + 2, size - 2), out)) return weir_slice(out, size / 2 - 1);
    return weir_slice(NULL, 0);
}

static struct database_value read_value(struct postgres *p, const PGresult *result, int row, int column) {
    if (p->library.getisnull(result, row, column)) return (struct database_value){.kind = DATABASE_NULL};
    const char *text = p->library.getvalue(result, row, column);
    size_t size = (size_t)p->library.getlength(result, row, column);
    switch (p->library.ftype(result, column)) {
    case OID_BOOL:
        return database_integer(text[0] == 't');
    case OID_INT8:
    case OID_INT4:
    case OID_INT2:
        return database_integer(strtoll(text, NULL, 10));
    case OID_FLOAT4:
    case OID_FLOAT8:
    case OID_NUMERIC:
        return (struct database_value){.kind = DATABASE_REAL, .real = strtod(text, NULL)};
    case OID_BYTEA:
        return (struct database_value){.kind = DATABASE_BYTES, .bytes = read_bytes(p, text, size)};
    default:
        return (struct database_value){.kind = DATABASE_TEXT, .bytes = weir_slice(text, size)};
    }
}

static void read_rows(struct postgres *p, const PGresult *result, database_row_fn fn, void *ctx) {
    struct database_value values[DATABASE_VALUES_MAX];
    int columns = p->library.nfields(result), rows = p->library.ntuples(result);
    bool more = true;
    if (columns > DATABASE_VALUES_MAX) columns = DATABASE_VALUES_MAX;
    for (int row = 0; more && row < rows; row++) {
        arena_reset(&p->scratch);
        for (int i = 0; i < columns; i++)
            values[i] = read_value(p, result, row, i);
        more = fn(ctx, values, (uint32_t)columns);
    }
}

/* The result of the last command sent, whose predecessor may be its own preparation. */
static enum weir_error take_answer(struct postgres *p, database_row_fn fn, void *ctx) {
    while (p->pending > 0) {
        PGresult *result;
        enum weir_error e = next_result(p, &result);
        if (e) return e;
        if (!result) {
            p->pending--;
            continue;
        }
        ExecStatusType status = p->library.resultStatus(result);
        if (status == PGRES_TUPLES_OK) read_rows(p, result, fn, ctx);
        if (status == PGRES_FATAL_ERROR) note_failure(p, result);
        p->library.clear(result);
    }
    return WEIR_OK;
}

static enum weir_error select_rows(struct database *database, const char *sql, const struct database_value *values,
    uint32_t count, database_row_fn fn, void *ctx) {
    struct postgres *p = postgres_of(database);
    start_clock(p);
    enum weir_error e = drain(p);
    if (!e) e = send(p, sql, values, count);
    if (!e && !p->library.sendFlushRequest(p->connection)) e = lost(p);
    if (!e) e = flush(p);
    if (!e) e = take_answer(p, fn, ctx);
    return e ? e : drain(p);
}

static enum weir_error script(struct database *database, const char *sql) {
    struct postgres *p = postgres_of(database);
    PGresult *result = NULL;
    start_clock(p);
    enum weir_error e = drain(p);
    if (e) return e;
    p->failure = WEIR_OK;
    if (!p->library.sendQuery(p->connection, sql)) return lost(p);
    e = flush(p);
    while (!e && !(e = next_result(p, &result)) && result) {
        if (p->library.resultStatus(result) == PGRES_FATAL_ERROR) note_failure(p, result);
        p->library.clear(result);
    }
    if (e) return e;
    return p->failure ? weir_error_context(p->failure, "%s", p->failure_text) : WEIR_OK;
}

/* ---- transactions ---- */

static enum weir_error begin(struct database *database) {
    return script(database, "BEGIN");
}

static enum weir_error commit(struct database *database) {
    return script(database, "COMMIT"); /* drains first: what failed in the pipeline never gets here */
}

static enum weir_error settle(struct database *database) {
    return script(database, SETTLE_SQL);
}

/* Keeps grants, and views that look at the table. */
static enum weir_error empty(struct database *database, const char *table) {
    char sql[256];
    struct text_builder t = TEXT_BUILDER(sql);
    text_printf(&t, "TRUNCATE %s", table);
    return script(database, sql);
}

const struct database_kind database_postgres = {
    .name = "postgresql",
    .arrays = true,
    .open = open_server,
    .close = close_server,
    .begin = begin,
    .run = run,
    .run_rows = run_rows,
    .select = select_rows,
    .script = script,
    .commit = commit,
    .settle = settle,
    .empty = empty,
};
