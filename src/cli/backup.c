/* `weir backup ...` and `weir restore`. */
#include "backup/backup.h"
#include "backup/restore.h"
#include "backup/verify.h"
#include "base/civil.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/client.h"
#include "cli/services.h"
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_BYTES 4096u

/* ---- the store: flags, else the environment that every S3 tool reads ---- */

struct backup_values {
    const char *url, *endpoint, *region;
    const char *data, *id, *until;
    struct client_options client;
    struct cli_list services;
    uint64_t keep;
    bool json, full, verify;
};

static const char *or_environment(const char *flag, const char *variable) {
    return flag ? flag : getenv(variable);
}

static enum weir_error open_store(struct sys *sys, const struct backup_values *given, struct object_store **ret_store) {
    const struct object_store_options options = {
        .url = given->url,
        .endpoint = or_environment(given->endpoint, "AWS_ENDPOINT_URL"),
        .region = or_environment(given->region, "AWS_REGION"),
        .key_id = getenv("AWS_ACCESS_KEY_ID"),
        .secret = getenv("AWS_SECRET_ACCESS_KEY"),
        .token = getenv("AWS_SESSION_TOKEN"),
    };
    return object_store_open(sys, &options, ret_store);
}

static void print_time(uint64_t unix_ms, char text[CIVIL_TEXT_SIZE]) {
    civil_format((int64_t)(unix_ms * SYS_NANOS_PER_MS), 3, text);
}

/* ---- weir backup ---- */

static void print_result(const struct backup_result *r, bool json) {
    char time[CIVIL_TEXT_SIZE];
    print_time(r->cut_ms, time);
    if (json)
        printf("{\"id\":\"%s\",\"node\":\"%s\",\"cut\":\"%s\",\"bytes\":%llu,\"bytesNew\":%llu,\"objects\":%llu,"
               "\"objectsNew\":%llu,\"pruned\":%llu,\"seconds\":%.3f}\n",
            r->id, r->node, time, (unsigned long long)r->bytes, (unsigned long long)r->bytes_new,
            (unsigned long long)r->objects, (unsigned long long)r->objects_new, (unsigned long long)r->pruned,
            (double)r->elapsed_ns / 1e9);
    else
        printf("backup %s of %s: %llu bytes, %llu of them new, in %.1f s\n", r->id, time, (unsigned long long)r->bytes,
            (unsigned long long)r->bytes_new, (double)r->elapsed_ns / 1e9);
}

/* A folder that no node uses: opened as a start would, so that the journal's tail is in its segments. */
static enum weir_error copy_folder(struct sys *sys, const char *folder, struct object_store *store, bool full,
    uint64_t keep, struct backup_result *ret_result) {
    struct log_options options;
    struct log *log = NULL;
    bool exists = false;
    char format[BACKUP_PATH_MAX];
    snprintf(format, sizeof format, "%s/FORMAT", folder);
    log_options_default(&options);
    options.folder = folder;
    enum weir_error e = sys->path_exists(sys, format, &exists);
    if (!e && !exists) e = weir_error_context(WEIR_E_NOT_FOUND, "%s holds no log", folder);
    if (!e) e = log_open(sys, &options, &log);
    if (e == WEIR_E_LOCKED) return weir_error_wrap(e, "a node runs on it; ask that: weir backup --node HOST:PORT");
    if (e) return e;
    const struct backup_job job = {
        .sys = sys, .store = store, .log = log, .folder = folder, .weir = WEIR_VERSION, .full = full, .keep = keep};
    e = backup_make(&job, ret_result);
    log_close(log);
    return e;
}

/* ---- of a running node ---- */

#define ASK_PAUSE_NS (50 * SYS_NANOS_PER_MS)

struct asked {
    uint64_t finished, failed;
    bool running;
    char failure[256];
    struct weir_slice last; /* the raw member */
};

