/* What a Kafka client's token allows. See kafka_sasl.h. */
#include "edge/kafka_sasl.h"

#include "wire/kafka_group_messages.h"

static bool allows(struct weir_session *session, const struct permission *permission) {
    struct conn *conn = session->conn;
    if (!conn->lane->edge->auth.on) return true;
    const struct token *token = auth_of(conn);
    return token && token_allows(token, permission);
}

bool kafka_may(struct weir_session *session, struct weir_slice topic, enum role_verb verb) {
    struct permission p = {.object = ROLE_TOPIC, .verb = verb, .topic = topic};
    if (allows(session, &p)) return true;
    metric_add(&session->conn->lane->metrics.forbidden, 1);
    return false;
}

bool kafka_may_see(struct weir_session *session, struct weir_slice topic) {
    struct permission p = {.object = ROLE_NODE, .verb = ROLE_READ};
    bool may = allows(session, &p);
    for (int verb = ROLE_READ; verb <= ROLE_ADMIN && !may; verb *= 2) {
        p = (struct permission){.object = ROLE_TOPIC, .verb = (enum role_verb)verb, .topic = topic};
        may = allows(session, &p);
    }
    return may;
}

static uint8_t verbs_for(int16_t api) {
    switch (api) {
    case KAFKA_JOIN_GROUP:
    case KAFKA_SYNC_GROUP:
    case KAFKA_HEARTBEAT:
    case KAFKA_LEAVE_GROUP:
    case KAFKA_OFFSET_COMMIT:
        return ROLE_WRITE;
    case KAFKA_DELETE_GROUPS:
    case KAFKA_OFFSET_DELETE:
        return ROLE_ADMIN;
    case KAFKA_DESCRIBE_GROUPS:
    case KAFKA_LIST_GROUPS:
        return ROLE_READ;
    default: /* OffsetFetch, FindCoordinator: members ask, and who looks at groups */
        return ROLE_READ | ROLE_WRITE | ROLE_ADMIN;
    }
}

bool kafka_may_ask(struct weir_session *session, uint32_t service, int16_t api) {
    for (int verb = ROLE_READ; verb <= ROLE_ADMIN; verb *= 2) {
        struct permission p = {.object = ROLE_SERVICE, .verb = (enum role_verb)verb, .service = service};
        if ((verbs_for(api) & verb) && allows(session, &p)) return true;
    }
    metric_add(&session->conn->lane->metrics.forbidden, 1);
    return false;
}

static enum weir_error denied(struct kafka_call *call) {
    const int16_t error = KAFKA_GROUP_AUTHORIZATION_FAILED;
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, 256, &out);
    if (e) return e;
    switch (call->turn->header.api) {
    case KAFKA_JOIN_GROUP:
        kafka_join_group_response(&out, &(struct kafka_join_group_response){.error = error, .generation_id = -1});
        break;
    case KAFKA_SYNC_GROUP:
        kafka_sync_group_response(&out, &(struct kafka_sync_group_response){.error = error});
        break;
    case KAFKA_HEARTBEAT:
        kafka_heartbeat_response(&out, &(struct kafka_heartbeat_response){.error = error});
        break;
    case KAFKA_LEAVE_GROUP:
        kafka_leave_group_response(&out, &(struct kafka_leave_group_response){.error = error});
        break;
    case KAFKA_LIST_GROUPS:
        kafka_list_groups_response(&out, &(struct kafka_list_groups_response){.error = error});
        break;
    default:
        return weir_error_context(WEIR_E_FORBIDDEN, "the token has no role for a Kafka %s request",
            kafka_api_find(call->turn->header.api)->name);
    }
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_denied_handler = {-1, NULL, denied, NULL};
