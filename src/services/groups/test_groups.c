/* Members that join, sync, beat, leave, fall silent and commit, at random, from a seed; a node that starts anew and is
 * replaced by its own snapshot in between. What must hold: generations only rise; a generation has one leader, who is
 * told of all its members; every member of it is told exactly one assignment, its own; what is fetched is what was last
 * acknowledged; nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/prng.h"
#include "groups/groups.h"
#include "host/out.h"
#include "host/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

extern const struct weir_service weir_service_groups;
#define SECOND  UINT64_C(1000000000)
#define CLIENTS 6

static struct weir_setting_value values[] = {{.number = 1}, {.number = 8}, {.number = 5}, {.number = 16},
    {.number = 64}, {.number = 1 << 20}, {.number = 64}, {.number = SECOND}, {.number = 60 * SECOND},
    {.number = SECOND / 4}, {.number = 3600 * SECOND}};
static const struct fold_options options = {.service = &weir_service_groups,
    .values = values,
    .initial = values,
    .uid = 1,
    .partition_count = 1,
    .idempotency = {.keys_max = 8, .age_ns_max = 1000, .secret = {1, 2}}};

struct client {
    char id[256], instance[16];
    int32_t generation;
    uint64_t ticket;            /* of what it waits for; 0: nothing (no ticket is 0: that is the settings' record) */
    int16_t waits_for;          /* its api */
    bool leads, synced, rejoin; /* rejoin: it was told to join again */
    char members[CLIENTS + 2][256]; /* that it was told of as leader */
    uint32_t member_count;
    uint64_t silent_until_ns;
};
struct model {
    struct fold fold;
    struct weir_out out;
    struct arena arena;
    struct prng random;
    struct client clients[CLIENTS];
    int32_t generation, leader_of; /* the last generation a member was told of; the last one with a leader */
    int64_t committed;
    uint64_t serial;
    uint32_t rebalances, assignments, errors, late;
};

#define must(call) assert_int_equal((call), WEIR_OK)

static uint32_t below(struct model *m, uint32_t n) {
    return (uint32_t)(prng_next(&m->random) % n);
}

/* ---- records ---- */
static void on_answer(struct model *m, struct client *client, int16_t api, struct weir_slice body);

static void apply(struct model *m, const struct envelope *envelope, struct weir_slice value) {
    uint8_t header[ENVELOPE_SIZE_MAX];
    struct batch_record record = {.offset = m->fold.applied};
    struct fold_applied applied;
    record.record = (struct log_record){.value = value,
        .header_key = weir_slice_text(ENVELOPE_KEY),
        .header_value = weir_slice(header, envelope_store(envelope, header))};
    must(fold_apply(&m->fold, &record, &m->out, &applied));
    for (uint32_t i = 0; i < m->out.late_count; i++) {
        const struct out_late *late = &m->out.late[i];
        struct client *client = NULL;
        assert_true(late->ticket < record.offset); /* nobody waits yet for this record's own */
        for (uint32_t k = 0; k < CLIENTS; k++)
            if (m->clients[k].ticket == late->ticket) client = &m->clients[k];
        m->late++;
        if (!client) continue; /* it went on before it was answered */
        client->ticket = 0;
        on_answer(m, client, client->waits_for, weir_slice(late->data, late->size));
    }
}

static void start_anew(struct model *m) {
    static uint8_t bytes[IN_FORCE_RECORD_MAX];
    struct in_force in_force;
    must(in_force_from(&in_force, &weir_service_groups, values, (uint32_t)m->fold.applied + 1u));
    struct envelope envelope = {.kind = WEIR_RECORD_SETTINGS, .time_ns = m->fold.time_ns + SECOND};
    apply(m, &envelope, weir_slice(bytes, in_force_store(&in_force, &weir_service_groups, bytes)));
    for (uint32_t i = 0; i < CLIENTS; i++)
        m->clients[i].ticket = 0; /* its connection is cut */
}

