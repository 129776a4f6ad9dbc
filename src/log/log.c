/* The log's life: options, open, start, stop, close, metrics. See log.h. */
#include "log/log.h"

#include "log/catalogue.h"
#include "log/folder.h"
#include "log/recover.h"
#include "log/state.h"
#include "log/topic.h"

#include <stdio.h>
#include <stdlib.h>

#define MB             ((uint64_t)1 << 20)
#define OPEN_FILES_MAX 2048u /* halved when the process has not so many */
#define JOURNAL_FILES  4u    /* the journal's bound holds at least so many files */
#define STOP_STEPS_MAX 1000000u

void log_options_default(struct log_options *options) {
    *options = (struct log_options){
        .folder = "data",
        .lanes = 1,
        .partitions_max = 4096,
        .journal_bytes_max = 256 * MB,
        .journal_file_bytes = 16 * MB,
        .segment_bytes = 128 * MB,
        .commits_per_lane = 32,
        .commit_bytes_max = 4 * MB,
        .output_bytes_max = 16 * MB,
        .batch_bytes_max = (1u << 20) + 4096,
        .checkpoint_bytes = 4 * MB,
        .memory_bytes_max = 1024 * MB,
        .disk_reserve_bytes = 64 * MB,
    };
}

static enum weir_error check_options(const struct log_options *o) {
    uint64_t frame = frame_bytes(o->commit_bytes_max + (uint64_t)log_commit_batches_max(o) * FRAME_ENTRY_HEADER);
    if (!o->folder || !o->folder[0] || strlen(o->folder) >= sizeof(((struct log *)0)->folder))
        return weir_error_context(WEIR_E_INVALID, "the log's folder must have a name of less than %zu bytes",
            sizeof(((struct log *)0)->folder));
    if (o->lanes < 1 || o->lanes > LOG_LANES_MAX)
        return weir_error_context(WEIR_E_INVALID, "%u lanes; 1 to %d are possible", o->lanes, LOG_LANES_MAX);
    if (o->partitions_max < 1 || o->commits_per_lane < 1 || o->commits_per_lane > 1024)
        return weir_error_context(WEIR_E_INVALID, "partitions_max and commits_per_lane must be at least 1");
    if (o->batch_bytes_max > o->commit_bytes_max || o->batch_bytes_max < 1024 || o->commit_bytes_max > 1u << 30)
        return weir_error_context(WEIR_E_INVALID, "batch_bytes_max must be at least 1024 and at most commit_bytes_max");
    if (o->journal_file_bytes < frame || o->journal_file_bytes % JOURNAL_BLOCK != 0)
        return weir_error_context(WEIR_E_INVALID, "journal_file_bytes must be a multiple of %u and at least %llu",
            JOURNAL_BLOCK, (unsigned long long)frame);
    if (o->journal_bytes_max < JOURNAL_FILES * o->journal_file_bytes)
        return weir_error_context(WEIR_E_INVALID, "journal_bytes_max must be at least %u journal files", JOURNAL_FILES);
    if (o->journal_write >= SYS_COMMIT_PATHS)
        return weir_error_context(WEIR_E_INVALID, "journal_write %d is no way to write", (int)o->journal_write);
    if (o->segment_bytes < 1024 || o->output_bytes_max < 1024)
        return weir_error_context(WEIR_E_INVALID, "segment_bytes and output_bytes_max must be at least 1024");
    return WEIR_OK;
}

/* ---- open
 * ----------------------------------------------------------------------------------------------------------------- */

static enum weir_error init(struct log *log) {
    const struct log_options *o = &log->options;
    void *memory = NULL;
    log->cache = (struct segment_cache){.sys = log->sys, .open_max = OPEN_FILES_MAX, .read_only = o->read_only};
    enum weir_error e = sys_memory_map(2 * (size_t)o->partitions_max * sizeof(void *), &memory);
    if (e) return e;
    log->topics = memory;
    log->partitions = (void *)((uint8_t *)memory + (size_t)o->partitions_max * sizeof(void *));
    e = log_journal_init(&log->journal, log);
    if (!e) e = log_store_init(&log->store, log);
    if (!e) e = log_keeper_init(&log->keeper, log);
    return e;
}

