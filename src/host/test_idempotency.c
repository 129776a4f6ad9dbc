#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "host/idempotency.h"
#include "host/waiters.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEYS 5000u

struct naive {
    bool there;
    uint64_t time_ns, offset;
    size_t size;
};

static struct weir_slice key_of(char buf[32], uint64_t i) {
    return weir_slice(buf, (size_t)snprintf(buf, 32, "key-%llu", (unsigned long long)i));
}

static void the_table_forgets_by_age_and_count_and_nothing_else(void **state) {
    (void)state;
    struct prng prng = prng_seed(3);
    struct idempotency table;
    struct idempotency_options options = {.keys_max = 300, .age_ns_max = 1000, .secret = {1, 2}};
    idempotency_init(&table, &options);
    struct naive *naive = calloc(KEYS, sizeof *naive);
    uint64_t now = 0, order[KEYS], added = 0, oldest = 0;
    static uint8_t value[2000];
    for (uint64_t offset = 0; offset < KEYS; offset++) {
        char buf[32];
        now += prng_below(&prng, 9);
        idempotency_evict(&table, now);
        size_t size = prng_below(&prng, 10) ? prng_below(&prng, 200) : prng_below(&prng, sizeof value);
        memset(value, (int)offset, size);
        struct idempotency_new entry = {.key = key_of(buf, offset),
            .value = weir_slice(value, size),
            .time_ns = now,
            .offset = offset,
            .body_hash = {offset, 1},
            .status = 200,
            .replied = true};
        idempotency_add(&table, &entry);
        naive[offset] = (struct naive){true, now, offset, size};
        order[added++] = offset;
        while (oldest < added &&
               (added - oldest > options.keys_max || now - naive[order[oldest]].time_ns > options.age_ns_max))
            naive[order[oldest++]].there = false;
        assert_int_equal(table.count, added - oldest);
        for (int probe = 0; probe < 5; probe++) {
            uint64_t k = prng_below(&prng, offset + 3);
            const struct idempotency_entry *e = idempotency_find(&table, key_of(buf, k));
            assert_int_equal(e != NULL, k < KEYS && naive[k].there);
            if (!e) continue;
            assert_int_equal(e->offset, naive[k].offset);
            assert_int_equal(idempotency_value(e).size, naive[k].size);
            if (naive[k].size) assert_int_equal(idempotency_value(e).data[naive[k].size - 1], (uint8_t)k);
        }
    }
    uint64_t position = table.head, count = 0;
    const struct idempotency_entry *e;
    while ((e = idempotency_next(&table, &position)))
        assert_int_equal(e->offset, order[oldest + count++]);
    assert_int_equal(count, table.count);
    free(naive);
    idempotency_done(&table);
}

/* When bytes run out before keys do, the oldest go: the ring never overflows. */
static void large_replies_push_out_the_oldest(void **state) {
    (void)state;
    struct idempotency table;
    struct idempotency_options options = {.keys_max = 128, .age_ns_max = UINT64_MAX, .secret = {5, 6}};
    idempotency_init(&table, &options);
    static uint8_t value[4096], huge[100000];
    char buf[32];
    for (uint64_t i = 0; i < 1000; i++) {
        struct idempotency_new entry = {
            .key = key_of(buf, i), .value = weir_slice(value, sizeof value - i % 64), .offset = i};
        idempotency_add(&table, &entry);
        assert_non_null(idempotency_find(&table, key_of(buf, i)));
        assert_true(table.tail - table.head <= table.ring_size);
    }
    struct idempotency_new entry = {.key = key_of(buf, 5000), .value = weir_slice(huge, sizeof huge), .status = 201};
    idempotency_add(&table, &entry);
    assert_int_equal(
        idempotency_value(idempotency_find(&table, key_of(buf, 5000))).size, 0); /* kept without its bytes */
    idempotency_done(&table);
}

