/* The request parser: head, framing, body, over the caller's buffer. */
#include "base/assert.h"
#include "base/text.h"
#include "wire/http_fields.h"

/* What the request line has beside its target: the longest method, two spaces, the version, CR. */
#define FIRST_LINE_REST 32

void weir_http_parser_init(struct weir_http_parser *parser, const struct weir_http_limits *limits) {
    WEIR_ASSERT(limits->header_count_max <= WEIR_HTTP_HEADERS_MAX);
    parser->limits = *limits;
    weir_http_parser_reset(parser);
}

/* The header array is left as it is: header_count says what of it counts. */
void weir_http_parser_reset(struct weir_http_parser *parser) {
    parser->has_head = false;
    parser->scanned = 0;
    parser->line_start = 0;
    parser->head_size = 0;
    parser->body_at = 0;
    parser->consumed = 0;
    parser->base = NULL;
    parser->status = 0;
    parser->reason = NULL;
    parser->request.header_count = 0;
    parser->request.body = weir_slice(NULL, 0);
}

static bool method_parse(struct weir_slice name, enum weir_http_method *ret_method) {
    for (int i = 0; i < WEIR_HTTP_METHOD_COUNT; i++) {
        if (weir_slice_equal(name, weir_slice_text(weir_http_method_name((enum weir_http_method)i)))) {
            *ret_method = (enum weir_http_method)i;
            return true;
        }
    }
    return false;
}

/* Splits a path?query. Every '%' must begin an escape; a fragment cannot be here, '#' is no byte of a target. */
static bool target_split(struct weir_http_request *request, struct weir_slice rest, struct http_refusal *refusal) {
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] != '%') continue;
        if (rest.size - i < 3 || !http_is(rest.data[i + 1], HTTP_HEX) || !http_is(rest.data[i + 2], HTTP_HEX)) {
            return http_refuse(refusal, 400, "the request target has a broken percent escape");
        }
    }
    const uint8_t *mark = rest.size ? memchr(rest.data, '?', rest.size) : NULL;
    size_t path_size = mark ? (size_t)(mark - rest.data) : rest.size;
    request->path = path_size ? weir_slice(rest.data, path_size) : weir_slice("/", 1);
    request->query = mark ? weir_slice(mark + 1, rest.size - path_size - 1) : weir_slice(rest.data, 0);
    return true;
}

/* Absolute form: the authority takes the place of the Host header (RFC 9112 3.2.2). */
static bool target_absolute(struct weir_http_request *request, size_t scheme_size, struct http_refusal *refusal) {
    const uint8_t *at = request->target.data + scheme_size;
    const uint8_t *end = request->target.data + request->target.size;
    const uint8_t *authority = at;
    while (at < end && *at != '/' && *at != '?')
        at++;
    request->host = weir_slice(authority, (size_t)(at - authority));
    if (!http_host_is_valid(request->host)) return http_refuse(refusal, 400, "the request target's host is malformed");
    return target_split(request, weir_slice(at, (size_t)(end - at)), refusal);
}

static bool target_parse(struct weir_http_request *request, struct http_refusal *refusal) {
    struct weir_slice target = request->target;
    request->host = weir_slice(target.data, 0);
    if (target.data[0] == '/') return target_split(request, target, refusal);
    if (target.size == 1 && target.data[0] == '*' && request->method == WEIR_HTTP_OPTIONS) {
        request->path = target;
        request->query = weir_slice(target.data + 1, 0);
        return true;
    }
    if (target.size > 7 && text_equal_nocase(weir_slice(target.data, 7), weir_slice("http://", 7))) {
        return target_absolute(request, 7, refusal);
    }
    if (target.size > 8 && text_equal_nocase(weir_slice(target.data, 8), weir_slice("https://", 8))) {
        return target_absolute(request, 8, refusal);
    }
    return http_refuse(refusal, 400, "the request target is neither a path nor an absolute URI");
}

static bool version_parse(struct weir_slice text, uint8_t *ret_minor, struct http_refusal *refusal) {
    if (text.size != 8 || memcmp(text.data, "HTTP/", 5) != 0 || !http_is(text.data[5], HTTP_DIGIT) ||
        text.data[6] != '.' || !http_is(text.data[7], HTTP_DIGIT)) {
        return http_refuse(refusal, 400, "the request line does not end with an HTTP version");
    }
    if (text.data[5] != '1' || text.data[7] > '1') {
        return http_refuse(refusal, 505, "only HTTP/1.0 and HTTP/1.1 are supported");
    }
    *ret_minor = (uint8_t)(text.data[7] - '0');
    return true;
}

