/* JSON to Protobuf: an object's members are set in protobuf-c's struct by offset. */
#include "edge/transcode.h"

#include "base/encode.h"
#include "base/units.h"

#include <math.h>
#include <stdio.h>

struct reading {
    struct arena *arena;
    struct json_reader json;
    struct text_builder path; /* where we are, for errors */
    char path_text[160];
};

static bool is_oneof(const ProtobufCFieldDescriptor *f) {
    return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

static void *member(const ProtobufCMessage *message, size_t offset) {
    return (uint8_t *)(uintptr_t)message + offset;
}

ProtobufCMessage *transcode_new(struct arena *arena, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
    if (message) protobuf_c_message_init(type, message);
    return message;
}

static enum weir_error no_memory(void) {
    return weir_error_context(WEIR_E_NO_MEMORY, "the request needs more memory than one request may have");
}

static enum weir_error wrong(const struct reading *r, const char *wanted) {
    char found[80];
    struct text_builder t = TEXT_BUILDER(found);
    if (r->json.token == JSON_STRING || r->json.token == JSON_REAL || r->json.token == JSON_INTEGER ||
        r->json.token == JSON_UNSIGNED)
        text_add_quoted(&t, r->json.text, 40);
    else
        text_add(&t, json_token_name(r->json.token));
    return weir_error_context(WEIR_E_INVALID, "field %s: expected %s, found %s", r->path_text, wanted, found);
}

static enum weir_error bad_json(const struct reading *r) {
    return weir_error_context(WEIR_E_INVALID, "not valid JSON at byte %zu: %s", r->json.offset,
        r->json.error ? r->json.error : "it ends early");
}

/* ---- scalars: from a JSON token, or from text (a string token's, or a parameter's) ---- */

static bool store_signed(void *to, bool is_wide, int64_t value) {
    if (!is_wide && (value < INT32_MIN || value > INT32_MAX)) return false;
    if (is_wide)
        *(int64_t *)to = value;
    else
        *(int32_t *)to = (int32_t)value;
    return true;
}

static bool store_unsigned(void *to, bool is_wide, uint64_t value) {
    if (!is_wide && value > UINT32_MAX) return false;
    if (is_wide)
        *(uint64_t *)to = value;
    else
        *(uint32_t *)to = (uint32_t)value;
    return true;
}

static bool text_number(struct weir_slice text, struct json_reader *ret_json) {
    *ret_json = json_reader(text, 1);
    enum json_token t = json_next(ret_json);
    return t == JSON_INTEGER || t == JSON_UNSIGNED || t == JSON_REAL;
}

/* A number token, or a string whose whole text is a number. */
static bool number_token(struct reading *r, struct json_reader *ret_json) {
    if (r->json.token != JSON_STRING) {
        *ret_json = r->json;
        return r->json.token == JSON_INTEGER || r->json.token == JSON_UNSIGNED || r->json.token == JSON_REAL;
    }
    if (r->json.escaped || r->json.text.size == 0 || r->json.text.size > 64) return false;
    return text_number(r->json.text, ret_json) && ret_json->at == r->json.text.size;
}

static enum weir_error set_integer(struct reading *r, ProtobufCType type, void *to) {
    struct json_reader number;
    bool is_wide = transcode_element_size(type) == 8;
    int64_t i;
    uint64_t u;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        if (number_token(r, &number) && json_get_i64(&number, &i) && store_signed(to, is_wide, i)) return WEIR_OK;
        return wrong(r, is_wide ? "an integer of 64 bits" : "an integer of 32 bits");
    default:
        if (number_token(r, &number) && json_get_u64(&number, &u) && store_unsigned(to, is_wide, u)) return WEIR_OK;
        return wrong(r, is_wide ? "an unsigned integer of 64 bits" : "an unsigned integer of 32 bits");
    }
}

static enum weir_error set_real(struct reading *r, ProtobufCType type, void *to) {
    struct json_reader number;
    double d = 0;
    bool ok = number_token(r, &number) && json_get_double(&number, &d);
    if (!ok && r->json.token == JSON_STRING) {
        ok = true;
        if (json_text_is(&r->json, "NaN"))
            d = NAN;
        else if (json_text_is(&r->json, "Infinity"))
            d = INFINITY;
        else if (json_text_is(&r->json, "-Infinity"))
            d = -INFINITY;
        else
            ok = false;
    }
    if (!ok) return wrong(r, "a number");
    if (type == PROTOBUF_C_TYPE_DOUBLE) {
        *(double *)to = d;
        return WEIR_OK;
    }
    if (isfinite(d) && fabs(d) > 3.4028235677973366e38) return wrong(r, "a number within the range of float");
    *(float *)to = (float)d;
    return WEIR_OK;
}

