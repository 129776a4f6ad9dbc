/* What of a lazy partition a crash left behind the checkpoint. See salvage.h. */
#include "log/salvage.h"

#include "log/state.h"
#include "log/tool.h"

#include <stdlib.h>

struct salvage {
    struct partition *p;
    enum weir_error error;
};

static void note_producer(void *ctx, struct weir_slice bytes, const struct weir_record_batch *batch, uint64_t byte) {
    struct salvage *s = ctx;
    (void)bytes, (void)byte;
    if (!s->error) s->error = log_producer_note(&s->p->producers_stored, batch);
    if (!s->error) s->error = log_producer_note(&s->p->producers, batch);
}

/* Takes what is good of one file from byte `from` on into the row. *ret_whole: that is all of it. */
static enum weir_error take_file(
    struct partition *p, uint64_t base, uint64_t from, uint64_t *records, bool *ret_whole) {
    struct sys *sys = p->log->sys;
    struct salvage s = {.p = p};
    struct log_path path;
    struct tool_run run = {0};
    uint64_t size = 0;
    int file = -1;
    *ret_whole = false;
    log_partition_segment_path(p, base, &path);
    enum weir_error e = sys->file_open(sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, &file);
    if (e) return e;
    e = sys->file_size(sys, file, &size);
    if (!e && size > from) {
        e = log_tool_walk(sys, file, from, size, p->row.end, note_producer, &s, &run);
        if (!e) e = s.error;
        if (!e && run.byte > from) e = sys->file_sync(sys, file);
        *ret_whole = !e && !run.wrong;
    }
    sys->file_close(sys, file);
    if (e || run.byte <= from) return e;
    p->row.end = run.next;
    p->row.segment_base = base;
    p->row.segment_size = run.byte;
    *records += run.records;
    return WEIR_OK;
}

static enum weir_error sync_names(struct partition *p) {
    struct sys *sys = p->log->sys;
    struct log_path path;
    log_path(p->log, &path, "topics");
    enum weir_error e = sys->dir_sync(sys, path.text);
    log_path(p->log, &path, "topics/%s", topic_of(p)->folder);
    if (!e) e = sys->dir_sync(sys, path.text);
    log_partition_folder_path(p, &path);
    return e ? e : sys->dir_sync(sys, path.text);
}

enum weir_error log_partition_salvage(struct partition *p, uint64_t *records) {
    if (!partition_loose(p) || partition_in_memory(p)) return WEIR_OK;
    uint64_t *bases = NULL, before = p->row.end;
    uint32_t count = 0;
    bool whole = true;
    enum weir_error e = log_partition_list(p, &bases, &count);
    for (uint32_t i = 0; !e && whole && i < count; i++) {
        bool last = p->row.segment_size > 0 && bases[i] == p->row.segment_base;
        if (p->row.segment_size > 0 && bases[i] < p->row.segment_base) continue;
        if (!last && bases[i] != p->row.end) break;
        uint64_t from = last ? p->row.segment_size : 0, size = p->row.segment_size;
        e = take_file(p, bases[i], from, records, &whole);
        if (e || whole || !last || p->row.segment_size != size) continue;
        /* Nothing behind the checkpoint in this one; the next may stand, and then nobody cuts this one any more. */
        e = log_partition_cut_file(p, bases[i], size, true);
        whole = true;
    }
    free(bases);
    return e || p->row.end == before ? e : sync_names(p);
}
