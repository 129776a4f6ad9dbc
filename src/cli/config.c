#include "base/json.h"
#include "cli/client.h"
#include "cli/configuration.h"
#include "cli/print.h"
#include <stdio.h>
#include <stdlib.h>

struct config_values {
    struct client_options client;
    struct cli_list services;
    bool json;
};

/* The settings of the file, checked against the tables of all services that it and the flags name. */
struct loaded {
    struct cli_services services;
    struct settings *settings;
};

static void unload(struct loaded *loaded) {
    settings_free(loaded->settings);
    cli_services_done(&loaded->services);
}

static enum weir_error load(
    const char *path, const struct config_values *given, struct mistakes *mistakes, struct loaded *loaded) {
    struct sys *sys = NULL;
    const struct configuration configuration = {.file = path, .services = given->services};
    *loaded = (struct loaded){.settings = NULL};
    enum weir_error e = sys_linux_new(&sys);
    if (e != WEIR_OK) {
        mistakes_add(mistakes, weir_error_text());
        return e;
    }
    e = configuration_load(sys, &configuration, &loaded->services, mistakes, &loaded->settings);
    if (e != WEIR_OK) cli_services_done(&loaded->services);
    sys_linux_free(sys);
    return e;
}

static int fail(const struct mistakes *mistakes, enum weir_error error) {
    mistakes_print(mistakes, stderr);
    return weir_error_exit(error);
}

static int check(const struct cli_command *command, int argc, char **argv) {
    struct config_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct loaded loaded;
    struct mistakes mistakes = {0};
    enum weir_error e = load(argv[0], &given, &mistakes, &loaded);
    if (e != WEIR_OK) return fail(&mistakes, e);
    printf("%s: correct\n", argv[0]);
    unload(&loaded);
    return 0;
}

static const char *setting_kind_name(enum weir_setting_kind kind) {
    static const char *const names[] = {[WEIR_SETTING_UINT] = "number",
        [WEIR_SETTING_BYTES] = "bytes",
        [WEIR_SETTING_DURATION] = "duration",
        [WEIR_SETTING_BOOL] = "bool",
        [WEIR_SETTING_TEXT] = "text"};
    return names[kind];
}

static void put_row(struct json_writer *w, const struct settings_group *group, uint32_t i) {
    const struct weir_setting *row = &group->rows[i];
    json_write_object_open(w);
    char key[200];
    snprintf(key, sizeof key, "%s%s%s", group->name, group->name[0] ? "." : "", row->name);
    json_put_text(w, "key", key);
    switch (row->kind) {
    case WEIR_SETTING_TEXT:
        json_put_text(w, "value", group->values[i].text);
        break;
    case WEIR_SETTING_BOOL:
        json_put_bool(w, "value", group->values[i].number != 0);
        break;
    default: /* a number, bytes, nanoseconds */
        json_put_u64(w, "value", group->values[i].number);
        break;
    }
    json_put_text(w, "kind", setting_kind_name(row->kind));
    json_put_text(w, "initial", row->initial);
    if (row->min > 0) json_put_u64(w, "min", row->min);
    if (row->max > 0) json_put_u64(w, "max", row->max);
    json_put_text(w, "from", group->origins[i]);
    json_put_text(w, "summary", row->summary);
    json_write_object_close(w);
}

static void print_settings_json(const struct settings *settings) {
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    json_write_key(w, "settings");
    json_write_array_open(w);
    for (uint32_t g = 0; g < settings->count; g++)
        for (uint32_t i = 0; i < settings->groups[g].count; i++)
            put_row(w, &settings->groups[g], i);
    json_write_array_close(w);
    json_write_object_close(w);
    print_json_close(&p);
}

