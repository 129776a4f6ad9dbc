/* The agent behind: checkpoints, retention, disk space. See keeper.h; journal files made ahead: keeper_files.c. */
#include "log/keeper.h"

#include "log/keeper_files.h"
#include "log/reader.h"
#include "log/state.h"

#include <stdlib.h>

#define DISK_SYNC_TARGETS 8u  /* from so many segments on, one sync of the whole disk is cheaper than one of each */
#define PACE_PIECES       32u /* of a walk whose writing back is begun, per step */
#define PACE_SYNCS        2u  /* segments synced per step in calm weather */
#define HURRY_SYNCS       64u /* when the journal is nearly full */
#define TICK_NS           (100 * SYS_NANOS_PER_MS)

enum weir_error log_keeper_init(struct keeper *k, struct log *log) {
    k->log = log;
    k->poller = -1;
    k->making_file = -1;
    void *targets = NULL;
    enum weir_error e = sys_memory_map(log->options.partitions_max * sizeof(struct keeper_target), &targets);
    k->targets = targets;
    return e ? e : log->sys->poller_open(log->sys, &k->poller);
}

void log_keeper_done(struct keeper *k) {
    if (!k->log) return;
    struct sys *sys = k->log->sys;
    if (k->making_file >= 0) sys->file_close(sys, k->making_file);
    if (k->poller >= 0) sys->poller_close(sys, k->poller);
    sys_memory_unmap(k->targets, k->log->options.partitions_max * sizeof(struct keeper_target));
    k->log = NULL;
}

void log_checkpoint_soon(struct log *log) {
    atomic_store_explicit(&log->keeper.asked, true, memory_order_release);
    log->sys->poller_wake(log->sys, log->keeper.poller);
}

/* ---- a checkpoint
 * --------------------------------------------------------------------------------------------------------- */

/* How many of the oldest journal files hold only batches that are in segments. The newest is never among them. */
static uint32_t count_stored_files(struct journal *j) {
    uint32_t count = 0;
    struct journal_file *const *oldest;
    while ((oldest = slot_ring_peek(&j->in_use, count)) && slot_ring_peek(&j->in_use, count + 1)) {
        if (atomic_load_explicit(&(*oldest)->unstored, memory_order_acquire) > 0) break;
        count++;
    }
    return count;
}

/* What of the partition is in segments now, when that is more than the last checkpoint says (the row may be ahead of
 * it: of a checkpoint that found no space). */
static bool capture(struct partition *p, struct keeper_target *ret_target) {
    spin_lock(&p->lock);
    uint64_t end = atomic_load_explicit(&p->partition.high, memory_order_relaxed);
    uint64_t start = atomic_load_explicit(&p->partition.start, memory_order_relaxed);
    uint64_t checkpointed = atomic_load_explicit(&p->partition.checkpointed, memory_order_relaxed);
    bool more = p->segment_count > 0 && (end != checkpointed || start != p->row.start);
    if (partition_in_memory(p)) {
        more = end != checkpointed;
        *ret_target = (struct keeper_target){p, end, 0, 0}; /* only how far its offsets have come */
    } else if (more) {
        /* The newest may have been made a moment ago, with its first batch still on the way: then nothing of it counts,
         * and the one before is the last that does. */
        uint32_t last = p->segment_count - 1;
        if (last > 0 && atomic_load_explicit(&p->segments[last]->size, memory_order_relaxed) == 0) last--;
        struct segment *s = p->segments[last];
        *ret_target = (struct keeper_target){p, end, s->base, atomic_load_explicit(&s->size, memory_order_relaxed)};
    }
    spin_unlock(&p->lock);
    return more;
}

static void begin_walk(struct keeper *k) {
    struct log *log = k->log;
    k->appended_at_walk = atomic_load_explicit(&log->journal.appended, memory_order_relaxed);
    k->walk_ns = log->sys->mono_ns(log->sys);
    atomic_store_explicit(&k->asked, false, memory_order_relaxed);
    k->recycle_count = count_stored_files(&log->journal); /* before the capture: what they hold is captured */
    k->target_count = k->target_next = k->target_begun = 0;
    uint32_t count = atomic_load_explicit(&log->partition_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load_explicit(&log->partitions[i], memory_order_acquire);
        if (p && capture(p, &k->targets[k->target_count])) k->target_count++;
    }
    k->disk_synced = false;
    k->walking = true;
}

