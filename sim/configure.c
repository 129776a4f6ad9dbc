/* `weir config` on the settings of a start: what it prints can be loaded and says the same; what is wrong is refused in
 * words and changes nothing. */
#include "sim/sim.h"

#include "host/settings.h"

#define PAGE_BYTES (64u << 10)

static size_t print(const struct settings *settings, char page[PAGE_BYTES]) {
    size_t size = settings_print(settings, page, PAGE_BYTES);
    WEIR_ASSERT(size < PAGE_BYTES);
    return size;
}

/* Origins stand behind the values as comments; they differ. */
static bool same_values(const struct settings *a, const struct settings *b) {
    for (uint32_t g = 0; g < a->count; g++)
        for (uint32_t i = 0; i < a->groups[g].count; i++) {
            const struct weir_setting_value *x = &a->groups[g].values[i], *y = &b->groups[g].values[i];
            if (x->number != y->number || strcmp(x->text, y->text) != 0) return false;
        }
    return true;
}

static void check_mistakes(struct sim *sim, struct settings *settings) {
    static const char *const mistakes[][2] = {{"lisen", "127.0.0.1:1"}, {"left.partition", "1"}, {"nobody.key", "1"},
        {"idempotency_keys", "3"}, {"snapshot_age", "1ms"}, {"snapshot_bytes", "1KB"}, {"lanes", "many"},
        {"disk_reserve", "-1"}, {"log_format", "a\nb"}};
    const char *const *mistake = mistakes[sim_pick(sim, WEIR_ARRAY_COUNT(mistakes))];
    weir_error_clear();
    if (settings_set(settings, mistake[0], mistake[1], "sim") == WEIR_OK)
        sim_fail(sim, "the setting %s = %s is accepted", mistake[0], mistake[1]);
    else if (weir_error_text()[0] == 0)
        sim_fail(sim, "the setting %s = %s is refused without a word", mistake[0], mistake[1]);
    weir_error_clear();
}

void sim_check_settings(struct sim *sim, struct settings *settings, const struct weir_service *const *services) {
    static char page[PAGE_BYTES], again[PAGE_BYTES]; /* one run at a time */
    size_t size = print(settings, page);
    check_mistakes(sim, settings);
    if (print(settings, again) != size || memcmp(page, again, size) != 0)
        sim_fail(sim, "a setting that was refused has changed the configuration");
    struct settings *copy;
    enum weir_error e = settings_new(services, &copy);
    WEIR_ASSERT(e == WEIR_OK);
    e = settings_load_yaml(copy, "printed", weir_slice(page, size));
    if (e != WEIR_OK)
        sim_fail(sim, "the configuration as printed is refused: %s", weir_error_text());
    else if (!same_values(settings, copy))
        sim_fail(sim, "the configuration as printed is another one");
    settings_free(copy);
    const struct settings_group *group = &settings->groups[sim_pick(sim, settings->count)];
    if (group->count == 0) return;
    char key[96];
    snprintf(key, sizeof key, "%s%s%s", group->name, group->name[0] ? "." : "",
        group->rows[sim_pick(sim, group->count)].name);
    size = settings_explain(settings, key, page, sizeof page);
    if (size == 0 || !strstr(page, key)) sim_fail(sim, "the setting %s is not explained", key);
}
