#include "cli/services.h"
#include "base/text.h"
#include "host/declaration.h"
#include "host/plugin.h"
#include "host/settings.h"
#include "services/registry.h"

#define PLUGIN_BYTES_MAX (16u << 20) /* of copied declarations: a row has at most some hundred bytes */

enum weir_error cli_services_init(struct cli_services *services) {
    *services = (struct cli_services){0};
    arena_init(&services->arena, NULL, 16u << 10, PLUGIN_BYTES_MAX);
    if (weir_services_count > CLI_SERVICES_MAX)
        return weir_error_context(WEIR_E_CONFIG, "this binary has more than %d services", CLI_SERVICES_MAX);
    for (size_t i = 0; i < weir_services_count; i++)
        services->all[services->count++] = weir_services[i];
    return WEIR_OK;
}

void cli_services_done(struct cli_services *services) {
    arena_done(&services->arena);
}

/* A word without a slash is a name in the plugin folder. */
static enum weir_error path_of(
    struct cli_services *services, struct sys *sys, struct weir_slice word, const char **ret_path) {
    char path[1024];
    bool exists = false, named = !memchr(word.data, '/', word.size);
    struct text_builder t = TEXT_BUILDER(path);
    if (named) text_printf(&t, "%s/", WEIR_PLUGIN_FOLDER);
    text_add_slice(&t, word);
    if (named && !(word.size > 3 && memcmp(word.data + word.size - 3, ".so", 3) == 0)) text_add(&t, ".so");
    enum weir_error e = t.truncated ? weir_error_context(WEIR_E_CONFIG, "a service's path is longer than 1023 bytes")
                                    : sys->path_exists(sys, path, &exists);
    if (e == WEIR_OK && named && !exists)
        return weir_error_context(WEIR_E_NOT_FOUND, "there is no %s; for a file of this folder write ./%.*s", path,
            (int)word.size, word.data);
    *ret_path = arena_strdup(&services->arena, path);
    return e != WEIR_OK || *ret_path ? e : WEIR_E_NO_MEMORY;
}

enum weir_error cli_plugin_lacks(const char *path, const char *name) {
    if (strncmp(name, "weir_", 5) == 0)
        return weir_error_context(WEIR_E_VERSION,
            "%s calls %s, which this weir does not have; its service API is %d.%d: install a newer weir, or build it "
            "with this weir's headers",
            path, name, WEIR_API_MAJOR, WEIR_API_MINOR);
    return weir_error_context(WEIR_E_CONFIG,
        "%s calls %s, which neither weir nor a library it is linked with has; add the library or the missing file to "
        "its link command",
        path, name);
}

/* The loader says "PATH: undefined symbol: NAME" and more of the kind. */
static enum weir_error explain(enum weir_error e, const char *path) {
    char name[128];
    const char *found = strstr(weir_error_text(), "undefined symbol: ");
    if (e != WEIR_E_CONFIG) return e;
    if (!found) return weir_error_wrap(e, "%s cannot be loaded", path);
    found += strlen("undefined symbol: ");
    struct text_builder t = TEXT_BUILDER(name);
    text_add_slice(&t, weir_slice(found, strcspn(found, " ,(\n")));
    return cli_plugin_lacks(path, name);
}

struct missing {
    const char *path;
    enum weir_error error;
};
static void look_at_import(void *ctx, const char *name, bool is_there) {
    struct missing *missing = ctx;
    if (!is_there && missing->error == WEIR_OK) missing->error = cli_plugin_lacks(missing->path, name);
}

enum weir_error cli_plugin_open(
    struct cli_services *services, struct sys *sys, struct weir_slice word, struct cli_plugin *ret_plugin) {
    struct cli_plugin plugin = {0};
    enum weir_error e = path_of(services, sys, word, &plugin.path);
    if (e == WEIR_OK) e = explain(sys_library_open(sys, plugin.path, &plugin.library), plugin.path);
    if (e != WEIR_OK) return e;
    const struct weir_plugin *declared = sys_library_symbol(plugin.library, "weir_service");
    e = plugin_take(declared, plugin.path, &services->arena, &plugin.service);
    if (e != WEIR_OK) return e;
    plugin.api_major = declared->api_major;
    plugin.api_minor = declared->api_minor;
    *ret_plugin = plugin;
    return WEIR_OK;
}

