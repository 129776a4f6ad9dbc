/* jobs/blob.h: byte strings of any size up to some megabytes within one stretch of memory.
 *
 * The memory is pages of 64 KiB; a page is cut into blocks of one size class (at most 1/8 larger than what is asked
 * for, from 256 bytes on); a page whose blocks are all free may become one of another class. What is larger than the
 * largest class is a chain of blocks. A reference is page and block; 0 is none. Order of references is a function of
 * the calls alone. Without pointers but the two to its memory: a copy of the bytes is the store. Pure; one owner
 * thread.
 */
#ifndef WEIR_JOBS_BLOB_H
#define WEIR_JOBS_BLOB_H
#include "base/assert.h"

#include <weir/slice.h>

#define BLOB_NONE       0u
#define BLOB_PAGE_BYTES (64u << 10)
#define BLOB_PAGES_MAX  ((1u << 21) - 1) /* 128 GiB */
#define BLOB_CLASSES    36u

struct blob_page {
    uint32_t next, previous; /* of its class's pages with a free block, or of the free pages */
    uint16_t used, fresh;    /* blocks handed out; blocks that were handed out at least once */
    uint16_t free_head;      /* block + 1 */
    uint8_t size_class, unused;
};
struct blob_head {                   /* all of the store but its memory */
    uint32_t pages_used, free_pages; /* of pages: high-water mark; list of those that are whole */
    uint32_t pages_free_count, blobs;
    uint64_t bytes;              /* of blocks handed out */
    uint32_t open[BLOB_CLASSES]; /* pages with a free block; page + 1 */
};
struct blob {
    struct blob_head *head;
    struct blob_page *pages;
    uint8_t *memory;
    uint32_t page_count;
};

/* Bytes of memory for payloads of so many bytes in all: head, pages' rows, pages. */
size_t blob_memory_size(uint64_t bytes);
void blob_init(struct blob *blob, void *memory, uint64_t bytes, bool fresh);
/* Room for size bytes, contents undefined; BLOB_NONE: full. Its first BLOB_FIRST_MAX bytes are one piece (blob_at). */
#define BLOB_FIRST_MAX 32000u
uint32_t blob_take(struct blob *blob, size_t size);
void blob_give(struct blob *blob, uint32_t ref); /* nothing for BLOB_NONE */
/* Of a reference that was read from outside: it names a block, whose first piece has that many bytes. */
bool blob_is_block(const struct blob *blob, uint32_t ref, size_t size);
/* The first piece. */
uint8_t *blob_at(const struct blob *blob, uint32_t ref);
void blob_write(const struct blob *blob, uint32_t ref, size_t at, struct weir_slice bytes);
void blob_read(const struct blob *blob, uint32_t ref, size_t at, void *ret, size_t size);
/* Room is there for that many bytes whatever the classes' pages look like now. */
bool blob_has_room(const struct blob *blob, size_t size);
#endif