static enum weir_error unknown_enum(
    const struct reading *r, const ProtobufCEnumDescriptor *type, struct weir_slice name) {
    const char *names[256] = {0};
    size_t count = 0;
    for (unsigned i = 0; i < type->n_value_names && count < WEIR_ARRAY_COUNT(names); i++)
        names[count++] = type->values_by_name[i].name;
    int nearest = text_nearest(name, names, count);
    char shown[80];
    struct text_builder t = TEXT_BUILDER(shown);
    text_add_quoted(&t, name, 40);
    if (nearest >= 0)
        return weir_error_context(WEIR_E_INVALID, "field %s: %s is not a value of %s; did you mean %s?", r->path_text,
            shown, type->short_name, names[nearest]);
    char all[200];
    struct text_builder list = TEXT_BUILDER(all);
    for (unsigned i = 0; i < type->n_values && list.size < 120; i++)
        text_printf(&list, "%s%s", i ? ", " : "", type->values[i].name);
    return weir_error_context(WEIR_E_INVALID, "field %s: %s is not a value of %s, which has %s%s", r->path_text, shown,
        type->short_name, all, list.size < 120 ? "" : ", ...");
}

static enum weir_error set_enum(struct reading *r, const ProtobufCEnumDescriptor *type, void *to) {
    int64_t number;
    if (r->json.token == JSON_STRING) {
        struct weir_slice name = json_text(&r->json, r->arena);
        char copy[128];
        if (!name.data) return no_memory();
        if (name.size < sizeof copy && !memchr(name.data, 0, name.size)) {
            memcpy(copy, name.data, name.size);
            copy[name.size] = 0;
            const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(type, copy);
            if (value) {
                *(int32_t *)to = value->value;
                return WEIR_OK;
            }
        }
        return unknown_enum(r, type, name);
    }
    if (json_get_i64(&r->json, &number) && store_signed(to, false, number)) return WEIR_OK;
    return wrong(r, "the name of an enum value");
}

static enum weir_error set_bytes(struct reading *r, ProtobufCBinaryData *to) {
    struct weir_slice text = json_text(&r->json, r->arena);
    if (!text.data) return no_memory();
    /* One form for the strict decoder: standard alphabet, padded. */
    size_t size = text.size;
    while (size && text.data[size - 1] == '=')
        size--;
    if (text.size - size > 2 || (text.size != size && text.size % 4)) return wrong(r, "base64");
    size_t padded = (size + 3) / 4 * 4;
    char *plain = arena_alloc(r->arena, padded + 1);
    uint8_t *out = arena_alloc(r->arena, base64_decoded_size_max(padded) + 1);
    if (!plain || !out) return no_memory();
    for (size_t i = 0; i < padded; i++) {
        char c = i < size ? (char)text.data[i] : '=';
        plain[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    size_t got;
    if (!base64_decode(weir_slice(plain, padded), out, &got)) return wrong(r, "base64");
    to->data = out;
    to->len = got;
    return WEIR_OK;
}

static enum weir_error set_string(struct reading *r, char **to) {
    if (r->json.token != JSON_STRING) return wrong(r, "a string");
    struct weir_slice text = json_text(&r->json, r->arena);
    char *copy = text.data ? arena_dup_text(r->arena, text) : NULL;
    if (!copy) return no_memory();
    if (memchr(text.data, 0, text.size))
        return weir_error_context(WEIR_E_INVALID, "field %s: text with a NUL character", r->path_text);
    *to = copy;
    return WEIR_OK;
}

static enum weir_error read_object(struct reading *r, ProtobufCMessage *message);

/* The present token as the field's type. */
static enum weir_error set_value(struct reading *r, const ProtobufCFieldDescriptor *f, void *to) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return set_real(r, f->type, to);
    case PROTOBUF_C_TYPE_BOOL: {
        bool value;
        if (!json_get_bool(&r->json, &value)) return wrong(r, "true or false");
        *(protobuf_c_boolean *)to = value;
        return WEIR_OK;
    }
    case PROTOBUF_C_TYPE_ENUM:
        return set_enum(r, f->descriptor, to);
    case PROTOBUF_C_TYPE_STRING:
        return set_string(r, to);
    case PROTOBUF_C_TYPE_BYTES:
        return r->json.token == JSON_STRING ? set_bytes(r, to) : wrong(r, "base64 in a string");
    case PROTOBUF_C_TYPE_MESSAGE: {
        if (r->json.token != JSON_OBJECT_OPEN) return wrong(r, "an object");
        ProtobufCMessage *child = transcode_new(r->arena, f->descriptor);
        if (!child) return no_memory();
        *(ProtobufCMessage **)to = child;
        return read_object(r, child);
    }
    default:
        return set_integer(r, f->type, to);
    }
}

