/* YAML 1.1 by libyaml's event parser. Only what a configuration needs: a mapping of scalars, of lists of scalars and of
 * one level of mappings of these. */
#include "base/text.h"
#include "host/settings.h"
#include <yaml.h>

#define YAML_DEPTH_MAX     2
#define YAML_LIST_TEXT_MAX 4096

struct loader {
    struct settings *settings;
    const char *name;
    yaml_parser_t parser;
    char prefix[128]; /* "exchange." inside its mapping */
    char key[256];    /* full key waiting for its value; empty: the next scalar is a key */
    uint32_t depth;
    const char *only; /* the one key to take, NULL: all */
    bool in_list;
    size_t list_line;
    char list[YAML_LIST_TEXT_MAX]; /* what a list has held so far, as one text */
    struct text_builder list_text;
    settings_mistake_fn mistake; /* NULL: the first one ends it */
    void *ctx;
    uint32_t mistakes;
    bool skipping; /* inside the mapping of a service that does not exist */
};

static enum weir_error at(const struct loader *l, const yaml_event_t *event, const char *what) {
    return weir_error_context(WEIR_E_CONFIG, "%s:%zu: %s", l->name, event->start_mark.line + 1, what);
}

/* A mistake in a value or a name; those of YAML itself end the loading. */
static enum weir_error note(struct loader *l) {
    if (!l->mistake) return WEIR_E_CONFIG;
    l->mistake(l->ctx, weir_error_text());
    l->mistakes++;
    return WEIR_OK;
}

/* The value of the key that waits for it. */
static enum weir_error set(struct loader *l, size_t line, const char *text) {
    char origin[300];
    struct text_builder t = TEXT_BUILDER(origin);
    text_printf(&t, "%s:%zu", l->name, line);
    bool takes = !l->skipping && (!l->only || strcmp(l->key, l->only) == 0);
    enum weir_error e = takes ? settings_set(l->settings, l->key, text, origin) : WEIR_OK;
    l->key[0] = 0;
    if (e == WEIR_OK) return WEIR_OK;
    (void)weir_error_wrap(WEIR_E_CONFIG, "%s", origin);
    return note(l);
}

static enum weir_error on_list_item(struct loader *l, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    if (strchr(text, ',')) return at(l, event, "an item of a list may not contain a comma");
    if (l->list_text.size > 0) text_add_char(&l->list_text, ',');
    text_add(&l->list_text, text);
    return l->list_text.truncated ? at(l, event, "a list is longer than 4095 bytes") : WEIR_OK;
}

static enum weir_error on_list(struct loader *l, const yaml_event_t *event) {
    if (l->depth == 0 || l->key[0] == 0 || l->in_list)
        return at(l, event, "a list may only be the value of a key, and hold single values");
    l->in_list = true;
    l->list_line = event->start_mark.line + 1;
    l->list_text = TEXT_BUILDER(l->list);
    return WEIR_OK;
}

static enum weir_error on_list_end(struct loader *l) {
    l->in_list = false;
    return set(l, l->list_line, l->list);
}

static enum weir_error on_scalar(struct loader *l, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (memchr(text, 0, size)) return at(l, event, "a value contains a NUL byte");
    if (l->in_list) return on_list_item(l, event);
    if (l->depth == 0) return at(l, event, "expected `key: value` lines, found a single value");
    if (l->key[0] == 0) {
        struct text_builder t = TEXT_BUILDER(l->key);
        text_printf(&t, "%s%s", l->prefix, text);
        return t.truncated || size == 0 ? at(l, event, "a key must have 1 to 120 characters") : WEIR_OK;
    }
    return set(l, event->start_mark.line + 1, text);
}

/* The node's own keys with a point in them may stand below their first word: `tls: {cert: ...}`. */
static bool is_node_prefix(const char *prefix) {
    for (uint32_t i = 0; i < NODE_SETTING_COUNT; i++)
        if (text_starts_with(weir_slice_text(node_settings[i].name), prefix)) return true;
    return false;
}

