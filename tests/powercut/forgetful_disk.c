#include "forgetful_disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- memory and dice */

static void *must(void *memory) {
    if (memory) return memory;
    fprintf(stderr, "forgetful: out of memory\n");
    exit(1);
}

/* Room for one more in an array that doubles. */
static void *grown(void *array, size_t count, size_t *capacity, size_t size_each) {
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : 8;
    return must(reallocarray(array, *capacity, size_each));
}

/* splitmix64: any seed is a good one. */
static uint64_t dice(struct disk *disk) {
    uint64_t z = (disk->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool coin(struct disk *disk) {
    return dice(disk) >> 63;
}

/* True on the call at which it reaches its end. */
static bool count_down(uint64_t *calls) {
    return *calls > 0 && --*calls == 0;
}

/* ---- nodes */

static struct node *node_new(struct disk *disk, mode_t mode) {
    disk->nodes = grown(disk->nodes, disk->node_count, &disk->node_capacity, sizeof(struct node *));
    struct node *node = must(calloc(1, sizeof *node));
    node->number = disk->node_count + 1;
    node->mode = mode;
    disk->nodes[disk->node_count++] = node;
    return node;
}

static void drop_changes(struct node *file) {
    for (size_t i = 0; i < file->change_count; i++)
        free(file->changes[i].bytes);
    file->change_count = 0;
}

static void node_free(struct disk *disk, struct node *node) {
    drop_changes(node);
    disk->nodes[node->number - 1] = NULL;
    free(node->changes);
    free(node->live.bytes);
    free(node->durable.bytes);
    free(node->live_names.at);
    free(node->durable_names.at);
    free(node->namings);
    free(node);
}

void disk_init(struct disk *disk) {
    *disk = (struct disk){.bytes_max = (uint64_t)1 << 30};
    node_new(disk, S_IFDIR | 0755);
}

void disk_done(struct disk *disk) {
    for (size_t i = 0; i < disk->node_count; i++)
        if (disk->nodes[i]) node_free(disk, disk->nodes[i]);
    free(disk->nodes);
}

struct node *disk_node(struct disk *disk, uint64_t number) {
    return number >= 1 && number <= disk->node_count ? disk->nodes[number - 1] : NULL;
}

static uint64_t bytes_below(const struct node *node) {
    uint64_t bytes = node->live.size;
    for (size_t i = 0; i < node->live_names.count; i++)
        bytes += bytes_below(node->live_names.at[i].node);
    return bytes;
}

uint64_t disk_bytes_used(const struct disk *disk) {
    return bytes_below(disk->nodes[0]);
}

/* ---- files */

static void image_resize(struct image *image, size_t size) {
    if (size > image->capacity) {
        size_t twice = image->capacity * 2;
        image->capacity = twice > size ? twice : size;
        image->bytes = must(realloc(image->bytes, image->capacity));
    }
    if (size > image->size) memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
}

static void image_put(struct image *image, uint64_t offset, const uint8_t *bytes, size_t size) {
    if (size == 0) return; /* memcpy wants pointers even for nothing */
    if (offset + size > image->size) image_resize(image, offset + size);
    memcpy(image->bytes + offset, bytes, size);
}

static void image_apply(struct image *image, const struct change *change) {
    if (change->bytes)
        image_put(image, change->offset, change->bytes, change->size);
    else
        image_resize(image, change->size);
}

static void add_change(struct node *file, struct change change) {
    file->changes = grown(file->changes, file->change_count, &file->change_capacity, sizeof change);
    file->changes[file->change_count++] = change;
    image_apply(&file->live, &change);
}

static int make_room(struct disk *disk, const struct node *file, uint64_t size) {
    if (size <= file->live.size || disk_bytes_used(disk) + (size - file->live.size) <= disk->bytes_max) return 0;
    disk->tally.no_space++;
    return ENOSPC;
}

size_t disk_read(const struct node *file, uint64_t offset, void *out, size_t size) {
    if (offset >= file->live.size) return 0;
    if (size > file->live.size - offset) size = file->live.size - offset;
    memcpy(out, file->live.bytes + offset, size);
    return size;
}

int disk_write(
    struct disk *disk, struct node *file, uint64_t offset, const void *bytes, size_t size, size_t *ret_size) {
    int error = make_room(disk, file, offset + size);
    if (error) return error;
    if (disk->short_writes > 0 && size > 1 && dice(disk) % disk->short_writes == 0) {
        size = 1 + dice(disk) % (size - 1);
        disk->tally.writes_short++;
    }
    uint8_t *copy = must(malloc(size ? size : 1));
    memcpy(copy, bytes, size);
    add_change(file, (struct change){copy, offset, size});
    *ret_size = size;
    return 0;
}

int disk_resize(struct disk *disk, struct node *file, uint64_t size) {
    int error = make_room(disk, file, size);
    if (!error && size != file->live.size) add_change(file, (struct change){NULL, 0, size});
    return error;
}

/* ---- names */

static struct name *names_find(const struct names *names, const char *text) {
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->at[i].text, text) == 0) return &names->at[i];
    return NULL;
}

