/* What the tables say, for eyes: `weir help`, `COMMAND --help`, the pages that are not of one command. */
#include "base/json.h"
#include "cli/command.h"
#include "cli/print.h"
#include "cli/route.h"
#include "cli/term.h"
#include "host/settings.h"
#include "services/registry.h"
#include <string.h>
#include <weir/service.h>

void cli_print_help(FILE *to) {
    const char *bold = term_on(to, TERM_BOLD), *off = term_off(to);
    fprintf(to, "%sweir%s: a runtime for event-driven services\n\n", bold, off);
    size_t i = 0;
    for (const struct cli_command *c = cli_next(&i); c; c = cli_next(&i))
        if (!c->hidden) fprintf(to, "  weir %s%-18s%s %s\n", bold, c->name, off, c->summary);
    for (size_t s = 0; s < weir_services_count; s++)
        for (const struct weir_tool *t = weir_services[s]->tools; t && t->name; t++) {
            char name[96];
            snprintf(name, sizeof name, "%s %s", weir_services[s]->name, t->name);
            fprintf(to, "  weir %s%-18s%s %s\n", bold, name, off, t->summary);
        }
    for (size_t s = 0; s < weir_services_count; s++)
        if (cli_has_verbs(weir_services[s]))
            fprintf(to, "  weir %s%-18s%s %s (`weir %s --help` lists its verbs)\n", bold, weir_services[s]->name, off,
                weir_services[s]->summary, weir_services[s]->name);
    fprintf(to,
        "\n`weir COMMAND --help` says more, `weir help exit-codes` and `weir help environment` what holds for all.\n"
        "Start with: weir up\n");
}

void cli_print_usage_line(FILE *to, const struct cli_command *command) {
    fprintf(to, "usage: weir %s", command->name);
    for (const struct cli_positional *p = command->positionals; p && p->name; p++)
        fprintf(to, p->optional ? " [%s]" : " %s", p->name);
    for (const struct cli_flag *f = command->flags; f && f->name; f++)
        fprintf(to, " [--%s%s%s]", f->name, f->placeholder ? " " : "", f->placeholder ? f->placeholder : "");
    fputc('\n', to);
}

/* The setting `log_level` for the flag `log-level`. */
static bool is_named(const char *setting, const char *flag) {
    for (; *setting && *flag; setting++, flag++)
        if (*setting != *flag && !(*setting == '_' && *flag == '-')) return false;
    return *setting == *flag;
}

const char *cli_flag_summary(const struct cli_flag *flag) {
    if (flag->summary) return flag->summary;
    for (int i = 0; i < NODE_SETTING_COUNT; i++)
        if (is_named(node_settings[i].name, flag->name)) return node_settings[i].summary;
    return "";
}

static void print_flags(FILE *to, const struct cli_flag *flags) {
    for (const struct cli_flag *f = flags; f && f->name; f++)
        fprintf(to, "  --%s%s%s\n        %s\n", f->name, f->placeholder ? " " : "",
            f->placeholder ? f->placeholder : "", cli_flag_summary(f));
}

void cli_print_usage(FILE *to, const struct cli_command *command) {
    cli_print_usage_line(to, command);
    fprintf(to, "  %s\n", command->summary);
    if (command->description) fprintf(to, "\n%s\n", command->description);
    if (command->positionals) fputc('\n', to);
    for (const struct cli_positional *p = command->positionals; p && p->name; p++)
        fprintf(to, "  %s\n        %s\n", p->name, p->summary);
    fputc('\n', to);
    print_flags(to, command->flags);
    print_flags(to, cli_common_flags);
    if (command->exits) fprintf(to, "\nends with\n");
    for (const struct cli_exit *x = command->exits; x && x->when; x++)
        fprintf(to, "  %3d   %s\n", weir_error_exit(x->error), x->when);
    if (command->exits) fprintf(to, "  `weir help exit-codes` lists all.\n");
    if (command->examples) fprintf(to, "\nexamples\n");
    for (const struct cli_example *x = command->examples; x && x->line; x++)
        fprintf(to, "  %s\n        %s\n", x->line, x->what);
}

