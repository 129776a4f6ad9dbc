#include "host/plugin.h"

#define ROWS_MAX 4096u /* of one table; a table without its zero row ends here, or at the end of memory */

/* Sizes of today, and where a row says that it is the last: its name is NULL. */
static const struct {
    uint32_t bytes, name_at;
} layouts[WEIR_PLUGIN_STRUCT_COUNT] = {
    [WEIR_PLUGIN_SERVICE] = {sizeof(struct weir_service), 0},
    [WEIR_PLUGIN_SETTING] = {sizeof(struct weir_setting), offsetof(struct weir_setting, name)},
    [WEIR_PLUGIN_TOPIC] = {sizeof(struct weir_topic), offsetof(struct weir_topic, name)},
    [WEIR_PLUGIN_RECORD_TYPE] = {sizeof(struct weir_record_type), offsetof(struct weir_record_type, name)},
    [WEIR_PLUGIN_EMIT_ROW] = {sizeof(struct weir_emit_row), offsetof(struct weir_emit_row, service)},
    [WEIR_PLUGIN_ROUTE] = {sizeof(struct weir_route), offsetof(struct weir_route, path)},
    [WEIR_PLUGIN_LISTENER] = {sizeof(struct weir_listener), offsetof(struct weir_listener, name)},
    [WEIR_PLUGIN_PROTOCOL] = {sizeof(struct weir_protocol), 0},
    [WEIR_PLUGIN_METRIC] = {sizeof(struct weir_metric), offsetof(struct weir_metric, name)},
    [WEIR_PLUGIN_REASON] = {sizeof(struct weir_reason), offsetof(struct weir_reason, name)},
    [WEIR_PLUGIN_TOOL] = {sizeof(struct weir_tool), offsetof(struct weir_tool, name)},
    [WEIR_PLUGIN_EFFECT] = {sizeof(struct weir_effect_row), offsetof(struct weir_effect_row, name)},
    [WEIR_PLUGIN_PROJECTION] = {sizeof(struct weir_projection), offsetof(struct weir_projection, name)},
    [WEIR_PLUGIN_TABLE] = {sizeof(struct weir_table), offsetof(struct weir_table, name)},
    [WEIR_PLUGIN_COLUMN] = {sizeof(struct weir_column), offsetof(struct weir_column, name)},
    [WEIR_PLUGIN_MIGRATION] = {sizeof(struct weir_migration), offsetof(struct weir_migration, summary)},
    [WEIR_PLUGIN_SELECT] = {sizeof(struct weir_select), 0},
    [WEIR_PLUGIN_FILTER] = {sizeof(struct weir_filter), offsetof(struct weir_filter, field)},
};

struct taker {
    const uint32_t *bytes; /* the plugin's sizes */
    struct arena *arena;
    bool failed; /* no memory, or a table without an end */
};

static void *copy_one(struct taker *t, enum weir_plugin_struct kind, const void *from) {
    if (!from) return NULL;
    void *to = arena_alloc(t->arena, layouts[kind].bytes);
    if (!to) {
        t->failed = true;
        return NULL;
    }
    memset(to, 0, layouts[kind].bytes);
    memcpy(to, from, t->bytes[kind]);
    return to;
}

static bool is_last(enum weir_plugin_struct kind, const uint8_t *row) {
    const void *name;
    memcpy(&name, row + layouts[kind].name_at, sizeof name);
    return !name;
}

/* A table with its zero row. */
static void *copy_rows(struct taker *t, enum weir_plugin_struct kind, const void *from) {
    const uint32_t old = t->bytes[kind], new = layouts[kind].bytes;
    uint32_t count = 0;
    if (!from) return NULL;
    while (count < ROWS_MAX && !is_last(kind, (const uint8_t *)from + (size_t)count * old))
        count++;
    uint8_t *to = count < ROWS_MAX ? arena_alloc(t->arena, ((size_t)count + 1) * new) : NULL;
    if (!to) {
        t->failed = true;
        return NULL;
    }
    memset(to, 0, ((size_t)count + 1) * new);
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + (size_t)i * new, (const uint8_t *)from + (size_t)i * old, old);
    return to;
}

static const struct weir_projection *copy_projections(struct taker *t, const struct weir_projection *from) {
    struct weir_projection *projections = copy_rows(t, WEIR_PLUGIN_PROJECTION, from);
    for (struct weir_projection *row = projections; row && row->name; row++) {
        struct weir_table *tables = copy_rows(t, WEIR_PLUGIN_TABLE, row->tables);
        for (struct weir_table *table = tables; table && table->name; table++)
            table->columns = copy_rows(t, WEIR_PLUGIN_COLUMN, table->columns);
        row->tables = tables;
        row->migrations = copy_rows(t, WEIR_PLUGIN_MIGRATION, row->migrations);
    }
    return projections;
}