/* Syncs one segment up to what it holds now, at least `size`. */
static enum weir_error sync_segment(struct keeper *k, struct segment *s, uint64_t size) {
    struct log *log = k->log;
    int file = -1;
    uint64_t begin = log->sys->mono_ns(log->sys);
    enum weir_error e = log_segment_pin(&log->cache, s, false, &file);
    if (e) return e;
    e = log->sys->file_sync(log->sys, file);
    log_segment_unpin(&log->cache, s);
    if (e == WEIR_E_NO_SPACE) e = WEIR_E_IO; /* of a sync that is final too: the pages may count as clean now */
    if (e) return e;
    s->size_synced = size;
    metric_add(&k->segment_syncs, 1);
    metric_record(&k->segment_sync_ns, log->sys->mono_ns(log->sys) - begin);
    return WEIR_OK;
}

/* New files' names durable: the partition's folder, and once the folders above it. */
static enum weir_error sync_folders(struct partition *p) {
    struct sys *sys = p->log->sys;
    struct log_path path;
    enum weir_error e = WEIR_OK;
    if (!p->folder_synced) {
        log_path(p->log, &path, "topics");
        e = sys->dir_sync(sys, path.text);
        log_path(p->log, &path, "topics/%s", topic_of(p)->folder);
        if (!e) e = sys->dir_sync(sys, path.text);
    }
    log_partition_folder_path(p, &path);
    if (!e) e = sys->dir_sync(sys, path.text);
    if (!e) p->folder_synced = true;
    return e == WEIR_E_NO_SPACE ? WEIR_E_IO : e; /* a sync is not tried again */
}

/* Everything of the partition up to the target: the last segment, and those before it that were filled since. */
static enum weir_error sync_partition(struct keeper *k, const struct keeper_target *t) {
    struct partition *p = t->partition;
    enum weir_error e = WEIR_OK;
    bool names = false;
    if (partition_in_memory(p)) return WEIR_OK;
    for (uint32_t i = UINT32_MAX; !e && i > 0;) {
        struct segment *s = NULL;
        spin_lock(&p->lock);
        if (i > p->segment_count) i = p->segment_count;
        while (i > 0 && (p->segments[i - 1]->base > t->segment_base)) /* made since the capture */
            i--;
        if (i > 0) segment_keep(s = p->segments[i - 1]);
        spin_unlock(&p->lock);
        if (!s) break;
        i--;
        uint64_t size = s->base == t->segment_base ? t->segment_size : atomic_load(&s->size);
        bool before = s->size_synced >= size && s->entry_synced;
        if (k->disk_synced)
            s->size_synced = size;
        else if (s->size_synced < size)
            e = sync_segment(k, s, size);
        if (!e && !s->entry_synced) names = s->entry_synced = true;
        log_segment_drop(&k->log->cache, s);
        if (before) break; /* those before it were synced with it or earlier */
    }
    return !e && names ? sync_folders(p) : e;
}

/* What the checkpoint will say of the target's partition. */
static struct partition_row row_of(const struct keeper_target *t) {
    uint64_t start = atomic_load(&t->partition->partition.start);
    if (t->segment_size == 0 || start > t->end) start = t->end;
    return (struct partition_row){start, t->end, t->segment_base, t->segment_size};
}

/* The checkpoint that holds once the walk is done: from the oldest journal file that is still needed. */
static void describe(struct keeper *k, struct checkpoint *c) {
    struct journal *j = &k->log->journal;
    *c = k->log->checkpoint;
    c->generation++;
    c->clean = false;
    struct journal_file *const *oldest = slot_ring_peek(&j->in_use, k->recycle_count);
    if (!oldest) return; /* nothing was journaled yet: the start stays where it is */
    c->start_sequence = (*oldest)->first_sequence;
    c->start_previous_crc = (*oldest)->first_previous_crc;
    c->start_file = (*oldest)->number;
    c->start_offset = (*oldest)->first_offset;
}

