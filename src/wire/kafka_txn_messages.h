/* wire/kafka_txn_messages.h: the messages of transactions: a struct each, and the function that says its fields (see
 * wire/kafka.h and wire/kafka_messages.h). AddPartitionsToTxn ends at version 3: from 4 on brokers ask it of each
 * other.
 */
#ifndef WEIR_WIRE_KAFKA_TXN_MESSAGES_H
#define WEIR_WIRE_KAFKA_TXN_MESSAGES_H
#include "wire/kafka_group_messages.h"

/* Who asks: the first fields of all four requests of a transaction, in TxnOffsetCommit with the group between them. */
struct kafka_txn_producer {
    struct weir_slice transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
};

/* ---- AddPartitionsToTxn (24) ---- */
struct kafka_add_partitions_to_txn_request {
    struct kafka_txn_producer producer;
    uint32_t topic_count;
    struct kafka_wanted_topic *topics;
};
struct kafka_add_partitions_to_txn_response {
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_group_topic *topics; /* index and error of each */
};
void kafka_add_partitions_to_txn_request(struct kafka_coder *c, struct kafka_add_partitions_to_txn_request *m);
void kafka_add_partitions_to_txn_response(struct kafka_coder *c, struct kafka_add_partitions_to_txn_response *m);

/* ---- AddOffsetsToTxn (25) ---- */
struct kafka_add_offsets_to_txn_request {
    struct kafka_txn_producer producer;
    struct weir_slice group_id;
};
struct kafka_add_offsets_to_txn_response {
    int32_t throttle_ms;
    int16_t error;
};
void kafka_add_offsets_to_txn_request(struct kafka_coder *c, struct kafka_add_offsets_to_txn_request *m);
void kafka_add_offsets_to_txn_response(struct kafka_coder *c, struct kafka_add_offsets_to_txn_response *m);

/* ---- EndTxn (26) ---- */
struct kafka_end_txn_request {
    struct kafka_txn_producer producer;
    bool committed;
};
struct kafka_end_txn_response {
    int32_t throttle_ms;
    int16_t error;
};
void kafka_end_txn_request(struct kafka_coder *c, struct kafka_end_txn_request *m);
void kafka_end_txn_response(struct kafka_coder *c, struct kafka_end_txn_response *m);

/* ---- TxnOffsetCommit (28) ---- */
struct kafka_txn_offset_commit_request {
    struct kafka_txn_producer producer;
    struct weir_slice group_id;
    int32_t generation_id; /* before version 3 nobody says which member it is */
    struct weir_slice member_id, group_instance_id;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
};
struct kafka_txn_offset_commit_response {
    int32_t throttle_ms;
    uint32_t topic_count;
    struct kafka_group_topic *topics;
};
void kafka_txn_offset_commit_request(struct kafka_coder *c, struct kafka_txn_offset_commit_request *m);
void kafka_txn_offset_commit_response(struct kafka_coder *c, struct kafka_txn_offset_commit_response *m);

/* ---- DescribeTransactions (65), ListTransactions (66) ---- */
struct kafka_describe_transactions_request {
    uint32_t id_count;
    struct weir_slice *ids;
};
struct kafka_described_transaction {
    int16_t error;
    struct weir_slice transactional_id, state;
    int32_t timeout_ms;
    int64_t start_ms; /* -1: none is open */
    int64_t producer_id;
    int16_t producer_epoch;
    uint32_t topic_count;
    struct kafka_wanted_topic *topics;
};
struct kafka_describe_transactions_response {
    int32_t throttle_ms;
    uint32_t transaction_count;
    struct kafka_described_transaction *transactions;
};
void kafka_describe_transactions_request(struct kafka_coder *c, struct kafka_describe_transactions_request *m);
void kafka_describe_transactions_response(struct kafka_coder *c, struct kafka_describe_transactions_response *m);

struct kafka_list_transactions_request {
    uint32_t state_count, producer_count;
    struct weir_slice *states; /* empty: all */
    int64_t *producer_ids;     /* empty: all */
    int64_t duration_ms;       /* open for longer than that; < 0: all */
};
struct kafka_listed_transaction {
    struct weir_slice transactional_id;
    int64_t producer_id;
    struct weir_slice state;
};
struct kafka_list_transactions_response {
    int32_t throttle_ms;
    int16_t error;
    uint32_t unknown_count, transaction_count;
    struct weir_slice *unknown_states; /* of those that were asked for */
    struct kafka_listed_transaction *transactions;
};
void kafka_list_transactions_request(struct kafka_coder *c, struct kafka_list_transactions_request *m);
void kafka_list_transactions_response(struct kafka_coder *c, struct kafka_list_transactions_response *m);

#endif
