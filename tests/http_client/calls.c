/* calls: makes HTTP calls through src/http_client as lines of the standard input say, and prints a line of JSON for
 * each that ended. What tests/http_client drives, as a lane would.
 *
 *   calls [--blocking] [--public] [--allow NETWORK]... [--ca FILE] [--calls N] [--connections N] [--host-connections N]
 *         [--body N]
 *
 *   call TAG METHOD URL [total=MS] [connect=MS] [silence=MS] [redirects=N] [body=TEXT | bytes=N] [header=NAME:VALUE]...
 *   cancel TAG
 *   wait N          until N results were printed since the start
 *   raise MS        (blocking) the next call's stop flag goes up after so long
 * At the end of the input it waits for all results; "stop" ends it at once.
 */
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "http_client/caller.h"
#include "http_client/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX (1u << 20)

struct calls {
    struct sys *sys;
    struct http_client *client;
    struct http_caller *caller;
    struct http_client_options options;
    struct http_network allowed[HTTP_NETWORKS_MAX];
    uint64_t asked, told;
    int poller;
    bool blocking, stopped;
    _Atomic bool stop;
    uint64_t raise_ms;
    uint8_t body[BODY_MAX];
};

static void check(enum weir_error e) {
    if (!e) return;
    fprintf(stderr, "calls: %s: %s\n", weir_error_name(e), weir_error_text());
    exit(weir_error_exit(e));
}

static void print(struct calls *c, uint64_t tag, const struct http_reply *r, struct weir_slice body) {
    static char line[8u << 20];
    struct text_builder t = TEXT_BUILDER(line);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_u64(&w, "tag", tag);
    json_put_text(&w, "error", weir_error_name(r->error));
    json_put_i64(&w, "status", r->status);
    json_put_text(&w, "text", r->text);
    json_put_bool(&w, "mayPass", r->may_pass);
    json_put_bool(&w, "isSent", r->is_sent);
    json_put_bool(&w, "bodyCut", r->body_cut);
    json_put_u64(&w, "http", r->http_major);
    json_put_u64(&w, "bodySize", r->body_size);
    if (r->retry_after_ms != HTTP_RETRY_AFTER_NONE) json_put_u64(&w, "retryAfterMs", r->retry_after_ms);
    json_put_text(&w, "contentType", r->content_type);
    json_put_text(&w, "location", r->location);
    json_put_text(&w, "etag", r->etag);
    json_put_double(&w, "seconds", (double)r->duration_ns / 1e9);
    json_put_slice(&w, "body", body);
    json_write_object_close(&w);
    if (!json_writer_finished(&w)) exit(70);
    puts(line);
    fflush(stdout);
    c->told++;
}

static bool take_all(struct calls *c) {
    struct http_result result;
    bool some = false;
    for (; c->client->take(c->client, 0, &result); some = true)
        print(c, result.tag, &result.reply, result.body);
    return some;
}

static void wait_for(struct calls *c, uint64_t count) {
    struct sys_poll_event event;
    while (!c->blocking && c->told < count)
        if (!take_all(c)) (void)c->sys->poller_wait(c->sys, c->poller, &event, 1, SYS_NANOS_PER_S);
}

static void *raise_later(void *ctx) {
    struct calls *c = ctx;
    for (uint64_t i = 0; i < c->raise_ms; i++)
        c->sys->pause(c->sys, SYS_NANOS_PER_MS);
    atomic_store(&c->stop, true);
    return NULL;
}

static void call_blocking(struct calls *c, uint64_t tag, const struct http_request *request) {
    struct http_buffer body = {.data = c->body, .room = c->options.body_max ? c->options.body_max : 4096};
    struct http_reply reply;
    pthread_t thread;
    bool raises = c->raise_ms > 0;
    atomic_store(&c->stop, false);
    if (raises && pthread_create(&thread, NULL, raise_later, c) != 0) exit(70);
    enum weir_error e = c->caller->call(c->caller, request, http_buffer_take, &body, &c->stop, &reply);
    if (raises) pthread_join(thread, NULL);
    c->raise_ms = 0;
    if (e != reply.error || (e && strcmp(weir_error_text(), reply.text) != 0)) exit(70);
    print(c, tag, &reply, weir_slice(c->body, body.size));
}

static void call_client(struct calls *c, uint64_t tag, const struct http_request *request) {
    enum weir_error e = c->client->submit(c->client, 0, tag, request);
    c->asked++;
    if (!e) return;
    struct http_reply reply = {.error = e, .retry_after_ms = HTTP_RETRY_AFTER_NONE};
    snprintf(reply.text, sizeof reply.text, "refused: %s", weir_error_text());
    print(c, tag, &reply, weir_slice(NULL, 0));
}

