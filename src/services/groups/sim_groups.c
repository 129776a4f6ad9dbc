/* The workload of consumer groups: members of one group join, sync, beat, commit, leave, vanish and come back, over the
 * Kafka port, while the node dies and rises. A member commits an offset that is one more than what it found committed
 * or committed itself, and what was in doubt is followed by a rebalance, so that with one owner at a time a committed
 * offset never goes back. What must hold: a generation gives each partition to one member; generations only rise; what
 * is fetched is at least what was acknowledged before it was asked for, and nothing that nobody sent. */
#include "sim/kafka_client.h"
#include "sim/workload.h"
#include "wire/kafka_group_messages.h"

#include <stdlib.h>

extern const struct weir_service weir_service_groups;

#define MEMBERS_MAX     4u
#define PARTITIONS      5u
#define ID_MAX          128u
#define GENERATIONS_MAX 4096u /* that are looked at */
#define TOPIC           "t"
#define SESSION_MS      2000
#define REBALANCE_MS    4000
#define REST_NS_MAX     (300 * SYS_NANOS_PER_MS)
#define OWNED_NS_MAX    (120 * SYS_NANOS_PER_S)

/* What a member does next, and what it has asked. */
enum doing { PRIMES, JOINS, SYNCS, FETCHES, WORKS, BEATS, COMMITS, LEAVES };
struct actor {
    struct kafka_client client;
    enum doing next, asked;
    char id[ID_MAX];
    int32_t generation;
    uint32_t metadata;            /* a change of it makes a join a rebalance */
    uint8_t owned;                /* a bit a partition */
    bool must_look;               /* at what is committed before it commits */
    int64_t position[PARTITIONS]; /* committed, as far as it knows */
    uint64_t rests_until_ns;
    bool gone;                           /* for good: nobody joins in its place */
    uint32_t commits_to;                 /* under way */
    int32_t known_generation;            /* by anyone, when the join under way was asked */
    int64_t known_committed[PARTITIONS]; /* and the fetch */
    uint32_t member_count;               /* to give partitions to, as the leader */
    char members[MEMBERS_MAX * 4][ID_MAX];
};
struct crew {
    struct sim *sim;
    uint32_t actor_count, calm_left;
    uint32_t number; /* of the group: a first commit that is in doubt may still come, so another group is taken */
    bool primed, looked;
    uint8_t calm_served;    /* partitions that somebody has committed in the calm: each must have an owner that lives */
    uint64_t calm_until_ns; /* by then; 0: the node has not spoken yet in the calm */
    int32_t generation;     /* the newest that any member was told of */
    int64_t committed[PARTITIONS] /* told */, sent[PARTITIONS];
    uint8_t owners[GENERATIONS_MAX][PARTITIONS]; /* 0: nobody was told yet; else 1 + actor */
    struct actor actors[MEMBERS_MAX];
};

static const struct weir_service *const services[] = {&weir_service_groups, NULL};
static const struct weir_service *const *crew_services(void *state) {
    (void)state;
    return services;
}

static void *crew_open(struct sim *sim) {
    struct crew *w = calloc(1, sizeof *w);
    WEIR_ASSERT(w != NULL);
    w->sim = sim;
    w->actor_count = (uint32_t)prng_between(&sim->prng, 2, MEMBERS_MAX);
    for (uint32_t i = 0; i < w->actor_count; i++)
        kafka_client_init(&w->actors[i].client, sim);
    return w;
}

static void crew_close(void *state) {
    struct crew *w = state;
    for (uint32_t i = 0; i < w->actor_count; i++)
        kafka_client_done(&w->actors[i].client);
    free(w);
}

static void crew_configure(void *state, struct settings *settings) {
    static const char *const rows[][2] = {{"kafka.listen", "127.0.0.1:9092"}, {"groups.groups_max", "8"},
        {"groups.members_max", "32"}, {"groups.offsets_max", "64"}, {"groups.memory", "1MB"},
        {"groups.session_timeout_min", "1s"}, {"groups.offsets_retention", "10000h"}};
    (void)state;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        enum weir_error e = settings_set(settings, rows[i][0], rows[i][1], "sim");
        WEIR_ASSERT(e == WEIR_OK);
    }
}

