/* Names of the simulated disk. Each folder has the entries the process sees and those that survive a power cut; between
 * them stands one list of namings (made, removed, renamed) in order. dir_sync makes those of its folder durable.
 *
 * A naming never becomes durable before an earlier one of the same inode: a file that was made and then renamed is
 * never found under both names. Otherwise each is kept or lost on its own. Paths are absolute or relative to the root;
 * ".." is not understood.
 */
#include "sys/sys_sim_world.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE_MAX 256
#define SPACE_DEFAULT ((uint64_t)1 << 40) /* what an unlimited disk claims to have */

/* ---- entries ------------------------------------------------------------------------------------------------- */
static size_t entry_place(const struct sim_entries *entries, const char *name, bool *ret_found) {
    size_t low = 0, high = entries->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(entries->items[middle].name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

static struct sim_inode *entry_get(const struct sim_entries *entries, const char *name) {
    bool found;
    size_t place = entry_place(entries, name, &found);
    return found ? entries->items[place].inode : NULL;
}

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(sim_new(size), text, size);
}

static void entry_set(struct sim_entries *entries, const char *name, struct sim_inode *inode) {
    bool found;
    size_t place = entry_place(entries, name, &found);
    if (!found) {
        entries->items = sim_grow(entries->items, entries->count, &entries->capacity, sizeof *entries->items);
        memmove(entries->items + place + 1, entries->items + place, (entries->count - place) * sizeof *entries->items);
        entries->count++;
        entries->items[place].name = copy_text(name);
    }
    entries->items[place].inode = inode;
}

static void entry_remove(struct sim_entries *entries, const char *name) {
    bool found;
    size_t place = entry_place(entries, name, &found);
    if (!found) return;
    free(entries->items[place].name);
    entries->count--;
    memmove(entries->items + place, entries->items + place + 1, (entries->count - place) * sizeof *entries->items);
}

static void entries_copy(struct sim_entries *to, const struct sim_entries *from) {
    while (to->count > 0)
        entry_remove(to, to->items[to->count - 1].name);
    for (size_t i = 0; i < from->count; i++)
        entry_set(to, from->items[i].name, from->items[i].inode);
}

/* ---- inodes -------------------------------------------------------------------------------------------------- */
struct sim_inode *sim_inode_new(struct sys_sim *sim, bool is_folder) {
    struct sim_inode *inode = sim_new(sizeof *inode);
    inode->is_folder = is_folder;
    inode->lock_handle = -1;
    sim->inodes = sim_grow(sim->inodes, sim->inode_count, &sim->inode_capacity, sizeof(struct sim_inode *));
    sim->inodes[sim->inode_count++] = inode;
    return inode;
}

static void mark(struct sim_inode *inode) {
    if (inode->marked) return;
    inode->marked = true;
    for (size_t i = 0; i < inode->entries.count; i++)
        mark(inode->entries.items[i].inode);
    for (size_t i = 0; i < inode->durable_entries.count; i++)
        mark(inode->durable_entries.items[i].inode);
}

void sim_inodes_collect(struct sys_sim *sim) {
    mark(sim->root);
    for (size_t i = 0; i < sim->naming_count; i++) {
        struct sim_naming *naming = &sim->namings[i];
        mark(naming->inode);
        mark(naming->folder);
        if (naming->from_folder) mark(naming->from_folder);
    }
    for (size_t i = 0; i < sim->inode_count; i++) {
        if (sim->inodes[i]->handle_count > 0) mark(sim->inodes[i]);
    }
    size_t left = 0;
    for (size_t i = 0; i < sim->inode_count; i++) {
        struct sim_inode *inode = sim->inodes[i];
        if (inode->marked) {
            inode->marked = false;
            sim->inodes[left++] = inode;
        } else {
            sim_inode_free(inode);
        }
    }
    sim->inode_count = left;
}

uint64_t sim_disk_used(const struct sys_sim *sim) {
    uint64_t used = 0;
    for (size_t i = 0; i < sim->inode_count; i++) {
        const struct sim_inode *inode = sim->inodes[i];
        if (inode->linked || inode->handle_count > 0) used += inode->live.size;
    }
    return used;
}

bool sim_disk_fits(const struct sys_sim *sim, uint64_t bytes_more) {
    if (sim->plan.disk_bytes == 0 || bytes_more == 0) return true;
    uint64_t used = sim_disk_used(sim);
    return used <= sim->plan.disk_bytes && bytes_more <= sim->plan.disk_bytes - used;
}

/* ---- paths --------------------------------------------------------------------------------------------------- */
/* Finds the folder a path's last name stands in; the name is empty for the root itself. */
static enum weir_error parent_find(
    struct sys_sim *sim, const char *path, struct sim_inode **ret_folder, char name[NAME_SIZE_MAX]) {
    struct sim_inode *folder = sim->root;
    name[0] = 0;
    const char *at = path;
    for (;;) {
        while (*at == '/')
            at++;
        size_t size = strcspn(at, "/");
        if (size == 0) break;
        if (size >= NAME_SIZE_MAX || (size == 2 && memcmp(at, "..", 2) == 0))
            return weir_error_context(WEIR_E_INVALID, "cannot use the path %s", path);
        if (!(size == 1 && *at == '.')) {
            if (name[0]) folder = entry_get(&folder->entries, name);
            if (!folder || !folder->is_folder)
                return weir_error_context(WEIR_E_NOT_FOUND, "cannot use %s: its folder does not exist", path);
            memcpy(name, at, size);
            name[size] = 0;
        }
        at += size;
    }
    *ret_folder = folder;
    return WEIR_OK;
}

struct sim_inode *sim_path_find(struct sys_sim *sim, const char *path) {
    char name[NAME_SIZE_MAX];
    struct sim_inode *folder;
    if (parent_find(sim, path, &folder, name)) return NULL;
    return name[0] ? entry_get(&folder->entries, name) : folder;
}

static struct sim_naming *naming_add(struct sys_sim *sim, enum sim_naming_kind kind, struct sim_inode *inode,
    struct sim_inode *folder, const char *name) {
    sim->namings = sim_grow(sim->namings, sim->naming_count, &sim->naming_capacity, sizeof *sim->namings);
    struct sim_naming *naming = &sim->namings[sim->naming_count++];
    *naming = (struct sim_naming){
        .kind = kind, .number = sim->change_next++, .inode = inode, .folder = folder, .name = copy_text(name)};
    return naming;
}

enum weir_error sim_path_create(struct sys_sim *sim, const char *path, bool is_folder, struct sim_inode **ret_inode) {
    char name[NAME_SIZE_MAX];
    struct sim_inode *folder;
    enum weir_error e = parent_find(sim, path, &folder, name);
    if (e) return e;
    WEIR_ASSERT(name[0] && !entry_get(&folder->entries, name));
    struct sim_inode *inode = sim_inode_new(sim, is_folder);
    inode->linked = true;
    snprintf(inode->label, sizeof inode->label, "%s", name);
    entry_set(&folder->entries, name, inode);
    naming_add(sim, SIM_NAMING_LINK, inode, folder, name);
    *ret_inode = inode;
    return WEIR_OK;
}

static enum weir_error not_found(const char *verb, const char *path) {
    return weir_error_context(WEIR_E_NOT_FOUND, "cannot %s %s: no such file or folder", verb, path);
}

static void unlink_entry(struct sys_sim *sim, struct sim_inode *folder, const char *name, struct sim_inode *inode) {
    entry_remove(&folder->entries, name);
    inode->linked = false;
    naming_add(sim, SIM_NAMING_UNLINK, inode, folder, name);
}

static enum weir_error path_remove(struct sys *sys, const char *path, bool is_folder) {
    struct sys_sim *sim = sim_of(sys);
    enum weir_error e = sim_call(sim, SYS_SIM_ANY, "remove", path);
    if (e) return e;
    char name[NAME_SIZE_MAX];
    struct sim_inode *folder;
    e = parent_find(sim, path, &folder, name);
    if (e) return e;
    struct sim_inode *inode = name[0] ? entry_get(&folder->entries, name) : NULL;
    if (!inode) return not_found("remove", path);
    if (is_folder && !inode->is_folder)
        return weir_error_context(WEIR_E_NOT_FOUND, "cannot remove the folder %s: it is a file", path);
    if (!is_folder && inode->is_folder)
        return weir_error_context(WEIR_E_INVALID, "cannot remove %s: it is a folder", path);
    if (inode->entries.count > 0)
        return weir_error_context(WEIR_E_CONFLICT, "cannot remove the folder %s: it is not empty", path);
    unlink_entry(sim, folder, name, inode);
    return WEIR_OK;
}

static enum weir_error sim_path_unlink(struct sys *sys, const char *path) {
    return path_remove(sys, path, false);
}

static enum weir_error sim_dir_remove(struct sys *sys, const char *path) {
    return path_remove(sys, path, true);
}

static enum weir_error sim_path_rename(struct sys *sys, const char *from, const char *to) {
    struct sys_sim *sim = sim_of(sys);
    enum weir_error e = sim_call(sim, SYS_SIM_RENAME, "rename", from);
    if (e) return e;
    char from_name[NAME_SIZE_MAX], to_name[NAME_SIZE_MAX];
    struct sim_inode *from_folder, *to_folder;
    e = parent_find(sim, from, &from_folder, from_name);
    if (!e) e = parent_find(sim, to, &to_folder, to_name);
    if (e) return e;
    struct sim_inode *inode = from_name[0] ? entry_get(&from_folder->entries, from_name) : NULL;
    if (!inode) return not_found("rename", from);
    struct sim_inode *old = to_name[0] ? entry_get(&to_folder->entries, to_name) : sim->root;
    if (old == inode) return WEIR_OK;
    if (old && (old->is_folder || inode->is_folder))
        return weir_error_context(WEIR_E_INVALID, "cannot rename %s to %s: a folder stands in the way", from, to);
    if (old) old->linked = false;
    entry_remove(&from_folder->entries, from_name);
    entry_set(&to_folder->entries, to_name, inode);
    struct sim_naming *naming = naming_add(sim, SIM_NAMING_RENAME, inode, to_folder, to_name);
    naming->from_folder = from_folder;
    naming->from_name = copy_text(from_name);
    return sim_linger(sim);
}

/* ---- what becomes durable ------------------------------------------------------------------------------------ */
static void naming_apply(const struct sim_naming *naming) {
    struct sim_entries *entries = &naming->folder->durable_entries;
    if (naming->kind == SIM_NAMING_UNLINK) {
        if (entry_get(entries, naming->name) == naming->inode) entry_remove(entries, naming->name);
        return;
    }
    if (naming->kind == SIM_NAMING_RENAME) {
        struct sim_entries *from = &naming->from_folder->durable_entries;
        if (entry_get(from, naming->from_name) == naming->inode) entry_remove(from, naming->from_name);
    }
    entry_set(entries, naming->name, naming->inode);
}

/* Applies, in order, the namings chosen and the earlier ones of their inodes; drops them, and all others too if told.
 */
static void namings_settle(struct sys_sim *sim, bool drop_others) {
    for (size_t i = sim->naming_count; i-- > 0;) {
        for (size_t j = 0; sim->namings[i].keep && j < i; j++) {
            if (sim->namings[j].inode == sim->namings[i].inode) sim->namings[j].keep = true;
        }
    }
    size_t left = 0;
    for (size_t i = 0; i < sim->naming_count; i++) {
        struct sim_naming *naming = &sim->namings[i];
        if (naming->keep) naming_apply(naming);
        if (naming->keep || drop_others) {
            free(naming->name);
            free(naming->from_name);
        } else {
            sim->namings[left++] = *naming;
        }
    }
    sim->naming_count = left;
}

static enum weir_error sim_dir_sync(struct sys *sys, const char *path) {
    struct sys_sim *sim = sim_of(sys);
    uint64_t before = sim->change_next;
    enum weir_error e = sim_call(sim, SYS_SIM_DIR_SYNC, "sync the folder", path);
    if (e) return e;
    struct sim_inode *folder = sim_path_find(sim, path);
    if (!folder || !folder->is_folder) return not_found("sync the folder", path);
    for (size_t i = 0; i < sim->naming_count; i++) {
        struct sim_naming *naming = &sim->namings[i];
        naming->keep = naming->number < before && (naming->folder == folder || naming->from_folder == folder);
    }
    namings_settle(sim, false);
    sim_inodes_collect(sim);
    sim_took(sim, sim->plan.sync_ns);
    return sim_linger(sim);
}

static void mark_linked(struct sim_inode *inode) {
    inode->linked = true;
    for (size_t i = 0; i < inode->entries.count; i++)
        mark_linked(inode->entries.items[i].inode);
}

void sim_path_crash(struct sys_sim *sim) {
    for (size_t i = 0; i < sim->naming_count; i++)
        sim->namings[i].keep = prng_chance(&sim->prng_disk, sim->plan.keep_entry_percent, 100);
    namings_settle(sim, true);
    for (size_t i = 0; i < sim->inode_count; i++) {
        struct sim_inode *inode = sim->inodes[i];
        inode->linked = false;
        if (inode->is_folder) entries_copy(&inode->entries, &inode->durable_entries);
    }
    mark_linked(sim->root);
    sim_inodes_collect(sim);
}

/* ---- questions and folders ----------------------------------------------------------------------------------- */
static enum weir_error sim_path_exists(struct sys *sys, const char *path, bool *ret_exists) {
    struct sys_sim *sim = sim_of(sys);
    enum weir_error e = sim_call(sim, SYS_SIM_ANY, "look at", path);
    if (e) return e;
    *ret_exists = sim_path_find(sim, path) != NULL;
    return WEIR_OK;
}

static enum weir_error sim_dir_make(struct sys *sys, const char *path) {
    struct sys_sim *sim = sim_of(sys);
    enum weir_error e = sim_call(sim, SYS_SIM_ANY, "make the folder", path);
    if (e) return e;
    struct sim_inode *inode = sim_path_find(sim, path);
    if (inode && inode->is_folder) return WEIR_OK;
    if (inode) return weir_error_context(WEIR_E_EXISTS, "cannot make the folder %s: a file has this name", path);
    return sim_path_create(sim, path, true, &inode);
}

static enum weir_error sim_dir_list(struct sys *sys, const char *path, sys_list_fn fn, void *ctx) {
    struct sys_sim *sim = sim_of(sys);
    enum weir_error e = sim_call(sim, SYS_SIM_ANY, "list the folder", path);
    if (e) return e;
    struct sim_inode *folder = sim_path_find(sim, path);
    if (!folder || !folder->is_folder) return not_found("list the folder", path);
    size_t count = folder->entries.count;
    struct sim_entry *copy = sim_new((count + 1) * sizeof *copy); /* the callback may change the folder */
    bool *is_folder = sim_new(count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i].name = copy_text(folder->entries.items[i].name);
        is_folder[i] = folder->entries.items[i].inode->is_folder;
    }
    bool more = true;
    for (size_t i = 0; i < count; i++) {
        if (more) more = fn(ctx, copy[i].name, is_folder[i]);
        free(copy[i].name);
    }
    free(is_folder);
    free(copy);
    return WEIR_OK;
}

static enum weir_error sim_disk_space(struct sys *sys, const char *path, struct sys_disk_space *ret_space) {
    struct sys_sim *sim = sim_of(sys);
    enum weir_error e = sim_call(sim, SYS_SIM_ANY, "ask the free space of", path);
    if (e) return e;
    if (!sim_path_find(sim, path)) return not_found("ask the free space of", path);
    uint64_t total = sim->plan.disk_bytes ? sim->plan.disk_bytes : SPACE_DEFAULT, used = sim_disk_used(sim);
    ret_space->bytes_total = total;
    ret_space->bytes_free = used < total ? total - used : 0;
    return WEIR_OK;
}

void sim_path_table(struct sys *table) {
    table->path_rename = sim_path_rename;
    table->path_unlink = sim_path_unlink;
    table->path_exists = sim_path_exists;
    table->dir_make = sim_dir_make;
    table->dir_remove = sim_dir_remove;
    table->dir_sync = sim_dir_sync;
    table->dir_list = sim_dir_list;
    table->disk_space = sim_disk_space;
}
