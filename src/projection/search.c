#include "projection/search.h"

#include "base/assert.h"
#include "base/units.h"

#include <stdio.h>

/* ---- the key: "a, b, c" ---- */

struct key {
    struct weir_slice names[SEARCH_KEY_MAX];
    uint32_t count;
};

static bool read_key(const char *text, struct key *ret_key) {
    struct key key = {.count = 0};
    for (size_t n; *text; text += n + (text[n] == ',')) {
        n = strcspn(text, ",");
        if (key.count == SEARCH_KEY_MAX) return false;
        key.names[key.count++] = text_trim(weir_slice(text, n));
    }
    *ret_key = key;
    return key.count > 0;
}

static void add_key(struct text_builder *sql, const struct key *key, const char *behind) {
    for (uint32_t i = 0; i < key->count; i++) {
        text_add(sql, i ? ", " : "");
        text_add_slice(sql, key->names[i]);
        text_add(sql, behind);
    }
}

/* ---- messages ---- */

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *type, const char *name) {
    return type ? protobuf_c_message_descriptor_get_field_by_name(type, name) : NULL;
}

static const ProtobufCMessageDescriptor *row_type(const struct search *search) {
    return field_of(search->response, search->select->rows)->descriptor;
}

static bool is_text(const ProtobufCFieldDescriptor *field) {
    return field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED;
}

enum weir_error search_check(const struct weir_select *select, const ProtobufCMessageDescriptor *request,
    const ProtobufCMessageDescriptor *response) {
    struct key key;
    const ProtobufCFieldDescriptor *rows = field_of(response, select->rows), *next = field_of(response, "next");
    const ProtobufCFieldDescriptor *after = field_of(request, "after");
    if (!read_key(select->key, &key))
        return weir_error_context(WEIR_E_CONFIG, ".key is \"%s\"; 1 to %u columns", select->key, SEARCH_KEY_MAX);
    if (!rows || rows->label != PROTOBUF_C_LABEL_REPEATED || rows->type != PROTOBUF_C_TYPE_MESSAGE)
        return weir_error_context(WEIR_E_CONFIG, "the response has no repeated message \"%s\"", select->rows);
    for (const struct weir_filter *f = select->filters; f && f->field; f++)
        if (!field_of(request, f->field))
            return weir_error_context(WEIR_E_CONFIG, "the request has no field \"%s\"", f->field);
    if ((next && !is_text(next)) || (after && !is_text(after)))
        return weir_error_context(WEIR_E_CONFIG, "`next` and `after` are strings");
    const ProtobufCMessageDescriptor *row = rows->descriptor;
    if (row->n_fields + key.count > DATABASE_VALUES_MAX)
        return weir_error_context(WEIR_E_CONFIG, "a row has more than %u fields", DATABASE_VALUES_MAX - key.count);
    for (unsigned i = 0; i < row->n_fields; i++)
        if (row->fields[i].label == PROTOBUF_C_LABEL_REPEATED || row->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            return weir_error_context(WEIR_E_CONFIG, "the row's field %s is no column's value", row->fields[i].name);
    return WEIR_OK;
}

bool search_parse_after(const struct weir_select *select, struct weir_slice text, int64_t *ret_after) {
    struct key key;
    if (!read_key(select->key, &key)) return false;
    for (uint32_t i = 0; i < key.count; i++) {
        const uint8_t *comma = text.size ? memchr(text.data, ',', text.size) : NULL;
        size_t n = comma ? (size_t)(comma - text.data) : text.size;
        bool last = i + 1 == key.count;
        if (last != !comma || parse_i64(weir_slice(text.data, n), &ret_after[i])) return false;
        text = weir_slice(text.data + n + (comma != NULL), text.size - n - (comma != NULL));
    }
    return true;
}

/* ---- SQL ---- */

static void add_where(struct text_builder *sql, const char *where, uint32_t number) {
    for (; *where; where++)
        if (*where == '$')
            text_printf(sql, "$%u", number);
        else
            text_add_char(sql, *where);
}

static uint32_t add_conditions(
    const struct search *search, const struct key *key, struct text_builder *sql, struct database_value *values) {
    uint32_t count = 0;
    for (uint32_t i = 0; search->select->filters && search->select->filters[i].field; i++) {
        if (!(search->set >> i & 1)) continue;
        values[count++] = search->values[i];
        text_add(sql, count == 1 ? " WHERE (" : " AND (");
        add_where(sql, search->select->filters[i].where, count);
        text_add(sql, ")");
    }
    if (!search->has_after) return count;
    text_add(sql, count == 0 ? " WHERE (" : " AND (");
    add_key(sql, key, "");
    text_add(sql, search->select->descending ? ") < (" : ") > (");
    for (uint32_t i = 0; i < key->count; i++) {
        values[count++] = database_integer(search->after[i]);
        text_printf(sql, "%s$%u", i ? ", " : "", count);
    }
    text_add(sql, ")");
    return count;
}

enum weir_error search_build(
    const struct search *search, struct text_builder *sql, struct database_value *ret_values, uint32_t *ret_count) {
    const ProtobufCMessageDescriptor *row = row_type(search);
    struct key key;
    WEIR_ASSERT(read_key(search->select->key, &key)); /* search_check */
    text_add(sql, "SELECT ");
    for (unsigned i = 0; i < row->n_fields; i++)
        text_printf(sql, "%s, ", row->fields[i].name);
    add_key(sql, &key, "");
    text_printf(sql, " FROM %s", search->select->from);
    uint32_t count = add_conditions(search, &key, sql, ret_values);
    text_add(sql, " ORDER BY ");
    add_key(sql, &key, search->select->descending ? " DESC" : "");
    ret_values[count++] = database_integer((int64_t)search->limit + 1); /* one more tells that there is more */
    text_printf(sql, " LIMIT $%u", count);
    *ret_count = count;
    return sql->truncated ? weir_error_context(WEIR_E_NO_MEMORY, "a question of more than %u bytes", SEARCH_SQL_MAX)
                          : WEIR_OK;
}

/* ---- the answer: Protobuf's wire format, https://protobuf.dev/programming-guides/encoding/ ---- */

enum { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

static void put_tag(struct byte_writer *w, const ProtobufCFieldDescriptor *field, uint32_t type) {
    byte_put_varint(w, (uint64_t)field->id << 3 | type);
}

static double real_of(const struct database_value *v) {
    return v->kind == DATABASE_REAL ? v->real : v->kind == DATABASE_INTEGER ? (double)v->integer : 0;
}

static int64_t integer_of(const struct database_value *v) {
    if (v->kind != DATABASE_REAL) return v->kind == DATABASE_INTEGER ? v->integer : 0;
    return v->real >= -9223372036854775808.0 && v->real < 9223372036854775808.0 ? (int64_t)v->real : 0;
}

static int64_t enum_of(const ProtobufCFieldDescriptor *field, const struct database_value *v) {
    char name[64];
    if (v->kind != DATABASE_TEXT) return integer_of(v);
    snprintf(name, sizeof name, "%.*s", (int)v->bytes.size, v->bytes.data);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, name);
    return value ? value->value : 0;
}

static void put_fixed(struct byte_writer *w, const ProtobufCFieldDescriptor *field, const struct database_value *v) {
    double real = real_of(v);
    uint64_t bits;
    float narrow = (float)real;
    uint32_t narrow_bits;
    memcpy(&bits, &real, sizeof bits);
    memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
    bool is_float = field->type == PROTOBUF_C_TYPE_FLOAT, is_double = field->type == PROTOBUF_C_TYPE_DOUBLE;
    bool is_short = is_float || field->type == PROTOBUF_C_TYPE_FIXED32 || field->type == PROTOBUF_C_TYPE_SFIXED32;
    put_tag(w, field, is_short ? WIRE_I32 : WIRE_I64);
    if (is_short)
        byte_put_le32(w, is_float ? narrow_bits : (uint32_t)integer_of(v));
    else
        byte_put_le64(w, is_double ? bits : (uint64_t)integer_of(v));
}

static void put_value(struct byte_writer *w, const ProtobufCFieldDescriptor *field, const struct database_value *v) {
    if (v->kind == DATABASE_NULL) return;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        if (v->kind < DATABASE_TEXT) return;
        put_tag(w, field, WIRE_LEN);
        byte_put_varint(w, v->bytes.size);
        byte_put_slice(w, v->bytes);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        put_fixed(w, field, v);
        return;
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
        put_tag(w, field, WIRE_VARINT);
        byte_put_zigzag(w, integer_of(v));
        return;
    case PROTOBUF_C_TYPE_ENUM:
        put_tag(w, field, WIRE_VARINT);
        byte_put_varint(w, (uint64_t)enum_of(field, v));
        return;
    default: /* int32 to uint64, bool */
        put_tag(w, field, WIRE_VARINT);
        byte_put_varint(w, field->type == PROTOBUF_C_TYPE_BOOL ? integer_of(v) != 0 : (uint64_t)integer_of(v));
    }
}

