/* OffsetCommit, OffsetFetch, OffsetDelete. Which topics and partitions there are is not the fold's to know: a name is
 * kept as it was told. */
#include "groups/groups.h"

/* ---- OffsetCommit ---- */
static int16_t commit_one(
    struct groups_call *call, struct group *group, struct weir_slice topic, const struct kafka_group_offset *m) {
    struct groups *g = call->groups;
    if (topic.size == 0 || topic.size > GROUPS_ID_MAX || m->index < 0) return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (m->metadata.size > call->settings.offset_metadata_max) return KAFKA_OFFSET_METADATA_TOO_LARGE;
    struct offset *o = group_find_offset(g, group, topic, m->index);
    uint32_t needed = blob_chunks(m->metadata.size) + (o ? 0 : blob_chunks(topic.size));
    if (!groups_have_room(g, needed)) return KAFKA_INVALID_COMMIT_OFFSET_SIZE;
    if (!o && g->offsets.count < call->settings.offsets_max) o = group_add_offset(g, group, topic, m->index);
    if (!o) return KAFKA_INVALID_COMMIT_OFFSET_SIZE;
    o->offset = m->offset;
    o->leader_epoch = call->request.version >= 6 ? m->leader_epoch : -1;
    if (m->metadata.size)
        blob_set(g, &o->metadata, m->metadata);
    else
        blob_clear(g, &o->metadata);
    groups_note(g, 9, weir_hash(topic, (uint64_t)m->index), (uint64_t)m->offset);
    return KAFKA_NONE;
}

/* Who may commit: a member of this generation; and a client that is no member (it names generation -1), to a group
 * without members, which is made for it. */
static int16_t find_committer(
    struct groups_call *call, const struct kafka_offset_commit_request *m, struct group **ret_group) {
    struct groups *g = call->groups;
    struct member *member = NULL;
    if (m->group_id.size == 0 || m->group_id.size > GROUPS_ID_MAX) return KAFKA_INVALID_GROUP_ID;
    *ret_group = groups_find(g, m->group_id);
    if (m->generation_id >= 0 && !*ret_group) return KAFKA_ILLEGAL_GENERATION;
    if (m->generation_id < 0 && !m->member_id.size) {
        if (*ret_group) return (*ret_group)->state == GROUP_EMPTY ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
        if (g->groups.count < call->settings.groups_max) *ret_group = groups_add(g, m->group_id, ++g->serial);
        return *ret_group ? KAFKA_NONE : KAFKA_INVALID_COMMIT_OFFSET_SIZE;
    }
    struct groups_who who = {m->group_id, m->member_id, m->group_instance_id, m->generation_id};
    int16_t error = groups_find_who(call, &who, ret_group, &member);
    if (error) return error;
    if ((*ret_group)->state == GROUP_COMPLETING) return KAFKA_REBALANCE_IN_PROGRESS;
    member_touch(call, *ret_group, member);
    return KAFKA_NONE;
}

void groups_offset_commit(struct groups_call *call) {
    struct kafka_offset_commit_request m = {0};
    struct group *group = NULL;
    kafka_offset_commit_request(&call->in, &m);
    if (call->in.failed) m.topic_count = 0; /* only from who wrote the topic by hand; the node has looked at it */
    int16_t error = call->in.failed ? KAFKA_INVALID_REQUEST : find_committer(call, &m, &group);
    for (uint32_t t = 0; t < m.topic_count; t++)
        for (uint32_t p = 0; p < m.topics[t].partition_count; p++) {
            struct kafka_group_offset *o = &m.topics[t].partitions[p];
            o->error = error ? error : commit_one(call, group, m.topics[t].name, o);
        }
    if (group && !error) {
        group->used_ns = call->now_ns;
        if (group->state == GROUP_EMPTY)
            group_due(call, group, call->now_ns + (group->offset_count ? call->settings.retention_ns : 0));
    }
    struct kafka_offset_commit_response answer = {.topic_count = m.topic_count, .topics = m.topics};
    struct kafka_coder out = groups_answer(call, KAFKA_OFFSET_COMMIT, call->request.version);
    kafka_offset_commit_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out)); /* less than what was asked */
}

/* ---- OffsetFetch ---- */
static bool fill_offset(struct groups_call *call, const struct offset *o, struct kafka_group_offset *m) {
    m->offset = o ? o->offset : -1;
    m->leader_epoch = o ? o->leader_epoch : -1;
    m->metadata = weir_slice("", 0);
    return !o || blob_try(call->groups, o->metadata, call->arena, &m->metadata);
}

