#include "wire/kafka_messages.h"

static void number(struct kafka_coder *c, int32_t *x) {
    kafka_i32(c, x);
}

/* ---- ApiVersions ---- */
void kafka_api_versions_request(struct kafka_coder *c, struct kafka_api_versions_request *m) {
    if (c->version < 3) return;
    kafka_string(c, &m->software_name, KAFKA_NOT_NULL);
    kafka_string(c, &m->software_version, KAFKA_NOT_NULL);
    kafka_tags(c);
}

static void api_versions_row(struct kafka_coder *c, struct kafka_api_versions_row *m) {
    kafka_i16(c, &m->api);
    kafka_i16(c, &m->min);
    kafka_i16(c, &m->max);
    kafka_tags(c);
}

void kafka_api_versions_response(struct kafka_coder *c, struct kafka_api_versions_response *m) {
    kafka_i16(c, &m->error);
    KAFKA_ARRAY(c, m->row_count, m->rows, KAFKA_NOT_NULL, api_versions_row);
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    kafka_tags(c);
}

/* ---- Metadata ---- */
static void metadata_topic_name(struct kafka_coder *c, struct kafka_metadata_topic_name *m) {
    if (c->version >= 10) kafka_uuid(c, m->topic_id);
    kafka_string(c, &m->name, c->version >= 10 ? KAFKA_NULLABLE : KAFKA_NOT_NULL);
    kafka_tags(c);
}

void kafka_metadata_request(struct kafka_coder *c, struct kafka_metadata_request *m) {
    m->allow_auto_topic_creation |= !c->encoding && c->version < 4;
    KAFKA_ARRAY(c, m->topic_count, m->topics, c->version >= 1 ? KAFKA_NULLABLE : KAFKA_NOT_NULL, metadata_topic_name);
    if (c->version >= 4) kafka_bool(c, &m->allow_auto_topic_creation);
    if (c->version >= 8 && c->version <= 10) kafka_bool(c, &m->include_cluster_operations);
    if (c->version >= 8) kafka_bool(c, &m->include_topic_operations);
    kafka_tags(c);
}

static void broker(struct kafka_coder *c, struct kafka_broker *m) {
    kafka_i32(c, &m->node_id);
    kafka_string(c, &m->host, KAFKA_NOT_NULL);
    kafka_i32(c, &m->port);
    if (c->version >= 1) kafka_string(c, &m->rack, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void metadata_partition(struct kafka_coder *c, struct kafka_metadata_partition *m) {
    kafka_i16(c, &m->error);
    kafka_i32(c, &m->index);
    kafka_i32(c, &m->leader);
    if (c->version >= 7) kafka_i32(c, &m->leader_epoch);
    KAFKA_ARRAY(c, m->replica_count, m->replicas, KAFKA_NOT_NULL, number);
    KAFKA_ARRAY(c, m->isr_count, m->isr, KAFKA_NOT_NULL, number);
    if (c->version >= 5) KAFKA_ARRAY(c, m->offline_count, m->offline, KAFKA_NOT_NULL, number);
    kafka_tags(c);
}

static void metadata_topic(struct kafka_coder *c, struct kafka_metadata_topic *m) {
    kafka_i16(c, &m->error);
    kafka_string(c, &m->name, c->version >= 12 ? KAFKA_NULLABLE : KAFKA_NOT_NULL);
    if (c->version >= 10) kafka_uuid(c, m->topic_id);
    if (c->version >= 1) kafka_bool(c, &m->is_internal);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, metadata_partition);
    if (c->version >= 8) kafka_i32(c, &m->operations);
    kafka_tags(c);
}

void kafka_metadata_response(struct kafka_coder *c, struct kafka_metadata_response *m) {
    if (c->version >= 3) kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->broker_count, m->brokers, KAFKA_NOT_NULL, broker);
    if (c->version >= 2) kafka_string(c, &m->cluster_id, KAFKA_NULLABLE);
    if (c->version >= 1) kafka_i32(c, &m->controller_id);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, metadata_topic);
    if (c->version >= 8 && c->version <= 10) kafka_i32(c, &m->operations);
    kafka_tags(c);
}

