/* base/bytes.h: integers in bytes, varints, bounded cursors.
 *
 * Loads and stores are unaligned and free of undefined behaviour. Varints are unsigned LEB128 (Protobuf, Kafka);
 * signed ones are zigzag. A reader or writer never leaves its bounds: the first operation that does not fit sets
 * `failed`, after which every get returns 0 or an empty slice, every put does nothing, and the cursor stays where it
 * was; check `failed` once at the end. Pure, no allocation, no thread.
 */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include <weir/slice.h>

#define VARINT32_SIZE_MAX 5
#define VARINT64_SIZE_MAX 10

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_LE(bits, x) (x)
#define BYTES_BE(bits, x) (__builtin_bswap##bits(x))
#else
#define BYTES_LE(bits, x) (__builtin_bswap##bits(x))
#define BYTES_BE(bits, x) (x)
#endif

/* load_le16(p), store_le16(p, x), load_be16 ... store_be64 */
#define BYTES_ACCESS(bits)                                                                                             \
    static inline uint##bits##_t load_le##bits(const void *p) {                                                        \
        uint##bits##_t x;                                                                                              \
        memcpy(&x, p, sizeof x);                                                                                       \
        return (uint##bits##_t)BYTES_LE(bits, x);                                                                      \
    }                                                                                                                  \
    static inline uint##bits##_t load_be##bits(const void *p) {                                                        \
        uint##bits##_t x;                                                                                              \
        memcpy(&x, p, sizeof x);                                                                                       \
        return (uint##bits##_t)BYTES_BE(bits, x);                                                                      \
    }                                                                                                                  \
    static inline void store_le##bits(void *p, uint##bits##_t x) {                                                     \
        x = (uint##bits##_t)BYTES_LE(bits, x);                                                                         \
        memcpy(p, &x, sizeof x);                                                                                       \
    }                                                                                                                  \
    static inline void store_be##bits(void *p, uint##bits##_t x) {                                                     \
        x = (uint##bits##_t)BYTES_BE(bits, x);                                                                         \
        memcpy(p, &x, sizeof x);                                                                                       \
    }
BYTES_ACCESS(16)
BYTES_ACCESS(32)
BYTES_ACCESS(64)
#undef BYTES_ACCESS

static inline uint32_t zigzag32_encode(int32_t x) {
    return ((uint32_t)x << 1) ^ (uint32_t)(x >> 31);
}
static inline int32_t zigzag32_decode(uint32_t x) {
    return (int32_t)((x >> 1) ^ (0u - (x & 1)));
}
static inline uint64_t zigzag64_encode(int64_t x) {
    return ((uint64_t)x << 1) ^ (uint64_t)(x >> 63);
}
static inline int64_t zigzag64_decode(uint64_t x) {
    return (int64_t)((x >> 1) ^ (0u - (x & 1)));
}

/* Bytes that x takes as a varint: 1..10 (a uint32_t takes at most 5). */
static inline size_t varint_size(uint64_t x) {
    return (size_t)(70 - __builtin_clzll(x | 1)) / 7;
}
/* Writes x to p, which has room for varint_size(x) bytes; returns the bytes written. */
static inline size_t varint_store(uint8_t *p, uint64_t x) {
    size_t n = 0;
    while (x >= 0x80) {
        p[n++] = (uint8_t)(x | 0x80);
        x >>= 7;
    }
    p[n++] = (uint8_t)x;
    return n;
}
/* Reads a varint of at most size bytes. Returns the bytes read, or 0 (ret untouched) when it is cut short, longer than
 * 10 (5) bytes or does not fit 64 (32) bits. Padded forms such as 80 00 are accepted, as Protobuf and Kafka do. */
size_t varint64_load(const uint8_t *p, size_t size, uint64_t *ret);
size_t varint32_load(const uint8_t *p, size_t size, uint32_t *ret);

struct byte_reader {
    const uint8_t *data;
    size_t size; /* of data */
    size_t at;   /* next byte; at <= size always */
    bool failed; /* sticky */
};

