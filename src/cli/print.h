/* cli/print.h: a command's results as JSON on stdout: built whole in memory, printed with a line's end at close. */
#ifndef WEIR_CLI_PRINT_H
#define WEIR_CLI_PRINT_H
#include "base/arena.h"
#include "base/json.h"

struct print_json {
    struct arena arena;
    struct text_builder text;
    struct json_writer writer;
};
/* Stays where it is until the close: the writer points into it. */
struct json_writer *print_json_open(struct print_json *print);
void print_json_close(struct print_json *print);

#endif
