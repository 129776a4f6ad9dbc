#include "host/declaration.h"
#include "base/text.h"
#include "host/fold.h"
#include <weir/gateway.h>

struct check {
    const struct weir_service *service;
    void (*found)(void *ctx, const char *sentence);
    void *ctx;
    char first[400];
    uint32_t faults;
};

static void fault(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct check *c, const char *format, ...) {
    char sentence[sizeof c->first];
    struct text_builder t = TEXT_BUILDER(sentence);
    va_list args;
    va_start(args, format);
    text_vprintf(&t, format, args);
    va_end(args);
    if (c->faults++ == 0) memcpy(c->first, sentence, sizeof sentence);
    if (c->found) c->found(c->ctx, sentence);
}

/* Lower case, digits and underscores, a letter first: it stands in paths, topics, metrics and on the command line. */
static bool is_name(const char *name, size_t max) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= max && name[n] == 0 && name[0] >= 'a' && name[0] <= 'z';
}

static void check_head(struct check *c) {
    const struct weir_service *s = c->service;
    if (!s->summary) fault(c, "there is no .summary; it is shown by `weir service list`");
    if (s->version < 1) fault(c, ".version is 0; the first one is 1");
    if (s->version_replays < 1 || s->version_replays > s->version)
        fault(c, ".version_replays is %u; it is 1 to .version, which is %u", s->version_replays, s->version);
    const struct {
        bool is_there;
        const char *name;
    } functions[] = {{s->state_bytes != NULL, "state_bytes"}, {s->open != NULL, "open"}, {s->save != NULL, "save"},
        {s->load != NULL, "load"}};
    if (!s->apply) fault(c, "there is no .apply; every service has one");
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(functions) && s->flat_bytes == 0; i++)
        if (!functions[i].is_there)
            fault(c, "there is no .%s; every service has one, unless .flat_bytes is set", functions[i].name);
    if (s->output_bytes_max > DECLARATION_OUTPUT_BYTES_MAX)
        fault(c, ".output_bytes_max is %zu; it is at most %u", s->output_bytes_max, DECLARATION_OUTPUT_BYTES_MAX);
    if (s->replies_max > WEIR_REPLIES_MAX)
        fault(c, ".replies_max is %u; it is at most %u", s->replies_max, WEIR_REPLIES_MAX);
}

static const struct weir_setting *find_setting(const struct weir_service *s, const char *name) {
    for (const struct weir_setting *row = s->settings; name && row && row->name; row++)
        if (strcmp(row->name, name) == 0) return row;
    return NULL;
}

static void check_settings(struct check *c) {
    const struct weir_service *s = c->service;
    uint32_t count = 0;
    for (const struct weir_setting *row = s->settings; row && row->name; row++, count++) {
        if (!is_name(row->name, 64)) fault(c, "setting \"%s\": a name is of a-z, 0-9 and _, at most 64", row->name);
        if (!row->initial) fault(c, "setting %s has no initial value; write it as in the file", row->name);
        if (!row->summary) fault(c, "setting %s has no summary", row->name);
        if (row->kind > WEIR_SETTING_TEXT)
            fault(c, "setting %s is of kind %d, which there is not", row->name, row->kind);
        if (row->max != 0 && row->min > row->max) fault(c, "setting %s has a min above its max", row->name);
        if (find_setting(s, row->name) != row) fault(c, "setting %s stands there twice", row->name);
    }
    if (count > IN_FORCE_ROWS_MAX) fault(c, "there are %u settings; at most %u", count, IN_FORCE_ROWS_MAX);
    const struct weir_setting *partitions = find_setting(s, s->partitions_setting);
    if (s->partitions_setting && (!partitions || partitions->kind != WEIR_SETTING_UINT))
        fault(c, ".partitions_setting is \"%s\", and there is no setting of that name and kind UINT",
            s->partitions_setting);
}

static void check_types(struct check *c, const struct weir_topic *topic) {
    for (const struct weir_record_type *row = topic->types; row && row->name; row++)
        for (const struct weir_record_type *other = topic->types; other < row; other++)
            if (other->type == row->type)
                fault(c, "topic %s: record types %s and %s are both number %u", topic->name, other->name, row->name,
                    row->type);
}

