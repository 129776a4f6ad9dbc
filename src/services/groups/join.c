/* JoinGroup. */
#include "groups/groups.h"

#include "base/text.h"

#define NS_PER_MS 1000000u

struct joining {
    struct groups_call *call;
    struct kafka_join_group_request request;
    struct weir_slice protocols; /* the request's, as a member keeps them */
};

static void refuse(struct groups_call *call, int16_t error, struct weir_slice member_id) {
    struct kafka_join_group_response m = {
        .error = error, .generation_id = -1, .leader = weir_slice("", 0), .member_id = member_id};
    struct kafka_coder out = groups_answer(call, KAFKA_JOIN_GROUP, call->request.version);
    kafka_join_group_response(&out, &m);
    WEIR_ASSERT(groups_reply(call, &out));
}

/* The protocols in the form in which they are kept. */
static bool keep_protocols(struct joining *j) {
    struct kafka_coder c = {.encoding = true, .out_size = GROUPS_METADATA_MAX};
    c.out = arena_alloc(j->call->arena, c.out_size);
    WEIR_ASSERT(c.out);
    KAFKA_ARRAY(&c, j->request.protocol_count, j->request.protocols, KAFKA_NOT_NULL, kafka_group_protocol);
    j->protocols = weir_slice(c.out, c.out_at);
    return !c.failed;
}

static int16_t check(struct joining *j) {
    const struct kafka_join_group_request *m = &j->request;
    uint64_t session_ns = (uint64_t)m->session_timeout_ms * NS_PER_MS;
    if (m->group_id.size == 0 || m->group_id.size > GROUPS_ID_MAX) return KAFKA_INVALID_GROUP_ID;
    if (m->session_timeout_ms <= 0 || m->rebalance_timeout_ms <= 0 ||
        session_ns < j->call->settings.session_timeout_min_ns || session_ns > j->call->settings.session_timeout_max_ns)
        return KAFKA_INVALID_SESSION_TIMEOUT;
    if (m->group_instance_id.size > GROUPS_ID_MAX || (m->group_instance_id.data && !m->group_instance_id.size))
        return KAFKA_INVALID_REQUEST;
    if (!m->protocol_count || m->protocol_count > GROUPS_PROTOCOLS_MAX || !m->protocol_type.size ||
        m->protocol_type.size > GROUPS_ID_MAX)
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    for (uint32_t i = 0; i < m->protocol_count; i++)
        if (m->protocols[i].name.size > GROUPS_ID_MAX) return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    return keep_protocols(j) ? KAFKA_NONE : KAFKA_GROUP_MAX_SIZE_REACHED;
}

/* One type for all, and a protocol that all have. */
static bool fits(struct joining *j, const struct group *group, const struct member *self) {
    const struct groups *g = j->call->groups;
    uint32_t others = group->member_count - (self && !self->pending);
    if (others == 0) return true;
    if (!blob_equal(g, group->type, j->request.protocol_type)) return false;
    uint32_t *has = arena_zalloc(j->call->arena, j->request.protocol_count, sizeof *has);
    WEIR_ASSERT(has);
    MEMBERS_EACH(g, group, member) {
        struct kafka_group_protocol *theirs;
        uint32_t count = member->pending || member == self ? 0 : member_protocols(j->call, member, &theirs);
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t k = 0; k < j->request.protocol_count; k++)
                has[k] += weir_slice_equal(theirs[i].name, j->request.protocols[k].name);
    }
    for (uint32_t k = 0; k < j->request.protocol_count; k++)
        if (has[k] >= others) return true;
    return false;
}

/* Room for what the member is to keep, beside what it keeps, and for the group's type and protocol. */
static bool have_room(const struct joining *j, const struct group *group, const struct member *member) {
    uint32_t held = member ? member->protocols.size : 0;
    if (group->metadata_bytes - held + j->protocols.size > GROUPS_METADATA_MAX) return false;
    size_t chunks =
        blob_chunks(j->protocols.size) + 4 * blob_chunks(GROUPS_ID_MAX) + 2 * blob_chunks(GROUPS_CLIENT_MAX) + 8;
    return groups_have_room(j->call->groups, chunks);
}

