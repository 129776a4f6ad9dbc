#include "host/out.h"
#include "base/bytes.h"
#include "host/fold_effects.h"
#include "host/host.h"
#include "host/message.h"
#include "trace/trace.h"

#define REPLY_BYTES_MAX (1u << 20)

size_t out_scratch_size(const struct weir_service *service) {
    /* Outputs and the reply, each rounded up; emits of a shadow. The factor leaves room for many small outputs. */
    return 4 * service->output_bytes_max + (64u << 10) + service->emits_max * (size_t)(EMIT_BYTES_MAX + 16) +
           fold_effects_output_bytes(service) + WEIR_MESSAGE_BYTES_MAX; /* at its end: weir_message() */
}

static void settle(struct weir_out *out) {
    if (!out->pending) return;
    struct digest *d = &out->fold->emission;
    digest_u64(d, out->last_what[0]);
    digest_u64(d, out->last_what[1]);
    digest_u64(d, out->last_what[2]);
    digest_bytes(d, out->last, out->last_size);
    out->pending = false;
}

void out_await(struct weir_out *out, const uint8_t *data, size_t size, uint64_t what, uint64_t key, uint64_t number) {
    settle(out);
    out->last = data;
    out->last_size = size;
    out->last_what[0] = what;
    out->last_what[1] = key;
    out->last_what[2] = number;
    out->pending = true;
}

static uint8_t *scratch(struct weir_out *out, size_t size) {
    size_t at = (out->scratch_used + 15) & ~(size_t)15;
    size_t room = out->scratch_size - WEIR_MESSAGE_BYTES_MAX;
    WEIR_ASSERT(size <= room && at <= room - size); /* more than .output_bytes_max */
    out->scratch_used = at + size;
    return out->scratch + at;
}

void *out_scratch(struct weir_out *out, size_t size) {
    return scratch(out, size);
}

void out_begin(struct weir_out *out, uint64_t offset, uint64_t time_ns, const struct weir_trace_link *trace) {
    out->offset = offset;
    out->time_ns = time_ns;
    out->trace = trace;
    out->emit_index = out->effect_index = 0;
    out->replied = out->later = out->pending = false;
    out->late_count = 0;
    out->reply_size = 0;
    out->scratch_used = 0;
}

void out_end(struct weir_out *out) {
    settle(out);
}

void *weir_output(
    struct weir_out *out, uint32_t topic, uint16_t type, uint64_t key, size_t size, uint64_t *ret_offset) {
    settle(out);
    struct fold *fold = out->fold;
    WEIR_ASSERT(topic < fold->topic_count && fold->service->topics[topic].role == WEIR_TOPIC_OUTPUT);
    uint64_t offset = fold->outputs_next[topic]++;
    uint8_t *data;
    struct log_partition *partition = out->sink ? out->sink->outputs[topic] : NULL;
    if (partition && offset >= partition->next) { /* what is below is in the log: derived before the last stop */
        uint8_t key_bytes[ENVELOPE_OUTPUT_KEY_SIZE], type_bytes[ENVELOPE_OUTPUT_SIZE];
        store_be64(key_bytes, key);
        store_le16(type_bytes, type);
        WEIR_ASSERT(partition->next == offset); /* one writer, no gap: an output's offset is its identity */
        data = log_commit_output(out->commit, partition, out->time_ns / SYS_NANOS_PER_MS,
            weir_slice(key_bytes, sizeof key_bytes), weir_slice(ENVELOPE_KEY, sizeof ENVELOPE_KEY - 1),
            weir_slice(type_bytes, sizeof type_bytes), size);
        WEIR_ASSERT(data); /* room was checked before apply; more than .output_bytes_max */
    } else {
        data = scratch(out, size);
    }
    out_await(out, data, size, (uint64_t)topic << 16 | type, key, offset);
    if (ret_offset) *ret_offset = offset;
    return data;
}

void *weir_reply(struct weir_out *out, uint16_t status, size_t size) {
    settle(out);
    WEIR_ASSERT(!out->replied && !out->later && size <= REPLY_BYTES_MAX); /* at most one per record */
    out->replied = true;
    out->reply_status = status;
    out->reply_size = size;
    out->reply = scratch(out, size);
    return out->reply;
}

