/* base/encode.c: hexadecimal and Base64. */
#include "base/encode.h"

static int hex_value(uint8_t c) {
    if ((uint8_t)(c - '0') <= 9) return c - '0';
    c |= 0x20;
    return (uint8_t)(c - 'a') <= 5 ? c - 'a' + 10 : -1;
}

void hex_encode(struct weir_slice s, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < s.size; i++) {
        *out++ = digits[s.data[i] >> 4];
        *out++ = digits[s.data[i] & 15];
    }
}

bool hex_decode(struct weir_slice s, uint8_t *out) {
    if (s.size % 2) return false;
    for (size_t i = 0; i < s.size; i += 2) {
        int high = hex_value(s.data[i]), low = hex_value(s.data[i + 1]);
        if (high < 0 || low < 0) return false;
        *out++ = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The alphabets differ in their last two characters. */
static char character_of(unsigned value, bool url) {
    if (value < 26) return (char)('A' + value);
    if (value < 52) return (char)('a' + value - 26);
    if (value < 62) return (char)('0' + value - 52);
    return value == 62 ? (url ? '-' : '+') : (url ? '_' : '/');
}

static int value_of(uint8_t c, bool url) {
    if ((uint8_t)(c - 'A') < 26) return c - 'A';
    if ((uint8_t)(c - 'a') < 26) return c - 'a' + 26;
    if ((uint8_t)(c - '0') < 10) return c - '0' + 52;
    if (c == (url ? '-' : '+')) return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

static size_t encode(struct weir_slice s, char *out, bool url) {
    size_t n = 0;
    for (size_t i = 0; i < s.size; i += 3) {
        size_t left = s.size - i;
        uint32_t group = (uint32_t)s.data[i] << 16;
        group |= left > 1 ? (uint32_t)s.data[i + 1] << 8 : 0;
        group |= left > 2 ? s.data[i + 2] : 0;
        size_t characters = left >= 3 ? 4 : left + 1;
        for (size_t k = 0; k < 4; k++) {
            if (k < characters)
                out[n++] = character_of(group >> (18 - 6 * k) & 63, url);
            else if (!url)
                out[n++] = '=';
        }
    }
    return n;
}

static bool decode(struct weir_slice s, uint8_t *out, size_t *ret_size, bool url) {
    size_t n = 0, at = 0;
    for (; at < s.size; at += 4) {
        size_t group = s.size - at < 4 ? s.size - at : 4;
        uint32_t bits = 0;
        for (size_t k = 0; k < group; k++) {
            int v = value_of(s.data[at + k], url);
            if (v < 0) return false;
            bits |= (uint32_t)v << (18 - 6 * k);
        }
        if (group == 1 || (group < 4 && (bits & (group == 2 ? 0xffffu : 0xffu))))
            return false; /* six bits are no byte; bits behind the last byte must be zero */
        for (size_t k = 0; k + 1 < group; k++)
            out[n++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    *ret_size = n;
    return true;
}

void base64_encode(struct weir_slice s, char *out) {
    (void)encode(s, out, false);
}

size_t base64url_encode(struct weir_slice s, char *out) {
    return encode(s, out, true);
}

bool base64_decode(struct weir_slice s, uint8_t *out, size_t *ret_size) {
    if (s.size % 4) return false;
    if (s.size && s.data[s.size - 1] == '=') s.size -= s.data[s.size - 2] == '=' ? 2 : 1;
    return decode(s, out, ret_size, false);
}

bool base64url_decode(struct weir_slice s, uint8_t *out, size_t *ret_size) {
    return decode(s, out, ret_size, true);
}
