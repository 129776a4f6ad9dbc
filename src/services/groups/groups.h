/* groups/groups.h: consumer groups of the Kafka protocol (classic protocol) as a fold: who is a member, which
 * generation rules, who got which assignment, which offsets are committed.
 *
 * One struct groups is a partition's state. Everything lies in memory given at open: pools of groups, members and
 * offsets named by index, and what has any length (names, metadata, assignments) in chains of small chunks (struct
 * blob), so that whether something still fits depends on how much there is and never on the order of history. Lists
 * keep the order in which their items came; nothing that leaves the fold depends on an index.
 *
 * Sources: Apache Kafka's message schemas; the semantics of GroupCoordinator (KIP-62, 345 static members, 394 member
 * ids first, 429 cooperative: opaque here, 559, 800, 814). No clock, no heap, no I/O.
 */
#ifndef GROUPS_GROUPS_H
#define GROUPS_GROUPS_H
#include "base/arena.h"
#include "base/pool.h"
#include "wire/kafka_group_messages.h"

#include <weir/service.h>

/* ---- limits that are no settings ---- */
#define GROUPS_ID_MAX         255u         /* of a group's, a static member's and a protocol's name */
#define GROUPS_CLIENT_MAX     96u          /* of a client's id; longer ones are kept cut */
#define GROUPS_MEMBERS_MAX    250u         /* of a group: all are answered by one apply (WEIR_REPLIES_MAX) */
#define GROUPS_METADATA_MAX   (512u << 10) /* of a group, all protocols of all members; and of all assignments */
#define GROUPS_REPLY_MAX      (1u << 20)
#define GROUPS_SCRATCH_BYTES  (8u << 20)
#define GROUPS_PROTOCOLS_MAX  64u          /* of a member */
#define GROUPS_ASSIGNED_MAX   1000u        /* of a SyncGroup; as many as a group has members, and some that went */
#define GROUPS_LIST_BODY_MAX  (16u << 10)  /* of requests that name many groups or members */
#define GROUPS_FETCH_BODY_MAX (128u << 10) /* of an OffsetFetch of many groups, and OffsetDelete */
#define GROUPS_CHUNK_PAYLOAD  60u
#define GROUPS_NONE           POOL_NONE

struct groups_settings { /* in the order of the settings table */
    uint64_t partitions, groups_max, group_members_max, members_max, offsets_max, memory, offset_metadata_max;
    uint64_t session_timeout_min_ns, session_timeout_max_ns, initial_delay_ns, retention_ns;
};

struct blob {
    uint32_t first, size; /* size 0: first is GROUPS_NONE */
};
struct chunk {
    uint32_t next;
    uint8_t bytes[GROUPS_CHUNK_PAYLOAD];
};

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE };
enum member_wait { WAITS_NOT, WAITS_JOIN, WAITS_SYNC };

struct member {
    uint32_t next, previous;
    struct blob id, instance, client, host;
    struct blob protocols;  /* an array of struct kafka_group_protocol, in the form of version 0 */
    struct blob assignment; /* of the present generation */
    uint64_t deadline_ns;   /* of its session; counts while it does not wait */
    uint64_t ticket;        /* of the request that waits */
    uint32_t session_ms, rebalance_ms;
    int16_t version; /* of the request that waits */
    uint8_t waits;   /* enum member_wait */
    bool pending;    /* was given an id, and has to join with it */
    bool leader, synced;
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct member) == 88, "no padding: it is hashed and saved");

struct offset {
    uint32_t next, previous, next_in_bucket, group;
    struct blob topic, metadata;
    int64_t offset;
    int32_t partition, leader_epoch;
};

