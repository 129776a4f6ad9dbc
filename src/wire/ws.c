/* WebSocket frames and the handshake. */
#include "wire/ws.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/encode.h"
#include "base/text.h"

#include <openssl/evp.h>

/* What RFC 6455 1.3 puts behind the key, so that nothing but a WebSocket server gives this answer by chance. */
static const char accept_salt[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#define WS_VERSION    "13"
#define TEXT(literal) weir_slice(literal, sizeof(literal) - 1)

/* ---- handshake ---- */

enum weir_error weir_ws_accept(struct weir_slice key, char ret_accept[WEIR_WS_ACCEPT_SIZE]) {
    uint8_t nonce[WEIR_WS_KEY_SIZE];
    size_t nonce_size = 0;
    if (key.size != WEIR_WS_KEY_SIZE || !base64_decode(key, nonce, &nonce_size) || nonce_size != 16) {
        return weir_error_context(WEIR_E_INVALID, "Sec-WebSocket-Key is not base64 of 16 bytes");
    }
    uint8_t salted[WEIR_WS_KEY_SIZE + sizeof accept_salt - 1];
    memcpy(salted, key.data, WEIR_WS_KEY_SIZE);
    memcpy(salted + WEIR_WS_KEY_SIZE, accept_salt, sizeof accept_salt - 1);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    if (EVP_Digest(salted, sizeof salted, digest, &digest_size, EVP_sha1(), NULL) != 1 || digest_size != 20) {
        return weir_error_context(WEIR_E_UNSUPPORTED, "libcrypto refuses SHA-1, which WebSocket needs");
    }
    base64_encode(weir_slice(digest, digest_size), ret_accept);
    return WEIR_OK;
}

void weir_ws_key(const uint8_t nonce[16], char ret_key[WEIR_WS_KEY_SIZE]) {
    base64_encode(weir_slice(nonce, 16), ret_key);
}

bool weir_ws_request_is_upgrade(const struct weir_http_request *request) {
    return request->method == WEIR_HTTP_GET && request->has_upgrade &&
           weir_http_list_has(request->upgrade, TEXT("websocket"));
}

enum weir_error weir_ws_handshake_check(const struct weir_http_request *request, char ret_accept[WEIR_WS_ACCEPT_SIZE]) {
    struct weir_slice key, version;
    if (!weir_ws_request_is_upgrade(request)) {
        return weir_error_context(WEIR_E_INVALID, "the request does not ask for an upgrade to websocket");
    }
    if (request->framing != WEIR_HTTP_FRAMING_NONE && request->body.size) {
        return weir_error_context(WEIR_E_INVALID, "a WebSocket handshake has no body");
    }
    if (!weir_http_request_header_once(request, TEXT("Sec-WebSocket-Version"), &version)) {
        return weir_error_context(WEIR_E_INVALID, "Sec-WebSocket-Version must be given once");
    }
    if (!weir_slice_equal(version, TEXT(WS_VERSION))) {
        return weir_error_context(WEIR_E_VERSION, "WebSocket version 13 is the only one supported");
    }
    if (!weir_http_request_header_once(request, TEXT("Sec-WebSocket-Key"), &key)) {
        return weir_error_context(WEIR_E_INVALID, "Sec-WebSocket-Key must be given once");
    }
    return weir_ws_accept(key, ret_accept);
}

void weir_ws_handshake_write(struct weir_http_writer *writer, const char accept[WEIR_WS_ACCEPT_SIZE],
    struct weir_slice extensions, struct weir_slice date) {
    weir_http_writer_status(writer, 101, date);
    weir_http_writer_header(writer, TEXT("Upgrade"), TEXT("websocket"));
    weir_http_writer_header(writer, TEXT("Connection"), TEXT("Upgrade"));
    weir_http_writer_header(writer, TEXT("Sec-WebSocket-Accept"), weir_slice(accept, WEIR_WS_ACCEPT_SIZE));
    if (extensions.size) weir_http_writer_header(writer, TEXT("Sec-WebSocket-Extensions"), extensions);
    weir_http_writer_no_body(writer);
}

void weir_ws_handshake_request(struct weir_http_writer *writer, struct weir_slice target, struct weir_slice host,
    const char key[WEIR_WS_KEY_SIZE]) {
    weir_http_writer_request(writer, WEIR_HTTP_GET, target, host);
    weir_http_writer_header(writer, TEXT("Upgrade"), TEXT("websocket"));
    weir_http_writer_header(writer, TEXT("Connection"), TEXT("Upgrade"));
    weir_http_writer_header(writer, TEXT("Sec-WebSocket-Key"), weir_slice(key, WEIR_WS_KEY_SIZE));
    weir_http_writer_header(writer, TEXT("Sec-WebSocket-Version"), TEXT(WS_VERSION));
}

enum weir_error weir_ws_handshake_verify(const struct weir_http_response *response, const char key[WEIR_WS_KEY_SIZE]) {
    struct weir_slice upgrade, connection, accept;
    char wanted[WEIR_WS_ACCEPT_SIZE];
    enum weir_error error = weir_ws_accept(weir_slice(key, WEIR_WS_KEY_SIZE), wanted);
    if (error) return error;
    if (response->status != 101) {
        return weir_error_context(WEIR_E_INVALID, "the server answered %d, not 101", response->status);
    }
    if (!weir_http_response_header(response, TEXT("Upgrade"), &upgrade) ||
        !text_equal_nocase(upgrade, TEXT("websocket")) ||
        !weir_http_response_header(response, TEXT("Connection"), &connection) ||
        !weir_http_list_has(connection, TEXT("upgrade")) ||
        !weir_http_response_header(response, TEXT("Sec-WebSocket-Accept"), &accept)) {
        return weir_error_context(WEIR_E_INVALID, "the server's answer is not a WebSocket handshake");
    }
    if (!weir_slice_equal(accept, weir_slice(wanted, sizeof wanted))) {
        return weir_error_context(WEIR_E_MISMATCH, "Sec-WebSocket-Accept does not belong to the key sent");
    }
    return WEIR_OK;
}

/* ---- frames ---- */

static bool opcode_is_known(unsigned opcode) {
    return opcode <= WEIR_WS_BINARY || (opcode >= WEIR_WS_CLOSE && opcode <= WEIR_WS_PONG);
}

static bool opcode_is_control(unsigned opcode) {
    return opcode >= WEIR_WS_CLOSE;
}

/* The first two bytes, each judged as soon as it is there. NULL when nothing is wrong so far. */
static const char *start_refusal(struct weir_slice bytes, bool is_deflate_agreed) {
    if (bytes.size < 1) return NULL;
    unsigned first = bytes.data[0], opcode = first & 0x0f;
    bool may_compress = is_deflate_agreed && (opcode == WEIR_WS_TEXT || opcode == WEIR_WS_BINARY);
    if (first & (may_compress ? 0x30 : 0x70)) return "a reserved bit is set that no extension was agreed on for";
    if (!opcode_is_known(first & 0x0f)) return "the opcode is not known";
    if (opcode_is_control(first & 0x0f) && !(first & 0x80)) return "a control frame is fragmented";
    if (bytes.size < 2) return NULL;
    if (opcode_is_control(first & 0x0f) && (bytes.data[1] & 0x7f) > WEIR_WS_CONTROL_SIZE_MAX) {
        return "a control frame is longer than 125 bytes";
    }
    return NULL;
}

enum weir_error weir_ws_frame_parse(
    struct weir_slice bytes, bool is_deflate_agreed, struct weir_ws_frame *ret_frame, const char **ret_reason) {
    const char *reason = start_refusal(bytes, is_deflate_agreed);
    if (reason) {
        *ret_reason = reason;
        return WEIR_E_INVALID;
    }
    if (bytes.size < 2) return WEIR_E_AGAIN;
    unsigned code = bytes.data[1] & 0x7f;
    size_t length_size = code == 127 ? 8 : code == 126 ? 2 : 0;
    if (bytes.size < 2 + length_size) return WEIR_E_AGAIN;
    uint64_t size = code;
    if (code == 126) size = load_be16(bytes.data + 2);
    if (code == 127) size = load_be64(bytes.data + 2);
    if ((code == 126 && size < 126) || (code == 127 && size <= UINT16_MAX) || size > INT64_MAX) {
        *ret_reason = size > INT64_MAX ? "a length is above 2^63-1" : "a length is not in its shortest form";
        return WEIR_E_INVALID;
    }
    bool is_masked = (bytes.data[1] & 0x80) != 0;
    size_t header_size = 2 + length_size + (is_masked ? 4 : 0);
    if (bytes.size < header_size) return WEIR_E_AGAIN;
    *ret_frame = (struct weir_ws_frame){
        .opcode = (enum weir_ws_opcode)(bytes.data[0] & 0x0f),
        .is_final = (bytes.data[0] & 0x80) != 0,
        .is_masked = is_masked,
        .is_compressed = (bytes.data[0] & WEIR_WS_RSV1) != 0,
        .header_size = (uint8_t)header_size,
        .payload_size = size,
    };
    if (is_masked) memcpy(ret_frame->mask, bytes.data + header_size - 4, 4);
    return WEIR_OK;
}

void weir_ws_mask(uint8_t *data, size_t size, const uint8_t mask[4], size_t offset) {
    uint8_t turned[8];
    for (size_t i = 0; i < 8; i++)
        turned[i] = mask[(offset + i) & 3];
    uint64_t word = 0;
    memcpy(&word, turned, 8);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t eight;
        memcpy(&eight, data + i, 8);
        eight ^= word;
        memcpy(data + i, &eight, 8);
    }
    for (; i < size; i++)
        data[i] ^= turned[i & 7];
}

