#include "load/template.h"
#include "base/prng.h"
#include "base/text.h"
#include "base/units.h"
#include <stdlib.h>

#define UUID_SIZE     36
#define U64_DIGITS    20
#define TEXT_SIZE_MAX (16u << 20)

/* ---- lines ---- */

static struct weir_slice line_take(struct weir_slice *text) {
    const uint8_t *lf = memchr(text->data, '\n', text->size);
    size_t size = lf ? (size_t)(lf - text->data) : text->size;
    struct weir_slice line = weir_slice(text->data, size);
    *text = weir_slice(text->data + size + (lf != NULL), text->size - size - (lf != NULL));
    if (line.size && line.data[line.size - 1] == '\r') line.size--;
    return line;
}

enum weir_error load_lines_init(struct load_lines *lines, struct weir_slice text) {
    *lines = (struct load_lines){0};
    uint64_t count = 0;
    for (struct weir_slice rest = text; rest.size > 0; count++)
        line_take(&rest);
    if (count == 0) return weir_error_context(WEIR_E_INVALID, "the file of lines is empty");
    lines->items = calloc(count, sizeof *lines->items);
    if (!lines->items)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for %llu lines", (unsigned long long)count);
    while (text.size > 0) {
        struct weir_slice line = line_take(&text);
        if (line.size > lines->size_max) lines->size_max = line.size;
        lines->items[lines->count++] = line;
    }
    return WEIR_OK;
}

void load_lines_done(struct load_lines *lines) {
    free(lines->items);
    free(lines->times_ns);
    *lines = (struct load_lines){0};
}

/* ---- compiling ---- */

static struct weir_slice word_take(struct weir_slice *text) {
    size_t start = 0, end;
    while (start < text->size && text->data[start] == ' ')
        start++;
    end = start;
    while (end < text->size && text->data[end] != ' ')
        end++;
    struct weir_slice word = weir_slice(text->data + start, end - start);
    *text = weir_slice(text->data + end, text->size - end);
    return word;
}

static enum weir_error bad_hole(struct weir_slice hole, const char *what) {
    char text[80];
    struct text_builder t = TEXT_BUILDER(text);
    text_add_quoted(&t, hole, 40);
    return weir_error_context(WEIR_E_INVALID, "{{...}} with %s in it: %s", text, what);
}

static enum weir_error random_init(struct load_piece *piece, struct weir_slice hole, struct weir_slice arguments) {
    struct weir_slice low = word_take(&arguments), high = word_take(&arguments);
    if (parse_u64(low, &piece->low) != WEIR_OK || parse_u64(high, &piece->high) != WEIR_OK ||
        piece->low > piece->high || word_take(&arguments).size > 0)
        return bad_hole(hole, "write two whole numbers, the smaller one first, as in {{rand 1 100}}");
    return WEIR_OK;
}

static enum weir_error choice_init(
    struct load_piece *piece, struct weir_slice hole, struct weir_slice words, size_t *ret_size) {
    uint64_t count = 0;
    piece->text = words;
    for (struct weir_slice word = word_take(&words); word.size > 0; word = word_take(&words)) {
        if (word.size > *ret_size) *ret_size = word.size;
        count++;
    }
    if (count == 0) return bad_hole(hole, "name the words to choose from, as in {{choice buy sell}}");
    piece->high = count - 1;
    return WEIR_OK;
}

static enum weir_error hole_init(
    struct load_piece *piece, struct weir_slice hole, const struct load_lines *lines, size_t *ret_size) {
    static const char *const names[] = {"n", "uuid", "rand", "choice", "line"};
    struct weir_slice rest = hole, name = word_take(&rest);
    struct weir_slice after = rest;
    bool alone = word_take(&after).size == 0;
    if (weir_slice_equal(name, weir_slice_text("n")) && alone) {
        piece->kind = LOAD_PIECE_NUMBER;
        *ret_size = U64_DIGITS;
    } else if (weir_slice_equal(name, weir_slice_text("uuid")) && alone) {
        piece->kind = LOAD_PIECE_UUID;
        *ret_size = UUID_SIZE;
    } else if (weir_slice_equal(name, weir_slice_text("rand"))) {
        piece->kind = LOAD_PIECE_RANDOM;
        *ret_size = U64_DIGITS;
        return random_init(piece, hole, rest);
    } else if (weir_slice_equal(name, weir_slice_text("choice"))) {
        piece->kind = LOAD_PIECE_CHOICE;
        return choice_init(piece, hole, rest, ret_size);
    } else if (weir_slice_equal(name, weir_slice_text("line")) && alone) {
        if (!lines) return bad_hole(hole, "name the file of the lines with --data FILE");
        piece->kind = LOAD_PIECE_LINE;
        *ret_size = lines->size_max;
    } else {
        int nearest = text_nearest(name, names, sizeof names / sizeof *names);
        char what[120];
        struct text_builder t = TEXT_BUILDER(what);
        text_add(&t, "there are {{n}}, {{uuid}}, {{rand A B}}, {{choice A B}}, {{line}}; {{{{ is two braces");
        if (nearest >= 0) text_printf(&t, "; did you mean %s?", names[nearest]);
        return bad_hole(hole, what);
    }
    return WEIR_OK;
}