static enum weir_error print_settings(const struct settings *settings) {
    size_t size = settings_print(settings, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the printed settings");
    settings_print(settings, text, size);
    fputs(text, stdout);
    free(text);
    return WEIR_OK;
}

static int print(const struct cli_command *command, int argc, char **argv) {
    struct config_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct loaded loaded;
    struct mistakes mistakes = {0};
    enum weir_error e = load(count > 0 ? argv[0] : NULL, &given, &mistakes, &loaded);
    if (e != WEIR_OK) return fail(&mistakes, e);
    if (given.json)
        print_settings_json(loaded.settings);
    else
        e = print_settings(loaded.settings);
    unload(&loaded);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static int explain(const struct cli_command *command, int argc, char **argv) {
    struct config_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct loaded loaded;
    struct mistakes mistakes = {0};
    enum weir_error e = load(count > 1 ? argv[1] : NULL, &given, &mistakes, &loaded);
    if (e != WEIR_OK) return fail(&mistakes, e);
    char text[2048];
    if (settings_explain(loaded.settings, argv[0], text, sizeof text) == 0)
        e = settings_set(loaded.settings, argv[0], "", "");
    else
        fputs(text, stdout);
    unload(&loaded);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* Prints a list of the answer: "LABEL: a, b". */
static void print_list(struct weir_slice body, const char *name, const char *label) {
    struct json_reader r = json_reader(body, 0);
    uint32_t count = 0;
    if (json_next(&r) != JSON_OBJECT_OPEN) return;
    while (json_next(&r) == JSON_KEY) {
        bool wanted = json_text_is(&r, name);
        if (!wanted) {
            json_next(&r);
            json_skip_value(&r);
            continue;
        }
        if (json_next(&r) != JSON_ARRAY_OPEN) return;
        while (json_next(&r) == JSON_STRING)
            printf("%s%.*s", count++ ? ", " : label, (int)r.text.size, (const char *)r.text.data);
        if (count) printf("\n");
    }
}

static int reload(const struct cli_command *command, int argc, char **argv) {
    struct config_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &given.client);
    if (e == WEIR_OK) {
        e = client_request(&client, WEIR_HTTP_POST, "/v1/config/reload", (struct weir_slice){0}, &answer);
        if (e == WEIR_OK && given.json) {
            printf("%.*s\n", (int)answer.body.size, (const char *)answer.body.data);
        } else if (e == WEIR_OK) {
            print_list(answer.body, "changed", "in force: ");
            print_list(answer.body, "needsRestart", "changed, needs a restart: ");
            printf("reloaded\n");
        }
        client_close(&client);
    }
    return e == WEIR_OK ? 0 : cli_fail(e);
}

#define CONFIG_WRONG                                                                                                   \
    { WEIR_E_CONFIG, "a key, a value or the file's form is wrong: stderr says the line and the nearest key" }

const struct cli_command cli_config_commands[] = {
    {
        .name = "config check",
        .summary = "check a configuration file against the tables",
        .positionals = CLI_POSITIONALS({"FILE", CLI_FILE, false, "a YAML file, as for `weir up --config`"}),
        .flags = CLI_FLAGS(CLI_SERVICE_FLAG(struct config_values)),
        .exits = CLI_EXITS(CONFIG_WRONG, {WEIR_E_NOT_FOUND, "there is no such file"}),
        .examples = CLI_EXAMPLES({"weir config check weir.yaml", "before a restart with a changed file"}),
        .run = check,
    },
    {
        .name = "config print",
        .summary = "print every key with its value and where it came from",
        .description = "What it prints is a configuration file: `weir config print > weir.yaml` is one to start from.",
        .positionals = CLI_POSITIONALS({"FILE", CLI_FILE, true, "a YAML file; without it the initial values"}),
        .flags = CLI_FLAGS(CLI_SERVICE_FLAG(struct config_values),
            CLI_JSON_FLAG(struct config_values, "print them as JSON: bytes, and nanoseconds for times")),
        .exits = CLI_EXITS(CONFIG_WRONG),
        .examples = CLI_EXAMPLES({"weir config print", "all keys and their initial values"}),
        .lists = true,
        .run = print,
    },
    {
        .name = "config explain",
        .summary = "say what a key means, its bounds and its value",
        .positionals = CLI_POSITIONALS({"KEY", CLI_SETTING, false, "a key, as in exchange.partitions"},
            {"FILE", CLI_FILE, true, "a YAML file whose value is told"}),
        .flags = CLI_FLAGS(CLI_SERVICE_FLAG(struct config_values)),
        .exits = CLI_EXITS(CONFIG_WRONG),
        .examples = CLI_EXAMPLES({"weir config explain journal_bytes", "what bounds the journal"}),
        .run = explain,
    },
    {
        .name = "config reload",
        .summary = "make a running node read its configuration again",
        .description =
            "All of it is checked first. What may change is put in force; what needs a restart is listed. One mistake\n"
            "refuses the whole.",
        .flags = CLI_FLAGS(
            CLIENT_FLAGS(struct config_values), CLI_JSON_FLAG(struct config_values, "print the node's JSON answer")),
        .exits = CLI_EXITS(CONFIG_WRONG, {WEIR_E_CONFLICT, "another reload is under way"},
            {WEIR_E_UNSUPPORTED, "the node was not started from a configuration"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir config reload", "as SIGHUP does, and says what came of it"}),
        .run = reload,
    },
    {0},
};
