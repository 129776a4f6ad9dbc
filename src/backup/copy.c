/* One backup: snapshots, a cut of the log, its segments, the manifest. See backup.h. */
#include "backup/backup.h"

#include "backup/identity.h"
#include "base/civil.h"
#include "base/encode.h"
#include "log/cut.h"

#include <stdio.h>

#define CUTS_MAX     5u  /* of a log whose topics are deleted all the time */
#define LISTS_MAX    5u  /* of a folder whose snapshots are replaced all the time */
#define EXTENTS_KEPT 32u /* small pieces of a file beyond what its size asks for; then it is copied anew */
#define PACE_NS      (100 * SYS_NANOS_PER_MS)

struct copy {
    const struct backup_job *job;
    struct backup_result *result;
    struct manifest parent, made;
    bool has_parent;
    uint8_t *buffer; /* MANIFEST_OBJECT_MAX */
    uint64_t begin_ns, read_bytes;
    enum weir_error error; /* within a listing */
    const char *below;
};

/* ---- pieces ---- */

/* Waits until what was read so far is no more than the rate allows. */
static enum weir_error pace(struct copy *c) {
    struct sys *sys = c->job->sys;
    uint64_t rate = c->job->bytes_per_second;
    for (;;) {
        if (c->job->stop && atomic_load_explicit(c->job->stop, memory_order_relaxed))
            return weir_error_context(WEIR_E_CLOSED, "the backup was stopped; the next one goes on from here");
        uint64_t elapsed = sys->mono_ns(sys) - c->begin_ns;
        if (rate == 0 || (double)c->read_bytes <= (double)elapsed / 1e9 * (double)rate) return WEIR_OK;
        sys->pause(sys, PACE_NS);
    }
}

static enum weir_error read_piece(struct copy *c, int file, const char *path, uint64_t at, size_t size) {
    size_t got = 0;
    enum weir_error e = pace(c);
    if (!e) e = c->job->sys->file_read(c->job->sys, file, at, c->buffer, size, &got);
    if (!e && got < size)
        e = weir_error_context(WEIR_E_CORRUPT, "%s/%s has %llu bytes, and %llu were stored; run: weir log verify",
            c->job->folder, path, (unsigned long long)(at + got), (unsigned long long)(at + size));
    c->read_bytes += size;
    return e;
}

static enum weir_error send(struct copy *c, struct weir_slice bytes, struct manifest_object *ret_object) {
    char key[OBJECT_KEY_MAX + 1];
    bool exists = false;
    ret_object->bytes = (uint32_t)bytes.size;
    object_digest(&bytes, 1, ret_object->digest);
    backup_object_key(c->made.node, ret_object->digest, key);
    enum weir_error e = c->job->store->exists(c->job->store, key, &exists);
    if (e || exists) return e;
    e = c->job->store->put(c->job->store, key, bytes);
    if (e) return e;
    c->result->objects_new++;
    c->result->bytes_new += bytes.size;
    return WEIR_OK;
}

static enum weir_error push(struct copy *c, struct manifest_file *f, struct manifest_object object) {
    if (!manifest_objects_push(&c->made.objects, object))
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a manifest");
    f->count++;
    f->bytes += object.bytes;
    return WEIR_OK;
}

/* Bytes at..end of an open file as pieces whose borders are multiples of the largest piece, so that a backup that was
 * interrupted finds them again. */
static enum weir_error send_range(struct copy *c, int file, struct manifest_file *f, uint64_t at, uint64_t end) {
    enum weir_error e = WEIR_OK;
    while (!e && at < end) {
        uint64_t to = (at / MANIFEST_OBJECT_MAX + 1) * MANIFEST_OBJECT_MAX;
        if (to > end) to = end;
        struct manifest_object object;
        e = read_piece(c, file, f->path, at, (size_t)(to - at));
        if (!e) e = send(c, weir_slice(c->buffer, (size_t)(to - at)), &object);
        if (!e) e = push(c, f, object);
        at = to;
    }
    return e;
}

/* What the backup before holds of the file is taken over when it is a beginning of it: as long as the file, or ending
 * with the bytes that stand there. *ret_bytes: so much of the file is covered. */
static enum weir_error take_over(
    struct copy *c, int file, struct manifest_file *f, uint64_t bytes, uint64_t *ret_bytes) {
    const struct manifest_file *old = c->has_parent ? manifest_file_find(&c->parent, f->path) : NULL;
    *ret_bytes = 0;
    if (c->job->full || !old || old->count == 0 || old->bytes > bytes) return WEIR_OK;
    const struct manifest_object *objects = c->parent.objects.data + old->first, *last = &objects[old->count - 1];
    if (old->bytes < bytes) {
        uint8_t digest[OBJECT_DIGEST_SIZE];
        enum weir_error e = read_piece(c, file, f->path, old->bytes - last->bytes, last->bytes);
        if (e) return e;
        struct weir_slice piece = weir_slice(c->buffer, last->bytes);
        object_digest(&piece, 1, digest);
        bool same = memcmp(digest, last->digest, sizeof digest) == 0;
        if (!same || old->count > old->bytes / MANIFEST_OBJECT_MAX + EXTENTS_KEPT) return WEIR_OK;
    }
    for (size_t i = 0; i < old->count; i++) {
        enum weir_error e = push(c, f, objects[i]);
        if (e) return e;
    }
    *ret_bytes = old->bytes;
    return WEIR_OK;
}