static enum weir_error read_facts(struct weir_slice body, struct asked *ret_asked) {
    struct json_reader r = json_reader(body, 0);
    bool good = json_next(&r) == JSON_OBJECT_OPEN;
    while (good && json_next(&r) == JSON_KEY) {
        if (json_text_is(&r, "finished"))
            good = (json_next(&r), json_get_u64(&r, &ret_asked->finished));
        else if (json_text_is(&r, "failed"))
            good = (json_next(&r), json_get_u64(&r, &ret_asked->failed));
        else if (json_text_is(&r, "failure")) {
            if (json_next(&r) == JSON_STRING && r.text.size < sizeof ret_asked->failure)
                ret_asked->failure[json_text_decode(&r, ret_asked->failure)] = 0;
        } else if (json_text_is(&r, "last"))
            ret_asked->last = json_raw_value(&r);
        else
            good = json_skip_value(&r);
    }
    return good && r.token == JSON_OBJECT_CLOSE
               ? WEIR_OK
               : weir_error_context(WEIR_E_INVALID, "the node's answer about its backups can't be read");
}

static enum weir_error facts_of(struct client *client, struct asked *ret_asked) {
    struct client_answer answer;
    *ret_asked = (struct asked){0};
    enum weir_error e = client_request(client, WEIR_HTTP_GET, "/v1/backup", (struct weir_slice){0}, &answer);
    return e ? e : read_facts(answer.body, ret_asked);
}

static enum weir_error read_number(struct weir_slice body, uint64_t *ret_number) {
    struct json_reader r = json_reader(body, 0);
    bool good = json_next(&r) == JSON_OBJECT_OPEN;
    good = good && json_next(&r) == JSON_KEY;
    if (good) json_next(&r);
    if (good && json_get_u64(&r, ret_number)) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "the node's answer has no number");
}

/* Asks for one, waits until it has ended, prints what the node says of it. */
static enum weir_error ask_node(const struct client_options *options) {
    struct client client;
    struct client_answer answer;
    struct asked before, now = {0};
    uint64_t number = 0;
    enum weir_error e = client_open(&client, options);
    if (e) return e;
    e = facts_of(&client, &before);
    if (!e) e = client_request(&client, WEIR_HTTP_POST, "/v1/backup", weir_slice_text("{}"), &answer);
    if (!e) e = read_number(answer.body, &number);
    while (!e && now.finished < number) {
        client.sys->pause(client.sys, ASK_PAUSE_NS);
        e = facts_of(&client, &now);
    }
    if (!e && now.failed > before.failed) e = weir_error_context(WEIR_E_IO, "%s", now.failure);
    if (!e) printf("%.*s\n", (int)now.last.size, now.last.data);
    client_close(&client);
    return e;
}

/* Opens the world and the store, does it, closes them. */
static int with_store(const struct backup_values *given,
    enum weir_error (*act)(struct sys *sys, struct object_store *store, const struct backup_values *given)) {
    struct sys *sys = NULL;
    struct object_store *store = NULL;
    enum weir_error e = sys_linux_new(&sys);
    if (!e) e = open_store(sys, given, &store);
    if (!e) e = act(sys, store, given);
    int code = e ? cli_fail(e) : 0;
    object_store_close(store);
    sys_linux_free(sys);
    return code;
}

static enum weir_error make(struct sys *sys, struct object_store *store, const struct backup_values *given) {
    struct backup_result result;
    enum weir_error e = copy_folder(sys, given->data, store, given->full, given->keep, &result);
    if (!e) print_result(&result, given->json);
    return e;
}

static int backup(const struct cli_command *command, int argc, char **argv) {
    struct backup_values given = {.data = "./data"};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (!given.client.node) return with_store(&given, make);
    enum weir_error asked = ask_node(&given.client);
    return asked ? cli_fail(asked) : 0;
}

/* ---- weir backup list ---- */

