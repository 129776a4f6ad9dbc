/* A partition from inside. See partition.h. */
#include "log/partition.h"

#include "base/bytes.h"
#include "log/memory.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>

#define STORE_PARTS_MAX 256

struct partition *log_partition_new(struct log *log, struct topic *topic, uint32_t uid, uint32_t index) {
    struct partition *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->log = log;
    p->partition.topic = &topic->topic;
    p->partition.uid = uid;
    p->partition.index = index;
    /* Of a service's input nothing may go before its host says what it can do without, be the service run or not. */
    atomic_init(&p->partition.hold, topic->topic.config.internal && !topic->topic.config.derived ? 0 : UINT64_MAX);
    return p;
}

void log_partition_free(struct partition *p, struct segment_cache *cache) {
    if (!p) return;
    for (uint32_t i = 0; i < p->segment_count; i++)
        log_segment_drop(cache, p->segments[i]);
    free(p->segments);
    log_producer_table_done(&p->producers);
    log_producer_table_done(&p->producers_stored);
    free(p);
}

void log_partition_folder_path(const struct partition *p, struct log_path *ret_path) {
    log_path(p->log, ret_path, "topics/%s/%u", topic_of(p)->folder, p->partition.index);
}

void log_partition_segment_path(const struct partition *p, uint64_t base, struct log_path *ret_path) {
    char name[SEGMENT_NAME_SIZE];
    log_segment_name(base, name);
    log_path(p->log, ret_path, "topics/%s/%u/%s", topic_of(p)->folder, p->partition.index, name);
}

/* ---- the table
 * --------------------------------------------------------------------------------------------------------- */

/* Under the lock, or before start. Takes over the caller's reference. */
static enum weir_error push_segment(struct partition *p, struct segment *s) {
    if (p->segment_count == p->segment_capacity) {
        uint32_t capacity = p->segment_capacity ? p->segment_capacity * 2 : 2;
        struct segment **grown = realloc(p->segments, capacity * sizeof *grown);
        if (!grown) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a table of segments");
        p->segments = grown;
        p->segment_capacity = capacity;
    }
    p->segments[p->segment_count++] = s;
    return WEIR_OK;
}

struct segment *log_partition_segment(struct partition *p, uint32_t i) {
    struct segment *s = NULL;
    spin_lock(&p->lock);
    if (i < p->segment_count) {
        s = p->segments[i];
        segment_keep(s);
    }
    spin_unlock(&p->lock);
    return s;
}

struct segment *log_partition_segment_at(struct partition *p, uint64_t offset, struct segment_mark *ret_mark) {
    struct segment *s = NULL;
    spin_lock(&p->lock);
    uint32_t low = 0, high = p->segment_count;
    while (low < high) { /* first segment that begins beyond offset */
        uint32_t middle = low + (high - low) / 2;
        if (p->segments[middle]->base <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0) {
        s = p->segments[low - 1];
        segment_keep(s);
        *ret_mark = log_segment_find(s, offset);
    }
    spin_unlock(&p->lock);
    return s;
}

struct segment *log_partition_segment_after(struct partition *p, uint64_t offset) {
    struct segment *s = NULL;
    spin_lock(&p->lock);
    for (uint32_t i = p->segment_count; i > 0 && p->segments[i - 1]->base > offset; i--)
        s = p->segments[i - 1];
    if (s) segment_keep(s);
    spin_unlock(&p->lock);
    return s;
}

struct segment *log_partition_take_oldest(struct partition *p) {
    struct segment *s = NULL;
    spin_lock(&p->lock);
    if (p->segment_count > 0) {
        s = p->segments[0];
        memmove(p->segments, p->segments + 1, --p->segment_count * sizeof(struct segment *));
    }
    spin_unlock(&p->lock);
    return s;
}

/* ---- at open
 * ----------------------------------------------------------------------------------------------------------- */

struct listing {
    uint64_t *bases;
    uint32_t count, capacity;
    bool no_memory;
};

static bool list_segment(void *ctx, const char *name, bool is_folder) {
    struct listing *l = ctx;
    uint64_t base = 0;
    if (is_folder || !log_segment_name_parse(name, &base)) return true; /* not ours: leave it alone */
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 16;
        uint64_t *grown = realloc(l->bases, l->capacity * sizeof *grown);
        if (!grown) {
            l->no_memory = true;
            return false;
        }
        l->bases = grown;
    }
    l->bases[l->count++] = base;
    return true;
}