/* An empty folder: nothing is written before log_start. */
static void begin_fresh(struct log *log) {
    struct journal *j = &log->journal;
    log->fresh = true;
    log->recovery.clean = true;
    j->epoch.number = 1;
    log->sys->random(log->sys, &j->epoch.salt, sizeof j->epoch.salt);
    j->next_sequence = 1;
    j->last_crc = (uint32_t)j->epoch.salt;
    log->checkpoint = (struct checkpoint){
        .epoch = j->epoch,
        .start_sequence = 1,
        .start_previous_crc = j->last_crc,
        .start_file = CHECKPOINT_ANY_FILE,
    };
}

static enum weir_error load(struct log *log) {
    bool fresh = false;
    enum weir_error e = log_folder_check(log, &fresh);
    if (e) return e;
    if (fresh && log->options.read_only) return weir_error_context(WEIR_E_NOT_FOUND, "%s holds no log", log->folder);
    if (fresh) {
        begin_fresh(log);
        return WEIR_OK;
    }
    e = log_catalogue_load(log);
    if (e == WEIR_E_NOT_FOUND)
        return weir_error_context(
            WEIR_E_CORRUPT, "%s/catalogue is missing; run: weir log repair %s", log->folder, log->folder);
    return e ? e : log_recover(log);
}

enum weir_error log_make(struct sys *sys, const struct log_options *options, struct log **ret_log) {
    enum weir_error e = check_options(options);
    if (e) return e;
    struct log *log = calloc(1, sizeof *log);
    if (!log) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the log");
    log->sys = sys;
    log->options = *options;
    log->lock_file = log->journal_agent = log->store_agent = log->keeper_agent = -1;
    snprintf(log->folder, sizeof log->folder, "%s", options->folder);
    log->options.folder = log->folder;
    e = init(log);
    if (e) {
        log_close(log);
        return e;
    }
    *ret_log = log;
    return WEIR_OK;
}

enum weir_error log_open(struct sys *sys, const struct log_options *options, struct log **ret_log) {
    uint64_t begin = sys->mono_ns(sys);
    struct log *log = NULL;
    enum weir_error e = log_make(sys, options, &log);
    if (e) return e;
    if (!options->read_only) e = sys_make_folders(sys, log->folder);
    if (!e && !options->read_only) e = log_folder_lock(log);
    if (!e && !options->read_only) e = log_journal_probe(&log->journal);
    if (!e) e = load(log);
    if (e) {
        log_close(log);
        return e;
    }
    log->recovery.elapsed_ns = sys->mono_ns(sys) - begin;
    *ret_log = log;
    return WEIR_OK;
}

const struct log_recovery *log_recovered(const struct log *log) {
    return &log->recovery;
}

uint64_t log_segment_bytes(const struct log *log) {
    return log->options.segment_bytes;
}

enum sys_commit_path log_journal_write(const struct log *log) {
    return log->options.journal_write;
}

/* ---- start, stop, close
 * ----------------------------------------------------------------------------------------------------- */

static enum weir_error start_agent(
    struct log *log, const char *name, uint32_t (*work)(void *, uint64_t), void *self, int poller, int *ret_handle) {
    struct sys_agent agent = {name, work, self};
    return log->sys->agent_start(log->sys, &agent, poller, ret_handle);
}

static void stop_agent(struct log *log, int *handle) {
    if (*handle >= 0) log->sys->agent_stop(log->sys, *handle);
    *handle = -1;
}

enum weir_error log_start(struct log *log) {
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    WEIR_ASSERT(!log->started);
    for (uint32_t i = 0; i < atomic_load(&log->partition_count); i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p) p->journaled = p->partition.next; /* the tail that recovery took over counts as journaled */
    }
    enum weir_error e =
        start_agent(log, "journal", log_journal_work, &log->journal, log->journal.poller, &log->journal_agent);
    if (!e) e = start_agent(log, "store", log_store_work, &log->store, log->store.poller, &log->store_agent);
    if (!e) e = start_agent(log, "keeper", log_keeper_work, &log->keeper, log->keeper.poller, &log->keeper_agent);
    log->started = !e;
    if (e) {
        stop_agent(log, &log->store_agent);
        stop_agent(log, &log->journal_agent);
    }
    return e;
}

