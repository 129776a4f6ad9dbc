#include "host/settings.h"
#include "base/arena.h"
#include "base/assert.h"
#include "base/text.h"
#include "base/units.h"

const struct weir_setting node_settings[NODE_SETTING_COUNT + 1] = {
    [NODE_DATA] = {"data", WEIR_SETTING_TEXT, "./data",
        .summary = "Folder of the log, snapshots and catalogue; made when absent."},
    [NODE_LISTEN] = {"listen", WEIR_SETTING_TEXT, "127.0.0.1:7070",
        .summary = "Addresses of the HTTP API, WebSocket and console, separated by commas: HOST:PORT (others than "
                   "loopback need auth and TLS; port 0 picks a free one) or unix:/PATH. tls: or plain: in front of one "
                   "overrides that TLS is spoken on TCP "
                   "once tls.cert is set."},
    [NODE_ONLY] = {"only", WEIR_SETTING_TEXT, "", .summary = "Services to run, separated by commas; empty runs all."},
    [NODE_SERVICES] = {"services", WEIR_SETTING_TEXT, "",
        .summary = "Services in shared objects of their own: files, or names in the plugin folder, as a list."},
    [NODE_LANES] = {"lanes", WEIR_SETTING_UINT, "0", 0, 64,
        "Threads that own sockets, partitions and services; 0 means the number of cores minus one, at least one."},
    [NODE_POOL_WORKERS] = {"pool_workers", WEIR_SETTING_UINT, "0", 0, 32,
        "Threads for work that computes long or blocks, started when there is some; 0 means the number of cores minus "
        "one, at least one."},
    [NODE_LOG_FORMAT] = {"log_format", WEIR_SETTING_TEXT, "logfmt",
        .summary = "Form of log lines on stderr: logfmt or json.", .live = true},
    [NODE_LOG_LEVEL] = {"log_level", WEIR_SETTING_TEXT, "info",
        .summary = "Least level that is logged: debug, info, warn or error.", .live = true},
    [NODE_JOURNAL_BYTES] = {"journal_bytes", WEIR_SETTING_BYTES, "256MB", 16 << 20, 1ull << 40,
        "Hard bound of the journal. At 75 % checkpoints speed up, at 100 % writes are refused with 503."},
    [NODE_JOURNAL_WRITE] = {"journal_write", WEIR_SETTING_TEXT, "sync",
        .summary = "How the journal is made durable: sync, dsync, direct, uring or uring_direct; `weir check disk` "
                   "measures them."},
    [NODE_SEGMENT_BYTES] = {"segment_bytes", WEIR_SETTING_BYTES, "128MB", 1 << 20, 1ull << 34,
        "Size at which a partition's segment is closed and a new one begun; retention deletes whole segments."},
    [NODE_CHECKPOINT_BYTES] = {"checkpoint_bytes", WEIR_SETTING_BYTES, "4MB", 1 << 20, 1ull << 34,
        "Journal bytes between two checkpoints. More means longer syncs of segments, and commits wait behind them."},
    [NODE_SNAPSHOT_BYTES] = {"snapshot_bytes", WEIR_SETTING_BYTES, "64MB", 1 << 16, 1ull << 40,
        "Input of a partition after which a snapshot of its state is made. Bounds the replay at start.", .live = true},
    [NODE_SNAPSHOT_AGE] = {"snapshot_age", WEIR_SETTING_DURATION, "10m", 1000000000, 0,
        "Time after which a partition with new input gets a snapshot even if it is little.", .live = true},
    [NODE_DISK_RESERVE] = {"disk_reserve", WEIR_SETTING_BYTES, "64MB", 0, 0,
        "Free space below which writes are refused with 507, so that the node can always stop cleanly."},
    [NODE_CONNECTIONS_MAX] = {"connections_max", WEIR_SETTING_UINT, "4096", 1, 1 << 20,
        "Connections per lane; more are refused."},
    [NODE_HEADER_BYTES] = {"header_bytes", WEIR_SETTING_BYTES, "16KB", 1 << 10, 1 << 20,
        "Largest HTTP request head; larger is 431.", .live = true},
    [NODE_BODY_BYTES] = {"body_bytes", WEIR_SETTING_BYTES, "1MB", 1 << 10, 1 << 28,
        "Largest HTTP request body; larger is 413.", .live = true},
    [NODE_IDLE] = {"idle", WEIR_SETTING_DURATION, "60s", 100000000, 0,
        "Time an idle connection is kept, and the time within which a request must arrive whole.", .live = true},
    [NODE_WEBSOCKET_DEFLATE] = {"websocket_deflate", WEIR_SETTING_BOOL, "false",
        .summary = "Compress WebSocket messages for clients that offer it (permessage-deflate). Saves bytes, costs the "
                   "lane's time."},
    [NODE_IDEMPOTENCY_KEYS] = {"idempotency_keys", WEIR_SETTING_UINT, "65536", 16, 1 << 28,
        "Idempotency keys remembered per partition; the oldest are forgotten first."},
    [NODE_IDEMPOTENCY_AGE] = {"idempotency_age", WEIR_SETTING_DURATION, "24h", 1000000000, 0,
        "Record time after which an idempotency key is forgotten."},
    [NODE_WAITING_MAX] = {"waiting_max", WEIR_SETTING_UINT, "65536", 16, 1 << 24,
        "Commands of a partition that may wait for their commit; more are refused with 503."},
    [NODE_UNIX_MODE] = {"unix_mode", WEIR_SETTING_TEXT, "0660",
        .summary = "Permissions of Unix sockets, octal: who may write to one may use the node."},
    [NODE_TLS_CERT] = {"tls.cert", WEIR_SETTING_TEXT, "",
        .summary = "PEM files of certificates with their chains, leaf first, separated by commas; empty: no TLS. Read "
                   "again when they change.",
        .live = true},
    [NODE_TLS_KEY] = {"tls.key", WEIR_SETTING_TEXT, "",
        .summary = "PEM files of the certificates' private keys, in the same order.", .live = true},
    [NODE_TLS_CLIENT_CA] = {"tls.client_ca", WEIR_SETTING_TEXT, "",
        .summary = "PEM file of the authorities that sign clients' certificates; empty: clients are not asked for one.",
        .live = true},
    [NODE_TLS_CLIENT] = {"tls.client", WEIR_SETTING_TEXT, "optional",
        .summary = "Whether a client must show a certificate of tls.client_ca: optional or required.", .live = true},
    [NODE_TLS_HANDSHAKE] = {"tls.handshake", WEIR_SETTING_DURATION, "10s", 100000000, 0,
        "Time within which a TLS handshake must be done.", .live = true},
    [NODE_TLS_HANDSHAKES_MAX] = {"tls.handshakes_max", WEIR_SETTING_UINT, "256", 1, 1 << 20,
        "TLS handshakes under way per lane; a newer one ends the oldest.", .live = true},
    [NODE_AUTH] = {"auth", WEIR_SETTING_TEXT, "off",
        .summary = "Who may do what: off (everybody everything, on loopback addresses only) or tokens."},
    [NODE_INSECURE] = {"insecure", WEIR_SETTING_BOOL, "false",
        .summary = "Listen without TLS on an address that other machines can reach. Tokens can be read on the way."},
    [NODE_METRICS_OPEN] = {"metrics_open", WEIR_SETTING_BOOL, "false",
        .summary = "Answer /metrics without a token, for a scraper that has none."},
    [NODE_TENANT_RATE] = {"tenant_rate", WEIR_SETTING_UINT, "0", 0, 1000000,
        "Requests and session commands per second of a tenant that has no limit of its own; 0 means no limit."},
    [NODE_KAFKA_LISTEN] = {"kafka.listen", WEIR_SETTING_TEXT, "off",
        .summary = "Addresses of the Kafka protocol, such as 127.0.0.1:9092, separated by commas; off: it is not "
                   "served."},
    [NODE_KAFKA_PARTITIONS] = {"kafka.partitions", WEIR_SETTING_UINT, "4", 1, 10000,
        "Partitions of a topic that a Kafka client makes without saying how many."},
    [NODE_KAFKA_AUTO_CREATE] = {"kafka.auto_create", WEIR_SETTING_BOOL, "true",
        .summary = "A topic that a Kafka client asks for is made if it is not there."},
    [NODE_EFFECTS_NETWORKS] = {"effects.networks", WEIR_SETTING_TEXT, "",
        .summary = "Networks that HTTP effects may reach beside public addresses, such as 10.0.0.0/8, separated by "
                   "commas."},
    [NODE_EFFECTS_CA] = {"effects.ca", WEIR_SETTING_TEXT, "",
        .summary =
            "PEM file of the authorities that servers of HTTP effects are verified against; empty: the system's."},
    [NODE_SETTING_COUNT] = {0},
};

