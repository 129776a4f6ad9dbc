/* Reading the journal after a stop. See journal_scan.h. */
#include "log/journal_scan.h"

#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>

#define SCAN_CHUNK (1u << 20)

static enum weir_error no_memory(void) {
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory to read the journal");
}

/* ---- files
 * ----------------------------------------------------------------------------------------------------------------- */

struct lister {
    struct journal_scan *scan;
    bool no_memory;
};

static bool list_file(void *ctx, const char *name, bool is_folder) {
    struct lister *l = ctx;
    struct scan_file f = {.file = -1};
    if (is_folder || !log_journal_name_parse(name, &f.number)) return true;
    l->no_memory = !scan_files_push(&l->scan->files, f);
    return !l->no_memory;
}

static enum weir_error open_files(struct journal_scan *scan, const char *folder) {
    struct sys *sys = scan->sys;
    struct lister l = {scan, false};
    char path[LOG_PATH_SIZE];
    snprintf(path, sizeof path, "%s/journal", folder);
    enum weir_error e = sys->dir_list(sys, path, list_file, &l);
    if (e) return e;
    if (l.no_memory) return no_memory();
    for (size_t i = 0; i < scan->files.count; i++) {
        struct scan_file *f = &scan->files.data[i];
        snprintf(path, sizeof path, "%s/journal/" JOURNAL_NAME_FORMAT, folder, f->number);
        e = sys->file_open(sys, path, SYS_OPEN_READ, &f->file);
        if (!e) e = sys->file_size(sys, f->file, &f->size);
        if (e) return e;
        if (f->size > scan->buffer_size) scan->buffer_size = (size_t)f->size;
    }
    scan->buffer_size += SCAN_CHUNK;
    void *buffer = NULL;
    e = sys_memory_map(scan->buffer_size, &buffer);
    scan->buffer = buffer;
    return e;
}

enum weir_error log_journal_scan_list(struct journal_scan *scan, struct sys *sys, const char *folder) {
    *scan = (struct journal_scan){.sys = sys};
    return open_files(scan, folder);
}

void log_journal_scan_done(struct journal_scan *scan) {
    for (size_t i = 0; i < scan->files.count; i++) {
        if (scan->files.data[i].file >= 0) scan->sys->file_close(scan->sys, scan->files.data[i].file);
    }
    scan_files_done(&scan->files);
    scan_frames_done(&scan->frames);
    scan_frames_done(&scan->later);
    if (scan->buffer) sys_memory_unmap(scan->buffer, scan->buffer_size);
    *scan = (struct journal_scan){0};
}

/* ---- candidates
 * ------------------------------------------------------------------------------------------------------------- */

/* Every block of a file that begins like a frame of the epoch, from the start's sequence on. */
static enum weir_error find_candidates(
    struct journal_scan *scan, uint32_t file, const struct checkpoint *c, struct scan_frames *candidates) {
    const struct scan_file *f = &scan->files.data[file];
    for (uint64_t at = 0; at < f->size; at += SCAN_CHUNK) {
        size_t size = 0;
        enum weir_error e = scan->sys->file_read(scan->sys, f->file, at, scan->buffer, SCAN_CHUNK, &size);
        if (e) return e;
        for (size_t block = 0; block + FRAME_HEADER_SIZE <= size; block += JOURNAL_BLOCK) {
            struct frame_header h;
            uint16_t version = 0;
            if (!log_frame_peek(weir_slice(scan->buffer + block, size - block), &h, &version)) continue;
            if (h.epoch.number != c->epoch.number || h.epoch.salt != c->epoch.salt) continue;
            if (h.sequence < c->start_sequence) continue;
            uint64_t bytes = frame_bytes(h.payload_bytes);
            struct scan_frame frame = {h.sequence, at + block, file, bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes};
            if (!scan_frames_push(candidates, frame)) return no_memory();
        }
    }
    return WEIR_OK;
}

