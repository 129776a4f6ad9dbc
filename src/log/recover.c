/* From what a stop left behind to a log that may be trusted. See recover.h. */
#include "log/recover.h"

#include "base/bytes.h"
#include "log/catalogue.h"
#include "log/journal_scan.h"
#include "log/salvage.h"

/* ---- the checkpoint's rows
 * -------------------------------------------------------------------------------------------------- */

static enum weir_error load_row(void *ctx, struct checkpoint_row *row) {
    struct log *log = ctx;
    struct partition *p = log_catalogue_partition(log, row->uid);
    if (!p && row->uid >= log->next_uid)
        return weir_error_context(WEIR_E_CORRUPT,
            "the checkpoint knows partition %u, the catalogue does not; run: weir log repair", row->uid);
    if (!p) return WEIR_OK; /* of a topic that was deleted */
    if (p->row.end > 0)
        return weir_error_context(
            WEIR_E_CORRUPT, "the checkpoint has two rows of partition %u; run: weir log repair", row->uid);
    p->row = row->row;
    p->producers_stored = row->producers;
    row->producers = (struct producer_table){0};
    return log_producer_table_copy(&p->producers, &p->producers_stored);
}

/* ---- what of the tail is needed
 * ---------------------------------------------------------------------------------------------- */

static enum weir_error bad_entry(const struct journal_scan *scan, const struct scan_frame *f, const char *what) {
    return weir_error_context(WEIR_E_CORRUPT,
        "journal/" JOURNAL_NAME_FORMAT ": frame %llu at byte %llu %s; nothing was changed; run: weir log repair",
        scan->files.data[f->file].number, (unsigned long long)f->sequence, (unsigned long long)f->offset, what);
}

/* Judges an entry against `next`, the offset its partition goes on with. *ret_partition NULL: it is not needed. */
static enum weir_error judge_entry(struct log *log, const struct journal_scan *scan, const struct scan_frame *f,
    uint32_t uid, struct weir_slice batch, struct partition **ret_partition, struct weir_record_batch *ret_header) {
    struct partition *p = log_catalogue_partition(log, uid);
    *ret_partition = NULL;
    if (!p && uid >= log->next_uid) return bad_entry(scan, f, "has a batch of a partition that never was");
    if (!p) return WEIR_OK;
    if (weir_record_batch_check(batch, NULL, ret_header) || ret_header->size != batch.size)
        return bad_entry(scan, f, "has a batch that is damaged");
    uint64_t base = (uint64_t)ret_header->base_offset, end = base + (uint64_t)ret_header->last_offset_delta + 1;
    if (end <= p->partition.next) return WEIR_OK; /* in synced segments already */
    if (base != p->partition.next) return bad_entry(scan, f, "leaves a gap in the offsets of a partition");
    *ret_partition = p;
    return WEIR_OK;
}

/* ---- the new epoch --------------------------------------------------------------------------------------------- */

struct copy {
    struct log *log;
    struct journal_scan *scan;
    const struct scan_frame *frame; /* being copied */
    size_t at;                      /* end of what is gathered in the journal's frame buffer */
    uint32_t entries;
};

/* A file in which no frame counts, with room for one of that size: it went round, or was made ahead. NULL: none. */
static struct scan_file *spare_file(const struct copy *c, size_t size) {
    for (size_t i = 0; i < c->scan->files.count; i++) {
        struct scan_file *f = &c->scan->files.data[i];
        bool needed = f->taken || f->size < size;
        for (size_t k = 0; k < c->scan->frames.count && !needed; k++)
            needed = c->scan->frames.data[k].file == i;
        if (!needed) return f;
    }
    return NULL;
}

static enum weir_error open_spare(const struct copy *c, struct scan_file *spare, uint32_t *ret_number, int *ret_file) {
    struct sys *sys = c->log->sys;
    struct log_path path;
    /* The checkpoint by which the file is not needed may be that of a life that was killed before its name was durable:
     * a power cut would bring back the one before, which needs the file. */
    enum weir_error e = sys->dir_sync(sys, c->log->folder);
    log_path(c->log, &path, "journal/" JOURNAL_NAME_FORMAT, spare->number);
    if (!e) e = sys->file_open(sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, ret_file);
    if (e) return e;
    spare->taken = true;
    *ret_number = spare->number;
    return WEIR_OK;
}

