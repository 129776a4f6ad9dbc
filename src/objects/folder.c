/* Objects as files of a folder. See objects.h. */
#include "base/text.h"
#include "objects/kinds.h"

#include <stdio.h>
#include <weir/vec.h>

#define FOLDER_PATH_MAX 2048u

struct folder_store {
    struct object_store store; /* first: a struct object_store * is one of these */
    struct sys *sys;
    char root[FOLDER_PATH_MAX - OBJECT_KEY_MAX - 8];
    char made[FOLDER_PATH_MAX]; /* the last folder that was made: objects of one folder come together */
};

static struct folder_store *folder_of(struct object_store *store) {
    return (struct folder_store *)store;
}

static enum weir_error path_of(const struct folder_store *f, const char *key, char path[FOLDER_PATH_MAX]) {
    if (!object_key_valid(key)) return weir_error_context(WEIR_E_INVALID, "'%.200s' is no object's key", key);
    snprintf(path, FOLDER_PATH_MAX, "%s/%s", f->root, key);
    return WEIR_OK;
}

static void folder_close(struct object_store *store) {
    weir_dealloc(NULL, store, sizeof(struct folder_store), _Alignof(struct folder_store));
}

static enum weir_error folder_put(struct object_store *store, const char *key, struct weir_slice bytes) {
    struct folder_store *f = folder_of(store);
    char path[FOLDER_PATH_MAX], folder[FOLDER_PATH_MAX];
    enum weir_error e = path_of(f, key, path);
    if (e) return e;
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    if (strcmp(folder, f->made) != 0) {
        e = sys_make_folders(f->sys, folder);
        if (e) return e;
        snprintf(f->made, sizeof f->made, "%s", folder);
    }
    return sys_replace_file(f->sys, path, bytes);
}

static enum weir_error folder_get(
    struct object_store *store, const char *key, size_t size_max, struct weir_slice *ret_bytes) {
    struct folder_store *f = folder_of(store);
    char path[FOLDER_PATH_MAX];
    enum weir_error e = path_of(f, key, path);
    return e ? e : sys_read_all(f->sys, path, size_max, ret_bytes);
}

static enum weir_error folder_exists(struct object_store *store, const char *key, bool *ret_exists) {
    struct folder_store *f = folder_of(store);
    char path[FOLDER_PATH_MAX];
    enum weir_error e = path_of(f, key, path);
    return e ? e : f->sys->path_exists(f->sys, path, ret_exists);
}

static enum weir_error folder_remove(struct object_store *store, const char *key) {
    struct folder_store *f = folder_of(store);
    char path[FOLDER_PATH_MAX];
    enum weir_error e = path_of(f, key, path);
    if (!e) e = f->sys->path_unlink(f->sys, path);
    return e == WEIR_E_NOT_FOUND ? WEIR_OK : e;
}

/* ---- list ---- */

struct folder_walk {
    struct folder_store *f;
    const char *below; /* of the root, with a slash behind it or empty */
    object_list_fn fn;
    void *ctx;
    enum weir_error error;
};

static enum weir_error walk_folder(struct folder_store *f, const char *below, object_list_fn fn, void *ctx);

static bool walk_entry(void *ctx, const char *name, bool is_folder) {
    struct folder_walk *w = ctx;
    char key[OBJECT_KEY_MAX + 2], path[FOLDER_PATH_MAX];
    size_t size = strlen(name);
    int n = snprintf(key, sizeof key, "%s%s%s", w->below, name, is_folder ? "/" : "");
    if (n < 0 || (size_t)n >= sizeof key) return true; /* not ours */
    if (is_folder) {
        w->error = walk_folder(w->f, key, w->fn, w->ctx);
        return w->error == WEIR_OK;
    }
    bool unfinished = size > 4 && strcmp(name + size - 4, ".tmp") == 0; /* left behind by a put that was killed */
    if (unfinished || !object_key_valid(key)) return true;
    uint64_t bytes = 0;
    int file = -1;
    snprintf(path, sizeof path, "%s/%s", w->f->root, key);
    w->error = w->f->sys->file_open(w->f->sys, path, SYS_OPEN_READ, &file);
    if (!w->error) w->error = w->f->sys->file_size(w->f->sys, file, &bytes);
    if (file >= 0) w->f->sys->file_close(w->f->sys, file);
    if (w->error == WEIR_E_NOT_FOUND)
        w->error = WEIR_OK; /* deleted meanwhile */
    else if (!w->error)
        w->error = w->fn(w->ctx, key, bytes);
    return w->error == WEIR_OK;
}

static enum weir_error walk_folder(struct folder_store *f, const char *below, object_list_fn fn, void *ctx) {
    struct folder_walk w = {f, below, fn, ctx, WEIR_OK};
    char path[FOLDER_PATH_MAX];
    bool exists = false;
    snprintf(path, sizeof path, "%s/%s", f->root, below);
    path[strlen(path) - 1] = 0;
    enum weir_error e = f->sys->path_exists(f->sys, path, &exists);
    if (!e && exists) e = f->sys->dir_list(f->sys, path, walk_entry, &w);
    return e ? e : w.error;
}

static enum weir_error folder_list(struct object_store *store, const char *prefix, object_list_fn fn, void *ctx) {
    return walk_folder(folder_of(store), prefix, fn, ctx);
}

enum weir_error object_store_open_folder(struct sys *sys, const char *path, struct object_store **ret_store) {
    struct folder_store *f = weir_alloc(NULL, sizeof *f, _Alignof(struct folder_store));
    if (!f) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a store");
    memset(f, 0, sizeof *f);
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size >= sizeof f->root) {
        weir_dealloc(NULL, f, sizeof *f, _Alignof(struct folder_store));
        return weir_error_context(WEIR_E_CONFIG, "the store's path is longer than %zu bytes", sizeof f->root - 1);
    }
    memcpy(f->root, path, size);
    f->sys = sys;
    f->store = (struct object_store){folder_close, folder_put, folder_get, folder_exists, folder_remove, folder_list};
    *ret_store = &f->store;
    return WEIR_OK;
}
