/* A simulated file's bytes: what the process reads (live), what survives a power cut (durable), and the changes between
 * the two in order. A sync replays the changes onto the durable bytes; a crash replays those that luck keeps. */
#include "sys/sys_sim_world.h"

#include <stdlib.h>

void sim_content_done(struct sim_content *content) {
    for (size_t i = 0; i < content->page_capacity; i++)
        free(content->pages[i]);
    free(content->pages);
    *content = (struct sim_content){0};
}

size_t sim_content_read(const struct sim_content *content, uint64_t offset, void *data, size_t size) {
    if (offset >= content->size) return 0;
    if (size > content->size - offset) size = (size_t)(content->size - offset);
    uint8_t *to = data;
    for (size_t done = 0; done < size;) {
        uint64_t at = offset + done;
        size_t page = (size_t)(at / SIM_PAGE_SIZE), start = (size_t)(at % SIM_PAGE_SIZE);
        size_t part = SIM_PAGE_SIZE - start < size - done ? SIM_PAGE_SIZE - start : size - done;
        if (page < content->page_capacity && content->pages[page])
            memcpy(to + done, content->pages[page] + start, part);
        else
            memset(to + done, 0, part);
        done += part;
    }
    return size;
}

static uint8_t *page_for_write(struct sim_content *content, size_t page) {
    if (page >= content->page_capacity) {
        size_t capacity = content->page_capacity ? content->page_capacity : 16;
        while (capacity <= page)
            capacity *= 2;
        content->pages = realloc(content->pages, capacity * sizeof *content->pages);
        WEIR_ASSERT(content->pages != NULL);
        memset(
            content->pages + content->page_capacity, 0, (capacity - content->page_capacity) * sizeof *content->pages);
        content->page_capacity = capacity;
    }
    if (!content->pages[page]) content->pages[page] = sim_new(SIM_PAGE_SIZE);
    return content->pages[page];
}

void sim_content_write(struct sim_content *content, uint64_t offset, const void *data, size_t size) {
    const uint8_t *from = data;
    for (size_t done = 0; done < size;) {
        uint64_t at = offset + done;
        size_t start = (size_t)(at % SIM_PAGE_SIZE);
        size_t part = SIM_PAGE_SIZE - start < size - done ? SIM_PAGE_SIZE - start : size - done;
        memcpy(page_for_write(content, (size_t)(at / SIM_PAGE_SIZE)) + start, from + done, part);
        done += part;
    }
    if (size > 0 && offset + size > content->size) content->size = offset + size;
}

void sim_content_resize(struct sim_content *content, uint64_t size) {
    /* What is cut off must read as zeros if the file grows over it again. */
    size_t page = (size_t)(size / SIM_PAGE_SIZE), start = (size_t)(size % SIM_PAGE_SIZE);
    if (size < content->size && start > 0 && page < content->page_capacity && content->pages[page])
        memset(content->pages[page] + start, 0, SIM_PAGE_SIZE - start);
    for (size_t i = page + (start > 0); i < content->page_capacity; i++) {
        free(content->pages[i]);
        content->pages[i] = NULL;
    }
    content->size = size;
}

void sim_content_copy(struct sim_content *to, const struct sim_content *from) {
    sim_content_done(to);
    for (size_t i = 0; i < from->page_capacity; i++) {
        if (from->pages[i]) memcpy(page_for_write(to, i), from->pages[i], SIM_PAGE_SIZE);
    }
    to->size = from->size;
}

/* ---- changes ------------------------------------------------------------------------------------------------- */
static struct sim_change *change_add(struct sim_inode *inode, enum sim_change_kind kind) {
    inode->changes = sim_grow(inode->changes, inode->change_count, &inode->change_capacity, sizeof *inode->changes);
    struct sim_change *change = &inode->changes[inode->change_count++];
    *change = (struct sim_change){.kind = kind};
    return change;
}

void sim_inode_write(struct sim_inode *inode, uint64_t number, uint64_t offset, const void *data, size_t size) {
    if (size == 0) return;
    sim_content_write(&inode->live, offset, data, size);
    struct sim_change *change = change_add(inode, SIM_CHANGE_WRITE);
    change->number = number;
    change->offset = offset;
    change->size = size;
    change->data = malloc(size);
    WEIR_ASSERT(change->data != NULL);
    memcpy(change->data, data, size);
}

static void resize(struct sim_content *content, enum sim_change_kind kind, uint64_t size) {
    if (kind == SIM_CHANGE_SIZE || size > content->size) sim_content_resize(content, size);
}

void sim_inode_resize(struct sim_inode *inode, uint64_t number, enum sim_change_kind kind, uint64_t size) {
    resize(&inode->live, kind, size);
    struct sim_change *change = change_add(inode, kind);
    change->number = number;
    change->offset = size;
}

static void apply(struct sim_inode *inode, const struct sim_change *change) {
    if (change->kind == SIM_CHANGE_WRITE)
        sim_content_write(&inode->durable, change->offset, change->data, change->size);
    else
        resize(&inode->durable, change->kind, change->offset);
}

