/* What would break on machines without __int128: hashes, random numbers and partitions, which must be the same
 * everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/wide.h"

static void products_by_halves_are_exact(void **state) {
    (void)state;
    static const struct {
        uint64_t a, b;
        struct wide product;
    } known[] = {
        {0, UINT64_MAX, {0, 0}},
        {1, UINT64_MAX, {0, UINT64_MAX}},
        {2, UINT64_MAX, {1, UINT64_MAX - 1}},
        {UINT64_MAX, UINT64_MAX, {UINT64_MAX - 1, 1}},
        {UINT64_C(1) << 32, UINT64_C(1) << 32, {1, 0}},
        {0xffffffff, 0xffffffff, {0, UINT64_C(0xfffffffe00000001)}},
        {UINT64_C(0x123456789abcdef0), UINT64_C(0xfedcba9876543210),
            {UINT64_C(0x121fa00ad77d7422), UINT64_C(0x236d88fe5618cf00)}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct wide p = wide_product_of_halves(known[i].a, known[i].b),
                    q = wide_product_of_halves(known[i].b, known[i].a);
        assert_true(p.high == known[i].product.high && p.low == known[i].product.low);
        assert_true(q.high == p.high && q.low == p.low);
    }
}

static void both_ways_to_multiply_agree(void **state) {
    (void)state;
    struct prng random = prng_seed(5);
    for (int i = 0; i < 1000000; i++) {
        uint64_t a = prng_next(&random) >> (i % 64), b = prng_next(&random) >> (i / 64 % 64);
        struct wide p = wide_product(a, b), q = wide_product_of_halves(a, b);
        assert_true(p.high == q.high && p.low == q.low);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_by_halves_are_exact),
        cmocka_unit_test(both_ways_to_multiply_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
