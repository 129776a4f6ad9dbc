/* wire/kafka_group_messages.h: the messages of consumer groups: a struct each, and the function that says its fields
 * (see wire/kafka.h and wire/kafka_messages.h). Fields that a version does not have keep what they were. What members
 * tell each other (`metadata`, `assignment`) is opaque here.
 */
#ifndef WEIR_WIRE_KAFKA_GROUP_MESSAGES_H
#define WEIR_WIRE_KAFKA_GROUP_MESSAGES_H
#include "wire/kafka.h"

/* ---- FindCoordinator (10) ---- */
enum { KAFKA_COORDINATOR_GROUP, KAFKA_COORDINATOR_TRANSACTION };
struct kafka_find_coordinator_request {
    struct weir_slice key; /* before version 4, which has any number */
    int8_t key_type;
    uint32_t key_count;
    struct weir_slice *keys;
};
struct kafka_coordinator {
    struct weir_slice key;
    int32_t node_id;
    struct weir_slice host;
    int32_t port;
    int16_t error;
    struct weir_slice message;
};
struct kafka_find_coordinator_response {
    int32_t throttle_ms;
    struct kafka_coordinator one; /* before version 4 */
    uint32_t coordinator_count;
    struct kafka_coordinator *coordinators;
};
void kafka_find_coordinator_request(struct kafka_coder *c, struct kafka_find_coordinator_request *m);
void kafka_find_coordinator_response(struct kafka_coder *c, struct kafka_find_coordinator_response *m);

/* ---- JoinGroup (11) ---- */
struct kafka_group_protocol {
    struct weir_slice name, metadata;
};
void kafka_group_protocol(struct kafka_coder *c, struct kafka_group_protocol *m);
struct kafka_join_group_request {
    struct weir_slice group_id;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    struct weir_slice member_id, group_instance_id, protocol_type;
    uint32_t protocol_count;
    struct kafka_group_protocol *protocols;
    struct weir_slice reason;
};
struct kafka_joined_member {
    struct weir_slice member_id, group_instance_id, metadata;
};
struct kafka_join_group_response {
    int32_t throttle_ms;
    int16_t error;
    int32_t generation_id;
    struct weir_slice protocol_type, protocol_name, leader;
    bool skip_assignment;
    struct weir_slice member_id;
    uint32_t member_count;
    struct kafka_joined_member *members;
};
void kafka_join_group_request(struct kafka_coder *c, struct kafka_join_group_request *m);
void kafka_join_group_response(struct kafka_coder *c, struct kafka_join_group_response *m);

/* ---- SyncGroup (14) ---- */
struct kafka_group_assignment {
    struct weir_slice member_id, assignment;
};
struct kafka_sync_group_request {
    struct weir_slice group_id;
    int32_t generation_id;
    struct weir_slice member_id, group_instance_id, protocol_type, protocol_name;
    uint32_t assignment_count;
    struct kafka_group_assignment *assignments;
};
struct kafka_sync_group_response {
    int32_t throttle_ms;
    int16_t error;
    struct weir_slice protocol_type, protocol_name, assignment;
};
void kafka_sync_group_request(struct kafka_coder *c, struct kafka_sync_group_request *m);
void kafka_sync_group_response(struct kafka_coder *c, struct kafka_sync_group_response *m);

/* ---- Heartbeat (12) ---- */
struct kafka_heartbeat_request {
    struct weir_slice group_id;
    int32_t generation_id;
    struct weir_slice member_id, group_instance_id;
};
struct kafka_heartbeat_response {
    int32_t throttle_ms;
    int16_t error;
};
void kafka_heartbeat_request(struct kafka_coder *c, struct kafka_heartbeat_request *m);
void kafka_heartbeat_response(struct kafka_coder *c, struct kafka_heartbeat_response *m);

/* ---- LeaveGroup (13) ---- */
struct kafka_leaving_member {
    struct weir_slice member_id, group_instance_id, reason;
    int16_t error; /* in responses */
};
struct kafka_leave_group_request {
    struct weir_slice group_id, member_id; /* member_id: before version 3, which has any number */
    uint32_t member_count;
    struct kafka_leaving_member *members;
};
struct kafka_leave_group_response {
    int32_t throttle_ms;
    int16_t error;
    uint32_t member_count;
    struct kafka_leaving_member *members;
};
void kafka_leave_group_request(struct kafka_coder *c, struct kafka_leave_group_request *m);
void kafka_leave_group_response(struct kafka_coder *c, struct kafka_leave_group_response *m);