static enum weir_error use_file(const struct copy *c, uint32_t number, int file, uint64_t capacity) {
    struct journal *j = &c->log->journal;
    struct journal_file *f = NULL;
    enum weir_error e = log_journal_file_add(j, number, file, capacity, &f);
    if (e)
        c->log->sys->file_close(c->log->sys, file);
    else
        log_journal_file_use(j, f, 0);
    return e;
}

/* A new file for the copies: those of the old epoch must stay until the new one counts. */
static enum weir_error use_new_file(const struct copy *c) {
    uint32_t number = 0;
    int file = -1;
    enum weir_error e = log_journal_file_create(&c->log->journal, &number, &file);
    return e ? e : use_file(c, number, file, c->log->options.journal_file_bytes);
}

/* There is no space for a new file, or not enough: one that is there already needs none, so that a node which was
 * killed on a full disk starts again on that disk. */
static enum weir_error put_in_spare(const struct copy *c, size_t size) {
    struct journal *j = &c->log->journal;
    struct scan_file *spare = spare_file(c, size);
    if (!spare) return WEIR_E_NO_SPACE; /* with the context it came with */
    uint32_t number = 0;
    int file = -1;
    enum weir_error e = j->current ? c->log->sys->file_sync(c->log->sys, j->current->file) : WEIR_OK;
    if (j->current) j->current->capacity = j->offset; /* the rest found no space: no commit may count on it */
    if (!e) e = open_spare(c, spare, &number, &file);
    uint64_t most = c->log->options.journal_file_bytes;
    if (!e) e = use_file(c, number, file, spare->size < most ? spare->size : most);
    return e ? e : log_journal_put(j, size);
}

static enum weir_error flush_copy(struct copy *c) {
    struct journal *j = &c->log->journal;
    if (c->entries == 0) return WEIR_OK;
    struct frame_header header = {
        .sequence = j->next_sequence,
        .epoch = j->epoch,
        .previous_crc = j->last_crc,
        .payload_bytes = (uint32_t)(c->at - FRAME_HEADER_SIZE),
        .entry_count = c->entries,
        .time_ms = c->log->sys->wall_ns(c->log->sys) / SYS_NANOS_PER_MS,
    };
    size_t size = log_frame_seal(j->frame, &header);
    enum weir_error e = WEIR_OK;
    if (!j->current || j->offset + size > j->current->capacity) {
        if (j->current) e = c->log->sys->file_sync(c->log->sys, j->current->file);
        if (j->current) j->current->capacity = j->offset; /* no more than that is written already */
        if (!e) e = use_new_file(c);
    }
    if (!e) e = log_journal_put(j, size);
    if (e == WEIR_E_NO_SPACE) e = put_in_spare(c, size);
    if (e) return e;
    j->next_sequence++;
    j->last_crc = header.crc;
    c->at = FRAME_HEADER_SIZE;
    c->entries = 0;
    return WEIR_OK;
}

static enum weir_error copy_entry(struct copy *c, uint32_t uid, struct weir_slice batch) {
    struct journal *j = &c->log->journal;
    struct partition *p = NULL;
    struct weir_record_batch header;
    enum weir_error e = judge_entry(c->log, c->scan, c->frame, uid, batch, &p, &header);
    if (e || !p) return e;
    if (c->at + FRAME_ENTRY_HEADER + batch.size > j->frame_max) e = flush_copy(c);
    if (e) return e;
    if (c->at + FRAME_ENTRY_HEADER + batch.size > j->frame_max)
        return bad_entry(c->scan, c->frame, "has a batch larger than commit_bytes_max, which may not be lowered now");
    c->at += log_frame_entry_put(j->frame + c->at, uid, batch);
    c->entries++;
    c->log->recovery.records += (uint64_t)header.record_count;
    p->partition.next += (uint64_t)header.last_offset_delta + 1;
    return log_producer_note(&p->producers, &header);
}

static enum weir_error copy_frames(struct copy *c, struct journal_scan *scan) {
    for (size_t i = 0; i < scan->frames.count; i++) {
        struct weir_slice payload, batch;
        uint32_t uid = 0;
        c->frame = &scan->frames.data[i];
        enum weir_error e = log_journal_scan_payload(scan, c->frame, &payload);
        while (!e && log_frame_entry_next(&payload, &uid, &batch))
            e = copy_entry(c, uid, batch);
        if (!e && payload.size != 0) e = bad_entry(scan, c->frame, "has bytes that are no entry");
        if (e) return e;
        c->log->recovery.frames++;
        c->log->recovery.journal_bytes += c->frame->size;
    }
    return flush_copy(c);
}

