/* Which partition a request goes to, and one answer of what all partitions say. Runs on the client's lane. */
#include "groups/groups.h"

bool groups_body_fits(const struct weir_kafka_request *kafka) {
    switch (kafka->api) {
    case KAFKA_LEAVE_GROUP:
    case KAFKA_DESCRIBE_GROUPS:
    case KAFKA_LIST_GROUPS:
    case KAFKA_DELETE_GROUPS:
        return kafka->body.size <= GROUPS_LIST_BODY_MAX;
    case KAFKA_OFFSET_DELETE:
        return kafka->body.size <= GROUPS_FETCH_BODY_MAX;
    case KAFKA_OFFSET_FETCH:
        return kafka->version < 8 || kafka->body.size <= GROUPS_FETCH_BODY_MAX;
    default:
        return true;
    }
}

static enum weir_error check_size(const struct weir_kafka_request *kafka) {
    if (groups_body_fits(kafka)) return WEIR_OK;
    return weir_error_context(WEIR_E_TOO_LARGE, "a Kafka %s request of %zu bytes names more than one may; ask in parts",
        kafka_api_find(kafka->api)->name, kafka->body.size);
}

/* Most requests begin with the group's name. */
static enum weir_error by_group(
    const struct weir_request *request, const struct weir_kafka_request *kafka, uint32_t *ret_partition) {
    struct weir_slice name;
    struct kafka_coder c = {.version = kafka->version,
        .flexible = kafka->version >= kafka_api_find(kafka->api)->flexible,
        .at = kafka->body.data,
        .end = kafka->body.data + kafka->body.size};
    enum weir_error e = check_size(kafka);
    if (e) return e;
    kafka_string(&c, &name, KAFKA_NOT_NULL);
    if (c.failed)
        return weir_error_context(WEIR_E_INVALID,
            "the body of a Kafka %s request, version %d, does not begin with a group", kafka_api_find(kafka->api)->name,
            kafka->version);
    *ret_partition = weir_partition_of(name, request->partition_count);
    return WEIR_OK;
}

static enum weir_error every(
    const struct weir_request *request, const struct weir_kafka_request *kafka, uint32_t *ret_partition) {
    (void)request;
    enum weir_error e = check_size(kafka);
    if (e) return e;
    *ret_partition = WEIR_KAFKA_EVERY;
    return WEIR_OK;
}

static enum weir_error of_fetch(
    const struct weir_request *request, const struct weir_kafka_request *kafka, uint32_t *ret_partition) {
    if (kafka->version < 8) return by_group(request, kafka, ret_partition);
    return every(request, kafka, ret_partition);
}

/* All answers that are merged are of one shape: numbers, an array, and (flexible) no tags. So the arrays' items stand
 * one behind the other as they are. */
static enum weir_error merge(const struct weir_kafka_request *kafka, const struct weir_slice *answers, uint32_t count,
    struct weir_answer *answer) {
    bool flexible = kafka->version >= kafka_api_find(kafka->api)->flexible;
    bool throttle = kafka->api == KAFKA_DELETE_GROUPS || kafka->version >= 1; /* of each of these apis */
    bool error = kafka->api == KAFKA_LIST_GROUPS;
    size_t head = (throttle ? 4u : 0u) + (error ? 2u : 0u), tail = flexible ? 1 : 0, size = head + 5 + tail;
    uint32_t items = 0;
    for (uint32_t i = 0; i < count; i++)
        size += answers[i].size;
    struct kafka_coder out = {.encoding = true, .flexible = flexible, .out_size = size};
    out.out = weir_answer_room(answer, size);
    if (!out.out)
        return weir_error_context(WEIR_E_TOO_LARGE, "the answers of all partitions are larger than an answer may be");
    kafka_raw(&out, weir_slice(answers[0].data, head));
    for (int pass = 0; pass < 2; pass++) {
        void *some = &items; /* not null */
        if (pass == 1) kafka_array(&out, &items, &some, 1, KAFKA_NOT_NULL);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t n = 0;
            struct kafka_coder in = {
                .flexible = flexible, .at = answers[i].data + head, .end = answers[i].data + answers[i].size};
            kafka_array_count(&in, &n);
            if (pass == 0)
                items += n;
            else
                kafka_raw(&out, weir_slice(in.at, (size_t)(in.end - in.at) - tail));
        }
    }
    kafka_tags(&out);
    weir_answer_commit(answer, out.out_at);
    return WEIR_OK;
}

const struct weir_kafka_row groups_kafka_rows[] = {
    {KAFKA_JOIN_GROUP, "A member joins; answered when the rebalance completes.", by_group, NULL},
    {KAFKA_SYNC_GROUP, "The leader assigns, the others are told.", by_group, NULL},
    {KAFKA_HEARTBEAT, "A member is alive.", by_group, NULL},
    {KAFKA_LEAVE_GROUP, "Members leave.", by_group, NULL},
    {KAFKA_OFFSET_COMMIT, "Offsets are committed.", by_group, NULL},
    {KAFKA_OFFSET_FETCH, "Committed offsets are asked for.", of_fetch, merge},
    {KAFKA_OFFSET_DELETE, "Committed offsets are deleted.", by_group, NULL},
    {KAFKA_DESCRIBE_GROUPS, "Members and state of groups.", every, merge},
    {KAFKA_LIST_GROUPS, "The groups there are.", every, merge},
    {KAFKA_DELETE_GROUPS, "Groups without members are deleted.", every, merge},
    {0},
};
