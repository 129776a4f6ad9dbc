/* Journal files made ahead and recycled. See keeper_files.h. */
#include "log/keeper_files.h"

#include "log/state.h"

#define PIECE_SOON_NS  (4 * SYS_NANOS_PER_MS)
#define PIECE_LATER_NS (20 * SYS_NANOS_PER_MS)

void log_keeper_recycle(struct keeper *k, uint32_t count) {
    struct journal *j = &k->log->journal;
    struct journal_file *f = NULL;
    for (; count > 0 && slot_ring_pop(&j->in_use, &f); count--) {
        uint64_t charged = atomic_exchange_explicit(&f->charged, 0, memory_order_relaxed);
        atomic_fetch_sub_explicit(&j->used, charged, memory_order_relaxed);
        metric_add(&k->files_recycled, 1);
        if (f->capacity < k->log->options.journal_file_bytes && !k->extending) {
            k->extending = f; /* the small first one of a folder grows when it comes round */
            k->made_bytes = f->capacity;
            continue;
        }
        bool pushed = slot_ring_push(&j->ready, &f);
        WEIR_ASSERT(pushed);
    }
}

/* One more piece of zeros; at the end the sync that makes them count. */
static enum weir_error write_piece(struct keeper *k, int file, bool *ret_done) {
    struct log *log = k->log;
    uint64_t end = log->options.journal_file_bytes, to = k->made_bytes + KEEPER_ZERO_BYTES;
    if (to > end) to = end;
    enum weir_error e = log_journal_file_zero(&log->journal, file, k->made_bytes, to);
    if (e) return e;
    log->sys->file_writeback(log->sys, file, k->made_bytes, to - k->made_bytes);
    k->made_bytes = to;
    *ret_done = to == end;
    return *ret_done ? log->sys->file_sync(log->sys, file) : WEIR_OK;
}

static enum weir_error extend_step(struct keeper *k) {
    bool done = false;
    enum weir_error e = write_piece(k, k->extending->file, &done);
    if (e || !done) return e;
    k->extending->capacity = k->log->options.journal_file_bytes;
    bool pushed = slot_ring_push(&k->log->journal.ready, &k->extending);
    WEIR_ASSERT(pushed);
    k->extending = NULL;
    return WEIR_OK;
}

static enum weir_error make_step(struct keeper *k) {
    struct log *log = k->log;
    struct journal *j = &log->journal;
    if (k->making_file < 0) {
        k->made_bytes = 0;
        return log_journal_file_create(j, &k->making_number, &k->making_file);
    }
    bool done = false;
    enum weir_error e = write_piece(k, k->making_file, &done);
    if (e || !done) return e;
    struct log_path folder;
    struct journal_file *f = NULL;
    log_path(log, &folder, "journal");
    e = log->sys->dir_sync(log->sys, folder.text);
    if (!e) e = log_journal_file_add(j, k->making_number, k->making_file, log->options.journal_file_bytes, &f);
    if (e) return e;
    k->making_file = -1;
    metric_add(&k->files_made, 1);
    bool pushed = slot_ring_push(&j->ready, &f);
    WEIR_ASSERT(pushed);
    return WEIR_OK;
}

/* Pieces of one file are written at a pace that leaves the disk to the commits: faster when none is ready. */
static bool paced(struct keeper *k, uint64_t now) {
    bool begun = (k->extending || k->making_file >= 0) && k->made_bytes > 0;
    if (begun && now < k->piece_ns) return true;
    k->piece_ns = now + (slot_ring_count(&k->log->journal.ready) == 0 ? PIECE_SOON_NS : PIECE_LATER_NS);
    return false;
}

enum weir_error log_keeper_files_step(struct keeper *k, uint64_t now, uint32_t *work) {
    struct log *log = k->log;
    struct journal *j = &log->journal;
    enum weir_error e = WEIR_OK;
    if (paced(k, now)) return WEIR_OK;
    if (atomic_load_explicit(&log->space_short, memory_order_relaxed)) return WEIR_OK;
    if (k->extending) {
        e = extend_step(k);
    } else {
        uint64_t total = atomic_load_explicit(&j->file_count, memory_order_relaxed) * log->options.journal_file_bytes;
        bool wanted = slot_ring_count(&j->ready) < KEEPER_READY_FILES && total < log->options.journal_bytes_max;
        if (k->making_file < 0 && !wanted) return WEIR_OK;
        e = make_step(k);
    }
    if (e == WEIR_E_NO_SPACE) { /* only a convenience: commits are refused before the journal needs it */
        atomic_store_explicit(&log->space_short, true, memory_order_relaxed);
        return WEIR_OK;
    }
    if (!e) *work += 1;
    return e;
}
