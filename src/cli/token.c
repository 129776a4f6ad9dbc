/* `weir token ...` and `weir tenant ...`: over HTTP to a running node, or on the data folder of a stopped one. */
#include "base/json.h"
#include "cli/client.h"
#include "edge/token_wish.h"
#include <stdio.h>
#include <stdlib.h>

#define TARGET_BYTES 256
#define BODY_BYTES   4096
struct token_values {
    struct client_options client;
    const char *folder, *tenant, *expires, *rate, *grace;
    uint64_t burst;
    bool json, login;
    struct cli_list roles;
};

/* ---- a folder ---- */

struct offline {
    struct sys *sys;
    const char *folder;
    int lock;
    struct tokens *tokens;
    uint64_t now_ms;
};

static void offline_close(struct offline *o) {
    if (o->lock >= 0) o->sys->file_close(o->sys, o->lock);
    if (o->tokens) sys_memory_unmap(o->tokens, sizeof *o->tokens);
    if (o->sys) sys_linux_free(o->sys);
}

/* The lock is the log's: whoever has it is the node. */
static enum weir_error offline_open(struct offline *o, const char *folder) {
    char path[600];
    void *memory = NULL;
    *o = (struct offline){.folder = folder, .lock = -1};
    snprintf(path, sizeof path, "%s/LOCK", folder);
    enum weir_error e = sys_linux_new(&o->sys);
    if (e == WEIR_OK) e = sys_make_folders(o->sys, folder);
    if (e == WEIR_OK) e = o->sys->file_open(o->sys, path, SYS_OPEN_READ | SYS_OPEN_WRITE | SYS_OPEN_CREATE, &o->lock);
    if (e == WEIR_OK) e = o->sys->file_lock(o->sys, o->lock);
    if (e == WEIR_E_LOCKED)
        e = weir_error_context(
            e, "a node runs on %s: leave --data out, and the command goes to the node (with WEIR_TOKEN)", folder);
    if (e == WEIR_OK) e = sys_memory_map(sizeof *o->tokens, &memory);
    o->tokens = memory;
    if (e == WEIR_OK) e = tokens_load(o->sys, folder, o->tokens);
    if (e == WEIR_OK) o->now_ms = o->sys->wall_ns(o->sys) / SYS_NANOS_PER_MS;
    return e;
}

struct order {
    enum { CREATE, LIST, ROTATE, REVOKE, LIMIT, TENANTS } kind;
    const char *name;
    struct weir_slice body; /* of the request */
};

static void print_list(const struct offline *o, struct json_writer *w) {
    json_write_object_open(w);
    json_write_key(w, "tokens");
    json_write_array_open(w);
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (o->tokens->rows[i].id[0]) token_print(o->tokens, &o->tokens->rows[i], o->now_ms, w);
    json_write_array_close(w);
    json_write_object_close(w);
}

static enum weir_error offline_secret(struct offline *o, const struct order *order, struct json_writer *w) {
    uint8_t random[SECRET_RANDOM];
    struct token_shown shown;
    struct token_wish wish;
    uint64_t grace_ms = 0;
    struct weir_slice name = weir_slice_text(order->name);
    o->sys->random(o->sys, random, sizeof random);
    enum weir_error e =
        order->kind == CREATE ? token_wish_read(order->body, &wish) : token_grace_read(order->body, &grace_ms);
    if (e == WEIR_OK)
        e = order->kind == CREATE ? tokens_create(o->tokens, &wish, random, o->now_ms, &shown)
                                  : tokens_rotate(o->tokens, name, grace_ms, random, o->now_ms, &shown);
    if (e == WEIR_OK) e = tokens_store(o->sys, o->folder, o->tokens);
    if (e == WEIR_OK) token_print_shown(tokens_by_name(o->tokens, name), &shown, w);
    return e;
}

/* The same answer as the node's, as JSON. */
static enum weir_error run_offline(const char *folder, const struct order *order, struct text_builder *ret_answer) {
    struct offline o;
    uint64_t rate = 0, burst = 0;
    struct json_writer w = json_writer(ret_answer, 0);
    enum weir_error e = offline_open(&o, folder);
    if (e == WEIR_OK && order->kind == LIST) print_list(&o, &w);
    if (e == WEIR_OK && (order->kind == CREATE || order->kind == ROTATE)) e = offline_secret(&o, order, &w);
    if (e == WEIR_OK && order->kind == REVOKE) e = tokens_revoke(o.tokens, weir_slice_text(order->name));
    if (e == WEIR_OK && order->kind == LIMIT) e = token_limit_read(order->body, &rate, &burst);
    if (e == WEIR_OK && order->kind == LIMIT)
        e = tokens_limit_tenant(o.tokens, weir_slice_text(order->name), rate, burst);
    if (e == WEIR_OK && (order->kind == REVOKE || order->kind == LIMIT)) e = tokens_store(o.sys, folder, o.tokens);
    offline_close(&o);
    return e;
}