static void names_put(struct names *names, const char *text, struct node *node) {
    struct name *name = names_find(names, text);
    if (node && name) {
        name->node = node;
    } else if (node) {
        names->at = grown(names->at, names->count, &names->capacity, sizeof *names->at);
        name = &names->at[names->count++];
        snprintf(name->text, sizeof name->text, "%s", text);
        name->node = node;
    } else if (name) {
        *name = names->at[--names->count];
    }
}

static void names_apply(struct names *names, const struct naming *naming) {
    names_put(names, naming->text, naming->node);
    if (naming->old[0]) names_put(names, naming->old, NULL);
}

static void add_naming(struct node *folder, const char *text, struct node *node, const char *old) {
    folder->namings = grown(folder->namings, folder->naming_count, &folder->naming_capacity, sizeof *folder->namings);
    struct naming *naming = &folder->namings[folder->naming_count++];
    naming->node = node;
    snprintf(naming->text, sizeof naming->text, "%s", text);
    snprintf(naming->old, sizeof naming->old, "%s", old);
    names_apply(&folder->live_names, naming);
}

struct node *disk_find(const struct node *folder, const char *name) {
    struct name *found = names_find(&folder->live_names, name);
    return found ? found->node : NULL;
}

int disk_make(struct disk *disk, struct node *folder, const char *name, mode_t mode, struct node **ret_node) {
    if (strlen(name) > NAME_MAX) return ENAMETOOLONG;
    if (disk_find(folder, name)) return EEXIST;
    *ret_node = node_new(disk, mode);
    add_naming(folder, name, *ret_node, "");
    return 0;
}

int disk_remove(struct node *folder, const char *name, bool is_folder) {
    const struct node *node = disk_find(folder, name);
    if (!node) return ENOENT;
    if (is_folder != S_ISDIR(node->mode)) return is_folder ? ENOTDIR : EISDIR;
    if (node->live_names.count > 0) return ENOTEMPTY;
    add_naming(folder, name, NULL, "");
    return 0;
}

int disk_rename(struct node *folder, const char *old, const char *name) {
    if (strlen(name) > NAME_MAX) return ENAMETOOLONG;
    struct node *node = disk_find(folder, old);
    const struct node *there = disk_find(folder, name);
    if (!node) return ENOENT;
    if (node == there) return 0;
    if (there && (S_ISDIR(there->mode) || S_ISDIR(node->mode))) return EEXIST; /* weir replaces only files */
    add_naming(folder, name, node, old);
    return 0;
}

/* ---- what makes it durable */

static void settle_file(struct node *file) {
    for (size_t i = 0; i < file->change_count; i++)
        image_apply(&file->durable, &file->changes[i]);
    drop_changes(file);
}

static void settle_folder(struct node *folder) {
    for (size_t i = 0; i < folder->naming_count; i++)
        names_apply(&folder->durable_names, &folder->namings[i]);
    folder->naming_count = 0;
}

/* As Linux does it: the pages of a failed sync count as clean afterwards, so nothing will ever write them again. Names
 * stay in doubt; a later sync of their folder may still make them durable. */
