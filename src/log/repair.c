/* log_repair: makes a damaged log one that opens again, and says what that costs. See log.h.
 *
 * 1. Of every partition the batches in segments are kept up to the first damage (what the checkpoint counts on, or all
 * there is when the checkpoint is lost). What is behind goes to quarantine/.
 * 2. Every whole frame in the journal is taken in order, those behind a damaged one too; a batch that goes on where its
 *    partition ends is written to the segments, one that would leave a gap is given up and reported.
 * 3. Segments are synced, a clean checkpoint with a new journal epoch is written, and only then, if the journal was
 * damaged, its files move to quarantine/. Cut short, it can be run again.
 */
#include "base/bytes.h"
#include "log/catalogue.h"
#include "log/folder.h"
#include "log/tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct repair {
    struct tool tool;
    struct log *log;
    struct sys *sys;
    bool journal_damaged;
    uint64_t frames_taken;
};

static const char *topic_name(const struct partition *p) {
    return p->partition.topic->name;
}

/* ---- quarantine
 * ------------------------------------------------------------------------------------------------------------ */

static enum weir_error make_quarantine(struct repair *r) {
    struct log_path path;
    log_path(r->log, &path, "quarantine");
    return sys_make_folders(r->sys, path.text);
}

/* Copies bytes from..size of a file to quarantine/<name>, durably. */
static enum weir_error save_bytes(struct repair *r, const char *from_path, uint64_t from, const char *name) {
    struct log_path to;
    struct weir_slice bytes;
    enum weir_error e = make_quarantine(r);
    if (!e) e = sys_read_all(r->sys, from_path, UINT64_C(1) << 32, &bytes);
    if (e) return e;
    log_path(r->log, &to, "quarantine/%s", name);
    if (from < bytes.size)
        e = sys_replace_file(r->sys, to.text, weir_slice(bytes.data + from, bytes.size - (size_t)from));
    sys_bytes_free(bytes);
    return e;
}

static enum weir_error set_segment_aside(struct repair *r, struct partition *p, uint64_t base, uint64_t keep) {
    struct log_path path;
    char name[256];
    int file = -1;
    log_partition_segment_path(p, base, &path);
    snprintf(name, sizeof name, "%s-%u-%020" PRIu64 "-from-%" PRIu64, topic_name(p), p->partition.index, base, keep);
    enum weir_error e = save_bytes(r, path.text, keep, name);
    if (e) return e;
    log_tool_report(&r->tool, WEIR_OK, path.text, keep, "set aside as quarantine/%s", name);
    if (keep == 0) return r->sys->path_unlink(r->sys, path.text);
    e = r->sys->file_open(r->sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, &file);
    if (e) return e;
    e = r->sys->file_truncate(r->sys, file, keep);
    r->sys->file_close(r->sys, file);
    return e;
}

/* ---- 1: segments
 * --------------------------------------------------------------------------------------------------------------- */

/* Walks one segment that must begin at *next. *ret_keep: bytes of it that are good. */
static enum weir_error walk_segment(struct repair *r, struct partition *p, uint64_t base, uint64_t limit,
    uint64_t *next, uint64_t *ret_keep, bool *ret_damaged) {
    struct log_path path;
    struct tool_run run = {.next = *next};
    uint64_t size = 0;
    int file = -1;
    *ret_keep = 0;
    if (partition_may_resume(p, *next, base)) *next = base;
    *ret_damaged = base != *next;
    log_partition_segment_path(p, base, &path);
    if (*ret_damaged) {
        log_tool_report(
            &r->tool, WEIR_E_CORRUPT, path.text, 0, "begins at another offset than %" PRIu64 ", which is due", *next);
        return WEIR_OK;
    }
    enum weir_error e = r->sys->file_open(r->sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, &file);
    if (e) return e;
    e = r->sys->file_size(r->sys, file, &size);
    if (!e && !r->tool.have_checkpoint) e = r->sys->file_sync(r->sys, file); /* nobody knows what was */
    if (!e) e = log_tool_walk(r->sys, file, 0, limit < size ? limit : size, base, NULL, NULL, &run);
    r->sys->file_close(r->sys, file);
    if (e) return e;
    bool missing = limit != UINT64_MAX && size < limit;
    *ret_damaged = run.wrong || missing;
    *ret_keep = run.byte;
    *next = run.next;
    /* Without a checkpoint the end of what was being written is no damage. */
    if (*ret_damaged && (r->tool.have_checkpoint || run.byte < size))
        log_tool_report(&r->tool, WEIR_E_CORRUPT, path.text, run.byte, "from offset %" PRIu64 " on: %s", run.next,
            run.wrong ? run.wrong : "the file ends too early");
    return WEIR_OK;
}

