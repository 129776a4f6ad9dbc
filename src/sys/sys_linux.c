/* The Linux world as a whole: its life, clocks, randomness, and how the kernel's reasons become errors. */
#include "sys/sys_linux.h"
#include "base/assert.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FATAL_EXIT_CODE 70 /* EX_SOFTWARE of sysexits.h */

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    WEIR_ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * SYS_NANOS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t linux_mono_ns(struct sys *sys) {
    (void)sys;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t linux_wall_ns(struct sys *sys) {
    (void)sys;
    return clock_ns(CLOCK_REALTIME);
}

static void linux_random(struct sys *sys, void *data, size_t size) {
    uint8_t *at = data;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        /* Keys and seeds must not be guessable, so there is nothing to fall back to. */
        if (got <= 0) sys->fatal(sys, "the system's random generator fails (getrandom)");
        at += got;
        size -= (size_t)got;
    }
}

/* One write() so that the line is not cut by other threads, and no lock that a dying thread may hold. */
static void linux_fatal(struct sys *sys, const char *message) {
    (void)sys;
    char line[1024];
    int size = snprintf(line, sizeof line, "weir: fatal: %s\n", message);
    if (size < 0) size = 0;
    if ((size_t)size >= sizeof line) {
        size = (int)sizeof line - 1;
        line[size - 1] = '\n';
    }
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)size);
    (void)ignored;
    _exit(FATAL_EXIT_CODE);
}

static enum weir_error out_of_files(int reason, const char *verb, const char *what) {
    struct rlimit limit = {0, 0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return weir_error_context(WEIR_E_FULL, "cannot %s %s: %s; raise the limit of open files (ulimit -n, now %llu)",
        verb, what, strerror(reason), (unsigned long long)limit.rlim_cur);
}

enum weir_error sys_linux_error(int reason, const char *verb, const char *what) {
    switch (reason) {
    case ENOSPC:
    case EDQUOT:
        return weir_error_context(
            WEIR_E_NO_SPACE, "cannot %s %s: %s; free space on its disk", verb, what, strerror(reason));
    case EACCES:
    case EPERM:
        return weir_error_context(WEIR_E_PERMISSION, "cannot %s %s: %s; give user id %u access to it", verb, what,
            strerror(reason), (unsigned)geteuid());
    case EROFS:
        return weir_error_context(WEIR_E_PERMISSION, "cannot %s %s: %s; mount it writable or choose another folder",
            verb, what, strerror(reason));
    case EMFILE:
    case ENFILE:
        return out_of_files(reason, verb, what);
    case ENOENT:
    case ENOTDIR:
        return weir_error_context(WEIR_E_NOT_FOUND, "cannot %s %s: %s", verb, what, strerror(reason));
    case EEXIST:
        return weir_error_context(WEIR_E_EXISTS, "cannot %s %s: %s", verb, what, strerror(reason));
    case ENOTEMPTY:
        return weir_error_context(WEIR_E_CONFLICT, "cannot %s %s: %s", verb, what, strerror(reason));
    case EISDIR:
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
        return weir_error_context(WEIR_E_INVALID, "cannot %s %s: %s", verb, what, strerror(reason));
    case ENOMEM:
    case ENOBUFS:
        return weir_error_context(WEIR_E_NO_MEMORY, "cannot %s %s: %s", verb, what, strerror(reason));
    default:
        return weir_error_context(WEIR_E_IO, "cannot %s %s: %s", verb, what, strerror(reason));
    }
}

enum weir_error sys_linux_file_error(int reason, const char *verb, int file) {
    char link[64], path[400];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0)
        snprintf(path, sizeof path, "file %d", file);
    else
        path[size] = 0;
    return sys_linux_error(reason, verb, path);
}

enum weir_error sys_linux_new(struct sys **ret_sys) {
    struct sys_linux *world = calloc(1, sizeof *world);
    if (!world) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the system's table");
    int failed = pthread_mutex_init(&world->lock, NULL);
    WEIR_ASSERT(failed == 0);
    world->table.mono_ns = linux_mono_ns;
    world->table.wall_ns = linux_wall_ns;
    world->table.random = linux_random;
    world->table.fatal = linux_fatal;
    sys_linux_file_table(&world->table);
    sys_linux_path_table(&world->table);
    sys_linux_poller_table(&world->table);
    sys_linux_net_table(&world->table);
    sys_linux_unix_table(&world->table);
    sys_linux_thread_table(&world->table);
    sys_linux_crash_table(&world->table);
    enum weir_error e = sys_linux_commit_open(world);
    if (e) {
        sys_linux_free(&world->table);
        return e;
    }
    /* sendfile() has no flag against SIGPIPE, so the signal goes for the whole process. */
    (void)signal(SIGPIPE, SIG_IGN);
    *ret_sys = &world->table;
    return WEIR_OK;
}

void sys_linux_free(struct sys *sys) {
    if (!sys) return;
    struct sys_linux *world = sys_linux_of(sys);
    for (size_t i = 0; i < SYS_LINUX_AGENTS_MAX; i++)
        WEIR_ASSERT(world->agents[i] == NULL);
    for (size_t i = 0; i < SYS_LINUX_POLLERS_MAX; i++)
        WEIR_ASSERT(world->pollers[i] == NULL);
    sys_linux_commit_close(world);
    pthread_mutex_destroy(&world->lock);
    free(world);
}
