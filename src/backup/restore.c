/* See restore.h. */
#include "backup/restore.h"

#include "backup/identity.h"
#include "log/cut.h"

#include <stdio.h>

#define MARK "RESTORING" /* in a folder that may be removed by the next restore */

struct restore {
    const struct restore_job *job;
    struct restore_result *result;
    struct sys *sys;
    char folder[BACKUP_PATH_MAX]; /* FOLDER.restoring */
    char made[BACKUP_PATH_MAX];   /* the last folder that files were put in */
    struct adopt_rows rows;
};

/* ---- folders ---- */

struct removal {
    struct sys *sys;
    const char *path;
    enum weir_error error;
};

static bool remove_entry(void *ctx, const char *name, bool is_folder) {
    struct removal *r = ctx;
    char path[BACKUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", r->path, name);
    r->error = is_folder ? folder_remove_all(r->sys, path) : r->sys->path_unlink(r->sys, path);
    return r->error == WEIR_OK;
}

enum weir_error folder_remove_all(struct sys *sys, const char *path) {
    struct removal r = {sys, path, WEIR_OK};
    bool exists = false;
    enum weir_error e = sys->path_exists(sys, path, &exists);
    if (e || !exists) return e;
    e = sys->dir_list(sys, path, remove_entry, &r);
    if (!e) e = r.error;
    return e ? e : sys->dir_remove(sys, path);
}

static bool note_entry(void *ctx, const char *name, bool is_folder) {
    bool *any = ctx;
    (void)name;
    (void)is_folder;
    *any = true;
    return false;
}

static enum weir_error check_target(const struct restore *r) {
    bool exists = false, any = false;
    enum weir_error e = r->sys->path_exists(r->sys, r->job->folder, &exists);
    if (!e && exists) e = r->sys->dir_list(r->sys, r->job->folder, note_entry, &any);
    if (!e && any)
        e = weir_error_context(
            WEIR_E_EXISTS, "%s is not empty; restore into a folder that does not exist", r->job->folder);
    return e;
}

static bool note_foreign(void *ctx, const char *name, bool is_folder) {
    bool *foreign = ctx;
    *foreign = is_folder || strcmp(name, MARK ".tmp") != 0;
    return !*foreign;
}

/* Whether it has the mark, or was made so shortly before the kill that there is no mark yet. */
static enum weir_error is_ours(const struct restore *r, bool *ret_ours) {
    char mark[BACKUP_PATH_MAX + 32];
    bool foreign = false;
    snprintf(mark, sizeof mark, "%s/" MARK, r->folder);
    enum weir_error e = r->sys->path_exists(r->sys, mark, ret_ours);
    if (e || *ret_ours) return e;
    e = r->sys->dir_list(r->sys, r->folder, note_foreign, &foreign);
    *ret_ours = !foreign;
    return e;
}

static bool remove_but_mark(void *ctx, const char *name, bool is_folder) {
    return strcmp(name, MARK) == 0 || remove_entry(ctx, name, is_folder);
}

/* The mark goes last: killed in between, the folder is still known for what it is. */
static enum weir_error remove_ours(const struct restore *r) {
    struct removal removal = {r->sys, r->folder, WEIR_OK};
    enum weir_error e = r->sys->dir_list(r->sys, r->folder, remove_but_mark, &removal);
    if (!e) e = removal.error;
    return e ? e : folder_remove_all(r->sys, r->folder);
}

/* What a restore that was killed left there goes; anything else is not ours to remove. */
static enum weir_error begin_folder(struct restore *r) {
    char mark[BACKUP_PATH_MAX + 32];
    bool exists = false, ours = false;
    snprintf(mark, sizeof mark, "%s/" MARK, r->folder);
    enum weir_error e = r->sys->path_exists(r->sys, r->folder, &exists);
    if (!e && exists) e = is_ours(r, &ours);
    if (!e && exists && !ours)
        e = weir_error_context(WEIR_E_EXISTS, "%s is there and no restore's; move it away", r->folder);
    if (!e && exists) e = remove_ours(r);
    if (!e) e = sys_make_folders(r->sys, r->folder);
    return e ? e : sys_replace_file(r->sys, mark, weir_slice_text("a restore was under way here\n"));
}

static void parent_of(const char *path, char parent[BACKUP_PATH_MAX]) {
    snprintf(parent, BACKUP_PATH_MAX, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, BACKUP_PATH_MAX, ".");
    else
        slash[slash == parent] = 0;
}

/* Everything in it is durable: it gets its name. */
static enum weir_error end_folder(struct restore *r) {
    char mark[BACKUP_PATH_MAX + 32], parent[BACKUP_PATH_MAX];
    parent_of(r->job->folder, parent);
    enum weir_error e = r->sys->dir_sync(r->sys, r->folder);
    if (!e) e = r->sys->path_rename(r->sys, r->folder, r->job->folder);
    if (!e) e = r->sys->dir_sync(r->sys, parent);
    snprintf(mark, sizeof mark, "%s/" MARK, r->job->folder);
    return e ? e : r->sys->path_unlink(r->sys, mark);
}

/* ---- files ---- */

static enum weir_error sync_made(struct restore *r) {
    return r->made[0] ? r->sys->dir_sync(r->sys, r->made) : WEIR_OK;
}

/* Files come sorted by path: those of one folder together. */
static enum weir_error make_parent(struct restore *r, const char *path) {
    char folder[BACKUP_PATH_MAX];
    parent_of(path, folder);
    if (strcmp(folder, r->made) == 0) return WEIR_OK;
    enum weir_error e = sync_made(r);
    if (!e) e = sys_make_folders(r->sys, folder);
    snprintf(r->made, sizeof r->made, "%s", folder);
    return e;
}

static enum weir_error write_objects(struct restore *r, const struct manifest_file *f, int file) {
    const struct manifest *m = r->job->manifest;
    enum weir_error e = WEIR_OK;
    uint64_t at = 0;
    for (size_t i = 0; !e && i < f->count; i++) {
        struct weir_slice bytes;
        e = backup_object_get(r->job->store, m->node, &m->objects.data[f->first + i], &bytes);
        if (e) return e;
        struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
        e = r->sys->file_write(r->sys, file, at, &part, 1);
        at += bytes.size;
        sys_bytes_free(bytes);
    }
    r->result->bytes += at;
    return e ? e : r->sys->file_sync(r->sys, file);
}

static enum weir_error restore_file(struct restore *r, const struct manifest_file *f) {
    char path[BACKUP_PATH_MAX];
    int file = -1;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", r->folder, f->path) >= sizeof path)
        return weir_error_context(WEIR_E_TOO_LARGE, "the path of %s is too long", f->path);
    enum weir_error e = make_parent(r, path);
    if (!e) e = r->sys->file_open(r->sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE, &file);
    if (e) return e;
    e = write_objects(r, f, file);
    r->sys->file_close(r->sys, file);
    r->result->files++;
    return e ? weir_error_wrap(e, "backup %s, file %s", r->job->manifest->id, f->path) : WEIR_OK;
}

static enum weir_error restore_files(struct restore *r) {
    const struct manifest *m = r->job->manifest;
    enum weir_error e = WEIR_OK;
    for (size_t i = 0; !e && i < m->files.count; i++)
        e = restore_file(r, &m->files.data[i]);
    return e ? e : sync_made(r);
}

/* ---- the log ---- */

static enum weir_error rows_of(struct restore *r) {
    const struct manifest *m = r->job->manifest;
    for (size_t i = 0; i < m->partitions.count; i++) {
        const struct manifest_partition *p = &m->partitions.data[i];
        struct log_adopt_row row = {p->uid, p->start, p->end};
        if (!adopt_rows_push(&r->rows, row)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a restore");
    }
    return WEIR_OK;
}

static enum weir_error adopt(struct restore *r) {
    return log_adopt(r->sys, r->folder, r->rows.data, (uint32_t)r->rows.count);
}

/* Without FORMAT nobody starts on what is half taken back. */
static enum weir_error take_back(struct restore *r) {
    char format[BACKUP_PATH_MAX + 32];
    if (!r->job->until) return WEIR_OK;
    enum weir_error e =
        backup_until(r->sys, r->folder, r->job->until, r->job->services, &r->rows, &r->result->records_dropped);
    snprintf(format, sizeof format, "%s/FORMAT", r->folder);
    if (!e) e = r->sys->path_unlink(r->sys, format);
    return e ? e : adopt(r);
}

static enum weir_error build(struct restore *r) {
    enum weir_error e = restore_files(r);
    if (!e) e = rows_of(r);
    if (!e) e = identity_new(r->sys, r->folder, r->result->node);
    if (!e) e = adopt(r);
    if (!e) e = take_back(r);
    if (!e) e = log_verify(r->sys, r->folder, NULL, NULL);
    return e ? e : end_folder(r);
}

enum weir_error backup_restore(const struct restore_job *job, struct restore_result *ret_result) {
    struct restore_result result = {0};
    struct restore r = {.job = job, .result = &result, .sys = job->sys};
    uint64_t begin = job->sys->mono_ns(job->sys);
    size_t size = strlen(job->folder);
    while (size > 1 && job->folder[size - 1] == '/')
        size--;
    if ((size_t)snprintf(r.folder, sizeof r.folder, "%.*s.restoring", (int)size, job->folder) >= sizeof r.folder)
        return weir_error_context(WEIR_E_TOO_LARGE, "the folder's path is too long");
    enum weir_error e = check_target(&r);
    if (!e) e = begin_folder(&r);
    if (e) return e;
    e = build(&r);
    adopt_rows_done(&r.rows);
    if (e) { /* what went wrong is what the caller hears, whatever the cleaning says */
        char reason[512];
        snprintf(reason, sizeof reason, "%s", weir_error_text());
        enum weir_error ignored = remove_ours(&r);
        (void)ignored;
        return weir_error_context(e, "%s; nothing was restored", reason);
    }
    result.elapsed_ns = job->sys->mono_ns(job->sys) - begin;
    *ret_result = result;
    return WEIR_OK;
}