static void advance(struct model *m, uint64_t ns) {
    uint64_t until = m->fold.time_ns + ns, next;
    while ((next = timers_next_ns(&m->fold.timers)) <= until) {
        struct timer due;
        assert_int_equal(timers_due(&m->fold.timers, next, 1, &due), 1);
        struct envelope envelope = {
            .kind = WEIR_RECORD_TIMER, .timer_id = due.id, .time_ns = next > m->fold.time_ns ? next : m->fold.time_ns};
        apply(m, &envelope, (struct weir_slice){0});
    }
    m->fold.time_ns = until;
}

static struct kafka_coder body_of(int16_t api, int16_t version, uint8_t *room, size_t size) {
    return (struct kafka_coder){.encoding = true,
        .version = version,
        .flexible = version >= kafka_api_find(api)->flexible,
        .out = room,
        .out_size = size};
}

static const int16_t join_versions[] = {2, 5, 9};
static int16_t version_of(const struct model *m, const struct client *client, int16_t api) {
    size_t kind = (size_t)(client - m->clients) % 3;
    int16_t max = kafka_api_find(api)->version_max;
    return api == KAFKA_JOIN_GROUP ? join_versions[kind] : kind == 2 ? max : 3;
}

static void send(struct model *m, struct client *client, const struct kafka_coder *body, int16_t api) {
    uint8_t value[4096] = {0};
    const char name[] = "client";
    assert_false(body->failed);
    store_le16(value, (uint16_t)body->version);
    store_le16(value + 2, sizeof name - 1);
    memcpy(value + WEIR_KAFKA_HEAD_BYTES, name, sizeof name - 1);
    memcpy(value + WEIR_KAFKA_HEAD_BYTES + sizeof name - 1, body->out, body->out_at);
    struct envelope envelope = {.kind = WEIR_RECORD_COMMAND, .type = (uint16_t)api, .time_ns = m->fold.time_ns + 1000};
    client->ticket = m->fold.applied;
    client->waits_for = api;
    apply(m, &envelope, weir_slice(value, WEIR_KAFKA_HEAD_BYTES + sizeof name - 1 + body->out_at));
    assert_true(m->out.replied != m->out.later); /* exactly one of both */
    if (!m->out.replied) return;
    client->ticket = 0;
    on_answer(m, client, api, weir_slice(m->out.reply, m->out.reply_size));
}

/* ---- what clients do ---- */
static struct weir_slice text(const char *s) {
    return weir_slice(s, strlen(s));
}
static struct weir_slice instance_of(const struct client *client) {
    return client->instance[0] ? text(client->instance) : (struct weir_slice){0};
}

static void join(struct model *m, struct client *client) {
    uint8_t room[1024];
    struct kafka_group_protocol protocols[] = {{text("range"), text("topics")}, {text("sticky"), text("others")}};
    struct kafka_join_group_request r = {.group_id = text("g"),
        .session_timeout_ms = 3000,
        .rebalance_timeout_ms = 5000,
        .member_id = text(client->id),
        .group_instance_id = instance_of(client),
        .protocol_type = text("consumer"),
        .protocol_count = 1 + below(m, 2),
        .protocols = protocols};
    struct kafka_coder body = body_of(KAFKA_JOIN_GROUP, version_of(m, client, KAFKA_JOIN_GROUP), room, sizeof room);
    kafka_join_group_request(&body, &r);
    send(m, client, &body, KAFKA_JOIN_GROUP);
}

static size_t assignment_for(int32_t generation, const char *id, char buf[300]) {
    /* A static member keeps it under its next id, which begins with the instance's name too. */
    int size = id[0] == 's' ? 2 : (int)strlen(id);
    return (size_t)snprintf(buf, 300, "%d for %.*s", generation, size, id);
}