static void take(struct joining *j, struct group *group, struct member *member) {
    struct groups *g = j->call->groups;
    group->metadata_bytes += (uint32_t)j->protocols.size - member->protocols.size;
    blob_set(g, &member->protocols, j->protocols);
    member->session_ms = (uint32_t)j->request.session_timeout_ms;
    member->rebalance_ms = (uint32_t)j->request.rebalance_timeout_ms;
    if (!blob_equal(g, group->type, j->request.protocol_type)) blob_set(g, &group->type, j->request.protocol_type);
    groups_note(g, 7, group->serial, weir_hash(j->protocols, 0));
}

/* It is in, and waits for the others. */
static void join(struct joining *j, struct group *group, struct member *member, bool is_new) {
    struct groups_call *call = j->call;
    take(j, group, member);
    if (group->state != GROUP_PREPARING) {
        group_prepare(call, group);
    } else if (is_new && group->initial_until_ns) {
        uint64_t at = call->now_ns + call->settings.initial_delay_ns;
        group->rebalance_at_ns = at < group->initial_until_ns ? at : group->initial_until_ns;
        group_due(call, group, group->rebalance_at_ns);
    }
    member_wait(call, member, WAITS_JOIN);
    group_try_complete(call, group);
}

/* Nothing changes for the others: the answer is the generation there is. */
static void answer_present(struct joining *j, struct group *group, struct member *member) {
    struct groups_call *call = j->call;
    struct weir_slice leader = weir_slice("", 0);
    MEMBERS_EACH(call->groups, group, other)
    if (other->leader) leader = blob_get(call->groups, other->id, call->arena);
    member->version = call->request.version;
    member_touch(call, group, member);
    member_answer_join(call, group, member, leader);
}

/* ---- new members ---- */
static struct weir_slice make_id(struct groups_call *call, struct weir_slice prefix) {
    char *text = arena_alloc(call->arena, GROUPS_CLIENT_MAX + 64);
    WEIR_ASSERT(text);
    struct text_builder t = text_builder(text, GROUPS_CLIENT_MAX + 64);
    if (prefix.size > GROUPS_CLIENT_MAX) prefix.size = GROUPS_CLIENT_MAX;
    text_add_slice(&t, prefix);
    /* Of no other record of this partition, nor of one that a restored backup would have had there. */
    text_printf(&t, "-%016llx-%llx", (unsigned long long)call->now_ns, (unsigned long long)call->offset);
    return text_slice(&t);
}

static void cut(struct groups *g, struct blob *blob, struct weir_slice text) {
    if (text.size > GROUPS_CLIENT_MAX) text.size = GROUPS_CLIENT_MAX;
    blob_set(g, blob, text);
}

static struct member *add_member(struct joining *j, struct group *group, struct weir_slice id, bool pending) {
    struct groups_call *call = j->call;
    bool full = group->member_count + group->pending_count >= call->settings.group_members_max ||
                call->groups->members.count >= call->settings.members_max;
    struct member *member = full || !have_room(j, group, NULL) ? NULL : group_add_member(call->groups, group);
    if (!member) return NULL;
    if (pending)
        group->pending_count++;
    else
        group->member_count++;
    member->pending = pending;
    blob_set(call->groups, &member->id, id);
    cut(call->groups, &member->client, call->request.client_id);
    cut(call->groups, &member->host, call->request.peer);
    if (j->request.group_instance_id.size) blob_set(call->groups, &member->instance, j->request.group_instance_id);
    return member;
}

static void join_new(struct joining *j, struct group *group) {
    struct groups_call *call = j->call;
    bool is_static = j->request.group_instance_id.size > 0;
    struct weir_slice id = make_id(call, is_static ? j->request.group_instance_id : call->request.client_id);
    bool asks_first = !is_static && call->request.version >= 4; /* KIP-394 */
    struct member *member = add_member(j, group, id, asks_first);
    if (!member) {
        refuse(call, KAFKA_GROUP_MAX_SIZE_REACHED, j->request.member_id);
        group_lost(call, group); /* it may have been made for this */
    } else if (asks_first) {
        member->session_ms = (uint32_t)j->request.session_timeout_ms;
        member_touch(call, group, member);
        refuse(call, KAFKA_MEMBER_ID_REQUIRED, id);
    } else {
        join(j, group, member, true);
    }
}

