/* wire/kafka_sasl_messages.h: how a Kafka client says who it is (KIP-43, KIP-152), see kafka.h. The exchange inside of
 * the bytes is the mechanism's: PLAIN below (RFC 4616), SCRAM in scram.h. */
#ifndef WEIR_WIRE_KAFKA_SASL_MESSAGES_H
#define WEIR_WIRE_KAFKA_SASL_MESSAGES_H
#include "wire/kafka.h"

/* ---- SaslHandshake, 0 to 1. After version 0 the exchange follows as frames without headers ---- */
struct kafka_sasl_handshake_request {
    struct weir_slice mechanism;
};
struct kafka_sasl_handshake_response {
    int16_t error;
    uint32_t mechanism_count;
    struct weir_slice *mechanisms;
};
void kafka_sasl_handshake_request(struct kafka_coder *c, struct kafka_sasl_handshake_request *m);
void kafka_sasl_handshake_response(struct kafka_coder *c, struct kafka_sasl_handshake_response *m);

/* ---- SaslAuthenticate, 0 to 2 ---- */
struct kafka_sasl_authenticate_request {
    struct weir_slice bytes;
};
struct kafka_sasl_authenticate_response {
    int16_t error;
    struct weir_slice message, bytes;
    int64_t lifetime_ms; /* from 1; 0: the session has no end that the client should come before */
};
void kafka_sasl_authenticate_request(struct kafka_coder *c, struct kafka_sasl_authenticate_request *m);
void kafka_sasl_authenticate_response(struct kafka_coder *c, struct kafka_sasl_authenticate_response *m);

/* ---- PLAIN: [authorization identity] NUL user NUL password, all UTF-8 without NUL ---- */
struct sasl_plain {
    struct weir_slice act_as, user, password;
};
/* False: it is none. */
WEIR_MUST bool sasl_plain_read(struct weir_slice bytes, struct sasl_plain *ret_plain);

#endif
