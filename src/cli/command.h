/* cli/command.h: the commands of weir(1), as tables. A noun's file (topic.c, log_tools.c, ...) ends with its table; the
 * list of tables stands in commands.c. From a row come the parser, --help, the man page, the completions of the shells
 * and docs/reference/cli.md.
 *
 * Exit codes: 0 done; 64 the command line is wrong; 70 a node could not go on; else weir_error_exit() of the error,
 * whose sentence went to stderr. Results go to stdout, everything else to stderr. A command that lists something takes
 * --json.
 */
#ifndef WEIR_CLI_COMMAND_H
#define WEIR_CLI_COMMAND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <weir/error.h>
#include <weir/slice.h>

#define CLI_EXIT_USAGE 64
#define CLI_EXIT_FATAL 70 /* what struct sys' fatal() ends with */

enum cli_flag_kind { CLI_TEXT, CLI_NUMBER, CLI_SWITCH, CLI_LIST };
#define CLI_LIST_MAX 64
struct cli_list { /* of a flag that may be given several times */
    const char *items[CLI_LIST_MAX];
    uint32_t count;
};

/* What a word is, for completion and for "did you mean". */
enum cli_word { CLI_ANY, CLI_FILE, CLI_FOLDER, CLI_TOPIC, CLI_SERVICE, CLI_SETTING, CLI_COMMAND, CLI_CHOICE };

struct cli_flag {
    const char *name; /* without the dashes */
    enum cli_flag_kind kind;
    /* Where its value goes in the command's struct of values: const char * | uint64_t | bool | struct cli_list.
     * What is not given stays as it was: the struct's initial values are the defaults. */
    size_t at;
    const char *placeholder; /* NULL for a switch */
    const char *summary;     /* NULL: what the node's setting of that name says */
    enum cli_word word;
    const char *choices; /* CLI_CHOICE: "auto always never" */
};
struct cli_positional {
    const char *name; /* "FILE" */
    enum cli_word word;
    bool optional; /* optional ones stand last */
    const char *summary;
    const char *choices;
};
struct cli_exit {
    enum weir_error error;
    const char *when;
};
struct cli_example {
    const char *line, *what;
};

struct cli_command {
    const char *name;                         /* "topic create" */
    const char *summary;                      /* one line, no full stop */
    const char *description;                  /* sentences for --help and the man page; NULL: the summary says it */
    const struct cli_positional *positionals; /* each table ends with a zero row; NULL: none */
    const struct cli_flag *flags;
    const struct cli_exit *exits; /* what it ends with beside 0 and 64, and what that means here */
    const struct cli_example *examples;
    bool lists;  /* prints a list: it has --json, and the tests prove that what it prints then is JSON */
    bool hidden; /* for the build of this tree: not in help, pages or completions */
    int (*run)(const struct cli_command *command, int argc, char **argv); /* what follows the name */
};
/* For rows: a table in place, closed by its zero row. */
#define CLI_POSITIONALS(...) ((const struct cli_positional[]){__VA_ARGS__, {0}})
#define CLI_FLAGS(...)       ((const struct cli_flag[]){__VA_ARGS__, {0}})
#define CLI_EXITS(...)       ((const struct cli_exit[]){__VA_ARGS__, {0}})
#define CLI_EXAMPLES(...)    ((const struct cli_example[]){__VA_ARGS__, {0}})
#define CLI_JSON_FLAG(values, summary)                                                                                 \
    { "json", CLI_SWITCH, offsetof(values, json), NULL, summary }

/* ---- the tables ---- */
extern const struct cli_command *const cli_tables[]; /* each ends with name NULL; the list with NULL */
/* In order of the tables; NULL after the last. *i starts at 0. Hidden ones too. */
const struct cli_command *cli_next(size_t *i);
/* The command whose name's words argv begins with; *ret_words of them. NULL: none. */
const struct cli_command *cli_find(int argc, char **argv, int *ret_words);
/* `there is no command`, with the nearest one, or the commands of a noun without its verb. */
int cli_no_command(int argc, char **argv);
struct weir_service;
const struct weir_service *cli_service(const char *name); /* of the binary; NULL: none */

/* ---- parsing ---- */
/* Flags of every command, in its name's place or before it: --help, --color WHEN. */
extern const struct cli_flag cli_common_flags[];
/* Parses `--name value`, `--name=value` and positionals into `values` (NULL: the command has no flags). Positionals are
 * moved to the front of argv; their count is what the table says. On a mistake prints what is wrong, the nearest flag,
 * and the usage, and returns CLI_EXIT_USAGE; -1: go on. --help prints and returns 0. */
int cli_parse(const struct cli_command *command, int argc, char **argv, void *values, int *ret_positionals);
/* --color's value; prints what is wrong and returns CLI_EXIT_USAGE, else -1. */
int cli_take_color(const char *when);

/* Prints "weir: <context or sentence>" and returns the exit code. */
int cli_fail(enum weir_error error);

/* ---- help.c ---- */
extern const struct cli_example cli_environment[];                 /* variables and what they do; ends with line NULL */
void cli_print_help(FILE *to);                                     /* all commands */
void cli_print_usage(FILE *to, const struct cli_command *command); /* one, whole */
void cli_print_usage_line(FILE *to, const struct cli_command *command); /* "weir topic create NAME [--partitions N]" */
const char *cli_flag_summary(const struct cli_flag *flag);

/* The tables by noun. */
extern const struct cli_command cli_up_commands[];
extern const struct cli_command cli_check_commands[];
extern const struct cli_command cli_health_commands[];
extern const struct cli_command cli_config_commands[];
extern const struct cli_command cli_topic_commands[];
extern const struct cli_command cli_service_commands[];
extern const struct cli_command cli_service_check_commands[];
extern const struct cli_command cli_effects_commands[];
extern const struct cli_command cli_gate_commands[];
extern const struct cli_command cli_log_commands[];
extern const struct cli_command cli_load_commands[];
extern const struct cli_command cli_projection_commands[];
extern const struct cli_command cli_backup_commands[];
extern const struct cli_command cli_tls_commands[];
extern const struct cli_command cli_token_commands[];
extern const struct cli_command cli_audit_commands[];
extern const struct cli_command cli_completion_commands[];
extern const struct cli_command cli_help_commands[];

#endif
