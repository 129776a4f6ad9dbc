/* Protobuf to JSON, packing and unpacking in an arena, and what both directions ask of descriptors. */
#include "base/bytes.h"
#include "base/encode.h"
#include "edge/transcode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void *member(const ProtobufCMessage *message, size_t offset) {
    return (uint8_t *)(uintptr_t)message + offset;
}

/* ---- arena as protobuf-c's allocator ---- */

struct allocation {
    struct arena *arena;
    bool failed; /* protobuf-c answers NULL for no memory and for bad bytes alike */
};

static void *allocate(void *ctx, size_t size) {
    struct allocation *a = ctx;
    void *p = arena_alloc(a->arena, size);
    if (!p) a->failed = true;
    return p;
}

static void deallocate(void *ctx, void *pointer) {
    (void)ctx;
    (void)pointer;
}

/* protobuf-c recurses without a bound, and so would the writer: the depth is looked at before either. Malformed bytes
 * are left for protobuf-c to refuse. */
static bool is_shallow(const ProtobufCMessageDescriptor *type, struct weir_slice packed, unsigned depth) {
    bool nests = false;
    for (unsigned i = 0; i < type->n_fields; i++)
        nests |= type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE;
    if (!nests) return true;
    if (depth == 0) return false;
    struct byte_reader r = byte_reader(packed);
    while (byte_reader_left(&r) && !r.failed) {
        uint64_t tag = byte_get_varint64(&r);
        switch (tag & 7) {
        case PROTOBUF_C_WIRE_TYPE_VARINT:
            (void)byte_get_varint64(&r);
            break;
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            byte_skip(&r, 8);
            break;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            byte_skip(&r, 4);
            break;
        case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: {
            struct weir_slice inner = byte_get_slice(&r, byte_get_varint64(&r));
            const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
            if (f && f->type == PROTOBUF_C_TYPE_MESSAGE && !is_shallow(f->descriptor, inner, depth - 1)) return false;
            break;
        }
        default:
            return true;
        }
    }
    return true;
}

enum weir_error transcode_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, struct weir_slice packed,
    ProtobufCMessage **ret_message) {
    if (!is_shallow(type, packed, TRANSCODE_DEPTH))
        return weir_error_context(WEIR_E_CORRUPT, "a packed %s nests deeper than %d", type->name, TRANSCODE_DEPTH);
    struct allocation a = {arena, false};
    ProtobufCAllocator allocator = {allocate, deallocate, &a};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, packed.size, packed.data);
    if (!message && a.failed) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to unpack a %s", type->name);
    if (!message) return weir_error_context(WEIR_E_CORRUPT, "%zu bytes are not a packed %s", packed.size, type->name);
    *ret_message = message;
    return WEIR_OK;
}

enum weir_error transcode_pack(struct arena *arena, const ProtobufCMessage *message, struct weir_slice *ret_packed) {
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *out = arena_alloc(arena, size + 1);
    if (!out) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to pack a %s", message->descriptor->name);
    *ret_packed = weir_slice(out, protobuf_c_message_pack(message, out));
    return WEIR_OK;
}

/* ---- descriptors ---- */

size_t transcode_json_name(const char *name, char *buf, size_t size) {
    size_t n = 0;
    bool upper = false;
    for (const char *c = name; *c && n + 1 < size; c++) {
        if (*c == '_') {
            upper = true;
            continue;
        }
        buf[n++] = upper && *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        upper = false;
    }
    buf[n] = 0;
    return n;
}

static bool is_json_name(const char *name, struct weir_slice given) {
    size_t n = 0;
    bool upper = false;
    for (const char *c = name; *c; c++) {
        if (*c == '_') {
            upper = true;
            continue;
        }
        uint8_t want = (uint8_t)(upper && *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        if (n == given.size || given.data[n++] != want) return false;
        upper = false;
    }
    return n == given.size;
}

const ProtobufCFieldDescriptor *transcode_field(const ProtobufCMessageDescriptor *type, struct weir_slice name) {
    for (unsigned i = 0; i < type->n_fields; i++)
        if (is_json_name(type->fields[i].name, name)) return &type->fields[i];
    for (unsigned i = 0; i < type->n_fields; i++)
        if (weir_slice_equal(weir_slice_text(type->fields[i].name), name)) return &type->fields[i];
    return NULL;
}

size_t transcode_element_size(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static bool is_zero(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f) {
    const void *at = member(message, f->offset);
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)at;
        return !s || !*s;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        return !*(void *const *)at;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_BOOL:
        return !*(const protobuf_c_boolean *)at;
    default:
        return transcode_element_size(f->type) == 8 ? *(const uint64_t *)at == 0 : *(const uint32_t *)at == 0;
    }
}