static enum weir_error file_bytes(struct partition *p, uint64_t base, uint64_t *ret_size) {
    struct sys *sys = p->log->sys;
    struct log_path path;
    int file = -1;
    log_partition_segment_path(p, base, &path);
    enum weir_error e = sys->file_open(sys, path.text, SYS_OPEN_READ, &file);
    if (e) return e;
    e = sys->file_size(sys, file, ret_size);
    sys->file_close(sys, file);
    return e;
}

enum weir_error log_partition_cut_file(struct partition *p, uint64_t base, uint64_t size, bool synced) {
    struct sys *sys = p->log->sys;
    struct log_path path;
    int file = -1;
    log_partition_segment_path(p, base, &path);
    if (size == 0) return sys->path_unlink(sys, path.text);
    enum weir_error e = sys->file_open(sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE, &file);
    if (e) return e;
    e = sys->file_truncate(sys, file, size);
    if (!e && synced) e = sys->file_sync(sys, file);
    sys->file_close(sys, file);
    return e;
}

/* How much of a file counts. `next` is the base of the segment that follows, or the row's end. */
static uint64_t bytes_kept(const struct partition_row *row, uint64_t base, uint64_t next) {
    if (row->segment_size == 0 || base > row->segment_base) return 0; /* behind the checkpoint */
    if (base == row->segment_base) return row->segment_size;
    return next > row->start ? UINT64_MAX : 0; /* all of it, unless a retention was cut short */
}

/* One file that was found goes into the table, if it counts. */
static enum weir_error load_segment(struct partition *p, uint64_t base, uint64_t next) {
    uint64_t size = 0, keep = bytes_kept(&p->row, base, next);
    if (keep == 0) return WEIR_OK;
    enum weir_error e = file_bytes(p, base, &size);
    if (e) return e;
    if (keep == UINT64_MAX) keep = size;
    if (size < keep) {
        struct log_path path;
        log_partition_segment_path(p, base, &path);
        return weir_error_context(WEIR_E_CORRUPT, "%s has %llu bytes, but %llu were synced; run: weir log repair %s",
            path.text, (unsigned long long)size, (unsigned long long)keep, p->log->folder);
    }
    struct segment *s = log_segment_new(p, base, keep);
    if (!s) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a segment");
    /* The newest may be longer on the disk than here: this start, or one before it that was killed, cut it, and nobody
     * synced that. Once another segment follows it, its whole size is taken for granted, so it is synced before. */
    s->size_synced = base == p->row.segment_base ? 0 : keep;
    s->entry_synced = true;
    atomic_fetch_add(&p->partition.bytes, keep);
    e = push_segment(p, s);
    if (e) log_segment_drop(&p->log->cache, s);
    return e;
}

static enum weir_error check_found(const struct partition *p) {
    const struct partition_row *row = &p->row;
    if (row->segment_size == 0) return WEIR_OK;
    struct log_path path;
    if (p->segment_count == 0 || p->segments[p->segment_count - 1]->base != row->segment_base) {
        log_partition_segment_path(p, row->segment_base, &path);
        return weir_error_context(
            WEIR_E_CORRUPT, "%s is missing, but was synced; run: weir log repair %s", path.text, p->log->folder);
    }
    if (p->segments[0]->base > row->start) {
        log_partition_folder_path(p, &path);
        return weir_error_context(WEIR_E_CORRUPT,
            "%s: the segment that holds offset %llu is missing; run: weir log repair %s", path.text,
            (unsigned long long)row->start, p->log->folder);
    }
    return WEIR_OK;
}

enum weir_error log_partition_list(struct partition *p, uint64_t **ret_bases, uint32_t *ret_count) {
    struct sys *sys = p->log->sys;
    struct listing l = {0};
    struct log_path path;
    bool exists = false;
    log_partition_folder_path(p, &path);
    enum weir_error e = sys->path_exists(sys, path.text, &exists);
    if (!e && exists) e = sys->dir_list(sys, path.text, list_segment, &l);
    if (!e && l.no_memory) e = weir_error_context(WEIR_E_NO_MEMORY, "no memory to list %s", path.text);
    if (e) {
        free(l.bases);
        return e;
    }
    *ret_bases = l.bases;
    *ret_count = l.count;
    return WEIR_OK;
}

