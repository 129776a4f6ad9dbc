#include "cli/route.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/show.h"
#include "edge/transcode.h"
#include "wire/http.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define TARGET_BYTES 2048u
#define WORDS_MAX    64u

/* What the words of one command line say. */
struct words {
    const struct weir_service *service;
    const struct weir_route *route;
    struct client_options client;
    const char *body; /* --body: the request as JSON */
    const char *fields[WORDS_MAX], *values[WORDS_MAX];
    uint32_t field_count;
    const char *positionals[WORDS_MAX];
    uint32_t positional_count;
    bool json;
};

bool cli_has_verbs(const struct weir_service *service) {
    for (const struct weir_route *r = service->routes; r && r->path; r++)
        if (r->verb) return true;
    return false;
}

/* ---- help ---- */
/* The next {parameter} of a path from *at on. */
static bool next_param(const char **at, struct weir_slice *ret) {
    const char *open = strchr(*at, '{'), *close = open ? strchr(open, '}') : NULL;
    if (!close) return false;
    *ret = weir_slice(open + 1, (size_t)(close - open - 1));
    *at = close + 1;
    return true;
}

static bool is_param(const struct weir_route *route, const char *name) {
    struct weir_slice param;
    for (const char *at = route->path; next_param(&at, &param);)
        if (weir_slice_equal(param, weir_slice_text(name))) return true;
    return false;
}

static void print_line(FILE *to, const struct weir_service *service, const struct weir_route *route) {
    struct weir_slice param;
    fprintf(to, "weir %s %s", service->name, route->verb);
    for (const char *at = route->path; next_param(&at, &param);) {
        putc(' ', to);
        for (size_t i = 0; i < param.size; i++)
            putc(toupper(param.data[i]), to);
    }
}

static void print_verbs(FILE *to, const struct weir_service *service) {
    fprintf(to, "weir %s VERB: %s\n\n", service->name, service->summary);
    for (const struct weir_route *r = service->routes; r->path; r++) {
        if (!r->verb) continue;
        fprintf(to, "  %-12s %s\n", r->verb, r->summary);
    }
    fprintf(to, "\n`weir %s VERB --help` says what a verb takes.\n", service->name);
}

static const char *kind_of(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return "true|false";
    case PROTOBUF_C_TYPE_STRING:
        return "TEXT";
    case PROTOBUF_C_TYPE_ENUM:
        return "NAME";
    case PROTOBUF_C_TYPE_BYTES:
        return "BASE64";
    case PROTOBUF_C_TYPE_MESSAGE:
        return NULL;
    default:
        return "N";
    }
}

static void print_verb(FILE *to, const struct weir_service *service, const struct weir_route *route) {
    const ProtobufCMessageDescriptor *type = route->request;
    fprintf(to, "usage: ");
    print_line(to, service, route);
    fprintf(to, " [--FIELD VALUE]...\n  %s\n", route->summary);
    if (route->description) fprintf(to, "  %s\n", route->description);
    fprintf(to, "\n");
    for (unsigned i = 0; type && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (is_param(route, f->name) || !kind_of(f)) continue;
        fprintf(
            to, "  --%s %s%s", f->name, kind_of(f), f->label == PROTOBUF_C_LABEL_REPEATED ? "   (several times)" : "");
        const ProtobufCEnumDescriptor *names = f->type == PROTOBUF_C_TYPE_ENUM ? f->descriptor : NULL;
        for (unsigned k = 0; names && k < names->n_values; k++)
            fprintf(to, "%s%s", k ? "|" : ": ", names->values[k].name);
        fprintf(to, "\n");
    }
    fprintf(to, "  --body JSON      the whole request (%s %s)\n", route->method, route->path);
    fprintf(to, "  --json           the answer as it came\n  --node ADDRESS, --ca FILE   as everywhere\n");
}

/* ---- the command line ---- */
static int usage(const struct words *w, const char *what, const char *word) {
    fprintf(stderr, "weir: %s%s\n", what, word);
    print_verb(stderr, w->service, w->route);
    return CLI_EXIT_USAGE;
}

/* -1: go on. */
static int take_flag(struct words *w, const char *name, const char *value) {
    const ProtobufCMessageDescriptor *type = w->route->request;
    if (!value) return usage(w, "a value is missing behind --", name);
    if (strcmp(name, "node") == 0) w->client.node = value;
    if (strcmp(name, "ca") == 0) w->client.ca = value;
    if (strcmp(name, "body") == 0) w->body = value;
    if (strcmp(name, "node") == 0 || strcmp(name, "ca") == 0 || strcmp(name, "body") == 0) return -1;
    const ProtobufCFieldDescriptor *f = type ? transcode_field(type, weir_slice_text(name)) : NULL;
    if (!f || !kind_of(f)) return usage(w, "there is no flag --", name);
    if (w->field_count == WORDS_MAX) return usage(w, "too many flags: --", name);
    w->fields[w->field_count] = f->name;
    w->values[w->field_count++] = value;
    return -1;
}

static int take_words(struct words *w, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_verb(stdout, w->service, w->route);
            return 0;
        }
        if (strcmp(word, "--json") == 0) {
            w->json = true;
        } else if (strncmp(word, "--", 2) == 0) {
            char *equals = strchr(word, '=');
            if (equals) *equals = 0;
            for (char *c = word + 2; *c; c++)
                if (*c == '-') *c = '_';
            const char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            int code = take_flag(w, word + 2, value);
            if (code >= 0) return code;
        } else if (w->positional_count == WORDS_MAX) {
            return usage(w, "too many words: ", word);
        } else {
            w->positionals[w->positional_count++] = word;
        }
    }
    uint32_t params = 0;
    struct weir_slice param;
    for (const char *at = w->route->path; next_param(&at, &param);)
        params++;
    if (params == w->positional_count) return -1;
    return params < w->positional_count ? usage(w, "there is nothing to do with ", w->positionals[params])
                                        : usage(w, "it is missing which one", "");
}