static enum weir_error finish_walk(struct keeper *k) {
    struct log *log = k->log;
    struct checkpoint c;
    for (uint32_t i = 0; i < k->target_count; i++) {
        const struct keeper_target *t = &k->targets[i];
        t->partition->row = row_of(t);
    }
    describe(k, &c);
    enum weir_error e = log_checkpoint_write(log, &c);
    if (e) return e;
    for (uint32_t i = 0; i < k->target_count; i++)
        atomic_store_explicit(
            &k->targets[i].partition->partition.checkpointed, k->targets[i].end, memory_order_release);
    log_keeper_recycle(k, k->recycle_count);
    k->retention_ns = 0; /* what is checkpointed now may be let go */
    metric_add(&k->checkpoints, 1);
    metric_record(&k->checkpoint_ns, log->sys->mono_ns(log->sys) - k->walk_ns);
    k->walking = false;
    return WEIR_OK;
}

/* One call for all targets. When it fails the files are synced one by one: then it is known whether one of ours is
 * hurt. */
static void sync_disk(struct keeper *k) {
    struct sys *sys = k->log->sys;
    uint64_t begin = sys->mono_ns(sys);
    k->disk_synced = sys->disk_sync(sys, k->log->lock_file) == WEIR_OK;
    metric_add(&k->disk_syncs, 1);
    metric_record(&k->segment_sync_ns, sys->mono_ns(sys) - begin);
}

/* Asks the system to begin writing what a target has since its last sync, so that the sync finds little to wait for. */
static void begin_writeback(struct keeper *k, const struct keeper_target *t) {
    struct log *log = k->log;
    struct segment_mark ignored;
    int file = -1;
    struct segment *s = t->segment_size == 0 ? NULL : log_partition_segment_at(t->partition, t->segment_base, &ignored);
    if (!s) return;
    if (s->base == t->segment_base && s->size_synced < t->segment_size &&
        log_segment_pin(&log->cache, s, false, &file) == WEIR_OK) {
        log->sys->file_writeback(log->sys, file, s->size_synced, t->segment_size - s->size_synced);
        log_segment_unpin(&log->cache, s);
    }
    log_segment_drop(&log->cache, s);
}

/* One step of the walk: some pieces sent on their way, some syncs, or its end. */
static enum weir_error step_walk(struct keeper *k, uint32_t syncs) {
    for (uint32_t i = 0; i < PACE_PIECES && k->target_begun < k->target_count; i++)
        begin_writeback(k, &k->targets[k->target_begun++]);
    if (k->target_begun < k->target_count) return WEIR_OK;
    if (k->target_next == 0 && k->target_count >= DISK_SYNC_TARGETS) sync_disk(k);
    if (k->disk_synced) syncs = UINT32_MAX;
    for (; syncs > 0 && k->target_next < k->target_count; syncs--) {
        const struct keeper_target *t = &k->targets[k->target_next++];
        enum weir_error e = sync_partition(k, t);
        if (e && !atomic_load_explicit(&t->partition->deleted, memory_order_acquire)) return e;
    }
    return k->target_next < k->target_count ? WEIR_OK : finish_walk(k);
}

static bool anything_dirty(const struct keeper *k) {
    struct log *log = k->log;
    uint32_t count = atomic_load_explicit(&log->partition_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load_explicit(&log->partitions[i], memory_order_acquire);
        if (!p) continue;
        uint64_t high = atomic_load_explicit(&p->partition.high, memory_order_relaxed);
        uint64_t ahead = high - atomic_load_explicit(&p->partition.checkpointed, memory_order_relaxed);
        /* Of memory only the offsets are written, and those seldom: it costs the disk nothing. */
        if (ahead > (partition_in_memory(p) ? LOG_LOOSE_AHEAD / 4 : 0)) return true;
    }
    return false;
}

static bool walk_due(struct keeper *k, uint64_t now) {
    struct journal *j = &k->log->journal;
    uint64_t appended = atomic_load_explicit(&j->appended, memory_order_relaxed) - k->appended_at_walk;
    if (appended >= k->log->options.checkpoint_bytes) return true;
    if (atomic_load_explicit(&k->asked, memory_order_acquire)) return true;
    if (now - k->walk_ns < KEEPER_IDLE_NS || now - k->idle_since_ns < KEEPER_IDLE_NS) return false;
    k->idle_since_ns = now; /* looks at every partition: not more often than this */
    return anything_dirty(k);
}