/* The limit of a segment: what the checkpoint counts on. 0: nothing of it. */
static uint64_t segment_limit(const struct repair *r, const struct partition *p, uint64_t base) {
    if (!r->tool.have_checkpoint) return UINT64_MAX;
    if (p->row.segment_size == 0 || base > p->row.segment_base) return 0;
    return base == p->row.segment_base ? p->row.segment_size : UINT64_MAX;
}

static enum weir_error keep_segments(struct repair *r, struct partition *p, const uint64_t *bases, uint32_t count) {
    struct partition_row kept = {0};
    bool damaged = false;
    enum weir_error e = WEIR_OK;
    uint32_t first = 0;
    while (first + 1 < count && bases[first + 1] <= p->row.start) /* left behind by a retention that was cut short */
        first++;
    uint64_t next = count > 0 ? bases[first] : 0;
    for (uint32_t i = first; !e && i < count; i++) {
        uint64_t keep = 0, limit = segment_limit(r, p, bases[i]);
        if (limit == 0 && !damaged) continue; /* behind the checkpoint: comes from the journal again */
        bool bad = damaged;
        if (!damaged) e = walk_segment(r, p, bases[i], limit, &next, &keep, &bad);
        if (!e && bad) e = set_segment_aside(r, p, bases[i], keep);
        damaged = damaged || bad;
        if (keep > 0) kept = (struct partition_row){p->row.start, next, bases[i], keep};
    }
    if (count > 0 && kept.start < bases[first]) kept.start = bases[first];
    if (e) return e;
    if (kept.end < kept.start) kept = (struct partition_row){0}; /* good are only records that retention has taken */
    uint64_t end = kept.segment_size > 0 ? next : p->row.start;
    bool passed_over = partition_loose(p) && !damaged; /* a gap at the end is none of ours */
    if (p->row.end > end && !passed_over)
        log_tool_report(&r->tool, WEIR_E_CORRUPT, topic_name(p), 0,
            "%s-%u: offsets %" PRIu64 " to %" PRIu64 " are given up", topic_name(p), p->partition.index, end,
            p->row.end - 1);
    if (kept.segment_size == 0 && p->row.end > 0) /* nothing is left: the offsets may still not be given twice */
        kept = (struct partition_row){p->row.end, p->row.end, 0, 0};
    /* Of a loose partition nobody knows which offsets were given behind its last record. */
    if (partition_loose(p) && kept.end < p->row.end) kept.end = p->row.end;
    p->row = kept;
    return WEIR_OK;
}

/* Without a checkpoint nobody knows which files' names are durable; the new one will count on all of them. */
static enum weir_error sync_names(struct repair *r, struct partition *p) {
    struct log_path path;
    log_partition_folder_path(p, &path);
    enum weir_error e = r->sys->dir_sync(r->sys, path.text);
    log_path(r->log, &path, "topics/%s", topic_of(p)->folder);
    if (!e) e = r->sys->dir_sync(r->sys, path.text);
    log_path(r->log, &path, "topics");
    return e ? e : r->sys->dir_sync(r->sys, path.text);
}

static enum weir_error repair_segments(struct repair *r) {
    uint32_t partitions = atomic_load(&r->log->partition_count);
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < partitions; i++) {
        struct partition *p = atomic_load(&r->log->partitions[i]);
        uint64_t *bases = NULL, discarded = 0;
        uint32_t count = 0;
        e = log_partition_list(p, &bases, &count);
        if (!e) e = keep_segments(r, p, bases, count);
        if (!e && count > 0 && !r->tool.have_checkpoint) e = sync_names(r, p);
        free(bases);
        if (!e) e = log_partition_load(p);
        if (!e) e = log_partition_cut(p, &discarded);
        if (!e) log_partition_pass_over(p);
    }
    return e;
}

