#include "cli/configuration.h"
#include "cli/tls.h"
#include "edge/edge.h"
#include "otlp/agent.h"
#include "projection/agent.h"

#include <stdlib.h>

#define FILE_BYTES_MAX (1u << 20)

void mistakes_add(void *mistakes, const char *sentence) {
    struct mistakes *m = mistakes;
    size_t size = strlen(sentence);
    m->count++;
    if (m->size + size + 2 > sizeof m->text) {
        m->left_out++;
        return;
    }
    memcpy(m->text + m->size, sentence, size);
    m->size += size;
    m->text[m->size++] = '\n';
    m->text[m->size] = 0;
}

void mistakes_print(const struct mistakes *m, FILE *to) {
    for (const char *at = m->text; *at;) {
        size_t n = strcspn(at, "\n");
        fprintf(to, "weir: %.*s\n", (int)n, at);
        at += n + (at[n] == '\n');
    }
    if (m->left_out) fprintf(to, "weir: and %u more mistakes\n", m->left_out);
}

static void set(struct settings *settings, const char *key, const char *value, const char *origin, struct mistakes *m) {
    if (settings_set(settings, key, value, origin) == WEIR_OK) return;
    (void)weir_error_wrap(WEIR_E_CONFIG, "%s", origin);
    mistakes_add(m, weir_error_text());
}

static void set_flags(const struct configuration *c, struct settings *settings, struct mistakes *m) {
    for (int i = 0; i < NODE_SETTING_COUNT; i++) {
        char origin[64];
        snprintf(origin, sizeof origin, "--%s", node_settings[i].name);
        if (c->values[i]) set(settings, node_settings[i].name, c->values[i], origin, m);
    }
    for (uint32_t i = 0; i < c->set.count; i++) {
        const char *item = c->set.items[i], *equals = strchr(item, '=');
        char key[200];
        if (!equals || (size_t)(equals - item) >= sizeof key) {
            (void)weir_error_context(
                WEIR_E_CONFIG, "--set %s: write KEY=VALUE, as in --set exchange.partitions=4", item);
            mistakes_add(m, weir_error_text());
            continue;
        }
        snprintf(key, sizeof key, "%.*s", (int)(equals - item), item);
        set(settings, key, equals + 1, "--set", m);
    }
}

/* OpenTelemetry's variables, which whoever runs many programs sets for all of them: they stand where initial values do,
 * so that the file and flags overrule them. The signal's own one overrules the general one. */
static void set_environment(struct settings *settings, struct mistakes *m) {
    static const struct {
        const char *name, *key, *behind;
    } rows[] = {
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "trace.endpoint", OTLP_PATH},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "trace.endpoint", ""},
        {"OTEL_SERVICE_NAME", "trace.service_name", ""},
        {"OTEL_RESOURCE_ATTRIBUTES", "trace.attributes", ""},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        char value[2200];
        const char *given = getenv(rows[i].name);
        if (!given || !*given) continue;
        size_t size = strlen(given);
        while (rows[i].behind[0] && size && given[size - 1] == '/')
            size--;
        struct text_builder t = TEXT_BUILDER(value);
        text_add_slice(&t, weir_slice(given, size));
        text_add(&t, rows[i].behind);
        set(settings, rows[i].key, value, rows[i].name, m);
    }
}

const char *configuration_trace_headers(void) {
    const char *own = getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    return own ? own : getenv("OTEL_EXPORTER_OTLP_HEADERS");
}

/* A pair of one's own in DATA/tls, made at the first start and kept. */
static void self_sign(struct sys *sys, struct settings *settings, struct mistakes *m) {
    struct cli_tls_pair pair = {.names = CLI_TLS_NAMES, .keeps = true, .to = stderr};
    const struct weir_setting_value *s = settings_node(settings);
    char folder[400];
    snprintf(folder, sizeof folder, "%s/tls", s[NODE_DATA].text);
    enum weir_error e = s[NODE_TLS_CERT].text[0] ? weir_error_context(WEIR_E_CONFIG,
                                                       "--tls-self-signed: tls.cert is set already; leave one of them "
                                                       "out")
                                                 : cli_tls_in(&pair, folder);
    if (e == WEIR_OK) e = cli_tls_pair(sys, &pair);
    if (e == WEIR_OK) e = settings_set(settings, "tls.cert", pair.cert, "--tls-self-signed");
    if (e == WEIR_OK) e = settings_set(settings, "tls.key", pair.key, "--tls-self-signed");
    if (e != WEIR_OK) mistakes_add(m, weir_error_text());
}

static enum weir_error load_services(
    struct sys *sys, const struct configuration *c, struct weir_slice text, struct cli_services *services) {
    if (services->count > 0) return WEIR_OK;
    enum weir_error e = cli_services_init(services);
    return e == WEIR_OK ? cli_services_load(services, sys, c->file, text, &c->services) : e;
}

/* What nothing can be checked without: the file's text, the services and their tables. */
static enum weir_error begin(struct sys *sys, const struct configuration *c, struct cli_services *services,
    struct weir_slice *ret_text, struct settings **ret_settings) {
    enum weir_error e = c->file ? sys_read_all(sys, c->file, FILE_BYTES_MAX, ret_text) : WEIR_OK;
    if (e == WEIR_OK) e = load_services(sys, c, *ret_text, services);
    return e == WEIR_OK ? settings_new(services->all, ret_settings) : e;
}

enum weir_error configuration_load(struct sys *sys, const struct configuration *c, struct cli_services *services,
    struct mistakes *mistakes, struct settings **ret_settings) {
    struct settings *settings = NULL;
    struct weir_slice text = {0};
    *mistakes = (struct mistakes){.count = 0};
    enum weir_error e = begin(sys, c, services, &text, &settings);
    if (e != WEIR_OK) {
        mistakes_add(mistakes, weir_error_text());
        sys_bytes_free(text);
        return e;
    }
    set_environment(settings, mistakes);
    if (c->file) e = settings_load_yaml_all(settings, c->file, text, mistakes_add, mistakes);
    sys_bytes_free(text);
    set_flags(c, settings, mistakes);
    if (c->self_signed && mistakes->count == 0) self_sign(sys, settings, mistakes);
    enum sys_commit_path path;
    if (settings_journal_write(settings, &path) != WEIR_OK) mistakes_add(mistakes, weir_error_text());
    if (projection_check(settings, services->all) != WEIR_OK) mistakes_add(mistakes, weir_error_text());
    edge_check(sys, settings, services->all, c->at_start, mistakes_add, mistakes);
    otlp_check(sys, settings, configuration_trace_headers(), mistakes_add, mistakes);
    if (mistakes->count == 0) {
        *ret_settings = settings;
        return WEIR_OK;
    }
    settings_free(settings);
    return e != WEIR_OK && e != WEIR_E_CONFIG ? e : WEIR_E_CONFIG;
}
