/* Topics in memory: made, found, deleted. See topic.h and log.h. */
#include "log/topic.h"

#include "log/catalogue.h"
#include "log/memory.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>

enum weir_error log_topic_new(struct log *log, const char *name, const char *folder,
    const struct log_topic_config *config, uint32_t partitions, struct topic **ret_topic) {
    struct topic *t = calloc(1, sizeof *t);
    if (!t) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for topic %s", name);
    t->log = log;
    snprintf(t->topic.name, sizeof t->topic.name, "%s", name);
    snprintf(t->folder, sizeof t->folder, "%s", folder);
    t->topic.config = *config;
    struct log_partition **partition_list = calloc(partitions ? partitions : 1, sizeof(struct log_partition *));
    t->topic.partitions = partition_list;
    bool whole = partition_list != NULL;
    for (uint32_t i = 0; whole && i < partitions; i++) {
        struct partition *p = log_partition_new(log, t, 0, i);
        whole = p != NULL;
        if (!p) break;
        partition_list[i] = &p->partition;
        t->topic.partition_count = i + 1;
    }
    if (!whole) {
        log_topic_free(t, &log->cache);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for topic %s with %u partitions", name, partitions);
    }
    *ret_topic = t;
    return WEIR_OK;
}

void log_topic_free(struct topic *t, struct segment_cache *cache) {
    if (!t) return;
    for (uint32_t i = 0; i < t->topic.partition_count; i++)
        log_partition_free(partition_of(t->topic.partitions[i]), cache);
    free(t->topic.partitions);
    while (t->outgrown) {
        struct outgrown *next = t->outgrown->next;
        free(t->outgrown->partitions);
        free(t->outgrown);
        t->outgrown = next;
    }
    free(t);
}

/* ---- slots
 * ------------------------------------------------------------------------------------------------------------- */

static void publish_partition(struct log *log, struct partition *p) {
    uint32_t count = atomic_load(&log->partition_count), slot = 0;
    while (slot < count && atomic_load(&log->partitions[slot]))
        slot++;
    atomic_store_explicit(&log->partitions[slot], p, memory_order_release);
    if (slot == count) atomic_store_explicit(&log->partition_count, count + 1, memory_order_release);
}

static uint32_t live_partitions(struct log *log) {
    uint32_t slots = atomic_load(&log->topic_count), live = 0;
    for (uint32_t i = 0; i < slots; i++) {
        struct topic *t = atomic_load(&log->topics[i]);
        if (t) live += t->topic.partition_count;
    }
    return live;
}

static uint32_t free_slot(struct log *log) {
    uint32_t count = atomic_load(&log->topic_count), slot = 0;
    while (slot < count && atomic_load(&log->topics[slot]))
        slot++;
    return slot;
}

static enum weir_error check_room(struct log *log, const char *name, uint32_t partitions) {
    uint32_t live = live_partitions(log), max = log->options.partitions_max;
    if (partitions <= max - live && free_slot(log) < max) return WEIR_OK;
    return weir_error_context(
        WEIR_E_FULL, "topic %s with %u partitions: %u of %u partitions are in use", name, partitions, live, max);
}

/* Of every memory topic that is there. */
static void count_memory(struct log *log) {
    uint32_t slots = atomic_load(&log->topic_count);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < slots; i++) {
        const struct topic *t = atomic_load(&log->topics[i]);
        if (t) bytes += log_memory_needed(&t->topic.config, t->topic.partition_count);
    }
    metric_set(&log->memory_reserved, bytes);
}

enum weir_error log_topic_publish(struct log *log, struct topic *t) {
    uint32_t count = atomic_load(&log->topic_count), slot = free_slot(log);
    enum weir_error e = check_room(log, t->topic.name, t->topic.partition_count);
    if (e) {
        log_topic_free(t, &log->cache);
        return e;
    }
    for (uint32_t i = 0; i < t->topic.partition_count; i++)
        publish_partition(log, partition_of(t->topic.partitions[i]));
    atomic_store_explicit(&log->topics[slot], t, memory_order_release);
    if (slot == count) atomic_store_explicit(&log->topic_count, count + 1, memory_order_release);
    count_memory(log);
    return WEIR_OK;
}

struct log_topic *log_topic_find(struct log *log, const char *name) {
    uint32_t count = log_topic_count(log);
    for (uint32_t i = 0; i < count; i++) {
        struct topic *t = atomic_load_explicit(&log->topics[i], memory_order_acquire);
        if (t && strcmp(t->topic.name, name) == 0) return &t->topic;
    }
    return NULL;
}

