/* weir effects: what services do in the world, as operators see and steer it. */
#include "base/text.h"
#include "cli/client.h"
#include "cli/show.h"
#include "host/host.h"
#include <stdio.h>

struct effects_values {
    struct client_options client;
    const char *effect, *state;
    uint64_t partition, limit, after;
    bool json, all;
};

static int ask(
    const struct effects_values *given, enum weir_http_method method, const char *target, const char *hidden) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &given->client);
    if (e != WEIR_OK) return cli_fail(e);
    struct weir_slice body = method == WEIR_HTTP_POST ? weir_slice_text("{}") : (struct weir_slice){0};
    e = client_request(&client, method, target, body, &answer);
    if (e == WEIR_OK && given->json) printf("%.*s\n", (int)answer.body.size, answer.body.data);
    if (e == WEIR_OK && !given->json) cli_show(answer.body, hidden);
    client_close(&client);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* Names are of a service's declaration: letters, digits, underscores; anything else is nobody's name. */
static bool is_plain(const char *name) {
    return name[0] && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

static void add_query(struct text_builder *t, const struct effects_values *given) {
    text_printf(t, "?partition=%llu", (unsigned long long)given->partition);
    if (given->effect) text_printf(t, "&effect=%s", given->effect);
}

static int check(const char *service, const struct effects_values *given) {
    const char *names[] = {service, given->effect ? given->effect : "a", given->state ? given->state : "a"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(names); i++)
        if (!is_plain(names[i]))
            return cli_fail(
                weir_error_context(WEIR_E_INVALID, "\"%.64s\" is no name: names are of a-z, 0-9 and _", names[i]));
    return -1;
}

static int list(const struct cli_command *command, int argc, char **argv) {
    struct effects_values given = {.limit = 100};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code < 0) code = check(argv[0], &given);
    if (code >= 0) return code;
    char target[400];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/effects", argv[0]);
    add_query(&t, &given);
    text_printf(&t, "&limit=%llu&after=%llu", (unsigned long long)given.limit, (unsigned long long)given.after);
    if (given.state) text_printf(&t, "&state=%s", given.state);
    return ask(&given, WEIR_HTTP_GET, target,
        " key tag priority asked since again text keysClosed keysHalfOpen outstandingMax timeoutMs deadTotal ");
}

static int show(const struct cli_command *command, int argc, char **argv) {
    struct effects_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code < 0) code = check(argv[0], &given);
    if (code < 0) code = check(argv[1], &given);
    if (code >= 0) return code;
    char target[400];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/effects/%s", argv[0], argv[1]);
    add_query(&t, &given);
    return ask(&given, WEIR_HTTP_GET, target, "");
}

/* One by its id, or with --all every dead one of a row. */
static int order_one(const struct cli_command *command, const char *order, int argc, char **argv) {
    struct effects_values given = {.json = true};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code < 0) code = check(argv[0], &given);
    if (code < 0 && count > 1) code = check(argv[1], &given);
    if (code >= 0) return code;
    if (given.all ? count > 1 || !given.effect : count < 2)
        return cli_fail(weir_error_context(WEIR_E_INVALID,
            "say which: an ID, or --all --effect NAME for every dead one; `weir effects list %s` shows them", argv[0]));
    char target[400];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/effects/%s", argv[0], order);
    add_query(&t, &given);
    text_printf(&t, "&id=%s", given.all ? "all" : argv[1]);
    return ask(&given, WEIR_HTTP_POST, target, "");
}

static int requeue(const struct cli_command *command, int argc, char **argv) {
    return order_one(command, "requeue", argc, argv);
}
static int drop(const struct cli_command *command, int argc, char **argv) {
    return order_one(command, "drop", argc, argv);
}

static int order_row(const struct cli_command *command, const char *order, int argc, char **argv) {
    struct effects_values given = {.json = true};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    given.effect = argv[1];
    code = check(argv[0], &given);
    if (code >= 0) return code;
    char target[400];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/effects/%s", argv[0], order);
    add_query(&t, &given);
    return ask(&given, WEIR_HTTP_POST, target, "");
}

static int pause_row(const struct cli_command *command, int argc, char **argv) {
    return order_row(command, "pause", argc, argv);
}
static int resume_row(const struct cli_command *command, int argc, char **argv) {
    return order_row(command, "resume", argc, argv);
}

#define EFFECTS_SERVICE                                                                                                \
    { "SERVICE", CLI_SERVICE, false, "a service with effects" }
#define EFFECTS_ID                                                                                                     \
    { "ID", CLI_ANY, false, "as the list shows it" }