static void crew_begin(void *state) {
    struct crew *w = state;
    for (uint32_t i = 0; i < w->actor_count; i++)
        client_hang_up(&w->actors[i].client.base);
    w->calm_left = sim_calm_requests(w->sim);
    w->looked = false;
    w->calm_served = 0;
    w->calm_until_ns = 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static const char *group_name(const struct crew *w, char buf[16]) {
    snprintf(buf, 16, "g%u", w->number);
    return buf;
}

static void ask_join(struct crew *w, struct actor *a) {
    char name[16], metadata[24];
    snprintf(metadata, sizeof metadata, "%u", a->metadata);
    struct kafka_group_protocol protocol = {weir_slice_text("turns"), weir_slice_text(metadata)};
    struct kafka_join_group_request m = {.group_id = weir_slice_text(group_name(w, name)),
        .session_timeout_ms = SESSION_MS,
        .rebalance_timeout_ms = REBALANCE_MS,
        .member_id = weir_slice_text(a->id),
        .protocol_type = weir_slice_text("consumer"),
        .protocol_count = 1,
        .protocols = &protocol};
    a->known_generation = w->generation;
    kafka_join_group_request(kafka_client_begin(&a->client, KAFKA_JOIN_GROUP), &m);
}

/* The leader gives partitions in turns. An assignment is a byte of bits. */
static void ask_sync(struct crew *w, struct actor *a) {
    char name[16];
    uint8_t masks[MEMBERS_MAX * 4] = {0};
    struct kafka_group_assignment assignments[MEMBERS_MAX * 4];
    for (uint32_t p = 0; p < PARTITIONS && a->member_count; p++)
        masks[p % a->member_count] |= (uint8_t)(1u << p);
    for (uint32_t i = 0; i < a->member_count; i++)
        assignments[i] = (struct kafka_group_assignment){weir_slice_text(a->members[i]), weir_slice(&masks[i], 1)};
    struct kafka_sync_group_request m = {.group_id = weir_slice_text(group_name(w, name)),
        .generation_id = a->generation,
        .member_id = weir_slice_text(a->id),
        .protocol_type = weir_slice_text("consumer"),
        .protocol_name = weir_slice_text("turns"),
        .assignment_count = a->member_count,
        .assignments = assignments};
    kafka_sync_group_request(kafka_client_begin(&a->client, KAFKA_SYNC_GROUP), &m);
}

static void ask_fetch(struct crew *w, struct actor *a) {
    char name[16];
    int32_t partitions[PARTITIONS];
    for (int32_t p = 0; p < (int32_t)PARTITIONS; p++)
        partitions[p] = p;
    struct kafka_wanted_topic topic = {weir_slice_text(TOPIC), PARTITIONS, partitions};
    struct kafka_wanted_group group = {weir_slice_text(group_name(w, name)), 1, &topic};
    struct kafka_offset_fetch_request m = {.one = group, .group_count = 1, .groups = &group};
    memcpy(a->known_committed, w->committed, sizeof a->known_committed);
    kafka_offset_fetch_request(kafka_client_begin(&a->client, KAFKA_OFFSET_FETCH), &m);
}

static void ask_beat(struct crew *w, struct actor *a) {
    char name[16];
    struct kafka_heartbeat_request m = {.group_id = weir_slice_text(group_name(w, name)),
        .generation_id = a->generation,
        .member_id = weir_slice_text(a->id)};
    kafka_heartbeat_request(kafka_client_begin(&a->client, KAFKA_HEARTBEAT), &m);
}

static void ask_leave(struct crew *w, struct actor *a) {
    char name[16];
    struct kafka_leaving_member member = {.member_id = weir_slice_text(a->id)};
    struct kafka_leave_group_request m = {.group_id = weir_slice_text(group_name(w, name)),
        .member_id = weir_slice_text(a->id),
        .member_count = 1,
        .members = &member};
    kafka_leave_group_request(kafka_client_begin(&a->client, KAFKA_LEAVE_GROUP), &m);
}

/* Of all partitions that it owns; without a member (PRIMES): of all, 0. */
static void ask_commit(struct crew *w, struct actor *a, bool primes) {
    char name[16];
    struct kafka_group_offset offsets[PARTITIONS];
    struct kafka_group_topic topic = {weir_slice_text(TOPIC), 0, offsets};
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        if (!primes && !(a->owned & 1u << p)) continue;
        int64_t offset = primes ? 0 : a->position[p] + 1;
        if (offset > w->sent[p]) w->sent[p] = offset;
        offsets[topic.partition_count++] = (struct kafka_group_offset){
            .index = (int32_t)p, .offset = offset, .leader_epoch = -1, .metadata = weir_slice_text("m")};
    }
    struct kafka_offset_commit_request m = {.group_id = weir_slice_text(group_name(w, name)),
        .generation_id = primes ? -1 : a->generation,
        .member_id = weir_slice_text(primes ? "" : a->id),
        .retention_time_ms = -1,
        .topic_count = 1,
        .topics = &topic};
    kafka_offset_commit_request(kafka_client_begin(&a->client, KAFKA_OFFSET_COMMIT), &m);
}