struct group {
    uint32_t next, previous, next_in_bucket;
    int32_t generation;
    uint64_t serial; /* its timer's id; never used again */
    struct blob name, type, protocol;
    uint64_t used_ns;          /* became empty, or an offset was committed since */
    uint64_t rebalance_at_ns;  /* PREPARING: then without who has not joined */
    uint64_t initial_until_ns; /* PREPARING: of an empty group; it may wait for more members until then. 0: otherwise */
    uint64_t sync_by_ns;       /* COMPLETING, STABLE: who has not synced by then is out */
    uint64_t timer_at_ns;      /* 0: none */
    uint32_t first_member, last_member, member_count, pending_count;
    uint32_t first_offset, last_offset, offset_count, metadata_bytes;
    uint8_t state; /* enum group_state */
    uint8_t reserved[7];
};
_Static_assert(sizeof(struct group) == 128, "no padding: it is saved");

struct groups {
    uint32_t partition, partition_count;
    uint64_t serial, digest;
    uint64_t chunks_max; /* as the settings in force say, without what protocols' names may still take */
    struct pool groups, members, offsets, chunks;
    uint32_t *group_buckets, *offset_buckets;
    uint32_t group_bucket_count, offset_bucket_count; /* powers of two */
    uint32_t first, last;                             /* groups, in the order in which they were made */
    uint8_t *scratch, *reply;                         /* of an apply, not part of the state */
};

/* ---- one apply ---- */
struct groups_call {
    struct groups *groups;
    struct weir_out *out;
    struct arena *arena;
    struct groups_settings settings;
    uint64_t now_ns, offset;
    struct weir_kafka_request request;
    struct kafka_coder in; /* at the body */
    uint64_t ticket;       /* of what is being answered; GROUPS_NOW: the request itself */
    bool waits, answered;  /* the request: somebody waits under its offset; it has its answer */
};
#define GROUPS_NOW UINT64_MAX

/* ---- state.c: memory, groups, members, offsets by name ---- */
uint64_t groups_chunks_max(const struct groups_settings *settings);
size_t groups_bytes(const struct groups_settings *settings);
void groups_init(struct groups *groups, const struct groups_settings *settings);
struct groups_settings groups_settings(const struct weir_setting_value *values);

struct group *group_at(const struct groups *g, uint32_t index); /* NONE: NULL */
struct member *member_at(const struct groups *g, uint32_t index);
struct offset *offset_at(const struct groups *g, uint32_t index);
#define GROUPS_EACH(g, x) for (struct group *x = group_at((g), (g)->first); x; x = group_at((g), x->next))
#define MEMBERS_EACH(g, group, x)                                                                                      \
    for (struct member *x = member_at((g), (group)->first_member); x; x = member_at((g), x->next))
#define OFFSETS_EACH(g, group, x)                                                                                      \
    for (struct offset *x = offset_at((g), (group)->first_offset); x; x = offset_at((g), x->next))

struct group *groups_find(const struct groups *g, struct weir_slice name);
struct group *groups_find_serial(const struct groups *g, uint64_t serial);
struct group *groups_add(struct groups *g, struct weir_slice name, uint64_t serial); /* NULL: no room */
void groups_remove(struct groups *g, struct group *group); /* with its offsets; it has no members */
struct member *group_find_member(const struct groups *g, const struct group *group, struct weir_slice id);
struct member *group_find_instance(const struct groups *g, const struct group *group, struct weir_slice instance);
struct member *group_add_member(struct groups *g, struct group *group); /* zeroed; NULL: no room */
void group_drop_member(struct groups *g, struct group *group, struct member *member);
struct offset *group_find_offset(
    const struct groups *g, const struct group *group, struct weir_slice topic, int32_t partition);
struct offset *group_add_offset(struct groups *g, struct group *group, struct weir_slice topic, int32_t partition);
void group_drop_offset(struct groups *g, struct group *group, struct offset *offset);
void groups_note(struct groups *g, uint64_t what, uint64_t a, uint64_t b); /* into the digest */

