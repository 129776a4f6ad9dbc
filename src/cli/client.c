#include "cli/client.h"
#include "base/json.h"
#include "base/units.h"
#include <stdio.h>
#include <stdlib.h>

#define CLIENT_TIMEOUT_NS (60 * SYS_NANOS_PER_S)

static enum weir_error split_address(const char *node, char *host, size_t host_size, uint16_t *ret_port) {
    const char *colon = strrchr(node, ':');
    uint64_t port = 0;
    if (!colon || colon == node || (size_t)(colon - node) >= host_size ||
        parse_u64(weir_slice_text(colon + 1), &port) != WEIR_OK || port > 65535)
        return weir_error_context(WEIR_E_INVALID, "%s is not an address; write HOST:PORT, as in 127.0.0.1:7070", node);
    memcpy(host, node, (size_t)(colon - node));
    host[colon - node] = 0;
    *ret_port = (uint16_t)port;
    return WEIR_OK;
}

enum weir_error client_open(struct client *client, const char *node) {
    *client = (struct client){.poller = -1, .socket = -1};
    if (!node) node = getenv("WEIR_NODE");
    if (!node) node = "127.0.0.1:7070";
    enum weir_error e = split_address(node, client->host, sizeof client->host, &client->port);
    if (e == WEIR_OK) e = sys_linux_new(&client->sys);
    void *memory = NULL;
    if (e == WEIR_OK) e = sys_memory_map(CLIENT_ANSWER_BYTES_MAX, &memory);
    client->buffer = memory;
    if (e == WEIR_OK) e = client->sys->poller_open(client->sys, &client->poller);
    if (e == WEIR_OK) e = client->sys->tcp_connect(client->sys, client->host, client->port, &client->socket);
    if (e == WEIR_OK) e = client->sys->poller_add(client->sys, client->poller, client->socket, 1, SYS_POLL_WRITE);
    if (e != WEIR_OK) {
        client_close(client);
        return weir_error_wrap(e, "no node at %s; start one with `weir up`, or name it with --node", node);
    }
    return WEIR_OK;
}

void client_close(struct client *client) {
    if (!client->sys) return;
    if (client->socket >= 0) client->sys->socket_close(client->sys, client->socket);
    if (client->poller >= 0) client->sys->poller_close(client->sys, client->poller);
    if (client->buffer) sys_memory_unmap(client->buffer, CLIENT_ANSWER_BYTES_MAX);
    sys_linux_free(client->sys);
    *client = (struct client){.poller = -1, .socket = -1};
}

static enum weir_error wait_for(struct client *client, uint32_t bits) {
    struct sys *sys = client->sys;
    enum weir_error e = sys->poller_change(sys, client->poller, client->socket, 1, bits);
    if (e != WEIR_OK) return e;
    uint64_t end = sys->mono_ns(sys) + CLIENT_TIMEOUT_NS;
    struct sys_poll_event event;
    while (sys->poller_wait(sys, client->poller, &event, 1, SYS_NANOS_PER_S) == 0)
        if (sys->mono_ns(sys) > end)
            return weir_error_context(WEIR_E_TIMEOUT, "%s:%u did not answer in time", client->host, client->port);
    return WEIR_OK;
}

static enum weir_error send_all(struct client *client, struct weir_slice bytes) {
    while (bytes.size > 0) {
        struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
        size_t sent = 0;
        enum weir_error e = client->sys->socket_write(client->sys, client->socket, &part, 1, &sent);
        if (e == WEIR_E_AGAIN) {
            e = wait_for(client, SYS_POLL_WRITE);
            sent = 0;
        }
        if (e != WEIR_OK)
            return weir_error_wrap(e, "no node answers at %s:%u; start one with `weir up`, or name it with --node",
                client->host, client->port);
        bytes = weir_slice(bytes.data + sent, bytes.size - sent);
    }
    return WEIR_OK;
}