static void sync_group(struct model *m, struct client *client) {
    static char texts[CLIENTS + 2][300];
    static uint8_t room[8192];
    struct kafka_group_assignment assignments[CLIENTS + 2];
    struct kafka_sync_group_request r = {.group_id = text("g"),
        .generation_id = client->generation,
        .member_id = text(client->id),
        .group_instance_id = instance_of(client),
        .assignments = assignments};
    for (uint32_t i = 0; client->leads && i < client->member_count; i++)
        assignments[r.assignment_count++] = (struct kafka_group_assignment){text(client->members[i]),
            weir_slice(texts[i], assignment_for(client->generation, client->members[i], texts[i]))};
    struct kafka_coder body = body_of(KAFKA_SYNC_GROUP, version_of(m, client, KAFKA_SYNC_GROUP), room, 3500);
    kafka_sync_group_request(&body, &r);
    send(m, client, &body, KAFKA_SYNC_GROUP);
}

static void beat(struct model *m, struct client *client) {
    uint8_t room[512];
    struct kafka_heartbeat_request r = {.group_id = text("g"),
        .generation_id = client->generation,
        .member_id = text(client->id),
        .group_instance_id = instance_of(client)};
    struct kafka_coder body = body_of(KAFKA_HEARTBEAT, version_of(m, client, KAFKA_HEARTBEAT), room, sizeof room);
    kafka_heartbeat_request(&body, &r);
    send(m, client, &body, KAFKA_HEARTBEAT);
}

static void leave(struct model *m, struct client *client) {
    uint8_t room[512];
    struct kafka_leaving_member one = {.member_id = text(client->id), .group_instance_id = instance_of(client)};
    struct kafka_leave_group_request r = {.group_id = text("g"), .member_count = 1, .members = &one};
    struct kafka_coder body = body_of(KAFKA_LEAVE_GROUP, version_of(m, client, KAFKA_LEAVE_GROUP), room, sizeof room);
    kafka_leave_group_request(&body, &r);
    send(m, client, &body, KAFKA_LEAVE_GROUP);
    client->id[0] = 0;
}

static int64_t wish;
static void commit(struct model *m, struct client *client) {
    uint8_t room[512];
    wish = below(m, 1000000);
    struct kafka_group_offset offset = {.index = 3, .offset = wish, .metadata = text("m")};
    struct kafka_group_topic topic = {text("t"), 1, &offset};
    struct kafka_offset_commit_request r = {.group_id = text("g"),
        .generation_id = client->generation,
        .member_id = text(client->id),
        .topic_count = 1,
        .topics = &topic};
    struct kafka_coder body = body_of(KAFKA_OFFSET_COMMIT, 8, room, sizeof room);
    kafka_offset_commit_request(&body, &r);
    send(m, client, &body, KAFKA_OFFSET_COMMIT);
}

static void fetch(struct model *m, struct client *client) {
    uint8_t room[512];
    int32_t index = 3;
    struct kafka_wanted_topic topic = {text("t"), 1, &index};
    bool all = below(m, 2);
    struct kafka_offset_fetch_request r = {.one = {text("g"), !all, all ? NULL : &topic}};
    struct kafka_coder body = body_of(KAFKA_OFFSET_FETCH, 7, room, sizeof room);
    kafka_offset_fetch_request(&body, &r);
    send(m, client, &body, KAFKA_OFFSET_FETCH);
}

/* ---- what they are told ---- */
static void keep_id(char to[256], struct weir_slice id) {
    assert_true(id.size < 256);
    memcpy(to, id.data, id.size);
    to[id.size] = 0;
}

static void joined(struct model *m, struct client *client, struct kafka_join_group_response *r) {
    client->leads = client->synced = false;
    client->rejoin = r->error != KAFKA_NONE;
    client->member_count = 0;
    if (r->error == KAFKA_UNKNOWN_MEMBER_ID || r->error == KAFKA_FENCED_INSTANCE_ID) client->id[0] = 0;
    if (r->error == KAFKA_MEMBER_ID_REQUIRED || !r->error) keep_id(client->id, r->member_id);
    m->errors += r->error != KAFKA_NONE;
    if (r->error) return;
    const struct group *group = groups_find(m->fold.state, text("g"));
    if (group->serial != m->serial) m->generation = 0; /* the group was forgotten, and made anew */
    m->serial = group->serial;
    assert_true(r->generation_id >= m->generation); /* nobody is told of an older one */
    m->rebalances += r->generation_id > m->generation;
    client->generation = m->generation = r->generation_id;
    client->leads = r->member_count > 0 && weir_slice_equal(r->leader, r->member_id);
    assert_int_equal(client->leads, r->member_count > 0); /* the leader, and nobody else, is told of all */
    bool has_self = r->member_count == 0;
    for (uint32_t i = 0; i < r->member_count; i++) {
        keep_id(client->members[client->member_count++], r->members[i].member_id);
        has_self |= weir_slice_equal(r->members[i].member_id, r->member_id);
        assert_true(r->members[i].metadata.size > 0); /* of the protocol that was chosen */
    }
    assert_true(has_self);
}