/* ---- blob.c ---- */
uint32_t blob_chunks(size_t size);
bool groups_have_room(const struct groups *g, size_t chunks);
void blob_set(struct groups *g, struct blob *blob, struct weir_slice bytes); /* there is room */
void blob_clear(struct groups *g, struct blob *blob);
/* The same of what may be larger than the arena. False: it is. */
bool blob_try(const struct groups *g, struct blob blob, struct arena *arena, struct weir_slice *ret);
struct weir_slice blob_get(const struct groups *g, struct blob blob, struct arena *arena); /* one piece, never NULL */
void blob_copy(const struct groups *g, struct blob blob, uint8_t *ret_bytes);
bool blob_equal(const struct groups *g, struct blob blob, struct weir_slice bytes);

/* ---- reply.c: answers, now or to a ticket ---- */
struct kafka_coder groups_answer(const struct groups_call *call, int16_t api, int16_t version);
/* False: the answer is larger than GROUPS_REPLY_MAX and was not given. */
bool groups_reply(struct groups_call *call, const struct kafka_coder *out);

/* ---- rebalance.c: the group's states ---- */
struct weir_slice groups_state_name(const struct group *group);
void member_touch(struct groups_call *call, struct group *group, struct member *member); /* a full session from now */
void group_due(struct groups_call *call, struct group *group, uint64_t at_ns);
void group_prepare(struct groups_call *call, struct group *group); /* a rebalance begins */
void group_try_complete(struct groups_call *call, struct group *group);
/* The member waits for the answer to this request, which may still come within this apply. */
void member_wait(struct groups_call *call, struct member *member, enum member_wait wait);
/* Takes it out and answers what it waits for; group_lost() follows. */
void group_remove_member(struct groups_call *call, struct group *group, struct member *member);
/* Whoever waits under the id of a static member that is replaced. */
void group_fence(struct groups_call *call, struct group *group, struct member *member);
void group_lost(struct groups_call *call, struct group *group);
void group_on_timer(struct groups_call *call, struct group *group);
void groups_on_start(struct groups_call *call); /* nobody waits any more, and all sessions begin again */
void member_answer_join(struct groups_call *call, struct group *group, struct member *member, struct weir_slice leader);
void member_answer_sync(struct groups_call *call, struct group *group, struct member *member, int16_t error);
/* Decodes a member's protocols into the arena. */
uint32_t member_protocols(
    struct groups_call *call, const struct member *member, struct kafka_group_protocol **ret_protocols);

/* ---- a handler an api ---- */
/* An id, generation and instance as most requests name a member. Generation < 0 is compared too. */
struct groups_who {
    struct weir_slice group_id, member_id, instance_id;
    int32_t generation;
};
int16_t groups_find_who(
    const struct groups_call *call, const struct groups_who *who, struct group **ret_group, struct member **ret_member);
void groups_join(struct groups_call *call);
void groups_sync(struct groups_call *call);
void groups_heartbeat(struct groups_call *call);
void groups_leave(struct groups_call *call);
void groups_offset_commit(struct groups_call *call);
void groups_offset_fetch(struct groups_call *call);
void groups_offset_delete(struct groups_call *call);
void groups_describe(struct groups_call *call);
void groups_list(struct groups_call *call);
void groups_delete(struct groups_call *call);
bool groups_is_mine(const struct groups_call *call, struct weir_slice name); /* by hash of its name */

/* ---- snapshot.c ---- */
WEIR_MUST enum weir_error groups_save(const void *state, struct weir_sink *sink);
WEIR_MUST enum weir_error groups_load(void *state, struct weir_source *source);

/* ---- print.c ---- */
/* The record's value as weir/service.h lays it out, without the api. False: it is not such a value. */
bool groups_read_request(struct weir_slice value, struct weir_kafka_request *ret);
size_t groups_print(struct weir_slice value, char *buf, size_t size);
WEIR_MUST enum weir_error groups_dump(const void *state, struct weir_sink *text);

/* ---- forward.c: on clients' lanes ---- */
/* False: a body that the limits forbid; the node closes the connection, and the fold would not read it. */
bool groups_body_fits(const struct weir_kafka_request *kafka);

extern const struct weir_kafka_row groups_kafka_rows[];
#endif
