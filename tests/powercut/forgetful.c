/* forgetful MOUNTPOINT: a FUSE file system on a disk that forgets what was not synced (forgetful_disk.h).
 *
 * Nothing is cached on the way: files are opened for direct I/O and names are good for no time, so every write, sync
 * and rename of the process under test is a call here, in its order. One thread answers them.
 *
 * It is told what to do by writing a line to the file .forgetful in its root, and tells what it did when that is read:
 *   cut SEED [CALLS]   the power goes now, or at that call from now that changes or syncs something; then everything
 *                      fails with EIO until
 *   on                 the power is back
 *   fail-sync WHICH N  the N-th sync from now of files, folders, disk, all answers EIO, and what it covered never
 *                      becomes durable
 *   space BYTES        of the whole disk
 *   short-writes N     about every N-th write stops early; 0: none
 *   lie WHICH          syncs of files, folders, disk, all answer success and do nothing; none: it is honest again
 *
 * Linux does not tell a FUSE file system of syncfs(): the call answers success and nothing arrives. syncfs_preload.c
 * makes it an ioctl that does. Left out because weir does without: links, renames over folders or between them, holes,
 * shared mappings. Locks are the kernel's own.
 */
#define FUSE_USE_VERSION 35
#include "forgetful.h"
#include "forgetful_disk.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CONTROL_NAME   ".forgetful"
#define CONTROL_NUMBER ((uint64_t)1 << 62) /* no node gets that far */
#define BLOCK_BYTES    4096u

static struct disk disk;

/* ---- told and asked */

/* The kinds of sync that a word means. */
static bool kinds_of(const char *word, unsigned *ret_kinds) {
    static const struct {
        const char *word;
        unsigned kinds;
    } rows[] = {{"files", SYNC_FILE}, {"folders", SYNC_FOLDER}, {"disk", SYNC_DISK}, {"none", 0},
        {"all", SYNC_FILE | SYNC_FOLDER | SYNC_DISK}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].word, word) != 0) continue;
        *ret_kinds = rows[i].kinds;
        return true;
    }
    return false;
}

static uint64_t number_of(const char *word) {
    return word ? strtoull(word, NULL, 10) : 0;
}

/* False when it was not understood. */
static bool obey(char *line) {
    const char *verb = strsep(&line, " "), *one = strsep(&line, " "), *two = strsep(&line, " ");
    if (strcmp(verb, "cut") == 0) {
        disk.cut_seed = number_of(one);
        disk.cut_calls = number_of(two);
        if (disk.cut_calls == 0) disk_cut(&disk, disk.cut_seed);
    } else if (strcmp(verb, "on") == 0) {
        disk_power_on(&disk);
    } else if (strcmp(verb, "fail-sync") == 0) {
        disk.fail_syncs = number_of(two);
        return one && kinds_of(one, &disk.fail_kinds);
    } else if (strcmp(verb, "lie") == 0) {
        return one && kinds_of(one, &disk.lie_kinds);
    } else if (strcmp(verb, "space") == 0) {
        disk.bytes_max = number_of(one);
    } else if (strcmp(verb, "short-writes") == 0) {
        disk.short_writes = number_of(one);
    } else {
        return false;
    }
    return true;
}

static void reply_report(fuse_req_t req, off_t offset) {
    const struct tally *t = &disk.tally;
    char text[1024];
    int size = snprintf(text, sizeof text,
        "off %d\ncalls %" PRIu64 "\nsyncs %" PRIu64 "\ndisk_syncs %" PRIu64 "\nsyncs_failed %" PRIu64
        "\nerrors_told %" PRIu64 "\nwrites_given_up %" PRIu64 "\nwrites_short %" PRIu64 "\nno_space %" PRIu64
        "\ncuts %" PRIu64 "\nwrites_kept %" PRIu64 "\nwrites_torn %" PRIu64 "\nwrites_lost %" PRIu64
        "\nnames_kept %" PRIu64 "\nnames_undone %" PRIu64 "\n",
        disk.off, t->calls, t->syncs, t->disk_syncs, t->syncs_failed, t->errors_told, t->writes_given_up,
        t->writes_short, t->no_space, t->cuts, t->writes_kept, t->writes_torn, t->writes_lost, t->names_kept,
        t->names_undone);
    if (offset < size)
        fuse_reply_buf(req, text + offset, (size_t)(size - offset));
    else
        fuse_reply_buf(req, NULL, 0);
}

/* ---- answers */

static struct stat about(uint64_t number) {
    const struct node *node = disk_node(&disk, number);
    struct stat about = {
        .st_ino = number, .st_nlink = 1, .st_uid = getuid(), .st_gid = getgid(), .st_blksize = BLOCK_BYTES};
    about.st_mode = node ? node->mode : S_IFREG | 0600;
    about.st_size = node ? (off_t)node->live.size : 0;
    about.st_blocks = (about.st_size + 511) / 512;
    return about;
}

static struct fuse_entry_param entry_of(struct node *node) {
    node->lookups++;
    return (struct fuse_entry_param){.ino = node->number, .attr = about(node->number)};
}

