#include "base/encode.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/client.h"
#include "cli/term.h"
#include "host/host.h"
#include <stdio.h>
#include <stdlib.h>

struct topic_values {
    struct client_options client;
    const char *key, *durability, *compression, *retention_bytes, *retention, *segment_bytes;
    uint64_t partitions, partition, offset, limit;
    bool json;
};

#define TARGET_BYTES       512
#define LINE_BYTES_MAX     (1u << 20)
#define APPEND_BATCH_BYTES (256u << 10) /* of JSON per request when reading stdin */

static void print_body(struct weir_slice body) {
    fwrite(body.data, 1, body.size, stdout);
    if (body.size == 0 || body.data[body.size - 1] != '\n') putchar('\n');
}

/* Opens the node, sends one request, prints the answer. */
static int one_request(const struct client_options *options, enum weir_http_method method, const char *target,
    struct weir_slice body, bool print) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, options);
    if (e == WEIR_OK) {
        e = client_request(&client, method, target, body, &answer);
        if (e == WEIR_OK && print) print_body(answer.body);
        client_close(&client);
    }
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* {"topics":[{"name":..., ...}]} as a table. */
static void print_table(struct weir_slice body) {
    struct json_reader r = json_reader(body, 0);
    printf("%s%-32s %10s  %-7s %s%s\n", term_on(stdout, TERM_BOLD), "TOPIC", "PARTITIONS", "KIND", "DURABILITY",
        term_off(stdout));
    char name[160] = "", kind[32] = "", durability[32] = "";
    uint64_t partitions = 0;
    unsigned depth = 0;
    for (enum json_token t = json_next(&r); t != JSON_END && t != JSON_ERROR; t = json_next(&r)) {
        if (t == JSON_OBJECT_CLOSE && r.depth == depth && name[0]) {
            printf("%-32s %10llu  %-7s %s\n", name, (unsigned long long)partitions, kind, durability);
            name[0] = 0;
        }
        if (t != JSON_KEY) continue;
        bool is_name = json_text_is(&r, "name"), is_kind = json_text_is(&r, "kind"),
             is_durability = json_text_is(&r, "durability"), is_count = json_text_is(&r, "partitions");
        t = json_next(&r);
        if (is_count && t == JSON_INTEGER) partitions = (uint64_t)r.integer;
        if ((is_name || is_kind || is_durability) && t == JSON_STRING) {
            struct text_builder b = is_name   ? TEXT_BUILDER(name)
                                    : is_kind ? TEXT_BUILDER(kind)
                                              : TEXT_BUILDER(durability);
            text_add_slice(&b, r.text);
            depth = is_name ? r.depth - 1 : depth;
        }
    }
}

static int list(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &given.client);
    if (e == WEIR_OK) {
        e = client_request(&client, WEIR_HTTP_GET, "/v1/topics", (struct weir_slice){0}, &answer);
        if (e == WEIR_OK) {
            if (given.json)
                print_body(answer.body);
            else
                print_table(answer.body);
        }
        client_close(&client);
    }
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* A size or age as people write it, as the member of that name; left out when it was not given. */
static enum weir_error put_quantity(struct json_writer *w, const char *member, const char *text, bool is_age) {
    uint64_t value = 0;
    if (!text) return WEIR_OK;
    enum weir_error e =
        is_age ? parse_duration(weir_slice_text(text), &value) : parse_bytes(weir_slice_text(text), &value);
    if (!e) json_put_u64(w, member, is_age ? value / 1000000 : value);
    return e;
}

static int create(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {.partitions = 1};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char memory[1024];
    struct text_builder body = TEXT_BUILDER(memory);
    struct json_writer w = json_writer(&body, 0);
    json_write_object_open(&w);
    json_put_text(&w, "name", argv[0]);
    json_put_u64(&w, "partitions", given.partitions);
    if (given.durability) json_put_text(&w, "durability", given.durability);
    if (given.compression) json_put_text(&w, "compression", given.compression);
    enum weir_error e = put_quantity(&w, "retentionBytes", given.retention_bytes, false);
    if (!e) e = put_quantity(&w, "retentionMs", given.retention, true);
    if (!e) e = put_quantity(&w, "segmentBytes", given.segment_bytes, false);
    if (e) return cli_fail(e);
    json_write_object_close(&w);
    return one_request(&given.client, WEIR_HTTP_POST, "/v1/topics", text_slice(&body), true);
}

static void topic_target(struct text_builder *t, const char *topic, const char *rest) {
    text_add(t, "/v1/topics/");
    for (const char *p = topic; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("._-", *p);
        if (plain)
            text_add_char(t, *p);
        else
            text_printf(t, "%%%02X", (unsigned char)*p);
    }
    text_add(t, rest);
}