static const struct weir_select *copy_select(struct taker *t, const struct weir_select *from) {
    struct weir_select *select = copy_one(t, WEIR_PLUGIN_SELECT, from);
    if (select) select->filters = copy_rows(t, WEIR_PLUGIN_FILTER, select->filters);
    return select;
}

static struct weir_service *copy_service(struct taker *t, const struct weir_service *from) {
    struct weir_service *s = copy_one(t, WEIR_PLUGIN_SERVICE, from);
    if (!s) return NULL;
    s->settings = copy_rows(t, WEIR_PLUGIN_SETTING, s->settings);
    s->emits = copy_rows(t, WEIR_PLUGIN_EMIT_ROW, s->emits);
    s->metrics = copy_rows(t, WEIR_PLUGIN_METRIC, s->metrics);
    s->reasons = copy_rows(t, WEIR_PLUGIN_REASON, s->reasons);
    s->tools = copy_rows(t, WEIR_PLUGIN_TOOL, s->tools);
    s->effects = copy_rows(t, WEIR_PLUGIN_EFFECT, s->effects);
    struct weir_topic *topics = copy_rows(t, WEIR_PLUGIN_TOPIC, s->topics);
    for (struct weir_topic *row = topics; row && row->name; row++)
        row->types = copy_rows(t, WEIR_PLUGIN_RECORD_TYPE, row->types);
    s->topics = topics;
    struct weir_route *routes = copy_rows(t, WEIR_PLUGIN_ROUTE, s->routes);
    for (struct weir_route *row = routes; row && row->path; row++) {
        row->protocol = copy_one(t, WEIR_PLUGIN_PROTOCOL, row->protocol);
        row->select = copy_select(t, row->select);
    }
    s->routes = routes;
    struct weir_listener *listeners = copy_rows(t, WEIR_PLUGIN_LISTENER, s->listeners);
    for (struct weir_listener *row = listeners; row && row->name; row++)
        row->protocol = copy_one(t, WEIR_PLUGIN_PROTOCOL, row->protocol);
    s->listeners = listeners;
    s->projections = copy_projections(t, s->projections);
    return s;
}

static enum weir_error check_api(const struct weir_plugin *plugin, const char *path) {
    if (!plugin || plugin->magic != WEIR_PLUGIN_MAGIC)
        return weir_error_context(WEIR_E_UNSUPPORTED,
            "%s is no weir service: it has no symbol weir_service of the right kind; end its declaration with "
            "WEIR_SERVICE(NAME) = {...} of weir/plugin.h",
            path);
    if (plugin->api_major != WEIR_API_MAJOR || plugin->api_minor > WEIR_API_MINOR)
        return weir_error_context(WEIR_E_VERSION,
            "%s is built for version %u.%u of the service API, and this weir offers %u.%u: %s", path, plugin->api_major,
            plugin->api_minor, WEIR_API_MAJOR, WEIR_API_MINOR,
            plugin->api_major < WEIR_API_MAJOR ? "build it again with this weir's headers"
                                               : "install a newer weir, or build it with this weir's headers");
    return WEIR_OK;
}

enum weir_error plugin_take(
    const struct weir_plugin *plugin, const char *path, struct arena *arena, const struct weir_service **ret_service) {
    enum weir_error e = check_api(plugin, path);
    if (e != WEIR_OK) return e;
    bool shorter = false;
    uint32_t bytes[WEIR_PLUGIN_STRUCT_COUNT];
    for (uint32_t i = 0; i < WEIR_PLUGIN_STRUCT_COUNT; i++) {
        bytes[i] = i < plugin->struct_count ? plugin->bytes[i] : layouts[i].bytes; /* an older one does not have it */
        if (bytes[i] > layouts[i].bytes || bytes[i] < layouts[i].name_at + sizeof(void *))
            return weir_error_context(WEIR_E_VERSION,
                "%s says that it is built for version %u.%u of the service API, and its structs are not of that "
                "version: build it with unchanged headers",
                path, plugin->api_major, plugin->api_minor);
        shorter |= bytes[i] < layouts[i].bytes;
    }
    if (!plugin->service) return weir_error_context(WEIR_E_UNSUPPORTED, "%s declares no service", path);
    if (!shorter) {
        *ret_service = plugin->service;
        return WEIR_OK;
    }
    struct taker t = {bytes, arena, false};
    const struct weir_service *service = copy_service(&t, plugin->service);
    if (t.failed || !service)
        return weir_error_context(
            WEIR_E_NO_MEMORY, "%s: a table has more than %u rows, or does not end with a zero row", path, ROWS_MAX - 1);
    *ret_service = service;
    return WEIR_OK;
}
