/* `weir projection ...`: the projections of a running node. */
#include "base/json.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/show.h"
#include <stdio.h>

#define ASK_PAUSE_NS (50 * SYS_NANOS_PER_MS)
#define LIST_HIDDEN  " summary topic where records errors expiredRows epoch rebuilds rebuildError "

struct projection_values {
    struct client_options client;
    bool json, partial;
};

/* "/v1/projections/NAME" and what follows. False: the name is none. */
static bool target_of(const char *name, const char *more, char *out, size_t size) {
    struct text_builder t = text_builder(out, size);
    text_printf(&t, "/v1/projections/%s%s", name, more);
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    return name[0] && name[n] == 0 && !t.truncated;
}

static int refuse_name(const char *name) {
    return cli_fail(
        weir_error_context(WEIR_E_INVALID, "%s is no projection's name; `weir projection list` has them", name));
}

static int ask(const struct projection_values *given, const char *target, const char *hidden) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &given->client);
    if (e != WEIR_OK) return cli_fail(e);
    e = client_request(&client, WEIR_HTTP_GET, target, (struct weir_slice){0}, &answer);
    if (e == WEIR_OK && given->json) printf("%.*s\n", (int)answer.body.size, answer.body.data);
    if (e == WEIR_OK && !given->json) cli_show(answer.body, hidden);
    client_close(&client);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static int list(const struct cli_command *command, int argc, char **argv) {
    struct projection_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : ask(&given, "/v1/projections", LIST_HIDDEN);
}

static int status(const struct cli_command *command, int argc, char **argv) {
    struct projection_values given = {0};
    char target[200];
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    return target_of(argv[0], "", target, sizeof target) ? ask(&given, target, "") : refuse_name(argv[0]);
}

/* ---- rebuild ---- */

struct progress {
    uint64_t number, rebuilds, lag;
    char state[16], error[512];
};

static void take_text(struct json_reader *r, char *out, size_t size) {
    out[0] = 0;
    if (json_next(r) == JSON_STRING && r->text.size < size) out[json_text_decode(r, out)] = 0;
}

static enum weir_error read_progress(struct weir_slice body, struct progress *ret) {
    struct json_reader r = json_reader(body, 0);
    bool good = json_next(&r) == JSON_OBJECT_OPEN;
    while (good && json_next(&r) == JSON_KEY) {
        if (json_text_is(&r, "number"))
            good = (json_next(&r), json_get_u64(&r, &ret->number));
        else if (json_text_is(&r, "rebuilds"))
            good = (json_next(&r), json_get_u64(&r, &ret->rebuilds));
        else if (json_text_is(&r, "lagRecords"))
            good = (json_next(&r), json_get_u64(&r, &ret->lag));
        else if (json_text_is(&r, "state"))
            take_text(&r, ret->state, sizeof ret->state);
        else if (json_text_is(&r, "rebuildError"))
            take_text(&r, ret->error, sizeof ret->error);
        else
            good = json_skip_value(&r);
    }
    return good && r.token == JSON_OBJECT_CLOSE
               ? WEIR_OK
               : weir_error_context(WEIR_E_INVALID, "the node's answer about its projection can't be read");
}

/* Asks for it, and waits until the tables were emptied and the first rows can come. */
static enum weir_error rebuild_at(struct client *client, const char *name, bool partial, struct progress *progress) {
    char target[200], post[200];
    struct client_answer answer;
    if (!target_of(name, "", target, sizeof target) ||
        !target_of(name, partial ? "/rebuild?partial=true" : "/rebuild", post, sizeof post))
        return weir_error_context(WEIR_E_INVALID, "%s is no projection's name; `weir projection list` has them", name);
    enum weir_error e = client_request(client, WEIR_HTTP_POST, post, weir_slice_text("{}"), &answer);
    if (!e) e = read_progress(answer.body, progress);
    while (!e && progress->rebuilds < progress->number) {
        client->sys->pause(client->sys, ASK_PAUSE_NS);
        e = client_request(client, WEIR_HTTP_GET, target, (struct weir_slice){0}, &answer);
        if (!e) e = read_progress(answer.body, progress);
    }
    if (!e && progress->error[0]) e = weir_error_context(WEIR_E_IO, "it was not rebuilt: %s", progress->error);
    return e;
}

static int rebuild(const struct cli_command *command, int argc, char **argv) {
    struct projection_values given = {0};
    struct progress progress = {0};
    struct client client;
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    enum weir_error e = client_open(&client, &given.client);
    if (e != WEIR_OK) return cli_fail(e);
    e = rebuild_at(&client, argv[0], given.partial, &progress);
    client_close(&client);
    if (e != WEIR_OK) return cli_fail(e);
    printf("%s is made again: its tables are empty, and %llu records are to come\n", argv[0],
        (unsigned long long)progress.lag);
    return 0;
}

#define PROJECTION_NAME                                                                                                \
    { "NAME", CLI_ANY, false, "SERVICE.PROJECTION, as `weir projection list` has it" }
#define PROJECTION_JSON CLI_JSON_FLAG(struct projection_values, "print the answer as JSON")

const struct cli_command cli_projection_commands[] = {
    {
        .name = "projection list",
        .summary = "list the projections that run, with how far behind they are",
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct projection_values), PROJECTION_JSON),
        .exits = CLI_EXITS({WEIR_E_FORBIDDEN, "the token in WEIR_TOKEN may not do that"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir projection list", "state, lag and rows of each"}),
        .lists = true,
        .run = list,
    },
    {
        .name = "projection status",
        .summary = "show one projection: where its rows are, its last error, its position in each partition",
        .positionals = CLI_POSITIONALS(PROJECTION_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct projection_values), PROJECTION_JSON),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "no such projection runs there"},
            {WEIR_E_FORBIDDEN, "the token in WEIR_TOKEN may not do that"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir projection status exchange.history", "all that the node knows of it"}),
        .run = status,
    },
    {
        .name = "projection rebuild",
        .summary = "empty a projection's tables and make all their rows again from the log",
        .description = "What retention has taken from the topic has no rows afterwards; the node refuses then, unless\n"
                       "--partial says that this is meant. Rows come as fast as the database takes them; `weir\n"
                       "projection list` shows how many records are left.",
        .positionals = CLI_POSITIONALS(PROJECTION_NAME),
        .flags = CLI_FLAGS({"partial", CLI_SWITCH, offsetof(struct projection_values, partial), NULL,
                               "do it even if the log does not go back to its beginning"},
            CLIENT_FLAGS(struct projection_values)),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "no such projection runs there"}, {WEIR_E_CONFLICT, "rows would be lost"},
            {WEIR_E_IO, "the database did not let it happen"},
            {WEIR_E_FORBIDDEN, "the token in WEIR_TOKEN may not do that"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir projection rebuild exchange.history", "after a restore, or a new version"}),
        .run = rebuild,
    },
    {0},
};
