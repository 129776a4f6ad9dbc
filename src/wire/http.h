/* wire/http.h: HTTP/1.1 and 1.0 messages as pure codecs: request parser, response writer, and a response parser for our
 * own client.
 *
 * Purpose     turn bytes into one request after another, strictly; write responses into a caller's buffer.
 * Threads     pure over its arguments; a parser or writer belongs to one thread at a time.
 * Allocation  none. Every slice of a request points into the caller's buffer.
 * Limits      struct weir_http_limits, given at init.
 * Errors      the parsers end with WEIR_HTTP_ERROR, an HTTP status (400, 413, 414, 417, 431, 501, 505; 502 for
 * responses) and a sentence; the connection has to be closed after the answer. The rest return enum weir_error. Source
 * RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 3986 (percent-encoding).
 *
 * What the grammar refuses, because two parsers that read it differently can be made to smuggle a request: a bare CR or
 * LF, NUL and other control bytes, whitespace before the colon or at the line's start (obs-fold), Content-Length and
 * Transfer-Encoding together, Content-Length given twice (even when equal), not purely digits or above the limit, a
 * Transfer-Encoding other than exactly one "chunked" (400 if malformed or in 1.0, 501 if another coding), chunk sizes
 * with signs, spaces, "0x" or more than 16 digits, no Host or two Hosts in 1.1, a Host that is not host[:port], a
 * target with spaces, fragments or bytes outside the URI set, an empty header name, a version other than HTTP/1.0 and
 * HTTP/1.1 (505), a method that is not a token (400) or not known (501), trailers that are framing fields.
 */
#ifndef WEIR_WIRE_HTTP_H
#define WEIR_WIRE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

/* ---- shared ---- */

enum {
    WEIR_HTTP_HEADERS_MAX = 64,     /* room for header lines in a message */
    WEIR_HTTP_CHUNK_LINE_MAX = 256, /* bytes of one chunk-size line, extensions included */
    WEIR_HTTP_TRAILER_BYTES_MAX = 4096,
};

struct weir_http_limits {
    uint32_t head_bytes_max;   /* request line and headers, final blank line included: 431 */
    uint32_t target_bytes_max; /* 414 */
    uint32_t header_count_max; /* at most WEIR_HTTP_HEADERS_MAX: 431 */
    uint64_t body_bytes_max;   /* decoded: 413 */
};
#define WEIR_HTTP_LIMITS_DEFAULT                                                                                       \
    ((struct weir_http_limits){                                                                                        \
        .head_bytes_max = 16384, .target_bytes_max = 8192, .header_count_max = 64, .body_bytes_max = 1 << 20})

enum weir_http_result {
    WEIR_HTTP_MORE,     /* feed again with more bytes behind the same ones */
    WEIR_HTTP_COMPLETE, /* one whole message; `consumed` bytes of the buffer were its */
    WEIR_HTTP_ERROR,    /* `status` and `reason` say why; nothing more can be read from this connection */
};

enum weir_http_method {
    WEIR_HTTP_GET,
    WEIR_HTTP_HEAD,
    WEIR_HTTP_POST,
    WEIR_HTTP_PUT,
    WEIR_HTTP_DELETE,
    WEIR_HTTP_PATCH,
    WEIR_HTTP_OPTIONS,
    WEIR_HTTP_METHOD_COUNT,
};
const char *weir_http_method_name(enum weir_http_method method);

struct weir_http_header {
    struct weir_slice name;  /* as sent; compare with text_equal_nocase() */
    struct weir_slice value; /* without the whitespace around it */
};

/* True when the comma-separated list holds the token (without case), as in Connection: keep-alive, Upgrade. */
bool weir_http_list_has(struct weir_slice list, struct weir_slice token);

/* ---- body framing, also usable alone ---- */

enum weir_http_framing {
    WEIR_HTTP_FRAMING_NONE,    /* no body */
    WEIR_HTTP_FRAMING_LENGTH,  /* Content-Length */
    WEIR_HTTP_FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
    WEIR_HTTP_FRAMING_CLOSE,   /* responses only: until the peer closes */
};

/* Incremental decoder of a body. Fields are its own, but status and reason. */
struct weir_http_body {
    enum weir_http_framing framing;
    int status;         /* at ERROR */
    const char *reason; /* at ERROR */
    uint64_t remaining; /* of the chunk or the length */
    uint64_t decoded;   /* body bytes so far */
    uint64_t bytes_max;
    uint64_t excess;     /* bytes spent on chunk lines beyond what honest chunking needs: bounded */
    uint16_t line_bytes; /* of the present chunk-size line */
    uint16_t trailer_bytes;
    uint8_t state;
    uint8_t digits;    /* of the present chunk size */
    uint8_t name_size; /* of the present trailer's name, up to sizeof name */
    char name[20];     /* its start, lower case */
};

