#include "base/text.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/term.h"
#include "host/host.h"
#include "services/registry.h"
#include <stdio.h>

struct service_values {
    struct client_options client;
    const char *data;
    uint64_t partition, offset, until;
    bool json, dump;
};

static int ask(const struct client_options *options, enum weir_http_method method, const char *target) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, options);
    if (e == WEIR_OK) {
        struct weir_slice body = method == WEIR_HTTP_POST ? weir_slice_text("{}") : (struct weir_slice){0};
        e = client_request(&client, method, target, body, &answer);
        if (e == WEIR_OK) printf("%.*s\n", (int)answer.body.size, answer.body.data);
        client_close(&client);
    }
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static void put_service(struct json_writer *w, const struct weir_service *s) {
    json_put_text(w, "name", s->name);
    json_put_u64(w, "version", s->version);
    json_put_text(w, "summary", s->summary);
}

static int list(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (given.json || given.client.node) return ask(&given.client, WEIR_HTTP_GET, "/v1/node");
    printf("%s%-16s %7s  %s%s\n", term_on(stdout, TERM_BOLD), "SERVICE", "VERSION", "WHAT IT IS", term_off(stdout));
    for (size_t i = 0; i < weir_services_count; i++)
        printf("%-16s %7u  %s\n", weir_services[i]->name, weir_services[i]->version, weir_services[i]->summary);
    return 0;
}

static void describe(const struct weir_service *s) {
    printf("%s, version %u: %s\n\ntopics\n", s->name, s->version, s->summary);
    for (const struct weir_topic *t = s->topics; t && t->name; t++)
        printf("  %-28s %-6s %s\n", t->name, t->role == WEIR_TOPIC_INPUT ? "input" : "output", t->summary);
    printf("\nroutes\n");
    for (const struct weir_route *r = s->routes; r && r->path; r++)
        printf("  %-6s %-44s %s\n", r->method ? r->method : "GET", r->path, r->summary ? r->summary : "");
    if (s->listeners && s->listeners->name) printf("\nlisteners\n");
    for (const struct weir_listener *l = s->listeners; l && l->name; l++)
        printf("  %-12s set by %s.%s: %s\n", l->name, s->name, l->setting, l->summary);
    printf("\nsettings\n");
    for (const struct weir_setting *r = s->settings; r && r->name; r++)
        printf("  %s.%s (initially %s): %s\n", s->name, r->name, r->initial[0] ? r->initial : "\"\"", r->summary);
    if (s->reasons && s->reasons->name) printf("\nreasons for a refusal\n");
    for (const struct weir_reason *r = s->reasons; r && r->name; r++)
        printf("  %4u %-24s HTTP %u  %s\n", r->code, r->name, r->status, r->sentence);
}

