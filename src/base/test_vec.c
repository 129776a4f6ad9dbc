/* What would break users of weir/vec.h: a lost element, an alias read after it moved, a half-done change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/prng.h"

#include <weir/vec.h>

#include <stdlib.h>

WEIR_VEC(numbers, uint32_t);

struct wide {
    _Alignas(64) uint64_t value;
    uint8_t filler[56];
};
WEIR_VEC(wides, struct wide);

/* Counts live bytes and fails `fails` growing requests from the fail_at-th on (1 = the next; 0 = never). Two in a row
 * also refuse the vector's second, more modest request. */
struct counting {
    size_t live, requests, fail_at, fails;
};

static void *counting_resize(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align) {
    struct counting *c = ctx;
    if (new_size > old_size && ++c->requests >= c->fail_at && c->fail_at && c->requests < c->fail_at + c->fails)
        return NULL;
    if (old_size) assert_non_null(ptr);
    void *p = weir_allocator_system.resize(weir_allocator_system.ctx, ptr, old_size, new_size, align);
    if (p || new_size == 0) c->live = c->live - old_size + new_size;
    return p;
}

/* The naive model: a plain array large enough. */
struct model {
    uint32_t items[4096];
    size_t count;
};

static void model_insert(struct model *m, size_t index, const uint32_t *items, size_t count) {
    memmove(m->items + index + count, m->items + index, (m->count - index) * sizeof m->items[0]);
    memcpy(m->items + index, items, count * sizeof m->items[0]);
    m->count += count;
}

static void model_erase(struct model *m, size_t index, size_t count) {
    memmove(m->items + index, m->items + index + count, (m->count - index - count) * sizeof m->items[0]);
    m->count -= count;
}

static void assert_same(const struct numbers *v, const struct model *m) {
    assert_int_equal(v->count, m->count);
    assert_true(v->cap >= v->count);
    if (m->count) assert_memory_equal(v->data, m->items, m->count * sizeof m->items[0]);
}

/* One random growing operation on both; the model follows only on success. Returns the vector's answer. */
static bool grow_both(struct numbers *v, struct model *m, struct prng *p) {
    uint32_t item = (uint32_t)prng_next(p), copy[512];
    size_t index = prng_below(p, m->count + 1), n = prng_below(p, 20);
    bool done = false;
    switch (prng_below(p, 5)) {
    case 0:
        if (m->count) /* an argument taken from the vector itself */
            item = m->items[prng_below(p, m->count)];
        if ((done = numbers_push(v, item))) model_insert(m, m->count, &item, 1);
        break;
    case 1:
        if ((done = numbers_insert(v, index, item))) model_insert(m, index, &item, 1);
        break;
    case 2: /* a range of the vector itself */
        n = m->count - index < 400 ? m->count - index : 400;
        memcpy(copy, m->items + index, n * sizeof copy[0]);
        if ((done = numbers_append(v, v->data ? v->data + index : NULL, n))) model_insert(m, m->count, copy, n);
        break;
    case 3:
        if ((done = numbers_resize(v, m->count + n))) {
            memset(copy, 0, sizeof copy);
            model_insert(m, m->count, copy, n);
        }
        break;
    default:
        done = numbers_reserve(v, m->count + n);
    }
    return done;
}

static void shrink_both(struct numbers *v, struct model *m, struct prng *p) {
    size_t index = prng_below(p, m->count + 2), n = prng_below(p, 30);
    uint32_t item = 0;
    bool inside;
    switch (prng_below(p, 5)) {
    case 0:
        inside = index < m->count;
        assert_int_equal(numbers_erase(v, index), inside);
        if (inside) model_erase(m, index, 1);
        break;
    case 1:
        inside = index + n <= m->count;
        assert_int_equal(numbers_erase_range(v, index, n), inside);
        if (inside) model_erase(m, index, n);
        break;
    case 2:
        assert_int_equal(numbers_pop(v, &item), m->count > 0);
        if (m->count) assert_int_equal(item, m->items[--m->count]);
        break;
    case 3:
        inside = index < m->count;
        assert_int_equal(numbers_erase_swap(v, index), inside);
        if (inside) m->items[index] = m->items[--m->count];
        break;
    default:
        numbers_trim(v);
    }
}

