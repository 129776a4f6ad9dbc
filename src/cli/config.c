#include "cli/command.h"
#include "host/settings.h"
#include "services/registry.h"
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_FILE_BYTES_MAX (1u << 20)

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

int cli_config_check(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    enum sys_commit_path path;
    enum weir_error e = load(argv[0], &settings);
    if (e == WEIR_OK) e = settings_journal_write(settings, &path);
    settings_free(settings);
    if (e != WEIR_OK) return cli_fail(e);
    printf("%s: correct\n", argv[0]);
    return 0;
}

int cli_config_print(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 0, 1, &positionals);
    if (code >= 0) return code;
    struct settings *settings = NULL;
    enum weir_error e = load(positionals > 0 ? argv[0] : NULL, &settings);
    if (e != WEIR_OK) return cli_fail(e);
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
    enum weir_error e = load(positionals > 1 ? argv[1] : NULL, &settings);
    if (e != WEIR_OK) return cli_fail(e);
    char text[2048];
    if (settings_explain(settings, argv[0], text, sizeof text) == 0)
        e = settings_set(settings, argv[0], "", "");
    else
        fputs(text, stdout);
    settings_free(settings);
    return e == WEIR_OK ? 0 : cli_fail(e);
}
