#include "base/encode.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/client.h"
#include <stdio.h>
#include <stdlib.h>

#define TARGET_BYTES       512
#define LINE_BYTES_MAX     (1u << 20)
#define APPEND_BATCH_BYTES (256u << 10) /* of JSON per request when reading stdin */

static void print_body(struct weir_slice body) {
    fwrite(body.data, 1, body.size, stdout);
    if (body.size == 0 || body.data[body.size - 1] != '\n') putchar('\n');
}

/* Opens the node, sends one request, prints the answer. */
static int one_request(
    const char *node, enum weir_http_method method, const char *target, struct weir_slice body, bool print) {
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, node);
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
    printf("%-32s %10s  %-7s %s\n", "TOPIC", "PARTITIONS", "KIND", "DURABILITY");
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

int cli_topic_list(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    bool json = false;
    const struct cli_flag flags[] = {
        CLIENT_NODE_FLAG(node), {"json", CLI_SWITCH, &json, NULL, "print the node's JSON answer"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 0, 0, &positionals);
    if (code >= 0) return code;
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, node);
    if (e == WEIR_OK) {
        e = client_request(&client, WEIR_HTTP_GET, "/v1/topics", (struct weir_slice){0}, &answer);
        if (e == WEIR_OK) {
            if (json)
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

int cli_topic_create(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL, *durability = NULL, *compression = NULL, *bytes = NULL, *age = NULL, *segment = NULL;
    uint64_t partitions = 1;
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node),
        {"partitions", CLI_NUMBER, &partitions, "N", "partitions (default 1)"},
        {"durability", CLI_TEXT, &durability, "KIND",
            "durable (default): on disk before it is acknowledged; lazy: synced in the background; memory: never on "
            "disk"},
        {"compression", CLI_TEXT, &compression, "KIND",
            "producer (default): as it was sent; lz4, zstd: by the node; none: plain, whatever was sent"},
        {"retention-bytes", CLI_TEXT, &bytes, "SIZE", "kept per partition, \"1GB\" (default all; memory: 16MB)"},
        {"retention", CLI_TEXT, &age, "AGE", "kept, \"7d\" (default for ever)"},
        {"segment-bytes", CLI_TEXT, &segment, "SIZE", "of a segment, the unit of retention"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    char memory[1024];
    struct text_builder body = TEXT_BUILDER(memory);
    struct json_writer w = json_writer(&body, 0);
    json_write_object_open(&w);
    json_put_text(&w, "name", argv[0]);
    json_put_u64(&w, "partitions", partitions);
    if (durability) json_put_text(&w, "durability", durability);
    if (compression) json_put_text(&w, "compression", compression);
    enum weir_error e = put_quantity(&w, "retentionBytes", bytes, false);
    if (!e) e = put_quantity(&w, "retentionMs", age, true);
    if (!e) e = put_quantity(&w, "segmentBytes", segment, false);
    if (e) return cli_fail(e);
    json_write_object_close(&w);
    return one_request(node, WEIR_HTTP_POST, "/v1/topics", text_slice(&body), true);
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

int cli_topic_delete(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node), {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    char memory[TARGET_BYTES];
    struct text_builder target = TEXT_BUILDER(memory);
    topic_target(&target, argv[0], "");
    return one_request(node, WEIR_HTTP_DELETE, target.data, (struct weir_slice){0}, false);
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

int cli_topic_append(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    struct append a = {0};
    uint64_t partition = 0;
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node), {"key", CLI_TEXT, &a.key, "KEY", "the records' key"},
        {"partition", CLI_NUMBER, &partition, "N", "partition (default 0)"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 2, &positionals);
    if (code >= 0) return code;
    char memory[TARGET_BYTES];
    struct text_builder target = TEXT_BUILDER(memory);
    topic_target(&target, argv[0], "/records");
    text_printf(&target, "?partition=%llu", (unsigned long long)partition);
    a.target = target.data;
    enum weir_error e = client_open(&a.client, node);
    if (e == WEIR_OK) {
        arena_init(&a.arena, NULL, 1u << 20, 64u << 20);
        e = append_all(&a, positionals > 1 ? argv[1] : NULL);
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
    bool follow, from_end;
};

static enum weir_error read_some(struct client *client, struct reading *reading, uint64_t *ret_count) {
    char memory[TARGET_BYTES];
    struct text_builder target = TEXT_BUILDER(memory);
    topic_target(&target, reading->topic, "/records");
    text_printf(&target, "?partition=%llu&limit=%llu", (unsigned long long)reading->partition,
        (unsigned long long)(reading->limit < 1000 ? reading->limit : 1000));
    if (reading->from_end)
        text_add(&target, "&offset=-1");
    else
        text_printf(&target, "&offset=%llu", (unsigned long long)reading->offset);
    if (reading->follow) text_add(&target, "&wait=20s");
    struct client_answer answer;
    enum weir_error e = client_request(client, WEIR_HTTP_GET, target.data, (struct weir_slice){0}, &answer);
    if (e == WEIR_OK && !print_records(answer.body, &reading->offset, ret_count))
        e = weir_error_context(WEIR_E_INVALID, "the node's answer is not what was expected");
    reading->from_end = false;
    return e;
}

static int read_loop(const char *node, struct reading *reading) {
    struct client client;
    enum weir_error e = client_open(&client, node);
    if (e != WEIR_OK) return cli_fail(e);
    uint64_t count = 1;
    while (e == WEIR_OK && reading->limit > 0 && (count > 0 || reading->follow)) {
        e = read_some(&client, reading, &count);
        reading->limit -= count < reading->limit ? count : reading->limit;
    }
    client_close(&client);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

int cli_topic_read(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    struct reading reading = {.limit = UINT64_MAX};
    const struct cli_flag flags[] = {CLIENT_NODE_FLAG(node),
        {"partition", CLI_NUMBER, &reading.partition, "N", "partition (default 0)"},
        {"offset", CLI_NUMBER, &reading.offset, "N", "first offset (default 0)"},
        {"limit", CLI_NUMBER, &reading.limit, "N", "stop after that many records"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    reading.topic = argv[0];
    return read_loop(node, &reading);
}

int cli_topic_tail(const struct cli_command *command, int argc, char **argv) {
    const char *node = NULL;
    struct reading reading = {.limit = UINT64_MAX, .follow = true, .from_end = true};
    const struct cli_flag flags[] = {
        CLIENT_NODE_FLAG(node), {"partition", CLI_NUMBER, &reading.partition, "N", "partition (default 0)"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    reading.topic = argv[0];
    return read_loop(node, &reading);
}
