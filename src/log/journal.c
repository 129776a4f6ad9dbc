/* The journal agent: gathers commits, writes and syncs a frame, tells the lanes. See journal.h. */
#include "log/journal.h"

#include "log/state.h"

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t power_of_two(uint32_t n) {
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

enum weir_error log_journal_init(struct journal *j, struct log *log) {
    const struct log_options *o = &log->options;
    j->log = log;
    j->poller = -1;
    /* Twice the bound: while recovery copies the tail, the old epoch's files are still there. */
    j->files_max = power_of_two((uint32_t)(o->journal_bytes_max / o->journal_file_bytes) * 2 + 16);
    j->files = calloc(j->files_max, sizeof *j->files);
    j->ring_memory = calloc((size_t)j->files_max * 2, sizeof(struct journal_file *));
    j->gathered_max = o->lanes * o->commits_per_lane;
    j->gathered = calloc(j->gathered_max, sizeof(struct commit *));
    if (!j->files || !j->ring_memory || !j->gathered)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the journal's tables");
    slot_ring_init(&j->ready, j->ring_memory, sizeof(struct journal_file *), j->files_max);
    slot_ring_init(
        &j->in_use, (struct journal_file **)j->ring_memory + j->files_max, sizeof(struct journal_file *), j->files_max);
    atomic_store(&j->next_number, 1);
    j->frame_max = (size_t)frame_bytes(o->commit_bytes_max + (uint64_t)log_commit_batches_max(o) * FRAME_ENTRY_HEADER);
    void *frame = NULL;
    enum weir_error e = sys_memory_map(j->frame_max, &frame);
    j->frame = frame;
    if (!e) e = log->sys->poller_open(log->sys, &j->poller);
    return e;
}

void log_journal_done(struct journal *j) {
    if (!j->log) return;
    struct sys *sys = j->log->sys;
    uint32_t count = atomic_load(&j->file_count);
    for (uint32_t i = 0; i < count; i++) {
        struct journal_file *f = &j->files[i];
        if (f->commit_file != f->file) sys->file_close(sys, f->commit_file);
        sys->file_close(sys, f->file);
    }
    if (j->poller >= 0) sys->poller_close(sys, j->poller);
    sys_memory_unmap(j->frame, j->frame_max);
    free(j->files);
    free(j->ring_memory);
    free(j->gathered);
    j->log = NULL;
}

/* ---- the way to write
 * ---------------------------------------------------------------------------------------------------- */

enum weir_error log_journal_probe(struct journal *j) {
    struct sys *sys = j->log->sys;
    enum sys_commit_path how = j->log->options.journal_write;
    struct log_path path;
    char reason[400];
    int file = -1;
    if (how == SYS_COMMIT_SYNC) return WEIR_OK; /* every file system has it */
    log_path(j->log, &path, "write-probe");
    uint32_t flags = SYS_OPEN_WRITE | SYS_OPEN_CREATE | (sys_commit_is_direct(how) ? SYS_OPEN_DIRECT : 0);
    enum weir_error e = sys->file_open(sys, path.text, flags, &file);
    if (!e) e = sys->file_commit(sys, file, how, 0, j->frame, JOURNAL_BLOCK);
    snprintf(reason, sizeof reason, "%s", weir_error_text());
    sys->file_close(sys, file);
    enum weir_error removed = sys->path_unlink(sys, path.text);
    if (!e) return removed;
    if (e != WEIR_E_INVALID && e != WEIR_E_UNSUPPORTED && e != WEIR_E_PERMISSION)
        return weir_error_context(e, "%s", reason);
    return weir_error_context(WEIR_E_CONFIG,
        "journal_write: %s is not possible here: %s; choose journal_write: sync, or see what is: weir check disk %s",
        sys_commit_path_name(how), reason, j->log->folder);
}

/* ---- files
 * --------------------------------------------------------------------------------------------------------------- */

/* Past the page cache only a handle of its own goes; else the one that is there will do. */
static enum weir_error open_for_commits(struct journal *j, uint32_t number, int *file) {
    struct log_path path;
    if (!sys_commit_is_direct(j->log->options.journal_write)) return WEIR_OK;
    log_path(j->log, &path, "journal/" JOURNAL_NAME_FORMAT, number);
    return j->log->sys->file_open(j->log->sys, path.text, SYS_OPEN_WRITE | SYS_OPEN_DIRECT, file);
}

enum weir_error log_journal_file_add(
    struct journal *j, uint32_t number, int file, uint64_t capacity, struct journal_file **ret_file) {
    int commit_file = file;
    enum weir_error e = open_for_commits(j, number, &commit_file);
    if (e) return e;
    uint32_t i = atomic_fetch_add_explicit(&j->file_count, 1, memory_order_relaxed);
    if (i >= j->files_max) {
        atomic_fetch_sub_explicit(&j->file_count, 1, memory_order_relaxed);
        if (commit_file != file) j->log->sys->file_close(j->log->sys, commit_file);
        return weir_error_context(WEIR_E_FULL, "more than %u journal files", j->files_max);
    }
    struct journal_file *f = &j->files[i];
    f->number = number;
    f->file = file;
    f->commit_file = commit_file;
    f->capacity = capacity;
    uint32_t next = atomic_load(&j->next_number);
    while (next <= number && !atomic_compare_exchange_weak(&j->next_number, &next, number + 1))
        ;
    *ret_file = f;
    return WEIR_OK;
}

enum weir_error log_journal_file_create(struct journal *j, uint32_t *ret_number, int *ret_file) {
    struct sys *sys = j->log->sys;
    struct log_path path;
    uint32_t number = atomic_fetch_add_explicit(&j->next_number, 1, memory_order_relaxed);
    log_path(j->log, &path, "journal/" JOURNAL_NAME_FORMAT, number);
    uint32_t flags = SYS_OPEN_READ | SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE;
    enum weir_error e = sys->file_open(sys, path.text, flags, ret_file);
    if (!e) *ret_number = number;
    return e;
}

enum weir_error log_journal_file_zero(struct journal *j, int file, uint64_t from, uint64_t to) {
    static uint8_t zeros[64 << 10]; /* never written: costs no memory */
    struct sys *sys = j->log->sys;
    while (from < to) {
        struct sys_iovec parts[16];
        size_t count = 0;
        uint64_t at = from;
        for (; count < 16 && from < to; count++) {
            size_t size = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
            parts[count] = (struct sys_iovec){zeros, size};
            from += size;
        }
        enum weir_error e = sys->file_write(sys, file, at, parts, count);
        if (e) return e;
    }
    return WEIR_OK;
}

void log_journal_file_use(struct journal *j, struct journal_file *f, uint64_t offset) {
    if (j->current) { /* what is left unused at its end is charged, as it can't be used before it is recycled */
        uint64_t left = j->current->capacity > j->offset ? j->current->capacity - j->offset : 0;
        atomic_fetch_add_explicit(&j->current->charged, left, memory_order_relaxed);
        atomic_fetch_add_explicit(&j->used, left, memory_order_relaxed);
    }
    f->first_sequence = j->next_sequence;
    f->first_previous_crc = j->last_crc;
    f->first_offset = offset;
    atomic_store_explicit(&f->unstored, 0, memory_order_relaxed);
    atomic_store_explicit(&f->charged, 0, memory_order_relaxed);
    j->current = f;
    j->offset = offset;
    bool pushed = slot_ring_push(&j->in_use, &f);
    WEIR_ASSERT(pushed); /* it has a slot for every file */
}

/* The next file, large enough for the frame: a ready one, else a new one made here and now. */
static enum weir_error next_file(struct journal *j, size_t frame_size) {
    struct log *log = j->log;
    struct journal_file *f = NULL;
    while (slot_ring_pop(&j->ready, &f)) {
        if (f->capacity >= frame_size) {
            log_journal_file_use(j, f, 0);
            return WEIR_OK;
        }
        f->first_sequence =
            0; /* too small for this one: not used, the keeper will make it larger when it comes round */
        log_journal_file_use(j, f, 0);
    }
    uint32_t number = 0;
    int file = -1;
    enum weir_error e = log_journal_file_create(j, &number, &file);
    if (e) return e;
    struct log_path folder;
    log_path(log, &folder, "journal");
    e = log->sys->dir_sync(log->sys, folder.text);
    if (!e) e = log_journal_file_add(j, number, file, log->options.journal_file_bytes, &f);
    if (e) {
        log->sys->file_close(log->sys, file);
        return e;
    }
    metric_add(&j->grown, 1);
    log_journal_file_use(j, f, 0);
    return WEIR_OK;
}

/* Written, and with any other way than SYNC durable when it returns. */
static enum weir_error write_frame(struct journal *j, enum sys_commit_path how, size_t frame_size) {
    struct sys *sys = j->log->sys;
    if (!j->current || j->offset + frame_size > j->current->capacity) {
        enum weir_error e = next_file(j, frame_size);
        if (e) return e;
    }
    struct sys_iovec part = {j->frame, frame_size};
    const struct journal_file *f = j->current;
    enum weir_error e = how == SYS_COMMIT_SYNC
                            ? sys->file_write(sys, f->file, j->offset, &part, 1)
                            : sys->file_commit(sys, f->commit_file, how, j->offset, j->frame, frame_size);
    if (e) return e;
    j->offset += frame_size;
    atomic_fetch_add_explicit(&j->current->charged, frame_size, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->used, frame_size, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->appended, frame_size, memory_order_relaxed);
    return WEIR_OK;
}

enum weir_error log_journal_put(struct journal *j, size_t frame_size) {
    return write_frame(j, SYS_COMMIT_SYNC, frame_size);
}

/* ---- one commit of all lanes
 * ---------------------------------------------------------------------------------------------- */

/* Copies a commit's batches behind what is gathered; returns the new end. */
static size_t put_entries(struct journal *j, size_t at, const struct commit *c) {
    for (uint32_t i = 0; i < c->input.count; i++) {
        const struct commit_batch *b = &c->input.batches[i];
        if (!partition_journaled(b->partition)) continue;
        at += log_frame_entry_put(j->frame + at, b->partition->partition.uid, weir_slice(b->bytes, b->size));
    }
    return at;
}

/* Everything that was submitted and fits one frame, in turns so that no lane is always first. Returns the frame's bytes
 * so far, header included. */
static size_t gather(struct journal *j, uint32_t *ret_entries) {
    struct log *log = j->log;
    uint32_t lanes = log->options.lanes, entries = 0;
    size_t at = FRAME_HEADER_SIZE;
    WEIR_ASSERT(lanes > 0);
    j->gathered_count = 0;
    for (uint32_t i = 0; i < lanes; i++) {
        struct log_writer *w = atomic_load_explicit(&log->writers[(j->lane_turn + i) % lanes], memory_order_acquire);
        while (w) {
            struct commit *const *next = slot_ring_peek(&w->submitted, 0);
            if (!next || at + log_commit_entry_bytes(*next) > j->frame_max) break;
            struct commit *c = *next;
            at = put_entries(j, at, c);
            entries += c->journaled;
            j->gathered[j->gathered_count++] = c;
            slot_ring_release(&w->submitted, 1);
        }
    }
    j->lane_turn = (j->lane_turn + 1) % lanes;
    *ret_entries = entries;
    return at;
}

/* One frame: write, sync, in one call or two. Nothing is durable when it fails. */
static enum weir_error commit_frame(struct journal *j, size_t end, uint32_t entries) {
    struct sys *sys = j->log->sys;
    struct frame_header header = {
        .sequence = j->next_sequence,
        .epoch = j->epoch,
        .previous_crc = j->last_crc,
        .payload_bytes = (uint32_t)(end - FRAME_HEADER_SIZE),
        .entry_count = entries,
        .time_ms = sys->wall_ns(sys) / SYS_NANOS_PER_MS,
    };
    size_t size = log_frame_seal(j->frame, &header);
    enum sys_commit_path how = j->log->options.journal_write;
    uint64_t begin = sys->mono_ns(sys);
    enum weir_error e = write_frame(j, how, size);
    if (e) return e;
    uint64_t written = sys->mono_ns(sys);
    if (how == SYS_COMMIT_SYNC) e = sys->file_sync(sys, j->current->file);
    if (e) return e;
    metric_record(&j->write_ns, written - begin);
    if (how == SYS_COMMIT_SYNC) metric_record(&j->sync_ns, sys->mono_ns(sys) - written);
    metric_record(&j->frame_bytes_histogram, size);
    metric_add(&j->frames, 1);
    metric_add(&j->bytes, size);
    j->next_sequence++;
    j->last_crc = header.crc;
    return WEIR_OK;
}

/* The frame is durable: so far its partitions go now. */
static void note_journaled(struct journal *j) {
    for (uint32_t i = 0; i < j->gathered_count; i++) {
        const struct commit *c = j->gathered[i];
        for (uint32_t k = 0; k < c->input.count; k++) {
            const struct commit_batch *b = &c->input.batches[k];
            b->partition->journaled = load_be64(b->bytes) + load_be32(b->bytes + WEIR_BATCH_AT_LAST_OFFSET_DELTA) + 1;
        }
    }
}

/* Between two frames: every partition as far as the frames before go. */
static void take_cut(struct journal *j) {
    struct log *log = j->log;
    uint64_t wanted = atomic_load_explicit(&j->cut_wanted, memory_order_acquire);
    if (wanted == atomic_load_explicit(&j->cut_taken, memory_order_relaxed)) return;
    uint32_t count = atomic_load_explicit(&log->partition_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load_explicit(&log->partitions[i], memory_order_acquire);
        if (p) atomic_store_explicit(&p->cut_end, p->journaled, memory_order_relaxed);
    }
    atomic_store_explicit(&j->cut_sequence, j->next_sequence, memory_order_relaxed);
    atomic_store_explicit(&j->cut_taken, wanted, memory_order_release);
}

/* The gathered commits go back to their lanes, durable. */
static void acknowledge(struct journal *j) {
    struct sys *sys = j->log->sys;
    uint64_t now = sys->mono_ns(sys), wake = 0;
    uint32_t with_batches = 0;
    for (uint32_t i = 0; i < j->gathered_count; i++)
        with_batches += j->gathered[i]->journaled > 0;
    if (with_batches > 0) atomic_fetch_add_explicit(&j->current->unstored, with_batches, memory_order_relaxed);
    for (uint32_t i = 0; i < j->gathered_count; i++) {
        struct commit *c = j->gathered[i];
        atomic_fetch_sub_explicit(&j->reserved, c->reserved, memory_order_relaxed);
        c->reserved = 0;
        c->file = c->journaled > 0 ? j->current : NULL;
        c->commit.durable_ns = now;
        struct log_writer *w = c->writer;
        bool pushed = slot_ring_push(&w->durable, &c);
        WEIR_ASSERT(pushed);
        wake |= 1ull << w->lane;
    }
    metric_add(&j->commits, j->gathered_count);
    for (uint32_t lane = 0; wake; lane++, wake >>= 1) {
        struct log_writer *w = atomic_load_explicit(&j->log->writers[lane], memory_order_relaxed);
        if ((wake & 1) && w->wake_poller >= 0) sys->poller_wake(sys, w->wake_poller);
    }
}

static uint32_t settle(struct journal *j) {
    if (log_settle(j->log)) {
        log_fail(j->log, "the log folder can't be made ready");
        return 0;
    }
    atomic_store_explicit(&j->settled, true, memory_order_release);
    j->log->sys->poller_wake(j->log->sys, j->log->keeper.poller);
    return 1;
}

uint32_t log_journal_work(void *journal, uint64_t block_ns) {
    struct journal *j = journal;
    struct log *log = j->log;
    if (!log_failed(log)) {
        if (!atomic_load_explicit(&j->settled, memory_order_relaxed)) return settle(j);
        take_cut(j);
        uint32_t entries = 0;
        size_t end = gather(j, &entries);
        if (j->gathered_count > 0) {
            if (entries > 0 && commit_frame(j, end, entries)) {
                log_fail(log, "the journal can't be written");
                return 0;
            }
            note_journaled(j);
            acknowledge(j);
            return j->gathered_count;
        }
    }
    if (block_ns > 0) log_wait(log->sys, j->poller, block_ns);
    return 0;
}
