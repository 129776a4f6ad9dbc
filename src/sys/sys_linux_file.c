/* Files of the Linux world: open descriptors. Folders and names are in sys_linux_path.c.
 *
 * Writes are pwritev, made durable by fdatasync: it leaves out times, yet includes the size when that changed. Writing
 * inside bytes that were written before changes no metadata, so its sync is one write to the disk; anything else costs
 * a journal commit of the file system on top. Measured by bench_sync on ext4 over a virtual disk, one block and its
 * sync against the same into pre-written bytes (two runs of 300 rounds, kinds in turns):
 *                                          4 KiB            64 KiB
 *   growing the file          p50, p99     2.0-2.2, 1.7-5   2.0, 1.9-2.5
 *   space reserved, unwritten p50, p99     1.6, 1.3-3       1.5, 1.5-1.8
 * So reserving is not enough: a file whose syncs someone waits for is written ahead, not only allocated.
 */
#include "base/assert.h"
#include "sys/sys_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PARTS_MAX         1024 /* IOV_MAX of Linux */
#define FILE_MODE         0640
#define FILE_MODE_PRIVATE 0600
#define SEND_MAX          ((size_t)1 << 30) /* sendfile moves less than 2 GiB per call */

_Static_assert(sizeof(struct sys_iovec) == sizeof(struct iovec), "sys_iovec is handed to the kernel as iovec");
_Static_assert(offsetof(struct sys_iovec, data) == offsetof(struct iovec, iov_base), "same first member");
_Static_assert(offsetof(struct sys_iovec, size) == offsetof(struct iovec, iov_len), "same second member");

static enum weir_error linux_file_open(struct sys *sys, const char *path, uint32_t flags, int *ret_file) {
    (void)sys;
    WEIR_ASSERT(flags & (SYS_OPEN_READ | SYS_OPEN_WRITE));
    int how = O_CLOEXEC | O_NOCTTY;
    if ((flags & SYS_OPEN_READ) && (flags & SYS_OPEN_WRITE))
        how |= O_RDWR;
    else
        how |= (flags & SYS_OPEN_WRITE) ? O_WRONLY : O_RDONLY;
    if (flags & SYS_OPEN_CREATE) how |= O_CREAT;
    if (flags & SYS_OPEN_EXCLUSIVE) how |= O_EXCL;
    if (flags & SYS_OPEN_TRUNCATE) how |= O_TRUNC;
    if (flags & SYS_OPEN_DIRECT) how |= O_DIRECT;
    int file;
    do
        file = open(path, how, flags & SYS_OPEN_PRIVATE ? FILE_MODE_PRIVATE : FILE_MODE);
    while (file < 0 && errno == EINTR);
    if (file < 0 && errno == EINVAL && (flags & SYS_OPEN_DIRECT))
        return weir_error_context(WEIR_E_INVALID, "cannot open %s with O_DIRECT: its file system has none", path);
    if (file < 0) return sys_linux_error(errno, (flags & SYS_OPEN_CREATE) ? "create" : "open", path);
    *ret_file = file;
    return WEIR_OK;
}

static void linux_file_close(struct sys *sys, int file) {
    (void)sys;
    if (file >= 0) (void)close(file); /* content that matters was synced; close has nothing more to say about it */
}

static enum weir_error linux_file_read(
    struct sys *sys, int file, uint64_t offset, void *data, size_t size, size_t *ret_size) {
    (void)sys;
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file, (uint8_t *)data + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sys_linux_file_error(errno, "read", file);
        if (got == 0) break;
        done += (size_t)got;
    }
    *ret_size = done;
    return WEIR_OK;
}

/* The log tells a full disk from a broken one, and nothing else apart. */
static enum weir_error write_error(int reason, const char *verb, int file) {
    enum weir_error e = sys_linux_file_error(reason, verb, file);
    return e == WEIR_E_NO_SPACE ? e : WEIR_E_IO;
}

