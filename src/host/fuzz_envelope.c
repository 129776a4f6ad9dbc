/* Any bytes as the header the host puts on a record, and as a batch of records: refused, or stored again to the same
 * bytes. Covers: envelope.c batch.c. */
#include "base/assert.h"
#include "host/batch.h"
#include "host/envelope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Flags that mean nothing, and an empty key, are the only bytes that may be lost. */
static void round_trip(const struct log_record *record) {
    uint8_t bytes[ENVELOPE_SIZE_MAX + UINT16_MAX];
    struct envelope envelope, again;
    enum weir_error e = envelope_load(record, &envelope);
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_INVALID);
    if (e || !weir_slice_equal(record->header_key, weir_slice_text(ENVELOPE_KEY))) return;
    if (envelope.key.size > ENVELOPE_KEY_BYTES_MAX) return;
    struct log_record stored = *record;
    stored.header_value = weir_slice(bytes, envelope_store(&envelope, bytes));
    WEIR_ASSERT(stored.header_value.size <= record->header_value.size);
    e = envelope_load(&stored, &again);
    WEIR_ASSERT(e == WEIR_OK && again.kind == envelope.kind && again.type == envelope.type);
    WEIR_ASSERT(
        again.time_ns == envelope.time_ns && again.timer_id == envelope.timer_id && again.skip == envelope.skip);
    WEIR_ASSERT(memcmp(&again.source, &envelope.source, sizeof again.source) == 0);
    WEIR_ASSERT(weir_slice_equal(again.key, envelope.key));
    WEIR_ASSERT(memcmp(again.body_hash, envelope.body_hash, sizeof again.body_hash) == 0 || envelope.key.size == 0);
}

static void walk(struct weir_slice bytes) {
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record record;
    uint64_t count = 0, next = 0;
    if (batch_open(&reader, bytes, &header)) return;
    WEIR_ASSERT(header.size <= bytes.size && header.base_offset < header.next_offset + (header.count == 0));
    for (; batch_next(&reader, &record); count++) {
        WEIR_ASSERT(record.offset >= header.base_offset && record.offset < header.next_offset);
        WEIR_ASSERT(count == 0 || record.offset >= next);
        next = record.offset;
        round_trip(&record.record);
        struct weir_record output;
        envelope_load_output(record.offset, &record.record, &output);
        WEIR_ASSERT(output.kind == WEIR_RECORD_OUTPUT && output.offset == record.offset);
    }
    WEIR_ASSERT(batch_error(&reader) || count == header.count);
}

/* Principal, route and key are told apart: other parts never give the same packed bytes. */
static void pack(struct weir_slice bytes) {
    uint8_t one[ENVELOPE_KEY_BYTES_MAX], two[ENVELOPE_KEY_BYTES_MAX];
    size_t cut = bytes.size / 3;
    struct weir_slice a = weir_slice(bytes.data, cut), rest = weir_slice(bytes.data + cut, bytes.size - cut),
                      none = {0};
    size_t n = envelope_pack_key(a, rest, none, one), m = envelope_pack_key(a, none, rest, two);
    WEIR_ASSERT(n == m && (n == 0) == (bytes.size + 6 > ENVELOPE_KEY_BYTES_MAX));
    WEIR_ASSERT(n == 0 || rest.size == 0 || memcmp(one, two, n) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    uint8_t *copy = malloc(size); /* its own block: ASan sees a read behind it */
    WEIR_ASSERT(copy);
    memcpy(copy, data, size);
    struct log_record record = {.time_ms = size, .header_key = weir_slice_text(ENVELOPE_KEY)};
    record.header_value = weir_slice(copy, size);
    round_trip(&record);
    record.header_key = weir_slice_text("x");
    round_trip(&record);
    walk(weir_slice(copy, size));
    pack(weir_slice(copy, size));
    free(copy);
    return 0;
}