uint32_t log_topic_count(const struct log *log) {
    return atomic_load_explicit(&((struct log *)(uintptr_t)log)->topic_count, memory_order_acquire);
}

struct log_topic *log_topic_at(struct log *log, uint32_t i) {
    if (i >= log_topic_count(log)) return NULL;
    struct topic *t = atomic_load_explicit(&log->topics[i], memory_order_acquire);
    return t ? &t->topic : NULL;
}

/* ---- create
 * ------------------------------------------------------------------------------------------------------------ */

static enum weir_error check_memory(const char *name, const struct log_topic_config *config) {
    if (config->retention_ms > 0)
        return weir_error_context(
            WEIR_E_INVALID, "topic %s: a memory topic is bounded by retention in bytes, not by age", name);
    if (config->retention_bytes > 0 && config->retention_bytes < LOG_MEMORY_BYTES_MIN)
        return weir_error_context(
            WEIR_E_INVALID, "topic %s: a memory topic has at least %u bytes per partition", name, LOG_MEMORY_BYTES_MIN);
    return WEIR_OK;
}

static enum weir_error check_memory_left(
    const struct log *log, const char *name, uint32_t partitions, const struct log_topic_config *config) {
    uint64_t used = metric_get(&log->memory_reserved), max = log->options.memory_bytes_max;
    uint64_t most = config->durability == LOG_MEMORY ? log_memory_needed(config, 1) : 0;
    if (most == 0 || (most <= max && log_memory_needed(config, partitions) / partitions == most &&
                         log_memory_needed(config, partitions) <= (max > used ? max - used : 0)))
        return WEIR_OK;
    return weir_error_context(WEIR_E_FULL,
        "topic %s: %u partitions of %llu bytes in memory; %llu of %llu bytes are taken by memory topics", name,
        partitions, (unsigned long long)most, (unsigned long long)used, (unsigned long long)max);
}

static enum weir_error check_config(const char *name, uint32_t partitions, const struct log_topic_config *config) {
    if (!log_catalogue_name_valid(name))
        return weir_error_context(WEIR_E_INVALID,
            "topic name '%.140s': 1 to %d letters, digits, '.', '_' or '-' are needed, and not \".\" or \"..\"", name,
            LOG_TOPIC_NAME_MAX);
    if (partitions == 0) return weir_error_context(WEIR_E_INVALID, "topic %s: at least one partition is needed", name);
    if (config->durability >= LOG_DURABILITIES)
        return weir_error_context(
            WEIR_E_INVALID, "topic %s: durability %d is none of durable, lazy, memory", name, (int)config->durability);
    if (config->compression >= LOG_COMPRESSIONS)
        return weir_error_context(WEIR_E_INVALID, "topic %s: compression %d is none of producer, none, lz4, zstd", name,
            (int)config->compression);
    if (config->internal && !config->derived && config->compression != LOG_COMPRESSION_PRODUCER)
        return weir_error_context(WEIR_E_INVALID, "topic %s: a service's input is not compressed: folds read it", name);
    if (config->derived && config->durability == LOG_LAZY)
        return weir_error_context(WEIR_E_INVALID,
            "topic %s: an output is derived again from its inputs and costs no sync as it is; lazy has no meaning for "
            "it",
            name);
    return config->durability == LOG_MEMORY ? check_memory(name, config) : WEIR_OK;
}

/* Before start the file is written later, by the journal agent. A new folder without FORMAT counts as empty, whatever
 * else is in it: what is made before the agent came to it makes the folder ready here. */
static enum weir_error make_durable(struct log *log) {
    log->catalogue_dirty = true;
    if (!log->started) return WEIR_OK;
    return log->fresh ? log_settle_held(log) : log_catalogue_save(log);
}

static void forget(struct log *log, struct topic *t) {
    uint32_t topics = atomic_load(&log->topic_count), partitions = atomic_load(&log->partition_count);
    for (uint32_t i = 0; i < topics; i++) {
        if (atomic_load(&log->topics[i]) == t) atomic_store(&log->topics[i], NULL);
    }
    for (uint32_t i = 0; i < partitions; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p && topic_of(p) == t) atomic_store(&log->partitions[i], NULL);
    }
}

