/* Records as JSON: by their declared type where a service says what they are, else as text or base64. */
#include "base/bytes.h"
#include "base/encode.h"
#include "edge/topics.h"
#include "edge/transcode.h"
#include "host/batch.h"
#include "host/envelope.h"

struct topic_printer topic_printer(const struct edge *edge, const char *topic, struct arena *arena) {
    struct topic_printer printer = {edge, NULL, arena};
    for (uint32_t i = 0; i < edge->service_count; i++)
        for (const struct weir_topic *row = edge_service(edge, i)->topics; row && row->name; row++)
            if (strcmp(row->name, topic) == 0) printer.row = row;
    return printer;
}

static void put_bytes(const struct topic_printer *p, struct json_writer *w, const char *name, struct weir_slice bytes) {
    char long_name[32];
    if (!bytes.data) {
        json_put_text(w, name, NULL);
    } else if (utf8_valid(bytes)) {
        json_put_slice(w, name, bytes);
    } else {
        struct text_builder t = TEXT_BUILDER(long_name);
        text_printf(&t, "%sBase64", name);
        char *text = arena_alloc(p->arena, base64_size(bytes.size) + 1);
        if (text) base64_encode(bytes, text);
        json_put_slice(w, long_name, weir_slice(text, text ? base64_size(bytes.size) : 0));
    }
}

static const struct weir_record_type *type_of(const struct topic_printer *p, uint16_t type) {
    for (const struct weir_record_type *t = p->row ? p->row->types : NULL; t && t->name; t++)
        if (t->type == type) return t;
    return NULL;
}

static bool put_printed(const struct topic_printer *p, const struct weir_record_type *type, struct weir_slice value,
    struct json_writer *w) {
    char small[1024], *text = small;
    size_t size = type->print(value, small, sizeof small);
    if (size >= sizeof small) {
        text = arena_alloc(p->arena, size + 1);
        if (!text) return false;
        size = type->print(value, text, size + 1);
    }
    if (size == 0) return false;
    json_write_key(w, "value");
    json_write_raw(w, weir_slice(text, size));
    return true;
}

static void put_value(const struct topic_printer *p, const struct weir_record *record, struct json_writer *w) {
    const struct weir_record_type *type =
        record->kind == WEIR_RECORD_COMMAND || record->kind == WEIR_RECORD_EMIT || record->kind == WEIR_RECORD_OUTPUT
            ? type_of(p, record->type)
            : NULL;
    if (type) json_put_text(w, "typeName", type->name);
    if (type && type->message) {
        ProtobufCMessage *message;
        if (transcode_unpack(p->arena, type->message, record->value, &message) == WEIR_OK) {
            json_write_key(w, "value");
            transcode_write(message, w);
            return;
        }
    } else if (type && type->print && put_printed(p, type, record->value, w)) {
        return;
    }
    put_bytes(p, w, "value", record->value);
}

static const char *kind_name(uint8_t kind) {
    static const char *const names[] = {"command", "emit", "timer", "settings", "result", "skip", "output"};
    return kind < WEIR_ARRAY_COUNT(names) ? names[kind] : "unknown";
}

void topic_print_record(const struct topic_printer *p, const struct weir_record *record, struct json_writer *w) {
    json_write_object_open(w);
    json_put_u64(w, "offset", record->offset);
    json_put_u64(w, "timeMs", record->time_ns / SYS_NANOS_PER_MS);
    if (!p->row) {
        put_bytes(p, w, "key", record->key);
        put_bytes(p, w, "value", record->value);
        json_write_object_close(w);
        return;
    }
    if (p->row->role == WEIR_TOPIC_INPUT) json_put_text(w, "kind", kind_name(record->kind));
    json_put_u64(w, "type", record->type);
    if (record->kind == WEIR_RECORD_TIMER) json_put_u64(w, "timerId", record->timer_id);
    if (p->row->role == WEIR_TOPIC_OUTPUT && record->key.size == ENVELOPE_OUTPUT_KEY_SIZE)
        json_put_u64(w, "key", load_be64(record->key.data));
    else if (record->key.data)
        put_bytes(p, w, "key", record->key);
    put_value(p, record, w);
    json_write_object_close(w);
}

static void as_service_record(
    const struct topic_printer *p, const struct batch_record *b, struct weir_record *ret_record) {
    struct envelope envelope;
    *ret_record = (struct weir_record){.offset = b->offset,
        .time_ns = b->record.time_ms * SYS_NANOS_PER_MS,
        .key = b->record.key,
        .value = b->record.value};
    if (!p->row) return;
    if (p->row->role == WEIR_TOPIC_OUTPUT) {
        envelope_load_output(b->offset, &b->record, ret_record);
    } else if (envelope_load(&b->record, &envelope) == WEIR_OK) {
        ret_record->kind = envelope.kind;
        ret_record->type = envelope.type;
        ret_record->time_ns = envelope.time_ns;
        ret_record->timer_id = envelope.timer_id;
    }
}

enum weir_error topic_print_batches(const struct topic_printer *p, struct weir_slice batches, uint64_t offset,
    uint64_t limit, struct json_writer *w, uint64_t *ret_next) {
    uint64_t next = offset;
    while (batches.size && limit) {
        struct batch_reader reader;
        struct batch_header header;
        struct batch_record raw;
        struct weir_record record;
        enum weir_error e = batch_open(&reader, batches, &header);
        if (e) return e;
        while (limit && batch_next(&reader, &raw)) {
            if (raw.offset < offset) continue;
            as_service_record(p, &raw, &record);
            topic_print_record(p, &record, w);
            next = raw.offset + 1;
            limit--;
        }
        e = batch_error(&reader);
        if (e) return e;
        if (limit && header.next_offset > next) next = header.next_offset;
        batches = weir_slice(batches.data + header.size, batches.size - header.size);
    }
    *ret_next = next;
    return WEIR_OK;
}
