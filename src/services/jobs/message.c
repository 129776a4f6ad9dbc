/* Protobuf, field by field. */
#include "base/bytes.h"
#include "jobs/routes.h"

#define VARINT 0u
#define LENGTH 2u

static uint64_t tag_of(uint32_t field, uint32_t kind) {
    return (uint64_t)field << 3 | kind;
}

size_t jobs_message_number_size(uint32_t field, uint64_t value) {
    return value ? varint_size(tag_of(field, VARINT)) + varint_size(value) : 0;
}

size_t jobs_message_bytes_size(uint32_t field, size_t size) {
    return size ? varint_size(tag_of(field, LENGTH)) + varint_size(size) + size : 0;
}

void jobs_message_number(struct jobs_message *m, uint32_t field, uint64_t value) {
    if (!value) return;
    m->at += varint_store(m->at, tag_of(field, VARINT));
    m->at += varint_store(m->at, value);
}

void jobs_message_open(struct jobs_message *m, uint32_t field, size_t size) {
    m->at += varint_store(m->at, tag_of(field, LENGTH));
    m->at += varint_store(m->at, size);
}

void jobs_message_bytes(struct jobs_message *m, uint32_t field, struct weir_slice bytes) {
    if (!bytes.size) return;
    jobs_message_open(m, field, bytes.size);
    memcpy(m->at, bytes.data, bytes.size);
    m->at += bytes.size;
}