static void describe_routes_json(struct json_writer *w, const struct weir_service *s) {
    json_write_key(w, "routes");
    json_write_array_open(w);
    for (const struct weir_route *r = s->routes; r && r->path; r++) {
        json_write_object_open(w);
        json_put_text(w, "method", r->method ? r->method : "GET");
        json_put_text(w, "path", r->path);
        json_put_text(w, "summary", r->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_key(w, "reasons");
    json_write_array_open(w);
    for (const struct weir_reason *r = s->reasons; r && r->name; r++) {
        json_write_object_open(w);
        json_put_u64(w, "code", r->code);
        json_put_text(w, "name", r->name);
        json_put_u64(w, "status", r->status);
        json_put_text(w, "sentence", r->sentence);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void describe_json(const struct weir_service *s) {
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    put_service(w, s);
    json_write_key(w, "topics");
    json_write_array_open(w);
    for (const struct weir_topic *t = s->topics; t && t->name; t++) {
        json_write_object_open(w);
        json_put_text(w, "name", t->name);
        json_put_text(w, "role", t->role == WEIR_TOPIC_INPUT ? "input" : "output");
        json_put_text(w, "summary", t->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_key(w, "settings");
    json_write_array_open(w);
    for (const struct weir_setting *r = s->settings; r && r->name; r++) {
        json_write_object_open(w);
        json_put_text(w, "name", r->name);
        json_put_text(w, "initial", r->initial);
        json_put_text(w, "summary", r->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    describe_routes_json(w, s);
    json_write_object_close(w);
    print_json_close(&p);
}

static int describe_one(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    const struct weir_service *service = cli_service(argv[0]);
    if (!service) return cli_fail(cli_no_service(argv[0]));
    if (given.json)
        describe_json(service);
    else
        describe(service);
    return 0;
}

static int snapshot(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (!cli_service(argv[0])) return cli_fail(cli_no_service(argv[0]));
    char target[128];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/snapshot", argv[0]);
    return ask(&given.client, WEIR_HTTP_POST, target);
}

static int skip(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {.offset = UINT64_MAX};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (!cli_service(argv[0])) return cli_fail(cli_no_service(argv[0]));
    if (given.offset == UINT64_MAX)
        return cli_fail(weir_error_context(
            WEIR_E_INVALID, "say which record: --offset N; `weir service list --json` shows where it is parked"));
    char target[200];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/skip?partition=%llu&offset=%llu", argv[0], (unsigned long long)given.partition,
        (unsigned long long)given.offset);
    return ask(&given.client, WEIR_HTTP_POST, target);
}

static enum weir_error put_stdout(void *ctx, const void *data, size_t size) {
    (void)ctx;
    return fwrite(data, 1, size, stdout) == size ? WEIR_OK
                                                 : weir_error_context(WEIR_E_IO, "standard output cannot be written");
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

static int replay(const struct cli_command *command, int argc, char **argv) {
    struct service_values given = {.data = "./data", .until = UINT64_MAX};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    const struct weir_service *service = cli_service(argv[0]);
    if (!service) return cli_fail(cli_no_service(argv[0]));
    bool head_done = false;
    struct sys *sys = NULL;
    enum weir_error e = sys_linux_new(&sys);
    if (e == WEIR_OK) {
        struct progress progress;
        progress_start(&progress, sys, argv[0], "records", 0, false);
        struct host_watch watch = {show_replay, &progress};
        e = host_replay_watched(sys, given.data, service, (uint32_t)given.partition, given.until,
            given.dump ? put_stdout : put_head, &head_done, &watch);
        progress_done(&progress);
    }
    sys_linux_free(sys);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

#define SERVICE_NAME                                                                                                   \
    { "NAME", CLI_SERVICE, false, "a service of this binary; `weir service list` lists them" }
#define SERVICE_UNKNOWN                                                                                                \
    { WEIR_E_NOT_FOUND, "there is no such service" }
#define SERVICE_PARTITION                                                                                              \
    { "partition", CLI_NUMBER, offsetof(struct service_values, partition), "N", "partition (default 0)" }

const struct cli_command cli_service_commands[] = {
    {
        .name = "service list",
        .summary = "list services and their partitions",
        .flags = CLI_FLAGS({"node", CLI_TEXT, offsetof(struct service_values, client.node), "HOST:PORT",
                               "ask this running node; its answer is JSON"},
            CLI_JSON_FLAG(struct service_values, "ask the running node and print its JSON answer")),
        .exits = CLI_EXITS(CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir service list", "what this binary can run"},
            {"weir service list --node 127.0.0.1:7070", "what runs there: partitions, offsets, what is parked"}),
        .lists = true,
        .run = list,
    },
    {
        .name = "service describe",
        .summary = "settings, topics, routes and reasons of a service",
        .positionals = CLI_POSITIONALS(SERVICE_NAME),
        .flags = CLI_FLAGS(CLI_JSON_FLAG(struct service_values, "print them as JSON")),
        .exits = CLI_EXITS(SERVICE_UNKNOWN),
        .examples = CLI_EXAMPLES({"weir service describe exchange", "its whole table"}),
        .lists = true,
        .run = describe_one,
    },
    {
        .name = "service snapshot",
        .summary = "take a snapshot now",
        .description =
            "Of every partition of the service on a running node. A shadow replays the log and saves; the live\n"
            "service does not wait.",
        .positionals = CLI_POSITIONALS(SERVICE_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct service_values)),
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
        .examples = CLI_EXAMPLES({"weir service skip exchange --offset 4711", "the node's log names the offset"}),
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
            SERVICE_PARTITION,
            {"dump", CLI_SWITCH, offsetof(struct service_values, dump), NULL, "print the state too, as JSON"}),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such service, or no such folder"},
            {WEIR_E_VERSION, "written by a version that this binary does not replay"}),
        .examples =
            CLI_EXAMPLES({"weir service replay exchange --until 1000 --dump", "the order book after 1,000 records"}),
        .run = replay,
    },
    {0},
};