static enum weir_error receive(struct client *client, struct weir_http_response_parser *parser) {
    size_t size = 0;
    for (;;) {
        size_t got = 0;
        enum weir_error e = client->sys->socket_read(
            client->sys, client->socket, client->buffer + size, CLIENT_ANSWER_BYTES_MAX - size, &got);
        if (e == WEIR_E_AGAIN) {
            e = wait_for(client, SYS_POLL_READ);
            if (e == WEIR_OK) continue;
        }
        if (e != WEIR_OK) return weir_error_wrap(e, "reading the answer of %s:%u", client->host, client->port);
        size += got;
        enum weir_http_result r = got > 0 ? weir_http_response_parser_feed(parser, client->buffer, size)
                                          : weir_http_response_parser_end(parser, client->buffer, size);
        if (r == WEIR_HTTP_COMPLETE) return WEIR_OK;
        if (r == WEIR_HTTP_ERROR || got == 0)
            return weir_error_context(WEIR_E_INVALID, "%s:%u: the answer is not HTTP: %s", client->host, client->port,
                parser->reason ? parser->reason : "it ends early");
    }
}

/* RFC 9457: the detail says more than the title. */
static enum weir_error problem(const struct weir_http_response *response) {
    char detail[400] = "";
    struct json_reader r = json_reader(response->body, 0);
    if (json_next(&r) == JSON_OBJECT_OPEN)
        while (json_next(&r) == JSON_KEY) {
            bool wanted = json_text_is(&r, "detail") || (json_text_is(&r, "title") && detail[0] == 0);
            enum json_token value = json_next(&r);
            if (wanted && value == JSON_STRING) {
                struct text_builder t = TEXT_BUILDER(detail);
                text_add_slice(&t, r.text);
            } else {
                json_skip_value(&r);
            }
        }
    enum weir_error e = response->status == 404                              ? WEIR_E_NOT_FOUND
                        : response->status == 503                            ? WEIR_E_FULL
                        : response->status == 401 || response->status == 403 ? WEIR_E_FORBIDDEN
                        : response->status == 429                            ? WEIR_E_FULL
                        : response->status >= 500                            ? WEIR_E_IO
                        : response->status == 409                            ? WEIR_E_CONFLICT
                                                                             : WEIR_E_INVALID;
    return weir_error_context(
        e, "the node answered %d: %s", response->status, detail[0] ? detail : weir_http_status_text(response->status));
}

enum weir_error client_request(struct client *client, enum weir_http_method method, const char *target,
    struct weir_slice body, struct client_answer *ret_answer) {
    uint8_t head[4096];
    struct weir_http_writer w;
    weir_http_writer_init(&w, head, sizeof head);
    weir_http_writer_request(&w, method, weir_slice_text(target), weir_slice_text(client->host));
    const char *token = getenv("WEIR_TOKEN");
    if (token && *token) {
        char bearer[256];
        snprintf(bearer, sizeof bearer, "Bearer %s", token);
        weir_http_writer_header(&w, weir_slice_text("Authorization"), weir_slice_text(bearer));
    }
    if (body.data) {
        weir_http_writer_header(&w, weir_slice_text("Content-Type"), weir_slice_text("application/json"));
        weir_http_writer_header_u64(&w, weir_slice_text("Content-Length"), body.size);
    }
    weir_http_writer_no_body(&w);
    struct weir_slice bytes;
    enum weir_error e = weir_http_writer_finish(&w, &bytes);
    if (e == WEIR_OK) e = send_all(client, bytes);
    if (e == WEIR_OK) e = send_all(client, body);
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    limits.body_bytes_max = CLIENT_ANSWER_BYTES_MAX - (1u << 20);
    struct weir_http_response_parser parser;
    weir_http_response_parser_init(&parser, &limits, false);
    if (e == WEIR_OK) e = receive(client, &parser);
    if (e != WEIR_OK) return e;
    if (parser.response.status >= 400) return problem(&parser.response);
    *ret_answer = (struct client_answer){parser.response.status, parser.response.body};
    return WEIR_OK;
}