/* The memory stays until close: lanes, readers and agents may hold pointers to it. */
static enum weir_error remember_deleted(struct log *log, struct topic *t) {
    if (log->deleted_count == log->deleted_capacity) {
        uint32_t capacity = log->deleted_capacity ? log->deleted_capacity * 2 : 16;
        struct topic **grown = realloc(log->deleted, capacity * sizeof *grown);
        if (!grown) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to delete topic %s", t->topic.name);
        log->deleted = grown;
        log->deleted_capacity = capacity;
    }
    log->deleted[log->deleted_count++] = t;
    return WEIR_OK;
}

/* Of a topic that was deleted in this process: the store agent may still be writing there. */
static bool folder_was_used(const struct log *log, const char *folder) {
    for (uint32_t i = 0; i < log->deleted_count; i++)
        if (strcmp(log->deleted[i]->folder, folder) == 0) return true;
    return false;
}

/* A name that was used before gets another folder: what the old one left behind, or a late write brings back, can't be
 * taken for the new one's. */
static enum weir_error choose_folder(struct log *log, const char *name, char folder[LOG_TOPIC_NAME_MAX + 16]) {
    struct log_path path;
    bool exists = false;
    log_path(log, &path, "topics/%s", name);
    enum weir_error e = log->sys->path_exists(log->sys, path.text, &exists);
    /* Its removal may be of a life that was killed before that was durable: a power cut would bring it back. */
    log_path(log, &path, "topics");
    if (!e && !exists && !log->fresh) e = log->sys->dir_sync(log->sys, path.text);
    if (e) return e;
    if (exists || folder_was_used(log, name))
        snprintf(folder, LOG_TOPIC_NAME_MAX + 16, "%s~%u", name, log->next_uid);
    else
        snprintf(folder, LOG_TOPIC_NAME_MAX + 16, "%s", name);
    return WEIR_OK;
}

static enum weir_error create(struct log *log, const char *name, uint32_t partitions,
    const struct log_topic_config *config, struct log_topic **ret_topic) {
    char folder[LOG_TOPIC_NAME_MAX + 16];
    struct topic *t = NULL;
    struct log_topic *there = log_topic_find(log, name);
    if (there) {
        *ret_topic = there;
        return WEIR_E_EXISTS;
    }
    if (partitions > log->options.partitions_max || log->next_uid > UINT32_MAX - partitions)
        return weir_error_context(WEIR_E_FULL, "topic %s: %u partitions; at most %u are possible in all", name,
            partitions, log->options.partitions_max);
    enum weir_error e = check_room(log, name, partitions);
    if (!e) e = check_memory_left(log, name, partitions, config);
    if (!e) e = choose_folder(log, name, folder);
    if (!e) e = log_topic_new(log, name, folder, config, partitions, &t);
    if (e) return e;
    for (uint32_t i = 0; i < partitions; i++)
        t->topic.partitions[i]->uid = log->next_uid + i;
    log->next_uid += partitions;
    /* Durable first: a lane that found it might append, and the journal would name a partition that never was. */
    log->coming = t;
    e = make_durable(log);
    log->coming = NULL;
    if (e) {
        log_topic_free(t, &log->cache);
        return e;
    }
    e = log_topic_publish(log, t); /* there is room */
    if (!e) *ret_topic = &t->topic;
    return e;
}

#define CONTROL_PAUSE_NS 50000u /* a fraction of the disk write that is waited for */

void log_control_take(struct log *log) {
    while (atomic_exchange_explicit(&log->control, true, memory_order_acquire))
        log->sys->pause(log->sys, CONTROL_PAUSE_NS);
}

void log_control_give(struct log *log) {
    atomic_store_explicit(&log->control, false, memory_order_release);
}

enum weir_error log_topic_create(struct log *log, const char *name, uint32_t partitions,
    const struct log_topic_config *config, struct log_topic **ret_topic) {
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    enum weir_error e = check_config(name, partitions, config);
    if (e) return e;
    struct log_topic_config whole = *config;
    if (whole.durability == LOG_MEMORY && whole.retention_bytes == 0) whole.retention_bytes = LOG_MEMORY_BYTES_DEFAULT;
    log_control_take(log);
    e = create(log, name, partitions, &whole, ret_topic);
    log_control_give(log);
    return e;
}

/* ---- change
 * ------------------------------------------------------------------------------------------------------------ */

/* The catalogue could not be replaced. Which of the two is on the disk is not known, but when there was no room for
 * another; so the one that counts is put there again, or nothing is acknowledged any more: what is appended to a topic
 * that the next start does not know is lost. */
