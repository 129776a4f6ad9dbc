/* weir/vec.h: the growable array, and the allocator every container of weir takes.
 *
 *     WEIR_VEC(prices, uint64_t)          declares struct prices and the static inline functions prices_push() ...
 *     struct prices p = {0};              the zero value is a valid empty vector on the system allocator
 *     if (!prices_push(&p, 42)) ...       false = no memory, or the size would pass PTRDIFF_MAX; p is as it was
 *     use(p.data[0], p.count);
 *     prices_done(&p);
 *
 * The struct is plain and visible: read `data` and `count` directly. Every growing call returns bool, and on false
 * nothing observable changed (data, count, cap, contents): the strong guarantee. Elements are moved with memcpy, so a
 * pointer into `data` is invalid after any growing call; T must not point into itself. Growth is by 1.5 times through
 * the allocator's resize, so that realloc can grow in place (large blocks move by page table, not by copying).
 * Arguments are taken by value and ranges may lie inside the vector itself. An index out of range returns false.
 * One owner thread at a time. Compiles as C17 and as C++.
 */
#ifndef WEIR_VEC_H
#define WEIR_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* One function does it all. ptr is NULL (old_size 0) or a block from this allocator of old_size bytes and the same
 * align (a power of two). new_size 0 frees the block and returns NULL. Otherwise returns a block of new_size bytes
 * whose first min(old_size, new_size) bytes are the old ones, or NULL when it cannot: then the old block is untouched.
 * Shrinking may fail too; callers must live with that. */
struct weir_allocator {
    void *(*resize)(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align);
    void *ctx;
};

/* The C library's realloc; any thread. A NULL allocator anywhere in weir means this one. */
extern const struct weir_allocator weir_allocator_system;

/* The calls most code wants: NULL allocator allowed. alloc's bytes are not cleared. */
void *weir_alloc(const struct weir_allocator *allocator, size_t size, size_t align);
void weir_dealloc(const struct weir_allocator *allocator, void *ptr, size_t size, size_t align);

/* The type-erased core; called by the generated functions. Returns the block grown (or shrunk to fit, for _fit) and
 * sets *cap, or returns NULL and changes nothing. need > *cap for grow. */
void *weir_vec_grow(
    const struct weir_allocator *allocator, void *data, size_t *cap, size_t need, size_t size, size_t align);
void *weir_vec_fit(
    const struct weir_allocator *allocator, void *data, size_t *cap, size_t count, size_t size, size_t align);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#define WEIR_VEC_UNUSED __attribute__((unused, warn_unused_result))

