/* A WebSocket stream on any bytes: the events must not depend on how the bytes are cut, text must be UTF-8, and what is
 * written must be read back. Input: byte 0 the side and whether deflate was agreed on, byte 1 seeds the cuts, the rest
 * is what came over the wire. Covers: ws.c ws_stream.c. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "base/text.h"
#include "wire/ws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_http_limits http_limits = {
    .head_bytes_max = 1024, .target_bytes_max = 256, .header_count_max = 16, .body_bytes_max = 256};
static const struct weir_ws_limits limits = {.message_bytes_max = 512, .fragments_max = 16};

/* A hash of every event in order. */
static uint64_t run(
    enum weir_ws_role role, bool is_deflate_agreed, const uint8_t *input, size_t total, struct prng *prng) {
    struct weir_ws_stream stream;
    size_t capacity = weir_ws_limits_buffer_size(&limits), size = 0, fed = 0;
    uint64_t hash = 1;
    uint8_t *buffer = malloc(capacity);
    WEIR_ASSERT(buffer);
    weir_ws_stream_init(&stream, role, &limits);
    stream.is_deflate_agreed = is_deflate_agreed;
    enum weir_ws_event event = WEIR_WS_EVENT_MORE;
    while (fed < total && event == WEIR_WS_EVENT_MORE) {
        size_t room = capacity - size;
        size_t step = total - fed < room ? total - fed : room;
        WEIR_ASSERT(step > 0); /* a stream within its limits always leaves room for progress */
        if (prng) step = prng_between(prng, 1, step);
        memcpy(buffer + size, input + fed, step);
        fed += step;
        size += step;
        do {
            struct weir_ws_message message;
            size_t consumed = 0;
            event = weir_ws_stream_feed(&stream, buffer, &size, &consumed, &message);
            if (event == WEIR_WS_EVENT_MORE) break;
            WEIR_ASSERT(consumed <= size && message.payload.size <= limits.message_bytes_max);
            WEIR_ASSERT(event != WEIR_WS_EVENT_MESSAGE || !message.is_compressed || is_deflate_agreed);
            if (event == WEIR_WS_EVENT_MESSAGE && message.opcode == WEIR_WS_TEXT && !message.is_compressed) {
                WEIR_ASSERT(utf8_valid(message.payload));
            }
            hash = hash * 31 + (uint64_t)event * 7 + message.opcode + message.code * 131u;
            for (size_t i = 0; i < message.payload.size; i++)
                hash = hash * 1099511628211u + message.payload.data[i];
            memmove(buffer, buffer + consumed, size - consumed);
            size -= consumed;
        } while (event < WEIR_WS_EVENT_CLOSE);
    }
    free(buffer);
    return hash;
}

static void round_trip(enum weir_ws_role reader, const uint8_t *data, size_t size, const uint8_t *mask) {
    uint8_t out[600];
    struct weir_ws_stream stream;
    struct weir_ws_message message;
    size_t written = 0, consumed = 0;
    struct weir_slice payload = weir_slice(data, size < 500 ? size : 500);
    enum weir_error error = weir_ws_frame_write(
        out, sizeof out, WEIR_WS_BINARY, true, payload, reader == WEIR_WS_SERVER ? mask : NULL, &written);
    WEIR_ASSERT(!error);
    weir_ws_stream_init(&stream, reader, &limits);
    WEIR_ASSERT(weir_ws_stream_feed(&stream, out, &written, &consumed, &message) == WEIR_WS_EVENT_MESSAGE);
    WEIR_ASSERT(consumed == written && weir_slice_equal(message.payload, payload));
}

