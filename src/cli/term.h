/* cli/term.h: what is written for eyes: colour on a terminal, and the progress of long work.
 *
 * Colour: --color always|never, else none where $NO_COLOR is set and not empty (no-color.org), $TERM is dumb, or the
 * stream is no terminal. Owner: the main thread.
 */
#ifndef WEIR_CLI_TERM_H
#define WEIR_CLI_TERM_H
#include "sys/sys.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum term_color_when { TERM_COLOR_AUTO, TERM_COLOR_ALWAYS, TERM_COLOR_NEVER };
void term_color(enum term_color_when when);

enum term_style { TERM_BOLD, TERM_RED, TERM_GREEN, TERM_YELLOW };
/* The sequence that begins the style on that stream, and the one that ends all; "" without colour. */
const char *term_on(FILE *to, enum term_style style);
const char *term_off(FILE *to);

/* One line on stderr that is drawn over itself, at most ten times a second and not before a quarter of a second has
 * passed; nothing when stderr is no terminal, or when stdout is one too and the results themselves are seen to move
 * (`results_move`). Done clears it. */
struct progress {
    struct sys *sys;
    const char *what, *unit;
    uint64_t began_ns, drawn_ns, total; /* total 0: not known */
    bool on, drawn;
};
void progress_start(
    struct progress *progress, struct sys *sys, const char *what, const char *unit, uint64_t total, bool results_move);
void progress_at(struct progress *progress, uint64_t done);
void progress_done(struct progress *progress);

#endif
