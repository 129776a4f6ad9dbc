#include "projection/merge.h"

#include "base/hash.h"

#define SEED 0x726f7773u

/* Open addressing; twice as many slots as rows, a power of two. */
struct index {
    struct row **slots;
    uint32_t mask;
};

static uint64_t hash_of(const struct row *row, uint64_t key) {
    uint64_t hash = hash_u64(row->table, SEED);
    for (uint64_t left = key; left; left &= left - 1) {
        const struct database_value *v = &row->values[__builtin_ctzll(left)];
        hash = v->kind >= DATABASE_TEXT ? hash_bytes(v->bytes.data, v->bytes.size, hash)
                                        : hash_u64((uint64_t)v->integer, hash); /* the bits of a real, too */
    }
    return hash;
}

static bool same_value(const struct database_value *a, const struct database_value *b) {
    if (a->kind != b->kind) return false;
    return a->kind >= DATABASE_TEXT ? weir_slice_equal(a->bytes, b->bytes) : a->integer == b->integer;
}

static bool same_row(const struct row *a, const struct row *b, uint64_t key) {
    if (a->table != b->table) return false;
    for (uint64_t left = key; left; left &= left - 1)
        if (!same_value(&a->values[__builtin_ctzll(left)], &b->values[__builtin_ctzll(left)])) return false;
    return true;
}

/* Where the row of that key is, or would be. */
static struct row **find(const struct index *index, const struct row *row, uint64_t key) {
    uint32_t at = (uint32_t)hash_of(row, key) & index->mask;
    while (index->slots[at] && !same_row(index->slots[at], row, key))
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

static void take_values(struct row *to, const struct row *from, uint64_t columns) {
    for (uint64_t left = columns; left; left &= left - 1)
        to->values[__builtin_ctzll(left)] = from->values[__builtin_ctzll(left)];
    to->set |= columns;
}

/* `row` came after `before`, of the same key. */
static enum weir_error combine(struct row *before, const struct row *row, const struct weir_table *table) {
    if (row->kind == ROW_DELETE) {
        before->kind = ROW_DELETE;
        before->replaces = false;
    } else if (before->kind == ROW_DELETE) {
        before->set = rows_key(table);
        before->kind = row->kind;
        before->replaces = true;
        take_values(before, row, row->set);
    } else if (row->kind == ROW_INSERT) {
        return weir_error_context(WEIR_E_CONFLICT, "a row of %s is inserted twice", table->name);
    } else {
        take_values(before, row, row->set);
    }
    return WEIR_OK;
}

static void append(struct merged *group, struct row *row) {
    row->next = NULL;
    if (group->last)
        group->last->next = row;
    else
        group->first = row;
    group->last = row;
    group->count++;
}

static enum weir_error file_away(
    struct merge *merge, struct statements *statements, struct row *row, enum row_kind kind) {
    uint32_t number;
    enum weir_error e = statement_number(statements, row, kind, &number);
    if (e) return e;
    append(&merge->groups[number], row);
    merge->is_delete[number] = kind == ROW_DELETE;
    return WEIR_OK;
}

/* Those that replace a row stand in two groups: a copy is what is deleted. */
static enum weir_error group(
    struct weir_rows *rows, struct statements *statements, struct row *row, struct merge *merge) {
    enum weir_error e = WEIR_OK;
    if (row->replaces) {
        struct row *gone = ARENA_NEW(&rows->arena, struct row);
        if (!gone) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a batch of rows");
        *gone = *row;
        e = file_away(merge, statements, gone, ROW_DELETE);
    }
    return e ? e : file_away(merge, statements, row, row->kind);
}

enum weir_error merge_rows(struct weir_rows *rows, struct statements *statements, struct merge *ret_merge) {
    struct index index = {.mask = 1};
    enum weir_error e = WEIR_OK;
    memset(ret_merge, 0, sizeof *ret_merge);
    while (index.mask + 1 < 2 * rows->count)
        index.mask = 2 * index.mask + 1;
    index.slots = ARENA_NEW_ARRAY(&rows->arena, struct row *, (size_t)index.mask + 1);
    if (!index.slots) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a batch of rows");
    struct row *kept = NULL, **end = &kept;
    for (struct row *row = rows->first, *next; !e && row; row = next) {
        const struct weir_table *table = &rows->projection->tables[row->table];
        next = row->next;
        e = statement_check_key(table, row);
        if (e) break;
        struct row **slot = find(&index, row, rows_key(table));
        if (*slot) {
            e = combine(*slot, row, table);
            continue;
        }
        *slot = *end = row;
        row->next = NULL;
        end = &row->next;
    }
    for (struct row *row = kept, *next; !e && row; row = next) {
        next = row->next;
        e = group(rows, statements, row, ret_merge);
    }
    rows->first = rows->last = NULL; /* they are in the groups now */
    return e;
}