#define SIZE_BYTES 4u /* a row's length in front of it, padded to that: it is known only behind it */

bool search_take_row(void *ctx, const struct database_value *values, uint32_t count) {
    struct search_answer *a = ctx;
    const ProtobufCFieldDescriptor *field = field_of(a->search->response, a->search->select->rows);
    const ProtobufCMessageDescriptor *row = field->descriptor;
    struct byte_writer before = a->out;
    if (a->rows == a->search->limit) {
        a->more = true;
        return false;
    }
    put_tag(&a->out, field, WIRE_LEN);
    uint8_t *size_at = byte_put_raw(&a->out, SIZE_BYTES);
    size_t begin = a->out.at;
    for (unsigned i = 0; i < row->n_fields && i < count; i++)
        put_value(&a->out, &row->fields[i], &values[i]);
    if (a->out.failed || a->out.at > SEARCH_ANSWER_MAX) {
        a->out = before;
        a->more = true;
        return false;
    }
    size_t size = a->out.at - begin;
    for (uint32_t i = 0; i < SIZE_BYTES; i++)
        size_at[i] = (uint8_t)((size >> (7 * i) & 0x7f) | (i + 1 < SIZE_BYTES ? 0x80 : 0));
    for (uint32_t i = 0; row->n_fields + i < count && i < SEARCH_KEY_MAX; i++)
        a->last[i] = values[row->n_fields + i].integer;
    a->rows++;
    return true;
}

enum weir_error search_finish(struct search_answer *a) {
    const ProtobufCFieldDescriptor *next = field_of(a->search->response, "next");
    char cursor[SEARCH_CURSOR_SIZE];
    struct text_builder t = TEXT_BUILDER(cursor);
    struct key key;
    if (!a->more) return WEIR_OK;
    if (a->rows == 0)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "a row is larger than an answer may be, %u bytes", SEARCH_ANSWER_MAX);
    if (!next) return WEIR_OK;
    WEIR_ASSERT(read_key(a->search->select->key, &key)); /* search_check */
    for (uint32_t i = 0; i < key.count; i++) {
        text_add(&t, i ? "," : "");
        text_add_i64(&t, a->last[i]);
    }
    put_value(&a->out, next, &(struct database_value){.kind = DATABASE_TEXT, .bytes = text_slice(&t)});
    return a->out.failed ? weir_error_context(WEIR_E_TOO_LARGE, "no room for `next`") : WEIR_OK;
}
