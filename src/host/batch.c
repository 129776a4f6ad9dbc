#include "host/batch.h"
#include "wire/record_batch.h"

_Static_assert(sizeof(struct weir_record_reader) <= sizeof(struct batch_reader), "the reader's state fits");

static struct weir_record_reader *reader_of(struct batch_reader *reader) {
    return (struct weir_record_reader *)(void *)reader->state;
}

enum weir_error batch_open(struct batch_reader *reader, struct weir_slice bytes, struct batch_header *ret_header) {
    struct weir_record_batch batch;
    enum weir_error e = weir_record_batch_parse(bytes, NULL, &batch);
    if (e != WEIR_OK) return e;
    ret_header->base_offset = (uint64_t)batch.base_offset;
    ret_header->next_offset = (uint64_t)weir_record_batch_last_offset(&batch) + 1;
    ret_header->size = batch.size;
    ret_header->count = (uint32_t)batch.record_count;
    return weir_record_reader_init(reader_of(reader), bytes, &batch);
}

bool batch_next(struct batch_reader *reader, struct batch_record *ret_record) {
    struct weir_record record;
    if (!weir_record_reader_next(reader_of(reader), &record)) return false;
    struct weir_record_header header = {0};
    if (record.header_count > 0) {
        struct weir_slice headers = record.headers;
        if (!weir_record_header_next(&headers, &header)) header = (struct weir_record_header){0};
    }
    *ret_record = (struct batch_record){
        .offset = (uint64_t)record.offset,
        .record = {.time_ms = (uint64_t)record.timestamp_ms,
            .key = record.key,
            .value = record.value,
            .header_key = header.key,
            .header_value = header.value},
    };
    return true;
}

enum weir_error batch_error(const struct batch_reader *reader) {
    return ((const struct weir_record_reader *)(const void *)reader->state)->error;
}
