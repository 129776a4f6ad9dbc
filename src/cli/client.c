#include "cli/client.h"
#include "base/json.h"
#include "cli/client_link.h"
#include <stdio.h>
#include <stdlib.h>

static enum weir_error send_all(struct client *client, struct weir_slice bytes) {
    while (bytes.size > 0) {
        size_t sent = 0;
        enum weir_error e = client_link_put(client, bytes, &sent);
        if (e == WEIR_E_AGAIN) {
            e = client_link_wait(client, SYS_POLL_WRITE);
            sent = 0;
        }
        if (e != WEIR_OK)
            return weir_error_wrap(
                e, "no node answers at %s; start one with `weir up`, or name it with --node", client->shown);
        bytes = weir_slice(bytes.data + sent, bytes.size - sent);
    }
    return WEIR_OK;
}

static enum weir_error receive(struct client *client, struct weir_http_response_parser *parser) {
    size_t size = 0;
    for (;;) {
        size_t got = 0;
        enum weir_error e = client_link_get(client, client->buffer + size, CLIENT_ANSWER_BYTES_MAX - size, &got);
        if (e == WEIR_E_AGAIN) {
            e = client_link_wait(client, SYS_POLL_READ);
            if (e == WEIR_OK) continue;
        }
        if (e != WEIR_OK) return weir_error_wrap(e, "reading the answer of %s", client->shown);
        size += got;
        enum weir_http_result r = got > 0 ? weir_http_response_parser_feed(parser, client->buffer, size)
                                          : weir_http_response_parser_end(parser, client->buffer, size);
        if (r == WEIR_HTTP_COMPLETE) return WEIR_OK;
        if (r == WEIR_HTTP_ERROR || got == 0)
            return weir_error_context(WEIR_E_INVALID, "%s: the answer is not HTTP: %s", client->shown,
                parser->reason ? parser->reason : "it ends early");
    }
}

/* The error that the node names; what is no name of the table, such as a service's reason, goes by its status. */
static enum weir_error error_of(const char *code, int status) {
    static const enum weir_error errors[] = {
#define ERROR_VALUE(name, value, sentence, http, exit, retry) WEIR_E_##name,
        WEIR_ERROR_TABLE(ERROR_VALUE)
#undef ERROR_VALUE
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(errors); i++)
        if (errors[i] != WEIR_OK && strcmp(weir_error_name(errors[i]), code) == 0) return errors[i];
    return status == 404                    ? WEIR_E_NOT_FOUND
           : status == 401 || status == 403 ? WEIR_E_FORBIDDEN
           : status == 429 || status == 503 ? WEIR_E_FULL
           : status >= 500                  ? WEIR_E_IO
           : status == 409                  ? WEIR_E_CONFLICT
                                            : WEIR_E_INVALID;
}

/* RFC 9457: the detail says more than the title. */
static enum weir_error problem(const struct weir_http_response *response) {
    char detail[400] = "", code[32] = "";
    struct json_reader r = json_reader(response->body, 0);
    if (json_next(&r) == JSON_OBJECT_OPEN)
        while (json_next(&r) == JSON_KEY) {
            bool wanted = json_text_is(&r, "detail") || (json_text_is(&r, "title") && detail[0] == 0);
            bool is_code = json_text_is(&r, "code");
            enum json_token value = json_next(&r);
            if ((wanted || is_code) && value == JSON_STRING) {
                struct text_builder t = is_code ? TEXT_BUILDER(code) : TEXT_BUILDER(detail);
                text_add_slice(&t, r.text);
            } else {
                json_skip_value(&r);
            }
        }
    return weir_error_context(error_of(code, response->status), "the node answered %d: %s", response->status,
        detail[0] ? detail : weir_http_status_text(response->status));
}

enum weir_error client_request(struct client *client, enum weir_http_method method, const char *target,
    struct weir_slice body, struct client_answer *ret_answer) {
    uint8_t head[4096];
    struct weir_http_writer w;
    weir_http_writer_init(&w, head, sizeof head);
    weir_http_writer_request(
        &w, method, weir_slice_text(target), weir_slice_text(client->is_unix ? "localhost" : client->host));
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
