/* base/bytes.c: varints and the cursor operations that are not worth inlining. */
#include "base/bytes.h"

size_t varint64_load(const uint8_t *p, size_t size, uint64_t *ret) {
    uint64_t x = 0;
    size_t limit = size < VARINT64_SIZE_MAX ? size : VARINT64_SIZE_MAX;
    for (size_t i = 0; i < limit; i++) {
        uint64_t b = p[i];
        if (i == VARINT64_SIZE_MAX - 1 && b > 1) return 0; /* bits above the 64th, or an eleventh byte */
        x |= (b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *ret = x;
            return i + 1;
        }
    }
    return 0;
}

size_t varint32_load(const uint8_t *p, size_t size, uint32_t *ret) {
    uint32_t x = 0;
    size_t limit = size < VARINT32_SIZE_MAX ? size : VARINT32_SIZE_MAX;
    for (size_t i = 0; i < limit; i++) {
        uint32_t b = p[i];
        if (i == VARINT32_SIZE_MAX - 1 && b > 0x0f) return 0;
        x |= (b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *ret = x;
            return i + 1;
        }
    }
    return 0;
}

uint64_t byte_get_varint64(struct byte_reader *r) {
    uint64_t x = 0;
    size_t n = r->failed ? 0 : varint64_load(r->data + r->at, r->size - r->at, &x);
    if (n == 0) r->failed = true;
    r->at += n;
    return x;
}

uint32_t byte_get_varint32(struct byte_reader *r) {
    uint32_t x = 0;
    size_t n = r->failed ? 0 : varint32_load(r->data + r->at, r->size - r->at, &x);
    if (n == 0) r->failed = true;
    r->at += n;
    return x;
}

int32_t byte_get_zigzag32(struct byte_reader *r) {
    return zigzag32_decode(byte_get_varint32(r));
}

int64_t byte_get_zigzag64(struct byte_reader *r) {
    return zigzag64_decode(byte_get_varint64(r));
}

void byte_put(struct byte_writer *w, const void *data, size_t size) {
    uint8_t *p = byte_put_raw(w, size);
    if (p && size) memcpy(p, data, size);
}

void byte_put_slice(struct byte_writer *w, struct weir_slice s) {
    byte_put(w, s.data, s.size);
}

void byte_put_zeros(struct byte_writer *w, size_t n) {
    uint8_t *p = byte_put_raw(w, n);
    if (p && n) memset(p, 0, n);
}

void byte_put_varint(struct byte_writer *w, uint64_t x) {
    uint8_t *p = byte_put_raw(w, varint_size(x));
    if (p) varint_store(p, x);
}

void byte_put_zigzag(struct byte_writer *w, int64_t x) {
    byte_put_varint(w, zigzag64_encode(x));
}