/* Whether every commit that was submitted is in segments: only then nothing is left in the journal. */
static bool all_stored(struct log *log) {
    for (uint32_t lane = 0; lane < log->options.lanes; lane++) {
        struct log_writer *w = atomic_load(&log->writers[lane]);
        if (!w) continue;
        uint64_t free = w->free_count + slot_ring_count(&w->freed) + (w->open ? 1 : 0);
        if (free < w->commit_count) return false;
    }
    return true;
}

void log_stop(struct log *log) {
    if (!log->started) return;
    log->started = false;
    stop_agent(log, &log->keeper_agent);
    stop_agent(log, &log->store_agent);
    stop_agent(log, &log->journal_agent);
    /* Nobody else is left: what the agents would still do is done here. */
    uint32_t steps = STOP_STEPS_MAX;
    while (!log_failed(log) && steps-- > 0 && log_journal_work(&log->journal, 0) + log_store_work(&log->store, 0) > 0)
        ;
    if (log_failed(log)) return;
    if (log_keeper_finish(&log->keeper, all_stored(log))) log_fail(log, "the last checkpoint can't be made");
}

void log_close(struct log *log) {
    if (!log) return;
    struct sys *sys = log->sys;
    stop_agent(log, &log->keeper_agent);
    stop_agent(log, &log->store_agent);
    stop_agent(log, &log->journal_agent);
    for (uint32_t lane = 0; lane < LOG_LANES_MAX; lane++)
        log_writer_free(atomic_load(&log->writers[lane]));
    log_segment_cache_done(&log->cache);
    log_topic_free_all(log);
    log_keeper_done(&log->keeper);
    log_store_done(&log->store);
    log_journal_done(&log->journal);
    sys_memory_unmap((void *)log->topics, 2 * (size_t)log->options.partitions_max * sizeof(void *));
    if (log->lock_file >= 0) sys->file_close(sys, log->lock_file);
    free(log);
}

enum weir_error log_partition_set_next(struct log_partition *partition, uint64_t next) {
    struct partition *p = partition_of(partition);
    uint64_t high = atomic_load(&partition->high);
    WEIR_ASSERT(!p->log->started && partition->topic->config.derived);
    if (next == high) return WEIR_OK;
    if (p->segment_count > 0)
        return weir_error_context(WEIR_E_CONFLICT, "%s-%u holds offsets %llu to %llu; the next one can't be %llu",
            partition->topic->name, partition->index, (unsigned long long)atomic_load(&partition->start),
            (unsigned long long)high, (unsigned long long)next);
    atomic_store(&partition->start, next);
    atomic_store(&partition->high, next);
    atomic_store(&partition->checkpointed, next);
    partition->next = next;
    return WEIR_OK;
}

/* ---- metrics
 * ------------------------------------------------------------------------------------------------------------------ */

static void journal_metrics(struct journal *j, struct metric_registry *r) {
    metric_set(&j->write_path, 1);
    metric_register(r, METRIC_GAUGE, &j->write_path, "weir_log_journal_write_path",
        "1 for the way in which frames are made durable (setting journal_write).", "path=\"%s\"",
        sys_commit_path_name(j->log->options.journal_write));
    metric_register(r, METRIC_COUNTER, &j->commits, "weir_log_commits_total", "Commits made durable.", NULL);
    metric_register(
        r, METRIC_COUNTER, &j->frames, "weir_log_journal_frames_total", "Journal frames: one write, one sync.", NULL);
    metric_register(
        r, METRIC_COUNTER, &j->bytes, "weir_log_journal_bytes_total", "Bytes written to the journal.", NULL);
    metric_register(r, METRIC_COUNTER, &j->grown, "weir_log_journal_grown_total",
        "Journal files made in a hurry, because none was ready.", NULL);
    metric_register(
        r, METRIC_GAUGE, &j->used, "weir_log_journal_used_bytes", "Journal bytes that are not recycled yet.", NULL);
    metric_register(r, METRIC_HISTOGRAM_NS, &j->write_ns, "weir_log_journal_write_seconds",
        "One journal write; durable when it ends unless journal_write is sync.", NULL);
    metric_register(r, METRIC_HISTOGRAM_NS, &j->sync_ns, "weir_log_journal_sync_seconds",
        "One journal sync; none when the write itself is durable.", NULL);
    metric_register(
        r, METRIC_HISTOGRAM, &j->frame_bytes_histogram, "weir_log_journal_frame_bytes", "Bytes of a frame.", NULL);
}

