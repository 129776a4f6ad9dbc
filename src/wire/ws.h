/* wire/ws.h: WebSocket: the handshake's key, frames, and a message stream for both sides.
 *
 * Purpose     turn bytes after the handshake into messages and control frames; write frames.
 * Threads     pure over its arguments; a stream belongs to one thread at a time.
 * Allocation  none. Payloads are unmasked and reassembled in place, in the caller's buffer.
 * Limits      struct weir_ws_limits.
 * Errors      a stream ends with WEIR_WS_ERROR, the close code to send (1002 protocol, 1007 not UTF-8, 1009 too big,
 *             1008 too many fragments) and a sentence. The rest return enum weir_error.
 * Source      RFC 6455. One extension, permessage-deflate (ws_deflate.h), which nobody has to agree on.
 */
#ifndef WEIR_WIRE_WS_H
#define WEIR_WIRE_WS_H

#include "wire/http.h"

enum weir_ws_opcode {
    WEIR_WS_CONTINUATION = 0,
    WEIR_WS_TEXT = 1,
    WEIR_WS_BINARY = 2,
    WEIR_WS_CLOSE = 8,
    WEIR_WS_PING = 9,
    WEIR_WS_PONG = 10,
};

enum weir_ws_code {
    WEIR_WS_CODE_NORMAL = 1000,
    WEIR_WS_CODE_GOING_AWAY = 1001,
    WEIR_WS_CODE_PROTOCOL = 1002,
    WEIR_WS_CODE_UNSUPPORTED = 1003,
    WEIR_WS_CODE_NONE = 1005, /* a close frame without a code; never sent */
    WEIR_WS_CODE_NOT_UTF8 = 1007,
    WEIR_WS_CODE_POLICY = 1008,
    WEIR_WS_CODE_TOO_BIG = 1009,
    WEIR_WS_CODE_INTERNAL = 1011,
    WEIR_WS_CODE_TRY_LATER = 1013,
};

enum {
    WEIR_WS_ACCEPT_SIZE = 28,       /* base64 of a SHA-1 */
    WEIR_WS_KEY_SIZE = 24,          /* base64 of 16 bytes */
    WEIR_WS_HEADER_SIZE_MAX = 14,   /* 2 + 8 length + 4 mask */
    WEIR_WS_CONTROL_SIZE_MAX = 125, /* payload of a control frame */
    /* A fragment costs a header and a turn of the loop: one that carries this much is worth it. The Autobahn cases send
     * 4 MB in fragments of 64. */
    WEIR_WS_FRAGMENT_BYTES_FAIR = 32,
    WEIR_WS_RSV1 = 0x40, /* of a frame's first byte */
};

enum weir_ws_role {
    WEIR_WS_SERVER, /* reads masked frames, writes unmasked ones */
    WEIR_WS_CLIENT, /* the other way round */
};

/* ---- handshake ---- */

/* Sec-WebSocket-Accept for a key. INVALID when the key is not base64 of 16 bytes. Uses libcrypto's SHA-1. */
WEIR_MUST enum weir_error weir_ws_accept(struct weir_slice key, char ret_accept[WEIR_WS_ACCEPT_SIZE]);

/* Sec-WebSocket-Key from 16 random bytes of the caller. */
void weir_ws_key(const uint8_t nonce[16], char ret_key[WEIR_WS_KEY_SIZE]);

/* True when a request asks for WebSocket at all (GET, HTTP/1.1, Upgrade: websocket); then handshake_check() judges it.
 */
bool weir_ws_request_is_upgrade(const struct weir_http_request *request);

/* INVALID (answer 400) when a needed header is missing or malformed; VERSION (answer 426 with Sec-WebSocket-Version:
 * 13) when another version is asked for. */
WEIR_MUST enum weir_error weir_ws_handshake_check(
    const struct weir_http_request *request, char ret_accept[WEIR_WS_ACCEPT_SIZE]);

/* The server's answer (101 with the three headers, and Sec-WebSocket-Extensions when extensions.size is not 0). */
void weir_ws_handshake_write(struct weir_http_writer *writer, const char accept[WEIR_WS_ACCEPT_SIZE],
    struct weir_slice extensions, struct weir_slice date);

/* The client's request, headers that are the caller's own included by him before no_body(). */
void weir_ws_handshake_request(struct weir_http_writer *writer, struct weir_slice target, struct weir_slice host,
    const char key[WEIR_WS_KEY_SIZE]);

/* Does the answer (101, upgrade, accept) belong to the key? MISMATCH or INVALID when not. */
WEIR_MUST enum weir_error weir_ws_handshake_verify(
    const struct weir_http_response *response, const char key[WEIR_WS_KEY_SIZE]);

/* ---- frames ---- */

struct weir_ws_frame {
    enum weir_ws_opcode opcode;
    bool is_final;
    bool is_masked;
    bool is_compressed; /* RSV1: the message that begins here is (RFC 7692 6) */
    uint8_t mask[4];
    uint8_t header_size;
    uint64_t payload_size;
};

/* Decodes a frame header. AGAIN when bytes end inside it; INVALID (with a sentence) on a set RSV bit (but RSV1 at the
 * start of a message where compression was agreed on), an unknown opcode, a control frame that is fragmented or longer
 * than 125, a length not in its shortest form or above 2^63-1. */
