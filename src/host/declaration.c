#include "host/declaration.h"
#include "base/text.h"
#include "host/fold.h"
#include <weir/effect.h>
#include <weir/gateway.h>
#include <weir/projection.h>

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

static void check_select(struct check *c, const struct weir_route *route) {
    const struct weir_select *select = route->select;
    uint32_t projections = 0, filters = 0;
    while (c->service->projections && c->service->projections[projections].name)
        projections++;
    if (!select || select->projection >= projections) {
        fault(c, "route %s has no .select, or its .projection is no row of .projections", route->path);
        return;
    }
    for (const struct weir_filter *f = select->filters; f && f->field; f++, filters++)
        if (!f->where || !strchr(f->where, '$'))
            fault(c, "route %s: the filter %s has no $ in its .where", route->path, f->field);
    if (filters > WEIR_FILTERS_MAX)
        fault(c, "route %s has %u filters; at most %d", route->path, filters, WEIR_FILTERS_MAX);
    if (!select->from || !select->key || !select->rows)
        fault(c, "route %s: .select lacks .from, .key or .rows", route->path);
    if (select->limit_max < 1 || select->limit_max > WEIR_ROWS_MAX)
        fault(c, "route %s: .limit_max is %u; 1 to %d", route->path, select->limit_max, WEIR_ROWS_MAX);
}

