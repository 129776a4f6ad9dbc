#include "projection/expiry.h"

#include "base/text.h"

#define SQL_BYTES_MAX 2048u
#define PAUSE_NS      (10 * SYS_NANOS_PER_S) /* between two looks once nothing is left */

/* "a, b" of the key. */
static void add_key(struct text_builder *t, const struct weir_table *table) {
    const char *comma = "";
    for (const struct weir_column *c = table->columns; c->name; c++)
        if (c->is_key) {
            text_printf(t, "%s%s", comma, c->name);
            comma = ", ";
        }
}

static const char *build(struct arena *arena, const struct weir_table *table) {
    struct text_builder t = text_builder_arena(arena, SQL_BYTES_MAX);
    text_printf(&t, "DELETE FROM %s WHERE (", table->name);
    add_key(&t, table);
    text_add(&t, ") IN (SELECT ");
    add_key(&t, table);
    text_printf(&t, " FROM %s WHERE %s < $1 LIMIT %u) RETURNING 1", table->name, table->time_column, EXPIRY_ROWS);
    return t.truncated ? NULL : t.data;
}

enum weir_error expiry_open(const struct weir_projection *projection, uint64_t keep_ms, struct expiry *expiry) {
    *expiry = (struct expiry){.keep_ms = keep_ms};
    arena_init(&expiry->arena, NULL, SQL_BYTES_MAX, (size_t)WEIR_TABLES_MAX * SQL_BYTES_MAX);
    if (keep_ms == 0) return WEIR_OK;
    for (uint32_t i = 0; projection->tables[i].name; i++) {
        if (!projection->tables[i].time_column) continue;
        expiry->sql[i] = build(&expiry->arena, &projection->tables[i]);
        if (!expiry->sql[i]) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a statement");
    }
    return WEIR_OK;
}

void expiry_close(struct expiry *expiry) {
    arena_done(&expiry->arena);
}

static bool count_row(void *ctx, const struct database_value *values, uint32_t count) {
    (void)values;
    (void)count;
    ++*(uint32_t *)ctx;
    return true;
}

enum weir_error expiry_work(struct expiry *expiry, struct sys *sys, struct database *database, uint32_t *ret_rows) {
    uint64_t now_ns = sys->mono_ns(sys), now_ms = sys->wall_ns(sys) / SYS_NANOS_PER_MS;
    uint32_t deleted = 0;
    bool more = false;
    if (expiry->keep_ms == 0 || now_ns < expiry->due_ns || now_ms < expiry->keep_ms) return WEIR_OK;
    const struct database_value until = database_integer((int64_t)(now_ms - expiry->keep_ms));
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < WEIR_TABLES_MAX; i++) {
        uint32_t rows = 0;
        if (expiry->sql[i]) e = database->kind->select(database, expiry->sql[i], &until, 1, count_row, &rows);
        more |= rows == EXPIRY_ROWS;
        deleted += rows;
    }
    expiry->due_ns = more ? now_ns : now_ns + PAUSE_NS;
    *ret_rows = deleted;
    return e;
}
