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

/* ---- refusals, each where its answer has a place for the code ---- */
#define DENIED KAFKA_GROUP_AUTHORIZATION_FAILED

static void deny_commit(struct kafka_coder *in, struct kafka_coder *out) {
    struct kafka_offset_commit_request m = {0};
    kafka_offset_commit_request(in, &m);
    for (uint32_t t = 0; t < m.topic_count; t++)
        for (uint32_t p = 0; p < m.topics[t].partition_count; p++)
            m.topics[t].partitions[p].error = DENIED;
    kafka_offset_commit_response(
        out, &(struct kafka_offset_commit_response){.topic_count = m.topic_count, .topics = m.topics});
}

/* Before version 2 there is a code for each partition alone. */
static void deny_fetch(struct kafka_coder *in, struct kafka_coder *out) {
    struct kafka_offset_fetch_request m = {0};
    struct kafka_offset_fetch_response answer = {.one.error = DENIED};
    kafka_offset_fetch_request(in, &m);
    const struct kafka_wanted_group *wanted = &m.one;
    if (in->version < 2) {
        answer.one.topics = arena_zalloc(in->arena, wanted->topic_count + 1, sizeof *answer.one.topics);
        for (; answer.one.topics && answer.one.topic_count < wanted->topic_count; answer.one.topic_count++) {
            const struct kafka_wanted_topic *w = &wanted->topics[answer.one.topic_count];
            struct kafka_group_topic *t = &answer.one.topics[answer.one.topic_count];
            t->name = w->name;
            t->partitions = arena_zalloc(in->arena, w->partition_count + 1, sizeof *t->partitions);
            for (; t->partitions && t->partition_count < w->partition_count; t->partition_count++)
                t->partitions[t->partition_count] = (struct kafka_group_offset){
                    .index = w->partitions[t->partition_count], .offset = -1, .error = DENIED};
        }
    }
    answer.groups = arena_zalloc(in->arena, m.group_count + 1, sizeof *answer.groups);
    for (; answer.groups && answer.group_count < m.group_count; answer.group_count++)
        answer.groups[answer.group_count] =
            (struct kafka_fetched_group){.group_id = m.groups[answer.group_count].group_id, .error = DENIED};
    kafka_offset_fetch_response(out, &answer);
}

static void deny_describe(struct kafka_coder *in, struct kafka_coder *out) {
    struct kafka_describe_groups_request m = {0};
    struct kafka_describe_groups_response answer = {0};
    kafka_describe_groups_request(in, &m);
    answer.groups = arena_zalloc(in->arena, m.group_count + 1, sizeof *answer.groups);
    for (; answer.groups && answer.group_count < m.group_count; answer.group_count++)
        answer.groups[answer.group_count] = (struct kafka_described_group){
            .error = DENIED, .group_id = m.groups[answer.group_count], .operations = INT32_MIN};
    kafka_describe_groups_response(out, &answer);
}

static void deny_delete(struct kafka_coder *in, struct kafka_coder *out) {
    struct kafka_delete_groups_request m = {0};
    struct kafka_delete_groups_response answer = {0};
    kafka_delete_groups_request(in, &m);
    answer.groups = arena_zalloc(in->arena, m.group_count + 1, sizeof *answer.groups);
    for (; answer.groups && answer.group_count < m.group_count; answer.group_count++)
        answer.groups[answer.group_count] =
            (struct kafka_deleted_group){.group_id = m.groups[answer.group_count], .error = DENIED};
    kafka_delete_groups_response(out, &answer);
}

static void deny(int16_t api, struct kafka_coder *in, struct kafka_coder *out) {
    if (api == KAFKA_JOIN_GROUP)
        kafka_join_group_response(out, &(struct kafka_join_group_response){.error = DENIED, .generation_id = -1});
    if (api == KAFKA_SYNC_GROUP) kafka_sync_group_response(out, &(struct kafka_sync_group_response){.error = DENIED});
    if (api == KAFKA_HEARTBEAT) kafka_heartbeat_response(out, &(struct kafka_heartbeat_response){.error = DENIED});
    if (api == KAFKA_LEAVE_GROUP)
        kafka_leave_group_response(out, &(struct kafka_leave_group_response){.error = DENIED});
    if (api == KAFKA_LIST_GROUPS)
        kafka_list_groups_response(out, &(struct kafka_list_groups_response){.error = DENIED});
    if (api == KAFKA_OFFSET_DELETE)
        kafka_offset_delete_response(out, &(struct kafka_offset_delete_response){.error = DENIED});
    if (api == KAFKA_OFFSET_COMMIT) deny_commit(in, out);
    if (api == KAFKA_OFFSET_FETCH) deny_fetch(in, out);
    if (api == KAFKA_DESCRIBE_GROUPS) deny_describe(in, out);
    if (api == KAFKA_DELETE_GROUPS) deny_delete(in, out);
}

static enum weir_error denied(struct kafka_call *call) {
    int16_t api = call->turn->header.api;
    size_t asked = (size_t)(call->in.end - call->in.at);
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, 256 + 8 * asked, &out);
    if (e) return e;
    size_t begun = out.out_at;
    deny(api, &call->in, &out);
    if (call->in.failed) return kafka_malformed(call);
    if (out.out_at == begun)
        return weir_error_context(
            WEIR_E_FORBIDDEN, "the token has no role for a Kafka %s request", kafka_api_find(api)->name);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_denied_handler = {-1, NULL, denied, NULL};
