/* SoupBinTCP packets. */
#include "wire/soupbin.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

/* What each type is: who may send it and how long its payload is (ANY: any length). */
enum { FROM_SERVER = 1 << WEIR_SOUPBIN_SERVER, FROM_CLIENT = 1 << WEIR_SOUPBIN_CLIENT, ANY = -1 };

struct type_row {
    uint8_t type;
    uint8_t from;
    int payload_size;
};
static const struct type_row type_rows[] = {
    {WEIR_SOUPBIN_UNSEQUENCED, FROM_SERVER | FROM_CLIENT, ANY},
    {WEIR_SOUPBIN_SEQUENCED, FROM_SERVER, ANY},
    {WEIR_SOUPBIN_SERVER_HEARTBEAT, FROM_SERVER, 0},
    {WEIR_SOUPBIN_CLIENT_HEARTBEAT, FROM_CLIENT, 0},
    {WEIR_SOUPBIN_LOGIN_REQUEST, FROM_CLIENT, WEIR_SOUPBIN_LOGIN_REQUEST_SIZE - WEIR_SOUPBIN_HEADER_SIZE},
    {WEIR_SOUPBIN_LOGIN_ACCEPTED, FROM_SERVER, WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE - WEIR_SOUPBIN_HEADER_SIZE},
    {WEIR_SOUPBIN_LOGIN_REJECTED, FROM_SERVER, WEIR_SOUPBIN_LOGIN_REJECTED_SIZE - WEIR_SOUPBIN_HEADER_SIZE},
    {WEIR_SOUPBIN_LOGOUT, FROM_CLIENT, 0},
    {WEIR_SOUPBIN_END_OF_SESSION, FROM_SERVER, 0},
    {WEIR_SOUPBIN_DEBUG, FROM_SERVER | FROM_CLIENT, ANY},
};

static const struct type_row *type_find(uint8_t type) {
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(type_rows); i++) {
        if (type_rows[i].type == type) return &type_rows[i];
    }
    return NULL;
}

enum weir_error weir_soupbin_parse(struct weir_slice bytes, enum weir_soupbin_side from, size_t packet_bytes_max,
    struct weir_soupbin_packet *ret_packet) {
    if (bytes.size < 2) return WEIR_E_AGAIN;
    size_t length = load_be16(bytes.data);
    if (length == 0) return weir_error_context(WEIR_E_INVALID, "a SoupBinTCP packet has no type");
    if (packet_bytes_max && length + 2 > packet_bytes_max) {
        return weir_error_context(
            WEIR_E_TOO_LARGE, "a SoupBinTCP packet of %zu bytes, the limit is %zu", length + 2, packet_bytes_max);
    }
    if (bytes.size < WEIR_SOUPBIN_HEADER_SIZE) return WEIR_E_AGAIN;
    const struct type_row *row = type_find(bytes.data[2]);
    if (!row || !(row->from & (1 << from))) {
        return weir_error_context(WEIR_E_INVALID, "SoupBinTCP packet type 0x%02x is not one a %s may send",
            bytes.data[2], from == WEIR_SOUPBIN_SERVER ? "server" : "client");
    }
    if (row->payload_size != ANY && length - 1 != (size_t)row->payload_size) {
        return weir_error_context(WEIR_E_INVALID, "SoupBinTCP packet '%c' has %zu bytes of payload, not %d", row->type,
            length - 1, row->payload_size);
    }
    if (bytes.size < 2 + length) return WEIR_E_AGAIN;
    *ret_packet = (struct weir_soupbin_packet){
        .type = (enum weir_soupbin_type)row->type,
        .payload = weir_slice(bytes.data + WEIR_SOUPBIN_HEADER_SIZE, length - 1),
        .size = length + 2,
    };
    return WEIR_OK;
}

/* ---- fields ---- */

static bool is_printable(struct weir_slice text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) return false;
    }
    return true;
}

static struct weir_slice spaces_trim(struct weir_slice text, bool left) {
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    while (left && text.size && text.data[0] == ' ')
        text = weir_slice(text.data + 1, text.size - 1);
    return text;
}

/* Digits padded left with spaces. */
static bool number_get(struct weir_slice field, uint64_t *ret_value) {
    struct weir_slice digits = spaces_trim(field, true);
    uint64_t value = 0;
    if (digits.size == 0) return false;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digits.data[i] - '0'), &value)) {
            return false;
        }
    }
    *ret_value = value;
    return true;
}

enum weir_error weir_soupbin_login_parse(struct weir_slice payload, struct weir_soupbin_login *ret_login) {
    struct byte_reader reader = byte_reader(payload);
    struct weir_slice user = byte_get_slice(&reader, WEIR_SOUPBIN_USER_SIZE);
    struct weir_slice password = byte_get_slice(&reader, WEIR_SOUPBIN_PASSWORD_SIZE);
    struct weir_slice session = byte_get_slice(&reader, WEIR_SOUPBIN_SESSION_SIZE);
    struct weir_slice number = byte_get_slice(&reader, WEIR_SOUPBIN_SEQUENCE_SIZE);
    uint64_t sequence = 0;
    if (!byte_reader_finished(&reader)) return weir_error_context(WEIR_E_INVALID, "a login is not 46 bytes long");
    if (!is_printable(user) || !is_printable(password) || !is_printable(session)) {
        return weir_error_context(WEIR_E_INVALID, "a login has bytes that are not printable ASCII");
    }
    if (!number_get(number, &sequence)) {
        return weir_error_context(WEIR_E_INVALID, "a login's sequence number is not a number padded left with spaces");
    }
    *ret_login = (struct weir_soupbin_login){
        .user = spaces_trim(user, false),
        .password = spaces_trim(password, false),
        .session = spaces_trim(session, true),
        .sequence = sequence,
    };
    return WEIR_OK;
}

