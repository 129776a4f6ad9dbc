/* log_verify: reads everything, changes nothing. See log.h. */
#include "log/tool.h"

#include "log/catalogue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the journal adds to a partition behind its row, in order. */
static void verify_entry(struct tool *t, const struct journal_scan *scan, const struct scan_frame *f, const char *path,
    uint32_t uid, struct weir_slice batch) {
    struct weir_record_batch header;
    struct partition *p = log_catalogue_partition(t->log, uid);
    (void)scan;
    if (!p) return;
    if (weir_record_batch_check(batch, NULL, &header) || header.size != batch.size) {
        log_tool_report(t, WEIR_E_CORRUPT, path, f->offset, "frame %" PRIu64 " has a damaged batch", f->sequence);
        return;
    }
    uint64_t base = (uint64_t)header.base_offset, end = base + (uint64_t)header.last_offset_delta + 1;
    if (end <= p->partition.next) return;
    if (base != p->partition.next)
        log_tool_report(t, WEIR_E_CORRUPT, path, f->offset,
            "frame %" PRIu64 ": %s-%u goes on with offset %" PRIu64 ", but %" PRIu64 " is due", f->sequence,
            p->partition.topic->name, p->partition.index, base, p->partition.next);
    p->partition.next = end;
}

static void journal_path(const struct tool *t, const struct journal_scan *scan, uint32_t file, struct log_path *path) {
    log_path(t->log, path, "journal/" JOURNAL_NAME_FORMAT, scan->files.data[file].number);
}

static enum weir_error verify_frames(struct tool *t, struct journal_scan *scan) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < scan->frames.count; i++) {
        const struct scan_frame *f = &scan->frames.data[i];
        struct weir_slice payload, batch;
        struct log_path path;
        uint32_t uid = 0;
        journal_path(t, scan, f->file, &path);
        enum weir_error e = log_journal_scan_payload(scan, f, &payload);
        if (e) return e;
        while (log_frame_entry_next(&payload, &uid, &batch))
            verify_entry(t, scan, f, path.text, uid, batch);
        if (payload.size > 0)
            log_tool_report(
                t, WEIR_E_CORRUPT, path.text, f->offset, "frame %" PRIu64 " has bytes that are no entry", f->sequence);
        bytes += f->size;
    }
    struct log_path path;
    log_path(t->log, &path, "journal");
    log_tool_report(t, WEIR_OK, path.text, 0, "%zu frames, %" PRIu64 " bytes behind the last checkpoint",
        scan->frames.count, bytes);
    if (scan->torn_bytes > 0 && scan->later.count == 0) {
        journal_path(t, scan, scan->bad.file, &path);
        log_tool_report(t, WEIR_OK, path.text, scan->bad.offset,
            "a torn frame of %" PRIu64 " bytes, never acknowledged; the next start leaves it out", scan->torn_bytes);
    }
    return WEIR_OK;
}

static enum weir_error verify_journal(struct tool *t) {
    struct journal_scan scan = {0};
    enum weir_error e = log_journal_scan(&scan, t->sys, t->log->folder, &t->log->checkpoint);
    if (e == WEIR_E_CORRUPT) {
        char text[512];
        struct log_path path;
        snprintf(text, sizeof text, "%s", weir_error_text());
        journal_path(t, &scan, scan.bad.file, &path);
        log_tool_report(t, e, path.text, scan.bad.offset, "%s", text);
        e = WEIR_OK;
    }
    if (!e) e = verify_frames(t, &scan);
    log_journal_scan_done(&scan);
    return e;
}

/* One segment file up to `limit` bytes (0: all of it). *next is where it begins and where it ends. */
static enum weir_error verify_segment(
    struct tool *t, struct partition *p, uint64_t base, uint64_t limit, uint64_t *next) {
    struct log_path path;
    struct tool_run run;
    uint64_t size = 0;
    int file = -1;
    log_partition_segment_path(p, base, &path);
    if (base != *next && !partition_may_resume(p, *next, base))
        log_tool_report(t, WEIR_E_CORRUPT, path.text, 0, "the segment before it ends at offset %" PRIu64, *next);
    enum weir_error e = t->sys->file_open(t->sys, path.text, SYS_OPEN_READ, &file);
    if (e) return e;
    e = t->sys->file_size(t->sys, file, &size);
    if (!e && size < limit)
        log_tool_report(t, WEIR_E_CORRUPT, path.text, size,
            "the file has %" PRIu64 " bytes, but %" PRIu64 " were synced", size, limit);
    if (limit == 0 || limit > size) limit = size;
    if (!e) e = log_tool_walk(t->sys, file, 0, limit, base, NULL, NULL, &run);
    t->sys->file_close(t->sys, file);
    if (e) return e;
    *next = run.next;
    if (run.wrong)
        log_tool_report(t, WEIR_E_CORRUPT, path.text, run.byte, "offset %" PRIu64 ": %s", run.next, run.wrong);
    return WEIR_OK;
}

static enum weir_error verify_partition(struct tool *t, struct partition *p) {
    const struct partition_row *row = &p->row;
    uint64_t *bases = NULL, next = 0, last = 0;
    uint32_t count = 0, first = 0, damage = 0;
    p->partition.next = row->end;
    enum weir_error e = log_partition_list(p, &bases, &count);
    if (e || row->segment_size == 0) {
        free(bases);
        return e;
    }
    while (first + 1 < count && bases[first + 1] <= row->start) /* left behind by a retention that was cut short */
        first++;
    struct log_path path;
    log_partition_folder_path(p, &path);
    if (count == 0 || bases[first] > row->start) {
        log_tool_report(t, WEIR_E_CORRUPT, path.text, 0, "the segment with offset %" PRIu64 " is missing", row->start);
        damage++;
    }
    next = count > 0 ? bases[first] : 0;
    for (uint32_t i = first; !e && i < count && bases[i] <= row->segment_base; i++) {
        last = bases[i];
        e = verify_segment(t, p, last, last == row->segment_base ? row->segment_size : 0, &next);
    }
    free(bases);
    if (e || damage) return e;
    if (next != row->end && !(last == row->segment_base && partition_may_resume(p, next, row->end)))
        log_tool_report(t, WEIR_E_CORRUPT, path.text, 0, "%s-%u ends at offset %" PRIu64 ", but %" PRIu64 " was synced",
            p->partition.topic->name, p->partition.index, next, row->end);
    else
        log_tool_report(t, WEIR_OK, path.text, 0, "offsets %" PRIu64 " to %" PRIu64 " are whole", row->start, row->end);
    return WEIR_OK;
}

enum weir_error log_verify(struct sys *sys, const char *folder, log_finding_fn fn, void *ctx) {
    struct tool t;
    enum weir_error e = log_tool_open(&t, sys, folder, fn, ctx);
    if (!e && t.have_catalogue && t.have_checkpoint) {
        uint32_t count = atomic_load(&t.log->partition_count);
        for (uint32_t i = 0; !e && i < count; i++)
            e = verify_partition(&t, atomic_load(&t.log->partitions[i]));
        if (!e) e = verify_journal(&t);
    }
    log_tool_close(&t);
    if (e) return e;
    return t.worst ? weir_error_context(WEIR_E_CORRUPT, "%s is damaged; run: weir log repair %s", folder, folder)
                   : WEIR_OK;
}
