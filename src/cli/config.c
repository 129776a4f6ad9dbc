#include "cli/command.h"
#include "cli/print.h"
#include "host/settings.h"
#include "services/registry.h"
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_FILE_BYTES_MAX (1u << 20)

static const char *setting_kind_name(enum weir_setting_kind kind) {
    static const char *const names[] = {[WEIR_SETTING_UINT] = "number",
        [WEIR_SETTING_BYTES] = "bytes",
        [WEIR_SETTING_DURATION] = "duration",
        [WEIR_SETTING_BOOL] = "bool",
        [WEIR_SETTING_TEXT] = "text"};
    return names[kind];
}

static enum weir_error load(const char *path, struct settings **ret_settings) {
    struct settings *settings = NULL;
    enum weir_error e = settings_new(weir_services, &settings);
    if (e != WEIR_OK || !path) {
        if (e == WEIR_OK) *ret_settings = settings;
        return e;
    }
    struct sys *sys = NULL;
    struct weir_slice text = {0};
    e = sys_linux_new(&sys);
    if (e == WEIR_OK) e = sys_read_all(sys, path, CONFIG_FILE_BYTES_MAX, &text);
    if (e == WEIR_OK) e = settings_load_yaml(settings, path, text);
    sys_bytes_free(text);
    sys_linux_free(sys);
    if (e == WEIR_OK)
        *ret_settings = settings;
    else
        settings_free(settings);
    return e;
}

static int check(const struct cli_command *command, int argc, char **argv) {
    int count = 0;
    int code = cli_parse(command, argc, argv, NULL, &count);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    enum weir_error e = load(argv[0], &settings);
    if (e != WEIR_OK) return cli_fail(e);
    printf("%s: correct\n", argv[0]);
    settings_free(settings);
    return 0;
}

struct config_values {
    bool json;
};

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
    struct settings *settings = NULL;
    enum weir_error e = load(count > 0 ? argv[0] : NULL, &settings);
    if (e != WEIR_OK) return cli_fail(e);
    if (given.json)
        print_settings_json(settings);
    else
        e = print_settings(settings);
    settings_free(settings);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static int explain(const struct cli_command *command, int argc, char **argv) {
    int count = 0;
    int code = cli_parse(command, argc, argv, NULL, &count);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    enum weir_error e = load(count > 1 ? argv[1] : NULL, &settings);
    if (e != WEIR_OK) return cli_fail(e);
    char text[2048];
    if (settings_explain(settings, argv[0], text, sizeof text) == 0)
        e = settings_set(settings, argv[0], "", "");
    else
        fputs(text, stdout);
    settings_free(settings);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

#define CONFIG_WRONG                                                                                                   \
    { WEIR_E_CONFIG, "a key, a value or the file's form is wrong: stderr says the line and the nearest key" }

const struct cli_command cli_config_commands[] = {
    {
        .name = "config check",
        .summary = "check a configuration file against the tables",
        .positionals = CLI_POSITIONALS({"FILE", CLI_FILE, false, "a YAML file, as for `weir up --config`"}),
        .exits = CLI_EXITS(CONFIG_WRONG, {WEIR_E_NOT_FOUND, "there is no such file"}),
        .examples = CLI_EXAMPLES({"weir config check weir.yaml", "before a restart with a changed file"}),
        .run = check,
    },
    {
        .name = "config print",
        .summary = "print every key with its value and where it came from",
        .description = "What it prints is a configuration file: `weir config print > weir.yaml` is one to start from.",
        .positionals = CLI_POSITIONALS({"FILE", CLI_FILE, true, "a YAML file; without it the initial values"}),
        .flags = CLI_FLAGS(CLI_JSON_FLAG(struct config_values, "print them as JSON: bytes, and nanoseconds for times")),
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
        .exits = CLI_EXITS(CONFIG_WRONG),
        .examples = CLI_EXAMPLES({"weir config explain journal_bytes", "what bounds the journal"}),
        .run = explain,
    },
    {0},
};
