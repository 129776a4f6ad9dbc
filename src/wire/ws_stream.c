/* A stream of messages: reassembly in place, control frames between fragments, UTF-8 across them. */
#include "base/assert.h"
#include "base/bytes.h"
#include "wire/ws.h"

/* ---- UTF-8 ---- */

/* States of the automaton. What may follow in each: a byte range and the state behind it. */
enum utf8_state {
    UTF8_ACCEPT = WEIR_WS_UTF8_ACCEPT,
    UTF8_REJECT = WEIR_WS_UTF8_REJECT,
    UTF8_TAIL_1,
    UTF8_TAIL_2,
    UTF8_TAIL_3,
    UTF8_AFTER_E0, /* over-long below A0 */
    UTF8_AFTER_ED, /* surrogates above 9F */
    UTF8_AFTER_F0, /* over-long below 90 */
    UTF8_AFTER_F4, /* above U+10FFFF from 90 on */
};
static const struct {
    uint8_t first, last, next;
} utf8_tails[] = {
    [UTF8_REJECT] = {1, 0, UTF8_REJECT},
    [UTF8_TAIL_1] = {0x80, 0xbf, UTF8_ACCEPT},
    [UTF8_TAIL_2] = {0x80, 0xbf, UTF8_TAIL_1},
    [UTF8_TAIL_3] = {0x80, 0xbf, UTF8_TAIL_2},
    [UTF8_AFTER_E0] = {0xa0, 0xbf, UTF8_TAIL_1},
    [UTF8_AFTER_ED] = {0x80, 0x9f, UTF8_TAIL_1},
    [UTF8_AFTER_F0] = {0x90, 0xbf, UTF8_TAIL_2},
    [UTF8_AFTER_F4] = {0x80, 0x8f, UTF8_TAIL_2},
};

static uint32_t utf8_lead(uint8_t byte) {
    if (byte < 0x80) return UTF8_ACCEPT;
    if (byte < 0xc2) return UTF8_REJECT;
    if (byte < 0xe0) return UTF8_TAIL_1;
    if (byte < 0xf0) return byte == 0xe0 ? UTF8_AFTER_E0 : byte == 0xed ? UTF8_AFTER_ED : UTF8_TAIL_2;
    if (byte > 0xf4) return UTF8_REJECT;
    return byte == 0xf0 ? UTF8_AFTER_F0 : byte == 0xf4 ? UTF8_AFTER_F4 : UTF8_TAIL_3;
}

uint32_t weir_ws_utf8(uint32_t state, struct weir_slice bytes) {
    size_t i = 0;
    while (i < bytes.size) {
        if (state == UTF8_ACCEPT) {
            /* Eight ASCII bytes at a time. */
            while (i + 8 <= bytes.size && !(load_le64(bytes.data + i) & UINT64_C(0x8080808080808080)))
                i += 8;
            if (i == bytes.size) break;
            state = utf8_lead(bytes.data[i++]);
            continue;
        }
        uint8_t byte = bytes.data[i++];
        bool fits = byte >= utf8_tails[state].first && byte <= utf8_tails[state].last;
        state = fits ? utf8_tails[state].next : UTF8_REJECT;
        if (state == UTF8_REJECT) break;
    }
    return state;
}

/* ---- stream ---- */

void weir_ws_stream_init(struct weir_ws_stream *stream, enum weir_ws_role role, const struct weir_ws_limits *limits) {
    *stream = (struct weir_ws_stream){.role = role, .limits = *limits};
}

size_t weir_ws_limits_buffer_size(const struct weir_ws_limits *limits) {
    return (size_t)limits->message_bytes_max + WEIR_WS_CONTROL_SIZE_MAX + 2 * WEIR_WS_HEADER_SIZE_MAX;
}

static enum weir_ws_event stream_fail(
    struct weir_ws_stream *stream, uint16_t code, const char *reason, struct weir_ws_message *ret_message) {
    stream->is_closed = true;
    *ret_message = (struct weir_ws_message){.opcode = WEIR_WS_CLOSE, .code = code, .reason = reason};
    return WEIR_WS_EVENT_ERROR;
}

