/* The login of a Kafka client. See kafka_sasl.h. */
#include "edge/kafka_sasl.h"

#include "base/bytes.h"
#include "wire/kafka_sasl_messages.h"

bool kafka_sasl_is_done(struct weir_session *session) {
    return !session->conn->lane->edge->auth.on || auth_of(session->conn) != NULL;
}

enum weir_error kafka_sasl_admit(struct weir_session *session, int16_t api) {
    struct kafka_session *k = kafka_session_of(session);
    if (api == KAFKA_API_VERSIONS || api == KAFKA_SASL_HANDSHAKE || api == KAFKA_SASL_AUTHENTICATE) return WEIR_OK;
    if (!kafka_sasl_is_done(session)) {
        metric_add(&session->conn->lane->metrics.unauthorized, 1);
        return weir_error_context(WEIR_E_FORBIDDEN,
            "a Kafka %s request came before the login: set security.protocol to SASL_PLAINTEXT or SASL_SSL and "
            "sasl.mechanism to PLAIN",
            kafka_api_find(api)->name);
    }
    if (k->counted) return WEIR_OK; /* it came before and the host had no room */
    enum weir_error e = auth_session_take(session->conn);
    k->counted = e == WEIR_OK;
    return e == WEIR_E_FULL ? WEIR_E_AGAIN : e;
}

/* NULL: wrong; *ret_why says what the client is told. */
static const struct token *log_in(struct weir_session *session, struct weir_slice bytes, const char **ret_why) {
    struct conn *conn = session->conn;
    struct edge_lane *lane = conn->lane;
    struct sasl_plain plain;
    struct token_proof proof;
    uint64_t now_ms = lane->sys->wall_ns(lane->sys) / SYS_NANOS_PER_MS;
    const struct token *token = NULL;
    bool is_plain = sasl_plain_read(bytes, &plain);
    if (is_plain) token = tokens_by_secret(auth_tokens(lane), plain.password, now_ms, &proof);
    bool named = token && (weir_slice_equal(plain.user, weir_slice_text(token->name)) ||
                              weir_slice_equal(plain.user, weir_slice_text(token->id)));
    bool itself = named && (plain.act_as.size == 0 || weir_slice_equal(plain.act_as, plain.user));
    *ret_why = "the user is the token's name or id and the password is the token, and this is no such pair, or the "
               "token is revoked or expired";
    if (!itself) {
        *ret_why = auth_login_failed(conn, is_plain ? *ret_why : "the bytes are not a SASL PLAIN message");
        return NULL;
    }
    auth_remember(conn, token, &proof, weir_slice(NULL, 0));
    return auth_of(conn);
}

/* ---- SaslHandshake ---- */
static enum weir_error handshake(struct kafka_call *call) {
    struct kafka_session *k = kafka_session_of(call->session);
    struct weir_slice mechanisms[] = {weir_slice_text("PLAIN")};
    struct kafka_sasl_handshake_request request = {0};
    struct kafka_sasl_handshake_response m = {
        .mechanism_count = WEIR_ARRAY_COUNT(mechanisms), .mechanisms = mechanisms};
    struct kafka_coder out;
    kafka_sasl_handshake_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    if (kafka_sasl_is_done(call->session) || k->sasl != KAFKA_SASL_NONE)
        m.error = KAFKA_ILLEGAL_SASL_STATE;
    else if (!weir_slice_equal(request.mechanism, mechanisms[0]))
        m.error = KAFKA_UNSUPPORTED_SASL_MECHANISM;
    else
        k->sasl = call->turn->header.version == 0 ? KAFKA_SASL_BARE : KAFKA_SASL_FRAMED;
    enum weir_error e = kafka_answer_begin(call, 128, &out);
    if (e) return e;
    kafka_sasl_handshake_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- SaslAuthenticate ---- */
static enum weir_error authenticate(struct kafka_call *call) {
    struct kafka_session *k = kafka_session_of(call->session);
    struct kafka_sasl_authenticate_request request = {0};
    struct kafka_sasl_authenticate_response m = {0};
    struct kafka_coder out;
    const char *why = "SaslHandshake comes first, and only once";
    kafka_sasl_authenticate_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    if (k->sasl != KAFKA_SASL_FRAMED || kafka_sasl_is_done(call->session))
        m.error = KAFKA_ILLEGAL_SASL_STATE;
    else if (!log_in(call->session, request.bytes, &why))
        m.error = KAFKA_SASL_AUTHENTICATION_FAILED;
    if (m.error) m.message = weir_slice_text(why);
    k->sasl_failed = m.error != KAFKA_NONE;
    enum weir_error e = kafka_answer_begin(call, 512, &out);
    if (e) return e;
    kafka_sasl_authenticate_response(&out, &m);
    return kafka_answer_end(call, &out);
}

bool kafka_sasl_take_bare(struct weir_session *session, struct weir_slice bytes) {
    static const uint8_t nothing[KAFKA_FRAME_HEADER]; /* PLAIN has no answer: an empty frame */
    const char *why;
    if (kafka_session_of(session)->sasl != KAFKA_SASL_BARE || kafka_sasl_is_done(session)) return false;
    if (log_in(session, bytes, &why))
        (void)weir_session_send(session, weir_slice(nothing, sizeof nothing), false);
    else
        weir_session_close(session, why); /* this form has no place for a reason */
    return true;
}

const struct kafka_handler kafka_sasl_handlers[] = {
    {KAFKA_SASL_HANDSHAKE, NULL, handshake, NULL},
    {KAFKA_SASL_AUTHENTICATE, NULL, authenticate, NULL},
    {-1, NULL, NULL, NULL},
};