/* The first `bytes` of a file below the data folder; UINT64_MAX: all of it, and nothing is taken over. */
static enum weir_error copy_file(struct copy *c, const char *path, uint64_t bytes) {
    struct sys *sys = c->job->sys;
    char full[BACKUP_PATH_MAX];
    int file = -1;
    uint64_t covered = 0;
    snprintf(full, sizeof full, "%s/%s", c->job->folder, path);
    enum weir_error e = sys->file_open(sys, full, SYS_OPEN_READ, &file);
    if (e) return e;
    struct manifest_file *f = manifest_file_add(&c->made, path);
    if (!f) e = weir_error_context(WEIR_E_NO_MEMORY, "no memory for a manifest");
    if (!e && bytes == UINT64_MAX)
        e = sys->file_size(sys, file, &bytes);
    else if (!e)
        e = take_over(c, file, f, bytes, &covered);
    if (!e) e = send_range(c, file, f, covered, bytes);
    sys->file_close(sys, file);
    return e;
}

/* ---- snapshots ---- */

static enum weir_error list_snapshots(struct copy *c, const char *below);

static bool copy_snapshot(void *ctx, const char *name, bool is_folder) {
    struct copy *c = ctx;
    const char *below = c->below;
    size_t size = strlen(name);
    char path[MANIFEST_PATH_MAX];
    if (!is_folder && (size < 5 || strcmp(name + size - 5, ".snap") != 0)) return true;
    snprintf(path, sizeof path, "%s/%s", below, name);
    c->error = is_folder ? list_snapshots(c, path) : copy_file(c, path, UINT64_MAX);
    c->below = below;
    return c->error == WEIR_OK;
}

/* Of a folder whose snapshots are replaced by newer ones while they are copied, what is there then: a partition whose
 * snapshots were all missed could not be started. */
static enum weir_error list_snapshots(struct copy *c, const char *below) {
    char full[BACKUP_PATH_MAX];
    size_t files = c->made.files.count, objects = c->made.objects.count;
    enum weir_error e = WEIR_E_NOT_FOUND;
    snprintf(full, sizeof full, "%s/%s", c->job->folder, below);
    for (uint32_t i = 0; e == WEIR_E_NOT_FOUND && i < LISTS_MAX; i++) {
        c->made.files.count = files;
        c->made.objects.count = objects;
        c->below = below;
        c->error = WEIR_OK;
        e = c->job->sys->dir_list(c->job->sys, full, copy_snapshot, c);
        if (!e) e = c->error;
    }
    return e;
}

static enum weir_error copy_all_snapshots(struct copy *c) {
    char full[BACKUP_PATH_MAX];
    bool exists = false;
    snprintf(full, sizeof full, "%s/snapshots", c->job->folder);
    enum weir_error e = c->job->sys->path_exists(c->job->sys, full, &exists);
    return !e && exists ? list_snapshots(c, "snapshots") : e;
}

/* ---- the log ---- */

static enum weir_error copy_catalogue(struct copy *c, struct weir_slice bytes) {
    struct manifest_file *f = manifest_file_add(&c->made, "catalogue");
    if (!f) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a manifest");
    enum weir_error e = WEIR_OK;
    for (size_t at = 0; !e && at < bytes.size; at += MANIFEST_OBJECT_MAX) {
        size_t size = bytes.size - at < MANIFEST_OBJECT_MAX ? bytes.size - at : MANIFEST_OBJECT_MAX;
        struct manifest_object object;
        e = send(c, weir_slice(bytes.data + at, size), &object);
        if (!e) e = push(c, f, object);
    }
    return e;
}

static enum weir_error copy_partition(struct copy *c, const struct log_cut_partition *p) {
    const struct log_topic *topic = p->partition->topic;
    struct manifest_partition row = {arena_strdup(&c->made.arena, topic->name), p->partition->index, p->partition->uid,
        topic->config.derived, p->start, p->end};
    if (!row.topic || !manifest_partitions_push(&c->made.partitions, row))
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a manifest");
    enum weir_error e = WEIR_OK;
    for (size_t i = 0; !e && i < p->segments.count; i++) {
        char path[LOG_CUT_PATH_MAX];
        log_cut_path(p, p->segments.data[i].base, path);
        e = copy_file(c, path, p->segments.data[i].bytes);
        if (e == WEIR_E_NOT_FOUND && atomic_load(&p->partition->start) > p->start)
            e = weir_error_context(WEIR_E_AGAIN,
                "retention took %s before it was copied, as it does when the disk is short of space; make space", path);
    }
    return e;
}

