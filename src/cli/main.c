/* weir(1). */
#include "base/text.h"
#include "cli/command.h"
#include "services/registry.h"
#include <stdio.h>
#include <weir/service.h>

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