static void on_answer(struct model *m, struct client *client, int16_t api, struct weir_slice bytes) {
    int16_t version = api == KAFKA_OFFSET_COMMIT ? 8 : api == KAFKA_OFFSET_FETCH ? 7 : version_of(m, client, api);
    struct arena_mark mark = arena_save(&m->arena);
    struct kafka_coder c = {.version = version,
        .flexible = version >= kafka_api_find(api)->flexible,
        .at = bytes.data,
        .end = bytes.data + bytes.size,
        .arena = &m->arena};
    if (api == KAFKA_JOIN_GROUP) {
        struct kafka_join_group_response r = {0};
        kafka_join_group_response(&c, &r);
        assert_false(c.failed);
        joined(m, client, &r);
    } else if (api == KAFKA_SYNC_GROUP) {
        struct kafka_sync_group_response r = {0};
        char expected[300];
        kafka_sync_group_response(&c, &r);
        assert_false(c.failed);
        size_t size = assignment_for(client->generation, client->id, expected);
        if (!r.error && r.assignment.size) assert_true(weir_slice_equal(r.assignment, weir_slice(expected, size)));
        m->assignments += !r.error && r.assignment.size;
        client->synced = !r.error;
        client->rejoin = r.error != KAFKA_NONE;
        if (r.error == KAFKA_UNKNOWN_MEMBER_ID || r.error == KAFKA_FENCED_INSTANCE_ID) client->id[0] = 0;
    } else if (api == KAFKA_HEARTBEAT) {
        struct kafka_heartbeat_response r = {0};
        kafka_heartbeat_response(&c, &r);
        client->rejoin |= r.error != KAFKA_NONE;
        if (r.error == KAFKA_UNKNOWN_MEMBER_ID || r.error == KAFKA_FENCED_INSTANCE_ID) client->id[0] = 0;
    } else if (api == KAFKA_OFFSET_COMMIT) {
        struct kafka_offset_commit_response r = {0};
        kafka_offset_commit_response(&c, &r);
        assert_true(!c.failed && r.topic_count == 1 && r.topics[0].partition_count == 1);
        if (!r.topics[0].partitions[0].error && m->committed != -2) m->committed = wish;
    } else if (api == KAFKA_OFFSET_FETCH) {
        struct kafka_offset_fetch_response r = {0};
        kafka_offset_fetch_response(&c, &r);
        assert_false(c.failed);
        int64_t offset = r.one.topic_count ? r.one.topics[0].partitions[0].offset : -1;
        if (m->committed != -2) assert_int_equal(offset, m->committed);
    }
    assert_true(c.at == c.end || c.failed || api == KAFKA_LEAVE_GROUP);
    arena_restore(&m->arena, mark);
}

/* ---- the state itself ---- */
static void one_assignment_each(const struct model *m) {
    const struct groups *g = m->fold.state;
    GROUPS_EACH(g, group) {
        uint32_t members = 0, pending = 0, leaders = 0, bytes = 0;
        MEMBERS_EACH(g, group, member) {
            members += !member->pending;
            pending += member->pending;
            leaders += member->leader;
            bytes += member->protocols.size;
            assert_true(member->waits != WAITS_SYNC || group->state == GROUP_COMPLETING);
            assert_true(member->waits != WAITS_JOIN || group->state == GROUP_PREPARING);
            assert_true(group->state != GROUP_COMPLETING || member->assignment.size == 0);
        }
        assert_true(members == group->member_count && pending == group->pending_count && leaders <= 1);
        assert_true(bytes == group->metadata_bytes);
        assert_true((group->state == GROUP_EMPTY) == (members == 0));
        assert_true(timers_next_ns(&m->fold.timers) != UINT64_MAX); /* no group is forgotten by time */
    }
}

