/* Snapshots both ways. Any bytes as one: refused or loaded, and what was loaded is saved again as it was. Any records
 * through a fold: its snapshot loads, and saves to the same bytes. Input: u8 way; then the snapshot's bytes behind its
 * frame, which is made right, or steps of {u8 kind and op, u8 key, u8 amount, u8 hops and idempotency}.
 * Covers: snapshot.c. */
#include "host/node.h"
#include "host/out.h"
#include "host/snapshot.h"
#include "host/test_services.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_setting_value values[2] = {{.number = 2}, {.number = 7}};
static const struct fold_options options = {.service = &left_service,
    .values = values,
    .initial = values,
    .uid = 5,
    .partition_count = 2,
    .idempotency = {.keys_max = 8, .age_ns_max = 1000, .secret = {1, 2}}};

/* Loads the snapshot, which must be equal to what it saves. */
static void check_saved_again(struct weir_slice bytes) {
    struct weir_sink sink = {0};
    struct fold fold;
    enum weir_error e = snapshot_load(&fold, &options, bytes);
    WEIR_ASSERT(e == WEIR_OK);
    e = snapshot_store(&fold, &sink);
    WEIR_ASSERT(e == WEIR_OK && weir_slice_equal(weir_slice(sink.data, sink.size), bytes));
    sink_done(&sink);
    fold_done(&fold);
}

/* The input may hold timers, sources and keys in another order or twice: what it saves is the one way to write them. */
static void load_any(const uint8_t *data, size_t size) {
    uint8_t *bytes = malloc(size + 24);
    WEIR_ASSERT(bytes);
    memcpy(bytes, "WEIRSNAP", 8);
    store_le32(bytes + 8, SNAPSHOT_FORMAT_NO_EFFECTS); /* with effects: fuzz_effects.c */
    store_le64(bytes + 16, size + 24);
    if (size) memcpy(bytes + 24, data, size);
    store_le32(bytes + 12, snapshot_checksum(weir_slice(bytes, size + 24)));
    struct fold fold;
    struct weir_sink sink = {0};
    if (snapshot_load(&fold, &options, weir_slice(bytes, size + 24)) == WEIR_OK) {
        enum weir_error e = snapshot_store(&fold, &sink);
        WEIR_ASSERT(e == WEIR_OK);
        check_saved_again(weir_slice(sink.data, sink.size));
        sink_done(&sink);
        fold_done(&fold);
    }
    for (size_t at = 0; at < 24 && at < size; at++) { /* the frame itself */
        bytes[at] ^= data[at];
        WEIR_ASSERT(data[at] == 0 || snapshot_load(&fold, &options, weir_slice(bytes, size + 24)) != WEIR_OK);
        bytes[at] ^= data[at];
    }
    free(bytes);
}

/* One record as the host would have appended it. */
static void apply_step(struct fold *fold, struct weir_out *out, const uint8_t step[4]) {
    struct test_value value = {.op = 1 + (step[0] >> 3) % 4, .hops = step[3] & 3, .key = step[1], .amount = step[2]};
    struct envelope envelope = {
        .kind = step[0] & 7, .type = 1, .time_ns = fold->time_ns + step[2], .timer_id = step[1]};
    struct batch_record record = {.offset = fold->applied};
    struct fold_applied applied;
    uint8_t header[ENVELOPE_SIZE_MAX], key[ENVELOPE_KEY_BYTES_MAX];
    if (envelope.kind > WEIR_RECORD_EMIT && envelope.kind != WEIR_RECORD_TIMER) envelope.kind = WEIR_RECORD_COMMAND;
    envelope.source = (struct envelope_source){.uid = step[3] & 1, .epoch = 1, .offset = step[1], .index = step[2]};
    if (step[3] & 128) {
        struct weir_slice none = {0};
        envelope.key = weir_slice(key, envelope_pack_key(none, none, weir_slice(step + 1, 1), key));
        envelope.body_hash[0] = step[2];
    }
    record.record = (struct log_record){.time_ms = envelope.time_ns / 1000000,
        .value = weir_slice(&value, sizeof value),
        .header_key = weir_slice_text(ENVELOPE_KEY),
        .header_value = weir_slice(header, envelope_store(&envelope, header))};
    enum weir_error e = fold_apply(fold, &record, out, &applied);
    WEIR_ASSERT(e == WEIR_OK);
}

static void fold_any(const uint8_t *data, size_t size) {
    static uint8_t scratch[(256 << 10) + WEIR_MESSAGE_BYTES_MAX];
    struct in_force in_force = {.version = 0};
    struct fold fold;
    struct weir_sink sink = {0};
    WEIR_ASSERT(out_scratch_size(&left_service) <= sizeof scratch);
    enum weir_error e = fold_open(&fold, &options, &in_force);
    WEIR_ASSERT(e == WEIR_OK);
    struct weir_out out = {.fold = &fold, .scratch = scratch, .scratch_size = sizeof scratch, .replaying = true};
    for (size_t at = 0; at + 4 <= size; at += 4)
        apply_step(&fold, &out, data + at);
    e = snapshot_store(&fold, &sink);
    WEIR_ASSERT(e == WEIR_OK);
    check_saved_again(weir_slice(sink.data, sink.size));
    sink_done(&sink);
    fold_done(&fold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > 1 << 16) return 0;
    if (data[0] & 1)
        fold_any(data + 1, size - 1);
    else
        load_any(data + 1, size - 1);
    return 0;
}
