/* The list of the nouns' tables, and how a command is found in it. */
#include "base/text.h"
#include "cli/command.h"
#include "services/registry.h"
#include <string.h>
#include <weir/service.h>

#define NAMES_MAX 256

const struct cli_command *const cli_tables[] = {
    cli_up_commands,
    cli_check_commands,
    cli_health_commands,
    cli_config_commands,
    cli_topic_commands,
    cli_service_commands,
    cli_service_check_commands,
    cli_effects_commands,
    cli_gate_commands,
    cli_log_commands,
    cli_load_commands,
    cli_projection_commands,
    cli_backup_commands,
    cli_tls_commands,
    cli_token_commands,
    cli_audit_commands,
    cli_completion_commands,
    cli_help_commands,
    NULL,
};

const struct cli_command *cli_next(size_t *i) {
    size_t at = 0;
    for (const struct cli_command *const *table = cli_tables; *table; table++)
        for (const struct cli_command *c = *table; c->name; c++)
            if (at++ == *i) {
                ++*i;
                return c;
            }
    return NULL;
}

/* Words of the command's name that argv begins with, 0 when it does not. */
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

const struct cli_command *cli_find(int argc, char **argv, int *ret_words) {
    size_t i = 0;
    for (const struct cli_command *c = cli_next(&i); c; c = cli_next(&i)) {
        int words = match(c->name, argc, argv);
        if (words > 0) {
            *ret_words = words;
            return c;
        }
    }
    return NULL;
}

struct names {
    const char *items[NAMES_MAX];
    size_t count;
};

static struct names command_names(void) {
    struct names names = {.count = 0};
    size_t i = 0;
    for (const struct cli_command *c = cli_next(&i); c && names.count < NAMES_MAX; c = cli_next(&i))
        if (!c->hidden) names.items[names.count++] = c->name;
    return names;
}

/* A noun without its verb: what it can do. */
static bool print_noun(const char *noun, const struct names *names) {
    size_t size = strlen(noun), found = 0;
    for (size_t i = 0; i < names->count; i++)
        if (strncmp(names->items[i], noun, size) == 0 && names->items[i][size] == ' ')
            fprintf(stderr, "%s weir %s\n", found++ == 0 ? "weir: what of it? There are:\n" : "", names->items[i]);
    return found > 0;
}

int cli_no_command(int argc, char **argv) {
    struct names names = command_names();
    bool two = argc > 1 && argv[1][0] != '-';
    if (!two && print_noun(argv[0], &names)) return CLI_EXIT_USAGE;
    char word[160];
    struct text_builder t = TEXT_BUILDER(word);
    text_printf(&t, "%s%s%s", argv[0], two ? " " : "", two ? argv[1] : "");
    int nearest = text_nearest(weir_slice_text(word), names.items, names.count);
    struct weir_slice first = weir_slice_text(argv[0]);
    for (size_t i = 0; nearest < 0 && i < names.count; i++) { /* the first word alone: `topics` for `topic list` */
        struct weir_slice head = weir_slice(names.items[i], strcspn(names.items[i], " "));
        if (text_distance(first, head) <= 1) nearest = (int)i;
    }
    fprintf(stderr, "weir: there is no command `%s`", word);
    if (nearest >= 0) fprintf(stderr, "; did you mean `weir %s`?", names.items[nearest]);
    fprintf(stderr, "\n`weir help` lists all commands\n");
    return CLI_EXIT_USAGE;
}

const struct weir_service *cli_service(const char *name) {
    for (size_t i = 0; i < weir_services_count; i++)
        if (strcmp(weir_services[i]->name, name) == 0) return weir_services[i];
    return NULL;
}
