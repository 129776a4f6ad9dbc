/* base/json_write.c: the writer of json.h. */
#include "base/bytes.h"
#include "base/decimal.h"
#include "base/json.h"

#include <math.h>

/* What a byte needs inside a string: 0 = nothing, 'u' = \u00xx, 'x' = look at the UTF-8, else the escape letter. */
static char escape_of(uint8_t c) {
    static const char control[32] = {[8] = 'b', [9] = 't', [10] = 'n', [12] = 'f', [13] = 'r'};
    if (c < 0x20) return control[c] ? control[c] : 'u';
    if (c >= 0x80) return 'x';
    return c == '"' || c == '\\' ? (char)c : 0;
}

/* Any byte of x below 0x20, from 0x80 on, a quote or a backslash? May say yes wrongly, never no. */
static bool needs_look(uint64_t x) {
    uint64_t ones = 0x0101010101010101u;
    uint64_t quote = x ^ (ones * '"'), backslash = x ^ (ones * '\\');
    return (((x - ones * 0x20) | (quote - ones) | (backslash - ones) | x) & (ones << 7)) != 0;
}

static void escape_byte(struct text_builder *out, uint8_t c, char how) {
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', how, '0', '0', digits[c >> 4], digits[c & 15]};
    text_add_slice(out, weir_slice(text, how == 'u' ? 6 : 2));
}

void json_escape(struct text_builder *out, struct weir_slice text) {
    size_t plain = 0, at = 0;
    while (at < text.size) {
        while (text.size - at >= 8 && !needs_look(load_le64(text.data + at)))
            at += 8;
        if (at == text.size) break;
        uint8_t c = text.data[at];
        char how = escape_of(c);
        if (how == 0) {
            at++;
            continue;
        }
        if (how == 'x') {
            size_t end = at + 1;
            while (end < text.size && text.data[end] >= 0x80)
                end++;
            size_t valid = utf8_valid_size(weir_slice(text.data + at, end - at));
            at += valid;
            if (at == end) continue;
        }
        if (at > plain) text_add_slice(out, weir_slice(text.data + plain, at - plain));
        if (how == 'x')
            text_add(out, "\xef\xbf\xbd"); /* U+FFFD for one byte that is not UTF-8 */
        else
            escape_byte(out, c, how);
        plain = ++at;
    }
    if (at > plain) text_add_slice(out, weir_slice(text.data + plain, at - plain));
}

struct json_writer json_writer(struct text_builder *out, unsigned indent) {
    return (struct json_writer){.out = out, .indent = indent, .empty = true};
}

static bool in_object(const struct json_writer *w) {
    return w->depth > 0 && (w->is_object[(w->depth - 1) / 64] >> ((w->depth - 1) % 64) & 1);
}

static void new_line(struct json_writer *w) {
    static const char blanks[] = "                                ";
    if (w->indent == 0) return;
    text_add_char(w->out, '\n');
    for (size_t left = (size_t)w->indent * w->depth, n; left > 0; left -= n) {
        n = left < sizeof blanks - 1 ? left : sizeof blanks - 1;
        text_add_slice(w->out, weir_slice(blanks, n));
    }
}

/* The comma and line break in front of an element or key. */
static void separate(struct json_writer *w) {
    if (w->depth == 0) return;
    if (!w->empty) text_add_char(w->out, ',');
    new_line(w);
}

static void before_value(struct json_writer *w) {
    WEIR_ASSERT(!w->ended && (w->after_key || !in_object(w)));
    if (!w->after_key) separate(w);
    w->after_key = false;
    w->empty = false;
    w->ended = w->depth == 0;
}

static void open_level(struct json_writer *w, bool object) {
    before_value(w);
    WEIR_ASSERT(w->depth < JSON_DEPTH_MAX);
    uint64_t bit = 1ull << (w->depth % 64);
    if (object)
        w->is_object[w->depth / 64] |= bit;
    else
        w->is_object[w->depth / 64] &= ~bit;
    w->depth++;
    w->empty = true;
    w->ended = false;
    text_add_char(w->out, object ? '{' : '[');
}

static void close_level(struct json_writer *w, bool object) {
    WEIR_ASSERT(w->depth > 0 && in_object(w) == object && !w->after_key);
    w->depth--;
    if (!w->empty) new_line(w);
    w->empty = false;
    w->ended = w->depth == 0;
    text_add_char(w->out, object ? '}' : ']');
}

void json_write_object_open(struct json_writer *w) {
    open_level(w, true);
}

void json_write_object_close(struct json_writer *w) {
    close_level(w, true);
}

void json_write_array_open(struct json_writer *w) {
    open_level(w, false);
}

void json_write_array_close(struct json_writer *w) {
    close_level(w, false);
}

static void quoted(struct text_builder *out, struct weir_slice text) {
    text_add_char(out, '"');
    json_escape(out, text);
    text_add_char(out, '"');
}

void json_write_key_slice(struct json_writer *w, struct weir_slice key) {
    WEIR_ASSERT(in_object(w) && !w->after_key);
    separate(w);
    quoted(w->out, key);
    text_add(w->out, w->indent ? ": " : ":");
    w->empty = false;
    w->after_key = true;
}

void json_write_key(struct json_writer *w, const char *key) {
    json_write_key_slice(w, weir_slice_text(key));
}

void json_write_slice(struct json_writer *w, struct weir_slice text) {
    before_value(w);
    quoted(w->out, text);
}

void json_write_text(struct json_writer *w, const char *text) {
    if (text)
        json_write_slice(w, weir_slice_text(text));
    else
        json_write_null(w);
}

void json_write_i64(struct json_writer *w, int64_t value) {
    before_value(w);
    text_add_i64(w->out, value);
}

void json_write_u64(struct json_writer *w, uint64_t value) {
    before_value(w);
    text_add_u64(w->out, value);
}

void json_write_double(struct json_writer *w, double value) {
    char text[DECIMAL_SIZE];
    if (!isfinite(value)) {
        json_write_null(w);
        return;
    }
    before_value(w);
    text_add_slice(w->out, weir_slice(text, decimal_from_double(value, text)));
}

void json_write_bool(struct json_writer *w, bool value) {
    before_value(w);
    text_add(w->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *w) {
    before_value(w);
    text_add(w->out, "null");
}

void json_write_raw(struct json_writer *w, struct weir_slice json) {
    before_value(w);
    text_add_slice(w->out, json);
}

bool json_writer_finished(const struct json_writer *w) {
    return w->ended && !w->out->truncated;
}
