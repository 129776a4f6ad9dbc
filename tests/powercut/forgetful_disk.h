/* A disk in memory that forgets what was not synced, and fails when it is told to.
 *
 * Every file has two images: `live` is what a process reads, `durable` is what a power cut leaves. Between them stand
 * its changes, oldest first: a sync makes them durable, a power cut throws dice for each. Folders have the same with
 * names. The rules are POSIX's and no kinder: a sync of a file says nothing of its name, a sync of a folder says
 * nothing of what is in its files, and what was not synced may be there in part and in any order.
 *
 * It shares no code with src/sys/sys_sim*.c on purpose: each of the two models would show a mistake of the other.
 * One thread. Functions return 0 or an errno. Memory that runs out ends the process: it is a test's.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SECTOR_BYTES 512u /* what a disk writes whole or not at all */

struct image {
    uint8_t *bytes;
    size_t size, capacity;
};

/* A write, or with bytes == NULL a new size. */
struct change {
    uint8_t *bytes;
    uint64_t offset, size;
};

struct name {
    char text[NAME_MAX + 1];
    struct node *node;
};

/* `text` now means `node`, or nothing when that is NULL; in the same step `old` (of a rename, else "") goes away. */
struct naming {
    char text[NAME_MAX + 1], old[NAME_MAX + 1];
    struct node *node;
};

struct names {
    struct name *at;
    size_t count, capacity;
};

struct node {
    uint64_t number;  /* of the inode, never used again */
    mode_t mode;      /* with S_IFDIR or S_IFREG */
    uint64_t lookups; /* how often the kernel was told of it and has not forgotten it */
    bool reached;     /* by the walk of a power cut */

    /* a file */
    struct image live, durable;
    struct change *changes;
    size_t change_count, change_capacity;
    bool given_up;   /* a sync failed: some of `live` will never be durable, whatever later syncs say */
    bool error_owed; /* a sync of the whole disk failed for it: its own next sync says so, once */

    /* a folder */
    struct names live_names, durable_names;
    struct naming *namings;
    size_t naming_count, naming_capacity;
};

struct tally {
    uint64_t calls; /* that change or sync something */
    uint64_t syncs, syncs_failed, disk_syncs, writes_given_up;
    uint64_t errors_told; /* of a failed sync of the disk, by a later sync of a file it hurt (error_owed) */
    uint64_t writes_short, no_space;
    uint64_t cuts, writes_kept, writes_torn, writes_lost, names_kept, names_undone;
};

enum sync_kind { SYNC_FILE = 1, SYNC_FOLDER = 2, SYNC_DISK = 4 };

struct disk {
    struct node **nodes; /* by number - 1; freed ones are NULL; the root is the first */
    size_t node_count, node_capacity;
    uint64_t random;
    uint64_t bytes_max;
    struct tally tally;

    /* faults to come; 0 is never */
    uint64_t cut_calls, cut_seed; /* the power goes at this call from now */
    bool cut_after;               /* of the call that runs: it takes effect, yet nobody is told */
    bool off;                     /* no power: every call fails until disk_power_on() */
    uint64_t fail_syncs;          /* this sync from now fails, of those of these kinds */
    unsigned fail_kinds;          /* enum sync_kind, or-ed */
    unsigned lie_kinds;           /* these answer success and do nothing, nor does a sync of the disk do it for them */
    uint64_t short_writes;        /* about every n-th write stops early */
};

void disk_init(struct disk *disk);
void disk_done(struct disk *disk);

struct node *disk_node(struct disk *disk, uint64_t number); /* NULL when it is gone */
uint64_t disk_bytes_used(const struct disk *disk);

/* Around every call that changes or syncs something: counts it, and is where an armed power cut strikes, before or
 * after the call took effect. `error` is the call's own; what disk_end() returns is the answer. */
int disk_begin(struct disk *disk);
int disk_end(struct disk *disk, int error);

/* ---- files */
size_t disk_read(const struct node *file, uint64_t offset, void *out, size_t size);
int disk_write(struct disk *disk, struct node *file, uint64_t offset, const void *bytes, size_t size, size_t *ret_size);
int disk_resize(struct disk *disk, struct node *file, uint64_t size);

/* ---- names */
struct node *disk_find(const struct node *folder, const char *name);
int disk_make(struct disk *disk, struct node *folder, const char *name, mode_t mode, struct node **ret_node);
int disk_remove(struct node *folder, const char *name, bool is_folder);
int disk_rename(struct node *folder, const char *old, const char *name);

/* ---- what makes it durable */
int disk_sync(struct disk *disk, struct node *node);      /* a file's content, or a folder's names */
int disk_sync_last(struct disk *disk, struct node *file); /* the newest write and the size it needs: O_DSYNC */
int disk_sync_all(struct disk *disk);

/* ---- the power */
void disk_cut(struct disk *disk, uint64_t seed); /* now; says on stderr what became of what */
void disk_power_on(struct disk *disk);
