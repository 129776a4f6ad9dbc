/* weir(1): finds the command in the tables, or the tool in a service's, and runs it. */
#include "cli/command.h"
#include "cli/route.h"
#include "services/registry.h"
#include <string.h>
#include <weir/service.h>

static const struct weir_tool *find_tool(int argc, char **argv) {
    const struct weir_service *service = argc >= 2 ? cli_service(argv[0]) : NULL;
    for (const struct weir_tool *t = service ? service->tools : NULL; t && t->name; t++)
        if (strcmp(t->name, argv[1]) == 0) return t;
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

/* --color in front of the command; how many words it takes, or -1 with the exit code. */
static int take_color(int argc, char **argv, int *ret_code) {
    const char *flag = "--color";
    size_t size = strlen(flag);
    if (argc == 0 || strncmp(argv[0], flag, size) != 0) return 0;
    const char *when = argv[0][size] == '=' ? argv[0] + size + 1 : argc > 1 ? argv[1] : "";
    *ret_code = cli_take_color(when);
    return *ret_code >= 0 ? -1 : argv[0][size] == '=' ? 1 : 2;
}

int main(int argc, char **argv) {
    static char help_word[] = "help", version_word[] = "version";
    int code = 0, skip = take_color(argc - 1, argv + 1, &code);
    if (skip < 0) return code;
    argc -= 1 + skip;
    argv += 1 + skip;
    if (argc == 0) {
        cli_print_help(stderr);
        return CLI_EXIT_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) argv[0] = help_word;
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0) argv[0] = version_word;
    int words = 0;
    const struct cli_command *command = cli_find(argc, argv, &words);
    if (command) return command->run(command, argc - words, argv + words);
    const struct weir_tool *tool = find_tool(argc, argv);
    if (tool) return run_tool(tool, argc, argv);
    const struct weir_service *service = cli_service(argv[0]);
    return service && cli_has_verbs(service) ? cli_run_verb(service, argc - 1, argv + 1) : cli_no_command(argc, argv);
}
