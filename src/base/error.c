/* base/error.c: the table of errors and the thread's context line. */
#include <weir/error.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct error_row {
    const char *name;
    const char *sentence;
    int http;
    int exit;
    int retryable;
};

static const struct error_row rows[] = {
#define ERROR_ROW(name, value, sentence, http, exit, retry) [value] = {#name, sentence, http, exit, retry},
    WEIR_ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
};

static const struct error_row unknown = {"UNKNOWN", "an error this binary has no name for", 500, 1, 0};

static _Thread_local char context[512];

static const struct error_row *row_of(enum weir_error e) {
    size_t index = (size_t)(unsigned)e;
    if (index >= sizeof rows / sizeof rows[0] || !rows[index].name) return &unknown;
    return &rows[index];
}

const char *weir_error_name(enum weir_error e) {
    return row_of(e)->name;
}

const char *weir_error_sentence(enum weir_error e) {
    return row_of(e)->sentence;
}

int weir_error_http(enum weir_error e) {
    return row_of(e)->http;
}

int weir_error_exit(enum weir_error e) {
    return row_of(e)->exit;
}

int weir_error_retryable(enum weir_error e) {
    return row_of(e)->retryable;
}

/* Arguments may point into the present context, so the new line is built aside. Line ends become blanks: one line. */
static void context_set(const char *line) {
    size_t n = 0;
    for (; line[n] && n + 1 < sizeof context; n++)
        context[n] = line[n] == '\n' || line[n] == '\r' ? ' ' : line[n];
    context[n] = 0;
}

enum weir_error weir_error_context(enum weir_error e, const char *format, ...) {
    char line[sizeof context];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    context_set(line);
    return e;
}

/* Adds what fits of text at `used`; returns the new end, at most the last byte of a context. */
static size_t line_add(char *line, size_t used, const char *text) {
    size_t size = strlen(text), room = sizeof context - 1 - used;
    if (size > room) size = room;
    memcpy(line + used, text, size);
    return used + size;
}

enum weir_error weir_error_wrap(enum weir_error e, const char *format, ...) {
    char line[sizeof context];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (used && context[0]) used = line_add(line, used, ": ");
    line[line_add(line, used, context)] = 0;
    context_set(line);
    return e;
}

const char *weir_error_text(void) {
    return context;
}

void weir_error_clear(void) {
    context[0] = 0;
}
