/* edge/kafka_sasl.h: who a Kafka client is, and what it may do. With `auth: off` everybody may do everything and there
 * is nothing to log in to. Otherwise a connection shows a token by SASL PLAIN before anything but ApiVersions is heard:
 * the user is the token's name or id, the password the token. What it may do are the token's roles, as over HTTP.
 * Owner: the lane. */
#ifndef WEIR_EDGE_KAFKA_SASL_H
#define WEIR_EDGE_KAFKA_SASL_H
#include "edge/kafka.h"

#define KAFKA_SASL_REQUEST_MAX (64u << 10) /* before the login */

extern const struct kafka_handler kafka_sasl_handlers[]; /* api -1 ends */
/* May this request be heard by now? FORBIDDEN: the connection ends. AGAIN: its token's limit is used up for now. */
WEIR_MUST enum weir_error kafka_sasl_admit(struct weir_session *session, int16_t api);
bool kafka_sasl_is_done(struct weir_session *session);
/* After a SaslHandshake of version 0 the exchange comes in frames without headers: true, and it was taken. */
bool kafka_sasl_take_bare(struct weir_session *session, struct weir_slice bytes);

/* ---- kafka_access.c ---- */
bool kafka_may(struct weir_session *session, struct weir_slice topic, enum role_verb verb);
bool kafka_may_see(struct weir_session *session, struct weir_slice topic); /* that it is there, and its offsets */
/* The request to a service: members of groups need write, who looks at them read, who deletes them admin. */
bool kafka_may_ask(struct weir_session *session, uint32_t service, int16_t api);
/* Answers a group's request with GROUP_AUTHORIZATION_FAILED; another service's closes the connection. */
extern const struct kafka_handler kafka_denied_handler;

#endif
