/* The response parser of our own client. */
#include "base/assert.h"
#include "base/text.h"
#include "wire/http_fields.h"

void weir_http_response_parser_init(
    struct weir_http_response_parser *parser, const struct weir_http_limits *limits, bool is_head_answer) {
    WEIR_ASSERT(limits->header_count_max <= WEIR_HTTP_HEADERS_MAX);
    *parser = (struct weir_http_response_parser){.limits = *limits, .is_head_answer = is_head_answer};
}

/* Whatever is wrong with an answer, the client's own word for it is 502. */
static enum weir_http_result parser_fail(struct weir_http_response_parser *parser, const char *reason) {
    parser->status = 502;
    parser->reason = reason;
    parser->has_head = false;
    return WEIR_HTTP_ERROR;
}

/* HTTP/1.x SP status [SP phrase]; `end` is at the CR. */
static bool status_line_parse(struct weir_http_response *response, struct weir_slice line) {
    const uint8_t *at = line.data;
    if (line.size < 12 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') || at[8] != ' ') return false;
    int status = 0;
    for (int i = 9; i < 12; i++) {
        if (!http_is(at[i], HTTP_DIGIT)) return false;
        status = status * 10 + (at[i] - '0');
    }
    if (status < 100 || status > 599 || (line.size > 12 && at[12] != ' ')) return false;
    for (size_t i = 12; i < line.size; i++) {
        if (!http_is(at[i], HTTP_VALUE)) return false;
    }
    response->version_minor = (uint8_t)(at[7] - '0');
    response->status = status;
    return true;
}

static bool framing_decide(
    struct weir_http_response_parser *parser, const struct http_fields *fields, struct http_refusal *refusal) {
    struct weir_http_response *response = &parser->response;
    response->framing = WEIR_HTTP_FRAMING_CLOSE;
    response->content_length = 0;
    if (fields->coding_count && fields->length_count) {
        return http_refuse(refusal, 502, "Transfer-Encoding and Content-Length stand together");
    }
    if (fields->coding_count) {
        if (!http_fields_is_chunked(fields, refusal)) return false;
        response->framing = WEIR_HTTP_FRAMING_CHUNKED;
    } else if (fields->length_count) {
        uint64_t bytes_max = parser->is_head_answer ? UINT64_MAX : parser->limits.body_bytes_max;
        if (!http_fields_length(fields, bytes_max, &response->content_length, refusal)) return false;
        response->framing = WEIR_HTTP_FRAMING_LENGTH;
    }
    int status = response->status;
    if (parser->is_head_answer || status < 200 || status == 204 || status == 304) {
        response->framing = WEIR_HTTP_FRAMING_NONE;
    }
    response->keep_alive = response->framing != WEIR_HTTP_FRAMING_CLOSE && !fields->is_close &&
                           (response->version_minor == 1 || fields->is_keep_alive);
    return true;
}

static bool head_parse(struct weir_http_response_parser *parser, const uint8_t *bytes, struct http_refusal *refusal) {
    const uint8_t *line = bytes + parser->skipped;
    const uint8_t *end = bytes + parser->head_size - 2; /* the blank line's CR LF is left out */
    const uint8_t *lf = memchr(line, '\n', (size_t)(end - line));
    struct http_fields fields = {.headers = parser->response.headers};
    if (!status_line_parse(&parser->response, weir_slice(line, (size_t)(lf - 1 - line)))) {
        return http_refuse(refusal, 502, "the status line is malformed");
    }
    struct weir_slice text = weir_slice(lf + 1, (size_t)(end - lf - 1));
    if (!http_fields_parse(&fields, text, parser->limits.header_count_max, refusal)) return false;
    parser->response.header_count = fields.count;
    parser->base = bytes;
    return framing_decide(parser, &fields, refusal);
}

/* The head of the final answer; interim ones before it are skipped. */
static enum weir_http_result head_feed(struct weir_http_response_parser *parser, const uint8_t *bytes, size_t size) {
    struct http_refusal refusal = {0};
    for (;;) {
        struct http_scan scan = {.scanned = parser->scanned, .line_start = parser->line_start};
        size_t head_max = parser->limits.head_bytes_max;
        enum weir_http_result result = http_scan_head(
            &scan, weir_slice(bytes, size), parser->skipped, head_max, head_max, &parser->head_size, &refusal);
        parser->scanned = scan.scanned;
        parser->line_start = scan.line_start;
        if (result == WEIR_HTTP_MORE) return result;
        if (result == WEIR_HTTP_ERROR) return parser_fail(parser, refusal.reason);
        if (!head_parse(parser, bytes, &refusal)) return parser_fail(parser, refusal.reason);
        if (parser->response.status >= 200 || parser->response.status == 101) break;
        parser->skipped = parser->head_size;
    }
    parser->has_head = true;
    parser->body_at = parser->head_size;
    weir_http_body_init(
        &parser->body, parser->response.framing, parser->response.content_length, parser->limits.body_bytes_max);
    return WEIR_HTTP_COMPLETE;
}

static enum weir_http_result body_complete(struct weir_http_response_parser *parser, const uint8_t *bytes) {
    parser->response.body = weir_slice(bytes + parser->head_size, (size_t)parser->body.decoded);
    parser->consumed = parser->body_at;
    return WEIR_HTTP_COMPLETE;
}

static enum weir_http_result body_feed(struct weir_http_response_parser *parser, uint8_t *bytes, size_t size) {
    enum weir_http_result result = http_body_gather(&parser->body, bytes, size, parser->head_size, &parser->body_at);
    if (result == WEIR_HTTP_ERROR) return parser_fail(parser, parser->body.reason);
    return result == WEIR_HTTP_COMPLETE ? body_complete(parser, bytes) : result;
}

enum weir_http_result weir_http_response_parser_feed(
    struct weir_http_response_parser *parser, uint8_t *bytes, size_t size) {
    WEIR_ASSERT(parser->consumed == 0); /* one parser reads one response */
    if (parser->status) return WEIR_HTTP_ERROR;
    if (!parser->has_head) {
        enum weir_http_result result = head_feed(parser, bytes, size);
        if (result != WEIR_HTTP_COMPLETE) return result;
    } else if (parser->base != bytes) {
        struct http_refusal refusal = {0};
        bool is_same = head_parse(parser, bytes, &refusal);
        WEIR_ASSERT(is_same); /* the caller must not change bytes it has fed */
    }
    WEIR_ASSERT(size >= parser->body_at);
    return body_feed(parser, bytes, size);
}

enum weir_http_result weir_http_response_parser_end(
    struct weir_http_response_parser *parser, uint8_t *bytes, size_t size) {
    enum weir_http_result result = weir_http_response_parser_feed(parser, bytes, size);
    if (result != WEIR_HTTP_MORE) return result;
    if (parser->has_head && parser->response.framing == WEIR_HTTP_FRAMING_CLOSE) return body_complete(parser, bytes);
    return parser_fail(parser, "the connection was closed inside the response");
}

bool weir_http_response_header(
    const struct weir_http_response *response, struct weir_slice name, struct weir_slice *ret_value) {
    return http_header_find(response->headers, response->header_count, name, ret_value);
}