static void reply_entry(fuse_req_t req, int error, struct node *node) {
    if (error) {
        fuse_reply_err(req, error);
        return;
    }
    struct fuse_entry_param entry = entry_of(node);
    fuse_reply_entry(req, &entry);
}

static void reply_attr(fuse_req_t req, int error, uint64_t number) {
    struct stat attr = about(number);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_attr(req, &attr, 0);
}

/* ---- names */

static void on_init(void *data, struct fuse_conn_info *conn) {
    (void)data;
    conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC; /* a truncation is a change of its own */
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
    struct node *folder = disk_node(&disk, parent);
    if (parent == FUSE_ROOT_ID && strcmp(name, CONTROL_NAME) == 0) {
        struct fuse_entry_param entry = {.ino = CONTROL_NUMBER, .attr = about(CONTROL_NUMBER)};
        fuse_reply_entry(req, &entry);
        return;
    }
    struct node *node = disk.off || !folder ? NULL : disk_find(folder, name);
    reply_entry(req, disk.off ? EIO : node ? 0 : ENOENT, node);
}

static void on_forget(fuse_req_t req, fuse_ino_t number, uint64_t lookups) {
    struct node *node = disk_node(&disk, number);
    if (node) node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *info) {
    (void)info;
    bool known = number == CONTROL_NUMBER || number == FUSE_ROOT_ID || disk_node(&disk, number);
    bool refused = disk.off && number != CONTROL_NUMBER && number != FUSE_ROOT_ID;
    reply_attr(req, refused ? EIO : known ? 0 : ENOENT, number);
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info) {
    struct node *folder = disk_node(&disk, parent), *node = NULL;
    int error = disk_begin(&disk);
    if (!error) error = disk_end(&disk, folder ? disk_make(&disk, folder, name, mode, &node) : ENOENT);
    if (error || !info) {
        reply_entry(req, error, node);
        return;
    }
    info->direct_io = 1;
    struct fuse_entry_param entry = entry_of(node);
    fuse_reply_create(req, &entry, info);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
    make(req, parent, name, S_IFDIR | (mode & 07777), NULL);
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info) {
    make(req, parent, name, S_IFREG | (mode & 07777), info);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, bool is_folder) {
    struct node *folder = disk_node(&disk, parent);
    int error = disk_begin(&disk);
    if (!error) error = disk_end(&disk, folder ? disk_remove(folder, name, is_folder) : ENOENT);
    fuse_reply_err(req, error);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name) {
    remove_name(req, parent, name, false);
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name) {
    remove_name(req, parent, name, true);
}

static void on_rename(
    fuse_req_t req, fuse_ino_t parent, const char *old, fuse_ino_t new_parent, const char *name, unsigned flags) {
    struct node *folder = disk_node(&disk, parent);
    int error = disk_begin(&disk);
    if (!error) {
        error = flags ? EINVAL : parent != new_parent ? EXDEV : folder ? disk_rename(folder, old, name) : ENOENT;
        error = disk_end(&disk, error);
    }
    fuse_reply_err(req, error);
}

/* `offset` is the index of the next name: nothing here changes a folder while it lists it. */
static void on_readdir(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
    (void)info;
    const struct node *folder = disk_node(&disk, number);
    if (disk.off || !folder) {
        fuse_reply_err(req, disk.off ? EIO : ENOENT);
        return;
    }
    char out[16384];
    size_t used = 0;
    if (size > sizeof out) size = sizeof out;
    for (size_t i = (size_t)offset; i < folder->live_names.count; i++) {
        const struct name *name = &folder->live_names.at[i];
        struct stat attr = about(name->node->number);
        size_t need = fuse_add_direntry(req, out + used, size - used, name->text, &attr, (off_t)i + 1);
        if (need > size - used) break;
        used += need;
    }
    fuse_reply_buf(req, out, used);
}

/* ---- files */

static void on_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *info) {
    if (disk.off && number != CONTROL_NUMBER) {
        fuse_reply_err(req, EIO);
        return;
    }
    info->direct_io = 1;
    fuse_reply_open(req, info);
}

static void on_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
    (void)info;
    const struct node *file = disk_node(&disk, number);
    if (number == CONTROL_NUMBER) {
        reply_report(req, offset);
        return;
    }
    uint8_t *bytes = disk.off || !file ? NULL : malloc(size);
    if (bytes)
        fuse_reply_buf(req, (char *)bytes, disk_read(file, (uint64_t)offset, bytes, size));
    else
        fuse_reply_err(req, EIO);
    free(bytes);
}

static void control(fuse_req_t req, const char *bytes, size_t size) {
    char line[128];
    snprintf(line, sizeof line, "%.*s", (int)(size < sizeof line ? size : sizeof line), bytes);
    line[strcspn(line, "\n")] = 0;
    if (obey(line))
        fuse_reply_write(req, size);
    else
        fuse_reply_err(req, EINVAL);
}

/* O_DSYNC, of the file or of the one write: the kernel hands it on and does no more, so it is for us to keep. Another
 * call, as a sync is one: between it and the write the power may go. */
