/* wire/kafka_admin_messages.h: the messages by which a Kafka client looks at topics' and the broker's settings and
 * changes them. How they are coded and who owns what: kafka.h. Fields: Kafka's schema files of the same names.
 */
#ifndef WEIR_WIRE_KAFKA_ADMIN_MESSAGES_H
#define WEIR_WIRE_KAFKA_ADMIN_MESSAGES_H
#include "wire/kafka_messages.h"

enum kafka_resource_type { KAFKA_RESOURCE_TOPIC = 2, KAFKA_RESOURCE_BROKER = 4 };
enum kafka_config_source { KAFKA_SOURCE_TOPIC = 1, KAFKA_SOURCE_BROKER = 4, KAFKA_SOURCE_DEFAULT = 5 };
enum kafka_config_type {
    KAFKA_TYPE_BOOLEAN = 1,
    KAFKA_TYPE_STRING,
    KAFKA_TYPE_INT,
    KAFKA_TYPE_LONG = 5,
    KAFKA_TYPE_LIST = 7
};

/* ---- DescribeConfigs (32) ---- */
struct kafka_config_resource {
    int8_t type; /* enum kafka_resource_type */
    struct weir_slice name;
    uint32_t key_count;
    struct weir_slice *keys; /* NULL: all */
};
struct kafka_describe_configs_request {
    uint32_t resource_count;
    struct kafka_config_resource *resources;
    bool synonyms, documentation;
};
struct kafka_config_synonym {
    struct weir_slice name, value;
    int8_t source;
};
struct kafka_described_config {
    struct weir_slice name, value;
    bool read_only, is_default /* version 0 */, sensitive;
    int8_t source, type;
    uint32_t synonym_count;
    struct kafka_config_synonym *synonyms;
    struct weir_slice documentation;
};
struct kafka_described_resource {
    int16_t error;
    struct weir_slice message;
    int8_t type;
    struct weir_slice name;
    uint32_t config_count;
    struct kafka_described_config *configs;
};
struct kafka_describe_configs_response {
    int32_t throttle_ms;
    uint32_t result_count;
    struct kafka_described_resource *results;
};
void kafka_describe_configs_request(struct kafka_coder *c, struct kafka_describe_configs_request *m);
void kafka_describe_configs_response(struct kafka_coder *c, struct kafka_describe_configs_response *m);

/* ---- AlterConfigs (33), IncrementalAlterConfigs (44) ---- */
enum kafka_config_operation { KAFKA_CONFIG_SET, KAFKA_CONFIG_DELETE, KAFKA_CONFIG_APPEND, KAFKA_CONFIG_SUBTRACT };
struct kafka_config_change {
    struct weir_slice name, value;
    int8_t operation; /* incremental */
};
struct kafka_altered_resource {
    int8_t type;
    struct weir_slice name;
    uint32_t config_count;
    struct kafka_config_change *configs;
};
struct kafka_alter_configs_request {
    uint32_t resource_count;
    struct kafka_altered_resource *resources;
    bool validate_only;
};
struct kafka_alter_configs_result {
    int16_t error;
    struct weir_slice message;
    int8_t type;
    struct weir_slice name;
};
struct kafka_alter_configs_response {
    int32_t throttle_ms;
    uint32_t result_count;
    struct kafka_alter_configs_result *results;
};
void kafka_alter_configs_request(struct kafka_coder *c, struct kafka_alter_configs_request *m);
void kafka_incremental_alter_configs_request(struct kafka_coder *c, struct kafka_alter_configs_request *m);
void kafka_alter_configs_response(struct kafka_coder *c, struct kafka_alter_configs_response *m); /* of both */

/* ---- CreatePartitions (37) ---- */
struct kafka_more_assignment {
    uint32_t broker_count;
    int32_t *brokers;
};
struct kafka_more_partitions {
    struct weir_slice name;
    int32_t count; /* in all */
    uint32_t assignment_count;
    struct kafka_more_assignment *assignments;
};
struct kafka_create_partitions_request {
    uint32_t topic_count;
    struct kafka_more_partitions *topics;
    int32_t timeout_ms;
    bool validate_only;
};
struct kafka_create_partitions_result {
    struct weir_slice name;
    int16_t error;
    struct weir_slice message;
};
struct kafka_create_partitions_response {
    int32_t throttle_ms;
    uint32_t result_count;
    struct kafka_create_partitions_result *results;
};
void kafka_create_partitions_request(struct kafka_coder *c, struct kafka_create_partitions_request *m);
void kafka_create_partitions_response(struct kafka_coder *c, struct kafka_create_partitions_response *m);

#endif
