/* wire/record_batch.h: Kafka's RecordBatch v2 (magic 2), the unit weir stores, serves and replays.
 *
 * Purpose     parse and validate a batch, walk its records, build one into a caller's buffer, patch a stored one.
 * Threads     every function is pure over its arguments; a reader or builder belongs to one thread at a time.
 * Allocation  none. Slices returned point into the caller's bytes and live as long as those.
 * Limits      weir_record_batch_limits; sizes are 32 bit on the wire, so no batch exceeds 2 GiB.
 * Errors      AGAIN      the bytes end before the batch does (more input, or a torn tail: the caller knows which)
 *             INVALID    a field or a record is not as the format says
 *             CORRUPT    the CRC does not match
 *             TOO_LARGE  above a limit
 *             UNSUPPORTED another magic, an unknown compression, or records asked of a compressed batch
 *             FULL       the builder's buffer has no room for the record (nothing was written; the only one that
 *                        sets no context: it is the normal end of a batch)
 *             Each other comes with weir_error_context() text.
 * Source      kafka.apache.org/documentation, "Record Batch" and "Record" (message format).
 *
 * Layout of a batch; integers are big-endian:
 *
 *   offset size field
 *        0    8 base offset              patched by the log; outside the CRC
 *        8    4 batch length             bytes after this field: total size - 12
 *       12    4 partition leader epoch   patched by the log; outside the CRC
 *       16    1 magic                    2
 *       17    4 crc                      CRC32C of every byte from offset 21 to the end
 *       21    2 attributes               bits 0-2 compression (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd), bit 3
 * timestamp type (0 create, 1 log append), bit 4 transactional, bit 5 control, bit 6 delete horizon in the base
 * timestamp 23    4 last offset delta        offset of the last record - base offset 27    8 base timestamp
 * milliseconds since 1970 35    8 max timestamp            largest of the batch; with log append time: the time of
 * every record 43    8 producer id              -1: none 51    2 producer epoch           -1: none 53    4 base
 * sequence            -1: none 57    4 record count 61    - records (compressed as one block where attributes say so)
 *
 *   record:  varint length of what follows | i8 attributes (unused, 0) | varlong timestamp delta | varint offset delta
 * | varint key length (-1 null) | key | varint value length (-1 null) | value | varint header count | headers header:
 * varint key length | key (UTF-8) | varint value length (-1 null) | value Varints are zigzag, little groups first, at
 * most 5 bytes (varint) or 10 (varlong).
 *
 * Procedure to change: never; the layout is Kafka's. What weir adds lives in record headers and values.
 */
#ifndef WEIR_WIRE_RECORD_BATCH_H
#define WEIR_WIRE_RECORD_BATCH_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

/* The layout as C sees it, so that the offsets below are checked and not only written. Never cast bytes to it. */
struct weir_record_batch_layout {
    uint8_t base_offset[8];
    uint8_t batch_length[4];
    uint8_t leader_epoch[4];
    uint8_t magic[1];
    uint8_t crc[4];
    uint8_t attributes[2];
    uint8_t last_offset_delta[4];
    uint8_t base_timestamp[8];
    uint8_t max_timestamp[8];
    uint8_t producer_id[8];
    uint8_t producer_epoch[2];
    uint8_t base_sequence[4];
    uint8_t record_count[4];
};