/* ---- a node ---- */

static enum weir_error run_online(
    const struct client_options *options, const struct order *order, struct text_builder *ret_answer) {
    static const struct {
        enum weir_http_method method;
        const char *before, *after;
    } ways[] = {[CREATE] = {WEIR_HTTP_POST, "/v1/tokens", ""},
        [LIST] = {WEIR_HTTP_GET, "/v1/tokens", ""},
        [ROTATE] = {WEIR_HTTP_POST, "/v1/tokens/", "/rotate"},
        [REVOKE] = {WEIR_HTTP_DELETE, "/v1/tokens/", ""},
        [LIMIT] = {WEIR_HTTP_PUT, "/v1/tenants/", ""},
        [TENANTS] = {WEIR_HTTP_GET, "/v1/tenants", ""}};
    bool is_named = order->kind == ROTATE || order->kind == REVOKE || order->kind == LIMIT;
    struct client client;
    struct client_answer answer;
    char target[TARGET_BYTES];
    enum weir_error e = order->name ? token_check_name("a name", weir_slice_text(order->name)) : WEIR_OK;
    if (e != WEIR_OK) return e;
    snprintf(target, sizeof target, "%s%s%s", ways[order->kind].before, is_named ? order->name : "",
        ways[order->kind].after);
    e = client_open(&client, options);
    if (e != WEIR_OK) return e;
    e = client_request(&client, ways[order->kind].method, target, order->body, &answer);
    if (e == WEIR_OK) text_add_slice(ret_answer, answer.body);
    client_close(&client);
    return e;
}

/* ---- what is printed ---- */

static bool text_member(struct weir_slice json, const char *name, char *out, size_t size) {
    struct json_reader r = json_reader(json, 0);
    if (json_next(&r) != JSON_OBJECT_OPEN) return false;
    while (json_next(&r) == JSON_KEY) {
        bool wanted = json_text_is(&r, name);
        if (!wanted) {
            json_skip_value(&r);
        } else if (json_next(&r) == JSON_STRING) {
            struct text_builder t = text_builder(out, size);
            text_add_slice(&t, r.text);
            return true;
        }
    }
    return false;
}

/* The secret alone on stdout, so that TOKEN=$(weir token create ...) works; what to know about it on stderr. */
static void print_secret(struct weir_slice answer) {
    char token[SECRET_TEXT_SIZE + 1], login[SECRET_LOGIN_SIZE + 1];
    if (text_member(answer, "token", token, sizeof token)) printf("%s\n", token);
    fflush(stdout);
    fprintf(stderr, "This is the only time it is shown: the node keeps its hash. Send it as `Authorization: Bearer "
                    "TOKEN`, or set WEIR_TOKEN.\n");
    if (text_member(answer, "login", login, sizeof login))
        fprintf(stderr, "Password for protocols with a short password field: %s\n", login);
}

/* One row per object of the list: the wanted members, lists of texts with commas. */
static void print_rows(struct weir_slice json, const char *const *columns, size_t count) {
    struct json_reader r = json_reader(json, 0);
    char cells[8][200] = {{0}};
    for (size_t i = 0; i < count; i++)
        printf("%s%-20s", i ? " " : "", columns[i]);
    putchar('\n');
    for (enum json_token t = json_next(&r); t != JSON_END && t != JSON_ERROR; t = json_next(&r)) {
        if (t == JSON_OBJECT_OPEN) memset(cells, 0, sizeof cells);
        for (size_t i = 0; t == JSON_OBJECT_CLOSE && r.depth == 2 && i < count; i++)
            printf("%s%-20s%s", i ? " " : "", cells[i][0] ? cells[i] : "-", i + 1 == count ? "\n" : "");
        if (t != JSON_KEY || r.depth != 3) continue;
        size_t column = 0;
        while (column < count && !json_text_is(&r, columns[column]))
            column++;
        if (column == count) continue;
        struct text_builder cell = TEXT_BUILDER(cells[column]);
        bool is_list = json_next(&r) == JSON_ARRAY_OPEN;
        if (!is_list) text_add_slice(&cell, r.text);
        while (is_list && json_next(&r) == JSON_STRING) {
            if (cell.size) text_add_char(&cell, ',');
            text_add_slice(&cell, r.text);
        }
    }
}