static enum weir_error linux_file_write(
    struct sys *sys, int file, uint64_t offset, struct sys_iovec *parts, size_t count) {
    (void)sys;
    WEIR_ASSERT(count <= PARTS_MAX);
    for (;;) {
        while (count > 0 && parts->size == 0) {
            parts++;
            count--;
        }
        if (count == 0) return WEIR_OK;
        ssize_t put = pwritev(file, (const struct iovec *)(const void *)parts, (int)count, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return write_error(errno, "write to", file);
        if (put == 0) return write_error(EIO, "write to", file); /* no progress would be an endless loop */
        offset += (uint64_t)put;
        size_t left = (size_t)put;
        while (count > 0 && left >= parts->size) {
            left -= parts->size;
            parts++;
            count--;
        }
        if (left > 0) {
            parts->data = (uint8_t *)parts->data + left;
            parts->size -= left;
        }
    }
}

static enum weir_error linux_file_sync(struct sys *sys, int file) {
    (void)sys;
    /* Not retried, not even on EINTR: a second sync reports success for pages the first one gave up. */
    if (fdatasync(file) != 0) return write_error(errno, "sync", file);
    return WEIR_OK;
}

static enum weir_error linux_disk_sync(struct sys *sys, int file) {
    (void)sys;
    if (syncfs(file) != 0) return write_error(errno, "sync the disk of", file);
    return WEIR_OK;
}

static enum weir_error linux_file_size(struct sys *sys, int file, uint64_t *ret_size) {
    (void)sys;
    struct stat about;
    if (fstat(file, &about) != 0) return sys_linux_file_error(errno, "look at", file);
    *ret_size = (uint64_t)about.st_size;
    return WEIR_OK;
}

static enum weir_error linux_file_truncate(struct sys *sys, int file, uint64_t size) {
    (void)sys;
    int failed;
    do
        failed = ftruncate(file, (off_t)size);
    while (failed != 0 && errno == EINTR);
    if (failed != 0) return sys_linux_file_error(errno, "set the size of", file);
    return WEIR_OK;
}

static enum weir_error linux_file_allocate(struct sys *sys, int file, uint64_t offset, uint64_t size) {
    (void)sys;
    if (size == 0) return WEIR_OK;
    int reason;
    do
        reason = posix_fallocate(file, (off_t)offset, (off_t)size); /* writes zeros where fallocate is missing */
    while (reason == EINTR);
    if (reason != 0) return sys_linux_file_error(reason, "reserve space in", file);
    return WEIR_OK;
}

static void linux_file_writeback(struct sys *sys, int file, uint64_t offset, uint64_t size) {
    (void)sys;
    (void)sync_file_range(file, (off64_t)offset, (off64_t)size, SYNC_FILE_RANGE_WRITE);
}

static void linux_file_forget(struct sys *sys, int file, uint64_t offset, uint64_t size) {
    (void)sys;
    (void)posix_fadvise(file, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}

static enum weir_error linux_file_send(
    struct sys *sys, int file, uint64_t offset, size_t size, int socket, size_t *ret_size) {
    (void)sys;
    off_t from = (off_t)offset;
    ssize_t sent;
    do
        sent = sendfile(socket, file, &from, size < SEND_MAX ? size : SEND_MAX);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        *ret_size = (size_t)sent;
        return WEIR_OK;
    }
    switch (errno) {
    case EAGAIN:
        return WEIR_E_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
    case ETIMEDOUT:
        return weir_error_context(WEIR_E_CLOSED, "the peer closed the connection: %s", strerror(errno));
    default:
        return sys_linux_file_error(errno, "send", file);
    }
}

static enum weir_error linux_file_lock(struct sys *sys, int file) {
    (void)sys;
    int failed;
    do
        failed = flock(file, LOCK_EX | LOCK_NB);
    while (failed != 0 && errno == EINTR);
    if (failed == 0) return WEIR_OK;
    int reason = errno;
    enum weir_error e = sys_linux_file_error(reason, "lock", file);
    if (reason != EWOULDBLOCK) return e;
    char line[512];
    snprintf(line, sizeof line, "%s", weir_error_text());
    return weir_error_context(WEIR_E_LOCKED, "%s; another process works here, stop it first", line);
}

void sys_linux_file_table(struct sys *table) {
    table->file_open = linux_file_open;
    table->file_close = linux_file_close;
    table->file_read = linux_file_read;
    table->file_write = linux_file_write;
    table->file_sync = linux_file_sync;
    table->disk_sync = linux_disk_sync;
    table->file_size = linux_file_size;
    table->file_truncate = linux_file_truncate;
    table->file_allocate = linux_file_allocate;
    table->file_writeback = linux_file_writeback;
    table->file_forget = linux_file_forget;
    table->file_send = linux_file_send;
    table->file_lock = linux_file_lock;
}
