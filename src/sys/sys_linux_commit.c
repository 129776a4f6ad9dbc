/* Writes that are durable when they return, on Linux: file_commit() by each of its paths.
 *
 * O_DSYNC is asked of the one write (RWF_DSYNC, pwritev2(2)), which is the same to the kernel as the flag on the open
 * file: with O_DIRECT into blocks that were written before, and a disk that knows FUA, it is one request to the disk;
 * else the kernel sends a flush behind the data, as fdatasync does.
 *
 * io_uring: one ring for the world, made at the first commit that wants it, and one commit at a time in it. Its thread
 * waits for the completions, so nothing is ever under way when the call has returned. A pair is linked: a write that
 * fails or is short cancels the sync behind it, so the sync's completion counts only when the write was whole.
 */
#include "base/assert.h"
#include "sys/sys_linux.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/uio.h>

#define RING_ENTRIES 4 /* at most a write and its sync are under way */

struct sys_linux_ring {
    pthread_mutex_t lock;
    struct io_uring ring;
    bool open;
    bool broken; /* a call of it failed: what is under way in it is not known any more */
};

/* Final, whatever it was, and not retried, not even on EINTR: of a write with O_DSYNC nobody knows whether it was the
 * write or its sync that was interrupted, and a second sync reports success for pages the first one gave up. */
static enum weir_error commit_error(int reason, const char *verb, int file) {
    enum weir_error e = sys_linux_file_error(reason, verb, file);
    if (reason == EOPNOTSUPP) return WEIR_E_INVALID; /* with the same sentence */
    return e == WEIR_E_NO_SPACE || e == WEIR_E_INVALID ? e : WEIR_E_IO;
}

