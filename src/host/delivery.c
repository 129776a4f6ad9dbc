#include "host/delivery.h"
#include "base/assert.h"

struct delivery_head {
    struct host_origin origin;
    uint64_t offset, time_ns, record_offset;
    uint32_t value_size, key_size, text_size; /* text with its NUL; 0: "" */
    uint16_t status, type;
    uint8_t kind, record_kind, repeated, error;
    bool key_null, value_null; /* which is not the same as empty */
    uint16_t service;
    uint32_t partition, unused;
};
_Static_assert(sizeof(struct delivery_head) % 8 == 0, "bytes behind it stay aligned");

static size_t text_size(const struct host_delivery *d) {
    return d->text && d->text[0] ? strlen(d->text) + 1 : 0;
}

static struct weir_slice value_of(const struct host_delivery *d) {
    return d->kind == HOST_RECORD ? d->record.value : d->value;
}

size_t delivery_size(const struct host_delivery *d) {
    size_t key_size = d->kind == HOST_RECORD ? d->record.key.size : 0;
    return (sizeof(struct delivery_head) + text_size(d) + key_size + value_of(d).size + 7) & ~(size_t)7;
}

void delivery_store(const struct host_delivery *d, void *ret_bytes) {
    struct weir_slice value = value_of(d), key = d->kind == HOST_RECORD ? d->record.key : (struct weir_slice){0};
    struct delivery_head *head = ret_bytes;
    *head = (struct delivery_head){
        .origin = d->origin,
        .offset = d->offset,
        .time_ns = d->record.time_ns,
        .record_offset = d->record.offset,
        .value_size = (uint32_t)value.size,
        .key_size = (uint32_t)key.size,
        .text_size = (uint32_t)text_size(d),
        .status = d->status,
        .type = d->record.type,
        .kind = (uint8_t)d->kind,
        .record_kind = d->record.kind,
        .repeated = d->repeated,
        .error = (uint8_t)d->error,
        .key_null = !key.data,
        .value_null = !value.data,
        .service = d->service,
        .partition = d->partition,
    };
    uint8_t *at = (uint8_t *)(head + 1);
    WEIR_ASSERT((key.data || key.size == 0) && (value.data || value.size == 0));
    if (head->text_size) memcpy(at, d->text, head->text_size);
    if (key.size) memcpy(at + head->text_size, key.data, key.size);
    if (value.size) memcpy(at + head->text_size + key.size, value.data, value.size);
}

void delivery_load(const void *bytes, struct host_delivery *ret_delivery) {
    const struct delivery_head *head = bytes;
    const uint8_t *at = (const uint8_t *)(head + 1);
    struct host_delivery d = {
        .kind = (enum host_delivery_kind)head->kind,
        .origin = head->origin,
        .error = (enum weir_error)head->error,
        .status = head->status,
        .text = head->text_size ? (const char *)at : "",
        .offset = head->offset,
        .repeated = head->repeated,
        .service = head->service,
        .partition = head->partition,
    };
    struct weir_slice key = weir_slice(at + head->text_size, head->key_size);
    struct weir_slice value = weir_slice(key.data + key.size, head->value_size);
    if (head->key_null) key.data = NULL;
    if (head->value_null) value.data = NULL;
    if (d.kind == HOST_RECORD)
        d.record = (struct weir_record){.offset = head->record_offset,
            .time_ns = head->time_ns,
            .kind = head->record_kind,
            .type = head->type,
            .key = key,
            .value = value};
    else
        d.value = value;
    *ret_delivery = d;
}