static void print_entry(const struct backup_entry *entry, const struct manifest *m, enum weir_error e, bool json) {
    char time[CIVIL_TEXT_SIZE], text[1024];
    struct text_builder t = TEXT_BUILDER(text);
    struct json_writer w = json_writer(&t, 0);
    print_time(m->cut_ms, time);
    if (!json && e) {
        printf("%-30s  %s\n", entry->id, weir_error_text());
    } else if (!json) {
        printf("%-30s  %s  %15llu %15llu  %.8s\n", entry->id, time, (unsigned long long)m->bytes,
            (unsigned long long)m->bytes_new, m->node);
    } else {
        json_write_object_open(&w);
        json_put_text(&w, "id", entry->id);
        json_put_text(&w, "node", entry->node);
        if (e) {
            json_put_text(&w, "error", weir_error_text());
        } else {
            json_put_text(&w, "cut", time);
            json_put_u64(&w, "bytes", m->bytes);
            json_put_u64(&w, "bytesNew", m->bytes_new);
            json_put_text(&w, "parent", m->parent[0] ? m->parent : NULL);
            json_put_text(&w, "weir", m->weir);
        }
        json_write_object_close(&w);
        printf("%s\n", text);
    }
}

static enum weir_error list(struct sys *sys, struct object_store *store, const struct backup_values *given) {
    (void)sys;
    struct backup_entries entries;
    enum weir_error e = backup_list(store, NULL, &entries), worst = WEIR_OK;
    if (!e && !given->json) printf("%-30s  %-24s  %15s %15s  %s\n", "BACKUP", "CUT", "BYTES", "NEW", "NODE");
    for (size_t i = 0; !e && i < entries.count; i++) {
        struct manifest m;
        enum weir_error loaded = backup_load(store, &entries.data[i], &m);
        print_entry(&entries.data[i], &m, loaded, given->json);
        manifest_done(&m);
        if (loaded) worst = loaded;
    }
    backup_entries_done(&entries);
    return e ? e : worst;
}

static int list_command(const struct cli_command *command, int argc, char **argv) {
    struct backup_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : with_store(&given, list);
}

/* ---- weir backup verify ---- */

static enum weir_error verify(struct sys *sys, struct object_store *store, const struct backup_values *given) {
    (void)sys;
    struct backup_entry entry;
    struct manifest m = {0};
    enum weir_error e = backup_find(store, given->id, &entry);
    if (!e) e = backup_load(store, &entry, &m);
    if (!e) e = backup_check(store, &m);
    if (!e)
        printf("backup %s: %zu files of %llu bytes in %zu objects, every checksum is right\n", m.id, m.files.count,
            (unsigned long long)m.bytes, m.objects.count);
    manifest_done(&m);
    return e;
}

static int verify_command(const struct cli_command *command, int argc, char **argv) {
    struct backup_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : with_store(&given, verify);
}

/* ---- weir restore ---- */

/* Restored beside where it would go, replayed, removed. */
static enum weir_error try_restore(const struct restore_job *job) {
    struct restore_result restored;
    struct verify_result r;
    enum weir_error e = backup_verify(job, job->services, &restored, &r);
    if (e) return e;
    printf("backup %s can be restored: %llu bytes in %.1f s; %llu partitions of services replayed, %llu records, %llu "
           "compared with the node's snapshots\n",
        job->manifest->id, (unsigned long long)restored.bytes, (double)restored.elapsed_ns / 1e9,
        (unsigned long long)r.partitions, (unsigned long long)r.records, (unsigned long long)r.compared);
    return WEIR_OK;
}

/* A time, or TOPIC:PARTITION:OFFSET. topic: room for the name. */
static enum weir_error parse_until(const char *text, char topic[LOG_TOPIC_NAME_MAX + 1], struct until *ret_until) {
    struct until u = {.unix_ms = UINT64_MAX};
    int64_t ns = 0;
    uint64_t partition = 0;
    const char *last = strrchr(text, ':'), *first = strchr(text, ':');
    if (civil_parse(weir_slice_text(text), &ns) == WEIR_OK && ns >= 0) {
        u.unix_ms = (uint64_t)ns / SYS_NANOS_PER_MS;
    } else if (first && last > first && (size_t)(first - text) <= LOG_TOPIC_NAME_MAX &&
               parse_u64(weir_slice(first + 1, (size_t)(last - first) - 1), &partition) == WEIR_OK &&
               partition <= UINT32_MAX && parse_u64(weir_slice_text(last + 1), &u.offset) == WEIR_OK) {
        memcpy(topic, text, (size_t)(first - text));
        topic[first - text] = 0;
        u.topic = topic;
        u.partition = (uint32_t)partition;
    } else {
        return weir_error_context(
            WEIR_E_INVALID, "--until %s: write a time, as in 2026-01-02T03:04:05Z, or TOPIC:PARTITION:OFFSET", text);
    }
    *ret_until = u;
    return WEIR_OK;
}

