#include "wire/kafka_group_messages.h"

static void number(struct kafka_coder *c, int32_t *x) {
    kafka_i32(c, x);
}

static void text(struct kafka_coder *c, struct weir_slice *x) {
    kafka_string(c, x, KAFKA_NOT_NULL);
}

/* ---- FindCoordinator ---- */
void kafka_find_coordinator_request(struct kafka_coder *c, struct kafka_find_coordinator_request *m) {
    if (c->version < 4) text(c, &m->key);
    if (c->version >= 1) kafka_i8(c, &m->key_type);
    if (c->version >= 4) KAFKA_ARRAY(c, m->key_count, m->keys, KAFKA_NOT_NULL, text);
    kafka_tags(c);
}

static void coordinator(struct kafka_coder *c, struct kafka_coordinator *m) {
    text(c, &m->key);
    kafka_i32(c, &m->node_id);
    text(c, &m->host);
    kafka_i32(c, &m->port);
    kafka_i16(c, &m->error);
    kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_tags(c);
}

void kafka_find_coordinator_response(struct kafka_coder *c, struct kafka_find_coordinator_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    if (c->version >= 4) {
        KAFKA_ARRAY(c, m->coordinator_count, m->coordinators, KAFKA_NOT_NULL, coordinator);
    } else {
        kafka_i16(c, &m->one.error);
        if (c->version >= 1) kafka_string(c, &m->one.message, KAFKA_NULLABLE);
        kafka_i32(c, &m->one.node_id);
        text(c, &m->one.host);
        kafka_i32(c, &m->one.port);
    }
    kafka_tags(c);
}

/* ---- JoinGroup ---- */
void kafka_group_protocol(struct kafka_coder *c, struct kafka_group_protocol *m) {
    text(c, &m->name);
    kafka_bytes(c, &m->metadata, KAFKA_NOT_NULL);
    kafka_tags(c);
}

