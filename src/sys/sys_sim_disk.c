/* Files of the simulated world: the part of the table that works on handles. Bytes are in sys_sim_content.c. */
#include "base/crc32c.h"
#include "sys/sys_sim_world.h"

#include <stdio.h>
#include <stdlib.h>

#define PARTS_MAX      1024 /* as on Linux */
#define LAST_WORDS_MAX 64   /* as sys.h says */

static struct sim_open_file *file_of(struct sys_sim *sim, int file) {
    return sim_find(sim, &sim->files, file);
}

/* The head of every call on a handle. */
static enum weir_error enter(
    struct sys_sim *sim, enum sys_sim_call call, const char *verb, int file, struct sim_open_file **ret_open) {
    struct sim_open_file *open = sim_dead(sim) ? NULL : file_of(sim, file);
    uint64_t before = sim->change_next;
    char what[96]; /* others may close the file while this thread waits */
    snprintf(what, sizeof what, "%s", open ? open->path : "a closed file");
    enum weir_error e = sim_call(sim, call, verb, what);
    if (e == WEIR_E_CLOSED) return e;
    open = file_of(sim, file);
    if (e) {
        /* The kernel marks pages clean after a failed sync: none of what it covered will be written by a later one. */
        if (call == SYS_SIM_SYNC && open) sim_inode_sync_failed(open->inode, before);
        return e;
    }
    if (!open) return sim_closed();
    *ret_open = open;
    return WEIR_OK;
}

static enum weir_error no_space(const char *verb, const char *path) {
    return weir_error_context(
        WEIR_E_NO_SPACE, "cannot %s %s: the simulated disk is full; free space on its disk", verb, path);
}

static enum weir_error find_or_create(
    struct sys_sim *sim, const char *path, uint32_t flags, struct sim_inode **ret_inode) {
    struct sim_inode *inode = sim_path_find(sim, path);
    if (!inode && !(flags & SYS_OPEN_CREATE))
        return weir_error_context(WEIR_E_NOT_FOUND, "cannot open %s: no such file", path);
    if (!inode) return sim_path_create(sim, path, false, ret_inode);
    if ((flags & SYS_OPEN_CREATE) && (flags & SYS_OPEN_EXCLUSIVE))
        return weir_error_context(WEIR_E_EXISTS, "cannot create %s: it exists", path);
    if (inode->is_folder) return weir_error_context(WEIR_E_INVALID, "cannot open %s: it is a folder", path);
    if ((flags & SYS_OPEN_TRUNCATE) && inode->live.size > 0)
        sim_inode_resize(inode, sim->change_next++, SIM_CHANGE_SIZE, 0);
    *ret_inode = inode;
    return WEIR_OK;
}

static enum weir_error sim_file_open(struct sys *sys, const char *path, uint32_t flags, int *ret_file) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(flags & (SYS_OPEN_READ | SYS_OPEN_WRITE));
    enum weir_error e = sim_call(sim, SYS_SIM_OPEN, (flags & SYS_OPEN_CREATE) ? "create" : "open", path);
    if (e) return e;
    struct sim_inode *inode;
    e = find_or_create(sim, path, flags, &inode);
    if (e) return e;
    struct sim_open_file *open = sim_new(sizeof *open);
    open->inode = inode;
    open->flags = flags;
    open->path = memcpy(sim_new(strlen(path) + 1), path, strlen(path));
    inode->handle_count++;
    int handle = sim_handle(sim);
    sim_table_add(&sim->files, handle, sim_process(sim), open);
    *ret_file = handle;
    return WEIR_OK;
}

static void release(struct sys_sim *sim, int handle, struct sim_open_file *open) {
    struct sim_inode *inode = open->inode;
    if (inode->lock_handle == handle) inode->lock_handle = -1;
    WEIR_ASSERT(inode->handle_count > 0);
    inode->handle_count--;
    free(open->path);
    free(open);
    if (inode->handle_count == 0 && !inode->linked) sim_inodes_collect(sim);
}

