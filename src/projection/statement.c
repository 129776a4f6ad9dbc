#include "projection/statement.h"

#include "base/text.h"

#define STATEMENT_BYTES_MAX 8192u
#define BLOCK_BYTES         4096u

void statements_init(struct statements *statements, const struct weir_projection *projection) {
    *statements = (struct statements){.projection = projection};
    arena_init(&statements->arena, NULL, BLOCK_BYTES, (size_t)DATABASE_STATEMENTS_MAX * STATEMENT_BYTES_MAX);
}

void statements_done(struct statements *statements) {
    arena_done(&statements->arena);
}

/* "a, b" of the columns in `set`. */
static void add_names(struct text_builder *t, const struct weir_table *table, uint64_t set) {
    const char *comma = "";
    for (uint32_t i = 0; table->columns[i].name; i++)
        if (set >> i & 1) {
            text_printf(t, "%s%s", comma, table->columns[i].name);
            comma = ", ";
        }
}

static void add_insert(struct text_builder *t, const struct weir_table *table, uint64_t set) {
    text_printf(t, "INSERT INTO %s (", table->name);
    add_names(t, table, set);
    text_add(t, ") VALUES (");
    for (int i = 1; i <= __builtin_popcountll(set); i++)
        text_printf(t, "%s$%d", i > 1 ? ", " : "", i);
    text_add(t, ")");
}

static void add_conflict(struct text_builder *t, const struct weir_table *table, uint64_t set) {
    uint64_t key = rows_key(table);
    const char *comma = "";
    text_add(t, " ON CONFLICT (");
    add_names(t, table, key);
    text_add(t, set & ~key ? ") DO UPDATE SET " : ") DO NOTHING");
    for (uint32_t i = 0; table->columns[i].name; i++)
        if ((set & ~key) >> i & 1) {
            text_printf(t, "%s%s = excluded.%s", comma, table->columns[i].name, table->columns[i].name);
            comma = ", ";
        }
}

static void add_delete(struct text_builder *t, const struct weir_table *table) {
    int number = 0;
    text_printf(t, "DELETE FROM %s WHERE ", table->name);
    for (uint32_t i = 0; table->columns[i].name; i++)
        if (table->columns[i].is_key) {
            number++;
            text_printf(t, "%s%s = $%d", number > 1 ? " AND " : "", table->columns[i].name, number);
        }
}

static enum weir_error build(struct statements *s, struct statement *statement) {
    char sql[STATEMENT_BYTES_MAX];
    struct text_builder t = TEXT_BUILDER(sql);
    const struct weir_table *table = &s->projection->tables[statement->table];
    if (statement->kind == ROW_DELETE)
        add_delete(&t, table);
    else
        add_insert(&t, table, statement->set);
    if (statement->kind == ROW_UPSERT) add_conflict(&t, table, statement->set);
    statement->sql = t.truncated ? NULL : arena_strdup(&s->arena, sql);
    return statement->sql ? WEIR_OK
                          : weir_error_context(WEIR_E_NO_MEMORY, "no room for a statement of %s", table->name);
}

static bool is_it(const struct statement *statement, const struct statement *wanted) {
    return statement->set == wanted->set && statement->table == wanted->table && statement->kind == wanted->kind;
}

static enum weir_error find(struct statements *s, const struct statement *wanted, const char **ret_sql) {
    if (s->count && is_it(&s->rows[s->last], wanted)) {
        *ret_sql = s->rows[s->last].sql;
        return WEIR_OK;
    }
    uint32_t i = 0;
    while (i < s->count && !is_it(&s->rows[i], wanted))
        i++;
    if (i == DATABASE_STATEMENTS_MAX)
        return weir_error_context(
            WEIR_E_FULL, "more than %d different sets of columns are written", DATABASE_STATEMENTS_MAX);
    if (i == s->count) {
        s->rows[i] = *wanted;
        enum weir_error e = build(s, &s->rows[i]);
        if (e) return e;
        s->count++;
    }
    s->last = i;
    *ret_sql = s->rows[i].sql;
    return WEIR_OK;
}

enum weir_error statement_of(struct statements *s, const struct row *row, struct database_value *ret_values,
    uint32_t *ret_count, const char **ret_sql) {
    const struct weir_table *table = &s->projection->tables[row->table];
    uint64_t key = rows_key(table), columns = rows_columns(table);
    uint64_t set = row->kind == ROW_DELETE ? key : row->kind == ROW_INSERT ? (1ull << columns) - 1 : row->set;
    uint32_t count = 0;
    if (key & ~row->set) {
        uint32_t missing = (uint32_t)__builtin_ctzll(key & ~row->set);
        return weir_error_context(WEIR_E_INVALID, "a row of %s has no value for %s, which is part of its key",
            table->name, table->columns[missing].name);
    }
    enum weir_error e = find(s, &(struct statement){.table = row->table, .kind = row->kind, .set = set}, ret_sql);
    if (e) return e;
    for (uint32_t i = 0; i < columns; i++)
        if (set >> i & 1) ret_values[count++] = row->values[i];
    *ret_count = count;
    return WEIR_OK;
}
