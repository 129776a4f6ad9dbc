/* SyncGroup, Heartbeat, LeaveGroup: what members say. */
#include "groups/groups.h"

int16_t groups_find_who(const struct groups_call *call, const struct groups_who *who, struct group **ret_group,
    struct member **ret_member) {
    const struct groups *g = call->groups;
    struct group *group = groups_find(g, who->group_id);
    if (who->group_id.size == 0) return KAFKA_INVALID_GROUP_ID;
    if (!group) return KAFKA_UNKNOWN_MEMBER_ID;
    struct member *member = group_find_member(g, group, who->member_id);
    if (who->instance_id.size) {
        const struct member *by_instance = group_find_instance(g, group, who->instance_id);
        if (!by_instance) return KAFKA_UNKNOWN_MEMBER_ID;
        if (by_instance != member) return KAFKA_FENCED_INSTANCE_ID;
    }
    if (!member || member->pending) return KAFKA_UNKNOWN_MEMBER_ID;
    if (who->generation != group->generation) return KAFKA_ILLEGAL_GENERATION;
    *ret_group = group;
    *ret_member = member;
    return KAFKA_NONE;
}

/* ---- SyncGroup ---- */
static void refuse_sync(struct groups_call *call, int16_t error) {
    struct kafka_sync_group_response m = {.error = error, .assignment = weir_slice("", 0)};
    struct kafka_coder out = groups_answer(call, KAFKA_SYNC_GROUP, call->request.version);
    kafka_sync_group_response(&out, &m);
    WEIR_ASSERT(groups_reply(call, &out));
}

static bool differs(const struct groups *g, struct blob blob, struct weir_slice told) {
    return told.data && !blob_equal(g, blob, told); /* null: an older version, or not told */
}

/* The leader has spoken: everybody gets exactly one assignment, which is empty where it named none. */
static void assign(struct groups_call *call, struct group *group, const struct kafka_sync_group_request *m) {
    struct groups *g = call->groups;
    for (uint32_t i = 0; i < m->assignment_count; i++) {
        struct member *member = group_find_member(g, group, m->assignments[i].member_id);
        if (member && !member->pending) blob_set(g, &member->assignment, m->assignments[i].assignment);
    }
    group->state = GROUP_STABLE;
    groups_note(g, 8, group->serial, m->assignment_count);
    MEMBERS_EACH(g, group, member) {
        if (member->waits != WAITS_SYNC) continue;
        member->waits = WAITS_NOT;
        call->ticket = member->ticket;
        member_answer_sync(call, group, member, KAFKA_NONE);
        member_touch(call, group, member);
    }
    call->ticket = GROUPS_NOW;
}

static bool assignments_fit(const struct groups_call *call, const struct kafka_sync_group_request *m) {
    size_t bytes = 0, chunks = 0;
    for (uint32_t i = 0; i < m->assignment_count; i++) {
        bytes += m->assignments[i].assignment.size;
        chunks += blob_chunks(m->assignments[i].assignment.size);
    }
    return bytes <= GROUPS_METADATA_MAX && groups_have_room(call->groups, chunks);
}

void groups_sync(struct groups_call *call) {
    struct kafka_sync_group_request m = {0};
    struct group *group = NULL;
    struct member *member = NULL;
    kafka_sync_group_request(&call->in, &m);
    struct groups_who who = {m.group_id, m.member_id, m.group_instance_id, m.generation_id};
    bool bad = call->in.failed || m.assignment_count > GROUPS_ASSIGNED_MAX;
    int16_t error = bad ? KAFKA_INVALID_REQUEST : groups_find_who(call, &who, &group, &member);
    if (!error && (differs(call->groups, group->type, m.protocol_type) ||
                      differs(call->groups, group->protocol, m.protocol_name)))
        error = KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    if (!error && group->state == GROUP_PREPARING) error = KAFKA_REBALANCE_IN_PROGRESS;
    if (!error && member->waits != WAITS_NOT) error = KAFKA_REBALANCE_IN_PROGRESS; /* it asked twice */
    bool assigns = !error && group->state == GROUP_COMPLETING && member->leader;
    if (assigns && !assignments_fit(call, &m)) error = KAFKA_UNKNOWN_SERVER_ERROR; /* as Apache Kafka */
    if (error) {
        refuse_sync(call, error);
        return;
    }
    member->version = call->request.version;
    if (assigns) assign(call, group, &m);
    if (group->state == GROUP_COMPLETING) {
        member_wait(call, member, WAITS_SYNC);
        return;
    }
    member_answer_sync(call, group, member, KAFKA_NONE);
    member_touch(call, group, member);
}

/* ---- Heartbeat ---- */
void groups_heartbeat(struct groups_call *call) {
    struct kafka_heartbeat_request m = {0};
    struct kafka_heartbeat_response answer = {0};
    struct group *group = NULL;
    struct member *member = NULL;
    kafka_heartbeat_request(&call->in, &m);
    struct groups_who who = {m.group_id, m.member_id, m.group_instance_id, m.generation_id};
    answer.error = call->in.failed ? KAFKA_INVALID_REQUEST : groups_find_who(call, &who, &group, &member);
    if (!answer.error) {
        member_touch(call, group, member);
        if (group->state == GROUP_PREPARING) answer.error = KAFKA_REBALANCE_IN_PROGRESS;
    }
    struct kafka_coder out = groups_answer(call, KAFKA_HEARTBEAT, call->request.version);
    kafka_heartbeat_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out));
}

/* ---- LeaveGroup ---- */
static int16_t leave(struct groups_call *call, struct group *group, const struct kafka_leaving_member *who) {
    const struct groups *g = call->groups;
    struct member *member = NULL;
    if (who->group_instance_id.size) {
        member = group_find_instance(g, group, who->group_instance_id);
        if (member && who->member_id.size && !blob_equal(g, member->id, who->member_id))
            return KAFKA_FENCED_INSTANCE_ID;
    } else {
        member = group_find_member(g, group, who->member_id);
    }
    if (!member) return KAFKA_UNKNOWN_MEMBER_ID;
    group_remove_member(call, group, member);
    return KAFKA_NONE;
}

void groups_leave(struct groups_call *call) {
    struct kafka_leave_group_request m = {0};
    struct kafka_leave_group_response answer = {0};
    kafka_leave_group_request(&call->in, &m);
    struct kafka_leaving_member one = {.member_id = m.member_id};
    struct group *group = call->in.failed ? NULL : groups_find(call->groups, m.group_id);
    bool is_list = call->request.version >= 3;
    answer.members = is_list ? m.members : &one;
    answer.member_count = is_list ? m.member_count : 1;
    if (call->in.failed) {
        answer = (struct kafka_leave_group_response){.error = KAFKA_INVALID_REQUEST};
    } else if (m.group_id.size == 0) {
        answer = (struct kafka_leave_group_response){.error = KAFKA_INVALID_GROUP_ID};
    } else {
        for (uint32_t i = 0; i < answer.member_count; i++)
            answer.members[i].error = group ? leave(call, group, &answer.members[i]) : KAFKA_UNKNOWN_MEMBER_ID;
        if (group) group_lost(call, group);
        if (!is_list) answer.error = one.error;
    }
    struct kafka_coder out = groups_answer(call, KAFKA_LEAVE_GROUP, call->request.version);
    kafka_leave_group_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out)); /* at most what was asked, which had three texts each */
}
