/* DescribeGroups, ListGroups, DeleteGroups: what tools ask of all groups. Each partition answers for its own. */
#include "groups/groups.h"

#include "base/text.h"

bool groups_is_mine(const struct groups_call *call, struct weir_slice name) {
    return weir_partition_of(name, call->groups->partition_count) == call->groups->partition;
}

/* ---- DescribeGroups ---- */
static struct weir_slice metadata_of(struct groups_call *call, const struct group *group, const struct member *member) {
    struct kafka_group_protocol *protocols;
    uint32_t count = group->state >= GROUP_COMPLETING ? member_protocols(call, member, &protocols) : 0;
    for (uint32_t i = 0; i < count; i++)
        if (blob_equal(call->groups, group->protocol, protocols[i].name)) return protocols[i].metadata;
    return weir_slice("", 0);
}

static void describe(struct groups_call *call, const struct group *group, struct kafka_described_group *m) {
    const struct groups *g = call->groups;
    m->state = groups_state_name(group);
    m->protocol_type = blob_get(g, group->type, call->arena);
    m->protocol = blob_get(g, group->protocol, call->arena);
    m->members = arena_zalloc(call->arena, group->member_count + 1, sizeof *m->members);
    WEIR_ASSERT(m->members);
    MEMBERS_EACH(g, group, member) {
        if (member->pending) continue;
        m->members[m->member_count++] =
            (struct kafka_described_member){.member_id = blob_get(g, member->id, call->arena),
                .group_instance_id =
                    member->instance.size ? blob_get(g, member->instance, call->arena) : (struct weir_slice){0},
                .client_id = blob_get(g, member->client, call->arena),
                .client_host = blob_get(g, member->host, call->arena),
                .metadata = metadata_of(call, group, member),
                .assignment = blob_get(g, member->assignment, call->arena)};
    }
}

/* What its members keep, for the answer's limit. */
static size_t weight(const struct groups *g, const struct group *group) {
    size_t bytes = group->metadata_bytes + 640;                             /* names of state, type and protocol */
    MEMBERS_EACH(g, group, member) bytes += member->assignment.size + 1024; /* two ids, client and address */
    return bytes;
}

void groups_describe(struct groups_call *call) {
    struct kafka_describe_groups_request m = {0};
    struct kafka_describe_groups_response answer = {0};
    size_t size = 0;
    kafka_describe_groups_request(&call->in, &m);
    if (call->in.failed) m.group_count = 0;
    answer.groups = arena_zalloc(call->arena, m.group_count + 1, sizeof *answer.groups);
    WEIR_ASSERT(answer.groups);
    for (uint32_t i = 0; i < m.group_count; i++) {
        const struct group *group = groups_find(call->groups, m.groups[i]);
        if (!groups_is_mine(call, m.groups[i])) continue;
        struct kafka_described_group *to = &answer.groups[answer.group_count++];
        const struct weir_slice none = weir_slice("", 0);
        *to = (struct kafka_described_group){.group_id = m.groups[i],
            .state = weir_slice_text("Dead"), /* as Apache Kafka tells of what is not there */
            .protocol_type = none,
            .protocol = none,
            .operations = INT32_MIN};
        size += m.groups[i].size + 64;
        if (!group) continue;
        if (size + weight(call->groups, group) > GROUPS_REPLY_MAX) {
            to->error = KAFKA_UNKNOWN_SERVER_ERROR; /* more than an answer holds: to be asked alone */
            continue;
        }
        size += weight(call->groups, group);
        describe(call, group, to);
    }
    struct kafka_coder out = groups_answer(call, KAFKA_DESCRIBE_GROUPS, call->request.version);
    kafka_describe_groups_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out));
}

/* ---- ListGroups ---- */
/* Kafka's own tools write "Classic" and mean the same: letters of either size. */
static bool is_listed(const struct weir_slice *filter, uint32_t count, struct weir_slice value) {
    for (uint32_t i = 0; i < count; i++)
        if (text_equal_nocase(filter[i], value)) return true;
    return count == 0;
}

void groups_list(struct groups_call *call) {
    const struct groups *g = call->groups;
    struct kafka_list_groups_request m = {0};
    struct kafka_list_groups_response answer = {0};
    const struct weir_slice type = weir_slice_text("classic");
    kafka_list_groups_request(&call->in, &m);
    answer.groups = arena_zalloc(call->arena, g->groups.count + 1, sizeof *answer.groups);
    WEIR_ASSERT(answer.groups);
    GROUPS_EACH(g, group) {
        struct weir_slice state = groups_state_name(group);
        if (!is_listed(m.states, m.state_count, state) || !is_listed(m.types, m.type_count, type)) continue;
        answer.groups[answer.group_count++] =
            (struct kafka_listed_group){.group_id = blob_get(g, group->name, call->arena),
                .protocol_type = blob_get(g, group->type, call->arena),
                .state = state,
                .type = type};
    }
    if (call->in.failed) answer = (struct kafka_list_groups_response){.error = KAFKA_INVALID_REQUEST};
    struct kafka_coder out = groups_answer(call, KAFKA_LIST_GROUPS, call->request.version);
    kafka_list_groups_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out)); /* .groups_max is bounded for this */
}

/* ---- DeleteGroups ---- */
void groups_delete(struct groups_call *call) {
    struct kafka_delete_groups_request m = {0};
    struct kafka_delete_groups_response answer = {0};
    kafka_delete_groups_request(&call->in, &m);
    if (call->in.failed) m.group_count = 0;
    answer.groups = arena_zalloc(call->arena, m.group_count + 1, sizeof *answer.groups);
    WEIR_ASSERT(answer.groups);
    for (uint32_t i = 0; i < m.group_count; i++) {
        struct group *group = groups_find(call->groups, m.groups[i]);
        if (!groups_is_mine(call, m.groups[i])) continue;
        int16_t error = !group                                                ? KAFKA_GROUP_ID_NOT_FOUND
                        : group->state != GROUP_EMPTY || group->pending_count ? KAFKA_NON_EMPTY_GROUP
                                                                              : KAFKA_NONE;
        answer.groups[answer.group_count++] = (struct kafka_deleted_group){m.groups[i], error};
        if (error) continue;
        weir_timer_cancel(call->out, group->serial);
        groups_remove(call->groups, group);
    }
    struct kafka_coder out = groups_answer(call, KAFKA_DELETE_GROUPS, call->request.version);
    kafka_delete_groups_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out));
}