static void ask(struct crew *w, struct actor *a, enum doing what) {
    a->asked = what;
    if (what == PRIMES) ask_commit(w, a, true);
    if (what == JOINS) ask_join(w, a);
    if (what == SYNCS) ask_sync(w, a);
    if (what == FETCHES) ask_fetch(w, a);
    if (what == BEATS) ask_beat(w, a);
    if (what == COMMITS) ask_commit(w, a, false);
    if (what == LEAVES) ask_leave(w, a);
    kafka_client_ask(&a->client);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */
static void rejoin(struct actor *a, bool forced) {
    a->metadata += forced;
    a->owned = 0;
    a->next = JOINS;
}

static void is_nobody(struct actor *a) {
    a->id[0] = 0;
    rejoin(a, false);
}

/* Its session has to end, for the others to get its partitions; where somebody comes in its place, a rebalance does it.
 */
static void vanish(struct crew *w, struct actor *a) {
    is_nobody(a);
    a->gone = a != w->actors && sim_percent(w->sim, 10);
}

static bool copy_id(struct weir_slice id, char ret[ID_MAX]) {
    if (id.size == 0 || id.size >= ID_MAX) return false;
    memcpy(ret, id.data, id.size);
    ret[id.size] = 0;
    return true;
}

/* What a member does about an error; anything that it does not know may have happened or not. */
static void on_error(struct actor *a, int16_t error) {
    if (error == KAFKA_UNKNOWN_MEMBER_ID)
        is_nobody(a);
    else if (error == KAFKA_ILLEGAL_GENERATION || error == KAFKA_REBALANCE_IN_PROGRESS)
        rejoin(a, false);
    else
        rejoin(a, true);
}

static void heard_join(struct crew *w, struct actor *a) {
    struct kafka_join_group_response m = {0};
    kafka_join_group_response(&a->client.body, &m);
    if (a->client.body.failed) {
        sim_fail(w->sim, "groups: the answer to a join is malformed");
    } else if (m.error == KAFKA_MEMBER_ID_REQUIRED) {
        if (!copy_id(m.member_id, a->id)) sim_fail(w->sim, "groups: a member is to join with an id that is none");
    } else if (m.error) {
        on_error(a, m.error);
    } else {
        if (!copy_id(m.member_id, a->id)) sim_fail(w->sim, "groups: a member has no id");
        if (m.generation_id < a->known_generation)
            sim_fail(w->sim, "groups: a member is told of generation %d, another was told of %d before it asked",
                m.generation_id, a->known_generation);
        if (m.generation_id > w->generation) w->generation = m.generation_id;
        a->generation = m.generation_id;
        a->member_count = 0;
        for (uint32_t i = 0; i < m.member_count && a->member_count < WEIR_ARRAY_COUNT(a->members); i++)
            if (copy_id(m.members[i].member_id, a->members[a->member_count])) a->member_count++;
        if (m.member_count != a->member_count)
            sim_fail(w->sim, "groups: a leader is told of %u members", m.member_count);
        a->next = SYNCS;
    }
}

static void note_owner(struct crew *w, const struct actor *a) {
    uint8_t me = (uint8_t)(a - w->actors + 1);
    for (uint32_t p = 0; p < PARTITIONS && a->generation < (int32_t)GENERATIONS_MAX; p++) {
        uint8_t *owner = &w->owners[a->generation][p];
        if (!(a->owned & 1u << p)) continue;
        if (*owner && *owner != me)
            sim_fail(w->sim, "groups: partition %u is given to two members in generation %d", p, a->generation);
        *owner = me;
    }
}

static void heard_sync(struct crew *w, struct actor *a) {
    struct kafka_sync_group_response m = {0};
    kafka_sync_group_response(&a->client.body, &m);
    if (a->client.body.failed || (!m.error && m.assignment.size > 1))
        sim_fail(w->sim, "groups: an assignment of %zu bytes came back from one", m.assignment.size);
    if (m.error) {
        on_error(a, m.error);
        return;
    }
    a->owned = m.assignment.size ? m.assignment.data[0] : 0;
    a->must_look = true;
    a->next = FETCHES;
    note_owner(w, a);
}

static void heard_fetch(struct crew *w, struct actor *a) {
    struct kafka_offset_fetch_response m = {0};
    bool many = a->client.body.version >= 8;
    kafka_offset_fetch_response(&a->client.body, &m);
    if (a->client.body.failed || (many && m.group_count != 1)) {
        sim_fail(w->sim, "groups: the answer to an offset fetch is malformed");
        return;
    }
    const struct kafka_fetched_group *group = many ? &m.groups[0] : &m.one;
    if (group->error) return; /* asked again */
    if (group->topic_count != 1 || group->topics[0].partition_count != PARTITIONS) {
        sim_fail(w->sim, "groups: an offset fetch of one topic is answered with %u", group->topic_count);
        return;
    }
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        const struct kafka_group_offset *o = &group->topics[0].partitions[i];
        uint32_t p = (uint32_t)o->index;
        if (o->error) return;
        if (p >= PARTITIONS || o->offset > w->sent[p] || o->offset < a->known_committed[p]) {
            sim_fail(w->sim, "groups: offset %lld of partition %u is fetched; %lld was acknowledged, at most %lld sent",
                (long long)o->offset, p, (long long)(p < PARTITIONS ? a->known_committed[p] : -1),
                (long long)(p < PARTITIONS ? w->sent[p] : -1));
            return;
        }
        if (a->must_look) a->position[p] = o->offset;
    }
    a->must_look = false;
    a->next = WORKS;
    w->looked = true;
    w->sim->tally.records_checked += PARTITIONS;
}

