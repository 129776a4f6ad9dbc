/* The request parser against another one (http-parser, once of Node.js) on any bytes: what a server in front of weir,
 * or behind it, would make of them. Where we accept, the other agrees on method, target, header lines, body and on
 * where the next request begins; where we refuse and it does not, the reason is one of the rules in which we are
 * stricter. Input: what came over the wire. Covers: http_parser.c http_fields.c http_body.c. */
#include "base/assert.h"
#include "base/text.h"
#include "wire/http.h"
#include "wire/test_smuggling.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_http_limits limits = {
    .head_bytes_max = 2048, .target_bytes_max = 512, .header_count_max = 16, .body_bytes_max = 1024};

/* The rules of wire/http.h by which we refuse what the other parser takes; it and its readers would have to be in front
 * of or behind weir for these to matter, and then weir's answer is the safe one. */
static const char *const stricter[] = {
    /* It takes a bare LF or a bare CR for a line's end, continues folded lines, and skips any number of empty lines. */
    "a line must end with CR LF",
    "the first line is empty",
    "a header line must not begin with whitespace",
    "a chunk is longer than its size",
    /* It does not look at Host or Expect, and lets framing fields stand in a trailer. */
    "Host is missing",
    "Host is given twice",
    "Host is not a host with an optional port",
    "a trailer may not be a framing field",
    "only 100-continue can be expected",
    /* It knows more methods and versions, and HTTP/0.9's request line without a version. */
    "the method is malformed",
    "the method is not supported",
    "the request line does not end with an HTTP version",
    "only HTTP/1.0 and HTTP/1.1 are supported",
    /* It takes spaces and other bytes into targets, names, values and chunk lines. */
    "the request target is malformed",
    "the request target has a broken percent escape",
    "the request target is neither a path nor an absolute URI",
    "the request target's host is malformed",
    "a header name is empty or has a byte it may not have",
    "a header name has a byte it may not have, or no colon",
    "a header value has a control byte",
    "a chunk size is not hexadecimal digits",
    "a chunk extension has a control byte",
    "a trailer name has a byte it may not have",
    "a trailer value has a control byte",
    /* It knows of codings only whether the last is chunked, and with an Upgrade not even that. */
    "Transfer-Encoding must end with chunked, once",
    "Transfer-Encoding is given twice",
    "Transfer-Encoding is malformed",
    "Transfer-Encoding has an empty member",
    "Transfer-Encoding does not exist in HTTP/1.0",
    "a transfer coding other than chunked is not supported",
    /* Limits. */
    "there are too many headers",
    "the header section is too large",
    "the request target is too long",
    "the body is too large",
    "a chunk size is too long",
    "a chunk-size line is too long",
    "chunks carry too little for their extensions",
    "the trailers are too large",
};

/* What a parser made of the first request: its outcome, and all it said in one text. */
struct reading {
    enum weir_http_result result;
    size_t consumed;
    const char *method, *reason;
    bool has_head, is_misread;
    struct text_builder said;
    char text[8192];
};

static void reading_init(struct reading *reading) {
    *reading = (struct reading){.result = WEIR_HTTP_MORE};
    reading->said = text_builder(reading->text, sizeof reading->text);
}

/* ---- ours ---- */

/* Their two faults that come up: a name that only begins with Transfer-Encoding is a coding to them, and a tab behind a
 * length makes it none. */
static bool is_misread(const struct weir_http_request *request) {
    for (uint32_t i = 0; i < request->header_count; i++) {
        struct weir_slice name = request->headers[i].name, value = request->headers[i].value;
        if (name.size > 17 && text_equal_nocase(weir_slice(name.data, 17), weir_slice("transfer-encoding", 17)))
            return true;
        if (!text_equal_nocase(name, weir_slice("content-length", 14))) continue;
        for (const uint8_t *behind = value.data + value.size; *behind != '\r'; behind++)
            if (*behind == '\t') return true;
    }
    return false;
}

/* `behind` follows the data. */
static void read_ours(struct weir_slice data, struct weir_slice behind, struct reading *ours) {
    struct weir_http_parser parser;
    uint8_t *copy = malloc(data.size + behind.size);
    WEIR_ASSERT(copy);
    memcpy(copy, data.data, data.size);
    if (behind.size) memcpy(copy + data.size, behind.data, behind.size);
    reading_init(ours);
    weir_http_parser_init(&parser, &limits);
    ours->result = weir_http_parser_feed(&parser, copy, data.size + behind.size);
    ours->has_head = parser.has_head;
    ours->is_misread = parser.has_head && is_misread(&parser.request);
    ours->reason = parser.reason;
    if (ours->result == WEIR_HTTP_COMPLETE) {
        const struct weir_http_request *request = &parser.request;
        ours->consumed = parser.consumed;
        ours->method = weir_http_method_name(request->method);
        text_add_slice(&ours->said, request->target);
        for (uint32_t i = 0; i < request->header_count; i++) {
            text_add(&ours->said, "\n");
            text_add_slice(&ours->said, request->headers[i].name);
            text_add(&ours->said, ":");
            text_add_slice(&ours->said, request->headers[i].value);
        }
        text_add(&ours->said, "\n\n");
        text_add_slice(&ours->said, request->body);
    }
    free(copy);
}