enum {
    WEIR_BATCH_AT_BASE_OFFSET = 0,
    WEIR_BATCH_AT_LENGTH = 8,
    WEIR_BATCH_AT_LEADER_EPOCH = 12,
    WEIR_BATCH_AT_MAGIC = 16,
    WEIR_BATCH_AT_CRC = 17,
    WEIR_BATCH_AT_ATTRIBUTES = 21, /* first byte the CRC covers */
    WEIR_BATCH_AT_LAST_OFFSET_DELTA = 23,
    WEIR_BATCH_AT_BASE_TIMESTAMP = 27,
    WEIR_BATCH_AT_MAX_TIMESTAMP = 35,
    WEIR_BATCH_AT_PRODUCER_ID = 43,
    WEIR_BATCH_AT_PRODUCER_EPOCH = 51,
    WEIR_BATCH_AT_BASE_SEQUENCE = 53,
    WEIR_BATCH_AT_RECORD_COUNT = 57,
    WEIR_BATCH_HEADER_SIZE = 61,
    WEIR_BATCH_LENGTH_BIAS = 12, /* total size = batch length + 12 */
    WEIR_BATCH_MAGIC = 2,
    WEIR_RECORD_SIZE_MIN = 7, /* seven one-byte fields: the smallest record there can be */
};
static_assert(sizeof(struct weir_record_batch_layout) == WEIR_BATCH_HEADER_SIZE, "header is 61 bytes");
static_assert(offsetof(struct weir_record_batch_layout, batch_length) == WEIR_BATCH_AT_LENGTH, "length");
static_assert(offsetof(struct weir_record_batch_layout, leader_epoch) == WEIR_BATCH_AT_LEADER_EPOCH, "epoch");
static_assert(offsetof(struct weir_record_batch_layout, magic) == WEIR_BATCH_AT_MAGIC, "magic");
static_assert(offsetof(struct weir_record_batch_layout, crc) == WEIR_BATCH_AT_CRC, "crc");
static_assert(offsetof(struct weir_record_batch_layout, attributes) == WEIR_BATCH_AT_ATTRIBUTES, "attributes");
static_assert(offsetof(struct weir_record_batch_layout, last_offset_delta) == WEIR_BATCH_AT_LAST_OFFSET_DELTA, "delta");
static_assert(offsetof(struct weir_record_batch_layout, base_timestamp) == WEIR_BATCH_AT_BASE_TIMESTAMP, "base time");
static_assert(offsetof(struct weir_record_batch_layout, max_timestamp) == WEIR_BATCH_AT_MAX_TIMESTAMP, "max time");
static_assert(offsetof(struct weir_record_batch_layout, producer_id) == WEIR_BATCH_AT_PRODUCER_ID, "producer");
static_assert(offsetof(struct weir_record_batch_layout, producer_epoch) == WEIR_BATCH_AT_PRODUCER_EPOCH, "p. epoch");
static_assert(offsetof(struct weir_record_batch_layout, base_sequence) == WEIR_BATCH_AT_BASE_SEQUENCE, "sequence");
static_assert(offsetof(struct weir_record_batch_layout, record_count) == WEIR_BATCH_AT_RECORD_COUNT, "count");

enum weir_batch_attribute {
    WEIR_BATCH_COMPRESSION_MASK = 0x07,
    WEIR_BATCH_LOG_APPEND_TIME = 0x08,
    WEIR_BATCH_TRANSACTIONAL = 0x10,
    WEIR_BATCH_CONTROL = 0x20,
    WEIR_BATCH_DELETE_HORIZON = 0x40,
};

enum weir_batch_compression {
    WEIR_BATCH_NONE = 0,
    WEIR_BATCH_GZIP = 1,
    WEIR_BATCH_SNAPPY = 2,
    WEIR_BATCH_LZ4 = 3,
    WEIR_BATCH_ZSTD = 4,
};

/* A header, decoded to host order. size counts every byte of the batch, header included. */
struct weir_record_batch {
    int64_t base_offset;
    int64_t base_timestamp_ms;
    int64_t max_timestamp_ms;
    int64_t producer_id;
    uint32_t size;
    uint32_t crc;
    int32_t leader_epoch;
    int32_t last_offset_delta;
    int32_t base_sequence;
    int32_t record_count;
    int16_t producer_epoch;
    uint16_t attributes;
};

/* Zero in a field, or NULL for the whole: only the format's own limit. */
struct weir_record_batch_limits {
    uint32_t batch_bytes_max;
    uint32_t records_max;
    uint32_t record_bytes_max; /* of one record as it stands in the batch; weir_batch_validate() */
};

static inline enum weir_batch_compression weir_record_batch_compression(const struct weir_record_batch *batch) {
    return (enum weir_batch_compression)(batch->attributes & WEIR_BATCH_COMPRESSION_MASK);
}

