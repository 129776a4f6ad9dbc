/* load/template.h: bytes with holes: what differs from request to request.
 *
 *   {{n}}            the request's number, from 0            {{uuid}}       a random UUID (version 4)
 *   {{rand A B}}     a whole number from A to B              {{choice A B}} one of the words
 *   {{line}}         line n of --data, from its start again at its end
 *   {{{{             two braces
 * What a request's holes hold is a function of the seed and the request's number alone: a retry is the same bytes.
 * Compiled once; rendering allocates nothing and cannot fail. Slices point into the text given, which must outlive it.
 */
#ifndef WEIR_LOAD_TEMPLATE_H
#define WEIR_LOAD_TEMPLATE_H
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

#define LOAD_TEMPLATE_PIECES_MAX 256u

/* Lines of a file, for {{line}}. */
struct load_lines {
    struct weir_slice *items;
    uint64_t count;
    size_t size_max;    /* of the longest */
    uint64_t *times_ns; /* of a capture: since the first, never falling; else NULL */
};
/* Points into `text`. INVALID when there is no line. */
WEIR_MUST enum weir_error load_lines_init(struct load_lines *lines, struct weir_slice text);
void load_lines_done(struct load_lines *lines);

enum load_piece_kind {
    LOAD_PIECE_TEXT,
    LOAD_PIECE_NUMBER,
    LOAD_PIECE_UUID,
    LOAD_PIECE_RANDOM,
    LOAD_PIECE_CHOICE,
    LOAD_PIECE_LINE,
};
struct load_piece {
    enum load_piece_kind kind;
    struct weir_slice text; /* TEXT; CHOICE: the words, one blank or more between */
    uint64_t low, high;     /* RANDOM: bounds; CHOICE: words - 1 */
};
struct load_template {
    struct load_piece *pieces;
    uint32_t count;
    size_t size_max; /* of what it renders */
    const struct load_lines *lines;
};

/* lines NULL: {{line}} is refused. */
WEIR_MUST enum weir_error load_template_init(
    struct load_template *template, struct weir_slice text, const struct load_lines *lines);
void load_template_done(struct load_template *template);
/* out has room for size_max bytes; returns the bytes written. `salt` tells the templates of one request apart. */
size_t load_template_render(
    const struct load_template *template, uint64_t seed, uint64_t n, uint64_t salt, uint8_t *out);
#endif