/* ---- theirs ---- */

static int on_target(http_parser *parser, const char *at, size_t size) {
    struct reading *theirs = parser->data;
    text_add_slice(&theirs->said, weir_slice(at, size));
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t size) {
    struct reading *theirs = parser->data;
    if (theirs->has_head) return 0; /* a trailer, which we drop */
    text_add(&theirs->said, "\n");
    text_add_slice(&theirs->said, weir_slice(at, size));
    text_add(&theirs->said, ":");
    return 0;
}

/* It leaves the whitespace behind a value, which is no part of it (RFC 9112 5.1). */
static int on_value(http_parser *parser, const char *at, size_t size) {
    struct reading *theirs = parser->data;
    if (!theirs->has_head) text_add_slice(&theirs->said, text_trim(weir_slice(at, size)));
    return 0;
}

static int on_head(http_parser *parser) {
    struct reading *theirs = parser->data;
    theirs->has_head = true;
    text_add(&theirs->said, "\n\n");
    return 0;
}

static int on_end(http_parser *parser) {
    struct reading *theirs = parser->data;
    theirs->result = WEIR_HTTP_COMPLETE;
    http_parser_pause(parser, 1);
    return 0;
}

static void read_theirs(struct weir_slice data, struct reading *theirs) {
    static const http_parser_settings settings = {.on_url = on_target,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_target,
        .on_message_complete = on_end};
    http_parser parser;
    reading_init(theirs);
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = theirs;
    theirs->consumed = http_parser_execute(&parser, &settings, (const char *)data.data, data.size);
    theirs->method = http_method_str((enum http_method)parser.method);
    theirs->reason = http_errno_description(HTTP_PARSER_ERRNO(&parser));
    if (theirs->result != WEIR_HTTP_COMPLETE && HTTP_PARSER_ERRNO(&parser) != HPE_OK) theirs->result = WEIR_HTTP_ERROR;
}

/* ---- compared ---- */

static void differ(const struct reading *ours, const struct reading *theirs, const char *how) {
    fprintf(stderr, "%s\nours: %d %zu %s: %.*s\ntheirs: %d %zu %s: %.*s\n", how, ours->result, ours->consumed,
        ours->reason ? ours->reason : "", (int)ours->said.size, ours->text, theirs->result, theirs->consumed,
        theirs->reason, (int)theirs->said.size, theirs->text);
    abort();
}

static bool is_stricter(const char *reason) {
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(stricter); i++)
        if (strcmp(stricter[i], reason) == 0) return true;
    return false;
}

/* The size of the first request, 0 when there is none. */
static size_t compare(struct weir_slice data) {
    static struct reading ours, theirs;
    read_ours(data, weir_slice(NULL, 0), &ours);
    read_theirs(data, &theirs);
    /* It takes no tab behind the value, where RFC 9110 section 5.6.3 allows any whitespace; what it refuses it does not
     * smuggle. */
    bool no_tab = strcmp(theirs.reason, "request has invalid transfer-encoding") == 0;
    if (no_tab && theirs.result == WEIR_HTTP_ERROR && ours.result != WEIR_HTTP_ERROR) return 0;
    /* We judge a head, or the line of a chunk's size, when its end is there; they judge every byte. */
    if (ours.result == WEIR_HTTP_MORE && theirs.result != WEIR_HTTP_MORE && !ours.is_misread) {
        if (!ours.has_head && theirs.result == WEIR_HTTP_ERROR) return 0;
        read_ours(data, ours.has_head ? weir_slice("\r\n", 2) : weir_slice("\r\n\r\n", 4), &ours);
        if (ours.result != WEIR_HTTP_ERROR) differ(&ours, &theirs, "they have judged what we wait for more of");
    }
    if (ours.is_misread) return ours.consumed;
    if (ours.result == WEIR_HTTP_ERROR) {
        if (theirs.result != WEIR_HTTP_ERROR && !is_stricter(ours.reason))
            differ(&ours, &theirs, "we refuse what they take, by no rule of ours");
        return 0;
    }
    if (theirs.result != ours.result) differ(&ours, &theirs, "they do not see the request that we see");
    if (ours.result == WEIR_HTTP_MORE) return 0;
    if (theirs.consumed != ours.consumed) differ(&ours, &theirs, "they begin the next request elsewhere");
    WEIR_ASSERT(ours.method && theirs.method); /* whole requests have one */
    if (strcmp(ours.method, theirs.method) != 0 || !weir_slice_equal(text_slice(&ours.said), text_slice(&theirs.said)))
        differ(&ours, &theirs, "they see another request");
    return ours.consumed;
}

/* Every row of the smuggling table, whatever of it the kept corpus holds. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(smuggling_rows); i++)
        (void)compare(weir_slice(smuggling_rows[i].bytes, smuggling_rows[i].size));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (size_t at = 0, used = 1; at < size && used > 0; at += used)
        used = compare(weir_slice(data + at, size - at));
    return 0;
}
