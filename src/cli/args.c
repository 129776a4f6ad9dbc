#include "base/text.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/term.h"

int cli_fail(enum weir_error error) {
    const char *text = weir_error_text();
    fprintf(stderr, "%sweir:%s %s\n", term_on(stderr, TERM_RED), term_off(stderr),
        text[0] ? text : weir_error_sentence(error));
    return weir_error_exit(error);
}

const struct cli_flag cli_common_flags[] = {
    {"help", CLI_SWITCH, 0, NULL, "say what the command does, and what it takes"},
    {"color", CLI_TEXT, 0, "WHEN", "auto (the default: on a terminal, and not where NO_COLOR is set), always or never",
        CLI_CHOICE, "auto always never"},
    {0},
};

static int wrong(const struct cli_command *command, const char *what, const char *word) {
    fprintf(stderr, "%sweir:%s %s%s\n", term_on(stderr, TERM_RED), term_off(stderr), what, word);
    cli_print_usage_line(stderr, command);
    fprintf(stderr, "`weir %s --help` says more\n", command->name);
    return CLI_EXIT_USAGE;
}

static const struct cli_flag *find_flag(const struct cli_flag *flags, struct weir_slice name) {
    for (const struct cli_flag *f = flags; f && f->name; f++)
        if (weir_slice_equal(name, weir_slice_text(f->name))) return f;
    return NULL;
}

static int unknown_flag(const struct cli_command *command, struct weir_slice name) {
    const struct cli_flag *tables[] = {command->flags, cli_common_flags};
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < 2; i++)
        for (const struct cli_flag *f = tables[i]; f && f->name && count < 64; f++)
            names[count++] = f->name;
    int nearest = text_nearest(name, names, count);
    char what[200];
    struct text_builder t = TEXT_BUILDER(what);
    text_printf(&t, "unknown flag --%.*s", (int)name.size, name.data);
    if (nearest >= 0) text_printf(&t, "; did you mean --%s?", names[nearest]);
    return wrong(command, what, "");
}

static enum weir_error set_flag(const struct cli_flag *f, const char *value, void *values) {
    void *at = (char *)values + f->at;
    switch (f->kind) {
    case CLI_SWITCH:
        *(bool *)at = true;
        return WEIR_OK;
    case CLI_NUMBER:
        if (parse_u64(weir_slice_text(value), (uint64_t *)at) == WEIR_OK) return WEIR_OK;
        return weir_error_wrap(WEIR_E_INVALID, "--%s", f->name);
    case CLI_TEXT:
        *(const char **)at = value;
        return WEIR_OK;
    case CLI_LIST: {
        struct cli_list *list = at;
        if (list->count == CLI_LIST_MAX)
            return weir_error_context(WEIR_E_TOO_LARGE, "--%s may be given %d times at most", f->name, CLI_LIST_MAX);
        list->items[list->count++] = value;
        return WEIR_OK;
    }
    }
    return WEIR_E_INVALID;
}

int cli_take_color(const char *when) {
    static const char *const names[] = {"auto", "always", "never"};
    for (int i = 0; i < 3; i++)
        if (strcmp(when, names[i]) == 0) {
            term_color((enum term_color_when)i);
            return -1;
        }
    fprintf(stderr, "weir: --color is one of auto, always and never, not `%s`\n", when);
    return CLI_EXIT_USAGE;
}

/* One `--name[=value]`; *i is moved past a separate value. */
static int take_flag(const struct cli_command *command, int argc, char **argv, void *values, int *i) {
    const char *word = argv[*i] + 2;
    const char *equals = strchr(word, '=');
    struct weir_slice name = weir_slice(word, equals ? (size_t)(equals - word) : strlen(word));
    const struct cli_flag *f = find_flag(command->flags, name), *common = f ? NULL : find_flag(cli_common_flags, name);
    if (!f && !common) return unknown_flag(command, name);
    const struct cli_flag *row = f ? f : common;
    const char *value = equals ? equals + 1 : NULL;
    if (row->kind == CLI_SWITCH && value) return wrong(command, "takes no value: --", row->name);
    if (row->kind != CLI_SWITCH && !value) {
        if (*i + 1 >= argc) return wrong(command, "a value is missing after --", row->name);
        value = argv[++*i];
    }
    if (common) return value ? cli_take_color(value) : -1;
    if (set_flag(f, value, values) != WEIR_OK) return wrong(command, weir_error_text(), "");
    return -1;
}

static int check_count(const struct cli_command *command, int count, char **argv) {
    int taken = 0;
    for (const struct cli_positional *p = command->positionals; p && p->name; p++, taken++)
        if (taken >= count && !p->optional) return wrong(command, "missing: ", p->name);
    return count > taken ? wrong(command, "more than expected: ", argv[taken]) : -1;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *values, int *ret_positionals) {
    int count = 0;
    bool flags_end = false;
    for (int i = 0; i < argc; i++) {
        if (!flags_end && strcmp(argv[i], "--") == 0) {
            flags_end = true;
        } else if (!flags_end && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            cli_print_usage(stdout, command);
            return 0;
        } else if (!flags_end && strncmp(argv[i], "--", 2) == 0) {
            int code = take_flag(command, argc, argv, values, &i);
            if (code >= 0) return code;
        } else {
            argv[count++] = argv[i];
        }
    }
    int code = check_count(command, count, argv);
    if (code < 0) *ret_positionals = count;
    return code;
}