void weir_http_body_init(
    struct weir_http_body *body, enum weir_http_framing framing, uint64_t length, uint64_t bytes_max);

/* Consumes from bytes and returns at most one run of body bytes (a slice into them, perhaps empty). MORE: everything
 * was consumed or a run was returned: call again with what follows. COMPLETE: the body ends here, the bytes after
 * *ret_consumed belong to the next message (a last run may come with it). ERROR: body->status, body->reason. */
enum weir_http_result weir_http_body_next(
    struct weir_http_body *body, struct weir_slice bytes, size_t *ret_consumed, struct weir_slice *ret_data);

/* ---- request parser (server) ---- */

struct weir_http_request {
    enum weir_http_method method;
    uint8_t version_minor;    /* 0 or 1 */
    bool keep_alive;          /* after the answer: 1.1 without close, or 1.0 with keep-alive */
    bool expect_continue;     /* the client waits for "100 Continue" before it sends the body */
    bool has_upgrade;         /* Connection: upgrade with an Upgrade header; its list is `upgrade` */
    struct weir_slice target; /* as sent */
    struct weir_slice path;   /* of the target, still percent-encoded; "*" for OPTIONS * */
    struct weir_slice query;  /* after '?', without it; size 0 when none */
    struct weir_slice host;   /* the Host header's value; empty in a 1.0 request without */
    struct weir_slice upgrade;
    enum weir_http_framing framing; /* NONE, LENGTH or CHUNKED */
    uint64_t content_length;        /* LENGTH only */
    struct weir_slice body;         /* decoded and contiguous; set at COMPLETE */
    uint32_t header_count;
    struct weir_http_header headers[WEIR_HTTP_HEADERS_MAX];
};

/* One request at a time, over a buffer of the caller that starts at the request's first byte:
 *
 *     weir_http_parser_init(&parser, &limits);
 *     on bytes:  append to the buffer;
 *                while ((r = weir_http_parser_feed(&parser, buffer, size)) == WEIR_HTTP_COMPLETE) {
 *                    answer(&parser.request);              // its slices point into the buffer
 *                    drop parser.consumed bytes from the buffer's front;
 *                    weir_http_parser_reset(&parser);
 *                }
 * The buffer may have moved between calls: slices are set anew by each feed() that has the head. The bytes fed before
 * must not be changed by the caller (the parser decodes chunks in place). */
struct weir_http_parser {
    struct weir_http_limits limits;
    bool has_head;       /* request's fields but the body are valid: decide on Expect, or refuse early */
    size_t scanned;      /* bytes looked at for the end of the head */
    size_t line_start;   /* offset of the line being scanned */
    size_t head_size;    /* leading CRLF included */
    size_t body_at;      /* next raw byte of the body to decode */
    size_t consumed;     /* at COMPLETE: bytes that were this request's */
    const uint8_t *base; /* where request's slices were computed */
    struct weir_http_body body;
    struct weir_http_request request;
    int status;         /* at ERROR: what to answer */
    const char *reason; /* at ERROR: a static sentence */
};

void weir_http_parser_init(struct weir_http_parser *parser, const struct weir_http_limits *limits);
void weir_http_parser_reset(struct weir_http_parser *parser); /* for the next request of the connection */
enum weir_http_result weir_http_parser_feed(struct weir_http_parser *parser, uint8_t *bytes, size_t size);

/* Decoding chunks in place leaves a hole between the decoded body and the raw bytes that wait. Closes it and returns
 * the new size of the buffer's content (<= size). For a buffer that is full: after it a request needs at most
 * head_bytes_max + body_bytes_max + WEIR_HTTP_CHUNK_LINE_MAX bytes. */
size_t weir_http_parser_compact(struct weir_http_parser *parser, uint8_t *bytes, size_t size);

/* The bytes a buffer must hold for any request within the limits, when compact() is used: the sum above. */
size_t weir_http_limits_buffer_size(const struct weir_http_limits *limits);

/* The first header with that name. False when there is none. */
bool weir_http_request_header(
    const struct weir_http_request *request, struct weir_slice name, struct weir_slice *ret_value);
/* The header with that name, of which there is exactly one. False: there is none, or several, of which none counts. */
bool weir_http_request_header_once(
    const struct weir_http_request *request, struct weir_slice name, struct weir_slice *ret_value);

/* ---- target: path segments, percent-decoding, query ---- */

/* Decodes %XX (and '+' to a space where plus_is_space) into out. INVALID on a bad escape, on %00 or when the result is
 * not UTF-8; FULL when capacity (at most text.size is needed) is too small. out may be text's own bytes. */
WEIR_MUST enum weir_error weir_http_percent_decode(
    struct weir_slice text, bool plus_is_space, uint8_t *out, size_t capacity, struct weir_slice *ret_decoded);

/* Takes the next segment off the front of *path ("/a/b" gives "a" then "b"; "/a/" gives "a" then ""). Still encoded.
 * False at the end. */