static inline int64_t weir_record_batch_last_offset(const struct weir_record_batch *batch) {
    return batch->base_offset + batch->last_offset_delta;
}

/* ---- parse and validate ---- */

/* Total size of the batch that starts at bytes, from its first 12 bytes. AGAIN when fewer are there; INVALID when the
 * length field is smaller than a header. Nothing else is looked at. */
WEIR_MUST enum weir_error weir_record_batch_peek_size(struct weir_slice bytes, size_t *ret_size);

/* Decodes and checks the header of the first batch in bytes (which may hold more after it): magic, length, compression
 * code, non-negative offset and count, last offset delta >= count - 1, no offset past INT64_MAX, producer id -1 (then
 * its epoch and sequence mean nothing) or >= 0 with an epoch and, but in a control batch, a sequence >= 0, room for the
 * records an uncompressed batch claims. Does not read the records, does not check the CRC. */
WEIR_MUST enum weir_error weir_record_batch_parse(
    struct weir_slice bytes, const struct weir_record_batch_limits *limits, struct weir_record_batch *ret_batch);

/* parse() and the CRC. What every reader of a disk or a socket calls. */
WEIR_MUST enum weir_error weir_record_batch_check(
    struct weir_slice bytes, const struct weir_record_batch_limits *limits, struct weir_record_batch *ret_batch);

/* CRC32C over bytes 21..size-1 of a whole batch. */
uint32_t weir_record_batch_crc(struct weir_slice batch);

/* The strict pass over the records of a produced batch: offset deltas are 0..count-1 without gap, last offset delta =
 * count - 1, every length fills its record to the last byte, header keys are there, no varint is over-long, no
 * timestamp overflows, with create time the max timestamp is the largest one, and no byte follows the last record.
 * `records` are the bytes after the header (decompressed by the caller where need be). */
WEIR_MUST enum weir_error weir_record_batch_validate_records(
    const struct weir_record_batch *batch, struct weir_slice records);

/* The bytes after the header of a batch that parse() accepted. */
static inline struct weir_slice weir_record_batch_records(
    struct weir_slice bytes, const struct weir_record_batch *batch) {
    return weir_slice(bytes.data + WEIR_BATCH_HEADER_SIZE, batch->size - WEIR_BATCH_HEADER_SIZE);
}

/* ---- walk the records ---- */

/* A null key or value has data == NULL; an empty one has data != NULL and size 0. */
struct weir_record {
    int64_t offset;
    int64_t timestamp_ms; /* the batch's max timestamp where that is log append time */
    struct weir_slice key;
    struct weir_slice value;
    struct weir_slice headers; /* still encoded: read with weir_record_header_next() */
    uint32_t header_count;
    int32_t offset_delta;
};

struct weir_record_header {
    struct weir_slice key;
    struct weir_slice value;
};

/* Fields are the reader's own; `error` is for the caller. */
struct weir_record_reader {
    const uint8_t *at;
    const uint8_t *end;
    int64_t base_offset;
    int64_t base_timestamp_ms;
    int64_t append_timestamp_ms;
    int32_t remaining;
    int32_t next_delta_min;
    int32_t last_offset_delta;
    bool is_append_time;
    enum weir_error error; /* WEIR_OK, or why next() returned false before the last record */
};

/* Starts at the first record of a batch that parse() or check() accepted. UNSUPPORTED when it is compressed: then
 * decompress and use weir_record_reader_init_records(). */
WEIR_MUST enum weir_error weir_record_reader_init(
    struct weir_record_reader *reader, struct weir_slice bytes, const struct weir_record_batch *batch);

/* The same over records the caller has decompressed. */
void weir_record_reader_init_records(
    struct weir_record_reader *reader, struct weir_slice records, const struct weir_record_batch *batch);

/* Decodes the next record. False at the end or on malformed bytes: then reader->error says which. Gaps between offset
 * deltas are accepted (compaction makes them), going back is not. Safe on any bytes, checked or not. The header bytes
 * of a record are bounded here and decoded by weir_record_header_next(). */