static int run(const struct token_values *given, const struct order *order) {
    static const char *const token_columns[] = {"name", "tenant", "roles", "expires", "rate"};
    static const char *const tenant_columns[] = {"name", "rate", "burst"};
    struct arena arena;
    arena_init(&arena, NULL, 64u << 10, CLIENT_ANSWER_BYTES_MAX);
    struct text_builder answer = text_builder_arena(&arena, 0);
    enum weir_error e =
        given->folder ? run_offline(given->folder, order, &answer) : run_online(&given->client, order, &answer);
    if (e == WEIR_OK) {
        struct weir_slice text = text_slice(&answer);
        if (given->json && text.size)
            printf("%.*s\n", (int)text.size, (const char *)text.data);
        else if (order->kind == CREATE || order->kind == ROTATE)
            print_secret(text);
        else if (order->kind == LIST)
            print_rows(text, token_columns, WEIR_ARRAY_COUNT(token_columns));
        else if (order->kind == TENANTS)
            print_rows(text, tenant_columns, WEIR_ARRAY_COUNT(tenant_columns));
    }
    arena_done(&arena);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

/* ---- commands ---- */

static int create(const struct cli_command *command, int argc, char **argv) {
    struct token_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char memory[BODY_BYTES];
    struct text_builder body = TEXT_BUILDER(memory);
    struct json_writer w = json_writer(&body, 0);
    json_write_object_open(&w);
    json_put_text(&w, "name", argv[0]);
    if (given.tenant) json_put_text(&w, "tenant", given.tenant);
    json_write_key(&w, "roles");
    json_write_array_open(&w);
    for (uint32_t i = 0; i < given.roles.count; i++)
        json_write_text(&w, given.roles.items[i]);
    json_write_array_close(&w);
    if (given.expires) json_put_text(&w, "expires", given.expires);
    if (given.rate) json_put_text(&w, "rate", given.rate);
    if (given.burst) json_put_u64(&w, "burst", given.burst);
    if (given.login) json_put_bool(&w, "login", true);
    json_write_object_close(&w);
    if (!json_writer_finished(&w)) return cli_fail(weir_error_context(WEIR_E_TOO_LARGE, "the roles are too long"));
    return run(&given, &(struct order){.kind = CREATE, .name = argv[0], .body = text_slice(&body)});
}

static int list(const struct cli_command *command, int argc, char **argv) {
    struct token_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : run(&given, &(struct order){.kind = LIST});
}

static int rotate(const struct cli_command *command, int argc, char **argv) {
    struct token_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char memory[256];
    struct text_builder body = TEXT_BUILDER(memory);
    struct json_writer w = json_writer(&body, 0);
    json_write_object_open(&w);
    if (given.grace) json_put_text(&w, "grace", given.grace);
    json_write_object_close(&w);
    return run(&given, &(struct order){.kind = ROTATE, .name = argv[0], .body = text_slice(&body)});
}

static int revoke(const struct cli_command *command, int argc, char **argv) {
    struct token_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : run(&given, &(struct order){.kind = REVOKE, .name = argv[0]});
}

static int tenant_limit(const struct cli_command *command, int argc, char **argv) {
    struct token_values given = {.rate = "off"};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    char memory[256];
    struct text_builder body = TEXT_BUILDER(memory);
    struct json_writer w = json_writer(&body, 0);
    json_write_object_open(&w);
    json_put_text(&w, "rate", given.rate);
    if (given.burst) json_put_u64(&w, "burst", given.burst);
    json_write_object_close(&w);
    return run(&given, &(struct order){.kind = LIMIT, .name = argv[0], .body = text_slice(&body)});
}

static int tenant_list(const struct cli_command *command, int argc, char **argv) {
    struct token_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    return code >= 0 ? code : run(&given, &(struct order){.kind = TENANTS});
}

#define TOKEN_NAME                                                                                                     \
    { "NAME", CLI_ANY, false, "the token's name, which is the principal that services and the audit see" }
#define TOKEN_DATA                                                                                                     \
    {                                                                                                                  \
        "data", CLI_TEXT, offsetof(struct token_values, folder), "DIR",                                                \
            "work on this folder, while no node runs on it", CLI_FOLDER                                                \
    }
#define TOKEN_BURST                                                                                                    \
    { "burst", CLI_NUMBER, offsetof(struct token_values, burst), "N", "as many at once (default: one second's)" }
#define TOKEN_JSON CLI_JSON_FLAG(struct token_values, "print the answer as JSON")
#define TOKEN_EXITS                                                                                                    \
    {WEIR_E_FORBIDDEN, "the token in WEIR_TOKEN may not do that"},                                                     \
        {WEIR_E_LOCKED, "--data: a node runs on the folder"}, CLIENT_EXITS

const struct cli_command cli_token_commands[] = {
    {
        .name = "token create",
        .summary = "make a token; its secret is shown once",
        .description =
            "The secret alone goes to stdout, so that TOKEN=$(weir token create ...) works. The node keeps its hash.",
        .positionals = CLI_POSITIONALS(TOKEN_NAME),
        .flags = CLI_FLAGS({"role", CLI_LIST, offsetof(struct token_values, roles), "ROLE",
                               "what it may do: exchange:write, topic/NAME:read, node:read, admin, * ..."},
            {"tenant", CLI_TEXT, offsetof(struct token_values, tenant), "NAME",
                "whose it is; the key of limits and metrics"},
            {"expires", CLI_TEXT, offsetof(struct token_values, expires), "DURATION",
                "when it ends, from now: 90d, 12h (default: never)"},
            {"rate", CLI_TEXT, offsetof(struct token_values, rate), "N/s",
                "most requests and session commands per second (default: no limit)"},
            TOKEN_BURST,
            {"login", CLI_SWITCH, offsetof(struct token_values, login), NULL,
                "a ten-character password too, for protocols with a short field (OUCH)"},
            TOKEN_DATA, CLIENT_FLAGS(struct token_values), TOKEN_JSON),
        .exits = CLI_EXITS({WEIR_E_EXISTS, "a token of that name is there"},
            {WEIR_E_INVALID, "a role or value is wrong"}, TOKEN_EXITS),
        .examples = CLI_EXAMPLES(
            {"weir token create admin --role admin --data ./data", "the first one, before the node starts"},
            {"weir token create bot --role exchange:write --rate 100/s", "one for a client"}),
        .run = create,
    },
    {
        .name = "token list",
        .summary = "list the tokens, without their secrets",
        .flags = CLI_FLAGS(TOKEN_DATA, CLIENT_FLAGS(struct token_values), TOKEN_JSON),
        .exits = CLI_EXITS(TOKEN_EXITS),
        .examples = CLI_EXAMPLES({"weir token list", "names, tenants, roles, ends and limits"}),
        .lists = true,
        .run = list,
    },
    {
        .name = "token rotate",
        .summary = "give a token a new secret",
        .positionals = CLI_POSITIONALS(TOKEN_NAME),
        .flags = CLI_FLAGS({"grace", CLI_TEXT, offsetof(struct token_values, grace), "DURATION",
                               "how long the old secret still works (default: not at all)"},
            TOKEN_DATA, CLIENT_FLAGS(struct token_values), TOKEN_JSON),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such token"}, TOKEN_EXITS),
        .examples = CLI_EXAMPLES({"weir token rotate bot --grace 1h", "clients have an hour to change it"}),
        .run = rotate,
    },
    {
        .name = "token revoke",
        .summary = "end a token and its sessions",
        .positionals = CLI_POSITIONALS(TOKEN_NAME),
        .flags = CLI_FLAGS(TOKEN_DATA, CLIENT_FLAGS(struct token_values)),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such token"}, TOKEN_EXITS),
        .examples = CLI_EXAMPLES({"weir token revoke bot", "at once, on every connection"}),
        .run = revoke,
    },
    {
        .name = "tenant limit",
        .summary = "limit all tokens of a tenant together",
        .positionals = CLI_POSITIONALS({"NAME", CLI_ANY, false, "the tenant"}),
        .flags = CLI_FLAGS({"rate", CLI_TEXT, offsetof(struct token_values, rate), "N/s",
                               "most requests and session commands per second of all its tokens, or off (default)"},
            TOKEN_BURST, TOKEN_DATA, CLIENT_FLAGS(struct token_values)),
        .exits = CLI_EXITS({WEIR_E_NOT_FOUND, "there is no such tenant"}, TOKEN_EXITS),
        .examples = CLI_EXAMPLES({"weir tenant limit acme --rate 1000/s", "whatever the number of its tokens"}),
        .run = tenant_limit,
    },
    {
        .name = "tenant list",
        .summary = "list the tenants and their limits",
        .flags = CLI_FLAGS(CLIENT_FLAGS(struct token_values), TOKEN_JSON),
        .exits = CLI_EXITS({WEIR_E_FORBIDDEN, "the token in WEIR_TOKEN may not do that"}, CLIENT_EXITS),
        .examples = CLI_EXAMPLES({"weir tenant list", "names and limits"}),
        .lists = true,
        .run = tenant_list,
    },
    {0},
};
