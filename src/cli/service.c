#include "base/text.h"
#include "cli/client.h"
#include "cli/service_print.h"
#include "cli/show.h"
#include "cli/term.h"
#include "host/host.h"
#include <stdio.h>
#include <stdlib.h>

struct service_values {
    struct client_options client;
    struct cli_list services;
    const char *data;
    uint64_t partition, offset, until;
    bool json, dump;
};

/* The services that a command without a node knows, and the world they were loaded from. */
struct known {
    struct sys *sys;
    struct cli_services services;
};

static void forget(struct known *known) {
    cli_services_done(&known->services);
    sys_linux_free(known->sys);
}

static enum weir_error know(struct known *known, const struct cli_list *plugins) {
    *known = (struct known){0};
    enum weir_error e = sys_linux_new(&known->sys);
    if (e == WEIR_OK) e = cli_services_init(&known->services);
    if (e == WEIR_OK) e = cli_services_load(&known->services, known->sys, NULL, (struct weir_slice){0}, plugins);
    if (e != WEIR_OK) forget(known);
    return e;
}

#define PARTITION_COLUMNS_HIDDEN " service topic lane durable emissionHash digest parkedOffset "

/* One request; its answer as it is, or as a person reads it. */
static enum weir_error ask(
    const struct service_values *given, enum weir_http_method method, const char *target, const char *hidden) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &given->client);
    if (e != WEIR_OK) return e;
    struct weir_slice body = method == WEIR_HTTP_POST ? weir_slice_text("{}") : (struct weir_slice){0};
    e = client_request(&client, method, target, body, &answer);
    if (e == WEIR_OK && given->json) printf("%.*s\n", (int)answer.body.size, answer.body.data);
    if (e == WEIR_OK && !given->json) cli_show(answer.body, hidden);
    client_close(&client);
    return e;
}

static int told(enum weir_error e) {
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* Asks a node, unless services of files are to be shown or it is "none" that is to be asked. True: nobody said which
 * node and none is there, so that what the binary itself knows is the next best. */
static bool is_alone(
    const struct service_values *given, const char *target, const char *hidden, enum weir_error *ret_error) {
    *ret_error = WEIR_OK;
    const char *node = given->client.node ? given->client.node : getenv("WEIR_NODE");
    if (given->services.count > 0 || (node && strcmp(node, "none") == 0)) return true;
    *ret_error = ask(given, WEIR_HTTP_GET, target, hidden);
    if (*ret_error != WEIR_E_CLOSED || node) return false;
    fprintf(stderr, "weir: %s; what follows is what this binary has\n", weir_error_text());
    return true;
}

static int list(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    enum weir_error e;
    if (!is_alone(&given, "/v1/services", "", &e)) return told(e);
    struct known known;
    e = know(&known, &given.services);
    if (e != WEIR_OK) return cli_fail(e);
    service_print_list(&known.services, given.json);
    forget(&known);
    return 0;
}

static enum weir_error put_stdout(void *ctx, const void *data, size_t size) {
    (void)ctx;
    return fwrite(data, 1, size, stdout) == size ? WEIR_OK
                                                 : weir_error_context(WEIR_E_IO, "standard output cannot be written");
}

static enum weir_error put_line(void *ctx, const void *data, size_t size) {
    enum weir_error e = put_stdout(ctx, data, size);
    return e == WEIR_OK ? put_stdout(ctx, "\n", 1) : e;
}

static enum weir_error put_shown(void *ctx, const void *data, size_t size) {
    (void)ctx;
    cli_show(weir_slice(data, size), " topic ");
    return WEIR_OK;
}

/* What the binary or a plugin declares; with a data folder, where its partitions stand there. */
static int describe_known(const char *name, const struct service_values *given) {
    struct known known;
    enum weir_error e = know(&known, &given->services);
    if (e != WEIR_OK) return cli_fail(e);
    const struct weir_service *service = cli_services_find(&known.services, weir_slice_text(name));
    if (!service)
        e = WEIR_E_NOT_FOUND;
    else if (given->data)
        e = host_inspect(known.sys, given->data, service, given->json ? put_line : put_shown, NULL);
    else
        service_print(service, given->json);
    int code = told(e);
    forget(&known);
    return code;
}

static int describe(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char target[200];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s", argv[0]);
    enum weir_error e;
    if (!given.data && !is_alone(&given, target, PARTITION_COLUMNS_HIDDEN, &e)) return told(e);
    return describe_known(argv[0], &given);
}

static int snapshot(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char target[200];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/snapshot", argv[0]);
    return told(ask(&given, WEIR_HTTP_POST, target, " snapshot "));
}

static int skip(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {.offset = UINT64_MAX, .json = true};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (given.offset == UINT64_MAX)
        return cli_fail(weir_error_context(WEIR_E_INVALID,
            "say which record: --offset N; `weir service describe %s` shows where it is parked", argv[0]));
    char target[256];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/skip?partition=%llu&offset=%llu", argv[0], (unsigned long long)given.partition,
        (unsigned long long)given.offset);
    return told(ask(&given, WEIR_HTTP_POST, target, ""));
}

