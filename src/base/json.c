/* base/json.c: the pull reader. */
#include "base/json.h"

#include "base/bytes.h"
#include "base/decimal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What may come next. */
enum expect {
    EXPECT_VALUE,          /* the top one, or behind a colon */
    EXPECT_FIRST_KEY,      /* behind '{': a key or '}' */
    EXPECT_FIRST_ELEMENT,  /* behind '[': a value or ']' */
    EXPECT_COMMA_OR_CLOSE, /* behind a value inside something */
    EXPECT_NOTHING,        /* behind the top value */
};

struct json_reader json_reader(struct weir_slice text, unsigned depth_max) {
    return (struct json_reader){.data = text.data,
        .size = text.size,
        .token = JSON_NULL,
        .depth_max = depth_max == 0               ? JSON_DEPTH
                     : depth_max < JSON_DEPTH_MAX ? depth_max
                                                  : JSON_DEPTH_MAX,
        .expect = EXPECT_VALUE};
}

const char *json_token_name(enum json_token token) {
    static const char *const names[] = {[JSON_ERROR] = "error",
        [JSON_END] = "end",
        [JSON_OBJECT_OPEN] = "object",
        [JSON_OBJECT_CLOSE] = "end of object",
        [JSON_ARRAY_OPEN] = "array",
        [JSON_ARRAY_CLOSE] = "end of array",
        [JSON_KEY] = "key",
        [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer",
        [JSON_UNSIGNED] = "integer",
        [JSON_REAL] = "number",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null"};
    return (size_t)token < WEIR_ARRAY_COUNT(names) ? names[token] : "unknown";
}

static WEIR_COLD enum json_token fail(struct json_reader *r, size_t offset, const char *error) {
    r->error = error;
    r->offset = offset;
    r->text = weir_slice(NULL, 0);
    return r->token = JSON_ERROR;
}

static inline void skip_blanks(struct json_reader *r) {
    while (r->at < r->size) {
        uint8_t c = r->data[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') break;
        r->at++;
    }
}

/* The first byte from `at` on that is a quote, a backslash, a control character or not ASCII; size when none is. */
static inline size_t plain_end(const uint8_t *data, size_t at, size_t size) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), blank = _mm_set1_epi8(0x20);
    for (; size - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        /* A signed comparison with 0x20 catches control characters and, being negative, all bytes from 0x80 on. */
        __m128i hit = _mm_or_si128(
            _mm_cmplt_epi8(x, blank), _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask) return at + (size_t)__builtin_ctz(mask);
    }
#else
    for (; size - at >= 8; at += 8) {
        uint64_t x = load_le64(data + at), ones = 0x0101010101010101u, high = ones << 7;
        uint64_t quote = x ^ (ones * '"'), backslash = x ^ (ones * '\\');
        uint64_t hit = (x - ones * 0x20) | (quote - ones) | (backslash - ones) | x;
        if (hit & high) break; /* near: the bytewise loop finds it (a borrow may also raise a false alarm) */
    }
#endif
    for (; at < size; at++) {
        uint8_t c = data[at];
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) break;
    }
    return at;
}

