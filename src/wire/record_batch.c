/* The header of a RecordBatch: parse, check, patch. */
#include "wire/record_batch.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"

/* Bytes after the length field in a batch without records. */
#define LENGTH_MIN (WEIR_BATCH_HEADER_SIZE - WEIR_BATCH_LENGTH_BIAS)

enum weir_error weir_record_batch_peek_size(struct weir_slice bytes, size_t *ret_size) {
    if (bytes.size < WEIR_BATCH_LENGTH_BIAS) {
        return weir_error_context(WEIR_E_AGAIN, "a record batch needs its first 12 bytes, %zu are there", bytes.size);
    }
    int32_t length = (int32_t)load_be32(bytes.data + WEIR_BATCH_AT_LENGTH);
    if (length < LENGTH_MIN) {
        return weir_error_context(WEIR_E_INVALID, "record batch: length %d is below %d", length, LENGTH_MIN);
    }
    *ret_size = (size_t)length + WEIR_BATCH_LENGTH_BIAS;
    return WEIR_OK;
}

static void header_load(const uint8_t *at, size_t size, struct weir_record_batch *ret_batch) {
    *ret_batch = (struct weir_record_batch){
        .base_offset = (int64_t)load_be64(at + WEIR_BATCH_AT_BASE_OFFSET),
        .base_timestamp_ms = (int64_t)load_be64(at + WEIR_BATCH_AT_BASE_TIMESTAMP),
        .max_timestamp_ms = (int64_t)load_be64(at + WEIR_BATCH_AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)load_be64(at + WEIR_BATCH_AT_PRODUCER_ID),
        .size = (uint32_t)size,
        .crc = load_be32(at + WEIR_BATCH_AT_CRC),
        .leader_epoch = (int32_t)load_be32(at + WEIR_BATCH_AT_LEADER_EPOCH),
        .last_offset_delta = (int32_t)load_be32(at + WEIR_BATCH_AT_LAST_OFFSET_DELTA),
        .base_sequence = (int32_t)load_be32(at + WEIR_BATCH_AT_BASE_SEQUENCE),
        .record_count = (int32_t)load_be32(at + WEIR_BATCH_AT_RECORD_COUNT),
        .producer_epoch = (int16_t)load_be16(at + WEIR_BATCH_AT_PRODUCER_EPOCH),
        .attributes = load_be16(at + WEIR_BATCH_AT_ATTRIBUTES),
    };
}

static enum weir_error producer_check(const struct weir_record_batch *batch) {
    if (batch->producer_id == -1) return WEIR_OK;
    bool needs_sequence = !(batch->attributes & WEIR_BATCH_CONTROL);
    if (batch->producer_id < -1 || batch->producer_epoch < 0 || (needs_sequence && batch->base_sequence < 0)) {
        return weir_error_context(WEIR_E_INVALID, "record batch: producer id %lld with epoch %d and sequence %d",
            (long long)batch->producer_id, batch->producer_epoch, batch->base_sequence);
    }
    return WEIR_OK;
}

static enum weir_error counts_check(
    const struct weir_record_batch *batch, const struct weir_record_batch_limits *limits) {
    if (batch->record_count < 0 || batch->last_offset_delta < 0 || batch->last_offset_delta < batch->record_count - 1) {
        return weir_error_context(WEIR_E_INVALID, "record batch: %d records with last offset delta %d",
            batch->record_count, batch->last_offset_delta);
    }
    if (batch->base_offset < 0 || batch->base_offset > INT64_MAX - batch->last_offset_delta) {
        return weir_error_context(
            WEIR_E_INVALID, "record batch: base offset %lld is out of range", (long long)batch->base_offset);
    }
    if (limits && limits->records_max && (uint32_t)batch->record_count > limits->records_max) {
        return weir_error_context(
            WEIR_E_TOO_LARGE, "record batch: %d records, the limit is %u", batch->record_count, limits->records_max);
    }
    uint32_t room = batch->size - WEIR_BATCH_HEADER_SIZE;
    if (weir_record_batch_compression(batch) == WEIR_BATCH_NONE &&
        (uint32_t)batch->record_count > room / WEIR_RECORD_SIZE_MIN) {
        return weir_error_context(
            WEIR_E_INVALID, "record batch: %d records do not fit %u bytes", batch->record_count, room);
    }
    return WEIR_OK;
}