/* Without the dump: the head, which is the first piece, less its last member's name. */
static enum weir_error put_head(void *ctx, const void *data, size_t size) {
    bool *done = ctx;
    const size_t member = strlen(",\"state\":");
    if (*done || size < member) return WEIR_OK;
    *done = true;
    enum weir_error e = put_stdout(NULL, data, size - member);
    return e ? e : put_stdout(NULL, "}\n", 2);
}

static void show_replay(void *ctx, uint64_t applied, uint64_t end) {
    struct progress *progress = ctx;
    progress->total = end;
    if (applied < end)
        progress_at(progress, applied);
    else
        progress_done(progress); /* the results come next, on the same terminal */
}

static enum weir_error replay_known(const struct known *known, const char *name, const struct service_values *given) {
    const struct weir_service *service = cli_services_find(&known->services, weir_slice_text(name));
    if (!service) return WEIR_E_NOT_FOUND;
    bool head_done = false;
    struct progress progress;
    progress_start(&progress, known->sys, name, "records", 0, false);
    struct host_watch watch = {show_replay, &progress};
    enum weir_error e = host_replay_watched(known->sys, given->data, service, (uint32_t)given->partition, given->until,
        given->dump ? put_stdout : put_head, &head_done, &watch);
    progress_done(&progress);
    return e;
}

static int replay(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {.data = "./data", .until = UINT64_MAX};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct known known;
    enum weir_error e = know(&known, &given.services);
    if (e != WEIR_OK) return cli_fail(e);
    code = told(replay_known(&known, argv[0], &given));
    forget(&known);
    return code;
}

static const struct weir_tool *find_tool(const struct weir_service *service, const char *name) {
    const char *names[64];
    size_t count = 0;
    for (const struct weir_tool *t = service->tools; t && t->name; t++) {
        if (strcmp(t->name, name) == 0) return t;
        if (count < WEIR_ARRAY_COUNT(names)) names[count++] = t->name;
    }
    int nearest = text_nearest(weir_slice_text(name), names, count);
    weir_error_context(WEIR_E_NOT_FOUND, "service %s has no tool %s%s%s%s", service->name, name,
        nearest >= 0 ? "; did you mean " : "", nearest >= 0 ? names[nearest] : "", nearest >= 0 ? "?" : "");
    return NULL;
}

/* What follows the tool's name is the tool's, flags too. */
static int run(const struct cli_command *command, int argc, char **argv) {
    int count = 0;
    if (argc < 2 || argv[0][0] == '-' || argv[1][0] == '-') return cli_parse(command, argc, argv, NULL, &count);
    const struct cli_list plugins = {.items = {argv[0]}, .count = 1};
    struct known known;
    enum weir_error e = know(&known, &plugins);
    if (e != WEIR_OK) return cli_fail(e);
    const struct weir_tool *tool = find_tool(known.services.all[known.services.count - 1], argv[1]);
    int code = tool ? tool->run(argc - 1, argv + 1) : cli_fail(WEIR_E_NOT_FOUND);
    forget(&known);
    return code;
}

#define SERVICE_NAME                                                                                                   \
    { "NAME", CLI_SERVICE, false, "a service; `weir service list` lists them" }
#define SERVICE_UNKNOWN                                                                                                \
    { WEIR_E_NOT_FOUND, "there is no such service" }
#define SERVICE_FILE_REFUSED                                                                                           \
    {WEIR_E_CONFIG, "the file is no fit service: `weir service check` lists what is wrong"},                           \
        {WEIR_E_VERSION, "the file is built for another version of the service API"}, {                                \
        WEIR_E_EXISTS, "two services of one name"                                                                      \
    }
#define SERVICE_FILE_EXITS {WEIR_E_NOT_FOUND, "there is no such file"}, SERVICE_FILE_REFUSED
#define SERVICE_PARTITION                                                                                              \
    { "partition", CLI_NUMBER, offsetof(struct service_values, partition), "N", "partition (default 0)" }