static bool same_metadata(struct joining *j, const struct group *group, const struct member *member) {
    struct groups_call *call = j->call;
    struct weir_slice protocol = blob_get(call->groups, group->protocol, call->arena);
    struct weir_slice old = {0}, new = {0};
    struct kafka_group_protocol *protocols;
    uint32_t count = member_protocols(call, member, &protocols);
    for (uint32_t i = 0; i < count; i++)
        if (weir_slice_equal(protocols[i].name, protocol)) old = protocols[i].metadata;
    for (uint32_t i = 0; i < j->request.protocol_count; i++)
        if (weir_slice_equal(j->request.protocols[i].name, protocol)) new = j->request.protocols[i].metadata;
    return old.data && new.data &&weir_slice_equal(old, new);
}

/* A static member that started anew: the same place under a new id; whoever has the old one is fenced (KIP-345). */
static void replace_static(struct joining *j, struct group *group, struct member *member) {
    struct groups_call *call = j->call;
    struct groups *g = call->groups;
    struct weir_slice old_id = blob_get(g, member->id, call->arena);
    bool same = group->state == GROUP_STABLE && same_metadata(j, group, member);
    group_fence(call, group, member);
    blob_set(g, &member->id, make_id(call, j->request.group_instance_id));
    cut(g, &member->client, call->request.client_id);
    cut(g, &member->host, call->request.peer);
    if (!same) {
        join(j, group, member, false);
        return;
    }
    take(j, group, member);
    member->version = call->request.version;
    member_touch(call, group, member);
    if (member->leader && call->request.version < 9) /* it cannot be told to leave the assignment as it is (KIP-814) */
        member_answer_join(call, group, member, old_id);
    else
        answer_present(j, group, member);
}

/* ---- members that are known ---- */
static void rejoin(struct joining *j, struct group *group, struct member *member) {
    struct groups *g = j->call->groups;
    bool same = blob_equal(g, member->protocols, j->protocols);
    bool present = group->state == GROUP_COMPLETING || (group->state == GROUP_STABLE && !member->leader);
    if (member->pending) {
        member->pending = false;
        group->pending_count--;
        group->member_count++;
        join(j, group, member, true);
    } else if (same && present && member->waits == WAITS_NOT) {
        answer_present(j, group, member);
    } else {
        join(j, group, member, false);
    }
}

static void join_as(struct joining *j, struct group *group) {
    const struct groups *g = j->call->groups;
    struct weir_slice id = j->request.member_id, instance = j->request.group_instance_id;
    struct member *by_instance = instance.size && group ? group_find_instance(g, group, instance) : NULL;
    struct member *member = group ? group_find_member(g, group, id) : NULL;
    int16_t error = KAFKA_NONE;
    if (instance.size && by_instance && by_instance != member)
        error = KAFKA_FENCED_INSTANCE_ID;
    else if (!member || (instance.size && !by_instance))
        error = KAFKA_UNKNOWN_MEMBER_ID;
    else if (!fits(j, group, member))
        error = KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    else if (!have_room(j, group, member))
        error = KAFKA_GROUP_MAX_SIZE_REACHED;
    if (error)
        refuse(j->call, error, id);
    else
        rejoin(j, group, member);
}

void groups_join(struct groups_call *call) {
    struct joining j = {.call = call};
    kafka_join_group_request(&call->in, &j.request);
    int16_t error = call->in.failed ? KAFKA_INVALID_REQUEST : check(&j);
    struct weir_slice id = call->in.failed ? weir_slice("", 0) : j.request.member_id;
    if (error) {
        refuse(call, error, id);
        return;
    }
    struct group *group = groups_find(call->groups, j.request.group_id);
    if (id.size) {
        join_as(&j, group);
        return;
    }
    bool is_full = !group && call->groups->groups.count >= call->settings.groups_max;
    if (!group && !is_full) group = groups_add(call->groups, j.request.group_id, ++call->groups->serial);
    struct weir_slice instance = j.request.group_instance_id;
    struct member *known = group && instance.size ? group_find_instance(call->groups, group, instance) : NULL;
    if (!group)
        refuse(call, KAFKA_GROUP_MAX_SIZE_REACHED, id);
    else if (!fits(&j, group, known))
        refuse(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL, id);
    else if (known && !have_room(&j, group, known))
        refuse(call, KAFKA_GROUP_MAX_SIZE_REACHED, id);
    else if (known)
        replace_static(&j, group, known);
    else
        join_new(&j, group);
}
