#include "exchange/tool_http.h"
#include "base/json.h"
#include "exchange/tool_client.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 60

enum weir_error tool_http_init(struct tool_http *http, const char *address) {
    *http = (struct tool_http){.fd = -1};
    enum weir_error error = tool_client_address(address, http->host, http->port);
    if (error) return error;
    http->buffer = malloc(TOOL_HTTP_ANSWER_BYTES);
    if (http->buffer == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the node's answers");
    return WEIR_OK;
}

static void hang_up(struct tool_http *http) {
    if (http->fd >= 0) close(http->fd);
    http->fd = -1;
}

void tool_http_done(struct tool_http *http) {
    if (http->buffer == NULL) return;
    hang_up(http);
    free(http->buffer);
    *http = (struct tool_http){.fd = -1};
}

static enum weir_error dial(struct tool_http *http) {
    if (http->fd >= 0) return WEIR_OK;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int failure = getaddrinfo(http->host, http->port, &hints, &found);
    if (failure) return weir_error_context(WEIR_E_INVALID, "%s:%s: %s", http->host, http->port, gai_strerror(failure));
    for (struct addrinfo *a = found; a && http->fd < 0; a = a->ai_next) {
        http->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (http->fd >= 0 && connect(http->fd, a->ai_addr, a->ai_addrlen) != 0) {
            int saved = errno;
            hang_up(http);
            errno = saved;
        }
    }
    freeaddrinfo(found);
    if (http->fd < 0)
        return weir_error_context(WEIR_E_CLOSED, "no node answers at %s:%s (%s); start one with `weir up`", http->host,
            http->port, strerror(errno));
    int on = 1;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(http->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return WEIR_OK;
}

static enum weir_error send_all(struct tool_http *http, struct weir_slice bytes) {
    while (bytes.size) {
        ssize_t n = send(http->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return weir_error_context(WEIR_E_CLOSED, "%s:%s closed the connection", http->host, http->port);
        bytes = weir_slice(bytes.data + n, bytes.size - (size_t)n);
    }
    return WEIR_OK;
}

static enum weir_error receive(struct tool_http *http, struct weir_http_response_parser *parser) {
    size_t size = 0;
    for (;;) {
        ssize_t n = recv(http->fd, http->buffer + size, TOOL_HTTP_ANSWER_BYTES - size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 && size == 0)
            return weir_error_context(WEIR_E_CLOSED, "%s:%s closed the connection", http->host, http->port);
        if (n > 0) size += (size_t)n;
        enum weir_http_result result = n > 0 ? weir_http_response_parser_feed(parser, http->buffer, size)
                                             : weir_http_response_parser_end(parser, http->buffer, size);
        if (result == WEIR_HTTP_COMPLETE) return WEIR_OK;
        if (result == WEIR_HTTP_ERROR || n <= 0 || size == TOOL_HTTP_ANSWER_BYTES)
            return weir_error_context(WEIR_E_INVALID, "%s:%s: the answer is not whole HTTP: %s", http->host, http->port,
                parser->reason ? parser->reason : "it was cut");
    }
}

static enum weir_error exchange_once(
    struct tool_http *http, struct weir_slice head, struct weir_slice body, struct weir_http_response_parser *parser) {
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    limits.body_bytes_max = TOOL_HTTP_ANSWER_BYTES - (1u << 20);
    weir_http_response_parser_init(parser, &limits, false);
    enum weir_error error = dial(http);
    if (error == WEIR_OK) error = send_all(http, head);
    if (error == WEIR_OK) error = send_all(http, body);
    if (error == WEIR_OK) error = receive(http, parser);
    if (error) hang_up(http);
    return error;
}

enum weir_error tool_http_request(struct tool_http *http, enum weir_http_method method, const char *target,
    const char *body, int *ret_status, struct weir_slice *ret_answer) {
    uint8_t bytes[2048];
    struct weir_http_writer w;
    struct weir_slice head, body_bytes = {0};
    weir_http_writer_init(&w, bytes, sizeof(bytes));
    weir_http_writer_request(&w, method, weir_slice_text(target), weir_slice_text(http->host));
    if (body) {
        body_bytes = weir_slice_text(body);
        weir_http_writer_header(&w, weir_slice_text("Content-Type"), weir_slice_text("application/json"));
        weir_http_writer_header_u64(&w, weir_slice_text("Content-Length"), body_bytes.size);
    }
    weir_http_writer_no_body(&w);
    enum weir_error error = weir_http_writer_finish(&w, &head);
    struct weir_http_response_parser parser;
    bool kept = http->fd >= 0;
    if (error == WEIR_OK) error = exchange_once(http, head, body_bytes, &parser);
    if (error == WEIR_E_CLOSED && kept) error = exchange_once(http, head, body_bytes, &parser);
    if (error) return error;
    *ret_status = parser.response.status;
    *ret_answer = parser.response.body;
    if (!parser.response.keep_alive) hang_up(http);
    return WEIR_OK;
}

enum weir_error tool_http_call(struct tool_http *http, enum weir_http_method method, const char *target,
    const char *body, struct weir_slice *ret_answer) {
    int status;
    struct weir_slice answer;
    char detail[300] = "";
    enum weir_error error = tool_http_request(http, method, target, body, &status, &answer);
    if (error) return error;
    if (status < 400) {
        *ret_answer = answer;
        return WEIR_OK;
    }
    if (!tool_json_text(answer, "detail", detail, sizeof(detail)) &&
        !tool_json_text(answer, "title", detail, sizeof(detail)))
        snprintf(detail, sizeof(detail), "%s", weir_http_status_text(status));
    return weir_error_context(status == 404   ? WEIR_E_NOT_FOUND
                              : status == 409 ? WEIR_E_CONFLICT
                              : status == 503 ? WEIR_E_FULL
                                              : WEIR_E_INVALID,
        "%s %s: the node answered %d: %s", weir_http_method_name(method), target, status, detail);
}

/* ---- JSON ---- */

static bool member(struct weir_slice json, const char *name, struct json_reader *r) {
    *r = json_reader(json, 0);
    if (json_next(r) != JSON_OBJECT_OPEN) return false;
    while (json_next(r) == JSON_KEY) {
        bool found = json_text_is(r, name);
        json_next(r);
        if (found) return true;
        if (!json_skip_value(r)) return false;
    }
    return false;
}

static bool number(const struct json_reader *r, int64_t *ret) {
    if (json_get_i64(r, ret)) return true;
    if (r->token != JSON_STRING || r->text.size == 0 || r->text.size > 20) return false;
    char text[24], *end;
    snprintf(text, sizeof(text), "%.*s", (int)r->text.size, (const char *)r->text.data);
    errno = 0;
    *ret = text[0] == '-' ? strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);
    return errno == 0 && *end == 0;
}

bool tool_json_number(struct weir_slice json, const char *name, int64_t *ret) {
    struct json_reader r;
    return member(json, name, &r) && number(&r, ret);
}

bool tool_json_text(struct weir_slice json, const char *name, char *ret, size_t size) {
    struct json_reader r;
    if (!member(json, name, &r) || r.token != JSON_STRING || r.text.size >= size) return false;
    ret[json_text_decode(&r, ret)] = 0;
    return true;
}