/* The next piece off the front of *text, which is not empty. */
static enum weir_error piece_take(
    struct weir_slice *text, const struct load_lines *lines, struct load_piece *piece, size_t *ret_size) {
    const uint8_t *open = memmem(text->data, text->size, "{{", 2);
    size_t before = open ? (size_t)(open - text->data) : text->size;
    if (before > 0) {
        *piece = (struct load_piece){.kind = LOAD_PIECE_TEXT, .text = weir_slice(text->data, before)};
        *ret_size = before;
        *text = weir_slice(text->data + before, text->size - before);
        return WEIR_OK;
    }
    if (text->size >= 4 && memcmp(text->data, "{{{{", 4) == 0) {
        *piece = (struct load_piece){.kind = LOAD_PIECE_TEXT, .text = weir_slice(text->data, 2)};
        *ret_size = 2;
        *text = weir_slice(text->data + 4, text->size - 4);
        return WEIR_OK;
    }
    const uint8_t *close = memmem(text->data + 2, text->size - 2, "}}", 2);
    if (!close) return bad_hole(weir_slice(text->data + 2, text->size - 2), "the closing }} is missing");
    struct weir_slice hole = weir_slice(text->data + 2, (size_t)(close - text->data) - 2);
    *piece = (struct load_piece){0};
    *text = weir_slice(close + 2, text->size - hole.size - 4);
    return hole_init(piece, hole, lines, ret_size);
}

enum weir_error load_template_init(
    struct load_template *template, struct weir_slice text, const struct load_lines *lines) {
    *template = (struct load_template){.lines = lines};
    if (text.size > TEXT_SIZE_MAX) return weir_error_context(WEIR_E_TOO_LARGE, "a template has at most 16 MB");
    template->pieces = calloc(LOAD_TEMPLATE_PIECES_MAX, sizeof *template->pieces);
    if (!template->pieces) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a template");
    enum weir_error e = WEIR_OK;
    while (e == WEIR_OK && text.size > 0) {
        size_t size = 0;
        if (template->count == LOAD_TEMPLATE_PIECES_MAX) {
            e = weir_error_context(
                WEIR_E_TOO_LARGE, "a template has at most %u pieces; put more into --data", LOAD_TEMPLATE_PIECES_MAX);
            break;
        }
        e = piece_take(&text, lines, &template->pieces[template->count], &size);
        template->count++;
        template->size_max += size;
    }
    if (e != WEIR_OK) load_template_done(template);
    return e;
}

void load_template_done(struct load_template *template) {
    free(template->pieces);
    *template = (struct load_template){0};
}

/* ---- rendering ---- */

static size_t put(uint8_t *out, struct weir_slice bytes) {
    if (bytes.size) memcpy(out, bytes.data, bytes.size);
    return bytes.size;
}

static size_t put_uuid(uint8_t *out, uint64_t high, uint64_t low) {
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) out[at++] = '-';
        out[at++] = (uint8_t)digits[((i < 16 ? high : low) >> (60 - 4 * (i % 16))) & 15];
    }
    return at;
}

static struct weir_slice word_at(struct weir_slice words, uint64_t index) {
    struct weir_slice word = word_take(&words);
    while (index-- > 0)
        word = word_take(&words);
    return word;
}

static size_t piece_render(const struct load_template *template, const struct load_piece *piece, struct prng *random,
    uint64_t n, uint8_t *out) {
    switch (piece->kind) {
    case LOAD_PIECE_TEXT:
        return put(out, piece->text);
    case LOAD_PIECE_NUMBER:
        return text_format_u64((char *)out, n);
    case LOAD_PIECE_UUID: {
        uint64_t high = prng_next(random);
        return put_uuid(out, high, prng_next(random));
    }
    case LOAD_PIECE_RANDOM:
        return text_format_u64((char *)out, prng_between(random, piece->low, piece->high));
    case LOAD_PIECE_CHOICE:
        return put(out, word_at(piece->text, prng_between(random, 0, piece->high)));
    case LOAD_PIECE_LINE:
        return put(out, template->lines->items[n % template->lines->count]);
    }
    return 0;
}

size_t load_template_render(
    const struct load_template *template, uint64_t seed, uint64_t n, uint64_t salt, uint8_t *out) {
    uint64_t mixed = seed ^ (salt * UINT64_C(0xd1342543de82ef95));
    struct prng random = prng_seed(prng_splitmix(&mixed) + n);
    size_t size = 0;
    for (uint32_t i = 0; i < template->count; i++)
        size += piece_render(template, &template->pieces[i], &random, n, out + size);
    return size;
}