static int hex4(const uint8_t *p) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i], letter = c | 0x20;
        if ((uint8_t)(c - '0') <= 9)
            value = value << 4 | (c - '0');
        else if ((uint8_t)(letter - 'a') <= 5)
            value = value << 4 | (letter - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Checks the escape whose backslash is at `at`; returns the offset behind it, or 0 after an error. */
static size_t scan_escape(struct json_reader *r, size_t at) {
    if (at + 1 >= r->size) {
        fail(r, r->size, "the text ends inside a string");
        return 0;
    }
    uint8_t c = r->data[at + 1];
    if (c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' || c == 't') return at + 2;
    int unit = c == 'u' && r->size - at >= 6 ? hex4(r->data + at + 2) : -1;
    if (unit < 0) {
        fail(r, at, c == 'u' ? "\\u needs four hexadecimal digits" : "unknown escape");
        return 0;
    }
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    bool pair = unit <= 0xdbff && r->size - at >= 12 && r->data[at + 6] == '\\' && r->data[at + 7] == 'u';
    int low = pair ? hex4(r->data + at + 8) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        fail(r, at, "half of a surrogate pair");
        return 0;
    }
    return at + 12;
}

/* Reads the string whose opening quote is at r->at into r->text. */
static bool scan_string(struct json_reader *r) {
    size_t start = r->at + 1, at = start;
    r->escaped = false;
    for (;;) {
        at = plain_end(r->data, at, r->size);
        if (at >= r->size) {
            fail(r, r->size, "the text ends inside a string");
            return false;
        }
        uint8_t c = r->data[at];
        if (c == '"') break;
        if (c == '\\') {
            r->escaped = true;
            at = scan_escape(r, at);
            if (at == 0) return false;
        } else if (c < 0x20) {
            fail(r, at, "a control character inside a string must be escaped");
            return false;
        } else {
            /* All characters up to the next ASCII byte at once. */
            size_t end = at + 1;
            while (end < r->size && r->data[end] >= 0x80)
                end++;
            size_t valid = utf8_valid_size(weir_slice(r->data + at, end - at));
            if (valid != end - at) {
                fail(r, at + valid, "not valid UTF-8");
                return false;
            }
            at = end;
        }
    }
    r->text = weir_slice(r->data + start, at - start);
    r->at = at + 1;
    return true;
}

static enum json_token scan_number(struct json_reader *r) {
    bool whole = false;
    size_t n = decimal_scan(weir_slice(r->data + r->at, r->size - r->at), &whole);
    if (n == 0) return fail(r, r->at, "malformed number");
    const uint8_t *p = r->data + r->at;
    r->text = weir_slice(p, n);
    r->at += n;
    /* A digit can only follow a leading zero here, and letters never: better said now than as a missing comma. */
    if (r->at < r->size && (uint8_t)(r->data[r->at] - '0') <= 9) return fail(r, r->at, "a number may not begin with 0");
    bool negative = *p == '-';
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : UINT64_MAX;
    bool fits = whole && n <= 20u;
    for (size_t i = negative; fits && i < n; i++)
        fits = !__builtin_mul_overflow(value, (uint64_t)10, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(p[i] - '0'), &value);
    if (!fits || value > limit) return r->token = JSON_REAL;
    if (!negative && value > INT64_MAX) {
        r->natural = value;
        return r->token = JSON_UNSIGNED;
    }
    r->integer = negative ? (int64_t)(0u - value) : (int64_t)value;
    return r->token = JSON_INTEGER;
}

static enum json_token scan_word(struct json_reader *r, const char *word, size_t size, enum json_token token) {
    if (r->size - r->at < size || memcmp(r->data + r->at, word, size) != 0) return fail(r, r->at, "unknown word");
    r->text = weir_slice(r->data + r->at, size);
    r->at += size;
    return r->token = token;
}

static enum json_token open_level(struct json_reader *r, bool object) {
    if (r->depth == r->depth_max) return fail(r, r->at, "nested too deeply");
    uint64_t bit = 1ull << (r->depth % 64);
    if (object)
        r->is_object[r->depth / 64] |= bit;
    else
        r->is_object[r->depth / 64] &= ~bit;
    r->depth++;
    r->at++;
    r->expect = object ? EXPECT_FIRST_KEY : EXPECT_FIRST_ELEMENT;
    return r->token = object ? JSON_OBJECT_OPEN : JSON_ARRAY_OPEN;
}

static inline bool in_object(const struct json_reader *r) {
    return r->is_object[(r->depth - 1) / 64] >> ((r->depth - 1) % 64) & 1;
}

static enum json_token close_level(struct json_reader *r) {
    enum json_token token = in_object(r) ? JSON_OBJECT_CLOSE : JSON_ARRAY_CLOSE;
    r->depth--;
    r->at++;
    r->expect = r->depth ? EXPECT_COMMA_OR_CLOSE : EXPECT_NOTHING;
    return r->token = token;
}

static enum json_token read_value(struct json_reader *r) {
    uint8_t c = r->data[r->at];
    if (c == '{' || c == '[') return open_level(r, c == '{');
    r->expect = r->depth ? EXPECT_COMMA_OR_CLOSE : EXPECT_NOTHING;
    if (c == '"') return scan_string(r) ? (r->token = JSON_STRING) : JSON_ERROR;
    if (c == '-' || (uint8_t)(c - '0') <= 9) return scan_number(r);
    if (c == 't') return scan_word(r, "true", 4, JSON_TRUE);
    if (c == 'f') return scan_word(r, "false", 5, JSON_FALSE);
    if (c == 'n') return scan_word(r, "null", 4, JSON_NULL);
    return fail(r, r->at, "a value was expected");
}

static enum json_token read_key(struct json_reader *r) {
    if (r->data[r->at] != '"') return fail(r, r->at, "a key in double quotes was expected");
    if (!scan_string(r)) return JSON_ERROR;
    skip_blanks(r);
    if (r->at == r->size) return fail(r, r->at, "the text ends early");
    if (r->data[r->at] != ':') return fail(r, r->at, "a colon was expected");
    r->at++;
    r->expect = EXPECT_VALUE;
    return r->token = JSON_KEY;
}

enum json_token json_next(struct json_reader *r) {
    if (WEIR_UNLIKELY(r->error || r->token == JSON_END)) return r->token;
    skip_blanks(r);
    r->offset = r->at;
    if (WEIR_UNLIKELY(r->at == r->size))
        return r->expect == EXPECT_NOTHING ? (r->token = JSON_END) : fail(r, r->at, "the text ends early");
    uint8_t c = r->data[r->at];
    switch ((enum expect)r->expect) {
    case EXPECT_VALUE:
        return read_value(r);
    case EXPECT_FIRST_KEY:
        return c == '}' ? close_level(r) : read_key(r);
    case EXPECT_FIRST_ELEMENT:
        return c == ']' ? close_level(r) : read_value(r);
    case EXPECT_COMMA_OR_CLOSE:
        if (c == (in_object(r) ? '}' : ']')) return close_level(r);
        if (c != ',') return fail(r, r->at, in_object(r) ? "a comma or } was expected" : "a comma or ] was expected");
        r->at++;
        skip_blanks(r);
        r->offset = r->at;
        if (r->at == r->size) return fail(r, r->at, "the text ends early");
        return in_object(r) ? read_key(r) : read_value(r);
    case EXPECT_NOTHING:
        break;
    }
    return fail(r, r->at, "something follows the value");
}

bool json_skip_value(struct json_reader *r) {
    if (r->token == JSON_KEY) json_next(r);
    if (r->token != JSON_OBJECT_OPEN && r->token != JSON_ARRAY_OPEN) return r->token != JSON_ERROR;
    for (unsigned outside = r->depth - 1; r->depth > outside;)
        if (json_next(r) == JSON_ERROR) return false;
    return true;
}

struct weir_slice json_raw_value(struct json_reader *r) {
    enum json_token token = json_next(r);
    size_t start = r->offset;
    if (token == JSON_ERROR || token == JSON_END || token == JSON_OBJECT_CLOSE || token == JSON_ARRAY_CLOSE ||
        token == JSON_KEY || !json_skip_value(r))
        return weir_slice(NULL, 0);
    r->offset = start;
    return weir_slice(r->data + start, r->at - start);
}

/* Decodes the escape at p (checked before) into out[4]; sets the input bytes it took. */
static size_t decode_escape(const uint8_t *p, uint8_t *out, size_t *ret_taken) {
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    *ret_taken = 2;
    if (p[1] != 'u') {
        const char *known = strchr(from, p[1]);
        out[0] = known ? (uint8_t)to[known - from] : p[1];
        return 1;
    }
    uint32_t code = (uint32_t)hex4(p + 2);
    *ret_taken = 6;
    if (code >= 0xd800 && code <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex4(p + 8) - 0xdc00);
        *ret_taken = 12;
    }
    return utf8_encode(code, out);
}