static bool overlap(const struct sim_change *a, const struct sim_change *b) {
    if (a->kind != SIM_CHANGE_WRITE || b->kind != SIM_CHANGE_WRITE) return true; /* sizes concern every byte */
    return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* Writing to a page makes all of it dirty again, also bytes that an earlier sync gave up. */
static void rescue(struct sim_inode *inode, size_t count, const struct sim_change *newer) {
    for (size_t i = 0; i < count; i++) {
        struct sim_change *older = &inode->changes[i];
        if (older->given_up && older->number < newer->number && overlap(older, newer)) older->given_up = false;
    }
}

void sim_inode_sync(struct sim_inode *inode, uint64_t before) {
    size_t left = 0;
    for (size_t i = 0; i < inode->change_count; i++)
        if (!inode->changes[i].given_up && inode->changes[i].number < before) rescue(inode, i, &inode->changes[i]);
    for (size_t i = 0; i < inode->change_count; i++) {
        struct sim_change *change = &inode->changes[i];
        if (change->given_up || change->number >= before) {
            inode->changes[left++] = *change;
            continue;
        }
        apply(inode, change);
        free(change->data);
    }
    inode->change_count = left;
}

/* The bytes from..to of a waiting write go on waiting. */
static void keep_waiting(struct sim_inode *inode, const struct sim_change *change, uint64_t from, uint64_t to) {
    if (from >= to) return;
    struct sim_change *kept = change_add(inode, SIM_CHANGE_WRITE);
    kept->given_up = change->given_up;
    kept->number = change->number;
    kept->offset = from;
    kept->size = (size_t)(to - from);
    kept->data = malloc(kept->size);
    WEIR_ASSERT(kept->data != NULL);
    memcpy(kept->data, change->data + (from - change->offset), kept->size);
}

/* A write's part inside the range is on disk; what is outside waits. In order, so that the newest bytes stay. */
static void sync_part(struct sim_inode *inode, struct sim_change *change, uint64_t offset, uint64_t end) {
    uint64_t last = change->offset + change->size;
    uint64_t from = change->offset > offset ? change->offset : offset, to = last < end ? last : end;
    if (from < to) {
        const uint8_t *bytes = change->data + (from - change->offset);
        if (!change->given_up) sim_content_write(&inode->durable, from, bytes, (size_t)(to - from));
        keep_waiting(inode, change, change->offset, from);
        keep_waiting(inode, change, to, last);
    } else {
        keep_waiting(inode, change, change->offset, last);
    }
}

void sim_inode_sync_range(struct sim_inode *inode, uint64_t offset, uint64_t size, uint64_t before) {
    struct sim_change *changes = inode->changes;
    size_t count = inode->change_count, sized = 0;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].number < before && changes[i].kind != SIM_CHANGE_WRITE) sized = i + 1;
    }
    inode->changes = NULL;
    inode->change_count = inode->change_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        struct sim_change *change = &changes[i];
        bool lost = change->given_up && change->kind == SIM_CHANGE_WRITE;
        if (i < sized && !lost) { /* sizes go in the file system's own order, and what came before them with them */
            apply(inode, change);
        } else if (change->number < before && change->kind == SIM_CHANGE_WRITE) {
            sync_part(inode, change, offset, offset + size);
        } else {
            *change_add(inode, change->kind) = *change;
            change->data = NULL;
        }
        free(change->data);
    }
    free(changes);
}

void sim_inode_sync_failed(struct sim_inode *inode, uint64_t before) {
    for (size_t i = 0; i < inode->change_count; i++)
        if (inode->changes[i].number < before) inode->changes[i].given_up = true;
}

/* Sectors of the file are kept or lost one by one, or up to some point in it: disks do both. */
static void apply_torn(struct sim_inode *inode, const struct sim_change *change, struct prng *prng) {
    uint64_t end = change->offset + change->size;
    uint64_t first = change->offset / SIM_SECTOR_SIZE, last = (end - 1) / SIM_SECTOR_SIZE;
    bool scattered = prng_chance(prng, 1, 2);
    uint64_t cut = first + prng_below(prng, last - first + 1); /* this sector and those behind it are lost */
    for (uint64_t sector = first; sector <= last; sector++) {
        bool keep = scattered ? prng_chance(prng, 1, 2) : sector < cut;
        if (!keep) continue;
        uint64_t from = sector * SIM_SECTOR_SIZE, to = from + SIM_SECTOR_SIZE;
        if (from < change->offset) from = change->offset;
        if (to > end) to = end;
        sim_content_write(&inode->durable, from, change->data + (from - change->offset), (size_t)(to - from));
    }
    /* The size may have reached the disk without the bytes. */
    if (prng_chance(prng, 1, 2)) resize(&inode->durable, SIM_CHANGE_GROW, end);
}

void sim_inode_crash(struct sim_inode *inode, const struct sys_sim_plan *plan, struct prng *prng) {
    if (inode->change_count == 0) return;
    for (size_t i = 0; i < inode->change_count; i++) {
        struct sim_change *change = &inode->changes[i];
        if (prng_chance(prng, plan->keep_unsynced_percent, 100))
            apply(inode, change);
        else if (change->kind == SIM_CHANGE_WRITE && prng_chance(prng, plan->tear_percent, 100))
            apply_torn(inode, change, prng);
        free(change->data);
    }
    inode->change_count = 0;
    sim_content_copy(&inode->live, &inode->durable);
}

static void entries_done(struct sim_entries *entries) {
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].name);
    free(entries->items);
}

void sim_inode_free(struct sim_inode *inode) {
    for (size_t i = 0; i < inode->change_count; i++)
        free(inode->changes[i].data);
    free(inode->changes);
    sim_content_done(&inode->live);
    sim_content_done(&inode->durable);
    entries_done(&inode->entries);
    entries_done(&inode->durable_entries);
    free(inode);
}