static bool in_a_hurry(const struct keeper *k) {
    uint64_t used = atomic_load_explicit(&((struct keeper *)(uintptr_t)k)->log->journal.used, memory_order_relaxed);
    return used > k->log->options.journal_bytes_max / 4 * 3;
}

static enum weir_error checkpoint_step(struct keeper *k, uint64_t now, uint32_t *work) {
    bool hurry = in_a_hurry(k);
    if (!k->walking) {
        /* In a hurry, but with nothing to gain: no journal file could be recycled. */
        if (!walk_due(k, now) && !(hurry && count_stored_files(&k->log->journal) > 0)) return WEIR_OK;
        begin_walk(k);
    }
    *work += 1;
    return step_walk(k, hurry ? HURRY_SYNCS : PACE_SYNCS);
}

/* ---- retention
 * -------------------------------------------------------------------------------------------------------------- */

/* Whether the oldest segment may go: whole, checkpointed, behind the hold, and beyond what the topic keeps. *ret_next
 * is where the partition would begin. */
static bool oldest_expired(struct partition *p, uint64_t now_ms, uint64_t *ret_next) {
    const struct log_topic_config *c = &p->partition.topic->config;
    struct segment *oldest = NULL;
    uint64_t next = 0;
    spin_lock(&p->lock);
    if (p->segment_count > 1) {
        oldest = p->segments[0];
        next = p->segments[1]->base;
        segment_keep(oldest);
    }
    spin_unlock(&p->lock);
    if (!oldest) return false;
    uint64_t hold = atomic_load_explicit(&p->partition.hold, memory_order_acquire);
    bool expired = false;
    if (next <= hold && next <= p->row.segment_base) {
        uint64_t bytes = atomic_load(&p->partition.bytes), size = atomic_load(&oldest->size);
        uint64_t keep_bytes = log_topic_setting(&c->retention_bytes), keep_ms = log_topic_setting(&c->retention_ms);
        expired = keep_bytes > 0 && bytes - size >= keep_bytes;
        if (!expired && keep_ms > 0) {
            uint64_t time_ms = 0;
            expired = log_batch_time(p->log, p, next - 1, &time_ms) == WEIR_OK && time_ms < now_ms &&
                      now_ms - time_ms > keep_ms;
        }
    }
    log_segment_drop(&p->log->cache, oldest);
    *ret_next = next;
    return expired;
}

/* The start moves first, in a checkpoint, and is told to readers once that is durable: it never goes back. Then the
 * file goes; a crash between leaves one that the next start removes. */
static enum weir_error retain(struct keeper *k, struct partition *p, uint64_t now_ms, uint32_t *work) {
    struct sys *sys = k->log->sys;
    uint64_t next = 0;
    while (oldest_expired(p, now_ms, &next)) {
        uint64_t start = p->row.start;
        p->row.start = next;
        struct checkpoint c = k->log->checkpoint;
        c.generation++;
        enum weir_error e = log_checkpoint_write(k->log, &c);
        if (e) {
            p->row.start = start;
            return e;
        }
        atomic_store_explicit(&p->partition.start, next, memory_order_release);
        struct segment *s = log_partition_take_oldest(p);
        if (!s) return WEIR_OK;
        uint64_t size = atomic_load(&s->size);
        struct log_path path;
        log_partition_segment_path(p, s->base, &path);
        log_segment_drop(&k->log->cache, s);
        e = sys->path_unlink(sys, path.text);
        if (e) return e;
        atomic_fetch_sub(&p->partition.bytes, size);
        metric_add(&k->segments_deleted, 1);
        metric_add(&k->bytes_deleted, size);
        *work += 1;
    }
    return WEIR_OK;
}

