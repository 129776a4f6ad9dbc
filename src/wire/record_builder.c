/* Builds a RecordBatch in a caller's buffer. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "wire/record_batch.h"

/* A batch's length field is an int32: so much may follow it. */
#define BATCH_SIZE_MAX ((size_t)INT32_MAX + WEIR_BATCH_LENGTH_BIAS)

void weir_record_builder_init(struct weir_record_builder *builder, uint8_t *bytes, size_t capacity,
    const struct weir_record_builder_options *options) {
    WEIR_ASSERT(capacity >= WEIR_BATCH_HEADER_SIZE);
    WEIR_ASSERT((options->attributes & WEIR_BATCH_COMPRESSION_MASK) == WEIR_BATCH_NONE);
    *builder = (struct weir_record_builder){
        .bytes = bytes,
        .capacity = capacity < BATCH_SIZE_MAX ? capacity : BATCH_SIZE_MAX,
        .size = WEIR_BATCH_HEADER_SIZE,
        .max_timestamp_ms = INT64_MIN,
        .options = *options,
    };
}

/* Zigzag of a length that is not negative. */
static inline uint32_t zigzag_size(size_t size) {
    return (uint32_t)size << 1;
}

/* Encoded size of a length and its bytes; a null is the length -1. */
static inline size_t field_size(struct weir_slice bytes) {
    return bytes.data ? varint_size(zigzag_size(bytes.size)) + bytes.size : 1;
}

