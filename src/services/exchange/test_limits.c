/* An engine that enforces limits below its memory's says the same as one laid out for them. */
#include "exchange/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct exchange_core *open_core(const struct exchange_limits *limits, void **ret_memory) {
    size_t size = exchange_core_size(limits);
    *ret_memory = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
    assert_non_null(*ret_memory);
    memset(*ret_memory, 0, size);
    struct exchange_core *core = exchange_core_open(*ret_memory, size, limits);
    assert_non_null(core);
    return core;
}

static uint64_t dice = 88172645463325252u;
static uint64_t roll(uint64_t sides) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % sides;
}

static void apply_both(
    struct exchange_core *a, struct exchange_core *b, const void *record, size_t size, uint64_t time) {
    size_t count_a, count_b;
    exchange_core_apply(a, record, size, time);
    exchange_core_apply(b, record, size, time);
    const union exchange_output *out_a = exchange_core_outputs(a, &count_a);
    const union exchange_output *out_b = exchange_core_outputs(b, &count_b);
    assert_int_equal(count_a, count_b);
    for (size_t i = 0; i < count_a; i++)
        assert_memory_equal(&out_a[i], &out_b[i], exchange_output_size(out_a[i].type));
    assert_true(exchange_core_digest(a) == exchange_core_digest(b));
}

static void test_limits_in_force_refuse_as_if_the_memory_were_as_small(void **state) {
    (void)state;
    struct exchange_limits small = {
        .orders_max = 40, .symbols_max = 3, .accounts_max = 8, .sessions_max = 8, .open_max = 12, .work_max = 64};
    struct exchange_limits large = {
        .orders_max = 4000, .symbols_max = 30, .accounts_max = 80, .sessions_max = 80, .open_max = 500, .work_max = 64};
    struct exchange_limits room;
    void *memory_a, *memory_b;
    struct exchange_core *a = open_core(&small, &memory_a), *b = open_core(&large, &memory_b);
    exchange_limits_get(b, &room);
    exchange_limits_enforce(b, &small, &room);
    for (unsigned i = 0; i < 5; i++) {
        struct exchange_terms terms = {
            .type = EXCHANGE_COMMAND_DEFINE, .tick = 1, .lot = 1, .name = {'S', (char)('0' + i)}};
        apply_both(a, b, &terms, sizeof terms, 1);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        struct exchange_command c = {.type = roll(8) ? EXCHANGE_COMMAND_NEW : EXCHANGE_COMMAND_CANCEL,
            .side = (uint8_t)roll(2),
            .symbol = (uint32_t)roll(5),
            .account = (uint32_t)roll(10),
            .session = (uint32_t)(roll(20) ? 0 : roll(12)),
            .order_id = roll(i + 1),
            .price = (int64_t)(1 + roll(100000)),
            .quantity = 1 + roll(9)};
        if (!roll(50)) c.type = EXCHANGE_COMMAND_CONNECT;
        apply_both(a, b, &c, sizeof c, 2 + i);
    }
    struct exchange_stats s;
    exchange_core_stats(b, &s);
    assert_true(s.open <= 40 && s.rejected > 1000);
    /* Lifted, the room is used; lowered below what is there, nothing is taken away. */
    exchange_limits_enforce(b, &large, &room);
    struct exchange_command more = {
        .type = EXCHANGE_COMMAND_NEW, .symbol = 1, .account = 70, .price = 1, .quantity = 1, .side = EXCHANGE_SIDE_BUY};
    uint32_t open = s.open;
    for (unsigned i = 0; i < 100; i++)
        exchange_core_apply(b, &more, sizeof more, 1u << 20);
    exchange_core_stats(b, &s);
    assert_int_equal(s.open, open + 100);
    exchange_limits_enforce(b, &small, &room);
    exchange_core_apply(b, &more, sizeof more, 1u << 20);
    exchange_core_stats(b, &s);
    assert_int_equal(s.open, open + 100);
    free(memory_a);
    free(memory_b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_in_force_refuse_as_if_the_memory_were_as_small),
    };
    return cmocka_run_group_tests_name("exchange limits", tests, NULL, NULL);
}