static int delete_one(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char memory[TARGET_BYTES];
    struct text_builder target = TEXT_BUILDER(memory);
    topic_target(&target, argv[0], "");
    return one_request(&given.client, WEIR_HTTP_DELETE, target.data, (struct weir_slice){0}, false);
}

static void add_record(struct json_writer *w, const char *key, struct weir_slice value) {
    json_write_object_open(w);
    if (key) json_put_text(w, "key", key);
    json_put_slice(w, "value", value);
    json_write_object_close(w);
}

struct append {
    struct client client;
    const char *target, *key;
    struct arena arena;
    struct progress progress;
    uint64_t lines;
};

/* Sends lines of stdin in batches; *ret_more is false at the end of the input. */
static enum weir_error append_lines(struct append *a, char *line, size_t line_size, bool *ret_more) {
    arena_reset(&a->arena);
    struct text_builder body = text_builder_arena(&a->arena, 0);
    struct json_writer w = json_writer(&body, 0);
    json_write_array_open(&w);
    uint64_t count = 0;
    *ret_more = false;
    while (fgets(line, (int)line_size, stdin)) {
        size_t n = strcspn(line, "\n");
        if (line[n] != '\n' && n == line_size - 1)
            return weir_error_context(
                WEIR_E_TOO_LARGE, "a line of standard input is longer than %zu bytes", line_size - 2);
        if (!utf8_valid(weir_slice(line, n)))
            return weir_error_context(
                WEIR_E_INVALID, "a line of standard input is not UTF-8; send bytes as base64 over HTTP");
        add_record(&w, a->key, weir_slice(line, n));
        count++;
        if (body.size > APPEND_BATCH_BYTES) {
            *ret_more = true;
            break;
        }
    }
    json_write_array_close(&w);
    if (count == 0) return WEIR_OK;
    struct client_answer answer;
    enum weir_error e = client_request(&a->client, WEIR_HTTP_POST, a->target, text_slice(&body), &answer);
    if (e == WEIR_OK) print_body(answer.body);
    a->lines += count;
    progress_at(&a->progress, a->lines);
    return e;
}

static enum weir_error append_all(struct append *a, const char *value) {
    if (value) {
        struct text_builder body = text_builder_arena(&a->arena, 0);
        struct json_writer w = json_writer(&body, 0);
        json_write_array_open(&w);
        add_record(&w, a->key, weir_slice_text(value));
        json_write_array_close(&w);
        struct client_answer answer;
        enum weir_error e = client_request(&a->client, WEIR_HTTP_POST, a->target, text_slice(&body), &answer);
        if (e == WEIR_OK) print_body(answer.body);
        return e;
    }
    char *line = malloc(LINE_BYTES_MAX);
    if (!line) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a line of input");
    bool more = true;
    enum weir_error e = WEIR_OK;
    while (e == WEIR_OK && more)
        e = append_lines(a, line, LINE_BYTES_MAX, &more);
    free(line);
    return e;
}

