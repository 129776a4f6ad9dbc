/* The incremental body decoder: a length, chunks, or until close. */
#include "base/assert.h"
#include "wire/http_fields.h"

/* Chunk lines may cost this much more than a line of 16 bytes and twice the data each: enough for any honest sender,
 * too little to make one byte of body cost hundreds on the wire for long. */
#define EXCESS_MAX 16384

enum body_state {
    BODY_LENGTH,
    BODY_CLOSE,
    BODY_SIZE,      /* digits of a chunk size */
    BODY_EXTENSION, /* after ';' */
    BODY_SIZE_LF,
    BODY_DATA,
    BODY_DATA_CR,
    BODY_DATA_LF,
    BODY_TRAILER, /* at the start of a trailer line */
    BODY_TRAILER_NAME,
    BODY_TRAILER_VALUE,
    BODY_TRAILER_LF,
    BODY_END_LF,
    BODY_DONE,
    BODY_FAILED,
};

void weir_http_body_init(
    struct weir_http_body *body, enum weir_http_framing framing, uint64_t length, uint64_t bytes_max) {
    static const uint8_t starts[] = {[WEIR_HTTP_FRAMING_NONE] = BODY_DONE,
        [WEIR_HTTP_FRAMING_LENGTH] = BODY_LENGTH,
        [WEIR_HTTP_FRAMING_CHUNKED] = BODY_SIZE,
        [WEIR_HTTP_FRAMING_CLOSE] = BODY_CLOSE};
    *body = (struct weir_http_body){.framing = framing, .bytes_max = bytes_max, .state = starts[framing]};
    if (framing == WEIR_HTTP_FRAMING_LENGTH) body->remaining = length;
    if (framing == WEIR_HTTP_FRAMING_LENGTH && length == 0) body->state = BODY_DONE;
}

static bool body_fail(struct weir_http_body *body, int status, const char *reason) {
    body->state = BODY_FAILED;
    body->status = status;
    body->reason = reason;
    return false;
}

/* A size line is read to its CR. */
static bool size_end(struct weir_http_body *body) {
    if (body->digits == 0) return body_fail(body, 400, "a chunk has no size");
    /* Digits, CR LF and the data's CR LF are honest; so are short extensions on large chunks. */
    uint64_t free_bytes = 16 + 2 * (body->remaining < EXCESS_MAX ? body->remaining : EXCESS_MAX);
    if (body->line_bytes > free_bytes) body->excess += body->line_bytes - free_bytes;
    if (body->excess > EXCESS_MAX) return body_fail(body, 400, "chunks carry too little for their extensions");
    if (body->remaining > body->bytes_max - body->decoded) return body_fail(body, 413, "the body is too large");
    body->state = BODY_SIZE_LF;
    return true;
}

/* One byte of a chunk-size line. */
static bool size_byte(struct weir_http_body *body, uint8_t byte) {
    if (++body->line_bytes > WEIR_HTTP_CHUNK_LINE_MAX) return body_fail(body, 400, "a chunk-size line is too long");
    if (body->state == BODY_EXTENSION) {
        if (byte == '\r') return size_end(body);
        return http_is(byte, HTTP_VALUE) || body_fail(body, 400, "a chunk extension has a control byte");
    }
    if (byte == '\r') return size_end(body);
    if (byte == ';' && body->digits) {
        body->state = BODY_EXTENSION;
        return true;
    }
    if (!http_is(byte, HTTP_HEX)) return body_fail(body, 400, "a chunk size is not hexadecimal digits");
    if (++body->digits > 16) return body_fail(body, 400, "a chunk size is too long");
    body->remaining = body->remaining << 4 | http_hex(byte);
    return true;
}

/* Fields that say how a message is framed or routed: in a trailer they can only be an attack. */
static bool trailer_is_forbidden(const struct weir_http_body *body) {
    static const char *const names[] = {
        "content-length", "transfer-encoding", "host", "connection", "upgrade", "expect", "te", "trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == body->name_size && memcmp(names[i], body->name, body->name_size) == 0) return true;
    }
    return false;
}

static bool trailer_name_byte(struct weir_http_body *body, uint8_t byte) {
    if (byte == ':' && body->name_size) {
        if (trailer_is_forbidden(body)) return body_fail(body, 400, "a trailer may not be a framing field");
        body->state = BODY_TRAILER_VALUE;
        return true;
    }
    if (!http_is(byte, HTTP_TOKEN)) return body_fail(body, 400, "a trailer name has a byte it may not have");
    if (body->name_size < sizeof body->name) {
        body->name[body->name_size++] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
    }
    return true;
}

