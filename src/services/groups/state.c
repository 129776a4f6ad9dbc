/* The memory of a partition's groups, and finding things in it. */
#include "groups/groups.h"

struct groups_settings groups_settings(const struct weir_setting_value *values) {
    struct groups_settings s;
    uint64_t numbers[sizeof s / sizeof(uint64_t)];
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(numbers); i++)
        numbers[i] = values[i].number;
    memcpy(&s, numbers, sizeof s);
    return s;
}

/* The name of the protocol that a group chooses finds room whatever else was kept since its members joined. */
uint64_t groups_chunks_max(const struct groups_settings *settings) {
    uint64_t chunks = settings->memory / sizeof(struct chunk);
    uint64_t names = settings->groups_max * blob_chunks(GROUPS_ID_MAX);
    return chunks > names ? chunks - names : 0;
}

/* ---- memory ---- */
struct layout {
    size_t groups, members, offsets, chunks, group_buckets, offset_buckets, scratch, reply, size;
    uint32_t group_bucket_count, offset_bucket_count, chunk_count;
};

static size_t place(size_t *at, size_t bytes) {
    size_t here = *at;
    *at += (bytes + 63) & ~(size_t)63;
    return here;
}

static uint32_t power_of_two(uint64_t n) {
    uint32_t power = 16;
    while (power < n)
        power *= 2;
    return power;
}

static struct layout lay_out(const struct groups_settings *s) {
    struct layout l = {.group_bucket_count = power_of_two(s->groups_max),
        .offset_bucket_count = power_of_two(s->offsets_max),
        .chunk_count = (uint32_t)(s->memory / sizeof(struct chunk))};
    size_t at = 0;
    place(&at, sizeof(struct groups));
    l.groups = place(&at, s->groups_max * sizeof(struct group));
    l.members = place(&at, s->members_max * sizeof(struct member));
    l.offsets = place(&at, s->offsets_max * sizeof(struct offset));
    l.chunks = place(&at, l.chunk_count * sizeof(struct chunk));
    l.group_buckets = place(&at, l.group_bucket_count * sizeof(uint32_t));
    l.offset_buckets = place(&at, l.offset_bucket_count * sizeof(uint32_t));
    l.scratch = place(&at, GROUPS_SCRATCH_BYTES);
    l.reply = place(&at, GROUPS_REPLY_MAX);
    l.size = at;
    return l;
}

size_t groups_bytes(const struct groups_settings *settings) {
    return lay_out(settings).size;
}

void groups_init(struct groups *g, const struct groups_settings *settings) {
    struct layout l = lay_out(settings);
    uint8_t *memory = (uint8_t *)g;
    pool_init(&g->groups, memory + l.groups, sizeof(struct group), (uint32_t)settings->groups_max);
    pool_init(&g->members, memory + l.members, sizeof(struct member), (uint32_t)settings->members_max);
    pool_init(&g->offsets, memory + l.offsets, sizeof(struct offset), (uint32_t)settings->offsets_max);
    pool_init(&g->chunks, memory + l.chunks, sizeof(struct chunk), l.chunk_count);
    /* Buckets hold index + 1, so that fresh memory is empty ones. */
    g->group_buckets = (uint32_t *)(void *)(memory + l.group_buckets);
    g->offset_buckets = (uint32_t *)(void *)(memory + l.offset_buckets);
    g->group_bucket_count = l.group_bucket_count;
    g->offset_bucket_count = l.offset_bucket_count;
    g->scratch = memory + l.scratch;
    g->reply = memory + l.reply;
    g->first = g->last = GROUPS_NONE;
}

struct group *group_at(const struct groups *g, uint32_t index) {
    return index == GROUPS_NONE ? NULL : pool_at(&g->groups, index);
}

struct member *member_at(const struct groups *g, uint32_t index) {
    return index == GROUPS_NONE ? NULL : pool_at(&g->members, index);
}

struct offset *offset_at(const struct groups *g, uint32_t index) {
    return index == GROUPS_NONE ? NULL : pool_at(&g->offsets, index);
}

void groups_note(struct groups *g, uint64_t what, uint64_t a, uint64_t b) {
    uint64_t words[] = {what, a, b};
    g->digest = weir_hash(weir_slice(words, sizeof words), g->digest);
}