const struct weir_setting backup_settings[BACKUP_SETTING_COUNT + 1] = {
    [BACKUP_TO] = {"to", WEIR_SETTING_TEXT, "",
        .summary =
            "Where backups of the running node go: a folder, file:///FOLDER or s3://BUCKET/PREFIX; empty: none."},
    [BACKUP_EVERY] = {"every", WEIR_SETTING_DURATION, "1h", 0, 0,
        "Time from one backup to the next; 0s: only when asked (weir backup --node)."},
    [BACKUP_KEEP] = {"keep", WEIR_SETTING_UINT, "24", 0, 1000000,
        "Newest backups that stay; older ones are deleted after each backup. 0 keeps all."},
    [BACKUP_KEEP_AGE] = {"keep_age", WEIR_SETTING_DURATION, "7d", 0, 0,
        "Backups younger than this stay too, however many they are."},
    [BACKUP_RATE] = {"rate", WEIR_SETTING_BYTES, "64MB", 0, 1ull << 40,
        "Bytes per second that a backup reads and sends at most; 0 is no limit."},
    [BACKUP_ENDPOINT] = {"endpoint", WEIR_SETTING_TEXT, "",
        .summary = "URL of the S3 service; empty is AWS, in the region."},
    [BACKUP_REGION] = {"region", WEIR_SETTING_TEXT, "us-east-1", .summary = "Region of the S3 bucket."},
    [BACKUP_CREDENTIALS] = {"credentials", WEIR_SETTING_TEXT, "",
        .summary = "File with the S3 key id, the secret and perhaps a session token, a line each; empty: from "
                   "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."},
    [BACKUP_SETTING_COUNT] = {0},
};

