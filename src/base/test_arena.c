/* What would break users of the arena and the pool: overlap, misalignment, a limit passed, memory touched for nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/prng.h"

#include <stdlib.h>
#include <sys/mman.h>

static size_t live;
static int grants_left = -1;

static void *counted_resize(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align) {
    (void)ctx;
    if (new_size > old_size && grants_left >= 0 && grants_left-- == 0) return NULL;
    void *p = weir_allocator_system.resize(NULL, ptr, old_size, new_size, align);
    live = live - old_size + new_size;
    return p;
}
static const struct weir_allocator counted = {counted_resize, NULL};

struct piece {
    uint8_t *p;
    size_t size;
    uint8_t fill;
};

static void assert_pieces_intact(const struct piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < pieces[i].size; k++)
            assert_int_equal(pieces[i].p[k], pieces[i].fill);
}

static void pieces_never_overlap_across_marks_and_resets(void **state) {
    (void)state;
    static uint8_t fixed[8192];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct prng p = prng_seed(seed);
        struct arena a;
        grants_left = -1;
        if (seed % 2)
            arena_init(&a, &counted, 500, 0);
        else
            arena_init_fixed(&a, fixed, sizeof fixed);
        struct piece pieces[200];
        size_t count = 0, marked = 0;
        struct arena_mark mark = arena_save(&a);
        for (int i = 0; i < 1000; i++) {
            uint64_t what = prng_below(&p, 40);
            if (what == 0 || count == 200) {
                arena_reset(&a);
                count = marked = 0;
                mark = arena_save(&a);
            } else if (what == 1) {
                mark = arena_save(&a);
                marked = count;
            } else if (what == 2) {
                arena_restore(&a, mark);
                count = marked;
            } else {
                size_t align = (size_t)1 << prng_below(&p, 8), size = prng_below(&p, what == 3 ? 900 : 60);
                uint8_t *at = arena_alloc_aligned(&a, size, align);
                assert_true(at || seed % 2 == 0);
                if (!at) continue;
                assert_int_equal((uintptr_t)at % align, 0);
                pieces[count] = (struct piece){at, size, (uint8_t)i};
                memset(at, i, size);
                count++;
            }
            assert_pieces_intact(pieces, count);
        }
        arena_done(&a);
        assert_int_equal(live, 0);
    }
}

static void arena_reset_in_a_loop_stops_allocating(void **state) {
    (void)state;
    struct arena a;
    grants_left = -1;
    arena_init(&a, &counted, 1024, 0);
    for (int round = 0; round < 50; round++) {
        if (round == 1) grants_left = 0; /* from now on every request for a block fails */
        for (int i = 0; i < 40; i++)
            assert_non_null(arena_alloc(&a, 100));
        arena_reset(&a);
    }
    assert_true(a.bytes_held >= 4000);
    arena_trim(&a, 1500);
    assert_true(a.bytes_held <= 1500 && a.bytes_held > 0);
    assert_non_null(arena_alloc(&a, 100));
    arena_reset(&a);
    arena_trim(&a, 0);
    assert_int_equal(live, 0);
    assert_null(arena_alloc(&a, 100));
    arena_done(&a);
}

static void arena_limit_holds_and_is_survived(void **state) {
    (void)state;
    struct arena a;
    grants_left = -1;
    arena_init(&a, &counted, 1000, 5000);
    size_t n = 0;
    while (arena_alloc(&a, 300))
        n++;
    assert_true(n >= 10 && a.bytes_held <= 5000 && live <= 5000);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, (size_t)PTRDIFF_MAX));
    assert_null(arena_zalloc(&a, SIZE_MAX / 2, 3));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 300));
    arena_done(&a);
    assert_int_equal(live, 0);
    arena_done(&a);
}

