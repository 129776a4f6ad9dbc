/* JSON records into a RecordBatch. */
#include "edge/batch_build.h"

#include "base/encode.h"
#include "base/json.h"
#include "wire/record_batch.h"

struct building {
    struct arena *arena;
    struct json_reader json;
    struct weir_record_builder builder;
    struct batch_built *built;
    uint64_t time_ms;
};

static enum weir_error bad(const struct building *b, const char *what) {
    if (b->json.token == JSON_ERROR)
        return weir_error_context(WEIR_E_INVALID, "not valid JSON at byte %zu: %s", b->json.offset, b->json.error);
    return weir_error_context(WEIR_E_INVALID, "record %u: %s", b->built->count, what);
}

static enum weir_error read_text(struct building *b, bool is_base64, struct weir_slice *ret_bytes) {
    enum json_token token = json_next(&b->json);
    if (token == JSON_NULL) return WEIR_OK;
    if (token != JSON_STRING) return bad(b, "a key or value is text in quotes (or base64 in keyBase64, valueBase64)");
    if (ret_bytes->data) return bad(b, "a key or value is given twice");
    struct weir_slice text = json_text(&b->json, b->arena);
    uint8_t *copy = text.data ? arena_alloc(b->arena, text.size + 1) : NULL;
    if (!copy) return weir_error_context(WEIR_E_NO_MEMORY, "the records need more memory than one request may have");
    size_t size = text.size;
    if (!is_base64)
        memcpy(copy, text.data, text.size);
    else if (!base64_decode(text, copy, &size))
        return bad(b, "keyBase64 and valueBase64 are standard base64 with padding");
    *ret_bytes = weir_slice(copy, size);
    return WEIR_OK;
}

static enum weir_error read_record(struct building *b) {
    struct weir_slice key = {0}, value = {0};
    if (b->json.token != JSON_OBJECT_OPEN) return bad(b, "expected an object {\"key\": ..., \"value\": ...}");
    while (json_next(&b->json) == JSON_KEY) {
        bool is_key = json_text_is(&b->json, "key"), is_key64 = json_text_is(&b->json, "keyBase64");
        bool is_value = json_text_is(&b->json, "value"), is_value64 = json_text_is(&b->json, "valueBase64");
        if (!is_key && !is_key64 && !is_value && !is_value64)
            return bad(b, "a record has key or keyBase64, and value or valueBase64, and nothing else");
        enum weir_error e = read_text(b, is_key64 || is_value64, is_key || is_key64 ? &key : &value);
        if (e) return e;
    }
    if (b->json.token != JSON_OBJECT_CLOSE) return bad(b, "not an object");
    if (b->built->count == 0) b->built->first_key = key;
    b->built->count++;
    enum weir_error e = weir_record_builder_append(&b->builder, (int64_t)b->time_ms, key, value, NULL, 0);
    if (e == WEIR_E_FULL)
        return weir_error_context(WEIR_E_TOO_LARGE,
            "the records are larger than a batch may be (%zu bytes): send fewer at once", b->builder.capacity);
    return e;
}

static enum weir_error read_array(struct building *b) {
    if (json_next(&b->json) != JSON_ARRAY_OPEN) return bad(b, "expected an array of records");
    while (json_next(&b->json) != JSON_ARRAY_CLOSE) {
        enum weir_error e = b->json.token == JSON_ERROR ? bad(b, "") : read_record(b);
        if (e) return e;
    }
    return WEIR_OK;
}

static enum weir_error read_body(struct building *b, struct weir_slice json) {
    struct json_reader first = json_reader(json, 8);
    b->json = first;
    if (json_next(&first) != JSON_OBJECT_OPEN) return read_array(b);
    (void)json_next(&b->json);
    if (json_next(&b->json) != JSON_KEY || !json_text_is(&b->json, "records"))
        return bad(b, "expected an array of records, or {\"records\": [...]}");
    enum weir_error e = read_array(b);
    if (!e && json_next(&b->json) != JSON_OBJECT_CLOSE) return bad(b, "expected nothing but \"records\"");
    return e;
}

enum weir_error batch_build(struct arena *arena, struct weir_slice json, uint64_t time_ms, size_t bytes_max,
    const struct batch_producer *producer, struct batch_built *ret_built) {
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    struct batch_built built = {0};
    struct building b = {.arena = arena, .built = &built, .time_ms = time_ms};
    uint8_t *memory = arena_alloc(arena, bytes_max);
    if (!memory) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the records");
    options.base_timestamp_ms = (int64_t)time_ms;
    if (producer->given) {
        if (producer->id > INT64_MAX || producer->epoch > INT16_MAX || producer->sequence > INT32_MAX)
            return weir_error_context(WEIR_E_INVALID, "producerId, producerEpoch or sequence is out of range");
        options.producer_id = (int64_t)producer->id;
        options.producer_epoch = (int16_t)producer->epoch;
        options.base_sequence = (int32_t)producer->sequence;
    }
    weir_record_builder_init(&b.builder, memory, bytes_max, &options);
    enum weir_error e = read_body(&b, json);
    if (!e && json_next(&b.json) != JSON_END) e = bad(&b, "something follows the records");
    if (!e && built.count == 0) e = weir_error_context(WEIR_E_INVALID, "there is no record in the body");
    if (e) return e;
    built.batch = weir_record_builder_finish(&b.builder);
    *ret_built = built;
    return WEIR_OK;
}

enum weir_error batch_build_one(struct arena *arena, struct weir_slice key, struct weir_slice value, uint64_t time_ms,
    struct weir_slice *ret_batch) {
    struct weir_record_builder builder;
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    size_t size = WEIR_BATCH_HEADER_SIZE + weir_record_size_max(key.size, value.size, NULL, 0);
    uint8_t *memory = arena_alloc(arena, size);
    if (!memory) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a record");
    options.base_timestamp_ms = (int64_t)time_ms;
    weir_record_builder_init(&builder, memory, size, &options);
    enum weir_error e = weir_record_builder_append(&builder, (int64_t)time_ms, key, value, NULL, 0);
    if (!e) *ret_batch = weir_record_builder_finish(&builder);
    return e;
}