static int append(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char memory[TARGET_BYTES];
    struct text_builder target = TEXT_BUILDER(memory);
    topic_target(&target, argv[0], "/records");
    text_printf(&target, "?partition=%llu", (unsigned long long)given.partition);
    struct append a = {.target = target.data, .key = given.key};
    enum weir_error e = client_open(&a.client, &given.client);
    if (e == WEIR_OK) {
        arena_init(&a.arena, NULL, 1u << 20, 64u << 20);
        progress_start(&a.progress, a.client.sys, argv[0], "lines", 0, true);
        e = append_all(&a, count > 1 ? argv[1] : NULL);
        progress_done(&a.progress);
        arena_done(&a.arena);
        client_close(&a.client);
    }
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* Prints each element of {"records":[...], "next": N} as a line. */
static bool print_records(struct weir_slice body, uint64_t *next, uint64_t *ret_count) {
    struct json_reader r = json_reader(body, 0);
    *ret_count = 0;
    if (json_next(&r) != JSON_OBJECT_OPEN) return false;
    while (json_next(&r) == JSON_KEY) {
        bool is_records = json_text_is(&r, "records"), is_next = json_text_is(&r, "next");
        if (is_records && json_next(&r) == JSON_ARRAY_OPEN) {
            for (struct weir_slice raw = json_raw_value(&r); raw.data; raw = json_raw_value(&r)) {
                print_body(raw);
                ++*ret_count;
            }
        } else if (is_next && json_next(&r) == JSON_INTEGER) {
            *next = (uint64_t)r.integer;
        } else {
            json_skip_value(&r);
        }
    }
    fflush(stdout);
    return r.token != JSON_ERROR;
}

struct reading {
    const char *topic;
    uint64_t partition, offset, limit;
    bool follow, from_end, from_start;
};

static enum weir_error read_some(struct client *client, struct reading *reading, uint64_t *ret_count) {
    char memory[TARGET_BYTES];
    struct text_builder target = TEXT_BUILDER(memory);
    topic_target(&target, reading->topic, "/records");
    text_printf(&target, "?partition=%llu&limit=%llu", (unsigned long long)reading->partition,
        (unsigned long long)(reading->limit < 1000 ? reading->limit : 1000));
    if (reading->from_end)
        text_add(&target, "&offset=-1");
    else if (!reading->from_start)
        text_printf(&target, "&offset=%llu", (unsigned long long)reading->offset);
    if (reading->follow) text_add(&target, "&wait=20s");
    struct client_answer answer;
    enum weir_error e = client_request(client, WEIR_HTTP_GET, target.data, (struct weir_slice){0}, &answer);
    if (e == WEIR_OK && !print_records(answer.body, &reading->offset, ret_count))
        e = weir_error_context(WEIR_E_INVALID, "the node's answer is not what was expected");
    reading->from_end = reading->from_start = false;
    return e;
}

static int read_loop(const struct client_options *options, struct reading *reading) {
    struct client client;
    enum weir_error e = client_open(&client, options);
    if (e != WEIR_OK) return cli_fail(e);
    struct progress progress;
    progress_start(&progress, client.sys, reading->topic, "records", 0, true);
    uint64_t count = 1, total = 0;
    while (e == WEIR_OK && reading->limit > 0 && (count > 0 || reading->follow)) {
        e = read_some(&client, reading, &count);
        reading->limit -= count < reading->limit ? count : reading->limit;
        total += e == WEIR_OK ? count : 0;
        progress_at(&progress, total);
    }
    progress_done(&progress);
    client_close(&client);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static int read_command(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {.limit = UINT64_MAX};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct reading reading = {
        .topic = argv[0], .partition = given.partition, .offset = given.offset, .limit = given.limit};
    return read_loop(&given.client, &reading);
}

static int tail(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct reading reading = {
        .topic = argv[0], .partition = given.partition, .limit = UINT64_MAX, .follow = true, .from_end = true};
    return read_loop(&given.client, &reading);
}

/* ---- the audit: a topic like any other to read ---- */

static int audit_list(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {.offset = UINT64_MAX, .limit = UINT64_MAX};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    /* Retention may have taken offset 0. */
    struct reading reading = {.topic = HOST_TOPIC_AUDIT,
        .offset = given.offset,
        .limit = given.limit,
        .from_start = given.offset == UINT64_MAX};
    return read_loop(&given.client, &reading);
}

static int audit_tail(const struct cli_command *command, int argc, char **argv) {
    struct topic_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct reading reading = {.topic = HOST_TOPIC_AUDIT, .limit = UINT64_MAX, .follow = true, .from_end = true};
    return read_loop(&given.client, &reading);
}

#define TOPIC_NAME                                                                                                     \
    { "NAME", CLI_TOPIC, false, "a topic of the node; `weir topic list` lists them" }
#define TOPIC_UNKNOWN                                                                                                  \
    { WEIR_E_NOT_FOUND, "there is no such topic or partition" }
#define TOPIC_PARTITION                                                                                                \
    { "partition", CLI_NUMBER, offsetof(struct topic_values, partition), "N", "partition (default 0)" }
#define TOPIC_JSON CLI_JSON_FLAG(struct topic_values, "print JSON lines, which is the default")

const struct cli_command cli_topic_commands[] = {
    {
        .name = "topic list",
        .summary = "list the topics of a running node",
        .flags = CLI_FLAGS(
            CLIENT_FLAGS(struct topic_values), CLI_JSON_FLAG(struct topic_values, "print the node's JSON answer")),
        .exits = CLI_EXITS(CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir topic list", "names, partitions and kinds"}),
        .lists = true,
        .run = list,
    },
    {
        .name = "topic create",
        .summary = "create a topic",
        .positionals = CLI_POSITIONALS({"NAME", CLI_ANY, false, "letters, digits, `.`, `_` and `-`"}),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values),
            {"partitions", CLI_NUMBER, offsetof(struct topic_values, partitions), "N", "partitions (default 1)"},
            {"durability", CLI_TEXT, offsetof(struct topic_values, durability), "KIND",
                "durable (default): on disk before it is acknowledged; lazy: synced in the background; memory: never "
                "on disk",
                CLI_CHOICE, "durable lazy memory"},
            {"compression", CLI_TEXT, offsetof(struct topic_values, compression), "KIND",
                "producer (default): as it was sent; lz4, zstd: by the node; none: plain, whatever was sent",
                CLI_CHOICE, "producer lz4 zstd none"},
            {"retention-bytes", CLI_TEXT, offsetof(struct topic_values, retention_bytes), "SIZE",
                "kept per partition, \"1GB\" (default all; memory: 16MB)"},
            {"retention", CLI_TEXT, offsetof(struct topic_values, retention), "AGE", "kept, \"7d\" (default for ever)"},
            {"segment-bytes", CLI_TEXT, offsetof(struct topic_values, segment_bytes), "SIZE",
                "of a segment, the unit of retention"}),
        .exits = CLI_EXITS(
            {WEIR_E_EXISTS, "a topic of that name is there"}, {WEIR_E_INVALID, "the name is none"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir topic create events --partitions 4", "four partitions, numbered from 0"}),
        .run = create,
    },
    {
        .name = "topic delete",
        .summary = "delete a topic and its records",
        .positionals = CLI_POSITIONALS(TOPIC_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values)),
        .exits = CLI_EXITS(TOPIC_UNKNOWN, {WEIR_E_FORBIDDEN, "it is a service's topic"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir topic delete events", "nothing asks first, nothing brings it back"}),
        .run = delete_one,
    },
    {
        .name = "topic append",
        .summary = "append a record; without VALUE, one per line of stdin",
        .description = "Ends after the records are on disk, and prints the node's answer with their offsets.",
        .positionals = CLI_POSITIONALS(TOPIC_NAME, {"VALUE", CLI_ANY, true, "the record's value, UTF-8"}),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values),
            {"key", CLI_TEXT, offsetof(struct topic_values, key), "KEY", "the records' key"}, TOPIC_PARTITION),
        .exits = CLI_EXITS(TOPIC_UNKNOWN, {WEIR_E_INVALID, "a value is not UTF-8"},
            {WEIR_E_FORBIDDEN, "it is a service's topic"}, {WEIR_E_TOO_LARGE, "a line or a record is too large"},
            {WEIR_E_NO_SPACE, "the node's disk is full"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir topic append events hello --key k", "one record"},
            {"seq 1000 | weir topic append events", "a thousand"}),
        .run = append,
    },
    {
        .name = "topic read",
        .summary = "print records as JSON lines",
        .positionals = CLI_POSITIONALS(TOPIC_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values), TOPIC_PARTITION,
            {"offset", CLI_NUMBER, offsetof(struct topic_values, offset), "N", "first offset (default 0)"},
            {"limit", CLI_NUMBER, offsetof(struct topic_values, limit), "N", "stop after that many records"},
            TOPIC_JSON),
        .exits = CLI_EXITS(
            TOPIC_UNKNOWN, {WEIR_E_OUT_OF_RANGE, "the offset is before the first or after the last one"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir topic read exchange.trades --limit 10", "the first ten trades"}),
        .lists = true,
        .run = read_command,
    },
    {
        .name = "topic tail",
        .summary = "print new records as they arrive",
        .positionals = CLI_POSITIONALS(TOPIC_NAME),
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values), TOPIC_PARTITION, TOPIC_JSON),
        .exits = CLI_EXITS(TOPIC_UNKNOWN, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir topic tail exchange.trades", "until interrupted"}),
        .lists = true,
        .run = tail,
    },
    {0},
};

const struct cli_command cli_audit_commands[] = {
    {
        .name = "audit list",
        .summary = "print what administrators did, as JSON lines",
        .description = "The records of the topic weir.audit: who, from where, when, what, with which outcome.",
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values),
            {"offset", CLI_NUMBER, offsetof(struct topic_values, offset), "N",
                "first offset (default: the oldest that is kept)"},
            {"limit", CLI_NUMBER, offsetof(struct topic_values, limit), "N", "stop after that many records"},
            TOPIC_JSON),
        .exits = CLI_EXITS({WEIR_E_FORBIDDEN, "the token may not read it"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir audit list --limit 10", "the ten oldest that are kept"}),
        .lists = true,
        .run = audit_list,
    },
    {
        .name = "audit tail",
        .summary = "print what administrators do, as it happens",
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct topic_values), TOPIC_JSON),
        .exits = CLI_EXITS({WEIR_E_FORBIDDEN, "the token may not read it"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir audit tail", "until interrupted"}),
        .lists = true,
        .run = audit_tail,
    },
    {0},
};
