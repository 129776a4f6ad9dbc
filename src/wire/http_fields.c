/* Character classes, the end of a head, header lines: the strict half of HTTP that both directions share. */
#include "wire/http_fields.h"
#include "base/text.h"

#define T HTTP_TOKEN
#define V HTTP_VALUE
#define U HTTP_TARGET
#define H HTTP_HOST
#define D (T | V | U | H | HTTP_DIGIT | HTTP_HEX) /* digit */
#define X (T | V | U | H | HTTP_HEX)              /* letter a-f */
#define L (T | V | U | H)                         /* other letter, and "!$&'*+-._~" */
#define S (V | U | H)                             /* "(),;=" : delimiters of a URI that are no token */
#define P (V | U)                                 /* ":/?@[]" */
#define O V                                       /* '"<>\{}' and obs-text: values only */
#define Q (T | V)                                 /* "#^`|" : tokens only */

/* clang-format off */
const uint8_t http_class_table[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    V, L, O, Q, L, L, L, L, S, S, L, L, S, L, L, P,  D, D, D, D, D, D, D, D, D, D, P, S, O, S, O, P,
    P, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,  L, L, L, L, L, L, L, L, L, L, L, P, O, P, Q, L,
    Q, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,  L, L, L, L, L, L, L, L, L, L, L, O, Q, O, L, 0,
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,  O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,  O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,  O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,  O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
};
/* clang-format on */

enum weir_http_result http_scan_head(struct http_scan *scan, struct weir_slice bytes, size_t start,
    size_t first_line_max, size_t head_bytes_max, size_t *ret_end, struct http_refusal *ret_refusal) {
    if (scan->scanned < start) *scan = (struct http_scan){.scanned = start, .line_start = start};
    for (;;) {
        /* Within its first line a head is also bound by that line's limit; whichever limit is nearer is met first. */
        bool is_first = scan->line_start == start;
        bool is_line_bound = is_first && first_line_max < head_bytes_max;
        size_t limit = start + (is_line_bound ? first_line_max : head_bytes_max);
        size_t window = bytes.size < limit ? bytes.size : limit;
        const uint8_t *at = bytes.data + scan->scanned;
        const uint8_t *lf = scan->scanned < window ? memchr(at, '\n', window - scan->scanned) : NULL;
        if (!lf) {
            scan->scanned = window > scan->scanned ? window : scan->scanned;
            if (bytes.size < limit) return WEIR_HTTP_MORE;
            http_refuse(ret_refusal, is_line_bound ? 414 : 431,
                is_line_bound ? "the request target is too long" : "the header section is too large");
            return WEIR_HTTP_ERROR;
        }
        size_t end = (size_t)(lf - bytes.data) + 1;
        if (end < start + 2 || lf[-1] != '\r') {
            http_refuse(ret_refusal, 400, "a line must end with CR LF");
            return WEIR_HTTP_ERROR;
        }
        bool is_blank = end - scan->line_start == 2;
        scan->scanned = scan->line_start = end;
        if (is_blank && is_first) {
            http_refuse(ret_refusal, 400, "the first line is empty");
            return WEIR_HTTP_ERROR;
        }
        if (is_blank) {
            *ret_end = end;
            return WEIR_HTTP_COMPLETE;
        }
    }
}

/* The framing and connection fields, found by length first so that most names cost one comparison. */
static void field_note(struct http_fields *fields, struct weir_slice name, struct weir_slice value) {
#define NAME_IS(text) text_equal_nocase(name, weir_slice(text, sizeof(text) - 1))
    switch (name.size) {
    case 4:
        if (!NAME_IS("host")) return;
        fields->host = value;
        fields->host_count++;
        return;
    case 6:
        if (!NAME_IS("expect")) return;
        fields->expects_continue = text_equal_nocase(value, weir_slice("100-continue", 12));
        fields->expects_other |= !fields->expects_continue;
        return;
    case 7:
        if (NAME_IS("upgrade")) fields->upgrade = value;
        return;
    case 10:
        if (!NAME_IS("connection")) return;
        fields->is_close |= weir_http_list_has(value, weir_slice("close", 5));
        fields->is_keep_alive |= weir_http_list_has(value, weir_slice("keep-alive", 10));
        fields->is_upgrade |= weir_http_list_has(value, weir_slice("upgrade", 7));
        return;
    case 14:
        if (!NAME_IS("content-length")) return;
        fields->length = value;
        fields->length_count++;
        return;
    case 17:
        if (!NAME_IS("transfer-encoding")) return;
        fields->coding = value;
        fields->coding_count++;
        return;
    default:
        return;
    }
#undef NAME_IS
}

