/* What the n-th record holds: a function of n and its size, so that whoever reads it can tell which it is. Its number
 * is in the key or in front of the value. Keys and values are null, empty, text and binary in turn. */
#include "sim/topics.h"

#include "base/encode.h"
#include "base/json.h"

#include <stdlib.h>

enum kind { NO_KEY, KEYED, NULL_VALUE, BINARY, NO_KEY_BASE64, KEY_BASE64, KIND_COUNT };
#define PLAIN_MIN 20000u /* from this size on only text: base64 would not fit a request */

struct content {
    char key[24];
    size_t key_size; /* 0: null */
    const char *value;
    size_t value_size;
    bool value_null;
};

static enum kind kind_of(uint64_t n, uint32_t size) {
    return size >= PLAIN_MIN ? KEYED : (enum kind)(n % KIND_COUNT);
}

/* The value is written to t->scratch. */
static void content_of(const struct topics *t, uint64_t n, struct content *c) {
    const struct sim_record *r = &t->records[n];
    enum kind kind = kind_of(n, r->size);
    bool keyed = kind != NO_KEY && kind != NO_KEY_BASE64;
    int digits = snprintf(c->key, sizeof c->key, "%llu", (unsigned long long)n);
    c->key_size = keyed ? (size_t)digits : 0;
    c->value_null = kind == NULL_VALUE;
    size_t at = keyed ? 0 : (size_t)snprintf(t->scratch, 24, "%llu:", (unsigned long long)n);
    uint32_t step = (uint32_t)(n * 7 + 1);
    for (size_t i = 0; i < r->size; i++, step += (uint32_t)i)
        t->scratch[at + i] = kind == BINARY ? (char)(0x80 | step) : (char)('a' + step % 26);
    if (kind == BINARY && r->size > 0) t->scratch[0] = (char)0xff; /* in no UTF-8 */
    c->value = t->scratch;
    c->value_size = c->value_null ? 0 : at + r->size;
}

/* ---- as JSON ------------------------------------------------------------------------------------------------- */
static size_t put_text(char *out, const char *name, const char *text, size_t size, bool as_base64) {
    size_t at = (size_t)snprintf(out, 24, "\"%s%s\":\"", name, as_base64 ? "Base64" : "");
    if (as_base64) {
        base64_encode(weir_slice(text, size), out + at);
        at += base64_size(size);
    } else {
        memcpy(out + at, text, size);
        at += size;
    }
    out[at++] = '"';
    return at;
}

size_t topics_put_record(const struct topics *t, uint64_t n, char *out) {
    struct content c;
    content_of(t, n, &c);
    enum kind kind = kind_of(n, t->records[n].size);
    size_t at = 0;
    out[at++] = '{';
    if (c.key_size > 0) {
        at += put_text(out + at, "key", c.key, c.key_size, kind == KEY_BASE64);
        out[at++] = ',';
    }
    if (c.value_null)
        at += (size_t)snprintf(out + at, 24, "\"value\":null");
    else
        at += put_text(out + at, "value", c.value, c.value_size, kind == BINARY || kind == NO_KEY_BASE64);
    out[at++] = '}';
    return at;
}

/* ---- as a batch ---------------------------------------------------------------------------------------------- */
static size_t varint_size(size_t value) { /* of a length or delta, zigzag */
    size_t bits = value << 1, bytes = 1;
    while (bits >>= 7)
        bytes++;
    return bytes;
}

size_t topics_batch_size(const struct topics *t, uint64_t first, uint32_t count) {
    size_t size = 61; /* a RecordBatch's header */
    for (uint32_t i = 0; i < count; i++) {
        struct content c;
        content_of(t, first + i, &c);
        size_t key = c.key_size ? varint_size(c.key_size) + c.key_size : 1;
        size_t value = c.value_null ? 1 : varint_size(c.value_size) + c.value_size;
        size_t length = 1 + 1 + varint_size(i) + key + value + 1; /* attributes, time, delta, ..., no headers */
        size += varint_size(length) + length;
    }
    return size;
}

/* ---- and back ------------------------------------------------------------------------------------------------ */
bool topics_identify(const struct topics *t, struct weir_slice key, struct weir_slice value, uint64_t *ret_n) {
    struct weir_slice number = key.data ? key : value;
    uint64_t n = 0;
    size_t digits = 0;
    for (; digits < number.size && digits < 10 && number.data[digits] >= '0' && number.data[digits] <= '9'; digits++)
        n = n * 10 + (uint64_t)(number.data[digits] - '0');
    if (digits == 0 || n >= t->count) return false;
    struct content c;
    content_of(t, n, &c);
    *ret_n = n;
    return (key.data != NULL) == (c.key_size > 0) && (value.data != NULL) == !c.value_null &&
           weir_slice_equal(key, weir_slice(c.key, c.key_size)) &&
           weir_slice_equal(value, weir_slice(c.value, c.value_size));
}

/* A key or value of a printed record. Decoded base64 goes to `out`. */
static bool parse_bytes(struct json_reader *r, bool is_base64, uint8_t *out, struct weir_slice *ret_bytes) {
    if (json_next(r) == JSON_NULL) return true;
    if (r->token != JSON_STRING || r->escaped) return false; /* nothing that was sent needs an escape */
    *ret_bytes = r->text;
    if (!is_base64) return true;
    size_t size = 0;
    if (!base64_decode(r->text, out, &size)) return false;
    *ret_bytes = weir_slice(out, size);
    return true;
}

bool topics_parse_record(const struct topics *t, struct json_reader *r, uint64_t *ret_offset, uint64_t *ret_n) {
    struct weir_slice key = {0}, value = {0};
    uint8_t *room = malloc(CLIENT_BYTES_MAX), *key_room = room + CLIENT_BYTES_MAX - 64;
    WEIR_ASSERT(room != NULL);
    bool good = r->token == JSON_OBJECT_OPEN, has_offset = false;
    while (good && json_next(r) == JSON_KEY) {
        if (json_text_is(r, "offset")) {
            (void)json_next(r);
            good = has_offset = json_get_u64(r, ret_offset);
        } else if (json_text_is(r, "key") || json_text_is(r, "keyBase64")) {
            good = parse_bytes(r, json_text_is(r, "keyBase64"), key_room, &key) && key.size < 32;
        } else if (json_text_is(r, "value") || json_text_is(r, "valueBase64")) {
            good = parse_bytes(r, json_text_is(r, "valueBase64"), room, &value);
        } else {
            good = json_skip_value(r);
        }
    }
    good = good && has_offset && r->token == JSON_OBJECT_CLOSE && topics_identify(t, key, value, ret_n);
    free(room);
    return good;
}
