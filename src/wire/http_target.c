/* The parts of a request target: segments, percent-decoding, query. */
#include "base/text.h"
#include "wire/http_fields.h"

/* A decoded byte at *at, and past it. False: a broken escape or NUL. */
static bool escape_take(const uint8_t **at, const uint8_t *end, uint8_t *ret_byte) {
    const uint8_t *p = *at;
    if (*p != '%') {
        *ret_byte = *p;
        *at = p + 1;
        return *p != 0;
    }
    if (end - p < 3 || !http_is(p[1], HTTP_HEX) || !http_is(p[2], HTTP_HEX)) return false;
    *ret_byte = (uint8_t)(http_hex(p[1]) << 4 | http_hex(p[2]));
    *at = p + 3;
    return *ret_byte != 0;
}

enum weir_error weir_http_percent_decode(
    struct weir_slice text, bool plus_is_space, uint8_t *out, size_t capacity, struct weir_slice *ret_decoded) {
    if (text.size == 0) text = weir_slice("", 0); /* a zero slice has no address to count from */
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    size_t size = 0;
    while (at < end) {
        bool is_plus = plus_is_space && *at == '+';
        uint8_t byte = 0;
        if (!escape_take(&at, end, &byte)) {
            return weir_error_context(WEIR_E_INVALID, "a percent escape is broken, or stands for NUL");
        }
        if (size == capacity) return weir_error_context(WEIR_E_FULL, "a decoded name is longer than %zu", capacity);
        out[size++] = is_plus ? ' ' : byte;
    }
    struct weir_slice decoded = weir_slice(out, size);
    if (!utf8_valid(decoded)) return weir_error_context(WEIR_E_INVALID, "a percent-encoded text is not UTF-8");
    *ret_decoded = decoded;
    return WEIR_OK;
}

bool weir_http_path_next(struct weir_slice *path, struct weir_slice *ret_segment) {
    if (path->size == 0) return false;
    const uint8_t *at = path->data;
    size_t size = path->size;
    if (*at == '/') {
        at++;
        size--;
    }
    const uint8_t *slash = size ? memchr(at, '/', size) : NULL;
    size_t segment_size = slash ? (size_t)(slash - at) : size;
    *ret_segment = weir_slice(at, segment_size);
    *path = weir_slice(at + segment_size, size - segment_size);
    return true;
}

/* Decoded in the mind only: what matters is whether it is dots alone and holds no separator. */
static bool segment_is_plain(struct weir_slice segment) {
    const uint8_t *at = segment.data;
    const uint8_t *end = at + segment.size;
    size_t size = 0, dots = 0;
    while (at < end) {
        uint8_t byte = 0;
        if (!escape_take(&at, end, &byte) || byte == '/' || byte == '\\') return false;
        size++;
        dots += byte == '.';
    }
    return !(size == dots && (size == 1 || size == 2));
}

bool weir_http_path_is_plain(struct weir_slice path) {
    struct weir_slice segment;
    while (weir_http_path_next(&path, &segment)) {
        if (!segment_is_plain(segment)) return false;
    }
    return true;
}

bool weir_http_query_next(struct weir_slice *query, struct weir_http_query_pair *ret_pair) {
    while (query->size) {
        const uint8_t *mark = memchr(query->data, '&', query->size);
        size_t size = mark ? (size_t)(mark - query->data) : query->size;
        struct weir_slice pair = weir_slice(query->data, size);
        size_t skip = mark ? size + 1 : size;
        *query = weir_slice(query->data + skip, query->size - skip);
        if (pair.size == 0) continue;
        const uint8_t *equals = memchr(pair.data, '=', pair.size);
        size_t name_size = equals ? (size_t)(equals - pair.data) : pair.size;
        ret_pair->name = weir_slice(pair.data, name_size);
        ret_pair->value = equals ? weir_slice(equals + 1, pair.size - name_size - 1) : weir_slice(pair.data + size, 0);
        return true;
    }
    return false;
}
