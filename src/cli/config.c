#include "base/json.h"
#include "cli/client.h"
#include "cli/configuration.h"
#include <stdio.h>
#include <stdlib.h>

static enum weir_error load(const char *path, struct mistakes *mistakes, struct settings **ret_settings) {
    struct sys *sys = NULL;
    const struct configuration configuration = {.file = path};
    enum weir_error e = sys_linux_new(&sys);
    if (e != WEIR_OK) {
        mistakes_add(mistakes, weir_error_text());
        return e;
    }
    e = configuration_load(sys, &configuration, mistakes, ret_settings);
    sys_linux_free(sys);
    return e;
}

static int fail(const struct mistakes *mistakes, enum weir_error error) {
    mistakes_print(mistakes, stderr);
    return weir_error_exit(error);
}

int cli_config_check(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    struct mistakes mistakes = {0};
    enum weir_error e = load(argv[0], &mistakes, &settings);
    if (e != WEIR_OK) return fail(&mistakes, e);
    printf("%s: correct\n", argv[0]);
    settings_free(settings);
    return 0;
}

int cli_config_print(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 0, 1, &positionals);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    struct mistakes mistakes = {0};
    enum weir_error e = load(positionals > 0 ? argv[0] : NULL, &mistakes, &settings);
    if (e != WEIR_OK) return fail(&mistakes, e);
    size_t size = settings_print(settings, NULL, 0) + 1;
    char *text = malloc(size);
    if (text) {
        settings_print(settings, text, size);
        fputs(text, stdout);
    }
    free(text);
    settings_free(settings);
    return text ? 0 : cli_fail(WEIR_E_NO_MEMORY);
}

int cli_config_explain(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 1, 2, &positionals);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    struct mistakes mistakes = {0};
    enum weir_error e = load(positionals > 1 ? argv[1] : NULL, &mistakes, &settings);
    if (e != WEIR_OK) return fail(&mistakes, e);
    char text[2048];
    if (settings_explain(settings, argv[0], text, sizeof text) == 0)
        e = settings_set(settings, argv[0], "", "");
    else
        fputs(text, stdout);
    settings_free(settings);
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

int cli_config_reload(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    bool json = false;
    const struct cli_flag flags[] = {
        CLIENT_NODE_FLAG(node), {"json", CLI_SWITCH, &json, NULL, "print the node's JSON answer"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 0, 0, &positionals);
    if (code >= 0) return code;
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, node);
    if (e == WEIR_OK) {
        e = client_request(&client, WEIR_HTTP_POST, "/v1/config/reload", (struct weir_slice){0}, &answer);
        if (e == WEIR_OK && json) {
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