/* ---- groups ---- */
static uint32_t *group_bucket(const struct groups *g, struct weir_slice name) {
    return &g->group_buckets[weir_hash(name, 0) & (g->group_bucket_count - 1)];
}

struct group *groups_find(const struct groups *g, struct weir_slice name) {
    uint32_t index = *group_bucket(g, name) - 1;
    for (struct group *group; (group = group_at(g, index)); index = group->next_in_bucket)
        if (blob_equal(g, group->name, name)) return group;
    return NULL;
}

struct group *groups_find_serial(const struct groups *g, uint64_t serial) {
    GROUPS_EACH(g, group)
    if (group->serial == serial) return group;
    return NULL;
}

struct group *groups_add(struct groups *g, struct weir_slice name, uint64_t serial) {
    if (!groups_have_room(g, blob_chunks(name.size))) return NULL;
    uint32_t index = pool_take(&g->groups), *bucket = group_bucket(g, name);
    if (index == POOL_NONE) return NULL;
    struct group *group = group_at(g, index);
    memset(group, 0, sizeof *group);
    group->serial = serial;
    group->name = group->type = group->protocol = (struct blob){GROUPS_NONE, 0};
    group->first_member = group->last_member = group->first_offset = group->last_offset = GROUPS_NONE;
    blob_set(g, &group->name, name);
    group->next_in_bucket = *bucket - 1;
    *bucket = index + 1;
    group->next = GROUPS_NONE;
    group->previous = g->last;
    if (g->last == GROUPS_NONE)
        g->first = index;
    else
        group_at(g, g->last)->next = index;
    g->last = index;
    groups_note(g, 1, serial, weir_hash(name, 0));
    return group;
}

static void unlink_group(struct groups *g, struct group *group) {
    if (group->previous == GROUPS_NONE)
        g->first = group->next;
    else
        group_at(g, group->previous)->next = group->next;
    if (group->next == GROUPS_NONE)
        g->last = group->previous;
    else
        group_at(g, group->next)->previous = group->previous;
}

void groups_remove(struct groups *g, struct group *group) {
    uint32_t index = pool_index(&g->groups, group);
    WEIR_ASSERT(group->first_member == GROUPS_NONE);
    while (group->first_offset != GROUPS_NONE)
        group_drop_offset(g, group, offset_at(g, group->first_offset));
    uint8_t name[GROUPS_ID_MAX];
    WEIR_ASSERT(group->name.size <= sizeof name);
    blob_copy(g, group->name, name);
    uint32_t *bucket = group_bucket(g, weir_slice(name, group->name.size));
    if (*bucket == index + 1) {
        *bucket = group->next_in_bucket + 1;
    } else {
        struct group *before = group_at(g, *bucket - 1);
        while (before->next_in_bucket != index)
            before = group_at(g, before->next_in_bucket);
        before->next_in_bucket = group->next_in_bucket;
    }
    unlink_group(g, group);
    groups_note(g, 2, group->serial, 0);
    blob_clear(g, &group->name);
    blob_clear(g, &group->type);
    blob_clear(g, &group->protocol);
    pool_give(&g->groups, index);
}

/* ---- members ---- */
struct member *group_find_member(const struct groups *g, const struct group *group, struct weir_slice id) {
    MEMBERS_EACH(g, group, member)
    if (blob_equal(g, member->id, id)) return member;
    return NULL;
}

struct member *group_find_instance(const struct groups *g, const struct group *group, struct weir_slice instance) {
    MEMBERS_EACH(g, group, member)
    if (member->instance.size && blob_equal(g, member->instance, instance)) return member;
    return NULL;
}

struct member *group_add_member(struct groups *g, struct group *group) {
    uint32_t index = pool_take(&g->members);
    if (index == POOL_NONE) return NULL;
    struct member *member = member_at(g, index);
    const struct blob none = {GROUPS_NONE, 0};
    memset(member, 0, sizeof *member);
    member->id = member->instance = member->client = member->host = member->protocols = member->assignment = none;
    member->next = GROUPS_NONE;
    member->previous = group->last_member;
    if (group->last_member == GROUPS_NONE)
        group->first_member = index;
    else
        member_at(g, group->last_member)->next = index;
    group->last_member = index;
    return member;
}

