/* sys/disk_facts.h: what the system tells about the disk below a folder: for people, and for what follows from it.
 * Linux only: mountinfo(5), sysfs's block queue of the mount that statx(2) names. What is not told stays empty or -1.
 * Any thread.
 */
#ifndef WEIR_SYS_DISK_FACTS_H
#define WEIR_SYS_DISK_FACTS_H
#include <stdbool.h>
#include <stdint.h>
#include <weir/error.h>

struct disk_facts {
    char type[64];      /* of the file system: "ext4" */
    char source[256];   /* "/dev/vda1", "tmpfs", "server:/export" */
    char mount[512];    /* where it is mounted */
    char options[1024]; /* of the mount, then of the file system: "rw,relatime,discard" */
    char device[64];    /* kernel's name of the block device, "" when there is none */
    int rotational;     /* 1: it calls itself a spinning disk */
    int write_back;     /* 1: it has a cache that syncs must flush; 0: what it acknowledges is written, it says */
    int fua;            /* 1: one write can go through that cache without a flush of it all */
};

/* NOT_FOUND, PERMISSION, IO of the folder itself; what else can't be read is left out. */
WEIR_MUST enum weir_error disk_facts_read(const char *folder, struct disk_facts *ret_facts);
/* One line of /proc/self/mountinfo, as text without its end. False: it is none, nothing was changed. */
bool disk_facts_parse_mount(const char *line, struct disk_facts *facts, uint64_t *ret_mount_id);

#endif