bool weir_http_path_next(struct weir_slice *path, struct weir_slice *ret_segment);

/* True when no segment, decoded, is "." or "..", holds '/', '\\' or NUL: what a file route has to ask first. */
bool weir_http_path_is_plain(struct weir_slice path);

struct weir_http_query_pair {
    struct weir_slice name;  /* still encoded */
    struct weir_slice value; /* still encoded; empty without '=' */
};

/* Takes the next pair off the front of *query. Empty pairs ("a=1&&b=2") are skipped. False at the end. */
bool weir_http_query_next(struct weir_slice *query, struct weir_http_query_pair *ret_pair);

/* ---- writer: responses, and requests of our client ---- */

/* Writes into the caller's buffer. Errors are sticky and come out at the end: FULL when something did not fit, INVALID
 * when a name or value would have broken the message (CR, LF, NUL). */
struct weir_http_writer {
    uint8_t *bytes;
    size_t capacity;
    size_t size;
    size_t length_at; /* where body_begin() left room for the length */
    size_t body_at;
    enum weir_error error;
};

void weir_http_writer_init(struct weir_http_writer *writer, uint8_t *bytes, size_t capacity);

/* "HTTP/1.1 200 OK" and, when date.size is not 0, Date (the text of civil_format_http()). */
void weir_http_writer_status(struct weir_http_writer *writer, int status, struct weir_slice date);
/* "POST /v1/x HTTP/1.1" and Host. The target must be encoded already. */
void weir_http_writer_request(
    struct weir_http_writer *writer, enum weir_http_method method, struct weir_slice target, struct weir_slice host);
void weir_http_writer_header(struct weir_http_writer *writer, struct weir_slice name, struct weir_slice value);
void weir_http_writer_header_u64(struct weir_http_writer *writer, struct weir_slice name, uint64_t value);

/* One of these ends the head. body(): Content-Length and the bytes. body_begin()/body_end(): the same when the body is
 * encoded straight into the buffer with weir_http_writer_add() and its length is not known before. chunked_begin(): the
 * body follows as chunks. no_body(): nothing but the blank line (204, 304, 101, answers to HEAD with their own
 * headers). */
void weir_http_writer_body(struct weir_http_writer *writer, struct weir_slice body);
void weir_http_writer_body_begin(struct weir_http_writer *writer);
void weir_http_writer_add(struct weir_http_writer *writer, struct weir_slice bytes);
/* Room at the end for a caller's own encoder: capacity left in *ret_capacity. Then advance() by what was used. */
uint8_t *weir_http_writer_space(struct weir_http_writer *writer, size_t *ret_capacity);
void weir_http_writer_advance(struct weir_http_writer *writer, size_t size);
void weir_http_writer_body_end(struct weir_http_writer *writer);
void weir_http_writer_chunked_begin(struct weir_http_writer *writer);
void weir_http_writer_chunk(struct weir_http_writer *writer, struct weir_slice data); /* empty data writes nothing */
void weir_http_writer_chunked_end(struct weir_http_writer *writer);
void weir_http_writer_no_body(struct weir_http_writer *writer);

/* What was written so far; several responses may follow each other in one writer. */
WEIR_MUST enum weir_error weir_http_writer_finish(const struct weir_http_writer *writer, struct weir_slice *ret_bytes);

const char *weir_http_status_text(int status); /* "Not Found"; "Unknown" for one without a registered phrase */

/* ---- response parser (our client) ---- */

struct weir_http_response {
    int status;
    uint8_t version_minor;
    bool keep_alive;
    enum weir_http_framing framing;
    uint64_t content_length;
    struct weir_slice body;
    uint32_t header_count;
    struct weir_http_header headers[WEIR_HTTP_HEADERS_MAX];
};

/* Used like the request parser. Interim responses (1xx but 101) are skipped. */
struct weir_http_response_parser {
    struct weir_http_limits limits;
    bool is_head_answer; /* the request was HEAD: there is no body whatever the headers say */
    bool has_head;
    size_t skipped; /* bytes of interim responses before this one */
    size_t scanned;
    size_t line_start;
    size_t head_size;
    size_t body_at;
    size_t consumed;
    const uint8_t *base;
    struct weir_http_body body;
    struct weir_http_response response;
    int status;
    const char *reason;
};

void weir_http_response_parser_init(
    struct weir_http_response_parser *parser, const struct weir_http_limits *limits, bool is_head_answer);
enum weir_http_result weir_http_response_parser_feed(
    struct weir_http_response_parser *parser, uint8_t *bytes, size_t size);
/* The peer closed: COMPLETE when the body ran until close, ERROR when the message was cut. */
enum weir_http_result weir_http_response_parser_end(
    struct weir_http_response_parser *parser, uint8_t *bytes, size_t size);
bool weir_http_response_header(
    const struct weir_http_response *response, struct weir_slice name, struct weir_slice *ret_value);

#endif