WEIR_MUST enum weir_error weir_ws_frame_parse(
    struct weir_slice bytes, bool is_deflate_agreed, struct weir_ws_frame *ret_frame, const char **ret_reason);

/* XORs data with the mask, eight bytes at a time. `offset` is data's position in the payload. Its own inverse. */
void weir_ws_mask(uint8_t *data, size_t size, const uint8_t mask[4], size_t offset);

/* Writes a frame header (mask NULL: unmasked) and returns its size, at most WEIR_WS_HEADER_SIZE_MAX. */
size_t weir_ws_frame_header(
    uint8_t *out, enum weir_ws_opcode opcode, bool is_final, uint64_t payload_size, const uint8_t *mask);

/* A whole frame, payload masked when mask is given. FULL when capacity < WEIR_WS_HEADER_SIZE_MAX + payload.size at
 * worst. */
WEIR_MUST enum weir_error weir_ws_frame_write(uint8_t *out, size_t capacity, enum weir_ws_opcode opcode, bool is_final,
    struct weir_slice payload, const uint8_t *mask, size_t *ret_size);

/* A close frame; the reason is cut at 123 bytes, at a character's border. code NONE writes an empty one. */
WEIR_MUST enum weir_error weir_ws_close_write(
    uint8_t *out, size_t capacity, uint16_t code, struct weir_slice reason, const uint8_t *mask, size_t *ret_size);

/* May this code stand in a close frame (RFC 6455 7.4)? */
bool weir_ws_code_is_valid(uint16_t code);

/* ---- a stream of messages ---- */

struct weir_ws_limits {
    uint64_t message_bytes_max;
    uint32_t fragments_max; /* of one message, and one more for each WEIR_WS_FRAGMENT_BYTES_FAIR bytes of it */
};
#define WEIR_WS_LIMITS_DEFAULT ((struct weir_ws_limits){.message_bytes_max = 1 << 20, .fragments_max = 1024})

enum weir_ws_event {
    WEIR_WS_EVENT_MORE,    /* feed again with more bytes behind the same ones */
    WEIR_WS_EVENT_MESSAGE, /* opcode TEXT (checked UTF-8, unless compressed) or BINARY, payload whole */
    WEIR_WS_EVENT_PING,    /* answer with a PONG of the same payload */
    WEIR_WS_EVENT_PONG,
    WEIR_WS_EVENT_CLOSE, /* code (NONE without) and reason in payload; answer with the same code, then close */
    WEIR_WS_EVENT_ERROR, /* send a close frame with `code`, then close; nothing more can be read */
};

struct weir_ws_message {
    enum weir_ws_opcode opcode;
    bool is_compressed;        /* MESSAGE: to be inflated (ws_deflate.h), and then to be checked */
    uint16_t code;             /* CLOSE and ERROR */
    struct weir_slice payload; /* in the buffer, until the consumed bytes are dropped or feed() is called again */
    const char *reason;        /* ERROR: a static sentence */
};

/* Fields are the stream's own. The buffer starts at the first byte not yet consumed; it may move between calls.
 *
 *     on bytes:  append to the buffer;
 *                do { event = weir_ws_stream_feed(&stream, buffer, size, &consumed, &message);
 *                     handle it; drop `consumed` bytes from the buffer's front;
 *                } while (event is not MORE, CLOSE or ERROR);
 *
 * While a fragmented message is being gathered its payload stays at the buffer's front, decoded, and control frames
 * between its fragments are delivered with consumed = 0. The buffer must hold message_bytes_max + buffer overhead
 * (weir_ws_limits_buffer_size()); headers of fragments are squeezed out by feed() itself: *size_io is lowered then. */
struct weir_ws_stream {
    enum weir_ws_role role;
    struct weir_ws_limits limits;
    bool is_deflate_agreed; /* set by the caller: a message may be compressed */
    bool in_message;
    bool is_compressed; /* the message being gathered is */
    bool is_closed;
    enum weir_ws_opcode opcode; /* of the message being gathered */
    uint32_t fragments;
    size_t gathered; /* payload bytes of it at the buffer's front */
    size_t parsed;   /* offset of the next frame in the buffer */
    size_t judged;   /* bytes of that frame's payload that are unmasked and, in text, checked */
    uint32_t utf8_state;
};

void weir_ws_stream_init(struct weir_ws_stream *stream, enum weir_ws_role role, const struct weir_ws_limits *limits);

/* *size_io: bytes in the buffer; lowered when headers of fragments were squeezed out. *ret_consumed: drop that many
 * from the front before the next call. */
enum weir_ws_event weir_ws_stream_feed(struct weir_ws_stream *stream, uint8_t *bytes, size_t *size_io,
    size_t *ret_consumed, struct weir_ws_message *ret_message);

/* message_bytes_max + one control frame + one header. */
size_t weir_ws_limits_buffer_size(const struct weir_ws_limits *limits);

/* ---- UTF-8, incremental ---- */

enum { WEIR_WS_UTF8_ACCEPT = 0, WEIR_WS_UTF8_REJECT = 1 };
/* Feeds bytes to the automaton and returns the new state: ACCEPT at a character's border, REJECT when no continuation
 * could make it valid, anything else inside a character. Surrogates, over-long forms and values above U+10FFFF reject.
 */
uint32_t weir_ws_utf8(uint32_t state, struct weir_slice bytes);

#endif
