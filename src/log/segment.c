/* One file of a partition, and the bounded set of those that are open. See segment.h. */
#include "log/segment.h"

#include "base/assert.h"
#include "log/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN_FILES_MIN 16u

struct segment *log_segment_new(struct partition *partition, uint64_t base, uint64_t size) {
    struct segment *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->base = base;
    s->partition = partition;
    s->file = -1;
    atomic_init(&s->size, size);
    atomic_init(&s->references, 1);
    return s;
}

struct segment *log_segment_new_in_memory(struct partition *partition, uint64_t base, uint64_t room) {
    void *memory = NULL;
    if (sys_memory_map((size_t)room, &memory)) return NULL;
    struct segment *s = log_segment_new(partition, base, 0);
    if (!s) {
        sys_memory_unmap(memory, (size_t)room);
        return NULL;
    }
    s->memory = memory;
    s->memory_size = room;
    return s;
}

static void unlink_open(struct segment_cache *cache, struct segment *s) {
    if (s->newer) s->newer->older = s->older;
    if (s->older) s->older->newer = s->newer;
    if (cache->newest == s) cache->newest = s->older;
    if (cache->oldest == s) cache->oldest = s->newer;
    s->newer = s->older = NULL;
}

static void link_newest(struct segment_cache *cache, struct segment *s) {
    s->older = cache->newest;
    s->newer = NULL;
    if (cache->newest) cache->newest->newer = s;
    cache->newest = s;
    if (!cache->oldest) cache->oldest = s;
}

void log_segment_drop(struct segment_cache *cache, struct segment *s) {
    if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1) return;
    spin_lock(&cache->lock);
    WEIR_ASSERT(s->pins == 0);
    int file = s->file;
    if (file >= 0) {
        unlink_open(cache, s);
        cache->open_count--;
    }
    spin_unlock(&cache->lock);
    if (file >= 0) cache->sys->file_close(cache->sys, file);
    if (s->memory) sys_memory_unmap(s->memory, (size_t)s->memory_size);
    free(s->marks);
    free(s);
}

/* Under the lock: takes the file of the one that was unused longest out of the set; -1 when there is no need or none.
 */
static int evict(struct segment_cache *cache) {
    if (cache->open_count <= cache->open_max) return -1;
    for (struct segment *s = cache->oldest; s; s = s->newer) {
        if (s->pins > 0) continue;
        int file = s->file;
        unlink_open(cache, s);
        cache->open_count--;
        s->file = -1;
        return file;
    }
    return -1;
}

/* The process has no more file handles: from now on fewer are kept, and some are given back at once. False: none could
 * be. */
static bool give_files_back(struct segment_cache *cache) {
    bool any = false;
    spin_lock(&cache->lock);
    if (cache->open_max > OPEN_FILES_MIN) cache->open_max /= 2;
    if (cache->open_max > cache->open_count && cache->open_count > 0) cache->open_max = cache->open_count - 1;
    spin_unlock(&cache->lock);
    for (;;) {
        spin_lock(&cache->lock);
        int old = evict(cache);
        spin_unlock(&cache->lock);
        if (old < 0) return any;
        cache->sys->file_close(cache->sys, old);
        any = true;
    }
}

static enum weir_error open_file(struct segment_cache *cache, struct segment *s, bool create, int *ret_file) {
    struct log_path path;
    uint32_t flags =
        SYS_OPEN_READ | (cache->read_only ? 0u : SYS_OPEN_WRITE) | (create ? SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE : 0u);
    log_partition_segment_path(s->partition, s->base, &path);
    return cache->sys->file_open(cache->sys, path.text, flags, ret_file);
}

enum weir_error log_segment_read(struct segment_cache *cache, const struct segment *s, int file, uint64_t at,
    void *data, size_t size, size_t *ret_size) {
    if (!s->memory) return cache->sys->file_read(cache->sys, file, at, data, size, ret_size);
    uint64_t end = atomic_load_explicit(&((struct segment *)(uintptr_t)s)->size, memory_order_acquire);
    uint64_t left = at < end ? end - at : 0;
    *ret_size = size < left ? size : (size_t)left;
    memcpy(data, s->memory + at, *ret_size);
    return WEIR_OK;
}