enum weir_error weir_record_batch_parse(
    struct weir_slice bytes, const struct weir_record_batch_limits *limits, struct weir_record_batch *ret_batch) {
    size_t size = 0;
    enum weir_error error = weir_record_batch_peek_size(bytes, &size);
    if (error) return error;
    if (limits && limits->batch_bytes_max && size > limits->batch_bytes_max) {
        return weir_error_context(
            WEIR_E_TOO_LARGE, "record batch: %zu bytes, the limit is %u", size, limits->batch_bytes_max);
    }
    if (bytes.size > WEIR_BATCH_AT_MAGIC && bytes.data[WEIR_BATCH_AT_MAGIC] != WEIR_BATCH_MAGIC) {
        return weir_error_context(
            WEIR_E_UNSUPPORTED, "record batch: magic %u, only 2 is supported", bytes.data[WEIR_BATCH_AT_MAGIC]);
    }
    if (bytes.size < size) {
        return weir_error_context(WEIR_E_AGAIN, "record batch: %zu of %zu bytes are there", bytes.size, size);
    }
    struct weir_record_batch batch;
    header_load(bytes.data, size, &batch);
    if (weir_record_batch_compression(&batch) > WEIR_BATCH_ZSTD) {
        return weir_error_context(
            WEIR_E_UNSUPPORTED, "record batch: compression %d", (int)weir_record_batch_compression(&batch));
    }
    error = counts_check(&batch, limits);
    if (error) return error;
    error = producer_check(&batch);
    if (error) return error;
    *ret_batch = batch;
    return WEIR_OK;
}

uint32_t weir_record_batch_crc(struct weir_slice batch) {
    WEIR_ASSERT(batch.size >= WEIR_BATCH_HEADER_SIZE);
    return crc32c(batch.data + WEIR_BATCH_AT_ATTRIBUTES, batch.size - WEIR_BATCH_AT_ATTRIBUTES);
}

enum weir_error weir_record_batch_check(
    struct weir_slice bytes, const struct weir_record_batch_limits *limits, struct weir_record_batch *ret_batch) {
    struct weir_record_batch batch = {0};
    enum weir_error error = weir_record_batch_parse(bytes, limits, &batch);
    if (error) return error;
    uint32_t crc = weir_record_batch_crc(weir_slice(bytes.data, batch.size));
    if (crc != batch.crc) {
        return weir_error_context(WEIR_E_CORRUPT, "record batch at offset %lld: crc %08x, its bytes give %08x",
            (long long)batch.base_offset, batch.crc, crc);
    }
    *ret_batch = batch;
    return WEIR_OK;
}

/* ---- patches ---- */

/* The pair of asserts around a boundary: whoever patches passes exactly one whole batch. */
static void batch_assert(const uint8_t *batch, size_t size) {
    WEIR_ASSERT(size >= WEIR_BATCH_HEADER_SIZE);
    WEIR_ASSERT(load_be32(batch + WEIR_BATCH_AT_LENGTH) == size - WEIR_BATCH_LENGTH_BIAS);
    WEIR_ASSERT(batch[WEIR_BATCH_AT_MAGIC] == WEIR_BATCH_MAGIC);
}

static void crc_store(uint8_t *batch, size_t size) {
    store_be32(batch + WEIR_BATCH_AT_CRC, weir_record_batch_crc(weir_slice(batch, size)));
}

static void append_time_store(uint8_t *batch, int64_t timestamp_ms) {
    uint16_t attributes = load_be16(batch + WEIR_BATCH_AT_ATTRIBUTES);
    store_be16(batch + WEIR_BATCH_AT_ATTRIBUTES, attributes | WEIR_BATCH_LOG_APPEND_TIME);
    store_be64(batch + WEIR_BATCH_AT_MAX_TIMESTAMP, (uint64_t)timestamp_ms);
}

void weir_record_batch_set_base_offset(uint8_t *batch, int64_t base_offset) {
    WEIR_ASSERT(base_offset >= 0);
    store_be64(batch + WEIR_BATCH_AT_BASE_OFFSET, (uint64_t)base_offset);
}

void weir_record_batch_set_leader_epoch(uint8_t *batch, int32_t leader_epoch) {
    store_be32(batch + WEIR_BATCH_AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

void weir_record_batch_set_log_append_time(uint8_t *batch, size_t size, int64_t timestamp_ms) {
    batch_assert(batch, size);
    append_time_store(batch, timestamp_ms);
    crc_store(batch, size);
}

void weir_record_batch_set_producer(
    uint8_t *batch, size_t size, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence) {
    batch_assert(batch, size);
    store_be64(batch + WEIR_BATCH_AT_PRODUCER_ID, (uint64_t)producer_id);
    store_be16(batch + WEIR_BATCH_AT_PRODUCER_EPOCH, (uint16_t)producer_epoch);
    store_be32(batch + WEIR_BATCH_AT_BASE_SEQUENCE, (uint32_t)base_sequence);
    crc_store(batch, size);
}

void weir_record_batch_assign(
    uint8_t *batch, size_t size, int64_t base_offset, int32_t leader_epoch, int64_t append_timestamp_ms) {
    batch_assert(batch, size);
    weir_record_batch_set_base_offset(batch, base_offset);
    weir_record_batch_set_leader_epoch(batch, leader_epoch);
    append_time_store(batch, append_timestamp_ms);
    crc_store(batch, size);
}
