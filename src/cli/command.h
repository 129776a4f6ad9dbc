/* cli/command.h: the commands of weir(1), one table; each row's function lives beside the noun it works on.
 *
 * Exit codes: 0 done; 64 the command line is wrong; else weir_error_exit() of the error, whose sentence went to stderr.
 * Results go to stdout, everything else to stderr. --json where a command lists something.
 */
#ifndef WEIR_CLI_COMMAND_H
#define WEIR_CLI_COMMAND_H
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

#define CLI_EXIT_USAGE 64

enum cli_flag_kind { CLI_TEXT, CLI_NUMBER, CLI_SWITCH, CLI_LIST };
#define CLI_LIST_MAX 64
struct cli_list { /* of a flag that may be given several times */
    const char *items[CLI_LIST_MAX];
    uint32_t count;
};
struct cli_flag {
    const char *name; /* without the dashes */
    enum cli_flag_kind kind;
    void *ret_value; /* const char ** | uint64_t * | bool * | struct cli_list * */
    const char *placeholder, *summary;
};

struct cli_command {
    const char *name;  /* "topic create" */
    const char *usage; /* what follows the name */
    const char *summary;
    int (*run)(const struct cli_command *command, int argc, char **argv); /* what follows the name */
};
extern const struct cli_command cli_commands[]; /* ends with name NULL */

/* Parses `--name value`, `--name=value` and positionals. Positionals are moved to the front of argv; their count must
 * be within bounds. On a mistake prints what is wrong, the nearest flag, and the usage, and returns CLI_EXIT_USAGE; -1:
 * go on. --help prints and returns 0. */
int cli_parse(const struct cli_command *command, const struct cli_flag *flags, int argc, char **argv,
    int positionals_min, int positionals_max, int *ret_positionals);

/* Prints "weir: <context or sentence>" and returns the exit code. */
int cli_fail(enum weir_error error);

int cli_up(const struct cli_command *command, int argc, char **argv);
int cli_config_check(const struct cli_command *command, int argc, char **argv);
int cli_config_print(const struct cli_command *command, int argc, char **argv);
int cli_config_explain(const struct cli_command *command, int argc, char **argv);
int cli_log_verify(const struct cli_command *command, int argc, char **argv);
int cli_log_repair(const struct cli_command *command, int argc, char **argv);
int cli_log_dump(const struct cli_command *command, int argc, char **argv);
int cli_topic_create(const struct cli_command *command, int argc, char **argv);
int cli_topic_delete(const struct cli_command *command, int argc, char **argv);
int cli_topic_list(const struct cli_command *command, int argc, char **argv);
int cli_topic_append(const struct cli_command *command, int argc, char **argv);
int cli_topic_read(const struct cli_command *command, int argc, char **argv);
int cli_topic_tail(const struct cli_command *command, int argc, char **argv);
int cli_service_list(const struct cli_command *command, int argc, char **argv);
int cli_service_describe(const struct cli_command *command, int argc, char **argv);
int cli_service_check(const struct cli_command *command, int argc, char **argv);
int cli_service_run(const struct cli_command *command, int argc, char **argv);
int cli_service_snapshot(const struct cli_command *command, int argc, char **argv);
int cli_service_skip(const struct cli_command *command, int argc, char **argv);
int cli_service_replay(const struct cli_command *command, int argc, char **argv);
int cli_version(const struct cli_command *command, int argc, char **argv);

#endif