static int sync_when_asked(struct node *file, const struct fuse_file_info *info) {
    if (!(info->flags & O_DSYNC)) return 0;
    int error = disk_begin(&disk);
    return error ? error : disk_end(&disk, disk_sync_last(&disk, file));
}

static void on_write(
    fuse_req_t req, fuse_ino_t number, const char *bytes, size_t size, off_t offset, struct fuse_file_info *info) {
    if (number == CONTROL_NUMBER) {
        control(req, bytes, size);
        return;
    }
    struct node *file = disk_node(&disk, number);
    size_t written = 0;
    int error = disk_begin(&disk);
    if (!error)
        error = disk_end(&disk, file ? disk_write(&disk, file, (uint64_t)offset, bytes, size, &written) : ENOENT);
    if (!error && written > 0) error = sync_when_asked(file, info);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_write(req, written);
}

static void resize(fuse_req_t req, struct node *file, uint64_t size, bool wants_attr) {
    int error = disk_begin(&disk);
    if (!error) error = disk_end(&disk, file ? disk_resize(&disk, file, size) : ENOENT);
    if (wants_attr && !error)
        reply_attr(req, 0, file->number);
    else
        fuse_reply_err(req, error);
}

/* Owners and times are accepted and forgotten: nothing depends on them. */
static void on_setattr(fuse_req_t req, fuse_ino_t number, struct stat *attr, int what, struct fuse_file_info *info) {
    (void)info;
    struct node *node = disk_node(&disk, number);
    if (node && (what & FUSE_SET_ATTR_MODE)) node->mode = (node->mode & S_IFMT) | (attr->st_mode & 07777);
    if (node && (what & FUSE_SET_ATTR_SIZE))
        resize(req, node, (uint64_t)attr->st_size, true);
    else
        reply_attr(req, 0, number);
}

static void on_fallocate(
    fuse_req_t req, fuse_ino_t number, int mode, off_t offset, off_t length, struct fuse_file_info *info) {
    (void)info;
    struct node *file = disk_node(&disk, number);
    uint64_t end = (uint64_t)offset + (uint64_t)length;
    if (mode != 0)
        fuse_reply_err(req, EOPNOTSUPP);
    else
        resize(req, file, file && file->live.size > end ? file->live.size : end, false);
}

static void on_statfs(fuse_req_t req, fuse_ino_t number) {
    (void)number;
    uint64_t used = disk_bytes_used(&disk), left = used < disk.bytes_max ? disk.bytes_max - used : 0;
    struct statvfs about = {.f_bsize = BLOCK_BYTES, .f_frsize = BLOCK_BYTES, .f_namemax = NAME_MAX};
    about.f_blocks = disk.bytes_max / BLOCK_BYTES;
    about.f_bfree = about.f_bavail = left / BLOCK_BYTES;
    if (disk.off)
        fuse_reply_err(req, EIO);
    else
        fuse_reply_statfs(req, &about);
}

/* ---- syncs */

static void on_fsync(fuse_req_t req, fuse_ino_t number, int datasync, struct fuse_file_info *info) {
    (void)datasync; /* the size belongs to what fdatasync makes durable, and there is nothing else to leave out */
    (void)info;
    struct node *node = disk_node(&disk, number);
    int error = disk_begin(&disk);
    if (!error) error = disk_end(&disk, node ? disk_sync(&disk, node) : ENOENT);
    fuse_reply_err(req, error);
}

static void on_ioctl(fuse_req_t req, fuse_ino_t number, unsigned command, void *arg, struct fuse_file_info *info,
    unsigned flags, const void *in, size_t in_size, size_t out_size) {
    (void)number, (void)arg, (void)info, (void)flags, (void)in, (void)in_size, (void)out_size;
    int error = command == FORGETFUL_SYNC_ALL ? disk_begin(&disk) : ENOTTY;
    if (command == FORGETFUL_SYNC_ALL && !error) error = disk_end(&disk, disk_sync_all(&disk));
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_ioctl(req, 0, NULL, 0);
}

static const struct fuse_lowlevel_ops operations = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .mkdir = on_mkdir,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .rename = on_rename,
    .create = on_create,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .fsync = on_fsync,
    .fsyncdir = on_fsync,
    .readdir = on_readdir,
    .statfs = on_statfs,
    .ioctl = on_ioctl,
    .fallocate = on_fallocate,
};

int main(int count, char **words) {
    if (count != 2) {
        fprintf(stderr, "usage: forgetful MOUNTPOINT\n");
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that dies leaves no mount behind */
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session = NULL;
    if (fuse_opt_add_arg(&args, words[0]) == 0 && fuse_opt_add_arg(&args, "-ofsname=forgetful") == 0)
        session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    bool mounted = session && fuse_set_signal_handlers(session) == 0 && fuse_session_mount(session, words[1]) == 0;
    if (mounted) {
        disk_init(&disk);
        printf("forgetful ready\n");
        fflush(stdout);
        (void)fuse_session_loop(session); /* until SIGTERM, or until it is unmounted */
        fuse_session_unmount(session);
        fuse_remove_signal_handlers(session);
        disk_done(&disk);
    }
    if (session) fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    return mounted ? 0 : 1;
}