static int compare_frames(const void *a, const void *b) {
    const struct scan_frame *x = a, *y = b;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Reads a candidate whole and checks it. */
static enum weir_error look(struct journal_scan *scan, const struct scan_frame *frame, const struct checkpoint *c,
    enum frame_look *ret_look, struct frame_header *ret_header) {
    const struct scan_file *f = &scan->files.data[frame->file];
    size_t want = frame->size, size = 0;
    if (want > f->size - frame->offset) want = (size_t)(f->size - frame->offset);
    enum weir_error e = scan->sys->file_read(scan->sys, f->file, frame->offset, scan->buffer, want, &size);
    if (!e) *ret_look = log_frame_look(weir_slice(scan->buffer, size), &c->epoch, ret_header);
    return e;
}

enum weir_error log_journal_scan_payload(
    struct journal_scan *scan, const struct scan_frame *frame, struct weir_slice *ret_payload) {
    const struct scan_file *f = &scan->files.data[frame->file];
    size_t size = 0;
    enum weir_error e = scan->sys->file_read(scan->sys, f->file, frame->offset, scan->buffer, frame->size, &size);
    if (e) return e;
    struct frame_header h;
    uint16_t version = 0;
    struct weir_slice bytes = weir_slice(scan->buffer, size);
    /* Checked again: what is copied from here gets a checksum of its own, which would make a wrong read lasting. */
    if (!log_frame_peek(bytes, &h, &version) || h.sequence != frame->sequence ||
        log_frame_look(bytes, &h.epoch, &h) != FRAME_GOOD)
        return weir_error_context(WEIR_E_IO,
            "journal file %u gives other bytes for frame %llu than a moment ago; check the disk and start again",
            f->number, (unsigned long long)frame->sequence);
    *ret_payload = weir_slice(scan->buffer + FRAME_HEADER_SIZE, h.payload_bytes);
    return WEIR_OK;
}

/* ---- the walk
 * ----------------------------------------------------------------------------------------------------------------- */

struct walk {
    const struct checkpoint *c;
    struct scan_frames candidates; /* sorted */
    size_t next;                   /* first with sequence >= the one expected */
    bool placed;                   /* the place of the next frame is known: */
    uint32_t file;
    uint64_t offset;
};

/* A frame follows its predecessor directly, or stands first in a file. */
static bool is_in_place(const struct walk *w, const struct scan_frame *f) {
    return f->offset == 0 || (w->placed && f->file == w->file && f->offset == w->offset);
}

/* Takes the frame with the expected sequence, if it is there and whole. */
static enum weir_error take_next(struct journal_scan *scan, struct walk *w, bool *ret_taken) {
    *ret_taken = false;
    for (size_t i = w->next; i < w->candidates.count; i++) {
        const struct scan_frame *f = &w->candidates.data[i];
        enum frame_look looks = FRAME_NONE;
        struct frame_header h;
        if (f->sequence != scan->next_sequence) break;
        enum weir_error e = look(scan, f, w->c, &looks, &h);
        if (e) return e;
        if (looks != FRAME_GOOD || h.previous_crc != scan->last_crc || !is_in_place(w, f)) continue;
        if (!scan_frames_push(&scan->frames, *f)) return no_memory();
        scan->next_sequence++;
        scan->last_crc = h.crc;
        w->placed = true;
        w->file = f->file;
        w->offset = f->offset + f->size;
        *ret_taken = true;
        break;
    }
    while (w->next < w->candidates.count && w->candidates.data[w->next].sequence < scan->next_sequence)
        w->next++;
    return WEIR_OK;
}

static enum weir_error name_damage(struct journal_scan *scan, const struct walk *w, const char *folder) {
    const struct scan_frame *later = &scan->later.data[0];
    if (!scan->bad_found) { /* not even its header is left: it stood behind the last good one, or first in a file */
        scan->bad =
            (struct scan_frame){scan->next_sequence, w->placed ? w->offset : 0, w->placed ? w->file : later->file, 0};
        scan->bad_found = true;
    }
    return weir_error_context(WEIR_E_CORRUPT,
        "%s/journal/" JOURNAL_NAME_FORMAT
        ": frame %llu near byte %llu is damaged, but frame %llu behind it (" JOURNAL_NAME_FORMAT
        " byte %llu) is whole, so it is not a torn end; nothing was changed; run: weir log repair %s",
        folder, scan->files.data[scan->bad.file].number, (unsigned long long)scan->next_sequence,
        (unsigned long long)scan->bad.offset, (unsigned long long)later->sequence, scan->files.data[later->file].number,
        (unsigned long long)later->offset, folder);
}

/* What is left behind the last accepted frame: the torn end, or damage. */
static enum weir_error judge_rest(struct journal_scan *scan, const struct walk *w, const char *folder) {
    for (size_t i = w->next; i < w->candidates.count; i++) {
        const struct scan_frame *f = &w->candidates.data[i];
        enum frame_look looks = FRAME_NONE;
        struct frame_header h;
        enum weir_error e = look(scan, f, w->c, &looks, &h);
        if (e) return e;
        if (looks == FRAME_GOOD) {
            if (!scan_frames_push(&scan->later, *f)) return no_memory();
            if (scan->later.count == 2) break; /* one is proof enough; tools look for more themselves */
        } else if (f->sequence == scan->next_sequence && !scan->bad_found) {
            scan->bad_found = true;
            scan->bad = *f;
            scan->torn_bytes = f->size;
        }
    }
    return scan->later.count > 0 ? name_damage(scan, w, folder) : WEIR_OK;
}

enum weir_error log_journal_scan(
    struct journal_scan *scan, struct sys *sys, const char *folder, const struct checkpoint *checkpoint) {
    struct walk w = {.c = checkpoint};
    *scan = (struct journal_scan){.sys = sys};
    scan->next_sequence = checkpoint->start_sequence;
    scan->last_crc = checkpoint->start_previous_crc;
    enum weir_error e = open_files(scan, folder);
    for (uint32_t i = 0; !e && i < scan->files.count; i++) {
        e = find_candidates(scan, i, checkpoint, &w.candidates);
        if (scan->files.data[i].number != checkpoint->start_file) continue;
        w.placed = true;
        w.file = i;
        w.offset = checkpoint->start_offset;
    }
    if (w.candidates.count > 1) qsort(w.candidates.data, w.candidates.count, sizeof(struct scan_frame), compare_frames);
    bool taken = !e;
    while (!e && taken)
        e = take_next(scan, &w, &taken);
    if (!e) e = judge_rest(scan, &w, folder);
    scan_frames_done(&w.candidates);
    return e;
}
