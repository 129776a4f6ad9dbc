#include "wire/kafka_admin_messages.h"

static void number(struct kafka_coder *c, int32_t *x) {
    kafka_i32(c, x);
}

static void text(struct kafka_coder *c, struct weir_slice *x) {
    kafka_string(c, x, KAFKA_NOT_NULL);
}

/* ---- DescribeConfigs ---- */
static void resource(struct kafka_coder *c, struct kafka_config_resource *m) {
    kafka_i8(c, &m->type);
    text(c, &m->name);
    KAFKA_ARRAY(c, m->key_count, m->keys, KAFKA_NULLABLE, text);
    kafka_tags(c);
}

void kafka_describe_configs_request(struct kafka_coder *c, struct kafka_describe_configs_request *m) {
    KAFKA_ARRAY(c, m->resource_count, m->resources, KAFKA_NOT_NULL, resource);
    if (c->version >= 1) kafka_bool(c, &m->synonyms);
    if (c->version >= 3) kafka_bool(c, &m->documentation);
    kafka_tags(c);
}

static void synonym(struct kafka_coder *c, struct kafka_config_synonym *m) {
    text(c, &m->name);
    kafka_string(c, &m->value, KAFKA_NULLABLE);
    kafka_i8(c, &m->source);
    kafka_tags(c);
}

static void described_config(struct kafka_coder *c, struct kafka_described_config *m) {
    text(c, &m->name);
    kafka_string(c, &m->value, KAFKA_NULLABLE);
    kafka_bool(c, &m->read_only);
    if (c->version == 0) kafka_bool(c, &m->is_default);
    if (c->version >= 1) kafka_i8(c, &m->source);
    kafka_bool(c, &m->sensitive);
    if (c->version >= 1) KAFKA_ARRAY(c, m->synonym_count, m->synonyms, KAFKA_NOT_NULL, synonym);
    if (c->version >= 3) kafka_i8(c, &m->type);
    if (c->version >= 3) kafka_string(c, &m->documentation, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void described_resource(struct kafka_coder *c, struct kafka_described_resource *m) {
    kafka_i16(c, &m->error);
    kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_i8(c, &m->type);
    text(c, &m->name);
    KAFKA_ARRAY(c, m->config_count, m->configs, KAFKA_NOT_NULL, described_config);
    kafka_tags(c);
}

void kafka_describe_configs_response(struct kafka_coder *c, struct kafka_describe_configs_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->result_count, m->results, KAFKA_NOT_NULL, described_resource);
    kafka_tags(c);
}

/* ---- AlterConfigs, IncrementalAlterConfigs ---- */
static void config_value(struct kafka_coder *c, struct kafka_config_change *m) {
    text(c, &m->name);
    kafka_string(c, &m->value, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void config_change(struct kafka_coder *c, struct kafka_config_change *m) {
    text(c, &m->name);
    kafka_i8(c, &m->operation);
    kafka_string(c, &m->value, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void set_resource(struct kafka_coder *c, struct kafka_altered_resource *m) {
    kafka_i8(c, &m->type);
    text(c, &m->name);
    KAFKA_ARRAY(c, m->config_count, m->configs, KAFKA_NOT_NULL, config_value);
    kafka_tags(c);
}

static void changed_resource(struct kafka_coder *c, struct kafka_altered_resource *m) {
    kafka_i8(c, &m->type);
    text(c, &m->name);
    KAFKA_ARRAY(c, m->config_count, m->configs, KAFKA_NOT_NULL, config_change);
    kafka_tags(c);
}

void kafka_alter_configs_request(struct kafka_coder *c, struct kafka_alter_configs_request *m) {
    KAFKA_ARRAY(c, m->resource_count, m->resources, KAFKA_NOT_NULL, set_resource);
    kafka_bool(c, &m->validate_only);
    kafka_tags(c);
}

void kafka_incremental_alter_configs_request(struct kafka_coder *c, struct kafka_alter_configs_request *m) {
    KAFKA_ARRAY(c, m->resource_count, m->resources, KAFKA_NOT_NULL, changed_resource);
    kafka_bool(c, &m->validate_only);
    kafka_tags(c);
}

static void alter_result(struct kafka_coder *c, struct kafka_alter_configs_result *m) {
    kafka_i16(c, &m->error);
    kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_i8(c, &m->type);
    text(c, &m->name);
    kafka_tags(c);
}

void kafka_alter_configs_response(struct kafka_coder *c, struct kafka_alter_configs_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->result_count, m->results, KAFKA_NOT_NULL, alter_result);
    kafka_tags(c);
}

/* ---- CreatePartitions ---- */
static void more_assignment(struct kafka_coder *c, struct kafka_more_assignment *m) {
    KAFKA_ARRAY(c, m->broker_count, m->brokers, KAFKA_NOT_NULL, number);
    kafka_tags(c);
}

static void more_partitions(struct kafka_coder *c, struct kafka_more_partitions *m) {
    text(c, &m->name);
    kafka_i32(c, &m->count);
    KAFKA_ARRAY(c, m->assignment_count, m->assignments, KAFKA_NULLABLE, more_assignment);
    kafka_tags(c);
}

void kafka_create_partitions_request(struct kafka_coder *c, struct kafka_create_partitions_request *m) {
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, more_partitions);
    kafka_i32(c, &m->timeout_ms);
    kafka_bool(c, &m->validate_only);
    kafka_tags(c);
}

static void more_result(struct kafka_coder *c, struct kafka_create_partitions_result *m) {
    text(c, &m->name);
    kafka_i16(c, &m->error);
    kafka_string(c, &m->message, KAFKA_NULLABLE);
    kafka_tags(c);
}

void kafka_create_partitions_response(struct kafka_coder *c, struct kafka_create_partitions_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->result_count, m->results, KAFKA_NOT_NULL, more_result);
    kafka_tags(c);
}
