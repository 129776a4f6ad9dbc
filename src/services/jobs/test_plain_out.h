/* jobs/test_plain_out.h: what stands behind struct weir_out where nobody looks at what comes out: in the fuzzer and the
 * benchmark of the fold. To be included once in a program. */
#ifndef WEIR_JOBS_TEST_PLAIN_OUT_H
#define WEIR_JOBS_TEST_PLAIN_OUT_H
#include "base/assert.h"

#include <weir/effect.h>
#include <weir/service.h>

#include <stdlib.h>

#define PLAIN_OUT_BYTES (16u << 20)
struct weir_out {
    uint8_t *memory;
    size_t used, reply_size;
    uint8_t *reply; /* of the record */
    uint64_t offset, timer_ns, effect_tag;
    uint32_t replies, late;
    const struct weir_setting_value *settings;
};

static void plain_out_open(struct weir_out *out, const struct weir_setting_value *settings) {
    *out = (struct weir_out){.memory = malloc(PLAIN_OUT_BYTES), .settings = settings, .timer_ns = UINT64_MAX};
    WEIR_ASSERT(out->memory);
}
static void plain_out_begin(struct weir_out *out) {
    out->used = out->reply_size = 0;
    out->replies = out->late = 0;
    out->offset++;
}
static void *plain_room(struct weir_out *out, size_t size) {
    uint8_t *at = out->memory + out->used;
    out->used += (size + 15) & ~(size_t)15;
    WEIR_ASSERT(out->used <= PLAIN_OUT_BYTES);
    return at;
}
void *weir_output(
    struct weir_out *out, uint32_t topic, uint16_t type, uint64_t key, size_t size, uint64_t *ret_offset) {
    (void)topic, (void)type, (void)key, (void)ret_offset;
    return plain_room(out, size);
}
void *weir_reply(struct weir_out *out, uint16_t status, size_t size) {
    (void)status;
    WEIR_ASSERT(out->replies++ == 0);
    out->reply_size = size;
    out->reply = plain_room(out, size);
    return out->reply;
}
void *weir_reply_to(struct weir_out *out, uint64_t ticket, uint16_t status, size_t size) {
    (void)status;
    WEIR_ASSERT(ticket && out->late++ < WEIR_REPLIES_MAX);
    return plain_room(out, size);
}
uint64_t weir_reply_later(struct weir_out *out) {
    WEIR_ASSERT(out->replies++ == 0);
    return out->offset;
}
void weir_refuse(struct weir_out *out, uint16_t code) {
    WEIR_ASSERT(code && out->replies++ == 0);
    out->reply_size = 0;
}
void *weir_effect(struct weir_out *out, uint32_t row, const struct weir_effect_options *options, size_t size) {
    (void)row;
    out->effect_tag = options->tag;
    return plain_room(out, size);
}
bool weir_result(const struct weir_record *record, struct weir_result *ret_result) {
    if (record->kind != WEIR_RECORD_RESULT || record->value.size != sizeof *ret_result) return false;
    memcpy(ret_result, record->value.data, sizeof *ret_result); /* as these tests write them */
    return true;
}
void weir_timer_set(struct weir_out *out, uint64_t id, uint64_t at_ns) {
    (void)id;
    out->timer_ns = at_ns;
}
void weir_timer_cancel(struct weir_out *out, uint64_t id) {
    (void)id;
    out->timer_ns = UINT64_MAX;
}
void weir_metric_set(struct weir_out *out, uint32_t row, uint64_t n) {
    (void)out, (void)row, (void)n;
}
const struct weir_setting_value *weir_settings(const struct weir_out *out) {
    return out->settings;
}

/* ---- snapshots: bytes in memory ---- */
struct weir_sink {
    uint8_t *data;
    size_t size, room;
};
struct weir_source {
    const uint8_t *data;
    size_t left;
};
enum weir_error weir_sink_put(struct weir_sink *sink, const void *data, size_t size) {
    if (sink->size + size > sink->room) {
        sink->room = 2 * (sink->size + size);
        sink->data = realloc(sink->data, sink->room);
        WEIR_ASSERT(sink->data);
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return WEIR_OK;
}
enum weir_error weir_source_get(struct weir_source *source, void *data, size_t size) {
    if (size > source->left) return WEIR_E_CORRUPT;
    memcpy(data, source->data, size);
    source->data += size;
    source->left -= size;
    return WEIR_OK;
}
#endif
