/* base/vec.c: the system allocator and the type-erased core of weir/vec.h. */
#include <weir/vec.h>

#include "base/assert.h"

#include <stdlib.h>

/* What malloc and realloc guarantee; blocks of a larger alignment are copied by hand when they grow. */
#define NATURAL_ALIGN _Alignof(max_align_t)

static void *system_resize_aligned(void *ptr, size_t old_size, size_t new_size, size_t align) {
    void *fresh = NULL;
    if (posix_memalign(&fresh, align, new_size) != 0) return NULL;
    if (ptr) {
        memcpy(fresh, ptr, old_size < new_size ? old_size : new_size);
        free(ptr);
    }
    return fresh;
}

static void *system_resize(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align) {
    (void)ctx;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    if (new_size > PTRDIFF_MAX) return NULL;
    if (align > NATURAL_ALIGN) return system_resize_aligned(ptr, old_size, new_size, align);
    return realloc(ptr, new_size);
}

const struct weir_allocator weir_allocator_system = {system_resize, NULL};

static void *resize(const struct weir_allocator *allocator, void *ptr, size_t old_size, size_t new_size, size_t align) {
    if (!allocator) allocator = &weir_allocator_system;
    return allocator->resize(allocator->ctx, ptr, old_size, new_size, align);
}

void *weir_alloc(const struct weir_allocator *allocator, size_t size, size_t align) {
    WEIR_ASSERT(align && (align & (align - 1)) == 0);
    return size > PTRDIFF_MAX ? NULL : resize(allocator, NULL, 0, size ? size : 1, align);
}

void weir_dealloc(const struct weir_allocator *allocator, void *ptr, size_t size, size_t align) {
    if (ptr) (void)resize(allocator, ptr, size ? size : 1, 0, align);
}

void *weir_vec_grow(
    const struct weir_allocator *allocator, void *data, size_t *cap, size_t need, size_t size, size_t align) {
    WEIR_ASSERT(need > *cap && size > 0);
    size_t limit = (size_t)PTRDIFF_MAX / size;
    if (need > limit) return NULL;
    /* By half of what there is, so that freed blocks can be reused by a later growth; small ones start at 64 bytes. */
    size_t wanted = *cap + *cap / 2, least = 64 / size;
    if (wanted < least) wanted = least;
    if (wanted < need) wanted = need;
    if (wanted > limit) wanted = limit;
    void *grown = resize(allocator, data, *cap * size, wanted * size, align);
    if (!grown && wanted > need) {
        wanted = need;
        grown = resize(allocator, data, *cap * size, wanted * size, align);
    }
    if (grown) *cap = wanted;
    return grown;
}

void *weir_vec_fit(
    const struct weir_allocator *allocator, void *data, size_t *cap, size_t count, size_t size, size_t align) {
    WEIR_ASSERT(count > 0 && count <= *cap);
    void *fitted = resize(allocator, data, *cap * size, count * size, align);
    if (fitted) *cap = count;
    return fitted;
}