const struct cli_command cli_service_commands[] = {
    {
        .name = "service list",
        .summary = "list services and what stands in them",
        .description =
            "Of the running node: partitions, records applied, lag, what is parked. Where no node was named and none\n"
            "answers, with --node none, or with --service: what this binary and the files have.",
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct service_values), CLI_SERVICE_FLAG(struct service_values),
            CLI_JSON_FLAG(struct service_values, "print them as JSON")),
        .exits = CLI_EXITS(CLIENT_EXITS, SERVICE_FILE_EXITS),
        .examples = CLI_EXAMPLES({"weir service list", "what runs on the node of this machine"},
            {"weir service list --service ./counter.so", "what this binary and that file have"}),
        .lists = true,
        .run = list,
    },
    {
        .name = "service describe",
        .summary = "settings, topics, routes, reasons and partitions of a service",
        .description =
            "Of the running node, with the settings in force and where each partition stands. Where no node was named\n"
            "and none answers, with --node none, or with --service: what it declares. With --data: where its\n"
            "partitions and snapshots stand in the folder of a stopped node.",
        .positionals = CLI_POSITIONALS(SERVICE_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct service_values), CLI_SERVICE_FLAG(struct service_values),
            {"data", CLI_TEXT, offsetof(struct service_values, data), "DIR",
                "look into the folder of a node that is stopped", CLI_FOLDER},
            CLI_JSON_FLAG(struct service_values, "print them as JSON")),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such service, or no such folder or file"},
            SERVICE_FILE_REFUSED, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir service describe exchange", "its whole table, and how its partitions do"},
            {"weir service describe exchange --data ./data", "of a stopped node: offsets and every snapshot"}),
        .lists = true,
        .run = describe,
    },
    {
        .name = "service snapshot",
        .summary = "take a snapshot now",
        .description =
            "Of every partition of the service on a running node. A shadow replays the log and saves; the live\n"
            "service does not wait.",
        .positionals = CLI_POSITIONALS(SERVICE_NAME),
        .flags = CLI_FLAGS(
            CLIENT_FLAGS(struct service_values), CLI_JSON_FLAG(struct service_values, "print the node's JSON answer")),
        .exits = CLI_EXITS(SERVICE_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir service snapshot exchange", "so that the next start replays little"}),
        .run = snapshot,
    },
    {
        .name = "service skip",
        .summary = "pass over a poison record that parked a partition",
        .description =
            "A record that crashes the node twice parks its partition; the others run. The order to skip it is itself\n"
            "a record, so that every later replay obeys it.",
        .positionals = CLI_POSITIONALS(SERVICE_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct service_values),
            {"offset", CLI_NUMBER, offsetof(struct service_values, offset), "N", "the poison record's offset"},
            SERVICE_PARTITION),
        .exits =
            CLI_EXITS(SERVICE_UNKNOWN, {WEIR_E_CONFLICT, "the partition is not parked at that offset"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES(
            {"weir service skip exchange --offset 4711", "`weir service describe` and the node's log name the offset"}),
        .run = skip,
    },
    {
        .name = "service replay",
        .summary = "rebuild a service's state as of an offset, offline",
        .description = "Reads the data folder of a stopped node and changes nothing. Without --dump only the head is "
                       "printed: the\n"
                       "offset, record time and hashes that the state has there.",
        .positionals = CLI_POSITIONALS(SERVICE_NAME),
        .flags = CLI_FLAGS({"data", CLI_TEXT, offsetof(struct service_values, data), "DIR",
                               "the data folder (default ./data)", CLI_FOLDER},
            {"until", CLI_NUMBER, offsetof(struct service_values, until), "OFFSET",
                "apply the records below this offset (default: all)"},
            SERVICE_PARTITION, CLI_SERVICE_FLAG(struct service_values),
            {"dump", CLI_SWITCH, offsetof(struct service_values, dump), NULL, "print the state too, as JSON"}),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such service, or no such folder or file"},
            {WEIR_E_VERSION, "written by a version that this binary does not replay, or a file of another API"},
            {WEIR_E_CONFIG, "the file is no fit service"}),
        .examples =
            CLI_EXAMPLES({"weir service replay exchange --until 1000 --dump", "the order book after 1,000 records"}),
        .run = replay,
    },
    {
        .name = "service run",
        .summary = "run a tool of a service in a shared object",
        .description =
            "What follows the tool's name is the tool's, flags too. Tools of the binary's own services are commands:\n"
            "weir SERVICE TOOL.",
        .positionals = CLI_POSITIONALS({"FILE", CLI_FILE, false, "a service in a shared object, as ./counter.so"},
            {"TOOL", CLI_ANY, false, "one of its tools"}),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such file, or it has no such tool"}, SERVICE_FILE_REFUSED),
        .examples = CLI_EXAMPLES({"weir service run ./counter.so load --node 127.0.0.1:7070", "its own client"}),
        .run = run,
    },
    {0},
};
