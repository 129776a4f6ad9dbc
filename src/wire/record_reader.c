/* Records inside a batch: the iterator and the strict pass. One decoder serves both; `strict` is a constant where it is
 * inlined. */
#include "base/assert.h"
#include "base/bytes.h"
#include "wire/record_batch.h"

#define INLINE static inline __attribute__((always_inline))

/* A varint of at most size_max bytes. Strict refuses a form longer than need be. False: cut short or too long. */
INLINE bool varint_get(const uint8_t **at, const uint8_t *end, unsigned size_max, bool strict, uint64_t *ret_value) {
    const uint8_t *p = *at;
    if (WEIR_LIKELY(p < end && *p < 0x80)) {
        *ret_value = *p;
        *at = p + 1;
        return true;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < size_max && p < end; i++, p++) {
        value |= (uint64_t)(*p & 0x7f) << (7 * i);
        if (*p < 0x80) {
            bool overflows = size_max == VARINT64_SIZE_MAX ? (i == 9 && *p > 1) : value > UINT32_MAX;
            if (overflows || (strict && i > 0 && *p == 0)) return false;
            *ret_value = value;
            *at = p + 1;
            return true;
        }
    }
    return false;
}

INLINE bool zigzag32_get(const uint8_t **at, const uint8_t *end, bool strict, int32_t *ret_value) {
    uint64_t raw = 0;
    if (!varint_get(at, end, VARINT32_SIZE_MAX, strict, &raw)) return false;
    *ret_value = zigzag32_decode((uint32_t)raw);
    return true;
}

/* A length and its bytes; -1 is a null where that is allowed. */
INLINE bool bytes_get(
    const uint8_t **at, const uint8_t *end, bool strict, bool may_be_null, struct weir_slice *ret_bytes) {
    int32_t size = 0;
    if (!zigzag32_get(at, end, strict, &size)) return false;
    if (size < 0) {
        *ret_bytes = weir_slice(NULL, 0);
        return may_be_null && size == -1;
    }
    if (size > end - *at) return false;
    *ret_bytes = weir_slice(*at, (size_t)size);
    *at += size;
    return true;
}

struct raw_record {
    int64_t timestamp_delta;
    int32_t offset_delta;
    uint32_t header_count;
    struct weir_slice key;
    struct weir_slice value;
    struct weir_slice headers;
};

/* Decodes the record at *at and moves it behind. NULL, or what is wrong with it. */
INLINE const char *record_get(const uint8_t **at, const uint8_t *end, bool strict, struct raw_record *ret_record) {
    const uint8_t *p = *at;
    int32_t length = 0;
    if (!zigzag32_get(&p, end, strict, &length) || length < 0 || length > end - p) return "its length";
    const uint8_t *record_end = p + length;
    uint64_t timestamp = 0;
    int32_t header_count = 0;
    if (p == record_end) return "its attributes";
    if (strict && *p != 0) return "its attributes, which must be 0";
    p++;
    if (!varint_get(&p, record_end, VARINT64_SIZE_MAX, strict, &timestamp)) return "its timestamp delta";
    if (!zigzag32_get(&p, record_end, strict, &ret_record->offset_delta)) return "its offset delta";
    if (!bytes_get(&p, record_end, strict, true, &ret_record->key)) return "its key";
    if (!bytes_get(&p, record_end, strict, true, &ret_record->value)) return "its value";
    if (!zigzag32_get(&p, record_end, strict, &header_count) || header_count < 0) return "its header count";
    /* A header takes two bytes at least, and without headers the record ends here. */
    if (header_count > (record_end - p) / 2 || (header_count == 0 && p != record_end)) return "its header count";
    ret_record->timestamp_delta = zigzag64_decode(timestamp);
    ret_record->header_count = (uint32_t)header_count;
    ret_record->headers = weir_slice(p, (size_t)(record_end - p));
    *at = record_end;
    return NULL;
}

INLINE bool header_get(const uint8_t **at, const uint8_t *end, bool strict, struct weir_record_header *ret_header) {
    return bytes_get(at, end, strict, false, &ret_header->key) && bytes_get(at, end, strict, true, &ret_header->value);
}

/* ---- iterator ---- */

void weir_record_reader_init_records(
    struct weir_record_reader *reader, struct weir_slice records, const struct weir_record_batch *batch) {
    if (records.size == 0) records = weir_slice("", 0); /* a zero slice has no address to count from */
    *reader = (struct weir_record_reader){
        .at = records.data,
        .end = records.data + records.size,
        .base_offset = batch->base_offset,
        .base_timestamp_ms = batch->base_timestamp_ms,
        .append_timestamp_ms = batch->max_timestamp_ms,
        .remaining = batch->record_count,
        .last_offset_delta = batch->last_offset_delta,
        .is_append_time = (batch->attributes & WEIR_BATCH_LOG_APPEND_TIME) != 0,
        .error = WEIR_OK,
    };
}

