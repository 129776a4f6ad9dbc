/* The table of gates against a list, over random keys; what is evicted and what may not be. */
#include <weir/gate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 5;
static uint64_t draw(uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static const struct weir_gate_limits limits = {.failed_percent = 50, .calls_min = 1};

struct table {
    struct weir_gates *gates;
    void *memory;
    size_t bytes;
};
static struct table open_table(uint32_t capacity) {
    struct table t = {.bytes = weir_gates_bytes(capacity)};
    t.memory = calloc(1, t.bytes);
    assert_non_null(t.memory);
    t.gates = weir_gates_init(t.memory, capacity);
    return t;
}

static void each_key_has_its_own_gate_and_those_in_use_stay(void **unused) {
    (void)unused;
    enum { CAPACITY = 50, KEYS = 200 };
    struct table t = open_table(CAPACITY);
    uint32_t running[KEYS] = {0}, in_use = 0, refused = 0;
    for (uint64_t now = 1; now < 100000; now++) {
        uint64_t key = draw(KEYS);
        if (draw(2) && running[key]) {
            struct weir_gate *g = weir_gates_find(t.gates, key);
            assert_non_null(g); /* something runs behind it */
            weir_gate_end(g, &limits, now, 0, WEIR_GATE_DROPPED, 0);
            in_use -= --running[key] == 0;
        } else {
            struct weir_gate *g = weir_gates_take(t.gates, key, now);
            if (!g) {
                assert_true(running[key] == 0 && in_use == CAPACITY);
                refused++;
                continue;
            }
            in_use += running[key]++ == 0;
            weir_gate_begin(g, &limits, now);
        }
        assert_true(weir_gates_count(t.gates) <= CAPACITY);
        if (now % 1000) continue;
        assert_true(weir_gates_valid(t.gates, CAPACITY));
        for (uint64_t i = 0; i < KEYS; i++) {
            struct weir_gate *g = weir_gates_find(t.gates, i);
            assert_int_equal(g ? g->running : 0, running[i]);
        }
    }
    assert_true(refused > 0);
    free(t.memory);
}

static void the_idle_one_not_used_for_longest_goes_and_an_open_one_last(void **unused) {
    (void)unused;
    struct table t = open_table(4);
    for (uint64_t key = 1; key <= 4; key++) {
        struct weir_gate *g = weir_gates_take(t.gates, key, key);
        uint32_t ticket = weir_gate_begin(g, &limits, key);
        weir_gate_end(g, &limits, key, ticket, key == 1 ? WEIR_GATE_FAILED : WEIR_GATE_SUCCEEDED, 1);
    }
    assert_int_equal(weir_gates_find(t.gates, 1)->state, WEIR_GATE_OPEN);
    assert_non_null(weir_gates_take(t.gates, 5, 5));
    assert_null(weir_gates_find(t.gates, 2));
    assert_non_null(weir_gates_find(t.gates, 1));
    for (uint64_t key = 3; key <= 5; key++)
        weir_gate_begin(weir_gates_find(t.gates, key), &limits, 6);
    assert_non_null(weir_gates_take(t.gates, 6, 6)); /* only the open one is left */
    assert_null(weir_gates_find(t.gates, 1));
    weir_gate_begin(weir_gates_find(t.gates, 6), &limits, 6);
    assert_null(weir_gates_take(t.gates, 7, 7));
    free(t.memory);
}

static void copied_bytes_are_the_same_table(void **unused) {
    (void)unused;
    struct table a = open_table(20), b = open_table(20);
    for (uint64_t now = 1; now < 500; now++)
        assert_non_null(weir_gates_take(a.gates, draw(60), now));
    memcpy(b.memory, a.memory, a.bytes);
    assert_true(weir_gates_valid(b.gates, 20));
    assert_false(weir_gates_valid(b.gates, 21));
    for (uint64_t now = 500; now < 1000; now++) {
        uint64_t key = draw(60);
        assert_non_null(weir_gates_take(a.gates, key, now));
        assert_non_null(weir_gates_take(b.gates, key, now));
    }
    assert_memory_equal(a.memory, b.memory, a.bytes);
    uint32_t place = 0, seen = 0;
    uint64_t key;
    struct weir_gate *g;
    while (weir_gates_each(a.gates, &place, &key, &g)) {
        assert_ptr_equal(weir_gates_find(a.gates, key), g);
        seen++;
    }
    assert_int_equal(seen, 20);
    free(a.memory);
    free(b.memory);
}

static void damaged_bytes_are_told_apart(void **unused) {
    (void)unused;
    struct table t = open_table(8);
    for (uint64_t key = 1; key < 30; key++)
        assert_non_null(weir_gates_take(t.gates, key, key));
    uint32_t refused = 0, head_and_index = 16 + 16 * 4;
    for (uint32_t i = 0; i < head_and_index; i++) {
        uint8_t *byte = (uint8_t *)t.memory + i;
        *byte ^= 0x40;
        refused += !weir_gates_valid(t.gates, 8);
        *byte ^= 0x40;
    }
    assert_true(weir_gates_valid(t.gates, 8));
    assert_true(refused >= head_and_index - 4); /* of the hand some values are as good as others */
    free(t.memory);
    t = open_table(8); /* an empty one, whose hand points at nothing: found by a fuzzer */
    ((uint32_t *)t.memory)[3] = 200;
    assert_false(weir_gates_valid(t.gates, 8));
    free(t.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_has_its_own_gate_and_those_in_use_stay),
        cmocka_unit_test(the_idle_one_not_used_for_longest_goes_and_an_open_one_last),
        cmocka_unit_test(copied_bytes_are_the_same_table),
        cmocka_unit_test(damaged_bytes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
