/* The store of byte strings against plain memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "jobs/blob.h"

#include <stdlib.h>

#define BYTES (16u << 20)
#define REFS  3000u

static void fill(uint8_t *at, size_t size, uint32_t seed) {
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
}

static void what_was_written_is_read_back_until_it_is_given_back(void **state) {
    (void)state;
    struct prng prng = prng_seed(3);
    void *memory = calloc(1, blob_memory_size(BYTES));
    struct blob blob;
    blob_init(&blob, memory, BYTES, true);
    static struct {
        uint32_t ref;
        uint32_t size;
    } refs[REFS];
    uint8_t *want = malloc(1 << 20), *got = malloc(1 << 20);
    uint32_t full = 0;
    for (uint32_t round = 0; round < 40000; round++) {
        uint32_t i = (uint32_t)prng_below(&prng, REFS);
        if (refs[i].ref) {
            fill(want, refs[i].size, i);
            memset(got, 0, refs[i].size);
            blob_read(&blob, refs[i].ref, 0, got, refs[i].size);
            assert_memory_equal(got, want, refs[i].size);
            size_t from = refs[i].size ? prng_below(&prng, refs[i].size) : 0;
            blob_read(&blob, refs[i].ref, from, got, refs[i].size - from);
            assert_memory_equal(got, want + from, refs[i].size - from);
            blob_give(&blob, refs[i].ref);
            refs[i].ref = BLOB_NONE;
            continue;
        }
        uint32_t most = prng_below(&prng, 50) == 0 ? 900000 : prng_below(&prng, 10) == 0 ? 40000 : 600;
        refs[i].size = (uint32_t)prng_below(&prng, most);
        refs[i].ref = blob_take(&blob, refs[i].size);
        full += refs[i].ref == BLOB_NONE;
        fill(want, refs[i].size, i);
        size_t half = refs[i].size / 3;
        if (refs[i].ref == BLOB_NONE) continue;
        blob_write(&blob, refs[i].ref, 0, weir_slice(want, half));
        blob_write(&blob, refs[i].ref, half, weir_slice(want + half, refs[i].size - half));
    }
    assert_true(full > 0); /* the limit was met */
    for (uint32_t i = 0; i < REFS; i++)
        blob_give(&blob, refs[i].ref);
    assert_int_equal(blob.head->blobs, 0);
    assert_int_equal(blob.head->bytes, 0);
    /* Whatever the sizes were, all of it can be had again for another one. */
    uint32_t count = 0;
    while (blob_take(&blob, 250) != BLOB_NONE)
        count++;
    assert_true(count * 256ull > BYTES * 8ull / 10);
    free(memory);
    free(want);
    free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_written_is_read_back_until_it_is_given_back)};
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