enum weir_error weir_record_reader_init(
    struct weir_record_reader *reader, struct weir_slice bytes, const struct weir_record_batch *batch) {
    WEIR_ASSERT(bytes.size >= batch->size);
    if (weir_record_batch_compression(batch) != WEIR_BATCH_NONE) {
        return weir_error_context(WEIR_E_UNSUPPORTED,
            "record batch at offset %lld: compression %d has to be undone first", (long long)batch->base_offset,
            (int)weir_record_batch_compression(batch));
    }
    weir_record_reader_init_records(reader, weir_record_batch_records(bytes, batch), batch);
    return WEIR_OK;
}

WEIR_COLD static bool reader_fail(struct weir_record_reader *reader, const char *what) {
    reader->error = weir_error_context(WEIR_E_INVALID, "record batch at offset %lld: %d records before its end, %s",
        (long long)reader->base_offset, reader->remaining, what);
    reader->remaining = 0;
    return false;
}

bool weir_record_reader_next(struct weir_record_reader *reader, struct weir_record *ret_record) {
    if (WEIR_UNLIKELY(reader->remaining <= 0)) return false;
    struct raw_record raw;
    const uint8_t *at = reader->at;
    const char *what = record_get(&at, reader->end, false, &raw);
    if (WEIR_UNLIKELY(what != NULL)) return reader_fail(reader, what);
    if (WEIR_UNLIKELY(raw.offset_delta < reader->next_delta_min || raw.offset_delta > reader->last_offset_delta)) {
        return reader_fail(reader, "its offset delta");
    }
    int64_t timestamp_ms = reader->append_timestamp_ms;
    if (!reader->is_append_time &&
        __builtin_add_overflow(reader->base_timestamp_ms, raw.timestamp_delta, &timestamp_ms)) {
        return reader_fail(reader, "its timestamp");
    }
    reader->at = at;
    reader->remaining--;
    reader->next_delta_min = raw.offset_delta == INT32_MAX ? INT32_MAX : raw.offset_delta + 1;
    *ret_record = (struct weir_record){
        .offset = reader->base_offset + raw.offset_delta,
        .timestamp_ms = timestamp_ms,
        .key = raw.key,
        .value = raw.value,
        .headers = raw.headers,
        .header_count = raw.header_count,
        .offset_delta = raw.offset_delta,
    };
    return true;
}

bool weir_record_header_next(struct weir_slice *headers, struct weir_record_header *ret_header) {
    if (headers->size == 0) return false;
    const uint8_t *at = headers->data;
    const uint8_t *end = at + headers->size;
    struct weir_record_header header;
    if (!header_get(&at, end, false, &header)) return false;
    *headers = weir_slice(at, (size_t)(end - at));
    *ret_header = header;
    return true;
}

bool weir_record_header_find(const struct weir_record *record, struct weir_slice key, struct weir_slice *ret_value) {
    struct weir_slice headers = record->headers;
    struct weir_record_header header;
    for (uint32_t i = 0; i < record->header_count && weir_record_header_next(&headers, &header); i++) {
        if (weir_slice_equal(header.key, key)) {
            *ret_value = header.value;
            return true;
        }
    }
    return false;
}

/* ---- the strict pass ---- */

/* NULL, or what is wrong with the headers: each must decode and the last must end the record. */
static const char *headers_check(const struct raw_record *record) {
    const uint8_t *at = record->headers.data;
    const uint8_t *end = at + record->headers.size;
    struct weir_record_header header;
    for (uint32_t i = 0; i < record->header_count; i++) {
        if (!header_get(&at, end, true, &header)) return "a header";
    }
    return at == end ? NULL : "bytes after its last header";
}

enum weir_error weir_record_batch_validate_records(const struct weir_record_batch *batch, struct weir_slice records) {
    if (batch->record_count < 1 || batch->last_offset_delta != batch->record_count - 1) {
        return weir_error_context(WEIR_E_INVALID, "record batch: %d records with last offset delta %d",
            batch->record_count, batch->last_offset_delta);
    }
    if (records.size == 0) records = weir_slice("", 0); /* a zero slice has no address to count from */
    const uint8_t *at = records.data;
    const uint8_t *end = at + records.size;
    int64_t timestamp_max = INT64_MIN;
    for (int32_t i = 0; i < batch->record_count; i++) {
        struct raw_record record;
        int64_t timestamp = 0;
        const char *what = record_get(&at, end, true, &record);
        if (!what && record.offset_delta != i) what = "its offset delta";
        if (!what && __builtin_add_overflow(batch->base_timestamp_ms, record.timestamp_delta, &timestamp)) {
            what = "its timestamp";
        }
        if (!what && record.header_count) what = headers_check(&record);
        if (what) return weir_error_context(WEIR_E_INVALID, "record %d of %d: %s", i, batch->record_count, what);
        if (timestamp > timestamp_max) timestamp_max = timestamp;
    }
    if (at != end) {
        return weir_error_context(WEIR_E_INVALID, "record batch: %zu bytes after its last record", (size_t)(end - at));
    }
    if (!(batch->attributes & WEIR_BATCH_LOG_APPEND_TIME) && timestamp_max != batch->max_timestamp_ms) {
        return weir_error_context(WEIR_E_INVALID, "record batch: max timestamp %lld, its records' is %lld",
            (long long)batch->max_timestamp_ms, (long long)timestamp_max);
    }
    return WEIR_OK;
}
