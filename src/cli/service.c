#include "base/text.h"
#include "cli/client.h"
#include "cli/services.h"
#include "cli/show.h"
#include "host/host.h"
#include <stdio.h>

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
    const char *node, enum weir_http_method method, const char *target, bool json, const char *hidden) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, node);
    if (e != WEIR_OK) return e;
    struct weir_slice body = method == WEIR_HTTP_POST ? weir_slice_text("{}") : (struct weir_slice){0};
    e = client_request(&client, method, target, body, &answer);
    if (e == WEIR_OK && json) printf("%.*s\n", (int)answer.body.size, answer.body.data);
    if (e == WEIR_OK && !json) cli_show(answer.body, hidden);
    client_close(&client);
    return e;
}

static int told(enum weir_error e) {
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* Nobody said which node, and none is there: what the binary itself knows is the next best. */
static bool is_alone(enum weir_error e, const char *node, const struct cli_list *plugins) {
    if (e == WEIR_OK || node || (e != WEIR_E_CLOSED && plugins->count == 0)) return false;
    if (plugins->count == 0) fprintf(stderr, "weir: %s; what follows is what this binary has\n", weir_error_text());
    return true;
}

static void list_known(const struct cli_services *services) {
    printf("%-16s %7s  %-10s %s\n", "SERVICE", "VERSION", "FROM", "WHAT IT IS");
    for (uint32_t i = 0; i < services->count; i++)
        printf("%-16s %7u  %-10s %s\n", services->all[i]->name, services->all[i]->version,
            services->paths[i] ? services->paths[i] : "built in", services->all[i]->summary);
}

int cli_service_list(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    bool json = false;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node), CLI_SERVICE_FLAG(plugins),
        {"json", CLI_SWITCH, &json, NULL, "print the node's JSON answer"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 0, 0, &positionals);
    if (code >= 0) return code;
    enum weir_error e = plugins.count > 0 ? WEIR_E_CLOSED : ask(node, WEIR_HTTP_GET, "/v1/services", json, "");
    if (json || !is_alone(e, node, &plugins)) return told(e);
    struct known known;
    e = know(&known, &plugins);
    if (e != WEIR_OK) return cli_fail(e);
    list_known(&known.services);
    forget(&known);
    return 0;
}

static void describe(const struct weir_service *s) {
    printf(
        "%s, version %u, replays from version %u: %s\n\ntopics\n", s->name, s->version, s->version_replays, s->summary);
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
    if (s->metrics && s->metrics->name) printf("\nmetrics\n");
    for (const struct weir_metric *m = s->metrics; m && m->name; m++)
        printf("  weir_%s_%s: %s\n", s->name, m->name, m->help);
    if (s->reasons && s->reasons->name) printf("\nreasons for a refusal\n");
    for (const struct weir_reason *r = s->reasons; r && r->name; r++)
        printf("  %4u %-24s HTTP %u  %s\n", r->code, r->name, r->status, r->sentence);
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
static int describe_known(const char *name, const struct cli_list *plugins, const char *data, bool json) {
    struct known known;
    enum weir_error e = know(&known, plugins);
    if (e != WEIR_OK) return cli_fail(e);
    const struct weir_service *service = cli_services_find(&known.services, weir_slice_text(name));
    if (!service)
        e = WEIR_E_NOT_FOUND;
    else if (data)
        e = host_inspect(known.sys, data, service, json ? put_line : put_shown, NULL);
    else
        describe(service);
    int code = told(e);
    forget(&known);
    return code;
}

int cli_service_describe(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL, *data = NULL;
    bool json = false;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node), CLI_SERVICE_FLAG(plugins),
        {"data", CLI_TEXT, &data, "DIR", "look into the folder of a node that is stopped"},
        {"json", CLI_SWITCH, &json, NULL, "print JSON"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    char target[200];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s", argv[0]);
    if (data) return describe_known(argv[0], &plugins, data, json);
    enum weir_error e =
        plugins.count > 0 ? WEIR_E_CLOSED : ask(node, WEIR_HTTP_GET, target, json, PARTITION_COLUMNS_HIDDEN);
    if (json || !is_alone(e, node, &plugins)) return told(e);
    return describe_known(argv[0], &plugins, NULL, false);
}

int cli_service_snapshot(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    bool json = false;
    const struct cli_flag flags[] = {
        CLIENT_NODE_FLAG(node), {"json", CLI_SWITCH, &json, NULL, "print the node's JSON answer"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    char target[200];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/snapshot", argv[0]);
    return told(ask(node, WEIR_HTTP_POST, target, json, " snapshot "));
}

int cli_service_skip(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    uint64_t partition = 0, offset = UINT64_MAX;
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node),
        {"offset", CLI_NUMBER, &offset, "N", "the poison record's offset"},
        {"partition", CLI_NUMBER, &partition, "N", "partition (default 0)"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    if (offset == UINT64_MAX)
        return cli_fail(weir_error_context(WEIR_E_INVALID,
            "say which record: --offset N; `weir service describe %s` shows where it is parked", argv[0]));
    char target[256];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/skip?partition=%llu&offset=%llu", argv[0], (unsigned long long)partition,
        (unsigned long long)offset);
    return told(ask(node, WEIR_HTTP_POST, target, true, ""));
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

int cli_service_replay(const struct cli_command *command, int argc, char **argv) {
    const char *data = "./data";
    uint64_t partition = 0, until = UINT64_MAX;
    bool dump = false;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLI_SERVICE_FLAG(plugins),
        {"data", CLI_TEXT, &data, "DIR", "the data folder (default ./data)"},
        {"until", CLI_NUMBER, &until, "OFFSET", "apply the records below this offset (default: all)"},
        {"partition", CLI_NUMBER, &partition, "N", "partition (default 0)"},
        {"dump", CLI_SWITCH, &dump, NULL, "print the state"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    bool head_done = false;
    struct known known;
    enum weir_error e = know(&known, &plugins);
    if (e != WEIR_OK) return cli_fail(e);
    const struct weir_service *service = cli_services_find(&known.services, weir_slice_text(argv[0]));
    e = !service ? WEIR_E_NOT_FOUND
                 : host_replay(
                       known.sys, data, service, (uint32_t)partition, until, dump ? put_stdout : put_head, &head_done);
    code = e == WEIR_OK ? 0 : cli_fail(e);
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
    weir_error_context(WEIR_E_NOT_FOUND, "service %s has no tool %s%s%s", service->name, name,
        nearest >= 0 ? "; did you mean " : "", nearest >= 0 ? names[nearest] : "");
    return NULL;
}

/* What follows the tool's name is the tool's, flags too. */
int cli_service_run(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    if (argc < 2 || argv[0][0] == '-' || argv[1][0] == '-')
        return cli_parse(command, NULL, argc, argv, 2, 2, &positionals);
    const struct cli_list plugins = {.items = {argv[0]}, .count = 1};
    struct known known;
    enum weir_error e = know(&known, &plugins);
    if (e != WEIR_OK) return cli_fail(e);
    const struct weir_tool *tool = find_tool(known.services.all[known.services.count - 1], argv[1]);
    int code = tool ? tool->run(argc - 1, argv + 1) : cli_fail(WEIR_E_NOT_FOUND);
    forget(&known);
    return code;
}
