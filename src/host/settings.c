#include "host/settings.h"
#include "base/arena.h"
#include "base/assert.h"
#include "base/text.h"
#include "base/units.h"

const struct weir_setting node_settings[NODE_SETTING_COUNT + 1] = {
    [NODE_DATA] = {"data", WEIR_SETTING_TEXT, "./data",
        .summary = "Folder of the log, snapshots and catalogue; made when absent."},
    [NODE_LISTEN] = {"listen", WEIR_SETTING_TEXT, "127.0.0.1:7070",
        .summary = "HOST:PORT of the HTTP API, WebSocket and console. Loopback only. Port 0 picks a free one."},
    [NODE_ONLY] = {"only", WEIR_SETTING_TEXT, "", .summary = "Services to run, separated by commas; empty runs all."},
    [NODE_SERVICES] = {"services", WEIR_SETTING_TEXT, "",
        .summary = "Services in shared objects of their own: files, or names in the plugin folder, as a list."},
    [NODE_LANES] = {"lanes", WEIR_SETTING_UINT, "0", 0, 64,
        "Threads that own sockets, partitions and services; 0 means the number of cores minus one, at least one."},
    [NODE_LOG_FORMAT] = {"log_format", WEIR_SETTING_TEXT, "logfmt",
        .summary = "Form of log lines on stderr: logfmt or json."},
    [NODE_LOG_LEVEL] = {"log_level", WEIR_SETTING_TEXT, "info",
        .summary = "Least level that is logged: debug, info, warn or error."},
    [NODE_JOURNAL_BYTES] = {"journal_bytes", WEIR_SETTING_BYTES, "256MB", 16 << 20, 1ull << 40,
        "Hard bound of the journal. At 75 % checkpoints speed up, at 100 % writes are refused with 503."},
    [NODE_SEGMENT_BYTES] = {"segment_bytes", WEIR_SETTING_BYTES, "128MB", 1 << 20, 1ull << 34,
        "Size at which a partition's segment is closed and a new one begun; retention deletes whole segments."},
    [NODE_CHECKPOINT_BYTES] = {"checkpoint_bytes", WEIR_SETTING_BYTES, "4MB", 1 << 20, 1ull << 34,
        "Journal bytes between two checkpoints. More means longer syncs of segments, and commits wait behind them."},
    [NODE_SNAPSHOT_BYTES] = {"snapshot_bytes", WEIR_SETTING_BYTES, "64MB", 1 << 16, 1ull << 40,
        "Input of a partition after which a snapshot of its state is made. Bounds the replay at start."},
    [NODE_SNAPSHOT_AGE] = {"snapshot_age", WEIR_SETTING_DURATION, "10m", 1000000000, 0,
        "Time after which a partition with new input gets a snapshot even if it is little."},
    [NODE_DISK_RESERVE] = {"disk_reserve", WEIR_SETTING_BYTES, "64MB", 0, 0,
        "Free space below which writes are refused with 507, so that the node can always stop cleanly."},
    [NODE_CONNECTIONS_MAX] = {"connections_max", WEIR_SETTING_UINT, "4096", 1, 1 << 20,
        "Connections per lane; more are refused."},
    [NODE_HEADER_BYTES] = {"header_bytes", WEIR_SETTING_BYTES, "16KB", 1 << 10, 1 << 20,
        "Largest HTTP request head; larger is 431."},
    [NODE_BODY_BYTES] = {"body_bytes", WEIR_SETTING_BYTES, "1MB", 1 << 10, 1 << 28,
        "Largest HTTP request body; larger is 413."},
    [NODE_IDLE] = {"idle", WEIR_SETTING_DURATION, "60s", 100000000, 0,
        "Time an idle connection is kept, and the time within which a request must arrive whole."},
    [NODE_IDEMPOTENCY_KEYS] = {"idempotency_keys", WEIR_SETTING_UINT, "65536", 16, 1 << 28,
        "Idempotency keys remembered per partition; the oldest are forgotten first."},
    [NODE_IDEMPOTENCY_AGE] = {"idempotency_age", WEIR_SETTING_DURATION, "24h", 1000000000, 0,
        "Record time after which an idempotency key is forgotten."},
    [NODE_WAITING_MAX] = {"waiting_max", WEIR_SETTING_UINT, "65536", 16, 1 << 24,
        "Commands of a partition that may wait for their commit; more are refused with 503."},
    [NODE_SETTING_COUNT] = {0},
};

struct settings_store { /* what settings_new hands out is its first member */
    struct settings settings;
    struct arena arena;
};

#define SETTINGS_BYTES_MAX (4u << 20)

static struct settings_store *store_of(struct settings *settings) {
    return WEIR_CONTAINER_OF(settings, struct settings_store, settings);
}

/* What a quoted YAML scalar can hold as it is, so that what is printed can be loaded: no control characters, none of
 * the line breaks of Unicode, none of what YAML takes for no character. */