/* The one error of all its partitions; a commit has one member and one generation. */
static int16_t commit_error(struct crew *w, struct actor *a) {
    struct kafka_offset_commit_response m = {0};
    kafka_offset_commit_response(&a->client.body, &m);
    if (a->client.body.failed || m.topic_count != 1 || m.topics[0].partition_count == 0) {
        sim_fail(w->sim, "groups: the answer to a commit is malformed");
        return KAFKA_UNKNOWN_SERVER_ERROR;
    }
    return m.topics[0].partitions[0].error;
}

static void heard_commit(struct crew *w, struct actor *a) {
    int16_t error = commit_error(w, a);
    if (error) {
        on_error(a, error);
        return;
    }
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        if (!(a->owned & 1u << p)) continue;
        a->position[p]++;
        if (a->position[p] > w->committed[p]) w->committed[p] = a->position[p];
    }
    if (!w->sim->calm) return;
    w->calm_served |= a->owned;
    if (w->calm_left > 0) w->calm_left--;
}

static void heard_beat(struct crew *w, struct actor *a) {
    struct kafka_heartbeat_response m = {0};
    kafka_heartbeat_response(&a->client.body, &m);
    if (a->client.body.failed) sim_fail(w->sim, "groups: the answer to a heartbeat is malformed");
    if (m.error) on_error(a, m.error);
}