/* A close frame comes back with its code and as much of its reason as is text. */
static void close_trip(enum weir_ws_role reader, const uint8_t *data, size_t size, const uint8_t *mask) {
    uint8_t out[WEIR_WS_HEADER_SIZE_MAX + WEIR_WS_CONTROL_SIZE_MAX];
    struct weir_ws_stream stream;
    struct weir_ws_message message;
    size_t written = 0, consumed = 0;
    uint16_t code = load_be16(mask);
    if (!weir_ws_code_is_valid(code) || !utf8_valid(weir_slice(data, size))) return;
    enum weir_error error = weir_ws_close_write(
        out, sizeof out, code, weir_slice(data, size), reader == WEIR_WS_SERVER ? mask : NULL, &written);
    WEIR_ASSERT(!error);
    weir_ws_stream_init(&stream, reader, &limits);
    WEIR_ASSERT(weir_ws_stream_feed(&stream, out, &written, &consumed, &message) == WEIR_WS_EVENT_CLOSE);
    WEIR_ASSERT(message.code == code && message.payload.size <= size);
    WEIR_ASSERT(size > 123 || message.payload.size == size);
}

/* The bytes as a request: what the check takes, the answer written for it satisfies the client that sent the key. */
static void handshake(const uint8_t *data, size_t size) {
    static struct weir_http_parser parser;
    static struct weir_http_response_parser response;
    char accept[WEIR_WS_ACCEPT_SIZE];
    uint8_t bytes[2048], answer[1024];
    struct weir_slice key, written;
    struct weir_http_writer writer;
    if (size > sizeof bytes) return;
    memcpy(bytes, data, size);
    weir_http_parser_init(&parser, &http_limits);
    if (weir_http_parser_feed(&parser, bytes, size) != WEIR_HTTP_COMPLETE) return;
    bool is_asked = weir_ws_request_is_upgrade(&parser.request);
    if (weir_ws_handshake_check(&parser.request, accept)) return;
    WEIR_ASSERT(is_asked && weir_http_request_header(&parser.request, weir_slice("Sec-WebSocket-Key", 17), &key));
    WEIR_ASSERT(key.size == WEIR_WS_KEY_SIZE);
    weir_http_writer_init(&writer, answer, sizeof answer);
    weir_ws_handshake_write(&writer, accept, weir_slice("weir", size % 2 ? 4 : 0), weir_slice(NULL, 0));
    enum weir_error error = weir_http_writer_finish(&writer, &written);
    WEIR_ASSERT(!error);
    weir_http_response_parser_init(&response, &http_limits, false);
    WEIR_ASSERT(weir_http_response_parser_feed(&response, answer, written.size) == WEIR_HTTP_COMPLETE);
    error = weir_ws_handshake_verify(&response.response, (const char *)key.data);
    WEIR_ASSERT(!error);
}

/* The bytes as the answer to our own request: taken or refused; our request is one that our server takes. */
static void ask(const uint8_t nonce[16], const uint8_t *data, size_t size) {
    static struct weir_http_response_parser response;
    char key[WEIR_WS_KEY_SIZE];
    uint8_t bytes[2048];
    struct weir_slice request;
    struct weir_http_writer writer;
    weir_ws_key(nonce, key);
    weir_http_writer_init(&writer, bytes, sizeof bytes);
    weir_ws_handshake_request(&writer, weir_slice("/", 1), weir_slice("a", 1), key);
    weir_http_writer_no_body(&writer);
    enum weir_error error = weir_http_writer_finish(&writer, &request);
    WEIR_ASSERT(!error);
    handshake(request.data, request.size);
    if (size > sizeof bytes) return;
    memcpy(bytes, data, size);
    weir_http_response_parser_init(&response, &http_limits, false);
    if (weir_http_response_parser_feed(&response, bytes, size) == WEIR_HTTP_COMPLETE)
        (void)!weir_ws_handshake_verify(&response.response, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 6) return 0;
    enum weir_ws_role role = data[0] & 1 ? WEIR_WS_CLIENT : WEIR_WS_SERVER;
    struct prng prng = prng_seed(data[1]);
    uint64_t whole = run(role, data[0] & 2, data + 2, size - 2, NULL);
    uint64_t pieces = run(role, data[0] & 2, data + 2, size - 2, &prng);
    WEIR_ASSERT(whole == pieces);
    round_trip(role, data + 6, size - 6, data + 2);
    close_trip(role, data + 6, size - 6, data + 2);
    handshake(data + 2, size - 2);
    if (size >= 18) ask(data + 2, data + 18, size - 18);
    return 0;
}
