/* A copy of a log cut back to an earlier moment. See cut.h. */
#include "log/cut.h"

#include "base/bytes.h"
#include "log/reader.h"
#include "log/state.h"

#include <stdlib.h>

/* Whether a batch can end after any of its records: its bytes are a header and records, and nobody counts on its
 * sequence numbers. */
static bool can_be_split(const struct weir_record_batch *b) {
    return weir_record_batch_compression(b) == WEIR_BATCH_NONE && b->producer_id < 0 &&
           b->record_count == b->last_offset_delta + 1;
}

static enum weir_error read_batch(struct log *log, struct partition *p, const struct batch_place *place,
    uint8_t **ret_bytes, struct weir_record_batch *ret_batch) {
    struct log_path path;
    int file = -1;
    size_t got = 0;
    log_partition_segment_path(p, place->segment, &path);
    uint8_t *bytes = malloc((size_t)place->size);
    if (!bytes) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a batch");
    enum weir_error e = log->sys->file_open(log->sys, path.text, SYS_OPEN_READ, &file);
    if (!e) e = log->sys->file_read(log->sys, file, place->byte, bytes, (size_t)place->size, &got);
    if (file >= 0) log->sys->file_close(log->sys, file);
    if (!e) e = weir_record_batch_check(weir_slice(bytes, got), NULL, ret_batch);
    if (e) {
        free(bytes);
        return weir_error_wrap(e, "%s: byte %llu", path.text, (unsigned long long)place->byte);
    }
    *ret_bytes = bytes;
    return WEIR_OK;
}

enum weir_error log_time_at(struct log *log, struct log_partition *partition, uint64_t offset, uint64_t *ret_time_ms) {
    return log_batch_time(log, partition_of(partition), offset, ret_time_ms);
}

enum weir_error log_cut_point(struct log *log, struct log_partition *partition, uint64_t end, uint64_t *ret_end) {
    struct partition *p = partition_of(partition);
    struct batch_place place;
    struct weir_record_batch batch;
    uint8_t *bytes = NULL;
    *ret_end = end;
    if (end <= atomic_load(&partition->start) || end >= atomic_load(&partition->high)) return WEIR_OK;
    enum weir_error e = log_batch_place(log, p, end, &place);
    if (e || place.offset == end) return e;
    e = read_batch(log, p, &place, &bytes, &batch);
    if (e) return e;
    if (!can_be_split(&batch)) *ret_end = place.offset;
    free(bytes);
    return WEIR_OK;
}

/* The batch with its first `count` records alone. */
static enum weir_error keep_records(
    uint8_t *bytes, const struct weir_record_batch *batch, uint32_t count, size_t *ret_size) {
    struct weir_record_reader reader;
    struct weir_record record;
    int64_t latest = INT64_MIN;
    enum weir_error e = weir_record_reader_init(&reader, weir_slice(bytes, batch->size), batch);
    if (e) return e;
    for (uint32_t i = 0; i < count; i++) {
        if (!weir_record_reader_next(&reader, &record))
            return weir_error_context(WEIR_E_CORRUPT, "a batch has fewer records than it says");
        if (record.timestamp_ms > latest) latest = record.timestamp_ms;
    }
    size_t size = (size_t)(reader.at - bytes);
    store_be32(bytes + WEIR_BATCH_AT_LENGTH, (uint32_t)(size - WEIR_BATCH_LENGTH_BIAS));
    store_be32(bytes + WEIR_BATCH_AT_LAST_OFFSET_DELTA, count - 1);
    store_be32(bytes + WEIR_BATCH_AT_RECORD_COUNT, count);
    store_be64(bytes + WEIR_BATCH_AT_MAX_TIMESTAMP, (uint64_t)latest);
    store_be32(bytes + WEIR_BATCH_AT_CRC, weir_record_batch_crc(weir_slice(bytes, size)));
    *ret_size = size;
    return WEIR_OK;
}

/* The segment ends in front of the batch, or behind those of its records that are kept. */
static enum weir_error shorten(
    struct log *log, struct partition *p, const struct batch_place *place, uint8_t *bytes, size_t keep) {
    struct log_path path;
    int file = -1;
    log_partition_segment_path(p, place->segment, &path);
    enum weir_error e = log->sys->file_open(log->sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, &file);
    if (e) return e;
    e = log->sys->file_truncate(log->sys, file, place->byte);
    struct sys_iovec part = {bytes, keep};
    if (!e && keep > 0) e = log->sys->file_write(log->sys, file, place->byte, &part, 1);
    if (!e) e = log->sys->file_sync(log->sys, file);
    log->sys->file_close(log->sys, file);
    return e;
}

/* Segments that begin at or behind `from` go. */
static enum weir_error remove_segments(struct log *log, struct partition *p, uint64_t from) {
    uint64_t *bases = NULL;
    uint32_t count = 0;
    struct log_path path;
    enum weir_error e = log_partition_list(p, &bases, &count);
    for (uint32_t i = 0; !e && i < count; i++) {
        if (bases[i] < from) continue;
        log_partition_segment_path(p, bases[i], &path);
        e = log->sys->path_unlink(log->sys, path.text);
    }
    free(bases);
    log_partition_folder_path(p, &path);
    return !e && count > 0 ? log->sys->dir_sync(log->sys, path.text) : e;
}

enum weir_error log_cut_back(struct log *log, struct log_partition *partition, uint64_t end) {
    struct partition *p = partition_of(partition);
    struct batch_place place;
    struct weir_record_batch batch;
    uint8_t *bytes = NULL;
    size_t keep = 0;
    if (end >= atomic_load(&partition->high)) return WEIR_OK;
    if (end <= atomic_load(&partition->start)) return remove_segments(log, p, 0);
    enum weir_error e = log_batch_place(log, p, end, &place);
    if (!e && place.offset < end) {
        e = read_batch(log, p, &place, &bytes, &batch);
        if (!e && !can_be_split(&batch)) e = weir_error_context(WEIR_E_MISMATCH, "a batch that can't be split is cut");
        if (!e) e = keep_records(bytes, &batch, (uint32_t)(end - place.offset), &keep);
    }
    if (!e && place.segment < end) e = shorten(log, p, &place, bytes, keep);
    free(bytes);
    return e ? e : remove_segments(log, p, end);
}