/* ---- one system call ----------------------------------------------------------------------------------------- */
static enum weir_error commit_dsync(int file, uint64_t offset, const uint8_t *data, size_t size) {
    while (size > 0) {
        struct iovec part = {(void *)(uintptr_t)data, size};
        ssize_t put = pwritev2(file, &part, 1, (off_t)offset, RWF_DSYNC);
        if (put <= 0) return commit_error(put < 0 ? errno : EIO, "write and sync", file);
        data += put; /* what a short write has written is durable already */
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return WEIR_OK;
}

static enum weir_error commit_sync(struct sys *sys, int file, uint64_t offset, const uint8_t *data, size_t size) {
    struct sys_iovec part = {(void *)(uintptr_t)data, size};
    enum weir_error e = sys->file_write(sys, file, offset, &part, 1);
    return e ? e : sys->file_sync(sys, file);
}

/* ---- io_uring ------------------------------------------------------------------------------------------------ */
static enum weir_error no_ring(int reason) {
    switch (reason) {
    case EPERM:
    case EACCES:
        return weir_error_context(WEIR_E_PERMISSION,
            "io_uring is forbidden here: %s; a container's seccomp profile or kernel.io_uring_disabled does that",
            strerror(reason));
    case ENOSYS:
        return weir_error_context(WEIR_E_UNSUPPORTED, "this kernel, or the container around it, has no io_uring");
    case ENOMEM: /* before Linux 5.12 a ring counted as locked memory */
        return weir_error_context(WEIR_E_UNSUPPORTED,
            "io_uring can't be set up: %s; raise the limit of locked memory (ulimit -l)", strerror(reason));
    default:
        return weir_error_context(WEIR_E_UNSUPPORTED, "io_uring can't be set up: %s", strerror(reason));
    }
}

static enum weir_error ring_open(struct sys_linux_ring *r) {
    if (r->open) return WEIR_OK;
    int failed = io_uring_queue_init(RING_ENTRIES, &r->ring, 0);
    if (failed < 0) return no_ring(-failed);
    r->open = true;
    return WEIR_OK;
}

/* Submits `count` prepared requests and waits for all of them; results[user data] of each. A negative number is the
 * reason why the ring itself failed. */
static int ring_run(struct io_uring *ring, unsigned count, int *results) {
    int submitted;
    do
        submitted = io_uring_submit_and_wait(ring, count);
    while (submitted == -EINTR); /* nothing was submitted */
    if (submitted < 0) return submitted;
    if ((unsigned)submitted < count) return -EIO;
    for (unsigned i = 0; i < count; i++) {
        struct io_uring_cqe *done = NULL;
        int failed;
        do
            failed = io_uring_wait_cqe(ring, &done);
        while (failed == -EINTR);
        if (failed < 0) return failed;
        results[done->user_data] = done->res;
        io_uring_cqe_seen(ring, done);
    }
    return 0;
}

/* One write, with its sync linked behind it unless it is one with O_DSYNC. */
static int ring_write(
    struct io_uring *ring, int file, bool dsync, uint64_t offset, const uint8_t *data, size_t size, int *results) {
    struct io_uring_sqe *write = io_uring_get_sqe(ring);
    WEIR_ASSERT(write != NULL);
    io_uring_prep_write(write, file, data, (unsigned)size, offset);
    write->user_data = 0;
    if (dsync) {
        write->rw_flags = RWF_DSYNC;
        return ring_run(ring, 1, results);
    }
    write->flags |= IOSQE_IO_LINK;
    struct io_uring_sqe *sync = io_uring_get_sqe(ring);
    WEIR_ASSERT(sync != NULL);
    io_uring_prep_fsync(sync, file, IORING_FSYNC_DATASYNC);
    sync->user_data = 1;
    return ring_run(ring, 2, results);
}

static enum weir_error commit_ring(
    struct sys_linux_ring *r, int file, bool dsync, uint64_t offset, const uint8_t *data, size_t size) {
    while (size > 0) {
        int results[2] = {0, 0};
        int failed = ring_write(&r->ring, file, dsync, offset, data, size, results);
        r->broken = failed < 0;
        const char *verb = dsync ? "write and sync by io_uring" : "write by io_uring to";
        if (failed < 0) return commit_error(-failed, verb, file);
        if (results[0] <= 0) return commit_error(results[0] < 0 ? -results[0] : EIO, verb, file);
        size_t put = (size_t)results[0];
        if (put == size && results[1] < 0) return commit_error(-results[1], "sync by io_uring", file);
        data += put; /* a short write has cancelled its sync: the rest goes with one that covers both */
        offset += put;
        size -= put;
    }
    return WEIR_OK;
}

static enum weir_error commit_uring(
    struct sys_linux *world, int file, bool dsync, uint64_t offset, const void *data, size_t size) {
    struct sys_linux_ring *r = world->ring;
    pthread_mutex_lock(&r->lock);
    enum weir_error e = ring_open(r);
    if (!e && r->broken) e = weir_error_context(WEIR_E_IO, "io_uring failed before; nothing is written by it any more");
    if (!e) e = commit_ring(r, file, dsync, offset, data, size);
    pthread_mutex_unlock(&r->lock);
    return e;
}

static enum weir_error linux_file_commit(
    struct sys *sys, int file, enum sys_commit_path path, uint64_t offset, const void *data, size_t size) {
    WEIR_ASSERT(size > 0 && size <= INT32_MAX);
    WEIR_ASSERT(!sys_commit_is_direct(path) || (offset | size | (uintptr_t)data) % SYS_DIRECT_BLOCK == 0);
    switch (path) {
    case SYS_COMMIT_SYNC:
        return commit_sync(sys, file, offset, data, size);
    case SYS_COMMIT_DSYNC:
    case SYS_COMMIT_DIRECT:
        return commit_dsync(file, offset, data, size);
    case SYS_COMMIT_URING:
    case SYS_COMMIT_URING_DIRECT:
        return commit_uring(sys_linux_of(sys), file, path == SYS_COMMIT_URING_DIRECT, offset, data, size);
    case SYS_COMMIT_PATHS:
        break;
    }
    return weir_error_context(WEIR_E_INVALID, "there is no way number %d to write durably", (int)path);
}

enum weir_error sys_linux_commit_open(struct sys_linux *world) {
    world->table.file_commit = linux_file_commit;
    world->ring = calloc(1, sizeof *world->ring);
    if (!world->ring) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the ring's handle");
    int failed = pthread_mutex_init(&world->ring->lock, NULL);
    WEIR_ASSERT(failed == 0);
    return WEIR_OK;
}

void sys_linux_commit_close(struct sys_linux *world) {
    if (!world->ring) return;
    if (world->ring->open) io_uring_queue_exit(&world->ring->ring);
    pthread_mutex_destroy(&world->ring->lock);
    free(world->ring);
    world->ring = NULL;
}