static bool trailer_byte(struct weir_http_body *body, uint8_t byte) {
    if (++body->trailer_bytes > WEIR_HTTP_TRAILER_BYTES_MAX) return body_fail(body, 431, "the trailers are too large");
    switch (body->state) {
    case BODY_TRAILER:
        if (byte == '\r') {
            body->state = BODY_END_LF;
            return true;
        }
        body->name_size = 0;
        body->state = BODY_TRAILER_NAME;
        return trailer_name_byte(body, byte);
    case BODY_TRAILER_NAME:
        return trailer_name_byte(body, byte);
    case BODY_TRAILER_VALUE:
        if (byte == '\r')
            body->state = BODY_TRAILER_LF;
        else if (!http_is(byte, HTTP_VALUE))
            return body_fail(body, 400, "a trailer value has a control byte");
        return true;
    default:
        if (byte != '\n') return body_fail(body, 400, "a line must end with CR LF");
        body->state = body->state == BODY_END_LF ? BODY_DONE : BODY_TRAILER;
        return true;
    }
}

/* One byte that is not body. */
static bool framing_byte(struct weir_http_body *body, uint8_t byte) {
    switch (body->state) {
    case BODY_SIZE:
    case BODY_EXTENSION:
        return size_byte(body, byte);
    case BODY_SIZE_LF:
        if (byte != '\n') return body_fail(body, 400, "a line must end with CR LF");
        body->state = body->remaining ? BODY_DATA : BODY_TRAILER;
        return true;
    case BODY_DATA_CR:
        if (byte != '\r') return body_fail(body, 400, "a chunk is longer than its size");
        body->state = BODY_DATA_LF;
        return true;
    case BODY_DATA_LF:
        if (byte != '\n') return body_fail(body, 400, "a line must end with CR LF");
        body->state = BODY_SIZE;
        body->digits = 0;
        body->line_bytes = 0;
        body->remaining = 0;
        return true;
    default:
        return trailer_byte(body, byte);
    }
}

/* A run of body bytes, as long as there are some. */
static struct weir_slice run_take(struct weir_http_body *body, struct weir_slice bytes) {
    size_t size = bytes.size;
    if (body->state == BODY_CLOSE) {
        body->decoded += size;
        if (body->decoded > body->bytes_max) (void)body_fail(body, 413, "the body is too large");
        return weir_slice(bytes.data, size);
    }
    if (size > body->remaining) size = (size_t)body->remaining;
    body->remaining -= size;
    body->decoded += size;
    if (body->remaining == 0) body->state = body->state == BODY_LENGTH ? BODY_DONE : BODY_DATA_CR;
    return weir_slice(bytes.data, size);
}

enum weir_http_result weir_http_body_next(
    struct weir_http_body *body, struct weir_slice bytes, size_t *ret_consumed, struct weir_slice *ret_data) {
    size_t at = 0;
    struct weir_slice data = weir_slice(bytes.data, 0);
    while (at < bytes.size && body->state < BODY_DONE) {
        bool is_run = body->state == BODY_LENGTH || body->state == BODY_CLOSE || body->state == BODY_DATA;
        if (!is_run) {
            (void)framing_byte(body, bytes.data[at++]);
            continue;
        }
        if (data.size) break; /* one run a call */
        data = run_take(body, weir_slice(bytes.data + at, bytes.size - at));
        at += data.size;
    }
    if (body->state == BODY_FAILED) return WEIR_HTTP_ERROR;
    WEIR_ASSERT(at <= bytes.size);
    *ret_consumed = at;
    *ret_data = data;
    return body->state == BODY_DONE ? WEIR_HTTP_COMPLETE : WEIR_HTTP_MORE;
}

enum weir_http_result http_body_gather(
    struct weir_http_body *body, uint8_t *bytes, size_t size, size_t head_size, size_t *body_at) {
    for (;;) {
        size_t consumed = 0;
        struct weir_slice data;
        uint8_t *to = bytes + head_size + body->decoded;
        struct weir_slice raw = weir_slice(bytes + *body_at, size - *body_at);
        enum weir_http_result result = weir_http_body_next(body, raw, &consumed, &data);
        if (result == WEIR_HTTP_ERROR) return result;
        if (data.size && data.data != to) memmove(to, data.data, data.size);
        *body_at += consumed;
        if (result == WEIR_HTTP_COMPLETE || consumed == 0) return result;
    }
}