const struct weir_setting trace_settings[TRACE_SETTING_COUNT + 1] = {
    [TRACE_ENDPOINT] = {"endpoint", WEIR_SETTING_TEXT, "",
        .summary =
            "Where spans go by OTLP/HTTP: http://HOST:PORT of a collector (then /v1/traces), or a whole URL; empty: "
            "nothing is traced.",
        .live = true},
    [TRACE_RATIO] = {"ratio", WEIR_SETTING_TEXT, "0.01",
        .summary = "Share of the requests without a traceparent that are traced, 0 to 1.", .live = true},
    [TRACE_FOLLOW] = {"follow", WEIR_SETTING_BOOL, "true",
        .summary =
            "A request with a traceparent is part of that trace, and is traced exactly if it says so; false: such "
            "headers are passed over, for clients that are not trusted to choose.",
        .live = true},
    [TRACE_SERVICE_NAME] = {"service_name", WEIR_SETTING_TEXT, "weir",
        .summary = "What this node is called in traces (service.name).", .live = true},
    [TRACE_ATTRIBUTES] = {"attributes", WEIR_SETTING_TEXT, "",
        .summary = "Further attributes of this node in traces: name=value, separated by commas, percent-encoded.",
        .live = true},
    [TRACE_HEADERS] = {"headers", WEIR_SETTING_TEXT, "",
        .summary = "File with headers for the collector, as Authorization: Bearer ..., a line each; empty: those of "
                   "OTEL_EXPORTER_OTLP_HEADERS.",
        .live = true},
    [TRACE_GZIP] = {"gzip", WEIR_SETTING_BOOL, "true", .summary = "Spans are sent compressed.", .live = true},
    [TRACE_EVERY] = {"every", WEIR_SETTING_DURATION, "1s", 10000000, 60000000000,
        "Longest time that a span waits for others before they are sent together.", .live = true},
    [TRACE_TIMEOUT] = {"timeout", WEIR_SETTING_DURATION, "10s", 100000000, 600000000000,
        "Time within which the collector must answer.", .live = true},
    [TRACE_QUEUE_BYTES] = {"queue_bytes", WEIR_SETTING_BYTES, "4MB", 64 << 10, 1 << 30,
        "Memory per lane for spans that wait for the exporter; when it is full, spans are dropped and counted."},
    [TRACE_SETTING_COUNT] = {0},
};

