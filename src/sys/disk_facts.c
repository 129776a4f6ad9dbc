/* What Linux tells about a disk. See disk_facts.h. */
#include "sys/disk_facts.h"

#include "base/assert.h"
#include "sys/sys_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MOUNT_LINE_MAX 4096

/* mountinfo writes space, tab, newline and backslash as \ and three octal digits. */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        bool escaped = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
                       from[3] >= '0' && from[3] <= '7';
        *to = escaped ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0') : *from;
        from += escaped ? 4 : 1;
    }
    *to = 0;
}

/* The next word of a line; NULL when there is none. */
static char *word(char **line) {
    char *start = *line + strspn(*line, " ");
    char *end = start + strcspn(start, " ");
    if (end == start) return NULL;
    *line = *end ? end + 1 : end;
    *end = 0;
    return start;
}

/* "36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/sda1 rw,errors=continue", see proc(5) */
bool disk_facts_parse_mount(const char *line, struct disk_facts *facts, uint64_t *ret_mount_id) {
    char copy[MOUNT_LINE_MAX], *rest = copy;
    if (strlen(line) >= sizeof copy) return false;
    snprintf(copy, sizeof copy, "%s", line);
    char *fields[6];
    for (size_t i = 0; i < 6; i++) {
        fields[i] = word(&rest);
        if (!fields[i]) return false;
    }
    const char *optional = word(&rest);
    while (optional && strcmp(optional, "-") != 0)
        optional = word(&rest);
    char *type = word(&rest), *source = word(&rest), *options = word(&rest), *end = NULL;
    uint64_t id = strtoull(fields[0], &end, 10);
    if (!type || !source || *end) return false;
    unescape(fields[4]);
    unescape(source);
    snprintf(facts->type, sizeof facts->type, "%s", type);
    snprintf(facts->source, sizeof facts->source, "%s", source);
    snprintf(facts->mount, sizeof facts->mount, "%s", fields[4]);
    snprintf(facts->options, sizeof facts->options, "%s%s%s", fields[5], options ? "," : "", options ? options : "");
    *ret_mount_id = id;
    return true;
}

static void read_mount(uint64_t mount_id, struct disk_facts *facts) {
    char line[MOUNT_LINE_MAX];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file && fgets(line, sizeof line, file)) {
        struct disk_facts found = *facts;
        uint64_t id = 0;
        line[strcspn(line, "\n")] = 0;
        if (!disk_facts_parse_mount(line, &found, &id) || id != mount_id) continue;
        *facts = found;
        break;
    }
    if (file) fclose(file);
}

/* A number or word of the device's queue; a partition's is its disk's. */
static bool read_queue(dev_t device, const char *name, char *text, size_t size) {
    static const char *const places[] = {"", "../"};
    bool got = false;
    for (size_t i = 0; i < 2 && !got; i++) {
        char path[160];
        snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%squeue/%s", major(device), minor(device), places[i], name);
        FILE *file = fopen(path, "re");
        got = file && fgets(text, (int)size, file);
        if (file) fclose(file);
    }
    if (got) text[strcspn(text, "\n")] = 0;
    return got;
}

static void read_device(dev_t device, struct disk_facts *facts) {
    char text[64], path[64], target[512];
    if (read_queue(device, "rotational", text, sizeof text)) facts->rotational = text[0] == '1';
    if (read_queue(device, "write_cache", text, sizeof text)) facts->write_back = strcmp(text, "write back") == 0;
    if (read_queue(device, "fua", text, sizeof text)) facts->fua = text[0] == '1';
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(device), minor(device));
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) return;
    target[size] = 0;
    const char *name = strrchr(target, '/');
    snprintf(facts->device, sizeof facts->device, "%s", name ? name + 1 : target);
}

enum weir_error disk_facts_read(const char *folder, struct disk_facts *ret_facts) {
    struct statx about;
    unsigned want = STATX_BASIC_STATS;
#ifdef STATX_MNT_ID
    want |= STATX_MNT_ID;
#endif
    if (statx(AT_FDCWD, folder, 0, want, &about) != 0) return sys_linux_error(errno, "look at", folder);
    *ret_facts = (struct disk_facts){.rotational = -1, .write_back = -1, .fua = -1};
#ifdef STATX_MNT_ID
    if (about.stx_mask & STATX_MNT_ID) read_mount(about.stx_mnt_id, ret_facts);
#endif
    dev_t device = makedev(about.stx_dev_major, about.stx_dev_minor);
    struct stat source; /* of what has no device of its own (btrfs) the source may be one */
    if (about.stx_dev_major == 0 && stat(ret_facts->source, &source) == 0 && S_ISBLK(source.st_mode))
        device = source.st_rdev;
    if (major(device) != 0) read_device(device, ret_facts);
    return WEIR_OK;
}
