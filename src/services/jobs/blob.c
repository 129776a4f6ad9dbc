#include "jobs/blob.h"

/* A block: the next one of the chain (0: none), then bytes. */
#define LINK_BYTES 4u
#define BLOCK_BITS 11u
#define BLOCKS_MAX (1u << BLOCK_BITS)
#define LARGEST    32768u

static const uint16_t sizes[BLOB_CLASSES] = {32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 288, 320, 352, 384, 448,
    512, 576, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 5120, 6144, 8192, 10920, 13104, 16384,
    LARGEST};

size_t blob_memory_size(uint64_t bytes) {
    uint64_t pages = (bytes + BLOB_PAGE_BYTES - 1) / BLOB_PAGE_BYTES;
    if (pages < BLOB_CLASSES) pages = BLOB_CLASSES;
    if (pages > BLOB_PAGES_MAX) pages = BLOB_PAGES_MAX;
    return ((sizeof(struct blob_head) + 63) & ~(size_t)63) + pages * (sizeof(struct blob_page) + BLOB_PAGE_BYTES);
}

void blob_init(struct blob *blob, void *memory, uint64_t bytes, bool fresh) {
    uint64_t pages = (bytes + BLOB_PAGE_BYTES - 1) / BLOB_PAGE_BYTES;
    if (pages < BLOB_CLASSES) pages = BLOB_CLASSES;
    if (pages > BLOB_PAGES_MAX) pages = BLOB_PAGES_MAX;
    blob->page_count = (uint32_t)pages;
    blob->head = memory;
    blob->pages = (struct blob_page *)(void *)((uint8_t *)memory + ((sizeof(struct blob_head) + 63) & ~(size_t)63));
    blob->memory = (uint8_t *)(blob->pages + pages);
    if (fresh) memset(blob->head, 0, sizeof *blob->head);
}

static uint32_t class_of(size_t size) {
    uint32_t low = 0, high = BLOB_CLASSES - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sizes[middle] >= size)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- pages: lists by index + 1 ---- */
static void page_push(struct blob *blob, uint32_t *list, uint32_t page) {
    struct blob_page *p = &blob->pages[page];
    p->previous = 0;
    p->next = *list;
    if (p->next) blob->pages[p->next - 1].previous = page + 1;
    *list = page + 1;
}

static void page_unlink(struct blob *blob, uint32_t *list, uint32_t page) {
    const struct blob_page *p = &blob->pages[page];
    if (p->next) blob->pages[p->next - 1].previous = p->previous;
    if (p->previous)
        blob->pages[p->previous - 1].next = p->next;
    else
        *list = p->next;
}

static bool page_open(struct blob *blob, uint32_t size_class) {
    struct blob_head *h = blob->head;
    uint32_t page;
    if (h->free_pages) {
        page = h->free_pages - 1;
        page_unlink(blob, &h->free_pages, page);
        h->pages_free_count--;
    } else {
        if (h->pages_used == blob->page_count) return false;
        page = h->pages_used++;
    }
    blob->pages[page] = (struct blob_page){.size_class = (uint8_t)size_class};
    page_push(blob, &h->open[size_class], page);
    return true;
}

/* ---- blocks ---- */
static uint8_t *block_at(const struct blob *blob, uint32_t ref) {
    uint32_t page = (ref - 1) >> BLOCK_BITS, block = (ref - 1) & (BLOCKS_MAX - 1);
    WEIR_DEBUG_ASSERT(ref != BLOB_NONE && page < blob->head->pages_used);
    return blob->memory + (size_t)page * BLOB_PAGE_BYTES + (size_t)block * sizes[blob->pages[page].size_class];
}

static size_t block_room(const struct blob *blob, uint32_t ref) {
    return sizes[blob->pages[(ref - 1) >> BLOCK_BITS].size_class] - LINK_BYTES;
}

static uint32_t block_next(const struct blob *blob, uint32_t ref) {
    uint32_t next;
    memcpy(&next, block_at(blob, ref), sizeof next);
    return next;
}

static uint32_t block_take(struct blob *blob, size_t size) {
    struct blob_head *h = blob->head;
    uint32_t size_class = class_of(size + LINK_BYTES);
    if (!h->open[size_class] && !page_open(blob, size_class)) return BLOB_NONE;
    uint32_t page = h->open[size_class] - 1, block;
    struct blob_page *p = &blob->pages[page];
    if (p->free_head) {
        block = p->free_head - 1u;
        memcpy(&p->free_head, blob->memory + (size_t)page * BLOB_PAGE_BYTES + (size_t)block * sizes[size_class],
            sizeof p->free_head);
    } else {
        block = p->fresh++;
    }
    p->used++;
    h->bytes += sizes[size_class];
    if (!p->free_head && p->fresh == BLOB_PAGE_BYTES / sizes[size_class]) page_unlink(blob, &h->open[size_class], page);
    uint32_t ref = (page << BLOCK_BITS | block) + 1;
    memset(block_at(blob, ref), 0, LINK_BYTES);
    return ref;
}