static void sim_file_close(struct sys *sys, int file) {
    struct sys_sim *sim = sim_of(sys);
    if (file < 0 || sim_dead(sim) || !file_of(sim, file)) return;
    release(sim, file, sim_table_take(&sim->files, file));
}

static enum weir_error sim_file_read(
    struct sys *sys, int file, uint64_t offset, void *data, size_t size, size_t *ret_size) {
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim_of(sys), SYS_SIM_READ, "read", file, &open);
    if (e) return e;
    WEIR_ASSERT(open->flags & SYS_OPEN_READ);
    *ret_size = sim_content_read(&open->inode->live, offset, data, size);
    sim_damage_read(sim_of(sys), open->inode, data, *ret_size);
    return WEIR_OK;
}

/* Writes the first `size` bytes of the parts. */
static void write_parts(struct sys_sim *sim, struct sim_inode *inode, uint64_t offset, const struct sys_iovec *parts,
    size_t count, size_t size) {
    uint8_t *whole = sim_new(size + 1); /* one change, so that a crash may tear it anywhere */
    for (size_t done = 0; done < size && count > 0; parts++, count--) {
        size_t part = parts->size < size - done ? parts->size : size - done;
        if (part > 0) memcpy(whole + done, parts->data, part);
        done += part;
    }
    offset = sim_damage_write(sim, inode, offset, size);
    sim_inode_write(inode, sim->change_next++, offset, whole, size);
    sim_note(sim, "wrote", inode->label, offset, (uint64_t)size << 32 | crc32c(whole, size), WEIR_OK);
    free(whole);
}

static enum weir_error sim_file_write(
    struct sys *sys, int file, uint64_t offset, struct sys_iovec *parts, size_t count) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(count <= PARTS_MAX);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].size;
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim, SYS_SIM_WRITE, "write to", file, &open);
    if (e == WEIR_E_CLOSED) return e;
    if (e) { /* a write that fails may have got some way */
        open = file_of(sim, file);
        if (open) write_parts(sim, open->inode, offset, parts, count, (size_t)prng_between(&sim->prng_disk, 0, total));
        return e;
    }
    WEIR_ASSERT(open->flags & SYS_OPEN_WRITE);
    struct sim_inode *inode = open->inode;
    sim_took(sim, sim->plan.write_ns);
    uint64_t end = offset + total, grows = end > inode->live.size ? end - inode->live.size : 0;
    if (total == 0) return WEIR_OK;
    if (sim_disk_fits(sim, grows)) {
        write_parts(sim, inode, offset, parts, count, total);
        return sim_linger(sim);
    }
    uint64_t used = sim_disk_used(sim), room = sim->plan.disk_bytes > used ? sim->plan.disk_bytes - used : 0;
    uint64_t last = inode->live.size + room; /* what fits is written, as Linux does */
    if (last > offset) write_parts(sim, inode, offset, parts, count, (size_t)(last - offset));
    return no_space("write to", open->path);
}

static enum weir_error sim_file_sync(struct sys *sys, int file) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_open_file *open = NULL;
    uint64_t before = sim->change_next; /* what is written while it runs is not covered */
    enum weir_error e = enter(sim, SYS_SIM_SYNC, "sync", file, &open);
    if (e) return e;
    sim_inode_sync(open->inode, before);
    sim_took(sim, sim->plan.sync_ns);
    return sim_linger(sim);
}

/* A write, and then its sync, which is another moment to fail or die in. With O_DSYNC the sync covers the written range
 * alone, whatever else of the file is waiting. */
