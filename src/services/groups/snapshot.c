/* The whole state as bytes and back. What is written is a function of the state alone: groups in the order in
 * which they were made, their members and offsets in the order in which they came; no index. What is read is checked
 * against the room there is. */
#include "groups/groups.h"

struct saved_head {
    uint64_t serial, digest, chunks_max, group_count;
};

/* ---- writing ---- */
static enum weir_error put_blob(const struct groups *g, struct blob blob, struct weir_sink *sink) {
    enum weir_error e = weir_sink_put(sink, &blob.size, sizeof blob.size);
    uint32_t index = blob.first;
    for (uint32_t at = 0; e == WEIR_OK && at < blob.size; at += GROUPS_CHUNK_PAYLOAD) {
        const struct chunk *chunk = pool_at(&g->chunks, index);
        uint32_t n = blob.size - at < GROUPS_CHUNK_PAYLOAD ? blob.size - at : GROUPS_CHUNK_PAYLOAD;
        e = weir_sink_put(sink, chunk->bytes, n);
        index = chunk->next;
    }
    return e;
}

static const struct blob nothing = {0, 0};

static enum weir_error put_member(const struct groups *g, const struct member *member, struct weir_sink *sink) {
    struct member saved = *member;
    saved.next = saved.previous = 0;
    saved.id = saved.instance = saved.client = saved.host = saved.protocols = saved.assignment = nothing;
    const struct blob blobs[] = {
        member->id, member->instance, member->client, member->host, member->protocols, member->assignment};
    enum weir_error e = weir_sink_put(sink, &saved, sizeof saved);
    for (size_t i = 0; e == WEIR_OK && i < WEIR_ARRAY_COUNT(blobs); i++)
        e = put_blob(g, blobs[i], sink);
    return e;
}

static enum weir_error put_offset(const struct groups *g, const struct offset *o, struct weir_sink *sink) {
    struct offset saved = *o;
    saved.next = saved.previous = saved.next_in_bucket = saved.group = 0;
    saved.topic = saved.metadata = nothing;
    enum weir_error e = weir_sink_put(sink, &saved, sizeof saved);
    if (!e) e = put_blob(g, o->topic, sink);
    return e ? e : put_blob(g, o->metadata, sink);
}

static enum weir_error put_group(const struct groups *g, const struct group *group, struct weir_sink *sink) {
    struct group saved = *group;
    saved.next = saved.previous = saved.next_in_bucket = 0;
    saved.first_member = saved.last_member = saved.first_offset = saved.last_offset = 0;
    saved.name = saved.type = saved.protocol = nothing;
    enum weir_error e = weir_sink_put(sink, &saved, sizeof saved);
    if (!e) e = put_blob(g, group->name, sink);
    if (!e) e = put_blob(g, group->type, sink);
    if (!e) e = put_blob(g, group->protocol, sink);
    MEMBERS_EACH(g, group, member)
    if (!e) e = put_member(g, member, sink);
    OFFSETS_EACH(g, group, o)
    if (!e) e = put_offset(g, o, sink);
    return e;
}

enum weir_error groups_save(const void *state, struct weir_sink *sink) {
    const struct groups *g = state;
    struct saved_head head = {g->serial, g->digest, g->chunks_max, g->groups.count};
    enum weir_error e = weir_sink_put(sink, &head, sizeof head);
    GROUPS_EACH(g, group)
    if (!e) e = put_group(g, group, sink);
    return e;
}

/* ---- reading ---- */
static enum weir_error bad(const char *what) {
    return weir_error_context(WEIR_E_CORRUPT, "a snapshot of groups has %s that cannot be taken", what);
}

static enum weir_error get_bytes(struct groups *g, struct weir_source *source, struct weir_slice *ret) {
    uint32_t size;
    enum weir_error e = weir_source_get(source, &size, sizeof size);
    if (!e && size > GROUPS_REPLY_MAX) e = bad("a text");
    if (!e && size) e = weir_source_get(source, g->reply, size);
    if (!e) *ret = weir_slice(g->reply, size);
    return e;
}

