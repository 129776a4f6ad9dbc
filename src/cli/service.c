#include "base/text.h"
#include "cli/client.h"
#include "cli/services.h"
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

static int ask(const char *node, enum weir_http_method method, const char *target) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, node);
    if (e == WEIR_OK) {
        struct weir_slice body = method == WEIR_HTTP_POST ? weir_slice_text("{}") : (struct weir_slice){0};
        e = client_request(&client, method, target, body, &answer);
        if (e == WEIR_OK) printf("%.*s\n", (int)answer.body.size, answer.body.data);
        client_close(&client);
    }
    return e == WEIR_OK ? 0 : cli_fail(e);
}

int cli_service_list(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    bool json = false;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node), CLI_SERVICE_FLAG(plugins),
        {"json", CLI_SWITCH, &json, NULL, "ask the running node and print its JSON answer"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 0, 0, &positionals);
    if (code >= 0) return code;
    if (json || node) return ask(node, WEIR_HTTP_GET, "/v1/node");
    struct known known;
    enum weir_error e = know(&known, &plugins);
    if (e != WEIR_OK) return cli_fail(e);
    printf("%-16s %7s  %s\n", "SERVICE", "VERSION", "WHAT IT IS");
    for (uint32_t i = 0; i < known.services.count; i++)
        printf("%-16s %7u  %s\n", known.services.all[i]->name, known.services.all[i]->version,
            known.services.all[i]->summary);
    forget(&known);
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

int cli_service_describe(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLI_SERVICE_FLAG(plugins), {0}};
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    struct known known;
    enum weir_error e = know(&known, &plugins);
    if (e != WEIR_OK) return cli_fail(e);
    const struct weir_service *service = cli_services_find(&known.services, weir_slice_text(argv[0]));
    if (service) describe(service);
    code = service ? 0 : cli_fail(WEIR_E_NOT_FOUND);
    forget(&known);
    return code;
}

int cli_service_snapshot(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node), {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    char target[128];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/snapshot", argv[0]);
    return ask(node, WEIR_HTTP_POST, target);
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
        return cli_fail(weir_error_context(
            WEIR_E_INVALID, "say which record: --offset N; `weir service list --json` shows where it is parked"));
    char target[200];
    struct text_builder t = TEXT_BUILDER(target);
    text_printf(&t, "/v1/services/%s/skip?partition=%llu&offset=%llu", argv[0], (unsigned long long)partition,
        (unsigned long long)offset);
    return ask(node, WEIR_HTTP_POST, target);
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