/* ---- weir help ------------------------------------------------------------------------------------------------------
 */

static const enum weir_error errors[] = {
#define ERROR_VALUE(name, value, sentence, http, exit, retry) WEIR_E_##name,
    WEIR_ERROR_TABLE(ERROR_VALUE)
#undef ERROR_VALUE
};

static void put_error(struct json_writer *w, enum weir_error error) {
    json_write_object_open(w);
    json_put_u64(w, "code", (uint64_t)weir_error_exit(error));
    json_put_text(w, "name", weir_error_name(error));
    json_put_text(w, "sentence", weir_error_sentence(error));
    json_put_u64(w, "http", (uint64_t)weir_error_http(error));
    json_put_bool(w, "retryable", weir_error_retryable(error));
    json_write_object_close(w);
}

/* Those that are no error of the table. */
static const struct {
    int code;
    const char *name, *sentence;
} own_codes[] = {
    {CLI_EXIT_USAGE, "USAGE", "the command line is wrong; the right usage went to stderr"},
    {CLI_EXIT_FATAL, "FATAL", "the node could not go on, as after a failed sync; nothing was acknowledged since"},
};

static void put_own_code(struct json_writer *w, size_t i) {
    json_write_object_open(w);
    json_put_u64(w, "code", (uint64_t)own_codes[i].code);
    json_put_text(w, "name", own_codes[i].name);
    json_put_text(w, "sentence", own_codes[i].sentence);
    json_put_bool(w, "retryable", false);
    json_write_object_close(w);
}

static void print_exit_codes(bool json) {
    if (!json) {
        printf("%4s  %-16s %s\n", "CODE", "ERROR", "MEANING");
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
            printf("%4d  %-16s %s%s\n", weir_error_exit(errors[i]), weir_error_name(errors[i]),
                weir_error_sentence(errors[i]), weir_error_retryable(errors[i]) ? " (worth trying again)" : "");
        for (size_t i = 0; i < sizeof own_codes / sizeof own_codes[0]; i++)
            printf("%4d  %-16s %s\n", own_codes[i].code, own_codes[i].name, own_codes[i].sentence);
        printf("\nThe sentence that says what happened, where, and what to do is on stderr.\n");
        return;
    }
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    json_write_key(w, "exit_codes");
    json_write_array_open(w);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        put_error(w, errors[i]);
    for (size_t i = 0; i < sizeof own_codes / sizeof own_codes[0]; i++)
        put_own_code(w, i);
    json_write_array_close(w);
    json_write_object_close(w);
    print_json_close(&p);
}

