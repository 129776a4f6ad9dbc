/* log_dump: what is in the files, as text lines; a file that is damaged is shown as far as it goes. See log.h. */
#include "base/bytes.h"
#include "log/catalogue.h"
#include "log/tool.h"
#include "wire/compression.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct dump {
    struct sys *sys;
    bool deep;
    log_line_fn fn;
    void *ctx;
    enum weir_error error; /* of a listing */
    const char *folder;
    struct weir_compression codec;
    bool has_codec;
    uint8_t *plain; /* LOG_PLAIN_BYTES_MAX */
};

static void __attribute__((format(printf, 2, 3))) line(struct dump *d, const char *format, ...) {
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    d->fn(d->ctx, text);
}

/* Printable bytes as they are, others as \xNN, at most 256 of them. */
static const char *show(struct weir_slice bytes, char text[1100]) {
    size_t at = 0, count = bytes.size < 256 ? bytes.size : 256;
    if (!bytes.data) return "null";
    text[at++] = '"';
    for (size_t i = 0; i < count; i++) {
        uint8_t c = bytes.data[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            text[at++] = (char)c;
        else
            at += (size_t)snprintf(text + at, 5, "\\x%02x", c);
    }
    snprintf(text + at, 8, bytes.size > count ? "\"..." : "\"");
    return text;
}

/* Made when the first compressed batch comes. */
static enum weir_error decompress(struct dump *d, struct weir_slice *batch, struct weir_record_batch *ret_header) {
    enum weir_error e = WEIR_OK;
    if (!d->plain) d->plain = malloc(LOG_PLAIN_BYTES_MAX);
    if (!d->plain) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to decompress");
    if (!d->has_codec) e = weir_compression_open(&d->codec);
    d->has_codec = d->has_codec || !e;
    if (!e) e = weir_batch_decompress(&d->codec, *batch, d->plain, LOG_PLAIN_BYTES_MAX, batch);
    return e ? e : weir_record_batch_parse(*batch, NULL, ret_header);
}

static void dump_records(struct dump *d, struct weir_slice bytes, const struct weir_record_batch *batch) {
    struct weir_record_reader reader;
    struct weir_record r;
    struct weir_record_batch plain = *batch;
    if (weir_record_batch_compression(batch) != WEIR_BATCH_NONE) {
        enum weir_error e = decompress(d, &bytes, &plain);
        if (e) {
            line(d, "    its records can't be decompressed: %s", weir_error_text());
            return;
        }
    }
    if (weir_record_reader_init(&reader, bytes, &plain)) return;
    while (weir_record_reader_next(&reader, &r)) {
        char key[1100], value[1100];
        line(d, "    offset %" PRId64 " time %" PRId64 " headers %u key %.200s value %.800s", r.offset, r.timestamp_ms,
            r.header_count, show(r.key, key), show(r.value, value));
    }
    if (reader.error) line(d, "    the records are malformed: %s", weir_error_text());
}

static void dump_batch(void *ctx, struct weir_slice bytes, const struct weir_record_batch *b, uint64_t byte) {
    struct dump *d = ctx;
    line(d,
        "  batch byte %" PRIu64 " size %u offsets %" PRId64 "..%" PRId64 " records %d time %" PRId64
        " producer %" PRId64 "/%d sequence %d attributes 0x%02x crc %08x",
        byte, b->size, b->base_offset, weir_record_batch_last_offset(b), b->record_count, b->max_timestamp_ms,
        b->producer_id, b->producer_epoch, b->base_sequence, b->attributes, b->crc);
    if (d->deep) dump_records(d, bytes, b);
}

static enum weir_error dump_segment(struct dump *d, const char *path, uint64_t base) {
    int file = -1;
    uint64_t size = 0;
    struct tool_run run;
    enum weir_error e = d->sys->file_open(d->sys, path, SYS_OPEN_READ, &file);
    if (e) return e;
    e = d->sys->file_size(d->sys, file, &size);
    line(d, "segment %s bytes %" PRIu64, path, size);
    if (!e) e = log_tool_walk(d->sys, file, 0, size, base, dump_batch, d, &run);
    d->sys->file_close(d->sys, file);
    if (!e && run.wrong) line(d, "  byte %" PRIu64 ": %s", run.byte, run.wrong);
    return e;
}

static void dump_frame(struct dump *d, struct weir_slice bytes, const struct frame_header *h, uint64_t byte) {
    struct weir_slice payload, batch;
    uint32_t uid = 0;
    struct frame_header checked;
    bool good = log_frame_look(bytes, &h->epoch, &checked) == FRAME_GOOD;
    line(d,
        "  frame byte %" PRIu64 " sequence %" PRIu64 " epoch %" PRIu64 "/%016" PRIx64
        " entries %u payload %u time %" PRIu64 " crc %08x previous %08x%s",
        byte, h->sequence, h->epoch.number, h->epoch.salt, h->entry_count, h->payload_bytes, h->time_ms, h->crc,
        h->previous_crc, good ? "" : " DAMAGED");
    if (!good) return;
    payload = weir_slice(bytes.data + FRAME_HEADER_SIZE, h->payload_bytes);
    while (log_frame_entry_next(&payload, &uid, &batch)) {
        struct weir_record_batch b;
        if (weir_record_batch_check(batch, NULL, &b)) {
            line(d, "  partition %u: a damaged batch", uid);
            continue;
        }
        line(d, "  partition %u", uid);
        dump_batch(d, batch, &b, byte);
    }
}

static enum weir_error dump_journal(struct dump *d, const char *path) {
    struct weir_slice bytes;
    enum weir_error e = sys_read_all(d->sys, path, UINT64_C(1) << 31, &bytes);
    if (e) return e;
    line(d, "journal %s bytes %zu", path, bytes.size);
    for (size_t at = 0; at < bytes.size;) {
        struct frame_header h;
        uint16_t version = 0;
        struct weir_slice rest = weir_slice(bytes.data + at, bytes.size - at);
        if (!log_frame_peek(rest, &h, &version)) {
            at += JOURNAL_BLOCK;
            continue;
        }
        dump_frame(d, rest, &h, at);
        struct frame_header checked;
        bool good = log_frame_look(rest, &h.epoch, &checked) == FRAME_GOOD;
        at += good ? (size_t)frame_bytes(h.payload_bytes) : JOURNAL_BLOCK;
    }
    sys_bytes_free(bytes);
    return WEIR_OK;
}

static enum weir_error dump_row(void *ctx, struct checkpoint_row *row) {
    struct dump *d = ctx;
    line(d, "  partition %u offsets %" PRIu64 "..%" PRIu64 " segment %" PRIu64 " bytes %" PRIu64 " producers %u",
        row->uid, row->row.start, row->row.end, row->row.segment_base, row->row.segment_size, row->producers.count);
    return WEIR_OK;
}

static enum weir_error dump_checkpoint(struct dump *d, const char *path) {
    struct weir_slice bytes;
    struct checkpoint c = {0};
    enum weir_error e = sys_read_all(d->sys, path, CHECKPOINT_BYTES_MAX, &bytes);
    if (e) return e;
    line(d, "checkpoint %s", path);
    e = log_checkpoint_decode(bytes, &c, dump_row, d);
    sys_bytes_free(bytes);
    if (e) return e;
    line(d,
        "  generation %" PRIu64 " epoch %" PRIu64 "/%016" PRIx64 " start frame %" PRIu64 " at J-%08u byte %" PRIu64
        "%s",
        c.generation, c.epoch.number, c.epoch.salt, c.start_sequence, c.start_file, c.start_offset,
        c.clean ? " clean" : "");
    return WEIR_OK;
}

static enum weir_error dump_topic(void *ctx, const struct catalogue_topic *t) {
    struct dump *d = ctx;
    line(d, "  topic %.*s folder %.*s partitions %u first uid %u %s compression %s%s%s", (int)t->name.size,
        (const char *)t->name.data, (int)t->folder.size, (const char *)t->folder.data, t->partition_count,
        t->partition_count > 0 ? load_le32(t->uids.data) : 0, log_durability_name(t->config.durability),
        log_compression_name(t->config.compression), t->config.derived ? " derived" : "",
        t->config.internal ? " internal" : "");
    return WEIR_OK;
}

static enum weir_error dump_catalogue(struct dump *d, const char *path) {
    struct weir_slice bytes;
    struct catalogue_header header = {0};
    enum weir_error e = sys_read_all(d->sys, path, CATALOGUE_BYTES_MAX, &bytes);
    if (e) return e;
    line(d, "catalogue %s", path);
    e = log_catalogue_decode(bytes, &header, dump_topic, d);
    sys_bytes_free(bytes);
    if (!e) line(d, "  next uid %u next producer id %" PRIu64, header.next_uid, header.next_producer_id);
    return e;
}

static bool dump_entry(void *ctx, const char *name, bool is_folder);

static enum weir_error dump_folder(struct dump *d, const char *path) {
    const char *outer = d->folder;
    d->folder = path;
    enum weir_error e = d->sys->dir_list(d->sys, path, dump_entry, d);
    d->folder = outer;
    return e ? e : d->error;
}

static enum weir_error dump_file(struct dump *d, const char *path, const char *name) {
    uint32_t number = 0;
    uint64_t base = 0;
    if (log_journal_name_parse(name, &number)) return dump_journal(d, path);
    if (log_segment_name_parse(name, &base)) return dump_segment(d, path, base);
    if (strcmp(name, "checkpoint") == 0) return dump_checkpoint(d, path);
    if (strcmp(name, "catalogue") == 0) return dump_catalogue(d, path);
    return WEIR_E_NOT_FOUND;
}

static bool dump_entry(void *ctx, const char *name, bool is_folder) {
    struct dump *d = ctx;
    char path[LOG_PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/%s", d->folder, name) >= (int)sizeof path) return true;
    enum weir_error e = is_folder ? dump_folder(d, path) : dump_file(d, path, name);
    if (e == WEIR_E_CORRUPT || e == WEIR_E_VERSION) line(d, "%s: %s", path, weir_error_text());
    d->error = e == WEIR_E_NOT_FOUND || e == WEIR_E_CORRUPT || e == WEIR_E_VERSION ? WEIR_OK : e;
    return d->error == WEIR_OK;
}

enum weir_error log_dump(struct sys *sys, const char *path, bool deep, log_line_fn fn, void *ctx) {
    struct dump d = {.sys = sys, .deep = deep, .fn = fn, .ctx = ctx};
    const char *slash = strrchr(path, '/');
    bool exists = false;
    enum weir_error e = sys->path_exists(sys, path, &exists);
    if (e) return e;
    if (!exists) return weir_error_context(WEIR_E_NOT_FOUND, "there is no %s", path);
    e = dump_file(&d, path, slash ? slash + 1 : path);
    if (e == WEIR_E_NOT_FOUND) e = dump_folder(&d, path);
    weir_compression_close(&d.codec);
    free(d.plain);
    return e;
}