static enum weir_error copy_cut(struct copy *c, const struct log_cut *cut) {
    c->made.sequence = cut->sequence;
    c->made.epoch = cut->epoch;
    enum weir_error e = copy_catalogue(c, cut->catalogue);
    for (size_t i = 0; !e && i < cut->partitions.count; i++)
        e = copy_partition(c, &cut->partitions.data[i]);
    enum weir_error whole = log_cut_whole(cut);
    return whole ? whole : e;
}

/* Snapshots first: what one counts on was durable before the cut. */
static enum weir_error copy_once(struct copy *c) {
    struct log_cut cut = {0};
    enum weir_error e = copy_all_snapshots(c);
    if (e) return e;
    c->made.cut_ms = c->job->sys->wall_ns(c->job->sys) / SYS_NANOS_PER_MS;
    e = log_cut_open(c->job->log, &cut);
    if (!e) e = copy_cut(c, &cut);
    log_cut_close(&cut);
    return e;
}

static enum weir_error copy_all(struct copy *c) {
    enum weir_error e = WEIR_E_AGAIN;
    log_keep_all(c->job->log, true);
    for (uint32_t i = 0; e == WEIR_E_AGAIN && i < CUTS_MAX; i++) {
        c->made.files.count = c->made.objects.count = c->made.partitions.count = 0;
        e = copy_once(c);
    }
    log_keep_all(c->job->log, false);
    return e;
}

/* ---- the manifest ---- */

static void name_backup(struct manifest *m) {
    char time[CIVIL_TEXT_SIZE], plain[CIVIL_TEXT_SIZE];
    size_t size = 0;
    civil_format((int64_t)(m->cut_ms * SYS_NANOS_PER_MS), 3, time);
    for (const char *t = time; *t; t++)
        if (*t != '-' && *t != ':' && *t != '.') plain[size++] = *t;
    snprintf(m->id, sizeof m->id, "%.*s-%.8s", (int)size, plain, m->node);
}

static enum weir_error publish(struct copy *c) {
    struct manifest *m = &c->made;
    struct backup_entry entry = {0};
    struct weir_slice text;
    char key[OBJECT_KEY_MAX + 1];
    m->bytes = 0;
    for (size_t i = 0; i < m->files.count; i++)
        m->bytes += m->files.data[i].bytes;
    m->bytes_new = c->result->bytes_new;
    manifest_sort(m);
    name_backup(m);
    snprintf(entry.id, sizeof entry.id, "%s", m->id);
    snprintf(entry.node, sizeof entry.node, "%s", m->node);
    backup_manifest_key(&entry, key);
    enum weir_error e = manifest_print(m, &text);
    if (!e) e = c->job->store->put(c->job->store, key, text);
    c->result->bytes = m->bytes;
    c->result->objects = m->objects.count;
    c->result->cut_ms = m->cut_ms;
    snprintf(c->result->id, sizeof c->result->id, "%s", m->id);
    return e;
}

/* The newest manifest of this node that can be read. One that can't is passed over: then more is read and sent. */
static enum weir_error find_parent(struct copy *c) {
    struct backup_entries entries;
    enum weir_error e = backup_list(c->job->store, c->made.node, &entries);
    for (size_t i = entries.count; !e && i-- > 0 && !c->has_parent;) {
        enum weir_error loaded = backup_load(c->job->store, &entries.data[i], &c->parent);
        c->has_parent = loaded == WEIR_OK;
        if (!c->has_parent) manifest_done(&c->parent);
        if (loaded && loaded != WEIR_E_CORRUPT && loaded != WEIR_E_VERSION) e = loaded;
    }
    backup_entries_done(&entries);
    if (c->has_parent) snprintf(c->made.parent, sizeof c->made.parent, "%s", c->parent.id);
    return e;
}

static enum weir_error make(struct copy *c) {
    const struct backup_job *job = c->job;
    void *memory = NULL;
    enum weir_error e = sys_memory_map(MANIFEST_OBJECT_MAX, &memory);
    if (e) return e;
    c->buffer = memory;
    e = identity_of(job->sys, job->folder, c->made.node);
    snprintf(c->made.weir, sizeof c->made.weir, "%s", job->weir);
    snprintf(c->result->node, sizeof c->result->node, "%s", c->made.node);
    if (!e) e = find_parent(c);
    if (!e) e = copy_all(c);
    if (!e) e = publish(c);
    sys_memory_unmap(memory, MANIFEST_OBJECT_MAX);
    return e;
}

enum weir_error backup_make(const struct backup_job *job, struct backup_result *ret_result) {
    struct backup_result result = {0};
    struct copy c = {.job = job, .result = &result, .begin_ns = job->sys->mono_ns(job->sys)};
    manifest_init(&c.made);
    enum weir_error e = make(&c);
    if (!e && job->keep > 0) e = backup_prune(job, c.made.node, &result.pruned);
    manifest_done(&c.made);
    if (c.has_parent) manifest_done(&c.parent);
    result.elapsed_ns = job->sys->mono_ns(job->sys) - c.begin_ns;
    *ret_result = result;
    return e;
}
