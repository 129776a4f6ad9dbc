/* Any bytes as a configuration file, or as lines KEY=VALUE as `--set` takes them: the loader answers OK or a reason;
 * what is in force stays within its bounds; and what is printed loads again and prints the same values. Covers:
 * settings.c settings_yaml.c. */
#include "base/assert.h"
#include "base/text.h"
#include "host/settings.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_setting rows[] = {
    {"count", WEIR_SETTING_UINT, "1", 1, 64, "A number."},
    {"bytes", WEIR_SETTING_BYTES, "64MB", 1 << 10, 1 << 30, "A size."},
    {"time", WEIR_SETTING_DURATION, "10s", 1000, 0, "A duration.", .folded = true},
    {"on", WEIR_SETTING_BOOL, "true", 0, 0, "A switch."},
    {"name", WEIR_SETTING_TEXT, "", 0, 0, "A text."},
    {0},
};
static const struct weir_service service = {.name = "svc", .settings = rows};
static const struct weir_service *const services[] = {&service, NULL};

static struct settings *fresh(void) {
    struct settings *settings = NULL;
    enum weir_error e = settings_new(services, &settings);
    WEIR_ASSERT(e == WEIR_OK);
    return settings;
}

static void set_lines(struct settings *settings, struct weir_slice text) {
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        char line[256], explained[2048];
        snprintf(line, sizeof line, "%.*s", (int)size, (const char *)text.data);
        char *value = strchr(line, '=');
        if (value) *value++ = 0;
        bool is_known = settings_explain(settings, line, explained, sizeof explained) > 0;
        enum weir_error e = settings_set(settings, line, value ? value : "", "--set");
        WEIR_ASSERT(e == WEIR_OK ? is_known : weir_error_text()[0] != 0);
        text = weir_slice(text.data + size + (end != NULL), text.size - size - (end != NULL));
    }
}

static void check_bounds(const struct settings *settings) {
    const struct weir_setting_value *values = settings_of(settings, "svc");
    WEIR_ASSERT(settings_node(settings)[NODE_LISTEN].text && !settings_of(settings, "none"));
    for (size_t i = 0; rows[i].name; i++) {
        if (rows[i].kind == WEIR_SETTING_TEXT) continue;
        WEIR_ASSERT(values[i].number >= rows[i].min && (rows[i].max == 0 || values[i].number <= rows[i].max));
    }
}

static void check_printed(const struct settings *settings) {
    size_t size = settings_print(settings, NULL, 0);
    char *text = malloc(size + 1);
    struct settings *again = fresh();
    WEIR_ASSERT(text && settings_print(settings, text, size + 1) == size);
    enum weir_error e = settings_load_yaml(again, "printed", weir_slice(text, size));
    WEIR_ASSERT(e == WEIR_OK);
    for (uint32_t g = 0; g < settings->count; g++)
        for (uint32_t i = 0; i < settings->groups[g].count; i++)
            WEIR_ASSERT(strcmp(settings->groups[g].values[i].text, again->groups[g].values[i].text) == 0);
    settings_free(again);
    free(text);
}

static void count_mistake(void *count, const char *sentence) {
    WEIR_ASSERT(sentence[0]);
    ++*(uint32_t *)count;
}

/* Telling of every mistake finds one exactly where telling of the first does, and right files load alike. */
static void check_mistakes(const struct settings *settings, struct weir_slice text, bool is_right) {
    struct settings *all = fresh();
    struct settings_rows changed;
    uint32_t mistakes = 0;
    enum weir_error e = settings_load_yaml_all(all, "fuzz", text, count_mistake, &mistakes);
    WEIR_ASSERT((e == WEIR_OK) == is_right && (mistakes == 0) == is_right);
    settings_compare(settings, all, &changed);
    for (uint32_t g = 0; is_right && g < settings->count; g++)
        WEIR_ASSERT(changed.bits[g] == 0);
    settings_free(all);
}

/* What is said to differ is all that differs. */
static void check_compared(const struct settings *settings) {
    struct settings *other = fresh();
    struct settings_rows changed;
    settings_compare(settings, other, &changed);
    for (uint32_t g = 0; g < settings->count; g++)
        for (uint32_t i = 0; i < settings->groups[g].count; i++) {
            if (!(changed.bits[g] >> i & 1)) continue;
            enum weir_error e = settings_copy_row(other, settings, g, i);
            WEIR_ASSERT(e == WEIR_OK);
        }
    settings_compare(settings, other, &changed);
    for (uint32_t g = 0; g < settings->count; g++)
        WEIR_ASSERT(changed.bits[g] == 0);
    settings_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct settings *settings = fresh();
    if (size > 0 && data[0] == '=') {
        set_lines(settings, weir_slice(data + 1, size - 1));
    } else {
        enum weir_error e = settings_peek_yaml(settings, "only", "fuzz", weir_slice(data, size));
        WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_CONFIG || e == WEIR_E_NO_MEMORY);
        e = settings_load_yaml(settings, "fuzz", weir_slice(data, size));
        WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_CONFIG || e == WEIR_E_NO_MEMORY);
        check_mistakes(settings, weir_slice(data, size), e == WEIR_OK);
    }
    check_bounds(settings);
    check_printed(settings);
    check_compared(settings);
    settings_free(settings);
    return 0;
}
