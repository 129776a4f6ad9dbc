/* base/text.h: a string being built, UTF-8, and the nearest name for a typing error.
 *
 * struct text_builder is bounded: over the caller's buffer it holds at most cap - 1 bytes and a NUL; what does not fit
 * is cut (never inside a UTF-8 character when added by text_add) and `truncated` is set, sticky. Over an arena it
 * grows there, up to size_max; `truncated` then means no memory. It is never a failure to add: check once at the end.
 */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include "base/arena.h"

#include <stdarg.h>
#include <weir/slice.h>

struct text_builder {
    char *data;  /* NUL-terminated once anything was added (or cap > 0) */
    size_t size; /* bytes, without the NUL */
    size_t cap;  /* with the NUL */
    bool truncated;
    struct arena *arena; /* NULL = fixed */
    size_t size_max;     /* arena only */
};

/* Over cap >= 1 bytes of the caller's. */
static inline struct text_builder text_builder(char *data, size_t cap) {
    struct text_builder t = {data, 0, cap, false, NULL, 0};
    data[0] = 0;
    return t;
}
/* Over a char array: struct text_builder t = TEXT_BUILDER(array). */
#define TEXT_BUILDER(array) text_builder((array), sizeof(array))
/* Growing in an arena up to size_max bytes (0 = as far as the arena goes). Building nothing else in the arena
 * meanwhile lets it grow in place. */
struct text_builder text_builder_arena(struct arena *arena, size_t size_max);
/* Empty again, truncated cleared; keeps the memory. */
void text_clear(struct text_builder *t);

/* n bytes of room at the end for the caller to fill, or NULL (then truncated is set); text_commit counts them. */
char *text_reserve(struct text_builder *t, size_t n);
static inline void text_commit(struct text_builder *t, size_t n) {
    t->size += n;
    t->data[t->size] = 0;
}
void text_add(struct text_builder *t, const char *text);
void text_add_slice(struct text_builder *t, struct weir_slice s);
void text_add_char(struct text_builder *t, char c);
void text_add_u64(struct text_builder *t, uint64_t value);
void text_add_i64(struct text_builder *t, int64_t value);
void text_printf(struct text_builder *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text_builder *t, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Untrusted bytes for a log line or message: in double quotes, with \", \\, \n, \t, \xHH for what is not printable
 * ASCII or valid UTF-8. At most max bytes of s, then "...". */
void text_add_quoted(struct text_builder *t, struct weir_slice s, size_t max);
static inline struct weir_slice text_slice(const struct text_builder *t) {
    return weir_slice(t->data, t->size);
}

/* Decimal digits of value into out[20] / out[20] with sign, no NUL; returns how many. */
size_t text_format_u64(char *out, uint64_t value);
size_t text_format_i64(char *out, int64_t value);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool utf8_valid(struct weir_slice s);
/* Bytes of the longest well-formed prefix of s: s.size when all of it is. */
size_t utf8_valid_size(struct weir_slice s);
/* Writes a code point (not a surrogate, <= 0x10ffff) to out[4]; returns its bytes. */
size_t utf8_encode(uint32_t code_point, uint8_t *out);
/* s.size shortened so that s.data[0..size) does not end inside a character. */
size_t utf8_cut(struct weir_slice s, size_t size);

/* ASCII only, no locale. */
bool text_equal_nocase(struct weir_slice a, struct weir_slice b);
struct weir_slice text_trim(struct weir_slice s); /* spaces and tabs, both ends */
bool text_starts_with(struct weir_slice s, const char *prefix);

/* Edits (insert, delete, replace, swap of neighbours) from a to b; both are looked at up to 64 bytes. */
unsigned text_distance(struct weir_slice a, struct weir_slice b);
/* The index of the name nearest to `word` if it is near enough to suggest ("did you mean"): at most a third of the
 * longer one's length in edits, at least 1. -1 when none is. The first of equally near ones. */
int text_nearest(struct weir_slice word, const char *const *names, size_t count);

#endif