/* ---- fields ---- */

static void mark_set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *f) {
    if (is_oneof(f))
        *(uint32_t *)member(message, f->quantifier_offset) = f->id;
    else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->quantifier_offset)
        *(protobuf_c_boolean *)member(message, f->quantifier_offset) = 1;
}

/* One more element of a repeated field; the array has room for 4, 8, 16, ... elements. */
static void *grow(struct arena *arena, ProtobufCMessage *message, const ProtobufCFieldDescriptor *f) {
    size_t *count = member(message, f->quantifier_offset), size = transcode_element_size(f->type);
    void **array = member(message, f->offset);
    if (*count == 0 || (*count >= 4 && (*count & (*count - 1)) == 0)) {
        size_t now = *count ? *count * 2 : 4;
        void *moved = arena_resize(arena, *count ? *array : NULL, *count * size, now * size, 8);
        if (!moved) return NULL;
        *array = moved;
    }
    uint8_t *to = (uint8_t *)*array + (*count)++ * size;
    memset(to, 0, size);
    return to;
}

static enum weir_error read_array(struct reading *r, const ProtobufCFieldDescriptor *f, ProtobufCMessage *message) {
    if (r->json.token != JSON_ARRAY_OPEN) return wrong(r, "an array");
    size_t base = r->path.size;
    for (size_t i = 0; json_next(&r->json) != JSON_ARRAY_CLOSE; i++) {
        if (r->json.token == JSON_ERROR || r->json.token == JSON_END) return bad_json(r);
        text_printf(&r->path, "[%zu]", i);
        void *to = grow(r->arena, message, f);
        if (!to) return no_memory();
        enum weir_error e = set_value(r, f, to);
        if (e) return e;
        r->path.size = base;
        r->path_text[base] = 0;
    }
    return WEIR_OK;
}

static enum weir_error unknown_field(
    const struct reading *r, const ProtobufCMessageDescriptor *type, struct weir_slice name, const char *what) {
    const char *names[256] = {0};
    size_t count = 0;
    for (unsigned i = 0; i < type->n_fields && count < WEIR_ARRAY_COUNT(names); i++)
        names[count++] = type->fields[i].name;
    int nearest = text_nearest(name, names, count);
    char shown[80], meant[100] = "";
    struct text_builder t = TEXT_BUILDER(shown);
    text_add_quoted(&t, name, 40);
    if (nearest >= 0) {
        char json_name[64];
        transcode_json_name(names[nearest], json_name, sizeof json_name);
        snprintf(meant, sizeof meant, "; did you mean %s?", json_name);
    }
    const char *dot = r->path.size ? " in " : "";
    return weir_error_context(
        WEIR_E_INVALID, "there is no %s %s%s%s%s", what, shown, dot, r->path.size ? r->path_text : "", meant);
}

static enum weir_error read_member(
    struct reading *r, ProtobufCMessage *message, const ProtobufCFieldDescriptor *f, uint8_t *seen) {
    unsigned index = (unsigned)(f - message->descriptor->fields);
    if (seen[index / 8] & 1u << index % 8)
        return weir_error_context(WEIR_E_INVALID, "field %s is given twice", r->path_text);
    seen[index / 8] |= (uint8_t)(1u << index % 8);
    if (r->json.token == JSON_NULL) return WEIR_OK;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return read_array(r, f, message);
    if (is_oneof(f) && *(uint32_t *)member(message, f->quantifier_offset) != 0)
        return weir_error_context(
            WEIR_E_INVALID, "field %s: another alternative of the same choice is given already", r->path_text);
    mark_set(message, f);
    return set_value(r, f, member(message, f->offset));
}

