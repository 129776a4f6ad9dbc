/* base/arena.h: bump allocation, freed all at once.
 *
 * Two kinds: over one buffer of the caller's (never grows), or over blocks taken from an allocator up to `bytes_max`.
 * A reset or restore keeps the blocks, so that an arena reset per event allocates nothing once it has reached its
 * working size. An allocation that does not fit returns NULL: callers turn that into WEIR_E_NO_MEMORY.
 * One owner thread. Under AddressSanitizer unused memory is poisoned.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/assert.h"

#include <stdarg.h>
#include <weir/slice.h>
#include <weir/vec.h>

struct arena_block; /* header of a block; the caller's buffer has none */

struct arena {
    uint8_t *at;                 /* next free byte of the current block */
    uint8_t *end;                /* of the current block */
    uint8_t *begin;              /* of the current block */
    struct arena_block *first;   /* chain of blocks, NULL for a fixed arena */
    struct arena_block *current; /* block that at points into */
    const struct weir_allocator *allocator;
    size_t block_size; /* size of a usual block; 0 = fixed arena */
    size_t bytes_held; /* in all blocks */
    size_t bytes_max;  /* limit on bytes_held */
};

struct arena_mark {
    struct arena_block *block;
    uint8_t *at;
};

/* Over the caller's memory, which must outlive the arena. */
void arena_init_fixed(struct arena *a, void *memory, size_t size);
/* Over blocks of block_size bytes (larger ones for larger requests) from allocator (NULL = system), at most bytes_max
 * bytes in all (0 = no limit). The first block is taken at the first allocation. */
void arena_init(struct arena *a, const struct weir_allocator *allocator, size_t block_size, size_t bytes_max);
/* Gives all blocks back. Accepts a zeroed arena. */
void arena_done(struct arena *a);

void *arena_alloc_slow(struct arena *a, size_t size, size_t align);

/* size bytes, not cleared, aligned to align (a power of two). size 0 gives a pointer that is not NULL. */
static inline void *arena_alloc_aligned(struct arena *a, size_t size, size_t align) {
#if !WEIR_SANITIZED
    uintptr_t at = ((uintptr_t)a->at + align - 1) & ~(uintptr_t)(align - 1);
    if (a->at && at <= (uintptr_t)a->end && size <= (uintptr_t)a->end - at) {
        uint8_t *p = a->at + (at - (uintptr_t)a->at);
        a->at = p + size;
        return p;
    }
#endif
    return arena_alloc_slow(a, size, align);
}
/* Aligned for any scalar type (16 bytes). */
static inline void *arena_alloc(struct arena *a, size_t size) {
    return arena_alloc_aligned(a, size, 16);
}
/* Cleared; NULL also when count * size overflows. */
void *arena_zalloc(struct arena *a, size_t count, size_t size);
#define ARENA_NEW(arena, T)              ((T *)arena_zalloc((arena), 1, sizeof(T)))
#define ARENA_NEW_ARRAY(arena, T, count) ((T *)arena_zalloc((arena), (count), sizeof(T)))

/* Grows the block in place when it is the last one, else copies. ptr NULL allocates. */
void *arena_resize(struct arena *a, void *ptr, size_t old_size, size_t new_size, size_t align);
/* The arena as an allocator for vec, map, protobuf-c: freeing gives back only the last block. */
struct weir_allocator arena_allocator(struct arena *a);

/* Copies with a NUL behind (not counted), so that a copy also serves as a C string. NULL / data NULL when full. */
char *arena_strdup(struct arena *a, const char *text);
char *arena_dup_text(struct arena *a, struct weir_slice s);
struct weir_slice arena_dup(struct arena *a, struct weir_slice s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Forgets everything allocated since the mark was saved; marks are restored in reverse order. */
struct arena_mark arena_save(const struct arena *a);
void arena_restore(struct arena *a, struct arena_mark mark);
/* Forgets everything; keeps the blocks. */
void arena_reset(struct arena *a);
/* After arena_reset: gives blocks back until at most bytes_keep bytes are held (after a surge). */
void arena_trim(struct arena *a, size_t bytes_keep);

#endif