static bool is_plain(struct weir_slice text) {
    static const char *const refused[] = {
        "\x7f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf"};
    if (!utf8_valid(text)) return false;
    for (size_t i = 0; i < text.size; i++) {
        const char *at = (const char *)text.data + i;
        if (text.data[i] < 0x20 || (text.data[i] == 0xc2 && text.data[i + 1] < 0xa0)) return false;
        for (size_t k = 0; k < WEIR_ARRAY_COUNT(refused); k++)
            if (text_starts_with(weir_slice(at, text.size - i), refused[k])) return false;
    }
    return true;
}

static enum weir_error parse_value(
    const struct weir_setting *row, const char *text, struct arena *arena, struct weir_setting_value *ret_value) {
    struct weir_setting_value value = {0, NULL};
    struct weir_slice s = weir_slice_text(text);
    enum weir_error e = WEIR_OK;
    bool on = false;
    switch (row->kind) {
    case WEIR_SETTING_UINT:
        e = parse_u64(s, &value.number);
        break;
    case WEIR_SETTING_BYTES:
        e = parse_bytes(s, &value.number);
        break;
    case WEIR_SETTING_DURATION:
        e = parse_duration(s, &value.number);
        break;
    case WEIR_SETTING_BOOL:
        e = parse_bool(s, &on);
        value.number = on;
        break;
    case WEIR_SETTING_TEXT:
        if (!is_plain(s))
            e = weir_error_context(WEIR_E_INVALID, "a text must be UTF-8 without control characters and line breaks");
        break;
    }
    if (e != WEIR_OK) return e;
    bool bounded = row->kind != WEIR_SETTING_TEXT && row->kind != WEIR_SETTING_BOOL;
    if (bounded && (value.number < row->min || (row->max != 0 && value.number > row->max))) {
        char range[96];
        struct text_builder t = TEXT_BUILDER(range);
        void (*add)(struct text_builder *, uint64_t) = row->kind == WEIR_SETTING_BYTES      ? text_add_bytes
                                                       : row->kind == WEIR_SETTING_DURATION ? text_add_duration
                                                                                            : text_add_u64;
        add(&t, row->min);
        text_add(&t, row->max ? " to " : " or more");
        if (row->max) add(&t, row->max);
        return weir_error_context(WEIR_E_OUT_OF_RANGE, "%s is outside its range, %s", text, range);
    }
    value.text = arena_strdup(arena, text);
    if (!value.text)
        return weir_error_context(WEIR_E_NO_MEMORY, "the configuration is larger than %u bytes", SETTINGS_BYTES_MAX);
    *ret_value = value;
    return WEIR_OK;
}

static enum weir_error group_init(
    struct settings_group *group, const char *name, const struct weir_setting *rows, struct arena *arena) {
    uint32_t count = 0;
    while (rows && rows[count].name)
        count++;
    *group = (struct settings_group){name, rows, count, ARENA_NEW_ARRAY(arena, struct weir_setting_value, count + 1),
        ARENA_NEW_ARRAY(arena, const char *, count + 1)};
    if (!group->values || !group->origins)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the settings of %s", name);
    for (uint32_t i = 0; i < count; i++) {
        enum weir_error e = parse_value(&rows[i], rows[i].initial, arena, &group->values[i]);
        if (e != WEIR_OK) return weir_error_wrap(e, "initial value of setting %s.%s", name, rows[i].name);
        group->origins[i] = "initial";
    }
    return WEIR_OK;
}

enum weir_error settings_new(const struct weir_service *const *services, struct settings **ret_settings) {
    struct arena arena;
    arena_init(&arena, NULL, 16u << 10, SETTINGS_BYTES_MAX);
    uint32_t count = 1;
    while (services && services[count - 1])
        count++;
    struct settings_store *store = ARENA_NEW(&arena, struct settings_store);
    struct settings_group *groups = ARENA_NEW_ARRAY(&arena, struct settings_group, count);
    if (!store || !groups) {
        arena_done(&arena);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the settings");
    }
    enum weir_error e = group_init(&groups[0], "", node_settings, &arena);
    for (uint32_t i = 1; i < count && e == WEIR_OK; i++)
        e = group_init(&groups[i], services[i - 1]->name, services[i - 1]->settings, &arena);
    if (e != WEIR_OK) {
        arena_done(&arena);
        return e;
    }
    store->settings = (struct settings){groups, count};
    store->arena = arena; /* the block that holds the store itself is among its blocks */
    *ret_settings = &store->settings;
    return WEIR_OK;
}

void settings_free(struct settings *settings) {
    if (!settings) return;
    struct arena arena = store_of(settings)->arena;
    arena_done(&arena);
}

/* ---- looking a key up ------------------------------------------------------------------------------------------- */

#define SUGGEST_MAX 512