#define EFFECTS_PARTITION                                                                                              \
    { "partition", CLI_NUMBER, offsetof(struct effects_values, partition), "N", "partition (default 0)" }
#define EFFECTS_ROW                                                                                                    \
    { "effect", CLI_TEXT, offsetof(struct effects_values, effect), "NAME", "of that row only" }
#define EFFECTS_ALL                                                                                                    \
    { "all", CLI_SWITCH, offsetof(struct effects_values, all), NULL, "every dead one of --effect NAME" }
#define EFFECTS_JSON CLI_JSON_FLAG(struct effects_values, "print the node's JSON answer")
#define EFFECTS_UNKNOWN                                                                                                \
    { WEIR_E_NOT_FOUND, "there is no such service, partition, row or effect" }

const struct cli_command cli_effects_commands[] = {
    {
        .name = "effects list",
        .summary = "list effects that are outstanding or dead, and the gates of each row",
        .description = "Of one partition: first a line for each row of effects (how many wait, run, rest between two\n"
                       "attempts, are dead; the breaker), then the effects in the order in which they were asked for.",
        .positionals = CLI_POSITIONALS(EFFECTS_SERVICE),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct effects_values), EFFECTS_PARTITION, EFFECTS_ROW,
            {"state", CLI_TEXT, offsetof(struct effects_values, state), "STATE", "only those in it", CLI_CHOICE,
                "waiting running resting dead"},
            {"limit", CLI_NUMBER, offsetof(struct effects_values, limit), "N",
                "at most so many (default 100, most 500)"},
            {"after", CLI_NUMBER, offsetof(struct effects_values, after), "ID", "only those behind that one"},
            EFFECTS_JSON),
        .exits = CLI_EXITS(EFFECTS_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir effects list notify --state dead", "what was given up"}),
        .lists = true,
        .run = list,
    },
    {
        .name = "effects show",
        .summary = "show an effect with its request and every attempt",
        .positionals = CLI_POSITIONALS(EFFECTS_SERVICE, EFFECTS_ID),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct effects_values), EFFECTS_PARTITION, EFFECTS_JSON),
        .exits = CLI_EXITS(EFFECTS_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir effects show notify 65536", "why it failed, attempt for attempt"}),
        .run = show,
    },
    {
        .name = "effects requeue",
        .summary = "try dead effects again, with attempts anew",
        .description = "The order is a record. The idempotency key stays the same, and so does the history.",
        .positionals = CLI_POSITIONALS(EFFECTS_SERVICE, {"ID", CLI_ANY, true, "as the list shows it; none with --all"}),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct effects_values), EFFECTS_PARTITION, EFFECTS_ROW, EFFECTS_ALL),
        .exits = CLI_EXITS(EFFECTS_UNKNOWN, {WEIR_E_CONFLICT, "it is not dead"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir effects requeue notify --all --effect send", "when the destination is back"}),
        .run = requeue,
    },
    {
        .name = "effects drop",
        .summary = "forget an effect, or all dead ones of a row",
        .description = "The service hears of one that was outstanding as a final result of class `dropped`. An attempt "
                       "that\nruns is not called back.",
        .positionals = CLI_POSITIONALS(EFFECTS_SERVICE, {"ID", CLI_ANY, true, "as the list shows it; none with --all"}),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct effects_values), EFFECTS_PARTITION, EFFECTS_ROW, EFFECTS_ALL),
        .exits = CLI_EXITS(EFFECTS_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir effects drop notify 65536", "that one is not wanted any more"}),
        .run = drop,
    },
    {
        .name = "effects pause",
        .summary = "start no more effects of a row",
        .description = "Those that run go on. What is asked for waits, until the row's outstanding_max refuses more.",
        .positionals = CLI_POSITIONALS(EFFECTS_SERVICE, {"EFFECT", CLI_ANY, false, "a row of its effects"}),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct effects_values), EFFECTS_PARTITION),
        .exits = CLI_EXITS(EFFECTS_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir effects pause notify send", "while the destination is being repaired"}),
        .run = pause_row,
    },
    {
        .name = "effects resume",
        .summary = "start effects of a paused row again",
        .positionals = CLI_POSITIONALS(EFFECTS_SERVICE, {"EFFECT", CLI_ANY, false, "a row of its effects"}),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct effects_values), EFFECTS_PARTITION),
        .exits = CLI_EXITS(EFFECTS_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir effects resume notify send", "it is repaired"}),
        .run = resume_row,
    },
    {0},
};