size_t weir_ws_frame_header(
    uint8_t *out, enum weir_ws_opcode opcode, bool is_final, uint64_t payload_size, const uint8_t *mask) {
    WEIR_ASSERT(opcode_is_known(opcode));
    WEIR_ASSERT(!opcode_is_control(opcode) || (is_final && payload_size <= WEIR_WS_CONTROL_SIZE_MAX));
    size_t size = 2;
    out[0] = (uint8_t)((is_final ? 0x80 : 0) | opcode);
    if (payload_size <= 125) {
        out[1] = (uint8_t)payload_size;
    } else if (payload_size <= UINT16_MAX) {
        out[1] = 126;
        store_be16(out + 2, (uint16_t)payload_size);
        size += 2;
    } else {
        out[1] = 127;
        store_be64(out + 2, payload_size);
        size += 8;
    }
    if (mask) {
        out[1] |= 0x80;
        memcpy(out + size, mask, 4);
        size += 4;
    }
    return size;
}

enum weir_error weir_ws_frame_write(uint8_t *out, size_t capacity, enum weir_ws_opcode opcode, bool is_final,
    struct weir_slice payload, const uint8_t *mask, size_t *ret_size) {
    uint8_t header[WEIR_WS_HEADER_SIZE_MAX];
    size_t header_size = weir_ws_frame_header(header, opcode, is_final, payload.size, mask);
    if (capacity < header_size || capacity - header_size < payload.size) {
        return weir_error_context(WEIR_E_FULL, "a WebSocket frame of %zu bytes does not fit", payload.size);
    }
    /* The payload first: it may lie in `out` already. */
    if (payload.size) memmove(out + header_size, payload.data, payload.size);
    memcpy(out, header, header_size);
    if (mask) weir_ws_mask(out + header_size, payload.size, mask, 0);
    *ret_size = header_size + payload.size;
    return WEIR_OK;
}

enum weir_error weir_ws_close_write(
    uint8_t *out, size_t capacity, uint16_t code, struct weir_slice reason, const uint8_t *mask, size_t *ret_size) {
    uint8_t payload[WEIR_WS_CONTROL_SIZE_MAX];
    size_t size = 0;
    if (code != WEIR_WS_CODE_NONE) {
        WEIR_ASSERT(weir_ws_code_is_valid(code));
        store_be16(payload, code);
        size_t reason_size = utf8_cut(reason, reason.size < sizeof payload - 2 ? reason.size : sizeof payload - 2);
        if (reason_size) memcpy(payload + 2, reason.data, reason_size);
        size = 2 + reason_size;
    }
    return weir_ws_frame_write(out, capacity, WEIR_WS_CLOSE, true, weir_slice(payload, size), mask, ret_size);
}

bool weir_ws_code_is_valid(uint16_t code) {
    if (code >= 3000) return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}
