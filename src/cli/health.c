/* `weir health`: what a supervisor without an HTTP client of its own asks, as in a container. */
#include "cli/client.h"

struct health_values {
    struct client_options client;
    bool ready;
};

static int health(const struct cli_command *command, int argc, char **argv) {
    struct health_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &given.client);
    if (e == WEIR_OK) {
        e = client_request(
            &client, WEIR_HTTP_GET, given.ready ? "/readyz" : "/healthz", (struct weir_slice){0}, &answer);
        client_close(&client);
    }
    if (e != WEIR_OK) return cli_fail(e);
    printf("%s\n", given.ready ? "ready" : "alive");
    return 0;
}

const struct cli_command cli_health_commands[] = {
    {
        .name = "health",
        .summary = "say whether a node serves",
        .description =
            "Alive: the process answers. Ready: it has replayed, and everything acknowledged is served again.",
        .flags =
            CLI_FLAGS(CLIENT_FLAGS(struct health_values), {"ready", CLI_SWITCH, offsetof(struct health_values, ready),
                                                              NULL, "ask whether it is ready, not only alive"}),
        .exits = CLI_EXITS(CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir health --ready", "as the health check of a container does"}),
        .run = health,
    },
    {0},
};
