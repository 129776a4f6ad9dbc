#include "cli/print.h"
#include <stdio.h>

struct json_writer *print_json_open(struct print_json *print) {
    arena_init(&print->arena, NULL, 64u << 10, 0);
    print->text = text_builder_arena(&print->arena, 0);
    print->writer = json_writer(&print->text, 0);
    return &print->writer;
}

void print_json_close(struct print_json *print) {
    fwrite(print->text.data, 1, print->text.size, stdout);
    putchar('\n');
    arena_done(&print->arena);
}
