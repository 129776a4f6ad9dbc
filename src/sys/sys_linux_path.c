/* Names of the Linux world: folders and their entries. A change here is durable only after dir_sync of its folder. */
#include "sys/sys_linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER_MODE 0750

static enum weir_error linux_path_rename(struct sys *sys, const char *from, const char *to) {
    (void)sys;
    if (rename(from, to) == 0) return WEIR_OK;
    int reason = errno;
    char both[512];
    snprintf(both, sizeof both, "%.240s to %.240s", from, to);
    return sys_linux_error(reason, "rename", both);
}

static enum weir_error linux_path_unlink(struct sys *sys, const char *path) {
    (void)sys;
    if (unlink(path) != 0) return sys_linux_error(errno, "remove", path);
    return WEIR_OK;
}

static enum weir_error linux_path_exists(struct sys *sys, const char *path, bool *ret_exists) {
    (void)sys;
    struct stat about;
    bool exists = stat(path, &about) == 0;
    if (!exists && errno != ENOENT && errno != ENOTDIR) return sys_linux_error(errno, "look at", path);
    *ret_exists = exists;
    return WEIR_OK;
}

static enum weir_error linux_dir_make(struct sys *sys, const char *path) {
    (void)sys;
    if (mkdir(path, FOLDER_MODE) == 0) return WEIR_OK;
    int reason = errno;
    struct stat about;
    if (reason == EEXIST && stat(path, &about) == 0) {
        if (S_ISDIR(about.st_mode)) return WEIR_OK;
        return weir_error_context(WEIR_E_EXISTS, "cannot make the folder %s: a file has this name", path);
    }
    return sys_linux_error(reason, "make the folder", path);
}

static enum weir_error linux_dir_remove(struct sys *sys, const char *path) {
    (void)sys;
    if (rmdir(path) != 0) return sys_linux_error(errno, "remove the folder", path);
    return WEIR_OK;
}

static enum weir_error linux_dir_sync(struct sys *sys, const char *path) {
    (void)sys;
    int folder;
    do
        folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (folder < 0 && errno == EINTR);
    if (folder < 0) return sys_linux_error(errno, "open the folder", path);
    int failed = fsync(folder);
    int reason = errno;
    (void)close(folder);
    if (failed != 0) return sys_linux_error(reason, "sync the folder", path);
    return WEIR_OK;
}

struct name_list {
    char **names; /* each one prefixed with 'd' for a folder or 'f' */
    size_t count, capacity;
};

static void name_list_done(struct name_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
}

static bool name_list_add(struct name_list *list, const char *name, bool is_folder) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 32;
        char **names = realloc(list->names, capacity * sizeof *names);
        if (!names) return false;
        list->names = names;
        list->capacity = capacity;
    }
    size_t size = strlen(name) + 1;
    char *copy = malloc(size + 1);
    if (!copy) return false;
    copy[0] = is_folder ? 'd' : 'f';
    memcpy(copy + 1, name, size);
    list->names[list->count++] = copy;
    return true;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static bool entry_is_folder(DIR *folder, const struct dirent *entry) {
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    struct stat about;
    return fstatat(dirfd(folder), entry->d_name, &about, 0) == 0 && S_ISDIR(about.st_mode);
}

static enum weir_error read_names(DIR *folder, const char *path, struct name_list *list) {
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (!entry && errno != 0) return sys_linux_error(errno, "list the folder", path);
        if (!entry) return WEIR_OK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (!name_list_add(list, entry->d_name, entry_is_folder(folder, entry)))
            return sys_linux_error(ENOMEM, "list the folder", path);
    }
}

static enum weir_error linux_dir_list(struct sys *sys, const char *path, sys_list_fn fn, void *ctx) {
    (void)sys;
    DIR *folder = opendir(path);
    if (!folder) return sys_linux_error(errno, "list the folder", path);
    struct name_list list = {0};
    enum weir_error e = read_names(folder, path, &list);
    (void)closedir(folder); /* before the callbacks: they may remove what they are told of */
    if (!e && list.count > 1) qsort(list.names, list.count, sizeof *list.names, compare_names);
    for (size_t i = 0; !e && i < list.count; i++) {
        if (!fn(ctx, list.names[i] + 1, list.names[i][0] == 'd')) break;
    }
    name_list_done(&list);
    return e;
}

static enum weir_error linux_disk_space(struct sys *sys, const char *path, struct sys_disk_space *ret_space) {
    (void)sys;
    struct statvfs about;
    int failed;
    do
        failed = statvfs(path, &about);
    while (failed != 0 && errno == EINTR);
    if (failed != 0) return sys_linux_error(errno, "ask the free space of", path);
    ret_space->bytes_total = (uint64_t)about.f_blocks * about.f_frsize;
    ret_space->bytes_free = (uint64_t)about.f_bavail * about.f_frsize;
    return WEIR_OK;
}

void sys_linux_path_table(struct sys *table) {
    table->path_rename = linux_path_rename;
    table->path_unlink = linux_path_unlink;
    table->path_exists = linux_path_exists;
    table->dir_make = linux_dir_make;
    table->dir_remove = linux_dir_remove;
    table->dir_sync = linux_dir_sync;
    table->dir_list = linux_dir_list;
    table->disk_space = linux_disk_space;
}