static void replace_by_snapshot(struct model *m) {
    struct weir_sink sink = {0}, again = {0};
    struct fold copy;
    must(snapshot_store(&m->fold, &sink));
    must(snapshot_load(&copy, &options, weir_slice(sink.data, sink.size)));
    must(snapshot_store(&copy, &again));
    assert_true(weir_slice_equal(weir_slice(sink.data, sink.size), weir_slice(again.data, again.size)));
    assert_true(fold_digest(&copy) == fold_digest(&m->fold));
    struct weir_sink dump = {0};
    must(groups_dump(copy.state, &dump));
    struct json_reader json = json_reader(weir_slice(dump.data, dump.size), 0);
    assert_true(json_skip_value(&json));
    sink_done(&dump);
    sink_done(&sink);
    sink_done(&again);
    fold_done(&m->fold);
    m->fold = copy;
}

static void step(struct model *m) {
    struct client *client = &m->clients[below(m, CLIENTS)];
    uint32_t pick = below(m, 100);
    if (pick == 0 && below(m, 3) == 0)
        start_anew(m);
    else if (pick < 4)
        replace_by_snapshot(m);
    else if (pick < 12)
        advance(m, below(m, 10) ? below(m, 600) * 1000000 : below(m, 5) * SECOND);
    else if (client->ticket)
        client->ticket *= pick >= 13; /* few lose patience: what they asked for comes to nobody */
    else if (pick < 15 && client->id[0] && below(m, 2))
        leave(m, client);
    else if (pick < 17 && client->instance[0] && below(m, 2))
        client->id[0] = 0; /* a static member starts anew */
    else if (pick < 20 || !client->id[0] || client->rejoin)
        join(m, client);
    else if (pick < 40 || !client->synced)
        sync_group(m, client);
    else if (pick < 85)
        beat(m, client);
    else if (pick < 93)
        commit(m, client);
    else
        fetch(m, client);
    one_assignment_each(m);
}

static void begin(struct model *m) {
    static uint8_t *scratch;
    struct in_force in_force = {.version = 0};
    m->committed = -1;
    must(fold_open(&m->fold, &options, &in_force));
    m->fold.time_ns = UINT64_C(1700000000) * SECOND;
    if (!scratch) scratch = malloc(out_scratch_size(&weir_service_groups));
    m->out = (struct weir_out){.fold = &m->fold,
        .scratch = scratch,
        .scratch_size = out_scratch_size(&weir_service_groups),
        .replaying = true};
    for (uint32_t i = 3; i < CLIENTS; i++)
        snprintf(m->clients[i].instance, sizeof m->clients[i].instance, "s%u", i % 2);
    start_anew(m);
}

static void run(uint64_t seed, struct model *m) {
    memset(m, 0, sizeof *m);
    m->random = prng_seed(seed);
    arena_init(&m->arena, NULL, 64 << 10, 8 << 20);
    begin(m);
    for (int i = 0; i < 1500; i++)
        step(m);
    advance(m, 30 * SECOND); /* longer than all sessions and rebalances */
    for (uint32_t i = 0; i < CLIENTS; i++)
        assert_true(m->clients[i].ticket == 0); /* nobody waits for ever */
    advance(m, 7200 * SECOND);
    assert_int_equal(((struct groups *)m->fold.state)->groups.count, 0); /* and nothing is kept for ever */
    assert_int_equal(((struct groups *)m->fold.state)->chunks.count, 0);
    assert_int_equal(((struct groups *)m->fold.state)->members.count, 0);
    fold_done(&m->fold);
    arena_done(&m->arena);
}