static void waiters_are_found_in_order_and_by_key_and_joined(void **state) {
    (void)state;
    struct waiters waiters;
    assert_int_equal(waiters_init(&waiters, 100, 9), WEIR_OK);
    uint64_t next = 0;
    for (uint64_t round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 100; i++) {
            struct waiter w = {
                .offset = next + i * 2, .wants_reply = true, .key = {.hash = {(next + i * 2) * 2 + 1, 7}}};
            assert_false(waiters_full(&waiters));
            waiters_add(&waiters, &w);
        }
        assert_true(waiters_full(&waiters));
        struct waiter_key key = {.hash = {(next + 20) * 2 + 1, 7}}, other = {.hash = {(next + 20) * 2 + 1, 8}};
        struct waiter *w = waiters_find(&waiters, &key);
        assert_non_null(w);
        assert_null(waiters_find(&waiters, &other));
        for (uint32_t i = 0; i < WAITERS_JOINED_MAX; i++)
            assert_true(waiters_join(&waiters, w, &(struct host_origin){.slot = i}, i == 2));
        assert_false(waiters_join(&waiters, w, &(struct host_origin){0}, false));
        for (uint64_t i = 0; i < 200; i++) {
            struct waiter *at = waiters_at(&waiters, next + i);
            assert_int_equal(at != NULL, i % 2 == 0);
            if (at) waiters_pop(&waiters);
        }
        assert_int_equal(waiters_count(&waiters), 0);
        assert_int_equal(waiters.joined.count, 0);
        assert_null(waiters_find(&waiters, &key));
        next += 200;
    }
    waiters_done(&waiters);
}

static size_t resident(const struct idempotency *table) {
    static unsigned char pages[64 << 10];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0, all = table->ring_size / page;
    assert_true(all <= sizeof pages);
    assert_int_equal(mincore(table->ring, table->ring_size, pages), 0);
    for (size_t i = 0; i < all; i++)
        count += pages[i] & 1;
    return count * page;
}

/* Walked round many times, with small entries; then with some that need all of it. */
static void what_was_dropped_leaves_memory_and_what_was_kept_stays(void **state) {
    (void)state;
    struct idempotency table;
    struct idempotency_options options = {.keys_max = 65536, .age_ns_max = UINT64_MAX, .secret = {1, 2}};
    idempotency_init(&table, &options);
    static uint8_t value[4000];
    char buf[32];
    size_t largest = 0, filled = 0;
    for (uint64_t n = 0; n < 620000; n++) {
        size_t size = n < 600000 ? 20 : sizeof value;
        memset(value, (int)n, size);
        struct idempotency_new entry = {
            .key = key_of(buf, n), .value = weir_slice(value, size), .offset = n, .status = 200, .replied = true};
        idempotency_add(&table, &entry);
        const struct idempotency_entry *oldest = NULL;
        uint64_t position = table.head;
        oldest = idempotency_next(&table, &position);
        assert_non_null(oldest);
        assert_int_equal(*(const uint8_t *)idempotency_value(oldest).data, (uint8_t)oldest->offset);
        if (n % 5000 || n < 20000) continue;
        size_t now = resident(&table);
        if (n < 600000 && now > largest) largest = now;
        if (n >= 600000) filled = now > filled ? now : filled;
    }
    assert_true(table.tail > 4 * table.ring_size); /* it was walked round */
    assert_true(largest <= table.ring_size / 2); /* a quarter, the stretches, and two huge pages where there are any */
    assert_true(filled > table.ring_size / 4 * 3);
    for (uint64_t position = table.head; position < table.tail;) {
        const struct idempotency_entry *e = idempotency_next(&table, &position);
        if (!e) break;
        struct weir_slice v = idempotency_value(e);
        for (size_t i = 0; i < v.size; i++)
            assert_int_equal(((const uint8_t *)v.data)[i], (uint8_t)e->offset);
    }
    idempotency_done(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_forgets_by_age_and_count_and_nothing_else),
        cmocka_unit_test(what_was_dropped_leaves_memory_and_what_was_kept_stays),
        cmocka_unit_test(large_replies_push_out_the_oldest),
        cmocka_unit_test(waiters_are_found_in_order_and_by_key_and_joined),
    };
    return cmocka_run_group_tests_name("host idempotency", tests, NULL, NULL);
}
