#include "wire/kafka_sasl_messages.h"

#include <string.h>

static void name(struct kafka_coder *c, struct weir_slice *x) {
    kafka_string(c, x, KAFKA_NOT_NULL);
}

void kafka_sasl_handshake_request(struct kafka_coder *c, struct kafka_sasl_handshake_request *m) {
    name(c, &m->mechanism);
}

void kafka_sasl_handshake_response(struct kafka_coder *c, struct kafka_sasl_handshake_response *m) {
    kafka_i16(c, &m->error);
    KAFKA_ARRAY(c, m->mechanism_count, m->mechanisms, KAFKA_NOT_NULL, name);
}

void kafka_sasl_authenticate_request(struct kafka_coder *c, struct kafka_sasl_authenticate_request *m) {
    kafka_bytes(c, &m->bytes, KAFKA_NOT_NULL);
    kafka_tags(c);
}

void kafka_sasl_authenticate_response(struct kafka_coder *c, struct kafka_sasl_authenticate_response *m) {
    kafka_i16(c, &m->error);
    kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_bytes(c, &m->bytes, KAFKA_NOT_NULL);
    if (c->version >= 1) kafka_i64(c, &m->lifetime_ms);
    kafka_tags(c);
}

static bool take_part(struct weir_slice *rest, struct weir_slice *ret_part) {
    const uint8_t *end = rest->size ? memchr(rest->data, 0, rest->size) : NULL;
    if (!end) return false;
    size_t size = (size_t)(end - rest->data);
    *ret_part = weir_slice(rest->data, size);
    *rest = weir_slice(end + 1, rest->size - size - 1);
    return true;
}

bool sasl_plain_read(struct weir_slice bytes, struct sasl_plain *ret_plain) {
    struct sasl_plain plain;
    struct weir_slice rest = bytes;
    if (!take_part(&rest, &plain.act_as) || !take_part(&rest, &plain.user)) return false;
    if (plain.user.size == 0 || rest.size == 0 || memchr(rest.data, 0, rest.size)) return false;
    plain.password = rest;
    *ret_plain = plain;
    return true;
}
