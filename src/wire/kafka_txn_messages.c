#include "wire/kafka_txn_messages.h"

static void text(struct kafka_coder *c, struct weir_slice *x) {
    kafka_string(c, x, KAFKA_NOT_NULL);
}

static void id(struct kafka_coder *c, int64_t *x) {
    kafka_i64(c, x);
}

static void producer(struct kafka_coder *c, struct kafka_txn_producer *m) {
    text(c, &m->transactional_id);
    kafka_i64(c, &m->producer_id);
    kafka_i16(c, &m->producer_epoch);
}

/* ---- AddPartitionsToTxn ---- */
void kafka_add_partitions_to_txn_request(struct kafka_coder *c, struct kafka_add_partitions_to_txn_request *m) {
    producer(c, &m->producer);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, kafka_wanted_topic);
    kafka_tags(c);
}

void kafka_add_partitions_to_txn_response(struct kafka_coder *c, struct kafka_add_partitions_to_txn_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, kafka_outcome_topic);
    kafka_tags(c);
}

/* ---- AddOffsetsToTxn ---- */
void kafka_add_offsets_to_txn_request(struct kafka_coder *c, struct kafka_add_offsets_to_txn_request *m) {
    producer(c, &m->producer);
    text(c, &m->group_id);
    kafka_tags(c);
}

void kafka_add_offsets_to_txn_response(struct kafka_coder *c, struct kafka_add_offsets_to_txn_response *m) {
    kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

/* ---- EndTxn ---- */
void kafka_end_txn_request(struct kafka_coder *c, struct kafka_end_txn_request *m) {
    producer(c, &m->producer);
    kafka_bool(c, &m->committed);
    kafka_tags(c);
}

void kafka_end_txn_response(struct kafka_coder *c, struct kafka_end_txn_response *m) {
    kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    kafka_tags(c);
}

/* ---- TxnOffsetCommit ---- */
static void committing(struct kafka_coder *c, struct kafka_group_offset *m) {
    kafka_i32(c, &m->index);
    kafka_i64(c, &m->offset);
    if (c->version >= 2) kafka_i32(c, &m->leader_epoch);
    kafka_string(c, &m->metadata, KAFKA_NULLABLE);
    kafka_tags(c);
}

static void committing_topic(struct kafka_coder *c, struct kafka_group_topic *m) {
    text(c, &m->name);
    KAFKA_ARRAY(c, m->partition_count, m->partitions, KAFKA_NOT_NULL, committing);
    kafka_tags(c);
}

void kafka_txn_offset_commit_request(struct kafka_coder *c, struct kafka_txn_offset_commit_request *m) {
    text(c, &m->producer.transactional_id);
    text(c, &m->group_id);
    kafka_i64(c, &m->producer.producer_id);
    kafka_i16(c, &m->producer.producer_epoch);
    if (c->version >= 3) {
        kafka_i32(c, &m->generation_id);
        text(c, &m->member_id);
        kafka_string(c, &m->group_instance_id, KAFKA_NULLABLE);
    }
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, committing_topic);
    kafka_tags(c);
}

void kafka_txn_offset_commit_response(struct kafka_coder *c, struct kafka_txn_offset_commit_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, kafka_outcome_topic);
    kafka_tags(c);
}

/* ---- DescribeTransactions ---- */
void kafka_describe_transactions_request(struct kafka_coder *c, struct kafka_describe_transactions_request *m) {
    KAFKA_ARRAY(c, m->id_count, m->ids, KAFKA_NOT_NULL, text);
    kafka_tags(c);
}

static void described_transaction(struct kafka_coder *c, struct kafka_described_transaction *m) {
    kafka_i16(c, &m->error);
    text(c, &m->transactional_id);
    text(c, &m->state);
    kafka_i32(c, &m->timeout_ms);
    kafka_i64(c, &m->start_ms);
    kafka_i64(c, &m->producer_id);
    kafka_i16(c, &m->producer_epoch);
    KAFKA_ARRAY(c, m->topic_count, m->topics, KAFKA_NOT_NULL, kafka_wanted_topic);
    kafka_tags(c);
}

void kafka_describe_transactions_response(struct kafka_coder *c, struct kafka_describe_transactions_response *m) {
    kafka_i32(c, &m->throttle_ms);
    KAFKA_ARRAY(c, m->transaction_count, m->transactions, KAFKA_NOT_NULL, described_transaction);
    kafka_tags(c);
}

/* ---- ListTransactions ---- */
void kafka_list_transactions_request(struct kafka_coder *c, struct kafka_list_transactions_request *m) {
    KAFKA_ARRAY(c, m->state_count, m->states, KAFKA_NOT_NULL, text);
    KAFKA_ARRAY(c, m->producer_count, m->producer_ids, KAFKA_NOT_NULL, id);
    if (c->version >= 1) kafka_i64(c, &m->duration_ms);
    kafka_tags(c);
}

static void listed_transaction(struct kafka_coder *c, struct kafka_listed_transaction *m) {
    text(c, &m->transactional_id);
    kafka_i64(c, &m->producer_id);
    text(c, &m->state);
    kafka_tags(c);
}

void kafka_list_transactions_response(struct kafka_coder *c, struct kafka_list_transactions_response *m) {
    kafka_i32(c, &m->throttle_ms);
    kafka_i16(c, &m->error);
    KAFKA_ARRAY(c, m->unknown_count, m->unknown_states, KAFKA_NOT_NULL, text);
    KAFKA_ARRAY(c, m->transaction_count, m->transactions, KAFKA_NOT_NULL, listed_transaction);
    kafka_tags(c);
}