/* Steps 2 and 3 of recover.h. */
static enum weir_error open_epoch(struct log *log, struct journal_scan *scan) {
    struct sys *sys = log->sys;
    struct journal *j = &log->journal;
    struct log_path folder;
    struct copy c = {.log = log, .scan = scan, .at = FRAME_HEADER_SIZE};
    j->epoch.number = log->checkpoint.epoch.number + 1;
    sys->random(sys, &j->epoch.salt, sizeof j->epoch.salt);
    j->next_sequence = scan->next_sequence + 1; /* one is left out for the torn frame that may carry it */
    j->last_crc = (uint32_t)j->epoch.salt;
    struct checkpoint next = log->checkpoint;
    next.generation++;
    next.clean = false;
    next.epoch = j->epoch;
    next.start_sequence = j->next_sequence;
    next.start_previous_crc = j->last_crc;
    next.start_file = CHECKPOINT_ANY_FILE;
    next.start_offset = 0;
    enum weir_error e = copy_frames(&c, scan);
    if (!e && j->current) e = sys->file_sync(sys, j->current->file);
    log_path(log, &folder, "journal");
    if (!e && j->current) e = sys->dir_sync(sys, folder.text);
    if (j->current) j->current->capacity = j->offset;
    j->current = NULL; /* the next frame takes a file that is written already: no commit grows one */
    return e ? e : log_checkpoint_write(log, &next);
}

/* ---- segments from the tail
 * -------------------------------------------------------------------------------------------------- */

#define REBUILD_BATCHES 1024u

struct rebuild {
    struct log *log;
    struct commit_batch batches[REBUILD_BATCHES];
    uint32_t count;
};

static enum weir_error flush_rebuild(struct rebuild *r) {
    enum weir_error e = log_store_write(&r->log->store);
    r->count = 0;
    return e;
}

static enum weir_error rebuild_entry(struct rebuild *r, uint32_t uid, struct weir_slice batch) {
    struct partition *p = log_catalogue_partition(r->log, uid);
    if (!p) return WEIR_OK;
    uint64_t base = load_be64(batch.data), count = load_be32(batch.data + WEIR_BATCH_AT_LAST_OFFSET_DELTA) + 1ull;
    if (base + count <= p->partition.next) return WEIR_OK;
    if (r->count == REBUILD_BATCHES) {
        enum weir_error e = flush_rebuild(r);
        if (e) return e;
    }
    struct commit_batch *b = &r->batches[r->count++];
    *b = (struct commit_batch){.partition = p, .bytes = (uint8_t *)(uintptr_t)batch.data, .size = (uint32_t)batch.size};
    log_store_chain(&r->log->store, p, b);
    p->partition.next = base + count;
    return WEIR_OK;
}

/* Writes the tail to the segments. Its batches were all judged before; `next` starts at the rows' ends again. */
static enum weir_error rebuild_segments(struct log *log, struct journal_scan *scan) {
    uint32_t partitions = atomic_load(&log->partition_count);
    for (uint32_t i = 0; i < partitions; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p) p->partition.next = p->row.end;
    }
    void *memory = NULL;
    enum weir_error e = sys_memory_map(sizeof(struct rebuild), &memory);
    if (e) return e;
    struct rebuild *r = memory;
    r->log = log;
    for (size_t i = 0; !e && i < scan->frames.count; i++) {
        struct weir_slice payload, batch;
        uint32_t uid = 0;
        e = log_journal_scan_payload(scan, &scan->frames.data[i], &payload);
        while (!e && log_frame_entry_next(&payload, &uid, &batch))
            e = rebuild_entry(r, uid, batch);
        if (!e) e = flush_rebuild(r); /* the scan's buffer is used again */
    }
    sys_memory_unmap(memory, sizeof(struct rebuild));
    return e;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------------------------ */

/* The scan's files become the journal's. `current` (a number, or none) goes on being written at its offset. Their names
 * may be those of an earlier life that was killed before it synced them: synced here, before anything is in them. */
