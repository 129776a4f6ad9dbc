/* base/json.h: a pull reader for JSON (RFC 8259, strict) and a writer.
 *
 * The reader walks one complete text in memory and answers one token at a time; it never recurses, allocates or
 * copies. Every token it answers is valid: grammar, UTF-8 (no surrogate code points, escaped or not, except in pairs)
 * and depth are checked on the way, so the json_text helpers cannot fail on bad input. Integers are exact: int64 or
 * uint64; an integer beyond those, or a number with a fraction or exponent, is JSON_REAL. Duplicate keys are the
 * caller's to judge. The text must outlive the tokens.
 *
 *     struct json_reader r = json_reader(slice, 0);
 *     if (json_next(&r) != JSON_OBJECT_OPEN) ...
 *     while (json_next(&r) == JSON_KEY) {
 *         if (json_text_is(&r, "price"))      ... json_next(&r); json_get_i64(&r, &price) ...
 *         else                                json_skip_value(&r);
 *     }
 *     if (r.token == JSON_ERROR) return weir_error_context(WEIR_E_INVALID, "byte %zu: %s", r.offset, r.error);
 *
 * One owner thread.
 */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/arena.h"
#include "base/text.h"

#include <weir/error.h>
#include <weir/slice.h>

#define JSON_DEPTH_MAX 512 /* hard; the reader's own limit is at most this */
#define JSON_DEPTH     64  /* default */

enum json_token {
    JSON_ERROR, /* sticky: r->error and r->offset say what and where */
    JSON_END,   /* the whole text was one valid value; sticky */
    JSON_OBJECT_OPEN,
    JSON_OBJECT_CLOSE,
    JSON_ARRAY_OPEN,
    JSON_ARRAY_CLOSE,
    JSON_KEY,      /* r->text, r->escaped */
    JSON_STRING,   /* r->text, r->escaped */
    JSON_INTEGER,  /* r->integer; r->text is the literal */
    JSON_UNSIGNED, /* r->natural, only when it is above INT64_MAX; r->text is the literal */
    JSON_REAL,     /* r->text is the literal; json_get_double() converts */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_reader {
    const uint8_t *data;
    size_t size;
    size_t at;     /* next byte to read */
    size_t offset; /* first byte of the present token, or of the error */
    enum json_token token;
    struct weir_slice text; /* between the quotes, as written; or the number's literal */
    bool escaped;           /* text has escapes: json_text() decodes */
    union {
        int64_t integer;
        uint64_t natural;
    };
    const char *error; /* a sentence; NULL = none */
    unsigned depth;    /* open objects and arrays */
    unsigned depth_max;
    uint8_t expect;                          /* internal: what may come next */
    uint64_t is_object[JSON_DEPTH_MAX / 64]; /* internal: one bit per level */
};

/* depth_max: 0 = JSON_DEPTH, at most JSON_DEPTH_MAX. */
struct json_reader json_reader(struct weir_slice text, unsigned depth_max);
/* Reads the next token, which is also r->token. */
enum json_token json_next(struct json_reader *r);
/* After a KEY: reads its value and all within. After OBJECT_OPEN or ARRAY_OPEN: reads to its close. After another
 * value: nothing. False on error. */
bool json_skip_value(struct json_reader *r);
/* json_next for a KEY (or array element), then skip; returns the value's raw text (for storing or for a second
 * reader); data NULL on error or at a close. */
struct weir_slice json_raw_value(struct json_reader *r);
/* "object", "string", "number", ... for messages. */
const char *json_token_name(enum json_token token);

/* The present KEY or STRING equals this (escapes decoded). */
bool json_text_is(const struct json_reader *r, const char *text);
/* The present KEY's or STRING's bytes, decoded. Points into the input when nothing is escaped, else into the arena;
 * data NULL = no memory. Decoded text may contain NUL bytes. */
struct weir_slice json_text(const struct json_reader *r, struct arena *a);
/* Decodes into out, which has room for r->text.size bytes (decoding never grows); returns the size. */
size_t json_text_decode(const struct json_reader *r, char *out);

/* The present token as a number; false when it is not one, or does not fit exactly (get_double: rounds to nearest,
 * false when beyond the largest double). A REAL that is a whole number, such as 1e3 or 2.0, is accepted as integer. */
WEIR_MUST bool json_get_i64(const struct json_reader *r, int64_t *ret);
WEIR_MUST bool json_get_u64(const struct json_reader *r, uint64_t *ret);
WEIR_MUST bool json_get_double(const struct json_reader *r, double *ret);
WEIR_MUST bool json_get_bool(const struct json_reader *r, bool *ret);

/* The writer adds to a text_builder and puts commas, colons, indentation. Misuse of the grammar (a key in an array, a
 * value where a key belongs, a close too many, two top values) is our own mistake: an assertion. Bytes that are not
 * UTF-8 become U+FFFD. Output that does not fit sets out->truncated. */
struct json_writer {
    struct text_builder *out;
    unsigned indent; /* blanks per level; 0 = compact */
    unsigned depth;
    bool empty;     /* nothing in the present object or array yet */
    bool after_key; /* a value must come */
    bool ended;     /* the top value is complete */
    uint64_t is_object[JSON_DEPTH_MAX / 64];
};

struct json_writer json_writer(struct text_builder *out, unsigned indent);
void json_write_object_open(struct json_writer *w);
void json_write_object_close(struct json_writer *w);
void json_write_array_open(struct json_writer *w);
void json_write_array_close(struct json_writer *w);
void json_write_key(struct json_writer *w, const char *key);
void json_write_key_slice(struct json_writer *w, struct weir_slice key);
void json_write_text(struct json_writer *w, const char *text); /* NULL writes null */
void json_write_slice(struct json_writer *w, struct weir_slice text);
void json_write_i64(struct json_writer *w, int64_t value);
void json_write_u64(struct json_writer *w, uint64_t value);
void json_write_double(struct json_writer *w, double value); /* shortest that reads back; NaN, infinities: null */
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
void json_write_raw(struct json_writer *w, struct weir_slice json); /* a complete, valid value, as it is */
/* True when one complete top value was written and all of it fitted. */
bool json_writer_finished(const struct json_writer *w);

/* Short forms: a key and its value. */
static inline void json_put_text(struct json_writer *w, const char *key, const char *value) {
    json_write_key(w, key);
    json_write_text(w, value);
}
static inline void json_put_slice(struct json_writer *w, const char *key, struct weir_slice value) {
    json_write_key(w, key);
    json_write_slice(w, value);
}
static inline void json_put_i64(struct json_writer *w, const char *key, int64_t value) {
    json_write_key(w, key);
    json_write_i64(w, value);
}
static inline void json_put_u64(struct json_writer *w, const char *key, uint64_t value) {
    json_write_key(w, key);
    json_write_u64(w, value);
}
static inline void json_put_double(struct json_writer *w, const char *key, double value) {
    json_write_key(w, key);
    json_write_double(w, value);
}
static inline void json_put_bool(struct json_writer *w, const char *key, bool value) {
    json_write_key(w, key);
    json_write_bool(w, value);
}

/* Escapes text into out as the inside of a JSON string, without the quotes. */
void json_escape(struct text_builder *out, struct weir_slice text);

#endif