/* ---- the request ---- */
static void put_encoded(struct text_builder *t, const char *text) {
    for (const char *c = text; c && *c; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("-._~", *c);
        if (plain)
            text_add_char(t, *c);
        else
            text_printf(t, "%%%02X", (unsigned char)*c);
    }
}

static void put_target(const struct words *w, bool query, struct text_builder *t) {
    const char *from = w->route->path, *at = from;
    struct weir_slice param;
    for (uint32_t i = 0; next_param(&at, &param); i++) {
        text_add_slice(t, weir_slice(from, (size_t)((const char *)param.data - 1 - from)));
        put_encoded(t, w->positionals[i]);
        from = at;
    }
    text_add(t, from);
    for (uint32_t i = 0; query && i < w->field_count; i++) {
        text_printf(t, "%c%s=", i ? '&' : '?', w->fields[i]);
        put_encoded(t, w->values[i]);
    }
}

static void put_value(struct json_writer *j, const ProtobufCFieldDescriptor *f, const char *value) {
    bool raw = f->type == PROTOBUF_C_TYPE_BOOL && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0);
    if (raw)
        json_write_bool(j, value[0] == 't');
    else
        json_write_text(j, value); /* numbers are read from texts too, and what is none is named by the node */
}

static void put_body(const struct words *w, struct json_writer *j) {
    const ProtobufCMessageDescriptor *type = w->route->request;
    json_write_object_open(j);
    for (unsigned n = 0; type && n < type->n_fields; n++) {
        const ProtobufCFieldDescriptor *f = &type->fields[n];
        bool is_list = f->label == PROTOBUF_C_LABEL_REPEATED, begun = false;
        for (uint32_t i = 0; i < w->field_count; i++) {
            if (strcmp(w->fields[i], f->name) != 0) continue;
            if (!begun || !is_list) json_write_key(j, f->name);
            if (!begun && is_list) json_write_array_open(j);
            begun = true;
            put_value(j, f, w->values[i]);
        }
        if (begun && is_list) json_write_array_close(j);
    }
    json_write_object_close(j);
}

static enum weir_error ask(const struct words *w, struct client *client, struct client_answer *ret_answer) {
    char target[TARGET_BYTES];
    struct text_builder t = TEXT_BUILDER(target);
    enum weir_http_method method = WEIR_HTTP_GET;
    while (method < WEIR_HTTP_METHOD_COUNT && strcmp(weir_http_method_name(method), w->route->method) != 0)
        method++;
    bool query = method == WEIR_HTTP_GET;
    put_target(w, query, &t);
    if (t.truncated) return weir_error_context(WEIR_E_TOO_LARGE, "the request's path is longer than %u", TARGET_BYTES);
    struct arena arena;
    arena_init(&arena, NULL, 64u << 10, 16u << 20);
    struct text_builder body = text_builder_arena(&arena, 0);
    struct json_writer j = json_writer(&body, 0);
    if (!w->body) put_body(w, &j);
    struct weir_slice bytes = query ? (struct weir_slice){0} : w->body ? weir_slice_text(w->body) : text_slice(&body);
    enum weir_error e = client_request(client, method, target, bytes, ret_answer);
    arena_done(&arena);
    return e;
}

static void show(const struct words *w, struct weir_slice body, bool over_itself) {
    if (over_itself) printf("\033[H\033[2J");
    if (w->json || body.size == 0)
        printf("%.*s\n", (int)body.size, (const char *)body.data);
    else
        cli_show(body, "");
    (void)fflush(stdout);
}

/* In a poller of its own, where nothing happens. */
static enum weir_error wait_a_second(const struct client *client) {
    struct sys *sys = client->sys;
    struct sys_poll_event event;
    int poller;
    enum weir_error e = sys->poller_open(sys, &poller);
    if (e) return e;
    (void)sys->poller_wait(sys, poller, &event, 1, SYS_NANOS_PER_S);
    sys->poller_close(sys, poller);
    return WEIR_OK;
}

/* A verb `top` is drawn again each second on a terminal, until it is interrupted. */
int cli_run_verb(const struct weir_service *service, int argc, char **argv) {
    const struct weir_route *route = service->routes;
    bool help = argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0;
    while (!help && route->path && (!route->verb || strcmp(route->verb, argv[0]) != 0))
        route++;
    if (help || !route->path) {
        if (!help) fprintf(stderr, "weir: %s has no verb %s\n", service->name, argv[0]);
        print_verbs(help && argc ? stdout : stderr, service);
        return help && argc ? 0 : CLI_EXIT_USAGE;
    }
    struct words w = {.service = service, .route = route};
    int code = take_words(&w, argc - 1, argv + 1);
    if (code >= 0) return code;
    struct client client;
    struct client_answer answer;
    enum weir_error e = client_open(&client, &w.client);
    if (e) return cli_fail(e);
    bool again = strcmp(route->verb, "top") == 0 && !w.json && isatty(STDOUT_FILENO);
    do {
        e = ask(&w, &client, &answer);
        if (!e) show(&w, answer.body, again);
        if (!e && again) e = wait_a_second(&client);
    } while (!e && again);
    client_close(&client);
    return e ? cli_fail(e) : 0;
}