static inline struct byte_reader byte_reader(struct weir_slice s) {
    struct byte_reader r = {s.data, s.size, 0, false};
    return r;
}
static inline size_t byte_reader_left(const struct byte_reader *r) {
    return r->size - r->at;
}
/* True when everything was read and nothing failed. */
static inline bool byte_reader_finished(const struct byte_reader *r) {
    return !r->failed && r->at == r->size;
}
/* The next n bytes, consumed; NULL when there are fewer (then failed is set). For n = 0 a pointer not to be read. */
static inline const uint8_t *byte_get_raw(struct byte_reader *r, size_t n) {
    if (r->failed || n > r->size - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = n ? r->data + r->at : (const uint8_t *)"";
    r->at += n;
    return p;
}
static inline uint8_t byte_get_u8(struct byte_reader *r) {
    const uint8_t *p = byte_get_raw(r, 1);
    return p ? *p : 0;
}
/* byte_get_le16(r) ... byte_get_be64(r): 0 on failure. */
#define BYTES_GET(order, bits)                                                                                         \
    static inline uint##bits##_t byte_get_##order##bits(struct byte_reader *r) {                                       \
        const uint8_t *p = byte_get_raw(r, bits / 8);                                                                  \
        return p ? load_##order##bits(p) : (uint##bits##_t)0;                                                          \
    }
BYTES_GET(le, 16)
BYTES_GET(le, 32)
BYTES_GET(le, 64)
BYTES_GET(be, 16)
BYTES_GET(be, 32)
BYTES_GET(be, 64)
#undef BYTES_GET

static inline struct weir_slice byte_get_slice(struct byte_reader *r, size_t n) {
    const uint8_t *p = byte_get_raw(r, n);
    return weir_slice(p, p ? n : 0);
}
static inline void byte_skip(struct byte_reader *r, size_t n) {
    (void)byte_get_raw(r, n);
}
uint32_t byte_get_varint32(struct byte_reader *r);
uint64_t byte_get_varint64(struct byte_reader *r);
int32_t byte_get_zigzag32(struct byte_reader *r);
int64_t byte_get_zigzag64(struct byte_reader *r);

struct byte_writer {
    uint8_t *data;
    size_t size; /* room */
    size_t at;   /* bytes written; at <= size always */
    bool failed; /* sticky: something did not fit */
};

static inline struct byte_writer byte_writer(void *data, size_t size) {
    struct byte_writer w = {(uint8_t *)data, size, 0, false};
    return w;
}
static inline size_t byte_writer_left(const struct byte_writer *w) {
    return w->size - w->at;
}
static inline struct weir_slice byte_writer_slice(const struct byte_writer *w) {
    return weir_slice(w->data, w->at);
}
/* n bytes of room, counted as written, for the caller to fill (also later: patch a length); NULL when full. */
static inline uint8_t *byte_put_raw(struct byte_writer *w, size_t n) {
    if (w->failed || n > w->size - w->at) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->data + w->at;
    w->at += n;
    return p;
}
static inline void byte_put_u8(struct byte_writer *w, uint8_t x) {
    uint8_t *p = byte_put_raw(w, 1);
    if (p) *p = x;
}
/* byte_put_le16(w, x) ... byte_put_be64(w, x) */
#define BYTES_PUT(order, bits)                                                                                         \
    static inline void byte_put_##order##bits(struct byte_writer *w, uint##bits##_t x) {                               \
        uint8_t *p = byte_put_raw(w, bits / 8);                                                                        \
        if (p) store_##order##bits(p, x);                                                                              \
    }
BYTES_PUT(le, 16)
BYTES_PUT(le, 32)
BYTES_PUT(le, 64)
BYTES_PUT(be, 16)
BYTES_PUT(be, 32)
BYTES_PUT(be, 64)
#undef BYTES_PUT

void byte_put(struct byte_writer *w, const void *data, size_t size);
void byte_put_slice(struct byte_writer *w, struct weir_slice s);
void byte_put_zeros(struct byte_writer *w, size_t n);
void byte_put_varint(struct byte_writer *w, uint64_t x);
void byte_put_zigzag(struct byte_writer *w, int64_t x); /* the 32-bit form of a value is the same bytes */

#endif