static void generations_rise_and_each_member_is_told_its_own_assignment(void **state) {
    (void)state;
    static struct model m;
    const char *seed = getenv("WEIR_SEED"), *seeds = getenv("WEIR_SEEDS");
    unsigned long long first = seed ? strtoull(seed, NULL, 10) : 1, count = seeds ? strtoull(seeds, NULL, 10) : 100;
    uint64_t rebalances = 0, assignments = 0, errors = 0;
    for (unsigned long long i = 0; i < count; i++) {
        if (seed) print_message("# seed %llu\n", first + i);
        run(first + i, &m);
        rebalances += m.rebalances;
        assignments += m.assignments;
        errors += m.errors;
    }
    print_message("# %llu rebalances, %llu assignments, %llu joins refused\n", (unsigned long long)rebalances,
        (unsigned long long)assignments, (unsigned long long)errors);
    assert_true(seed || (rebalances > 10 * count && assignments > 10 * count)); /* it did happen */
}

/* A record's body as large as the node takes one, or of a few bytes: whatever it says is answered, or passed over. */
static void raw(struct model *m, int16_t api, int16_t version, struct weir_slice body) {
    static uint8_t value[(1u << 20) + WEIR_KAFKA_HEAD_BYTES];
    store_le16(value, (uint16_t)version);
    store_le32(value + 2, 0);
    memcpy(value + WEIR_KAFKA_HEAD_BYTES, body.data, body.size);
    struct envelope envelope = {.kind = WEIR_RECORD_COMMAND, .type = (uint16_t)api, .time_ns = m->fold.time_ns + 1000};
    apply(m, &envelope, weir_slice(value, WEIR_KAFKA_HEAD_BYTES + body.size));
    one_assignment_each(m);
}

/* The group's name, then one byte again and again: counts, lengths and items of any size. */
static size_t fill_body(struct model *m, int16_t api, int16_t version, uint8_t *body, size_t size) {
    bool flexible = version >= kafka_api_find(api)->flexible;
    size_t at = 0;
    if (!flexible) body[at++] = 0;
    body[at++] = flexible ? 2 : 1;
    body[at++] = 'g';
    memset(body + at, below(m, 3) ? (int)below(m, 4) : (int)below(m, 256), size - at);
    for (uint32_t i = below(m, 24); i > 0; i--)
        body[at + below(m, 48)] = (uint8_t)below(m, 256);
    return size;
}

static void any_bytes_are_answered_or_passed_over(void **state) {
    (void)state;
    static struct model m;
    static uint8_t body[1u << 20];
    static const int16_t apis[] = {KAFKA_JOIN_GROUP, KAFKA_SYNC_GROUP, KAFKA_HEARTBEAT, KAFKA_LEAVE_GROUP,
        KAFKA_OFFSET_COMMIT, KAFKA_OFFSET_FETCH, KAFKA_OFFSET_DELETE, KAFKA_DESCRIBE_GROUPS, KAFKA_LIST_GROUPS,
        KAFKA_DELETE_GROUPS, 9999};
    static const size_t sizes[] = {64, 200, 5000, 16u << 10, 128u << 10, 1000000};
    m.random = prng_seed(7);
    arena_init(&m.arena, NULL, 64 << 10, 8 << 20);
    begin(&m);
    for (int i = 0; i < 3000; i++) {
        int16_t api = apis[below(&m, WEIR_ARRAY_COUNT(apis))], version = (int16_t)below(&m, 10);
        size_t size = sizes[i % 10 ? below(&m, 4) : below(&m, WEIR_ARRAY_COUNT(sizes))];
        if (api == 9999 || below(&m, 3) == 0) {
            step(&m);
            continue;
        }
        raw(&m, api, version, weir_slice(body, fill_body(&m, api, version, body, size)));
        m.committed = -2; /* it may have said anything */
    }
    replace_by_snapshot(&m);
    fold_done(&m.fold);
    arena_done(&m.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generations_rise_and_each_member_is_told_its_own_assignment),
        cmocka_unit_test(any_bytes_are_answered_or_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