static void block_give(struct blob *blob, uint32_t ref) {
    struct blob_head *h = blob->head;
    uint32_t page = (ref - 1) >> BLOCK_BITS, block = (ref - 1) & (BLOCKS_MAX - 1);
    struct blob_page *p = &blob->pages[page];
    WEIR_ASSERT(page < h->pages_used && p->used > 0 && block < p->fresh);
    uint32_t *list = &h->open[p->size_class];
    bool was_full = !p->free_head && p->fresh == BLOB_PAGE_BYTES / sizes[p->size_class];
    memcpy(block_at(blob, ref), &p->free_head, sizeof p->free_head);
    p->free_head = (uint16_t)(block + 1);
    p->used--;
    h->bytes -= sizes[p->size_class];
    if (was_full) page_push(blob, list, page);
    /* The last page of a class stays its own, or a job that comes and goes would open and close one each time. */
    bool is_only = *list == page + 1 && p->next == 0;
    if (p->used > 0 || is_only) return;
    page_unlink(blob, list, page);
    page_push(blob, &h->free_pages, page);
    h->pages_free_count++;
}

/* ---- blobs ---- */
bool blob_has_room(const struct blob *blob, size_t size) {
    const struct blob_head *h = blob->head;
    uint64_t pages = blob->page_count - h->pages_used + (uint64_t)h->pages_free_count;
    uint64_t blocks = size / (LARGEST - LINK_BYTES) + 1;
    return pages >= blocks / 2 + 1;
}

uint32_t blob_take(struct blob *blob, size_t size) {
    uint32_t first = BLOB_NONE, last = BLOB_NONE;
    do {
        size_t piece = size < LARGEST - LINK_BYTES ? size : LARGEST - LINK_BYTES;
        uint32_t ref = block_take(blob, piece);
        if (ref == BLOB_NONE) {
            if (first != BLOB_NONE) {
                blob->head->blobs++; /* as given by blob_give */
                blob_give(blob, first);
            }
            return BLOB_NONE;
        }
        if (first == BLOB_NONE)
            first = ref;
        else
            memcpy(block_at(blob, last), &ref, sizeof ref);
        last = ref;
        size -= piece;
    } while (size > 0);
    blob->head->blobs++;
    return first;
}

void blob_give(struct blob *blob, uint32_t ref) {
    if (ref == BLOB_NONE) return;
    while (ref != BLOB_NONE) {
        uint32_t next = block_next(blob, ref);
        block_give(blob, ref);
        ref = next;
    }
    blob->head->blobs--;
}

bool blob_is_block(const struct blob *blob, uint32_t ref, size_t size) {
    if (ref == BLOB_NONE) return false;
    uint32_t page = (ref - 1) >> BLOCK_BITS, block = (ref - 1) & (BLOCKS_MAX - 1);
    if (page >= blob->head->pages_used || blob->pages[page].size_class >= BLOB_CLASSES) return false;
    uint32_t block_size = sizes[blob->pages[page].size_class];
    return block < BLOB_PAGE_BYTES / block_size && size <= block_size - LINK_BYTES;
}

uint8_t *blob_at(const struct blob *blob, uint32_t ref) {
    return block_at(blob, ref) + LINK_BYTES;
}

void blob_write(const struct blob *blob, uint32_t ref, size_t at, struct weir_slice bytes) {
    while (bytes.size > 0) {
        size_t room = block_room(blob, ref);
        if (at < room) {
            size_t piece = bytes.size < room - at ? bytes.size : room - at;
            memcpy(blob_at(blob, ref) + at, bytes.data, piece);
            bytes = weir_slice(bytes.data + piece, bytes.size - piece);
            at += piece;
        }
        at -= room;
        if (bytes.size == 0) return;
        ref = block_next(blob, ref);
        WEIR_ASSERT(ref != BLOB_NONE); /* it was taken for that many bytes */
    }
}

void blob_read(const struct blob *blob, uint32_t ref, size_t at, void *ret, size_t size) {
    uint8_t *to = ret;
    while (size > 0) {
        size_t room = block_room(blob, ref);
        if (at < room) {
            size_t piece = size < room - at ? size : room - at;
            memcpy(to, blob_at(blob, ref) + at, piece);
            to += piece;
            size -= piece;
            at += piece;
        }
        at -= room;
        if (size == 0) return;
        ref = block_next(blob, ref);
        WEIR_ASSERT(ref != BLOB_NONE);
    }
}
