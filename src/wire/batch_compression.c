/* Batches from plain to compressed and back. See compression.h. */
#include "base/assert.h"
#include "base/bytes.h"
#include "wire/compression.h"

#include <string.h>

/* The header of `batch`, over `size` bytes of records behind it, compressed as told. */
static struct weir_slice seal(
    const uint8_t *header, enum weir_batch_compression kind, uint8_t *out, size_t records_size) {
    size_t size = WEIR_BATCH_HEADER_SIZE + records_size;
    if (out != header) memcpy(out, header, WEIR_BATCH_HEADER_SIZE);
    uint16_t attributes = load_be16(out + WEIR_BATCH_AT_ATTRIBUTES);
    store_be16(
        out + WEIR_BATCH_AT_ATTRIBUTES, (uint16_t)((attributes & ~WEIR_BATCH_COMPRESSION_MASK) | (uint16_t)kind));
    store_be32(out + WEIR_BATCH_AT_LENGTH, (uint32_t)(size - WEIR_BATCH_LENGTH_BIAS));
    struct weir_slice batch = weir_slice(out, size);
    store_be32(out + WEIR_BATCH_AT_CRC, weir_record_batch_crc(batch));
    return batch;
}

enum weir_error weir_batch_compress(struct weir_compression *c, enum weir_batch_compression kind,
    struct weir_slice batch, uint8_t *out, size_t out_max, struct weir_slice *ret_batch) {
    WEIR_ASSERT(batch.size >= WEIR_BATCH_HEADER_SIZE && out_max >= WEIR_BATCH_HEADER_SIZE);
    struct weir_slice records = weir_slice(batch.data + WEIR_BATCH_HEADER_SIZE, batch.size - WEIR_BATCH_HEADER_SIZE);
    size_t size = 0;
    enum weir_error e =
        weir_compress(c, kind, records, out + WEIR_BATCH_HEADER_SIZE, out_max - WEIR_BATCH_HEADER_SIZE, &size);
    if (e) return e;
    if (size >= records.size) return WEIR_E_FULL;
    *ret_batch = seal(batch.data, kind, out, size);
    return WEIR_OK;
}

enum weir_error weir_batch_decompress(
    struct weir_compression *c, struct weir_slice bytes, uint8_t *out, size_t out_max, struct weir_slice *ret_batch) {
    struct weir_record_batch batch;
    size_t size = 0;
    enum weir_error e = weir_record_batch_parse(bytes, NULL, &batch);
    if (e) return e;
    if (out_max < WEIR_BATCH_HEADER_SIZE) return weir_error_context(WEIR_E_TOO_LARGE, "no room for a batch");
    if (out_max > INT32_MAX) out_max = INT32_MAX;
    e = weir_decompress(c, weir_record_batch_compression(&batch), weir_record_batch_records(bytes, &batch),
        out + WEIR_BATCH_HEADER_SIZE, out_max - WEIR_BATCH_HEADER_SIZE, &size);
    if (e) return weir_error_wrap(e, "record batch at offset %lld", (long long)batch.base_offset);
    *ret_batch = seal(bytes.data, WEIR_BATCH_NONE, out, size);
    return WEIR_OK;
}

enum weir_error weir_batch_trim(uint8_t *bytes, uint64_t offset, size_t size_max, struct weir_slice *ret_batch) {
    struct weir_record_batch batch;
    struct weir_record_reader reader;
    struct weir_record record;
    struct weir_slice whole = weir_slice(bytes, load_be32(bytes + WEIR_BATCH_AT_LENGTH) + WEIR_BATCH_LENGTH_BIAS);
    enum weir_error e = weir_record_batch_parse(whole, NULL, &batch);
    if (!e) e = weir_record_reader_init(&reader, whole, &batch);
    if (e) return e;
    const uint8_t *from = reader.at, *to = reader.at;
    int32_t count = 0, last = batch.last_offset_delta;
    bool more = true;
    while ((more = weir_record_reader_next(&reader, &record))) {
        if ((uint64_t)record.offset < offset) {
            from = to = reader.at;
            continue;
        }
        if (count > 0 && WEIR_BATCH_HEADER_SIZE + (size_t)(reader.at - from) > size_max) break;
        to = reader.at;
        last = record.offset_delta;
        count++;
    }
    if (reader.error) return reader.error;
    if (!more) last = batch.last_offset_delta; /* to the end: what compaction took behind the last record, too */
    memmove(bytes + WEIR_BATCH_HEADER_SIZE, from, (size_t)(to - from));
    store_be32(bytes + WEIR_BATCH_AT_RECORD_COUNT, (uint32_t)count);
    store_be32(bytes + WEIR_BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)last);
    *ret_batch = seal(bytes, WEIR_BATCH_NONE, bytes, (size_t)(to - from));
    return WEIR_OK;
}

static enum weir_error check_sizes(
    struct weir_slice plain, const struct weir_record_batch *sent, uint32_t record_bytes_max) {
    struct weir_record_reader reader;
    struct weir_record record;
    weir_record_reader_init_records(
        &reader, weir_slice(plain.data + WEIR_BATCH_HEADER_SIZE, plain.size - WEIR_BATCH_HEADER_SIZE), sent);
    const uint8_t *from = reader.at;
    for (; weir_record_reader_next(&reader, &record); from = reader.at)
        if ((size_t)(reader.at - from) > record_bytes_max)
            return weir_error_context(WEIR_E_TOO_LARGE, "record %d of the batch has %zu bytes, the limit is %u",
                record.offset_delta, (size_t)(reader.at - from), record_bytes_max);
    return WEIR_OK;
}

enum weir_error weir_batch_validate(struct weir_compression *c, struct weir_slice bytes,
    const struct weir_record_batch_limits *limits, uint8_t *out, size_t out_max, struct weir_slice *ret_plain) {
    struct weir_record_batch batch;
    struct weir_slice plain = bytes;
    enum weir_error e = weir_record_batch_check(bytes, limits, &batch);
    if (e == WEIR_E_AGAIN) return weir_error_context(WEIR_E_INVALID, "%zu bytes are no whole record batch", bytes.size);
    if (e) return e;
    if (batch.size != bytes.size)
        return weir_error_context(WEIR_E_INVALID, "%zu bytes follow the record batch", bytes.size - batch.size);
    if (batch.attributes & (WEIR_BATCH_TRANSACTIONAL | WEIR_BATCH_CONTROL))
        return weir_error_context(WEIR_E_UNSUPPORTED, "a transactional or control batch");
    if (batch.record_count < 1) return weir_error_context(WEIR_E_INVALID, "a record batch without records");
    if (weir_record_batch_compression(&batch) != WEIR_BATCH_NONE)
        e = weir_batch_decompress(c, bytes, out, out_max, &plain);
    if (!e)
        e = weir_record_batch_validate_records(
            &batch, weir_slice(plain.data + WEIR_BATCH_HEADER_SIZE, plain.size - WEIR_BATCH_HEADER_SIZE));
    uint32_t most = limits ? limits->record_bytes_max : 0;
    if (!e && most > 0 && plain.size > most) e = check_sizes(plain, &batch, most);
    if (!e) *ret_plain = plain;
    return e;
}