void log_metrics(struct log *log, struct metric_registry *r) {
    struct store *s = &log->store;
    struct keeper *k = &log->keeper;
    journal_metrics(&log->journal, r);
    metric_register(
        r, METRIC_COUNTER, &s->batches, "weir_log_stored_batches_total", "Batches written to segments.", NULL);
    metric_register(r, METRIC_COUNTER, &s->bytes, "weir_log_stored_bytes_total", "Bytes written to segments.", NULL);
    metric_register(r, METRIC_COUNTER, &s->writes, "weir_log_store_writes_total", "Write calls to segments.", NULL);
    metric_register(r, METRIC_COUNTER, &s->segments_made, "weir_log_segments_made_total", "Segments begun.", NULL);
    metric_register(r, METRIC_COUNTER, &s->space_waits, "weir_log_space_waits_total",
        "Segment writes that waited for space.", NULL);
    metric_register(r, METRIC_COUNTER, &s->packer.in, "weir_log_compress_in_bytes_total",
        "Bytes of batches that topics with a compression stored, before it.", NULL);
    metric_register(r, METRIC_COUNTER, &s->packer.out, "weir_log_compress_out_bytes_total", "And after it.", NULL);
    metric_register(r, METRIC_COUNTER, &s->packer.kept, "weir_log_compress_kept_total",
        "Batches that would not have become smaller, stored as they are.", NULL);
    metric_register(r, METRIC_COUNTER, &s->packer.helped, "weir_log_compress_helped_total",
        "Batches that workers of the pool compressed.", NULL);
    metric_register(r, METRIC_HISTOGRAM_NS, &s->packer.ns, "weir_log_compress_seconds",
        "Compressing one batch, in the store.", NULL);
    metric_register(r, METRIC_COUNTER, &s->memory_dropped, "weir_log_memory_dropped_bytes_total",
        "Bytes of memory topics that made room for newer ones.", NULL);
    metric_register(r, METRIC_GAUGE, &log->memory_reserved, "weir_log_memory_reserved_bytes",
        "What the memory topics may take together.", NULL);
    metric_register(r, METRIC_COUNTER, &k->checkpoints, "weir_log_checkpoints_total", "Checkpoints made.", NULL);
    metric_register(r, METRIC_COUNTER, &k->segment_syncs, "weir_log_segment_syncs_total", "Segment syncs.", NULL);
    metric_register(
        r, METRIC_COUNTER, &k->files_made, "weir_log_journal_files_made_total", "Journal files made ahead.", NULL);
    metric_register(r, METRIC_COUNTER, &k->files_recycled, "weir_log_journal_files_recycled_total",
        "Journal files recycled.", NULL);
    metric_register(r, METRIC_COUNTER, &k->disk_syncs, "weir_log_disk_syncs_total",
        "Syncs of the whole disk, for many segments.", NULL);
    metric_register(r, METRIC_COUNTER, &k->segments_deleted, "weir_log_segments_deleted_total",
        "Segments deleted by retention.", NULL);
    metric_register(
        r, METRIC_COUNTER, &k->bytes_deleted, "weir_log_deleted_bytes_total", "Bytes deleted by retention.", NULL);
    metric_register(r, METRIC_GAUGE, &k->space_free, "weir_log_disk_free_bytes", "Free on the log's disk.", NULL);
    metric_register(r, METRIC_HISTOGRAM_NS, &k->checkpoint_ns, "weir_log_checkpoint_seconds",
        "One checkpoint, from its first sync.", NULL);
    metric_register(
        r, METRIC_HISTOGRAM_NS, &k->segment_sync_ns, "weir_log_segment_sync_seconds", "One segment sync.", NULL);
}
