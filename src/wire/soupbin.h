/* wire/soupbin.h: SoupBinTCP packets, both sides: the session under OUCH.
 *
 * Purpose     split a TCP stream into packets, decode and encode logins, frame messages.
 * Threads     pure over its arguments.
 * Allocation  none; slices point into the caller's bytes.
 * Limits      packet_bytes_max, given to the parser; a packet is never longer than 2 + 65,535 bytes.
 * Errors      AGAIN more bytes are needed; INVALID a type this side may not send, a length that does not fit the type,
 * a malformed login; TOO_LARGE above the limit; FULL no room to write. With weir_error_context() text. Source Nasdaq
 * SoupBinTCP 3.00 and 4.x (the packets common to them).
 *
 * Every packet:  0 2 length, big-endian: bytes after this field | 2 1 type | 3 length-1 payload
 *
 *   type from    payload                                                             packet size
 *   '+'  both    debug text, ignored by the receiver                                 3 + n
 *   'A'  server  login accepted: session 10, sequence number of the next message 20  33
 *   'J'  server  login rejected: reason 1 ('A' not authorised, 'S' session unknown)  4
 *   'S'  server  sequenced data: one message; numbered by counting, from 1           3 + n
 *   'U'  both    unsequenced data: one message                                       3 + n
 *   'H'  server  heartbeat, when nothing was sent for a second                       3
 *   'Z'  server  end of session                                                      3
 *   'L'  client  login: user name 6, password 10, session 10 (blank: present one),
 *                sequence number wanted 20 (0: only what is new)                     49
 *   'R'  client  heartbeat, when nothing was sent for a second                       3
 *   'O'  client  logout                                                              3
 *   Text fields are ASCII: user name and password padded right with spaces, session and numbers padded left.
 *   Either side closes a link that was silent for 15 seconds.
 */
#ifndef WEIR_WIRE_SOUPBIN_H
#define WEIR_WIRE_SOUPBIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

enum weir_soupbin_type {
    WEIR_SOUPBIN_DEBUG = '+',
    WEIR_SOUPBIN_LOGIN_ACCEPTED = 'A',
    WEIR_SOUPBIN_LOGIN_REJECTED = 'J',
    WEIR_SOUPBIN_SEQUENCED = 'S',
    WEIR_SOUPBIN_UNSEQUENCED = 'U',
    WEIR_SOUPBIN_SERVER_HEARTBEAT = 'H',
    WEIR_SOUPBIN_END_OF_SESSION = 'Z',
    WEIR_SOUPBIN_LOGIN_REQUEST = 'L',
    WEIR_SOUPBIN_CLIENT_HEARTBEAT = 'R',
    WEIR_SOUPBIN_LOGOUT = 'O',
};

enum weir_soupbin_side { WEIR_SOUPBIN_SERVER, WEIR_SOUPBIN_CLIENT };

enum {
    WEIR_SOUPBIN_HEADER_SIZE = 3, /* length and type */
    WEIR_SOUPBIN_USER_SIZE = 6,
    WEIR_SOUPBIN_PASSWORD_SIZE = 10,
    WEIR_SOUPBIN_SESSION_SIZE = 10,
    WEIR_SOUPBIN_SEQUENCE_SIZE = 20,
    WEIR_SOUPBIN_LOGIN_REQUEST_SIZE = 49,
    WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE = 33,
    WEIR_SOUPBIN_LOGIN_REJECTED_SIZE = 4,
    WEIR_SOUPBIN_PAYLOAD_SIZE_MAX = 65534,
    WEIR_SOUPBIN_HEARTBEAT_MS = 1000,
    WEIR_SOUPBIN_SILENCE_MS_MAX = 15000,
};
#define WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED 'A'
#define WEIR_SOUPBIN_REJECT_SESSION        'S'

struct weir_soupbin_packet {
    enum weir_soupbin_type type;
    struct weir_slice payload;
    size_t size; /* whole packet: drop that many bytes */
};

/* The first packet of bytes, sent by `from`. packet_bytes_max bounds the whole packet (0: the format's own limit); a
 * length above it is TOO_LARGE as soon as the two bytes are there. */
WEIR_MUST enum weir_error weir_soupbin_parse(struct weir_slice bytes, enum weir_soupbin_side from,
    size_t packet_bytes_max, struct weir_soupbin_packet *ret_packet);

/* Fields without their padding. */
struct weir_soupbin_login {
    struct weir_slice user;
    struct weir_slice password;
    struct weir_slice session; /* empty: the present one */
    uint64_t sequence;         /* 0: only what is new */
};
WEIR_MUST enum weir_error weir_soupbin_login_parse(struct weir_slice payload, struct weir_soupbin_login *ret_login);

struct weir_soupbin_accepted {
    struct weir_slice session;
    uint64_t sequence; /* of the next sequenced message */
};
WEIR_MUST enum weir_error weir_soupbin_accepted_parse(
    struct weir_slice payload, struct weir_soupbin_accepted *ret_accepted);

/* Writers: FULL when capacity is too small, INVALID when a field does not fit its width or is not printable ASCII.
 * *ret_size: bytes written. */
WEIR_MUST enum weir_error weir_soupbin_login_write(
    uint8_t *out, size_t capacity, const struct weir_soupbin_login *login, size_t *ret_size);
WEIR_MUST enum weir_error weir_soupbin_accepted_write(
    uint8_t *out, size_t capacity, const struct weir_soupbin_accepted *accepted, size_t *ret_size);
WEIR_MUST enum weir_error weir_soupbin_rejected_write(uint8_t *out, size_t capacity, char reason, size_t *ret_size);
/* Heartbeats, logout, end of session (empty payload), debug, sequenced and unsequenced data. */
WEIR_MUST enum weir_error weir_soupbin_write(
    uint8_t *out, size_t capacity, enum weir_soupbin_type type, struct weir_slice payload, size_t *ret_size);

/* Header of a packet whose payload_size bytes (<= WEIR_SOUPBIN_PAYLOAD_SIZE_MAX, asserted) the caller encodes in place
 * right after it: out + WEIR_SOUPBIN_HEADER_SIZE. */
static inline void weir_soupbin_header(uint8_t *out, enum weir_soupbin_type type, size_t payload_size) {
    size_t length = payload_size + 1;
    out[0] = (uint8_t)(length >> 8);
    out[1] = (uint8_t)length;
    out[2] = (uint8_t)type;
}

#endif
