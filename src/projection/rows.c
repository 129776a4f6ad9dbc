#include "projection/rows.h"

#include "base/assert.h"
#include "base/text.h"
#include "host/message.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */
#define REPLACEMENT_SIZE 3u

enum weir_error rows_open(const struct weir_projection *projection, uint32_t partition_count, struct weir_rows *rows) {
    *rows = (struct weir_rows){.projection = projection, .partition_count = partition_count};
    enum weir_error e = sys_memory_map(ROWS_BYTES, &rows->memory);
    if (!e) arena_init_fixed(&rows->arena, rows->memory, ROWS_BYTES);
    return e;
}

void rows_close(struct weir_rows *rows) {
    if (rows->memory) {
        arena_done(&rows->arena);
        sys_memory_unmap(rows->memory, ROWS_BYTES);
    }
    if (rows->message) sys_memory_unmap(rows->message, WEIR_MESSAGE_BYTES_MAX);
    *rows = (struct weir_rows){0};
}

void rows_reset(struct weir_rows *rows) {
    arena_reset(&rows->arena);
    rows->first = rows->last = NULL;
    rows->count = 0;
    rows->failed = false;
}

struct rows_mark rows_save(const struct weir_rows *rows) {
    return (struct rows_mark){rows->last, rows->count, arena_save(&rows->arena)};
}

void rows_undo(struct weir_rows *rows, const struct rows_mark *mark) {
    rows->last = mark->last;
    if (mark->last)
        mark->last->next = NULL;
    else
        rows->first = NULL;
    rows->count = mark->count;
    rows->failed = false;
    arena_restore(&rows->arena, mark->arena);
}

size_t rows_bytes(const struct weir_rows *rows) {
    return (size_t)(rows->arena.at - rows->arena.begin);
}

uint32_t rows_columns(const struct weir_table *table) {
    uint32_t count = 0;
    while (table->columns[count].name)
        count++;
    return count;
}

uint64_t rows_key(const struct weir_table *table) {
    uint64_t key = 0;
    for (uint32_t i = 0; table->columns[i].name; i++)
        if (table->columns[i].is_key) key |= 1ull << i;
    return key;
}

/* ---- the service's side ---- */

static void begin(struct weir_rows *rows, uint32_t table, enum row_kind kind) {
    if (rows->failed) return;
    for (uint32_t i = 0; i <= table; i++)
        WEIR_ASSERT(rows->projection->tables[i].name); /* the table has such a row */
    rows->column_count = rows_columns(&rows->projection->tables[table]);
    struct row *row = ARENA_NEW(&rows->arena, struct row);
    struct database_value *values = ARENA_NEW_ARRAY(&rows->arena, struct database_value, rows->column_count);
    if (!row || !values) {
        rows->failed = true;
        return;
    }
    *row = (struct row){.table = table, .kind = kind, .values = values};
    if (rows->last)
        rows->last->next = row;
    else
        rows->first = row;
    rows->last = row;
    rows->count++;
}

void weir_row_insert(struct weir_rows *rows, uint32_t table) {
    begin(rows, table, ROW_INSERT);
}
void weir_row_upsert(struct weir_rows *rows, uint32_t table) {
    begin(rows, table, ROW_UPSERT);
}
void weir_row_delete(struct weir_rows *rows, uint32_t table) {
    begin(rows, table, ROW_DELETE);
}

static void set(
    struct weir_rows *rows, uint32_t column, enum weir_column_kind kind, const struct database_value *value) {
    if (rows->failed) return;
    struct row *row = rows->last;
    WEIR_ASSERT(row && column < rows->column_count); /* an operation was begun, and its table has the column */
    WEIR_ASSERT(rows->projection->tables[row->table].columns[column].kind == kind);
    row->values[column] = *value;
    row->set |= 1ull << column;
}

void weir_row_null(struct weir_rows *rows, uint32_t column) {
    if (rows->failed) return;
    WEIR_ASSERT(rows->last && column < rows->column_count);
    rows->last->values[column] = (struct database_value){.kind = DATABASE_NULL};
    rows->last->set |= 1ull << column;
}

void weir_row_integer(struct weir_rows *rows, uint32_t column, int64_t value) {
    set(rows, column, WEIR_COLUMN_INTEGER, &(struct database_value){.kind = DATABASE_INTEGER, .integer = value});
}

void weir_row_real(struct weir_rows *rows, uint32_t column, double value) {
    set(rows, column, WEIR_COLUMN_REAL, &(struct database_value){.kind = DATABASE_REAL, .real = value});
}

static void set_copy(struct weir_rows *rows, uint32_t column, enum weir_column_kind kind,
    enum database_value_kind value_kind, struct weir_slice bytes) {
    if (rows->failed) return;
    struct weir_slice copy = arena_dup(&rows->arena, bytes);
    rows->failed = !copy.data;
    set(rows, column, kind, &(struct database_value){.kind = value_kind, .bytes = copy});
}

void weir_row_bytes(struct weir_rows *rows, uint32_t column, struct weir_slice bytes) {
    set_copy(rows, column, WEIR_COLUMN_BYTES, DATABASE_BYTES, bytes);
}

/* Bytes of the longest beginning that databases take as text. */
static size_t good_size(struct weir_slice text) {
    size_t size = utf8_valid_size(text);
    const uint8_t *nul = size ? memchr(text.data, 0, size) : NULL;
    return nul ? (size_t)(nul - text.data) : size;
}

static struct weir_slice replace_wrong(struct weir_rows *rows, struct weir_slice text) {
    uint8_t *out = arena_alloc(&rows->arena, REPLACEMENT_SIZE * text.size); /* each byte may become one */
    size_t size = 0;
    if (!out) return weir_slice(NULL, 0);
    while (text.size) {
        size_t good = good_size(text);
        memcpy(out + size, text.data, good);
        size += good;
        text = weir_slice(text.data + good, text.size - good);
        if (!text.size) break;
        memcpy(out + size, REPLACEMENT, REPLACEMENT_SIZE);
        size += REPLACEMENT_SIZE;
        text = weir_slice(text.data + 1, text.size - 1);
    }
    return weir_slice(out, size);
}

void weir_row_text(struct weir_rows *rows, uint32_t column, struct weir_slice text) {
    if (rows->failed || good_size(text) == text.size) {
        set_copy(rows, column, WEIR_COLUMN_TEXT, DATABASE_TEXT, text);
        return;
    }
    struct weir_slice good = replace_wrong(rows, text);
    rows->failed = !good.data;
    set(rows, column, WEIR_COLUMN_TEXT, &(struct database_value){.kind = DATABASE_TEXT, .bytes = good});
}

uint32_t weir_row_partition_count(const struct weir_rows *rows) {
    return rows->partition_count;
}

const void *weir_row_message(struct weir_rows *rows, const void *descriptor, struct weir_slice value) {
    if (!rows->message && sys_memory_map(WEIR_MESSAGE_BYTES_MAX, &rows->message)) {
        rows->message = NULL;
        rows->failed = true;
        return NULL;
    }
    return message_unpack(descriptor, value, weir_slice(rows->message, WEIR_MESSAGE_BYTES_MAX));
}
