#include "host/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct weir_setting shop_settings[] = {
    {"partitions", WEIR_SETTING_UINT, "1", 1, 64, "How many."},
    {"cache_bytes", WEIR_SETTING_BYTES, "64MB", 0, 0, "How much."},
    {"patience", WEIR_SETTING_DURATION, "10s", 1000000, 0, "How long."},
    {"strict", WEIR_SETTING_BOOL, "true", 0, 0, "How exact."},
    {0},
};
static const struct weir_service shop = {.name = "shop", .settings = shop_settings};
static const struct weir_service *const services[] = {&shop, NULL};

static int open_settings(void **state) {
    struct settings *settings = NULL;
    assert_int_equal(settings_new(services, &settings), WEIR_OK);
    *state = settings;
    return 0;
}

static int close_settings(void **state) {
    settings_free(*state);
    return 0;
}

static void every_initial_value_is_within_its_own_bounds(void **state) {
    struct settings *s = *state;
    assert_int_equal(settings_node(s)[NODE_JOURNAL_BYTES].number, 256u << 20);
    assert_string_equal(settings_node(s)[NODE_LISTEN].text, "127.0.0.1:7070");
    assert_int_equal(settings_of(s, "shop")[1].number, 64u << 20);
    assert_int_equal(settings_of(s, "shop")[2].number, 10000000000u);
    assert_int_equal(settings_of(s, "shop")[3].number, 1);
    assert_null(settings_of(s, "none"));
}

static void a_file_sets_node_and_service_keys_and_remembers_the_line(void **state) {
    struct settings *s = *state;
    const char *text = "# comment\nlisten: 127.0.0.1:0\nshop:\n  partitions: 4\n  cache_bytes: 1MB\n";
    assert_int_equal(settings_load_yaml(s, "weir.yaml", weir_slice_text(text)), WEIR_OK);
    assert_int_equal(settings_of(s, "shop")[0].number, 4);
    assert_string_equal(s->groups[1].origins[0], "weir.yaml:4");
    assert_string_equal(settings_node(s)[NODE_LISTEN].text, "127.0.0.1:0");
    assert_int_equal(settings_set(s, "shop.partitions", "8", "--set"), WEIR_OK);
    assert_int_equal(settings_of(s, "shop")[0].number, 8);
}

static void refuse(struct settings *s, const char *text, const char *part) {
    assert_int_equal(settings_load_yaml(s, "weir.yaml", weir_slice_text(text)), WEIR_E_CONFIG);
    if (!strstr(weir_error_text(), part)) fail_msg("\"%s\" does not say \"%s\"", weir_error_text(), part);
}

static void a_wrong_file_is_refused_with_line_and_nearest_name(void **state) {
    struct settings *s = *state;
    refuse(s, "listne: 1\n", "did you mean listen");
    refuse(s, "a: 1\n\nshop:\n  partition: 4\n", "weir.yaml:1");
    refuse(s, "shop:\n  partition: 4\n", "did you mean shop.partitions");
    refuse(s, "shpo:\n  partitions: 4\n", "did you mean shop");
    refuse(s, "shop:\n  partitions: 65\n", "1 to 64");
    refuse(s, "shop:\n  partitions: many\n", "weir.yaml:2");
    refuse(s, "shop: [1, 2]\n", "weir.yaml:1");
    refuse(s, "shop:\n  partitions: {a: 1}\n", "nested once");
    refuse(s, "listen: \"127.0", "weir.yaml");
    refuse(s, "lanes: 1\n\tx: y\n", "weir.yaml:2");
    refuse(s, "just text\n", "key: value");
    refuse(s, "lanes: *a\n", "weir.yaml");
}

static void a_file_truncated_at_any_byte_never_breaks_the_loader(void **state) {
    const char *text = "listen: \"127.0.0.1:7070\"\nshop:\n  partitions: 4\n  cache_bytes: 64MB\n  strict: false\n";
    for (size_t n = 0; n <= strlen(text); n++) {
        struct settings *s = NULL;
        assert_int_equal(settings_new(services, &s), WEIR_OK);
        enum weir_error e = settings_load_yaml(s, "weir.yaml", weir_slice(text, n));
        assert_true(e == WEIR_OK || e == WEIR_E_CONFIG);
        settings_free(s);
    }
    (void)state;
}

