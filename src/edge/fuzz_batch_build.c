/* Any bytes as the JSON of records to append: refused, or a batch that is whole, holds as many records as were counted
 * and keeps within its limit; and a batch of one of them. Input: u8 size of the batch, u8 producer, JSON. Covers:
 * batch_build.c. */
#include "edge/batch_build.h"

#include "base/assert.h"
#include "wire/record_batch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct weir_slice bytes, const struct batch_built *built) {
    struct weir_record_batch batch;
    struct weir_record_reader reader;
    struct weir_record record;
    enum weir_error e = weir_record_batch_check(bytes, NULL, &batch);
    WEIR_ASSERT(!e && (uint32_t)batch.record_count == built->count && batch.size == bytes.size);
    e = weir_record_batch_validate_records(&batch, weir_record_batch_records(bytes, &batch));
    WEIR_ASSERT(!e);
    e = weir_record_reader_init(&reader, bytes, &batch);
    WEIR_ASSERT(!e && weir_record_reader_next(&reader, &record));
    WEIR_ASSERT(weir_slice_equal(record.key, built->first_key) && record.timestamp_ms == 1234);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct batch_built built;
    struct arena arena;
    if (size < 2) return 0;
    size_t bytes_max = WEIR_BATCH_HEADER_SIZE + (size_t)data[0] * 16;
    struct batch_producer producer = {
        .given = data[1] & 1, .id = data[1], .epoch = data[1] & 2 ? UINT64_MAX : 3, .sequence = 9};
    arena_init(&arena, NULL, 16 << 10, 1 << 20);
    enum weir_error e = batch_build(&arena, weir_slice(data + 2, size - 2), 1234, bytes_max, &producer, &built);
    WEIR_ASSERT(!e || e == WEIR_E_INVALID || e == WEIR_E_TOO_LARGE || e == WEIR_E_NO_MEMORY);
    struct batch_built one = {.count = 1, .first_key = weir_slice(data, 2)};
    WEIR_ASSERT(batch_build_one(&arena, one.first_key, weir_slice(data, size), 1234, &one.batch) == WEIR_OK);
    check(one.batch, &one);
    if (!e) {
        WEIR_ASSERT(built.batch.size <= bytes_max);
        check(built.batch, &built);
    }
    arena_done(&arena);
    return 0;
}