static enum weir_error on_mapping(struct loader *l, const yaml_event_t *event) {
    if (l->depth == YAML_DEPTH_MAX || (l->depth == 1 && l->key[0] == 0) || l->in_list)
        return at(l, event, "mappings may be nested once only: `service:` and its keys below it");
    enum weir_error e = WEIR_OK;
    if (l->depth == 1) {
        struct text_builder t = TEXT_BUILDER(l->prefix);
        text_printf(&t, "%s.", l->key);
        bool known = l->only != NULL || is_node_prefix(l->prefix);
        for (uint32_t g = 1; g < l->settings->count; g++)
            known |= strcmp(l->settings->groups[g].name, l->key) == 0;
        if (t.truncated || !known) {
            char what[400];
            struct text_builder w = TEXT_BUILDER(what);
            text_printf(&w, "there is no service %s", l->key);
            const char *names[64];
            size_t count = 0;
            for (uint32_t g = 1; g < l->settings->count && count < 64; g++)
                names[count++] = l->settings->groups[g].name;
            int nearest = text_nearest(weir_slice_text(l->key), names, count);
            if (nearest >= 0) text_printf(&w, "; did you mean %s?", names[nearest]);
            (void)at(l, event, what);
            l->skipping = true;
            e = note(l);
        }
        l->key[0] = 0;
    }
    l->depth++;
    return e;
}

static enum weir_error on_event(struct loader *l, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(l, event);
    case YAML_MAPPING_START_EVENT:
        return on_mapping(l, event);
    case YAML_MAPPING_END_EVENT:
        l->depth--;
        l->prefix[0] = 0;
        l->skipping = false;
        return WEIR_OK;
    case YAML_SEQUENCE_START_EVENT:
        return on_list(l, event);
    case YAML_SEQUENCE_END_EVENT:
        return on_list_end(l);
    case YAML_ALIAS_EVENT:
        return at(l, event, "aliases (*name) are not used here");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return WEIR_OK;
    }
    return WEIR_OK;
}

struct told { /* whom mistakes are told to */
    settings_mistake_fn mistake;
    void *ctx;
};

static enum weir_error load(
    struct settings *settings, const char *only, const char *name, struct weir_slice text, struct told told) {
    struct loader l = {.settings = settings, .name = name, .only = only, .mistake = told.mistake, .ctx = told.ctx};
    if (!yaml_parser_initialize(&l.parser))
        return weir_error_context(WEIR_E_NO_MEMORY, "%s: no memory for the YAML parser", name);
    yaml_parser_set_input_string(&l.parser, text.data ? text.data : (const uint8_t *)"", text.size);
    enum weir_error e = WEIR_OK;
    bool end = false;
    while (e == WEIR_OK && !end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&l.parser, &event)) {
            e = weir_error_context(WEIR_E_CONFIG, "%s:%zu: %s%s%s", name, l.parser.problem_mark.line + 1,
                l.parser.problem ? l.parser.problem : "not YAML", l.parser.context ? ", " : "",
                l.parser.context ? l.parser.context : "");
            break;
        }
        e = on_event(&l, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&l.parser);
    if (e != WEIR_OK && told.mistake) told.mistake(told.ctx, weir_error_text());
    return e == WEIR_OK && l.mistakes > 0 ? WEIR_E_CONFIG : e;
}

enum weir_error settings_load_yaml(struct settings *settings, const char *name, struct weir_slice text) {
    return load(settings, NULL, name, text, (struct told){0});
}

enum weir_error settings_load_yaml_all(
    struct settings *settings, const char *name, struct weir_slice text, settings_mistake_fn mistake, void *ctx) {
    return load(settings, NULL, name, text, (struct told){mistake, ctx});
}

enum weir_error settings_peek_yaml(
    struct settings *settings, const char *key, const char *name, struct weir_slice text) {
    return load(settings, key, name, text, (struct told){0});
}
