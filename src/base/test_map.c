/* What would break users of the maps: a lost or wrong value, a full map that lies, an order that depends on history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/prng.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS 400

/* The naive model: one cell per possible key. */
struct model {
    bool there[KEYS];
    uint64_t value[KEYS];
    size_t count;
};

/* Keys from three families: small, sparse, and the one whose hash is 0. */
static uint64_t key_of(const struct map_key *k, size_t i) {
    if (i == 0) return map_unhash(k, 0);
    return i % 3 ? i : (uint64_t)i << 50;
}

static void check64(const struct map64 *m, const struct model *model) {
    assert_int_equal(m->count, model->count);
    for (size_t i = 0; i < KEYS; i++) {
        uint64_t *v = map64_find(m, key_of(&m->key, i));
        assert_int_equal(v != NULL, model->there[i]);
        if (v) assert_int_equal(*v, model->value[i]);
    }
    size_t at = 0, seen = 0;
    uint64_t key, value, last = 0;
    while (map64_each(m, &at, &key, &value)) {
        uint64_t h = map_hash(&m->key, key);
        assert_true(seen == 0 || h > last);
        assert_int_equal(*map64_find(m, key), value);
        last = h;
        seen++;
    }
    assert_int_equal(seen, model->count);
}

static void step64(struct map64 *m, struct model *model, struct prng *p, bool fixed) {
    size_t i = prng_below(p, KEYS);
    uint64_t key = key_of(&m->key, i), value = prng_next(p);
    bool is_new = false;
    switch (prng_below(p, 4)) {
    case 0:
        assert_int_equal(map64_erase(m, key), model->there[i]);
        model->count -= model->there[i];
        model->there[i] = false;
        return;
    case 1: {
        uint64_t *v = map64_find_or_put(m, key, value, &is_new);
        if (!v) {
            assert_true(fixed && model->count == m->capacity && !model->there[i]);
            return;
        }
        assert_int_equal(is_new, !model->there[i]);
        value = is_new ? value : model->value[i];
        assert_int_equal(*v, value);
        break;
    }
    default: {
        enum map_put put = map64_put(m, key, value);
        if (put == MAP_PUT_FULL) {
            assert_true(fixed && model->count == m->capacity && !model->there[i]);
            return;
        }
        assert_int_equal(put, model->there[i] ? MAP_PUT_REPLACED : MAP_PUT_NEW);
    }
    }
    model->count += !model->there[i];
    model->there[i] = true;
    model->value[i] = value;
}

static void map64_in_lock_step_with_an_array(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct prng p = prng_seed(seed);
        bool fixed = seed % 2;
        size_t capacity = 1 + prng_below(&p, KEYS);
        void *memory = malloc(map64_memory_size(capacity));
        memset(memory, 0xaa, map64_memory_size(capacity));
        struct map64 m;
        assert_true(map64_init(
            &m, &(struct map_options){
                    .capacity = capacity, .seed = seed, .memory = fixed ? memory : NULL, .growable = !fixed}));
        struct model model = {0};
        for (int i = 0; i < 3000; i++) {
            step64(&m, &model, &p, fixed);
            if (i % 50 == 0) check64(&m, &model);
        }
        check64(&m, &model);
        map64_clear(&m);
        model = (struct model){0};
        check64(&m, &model);
        map64_done(&m);
        free(memory);
    }
}

static void map32_in_lock_step_with_an_array(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng p = prng_seed(seed);
        struct map32 m;
        struct model model = {0};
        assert_true(map32_init(&m, &(struct map_options){.seed = seed, .growable = true}));
        for (int i = 0; i < 3000; i++) {
            size_t k = prng_below(&p, KEYS);
            uint64_t key = key_of(&m.key, k);
            uint32_t value = (uint32_t)prng_next(&p), got = 0;
            assert_int_equal(map32_find(&m, key, &got), model.there[k]);
            if (model.there[k]) assert_int_equal(got, model.value[k]);
            if (prng_chance(&p, 1, 3)) {
                assert_int_equal(map32_erase(&m, key), model.there[k]);
                model.count -= model.there[k];
                model.there[k] = false;
            } else {
                assert_int_equal(map32_put(&m, key, value), model.there[k] ? MAP_PUT_REPLACED : MAP_PUT_NEW);
                model.count += !model.there[k];
                model.there[k] = true;
                model.value[k] = value;
            }
            assert_int_equal(m.count, model.count);
        }
        uint64_t keys[KEYS];
        assert_int_equal(map32_keys(&m, keys), model.count);
        for (size_t i = 1; i < model.count; i++)
            assert_true(keys[i - 1] < keys[i]);
        map32_done(&m);
    }
}