static enum weir_error stay_as_it_was(struct log *log, enum weir_error e) {
    char reason[512];
    snprintf(reason, sizeof reason, "%s", weir_error_text());
    if (e != WEIR_E_NO_SPACE && make_durable(log)) log_fail(log, "the catalogue can't be written");
    return weir_error_context(e, "%s", reason);
}

static enum weir_error save_change(struct log *log, const struct topic_change *change) {
    log->change = change;
    enum weir_error e = make_durable(log);
    log->change = NULL;
    return e ? stay_as_it_was(log, e) : WEIR_OK;
}

static void set(uint64_t *number, uint64_t value) {
    atomic_store_explicit((_Atomic uint64_t *)(void *)number, value, memory_order_relaxed);
}

static enum weir_error alter(struct log *log, struct topic *t, const struct log_topic_config *config) {
    struct log_topic_config *now = &t->topic.config;
    bool same_kind = config->durability == now->durability && config->compression == now->compression &&
                     config->derived == now->derived && config->internal == now->internal;
    if (!same_kind)
        return weir_error_context(WEIR_E_INVALID,
            "topic %s: only retention and segment size can be changed; the rest is fixed when it is made",
            t->topic.name);
    if (now->durability == LOG_MEMORY)
        return weir_error_context(
            WEIR_E_INVALID, "topic %s: a memory topic keeps the room that it was made with", t->topic.name);
    struct topic_change change = {t, *config, t->topic.partitions, t->topic.partition_count};
    enum weir_error e = save_change(log, &change);
    if (e) return e;
    set(&now->retention_bytes, config->retention_bytes);
    set(&now->retention_ms, config->retention_ms);
    set(&now->segment_bytes, config->segment_bytes);
    return WEIR_OK;
}

/* The list of partitions with new ones behind; the old list stays until close, others may read it. */
static enum weir_error make_more(
    struct log *log, struct topic *t, uint32_t partitions, struct outgrown **ret_old, struct log_partition ***ret_new) {
    uint32_t count = t->topic.partition_count, made = count;
    struct outgrown *old = malloc(sizeof *old);
    struct log_partition **list = calloc(partitions, sizeof(struct log_partition *));
    for (uint32_t i = 0; list && i < count; i++)
        list[i] = t->topic.partitions[i];
    while (old && list && made < partitions) {
        struct partition *p = log_partition_new(log, t, log->next_uid + (made - count), made);
        if (!p) break;
        list[made++] = &p->partition;
    }
    if (old && list && made == partitions) {
        *ret_old = old;
        *ret_new = list;
        return WEIR_OK;
    }
    while (made > count)
        log_partition_free(partition_of(list[--made]), &log->cache);
    free(list);
    free(old);
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory for topic %s with %u partitions", t->topic.name, partitions);
}

static enum weir_error grow(struct log *log, struct topic *t, uint32_t partitions) {
    uint32_t count = t->topic.partition_count;
    struct outgrown *old = NULL;
    struct log_partition **list = NULL;
    if (partitions <= count)
        return weir_error_context(
            WEIR_E_INVALID, "topic %s has %u partitions already; they only become more", t->topic.name, count);
    uint32_t more = partitions - count;
    if (more > log->options.partitions_max || log->next_uid > UINT32_MAX - more)
        return weir_error_context(WEIR_E_FULL, "topic %s: %u partitions; at most %u are possible in all", t->topic.name,
            partitions, log->options.partitions_max);
    enum weir_error e = check_room(log, t->topic.name, more);
    if (!e) e = check_memory_left(log, t->topic.name, more, &t->topic.config);
    if (!e) e = make_more(log, t, partitions, &old, &list);
    if (e) return e;
    log->next_uid += more; /* not given again, whatever comes of it */
    struct topic_change change = {t, t->topic.config, list, partitions};
    e = save_change(log, &change);
    if (e) {
        for (uint32_t i = count; i < partitions; i++)
            log_partition_free(partition_of(list[i]), &log->cache);
        free(list);
        free(old);
        return e;
    }
    /* Durable first: a lane that found one might append, and the journal would name a partition that never was. */
    for (uint32_t i = count; i < partitions; i++)
        publish_partition(log, partition_of(list[i]));
    *old = (struct outgrown){t->outgrown, t->topic.partitions};
    t->outgrown = old;
    t->topic.partitions = list;
    t->topic.partition_count = partitions;
    count_memory(log);
    return WEIR_OK;
}