enum weir_error log_segment_pin(struct segment_cache *cache, struct segment *s, bool create, int *ret_file) {
    WEIR_ASSERT(!s->memory);
    int opened = -1, surplus = -1, old = -1;
    for (;;) {
        spin_lock(&cache->lock);
        if (s->file < 0 && opened < 0) {
            spin_unlock(&cache->lock);
            enum weir_error e = open_file(cache, s, create, &opened); /* a system call: not under the lock */
            if (e == WEIR_E_FULL && give_files_back(cache)) continue;
            if (e) return e;
            continue;
        }
        if (s->file >= 0) {
            surplus = opened; /* another thread was faster, or it was open all along */
            unlink_open(cache, s);
        } else {
            s->file = opened;
            cache->open_count++;
        }
        link_newest(cache, s);
        s->pins++;
        *ret_file = s->file;
        old = evict(cache);
        spin_unlock(&cache->lock);
        if (surplus >= 0) cache->sys->file_close(cache->sys, surplus);
        if (old >= 0) cache->sys->file_close(cache->sys, old);
        return WEIR_OK;
    }
}

void log_segment_unpin(struct segment_cache *cache, struct segment *s) {
    spin_lock(&cache->lock);
    WEIR_ASSERT(s->pins > 0);
    s->pins--;
    spin_unlock(&cache->lock);
}

void log_segment_cache_done(struct segment_cache *cache) {
    while (cache->oldest) {
        struct segment *s = cache->oldest;
        WEIR_ASSERT(s->pins == 0);
        unlink_open(cache, s);
        cache->sys->file_close(cache->sys, s->file);
        s->file = -1;
    }
    cache->open_count = 0;
}

/* Index of the first mark beyond offset. */
static uint32_t mark_after(const struct segment *s, uint64_t offset) {
    uint32_t low = 0, high = s->mark_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->marks[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void log_segment_note(struct segment *s, uint64_t offset, uint64_t byte) {
    uint32_t at = mark_after(s, offset);
    uint64_t before = at > 0 ? s->marks[at - 1].byte : 0;
    if (byte < before + SEGMENT_MARK_BYTES) return;
    if (at < s->mark_count && s->marks[at].byte < byte + SEGMENT_MARK_BYTES) return;
    if (s->mark_count == s->mark_capacity) {
        uint32_t capacity = s->mark_capacity ? s->mark_capacity * 2 : 16;
        struct segment_mark *grown = realloc(s->marks, capacity * sizeof *grown);
        if (!grown) return; /* a cache: absent marks only cost time */
        s->marks = grown;
        s->mark_capacity = capacity;
    }
    memmove(&s->marks[at + 1], &s->marks[at], (s->mark_count - at) * sizeof *s->marks);
    s->marks[at] = (struct segment_mark){offset, byte};
    s->mark_count++;
}

struct segment_mark log_segment_find(const struct segment *s, uint64_t offset) {
    uint32_t at = mark_after(s, offset);
    return at > 0 ? s->marks[at - 1] : (struct segment_mark){s->base, 0};
}

void log_segment_name(uint64_t base, char name[SEGMENT_NAME_SIZE]) {
    snprintf(name, SEGMENT_NAME_SIZE, "%020" PRIu64 ".log", base);
}

bool log_segment_name_parse(const char *name, uint64_t *ret_base) {
    if (strlen(name) != SEGMENT_NAME_SIZE - 1 || strcmp(name + 20, ".log") != 0) return false;
    uint64_t base = 0;
    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9' || base > (UINT64_MAX - 9) / 10) return false;
        base = base * 10 + (uint64_t)(name[i] - '0');
    }
    *ret_base = base;
    return true;
}