static void arena_resize_grows_the_last_piece_in_place(void **state) {
    (void)state;
    uint64_t memory[64];
    struct arena a;
    arena_init_fixed(&a, memory, sizeof memory);
    char *p = arena_alloc_aligned(&a, 10, 1);
    memcpy(p, "0123456789", 10);
    assert_ptr_equal(arena_resize(&a, p, 10, 100, 1), p);
    char *q = arena_alloc_aligned(&a, 1, 1);
    *q = 'x';
    char *moved = arena_resize(&a, p, 100, 150, 1);
    assert_ptr_not_equal(moved, p);
    assert_memory_equal(moved, "0123456789", 10);
    assert_null(arena_resize(&a, moved, 150, 5000, 1));
    assert_memory_equal(moved, "0123456789", 10);
    assert_int_equal(*q, 'x');
    struct weir_allocator allocator = arena_allocator(&a);
    uint8_t *at = a.at;
    void *block = weir_alloc(&allocator, 8, 1);
    weir_dealloc(&allocator, block, 8, 1);
    assert_ptr_equal(a.at, at);
    arena_done(&a);
}

static void arena_texts_are_terminated(void **state) {
    (void)state;
    uint8_t memory[64];
    struct arena a;
    arena_init_fixed(&a, memory, sizeof memory);
    assert_string_equal(arena_printf(&a, "%d-%s", 42, "x"), "42-x");
    assert_string_equal(arena_strdup(&a, "abc"), "abc");
    assert_string_equal(arena_dup_text(&a, weir_slice("abcdef", 3)), "abc");
    assert_int_equal(arena_dup(&a, weir_slice("abcdef", 4)).size, 4);
    assert_non_null(arena_dup(&a, weir_slice(NULL, 0)).data);
    assert_null(arena_printf(&a, "%080d", 1));
    assert_null(arena_dup(&a, weir_slice(memory, 64)).data);
    arena_done(&a);
}

static void pool_in_lock_step_with_flags(void **state) {
    (void)state;
    uint64_t memory[64];
    struct pool pool;
    bool taken[64] = {false};
    struct prng p = prng_seed(1);
    uint32_t count = 0, high = 0;
    pool_init(&pool, memory, sizeof(uint64_t), 64);
    for (int i = 0; i < 20000; i++) {
        if (prng_chance(&p, 11, 20)) {
            uint32_t index = pool_take(&pool);
            if (count == 64) {
                assert_int_equal(index, POOL_NONE);
                continue;
            }
            assert_true(index < 64 && !taken[index]);
            taken[index] = true;
            count++;
            high = index + 1 > high ? index + 1 : high;
            *(uint64_t *)pool_at(&pool, index) = index * 3;
            assert_int_equal(pool_index(&pool, pool_at(&pool, index)), index);
        } else if (count > 0) {
            uint32_t index = (uint32_t)prng_below(&p, 64);
            while (!taken[index])
                index = (index + 1) % 64;
            assert_int_equal(*(uint64_t *)pool_at(&pool, index), index * 3);
            pool_give(&pool, index);
            taken[index] = false;
            count--;
        }
        assert_int_equal(pool.count, count);
        assert_int_equal(pool.fresh, high);
    }
    pool_reset(&pool);
    assert_int_equal(pool_take(&pool), 0);
}

/* A pool for the worst day must not cost its memory on an ordinary one. */
static void pool_touches_only_what_is_taken(void **state) {
    (void)state;
    size_t size = (size_t)256 << 20, pages = size / 4096;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    struct pool pool;
    pool_init(&pool, memory, 64, (uint32_t)(size / 64));
    for (uint32_t i = 0; i < 6400; i++)
        *(uint32_t *)pool_at(&pool, pool_take(&pool)) = i;
    for (uint32_t i = 0; i < 6400; i++)
        pool_give(&pool, i);
    unsigned char *resident = malloc(pages);
    assert_int_equal(mincore(memory, size, resident), 0);
    size_t touched = 0;
    for (size_t i = 0; i < pages; i++)
        touched += resident[i] & 1;
    assert_int_equal(touched, 100);
    free(resident);
    munmap(memory, size);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_never_overlap_across_marks_and_resets),
        cmocka_unit_test(arena_reset_in_a_loop_stops_allocating),
        cmocka_unit_test(arena_limit_holds_and_is_survived),
        cmocka_unit_test(arena_resize_grows_the_last_piece_in_place),
        cmocka_unit_test(arena_texts_are_terminated),
        cmocka_unit_test(pool_in_lock_step_with_flags),
        cmocka_unit_test(pool_touches_only_what_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
