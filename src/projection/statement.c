#include "projection/statement.h"

#include "base/text.h"

#define STATEMENT_BYTES_MAX 8192u
#define BLOCK_BYTES         4096u

void statements_init(struct statements *statements, const struct weir_projection *projection, bool arrays) {
    *statements = (struct statements){.projection = projection, .arrays = arrays};
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

/* "unnest($1::bigint[], $2::text[])": rows out of a column's values each. */
static void add_unnest(struct text_builder *t, const struct weir_table *table, uint64_t set) {
    static const char *const types[] = {"bigint", "double precision", "text", "bytea"};
    int number = 0;
    text_add(t, "unnest(");
    for (uint32_t i = 0; table->columns[i].name; i++)
        if (set >> i & 1) {
            number++;
            text_printf(t, "%s$%d::%s[]", number > 1 ? ", " : "", number, types[table->columns[i].kind]);
        }
    text_add(t, ")");
}

static void add_insert(struct text_builder *t, const struct weir_table *table, uint64_t set, bool arrays) {
    text_printf(t, "INSERT INTO %s (", table->name);
    add_names(t, table, set);
    text_add(t, arrays ? ") SELECT * FROM " : ") VALUES (");
    if (arrays) {
        add_unnest(t, table, set);
        return;
    }
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

static void add_delete(struct text_builder *t, const struct weir_table *table, bool arrays) {
    uint64_t key = rows_key(table);
    int number = 0;
    text_printf(t, "DELETE FROM %s ", table->name);
    if (arrays) {
        text_add(t, "USING ");
        add_unnest(t, table, key);
        text_add(t, " AS gone (");
        add_names(t, table, key);
        text_add(t, ") ");
    }
    text_add(t, "WHERE ");
    for (uint32_t i = 0; table->columns[i].name; i++)
        if (key >> i & 1) {
            const char *name = table->columns[i].name;
            text_printf(t, "%s%s.%s = ", number++ ? " AND " : "", table->name, name);
            if (arrays)
                text_printf(t, "gone.%s", name);
            else
                text_printf(t, "$%d", number);
        }
}

static enum weir_error build(struct statements *s, struct statement *statement) {
    char sql[STATEMENT_BYTES_MAX];
    struct text_builder t = TEXT_BUILDER(sql);
    const struct weir_table *table = &s->projection->tables[statement->table];
    if (statement->kind == ROW_DELETE)
        add_delete(&t, table, s->arrays);
    else
        add_insert(&t, table, statement->set, s->arrays);
    if (statement->kind == ROW_UPSERT) add_conflict(&t, table, statement->set);
    statement->sql = t.truncated ? NULL : arena_strdup(&s->arena, sql);
    return statement->sql ? WEIR_OK
                          : weir_error_context(WEIR_E_NO_MEMORY, "no room for a statement of %s", table->name);
}

static bool is_it(const struct statement *statement, const struct statement *wanted) {
    return statement->set == wanted->set && statement->table == wanted->table && statement->kind == wanted->kind;
}

static enum weir_error find(struct statements *s, const struct statement *wanted, uint32_t *ret_number) {
    if (s->count && is_it(&s->rows[s->last], wanted)) {
        *ret_number = s->last;
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
    *ret_number = s->last = i;
    return WEIR_OK;
}

enum weir_error statement_check_key(const struct weir_table *table, const struct row *row) {
    uint64_t missing = rows_key(table) & ~row->set;
    if (!missing) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "a row of %s has no value for %s, which is part of its key", table->name,
        table->columns[__builtin_ctzll(missing)].name);
}

enum weir_error statement_number(
    struct statements *s, const struct row *row, enum row_kind kind, uint32_t *ret_number) {
    const struct weir_table *table = &s->projection->tables[row->table];
    uint64_t set = kind == ROW_DELETE   ? rows_key(table)
                   : kind == ROW_INSERT ? (1ull << rows_columns(table)) - 1
                                        : row->set;
    return find(s, &(struct statement){.table = row->table, .kind = kind, .set = set}, ret_number);
}

uint32_t statement_values(const struct statement *statement, const struct row *row, struct database_value *ret_values) {
    uint32_t count = 0;
    for (uint64_t left = statement->set; left; left &= left - 1)
        ret_values[count++] = row->values[__builtin_ctzll(left)];
    return count;
}
