#include "projection/test_fake.h"

#include "base/assert.h"

struct fake fake;

static bool begins(const char *sql, const char *prefix) {
    return strncmp(sql, prefix, strlen(prefix)) == 0;
}

/* Whether this call fails. */
static enum weir_error turn(void) {
    uint64_t call = ++fake.calls;
    if (fake.fail_at == 0 || call < fake.fail_at || call >= fake.fail_at + fake.fail_count) return WEIR_OK;
    return weir_error_context(fake.error, "the fake fails at call %llu", (unsigned long long)call);
}

static struct database the_database = {&fake_kind};

static enum weir_error fake_open(const struct database_options *options, struct database **ret_database) {
    (void)options;
    WEIR_ASSERT(!fake.is_open);
    enum weir_error e = turn();
    if (e) return e;
    fake.opens++;
    fake.is_open = true;
    *ret_database = &the_database;
    return WEIR_OK;
}

static void fake_close(struct database *database) {
    (void)database;
    if (fake.in_transaction) fake.now = fake.before;
    fake.in_transaction = fake.is_open = false;
}

static enum weir_error fake_begin(struct database *database) {
    (void)database;
    WEIR_ASSERT(!fake.in_transaction);
    enum weir_error e = turn();
    if (e) return e;
    fake.before = fake.now;
    fake.in_transaction = true;
    return WEIR_OK;
}

static enum weir_error fake_commit(struct database *database) {
    (void)database;
    WEIR_ASSERT(fake.in_transaction);
    enum weir_error e = turn();
    if (e && !fake.commits_anyway) return e;
    fake.in_transaction = false;
    return e;
}

static enum weir_error insert(const struct database_value *values) {
    if (fake.has_poison && values[0].integer == fake.poison_part && values[1].integer == fake.poison_record)
        return weir_error_context(WEIR_E_CONFLICT, "the fake does not like it");
    WEIR_ASSERT(values[0].integer < FAKE_PARTS && values[1].integer < FAKE_OFFSETS);
    fake.now.rows[values[0].integer][values[1].integer]++;
    return WEIR_OK;
}

static enum weir_error fake_run(
    struct database *database, const char *sql, const struct database_value *values, uint32_t count) {
    (void)database;
    (void)count;
    enum weir_error e = turn();
    if (e) return e;
    if (begins(sql, "UPDATE weir_projections SET migration"))
        fake.now.migration = values[0].integer;
    else if (begins(sql, "INSERT INTO t_rows"))
        e = insert(values);
    else if (begins(sql, "INSERT INTO t_last"))
        fake.now.last[values[0].integer] = values[1].integer;
    else
        WEIR_ASSERT(!"a statement that the fake knows");
    return e;
}

static enum weir_error fake_run_rows(
    struct database *database, const char *sql, const struct database_value *values, uint32_t count, uint32_t rows) {
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < rows; i++)
        e = fake_run(database, sql, values + (size_t)i * count, count);
    return e;
}

static void answer(database_row_fn fn, void *ctx, int64_t a, int64_t b) {
    const struct database_value row[] = {database_integer(a), database_integer(b)};
    fn(ctx, row, 2);
}

static void take(database_row_fn fn, void *ctx, const struct database_value *values) {
    fake.now.epoch++;
    fake.now.exists = true;
    fake.now.version = values[2].integer;
    answer(fn, ctx, fake.now.epoch, fake.now.migration);
}

static void advance(database_row_fn fn, void *ctx, const struct database_value *values) {
    int64_t part = values[5].integer;
    if (fake.now.positions[part].next != values[6].integer || fake.now.positions[part].epoch != values[7].integer)
        return;
    fake.now.positions[part].next = values[0].integer;
    fake.now.positions[part].hash = values[1].integer;
    answer(fn, ctx, values[0].integer, 0);
}

static void reset(database_row_fn fn, void *ctx, const struct database_value *values) {
    for (int i = 0; i < FAKE_PARTS; i++)
        if (fake.now.positions[i].epoch == values[1].integer) {
            fake.now.positions[i].next = fake.now.positions[i].hash = 0;
            answer(fn, ctx, 0, 0);
        }
}

static enum weir_error fake_select(struct database *database, const char *sql, const struct database_value *values,
    uint32_t count, database_row_fn fn, void *ctx) {
    (void)database;
    (void)count;
    enum weir_error e = turn();
    if (e) return e;
    if (begins(sql, "SELECT version")) {
        if (fake.now.exists) answer(fn, ctx, fake.now.version, 0);
    } else if (begins(sql, "INSERT INTO weir_projections")) {
        take(fn, ctx, values);
    } else if (begins(sql, "SELECT epoch, owner")) {
        const struct database_value row[] = {database_integer(fake.now.epoch), database_text("somebody")};
        if (fake.now.exists) fn(ctx, row, 2);
    } else if (begins(sql, "INSERT INTO weir_projection_positions")) {
        int64_t part = values[2].integer;
        fake.now.positions[part].epoch = values[3].integer;
        answer(fn, ctx, fake.now.positions[part].next, fake.now.positions[part].hash);
    } else if (begins(sql, "UPDATE weir_projection_positions SET next = $1")) {
        advance(fn, ctx, values);
    } else if (begins(sql, "UPDATE weir_projection_positions SET next = 0")) {
        reset(fn, ctx, values);
    } else {
        WEIR_ASSERT(!"a question that the fake knows");
    }
    return WEIR_OK;
}

static enum weir_error fake_script(struct database *database, const char *sql) {
    (void)database;
    (void)sql;
    return turn();
}

static enum weir_error fake_settle(struct database *database) {
    (void)database;
    fake.settles++;
    return turn();
}

static enum weir_error fake_empty(struct database *database, const char *table) {
    (void)database;
    enum weir_error e = turn();
    if (e) return e;
    if (strcmp(table, "t_rows") == 0)
        memset(fake.now.rows, 0, sizeof fake.now.rows);
    else
        memset(fake.now.last, 0, sizeof fake.now.last);
    return WEIR_OK;
}

const struct database_kind fake_kind = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .begin = fake_begin,
    .run = fake_run,
    .run_rows = fake_run_rows,
    .select = fake_select,
    .script = fake_script,
    .commit = fake_commit,
    .settle = fake_settle,
    .empty = fake_empty,
};