/* METHOD SP target SP version; `end` is at the CR. */
static bool request_line_parse(
    struct weir_http_parser *parser, const uint8_t *at, const uint8_t *end, struct http_refusal *refusal) {
    struct weir_http_request *request = &parser->request;
    const uint8_t *method = at;
    while (at < end && http_is(*at, HTTP_TOKEN))
        at++;
    if (at == method || at == end || *at != ' ') return http_refuse(refusal, 400, "the method is malformed");
    struct weir_slice name = weir_slice(method, (size_t)(at - method));
    const uint8_t *target = ++at;
    while (at < end && http_is(*at, HTTP_TARGET))
        at++;
    if (at == target || at == end || *at != ' ') return http_refuse(refusal, 400, "the request target is malformed");
    request->target = weir_slice(target, (size_t)(at - target));
    at++;
    if (!version_parse(weir_slice(at, (size_t)(end - at)), &request->version_minor, refusal)) return false;
    if (!method_parse(name, &request->method)) return http_refuse(refusal, 501, "the method is not supported");
    if (request->target.size > parser->limits.target_bytes_max) {
        return http_refuse(refusal, 414, "the request target is too long");
    }
    return target_parse(request, refusal);
}

/* How the body is framed. RFC 9112 6.1 and 6.3: anything that two readers could take differently is refused. */
static bool framing_decide(
    struct weir_http_parser *parser, const struct http_fields *fields, struct http_refusal *refusal) {
    struct weir_http_request *request = &parser->request;
    request->framing = WEIR_HTTP_FRAMING_NONE;
    request->content_length = 0;
    if (fields->coding_count) {
        if (fields->length_count) {
            return http_refuse(refusal, 400, "Transfer-Encoding and Content-Length stand together");
        }
        if (request->version_minor == 0) {
            return http_refuse(refusal, 400, "Transfer-Encoding does not exist in HTTP/1.0");
        }
        if (!http_fields_is_chunked(fields, refusal)) return false;
        request->framing = WEIR_HTTP_FRAMING_CHUNKED;
    } else if (fields->length_count) {
        uint64_t bytes_max = parser->limits.body_bytes_max;
        if (!http_fields_length(fields, bytes_max, &request->content_length, refusal)) return false;
        request->framing = WEIR_HTTP_FRAMING_LENGTH;
    }
    return true;
}

static bool connection_decide(
    struct weir_http_request *request, const struct http_fields *fields, struct http_refusal *refusal) {
    bool is_1_1 = request->version_minor == 1;
    if (fields->host_count > 1) return http_refuse(refusal, 400, "Host is given twice");
    if (fields->host_count == 0 && is_1_1) return http_refuse(refusal, 400, "Host is missing");
    if (fields->host_count && !http_host_is_valid(fields->host)) {
        return http_refuse(refusal, 400, "Host is not a host with an optional port");
    }
    if (request->host.size == 0) request->host = fields->host;
    request->keep_alive = !fields->is_close && (is_1_1 || fields->is_keep_alive);
    /* RFC 9110 10.1.1; in 1.0 the field means nothing. */
    if (is_1_1 && fields->expects_other) return http_refuse(refusal, 417, "only 100-continue can be expected");
    request->expect_continue = is_1_1 && fields->expects_continue && request->framing != WEIR_HTTP_FRAMING_NONE;
    request->has_upgrade = is_1_1 && fields->is_upgrade && fields->upgrade.size > 0;
    request->upgrade = fields->upgrade;
    return true;
}

/* Parses the head that ends at head_size: at first sight and again when the buffer moved. */
static bool head_parse(
    struct weir_http_parser *parser, const uint8_t *bytes, size_t start, struct http_refusal *refusal) {
    const uint8_t *line = bytes + start;
    const uint8_t *end = bytes + parser->head_size - 2; /* the blank line's CR LF is left out */
    const uint8_t *lf = memchr(line, '\n', (size_t)(end - line));
    struct http_fields fields = {.headers = parser->request.headers};
    if (!request_line_parse(parser, line, lf - 1, refusal)) return false;
    struct weir_slice text = weir_slice(lf + 1, (size_t)(end - lf - 1));
    if (!http_fields_parse(&fields, text, parser->limits.header_count_max, refusal)) return false;
    parser->request.header_count = fields.count;
    if (!framing_decide(parser, &fields, refusal)) return false;
    if (!connection_decide(&parser->request, &fields, refusal)) return false;
    parser->base = bytes;
    return true;
}