enum weir_error log_partition_load(struct partition *p) {
    uint64_t *bases = NULL;
    uint32_t count = 0;
    enum weir_error e = log_partition_list(p, &bases, &count);
    for (uint32_t i = 0; !e && i < count; i++)
        e = load_segment(p, bases[i], i + 1 < count ? bases[i + 1] : p->row.end);
    free(bases);
    if (!e) e = check_found(p);
    if (e) return e;
    p->folder_synced = p->folder_made = p->segment_count > 0;
    atomic_store(&p->partition.start, p->row.start);
    atomic_store(&p->partition.high, p->row.end);
    atomic_store(&p->partition.checkpointed, p->row.end);
    p->partition.next = p->partition.resumed = p->row.end;
    p->begin_segment = partition_loose(p); /* what it goes on with may stand behind a gap */
    return WEIR_OK;
}

void log_partition_pass_over(struct partition *p) {
    if (!partition_loose(p)) return;
    uint64_t end = (p->row.end + 2 * LOG_LOOSE_AHEAD - 1) / LOG_LOOSE_AHEAD * LOG_LOOSE_AHEAD;
    p->row.end = p->partition.next = p->partition.resumed = end;
    if (p->row.segment_size == 0) p->row.start = end; /* nothing is there */
    atomic_store(&p->partition.start, p->row.start);
    atomic_store(&p->partition.high, end);
    atomic_store(&p->partition.checkpointed, end);
}

enum weir_error log_partition_cut(struct partition *p, uint64_t *discarded) {
    uint64_t *bases = NULL;
    uint32_t count = 0;
    bool removed = false;
    enum weir_error e = log_partition_list(p, &bases, &count);
    for (uint32_t i = 0; !e && i < count; i++) {
        uint64_t base = bases[i], size = 0;
        uint64_t keep = bytes_kept(&p->row, base, i + 1 < count ? bases[i + 1] : p->row.end);
        e = file_bytes(p, base, &size);
        if (e || (size <= keep && keep > 0)) continue;
        if (base >= p->row.segment_base) *discarded += size - keep;
        e = log_partition_cut_file(p, base, keep, false);
        removed = removed || keep == 0;
    }
    free(bases);
    /* A power cut would bring the file back; of a loose partition nobody makes it anew, and it would count. */
    if (e || !removed || !partition_loose(p)) return e;
    struct log_path path;
    log_partition_folder_path(p, &path);
    return p->log->sys->dir_sync(p->log->sys, path.text);
}

/* ---- the store agent's side
 * ---------------------------------------------------------------------------------------------- */

static enum weir_error make_folder(struct partition *p) {
    struct sys *sys = p->log->sys;
    struct log_path path;
    enum weir_error e = WEIR_OK;
    log_path(p->log, &path, "topics/%s", topic_of(p)->folder);
    e = sys->dir_make(sys, path.text);
    log_partition_folder_path(p, &path);
    if (!e) e = sys->dir_make(sys, path.text);
    if (!e) p->folder_made = true;
    return e;
}

struct segment *log_partition_newest(struct partition *p) {
    struct segment *s = NULL;
    spin_lock(&p->lock);
    if (p->segment_count > 0) {
        s = p->segments[p->segment_count - 1];
        segment_keep(s);
    }
    spin_unlock(&p->lock);
    return s;
}

enum weir_error log_partition_add_segment(struct partition *p, struct segment *s) {
    segment_keep(s);
    spin_lock(&p->lock);
    enum weir_error e = push_segment(p, s);
    spin_unlock(&p->lock);
    if (e) log_segment_drop(&p->log->cache, s);
    metric_add(&p->log->store.segments_made, 1);
    return e;
}

/* The segment that takes a batch of `size` bytes at offset `base`, with a reference and its open file pinned. */
static enum weir_error active_segment(
    struct partition *p, uint64_t base, uint64_t size, struct segment **ret_segment, int *ret_file) {
    struct log *log = p->log;
    uint64_t limit = log_topic_setting(&p->partition.topic->config.segment_bytes);
    if (limit == 0) limit = log->options.segment_bytes;
    struct segment *s = log_partition_newest(p);
    /* An empty one is used whatever the batch's size: its first write found no space, and another of its base must not
     * be. */
    if (s && atomic_load(&s->size) > 0 && (p->begin_segment || atomic_load(&s->size) + size > limit)) {
        log_segment_drop(&log->cache, s);
        s = NULL;
    }
    bool fresh = !s;
    if (fresh) {
        enum weir_error e = p->folder_made ? WEIR_OK : make_folder(p);
        if (e) return e;
        s = log_segment_new(p, base, 0);
        if (!s) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a segment");
    }
    enum weir_error e = log_segment_pin(&log->cache, s, fresh, ret_file);
    if (!e && fresh) {
        e = log_partition_add_segment(p, s);
        if (e) log_segment_unpin(&log->cache, s);
    }
    if (!e) p->begin_segment = false;
    if (e)
        log_segment_drop(&log->cache, s);
    else
        *ret_segment = s;
    return e;
}