/* ---- OffsetCommit (8), OffsetFetch (9), OffsetDelete (47) ---- */
struct kafka_group_offset {
    int32_t index;
    int64_t offset;
    int32_t leader_epoch;
    struct weir_slice metadata;
    int16_t error; /* in responses */
};
struct kafka_group_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_group_offset *partitions;
};
void kafka_outcome_topic(struct kafka_coder *c, struct kafka_group_topic *m); /* index and error of each */
struct kafka_offset_commit_request {
    struct weir_slice group_id;
    int32_t generation_id;
    struct weir_slice member_id, group_instance_id;
    int64_t retention_time_ms;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
};
struct kafka_offset_commit_response {
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
};
void kafka_offset_commit_request(struct kafka_coder *c, struct kafka_offset_commit_request *m);
void kafka_offset_commit_response(struct kafka_coder *c, struct kafka_offset_commit_response *m);

struct kafka_wanted_topic {
    struct weir_slice name;
    uint32_t partition_count;
    int32_t *partitions;
};
void kafka_wanted_topic(struct kafka_coder *c, struct kafka_wanted_topic *m);
struct kafka_wanted_group {
    struct weir_slice group_id;
    uint32_t topic_count;
    struct kafka_wanted_topic *topics; /* null: all */
};
struct kafka_offset_fetch_request {
    struct kafka_wanted_group one; /* before version 8, which has any number */
    uint32_t group_count;
    struct kafka_wanted_group *groups;
    bool require_stable;
};
struct kafka_fetched_group {
    struct weir_slice group_id;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
    int16_t error;
};
struct kafka_offset_fetch_response {
    int32_t throttle_ms;
    struct kafka_fetched_group one;
    uint32_t group_count;
    struct kafka_fetched_group *groups;
};
void kafka_offset_fetch_request(struct kafka_coder *c, struct kafka_offset_fetch_request *m);
void kafka_offset_fetch_response(struct kafka_coder *c, struct kafka_offset_fetch_response *m);

struct kafka_offset_delete_request {
    struct weir_slice group_id;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
};
struct kafka_offset_delete_response {
    int16_t error;
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
};
void kafka_offset_delete_request(struct kafka_coder *c, struct kafka_offset_delete_request *m);
void kafka_offset_delete_response(struct kafka_coder *c, struct kafka_offset_delete_response *m);

/* ---- DescribeGroups (15), ListGroups (16), DeleteGroups (42) ---- */
struct kafka_describe_groups_request {
    uint32_t group_count;
    struct weir_slice *groups;
    bool include_operations;
};
struct kafka_described_member {
    struct weir_slice member_id, group_instance_id, client_id, client_host, metadata, assignment;
};
struct kafka_described_group {
    int16_t error;
    struct weir_slice group_id, state, protocol_type, protocol;
    uint32_t member_count;
    struct kafka_described_member *members;
    int32_t operations;
};
struct kafka_describe_groups_response {
    int32_t throttle_ms;
    uint32_t group_count;
    struct kafka_described_group *groups;
};
void kafka_describe_groups_request(struct kafka_coder *c, struct kafka_describe_groups_request *m);
void kafka_describe_groups_response(struct kafka_coder *c, struct kafka_describe_groups_response *m);

struct kafka_list_groups_request {
    uint32_t state_count, type_count;
    struct weir_slice *states, *types; /* empty: all */
};
struct kafka_listed_group {
    struct weir_slice group_id, protocol_type, state, type;
};
struct kafka_list_groups_response {
    int32_t throttle_ms;
    int16_t error;
    uint32_t group_count;
    struct kafka_listed_group *groups;
};
void kafka_list_groups_request(struct kafka_coder *c, struct kafka_list_groups_request *m);
void kafka_list_groups_response(struct kafka_coder *c, struct kafka_list_groups_response *m);

struct kafka_delete_groups_request {
    uint32_t group_count;
    struct weir_slice *groups;
};
struct kafka_deleted_group {
    struct weir_slice group_id;
    int16_t error;
};
struct kafka_delete_groups_response {
    int32_t throttle_ms;
    uint32_t group_count;
    struct kafka_deleted_group *groups;
};
void kafka_delete_groups_request(struct kafka_coder *c, struct kafka_delete_groups_request *m);
void kafka_delete_groups_response(struct kafka_coder *c, struct kafka_delete_groups_response *m);

#endif
