#include "cli/services.h"
#include "host/settings.h"
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_FILE_BYTES_MAX (1u << 20)

/* The settings of the file, checked against the tables of all services that it and the flags name. */
struct loaded {
    struct sys *sys;
    struct cli_services services;
    struct settings *settings;
};

static void unload(struct loaded *loaded) {
    settings_free(loaded->settings);
    cli_services_done(&loaded->services);
    sys_linux_free(loaded->sys);
}

static enum weir_error load(const char *path, const struct cli_list *plugins, struct loaded *loaded) {
    struct weir_slice text = {0};
    enum weir_error e = sys_linux_new(&loaded->sys);
    if (e == WEIR_OK) e = cli_services_init(&loaded->services);
    if (e == WEIR_OK && path) e = sys_read_all(loaded->sys, path, CONFIG_FILE_BYTES_MAX, &text);
    if (e == WEIR_OK) e = cli_services_load(&loaded->services, loaded->sys, path, text, plugins);
    if (e == WEIR_OK) e = settings_new(loaded->services.all, &loaded->settings);
    if (e == WEIR_OK && path) e = settings_load_yaml(loaded->settings, path, text);
    sys_bytes_free(text);
    if (e != WEIR_OK) unload(loaded);
    return e;
}

int cli_config_check(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLI_SERVICE_FLAG(plugins), {0}};
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    struct loaded loaded = {0};
    enum weir_error e = load(argv[0], &plugins, &loaded);
    if (e != WEIR_OK) return cli_fail(e);
    printf("%s: correct\n", argv[0]);
    unload(&loaded);
    return 0;
}

int cli_config_print(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLI_SERVICE_FLAG(plugins), {0}};
    int code = cli_parse(command, flags, argc, argv, 0, 1, &positionals);
    if (code >= 0) return code;
    struct loaded loaded = {0};
    enum weir_error e = load(positionals > 0 ? argv[0] : NULL, &plugins, &loaded);
    if (e != WEIR_OK) return cli_fail(e);
    size_t size = settings_print(loaded.settings, NULL, 0) + 1;
    char *text = malloc(size);
    if (text) {
        settings_print(loaded.settings, text, size);
        fputs(text, stdout);
    }
    free(text);
    unload(&loaded);
    return text ? 0 : cli_fail(WEIR_E_NO_MEMORY);
}

int cli_config_explain(const struct cli_command *command, int argc, char **argv) {
    int positionals = 0;
    struct cli_list plugins = {0};
    const struct cli_flag flags[] = {CLI_SERVICE_FLAG(plugins), {0}};
    int code = cli_parse(command, flags, argc, argv, 1, 2, &positionals);
    if (code >= 0) return code;
    struct loaded loaded = {0};
    enum weir_error e = load(positionals > 1 ? argv[1] : NULL, &plugins, &loaded);
    if (e != WEIR_OK) return cli_fail(e);
    char text[2048];
    if (settings_explain(loaded.settings, argv[0], text, sizeof text) == 0)
        e = settings_set(loaded.settings, argv[0], "", "");
    else
        fputs(text, stdout);
    unload(&loaded);
    return e == WEIR_OK ? 0 : cli_fail(e);
}