static enum weir_error get_blob(struct groups *g, struct weir_source *source, struct blob *blob) {
    struct weir_slice bytes;
    enum weir_error e = get_bytes(g, source, &bytes);
    if (!e && blob_chunks(bytes.size) > g->chunks.capacity - g->chunks.count) e = bad("more bytes");
    if (!e) blob_set(g, blob, bytes);
    return e;
}

static enum weir_error get_member(struct groups *g, struct group *group, struct weir_source *source) {
    struct member saved;
    enum weir_error e = weir_source_get(source, &saved, sizeof saved);
    if (e) return e;
    struct member *member = saved.waits <= WAITS_SYNC ? group_add_member(g, group) : NULL;
    if (!member) return bad("a member");
    struct member links = *member;
    *member = saved;
    member->next = links.next;
    member->previous = links.previous;
    member->id = member->instance = member->client = member->host = member->protocols = member->assignment = links.id;
    struct blob *blobs[] = {
        &member->id, &member->instance, &member->client, &member->host, &member->protocols, &member->assignment};
    for (size_t i = 0; !e && i < WEIR_ARRAY_COUNT(blobs); i++)
        e = get_blob(g, source, blobs[i]);
    return e;
}

static enum weir_error get_offset(struct groups *g, struct group *group, struct weir_source *source) {
    struct offset saved;
    struct weir_slice topic;
    enum weir_error e = weir_source_get(source, &saved, sizeof saved);
    if (!e) e = get_bytes(g, source, &topic);
    if (e) return e;
    bool fits = topic.size <= GROUPS_ID_MAX && blob_chunks(topic.size) <= g->chunks.capacity - g->chunks.count;
    struct offset *o = fits ? group_add_offset(g, group, topic, saved.partition) : NULL;
    if (!o) return bad("an offset");
    o->offset = saved.offset;
    o->leader_epoch = saved.leader_epoch;
    return get_blob(g, source, &o->metadata);
}

static enum weir_error get_group(struct groups *g, struct weir_source *source) {
    struct group saved;
    struct weir_slice name;
    enum weir_error e = weir_source_get(source, &saved, sizeof saved);
    if (!e) e = get_bytes(g, source, &name);
    if (e) return e;
    bool good = name.size > 0 && name.size <= GROUPS_ID_MAX && saved.state <= GROUP_STABLE && !groups_find(g, name);
    struct group *group = good ? groups_add(g, name, saved.serial) : NULL;
    if (!group) return bad("a group");
    group->generation = saved.generation;
    group->used_ns = saved.used_ns;
    group->rebalance_at_ns = saved.rebalance_at_ns;
    group->initial_until_ns = saved.initial_until_ns;
    group->sync_by_ns = saved.sync_by_ns;
    group->timer_at_ns = saved.timer_at_ns;
    group->metadata_bytes = saved.metadata_bytes;
    group->member_count = saved.member_count;
    group->pending_count = saved.pending_count;
    group->state = saved.state;
    e = get_blob(g, source, &group->type);
    if (!e) e = get_blob(g, source, &group->protocol);
    for (uint32_t i = 0; !e && i < saved.member_count + saved.pending_count; i++)
        e = get_member(g, group, source);
    for (uint32_t i = 0; !e && i < saved.offset_count; i++)
        e = get_offset(g, group, source);
    return e;
}

enum weir_error groups_load(void *state, struct weir_source *source) {
    struct groups *g = state;
    struct saved_head head;
    enum weir_error e = weir_source_get(source, &head, sizeof head);
    if (e) return e;
    g->chunks_max = g->chunks.capacity; /* what fitted fits */
    for (uint64_t i = 0; !e && i < head.group_count; i++)
        e = get_group(g, source);
    g->serial = head.serial;
    g->digest = head.digest;
    g->chunks_max = head.chunks_max;
    return e;
}