static enum weir_http_result parser_fail(struct weir_http_parser *parser, int status, const char *reason) {
    parser->status = status;
    parser->reason = reason;
    parser->has_head = false;
    return WEIR_HTTP_ERROR;
}

static enum weir_http_result head_feed(struct weir_http_parser *parser, const uint8_t *bytes, size_t size) {
    struct http_refusal refusal = {0};
    /* One empty line before the request is skipped (RFC 9112 2.2). */
    if (size < 2 && (size == 0 || bytes[0] == '\r')) return WEIR_HTTP_MORE;
    size_t start = bytes[0] == '\r' && bytes[1] == '\n' ? 2 : 0;
    size_t first_line_max = (size_t)parser->limits.target_bytes_max + FIRST_LINE_REST;
    struct http_scan scan = {.scanned = parser->scanned, .line_start = parser->line_start};
    enum weir_http_result result = http_scan_head(&scan, weir_slice(bytes, size), start, first_line_max,
        parser->limits.head_bytes_max, &parser->head_size, &refusal);
    parser->scanned = scan.scanned;
    parser->line_start = scan.line_start;
    if (result == WEIR_HTTP_MORE) return result;
    if (result == WEIR_HTTP_ERROR) return parser_fail(parser, refusal.status, refusal.reason);
    if (!head_parse(parser, bytes, start, &refusal)) return parser_fail(parser, refusal.status, refusal.reason);
    parser->has_head = true;
    parser->body_at = parser->head_size;
    weir_http_body_init(
        &parser->body, parser->request.framing, parser->request.content_length, parser->limits.body_bytes_max);
    return WEIR_HTTP_COMPLETE;
}

static enum weir_http_result body_feed(struct weir_http_parser *parser, uint8_t *bytes, size_t size) {
    enum weir_http_result result = http_body_gather(&parser->body, bytes, size, parser->head_size, &parser->body_at);
    if (result == WEIR_HTTP_ERROR) return parser_fail(parser, parser->body.status, parser->body.reason);
    if (result == WEIR_HTTP_MORE) return result;
    parser->request.body = weir_slice(bytes + parser->head_size, (size_t)parser->body.decoded);
    parser->consumed = parser->body_at;
    return WEIR_HTTP_COMPLETE;
}

enum weir_http_result weir_http_parser_feed(struct weir_http_parser *parser, uint8_t *bytes, size_t size) {
    WEIR_ASSERT(parser->consumed == 0); /* reset() comes between two requests */
    if (parser->status) return WEIR_HTTP_ERROR;
    if (!parser->has_head) {
        enum weir_http_result result = head_feed(parser, bytes, size);
        if (result != WEIR_HTTP_COMPLETE) return result;
    } else if (parser->base != bytes) {
        struct http_refusal refusal = {0};
        bool is_same = head_parse(parser, bytes, bytes[0] == '\r' ? 2 : 0, &refusal);
        WEIR_ASSERT(is_same); /* the caller must not change bytes it has fed */
    }
    WEIR_ASSERT(size >= parser->body_at);
    return body_feed(parser, bytes, size);
}

size_t weir_http_parser_compact(struct weir_http_parser *parser, uint8_t *bytes, size_t size) {
    if (!parser->has_head || parser->consumed) return size;
    size_t decoded_end = parser->head_size + (size_t)parser->body.decoded;
    size_t hole = parser->body_at - decoded_end;
    if (hole == 0) return size;
    memmove(bytes + decoded_end, bytes + parser->body_at, size - parser->body_at);
    parser->body_at = decoded_end;
    return size - hole;
}

size_t weir_http_limits_buffer_size(const struct weir_http_limits *limits) {
    return (size_t)limits->head_bytes_max + 2 + (size_t)limits->body_bytes_max + WEIR_HTTP_CHUNK_LINE_MAX;
}

bool weir_http_request_header(
    const struct weir_http_request *request, struct weir_slice name, struct weir_slice *ret_value) {
    return http_header_find(request->headers, request->header_count, name, ret_value);
}

bool weir_http_request_header_once(
    const struct weir_http_request *request, struct weir_slice name, struct weir_slice *ret_value) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!text_equal_nocase(request->headers[i].name, name)) continue;
        *ret_value = request->headers[i].value;
        count++;
    }
    return count == 1;
}