static enum weir_error adopt_files(struct log *log, struct journal_scan *scan, bool go_on) {
    struct journal *j = &log->journal;
    for (size_t i = 0; i < scan->files.count; i++) {
        struct scan_file *f = &scan->files.data[i];
        if (f->taken) continue; /* the copy of the tail is in it */
        struct journal_file *added = NULL;
        struct log_path path;
        int file = -1;
        log_path(log, &path, "journal/" JOURNAL_NAME_FORMAT, f->number);
        uint64_t size = f->size / JOURNAL_BLOCK * JOURNAL_BLOCK, most = log->options.journal_file_bytes;
        bool current = go_on && f->number == log->checkpoint.start_file;
        bool small = size < most / 2 && size < JOURNAL_FIRST_BYTES; /* its making was cut short */
        bool surplus = (i + 1) * most > log->options.journal_bytes_max;
        if (!current && (small || surplus)) {
            enum weir_error e = log->sys->path_unlink(log->sys, path.text);
            if (e) return e;
            continue;
        }
        enum weir_error e = log->sys->file_open(log->sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, &file);
        if (e) return e;
        e = log_journal_file_add(j, f->number, file, size < most ? size : most, &added);
        if (e) {
            log->sys->file_close(log->sys, file);
            return e;
        }
        if (current) {
            log_journal_file_use(j, added, log->checkpoint.start_offset);
        } else {
            bool pushed = slot_ring_push(&j->ready, &added);
            WEIR_ASSERT(pushed);
        }
    }
    struct log_path folder;
    log_path(log, &folder, "journal");
    return scan->files.count > 0 ? log->sys->dir_sync(log->sys, folder.text) : WEIR_OK;
}

/* New files must not take the numbers of those that are there. */
static void number_after(struct journal *j, const struct journal_scan *scan) {
    uint32_t next = 1;
    for (size_t i = 0; i < scan->files.count; i++) {
        if (scan->files.data[i].number >= next) next = scan->files.data[i].number + 1;
    }
    atomic_store(&j->next_number, next);
}

static enum weir_error load_partitions(struct log *log) {
    uint32_t count = atomic_load(&log->partition_count);
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p) e = log_partition_load(p);
    }
    return e;
}

static enum weir_error salvage_partitions(struct log *log) {
    uint32_t count = atomic_load(&log->partition_count);
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p) e = log_partition_salvage(p, &log->recovery.lazy_records);
    }
    return e;
}

static void pass_over_lost(struct log *log) {
    uint32_t count = atomic_load(&log->partition_count);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p) log_partition_pass_over(p);
    }
}

static enum weir_error cut_partitions(struct log *log) {
    uint32_t count = atomic_load(&log->partition_count);
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p) e = log_partition_cut(p, &log->recovery.segment_bytes_discarded);
    }
    return e;
}

static enum weir_error recover_unclean(struct log *log, struct journal_scan *scan) {
    number_after(&log->journal, scan);
    log->recovery.torn_bytes = scan->torn_bytes;
    enum weir_error e = salvage_partitions(log);
    if (!e) e = load_partitions(log); /* what is missing is said before anything is changed */
    if (!e) pass_over_lost(log);
    if (!e) e = open_epoch(log, scan);
    if (!e) e = cut_partitions(log);
    if (!e) e = rebuild_segments(log, scan);
    if (!e) e = adopt_files(log, scan, false);
    return e;
}

static enum weir_error recover_clean(struct log *log, struct journal_scan *scan) {
    struct journal *j = &log->journal;
    j->epoch = log->checkpoint.epoch;
    j->next_sequence = log->checkpoint.start_sequence;
    j->last_crc = log->checkpoint.start_previous_crc;
    number_after(j, scan);
    enum weir_error e = load_partitions(log);
    if (!e) e = cut_partitions(log);
    if (!e) e = adopt_files(log, scan, log->checkpoint.start_file != CHECKPOINT_ANY_FILE);
    return e;
}

enum weir_error log_recover(struct log *log) {
    struct journal_scan scan = {0};
    enum weir_error e = log_checkpoint_read(log->sys, log->folder, &log->checkpoint, load_row, log);
    if (e == WEIR_E_NOT_FOUND)
        return weir_error_context(
            WEIR_E_CORRUPT, "%s/checkpoint is missing; run: weir log repair %s", log->folder, log->folder);
    if (e) return e;
    log->recovery.clean = log->checkpoint.clean;
    if (log->options.read_only) return load_partitions(log);
    if (log->checkpoint.clean) {
        e = log_journal_scan_list(&scan, log->sys, log->folder);
        if (!e) e = recover_clean(log, &scan);
    } else {
        e = log_journal_scan(&scan, log->sys, log->folder, &log->checkpoint);
        if (!e) e = recover_unclean(log, &scan);
    }
    log_journal_scan_done(&scan);
    return e ? e : log_catalogue_sweep(log);
}