static void put_flags(struct json_writer *w, const char *key, const struct cli_flag *flags) {
    json_write_key(w, key);
    json_write_array_open(w);
    for (const struct cli_flag *f = flags; f && f->name; f++) {
        json_write_object_open(w);
        json_put_text(w, "name", f->name);
        json_put_text(w, "value", f->placeholder);
        json_put_text(w, "summary", cli_flag_summary(f));
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_exits_and_examples(struct json_writer *w, const struct cli_command *c) {
    json_write_key(w, "exits");
    json_write_array_open(w);
    for (const struct cli_exit *x = c->exits; x && x->when; x++) {
        json_write_object_open(w);
        json_put_u64(w, "code", (uint64_t)weir_error_exit(x->error));
        json_put_text(w, "name", weir_error_name(x->error));
        json_put_text(w, "when", x->when);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_key(w, "examples");
    json_write_array_open(w);
    for (const struct cli_example *x = c->examples; x && x->line; x++) {
        json_write_object_open(w);
        json_put_text(w, "line", x->line);
        json_put_text(w, "what", x->what);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_command(struct json_writer *w, const struct cli_command *c) {
    json_write_object_open(w);
    json_put_text(w, "name", c->name);
    json_put_text(w, "summary", c->summary);
    json_put_text(w, "description", c->description);
    json_put_bool(w, "lists", c->lists);
    json_write_key(w, "positionals");
    json_write_array_open(w);
    for (const struct cli_positional *p = c->positionals; p && p->name; p++) {
        json_write_object_open(w);
        json_put_text(w, "name", p->name);
        json_put_bool(w, "optional", p->optional);
        json_put_text(w, "summary", p->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    put_flags(w, "flags", c->flags);
    put_exits_and_examples(w, c);
    json_write_object_close(w);
}

/* The tables themselves, for whoever builds on them. */
static void print_commands_json(void) {
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    json_write_key(w, "commands");
    json_write_array_open(w);
    size_t i = 0;
    for (const struct cli_command *c = cli_next(&i); c; c = cli_next(&i))
        if (!c->hidden) put_command(w, c);
    json_write_array_close(w);
    put_flags(w, "common_flags", cli_common_flags);
    json_write_key(w, "tools");
    json_write_array_open(w);
    for (size_t s = 0; s < weir_services_count; s++)
        for (const struct weir_tool *t = weir_services[s]->tools; t && t->name; t++) {
            json_write_object_open(w);
            json_put_text(w, "service", weir_services[s]->name);
            json_put_text(w, "name", t->name);
            json_put_text(w, "usage", t->usage);
            json_put_text(w, "summary", t->summary);
            json_write_object_close(w);
        }
    json_write_array_close(w);
    json_write_object_close(w);
    print_json_close(&p);
}

const struct cli_example cli_environment[] = {
    {"WEIR_NODE", "HOST:PORT of the node that commands talk to, where --node is not given"},
    {"NO_COLOR", "when set and not empty: no colour (https://no-color.org); --color always overrides it"},
    {"TERM", "`dumb`, or not set: no colour"},
    {"NOTIFY_SOCKET", "set by systemd for `weir up`: where the node says that it is ready, alive and stopping"},
    {"WATCHDOG_USEC", "set by systemd for `weir up`: how often it wants to hear that the lanes are alive"},
    {0},
};

static void print_environment(bool json) {
    struct print_json p;
    struct json_writer *w = json ? print_json_open(&p) : NULL;
    if (json) json_write_object_open(w);
    for (const struct cli_example *e = cli_environment; e->line; e++)
        if (json)
            json_put_text(w, e->line, e->what);
        else
            printf("%-14s %s\n", e->line, e->what);
    if (!json) return;
    json_write_object_close(w);
    print_json_close(&p);
}

struct help_values {
    bool json;
};

static int help(const struct cli_command *command, int argc, char **argv) {
    struct help_values given = {0};
    int count = 0, words = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    const struct cli_command *found = cli_find(count, argv, &words);
    if (count == 0 && given.json)
        print_commands_json();
    else if (count == 0)
        cli_print_help(stdout);
    else if (count == 1 && strcmp(argv[0], "exit-codes") == 0)
        print_exit_codes(given.json);
    else if (count == 1 && strcmp(argv[0], "environment") == 0)
        print_environment(given.json);
    else if (found && words == count)
        cli_print_usage(stdout, found);
    else
        return cli_no_command(count, argv);
    return 0;
}

static int version(const struct cli_command *command, int argc, char **argv) {
    struct help_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (given.json)
        printf("{\"version\":\"%s\"}\n", WEIR_VERSION);
    else
        printf("weir %s\n", WEIR_VERSION);
    return 0;
}

const struct cli_command cli_help_commands[] = {
    {
        .name = "help",
        .summary = "list the commands, or say what one of them does",
        .positionals =
            CLI_POSITIONALS({"COMMAND", CLI_COMMAND, true, "a command, or one of the pages exit-codes and environment"},
                {"VERB", CLI_COMMAND, true, "its second word"}),
        .flags = CLI_FLAGS(CLI_JSON_FLAG(struct help_values, "print the tables of commands, or the page, as JSON")),
        .examples = CLI_EXAMPLES({"weir help topic read", "what `weir topic read` takes and does"},
            {"weir help exit-codes", "what each exit code means"}),
        .lists = true,
        .run = help,
    },
    {
        .name = "version",
        .summary = "print the version",
        .flags = CLI_FLAGS(CLI_JSON_FLAG(struct help_values, "print it as JSON")),
        .run = version,
    },
    {0},
};