void group_drop_member(struct groups *g, struct group *group, struct member *member) {
    if (member->previous == GROUPS_NONE)
        group->first_member = member->next;
    else
        member_at(g, member->previous)->next = member->next;
    if (member->next == GROUPS_NONE)
        group->last_member = member->previous;
    else
        member_at(g, member->next)->previous = member->previous;
    if (member->pending)
        group->pending_count--;
    else
        group->member_count--;
    group->metadata_bytes -= member->protocols.size;
    groups_note(g, 3, group->serial, group->member_count);
    struct blob *blobs[] = {
        &member->id, &member->instance, &member->client, &member->host, &member->protocols, &member->assignment};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(blobs); i++)
        blob_clear(g, blobs[i]);
    pool_give(&g->members, pool_index(&g->members, member));
}

/* ---- offsets ---- */
static uint32_t *offset_bucket(
    const struct groups *g, const struct group *group, struct weir_slice topic, int32_t partition) {
    uint64_t hash = weir_hash(topic, group->serial * 0x9e3779b97f4a7c15u + (uint32_t)partition);
    return &g->offset_buckets[hash & (g->offset_bucket_count - 1)];
}

struct offset *group_find_offset(
    const struct groups *g, const struct group *group, struct weir_slice topic, int32_t partition) {
    uint32_t index = *offset_bucket(g, group, topic, partition) - 1, owner = pool_index(&g->groups, group);
    for (struct offset *o; (o = offset_at(g, index)); index = o->next_in_bucket)
        if (o->group == owner && o->partition == partition && blob_equal(g, o->topic, topic)) return o;
    return NULL;
}

struct offset *group_add_offset(struct groups *g, struct group *group, struct weir_slice topic, int32_t partition) {
    if (!groups_have_room(g, blob_chunks(topic.size))) return NULL;
    uint32_t index = pool_take(&g->offsets), *bucket = offset_bucket(g, group, topic, partition);
    if (index == POOL_NONE) return NULL;
    struct offset *o = offset_at(g, index);
    *o = (struct offset){.next = GROUPS_NONE,
        .previous = group->last_offset,
        .next_in_bucket = *bucket - 1,
        .group = pool_index(&g->groups, group),
        .topic = {GROUPS_NONE, 0},
        .metadata = {GROUPS_NONE, 0},
        .partition = partition};
    blob_set(g, &o->topic, topic);
    *bucket = index + 1;
    if (group->last_offset == GROUPS_NONE)
        group->first_offset = index;
    else
        offset_at(g, group->last_offset)->next = index;
    group->last_offset = index;
    group->offset_count++;
    return o;
}

static void unlink_from_bucket(struct groups *g, struct group *group, const struct offset *o, uint32_t index) {
    uint8_t topic[GROUPS_ID_MAX];
    WEIR_ASSERT(o->topic.size <= sizeof topic);
    blob_copy(g, o->topic, topic);
    uint32_t *bucket = offset_bucket(g, group, weir_slice(topic, o->topic.size), o->partition);
    if (*bucket == index + 1) {
        *bucket = o->next_in_bucket + 1;
        return;
    }
    struct offset *before = offset_at(g, *bucket - 1);
    while (before->next_in_bucket != index)
        before = offset_at(g, before->next_in_bucket);
    before->next_in_bucket = o->next_in_bucket;
}

void group_drop_offset(struct groups *g, struct group *group, struct offset *o) {
    uint32_t index = pool_index(&g->offsets, o);
    unlink_from_bucket(g, group, o, index);
    if (o->previous == GROUPS_NONE)
        group->first_offset = o->next;
    else
        offset_at(g, o->previous)->next = o->next;
    if (o->next == GROUPS_NONE)
        group->last_offset = o->previous;
    else
        offset_at(g, o->next)->previous = o->previous;
    group->offset_count--;
    groups_note(g, 4, group->serial, (uint64_t)o->offset);
    blob_clear(g, &o->topic);
    blob_clear(g, &o->metadata);
    pool_give(&g->offsets, index);
}