size_t json_text_decode(const struct json_reader *r, char *out) {
    const uint8_t *p = r->text.data, *end = p + r->text.size;
    size_t n = 0;
    while (p < end) {
        const uint8_t *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p), taken = 0;
        memcpy(out + n, p, plain);
        n += plain;
        p += plain;
        if (escape) {
            n += decode_escape(p, (uint8_t *)out + n, &taken);
            p += taken;
        }
    }
    return n;
}

bool json_text_is(const struct json_reader *r, const char *text) {
    size_t size = strlen(text);
    if (r->token != JSON_KEY && r->token != JSON_STRING) return false;
    if (!r->escaped) return r->text.size == size && memcmp(r->text.data, text, size) == 0;
    const uint8_t *p = r->text.data, *end = p + r->text.size;
    size_t at = 0;
    while (p < end) {
        uint8_t bytes[4] = {*p};
        size_t taken = 1, n = *p == '\\' ? decode_escape(p, bytes, &taken) : 1;
        if (size - at < n || memcmp(text + at, bytes, n) != 0) return false;
        at += n;
        p += taken;
    }
    return at == size;
}

struct weir_slice json_text(const struct json_reader *r, struct arena *a) {
    if (!r->escaped) return r->text;
    char *out = arena_alloc_aligned(a, r->text.size, 1);
    return weir_slice(out, out ? json_text_decode(r, out) : 0);
}