static enum weir_error unknown_key(const struct settings *settings, struct weir_slice key) {
    char names[SUGGEST_MAX][80];
    const char *list[SUGGEST_MAX];
    size_t count = 0;
    for (uint32_t g = 0; g < settings->count; g++)
        for (uint32_t i = 0; i < settings->groups[g].count && count < SUGGEST_MAX; i++) {
            struct text_builder t = TEXT_BUILDER(names[count]);
            text_printf(&t, "%s%s%s", settings->groups[g].name, g ? "." : "", settings->groups[g].rows[i].name);
            list[count] = names[count];
            count++;
        }
    int nearest = text_nearest(key, list, count);
    if (nearest >= 0)
        return weir_error_context(
            WEIR_E_CONFIG, "unknown key %.*s; did you mean %s?", (int)key.size, key.data, list[nearest]);
    return weir_error_context(
        WEIR_E_CONFIG, "unknown key %.*s; `weir config print` lists all keys", (int)key.size, key.data);
}

static struct settings_group *find(const struct settings *settings, struct weir_slice key, uint32_t *ret_row) {
    for (uint32_t g = 0; g < settings->count; g++) {
        struct settings_group *group = &settings->groups[g];
        struct weir_slice rest = key;
        if (g > 0) {
            size_t n = strlen(group->name);
            if (key.size <= n || memcmp(key.data, group->name, n) != 0 || key.data[n] != '.') continue;
            rest = weir_slice(key.data + n + 1, key.size - n - 1);
        }
        for (uint32_t i = 0; i < group->count; i++)
            if (weir_slice_equal(rest, weir_slice_text(group->rows[i].name))) {
                *ret_row = i;
                return group;
            }
    }
    return NULL;
}

enum weir_error settings_set(struct settings *settings, const char *key, const char *value, const char *origin) {
    uint32_t row = 0;
    struct settings_group *group = find(settings, weir_slice_text(key), &row);
    if (!group) return unknown_key(settings, weir_slice_text(key));
    struct arena *arena = &store_of(settings)->arena;
    struct weir_setting_value parsed;
    enum weir_error e = parse_value(&group->rows[row], value, arena, &parsed);
    if (e != WEIR_OK) return weir_error_wrap(WEIR_E_CONFIG, "%s", key);
    const char *kept = arena_strdup(arena, origin);
    if (!kept)
        return weir_error_context(WEIR_E_NO_MEMORY, "the configuration is larger than %u bytes", SETTINGS_BYTES_MAX);
    group->values[row] = parsed;
    group->origins[row] = kept;
    return WEIR_OK;
}

const struct weir_setting_value *settings_node(const struct settings *settings) {
    return settings->groups[0].values;
}

const struct weir_setting_value *settings_of(const struct settings *settings, const char *service) {
    for (uint32_t g = 1; g < settings->count; g++)
        if (strcmp(settings->groups[g].name, service) == 0) return settings->groups[g].values;
    return NULL;
}

/* ---- showing ------------------------------------------------------------------------------------------------------
 */

static size_t finish(struct text_builder *t, char *buf, size_t size) {
    if (size > 0) {
        size_t n = t->size < size - 1 ? t->size : size - 1;
        memcpy(buf, t->data, n);
        buf[n] = 0;
    }
    return t->size;
}

static void print_value(struct text_builder *t, const struct settings_group *group, uint32_t i) {
    const char *text = group->values[i].text;
    if (group->rows[i].kind != WEIR_SETTING_TEXT) {
        text_add(t, text);
        return;
    }
    text_add_char(t, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') text_add_char(t, '\\');
        text_add_char(t, *text);
    }
    text_add_char(t, '"');
}

size_t settings_print(const struct settings *settings, char *buf, size_t size) {
    struct arena arena;
    arena_init(&arena, NULL, 64u << 10, SETTINGS_BYTES_MAX);
    struct text_builder t = text_builder_arena(&arena, 0);
    for (uint32_t g = 0; g < settings->count; g++) {
        const struct settings_group *group = &settings->groups[g];
        if (group->count == 0) continue;
        if (g > 0) text_printf(&t, "\n%s:\n", group->name);
        for (uint32_t i = 0; i < group->count; i++) {
            text_printf(&t, "%s# %s\n", g ? "  " : "", group->rows[i].summary);
            text_printf(&t, "%s%s: ", g ? "  " : "", group->rows[i].name);
            print_value(&t, group, i);
            text_printf(&t, "  # %s\n", group->origins[i]);
        }
    }
    size_t n = finish(&t, buf, size);
    arena_done(&arena);
    return n;
}

size_t settings_explain(const struct settings *settings, const char *key, char *buf, size_t size) {
    uint32_t row = 0;
    const struct settings_group *group = find(settings, weir_slice_text(key), &row);
    if (!group) return 0;
    static const char *const kinds[] = {"whole number", "bytes (64MB)", "duration (10s)", "true or false", "text"};
    const struct weir_setting *s = &group->rows[row];
    char scratch[2048];
    struct text_builder t = TEXT_BUILDER(scratch);
    text_printf(&t, "%s: %s\n  kind     %s\n  initial  %s\n  in force %s (%s)\n", key, s->summary, kinds[s->kind],
        s->initial, group->values[row].text, group->origins[row]);
    if (s->folded)
        text_add(&t, "  The service's fold reads it: a change becomes a record and takes effect at its offset.\n");
    return finish(&t, buf, size);
}