bool transcode_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f) {
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)member(message, f->quantifier_offset) == f->id;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return *(const size_t *)member(message, f->quantifier_offset) > 0;
    if (f->label == PROTOBUF_C_LABEL_OPTIONAL) {
        if (f->type == PROTOBUF_C_TYPE_STRING) {
            const char *s = *(char *const *)member(message, f->offset);
            return s && s != f->default_value;
        }
        if (f->type == PROTOBUF_C_TYPE_MESSAGE) return !is_zero(message, f);
        return *(const protobuf_c_boolean *)member(message, f->quantifier_offset);
    }
    return !is_zero(message, f);
}

/* A oneof's alternatives share their memory: one that was not chosen has no value, not even a default. */
static bool has_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f) {
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return false;
    return !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || transcode_is_set(message, f);
}

bool transcode_number(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f, uint64_t *ret_value) {
    const void *at = member(message, f->offset);
    if (!has_value(message, f)) return false;
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *ret_value = *(const uint64_t *)at;
        return true;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        *ret_value = *(const uint32_t *)at;
        return true;
    default:
        return false;
    }
}

bool transcode_text(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f, struct weir_slice *ret_value) {
    if (!has_value(message, f)) return false;
    const void *at = member(message, f->offset);
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        *ret_value = weir_slice_text(*(char *const *)at);
        return true;
    }
    if (f->type != PROTOBUF_C_TYPE_BYTES) return false;
    const ProtobufCBinaryData *bytes = at;
    *ret_value = weir_slice(bytes->data, bytes->len);
    return true;
}

/* ---- writing ---- */

static void write_u64_text(struct json_writer *w, uint64_t value) {
    char digits[20];
    json_write_slice(w, weir_slice(digits, text_format_u64(digits, value)));
}

static void write_i64_text(struct json_writer *w, int64_t value) {
    char digits[20];
    json_write_slice(w, weir_slice(digits, text_format_i64(digits, value)));
}

static void write_real(struct json_writer *w, double d) {
    if (isnan(d))
        json_write_text(w, "NaN");
    else if (isinf(d))
        json_write_text(w, d > 0 ? "Infinity" : "-Infinity");
    else
        json_write_double(w, d);
}

/* The shortest decimal that reads back as the same float, not as the double it widens to. */
static void write_float(struct json_writer *w, float f) {
    char text[32];
    if (!isfinite(f)) {
        write_real(w, f);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)f);
        if (strtof(text, NULL) == f) break;
    }
    json_write_raw(w, weir_slice_text(text));
}

static void write_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int32_t value) {
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    if (known)
        json_write_text(w, known->name);
    else
        json_write_i64(w, value);
}

static void write_bytes(struct json_writer *w, const ProtobufCBinaryData *bytes) {
    /* Base64 needs no escapes: quotes around what is encoded in place. */
    size_t size = base64_size(bytes->len);
    json_write_raw(w, weir_slice("\"", 1));
    char *room = text_reserve(w->out, size + 1);
    if (!room) return;
    base64_encode(weir_slice(bytes->data, bytes->len), room);
    room[size] = '"';
    text_commit(w->out, size + 1);
}

static void write_value(struct json_writer *w, const ProtobufCFieldDescriptor *f, const void *at) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        json_write_i64(w, *(const int32_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        json_write_u64(w, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        write_i64_text(w, *(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        write_u64_text(w, *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        write_float(w, *(const float *)at);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_real(w, *(const double *)at);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        json_write_bool(w, *(const protobuf_c_boolean *)at);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        write_enum(w, f->descriptor, *(const int32_t *)at);
        break;
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)at;
        json_write_text(w, s ? s : "");
        break;
    }
    case PROTOBUF_C_TYPE_BYTES:
        write_bytes(w, at);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        transcode_write(*(ProtobufCMessage *const *)at, w);
        break;
    }
}

static void write_array(struct json_writer *w, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f) {
    size_t count = *(const size_t *)member(message, f->quantifier_offset);
    const uint8_t *at = *(uint8_t *const *)member(message, f->offset);
    size_t size = transcode_element_size(f->type);
    json_write_array_open(w);
    for (size_t i = 0; i < count; i++)
        write_value(w, f, at + i * size);
    json_write_array_close(w);
}

void transcode_write_members(const ProtobufCMessage *message, struct json_writer *w) {
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        bool has_presence = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF || f->label == PROTOBUF_C_LABEL_OPTIONAL ||
                            f->type == PROTOBUF_C_TYPE_MESSAGE;
        if (f->label != PROTOBUF_C_LABEL_REPEATED && has_presence && !transcode_is_set(message, f)) continue;
        char name[96];
        size_t size = transcode_json_name(f->name, name, sizeof name);
        json_write_key_slice(w, weir_slice(name, size));
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            write_array(w, message, f);
        else
            write_value(w, f, member(message, f->offset));
    }
}

void transcode_write(const ProtobufCMessage *message, struct json_writer *w) {
    json_write_object_open(w);
    transcode_write_members(message, w);
    json_write_object_close(w);
}