static enum weir_error sim_file_commit(
    struct sys *sys, int file, enum sys_commit_path path, uint64_t offset, const void *data, size_t size) {
    struct sys_sim *sim = sim_of(sys);
    const struct sim_open_file *as = sim_dead(sim) ? NULL : file_of(sim, file);
    WEIR_ASSERT(size > 0 && path < SYS_COMMIT_PATHS);
    WEIR_ASSERT(!sys_commit_is_direct(path) || (offset | size | (uintptr_t)data) % SYS_DIRECT_BLOCK == 0);
    WEIR_ASSERT(!as || sys_commit_is_direct(path) == ((as->flags & SYS_OPEN_DIRECT) != 0));
    struct sys_iovec part = {(void *)(uintptr_t)data, size};
    enum weir_error e = sim_file_write(sys, file, offset, &part, 1);
    if (e) return e;
    if (path == SYS_COMMIT_SYNC || path == SYS_COMMIT_URING) return sim_file_sync(sys, file);
    struct sim_open_file *open = NULL;
    uint64_t before = sim->change_next;
    e = enter(sim, SYS_SIM_SYNC, "write and sync", file, &open);
    if (e) return e;
    sim_inode_sync_range(open->inode, offset, size, before);
    sim_took(sim, sim->plan.sync_ns);
    return sim_linger(sim);
}

static enum weir_error sim_disk_sync(struct sys *sys, int file) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_open_file *open = NULL;
    uint64_t before = sim->change_next;
    enum weir_error e = enter(sim, SYS_SIM_SYNC, "sync the disk of", file, &open);
    if (e) return e;
    for (size_t i = 0; i < sim->inode_count; i++) {
        if (!sim->inodes[i]->is_folder) sim_inode_sync(sim->inodes[i], before);
    }
    sim_took(sim, sim->plan.sync_ns);
    return sim_linger(sim);
}

static enum weir_error sim_file_size(struct sys *sys, int file, uint64_t *ret_size) {
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim_of(sys), SYS_SIM_ANY, "look at", file, &open);
    if (e) return e;
    *ret_size = open->inode->live.size;
    return WEIR_OK;
}

static enum weir_error sim_file_truncate(struct sys *sys, int file, uint64_t size) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim, SYS_SIM_WRITE, "set the size of", file, &open);
    if (e) return e;
    WEIR_ASSERT(open->flags & SYS_OPEN_WRITE);
    uint64_t now = open->inode->live.size;
    if (!sim_disk_fits(sim, size > now ? size - now : 0)) return no_space("set the size of", open->path);
    if (size != now) sim_inode_resize(open->inode, sim->change_next++, SIM_CHANGE_SIZE, size);
    return WEIR_OK;
}

static enum weir_error sim_file_allocate(struct sys *sys, int file, uint64_t offset, uint64_t size) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim, SYS_SIM_WRITE, "reserve space in", file, &open);
    if (e) return e;
    WEIR_ASSERT(open->flags & SYS_OPEN_WRITE);
    uint64_t now = open->inode->live.size, end = offset + size;
    if (size == 0 || end <= now) return WEIR_OK;
    if (!sim_disk_fits(sim, end - now)) return no_space("reserve space in", open->path);
    sim_inode_resize(open->inode, sim->change_next++, SIM_CHANGE_GROW, end);
    return WEIR_OK;
}

/* Hints change nothing here: written back is not durable. */
static void sim_file_writeback(struct sys *sys, int file, uint64_t offset, uint64_t size) {
    (void)sys, (void)file, (void)offset, (void)size;
}

static void sim_file_forget(struct sys *sys, int file, uint64_t offset, uint64_t size) {
    (void)sys, (void)file, (void)offset, (void)size;
}

static enum weir_error sim_file_send(
    struct sys *sys, int file, uint64_t offset, size_t size, int socket, size_t *ret_size) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim, SYS_SIM_READ, "send", file, &open);
    if (e) return e;
    struct sim_socket *stream = sim_find(sim, &sim->sockets, socket);
    if (!stream) return sim_closed();
    if (!stream->peer || stream->out_ended) return weir_error_context(WEIR_E_CLOSED, "the peer closed the connection");
    size_t room = sim_stream_room(stream);
    if (room == 0) return WEIR_E_AGAIN;
    uint64_t left = offset < open->inode->live.size ? open->inode->live.size - offset : 0;
    if (size > left) size = (size_t)left;
    if (size > room) size = room;
    size = sim_chunk(sim, stream, size);
    void *bytes = sim_new(size + 1);
    size_t got = sim_content_read(&open->inode->live, offset, bytes, size);
    sim_stream_put(sim, stream, bytes, got);
    free(bytes);
    *ret_size = got;
    return WEIR_OK;
}