/* ---- Produce ---- */
static void produce_partition(struct kafka_coder *c, struct kafka_produce_partition *m) {
    kafka_i32(c, &m->index);
    kafka_bytes(c, &m->records, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void produce_topic(struct kafka_coder *c, struct kafka_produce_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, produce_partition);
    kafka_tags(c);
}

void kafka_produce_request(struct kafka_coder *c, struct kafka_produce_request *m) {
    if (c->version >= 3) kafka_string(c, &m->transactional_id, KAFKA_NULLABLE);
    kafka_i16(c, &m->acks);
    kafka_i32(c, &m->timeout_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, produce_topic);
    kafka_tags(c);
}

static void record_error(struct kafka_coder *c, struct kafka_record_error *m) {
    kafka_i32(c, &m->batch_index);
    kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void produced_partition(struct kafka_coder *c, struct kafka_produced_partition *m) {
    kafka_i32(c, &m->index);
    kafka_i16(c, &m->error);
    kafka_i64(c, &m->base_offset);
    if (c->version >= 2) kafka_i64(c, &m->log_append_time_ms);
    if (c->version >= 5) kafka_i64(c, &m->log_start_offset);
    if (c->version >= 8) {
        KAFKA_ARRAY(c, m->record_error_count, m->record_errors, KAFKA_NOT_NULL, record_error);
        kafka_string(c, &m->message, KAFKA_NULLABLE);
    }
    kafka_tags(c);
}

static void produced_topic(struct kafka_coder *c, struct kafka_produced_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, produced_partition);
    kafka_tags(c);
}

void kafka_produce_response(struct kafka_coder *c, struct kafka_produce_response *m) {
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, produced_topic);
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    kafka_tags(c);
}

/* ---- Fetch ---- */
static void fetch_partition(struct kafka_coder *c, struct kafka_fetch_partition *m) {
    kafka_i32(c, &m->index);
    if (c->version >= 9) kafka_i32(c, &m->current_leader_epoch);
    kafka_i64(c, &m->fetch_offset);
    if (c->version >= 12) kafka_i32(c, &m->last_fetched_epoch);
    if (c->version >= 5) kafka_i64(c, &m->log_start_offset);
    kafka_i32(c, &m->bytes_max);
    kafka_tags(c);
}

static void fetch_topic(struct kafka_coder *c, struct kafka_fetch_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, fetch_partition);
    kafka_tags(c);
}

static void forgotten_topic(struct kafka_coder *c, struct kafka_forgotten_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, number);
    kafka_tags(c);
}

void kafka_fetch_request(struct kafka_coder *c, struct kafka_fetch_request *m) {
    kafka_i32(c, &m->replica_id);
    kafka_i32(c, &m->wait_ms_max);
    kafka_i32(c, &m->bytes_min);
    if (c->version >= 3) kafka_i32(c, &m->bytes_max);
    if (c->version >= 4) kafka_i8(c, &m->isolation);
    if (c->version >= 7) kafka_i32(c, &m->session_id);
    if (c->version >= 7) kafka_i32(c, &m->session_epoch);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, fetch_topic);
    if (c->version >= 7) KAFKA_ARRAY(c, m->forgotten_count, m->forgotten, KAFKA_NOT_NULL, forgotten_topic);
    if (c->version >= 11) kafka_string(c, &m->rack_id, KAFKA_NOT_NULL);
    kafka_tags(c);
}

static void aborted(struct kafka_coder *c, struct kafka_aborted *m) {
    kafka_i64(c, &m->producer_id);
    kafka_i64(c, &m->first_offset);
    kafka_tags(c);
}

static void fetched_partition(struct kafka_coder *c, struct kafka_fetched_partition *m) {
    kafka_i32(c, &m->index);
    kafka_i16(c, &m->error);
    kafka_i64(c, &m->high_watermark);
    if (c->version >= 4) kafka_i64(c, &m->last_stable_offset);
    if (c->version >= 5) kafka_i64(c, &m->log_start_offset);
    if (c->version >= 4) KAFKA_ARRAY(c, m->aborted_count, m->aborted, KAFKA_NULLABLE, aborted);
    if (c->version >= 11) kafka_i32(c, &m->preferred_read_replica);
    kafka_bytes(c, &m->records, c->encoding ? KAFKA_NOT_NULL : KAFKA_NULLABLE);
    kafka_tags(c);
}

static void fetched_topic(struct kafka_coder *c, struct kafka_fetched_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, fetched_partition);
    kafka_tags(c);
}

void kafka_fetch_response(struct kafka_coder *c, struct kafka_fetch_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    if (c->version >= 7) kafka_i16(c, &m->error);
    if (c->version >= 7) kafka_i32(c, &m->session_id);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, fetched_topic);
    kafka_tags(c);
}

/* ---- ListOffsets ---- */
static void list_offsets_partition(struct kafka_coder *c, struct kafka_list_offsets_partition *m) {
    kafka_i32(c, &m->index);
    if (c->version >= 4) kafka_i32(c, &m->current_leader_epoch);
    kafka_i64(c, &m->timestamp_ms);
    kafka_tags(c);
}

static void list_offsets_topic(struct kafka_coder *c, struct kafka_list_offsets_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, list_offsets_partition);
    kafka_tags(c);
}

void kafka_list_offsets_request(struct kafka_coder *c, struct kafka_list_offsets_request *m) {
    kafka_i32(c, &m->replica_id);
    if (c->version >= 2) kafka_i8(c, &m->isolation);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, list_offsets_topic);
    kafka_tags(c);
}

