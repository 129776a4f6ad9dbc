/* A group's states: when a rebalance begins, what it waits for, and how it ends.
 *
 *     EMPTY -> PREPARING     a member joins
 *     PREPARING -> COMPLETING   all have joined, or the time is over; without members: -> EMPTY
 *     COMPLETING -> STABLE      the leader has told who gets what
 *     COMPLETING, STABLE -> PREPARING   a member joins, leaves or is lost, or the leader joins again
 */
#include "groups/groups.h"

#define NS_PER_MS 1000000u

struct weir_slice groups_state_name(const struct group *group) {
    static const char *const names[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"};
    return weir_slice_text(names[group->state]);
}

void group_due(struct groups_call *call, struct group *group, uint64_t at_ns) {
    if (group->timer_at_ns && group->timer_at_ns <= at_ns) return;
    group->timer_at_ns = at_ns;
    weir_timer_set(call->out, group->serial, at_ns);
}

void member_touch(struct groups_call *call, struct group *group, struct member *member) {
    member->deadline_ns = call->now_ns + (uint64_t)member->session_ms * NS_PER_MS;
    group_due(call, group, member->deadline_ns);
}

static uint64_t rebalance_ns(const struct groups *g, const struct group *group) {
    uint32_t max = 0;
    MEMBERS_EACH(g, group, member)
    if (!member->pending && member->rebalance_ms > max) max = member->rebalance_ms;
    return (uint64_t)max * NS_PER_MS;
}

/* ---- answers to members ---- */
uint32_t member_protocols(
    struct groups_call *call, const struct member *member, struct kafka_group_protocol **ret_protocols) {
    struct weir_slice bytes = blob_get(call->groups, member->protocols, call->arena);
    struct kafka_coder c = {.at = bytes.data, .end = bytes.data + bytes.size, .arena = call->arena};
    struct kafka_group_protocol *protocols = NULL;
    uint32_t count = 0;
    KAFKA_ARRAY(&c, count, protocols, KAFKA_NOT_NULL, kafka_group_protocol);
    WEIR_ASSERT(!c.failed); /* as it was encoded when the member joined */
    *ret_protocols = protocols;
    return count;
}

static struct weir_slice metadata_of(
    struct groups_call *call, const struct member *member, struct weir_slice protocol) {
    struct kafka_group_protocol *protocols;
    uint32_t count = member_protocols(call, member, &protocols);
    for (uint32_t i = 0; i < count; i++)
        if (weir_slice_equal(protocols[i].name, protocol)) return protocols[i].metadata;
    return weir_slice("", 0);
}

static void fill_members(struct groups_call *call, const struct group *group, struct weir_slice protocol,
    struct kafka_join_group_response *m) {
    const struct groups *g = call->groups;
    m->members = arena_alloc(call->arena, (group->member_count + 1) * sizeof *m->members);
    WEIR_ASSERT(m->members);
    MEMBERS_EACH(g, group, member) {
        if (member->pending) continue;
        m->members[m->member_count++] = (struct kafka_joined_member){.member_id = blob_get(g, member->id, call->arena),
            .group_instance_id =
                member->instance.size ? blob_get(g, member->instance, call->arena) : (struct weir_slice){0},
            .metadata = metadata_of(call, member, protocol)};
    }
}

void member_answer_join(
    struct groups_call *call, struct group *group, struct member *member, struct weir_slice leader) {
    const struct groups *g = call->groups;
    struct weir_slice protocol = blob_get(g, group->protocol, call->arena);
    struct kafka_join_group_response m = {.generation_id = group->generation,
        .protocol_type = blob_get(g, group->type, call->arena),
        .protocol_name = protocol,
        .leader = leader,
        .member_id = blob_get(g, member->id, call->arena)};
    bool replaced = !blob_equal(g, member->id, leader); /* a static leader's new self: told of its old one */
    if (member->leader && !replaced) fill_members(call, group, protocol, &m);
    m.skip_assignment = member->leader && group->state == GROUP_STABLE;
    struct kafka_coder out = groups_answer(call, KAFKA_JOIN_GROUP, member->version);
    kafka_join_group_response(&out, &m);
    WEIR_ASSERT(groups_reply(call, &out)); /* GROUPS_METADATA_MAX and names of all members */
}

void member_answer_sync(struct groups_call *call, struct group *group, struct member *member, int16_t error) {
    const struct groups *g = call->groups;
    struct kafka_sync_group_response m = {.error = error, .assignment = weir_slice("", 0)};
    if (!error) {
        m.protocol_type = blob_get(g, group->type, call->arena);
        m.protocol_name = blob_get(g, group->protocol, call->arena);
        m.assignment = blob_get(g, member->assignment, call->arena);
        member->synced = true;
    }
    struct kafka_coder out = groups_answer(call, KAFKA_SYNC_GROUP, member->version);
    kafka_sync_group_response(&out, &m);
    WEIR_ASSERT(groups_reply(call, &out));
}

/* Who waits hears that it is over. */
static void end_wait(struct groups_call *call, struct group *group, struct member *member, int16_t error) {
    uint8_t waits = member->waits;
    if (waits == WAITS_NOT) return;
    member->waits = WAITS_NOT;
    call->ticket = member->ticket;
    if (waits == WAITS_SYNC) {
        member_answer_sync(call, group, member, error);
    } else {
        struct kafka_join_group_response m = {.error = error,
            .generation_id = -1,
            .leader = weir_slice("", 0),
            .member_id = blob_get(call->groups, member->id, call->arena)};
        struct kafka_coder out = groups_answer(call, KAFKA_JOIN_GROUP, member->version);
        kafka_join_group_response(&out, &m);
        WEIR_ASSERT(groups_reply(call, &out));
    }
    call->ticket = GROUPS_NOW;
}

void member_wait(struct groups_call *call, struct member *member, enum member_wait wait) {
    end_wait(call, NULL, member, KAFKA_REBALANCE_IN_PROGRESS); /* it asked twice: the first is told */
    member->waits = (uint8_t)wait;
    member->version = call->request.version;
    member->ticket = call->offset;
    call->waits = true;
}

/* ---- the end of a rebalance ---- */
static void become_empty(struct groups_call *call, struct group *group) {
    group->state = GROUP_EMPTY;
    group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
    group->initial_until_ns = group->sync_by_ns = 0;
    group->used_ns = call->now_ns;
    blob_clear(call->groups, &group->protocol);
    groups_note(call->groups, 5, group->serial, (uint64_t)group->generation);
    group_due(call, group, call->now_ns + (group->offset_count ? call->settings.retention_ns : 0));
}

/* Each member votes for the first of its protocols that all have; the most votes win, the first among equals. */
static struct weir_slice vote(struct groups_call *call, const struct group *group) {
    const struct groups *g = call->groups;
    struct kafka_group_protocol *candidates = NULL, *protocols = NULL;
    uint32_t count = 0, best = 0;
    MEMBERS_EACH(g, group, first)
    if (!first->pending) {
        count = member_protocols(call, first, &candidates);
        break;
    }
    uint32_t *has = arena_zalloc(call->arena, count + 1, sizeof *has);
    uint32_t *votes = arena_zalloc(call->arena, count + 1, sizeof *votes);
    WEIR_ASSERT(count && has && votes); /* there is a member, and each has protocols */
    for (int round = 0; round < 2; round++)
        MEMBERS_EACH(g, group, member) {
            uint32_t n = member->pending ? 0 : member_protocols(call, member, &protocols);
            bool voted = false;
            for (uint32_t i = 0; i < n; i++)
                for (uint32_t k = 0; k < count; k++) {
                    if (!weir_slice_equal(candidates[k].name, protocols[i].name)) continue;
                    has[k] += round == 0;
                    if (round == 0 || voted || has[k] != group->member_count) continue;
                    votes[k]++;
                    voted = true;
                }
        }
    for (uint32_t k = 1; k < count; k++)
        if (votes[k] > votes[best]) best = k;
    return candidates[best].name;
}

/* Those who did not come back are out; static members keep their place until their session ends. */
static void drop_absent(struct groups_call *call, struct group *group) {
    struct groups *g = call->groups;
    for (struct member *next, *member = member_at(g, group->first_member); member; member = next) {
        next = member_at(g, member->next);
        if (!member->pending && member->waits != WAITS_JOIN && !member->instance.size)
            group_remove_member(call, group, member);
    }
}

static struct member *choose_leader(const struct groups *g, const struct group *group) {
    struct member *leader = NULL;
    MEMBERS_EACH(g, group, member)
    if (member->waits == WAITS_JOIN && (!leader || (member->leader && !leader->leader))) leader = member;
    MEMBERS_EACH(g, group, other) other->leader = other == leader;
    return leader;
}

static void complete(struct groups_call *call, struct group *group) {
    struct groups *g = call->groups;
    drop_absent(call, group);
    group->initial_until_ns = 0;
    if (group->member_count == 0) {
        become_empty(call, group);
        return;
    }
    struct member *leader = choose_leader(g, group);
    if (!leader) { /* static members only, of which none is here */
        group->rebalance_at_ns = call->now_ns + rebalance_ns(g, group);
        group_due(call, group, group->rebalance_at_ns);
        return;
    }
    group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
    group->state = GROUP_COMPLETING;
    group->sync_by_ns = call->now_ns + rebalance_ns(g, group);
    group_due(call, group, group->sync_by_ns);
    struct weir_slice protocol = vote(call, group);
    if (!blob_equal(g, group->protocol, protocol)) { /* of at most GROUPS_ID_MAX bytes, for which a join left room */
        blob_clear(g, &group->protocol);
        blob_set(g, &group->protocol, protocol);
    }
    groups_note(g, 6, group->serial, (uint64_t)group->generation);
    struct weir_slice leader_id = blob_get(g, leader->id, call->arena);
    MEMBERS_EACH(g, group, member) {
        blob_clear(g, &member->assignment);
        member->synced = false;
        if (member->waits != WAITS_JOIN) continue;
        member->waits = WAITS_NOT;
        call->ticket = member->ticket;
        member_answer_join(call, group, member, leader_id);
        member_touch(call, group, member);
    }
    call->ticket = GROUPS_NOW;
}

void group_try_complete(struct groups_call *call, struct group *group) {
    if (group->state != GROUP_PREPARING || group->initial_until_ns || group->pending_count) return;
    MEMBERS_EACH(call->groups, group, member)
    if (member->waits != WAITS_JOIN) return;
    complete(call, group);
}

void group_prepare(struct groups_call *call, struct group *group) {
    struct groups *g = call->groups;
    bool was_empty = group->state == GROUP_EMPTY;
    if (group->state == GROUP_COMPLETING) MEMBERS_EACH(g, group, member)
    if (member->waits == WAITS_SYNC) {
        end_wait(call, group, member, KAFKA_REBALANCE_IN_PROGRESS);
        member_touch(call, group, member);
    }
    group->state = GROUP_PREPARING;
    group->sync_by_ns = 0;
    group->rebalance_at_ns = call->now_ns + rebalance_ns(g, group);
    if (was_empty && call->settings.initial_delay_ns) {
        group->initial_until_ns = group->rebalance_at_ns;
        if (group->rebalance_at_ns > call->now_ns + call->settings.initial_delay_ns)
            group->rebalance_at_ns = call->now_ns + call->settings.initial_delay_ns;
    }
    group_due(call, group, group->rebalance_at_ns);
}

/* ---- who goes ---- */
void group_remove_member(struct groups_call *call, struct group *group, struct member *member) {
    end_wait(call, group, member, KAFKA_UNKNOWN_MEMBER_ID);
    group_drop_member(call->groups, group, member);
}

void group_fence(struct groups_call *call, struct group *group, struct member *member) {
    end_wait(call, group, member, KAFKA_FENCED_INSTANCE_ID);
}

void group_lost(struct groups_call *call, struct group *group) {
    if (group->state == GROUP_COMPLETING || group->state == GROUP_STABLE) group_prepare(call, group);
    if (group->state == GROUP_PREPARING && group->member_count == 0)
        complete(call, group);
    else
        group_try_complete(call, group);
    if (group->state == GROUP_EMPTY && !group->pending_count && !group->offset_count)
        group_due(call, group, call->now_ns); /* nothing of it is left */
}

/* ---- time ---- */
static bool is_out(const struct groups_call *call, const struct group *group, const struct member *member) {
    if (member->waits != WAITS_NOT) return false;
    bool late = !member->pending && group->sync_by_ns && group->sync_by_ns <= call->now_ns && !member->synced;
    return late || member->deadline_ns <= call->now_ns;
}

/* Waiting for an assignment that does not come ends with the leader. */
static bool drop_lost(struct groups_call *call, struct group *group) {
    struct groups *g = call->groups;
    bool any = false;
    for (struct member *next, *member = member_at(g, group->first_member); member; member = next) {
        next = member_at(g, member->next);
        if (!is_out(call, group, member)) continue;
        group_remove_member(call, group, member);
        any = true;
    }
    if (group->sync_by_ns <= call->now_ns) group->sync_by_ns = 0;
    return any;
}

static void next_timer(struct groups_call *call, struct group *group) {
    MEMBERS_EACH(call->groups, group, member)
    if (member->waits == WAITS_NOT) group_due(call, group, member->deadline_ns);
    if (group->state == GROUP_PREPARING) group_due(call, group, group->rebalance_at_ns);
    if (group->sync_by_ns) group_due(call, group, group->sync_by_ns);
    if (group->state == GROUP_EMPTY && !group->pending_count)
        group_due(call, group, group->used_ns + (group->offset_count ? call->settings.retention_ns : 0));
}

void group_on_timer(struct groups_call *call, struct group *group) {
    group->timer_at_ns = 0;
    if (drop_lost(call, group)) group_lost(call, group);
    if (group->state == GROUP_PREPARING && group->rebalance_at_ns <= call->now_ns) complete(call, group);
    uint64_t keep_ns = group->offset_count ? call->settings.retention_ns : 0;
    if (group->state == GROUP_EMPTY && !group->pending_count && group->used_ns + keep_ns <= call->now_ns)
        groups_remove(call->groups, group);
    else
        next_timer(call, group);
}

void groups_on_start(struct groups_call *call) {
    GROUPS_EACH(call->groups, group) {
        MEMBERS_EACH(call->groups, group, member) {
            member->waits = WAITS_NOT; /* its connection is gone */
            member_touch(call, group, member);
        }
        if (group->state == GROUP_PREPARING) group->rebalance_at_ns = call->now_ns + rebalance_ns(call->groups, group);
        if (group->sync_by_ns) group->sync_by_ns = call->now_ns + rebalance_ns(call->groups, group);
        group->initial_until_ns = 0;
        next_timer(call, group);
    }
}