static enum weir_error retention_step(struct keeper *k, uint64_t now, uint32_t *work) {
    struct log *log = k->log;
    /* A copy is being made: nothing goes meanwhile, unless the disk is needed. The copy finds out and says so. */
    if (atomic_load(&log->keep_all) > 0 && !atomic_load_explicit(&log->space_short, memory_order_relaxed))
        return WEIR_OK;
    if (k->walking || (k->retention_ns != 0 && now - k->retention_ns < KEEPER_RETENTION_NS)) return WEIR_OK;
    k->retention_ns = now;
    uint64_t now_ms = log->sys->wall_ns(log->sys) / SYS_NANOS_PER_MS;
    uint32_t count = atomic_load_explicit(&log->partition_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *p = atomic_load_explicit(&log->partitions[i], memory_order_acquire);
        if (!p) continue;
        const struct log_topic_config *c = &p->partition.topic->config;
        bool keeps_all = log_topic_setting(&c->retention_bytes) == 0 && log_topic_setting(&c->retention_ms) == 0;
        if (partition_in_memory(p) || keeps_all) continue;
        enum weir_error e = retain(k, p, now_ms, work);
        if (e && !atomic_load_explicit(&p->deleted, memory_order_acquire)) return e;
    }
    return WEIR_OK;
}

/* ---- disk space
 * --------------------------------------------------------------------------------------------------------------- */

static void space_step(struct keeper *k, uint64_t now) {
    struct log *log = k->log;
    bool is_short = atomic_load_explicit(&log->space_short, memory_order_relaxed);
    if (k->space_ns != 0 && now - k->space_ns < (is_short ? TICK_NS : KEEPER_SPACE_NS)) return;
    k->space_ns = now;
    struct sys_disk_space space;
    if (log->sys->disk_space(log->sys, log->folder, &space)) return; /* unknown: writes will tell */
    metric_set(&k->space_free, space.bytes_free);
    bool now_short = space.bytes_free < log->options.disk_reserve_bytes;
    if (now_short != is_short) atomic_store_explicit(&log->space_short, now_short, memory_order_relaxed);
}

/* ---- the agent
 * ---------------------------------------------------------------------------------------------------------------- */

uint32_t log_keeper_work(void *keeper, uint64_t block_ns) {
    struct keeper *k = keeper;
    struct log *log = k->log;
    struct sys *sys = log->sys;
    uint32_t work = 0;
    if (!log_failed(log) && atomic_load_explicit(&log->journal.settled, memory_order_acquire)) {
        uint64_t now = sys->mono_ns(sys);
        space_step(k, now);
        enum weir_error e = checkpoint_step(k, now, &work);
        if (!e) e = log_keeper_files_step(k, now, &work);
        if (!e) e = retention_step(k, now, &work);
        if (e == WEIR_E_NO_SPACE) {
            k->walking = false; /* nothing was claimed: the walk begins anew when there is space */
            atomic_store_explicit(&log->space_short, true, memory_order_relaxed);
            work = 0;
        } else if (e) {
            log_fail(log, "a checkpoint can't be made");
            return 0;
        }
    }
    uint64_t tick_ns = k->extending || k->making_file >= 0 ? TICK_NS / 25 : TICK_NS;
    if (work == 0 && block_ns > 0) log_wait(sys, k->poller, block_ns < tick_ns ? block_ns : tick_ns);
    return work;
}

enum weir_error log_keeper_finish(struct keeper *k, bool clean) {
    struct log *log = k->log;
    struct journal *j = &log->journal;
    begin_walk(k);
    if (k->target_count >= DISK_SYNC_TARGETS) sync_disk(k);
    enum weir_error e = WEIR_OK;
    while (!e && k->target_next < k->target_count)
        e = sync_partition(k, &k->targets[k->target_next++]);
    if (e) return e;
    if (!clean) return finish_walk(k);
    for (uint32_t i = 0; i < k->target_count; i++) {
        const struct keeper_target *t = &k->targets[i];
        t->partition->row = row_of(t);
        atomic_store(&t->partition->partition.checkpointed, t->end);
    }
    k->walking = false;
    struct checkpoint c = log->checkpoint;
    c.generation++;
    c.clean = true;
    c.start_sequence = j->next_sequence;
    c.start_previous_crc = j->last_crc;
    c.start_file = j->current ? j->current->number : CHECKPOINT_ANY_FILE;
    c.start_offset = j->current ? j->offset : 0;
    return log_checkpoint_write(log, &c);
}