static enum weir_error check_required(
    const struct reading *r, const ProtobufCMessageDescriptor *type, const uint8_t *seen) {
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && !(seen[i / 8] & 1u << i % 8))
            return weir_error_context(WEIR_E_INVALID, "the required field %s%s%s is missing", r->path_text,
                r->path.size ? "." : "", type->fields[i].name);
    return WEIR_OK;
}

static enum weir_error read_object(struct reading *r, ProtobufCMessage *message) {
    const ProtobufCMessageDescriptor *type = message->descriptor;
    uint8_t *seen = arena_zalloc(r->arena, type->n_fields / 8 + 1, 1);
    if (!seen) return no_memory();
    size_t base = r->path.size;
    while (json_next(&r->json) == JSON_KEY) {
        struct weir_slice name = json_text(&r->json, r->arena);
        if (!name.data) return no_memory();
        const ProtobufCFieldDescriptor *f = transcode_field(type, name);
        if (!f) return unknown_field(r, type, name, "field");
        if (base) text_add_char(&r->path, '.');
        text_add_slice(&r->path, name);
        if (json_next(&r->json) == JSON_ERROR) return bad_json(r);
        enum weir_error e = read_member(r, message, f, seen);
        if (e) return e;
        r->path.size = base;
        r->path_text[base] = 0;
    }
    if (r->json.token != JSON_OBJECT_CLOSE) return bad_json(r);
    return check_required(r, type, seen);
}

static void reading_init(struct reading *r, struct arena *arena, struct weir_slice json) {
    r->arena = arena;
    r->json = json_reader(json, TRANSCODE_DEPTH);
    r->path = text_builder(r->path_text, sizeof r->path_text);
}

enum weir_error transcode_read(struct arena *arena, struct weir_slice json, ProtobufCMessage *message) {
    struct reading r;
    reading_init(&r, arena, json);
    enum json_token first = json_next(&r.json);
    if (first == JSON_ERROR) return bad_json(&r);
    if (first != JSON_OBJECT_OPEN)
        return weir_error_context(WEIR_E_INVALID, "expected a JSON object, found %s", json_token_name(first));
    enum weir_error e = read_object(&r, message);
    if (e) return e;
    return json_next(&r.json) == JSON_END ? WEIR_OK : bad_json(&r);
}

/* A parameter's text becomes a token: a number or true/false as it is, everything else a string. */
static void token_from_text(struct reading *r, const ProtobufCFieldDescriptor *f, struct weir_slice value) {
    bool is_true = weir_slice_equal(value, weir_slice_text("true"));
    if (f->type == PROTOBUF_C_TYPE_BOOL && (is_true || weir_slice_equal(value, weir_slice_text("false")))) {
        r->json.token = is_true ? JSON_TRUE : JSON_FALSE;
        return;
    }
    struct json_reader number;
    if (f->type == PROTOBUF_C_TYPE_ENUM && text_number(value, &number) && number.at == value.size) {
        r->json = number;
        return;
    }
    r->json.token = JSON_STRING;
    r->json.text = value;
    r->json.escaped = false;
}

enum weir_error transcode_set(
    struct arena *arena, ProtobufCMessage *message, struct weir_slice name, struct weir_slice value, const char *what) {
    struct reading r;
    reading_init(&r, arena, weir_slice("", 0));
    const ProtobufCFieldDescriptor *f = transcode_field(message->descriptor, name);
    if (!f) return unknown_field(&r, message->descriptor, name, what);
    text_add_slice(&r.path, name);
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return weir_error_context(WEIR_E_INVALID, "%s %s is an object; it belongs in the body", what, r.path_text);
    token_from_text(&r, f, value);
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        void *to = grow(arena, message, f);
        return to ? set_value(&r, f, to) : no_memory();
    }
    if (transcode_is_set(message, f) || (is_oneof(f) && *(uint32_t *)member(message, f->quantifier_offset)))
        return weir_error_context(WEIR_E_INVALID, "%s %s is given twice", what, r.path_text);
    mark_set(message, f);
    return set_value(&r, f, member(message, f->offset));
}