static enum weir_error refuse_twice(const struct cli_services *services, uint32_t there, const char *path) {
    const char *name = services->all[there]->name;
    if (services->paths[there])
        return weir_error_context(WEIR_E_EXISTS, "%s and %s are both a service named %s; load one of them", path,
            services->paths[there], name);
    return weir_error_context(WEIR_E_EXISTS,
        "%s is a service named %s, and this weir has one of that name built in; give it a name of its own", path, name);
}

/* `weir NAME TOOL` runs a service's tool, and `weir topic list` is the node's. */
enum weir_error cli_plugin_check_name(const struct cli_plugin *plugin) {
    const char *name = plugin->service->name;
    size_t size = strlen(name);
    size_t i = 0;
    for (const struct cli_command *c = cli_next(&i); c; c = cli_next(&i))
        if (strncmp(c->name, name, size) == 0 && (c->name[size] == ' ' || c->name[size] == 0))
            return weir_error_context(WEIR_E_CONFIG,
                "%s is a service named %s, and `weir %s` is a command; give it another name", plugin->path, name, name);
    return WEIR_OK;
}

static enum weir_error add_one(struct cli_services *services, struct sys *sys, struct weir_slice word) {
    struct cli_plugin plugin;
    if (services->count == CLI_SERVICES_MAX)
        return weir_error_context(WEIR_E_CONFIG, "more than %d services", CLI_SERVICES_MAX);
    enum weir_error e = cli_plugin_open(services, sys, word, &plugin);
    if (e != WEIR_OK) return e;
    struct missing missing = {plugin.path, WEIR_OK};
    sys_library_imports(plugin.library, look_at_import, &missing);
    e = missing.error;
    if (e != WEIR_OK) return e;
    e = declaration_check(plugin.service, NULL, NULL);
    if (e != WEIR_OK) return weir_error_wrap(e, "%s: `weir service check` lists all that is wrong", plugin.path);
    e = cli_plugin_check_name(&plugin);
    for (uint32_t i = 0; e == WEIR_OK && i < services->count; i++)
        if (strcmp(services->all[i]->name, plugin.service->name) == 0) return refuse_twice(services, i, plugin.path);
    services->paths[services->count] = plugin.path;
    services->all[services->count++] = plugin.service;
    return e;
}

enum weir_error cli_services_add(struct cli_services *services, struct sys *sys, const char *plugins) {
    enum weir_error e = WEIR_OK;
    while (e == WEIR_OK && *plugins) {
        size_t n = strcspn(plugins, ",");
        struct weir_slice word = text_trim(weir_slice(plugins, n));
        if (word.size > 0) e = add_one(services, sys, word);
        plugins += n + (plugins[n] == ',');
    }
    return e;
}

enum weir_error cli_services_load(struct cli_services *services, struct sys *sys, const char *config,
    struct weir_slice text, const struct cli_list *flags) {
    struct settings *settings = NULL;
    const struct weir_service *const none[] = {NULL};
    enum weir_error e = settings_new(none, &settings);
    if (e == WEIR_OK && config) e = settings_peek_yaml(settings, node_settings[NODE_SERVICES].name, config, text);
    if (e == WEIR_OK) e = cli_services_add(services, sys, settings_node(settings)[NODE_SERVICES].text);
    for (uint32_t i = 0; flags && e == WEIR_OK && i < flags->count; i++)
        e = cli_services_add(services, sys, flags->items[i]);
    settings_free(settings);
    return e;
}

const struct weir_service *cli_services_find(const struct cli_services *services, struct weir_slice name) {
    const char *names[CLI_SERVICES_MAX];
    for (uint32_t i = 0; i < services->count; i++) {
        names[i] = services->all[i]->name;
        if (weir_slice_equal(name, weir_slice_text(names[i]))) return services->all[i];
    }
    int nearest = text_nearest(name, names, services->count);
    weir_error_context(WEIR_E_NOT_FOUND, "there is no service %.*s%s%s%s", (int)name.size, name.data,
        nearest >= 0 ? "; did you mean " : "", nearest >= 0 ? names[nearest] : "", nearest >= 0 ? "?" : "");
    return NULL;
}
