/* wire/kafka_messages.h: the messages of the Kafka protocol that are served: a struct each, and the function that says
 * its fields (see wire/kafka.h). Fields that a version does not have keep what they were.
 */
#ifndef WEIR_WIRE_KAFKA_MESSAGES_H
#define WEIR_WIRE_KAFKA_MESSAGES_H
#include "wire/kafka.h"

/* ---- ApiVersions (18) ---- */
struct kafka_api_versions_request {
    struct weir_slice software_name, software_version;
};
struct kafka_api_versions_row {
    int16_t api, min, max;
};
struct kafka_api_versions_response {
    int16_t error;
    uint32_t row_count;
    struct kafka_api_versions_row *rows;
    int32_t throttle_ms;
};
void kafka_api_versions_request(struct kafka_coder *c, struct kafka_api_versions_request *m);
void kafka_api_versions_response(struct kafka_coder *c, struct kafka_api_versions_response *m);

/* ---- Metadata (3) ---- */
struct kafka_metadata_topic_name {
    uint8_t topic_id[16];
    struct weir_slice name; /* null: by topic_id */
};
struct kafka_metadata_request {
    uint32_t topic_count;
    struct kafka_metadata_topic_name *topics; /* null: all; in version 0 an empty array */
    bool allow_auto_topic_creation, include_cluster_operations, include_topic_operations;
};
struct kafka_broker {
    int32_t node_id;
    struct weir_slice host;
    int32_t port;
    struct weir_slice rack;
};
struct kafka_metadata_partition {
    int16_t error;
    int32_t index, leader, leader_epoch;
    uint32_t replica_count, isr_count, offline_count;
    int32_t *replicas, *isr, *offline;
};
struct kafka_metadata_topic {
    int16_t error;
    struct weir_slice name;
    uint8_t topic_id[16];
    bool is_internal;
    uint32_t partition_count;
    struct kafka_metadata_partition *partitions;
    int32_t operations;
};
struct kafka_metadata_response {
    int32_t throttle_ms;
    uint32_t broker_count;
    struct kafka_broker *brokers;
    struct weir_slice cluster_id;
    int32_t controller_id;
    uint32_t topic_count;
    struct kafka_metadata_topic *topics;
    int32_t operations;
};
void kafka_metadata_request(struct kafka_coder *c, struct kafka_metadata_request *m);
void kafka_metadata_response(struct kafka_coder *c, struct kafka_metadata_response *m);

/* ---- Produce (0) ---- */
struct kafka_produce_partition {
    int32_t index;
    struct weir_slice records;
};
struct kafka_produce_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_produce_partition *partitions;
};
struct kafka_produce_request {
    struct weir_slice transactional_id;
    int16_t acks;
    int32_t timeout_ms;
    uint32_t topic_count;
    struct kafka_produce_topic *topics;
};
struct kafka_record_error {
    int32_t batch_index;
    struct weir_slice message;
};
struct kafka_produced_partition {
    int32_t index;
    int16_t error;
    int64_t base_offset, log_append_time_ms, log_start_offset;
    uint32_t record_error_count;
    struct kafka_record_error *record_errors;
    struct weir_slice message;
};
struct kafka_produced_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_produced_partition *partitions;
};
struct kafka_produce_response {
    uint32_t topic_count;
    struct kafka_produced_topic *topics;
    int32_t throttle_ms;
};
void kafka_produce_request(struct kafka_coder *c, struct kafka_produce_request *m);
void kafka_produce_response(struct kafka_coder *c, struct kafka_produce_response *m);

/* ---- Fetch (1) ---- */
struct kafka_fetch_partition {
    int32_t index, current_leader_epoch, last_fetched_epoch, bytes_max;
    int64_t fetch_offset, log_start_offset;
};
struct kafka_fetch_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_fetch_partition *partitions;
};
struct kafka_forgotten_topic {
    struct weir_slice name;
    uint32_t partition_count;
    int32_t *partitions;
};
struct kafka_fetch_request {
    int32_t replica_id, wait_ms_max, bytes_min, bytes_max;
    int8_t isolation; /* 0 read uncommitted, 1 read committed */
    int32_t session_id, session_epoch;
    uint32_t topic_count;
    struct kafka_fetch_topic *topics;
    uint32_t forgotten_count;
    struct kafka_forgotten_topic *forgotten;
    struct weir_slice rack_id;
};
struct kafka_aborted {
    int64_t producer_id, first_offset;
};
struct kafka_fetched_partition {
    int32_t index;
    int16_t error;
    int64_t high_watermark, last_stable_offset, log_start_offset;
    uint32_t aborted_count;
    struct kafka_aborted *aborted; /* null: read uncommitted */
    int32_t preferred_read_replica;
    struct weir_slice records; /* never null: librdkafka refuses it */
};
struct kafka_fetched_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_fetched_partition *partitions;
};
struct kafka_fetch_response {
    int32_t throttle_ms;
    int16_t error;
    int32_t session_id;
    uint32_t topic_count;
    struct kafka_fetched_topic *topics;
};
void kafka_fetch_request(struct kafka_coder *c, struct kafka_fetch_request *m);
void kafka_fetch_response(struct kafka_coder *c, struct kafka_fetch_response *m);