static void order_depends_on_the_keys_alone(void **state) {
    (void)state;
    struct prng p = prng_seed(5);
    struct map64 small, large;
    assert_true(map64_init(&small, &(struct map_options){.seed = 7, .growable = true}));
    assert_true(map64_init(&large, &(struct map_options){.seed = 7, .capacity = 5000}));
    uint64_t keys[1000];
    for (size_t i = 0; i < 1000; i++) {
        keys[i] = i == 0 ? map_unhash(&small.key, 0) : prng_next(&p);
        assert_int_equal(map64_put(&small, keys[i], i), MAP_PUT_NEW);
        assert_int_equal(map64_put(&large, 10 + i, 0), MAP_PUT_NEW); /* a different history */
    }
    for (size_t i = 1000; i-- > 0;)
        map64_put(&large, keys[i], i);
    for (size_t i = 0; i < 1000; i++)
        assert_true(map64_erase(&large, 10 + i));
    size_t at_small = 0, at_large = 0;
    uint64_t key_small, key_large, value_small, value_large;
    while (map64_each(&small, &at_small, &key_small, &value_small)) {
        assert_true(map64_each(&large, &at_large, &key_large, &value_large));
        assert_int_equal(key_small, key_large);
        assert_int_equal(value_small, value_large);
    }
    assert_false(map64_each(&large, &at_large, &key_large, &value_large));
    map64_done(&small);
    map64_done(&large);
}

static void hash_is_a_bijection(void **state) {
    (void)state;
    struct prng p = prng_seed(3);
    struct map64 m;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_true(map64_init(&m, &(struct map_options){.capacity = 1, .seed = seed}));
        for (int i = 0; i < 100; i++) {
            uint64_t key = prng_next(&p);
            assert_int_equal(map_unhash(&m.key, map_hash(&m.key, key)), key);
        }
        map64_done(&m);
    }
}

/* Keys that are dense, strided, or differ in their top bits only must not pile up in one run. */
static void structured_keys_spread(void **state) {
    (void)state;
    for (unsigned shift = 0; shift < 50; shift += 7) {
        struct map64 m;
        assert_true(map64_init(&m, &(struct map_options){.capacity = 12000, .seed = shift}));
        for (uint64_t i = 0; i < 12000; i++)
            assert_int_equal(map64_put(&m, i << shift, i), MAP_PUT_NEW);
        size_t run = 0, longest = 0;
        for (size_t i = 0; i < m.slots; i++) {
            run = m.table[i].hash ? run + 1 : 0;
            longest = run > longest ? run : longest;
        }
        assert_true(longest < 400);
        map64_done(&m);
    }
}

static void *failing_resize(void *ctx, void *ptr, size_t old_size, size_t new_size, size_t align) {
    int *left = ctx;
    if (new_size > old_size && (*left)-- == 0) return NULL;
    return weir_allocator_system.resize(NULL, ptr, old_size, new_size, align);
}

static void failed_growth_changes_nothing(void **state) {
    (void)state;
    int left = 0;
    struct weir_allocator a = {failing_resize, &left};
    struct map64 m;
    assert_false(map64_init(&m, &(struct map_options){.allocator = &a, .growable = true}));
    left = 1;
    assert_true(map64_init(&m, &(struct map_options){.allocator = &a, .growable = true}));
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(map64_put(&m, i, i), MAP_PUT_NEW);
    assert_int_equal(map64_put(&m, 16, 16), MAP_PUT_FULL);
    assert_int_equal(m.count, 16);
    assert_int_equal(map64_put(&m, 3, 33), MAP_PUT_REPLACED);
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(*map64_find(&m, i), i == 3 ? 33 : i);
    left = 1;
    assert_int_equal(map64_put(&m, 16, 16), MAP_PUT_NEW);
    map64_done(&m);
}

