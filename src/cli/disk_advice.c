/* See disk_advice.h. Thresholds stand where they are used, each with its reason. */
#include "cli/disk_advice.h"

#include "base/assert.h"
#include "base/text.h"

#include <stdio.h>

#define SPACE_LOW ((uint64_t)1 << 30) /* the journal's 256 MB, as much of segments, and the reserve, with some room */

static void say(struct disk_advice *a, enum advice_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct disk_advice *a, enum advice_level level, const char *format, ...) {
    WEIR_ASSERT(a->count < ADVICE_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(a->items[a->count].text, ADVICE_TEXT_SIZE, format, args);
    va_end(args);
    a->items[a->count++].level = level;
    a->unsafe |= level == ADVICE_UNSAFE;
}

/* ---- the file system ----------------------------------------------------------------------------------------- */
/* Sets of file systems, their names between spaces. */
#define IN_MEMORY " tmpfs ramfs devtmpfs "
#define REMOTE    " nfs nfs4 cifs smb3 9p virtiofs ceph glusterfs lustre gfs2 ocfs2 afs vboxsf "
#define COPYING   " btrfs zfs bcachefs nilfs2 "
#define NO_LOG    " vfat exfat msdos ext2 ntfs ntfs3 hfs hfsplus "

static bool is_one_of(const char *name, const char *names) {
    char wanted[80];
    snprintf(wanted, sizeof wanted, " %s ", name);
    return strstr(names, wanted) != NULL;
}

/* "barrier=0" among "rw,barrier=0,noatime" */
static bool has_option(const struct disk_facts *f, const char *option) {
    size_t size = strlen(option);
    for (const char *at = f->options; (at = strstr(at, option)) != NULL; at += size) {
        bool starts = at == f->options || at[-1] == ',';
        if (starts && (at[size] == ',' || at[size] == 0)) return true;
    }
    return false;
}

/* Whose word a sync is: the server's or host's, not this kernel's. */
static bool is_remote(const struct disk_facts *f) {
    return is_one_of(f->type, REMOTE) || strncmp(f->type, "fuse", 4) == 0;
}

static void judge_file_system(const struct disk_facts *f, struct disk_advice *a) {
    if (f->type[0] == 0) say(a, ADVICE_WARNING, "the file system is not known: its traps can't be told");
    if (is_one_of(f->type, IN_MEMORY))
        say(a, ADVICE_UNSAFE, "%s keeps files in memory: nothing survives a restart of the machine, whatever is synced",
            f->type);
    if (is_remote(f))
        say(a, ADVICE_WARNING,
            "%s: a server or host answers for the syncs, and what they are worth can't be seen from here; O_DSYNC and "
            "O_DIRECT may be dropped on the way, so stay with sync",
            f->type);
    if (is_one_of(f->type, COPYING))
        say(a, ADVICE_WARNING,
            "%s copies on write: the journal's files are written ahead for nothing, and each commit allocates%s",
            f->type,
            strcmp(f->type, "btrfs") == 0 ? "; make the empty data folder with chattr +C"
            : strcmp(f->type, "zfs") == 0
                ? "; and sync=disabled, which makes every sync a lie, does not show here: zfs get sync"
                : "");
    if (is_one_of(f->type, NO_LOG))
        say(a, ADVICE_WARNING, "%s has no journal of its own: a power cut can damage the file system itself", f->type);
    if (strcmp(f->type, "overlay") == 0)
        say(a, ADVICE_WARNING, "overlay: this is a container's own layer and goes with the container; mount a volume");
}

static void judge_options(const struct disk_facts *f, struct disk_advice *a) {
    if (has_option(f, "volatile"))
        say(a, ADVICE_UNSAFE, "mounted volatile: syncs are ignored, so nothing is durable; mount it without");
    const char *const no_flush[] = {"nobarrier", "barrier=0", "fsync_mode=nobarrier"};
    for (size_t i = 0; i < 3; i++) {
        if (!has_option(f, no_flush[i])) continue;
        if (f->write_back == 0)
            say(a, ADVICE_NOTE, "mounted with %s: right as long as the disk keeps what it acknowledges, as it says",
                no_flush[i]);
        else
            say(a, ADVICE_UNSAFE, "mounted with %s: a sync leaves the data in the disk's cache; mount it without",
                no_flush[i]);
    }
    if (has_option(f, "data=journal"))
        say(a, ADVICE_NOTE, "data=journal: every byte is written twice, and O_DIRECT goes through the page cache");
    if (has_option(f, "sync"))
        say(a, ADVICE_NOTE, "mounted sync: every write waits for the disk, also those that need not");
    if (has_option(f, "ro")) say(a, ADVICE_WARNING, "mounted read-only");
}

/* ---- the device ---------------------------------------------------------------------------------------------- */
static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* Such a disk's own word that it spins is a default of its host. */
static bool is_virtual(const struct disk_facts *f) {
    return begins(f->device, "vd") || begins(f->device, "xvd");
}

static void judge_device(const struct disk_facts *f, struct disk_advice *a) {
    if (begins(f->device, "ram") || begins(f->device, "zram"))
        say(a, ADVICE_UNSAFE, "%s is memory: nothing survives a restart of the machine", f->device);
    if (begins(f->device, "loop"))
        say(a, ADVICE_WARNING, "%s is a file on another disk: look at that one, `weir check disk` there", f->device);
    if (is_virtual(f))
        say(a, ADVICE_NOTE, "%s is a virtual disk: what a flush is worth is its host's to say", f->device);
}

/* What the time of a sync can tell. Half a turn at 7,200 rpm is 4.2 ms, so no spinning platter has a median below 1 ms;
 * and no disk is reached and answers in 4 us: the quickest (NVMe with a protected cache) take about 10. */
static void judge_times(const struct disk_facts *f, const struct commit_costs *costs, struct disk_advice *a) {
    uint64_t p50 = costs->costs[SYS_COMMIT_SYNC][0].p50_ns;
    double us = (double)p50 / 1e3;
    if (a->unsafe) return;
    if (p50 < 4000)
        say(a, ADVICE_WARNING,
            "a sync takes %.1f us: no disk answers as fast, so none was asked; find out what keeps it", us);
    else if (f->rotational == 1 && !is_virtual(f) && p50 < 1000000)
        say(a, ADVICE_WARNING,
            "it calls itself a spinning disk and syncs in %.0f us, where half a turn takes 4,200: it has no platters, "
            "or a "
            "cache that must be protected against a power cut, or it lies; which of them can't be seen from here",
            us);
    else if (f->write_back == 1 && p50 < 30000)
        say(a, ADVICE_NOTE,
            "a sync takes %.0f us: right for flash whose cache is protected against a power cut, too fast for other; "
            "ask the data sheet",
            us);
    else
        say(a, ADVICE_NOTE,
            "a sync takes %.0f us: nothing here says that it lies, though only a power cut would prove that it does "
            "not",
            us);
}

/* ---- the way to write ---------------------------------------------------------------------------------------- */
/* Better beyond noise: at the smallest size, which most commits have, 10 % more commits, ahead in seven of eight rounds
 * (14 of 15 come by chance once in 2,000 times); at no size a tenth less; and no longer tail. */
static bool is_better(const struct commit_costs *costs, enum sys_commit_path how) {
    const struct commit_cost *c = costs->costs[how], *sync = costs->costs[SYS_COMMIT_SYNC];
    if (costs->refused[how] || c[0].ratio < 1.1 || c[0].rounds_ahead * 8 < costs->rounds * 7) return false;
    if ((double)c[0].p99_ns > 1.5 * (double)sync[0].p99_ns) return false;
    for (size_t s = 1; s < COMMIT_COST_SIZES; s++) {
        if (c[s].ratio < 0.9) return false;
    }
    return true;
}

/* Of those that are better the fastest at small commits; the plainer one unless another is 5 % ahead of it. */
static enum sys_commit_path choose(const struct commit_costs *costs) {
    enum sys_commit_path best = SYS_COMMIT_SYNC;
    for (int i = SYS_COMMIT_DSYNC; i < SYS_COMMIT_PATHS; i++) {
        enum sys_commit_path how = (enum sys_commit_path)i;
        double margin = best == SYS_COMMIT_SYNC ? 0 : 1.05;
        if (is_better(costs, how) && costs->costs[how][0].ratio > margin * costs->costs[best][0].ratio) best = how;
    }
    return best;
}

static void advise_path(const struct disk_facts *f, const struct commit_costs *costs, struct disk_advice *a) {
    struct text_builder t = TEXT_BUILDER(a->reason);
    a->best = SYS_COMMIT_SYNC;
    if (a->unsafe || is_remote(f)) {
        text_add(&t, a->unsafe ? "no way to write makes anything durable here"
                               : "the plainest is the one that servers and hosts honour most");
        return;
    }
    a->best = choose(costs);
    if (a->best == SYS_COMMIT_SYNC) {
        text_printf(&t, "no other way was 10 %% faster in seven of eight rounds without being slower elsewhere");
        return;
    }
    const struct commit_cost *c = costs->costs[a->best];
    text_printf(&t, "%.2f x the commits per second of sync at %zu KB, ahead in %u of %u rounds", c[0].ratio,
        commit_cost_sizes[0] >> 10, c[0].rounds_ahead, costs->rounds);
    for (size_t s = 1; s < COMMIT_COST_SIZES; s++)
        text_printf(&t, "; %.2f x at %zu KB", c[s].ratio, commit_cost_sizes[s] >> 10);
}

void disk_advise(const struct disk_facts *facts, const struct commit_costs *costs, uint64_t bytes_free,
    struct disk_advice *ret_advice) {
    *ret_advice = (struct disk_advice){0};
    judge_file_system(facts, ret_advice);
    judge_options(facts, ret_advice);
    judge_device(facts, ret_advice);
    if (bytes_free < SPACE_LOW)
        say(ret_advice, ADVICE_WARNING,
            "%.0f MB are free: the journal alone may take 256 MB, and below the disk reserve "
            "(64 MB) commits are refused",
            (double)bytes_free / 1e6);
    judge_times(facts, costs, ret_advice);
    advise_path(facts, costs, ret_advice);
}