static uint64_t number(const char *text) {
    uint64_t value = 0;
    check(parse_u64(weir_slice_text(text), &value));
    return value;
}

static const char *value_of(const char *word, const char *name) {
    size_t size = strlen(name);
    return strncmp(word, name, size) == 0 && word[size] == '=' ? word + size + 1 : NULL;
}

/* One "name=value". */
static void take_word(struct http_request *q, struct http_header *headers, char *word) {
    const char *value;
    if ((value = value_of(word, "total"))) q->total_ms = number(value);
    if ((value = value_of(word, "connect"))) q->connect_ms = number(value);
    if ((value = value_of(word, "silence"))) q->silence_ms = number(value);
    if ((value = value_of(word, "redirects"))) q->redirects_max = (uint32_t)number(value);
    if ((value = value_of(word, "body"))) q->body = weir_slice_text(value);
    if ((value = value_of(word, "bytes"))) {
        static uint8_t zeros[64u << 20];
        memset(zeros, 'z', sizeof zeros);
        q->body = weir_slice(zeros, number(value) < sizeof zeros ? number(value) : sizeof zeros);
    }
    char *header = strncmp(word, "header=", 7) == 0 ? word + 7 : NULL, *colon = header ? strchr(header, ':') : NULL;
    if (colon) {
        *colon = 0;
        headers[q->header_count++] = (struct http_header){header, colon + 1};
    }
}

static void make_call(struct calls *c, char *words) {
    struct http_header headers[100];
    struct http_request q = {.headers = headers};
    char *rest = words, *word = strsep(&rest, " ");
    uint64_t tag = number(word);
    q.method = strsep(&rest, " ");
    q.url = strsep(&rest, " ");
    while ((word = strsep(&rest, " ")))
        take_word(&q, headers, word);
    if (c->blocking)
        call_blocking(c, tag, &q);
    else
        call_client(c, tag, &q);
}

static void run_line(struct calls *c, char *line) {
    char *rest = line;
    const char *verb = strsep(&rest, " ");
    if (strcmp(verb, "call") == 0) make_call(c, rest);
    if (strcmp(verb, "cancel") == 0) check(c->client->cancel(c->client, 0, number(rest)));
    if (strcmp(verb, "wait") == 0) wait_for(c, number(rest));
    if (strcmp(verb, "raise") == 0) c->raise_ms = number(rest);
    if (strcmp(verb, "stop") == 0) c->stopped = true;
}

static void take_options(struct calls *c, char **arguments) {
    struct http_client_options *o = &c->options;
    o->http.allowed = c->allowed;
    for (char **a = arguments; *a; a++) {
        if (strcmp(*a, "--blocking") == 0) c->blocking = true;
        if (strcmp(*a, "--public") == 0) o->http.reach = HTTP_PUBLIC;
        if (!a[1]) continue;
        if (strcmp(*a, "--allow") == 0) check(http_network_parse(a[1], &c->allowed[o->http.allowed_count++]));
        if (strcmp(*a, "--ca") == 0) o->http.ca_file = a[1];
        if (strcmp(*a, "--calls") == 0) o->calls_max = (uint32_t)number(a[1]);
        if (strcmp(*a, "--connections") == 0) o->connections_max = (uint32_t)number(a[1]);
        if (strcmp(*a, "--host-connections") == 0) o->connections_host_max = (uint32_t)number(a[1]);
        if (strcmp(*a, "--body") == 0) o->body_max = (uint32_t)number(a[1]);
    }
}

int main(int count, char **arguments) {
    static struct calls c;
    static char line[256u << 10];
    (void)count;
    check(sys_linux_new(&c.sys));
    check(c.sys->poller_open(c.sys, &c.poller));
    take_options(&c, arguments + 1);
    c.options.submitters = 1;
    c.options.pollers = &c.poller;
    if (c.blocking)
        check(http_caller_open(c.sys, &c.options.http, &c.caller));
    else
        check(http_client_start(c.sys, &c.options, &c.client));
    while (!c.stopped && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        run_line(&c, line);
    }
    if (!c.stopped) wait_for(&c, c.asked);
    http_caller_close(c.caller);
    if (c.client) c.client->stop(c.client);
    c.sys->poller_close(c.sys, c.poller);
    sys_linux_free(c.sys);
    return 0;
}