/* One line, ended by the CR at `end`. NULL, or why it is refused. */
static const char *line_parse(const uint8_t *at, const uint8_t *end, struct weir_http_header *ret_header) {
    const uint8_t *name = at;
    if (*at == ' ' || *at == '\t') return "a header line must not begin with whitespace";
    while (at < end && http_is(*at, HTTP_TOKEN))
        at++;
    if (at == name) return "a header name is empty or has a byte it may not have";
    if (at == end || *at != ':') return "a header name has a byte it may not have, or no colon";
    ret_header->name = weir_slice(name, (size_t)(at - name));
    at++;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    const uint8_t *value = at;
    while (at < end && http_is(*at, HTTP_VALUE))
        at++;
    if (at != end) return "a header value has a control byte";
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    ret_header->value = weir_slice(value, (size_t)(end - value));
    return NULL;
}

bool http_fields_parse(
    struct http_fields *fields, struct weir_slice text, uint32_t count_max, struct http_refusal *ret_refusal) {
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    while (at < end) {
        /* http_scan_head() saw to it that every LF has its CR. */
        const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
        if (fields->count == count_max) return http_refuse(ret_refusal, 431, "there are too many headers");
        struct weir_http_header *header = &fields->headers[fields->count];
        const char *reason = line_parse(at, lf - 1, header);
        if (reason) return http_refuse(ret_refusal, 400, reason);
        fields->count++;
        field_note(fields, header->name, header->value);
        at = lf + 1;
    }
    return true;
}

bool http_fields_length(
    const struct http_fields *fields, uint64_t bytes_max, uint64_t *ret_length, struct http_refusal *ret_refusal) {
    struct weir_slice text = fields->length;
    uint64_t length = 0;
    if (fields->length_count > 1) return http_refuse(ret_refusal, 400, "Content-Length is given twice");
    if (text.size == 0) return http_refuse(ret_refusal, 400, "Content-Length is empty");
    for (size_t i = 0; i < text.size; i++) {
        if (!http_is(text.data[i], HTTP_DIGIT)) return http_refuse(ret_refusal, 400, "Content-Length is not a number");
    }
    for (size_t i = 0; i < text.size; i++) {
        if (__builtin_mul_overflow(length, (uint64_t)10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(text.data[i] - '0'), &length)) {
            return http_refuse(ret_refusal, 413, "the body is too large");
        }
    }
    if (length > bytes_max) return http_refuse(ret_refusal, 413, "the body is too large");
    *ret_length = length;
    return true;
}

bool http_fields_is_chunked(const struct http_fields *fields, struct http_refusal *ret_refusal) {
    if (fields->coding_count > 1) return http_refuse(ret_refusal, 400, "Transfer-Encoding is given twice");
    struct weir_slice rest = fields->coding;
    uint32_t chunked = 0, others = 0;
    bool is_last_chunked = false;
    for (;;) {
        const uint8_t *comma = rest.size ? memchr(rest.data, ',', rest.size) : NULL;
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        struct weir_slice coding = text_trim(weir_slice(rest.data, size));
        if (coding.size == 0) return http_refuse(ret_refusal, 400, "Transfer-Encoding has an empty member");
        for (size_t i = 0; i < coding.size; i++) {
            if (!http_is(coding.data[i], HTTP_TOKEN)) {
                return http_refuse(ret_refusal, 400, "Transfer-Encoding is malformed");
            }
        }
        is_last_chunked = text_equal_nocase(coding, weir_slice("chunked", 7));
        *(is_last_chunked ? &chunked : &others) += 1;
        if (!comma) break;
        rest = weir_slice(comma + 1, rest.size - size - 1);
    }
    if (!is_last_chunked || chunked > 1) {
        return http_refuse(ret_refusal, 400, "Transfer-Encoding must end with chunked, once");
    }
    if (others) return http_refuse(ret_refusal, 501, "a transfer coding other than chunked is not supported");
    return true;
}

bool http_host_is_valid(struct weir_slice host) {
    if (host.size == 0) return false;
    const uint8_t *at = host.data;
    const uint8_t *end = at + host.size;
    const uint8_t *name = at;
    if (*at == '[') {
        at++;
        while (at < end && (http_is(*at, HTTP_HEX) || *at == ':' || *at == '.'))
            at++;
        if (at == end || *at != ']' || at - name < 3) return false;
        at++;
    } else {
        while (at < end && http_is(*at, HTTP_HOST))
            at++;
        if (at == name) return false;
    }
    if (at == end) return true;
    if (*at++ != ':') return false;
    const uint8_t *port = at;
    while (at < end && http_is(*at, HTTP_DIGIT))
        at++;
    return at == end && at - port <= 5;
}

bool http_header_find(
    const struct weir_http_header *headers, uint32_t count, struct weir_slice name, struct weir_slice *ret_value) {
    for (uint32_t i = 0; i < count; i++) {
        if (text_equal_nocase(headers[i].name, name)) {
            *ret_value = headers[i].value;
            return true;
        }
    }
    return false;
}
