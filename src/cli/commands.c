/* The table of weir(1). */
#include "cli/command.h"
#include <stdio.h>

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
    {"service run", "FILE TOOL [ARGUMENT...]", "run a tool of a service in a shared object", cli_service_run},
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

int cli_version(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 0, 0, &positionals);
    if (code < 0) printf("weir %s\n", WEIR_VERSION);
    return code < 0 ? 0 : code;
}