static void random_operations_in_lock_step_with_an_array(void **state) {
    (void)state;
    static struct model m;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct counting c = {0};
        struct weir_allocator a = {counting_resize, &c};
        struct prng p = prng_seed(seed);
        struct numbers v;
        numbers_init(&v, seed % 2 ? &a : NULL);
        m.count = 0;
        for (int i = 0; i < 600; i++) {
            if (m.count < 3000 && prng_chance(&p, 3, 5))
                assert_true(grow_both(&v, &m, &p));
            else
                shrink_both(&v, &m, &p);
            assert_same(&v, &m);
        }
        numbers_done(&v);
        assert_int_equal(c.live, 0);
    }
}

static void every_failing_allocation_changes_nothing(void **state) {
    (void)state;
    static struct model m;
    int refused = 0;
    for (size_t fail_at = 1; fail_at <= 40; fail_at++) {
        struct counting c = {.fail_at = fail_at, .fails = 1 + fail_at % 2};
        struct weir_allocator a = {counting_resize, &c};
        struct prng p = prng_seed(fail_at);
        struct numbers v;
        numbers_init(&v, &a);
        m.count = 0;
        for (int i = 0; i < 400; i++) {
            struct numbers before = v;
            if (m.count > 3000) {
                shrink_both(&v, &m, &p);
            } else if (!grow_both(&v, &m, &p)) {
                refused++;
                assert_memory_equal(&v, &before, sizeof v);
            }
            assert_same(&v, &m);
            if (c.requests >= c.fail_at + c.fails) c.fail_at = c.requests + fail_at; /* every fail_at-th */
        }
        numbers_done(&v);
        assert_int_equal(c.live, 0);
    }
    assert_true(refused > 20);
}

static void *never_resize(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align) {
    (void)ctx, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return NULL;
}

static void each_operation_without_memory_leaves_the_vector_as_it_was(void **state) {
    (void)state;
    const struct weir_allocator none = {never_resize, NULL};
    uint32_t room[4] = {1, 2, 3, 4}, items[] = {7, 8};
    struct numbers full = {room, 4, 4, &none}, v = full;
    assert_false(numbers_push(&v, 5));
    assert_false(numbers_insert(&v, 0, 5));
    assert_false(numbers_append(&v, items, 2));
    assert_false(numbers_append(&v, v.data + 1, 3));
    assert_false(numbers_resize(&v, 5));
    assert_false(numbers_reserve(&v, 5));
    v.count = full.count = 2;
    assert_false(numbers_trim(&v));
    assert_memory_equal(&v, &full, sizeof v);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(room[i], i + 1);
}

static void zero_value_is_an_empty_vector(void **state) {
    (void)state;
    struct numbers v = {0};
    assert_false(numbers_pop(&v, NULL));
    assert_false(numbers_erase(&v, 0));
    assert_true(numbers_erase_range(&v, 0, 0));
    assert_true(numbers_append(&v, NULL, 0));
    assert_true(numbers_reserve(&v, 0));
    assert_null(v.data);
    numbers_clear(&v);
    numbers_done(&v);
    assert_true(numbers_push(&v, 3));
    assert_int_equal(v.data[0], 3);
    numbers_done(&v);
    numbers_done(&v);
}

static void sizes_beyond_the_address_space_are_refused(void **state) {
    (void)state;
    struct numbers v = {0};
    assert_true(numbers_push(&v, 1));
    struct numbers before = v;
    assert_false(numbers_reserve(&v, SIZE_MAX));
    assert_false(numbers_reserve(&v, SIZE_MAX / 4));
    assert_false(numbers_reserve(&v, (size_t)PTRDIFF_MAX / 4 + 1));
    assert_false(numbers_resize(&v, SIZE_MAX / 2));
    assert_false(numbers_append(&v, v.data, SIZE_MAX));
    assert_memory_equal(&v, &before, sizeof v);
    numbers_done(&v);
}

static void over_aligned_elements_stay_aligned(void **state) {
    (void)state;
    struct wides v = {0};
    for (uint64_t i = 0; i < 300; i++) {
        assert_true(wides_push(&v, (struct wide){.value = i}));
        assert_int_equal((uintptr_t)v.data % 64, 0);
    }
    assert_true(wides_trim(&v));
    assert_int_equal((uintptr_t)v.data % 64, 0);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(v.data[i].value, i);
    wides_done(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_in_lock_step_with_an_array),
        cmocka_unit_test(every_failing_allocation_changes_nothing),
        cmocka_unit_test(each_operation_without_memory_leaves_the_vector_as_it_was),
        cmocka_unit_test(zero_value_is_an_empty_vector),
        cmocka_unit_test(sizes_beyond_the_address_space_are_refused),
        cmocka_unit_test(over_aligned_elements_stay_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
