/* base/arena.c: blocks in a chain, in the order they are used. */
#include "base/arena.h"

#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(p, size)   ASAN_POISON_MEMORY_REGION(p, size)
#define UNPOISON(p, size) ASAN_UNPOISON_MEMORY_REGION(p, size)
#else
#define POISON(p, size)   ((void)(p), (void)(size))
#define UNPOISON(p, size) ((void)(p), (void)(size))
#endif

#define BLOCK_ALIGN 64

struct arena_block {
    struct arena_block *next;
    size_t size; /* with this header */
};

/* The header fills a cache line, so that what follows is aligned to one. */
static uint8_t *block_begin(struct arena_block *b) {
    return (uint8_t *)b + BLOCK_ALIGN;
}

static uint8_t *block_end(struct arena_block *b) {
    return (uint8_t *)b + b->size;
}

void arena_init_fixed(struct arena *a, void *memory, size_t size) {
    *a = (struct arena){.begin = memory, .at = memory, .end = (uint8_t *)memory + size};
    POISON(memory, size);
}

void arena_init(struct arena *a, const struct weir_allocator *allocator, size_t block_size, size_t bytes_max) {
    WEIR_ASSERT(block_size > 0);
    if (block_size < 4 * BLOCK_ALIGN) block_size = 4 * BLOCK_ALIGN;
    *a =
        (struct arena){.allocator = allocator, .block_size = block_size, .bytes_max = bytes_max ? bytes_max : SIZE_MAX};
}

static void block_give(struct arena *a, struct arena_block *b) {
    UNPOISON(b, b->size);
    a->bytes_held -= b->size;
    weir_dealloc(a->allocator, b, b->size, BLOCK_ALIGN);
}

void arena_done(struct arena *a) {
    if (a->block_size == 0) UNPOISON(a->begin, (size_t)(a->end - a->begin));
    for (struct arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        block_give(a, b);
    }
    *a = (struct arena){0};
}

static void block_enter(struct arena *a, struct arena_block *b, uint8_t *at) {
    a->current = b;
    a->begin = block_begin(b);
    a->end = block_end(b);
    a->at = at;
}

/* Takes from the present block or returns NULL. */
static void *take(struct arena *a, size_t size, size_t align) {
    if (!a->at) return NULL;
    uintptr_t base = (uintptr_t)a->at, at = (base + align - 1) & ~(uintptr_t)(align - 1);
    if (at < base || at > (uintptr_t)a->end || size > (uintptr_t)a->end - at) return NULL;
    uint8_t *p = a->at + (at - base);
    a->at = p + size;
    UNPOISON(p, size);
    return p;
}

void *arena_alloc_slow(struct arena *a, size_t size, size_t align) {
    WEIR_ASSERT(align && (align & (align - 1)) == 0);
    void *p = take(a, size, align);
    if (p || a->block_size == 0 || size > PTRDIFF_MAX - align - BLOCK_ALIGN) return p;
    size_t need = BLOCK_ALIGN + size + (align > BLOCK_ALIGN ? align : 0);
    struct arena_block *next = a->current ? a->current->next : a->first;
    if (next && next->size >= need) {
        block_enter(a, next, block_begin(next));
        return take(a, size, align);
    }
    /* A block kept from before that is too small stays in the chain, behind the new one. */
    size_t wanted = need > a->block_size ? need : a->block_size;
    if (wanted > a->bytes_max - a->bytes_held) wanted = need;
    if (wanted > a->bytes_max - a->bytes_held) return NULL;
    struct arena_block *b = weir_alloc(a->allocator, wanted, BLOCK_ALIGN);
    if (!b) return NULL;
    a->bytes_held += wanted;
    *b = (struct arena_block){.next = next, .size = wanted};
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    POISON(block_begin(b), wanted - BLOCK_ALIGN);
    block_enter(a, b, block_begin(b));
    return take(a, size, align);
}

void *arena_zalloc(struct arena *a, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    void *p = arena_alloc(a, total);
    if (p) memset(p, 0, total);
    return p;
}

void *arena_resize(struct arena *a, void *ptr, size_t old_size, size_t new_size, size_t align) {
    if (!ptr) return arena_alloc_aligned(a, new_size, align);
    uint8_t *p = ptr;
    bool last = p >= a->begin && p + old_size == a->at;
    if (last && new_size <= (size_t)(a->end - p)) {
        a->at = p + new_size;
        UNPOISON(p, new_size);
        POISON(a->at, (size_t)(a->end - a->at));
        return p;
    }
    if (new_size <= old_size) return p;
    void *fresh = arena_alloc_aligned(a, new_size, align);
    if (fresh) memcpy(fresh, ptr, old_size);
    return fresh;
}

static void *allocator_resize(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align) {
    struct arena *a = ctx;
    if (new_size) return arena_resize(a, ptr, old_size, new_size, align);
    uint8_t *p = ptr;
    if (p && p >= a->begin && p + old_size == a->at) {
        a->at = p;
        POISON(a->at, (size_t)(a->end - a->at));
    }
    return NULL;
}

struct weir_allocator arena_allocator(struct arena *a) {
    return (struct weir_allocator){allocator_resize, a};
}

char *arena_dup_text(struct arena *a, struct weir_slice s) {
    if (s.size >= PTRDIFF_MAX) return NULL;
    char *p = arena_alloc_aligned(a, s.size + 1, 1);
    if (!p) return NULL;
    if (s.size) memcpy(p, s.data, s.size);
    p[s.size] = 0;
    return p;
}

char *arena_strdup(struct arena *a, const char *text) {
    return arena_dup_text(a, weir_slice_text(text));
}

struct weir_slice arena_dup(struct arena *a, struct weir_slice s) {
    char *p = arena_dup_text(a, s);
    return weir_slice(p, p ? s.size : 0);
}

char *arena_vprintf(struct arena *a, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *p = n < 0 ? NULL : arena_alloc_aligned(a, (size_t)n + 1, 1);
    if (p) vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}

char *arena_printf(struct arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *p = arena_vprintf(a, format, args);
    va_end(args);
    return p;
}

struct arena_mark arena_save(const struct arena *a) {
    return (struct arena_mark){a->current, a->at};
}

void arena_restore(struct arena *a, struct arena_mark mark) {
    if (a->block_size == 0) {
        WEIR_ASSERT(mark.at >= a->begin && mark.at <= a->at);
        a->at = mark.at;
    } else if (!mark.block) {
        arena_reset(a); /* saved before the first block was taken */
        return;
    } else {
        block_enter(a, mark.block, mark.at);
    }
    POISON(a->at, (size_t)(a->end - a->at));
}

void arena_reset(struct arena *a) {
    if (a->first)
        block_enter(a, a->first, block_begin(a->first));
    else
        a->at = a->begin;
    if (a->at) POISON(a->at, (size_t)(a->end - a->at));
}

void arena_trim(struct arena *a, size_t bytes_keep) {
    WEIR_ASSERT(a->current == a->first);
    size_t kept = 0;
    struct arena_block **link = &a->first;
    while (*link) {
        struct arena_block *b = *link;
        if (b->size <= bytes_keep && kept <= bytes_keep - b->size) {
            kept += b->size;
            link = &b->next;
        } else {
            *link = b->next;
            block_give(a, b);
        }
    }
    a->current = NULL;
    a->at = a->end = a->begin = a->block_size ? NULL : a->begin;
    if (a->first) block_enter(a, a->first, block_begin(a->first));
}