static void listed_partition(struct kafka_coder *c, struct kafka_listed_partition *m) {
    kafka_i32(c, &m->index);
    kafka_i16(c, &m->error);
    kafka_i64(c, &m->timestamp_ms);
    kafka_i64(c, &m->offset);
    if (c->version >= 4) kafka_i32(c, &m->leader_epoch);
    kafka_tags(c);
}

static void listed_topic(struct kafka_coder *c, struct kafka_listed_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, listed_partition);
    kafka_tags(c);
}

void kafka_list_offsets_response(struct kafka_coder *c, struct kafka_list_offsets_response *m) {
    if (c->version >= 2) kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, listed_topic);
    kafka_tags(c);
}

/* ---- CreateTopics ---- */
static void assignment(struct kafka_coder *c, struct kafka_assignment *m) {
    kafka_i32(c, &m->partition);
    KAFKA_ARRAY(c, m->broker_count, m->brokers, KAFKA_NOT_NULL, number);
    kafka_tags(c);
}

static void new_config(struct kafka_coder *c, struct kafka_topic_config *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    kafka_string(c, &m->value, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void new_topic(struct kafka_coder *c, struct kafka_new_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    kafka_i32(c, &m->partition_count);
    kafka_i16(c, &m->replication_factor);
    KAFKA_ARRAY(c, m->assignment_count, m->assignments, KAFKA_NOT_NULL, assignment);
    KAFKA_ARRAY(c, m->config_count, m->configs, KAFKA_NOT_NULL, new_config);
    kafka_tags(c);
}

void kafka_create_topics_request(struct kafka_coder *c, struct kafka_create_topics_request *m) {
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, new_topic);
    kafka_i32(c, &m->timeout_ms);
    if (c->version >= 1) kafka_bool(c, &m->validate_only);
    kafka_tags(c);
}

static void created_config(struct kafka_coder *c, struct kafka_topic_config *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    kafka_string(c, &m->value, KAFKA_NULLABLE);
    kafka_bool(c, &m->read_only);
    kafka_i8(c, &m->source);
    kafka_bool(c, &m->sensitive);
    kafka_tags(c);
}

static void created_topic(struct kafka_coder *c, struct kafka_created_topic *m) {
    kafka_string(c, &m->name, KAFKA_NOT_NULL);
    if (c->version >= 7) kafka_uuid(c, m->topic_id);
    kafka_i16(c, &m->error);
    if (c->version >= 1) kafka_string(c, &m->message, KAFKA_NULLABLE);
    if (c->version >= 5) {
        kafka_i32(c, &m->partition_count);
        kafka_i16(c, &m->replication_factor);
        KAFKA_ARRAY(c, m->config_count, m->configs, KAFKA_NULLABLE, created_config);
    }
    kafka_tags(c);
}

void kafka_create_topics_response(struct kafka_coder *c, struct kafka_create_topics_response *m) {
    if (c->version >= 2) kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, created_topic);
    kafka_tags(c);
}

/* ---- DeleteTopics ---- */
static void deleted_topic_name(struct kafka_coder *c, struct kafka_metadata_topic_name *m) {
    kafka_string(c, &m->name, c->version >= 6 ? KAFKA_NULLABLE : KAFKA_NOT_NULL);
    if (c->version < 6) return; /* a plain string, no struct */
    kafka_uuid(c, m->topic_id);
    kafka_tags(c);
}

void kafka_delete_topics_request(struct kafka_coder *c, struct kafka_delete_topics_request *m) {
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, deleted_topic_name);
    kafka_i32(c, &m->timeout_ms);
    kafka_tags(c);
}

static void deleted_topic(struct kafka_coder *c, struct kafka_deleted_topic *m) {
    kafka_string(c, &m->name, c->version >= 6 ? KAFKA_NULLABLE : KAFKA_NOT_NULL);
    if (c->version >= 6) kafka_uuid(c, m->topic_id);
    kafka_i16(c, &m->error);
    if (c->version >= 5) kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_tags(c);
}

void kafka_delete_topics_response(struct kafka_coder *c, struct kafka_delete_topics_response *m) {
    if (c->version >= 1) kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, deleted_topic);
    kafka_tags(c);
}

/* ---- InitProducerId ---- */
void kafka_init_producer_id_request(struct kafka_coder *c, struct kafka_init_producer_id_request *m) {
    kafka_string(c, &m->transactional_id, KAFKA_NULLABLE);
    kafka_i32(c, &m->transaction_timeout_ms);
    if (c->version >= 3) kafka_i64(c, &m->producer_id);
    if (c->version >= 3) kafka_i16(c, &m->producer_epoch);
    kafka_tags(c);
}

void kafka_init_producer_id_response(struct kafka_coder *c, struct kafka_init_producer_id_response *m) {
    kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    kafka_i64(c, &m->producer_id);
    kafka_i16(c, &m->producer_epoch);
    kafka_tags(c);
}
