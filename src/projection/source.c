#include "projection/source.h"

#include "base/hash.h"
#include "host/batch.h"
#include "host/envelope.h"

#define READ_BYTES   (1u << 20)
#define BUFFER_BYTES (LOG_PLAIN_BYTES_MAX + (1u << 20)) /* a batch may be larger than what is asked for */

enum weir_error source_open(struct log *log, struct source *source) {
    *source = (struct source){.log = log};
    enum weir_error e = sys_memory_map(BUFFER_BYTES, &source->buffer);
    if (!e) e = unfold_open(&source->unfold);
    if (e) source_close(source);
    return e;
}

void source_close(struct source *source) {
    unfold_close(&source->unfold);
    if (source->buffer) sys_memory_unmap(source->buffer, BUFFER_BYTES);
    source->buffer = NULL;
}

uint64_t source_hash(const struct weir_record *record) {
    struct digest digest = {0};
    digest_u64(&digest, record->offset);
    digest_u64(&digest, record->time_ns);
    digest_u64(&digest, record->type);
    digest_bytes(&digest, record->value.data, record->value.size);
    return digest.state ? digest.state : 1;
}

/* *ret_more: fn wants further ones. */
static enum weir_error read_batch(struct weir_slice bytes, uint32_t partition, uint64_t *next, source_fn fn, void *ctx,
    size_t *ret_size, bool *ret_more) {
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record stored;
    enum weir_error e = batch_open(&reader, bytes, &header);
    if (e) return e;
    while (*ret_more && batch_next(&reader, &stored)) {
        struct weir_record record;
        if (stored.offset < *next) continue;
        envelope_load_output(stored.offset, &stored.record, &record);
        *ret_more = fn(ctx, &record, partition);
        if (*ret_more) *next = stored.offset + 1;
    }
    *ret_size = header.size;
    return batch_error(&reader);
}

static enum weir_error read_stored(
    struct source *source, struct log_partition *partition, uint64_t offset, struct weir_slice *ret_batches) {
    size_t size = 0;
    enum weir_error e = log_read(source->log, partition, offset, true, source->buffer, READ_BYTES, &size);
    if (e == WEIR_E_TOO_LARGE && size <= BUFFER_BYTES)
        e = log_read(source->log, partition, offset, true, source->buffer, BUFFER_BYTES, &size);
    return e ? e : unfold_batches(&source->unfold, weir_slice(source->buffer, size), offset, ret_batches);
}

enum weir_error source_read(struct source *source, struct log_partition *partition, uint64_t offset, source_fn fn,
    void *ctx, uint64_t *ret_next) {
    struct weir_slice batches;
    uint64_t next = offset;
    bool more = true;
    enum weir_error e = read_stored(source, partition, offset, &batches);
    while (!e && more && batches.size) {
        size_t size = 0;
        e = read_batch(batches, partition->index, &next, fn, ctx, &size, &more);
        if (!e) batches = weir_slice(batches.data + size, batches.size - size);
    }
    *ret_next = next;
    return e ? weir_error_wrap(e, "%s/%u", partition->topic->name, partition->index) : WEIR_OK;
}