/* ---- 2: the journal
 * -------------------------------------------------------------------------------------------------------------- */

static enum weir_error take_entry(struct repair *r, const struct frame_header *h, const char *path, uint64_t byte,
    uint32_t uid, struct weir_slice bytes) {
    struct weir_record_batch b;
    struct partition *p = log_catalogue_partition(r->log, uid);
    if (!p || weir_record_batch_check(bytes, NULL, &b) || b.size != bytes.size) return WEIR_OK;
    uint64_t base = (uint64_t)b.base_offset, end = base + (uint64_t)b.last_offset_delta + 1;
    if (end <= p->partition.next) return WEIR_OK;
    if (base != p->partition.next) {
        log_tool_report(&r->tool, WEIR_E_CORRUPT, path, byte,
            "frame %" PRIu64 ": offsets %" PRIu64 " to %" PRIu64 " of %s-%u are given up: %" PRIu64
            " would have to come first",
            h->sequence, base, end - 1, topic_name(p), p->partition.index, p->partition.next);
        return WEIR_OK;
    }
    struct commit_batch batch = {
        .partition = p, .bytes = (uint8_t *)(uintptr_t)bytes.data, .size = (uint32_t)bytes.size};
    log_store_chain(&r->log->store, p, &batch);
    p->partition.next = end;
    return log_store_write(&r->log->store);
}

static enum weir_error take_frame(
    struct repair *r, struct weir_slice bytes, const struct frame_header *h, const char *path, uint64_t byte) {
    struct weir_slice payload = weir_slice(bytes.data + FRAME_HEADER_SIZE, h->payload_bytes), batch;
    uint32_t uid = 0;
    enum weir_error e = WEIR_OK;
    r->frames_taken++;
    while (!e && log_frame_entry_next(&payload, &uid, &batch))
        e = take_entry(r, h, path, byte, uid, batch);
    return e;
}

struct found_frame {
    uint64_t epoch, sequence, byte;
    uint32_t number;
};
WEIR_VEC(found_frames, struct found_frame);

struct gathering {
    struct repair *r;
    struct found_frames frames;
    enum weir_error error;
};

/* Every whole frame of a file, of the checkpoint's epoch or, when that is lost, of any. */
static bool gather_file(void *ctx, const char *name, bool is_folder) {
    struct gathering *g = ctx;
    struct log_path path;
    struct weir_slice bytes;
    uint32_t number = 0;
    if (is_folder || !log_journal_name_parse(name, &number)) return true;
    log_path(g->r->log, &path, "journal/%s", name);
    g->error = sys_read_all(g->r->sys, path.text, UINT64_C(1) << 31, &bytes);
    if (g->error) return false;
    const struct checkpoint *c = &g->r->log->checkpoint;
    for (size_t at = 0; at < bytes.size; at += JOURNAL_BLOCK) {
        struct frame_header h;
        uint16_t version = 0;
        struct weir_slice rest = weir_slice(bytes.data + at, bytes.size - at);
        if (!log_frame_peek(rest, &h, &version) || log_frame_look(rest, &h.epoch, &h) != FRAME_GOOD) continue;
        if (g->r->tool.have_checkpoint &&
            (h.epoch.number != c->epoch.number || h.epoch.salt != c->epoch.salt || h.sequence < c->start_sequence))
            continue;
        struct found_frame f = {h.epoch.number, h.sequence, at, number};
        if (!found_frames_push(&g->frames, f)) g->error = WEIR_E_NO_MEMORY;
    }
    sys_bytes_free(bytes);
    return g->error == WEIR_OK;
}