#define WEIR_VEC(name, T)                                                                                              \
    struct name {                                                                                                      \
        T *data;                                                                                                       \
        size_t count;                                                                                                  \
        size_t cap;                                                                                                    \
        const struct weir_allocator *allocator;                                                                        \
    };                                                                                                                 \
    __attribute__((unused)) static inline void name##_init(struct name *v, const struct weir_allocator *allocator) {   \
        v->data = NULL;                                                                                                \
        v->count = v->cap = 0;                                                                                         \
        v->allocator = allocator;                                                                                      \
    }                                                                                                                  \
    /* Frees; the vector is empty and usable again. */                                                                 \
    __attribute__((unused)) static inline void name##_done(struct name *v) {                                           \
        weir_dealloc(v->allocator, v->data, v->cap * sizeof(T), __alignof__(T));                                       \
        v->data = NULL;                                                                                                \
        v->count = v->cap = 0;                                                                                         \
    }                                                                                                                  \
    /* Keeps the memory. */                                                                                            \
    __attribute__((unused)) static inline void name##_clear(struct name *v) {                                          \
        v->count = 0;                                                                                                  \
    }                                                                                                                  \
    /* Room for cap elements in all; never shrinks. */                                                                 \
    WEIR_VEC_UNUSED static inline bool name##_reserve(struct name *v, size_t cap) {                                    \
        if (cap <= v->cap) return true;                                                                                \
        void *data = weir_vec_grow(v->allocator, v->data, &v->cap, cap, sizeof(T), __alignof__(T));                    \
        if (!data) return false;                                                                                       \
        v->data = (T *)data;                                                                                           \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* New elements are zero bytes. */                                                                                 \
    WEIR_VEC_UNUSED static inline bool name##_resize(struct name *v, size_t count) {                                   \
        if (!name##_reserve(v, count)) return false;                                                                   \
        if (count > v->count) memset((void *)(v->data + v->count), 0, (count - v->count) * sizeof(T));                 \
        v->count = count;                                                                                              \
        return true;                                                                                                   \
    }                                                                                                                  \
    WEIR_VEC_UNUSED static inline bool name##_push(struct name *v, T item) {                                           \
        if (__builtin_expect(v->count == v->cap, 0) && !name##_reserve(v, v->count + 1)) return false;                 \
        v->data[v->count++] = item;                                                                                    \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* Takes the last element; false when empty. ret may be NULL. */                                                   \
    __attribute__((unused)) static inline bool name##_pop(struct name *v, T *ret) {                                    \
        if (v->count == 0) return false;                                                                               \
        v->count--;                                                                                                    \
        if (ret) *ret = v->data[v->count];                                                                             \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* index <= count; elements from index on move up. */                                                              \
    WEIR_VEC_UNUSED static inline bool name##_insert(struct name *v, size_t index, T item) {                           \
        if (index > v->count || (v->count == v->cap && !name##_reserve(v, v->count + 1))) return false;                \
        memmove((void *)(v->data + index + 1), (void *)(v->data + index), (v->count - index) * sizeof(T));             \
        v->data[index] = item;                                                                                         \
        v->count++;                                                                                                    \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* Removes count elements from index on, keeping the order; false when the range is not inside. */                 \
    __attribute__((unused)) static inline bool name##_erase_range(struct name *v, size_t index, size_t count) {        \
        if (index > v->count || count > v->count - index) return false;                                                \
        if (count)                                                                                                     \
            memmove(                                                                                                   \
                (void *)(v->data + index), (void *)(v->data + index + count), (v->count - index - count) * sizeof(T)); \
        v->count -= count;                                                                                             \
        return true;                                                                                                   \
    }                                                                                                                  \
    __attribute__((unused)) static inline bool name##_erase(struct name *v, size_t index) {                            \
        return name##_erase_range(v, index, 1);                                                                        \
    }                                                                                                                  \
    /* Removes one in O(1) by moving the last one into its place. */                                                   \
    __attribute__((unused)) static inline bool name##_erase_swap(struct name *v, size_t index) {                       \
        if (index >= v->count) return false;                                                                           \
        v->data[index] = v->data[--v->count];                                                                          \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* items may point into the vector itself. */                                                                      \
    WEIR_VEC_UNUSED static inline bool name##_append(struct name *v, const T *items, size_t count) {                   \
        if (count == 0) return true;                                                                                   \
        const size_t limit = (size_t)PTRDIFF_MAX / sizeof(T);                                                          \
        if (count > limit || v->count > limit - count) return false;                                                   \
        if (!v->data || count > v->cap - v->count) {                                                                   \
            uintptr_t from = (uintptr_t)items, base = (uintptr_t)v->data;                                              \
            bool inside = v->data && from >= base && from - base < v->cap * sizeof(T);                                 \
            if (!name##_reserve(v, v->count + count) || !v->data) return false;                                        \
            if (inside) items = (const T *)(const void *)((const char *)v->data + (from - base));                      \
        }                                                                                                              \
        memmove((void *)(v->data + v->count), (const void *)items, count * sizeof(T));                                 \
        v->count += count;                                                                                             \
        return true;                                                                                                   \
    }                                                                                                                  \
    /* Gives unused room back; false when the allocator refused, which changes nothing. */                             \
    __attribute__((unused)) static inline bool name##_trim(struct name *v) {                                           \
        if (v->cap == v->count) return true;                                                                           \
        if (v->count == 0) {                                                                                           \
            name##_done(v);                                                                                            \
            return true;                                                                                               \
        }                                                                                                              \
        void *data = weir_vec_fit(v->allocator, v->data, &v->cap, v->count, sizeof(T), __alignof__(T));                \
        if (!data) return false;                                                                                       \
        v->data = (T *)data;                                                                                           \
        return true;                                                                                                   \
    }                                                                                                                  \
    struct name /* so that WEIR_VEC(name, T); ends like a declaration */