void kafka_join_group_request(struct kafka_coder *c, struct kafka_join_group_request *m) {
    text(c, &m->group_id);
    kafka_i32(c, &m->session_timeout_ms);
    kafka_i32(c, &m->rebalance_timeout_ms);
    text(c, &m->member_id);
    if (c->version >= 5) kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    text(c, &m->protocol_type);
    KAFKA_ARRAY(c, m->protocol_count, m->protocols, KAFKA_NOT_NULL, kafka_group_protocol);
    if (c->version >= 8) kafka_string(c, &m->reason, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void joined_member(struct kafka_coder *c, struct kafka_joined_member *m) {
    text(c, &m->member_id);
    if (c->version >= 5) kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    kafka_bytes(c, &m->metadata, KAFKA_NOT_NULL);
    kafka_tags(c);
}

void kafka_join_group_response(struct kafka_coder *c, struct kafka_join_group_response *m) {
    kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    kafka_i32(c, &m->generation_id);
    if (c->version >= 7) kafka_string(c, &m->protocol_type, KAFKA_NULLABLE);
    kafka_string(c, &m->protocol_name, c->version >= 7 ? KAFKA_NULLABLE : KAFKA_NOT_NULL);
    text(c, &m->leader);
    if (c->version >= 9) kafka_bool(c, &m->skip_assignment);
    text(c, &m->member_id);
    KAFKA_ARRAY(c, m->member_count, m->members, KAFKA_NOT_NULL, joined_member);
    kafka_tags(c);
}

/* ---- SyncGroup ---- */
static void group_assignment(struct kafka_coder *c, struct kafka_group_assignment *m) {
    text(c, &m->member_id);
    kafka_bytes(c, &m->assignment, KAFKA_NOT_NULL);
    kafka_tags(c);
}

void kafka_sync_group_request(struct kafka_coder *c, struct kafka_sync_group_request *m) {
    text(c, &m->group_id);
    kafka_i32(c, &m->generation_id);
    text(c, &m->member_id);
    if (c->version >= 3) kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    if (c->version >= 5) kafka_string(c, &m->protocol_type, KAFKA_NULLABLE);
    if (c->version >= 5) kafka_string(c, &m->protocol_name, KAFKA_NULLABLE);
    KAFKA_ARRAY(c, m->assignment_count, m->assignments, KAFKA_NOT_NULL, group_assignment);
    kafka_tags(c);
}

void kafka_sync_group_response(struct kafka_coder *c, struct kafka_sync_group_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    if (c->version >= 5) kafka_string(c, &m->protocol_type, KAFKA_NULLABLE);
    if (c->version >= 5) kafka_string(c, &m->protocol_name, KAFKA_NULLABLE);
    kafka_bytes(c, &m->assignment, KAFKA_NOT_NULL);
    kafka_tags(c);
}

/* ---- Heartbeat ---- */
void kafka_heartbeat_request(struct kafka_coder *c, struct kafka_heartbeat_request *m) {
    text(c, &m->group_id);
    kafka_i32(c, &m->generation_id);
    text(c, &m->member_id);
    if (c->version >= 3) kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    kafka_tags(c);
}

void kafka_heartbeat_response(struct kafka_coder *c, struct kafka_heartbeat_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

/* ---- LeaveGroup ---- */
static void leaving_member(struct kafka_coder *c, struct kafka_leaving_member *m) {
    text(c, &m->member_id);
    kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    if (c->version >= 5) kafka_string(c, &m->reason, KAFKA_NULLABLE);
    kafka_tags(c);
}

void kafka_leave_group_request(struct kafka_coder *c, struct kafka_leave_group_request *m) {
    text(c, &m->group_id);
    if (c->version < 3) text(c, &m->member_id);
    if (c->version >= 3) KAFKA_ARRAY(c, m->member_count, m->members, KAFKA_NOT_NULL, leaving_member);
    kafka_tags(c);
}

static void left_member(struct kafka_coder *c, struct kafka_leaving_member *m) {
    text(c, &m->member_id);
    kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

void kafka_leave_group_response(struct kafka_coder *c, struct kafka_leave_group_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    if (c->version >= 3) KAFKA_ARRAY(c, m->member_count, m->members, KAFKA_NOT_NULL, left_member);
    kafka_tags(c);
}

/* ---- OffsetCommit ---- */
static void committing(struct kafka_coder *c, struct kafka_group_offset *m) {
    kafka_i32(c, &m->index);
    kafka_i64(c, &m->offset);
    if (c->version >= 6) kafka_i32(c, &m->leader_epoch);
    kafka_string(c, &m->metadata, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void committing_topic(struct kafka_coder *c, struct kafka_group_topic *m) {
    text(c, &m->name);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, committing);
    kafka_tags(c);
}

void kafka_offset_commit_request(struct kafka_coder *c, struct kafka_offset_commit_request *m) {
    text(c, &m->group_id);
    kafka_i32(c, &m->generation_id);
    text(c, &m->member_id);
    if (c->version >= 7) kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    if (c->version <= 4) kafka_i64(c, &m->retention_time_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, committing_topic);
    kafka_tags(c);
}

static void outcome(struct kafka_coder *c, struct kafka_group_offset *m) {
    kafka_i32(c, &m->index);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

void kafka_outcome_topic(struct kafka_coder *c, struct kafka_group_topic *m) {
    text(c, &m->name);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, outcome);
    kafka_tags(c);
}

void kafka_offset_commit_response(struct kafka_coder *c, struct kafka_offset_commit_response *m) {
    if (c->version >= 3) kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, kafka_outcome_topic);
    kafka_tags(c);
}

/* ---- OffsetFetch ---- */
void kafka_wanted_topic(struct kafka_coder *c, struct kafka_wanted_topic *m) {
    text(c, &m->name);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, number);
    kafka_tags(c);
}

static void wanted_topics(struct kafka_coder *c, struct kafka_wanted_group *m) {
    KAFKA_ARRAY(c, m->topic_count, m->topics, c->version >= 2 ? KAFKA_NULLABLE : KAFKA_NOT_NULL, kafka_wanted_topic);
}

static void wanted_group(struct kafka_coder *c, struct kafka_wanted_group *m) {
    text(c, &m->group_id);
    wanted_topics(c, m);
    kafka_tags(c);
}

void kafka_offset_fetch_request(struct kafka_coder *c, struct kafka_offset_fetch_request *m) {
    if (c->version >= 8) {
        KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, wanted_group);
    } else {
        text(c, &m->one.group_id);
        wanted_topics(c, &m->one);
    }
    if (c->version >= 7) kafka_bool(c, &m->require_stable);
    kafka_tags(c);
}

static void committed(struct kafka_coder *c, struct kafka_group_offset *m) {
    kafka_i32(c, &m->index);
    kafka_i64(c, &m->offset);
    if (c->version >= 5) kafka_i32(c, &m->leader_epoch);
    kafka_string(c, &m->metadata, KAFKA_NULLABLE);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

static void committed_topic(struct kafka_coder *c, struct kafka_group_topic *m) {
    text(c, &m->name);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, committed);
    kafka_tags(c);
}

static void fetched_group(struct kafka_coder *c, struct kafka_fetched_group *m) {
    text(c, &m->group_id);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, committed_topic);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

void kafka_offset_fetch_response(struct kafka_coder *c, struct kafka_offset_fetch_response *m) {
    if (c->version >= 3) kafka_i32(c, &m->throttle_ms);
    if (c->version >= 8) {
        KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, fetched_group);
    } else {
        KAFKA_ARRAY(c, m->one.topic_count, m->one.topics, KAFKA_NOT_NULL, committed_topic);
        if (c->version >= 2) kafka_i16(c, &m->one.error);
    }
    kafka_tags(c);
}

/* ---- OffsetDelete ---- */
static void deleting(struct kafka_coder *c, struct kafka_group_offset *m) {
    kafka_i32(c, &m->index);
}

static void deleting_topic(struct kafka_coder *c, struct kafka_group_topic *m) {
    text(c, &m->name);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, deleting);
}