static void hear(struct crew *w, struct actor *a) {
    bool answered = a->client.base.state == CLIENT_ANSWERED;
    if (a->client.base.state == CLIENT_UNSENT) return; /* nothing has happened */
    if (a->asked == PRIMES) {
        if (answered && commit_error(w, a) == KAFKA_NONE)
            w->primed = true;
        else
            w->number++;
        a->next = JOINS;
    } else if (!answered) {
        if (!w->sim->calm && sim_percent(w->sim, 20))
            vanish(w, a);
        else if (a->asked != FETCHES)
            rejoin(a, true);
    } else {
        if (a->asked == JOINS) heard_join(w, a);
        if (a->asked == SYNCS) heard_sync(w, a);
        if (a->asked == FETCHES) heard_fetch(w, a);
        if (a->asked == COMMITS) heard_commit(w, a);
        if (a->asked == BEATS) heard_beat(w, a);
        if (a->asked == LEAVES) is_nobody(a);
    }
}

/* ---- a member's life --------------------------------------------------------------------------------------------- */
static void work_on(struct crew *w, struct actor *a, bool calm) {
    uint32_t roll = sim_pick(w->sim, 1000);
    a->rests_until_ns = sim_now_ns(w->sim) + prng_between(&w->sim->prng, 0, REST_NS_MAX);
    if (!calm && roll < 3)
        ask(w, a, LEAVES);
    else if (!calm && roll < 6)
        vanish(w, a);
    else if (!w->looked || roll < 50)
        ask(w, a, FETCHES);
    else if (a->owned && roll < 500)
        ask(w, a, COMMITS);
    else
        ask(w, a, BEATS);
}

static bool is_served(const struct crew *w) {
    return w->calm_left == 0 && w->looked && w->calm_served == (1u << PARTITIONS) - 1;
}

/* A session, a rebalance and some, and not for ever: a partition whose owner is gone is given to another. */
static void look_for_owners(struct crew *w, const struct actor *a) {
    if (w->calm_until_ns == 0 && a->client.base.state == CLIENT_ANSWERED)
        w->calm_until_ns = sim_now_ns(w->sim) + OWNED_NS_MAX;
    if (w->calm_until_ns != 0 && sim_now_ns(w->sim) > w->calm_until_ns && !is_served(w))
        sim_fail(w->sim, "groups: of the partitions only these are served two minutes after the last fault: %x",
            w->calm_served);
}

static void next_of(struct crew *w, struct actor *a, bool calm) {
    if (calm && is_served(w)) return;
    if (!w->primed) {
        if (a == w->actors) ask(w, a, PRIMES);
    } else if (a->next == WORKS) {
        if (sim_now_ns(w->sim) >= a->rests_until_ns) work_on(w, a, calm);
    } else {
        ask(w, a, a->next == PRIMES ? JOINS : a->next);
    }
}

static void crew_step(void *state, bool calm) {
    struct crew *w = state;
    for (uint32_t i = 0; i < w->actor_count; i++) {
        struct actor *a = &w->actors[i];
        client_step(&a->client.base);
        if (a->client.base.state == CLIENT_WAITS) continue;
        if (a->client.base.state != CLIENT_FREE) hear(w, a);
        if (calm) look_for_owners(w, a);
        client_done_with(&a->client.base);
        if (!a->gone) next_of(w, a, calm);
    }
}

static bool crew_settled(void *state) {
    const struct crew *w = state;
    for (uint32_t i = 0; i < w->actor_count; i++)
        if (w->actors[i].client.base.state != CLIENT_FREE) return false;
    return is_served(w);
}

/* What is looked at is what members are told, in step. */
static bool crew_check(void *state, bool whole) {
    (void)state;
    (void)whole;
    return true;
}

extern const struct sim_workload sim_workload_groups;
const struct sim_workload sim_workload_groups = {
    .name = "groups",
    .summary = "members of a Kafka group that join, beat, commit, leave and vanish",
    .services = crew_services,
    .open = crew_open,
    .close = crew_close,
    .configure = crew_configure,
    .begin = crew_begin,
    .step = crew_step,
    .settled = crew_settled,
    .check = crew_check,
};