bool weir_record_reader_next(struct weir_record_reader *reader, struct weir_record *ret_record);

/* Takes the next header off the front of *headers (start with a copy of record.headers). False at the end or on
 * malformed bytes; headers->size is 0 only at the end. */
bool weir_record_header_next(struct weir_slice *headers, struct weir_record_header *ret_header);

/* The value of the first header with this key. False when there is none (or the headers are malformed). */
bool weir_record_header_find(const struct weir_record *record, struct weir_slice key, struct weir_slice *ret_value);

/* ---- build ---- */

/* Designated initialisers; use WEIR_RECORD_BUILDER_OPTIONS for "no producer, create time, offset 0". */
struct weir_record_builder_options {
    int64_t base_offset;
    int64_t base_timestamp_ms; /* deltas are relative to it; the first record's time is the natural choice */
    int64_t producer_id;
    int32_t leader_epoch;
    int32_t base_sequence;
    int16_t producer_epoch;
    uint16_t attributes; /* enum weir_batch_attribute; compression must be NONE */
};
#define WEIR_RECORD_BUILDER_OPTIONS                                                                                    \
    ((struct weir_record_builder_options){.producer_id = -1, .producer_epoch = -1, .base_sequence = -1})

/* Appends into a caller's buffer; the header is written by finish(). A plain value: a copy taken before an append is a
 * mark, and assigning it back takes the appended records off again. */
struct weir_record_builder {
    uint8_t *bytes;
    size_t capacity;
    size_t size; /* bytes used so far, header included */
    int32_t count;
    int64_t max_timestamp_ms;
    struct weir_record_builder_options options;
};

/* capacity must be at least WEIR_BATCH_HEADER_SIZE (asserted). */
void weir_record_builder_init(struct weir_record_builder *builder, uint8_t *bytes, size_t capacity,
    const struct weir_record_builder_options *options);

/* Appends one record. A key or value whose data is NULL is a null. FULL when it does not fit (the builder is unchanged,
 * finish() it and begin another); TOO_LARGE when it could not fit in any batch. */
WEIR_MUST enum weir_error weir_record_builder_append(struct weir_record_builder *builder, int64_t timestamp_ms,
    struct weir_slice key, struct weir_slice value, const struct weir_record_header *headers, size_t header_count);

/* The same, but the value's bytes are left for the caller to encode in place at *ret_value (value_size of them, before
 * finish()). Saves a copy when the size of an encoding is known beforehand. */
WEIR_MUST enum weir_error weir_record_builder_append_place(struct weir_record_builder *builder, int64_t timestamp_ms,
    struct weir_slice key, size_t value_size, const struct weir_record_header *headers, size_t header_count,
    uint8_t **ret_value);

/* An upper bound of what append() may take for such a record, for sizing buffers. */
size_t weir_record_size_max(
    size_t key_size, size_t value_size, const struct weir_record_header *headers, size_t header_count);

/* Writes the header and the CRC and returns the whole batch. At least one record must have been appended (asserted).
 * May be called again after further appends. */
struct weir_slice weir_record_builder_finish(struct weir_record_builder *builder);

/* ---- patch a batch in place; `batch` is one that parse() accepted, its size the batch's own ---- */

/* Outside the CRC: cheap. */
void weir_record_batch_set_base_offset(uint8_t *batch, int64_t base_offset);
void weir_record_batch_set_leader_epoch(uint8_t *batch, int32_t leader_epoch);

/* Inside the CRC, which is recomputed: one pass over the batch each. */
void weir_record_batch_set_log_append_time(uint8_t *batch, size_t size, int64_t timestamp_ms);
void weir_record_batch_set_producer(
    uint8_t *batch, size_t size, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence);

/* The assignment the log makes to a produced batch of a LogAppendTime topic, in one pass: offset, epoch and time. */
void weir_record_batch_assign(
    uint8_t *batch, size_t size, int64_t base_offset, int32_t leader_epoch, int64_t append_timestamp_ms);

#endif
