/* The root of the log. See checkpoint.h. */
#include "log/checkpoint.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD_BYTES (4 + 2 + 2 + 8 + 16 + 8 + 4 + 4 + 8 + 4)
#define ROW_BYTES  (4 + 4 * 8)
#define FLAG_CLEAN 1u

static enum weir_error damaged(const char *what) {
    return weir_error_context(WEIR_E_CORRUPT, "the checkpoint is damaged (%s); run: weir log repair", what);
}

static enum weir_error decode_rows(struct byte_reader *r, checkpoint_row_fn fn, void *ctx) {
    uint32_t rows = byte_get_le32(r);
    for (uint32_t i = 0; i < rows; i++) {
        struct checkpoint_row row = {.uid = byte_get_le32(r)};
        row.row.start = byte_get_le64(r);
        row.row.end = byte_get_le64(r);
        row.row.segment_base = byte_get_le64(r);
        row.row.segment_size = byte_get_le64(r);
        if (r->failed || row.row.start > row.row.end || row.row.segment_base > row.row.end) return damaged("a row");
        if (row.row.segment_size == 0 && row.row.start < row.row.end) return damaged("a row without its segment");
        enum weir_error e = log_producer_table_decode(&row.producers, r);
        if (!e && fn) e = fn(ctx, &row);
        log_producer_table_done(&row.producers);
        if (e) return e;
    }
    return byte_reader_finished(r) ? WEIR_OK : damaged("bytes behind its rows");
}

enum weir_error log_checkpoint_decode(
    struct weir_slice bytes, struct checkpoint *ret_checkpoint, checkpoint_row_fn fn, void *ctx) {
    if (bytes.size < HEAD_BYTES + 4) return damaged("it is too short");
    uint32_t crc = load_le32(bytes.data + bytes.size - 4);
    if (crc32c(bytes.data, bytes.size - 4) != crc) return damaged("its checksum does not match");
    struct byte_reader r = byte_reader(weir_slice(bytes.data, bytes.size - 4));
    struct checkpoint c = {0};
    if (byte_get_le32(&r) != CHECKPOINT_MAGIC) return damaged("its first bytes");
    uint16_t version = byte_get_le16(&r);
    if (version != CHECKPOINT_VERSION)
        return weir_error_context(
            WEIR_E_VERSION, "the checkpoint has version %u; this binary knows %u", version, CHECKPOINT_VERSION);
    c.clean = byte_get_le16(&r) & FLAG_CLEAN;
    c.generation = byte_get_le64(&r);
    c.epoch.number = byte_get_le64(&r);
    c.epoch.salt = byte_get_le64(&r);
    c.start_sequence = byte_get_le64(&r);
    c.start_previous_crc = byte_get_le32(&r);
    c.start_file = byte_get_le32(&r);
    c.start_offset = byte_get_le64(&r);
    enum weir_error e = decode_rows(&r, fn, ctx);
    if (!e) *ret_checkpoint = c;
    return e;
}

enum weir_error log_checkpoint_read(
    struct sys *sys, const char *folder, struct checkpoint *ret_checkpoint, checkpoint_row_fn fn, void *ctx) {
    char path[LOG_PATH_SIZE];
    struct weir_slice bytes;
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    enum weir_error e = sys_read_all(sys, path, CHECKPOINT_BYTES_MAX, &bytes);
    if (e) return e;
    e = log_checkpoint_decode(bytes, ret_checkpoint, fn, ctx);
    sys_bytes_free(bytes);
    return e == WEIR_E_CORRUPT || e == WEIR_E_VERSION ? weir_error_wrap(e, "%s", path) : e;
}

/* ---- writing
 * -------------------------------------------------------------------------------------------------------------- */

static void put_head(struct byte_writer *w, const struct checkpoint *c) {
    byte_put_le32(w, CHECKPOINT_MAGIC);
    byte_put_le16(w, CHECKPOINT_VERSION);
    byte_put_le16(w, c->clean ? FLAG_CLEAN : 0);
    byte_put_le64(w, c->generation);
    byte_put_le64(w, c->epoch.number);
    byte_put_le64(w, c->epoch.salt);
    byte_put_le64(w, c->start_sequence);
    byte_put_le32(w, c->start_previous_crc);
    byte_put_le32(w, c->start_file);
    byte_put_le64(w, c->start_offset);
}

/* A partition that never had data has no row. */
static bool has_row(struct partition *p) {
    return p && !atomic_load_explicit(&p->deleted, memory_order_relaxed) && p->row.end > 0;
}

static size_t size_needed(struct log *log, uint32_t count) {
    size_t size = HEAD_BYTES + 4;
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load_explicit(&log->partitions[i], memory_order_acquire);
        if (!has_row(p)) continue;
        spin_lock(&p->lock);
        size += ROW_BYTES + log_producer_table_encoded_size(&p->producers_stored);
        spin_unlock(&p->lock);
    }
    return size;
}

/* False: a table of producers grew since the size was taken. */
static bool encode(struct log *log, const struct checkpoint *c, uint32_t count, struct byte_writer *w) {
    put_head(w, c);
    uint8_t *rows_at = byte_put_raw(w, 4);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load_explicit(&log->partitions[i], memory_order_acquire);
        if (!has_row(p)) continue;
        rows++;
        WEIR_ASSERT(p->row.segment_size > 0 || p->row.start == p->row.end); /* what is claimed is in a segment */
        byte_put_le32(w, p->partition.uid);
        byte_put_le64(w, p->row.start);
        byte_put_le64(w, p->row.end);
        byte_put_le64(w, p->row.segment_base);
        byte_put_le64(w, p->row.segment_size);
        spin_lock(&p->lock);
        log_producer_table_encode(&p->producers_stored, w);
        spin_unlock(&p->lock);
    }
    if (w->failed) return false;
    store_le32(rows_at, rows);
    uint32_t crc = crc32c(w->data, w->at);
    byte_put_le32(w, crc);
    return !w->failed;
}

enum weir_error log_checkpoint_write(struct log *log, const struct checkpoint *checkpoint) {
    uint32_t count = atomic_load_explicit(&log->partition_count, memory_order_acquire);
    struct log_path path;
    log_path(log, &path, "checkpoint");
    for (;;) {
        size_t size = size_needed(log, count) + 4096; /* some room for producers that come meanwhile */
        uint8_t *bytes = malloc(size);
        if (!bytes) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a checkpoint of %zu bytes", size);
        struct byte_writer w = byte_writer(bytes, size);
        bool fits = encode(log, checkpoint, count, &w);
        enum weir_error e = fits ? sys_replace_file(log->sys, path.text, byte_writer_slice(&w)) : WEIR_OK;
        free(bytes);
        if (!fits) continue;
        if (!e) log->checkpoint = *checkpoint;
        return e;
    }
}