void kafka_offset_delete_request(struct kafka_coder *c, struct kafka_offset_delete_request *m) {
    text(c, &m->group_id);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, deleting_topic);
}

void kafka_offset_delete_response(struct kafka_coder *c, struct kafka_offset_delete_response *m) {
    kafka_i16(c, &m->error);
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, kafka_outcome_topic);
}

/* ---- DescribeGroups ---- */
void kafka_describe_groups_request(struct kafka_coder *c, struct kafka_describe_groups_request *m) {
    KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, text);
    if (c->version >= 3) kafka_bool(c, &m->include_operations);
    kafka_tags(c);
}

static void described_member(struct kafka_coder *c, struct kafka_described_member *m) {
    text(c, &m->member_id);
    if (c->version >= 4) kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    text(c, &m->client_id);
    text(c, &m->client_host);
    kafka_bytes(c, &m->metadata, KAFKA_NOT_NULL);
    kafka_bytes(c, &m->assignment, KAFKA_NOT_NULL);
    kafka_tags(c);
}

static void described_group(struct kafka_coder *c, struct kafka_described_group *m) {
    kafka_i16(c, &m->error);
    text(c, &m->group_id);
    text(c, &m->state);
    text(c, &m->protocol_type);
    text(c, &m->protocol);
    KAFKA_ARRAY(c, m->member_count, m->members, KAFKA_NOT_NULL, described_member);
    if (c->version >= 3) kafka_i32(c, &m->operations);
    kafka_tags(c);
}

void kafka_describe_groups_response(struct kafka_coder *c, struct kafka_describe_groups_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, described_group);
    kafka_tags(c);
}

/* ---- ListGroups ---- */
void kafka_list_groups_request(struct kafka_coder *c, struct kafka_list_groups_request *m) {
    if (c->version >= 4) KAFKA_ARRAY(c, m->state_count, m->states, KAFKA_NOT_NULL, text);
    if (c->version >= 5) KAFKA_ARRAY(c, m->type_count, m->types, KAFKA_NOT_NULL, text);
    kafka_tags(c);
}

static void listed_group(struct kafka_coder *c, struct kafka_listed_group *m) {
    text(c, &m->group_id);
    text(c, &m->protocol_type);
    if (c->version >= 4) text(c, &m->state);
    if (c->version >= 5) text(c, &m->type);
    kafka_tags(c);
}

void kafka_list_groups_response(struct kafka_coder *c, struct kafka_list_groups_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, listed_group);
    kafka_tags(c);
}

/* ---- DeleteGroups ---- */
void kafka_delete_groups_request(struct kafka_coder *c, struct kafka_delete_groups_request *m) {
    KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, text);
    kafka_tags(c);
}

static void deleted_group(struct kafka_coder *c, struct kafka_deleted_group *m) {
    text(c, &m->group_id);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

void kafka_delete_groups_response(struct kafka_coder *c, struct kafka_delete_groups_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->group_count, m->groups, KAFKA_NOT_NULL, deleted_group);
    kafka_tags(c);
}