enum weir_error weir_soupbin_accepted_parse(struct weir_slice payload, struct weir_soupbin_accepted *ret_accepted) {
    struct byte_reader reader = byte_reader(payload);
    struct weir_slice session = byte_get_slice(&reader, WEIR_SOUPBIN_SESSION_SIZE);
    struct weir_slice number = byte_get_slice(&reader, WEIR_SOUPBIN_SEQUENCE_SIZE);
    uint64_t sequence = 0;
    if (!byte_reader_finished(&reader) || !is_printable(session) || !number_get(number, &sequence)) {
        return weir_error_context(WEIR_E_INVALID, "a login's answer is malformed");
    }
    *ret_accepted = (struct weir_soupbin_accepted){.session = spaces_trim(session, true), .sequence = sequence};
    return WEIR_OK;
}

/* ---- writers ---- */

/* Text in a field of `width`, padded on one side. False: it does not fit. */
static bool field_put(uint8_t *field, size_t width, struct weir_slice text, bool pad_left) {
    if (text.size > width || !is_printable(text)) return false;
    memset(field, ' ', width);
    if (text.size) memcpy(field + (pad_left ? width - text.size : 0), text.data, text.size);
    return true;
}

static void number_put(uint8_t field[WEIR_SOUPBIN_SEQUENCE_SIZE], uint64_t value) {
    char digits[20];
    size_t size = text_format_u64(digits, value);
    bool fits = field_put(field, WEIR_SOUPBIN_SEQUENCE_SIZE, weir_slice(digits, size), true);
    WEIR_ASSERT(fits); /* 64 bits never have more than 20 digits */
}

static enum weir_error full_error(size_t need, size_t capacity) {
    return weir_error_context(WEIR_E_FULL, "a SoupBinTCP packet of %zu bytes does not fit %zu", need, capacity);
}

enum weir_error weir_soupbin_login_write(
    uint8_t *out, size_t capacity, const struct weir_soupbin_login *login, size_t *ret_size) {
    if (capacity < WEIR_SOUPBIN_LOGIN_REQUEST_SIZE) return full_error(WEIR_SOUPBIN_LOGIN_REQUEST_SIZE, capacity);
    uint8_t *at = out + WEIR_SOUPBIN_HEADER_SIZE;
    uint8_t *password = at + WEIR_SOUPBIN_USER_SIZE;
    uint8_t *session = password + WEIR_SOUPBIN_PASSWORD_SIZE;
    if (!field_put(at, WEIR_SOUPBIN_USER_SIZE, login->user, false) ||
        !field_put(password, WEIR_SOUPBIN_PASSWORD_SIZE, login->password, false) ||
        !field_put(session, WEIR_SOUPBIN_SESSION_SIZE, login->session, true)) {
        return weir_error_context(
            WEIR_E_INVALID, "a login's user is at most 6, its password and session 10 printable ASCII characters");
    }
    number_put(session + WEIR_SOUPBIN_SESSION_SIZE, login->sequence);
    weir_soupbin_header(out, WEIR_SOUPBIN_LOGIN_REQUEST, WEIR_SOUPBIN_LOGIN_REQUEST_SIZE - WEIR_SOUPBIN_HEADER_SIZE);
    *ret_size = WEIR_SOUPBIN_LOGIN_REQUEST_SIZE;
    return WEIR_OK;
}

enum weir_error weir_soupbin_accepted_write(
    uint8_t *out, size_t capacity, const struct weir_soupbin_accepted *accepted, size_t *ret_size) {
    if (capacity < WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE) return full_error(WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE, capacity);
    uint8_t *at = out + WEIR_SOUPBIN_HEADER_SIZE;
    if (!field_put(at, WEIR_SOUPBIN_SESSION_SIZE, accepted->session, true)) {
        return weir_error_context(WEIR_E_INVALID, "a session's name is at most 10 printable ASCII characters");
    }
    number_put(at + WEIR_SOUPBIN_SESSION_SIZE, accepted->sequence);
    weir_soupbin_header(out, WEIR_SOUPBIN_LOGIN_ACCEPTED, WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE - WEIR_SOUPBIN_HEADER_SIZE);
    *ret_size = WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE;
    return WEIR_OK;
}

enum weir_error weir_soupbin_rejected_write(uint8_t *out, size_t capacity, char reason, size_t *ret_size) {
    return weir_soupbin_write(out, capacity, WEIR_SOUPBIN_LOGIN_REJECTED, weir_slice(&reason, 1), ret_size);
}

enum weir_error weir_soupbin_write(
    uint8_t *out, size_t capacity, enum weir_soupbin_type type, struct weir_slice payload, size_t *ret_size) {
    const struct type_row *row = type_find((uint8_t)type);
    WEIR_ASSERT(row != NULL);
    bool fits = row->payload_size == ANY || payload.size == (size_t)row->payload_size;
    if (!fits || payload.size > WEIR_SOUPBIN_PAYLOAD_SIZE_MAX) {
        return weir_error_context(
            WEIR_E_INVALID, "SoupBinTCP packet '%c' cannot carry %zu bytes", row->type, payload.size);
    }
    size_t size = WEIR_SOUPBIN_HEADER_SIZE + payload.size;
    if (capacity < size) return full_error(size, capacity);
    if (payload.size) memmove(out + WEIR_SOUPBIN_HEADER_SIZE, payload.data, payload.size);
    weir_soupbin_header(out, type, payload.size);
    *ret_size = size;
    return WEIR_OK;
}