static void what_is_printed_can_be_loaded_again(void **state) {
    struct settings *s = *state;
    assert_int_equal(settings_set(s, "shop.patience", "90s", "test"), WEIR_OK);
    char text[16384];
    assert_in_range(settings_print(s, text, sizeof text), 100, sizeof text - 1);
    struct settings *again = NULL;
    assert_int_equal(settings_new(services, &again), WEIR_OK);
    assert_int_equal(settings_load_yaml(again, "printed", weir_slice_text(text)), WEIR_OK);
    for (uint32_t g = 0; g < s->count; g++)
        for (uint32_t i = 0; i < s->groups[g].count; i++)
            assert_string_equal(s->groups[g].values[i].text, again->groups[g].values[i].text);
    settings_free(again);
}

static void explain_tells_bounds_and_origin(void **state) {
    char text[1024];
    assert_int_not_equal(settings_explain(*state, "shop.partitions", text, sizeof text), 0);
    assert_non_null(strstr(text, "initial"));
    assert_int_equal(settings_explain(*state, "shop.nothing", text, sizeof text), 0);
}

static void what_is_printed_loads_again_as_it_was(void **state) {
    struct settings *s = *state, *again = NULL;
    static const char *const names[] = {"a \"quoted\" \\ folder", "# no comment", "", "z\xc3\xbcrich", "- [ { & *"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[16384];
        assert_int_equal(settings_set(s, "data", names[i], "--set"), WEIR_OK);
        size_t size = settings_print(s, text, sizeof text);
        assert_in_range(size, 1, sizeof text - 1);
        assert_int_equal(settings_new(services, &again), WEIR_OK);
        if (settings_load_yaml(again, "printed", weir_slice(text, size))) fail_msg("%s", weir_error_text());
        assert_string_equal(settings_node(again)[NODE_DATA].text, names[i]);
        settings_free(again);
    }
}

static void a_text_that_no_file_could_hold_is_refused(void **state) {
    struct settings *s = *state;
    static const char *const bad[] = {"\n", "a\tb", "\x01", "\x7f", "\x90", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(settings_set(s, "data", bad[i], "--set"), WEIR_E_CONFIG);
    refuse(s, "data: \"a\\nb\"\n", "without control characters");
}

static void count_and_keep(void *ctx, const char *sentence) {
    struct {
        int count;
        char last[512];
    } *told = ctx;
    told->count++;
    snprintf(told->last, sizeof told->last, "%s", sentence);
}

static void every_mistake_of_a_file_is_told(void **state) {
    struct settings *s = *state;
    struct {
        int count;
        char last[512];
    } told = {0};
    struct weir_slice text = weir_slice_text(
        "lisen: 127.0.0.1:1\nidle: soon\nshop:\n  partitions: 99\n  strict: false\nshp:\n  partitions: 3\nlanes: 2\n");
    assert_int_equal(settings_load_yaml_all(s, "f", text, count_and_keep, &told), WEIR_E_CONFIG);
    assert_int_equal(told.count, 4); /* what stands below a service that does not exist is no mistake of its own */
    assert_string_equal(told.last, "f:7: there is no service shp; did you mean shop?");
    assert_int_equal(settings_of(s, "shop")[3].number, 0); /* what was right is read */
    assert_int_equal(settings_node(s)[NODE_LANES].number, 2);
}

static void what_differs_is_a_row_of_its_own_and_can_be_copied(void **state) {
    struct settings *s = *state, *other = NULL;
    struct settings_rows changed;
    char key[80];
    assert_int_equal(settings_new(services, &other), WEIR_OK);
    assert_int_equal(settings_set(other, "shop.patience", "20s", "--set"), WEIR_OK);
    assert_int_equal(settings_set(other, "idle", "1m", "--set"), WEIR_OK); /* 60s, otherwise written */
    settings_compare(s, other, &changed);
    assert_int_equal(changed.bits[0], 0);
    assert_int_equal(changed.bits[1], 1u << 2);
    settings_key(s, 1, 2, key, sizeof key);
    assert_string_equal(key, "shop.patience");
    assert_int_equal(settings_copy_row(s, other, 1, 2), WEIR_OK);
    settings_compare(s, other, &changed);
    assert_int_equal(changed.bits[1], 0);
    settings_free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_initial_value_is_within_its_own_bounds, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(
            a_file_sets_node_and_service_keys_and_remembers_the_line, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(
            a_wrong_file_is_refused_with_line_and_nearest_name, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(
            a_file_truncated_at_any_byte_never_breaks_the_loader, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(what_is_printed_can_be_loaded_again, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(explain_tells_bounds_and_origin, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(what_is_printed_loads_again_as_it_was, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(every_mistake_of_a_file_is_told, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(
            what_differs_is_a_row_of_its_own_and_can_be_copied, open_settings, close_settings),
        cmocka_unit_test_setup_teardown(a_text_that_no_file_could_hold_is_refused, open_settings, close_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