/* For elements that own something. After WEIR_VEC(name, T); with
 *     bool copy(const T *from, T *ret)    false: it could not, and nothing was made
 *     void drop(T *item)                  gives back what it owns
 * WEIR_VEC_OWNED(name, T, copy, drop); adds the functions below. The plain ones go on moving elements: push takes what
 * the item owns when it returns true, pop hands it out, and erase and clear forget it. A copy is made aside and moved
 * in when it is complete, so these too change nothing when they return false, and their arguments may lie inside the
 * vector. */
#define WEIR_VEC_OWNED(name, T, copy, drop)                                                                            \
    /* Drops count elements from index on; false when the range is not inside. */                                      \
    __attribute__((unused)) static inline bool name##_drop_range(struct name *v, size_t index, size_t count) {         \
        if (index > v->count || count > v->count - index) return false;                                                \
        for (size_t i = 0; i < count; i++)                                                                             \
            drop(&v->data[index + i]);                                                                                 \
        return name##_erase_range(v, index, count);                                                                    \
    }                                                                                                                  \
    /* Drops all and frees. */                                                                                         \
    __attribute__((unused)) static inline void name##_drop(struct name *v) {                                           \
        (void)name##_drop_range(v, 0, v->count);                                                                       \
        name##_done(v);                                                                                                \
    }                                                                                                                  \
    WEIR_VEC_UNUSED static inline bool name##_push_copy(struct name *v, const T *item) {                               \
        T made;                                                                                                        \
        if (!copy(item, &made)) return false;                                                                          \
        if (name##_push(v, made)) return true;                                                                         \
        drop(&made);                                                                                                   \
        return false;                                                                                                  \
    }                                                                                                                  \
    WEIR_VEC_UNUSED static inline bool name##_insert_copy(struct name *v, size_t index, const T *item) {               \
        T made;                                                                                                        \
        if (index > v->count || !copy(item, &made)) return false;                                                      \
        if (name##_insert(v, index, made)) return true;                                                                \
        drop(&made);                                                                                                   \
        return false;                                                                                                  \
    }                                                                                                                  \
    /* items may point into the vector itself. */                                                                      \
    WEIR_VEC_UNUSED static inline bool name##_append_copies(struct name *v, const T *items, size_t count) {            \
        struct name made;                                                                                              \
        name##_init(&made, v->allocator);                                                                              \
        bool complete = name##_reserve(&made, count);                                                                  \
        while (complete && made.count < count) {                                                                       \
            complete = copy(&items[made.count], &made.data[made.count]);                                               \
            if (complete) made.count++;                                                                                \
        }                                                                                                              \
        complete = complete && name##_append(v, made.data, made.count);                                                \
        if (complete)                                                                                                  \
            name##_done(&made);                                                                                        \
        else                                                                                                           \
            name##_drop(&made);                                                                                        \
        return complete;                                                                                               \
    }                                                                                                                  \
    /* Copies of from's elements take the place of what v has. */                                                      \
    WEIR_VEC_UNUSED static inline bool name##_assign_copies(struct name *v, const struct name *from) {                 \
        struct name made;                                                                                              \
        name##_init(&made, v->allocator);                                                                              \
        if (!name##_append_copies(&made, from->data, from->count)) return false;                                       \
        name##_drop(v);                                                                                                \
        *v = made;                                                                                                     \
        return true;                                                                                                   \
    }                                                                                                                  \
    struct name /* ends like a declaration */

#endif
