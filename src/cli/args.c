#include "base/text.h"
#include "base/units.h"
#include "cli/command.h"
#include <stdio.h>

int cli_fail(enum weir_error error) {
    const char *text = weir_error_text();
    fprintf(stderr, "weir: %s\n", text[0] ? text : weir_error_sentence(error));
    return weir_error_exit(error);
}

static void print_usage(FILE *to, const struct cli_command *command, const struct cli_flag *flags) {
    fprintf(to, "weir %s %s\n  %s\n", command->name, command->usage, command->summary);
    for (const struct cli_flag *f = flags; f && f->name; f++)
        fprintf(to, "  --%s%s%s\n        %s\n", f->name, f->placeholder ? " " : "",
            f->placeholder ? f->placeholder : "", f->summary);
}

static int wrong(const struct cli_command *command, const struct cli_flag *flags, const char *what, const char *word) {
    fprintf(stderr, "weir: %s%s\n", what, word);
    print_usage(stderr, command, flags);
    return CLI_EXIT_USAGE;
}

static const struct cli_flag *find_flag(const struct cli_flag *flags, struct weir_slice name) {
    for (const struct cli_flag *f = flags; f && f->name; f++)
        if (weir_slice_equal(name, weir_slice_text(f->name))) return f;
    return NULL;
}

static int unknown_flag(const struct cli_command *command, const struct cli_flag *flags, const char *word) {
    const char *names[64];
    size_t count = 0;
    for (const struct cli_flag *f = flags; f && f->name && count < 64; f++)
        names[count++] = f->name;
    int nearest = text_nearest(weir_slice_text(word + 2), names, count);
    char what[200];
    struct text_builder t = TEXT_BUILDER(what);
    text_printf(&t, "unknown flag %s", word);
    if (nearest >= 0) text_printf(&t, "; did you mean --%s?", names[nearest]);
    return wrong(command, flags, what, "");
}

static enum weir_error set_flag(const struct cli_flag *f, const char *value) {
    switch (f->kind) {
    case CLI_SWITCH:
        *(bool *)f->ret_value = true;
        return WEIR_OK;
    case CLI_NUMBER:
        return parse_u64(weir_slice_text(value), (uint64_t *)f->ret_value);
    case CLI_TEXT:
        *(const char **)f->ret_value = value;
        return WEIR_OK;
    case CLI_LIST: {
        struct cli_list *list = f->ret_value;
        if (list->count == CLI_LIST_MAX)
            return weir_error_context(WEIR_E_TOO_LARGE, "--%s may be given %d times at most", f->name, CLI_LIST_MAX);
        list->items[list->count++] = value;
        return WEIR_OK;
    }
    }
    return WEIR_E_INVALID;
}

/* One `--name[=value]`; *i is moved past a separate value. */
static int take_flag(const struct cli_command *command, const struct cli_flag *flags, int argc, char **argv, int *i) {
    const char *word = argv[*i];
    const char *equals = strchr(word, '=');
    size_t size = equals ? (size_t)(equals - word) : strlen(word);
    const struct cli_flag *f = find_flag(flags, weir_slice(word + 2, size - 2));
    if (!f) return unknown_flag(command, flags, word);
    const char *value = equals ? equals + 1 : NULL;
    if (f->kind == CLI_SWITCH && value) return wrong(command, flags, "takes no value: --", f->name);
    if (f->kind != CLI_SWITCH && !value) {
        if (*i + 1 >= argc) return wrong(command, flags, "a value is missing after --", f->name);
        value = argv[++*i];
    }
    if (set_flag(f, value) != WEIR_OK) return wrong(command, flags, weir_error_text(), "");
    return -1;
}

int cli_parse(const struct cli_command *command, const struct cli_flag *flags, int argc, char **argv,
    int positionals_min, int positionals_max, int *ret_positionals) {
    int count = 0;
    bool flags_end = false;
    for (int i = 0; i < argc; i++) {
        if (!flags_end && strcmp(argv[i], "--") == 0) {
            flags_end = true;
        } else if (!flags_end && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_usage(stdout, command, flags);
            return 0;
        } else if (!flags_end && strncmp(argv[i], "--", 2) == 0) {
            int code = take_flag(command, flags, argc, argv, &i);
            if (code >= 0) return code;
        } else {
            argv[count++] = argv[i];
        }
    }
    if (count < positionals_min) return wrong(command, flags, "something is missing; usage:", "");
    if (count > positionals_max) return wrong(command, flags, "more than expected: ", argv[positionals_max]);
    *ret_positionals = count;
    return -1;
}
