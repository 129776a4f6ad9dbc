/* weir(1). */
#include "base/text.h"
#include "cli/command.h"
#include "services/registry.h"
#include <stdio.h>
#include <weir/service.h>

const struct cli_command cli_commands[] = {
    {"up",
        "[--data DIR] [--listen HOST:PORT] [--config FILE] [--only LIST] [--service FILE] [--lanes N] [--set "
        "KEY=VALUE]",
        "start a node in the foreground", cli_up},
    {"config check", "FILE", "check a configuration file against the tables", cli_config_check},
    {"config print", "[FILE]", "print every key with its value and where it came from", cli_config_print},
    {"config explain", "KEY [FILE]", "say what a key means, its bounds and its value", cli_config_explain},
    {"topic list", "[--json]", "list the topics of a running node", cli_topic_list},
    {"topic create", "NAME [--partitions N]", "create a topic", cli_topic_create},
    {"topic delete", "NAME", "delete a topic and its records", cli_topic_delete},
    {"topic append", "NAME [VALUE] [--key KEY] [--partition N]",
        "append a record; without VALUE, one per line of stdin", cli_topic_append},
    {"topic read", "NAME [--partition N] [--offset N] [--limit N]", "print records as JSON lines", cli_topic_read},
    {"topic tail", "NAME [--partition N]", "print new records as they arrive", cli_topic_tail},
    {"service list", "[--json] [--service FILE]", "list the services of a node, or of this binary", cli_service_list},
    {"service describe", "NAME [--json] [--service FILE] [--data DIR]",
        "settings, topics, routes, metrics, reasons, and where each partition stands", cli_service_describe},
    {"service check", "FILE|NAME [--allow FUNCTION]", "what is wrong with a service in a shared object, before it runs",
        cli_service_check},
    {"service snapshot", "NAME [--json]", "take a snapshot now, and say of which offsets it is", cli_service_snapshot},
    {"service skip", "NAME --offset N [--partition N]", "pass over a poison record that parked a partition",
        cli_service_skip},
    {"service replay", "NAME [--until OFFSET] [--partition N] [--data DIR] [--dump]",
        "rebuild a service's state as of an offset, offline", cli_service_replay},
    {"log verify", "DIR", "read everything in a data folder and check it", cli_log_verify},
    {"log repair", "DIR", "move damaged bytes to quarantine/ and keep the longest correct log", cli_log_repair},
    {"log dump", "FILE [--deep]", "print the frames or batches of a journal or segment file", cli_log_dump},
    {"version", "", "print the version", cli_version},
    {0},
};

static void print_help(FILE *to) {
    fprintf(to, "weir: a runtime for event-driven services\n\n");
    for (const struct cli_command *c = cli_commands; c->name; c++)
        fprintf(to, "  weir %-18s %s\n", c->name, c->summary);
    for (size_t i = 0; i < weir_services_count; i++)
        for (const struct weir_tool *t = weir_services[i]->tools; t && t->name; t++)
            fprintf(to, "  weir %s %-*s %s\n", weir_services[i]->name, (int)(17 - strlen(weir_services[i]->name)),
                t->name, t->summary);
    fprintf(to, "\n`weir COMMAND --help` says more. Start with: weir up\n");
}

/* Words of the command's name that argv matches, 0 when it does not. */
static int match(const char *name, int argc, char **argv) {
    int words = 0;
    while (*name) {
        size_t n = strcspn(name, " ");
        if (words >= argc || strlen(argv[words]) != n || strncmp(argv[words], name, n) != 0) return 0;
        words++;
        name += n + (name[n] == ' ');
    }
    return words;
}

static const struct weir_tool *find_tool(int argc, char **argv) {
    for (size_t i = 0; argc >= 2 && i < weir_services_count; i++)
        for (const struct weir_tool *t = weir_services[i]->tools; t && t->name; t++)
            if (strcmp(weir_services[i]->name, argv[0]) == 0 && strcmp(t->name, argv[1]) == 0) return t;
    return NULL;
}

static int run_tool(const struct weir_tool *tool, int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("weir %s %s %s\n  %s\n  without arguments it explains its flags\n", argv[0], tool->name, tool->usage,
                tool->summary);
            return 0;
        }
    return tool->run(argc - 1, argv + 1);
}

static int unknown_command(int argc, char **argv) {
    char word[160];
    struct text_builder t = TEXT_BUILDER(word);
    text_printf(
        &t, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "", argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    const char *names[64];
    size_t count = 0;
    for (const struct cli_command *c = cli_commands; c->name && count < 64; c++)
        names[count++] = c->name;
    int nearest = text_nearest(weir_slice_text(word), names, count);
    struct weir_slice first = weir_slice_text(argv[0]);
    for (size_t i = 0; nearest < 0 && i < count; i++) { /* the first word alone: `topics` for `topic list` */
        struct weir_slice head = weir_slice(names[i], strcspn(names[i], " "));
        if (text_distance(first, head) <= 1) nearest = (int)i;
    }
    fprintf(stderr, "weir: there is no command `%s`", word);
    if (nearest >= 0) fprintf(stderr, "; did you mean `weir %s`?", names[nearest]);
    fprintf(stderr, "\n`weir help` lists all commands\n");
    return CLI_EXIT_USAGE;
}

int cli_version(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 0, 0, &positionals);
    if (code < 0) printf("weir %s\n", WEIR_VERSION);
    return code < 0 ? 0 : code;
}

int main(int argc, char **argv) {
    argc--;
    argv++;
    if (argc == 0 || strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        print_help(argc == 0 ? stderr : stdout);
        return argc == 0 ? CLI_EXIT_USAGE : 0;
    }
    if (strcmp(argv[0], "--version") == 0) return cli_version(cli_commands, argc - 1, argv + 1);
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        int words = match(c->name, argc, argv);
        if (words > 0) return c->run(c, argc - words, argv + words);
    }
    const struct weir_tool *tool = find_tool(argc, argv);
    if (tool) return run_tool(tool, argc, argv);
    return unknown_command(argc, argv);
}
