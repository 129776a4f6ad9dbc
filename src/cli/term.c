#include "cli/term.h"
#include "base/text.h"
#include "base/units.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum term_color_when color_when;

void term_color(enum term_color_when when) {
    color_when = when;
}

static bool has_color(FILE *to) {
    if (color_when != TERM_COLOR_AUTO) return color_when == TERM_COLOR_ALWAYS;
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    if (none && none[0]) return false;
    return term && strcmp(term, "dumb") != 0 && isatty(fileno(to));
}

const char *term_on(FILE *to, enum term_style style) {
    static const char *const sequences[] = {
        [TERM_BOLD] = "\033[1m", [TERM_RED] = "\033[1;31m", [TERM_GREEN] = "\033[32m", [TERM_YELLOW] = "\033[33m"};
    return has_color(to) ? sequences[style] : "";
}

const char *term_off(FILE *to) {
    return has_color(to) ? "\033[0m" : "";
}

#define DRAW_AFTER_NS 250000000ull
#define DRAW_EVERY_NS 100000000ull

void progress_start(
    struct progress *progress, struct sys *sys, const char *what, const char *unit, uint64_t total, bool results_move) {
    *progress = (struct progress){.sys = sys, .what = what, .unit = unit, .total = total};
    progress->on = isatty(STDERR_FILENO) && !(results_move && isatty(STDOUT_FILENO));
    progress->began_ns = sys->mono_ns(sys);
    progress->drawn_ns = progress->began_ns + DRAW_AFTER_NS - DRAW_EVERY_NS;
}

void progress_at(struct progress *progress, uint64_t done) {
    if (!progress->on) return;
    uint64_t now = progress->sys->mono_ns(progress->sys);
    if (now < progress->drawn_ns + DRAW_EVERY_NS) return;
    progress->drawn_ns = now;
    progress->drawn = true;
    char line[200];
    struct text_builder t = TEXT_BUILDER(line);
    text_printf(&t, "%s: ", progress->what);
    text_add_grouped(&t, done);
    if (progress->total > 0) {
        text_add(&t, " of ");
        text_add_grouped(&t, progress->total);
    }
    text_printf(&t, " %s, ", progress->unit);
    if (progress->total > 0) text_printf(&t, "%u %%, ", (unsigned)((double)done * 100 / (double)progress->total));
    text_add_duration_short(&t, now - progress->began_ns);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void progress_done(struct progress *progress) {
    if (progress->drawn) fprintf(stderr, "\r\033[K");
    progress->drawn = progress->on = false;
}