static enum weir_error sim_file_lock(struct sys *sys, int file) {
    struct sim_open_file *open = NULL;
    enum weir_error e = enter(sim_of(sys), SYS_SIM_ANY, "lock", file, &open);
    if (e) return e;
    struct sim_inode *inode = open->inode;
    if (inode->lock_handle >= 0 && inode->lock_handle != file)
        return weir_error_context(
            WEIR_E_LOCKED, "cannot lock %s: another process works here, stop it first", open->path);
    inode->lock_handle = file;
    return WEIR_OK;
}

/* No thread of the process waits any more, so it takes no time; the disk may fail as ever. */
void sim_write_last_words(struct sys_sim *sim, const struct sim_last_words *words) {
    const struct sim_open_file *open = words->note ? file_of(sim, words->file) : NULL;
    uint8_t bytes[LAST_WORDS_MAX];
    size_t size = open ? words->note(bytes) : 0;
    if (size == 0 || sim_chance(sim, SYS_SIM_FAULT_WRITE)) return;
    WEIR_ASSERT(size <= sizeof bytes);
    sim_inode_write(open->inode, sim->change_next++, words->offset, bytes, size);
    sim_note(sim, "last words", open->inode->label, words->offset, size, WEIR_OK);
    if (!sim_chance(sim, SYS_SIM_FAULT_SYNC)) sim_inode_sync(open->inode, sim->change_next);
}

void sim_files_crash(struct sys_sim *sim, bool process_only) {
    while (sim->files.count > 0) {
        struct sim_slot last = sim->files.slots[sim->files.count - 1];
        sim->files.count--;
        release(sim, last.handle, last.item);
    }
    if (process_only) return;
    for (size_t i = 0; i < sim->inode_count; i++)
        sim_inode_crash(sim->inodes[i], &sim->plan, &sim->prng_disk);
    sim_path_crash(sim);
}

void sim_files_release(struct sys_sim *sim, int process) {
    for (size_t i = sim->files.count; i-- > 0;) {
        struct sim_slot slot = sim->files.slots[i];
        if (slot.process == process) release(sim, slot.handle, sim_table_take(&sim->files, slot.handle));
    }
}

enum weir_error sys_sim_flip(struct sys *sys, const char *path, uint64_t offset, uint8_t mask) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_inode *inode = sim_path_find(sim, path);
    if (!inode || inode->is_folder) return weir_error_context(WEIR_E_NOT_FOUND, "no file %s to flip a bit of", path);
    struct sim_content *contents[] = {&inode->live, &inode->durable};
    bool flipped = false;
    for (size_t i = 0; i < 2; i++) {
        uint8_t byte;
        if (sim_content_read(contents[i], offset, &byte, 1) == 0) continue;
        byte ^= mask;
        sim_content_write(contents[i], offset, &byte, 1);
        flipped = true;
    }
    if (flipped) return WEIR_OK;
    return weir_error_context(WEIR_E_OUT_OF_RANGE, "%s has no byte %llu", path, (unsigned long long)offset);
}

void sim_file_table(struct sys *table) {
    table->file_open = sim_file_open;
    table->file_close = sim_file_close;
    table->file_read = sim_file_read;
    table->file_write = sim_file_write;
    table->file_sync = sim_file_sync;
    table->file_commit = sim_file_commit;
    table->disk_sync = sim_disk_sync;
    table->file_size = sim_file_size;
    table->file_truncate = sim_file_truncate;
    table->file_allocate = sim_file_allocate;
    table->file_writeback = sim_file_writeback;
    table->file_forget = sim_file_forget;
    table->file_send = sim_file_send;
    table->file_lock = sim_file_lock;
}