/* ---- ListOffsets (2) ---- */
enum { KAFKA_OFFSET_LATEST = -1, KAFKA_OFFSET_EARLIEST = -2, KAFKA_OFFSET_MAX_TIMESTAMP = -3 };
struct kafka_list_offsets_partition {
    int32_t index, current_leader_epoch;
    int64_t timestamp_ms;
};
struct kafka_list_offsets_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_list_offsets_partition *partitions;
};
struct kafka_list_offsets_request {
    int32_t replica_id;
    int8_t isolation;
    uint32_t topic_count;
    struct kafka_list_offsets_topic *topics;
};
struct kafka_listed_partition {
    int32_t index;
    int16_t error;
    int64_t timestamp_ms, offset;
    int32_t leader_epoch;
};
struct kafka_listed_topic {
    struct weir_slice name;
    uint32_t partition_count;
    struct kafka_listed_partition *partitions;
};
struct kafka_list_offsets_response {
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_listed_topic *topics;
};
void kafka_list_offsets_request(struct kafka_coder *c, struct kafka_list_offsets_request *m);
void kafka_list_offsets_response(struct kafka_coder *c, struct kafka_list_offsets_response *m);

/* ---- CreateTopics (19) ---- */
struct kafka_assignment {
    int32_t partition;
    uint32_t broker_count;
    int32_t *brokers;
};
struct kafka_topic_config {
    struct weir_slice name, value;
    bool read_only, sensitive; /* in responses */
    int8_t source;
};
struct kafka_new_topic {
    struct weir_slice name;
    int32_t partition_count;
    int16_t replication_factor;
    uint32_t assignment_count, config_count;
    struct kafka_assignment *assignments;
    struct kafka_topic_config *configs;
};
struct kafka_create_topics_request {
    uint32_t topic_count;
    struct kafka_new_topic *topics;
    int32_t timeout_ms;
    bool validate_only;
};
struct kafka_created_topic {
    struct weir_slice name;
    uint8_t topic_id[16];
    int16_t error;
    struct weir_slice message;
    int32_t partition_count;
    int16_t replication_factor;
    uint32_t config_count;
    struct kafka_topic_config *configs;
};
struct kafka_create_topics_response {
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_created_topic *topics;
};
void kafka_create_topics_request(struct kafka_coder *c, struct kafka_create_topics_request *m);
void kafka_create_topics_response(struct kafka_coder *c, struct kafka_create_topics_response *m);

/* ---- DeleteTopics (20) ---- */
struct kafka_delete_topics_request {
    uint32_t topic_count;
    struct kafka_metadata_topic_name *topics;
    int32_t timeout_ms;
};
struct kafka_deleted_topic {
    struct weir_slice name;
    uint8_t topic_id[16];
    int16_t error;
    struct weir_slice message;
};
struct kafka_delete_topics_response {
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_deleted_topic *topics;
};
void kafka_delete_topics_request(struct kafka_coder *c, struct kafka_delete_topics_request *m);
void kafka_delete_topics_response(struct kafka_coder *c, struct kafka_delete_topics_response *m);

/* ---- InitProducerId (22) ---- */
struct kafka_init_producer_id_request {
    struct weir_slice transactional_id;
    int32_t transaction_timeout_ms;
    int64_t producer_id;
    int16_t producer_epoch;
};
struct kafka_init_producer_id_response {
    int32_t throttle_ms;
    int16_t error;
    int64_t producer_id;
    int16_t producer_epoch;
};
void kafka_init_producer_id_request(struct kafka_coder *c, struct kafka_init_producer_id_request *m);
void kafka_init_producer_id_response(struct kafka_coder *c, struct kafka_init_producer_id_response *m);

#endif
