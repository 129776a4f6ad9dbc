/* base/utf8.c: well-formed UTF-8, Unicode table 3-7; declared in text.h. */
#include "base/bytes.h"
#include "base/text.h"

/* Bytes of the character at p, 0 when it is not well-formed. */
static size_t character_size(const uint8_t *p, size_t left) {
    uint8_t c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    if (c < 0xe0) return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (left < 3) return 0;
    /* The second byte's range rules out overlong forms, surrogates and what is above U+10FFFF. */
    uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high || (p[2] & 0xc0) != 0x80) return 0;
    if (c < 0xf0) return 3;
    return left >= 4 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
}

size_t utf8_valid_size(struct weir_slice s) {
    size_t at = 0;
    while (at < s.size) {
        while (s.size - at >= 8 && (load_le64(s.data + at) & 0x8080808080808080u) == 0)
            at += 8;
        if (at == s.size) break;
        size_t n = character_size(s.data + at, s.size - at);
        if (n == 0) break;
        at += n;
    }
    return at;
}

bool utf8_valid(struct weir_slice s) {
    return utf8_valid_size(s) == s.size;
}

size_t utf8_encode(uint32_t code_point, uint8_t *out) {
    WEIR_ASSERT(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (uint8_t)(0xc0 | code_point >> 6);
        out[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code_point >> 12);
        out[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code_point >> 18);
    out[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}

size_t utf8_cut(struct weir_slice s, size_t size) {
    if (size > s.size) size = s.size;
    /* Step back over at most three continuation bytes to the character's first one; keep it when it is complete. */
    size_t first = size;
    while (first > 0 && size - first < 3 && (s.data[first - 1] & 0xc0) == 0x80)
        first--;
    if (first == 0) return size;
    uint8_t c = s.data[first - 1];
    size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    return whole > 1 && first - 1 + whole > size ? first - 1 : size;
}