static void text_map_in_lock_step_with_an_array(void **state) {
    (void)state;
    static char names[KEYS][40];
    for (size_t i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof names[i], "%.*s%zu", (int)(i % 30), "abcdefghijklmnopqrstuvwxyzabcdefgh", i);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng p = prng_seed(seed);
        struct map_text m;
        struct model model = {0};
        bool fixed = seed % 2;
        assert_true(map_text_init(&m, &(struct map_options){.seed = seed, .capacity = 90, .growable = !fixed}));
        for (int i = 0; i < 3000; i++) {
            size_t k = prng_below(&p, KEYS);
            struct weir_slice key = weir_slice_text(names[k]), kept;
            uint64_t *found = map_text_find(&m, key);
            assert_int_equal(found != NULL, model.there[k]);
            if (found) assert_int_equal(*found, model.value[k]);
            if (prng_chance(&p, 1, 3)) {
                assert_int_equal(map_text_erase(&m, key, &kept), model.there[k]);
                if (model.there[k]) assert_ptr_equal(kept.data, names[k]);
                model.count -= model.there[k];
                model.there[k] = false;
                continue;
            }
            enum map_put put = map_text_put(&m, key, (uint64_t)i);
            if (put == MAP_PUT_FULL) {
                assert_true(fixed && model.count == 90);
                continue;
            }
            assert_int_equal(put, model.there[k] ? MAP_PUT_REPLACED : MAP_PUT_NEW);
            model.count += !model.there[k];
            model.there[k] = true;
            model.value[k] = (uint64_t)i;
        }
        size_t at = 0, seen = 0;
        struct weir_slice key;
        uint64_t value;
        while (map_text_each(&m, &at, &key, &value))
            seen++;
        assert_int_equal(seen, model.count);
        map_text_done(&m);
    }
}

/* Equal hashes do not happen by chance; forced here, they must still be told apart, in an order without history. */
static void text_map_orders_equal_hashes_by_their_bytes(void **state) {
    (void)state;
    struct map_text m;
    assert_true(map_text_init(&m, &(struct map_options){.capacity = 100}));
    assert_int_equal(map_text_put(&m, weir_slice(NULL, 0), 5), MAP_PUT_NEW);
    assert_int_equal(*map_text_find(&m, weir_slice("x", 0)), 5);
    assert_null(map_text_find(&m, weir_slice_text("x")));
    assert_int_equal(map_text_put(&m, weir_slice_text("x"), 6), MAP_PUT_NEW);
    /* A foreign key of the same hash and size, smaller and larger in bytes. */
    for (size_t i = 0; i < m.slots; i++)
        if (m.table[i].key_size == 1) m.table[i].key = (const uint8_t *)"a";
    assert_null(map_text_find(&m, weir_slice_text("x")));
    assert_int_equal(map_text_put(&m, weir_slice_text("x"), 7), MAP_PUT_NEW);
    assert_int_equal(*map_text_find(&m, weir_slice_text("x")), 7);
    assert_int_equal(m.count, 3);
    assert_true(map_text_erase(&m, weir_slice_text("x"), NULL));
    assert_int_equal(m.count, 2);
    map_text_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map64_in_lock_step_with_an_array),
        cmocka_unit_test(map32_in_lock_step_with_an_array),
        cmocka_unit_test(order_depends_on_the_keys_alone),
        cmocka_unit_test(hash_is_a_bijection),
        cmocka_unit_test(structured_keys_spread),
        cmocka_unit_test(failed_growth_changes_nothing),
        cmocka_unit_test(text_map_in_lock_step_with_an_array),
        cmocka_unit_test(text_map_orders_equal_hashes_by_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
