/* What the offline tools share. See tool.h. */
#include "log/tool.h"

#include "base/bytes.h"
#include "log/catalogue.h"
#include "log/folder.h"
#include "log/topic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TOOL_PARTITIONS_MAX (1u << 20)

void log_tool_report(struct tool *t, enum weir_error e, const char *path, uint64_t byte, const char *format, ...) {
    char text[640];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct log_finding finding = {path, byte, e, text};
    if (t->worst == WEIR_OK) t->worst = e;
    if (t->fn) t->fn(t->ctx, &finding);
}

static enum weir_error take_row(void *ctx, struct checkpoint_row *row) {
    struct tool *t = ctx;
    struct partition *p = t->have_catalogue ? log_catalogue_partition(t->log, row->uid) : NULL;
    if (!p) return WEIR_OK;
    p->row = row->row;
    p->producers_stored = row->producers;
    row->producers = (struct producer_table){0};
    return WEIR_OK;
}

/* FORMAT, catalogue, checkpoint. */
static enum weir_error read_roots(struct tool *t) {
    struct log *log = t->log;
    struct log_path path;
    bool fresh = false;
    log_path(log, &path, "FORMAT");
    enum weir_error e = log_folder_check(log, &fresh);
    if (e == WEIR_E_CORRUPT)
        log_tool_report(t, e, path.text, 0, "%s", weir_error_text());
    else if (e)
        return e;
    else if (fresh)
        return weir_error_context(WEIR_E_NOT_FOUND, "%s holds no log", log->folder);
    log_path(log, &path, "catalogue");
    e = log_catalogue_load(log);
    t->have_catalogue = e == WEIR_OK;
    if (e == WEIR_E_CORRUPT || e == WEIR_E_NOT_FOUND)
        log_tool_report(t, WEIR_E_CORRUPT, path.text, 0, "%s", weir_error_text());
    else if (e)
        return e;
    log_path(log, &path, "checkpoint");
    e = log_checkpoint_read(t->sys, log->folder, &log->checkpoint, take_row, t);
    t->have_checkpoint = e == WEIR_OK;
    if (e == WEIR_E_CORRUPT || e == WEIR_E_NOT_FOUND) {
        log_tool_report(t, WEIR_E_CORRUPT, path.text, 0, "%s", weir_error_text());
        e = WEIR_OK;
    }
    return e;
}

enum weir_error log_tool_open(struct tool *t, struct sys *sys, const char *folder, log_finding_fn fn, void *ctx) {
    *t = (struct tool){.sys = sys, .fn = fn, .ctx = ctx};
    struct log_options o;
    bool exists = false;
    log_options_default(&o);
    o.folder = folder;
    o.partitions_max = TOOL_PARTITIONS_MAX;
    o.read_only = true;
    enum weir_error e = sys->path_exists(sys, folder, &exists);
    if (!e && !exists) e = weir_error_context(WEIR_E_NOT_FOUND, "there is no folder %s", folder);
    if (!e) e = log_make(sys, &o, &t->log);
    if (!e) e = log_folder_lock(t->log);
    if (e == WEIR_E_PERMISSION) e = WEIR_OK; /* a folder that may only be read: nobody runs on it */
    return e ? e : read_roots(t);
}

void log_tool_close(struct tool *t) {
    log_close(t->log);
    t->log = NULL;
}

/* ---- batches
 * --------------------------------------------------------------------------------------------------------------- */

#define WALK_CHUNK ((size_t)1 << 20)

/* Checks the batch in front. Sets run->wrong when it is none; *ret_more when its end lies behind `bytes`. */
static bool walk_one(
    struct weir_slice bytes, uint64_t left, struct tool_run *run, tool_batch_fn fn, void *ctx, size_t *ret_more) {
    size_t size = 0;
    struct weir_record_batch batch;
    *ret_more = 0;
    if (bytes.size < WEIR_BATCH_HEADER_SIZE) {
        if (left <= bytes.size) run->wrong = "the file ends in the middle of a batch";
        *ret_more = WEIR_BATCH_HEADER_SIZE;
        return false;
    }
    if (weir_record_batch_peek_size(bytes, &size) || bytes.data[WEIR_BATCH_AT_MAGIC] != WEIR_BATCH_MAGIC ||
        size > left) {
        run->wrong = "these bytes are no batch";
        return false;
    }
    if (size > bytes.size) {
        *ret_more = size;
        return false;
    }
    if (weir_record_batch_check(weir_slice(bytes.data, size), NULL, &batch)) {
        run->wrong = "the batch does not match its checksum";
        return false;
    }
    if ((uint64_t)batch.base_offset != run->next) {
        run->wrong = "the batch has another offset than the one that is due";
        return false;
    }
    if (fn) fn(ctx, weir_slice(bytes.data, size), &batch, run->byte);
    run->byte += size;
    run->next += (uint64_t)batch.last_offset_delta + 1;
    run->batches++;
    run->records += (uint64_t)batch.record_count;
    return true;
}

enum weir_error log_tool_walk(struct sys *sys, int file, uint64_t from, uint64_t limit, uint64_t next, tool_batch_fn fn,
    void *ctx, struct tool_run *ret_run) {
    struct tool_run run = {.byte = from, .next = next};
    size_t room = WALK_CHUNK, more = 0;
    uint8_t *buffer = malloc(room);
    enum weir_error e = buffer ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "no memory to read a segment");
    while (!e && !run.wrong && run.byte < limit) {
        size_t got = 0, at = 0;
        if (more > room) {
            free(buffer);
            buffer = malloc(more);
            room = more;
            if (!buffer) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a batch of %zu bytes", more);
        }
        size_t want = limit - run.byte < room ? (size_t)(limit - run.byte) : room;
        e = sys->file_read(sys, file, run.byte, buffer, want, &got);
        if (e) break;
        uint64_t begin = run.byte;
        while (at < got && walk_one(weir_slice(buffer + at, got - at), got < want ? got - at : limit - run.byte, &run,
                               fn, ctx, &more))
            at = (size_t)(run.byte - begin);
        if (got < want && !run.wrong && run.byte == begin) run.wrong = "the file ends too early";
    }
    free(buffer);
    weir_error_clear();
    if (!e) *ret_run = run;
    return e;
}
