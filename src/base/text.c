/* base/text.c: the builder and small text helpers. */
#include "base/text.h"

#include <stdio.h>

#define ARENA_STEP 256

struct text_builder text_builder_arena(struct arena *arena, size_t size_max) {
    return (struct text_builder){.arena = arena, .size_max = size_max ? size_max : PTRDIFF_MAX - 1};
}

void text_clear(struct text_builder *t) {
    t->size = 0;
    t->truncated = false;
    if (t->cap) t->data[0] = 0;
}

/* Room for n more bytes and the NUL; false sets truncated. */
static bool make_room(struct text_builder *t, size_t n) {
    if (WEIR_LIKELY(!t->truncated && n < t->cap - t->size)) return true;
    if (t->truncated || !t->arena || n > t->size_max - t->size) {
        t->truncated = true;
        return false;
    }
    size_t cap = t->cap < ARENA_STEP ? ARENA_STEP : t->cap * 2;
    if (cap < t->size + n + 1) cap = t->size + n + 1;
    if (cap > t->size_max + 1) cap = t->size_max + 1;
    char *grown = arena_resize(t->arena, t->data, t->cap, cap, 1);
    if (!grown && cap > t->size + n + 1) {
        cap = t->size + n + 1;
        grown = arena_resize(t->arena, t->data, t->cap, cap, 1);
    }
    if (!grown) {
        t->truncated = true;
        return false;
    }
    t->data = grown;
    t->cap = cap;
    return true;
}

char *text_reserve(struct text_builder *t, size_t n) {
    return make_room(t, n) ? t->data + t->size : NULL;
}

void text_add_slice(struct text_builder *t, struct weir_slice s) {
    bool was_truncated = t->truncated;
    size_t n = s.size;
    if (!make_room(t, n)) {
        /* A growing builder that cannot grow adds nothing; a fixed one takes what fits, once. */
        if (was_truncated || t->arena) return;
        n = utf8_cut(s, t->cap - 1 - t->size);
    }
    if (n) memcpy(t->data + t->size, s.data, n);
    text_commit(t, n);
}

void text_add(struct text_builder *t, const char *text) {
    text_add_slice(t, weir_slice_text(text));
}

void text_add_char(struct text_builder *t, char c) {
    if (!make_room(t, 1)) return;
    t->data[t->size] = c;
    text_commit(t, 1);
}

size_t text_format_u64(char *out, uint64_t value) {
    static const char pairs[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
        "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
        "888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;
    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * value, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t text_format_i64(char *out, int64_t value) {
    if (value >= 0) return text_format_u64(out, (uint64_t)value);
    out[0] = '-';
    return 1 + text_format_u64(out + 1, 0u - (uint64_t)value);
}

void text_add_u64(struct text_builder *t, uint64_t value) {
    char digits[20];
    text_add_slice(t, weir_slice(digits, text_format_u64(digits, value)));
}

void text_add_i64(struct text_builder *t, int64_t value) {
    char digits[20];
    text_add_slice(t, weir_slice(digits, text_format_i64(digits, value)));
}

void text_vprintf(struct text_builder *t, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    size_t room = t->truncated ? 0 : t->cap - t->size;
    int n = vsnprintf(room ? t->data + t->size : NULL, room, format, args);
    if (n > 0 && (size_t)n >= room && !t->truncated) {
        if (make_room(t, (size_t)n))
            n = vsnprintf(t->data + t->size, t->cap - t->size, format, again);
        else if (room)
            n = (int)utf8_cut(weir_slice(t->data + t->size, room - 1), room - 1);
        else
            n = 0;
        if (t->arena && t->truncated) n = 0;
        if (t->cap) text_commit(t, (size_t)n);
    } else if (n > 0 && room) {
        t->size += (size_t)n;
    }
    va_end(again);
}

void text_printf(struct text_builder *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    text_vprintf(t, format, args);
    va_end(args);
}

void text_add_quoted(struct text_builder *t, struct weir_slice s, size_t max) {
    size_t end = s.size > max ? max : s.size;
    text_add_char(t, '"');
    for (size_t i = 0; i < end;) {
        uint8_t c = s.data[i];
        size_t n = 1;
        if (c >= 0x80) {
            struct weir_slice one = weir_slice(s.data + i, s.size - i < 4 ? s.size - i : 4);
            n = 1 + (c >= 0xc0) + (c >= 0xe0) + (c >= 0xf0);
            bool good = c >= 0xc0 && one.size >= n && utf8_valid(weir_slice(one.data, n));
            if (good)
                text_add_slice(t, weir_slice(one.data, n));
            else
                text_printf(t, "\\x%02x", c);
            n = good ? n : 1;
        } else if (c == '"' || c == '\\') {
            text_add_char(t, '\\');
            text_add_char(t, (char)c);
        } else if (c == '\n' || c == '\t') {
            text_add(t, c == '\n' ? "\\n" : "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            text_printf(t, "\\x%02x", c);
        } else {
            text_add_char(t, (char)c);
        }
        i += n;
    }
    text_add(t, s.size > max ? "\"..." : "\"");
}

static uint8_t lower(uint8_t c) {
    return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

bool text_equal_nocase(struct weir_slice a, struct weir_slice b) {
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i])) return false;
    return true;
}

struct weir_slice text_trim(struct weir_slice s) {
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = weir_slice(s.data + 1, s.size - 1);
    while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

bool text_starts_with(struct weir_slice s, const char *prefix) {
    size_t n = strlen(prefix);
    return s.size >= n && memcmp(n ? s.data : (const uint8_t *)prefix, prefix, n) == 0;
}

#define DISTANCE_MAX 64

/* Optimal string alignment: three rows of the usual table, the third for swaps. */
unsigned text_distance(struct weir_slice a, struct weir_slice b) {
    unsigned rows[3][DISTANCE_MAX + 1];
    size_t na = a.size < DISTANCE_MAX ? a.size : DISTANCE_MAX, nb = b.size < DISTANCE_MAX ? b.size : DISTANCE_MAX;
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1];
            if (swapped && above2[j - 2] + 1 < best) best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[na % 3][nb];
}

int text_nearest(struct weir_slice word, const char *const *names, size_t count) {
    int nearest = -1;
    unsigned least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        struct weir_slice name = weir_slice_text(names[i]);
        size_t longer = name.size > word.size ? name.size : word.size;
        size_t allowed = longer / 3 ? longer / 3 : 1;
        unsigned distance = text_distance(word, name);
        if (distance <= allowed && distance < least && distance < longer) {
            least = distance;
            nearest = (int)i;
        }
    }
    return nearest;
}
