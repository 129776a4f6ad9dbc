/* RecordBatch on any bytes. The readers stay inside them; what passes the strict pass is rebuilt to the same bytes.
 * Covers: record_batch.c record_builder.c record_reader.c. */
#include "base/assert.h"
#include "base/bytes.h"
#include "wire/record_batch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MAX = 4096 };

static size_t headers_read(const struct weir_record *record, struct weir_record_header *headers) {
    struct weir_slice rest = record->headers;
    size_t count = 0;
    while (count < HEADERS_MAX && weir_record_header_next(&rest, &headers[count]))
        count++;
    return count;
}

/* Records that are valid and minimal have one spelling: the builder's. */
static void rebuild(const struct weir_record_batch *batch, struct weir_slice records) {
    static struct weir_record_header headers[HEADERS_MAX];
    struct weir_record_builder builder;
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    struct weir_record_reader reader;
    struct weir_record record;
    struct weir_record_batch create_time = *batch;
    create_time.attributes &= (uint16_t)~WEIR_BATCH_LOG_APPEND_TIME;
    options.base_timestamp_ms = batch->base_timestamp_ms;
    uint8_t *bytes = malloc(WEIR_BATCH_HEADER_SIZE + records.size);
    WEIR_ASSERT(bytes);
    weir_record_builder_init(&builder, bytes, WEIR_BATCH_HEADER_SIZE + records.size, &options);
    weir_record_reader_init_records(&reader, records, &create_time);
    while (weir_record_reader_next(&reader, &record)) {
        size_t count = headers_read(&record, headers);
        WEIR_ASSERT(count == record.header_count || count == HEADERS_MAX);
        WEIR_ASSERT(weir_record_size_max(record.key.size, record.value.size, headers, count) >=
                    record.key.size + record.value.size + record.headers.size);
        enum weir_error error =
            weir_record_builder_append(&builder, record.timestamp_ms, record.key, record.value, headers, count);
        WEIR_ASSERT(!error);
    }
    WEIR_ASSERT(!reader.error);
    struct weir_slice built = weir_record_builder_finish(&builder);
    struct weir_record_batch read;
    enum weir_error error = weir_record_batch_check(built, NULL, &read);
    WEIR_ASSERT(!error);
    WEIR_ASSERT(weir_slice_equal(weir_record_batch_records(built, &read), records));
    free(bytes);
}

/* What one header says is what the search for its key finds, unless an earlier one has the same key. */
static void find_headers(const struct weir_record *record) {
    struct weir_slice headers = record->headers, found;
    struct weir_record_header header;
    if (!weir_record_header_next(&headers, &header)) return;
    WEIR_ASSERT(weir_record_header_find(record, header.key, &found) && weir_slice_equal(found, header.value));
    struct weir_slice last = header.key;
    while (weir_record_header_next(&headers, &header))
        last = header.key;
    (void)weir_record_header_find(record, last, &found);
}

/* The walk must not go further than its records, whatever they are; and what the strict pass takes, it takes too. */
static void walk(const struct weir_record_batch *batch, struct weir_slice records, bool is_strict) {
    struct weir_record_reader reader;
    struct weir_record record;
    struct weir_record_header header;
    int32_t count = 0;
    weir_record_reader_init_records(&reader, records, batch);
    while (weir_record_reader_next(&reader, &record)) {
        struct weir_slice headers = record.headers;
        while (weir_record_header_next(&headers, &header)) {
        }
        find_headers(&record);
        WEIR_ASSERT(record.offset >= batch->base_offset && record.offset <= weir_record_batch_last_offset(batch));
        count++;
    }
    WEIR_ASSERT(reader.error || count == batch->record_count);
    /* The strict pass does not look at create times where the append time rules. */
    WEIR_ASSERT(!is_strict || !reader.error);
}

/* A limit is obeyed whatever it is; the patches of the header leave a batch that is whole and says what was set. */
static void patch(uint8_t *bytes, size_t size) {
    struct weir_record_batch batch, again;
    struct weir_slice all = weir_slice(bytes, size);
    enum weir_error error = weir_record_batch_check(all, NULL, &batch);
    WEIR_ASSERT(!error);
    struct weir_record_batch_limits limits = {.batch_bytes_max = (uint32_t)size - 1};
    WEIR_ASSERT(weir_record_batch_parse(all, &limits, &again) == WEIR_E_TOO_LARGE);
    limits = (struct weir_record_batch_limits){.records_max = (uint32_t)batch.record_count / 2};
    error = weir_record_batch_parse(all, &limits, &again);
    WEIR_ASSERT(error == (limits.records_max ? WEIR_E_TOO_LARGE : WEIR_OK));
    weir_record_batch_set_log_append_time(bytes, size, 99);
    weir_record_batch_set_producer(bytes, size, 7, 2, 5);
    error = weir_record_batch_check(all, NULL, &again);
    WEIR_ASSERT(!error && again.max_timestamp_ms == 99 && again.attributes & WEIR_BATCH_LOG_APPEND_TIME);
    WEIR_ASSERT(again.producer_id == 7 && again.producer_epoch == 2 && again.base_sequence == 5);
    bytes[size - 1] ^= 1; /* of what the CRC covers, one bit */
    WEIR_ASSERT(weir_record_batch_check(all, NULL, &again) != WEIR_OK);
    bytes[size - 1] ^= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_record_batch batch;
    if (weir_record_batch_parse(weir_slice(data, size), NULL, &batch)) return 0;
    WEIR_ASSERT(batch.size <= size);
    uint8_t *copy = malloc(batch.size); /* its own block: ASan sees a read behind the batch */
    WEIR_ASSERT(copy);
    memcpy(copy, data, batch.size);
    /* A fuzzer cannot guess a CRC: give it the right one. */
    struct weir_slice bytes = weir_slice(copy, batch.size);
    store_be32(copy + WEIR_BATCH_AT_CRC, weir_record_batch_crc(bytes));
    enum weir_error error = weir_record_batch_check(bytes, NULL, &batch);
    WEIR_ASSERT(!error);
    struct weir_slice records = weir_record_batch_records(bytes, &batch);
    bool is_strict = weir_record_batch_validate_records(&batch, records) == WEIR_OK;
    walk(&batch, records, is_strict);
    if (is_strict) rebuild(&batch, records);
    struct weir_record_reader reader;
    bool is_plain = weir_record_batch_compression(&batch) == WEIR_BATCH_NONE;
    WEIR_ASSERT(weir_record_reader_init(&reader, bytes, &batch) == (is_plain ? WEIR_OK : WEIR_E_UNSUPPORTED));
    weir_record_batch_assign(copy, batch.size, 77, 3, 123456);
    error = weir_record_batch_check(bytes, NULL, &batch);
    WEIR_ASSERT(!error || batch.last_offset_delta > INT32_MAX - 77);
    if (!error) patch(copy, batch.size);
    free(copy);
    return 0;
}