/* What may not be, seen from the header alone. NULL: it may. */
static const char *frame_refusal(
    const struct weir_ws_stream *stream, const struct weir_ws_frame *frame, uint16_t *ret_code) {
    *ret_code = WEIR_WS_CODE_PROTOCOL;
    if (frame->is_masked != (stream->role == WEIR_WS_SERVER)) {
        return frame->is_masked ? "a server's frame is masked" : "a client's frame is not masked";
    }
    if (frame->opcode >= WEIR_WS_CLOSE) return NULL;
    if (frame->opcode == WEIR_WS_CONTINUATION && !stream->in_message) return "a continuation continues nothing";
    if (frame->opcode != WEIR_WS_CONTINUATION && stream->in_message) return "a message begins inside another";
    if (frame->payload_size > stream->limits.message_bytes_max - stream->gathered) {
        *ret_code = WEIR_WS_CODE_TOO_BIG;
        return "the message is too large";
    }
    /* What is there by now entitles to as many fragments; a stream of nearly empty ones ends soon. */
    if (stream->fragments >= stream->limits.fragments_max + stream->gathered / WEIR_WS_FRAGMENT_BYTES_FAIR) {
        *ret_code = WEIR_WS_CODE_POLICY;
        return "the message has too many fragments for its size";
    }
    return NULL;
}

static enum weir_ws_event close_event(
    struct weir_ws_stream *stream, struct weir_slice payload, struct weir_ws_message *ret_message) {
    uint16_t code = WEIR_WS_CODE_NONE;
    if (payload.size == 1) return stream_fail(stream, WEIR_WS_CODE_PROTOCOL, "a close code is cut", ret_message);
    if (payload.size) {
        code = load_be16(payload.data);
        payload = weir_slice(payload.data + 2, payload.size - 2);
        if (!weir_ws_code_is_valid(code)) {
            return stream_fail(stream, WEIR_WS_CODE_PROTOCOL, "a close code is not one that may be sent", ret_message);
        }
        if (weir_ws_utf8(WEIR_WS_UTF8_ACCEPT, payload) != WEIR_WS_UTF8_ACCEPT) {
            return stream_fail(stream, WEIR_WS_CODE_NOT_UTF8, "a close reason is not UTF-8", ret_message);
        }
    }
    stream->is_closed = true;
    *ret_message = (struct weir_ws_message){.opcode = WEIR_WS_CLOSE, .code = code, .payload = payload};
    return WEIR_WS_EVENT_CLOSE;
}

static enum weir_ws_event control_event(struct weir_ws_stream *stream, enum weir_ws_opcode opcode,
    struct weir_slice payload, struct weir_ws_message *ret_message) {
    if (opcode == WEIR_WS_CLOSE) return close_event(stream, payload, ret_message);
    *ret_message = (struct weir_ws_message){.opcode = opcode, .payload = payload};
    return opcode == WEIR_WS_PING ? WEIR_WS_EVENT_PING : WEIR_WS_EVENT_PONG;
}

/* What has come of a data frame's payload since the last look: unmasked in place, and text judged at once, so that a
 * client hears of a bad byte before it has sent the rest (RFC 6455 8.1). False: it is not UTF-8. */
static bool data_arrived(
    struct weir_ws_stream *stream, const struct weir_ws_frame *frame, uint8_t *payload, size_t arrived) {
    WEIR_ASSERT(stream->judged <= arrived && arrived <= frame->payload_size);
    if (frame->opcode != WEIR_WS_CONTINUATION && stream->judged == 0) {
        stream->opcode = frame->opcode;
        stream->is_compressed = frame->is_compressed;
        stream->utf8_state = WEIR_WS_UTF8_ACCEPT;
    }
    struct weir_slice fresh = weir_slice(payload + stream->judged, arrived - stream->judged);
    if (frame->is_masked) weir_ws_mask(payload + stream->judged, fresh.size, frame->mask, stream->judged);
    stream->judged = arrived;
    if (stream->opcode != WEIR_WS_TEXT || stream->is_compressed) return true;
    stream->utf8_state = weir_ws_utf8(stream->utf8_state, fresh);
    bool is_end = frame->is_final && arrived == frame->payload_size;
    return is_end ? stream->utf8_state == WEIR_WS_UTF8_ACCEPT : stream->utf8_state != WEIR_WS_UTF8_REJECT;
}