static bool fill_wanted(struct groups_call *call, const struct group *group, const struct kafka_wanted_group *wanted,
    struct kafka_fetched_group *m) {
    m->topics = arena_zalloc(call->arena, wanted->topic_count + 1, sizeof *m->topics);
    if (!m->topics) return false;
    m->topic_count = wanted->topic_count;
    for (uint32_t t = 0; t < wanted->topic_count; t++) {
        const struct kafka_wanted_topic *topic = &wanted->topics[t];
        struct kafka_group_topic *to = &m->topics[t];
        to->name = topic->name;
        to->partition_count = topic->partition_count;
        to->partitions = arena_zalloc(call->arena, topic->partition_count + 1, sizeof *to->partitions);
        if (!to->partitions) return false;
        for (uint32_t p = 0; p < topic->partition_count; p++) {
            to->partitions[p].index = topic->partitions[p];
            const struct offset *o =
                group ? group_find_offset(call->groups, group, topic->name, topic->partitions[p]) : NULL;
            if (!fill_offset(call, o, &to->partitions[p])) return false;
        }
    }
    return true;
}

/* All there are: a topic each time another one comes, in the order in which they were first committed. */
static bool fill_all(struct groups_call *call, const struct group *group, struct kafka_fetched_group *m) {
    const struct groups *g = call->groups;
    uint32_t count = group ? group->offset_count : 0, at = 0;
    struct kafka_group_offset *partitions = arena_zalloc(call->arena, count + 1, sizeof *partitions);
    m->topics = arena_zalloc(call->arena, count + 1, sizeof *m->topics);
    if (!partitions || !m->topics) return false;
    if (!group) return true;
    OFFSETS_EACH(g, group, o) {
        struct kafka_group_topic *last = m->topic_count ? &m->topics[m->topic_count - 1] : NULL;
        if (!last || !blob_equal(g, o->topic, last->name)) {
            last = &m->topics[m->topic_count++];
            *last = (struct kafka_group_topic){.partitions = &partitions[at]};
            if (!blob_try(g, o->topic, call->arena, &last->name)) return false;
        }
        partitions[at].index = o->partition;
        if (!fill_offset(call, o, &partitions[at++])) return false;
        last->partition_count++;
    }
    return true;
}

static bool fill_group(
    struct groups_call *call, const struct kafka_wanted_group *wanted, struct kafka_fetched_group *m) {
    const struct group *group = groups_find(call->groups, wanted->group_id);
    *m = (struct kafka_fetched_group){.group_id = wanted->group_id};
    return wanted->topics ? fill_wanted(call, group, wanted, m) : fill_all(call, group, m);
}

void groups_offset_fetch(struct groups_call *call) {
    struct kafka_offset_fetch_request m = {0};
    struct kafka_offset_fetch_response answer = {0};
    kafka_offset_fetch_request(&call->in, &m);
    answer.groups = arena_zalloc(call->arena, m.group_count + 1, sizeof *answer.groups);
    bool good = !call->in.failed && answer.groups;
    if (good && call->request.version < 8) good = fill_group(call, &m.one, &answer.one);
    for (uint32_t i = 0; good && i < m.group_count; i++)
        if (groups_is_mine(call, m.groups[i].group_id))
            good = fill_group(call, &m.groups[i], &answer.groups[answer.group_count++]);
    struct kafka_coder out = groups_answer(call, KAFKA_OFFSET_FETCH, call->request.version);
    if (good) kafka_offset_fetch_response(&out, &answer);
    if (good && groups_reply(call, &out)) return;
    /* More than an answer holds: it is to be asked in parts. */
    answer.one = (struct kafka_fetched_group){.error = KAFKA_UNKNOWN_SERVER_ERROR};
    for (uint32_t i = 0; i < answer.group_count; i++)
        answer.groups[i] =
            (struct kafka_fetched_group){.group_id = answer.groups[i].group_id, .error = KAFKA_UNKNOWN_SERVER_ERROR};
    out = groups_answer(call, KAFKA_OFFSET_FETCH, call->request.version);
    kafka_offset_fetch_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out));
}

/* ---- OffsetDelete ---- */
void groups_offset_delete(struct groups_call *call) {
    struct groups *g = call->groups;
    struct kafka_offset_delete_request m = {0};
    kafka_offset_delete_request(&call->in, &m);
    struct kafka_offset_delete_response answer = {.topic_count = m.topic_count, .topics = m.topics};
    struct group *group = call->in.failed ? NULL : groups_find(g, m.group_id);
    if (call->in.failed)
        answer = (struct kafka_offset_delete_response){.error = KAFKA_INVALID_REQUEST};
    else if (!group)
        answer = (struct kafka_offset_delete_response){.error = KAFKA_GROUP_ID_NOT_FOUND};
    else if (group->state != GROUP_EMPTY) /* what its members subscribe to is opaque here */
        answer = (struct kafka_offset_delete_response){.error = KAFKA_NON_EMPTY_GROUP};
    for (uint32_t t = 0; t < answer.topic_count; t++)
        for (uint32_t p = 0; p < m.topics[t].partition_count; p++) {
            struct offset *o = group_find_offset(g, group, m.topics[t].name, m.topics[t].partitions[p].index);
            if (o) group_drop_offset(g, group, o);
        }
    if (group && group->state == GROUP_EMPTY && !group->offset_count) group_due(call, group, call->now_ns);
    struct kafka_coder out = groups_answer(call, KAFKA_OFFSET_DELETE, call->request.version);
    kafka_offset_delete_response(&out, &answer);
    WEIR_ASSERT(groups_reply(call, &out));
}