static void check_topics(struct check *c) {
    const struct weir_service *s = c->service;
    uint32_t count = 0, inputs = 0;
    size_t size = strlen(s->name);
    for (const struct weir_topic *row = s->topics; row && row->name; row++, count++) {
        inputs += row->role == WEIR_TOPIC_INPUT;
        if (strncmp(row->name, s->name, size) != 0 || row->name[size] != '.')
            fault(c, "topic %s: its name begins with \"%s.\"", row->name, s->name);
        for (const struct weir_topic *other = s->topics; other < row; other++)
            if (strcmp(other->name, row->name) == 0) fault(c, "topic %s stands there twice", row->name);
        check_types(c, row);
    }
    if (inputs != 1) fault(c, "there are %u input topics; there is exactly one", inputs);
    if (count > FOLD_TOPICS_MAX) fault(c, "there are %u topics; at most %u", count, FOLD_TOPICS_MAX);
}

static void check_protocol(struct check *c, const char *where, const struct weir_protocol *protocol) {
    if (!protocol)
        fault(c, "%s has no protocol", where);
    else if (!protocol->on_bytes || protocol->receive_bytes_max == 0)
        fault(c, "%s: its protocol has no on_bytes, or a receive_bytes_max of 0", where);
}

static void check_routes(struct check *c) {
    const struct weir_service *s = c->service;
    char prefix[80];
    struct text_builder t = TEXT_BUILDER(prefix);
    text_printf(&t, "/v1/%s", s->name);
    for (const struct weir_route *row = s->routes; row && row->path; row++) {
        if (strncmp(row->path, prefix, t.size) != 0 || (row->path[t.size] != '/' && row->path[t.size] != 0))
            fault(c, "route %s: its path begins with %s/", row->path, prefix);
        if (row->kind > WEIR_ROUTE_SOCKET) fault(c, "route %s is of kind %d, which there is not", row->path, row->kind);
        if (row->kind != WEIR_ROUTE_SOCKET && !row->method) fault(c, "route %s has no method", row->path);
        if (row->kind == WEIR_ROUTE_QUERY && !row->query) fault(c, "route %s is a query without .query", row->path);
        if (row->kind == WEIR_ROUTE_SOCKET) check_protocol(c, row->path, row->protocol);
    }
}

static void check_rest(struct check *c) {
    const struct weir_service *s = c->service;
    uint32_t emits = 0;
    for (const struct weir_listener *row = s->listeners; row && row->name; row++) {
        const struct weir_setting *setting = find_setting(s, row->setting);
        check_protocol(c, row->name, row->protocol);
        if (!setting || setting->kind != WEIR_SETTING_TEXT)
            fault(c, "listener %s: there is no setting of kind TEXT named \"%s\"", row->name,
                row->setting ? row->setting : "");
    }
    for (const struct weir_metric *row = s->metrics; row && row->name; row++)
        if (!is_name(row->name, 64) || !row->help)
            fault(c, "metric %s has a name with other than a-z, 0-9 and _, or no help", row->name);
    for (const struct weir_reason *row = s->reasons; row && row->name; row++)
        if (!row->sentence || row->status < 400 || row->status > 599)
            fault(c, "reason %s has no sentence, or a status that is not 400 to 599", row->name);
    for (const struct weir_emit_row *row = s->emits; row && row->service; row++)
        emits++;
    for (const struct weir_kafka_row *row = s->kafka; row && row->api; row++)
        if (!row->partition || !row->summary) fault(c, "Kafka api %d has no .partition, or no summary", row->api);
    if (emits > FOLD_EMITS_MAX) fault(c, "there are %u emit rows; at most %u", emits, FOLD_EMITS_MAX);
    if (emits > 0 && s->emits_max == 0) fault(c, "it emits, and .emits_max is 0");
}

enum weir_error declaration_check(
    const struct weir_service *service, void (*found)(void *ctx, const char *sentence), void *ctx) {
    struct check c = {.service = service, .found = found, .ctx = ctx};
    if (!service->name || !is_name(service->name, 32)) {
        fault(&c, "its name is \"%s\"; a name is of a-z, 0-9 and _, a letter first, at most 32",
            service->name ? service->name : "");
    } else {
        check_head(&c);
        check_settings(&c);
        check_topics(&c);
        check_routes(&c);
        check_rest(&c);
    }
    return c.faults == 0 ? WEIR_OK : weir_error_context(WEIR_E_CONFIG, "%s", c.first);
}