/* Adds a whole data frame's payload to the message at the buffer's front. MORE: the message goes on. */
static enum weir_ws_event data_event(struct weir_ws_stream *stream, uint8_t *bytes, const struct weir_ws_frame *frame,
    struct weir_slice payload, struct weir_ws_message *ret_message) {
    bool is_whole = !stream->in_message && frame->is_final;
    stream->judged = 0;
    if (!is_whole) {
        if (payload.size) memmove(bytes + stream->gathered, payload.data, payload.size);
        stream->gathered += payload.size;
        stream->fragments++;
        stream->in_message = true;
        payload = weir_slice(bytes, stream->gathered);
    }
    if (!frame->is_final) return WEIR_WS_EVENT_MORE;
    stream->in_message = false;
    stream->gathered = 0;
    stream->fragments = 0;
    *ret_message =
        (struct weir_ws_message){.opcode = stream->opcode, .is_compressed = stream->is_compressed, .payload = payload};
    return WEIR_WS_EVENT_MESSAGE;
}

/* Takes one frame at stream->parsed. MORE with *ret_is_partial: it is not whole yet. */
static enum weir_ws_event frame_take(struct weir_ws_stream *stream, uint8_t *bytes, size_t size, bool *ret_is_partial,
    struct weir_ws_message *ret_message) {
    struct weir_ws_frame frame;
    const char *reason = NULL;
    uint16_t code = WEIR_WS_CODE_PROTOCOL;
    *ret_is_partial = true;
    struct weir_slice rest = weir_slice(bytes + stream->parsed, size - stream->parsed);
    enum weir_error error = weir_ws_frame_parse(rest, stream->is_deflate_agreed, &frame, &reason);
    if (error == WEIR_E_AGAIN) return WEIR_WS_EVENT_MORE;
    if (!error) reason = frame_refusal(stream, &frame, &code);
    if (reason) return stream_fail(stream, code, reason, ret_message);
    uint8_t *payload = bytes + stream->parsed + frame.header_size;
    size_t arrived = rest.size - frame.header_size;
    bool is_control = frame.opcode >= WEIR_WS_CLOSE;
    if (arrived > frame.payload_size) arrived = (size_t)frame.payload_size;
    if (!is_control && !data_arrived(stream, &frame, payload, arrived)) {
        return stream_fail(stream, WEIR_WS_CODE_NOT_UTF8, "a text message is not UTF-8", ret_message);
    }
    if (arrived < frame.payload_size) return WEIR_WS_EVENT_MORE;

    *ret_is_partial = false;
    stream->parsed += frame.header_size + arrived;
    struct weir_slice slice = weir_slice(payload, arrived);
    if (!is_control) return data_event(stream, bytes, &frame, slice, ret_message);
    if (frame.is_masked) weir_ws_mask(payload, arrived, frame.mask, 0);
    return control_event(stream, frame.opcode, slice, ret_message);
}

enum weir_ws_event weir_ws_stream_feed(struct weir_ws_stream *stream, uint8_t *bytes, size_t *size_io,
    size_t *ret_consumed, struct weir_ws_message *ret_message) {
    WEIR_ASSERT(stream->gathered <= stream->parsed && stream->parsed <= *size_io);
    *ret_consumed = 0;
    if (stream->is_closed) {
        return stream_fail(stream, WEIR_WS_CODE_PROTOCOL, "the stream is closed", ret_message);
    }
    for (;;) {
        bool is_partial = false;
        enum weir_ws_event event = frame_take(stream, bytes, *size_io, &is_partial, ret_message);
        if (event == WEIR_WS_EVENT_MORE && !is_partial) continue; /* a fragment: there may be another frame */
        if (event == WEIR_WS_EVENT_MORE) break;
        if (!stream->in_message) {
            *ret_consumed = stream->parsed;
            stream->parsed = 0;
        }
        return event;
    }
    /* The headers of fragments, and control frames among them, are squeezed out before the caller waits for more. */
    if (stream->parsed > stream->gathered) {
        memmove(bytes + stream->gathered, bytes + stream->parsed, *size_io - stream->parsed);
        *size_io -= stream->parsed - stream->gathered;
        stream->parsed = stream->gathered;
    }
    return WEIR_WS_EVENT_MORE;
}
