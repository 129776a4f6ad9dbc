/* Any bytes as the header the host puts on a record, as a batch of records, and as the notes of records that crashed
 * the node: refused, or stored again to say the same. Covers: envelope.c batch.c. */
#include "base/assert.h"
#include "host/batch.h"
#include "host/envelope.h"
#include "host/poison.h"
#include "sys/sim.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An empty key and a trace of zeros, which say nothing, are the only bytes that may be lost. */
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
    WEIR_ASSERT(
        memcmp(&again.trace, &envelope.trace, sizeof again.trace) == 0 || !weir_trace_link_is_set(&envelope.trace));
    WEIR_ASSERT(envelope_is_traced(&stored) == weir_trace_link_is_set(&envelope.trace));
    WEIR_ASSERT(again.effect == envelope.effect && again.attempt == envelope.attempt && again.order == envelope.order);
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

/* The bytes as the file of poison notes: what is taken of it is written again without repetition, and read back so. */
static void notes(struct weir_slice bytes) {
    static struct poison first, second;
    struct sys_sim_plan plan = {.seed = 1};
    struct sys *sys = NULL;
    int file = -1;
    struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
    enum weir_error e = sys_sim_new(&plan, &sys);
    if (!e) e = sys_make_folders(sys, "data/snapshots");
    if (!e) e = sys->file_open(sys, "data/snapshots/poison", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file);
    if (!e) e = sys->file_write(sys, file, 0, &part, 1);
    first.count = second.count = 0;
    if (!e) e = poison_open(&first, sys, "data");
    if (!e) e = poison_open(&second, sys, "data");
    WEIR_ASSERT(!e && first.count == second.count && first.count <= bytes.size / POISON_NOTE_SIZE);
    for (uint32_t i = 0; i < first.count; i++) {
        const struct poison_note *a = &first.notes[i], *b = &second.notes[i];
        WEIR_ASSERT(a->uid == b->uid && a->offset == b->offset);
        WEIR_ASSERT(b->crashes == (a->crashes < POISON_PARKS ? a->crashes : POISON_PARKS));
    }
    sys_sim_free(sys);
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
    if (size % POISON_NOTE_SIZE == 0) notes(weir_slice(copy, size));
    free(copy);
    return 0;
}