/* A REAL that is a whole number below 2^64, such as 1e3 or 2.50e1, exactly. */
static bool whole_real(struct weir_slice s, bool *ret_negative, uint64_t *ret) {
    double x;
    if (!decimal_to_double(s, &x) || !(x > -0x1p53 && x < 0x1p53) || x != (double)(int64_t)x) return false;
    /* Below 2^53 a fraction shows in the double, unless it is tinier than the double's step: compare digit by digit. */
    char digits[20];
    size_t count = text_format_u64(digits, (uint64_t)(x < 0 ? -x : x)), at = 0;
    bool any = false, good = true;
    for (size_t i = 0; i < s.size && (s.data[i] | 0x20) != 'e'; i++) {
        uint8_t c = s.data[i];
        if (c == '-' || c == '.' || (c == '0' && !any)) continue;
        any = true;
        good = good && (at < count ? c == (uint8_t)digits[at] : c == '0');
        at++;
    }
    for (; at < count && any; at++)
        good = good && digits[at] == '0';
    *ret_negative = x < 0;
    *ret = (uint64_t)(x < 0 ? -x : x);
    return good && (any || x == 0);
}

bool json_get_i64(const struct json_reader *r, int64_t *ret) {
    bool negative;
    uint64_t value;
    if (r->token == JSON_INTEGER) {
        *ret = r->integer;
        return true;
    }
    if (r->token != JSON_REAL || !whole_real(r->text, &negative, &value)) return false;
    *ret = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool json_get_u64(const struct json_reader *r, uint64_t *ret) {
    int64_t value;
    if (r->token == JSON_UNSIGNED) {
        *ret = r->natural;
        return true;
    }
    if (!json_get_i64(r, &value) || value < 0) return false;
    *ret = (uint64_t)value;
    return true;
}

bool json_get_double(const struct json_reader *r, double *ret) {
    if (r->token != JSON_INTEGER && r->token != JSON_UNSIGNED && r->token != JSON_REAL) return false;
    return decimal_to_double(r->text, ret);
}

bool json_get_bool(const struct json_reader *r, bool *ret) {
    if (r->token != JSON_TRUE && r->token != JSON_FALSE) return false;
    *ret = r->token == JSON_TRUE;
    return true;
}
