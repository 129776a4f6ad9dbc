#include "host/envelope.h"
#include "base/assert.h"
#include "base/bytes.h"

#define KIND_MASK        7u
#define FLAG_IDEMPOTENCY 8u
#define FLAGS_KNOWN      (KIND_MASK | FLAG_IDEMPOTENCY | ENVELOPE_FLAG_TRACE)

_Static_assert(sizeof(struct weir_trace_link) == ENVELOPE_TRACE_SIZE, "stored as it is in memory");

size_t envelope_store(const struct envelope *envelope, uint8_t *out) {
    WEIR_DEBUG_ASSERT(envelope->kind <= KIND_MASK && envelope->key.size <= ENVELOPE_KEY_BYTES_MAX);
    uint8_t *p = out;
    bool is_traced = weir_trace_link_is_set(&envelope->trace);
    *p++ =
        (uint8_t)(envelope->kind | (envelope->key.size ? FLAG_IDEMPOTENCY : 0) | (is_traced ? ENVELOPE_FLAG_TRACE : 0));
    store_le16(p, envelope->type);
    store_le64(p + 2, envelope->time_ns);
    p += 10;
    if (envelope->kind == WEIR_RECORD_EMIT) {
        store_le32(p, envelope->source.uid);
        store_le32(p + 4, envelope->source.epoch);
        store_le64(p + 8, envelope->source.offset);
        store_le32(p + 16, envelope->source.index);
        p += 20;
    } else if (envelope->kind == WEIR_RECORD_TIMER || envelope->kind == WEIR_RECORD_SKIP) {
        store_le64(p, envelope->kind == WEIR_RECORD_TIMER ? envelope->timer_id : envelope->skip);
        p += 8;
    } else if (envelope->kind == WEIR_RECORD_RESULT) {
        store_le64(p, envelope->effect);
        store_le32(p + 8, envelope->attempt);
        p += 12;
    } else if (envelope->kind == ENVELOPE_ORDER) {
        store_le64(p, envelope->effect);
        p[8] = envelope->order;
        p[9] = envelope->row;
        p += 10;
    }
    if (envelope->key.size) {
        store_le64(p, envelope->body_hash[0]);
        store_le64(p + 8, envelope->body_hash[1]);
        store_le16(p + 16, (uint16_t)envelope->key.size);
        memcpy(p + 18, envelope->key.data, envelope->key.size);
        p += 18 + envelope->key.size;
    }
    if (is_traced) {
        memcpy(p, &envelope->trace, ENVELOPE_TRACE_SIZE);
        p += ENVELOPE_TRACE_SIZE;
    }
    return (size_t)(p - out);
}

static bool is_ours(const struct log_record *record) {
    return weir_slice_equal(record->header_key, weir_slice(ENVELOPE_KEY, sizeof ENVELOPE_KEY - 1));
}

enum weir_error envelope_load(const struct log_record *record, struct envelope *ret_envelope) {
    struct envelope envelope = {.kind = WEIR_RECORD_COMMAND, .time_ns = record->time_ms * SYS_NANOS_PER_MS};
    if (!is_ours(record)) {
        *ret_envelope = envelope;
        return WEIR_OK;
    }
    struct byte_reader r = byte_reader(record->header_value);
    uint8_t head = byte_get_u8(&r);
    envelope.kind = head & KIND_MASK;
    envelope.type = byte_get_le16(&r);
    envelope.time_ns = byte_get_le64(&r);
    if (envelope.kind == WEIR_RECORD_EMIT) {
        envelope.source.uid = byte_get_le32(&r);
        envelope.source.epoch = byte_get_le32(&r);
        envelope.source.offset = byte_get_le64(&r);
        envelope.source.index = byte_get_le32(&r);
    } else if (envelope.kind == WEIR_RECORD_TIMER) {
        envelope.timer_id = byte_get_le64(&r);
    } else if (envelope.kind == WEIR_RECORD_SKIP) {
        envelope.skip = byte_get_le64(&r);
    } else if (envelope.kind == WEIR_RECORD_RESULT) {
        envelope.effect = byte_get_le64(&r);
        envelope.attempt = byte_get_le32(&r);
    } else if (envelope.kind == ENVELOPE_ORDER) {
        envelope.effect = byte_get_le64(&r);
        envelope.order = byte_get_u8(&r);
        envelope.row = byte_get_u8(&r);
    }
    if (head & FLAG_IDEMPOTENCY) {
        envelope.body_hash[0] = byte_get_le64(&r);
        envelope.body_hash[1] = byte_get_le64(&r);
        envelope.key = byte_get_slice(&r, byte_get_le16(&r));
    }
    if (head & ENVELOPE_FLAG_TRACE) {
        struct weir_slice trace = byte_get_slice(&r, ENVELOPE_TRACE_SIZE);
        if (trace.size) memcpy(&envelope.trace, trace.data, trace.size);
    }
    if (!byte_reader_finished(&r) || envelope.kind == WEIR_RECORD_OUTPUT || (head & ~FLAGS_KNOWN))
        return weir_error_context(WEIR_E_INVALID, "a record's header is not one the host writes");
    *ret_envelope = envelope;
    return WEIR_OK;
}

static bool put_part(struct byte_writer *w, struct weir_slice part) {
    if (part.size > UINT16_MAX) return false;
    byte_put_le16(w, (uint16_t)part.size);
    byte_put_slice(w, part);
    return !w->failed;
}

size_t envelope_pack_key(struct weir_slice principal, struct weir_slice route, struct weir_slice key, uint8_t *out) {
    struct byte_writer w = byte_writer(out, ENVELOPE_KEY_BYTES_MAX);
    return put_part(&w, principal) && put_part(&w, route) && put_part(&w, key) ? w.at : 0;
}

void envelope_load_output(uint64_t offset, const struct log_record *record, struct weir_record *ret_record) {
    bool ours = is_ours(record) && record->header_value.size == ENVELOPE_OUTPUT_SIZE;
    *ret_record = (struct weir_record){
        .offset = offset,
        .time_ns = record->time_ms * SYS_NANOS_PER_MS,
        .kind = WEIR_RECORD_OUTPUT,
        .type = ours ? load_le16(record->header_value.data) : 0,
        .key = record->key,
        .value = record->value,
    };
}