static enum weir_error choose(struct object_store *store, const struct backup_values *given, const struct until *until,
    struct manifest *ret_manifest) {
    struct backup_entry entry;
    bool by_time = given->until && !until->topic;
    enum weir_error e = !given->id && by_time ? backup_find_since(store, until->unix_ms, &entry)
                                              : backup_find(store, given->id, &entry);
    if (!e) e = backup_load(store, &entry, ret_manifest);
    if (!e && by_time && ret_manifest->cut_ms < until->unix_ms)
        e = weir_error_context(
            WEIR_E_OUT_OF_RANGE, "backup %s was made before that moment; take a later one", entry.id);
    return e;
}

static void print_restored(const struct restore_job *job, const struct restore_result *r, const char *until) {
    const struct manifest *m = job->manifest;
    char time[CIVIL_TEXT_SIZE];
    print_time(m->cut_ms, time);
    if (until)
        printf(
            "%s is backup %s, as of %s: %llu records behind that were left out, verified; start with: weir up --data "
            "%s\n",
            job->folder, m->id, until, (unsigned long long)r->records_dropped, job->folder);
    else
        printf("%s is backup %s, as of %s: %llu bytes, verified; start with: weir up --data %s\n", job->folder, m->id,
            time, (unsigned long long)r->bytes, job->folder);
}

static enum weir_error restore_or_try(const struct restore_job *job, const struct backup_values *given) {
    struct restore_result result;
    if (given->verify) return try_restore(job);
    enum weir_error e = backup_restore(job, &result);
    if (!e) print_restored(job, &result, given->until);
    return e;
}

static enum weir_error restore(struct sys *sys, struct object_store *store, const struct backup_values *given) {
    struct manifest m = {0};
    struct until until = {0};
    struct cli_services services;
    char topic[LOG_TOPIC_NAME_MAX + 1];
    char trial[BACKUP_PATH_MAX];
    snprintf(trial, sizeof trial, "%s.verify", given->data);
    enum weir_error e = cli_services_init(&services);
    if (!e) e = cli_services_load(&services, sys, NULL, (struct weir_slice){0}, &given->services);
    if (!e && given->until) e = parse_until(given->until, topic, &until);
    if (!e) e = choose(store, given, &until, &m);
    const struct restore_job job = {.sys = sys,
        .store = store,
        .manifest = &m,
        .folder = given->verify ? trial : given->data,
        .until = given->until ? &until : NULL,
        .services = services.all};
    if (!e) e = restore_or_try(&job, given);
    manifest_done(&m);
    cli_services_done(&services);
    return e;
}

static int restore_command(const struct cli_command *command, int argc, char **argv) {
    struct backup_values given = {.data = "./data"};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : with_store(&given, restore);
}

#define BACKUP_STORE_FLAGS                                                                                             \
    {"endpoint", CLI_TEXT, offsetof(struct backup_values, endpoint), "URL",                                            \
        "S3: who serves the bucket (default $AWS_ENDPOINT_URL, or AWS)"},                                              \
    {                                                                                                                  \
        "region", CLI_TEXT, offsetof(struct backup_values, region), "NAME",                                            \
            "S3: its region (default $AWS_REGION, or us-east-1)"                                                       \
    }
#define BACKUP_FROM                                                                                                    \
    {                                                                                                                  \
        "from", CLI_TEXT, offsetof(struct backup_values, url), "URL",                                                  \
            "where the backups are: a folder, file:///FOLDER or s3://BUCKET/PREFIX"                                    \
    }
#define BACKUP_ID                                                                                                      \
    { "backup", CLI_TEXT, offsetof(struct backup_values, id), "ID", "which one (default: the newest)" }