static bool give_up(struct disk *disk, struct node *node) {
    if (node->change_count == 0) return false;
    disk->tally.writes_given_up += node->change_count;
    drop_changes(node);
    node->given_up = true;
    return true;
}

/* Counts a sync. True when it is the one that fails. */
static bool sync_fails(struct disk *disk, enum sync_kind kind) {
    disk->tally.syncs++;
    disk->tally.disk_syncs += kind == SYNC_DISK;
    bool fails = (disk->fail_kinds & kind) && count_down(&disk->fail_syncs);
    disk->tally.syncs_failed += fails;
    return fails;
}

/* The head of a sync of one file or folder: 0 when it goes on. */
static int sync_begins(struct disk *disk, struct node *node, enum sync_kind kind) {
    if (sync_fails(disk, kind)) {
        (void)give_up(disk, node);
        return EIO;
    }
    if (!node->error_owed) return 0;
    node->error_owed = false;
    disk->tally.errors_told++;
    return EIO;
}

int disk_sync(struct disk *disk, struct node *node) {
    enum sync_kind kind = S_ISDIR(node->mode) ? SYNC_FOLDER : SYNC_FILE;
    int error = sync_begins(disk, node, kind);
    if (error || (disk->lie_kinds & kind)) return error;
    settle_file(node);
    settle_folder(node);
    return 0;
}

static void wait_on(struct node *file, const uint8_t *bytes, uint64_t offset, uint64_t size) {
    uint8_t *copy = must(malloc(size));
    memcpy(copy, bytes, size);
    file->changes = grown(file->changes, file->change_count, &file->change_capacity, sizeof *file->changes);
    file->changes[file->change_count++] = (struct change){copy, offset, size};
}

/* What of a write stands outside from..to goes on waiting, as one change or two. */
static void wait_outside(struct node *file, const struct change *change, uint64_t from, uint64_t to) {
    uint64_t end = change->offset + change->size;
    uint64_t left = end < from ? end : from, right = change->offset > to ? change->offset : to;
    if (change->offset < left) wait_on(file, change->bytes, change->offset, left - change->offset);
    if (right < end) wait_on(file, change->bytes + (right - change->offset), right, end - right);
}

int disk_sync_last(struct disk *disk, struct node *file) {
    int error = sync_begins(disk, file, SYNC_FILE);
    if (error || (disk->lie_kinds & SYNC_FILE) || file->change_count == 0) return error;
    struct change *changes = file->changes;
    size_t last = file->change_count - 1, sized = 0;
    for (size_t i = 0; i < last; i++)
        if (!changes[i].bytes) sized = i + 1;
    file->changes = NULL;
    file->change_count = file->change_capacity = 0;
    for (size_t i = 0; i <= last; i++) {
        uint64_t from = changes[last].offset, to = from + changes[last].size;
        if (i < sized || i == last) /* sizes go in order, and what came before them with them */
            image_apply(&file->durable, &changes[i]);
        else
            wait_outside(file, &changes[i], from, to);
    }
    for (size_t i = 0; i <= last; i++)
        free(changes[i].bytes);
    free(changes);
    return 0;
}

int disk_sync_all(struct disk *disk) {
    bool fails = sync_fails(disk, SYNC_DISK);
    for (size_t i = 0; i < disk->node_count && !(disk->lie_kinds & SYNC_DISK); i++) {
        struct node *node = disk->nodes[i];
        if (node && fails) node->error_owed |= give_up(disk, node);
        if (!node || fails) continue;
        if (!(disk->lie_kinds & SYNC_FILE)) settle_file(node);
        if (!(disk->lie_kinds & SYNC_FOLDER)) settle_folder(node);
    }
    return fails ? EIO : 0;
}

/* ---- the power */

/* What one power cut does to what was not synced. In percent; the rest is lost. */
struct weather {
    unsigned keep, tear;
};

/* Some of its sectors arrived, and the file may have grown over those that did not. */
static void tear(struct disk *disk, struct image *image, const struct change *change) {
    uint64_t end = change->offset + change->size;
    for (uint64_t at = change->offset; at < end;) {
        uint64_t next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if (next > end) next = end;
        if (coin(disk)) image_put(image, at, change->bytes + (at - change->offset), next - at);
        at = next;
    }
    if (end > image->size && coin(disk)) image_resize(image, end);
}

