#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/declaration.h"
#include "host/plugin.h"
#include <stdio.h>

/* A declaration as an older API would have had it: each struct one field shorter, rows at that distance. */
struct old_setting {
    const char *name;
    enum weir_setting_kind kind;
    const char *initial;
    uint64_t min, max;
    const char *summary;
};
struct old_topic {
    const char *name;
    enum weir_topic_role role;
    const struct weir_record_type *types;
    const char *summary;
};

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    (void)session;
    (void)bytes;
    (void)text;
    (void)ret_consumed;
}
static void apply(void *state, const struct weir_record *record, struct weir_out *out) {
    (void)state;
    (void)record;
    (void)out;
}

static const struct old_setting old_settings[] = {
    {"first", WEIR_SETTING_UINT, "1", 0, 9, "One."}, {"second", WEIR_SETTING_TEXT, "x", 0, 0, "Two."}, {0}};
static const struct weir_record_type types[] = {{1, "one", "One.", NULL, NULL}, {2, "two", "Two.", NULL, NULL}, {0}};
static const struct old_topic old_topics[] = {
    {"old.in", WEIR_TOPIC_INPUT, types, "In."}, {"old.out", WEIR_TOPIC_OUTPUT, NULL, "Out."}, {0}};
static const struct weir_protocol protocol = {.name = "p", .receive_bytes_max = 10, .on_bytes = on_bytes};
static const struct weir_route routes[] = {
    {.kind = WEIR_ROUTE_SOCKET, .path = "/v1/old/ws", .protocol = &protocol}, {0}};

static struct weir_service declare(void) {
    struct weir_service s = {.name = "old", .summary = "Of an older API.", .version = 1, .version_replays = 1};
    s.settings = (const void *)old_settings;
    s.topics = (const void *)old_topics;
    s.routes = routes;
    s.apply = apply;
    s.flat_bytes = 8;
    return s;
}

static const uint32_t offsets[WEIR_PLUGIN_STRUCT_COUNT] = {
    [WEIR_PLUGIN_SETTING] = sizeof(struct weir_setting) - sizeof(struct old_setting),
    [WEIR_PLUGIN_TOPIC] = sizeof(struct weir_topic) - sizeof(struct old_topic),
};

static struct weir_plugin plugin_of(const struct weir_service *service) {
    const struct weir_plugin today = WEIR_PLUGIN_INITIALISER(*service);
    struct weir_plugin plugin = today;
    for (uint32_t i = 0; i < WEIR_PLUGIN_STRUCT_COUNT; i++)
        plugin.bytes[i] -= offsets[i];
    return plugin;
}

static void an_older_declaration_keeps_every_row_and_new_fields_are_zero(void **state) {
    (void)state;
    struct weir_service declared = declare();
    struct weir_plugin plugin = plugin_of(&declared);
    struct arena arena;
    const struct weir_service *taken = NULL;
    arena_init(&arena, NULL, 4096, 1 << 20);
    assert_int_equal(plugin_take(&plugin, "old.so", &arena, &taken), WEIR_OK);
    assert_ptr_not_equal(taken, &declared);
    assert_string_equal(taken->settings[1].name, "second");
    assert_string_equal(taken->settings[1].summary, "Two.");
    assert_false(taken->settings[0].folded);
    assert_null(taken->settings[2].name);
    assert_string_equal(taken->topics[1].name, "old.out");
    assert_int_equal(taken->topics[0].retention_bytes, 0);
    assert_string_equal(taken->topics[0].types[1].name, "two");
    assert_null(taken->topics[0].types[2].name);
    assert_null(taken->topics[1].types);
    assert_ptr_equal(taken->routes[0].protocol->on_bytes, on_bytes);
    assert_ptr_equal(taken->apply, apply);
    assert_int_equal(declaration_check(taken, NULL, NULL), WEIR_OK);
    arena_done(&arena);
}

static void a_declaration_of_today_is_taken_as_it_is(void **state) {
    (void)state;
    struct weir_service declared = {.name = "new"};
    const struct weir_plugin plugin = WEIR_PLUGIN_INITIALISER(declared);
    const struct weir_service *taken = NULL;
    assert_int_equal(plugin_take(&plugin, "new.so", NULL, &taken), WEIR_OK);
    assert_ptr_equal(taken, &declared);
}

static void other_versions_are_refused_with_both(void **state) {
    (void)state;
    struct weir_service declared = {.name = "new"};
    const struct weir_plugin today = WEIR_PLUGIN_INITIALISER(declared);
    const struct weir_service *taken = NULL;
    char here[32];
    snprintf(here, sizeof here, "offers %u.%u", WEIR_API_MAJOR, WEIR_API_MINOR);
    struct weir_plugin others[] = {today, today, today};
    others[0].api_minor = WEIR_API_MINOR + 1;
    others[1].api_major = WEIR_API_MAJOR + 1;
    others[2].api_major = WEIR_API_MAJOR - 1;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(others); i++) {
        assert_int_equal(plugin_take(&others[i], "x.so", NULL, &taken), WEIR_E_VERSION);
        assert_non_null(strstr(weir_error_text(), here));
        assert_null(taken);
    }
}

static void what_is_no_plugin_is_refused_before_it_is_read(void **state) {
    (void)state;
    struct weir_service declared = {.name = "new"};
    struct weir_plugin plugin = WEIR_PLUGIN_INITIALISER(declared);
    const struct weir_service *taken = NULL;
    assert_int_equal(plugin_take(NULL, "x.so", NULL, &taken), WEIR_E_UNSUPPORTED);
    plugin.bytes[WEIR_PLUGIN_ROUTE]++;
    assert_int_equal(plugin_take(&plugin, "x.so", NULL, &taken), WEIR_E_VERSION);
    plugin.bytes[WEIR_PLUGIN_ROUTE] = 4;
    assert_int_equal(plugin_take(&plugin, "x.so", NULL, &taken), WEIR_E_VERSION);
    plugin.service = NULL;
    plugin.bytes[WEIR_PLUGIN_ROUTE] = sizeof(struct weir_route);
    assert_int_equal(plugin_take(&plugin, "x.so", NULL, &taken), WEIR_E_UNSUPPORTED);
    plugin.magic++;
    assert_int_equal(plugin_take(&plugin, "x.so", NULL, &taken), WEIR_E_UNSUPPORTED);
}

static void a_table_without_an_end_is_refused(void **state) {
    (void)state;
    static struct old_setting endless[5000];
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(endless); i++)
        endless[i] = old_settings[0];
    struct weir_service declared = declare();
    declared.settings = (const void *)endless;
    struct weir_plugin plugin = plugin_of(&declared);
    const struct weir_service *taken = NULL;
    struct arena arena;
    arena_init(&arena, NULL, 4096, 1 << 20);
    assert_int_equal(plugin_take(&plugin, "old.so", &arena, &taken), WEIR_E_NO_MEMORY);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_declaration_keeps_every_row_and_new_fields_are_zero),
        cmocka_unit_test(a_declaration_of_today_is_taken_as_it_is),
        cmocka_unit_test(other_versions_are_refused_with_both),
        cmocka_unit_test(what_is_no_plugin_is_refused_before_it_is_read),
        cmocka_unit_test(a_table_without_an_end_is_refused),
    };
    return cmocka_run_group_tests_name("plugin", tests, NULL, NULL);
}