#define BACKUP_EXITS                                                                                                   \
    {WEIR_E_NOT_FOUND, "there is no such backup"}, {WEIR_E_CORRUPT, "the store holds damage; the sentence names it"},  \
    {                                                                                                                  \
        WEIR_E_IO, "the store cannot be reached"                                                                       \
    }

const struct cli_command cli_backup_commands[] = {
    {
        .name = "backup list",
        .summary = "list the backups of a store",
        .flags =
            CLI_FLAGS(BACKUP_FROM, BACKUP_STORE_FLAGS, CLI_JSON_FLAG(struct backup_values, "one JSON object per line")),
        .exits = CLI_EXITS(BACKUP_EXITS),
        .examples = CLI_EXAMPLES({"weir backup list --from s3://bucket/weir", "newest last"}),
        .lists = true,
        .run = list_command,
    },
    {
        .name = "backup verify",
        .summary = "read a backup whole and compare every checksum",
        .flags = CLI_FLAGS(BACKUP_FROM, BACKUP_STORE_FLAGS, BACKUP_ID),
        .exits = CLI_EXITS(BACKUP_EXITS),
        .examples = CLI_EXAMPLES({"weir backup verify --from /mnt/backup", "the newest one"}),
        .run = verify_command,
    },
    {
        .name = "backup",
        .summary = "copy a data folder, what is new of it, to a store",
        .description =
            "Of a stopped node's folder; or ask a running node to do it (--node), whose settings say to where.",
        .flags = CLI_FLAGS({"data", CLI_TEXT, offsetof(struct backup_values, data), "DIR",
                               "the data folder (default ./data)", CLI_FOLDER},
            {"to", CLI_TEXT, offsetof(struct backup_values, url), "URL",
                "a folder, file:///FOLDER or s3://BUCKET/PREFIX"},
            BACKUP_STORE_FLAGS,
            {"full", CLI_SWITCH, offsetof(struct backup_values, full), NULL,
                "read every byte, whatever the backup before holds"},
            {"keep", CLI_NUMBER, offsetof(struct backup_values, keep), "N",
                "delete all but the newest N backups of this folder (default: none)"},
            CLIENT_FLAGS(struct backup_values), CLI_JSON_FLAG(struct backup_values, "print the result as JSON")),
        .exits = CLI_EXITS({WEIR_E_LOCKED, "a node runs on the folder: ask it with --node"}, BACKUP_EXITS),
        .examples = CLI_EXAMPLES({"weir backup --data ./data --to /mnt/backup --keep 7", "of a stopped node"},
            {"weir backup --node 127.0.0.1:7070", "of a running one"}),
        .run = backup,
    },
    {
        .name = "restore",
        .summary = "make a data folder of a backup",
        .description =
            "Every checksum is compared, and the log is verified as `weir log verify` does, before the folder exists.",
        .flags = CLI_FLAGS(BACKUP_FROM, BACKUP_STORE_FLAGS,
            {"data", CLI_TEXT, offsetof(struct backup_values, data), "DIR",
                "the folder to make; must not exist or be empty (default ./data)", CLI_FOLDER},
            BACKUP_ID, CLI_SERVICE_FLAG(struct backup_values),
            {"until", CLI_TEXT, offsetof(struct backup_values, until), "MOMENT",
                "as of a time (2026-01-02T03:04:05Z), or in front of a record (TOPIC:PARTITION:OFFSET)"},
            {"verify", CLI_SWITCH, offsetof(struct backup_values, verify), NULL,
                "restore into DIR.verify, replay, compare, remove it, and record that in the store"}),
        .exits = CLI_EXITS({WEIR_E_EXISTS, "the folder is there and not empty"}, BACKUP_EXITS),
        .examples = CLI_EXAMPLES({"weir restore --from /mnt/backup --data ./data", "the newest backup"},
            {"weir restore --from /mnt/backup --data ./before --until 2026-01-02T03:04:05Z", "as of a moment"}),
        .run = restore_command,
    },
    {0},
};
