/* Small conveniences over the table of sys.h, and the few questions about the machine that need no table. */
#include "sys/sys.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_SIZE_MAX 4096

/* The folder a path stands in, as a path: "a/b" -> "a", "b" -> ".", "/b" -> "/". */
static void parent_of(const char *path, char parent[PATH_SIZE_MAX]) {
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size == 0) {
        memcpy(parent, ".", 2);
        return;
    }
    memcpy(parent, path, size);
    parent[size] = 0;
}

static enum weir_error check_path(const char *path, size_t extra) {
    size_t size = strlen(path);
    if (size == 0) return weir_error_context(WEIR_E_INVALID, "the path is empty");
    if (size + extra >= PATH_SIZE_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE, "the path is %zu bytes long; at most %d fit: %.80s...", size,
            PATH_SIZE_MAX - 1 - (int)extra, path);
    return WEIR_OK;
}

static enum weir_error read_opened(
    struct sys *sys, int file, const char *path, uint64_t size_max, struct weir_slice *ret_bytes) {
    uint64_t size = 0;
    enum weir_error e = sys->file_size(sys, file, &size);
    if (e) return e;
    if (size > size_max)
        return weir_error_context(WEIR_E_TOO_LARGE, "%s has %llu bytes; at most %llu are read", path,
            (unsigned long long)size, (unsigned long long)size_max);
    /* One more: text users may rely on a NUL behind the end. */
    uint8_t *data = size < SIZE_MAX ? malloc((size_t)size + 1) : NULL;
    if (!data)
        return weir_error_context(
            WEIR_E_NO_MEMORY, "no memory for the %llu bytes of %s", (unsigned long long)size, path);
    size_t got = 0;
    e = sys->file_read(sys, file, 0, data, (size_t)size, &got);
    if (e) {
        free(data);
        return e;
    }
    data[got] = 0;
    *ret_bytes = weir_slice(data, got);
    return WEIR_OK;
}

enum weir_error sys_read_all(struct sys *sys, const char *path, uint64_t size_max, struct weir_slice *ret_bytes) {
    int file = -1;
    enum weir_error e = sys->file_open(sys, path, SYS_OPEN_READ, &file);
    if (e) return e;
    e = read_opened(sys, file, path, size_max, ret_bytes);
    sys->file_close(sys, file);
    return e;
}

void sys_bytes_free(struct weir_slice bytes) {
    free((void *)(uintptr_t)bytes.data);
}

static enum weir_error write_temporary(struct sys *sys, const char *path, struct weir_slice bytes) {
    int file = -1;
    enum weir_error e = sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE, &file);
    if (e) return e;
    struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
    if (bytes.size > 0) e = sys->file_write(sys, file, 0, &part, 1);
    if (!e) e = sys->file_sync(sys, file);
    sys->file_close(sys, file);
    return e;
}

enum weir_error sys_replace_file(struct sys *sys, const char *path, struct weir_slice bytes) {
    char temporary[PATH_SIZE_MAX], parent[PATH_SIZE_MAX];
    enum weir_error e = check_path(path, sizeof ".tmp");
    if (e) return e;
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    parent_of(path, parent);
    e = write_temporary(sys, temporary, bytes);
    if (!e) e = sys->path_rename(sys, temporary, path);
    if (!e) return sys->dir_sync(sys, parent);
    char reason[512];
    snprintf(reason, sizeof reason, "%s", weir_error_text());
    /* The leftover is harmless (the next replacement truncates it), so failing to remove it changes nothing. */
    enum weir_error ignored = sys->path_unlink(sys, temporary);
    (void)ignored;
    return weir_error_context(e, "%s", reason);
}

static enum weir_error make_folder(struct sys *sys, const char *path) {
    bool exists = false;
    enum weir_error e = sys->path_exists(sys, path, &exists);
    if (!e) e = sys->dir_make(sys, path);
    if (e) return e;
    char parent[PATH_SIZE_MAX];
    parent_of(path, parent);
    e = sys->dir_sync(sys, parent);
    /* One that was there may be of a process that was killed before it synced its name. Others' folders further up may
     * be closed to us, and they are not our making. */
    return exists && e != WEIR_E_IO && e != WEIR_E_CLOSED ? WEIR_OK : e;
}

enum weir_error sys_make_folders(struct sys *sys, const char *path) {
    char prefix[PATH_SIZE_MAX];
    enum weir_error e = check_path(path, 0);
    if (e) return e;
    size_t size = strlen(path);
    for (size_t end = 1; end <= size; end++) {
        if (path[end] != '/' && path[end] != 0) continue;
        if (path[end - 1] == '/') continue; /* a doubled or trailing slash */
        memcpy(prefix, path, end);
        prefix[end] = 0;
        e = make_folder(sys, prefix);
        if (e) return e;
    }
    return WEIR_OK;
}

static _Atomic uint64_t memory_mapped;

enum weir_error sys_memory_map(size_t size, void **ret_memory) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return weir_error_context(WEIR_E_NO_MEMORY,
            "cannot map %zu bytes of memory: %s; lower the capacities or raise ulimit -v", size, strerror(errno));
    atomic_fetch_add_explicit(&memory_mapped, size, memory_order_relaxed);
    *ret_memory = memory;
    return WEIR_OK;
}

void sys_memory_unmap(void *memory, size_t size) {
    if (!memory) return;
    (void)munmap(memory, size);
    atomic_fetch_sub_explicit(&memory_mapped, size, memory_order_relaxed);
}

void sys_memory_forget(void *memory, size_t size) {
    (void)madvise(memory, size, MADV_DONTNEED); /* where it fails the pages stay, which only costs memory */
}

uint64_t sys_memory_mapped(void) {
    return atomic_load_explicit(&memory_mapped, memory_order_relaxed);
}

uint32_t sys_core_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0) return (uint32_t)count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static const char *const commit_path_names[SYS_COMMIT_PATHS] = {
    [SYS_COMMIT_SYNC] = "sync",
    [SYS_COMMIT_DSYNC] = "dsync",
    [SYS_COMMIT_DIRECT] = "direct",
    [SYS_COMMIT_URING] = "uring",
    [SYS_COMMIT_URING_DIRECT] = "uring_direct",
};

const char *sys_commit_path_name(enum sys_commit_path path) {
    return commit_path_names[path];
}

bool sys_commit_path_parse(const char *name, enum sys_commit_path *ret_path) {
    for (int i = 0; i < SYS_COMMIT_PATHS; i++) {
        if (strcmp(name, commit_path_names[i]) != 0) continue;
        *ret_path = (enum sys_commit_path)i;
        return true;
    }
    return false;
}

uint64_t sys_descriptors_raise(uint64_t want) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur >= want) return limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = want, .rlim_max = limit.rlim_max > want ? limit.rlim_max : want};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return want; /* above the hard limit only for who may */
    raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? limit.rlim_max : limit.rlim_cur;
}

void sys_timers_precise(void) {
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
}