static int compare_found(const void *a, const void *b) {
    const struct found_frame *x = a, *y = b;
    if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static enum weir_error take_found(struct repair *r, const struct found_frame *f) {
    struct log_path path;
    struct weir_slice bytes;
    struct frame_header h;
    uint16_t version = 0;
    log_path(r->log, &path, "journal/" JOURNAL_NAME_FORMAT, f->number);
    enum weir_error e = sys_read_all(r->sys, path.text, UINT64_C(1) << 31, &bytes);
    if (e) return e;
    struct weir_slice rest = weir_slice(bytes.data + f->byte, bytes.size - (size_t)f->byte);
    if (log_frame_peek(rest, &h, &version)) e = take_frame(r, rest, &h, path.text, f->byte);
    sys_bytes_free(bytes);
    return e;
}

static enum weir_error repair_journal(struct repair *r) {
    struct gathering g = {.r = r};
    struct log_path path;
    uint64_t next = r->tool.have_checkpoint ? r->log->checkpoint.start_sequence : 0;
    log_path(r->log, &path, "journal");
    enum weir_error e = r->sys->dir_list(r->sys, path.text, gather_file, &g);
    if (!e) e = g.error;
    if (g.frames.count > 1) qsort(g.frames.data, g.frames.count, sizeof(struct found_frame), compare_found);
    for (size_t i = 0; !e && i < g.frames.count; i++) {
        const struct found_frame *f = &g.frames.data[i];
        if (next != 0 && f->sequence > next && r->tool.have_checkpoint) {
            log_tool_report(&r->tool, WEIR_E_CORRUPT, path.text, 0, "frames %" PRIu64 " to %" PRIu64 " are damaged",
                next, f->sequence - 1);
            r->journal_damaged = true;
        }
        next = f->sequence + 1;
        e = take_found(r, f);
        struct journal *j = &r->log->journal;
        if (f->sequence >= j->next_sequence) j->next_sequence = f->sequence + 1;
        if (f->epoch >= j->epoch.number) j->epoch.number = f->epoch + 1;
    }
    found_frames_done(&g.frames);
    return e;
}

/* ---- 3: a clean end
 * ---------------------------------------------------------------------------------------------------------------- */

static bool set_journal_aside(void *ctx, const char *name, bool is_folder) {
    struct gathering *g = ctx;
    struct log_path from, to;
    uint32_t number = 0;
    if (is_folder || !log_journal_name_parse(name, &number)) return true;
    log_path(g->r->log, &from, "journal/%s", name);
    log_path(g->r->log, &to, "quarantine/%s", name);
    g->error = g->r->sys->path_rename(g->r->sys, from.text, to.text);
    if (!g->error) log_tool_report(&g->r->tool, WEIR_OK, from.text, 0, "set aside as quarantine/%s", name);
    return g->error == WEIR_OK;
}

static enum weir_error move_journal(struct repair *r) {
    struct gathering g = {.r = r};
    struct log_path path;
    enum weir_error e = make_quarantine(r);
    log_path(r->log, &path, "journal");
    if (!e) e = r->sys->dir_list(r->sys, path.text, set_journal_aside, &g);
    return e ? e : g.error;
}

static enum weir_error finish(struct repair *r) {
    struct log *log = r->log;
    struct journal *j = &log->journal;
    struct log_path path;
    char text[32];
    r->sys->random(r->sys, &j->epoch.salt, sizeof j->epoch.salt);
    j->last_crc = (uint32_t)j->epoch.salt;
    log->checkpoint.epoch = j->epoch;
    enum weir_error e = log_keeper_finish(&log->keeper, true);
    if (!e && r->journal_damaged) e = move_journal(r);
    int size = snprintf(text, sizeof text, "weir log %u\n", FOLDER_FORMAT_VERSION);
    log_path(log, &path, "FORMAT");
    return e ? e : sys_replace_file(r->sys, path.text, weir_slice(text, (size_t)size));
}

enum weir_error log_repair(struct sys *sys, const char *folder, log_finding_fn fn, void *ctx) {
    struct repair r = {.sys = sys};
    enum weir_error e = log_tool_open(&r.tool, sys, folder, fn, ctx);
    r.log = r.tool.log;
    if (!e && !r.tool.have_catalogue)
        e = weir_error_context(WEIR_E_CORRUPT,
            "%s/catalogue can't be repaired: it alone says which topic a partition belongs to; put back the one of a "
            "backup",
            folder);
    if (!e) {
        r.log->cache.read_only = false;
        r.log->journal.epoch.number = r.log->checkpoint.epoch.number + 1;
        r.log->journal.next_sequence = r.log->checkpoint.start_sequence + 1;
        e = repair_segments(&r);
        if (!e) e = repair_journal(&r);
        if (!e) e = finish(&r);
        if (!e)
            log_tool_report(
                &r.tool, WEIR_OK, folder, 0, "repaired; %" PRIu64 " journal frames were taken over", r.frames_taken);
    }
    log_tool_close(&r.tool);
    return e;
}