enum weir_error log_topic_alter(struct log *log, const char *name, const struct log_topic_config *config) {
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    log_control_take(log);
    struct log_topic *topic = log_topic_find(log, name);
    enum weir_error e = topic ? alter(log, (struct topic *)topic, config)
                              : weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s", name);
    log_control_give(log);
    return e;
}

enum weir_error log_topic_grow(struct log *log, const char *name, uint32_t partitions) {
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    log_control_take(log);
    struct log_topic *topic = log_topic_find(log, name);
    enum weir_error e = topic ? grow(log, (struct topic *)topic, partitions)
                              : weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s", name);
    log_control_give(log);
    return e;
}

/* ---- delete
 * ------------------------------------------------------------------------------------------------------------ */

struct removal {
    struct log *log;
    const char *folder;
    enum weir_error error;
};

static bool remove_file(void *ctx, const char *name, bool is_folder) {
    struct removal *r = ctx;
    struct log_path path;
    log_path(r->log, &path, "topics/%s/%s", r->folder, name);
    if (!is_folder) {
        r->error = r->log->sys->path_unlink(r->log->sys, path.text);
        return r->error == WEIR_OK;
    }
    struct removal inner = {r->log, path.text + strlen(r->log->folder) + strlen("/topics/"), WEIR_OK};
    enum weir_error e = r->log->sys->dir_list(r->log->sys, path.text, remove_file, &inner);
    if (!e) e = inner.error;
    if (!e) e = r->log->sys->dir_remove(r->log->sys, path.text);
    r->error = e;
    return e == WEIR_OK;
}

enum weir_error log_topic_remove_folder(struct log *log, const char *folder) {
    struct removal r = {log, folder, WEIR_OK};
    struct log_path path;
    bool exists = false;
    log_path(log, &path, "topics/%s", folder);
    enum weir_error e = log->sys->path_exists(log->sys, path.text, &exists);
    if (e || !exists) return e;
    e = log->sys->dir_list(log->sys, path.text, remove_file, &r);
    if (!e) e = r.error;
    return e ? e : log->sys->dir_remove(log->sys, path.text);
}

static enum weir_error remove_topic(struct log *log, struct topic *t) {
    enum weir_error e = remember_deleted(log, t);
    if (e) return e;
    /* Durable first: forgotten, it would be in no checkpoint, and a start that finds it in the catalogue would take it
     * for empty and cut its segments. */
    log->leaving = t;
    e = make_durable(log);
    log->leaving = NULL;
    if (e) {
        log->deleted_count--;
        return stay_as_it_was(log, e);
    }
    forget(log, t);
    count_memory(log);
    for (uint32_t i = 0; i < t->topic.partition_count; i++) {
        struct partition *p = partition_of(t->topic.partitions[i]);
        struct segment *s;
        atomic_store_explicit(&p->deleted, true, memory_order_release);
        while ((s = log_partition_take_oldest(p)))
            log_segment_drop(&log->cache, s);
    }
    /* What a late write of the store agent brings back is swept at the next start. */
    enum weir_error ignored = log_topic_remove_folder(log, t->folder);
    (void)ignored;
    weir_error_clear();
    return WEIR_OK;
}

enum weir_error log_topic_delete(struct log *log, const char *name) {
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    log_control_take(log);
    struct log_topic *topic = log_topic_find(log, name);
    enum weir_error e = topic ? remove_topic(log, (struct topic *)topic)
                              : weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s", name);
    log_control_give(log);
    return e;
}

void log_topic_free_all(struct log *log) {
    uint32_t count = atomic_load(&log->topic_count);
    for (uint32_t i = 0; log->topics && i < count; i++)
        log_topic_free(atomic_load(&log->topics[i]), &log->cache);
    for (uint32_t i = 0; i < log->deleted_count; i++)
        log_topic_free(log->deleted[i], &log->cache);
    free(log->deleted);
}

/* ---- producer ids
 * ------------------------------------------------------------------------------------------------------- */

enum weir_error log_producer_id_new(struct log *log, uint64_t *ret_id) {
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    enum weir_error e = WEIR_OK;
    log_control_take(log);
    if (log->next_producer_id == log->producer_id_end) { /* one write per block; a restart skips what is left of it */
        log->producer_id_end += PRODUCER_ID_BLOCK;
        e = make_durable(log);
        if (e) log->producer_id_end -= PRODUCER_ID_BLOCK;
    }
    if (!e) *ret_id = log->next_producer_id++;
    log_control_give(log);
    return e;
}