static void check_routes(struct check *c) {
    const struct weir_service *s = c->service;
    char prefix[80];
    struct text_builder t = TEXT_BUILDER(prefix);
    text_printf(&t, "/v1/%s", s->name);
    for (const struct weir_route *row = s->routes; row && row->path; row++) {
        if (strncmp(row->path, prefix, t.size) != 0 || (row->path[t.size] != '/' && row->path[t.size] != 0))
            fault(c, "route %s: its path begins with %s/", row->path, prefix);
        if (row->kind > WEIR_ROUTE_ROWS) fault(c, "route %s is of kind %d, which there is not", row->path, row->kind);
        if (row->kind != WEIR_ROUTE_SOCKET && !row->method) fault(c, "route %s has no method", row->path);
        if (row->kind == WEIR_ROUTE_QUERY && !row->query) fault(c, "route %s is a query without .query", row->path);
        if (row->kind == WEIR_ROUTE_SOCKET) check_protocol(c, row->path, row->protocol);
        if (row->kind == WEIR_ROUTE_ROWS) check_select(c, row);
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

static void check_effect_setting(struct check *c, const char *effect, const char *name, enum weir_setting_kind kind) {
    const struct weir_setting *setting = find_setting(c->service, name);
    if (name && (!setting || setting->kind != kind || (kind == WEIR_SETTING_UINT && !setting->folded)))
        fault(c, "effect %s: there is no setting named \"%s\" of kind %s", effect, name,
            kind == WEIR_SETTING_UINT ? "UINT that is .folded" : "TEXT");
}

static void check_effect(struct check *c, const struct weir_effect_row *row) {
    const char *name = row->name;
    if (!is_name(name, 64) || !row->summary)
        fault(c, "effect %s has a name with other than a-z, 0-9 and _, or no summary", name);
    if (row->kind != WEIR_EFFECT_HTTP && row->kind != WEIR_EFFECT_WORK)
        fault(c, "effect %s is of kind %d, which there is not", name, row->kind);
    if (row->kind == WEIR_EFFECT_WORK && !row->work) fault(c, "effect %s is work and has no .work", name);
    if (row->attempts_max > WEIR_EFFECT_ATTEMPTS_MAX)
        fault(c, "effect %s: .attempts_max is %u; it is at most %u", name, row->attempts_max, WEIR_EFFECT_ATTEMPTS_MAX);
    if (row->request_bytes_max > WEIR_EFFECT_BYTES_MAX || row->result_bytes_max > WEIR_EFFECT_BYTES_MAX)
        fault(c, "effect %s: its requests and results have at most %u bytes", name, WEIR_EFFECT_BYTES_MAX);
    if (row->outstanding_max > 1u << 20 || row->dead_max > 1u << 20 || row->keys_max > 1u << 20)
        fault(c, "effect %s: .outstanding_max, .dead_max and .keys_max are at most %u", name, 1u << 20);
    if (row->outstanding_max && row->outstanding_max < c->service->effects_max)
        fault(c, "effect %s: .outstanding_max is below the service's .effects_max: no command could be taken", name);
    check_effect_setting(c, name, row->running_setting, WEIR_SETTING_UINT);
    check_effect_setting(c, name, row->per_second_setting, WEIR_SETTING_UINT);
    check_effect_setting(c, name, row->attempts_setting, WEIR_SETTING_UINT);
    check_effect_setting(c, name, row->secret_setting, WEIR_SETTING_TEXT);
}

static void check_effects(struct check *c) {
    const struct weir_service *s = c->service;
    uint32_t count = 0;
    bool has_topic = false;
    for (const struct weir_topic *row = s->topics; row && row->name; row++)
        has_topic |= row->types == weir_dead_types;
    for (const struct weir_effect_row *row = s->effects; row && row->name; row++, count++)
        check_effect(c, row);
    if (count > EFFECT_ROWS_MAX) fault(c, "there are %u effects; at most %u", count, EFFECT_ROWS_MAX);
    if (count > 0 && !has_topic)
        fault(c, "it has effects and no topic for dead letters: add WEIR_DEAD_TOPIC(\"%s\")", s->name);
    if (count > 0 && (s->effects_max < 1 || s->effects_max > WEIR_EFFECTS_MAX))
        fault(c, "it has effects, and .effects_max is %u; it is 1 to %u", s->effects_max, WEIR_EFFECTS_MAX);
}

static bool is_duration(const struct weir_service *s, const char *name) {
    const struct weir_setting *row = find_setting(s, name);
    return row && row->kind == WEIR_SETTING_DURATION;
}

static void check_columns(struct check *c, const struct weir_table *table) {
    uint32_t count = 0, keys = 0;
    bool has_time = !table->time_column;
    for (const struct weir_column *row = table->columns; row && row->name; row++, count++) {
        if (!is_name(row->name, 60))
            fault(c, "table %s: column \"%s\" is not of a-z, 0-9 and _", table->name, row->name);
        if (row->kind > WEIR_COLUMN_BYTES) fault(c, "table %s: column %s is of no kind", table->name, row->name);
        keys += row->is_key;
        has_time |=
            table->time_column && strcmp(table->time_column, row->name) == 0 && row->kind == WEIR_COLUMN_INTEGER;
    }
    if (count > WEIR_COLUMNS_MAX) fault(c, "table %s has %u columns; at most %d", table->name, count, WEIR_COLUMNS_MAX);
    if (keys == 0) fault(c, "table %s has no column with .is_key", table->name);
    if (!has_time)
        fault(c, "table %s: .time_column is \"%s\", and it has no INTEGER column of that name", table->name,
            table->time_column);
}

static void check_tables(struct check *c, const struct weir_projection *p) {
    uint32_t count = 0, number = 0;
    size_t size = strlen(c->service->name);
    for (const struct weir_table *t = p->tables; t && t->name; t++, count++) {
        if (!is_name(t->name, 60) || strncmp(t->name, c->service->name, size) != 0 ||
            (t->name[size] != '_' && t->name[size] != 0))
            fault(c, "table %s: its name is %s, or begins with \"%s_\"", t->name, c->service->name, c->service->name);
        check_columns(c, t);
    }
    if (count == 0 || count > WEIR_TABLES_MAX)
        fault(c, "projection %s has %u tables; 1 to %d", p->name, count, WEIR_TABLES_MAX);
    for (const struct weir_migration *m = p->migrations; m && m->summary; m++) {
        if (m->number != ++number)
            fault(c, "projection %s: migration %u stands where %u belongs", p->name, m->number, number);
        if (!m->sql && !(m->sqlite && m->postgres))
            fault(c, "projection %s: migration %u has neither .sql nor both of .sqlite and .postgres", p->name,
                m->number);
    }
    if (number == 0) fault(c, "projection %s has no migrations", p->name);
}

static void check_projections(struct check *c) {
    const struct weir_service *s = c->service;
    uint32_t topics = 0;
    while (s->topics && s->topics[topics].name)
        topics++;
    for (const struct weir_projection *p = s->projections; p && p->name; p++) {
        if (!is_name(p->name, 40)) fault(c, "projection \"%s\": a name is of a-z, 0-9 and _, at most 40", p->name);
        if (p->topic >= topics || s->topics[p->topic].role != WEIR_TOPIC_OUTPUT || s->topics[p->topic].in_memory)
            fault(c, "projection %s: .topic is no row of an output that is kept on disk", p->name);
        if (!p->project || !p->summary || p->version < 1)
            fault(c, "projection %s has no .project, no .summary or no .version", p->name);
        if (p->keep_setting && !is_duration(s, p->keep_setting))
            fault(c, "projection %s: there is no setting of kind DURATION named \"%s\"", p->name, p->keep_setting);
        check_tables(c, p);
    }
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
        check_effects(&c);
        check_projections(&c);
    }
    return c.faults == 0 ? WEIR_OK : weir_error_context(WEIR_E_CONFIG, "%s", c.first);
}
