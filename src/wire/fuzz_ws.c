/* A WebSocket stream on any bytes: the events must not depend on how the bytes are cut, text must be UTF-8, and what is
 * written must be read back. Input: byte 0 the side, byte 1 seeds the cuts, the rest is what came over the wire.
 * Covers: ws.c ws_stream.c. */
#include "base/assert.h"
#include "base/prng.h"
#include "base/text.h"
#include "wire/ws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_ws_limits limits = {.message_bytes_max = 512, .fragments_max = 16};

/* A hash of every event in order. */
static uint64_t run(enum weir_ws_role role, const uint8_t *input, size_t total, struct prng *prng) {
    struct weir_ws_stream stream;
    size_t capacity = weir_ws_limits_buffer_size(&limits), size = 0, fed = 0;
    uint64_t hash = 1;
    uint8_t *buffer = malloc(capacity);
    WEIR_ASSERT(buffer);
    weir_ws_stream_init(&stream, role, &limits);
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
            if (event == WEIR_WS_EVENT_MESSAGE && message.opcode == WEIR_WS_TEXT) {
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 6) return 0;
    enum weir_ws_role role = data[0] & 1 ? WEIR_WS_CLIENT : WEIR_WS_SERVER;
    struct prng prng = prng_seed(data[1]);
    uint64_t whole = run(role, data + 2, size - 2, NULL);
    uint64_t pieces = run(role, data + 2, size - 2, &prng);
    WEIR_ASSERT(whole == pieces);
    round_trip(role, data + 6, size - 6, data + 2);
    return 0;
}
