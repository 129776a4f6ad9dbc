/* wire/http_fields.h: what the request and the response parser share: character classes, the end of a head, header
 * lines. Private to the module's http files. Pure, no allocation. */
#ifndef WEIR_WIRE_HTTP_FIELDS_H
#define WEIR_WIRE_HTTP_FIELDS_H

#include "wire/http.h"

enum http_class {
    HTTP_TOKEN = 1,  /* tchar of RFC 9110: methods and field names */
    HTTP_VALUE = 2,  /* field values: visible ASCII, space, tab, obs-text */
    HTTP_TARGET = 4, /* bytes of a URI but '#' */
    HTTP_HOST = 8,   /* reg-name: unreserved, sub-delims, '%' */
    HTTP_DIGIT = 16,
    HTTP_HEX = 32,
};
extern const uint8_t http_class_table[256];

static inline bool http_is(uint8_t byte, enum http_class class) {
    return (http_class_table[byte] & class) != 0;
}
/* Value of a hex digit; the byte must be one. */
static inline unsigned http_hex(uint8_t byte) {
    return byte <= '9' ? (unsigned)(byte - '0') : (byte | 0x20u) - 'a' + 10u;
}

/* Why a message was refused; status 0: it was not. */
struct http_refusal {
    int status;
    const char *reason;
};

/* Where the search for the end of a head stands. */
struct http_scan {
    size_t scanned;
    size_t line_start;
};

/* Looks for the blank line that ends the head, from where the last call stopped. `start` is the offset of the head's
 * first line; that line may take first_line_max bytes before its LF (else 414), the whole head head_bytes_max bytes
 * from start (else 431). COMPLETE: *ret_end is the offset after the blank line. What it refuses depends on the bytes
 * alone, never on how they were split. */
enum weir_http_result http_scan_head(struct http_scan *scan, struct weir_slice bytes, size_t start,
    size_t first_line_max, size_t head_bytes_max, size_t *ret_end, struct http_refusal *ret_refusal);

/* What the header lines say about framing and the connection. */
struct http_fields {
    struct weir_http_header *headers; /* the message's array */
    uint32_t count;
    uint32_t host_count;
    uint32_t length_count;
    uint32_t coding_count;
    bool is_close;
    bool is_keep_alive;
    bool is_upgrade;
    bool expects_continue, expects_other; /* Expect: 100-continue; anything else */
    struct weir_slice host;
    struct weir_slice length;
    struct weir_slice coding;
    struct weir_slice upgrade;
};

/* Parses the lines of text (all of them, the blank one excluded). False: refused. */
bool http_fields_parse(
    struct http_fields *fields, struct weir_slice text, uint32_t count_max, struct http_refusal *ret_refusal);

/* Content-Length of fields with length_count 1. False: refused (400 not a number, 413 above the limit). */
bool http_fields_length(
    const struct http_fields *fields, uint64_t bytes_max, uint64_t *ret_length, struct http_refusal *ret_refusal);

/* Transfer-Encoding of fields with coding_count >= 1: true when it is exactly "chunked". False: refused (400, 501). */
bool http_fields_is_chunked(const struct http_fields *fields, struct http_refusal *ret_refusal);

/* host[:port], the host an IP literal in brackets or a reg-name, not empty. */
bool http_host_is_valid(struct weir_slice host);

/* Decodes what is there of a body to right behind the head, so that it is contiguous there. *body_at: the next raw
 * byte. */
enum weir_http_result http_body_gather(
    struct weir_http_body *body, uint8_t *bytes, size_t size, size_t head_size, size_t *body_at);

bool http_header_find(
    const struct weir_http_header *headers, uint32_t count, struct weir_slice name, struct weir_slice *ret_value);

static inline bool http_refuse(struct http_refusal *refusal, int status, const char *reason) {
    *refusal = (struct http_refusal){.status = status, .reason = reason};
    return false;
}

#endif