static inline uint8_t *field_put(uint8_t *at, struct weir_slice bytes) {
    if (!bytes.data) {
        *at++ = 1; /* zigzag of -1 */
        return at;
    }
    at += varint_store(at, zigzag_size(bytes.size));
    if (bytes.size) memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

/* Encoded size of the headers, their count included; SIZE_MAX when no batch could hold them. */
static size_t headers_size(const struct weir_record_header *headers, size_t header_count) {
    if (header_count > INT32_MAX) return SIZE_MAX;
    size_t size = varint_size(zigzag_size(header_count));
    for (size_t i = 0; i < header_count; i++) {
        if (headers[i].key.size > INT32_MAX || headers[i].value.size > INT32_MAX) return SIZE_MAX;
        struct weir_slice key = headers[i].key;
        size += varint_size(zigzag_size(key.size)) + key.size + field_size(headers[i].value);
        if (size > BATCH_SIZE_MAX) return SIZE_MAX;
    }
    return size;
}

static uint8_t *headers_put(uint8_t *at, const struct weir_record_header *headers, size_t header_count) {
    at += varint_store(at, zigzag_size(header_count));
    for (size_t i = 0; i < header_count; i++) {
        struct weir_slice key = headers[i].key;
        at = field_put(at, key.data ? key : weir_slice("", 0)); /* a header's key cannot be null */
        at = field_put(at, headers[i].value);
    }
    return at;
}

size_t weir_record_size_max(
    size_t key_size, size_t value_size, const struct weir_record_header *headers, size_t header_count) {
    /* length, attributes, timestamp delta, offset delta, two lengths */
    size_t fixed = VARINT32_SIZE_MAX + 1 + VARINT64_SIZE_MAX + 3 * VARINT32_SIZE_MAX;
    size_t rest = headers_size(headers, header_count);
    return rest == SIZE_MAX ? SIZE_MAX : fixed + key_size + value_size + rest;
}

enum weir_error weir_record_builder_append_place(struct weir_record_builder *builder, int64_t timestamp_ms,
    struct weir_slice key, size_t value_size, const struct weir_record_header *headers, size_t header_count,
    uint8_t **ret_value) {
    size_t rest = header_count ? headers_size(headers, header_count) : 1;
    if (WEIR_UNLIKELY(key.size > INT32_MAX || value_size > INT32_MAX || rest > INT32_MAX)) {
        return weir_error_context(WEIR_E_TOO_LARGE, "a record of %zu + %zu bytes fits no batch", key.size, value_size);
    }
    int64_t timestamp_delta = 0;
    if (WEIR_UNLIKELY(__builtin_sub_overflow(timestamp_ms, builder->options.base_timestamp_ms, &timestamp_delta))) {
        return weir_error_context(
            WEIR_E_INVALID, "timestamp %lld is too far from the batch's", (long long)timestamp_ms);
    }
    uint64_t timestamp = zigzag64_encode(timestamp_delta);
    uint32_t offset = zigzag_size((size_t)builder->count);
    size_t length = 1 + varint_size(timestamp) + varint_size(offset) + field_size(key) +
                    varint_size(zigzag_size(value_size)) + value_size + rest;
    if (WEIR_UNLIKELY(length > INT32_MAX)) {
        return weir_error_context(WEIR_E_TOO_LARGE, "a record of %zu bytes fits no batch", length);
    }
    size_t size = varint_size(zigzag_size(length)) + length;
    if (WEIR_UNLIKELY(size > builder->capacity - builder->size)) return WEIR_E_FULL;

    uint8_t *at = builder->bytes + builder->size;
    at += varint_store(at, zigzag_size(length));
    *at++ = 0; /* attributes */
    at += varint_store(at, timestamp);
    at += varint_store(at, offset);
    at = field_put(at, key);
    at += varint_store(at, zigzag_size(value_size));
    *ret_value = at;
    at = headers_put(at + value_size, headers, header_count);
    builder->size += size;
    builder->count++;
    if (timestamp_ms > builder->max_timestamp_ms) builder->max_timestamp_ms = timestamp_ms;
    WEIR_DEBUG_ASSERT(at == builder->bytes + builder->size);
    return WEIR_OK;
}

/* A null value: the length -1 takes one byte, as a length 0 does, so the record is built with an empty value and the
 * one byte before it turned. */
enum weir_error weir_record_builder_append(struct weir_record_builder *builder, int64_t timestamp_ms,
    struct weir_slice key, struct weir_slice value, const struct weir_record_header *headers, size_t header_count) {
    uint8_t *at = NULL;
    enum weir_error error = weir_record_builder_append_place(
        builder, timestamp_ms, key, value.data ? value.size : 0, headers, header_count, &at);
    if (WEIR_UNLIKELY(error)) return error;
    WEIR_ASSERT(at != NULL);
    if (!value.data) {
        at[-1] = 1; /* zigzag of -1 */
    } else if (value.size) {
        memcpy(at, value.data, value.size);
    }
    return WEIR_OK;
}

struct weir_slice weir_record_builder_finish(struct weir_record_builder *builder) {
    WEIR_ASSERT(builder->count > 0);
    WEIR_ASSERT(builder->size > WEIR_BATCH_HEADER_SIZE && builder->size <= builder->capacity);
    const struct weir_record_builder_options *options = &builder->options;
    uint8_t *at = builder->bytes;
    store_be64(at + WEIR_BATCH_AT_BASE_OFFSET, (uint64_t)options->base_offset);
    store_be32(at + WEIR_BATCH_AT_LENGTH, (uint32_t)(builder->size - WEIR_BATCH_LENGTH_BIAS));
    store_be32(at + WEIR_BATCH_AT_LEADER_EPOCH, (uint32_t)options->leader_epoch);
    at[WEIR_BATCH_AT_MAGIC] = WEIR_BATCH_MAGIC;
    store_be16(at + WEIR_BATCH_AT_ATTRIBUTES, options->attributes);
    store_be32(at + WEIR_BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)(builder->count - 1));
    store_be64(at + WEIR_BATCH_AT_BASE_TIMESTAMP, (uint64_t)options->base_timestamp_ms);
    store_be64(at + WEIR_BATCH_AT_MAX_TIMESTAMP, (uint64_t)builder->max_timestamp_ms);
    store_be64(at + WEIR_BATCH_AT_PRODUCER_ID, (uint64_t)options->producer_id);
    store_be16(at + WEIR_BATCH_AT_PRODUCER_EPOCH, (uint16_t)options->producer_epoch);
    store_be32(at + WEIR_BATCH_AT_BASE_SEQUENCE, (uint32_t)options->base_sequence);
    store_be32(at + WEIR_BATCH_AT_RECORD_COUNT, (uint32_t)builder->count);
    struct weir_slice batch = weir_slice(at, builder->size);
    store_be32(at + WEIR_BATCH_AT_CRC, weir_record_batch_crc(batch));
    return batch;
}