static void cut_file(struct disk *disk, struct node *file, struct weather weather) {
    if (file->change_count == 0 && !file->given_up) return;
    for (size_t i = 0; i < file->change_count; i++) {
        const struct change *change = &file->changes[i];
        unsigned percent = dice(disk) % 100;
        if (percent < weather.keep) {
            image_apply(&file->durable, change);
            disk->tally.writes_kept++;
        } else if (percent < weather.keep + weather.tear && change->bytes) {
            tear(disk, &file->durable, change);
            disk->tally.writes_torn++;
        } else {
            disk->tally.writes_lost++;
        }
    }
    drop_changes(file);
    file->given_up = file->error_owed = false;
    file->live.size = 0;
    image_put(&file->live, 0, file->durable.bytes, file->durable.size);
}

static void cut_folder(struct disk *disk, struct node *folder, struct weather weather) {
    for (size_t i = 0; i < folder->naming_count; i++) {
        bool kept = dice(disk) % 100 < weather.keep;
        if (kept) names_apply(&folder->durable_names, &folder->namings[i]);
        disk->tally.names_kept += kept;
        disk->tally.names_undone += !kept;
    }
    folder->naming_count = 0;
    folder->live_names.count = 0;
    for (size_t i = 0; i < folder->durable_names.count; i++)
        names_put(&folder->live_names, folder->durable_names.at[i].text, folder->durable_names.at[i].node);
}

static void reach(struct node *node) {
    node->reached = true;
    for (size_t i = 0; i < node->live_names.count; i++)
        reach(node->live_names.at[i].node);
}

/* What no name leads to any more, and the kernel has forgotten. */
static void sweep(struct disk *disk) {
    reach(disk->nodes[0]);
    for (size_t i = 0; i < disk->node_count; i++) {
        struct node *node = disk->nodes[i];
        if (!node) continue;
        if (!node->reached && node->lookups == 0)
            node_free(disk, node);
        else
            node->reached = false;
    }
}

void disk_cut(struct disk *disk, uint64_t seed) {
    /* A third of the cuts lose everything or nothing of what was not synced; the mixtures find the orders nobody
     * thought of. */
    static const struct weather weathers[] = {{0, 0}, {100, 0}, {0, 50}, {50, 25}, {90, 5}, {10, 80}};
    struct tally before = disk->tally, *t = &disk->tally;
    disk->random = seed;
    struct weather weather = weathers[dice(disk) % (sizeof weathers / sizeof weathers[0])];
    for (size_t i = 0; i < disk->node_count; i++) {
        struct node *node = disk->nodes[i];
        if (!node) continue;
        cut_file(disk, node, weather);
        cut_folder(disk, node, weather);
    }
    sweep(disk);
    t->cuts++;
    disk->off = true;
    disk->cut_calls = 0;
    disk->cut_after = false;
    fprintf(stderr,
        "forgetful: power cut with seed %" PRIu64 " after %" PRIu64 " calls: of what was not synced %" PRIu64
        " writes are kept, %" PRIu64 " torn, %" PRIu64 " lost, %" PRIu64 " names kept, %" PRIu64 " undone\n",
        seed, t->calls, t->writes_kept - before.writes_kept, t->writes_torn - before.writes_torn,
        t->writes_lost - before.writes_lost, t->names_kept - before.names_kept, t->names_undone - before.names_undone);
}

void disk_power_on(struct disk *disk) {
    disk->off = false;
}

int disk_begin(struct disk *disk) {
    if (disk->off) return EIO;
    disk->tally.calls++;
    if (!count_down(&disk->cut_calls)) return 0;
    disk->random = disk->cut_seed;
    disk->cut_after = coin(disk);
    if (disk->cut_after) return 0;
    disk_cut(disk, disk->cut_seed);
    return EIO;
}

int disk_end(struct disk *disk, int error) {
    if (!disk->cut_after) return error;
    disk_cut(disk, disk->cut_seed);
    return EIO;
}