/* Under the lock: the batches first..last (last excluded) are in the segment from byte `at` on. */
static enum weir_error note_batches(
    struct partition *p, struct segment *s, struct commit_batch *first, const struct commit_batch *last, uint64_t at) {
    enum weir_error e = WEIR_OK;
    for (struct commit_batch *b = first; b != last && !e; b = b->next) {
        log_segment_note(s, load_be64(b->bytes), at);
        at += b->stored.size;
        if (!producer_in(b->bytes)) continue;
        struct weir_record_batch header;
        e = weir_record_batch_parse(weir_slice(b->bytes, b->size), NULL, &header);
        if (!e) e = log_producer_note(&p->producers_stored, &header);
    }
    return e;
}

enum weir_error log_partition_publish(struct partition *p, struct segment *s, struct commit_batch *first,
    struct commit_batch *last, uint64_t bytes, uint64_t end) {
    uint64_t at = atomic_load_explicit(&s->size, memory_order_relaxed);
    spin_lock(&p->lock);
    enum weir_error e = note_batches(p, s, first, last, at);
    p->pending_first = last;
    atomic_store_explicit(&s->size, at + bytes, memory_order_release);
    atomic_fetch_add_explicit(&p->partition.bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&p->partition.high, end, memory_order_release);
    spin_unlock(&p->lock);
    metric_add(&p->log->store.bytes, bytes);
    return e;
}

/* Writes as many chained batches as fit the segment in one call, then publishes them. */
static enum weir_error store_some(struct partition *p, struct segment *s, int file, uint64_t room) {
    struct log *log = p->log;
    struct sys_iovec parts[STORE_PARTS_MAX];
    size_t count = 0;
    uint64_t bytes = 0, batches = 0, at = atomic_load(&s->size);
    uint64_t end = atomic_load_explicit(&p->partition.high, memory_order_relaxed);
    struct commit_batch *b = p->pending_first;
    pack_ahead(&log->store.packer, p, b);
    for (; b && pack_batch(&log->store.packer, p, b) && (bytes == 0 || bytes + b->stored.size <= room); b = b->next) {
        WEIR_ASSERT(load_be64(b->bytes) == end); /* dense, in order: what a reader relies on */
        bool joins = count > 0 && (uint8_t *)parts[count - 1].data + parts[count - 1].size == b->stored.data;
        if (!joins && count == STORE_PARTS_MAX) break;
        if (joins)
            parts[count - 1].size += b->stored.size;
        else
            parts[count++] = (struct sys_iovec){(void *)(uintptr_t)b->stored.data, b->stored.size};
        bytes += b->stored.size;
        end = commit_batch_end(b);
        batches++;
    }
    enum weir_error e = log->sys->file_write(log->sys, file, at, parts, count);
    if (e) return e;
    metric_add(&log->store.batches, batches);
    metric_add(&log->store.writes, 1);
    return log_partition_publish(p, s, p->pending_first, b, bytes, end);
}

enum weir_error log_partition_store(struct partition *p) {
    struct log *log = p->log;
    if (partition_in_memory(p)) return log_memory_store(p);
    while (p->pending_first) {
        if (atomic_load_explicit(&p->deleted, memory_order_acquire)) {
            p->pending_first = NULL;
            return WEIR_OK;
        }
        uint64_t limit = log_topic_setting(&p->partition.topic->config.segment_bytes);
        if (limit == 0) limit = log->options.segment_bytes;
        struct segment *s = NULL;
        int file = -1;
        struct commit_batch *first = p->pending_first;
        enum weir_error e = active_segment(p, load_be64(first->bytes), first->size, &s, &file);
        if (!e) {
            uint64_t size = atomic_load(&s->size);
            e = store_some(p, s, file, limit > size ? limit - size : 0);
            log_segment_unpin(&log->cache, s);
            log_segment_drop(&log->cache, s);
        }
        if (e && !atomic_load_explicit(&p->deleted, memory_order_acquire)) return e;
    }
    return WEIR_OK;
}