uint64_t weir_reply_later(struct weir_out *out) {
    WEIR_ASSERT(!out->replied && !out->later && out->fold->service->replies_max > 0);
    out->later = true;
    return out->offset;
}

void *weir_reply_to(struct weir_out *out, uint64_t ticket, uint16_t status, size_t size) {
    settle(out);
    WEIR_ASSERT(out->late_count < out->fold->service->replies_max && size <= REPLY_BYTES_MAX);
    uint8_t *data = scratch(out, size);
    out->late[out->late_count++] = (struct out_late){.ticket = ticket, .data = data, .size = size, .status = status};
    return data;
}

void weir_refuse(struct weir_out *out, uint16_t code) {
    const struct weir_reason *row = out->fold->service->reasons;
    while (row && row->name && row->code != code)
        row++;
    WEIR_ASSERT(row && row->name); /* a row of .reasons has it */
    uint8_t *value = weir_reply(out, row->status, HOST_REFUSAL_BYTES);
    value[0] = HOST_REFUSAL_MARK;
    store_le16(value + 1, code);
}

/* ---- what the fold reads ---- */
const void *weir_message(struct weir_out *out, const void *descriptor, struct weir_slice value) {
    uintptr_t end = (uintptr_t)(out->scratch + out->scratch_size);
    /* Of the same size everywhere: what fits on one machine fits on all. */
    size_t size = WEIR_MESSAGE_BYTES_MAX - 16;
    struct weir_slice room = weir_slice(out->scratch + out->scratch_size - size - end % 16, size);
    return message_unpack(descriptor, value, room);
}

void *weir_emit(struct weir_out *out, uint32_t emit, uint16_t type, uint64_t key, size_t size) {
    settle(out);
    struct fold *fold = out->fold;
    uint32_t index = out->emit_index++;
    WEIR_ASSERT(index < fold->service->emits_max && emit < fold->emit_count && size <= EMIT_BYTES_MAX);
    uint8_t *data;
    if (out->sink) {
        const struct out_target *target = &out->sink->targets[emit];
        uint8_t key_bytes[8];
        store_be64(key_bytes, key);
        struct outbox_entry *entry = outbox_add(out->sink->outbox, size);
        entry->target = target->first + weir_partition_of(weir_slice(key_bytes, sizeof key_bytes), target->count);
        entry->source = (struct envelope_source){
            .uid = fold->uid, .epoch = fold->in_force.epoch, .offset = out->offset, .index = index};
        if (WEIR_UNLIKELY(weir_trace_link_is_set(out->trace)))
            entry->trace = trace_record_link(out->trace, fold->uid, out->offset);
        entry->key = key;
        entry->type = type;
        data = outbox_value(entry);
    } else {
        data = scratch(out, size);
    }
    out_await(out, data, size, (uint64_t)1 << 63 | (uint64_t)emit << 16 | type, key, index);
    return data;
}

void weir_timer_set(struct weir_out *out, uint64_t id, uint64_t at_ns) {
    timers_set(&out->fold->timers, id, at_ns);
}

void weir_timer_cancel(struct weir_out *out, uint64_t id) {
    timers_cancel(&out->fold->timers, id);
}

bool weir_replaying(const struct weir_out *out) {
    return out->replaying;
}

const struct weir_setting_value *weir_settings(const struct weir_out *out) {
    return out->fold->in_force.values;
}

void weir_metric_add(struct weir_out *out, uint32_t row, uint64_t n) {
    WEIR_ASSERT(row < out->fold->metric_count);
    if (out->sink) metric_add(&out->sink->metrics[row], n);
}

void weir_metric_set(struct weir_out *out, uint32_t row, uint64_t n) {
    WEIR_ASSERT(row < out->fold->metric_count);
    if (out->sink) metric_set(&out->sink->metrics[row], n);
}

uint64_t weir_hash(struct weir_slice bytes, uint64_t seed) {
    return hash_bytes(bytes.data, bytes.size, seed);
}

uint32_t weir_partition_of(struct weir_slice key, uint32_t partition_count) {
    WEIR_ASSERT(partition_count > 0);
    /* The high half of hash times count: no modulo, no bias worth naming. The seed is part of the format. */
    uint64_t hash = hash_bytes(key.data, key.size, 0x77656972u);
    return (uint32_t)wide_product(hash, partition_count).high;
}