const struct weir_setting projection_settings[PROJECTION_SETTING_COUNT + 1] = {
    [PROJECTION_URL] = {"url", WEIR_SETTING_TEXT, "",
        .summary = "Database of the projections: postgresql://USER@HOST/DATABASE, or sqlite:FOLDER for a file per "
                   "service; empty: SQLite in the data folder."},
    [PROJECTION_RUN] = {"run", WEIR_SETTING_TEXT, "default",
        .summary = "Projections that run, separated by commas: default (those that services run by themselves), names "
                   "as exchange.history beside it or instead; or all; or none."},
    [PROJECTION_HOLD] = {"hold", WEIR_SETTING_BYTES, "1GB", 0, 0,
        "Bytes per partition beyond a topic's retention that wait for a projection that is behind; what goes "
        "unread after that is counted and reported."},
    [PROJECTION_TIMEOUT] = {"timeout", WEIR_SETTING_DURATION, "30s", 100000000, 0,
        "Time after which a database that does not answer is given up and tried again."},
    [PROJECTION_QUERY_TIMEOUT] = {"query_timeout", WEIR_SETTING_DURATION, "5s", 10000000, 0,
        "Time after which a question about rows, as a route asks it, is answered with 504."},
    [PROJECTION_SETTING_COUNT] = {0},
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
    count += 3; /* the last ones are the node's projections', backups' and traces' */
    struct settings_store *store = ARENA_NEW(&arena, struct settings_store);
    struct settings_group *groups = ARENA_NEW_ARRAY(&arena, struct settings_group, count);
    if (!store || !groups) {
        arena_done(&arena);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the settings");
    }
    enum weir_error e = group_init(&groups[0], "", node_settings, &arena);
    if (e == WEIR_OK) e = group_init(&groups[count - 3], PROJECTION_GROUP, projection_settings, &arena);
    if (e == WEIR_OK) e = group_init(&groups[count - 2], BACKUP_GROUP, backup_settings, &arena);
    if (e == WEIR_OK) e = group_init(&groups[count - 1], TRACE_GROUP, trace_settings, &arena);
    for (uint32_t i = 1; i < count - 3 && e == WEIR_OK; i++)
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

void settings_key(const struct settings *settings, uint32_t group, uint32_t row, char *buf, size_t size) {
    struct text_builder t = text_builder(buf, size);
    text_printf(&t, "%s%s%s", settings->groups[group].name, group ? "." : "", settings->groups[group].rows[row].name);
}

void settings_compare(const struct settings *a, const struct settings *b, struct settings_rows *ret_changed) {
    WEIR_ASSERT(a->count == b->count && a->count <= SETTINGS_GROUPS_MAX);
    memset(ret_changed, 0, sizeof *ret_changed);
    for (uint32_t g = 0; g < a->count; g++) {
        WEIR_ASSERT(a->groups[g].rows == b->groups[g].rows && a->groups[g].count <= SETTINGS_ROWS_MAX);
        for (uint32_t i = 0; i < a->groups[g].count; i++) {
            const struct weir_setting_value *x = &a->groups[g].values[i], *y = &b->groups[g].values[i];
            bool same =
                a->groups[g].rows[i].kind == WEIR_SETTING_TEXT ? strcmp(x->text, y->text) == 0 : x->number == y->number;
            if (!same) ret_changed->bits[g] |= 1ull << i;
        }
    }
}

enum weir_error settings_copy_row(
    struct settings *settings, const struct settings *from, uint32_t group, uint32_t row) {
    char key[200];
    settings_key(from, group, row, key, sizeof key);
    return settings_set(settings, key, from->groups[group].values[row].text, from->groups[group].origins[row]);
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
    text_add(&t, s->live ? "  A reload puts a change in force.\n" : "  A change needs a restart.\n");
    if (s->folded)
        text_add(&t, "  The service's fold reads it: a change becomes a record and takes effect at its offset.\n");
    return finish(&t, buf, size);
}

enum weir_error settings_journal_write(const struct settings *settings, enum sys_commit_path *ret_path) {
    const char *text = settings_node(settings)[NODE_JOURNAL_WRITE].text;
    if (sys_commit_path_parse(text, ret_path)) return WEIR_OK;
    return weir_error_context(WEIR_E_CONFIG,
        "%s: journal_write is '%.40s'; it may be sync, dsync, direct, uring or uring_direct",
        settings->groups[0].origins[NODE_JOURNAL_WRITE], text);
}
