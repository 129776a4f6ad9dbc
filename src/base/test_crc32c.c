/* What would break users of checksums and hashes: another value than the standard's, or than last year's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "base/prng.h"

#include <stdlib.h>

/* RFC 3720, appendix B.4, and the usual check value. */
static void crc32c_gives_the_values_of_rfc_3720(void **state) {
    (void)state;
    uint8_t b[48] = {0};
    assert_int_equal(crc32c(b, 32), 0x8a9136aa);
    for (int i = 0; i < 32; i++)
        b[i] = 0xff;
    assert_int_equal(crc32c(b, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        b[i] = (uint8_t)i;
    assert_int_equal(crc32c(b, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++)
        b[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(b, 32), 0x113fdb5c);
    static const uint8_t read_command[48] = {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0,
        0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02};
    assert_int_equal(crc32c(read_command, 48), 0xd9963a56);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_update_portable(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(NULL, 0), 0);
}

/* One bit at a time, as the standard defines it. */
static uint32_t crc_naive(const uint8_t *p, size_t size) {
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        c ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (c & 1 ? 0x82f63b78u : 0);
    }
    return ~c;
}

static void crc32c_ways_agree_at_any_size_and_alignment(void **state) {
    (void)state;
    struct prng p = prng_seed(1);
    size_t size_max = 40000;
    uint8_t *data = malloc(size_max + 8);
    prng_bytes(&p, data, size_max + 8);
    for (size_t size = 0; size < 1000; size++)
        assert_int_equal(crc32c(data + size % 8, size), crc_naive(data + size % 8, size));
    for (int i = 0; i < 300; i++) {
        size_t size = prng_below(&p, size_max), at = prng_below(&p, 8);
        uint32_t crc = crc32c(data + at, size);
        assert_int_equal(crc, crc32c_update_portable(0, data + at, size));
        size_t cut = prng_below(&p, size + 1);
        uint32_t a = crc32c(data + at, cut), b = crc32c(data + at + cut, size - cut);
        assert_int_equal(crc32c_update(a, data + at + cut, size - cut), crc);
        assert_int_equal(crc32c_update_portable(a, data + at + cut, size - cut), crc);
        assert_int_equal(crc32c_combine(a, b, size - cut), crc);
    }
    free(data);
}

static void crc32c_combine_handles_sizes_beyond_32_bits(void **state) {
    (void)state;
    /* 2^33 zero bytes behind one byte: put together in one step, and from 2^31 bytes four times. */
    uint8_t zeros[64] = {0};
    uint32_t crc = crc32c(zeros, sizeof zeros), quarter = 0, head = crc32c("a", 1);
    uint64_t size = sizeof zeros;
    for (; size < 1ull << 33; size *= 2) {
        if (size == 1ull << 31) quarter = crc;
        crc = crc32c_combine(crc, crc, size);
    }
    uint32_t one_step = crc32c_combine(head, crc, size), four_steps = head;
    for (int i = 0; i < 4; i++)
        four_steps = crc32c_combine(four_steps, quarter, 1ull << 31);
    assert_int_equal(one_step, four_steps);
    assert_int_equal(crc32c_combine(head, 0, 0), head);
    assert_int_equal(crc32c_combine(0, crc, size), crc);
}

/* The reference implementation's vectors: key 00..0f, input 00..n-1. SipHash-1-3 is the same code with fewer rounds. */
static void siphash24_gives_the_reference_vectors(void **state) {
    (void)state;
    static const uint64_t expected[] = {0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au,
        0x85676696d7fb7e2du, 0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
        0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u, 0x751e8fbc860ee5fbu,
        0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u};
    uint8_t input[16];
    for (size_t i = 0; i < 16; i++) {
        assert_true(siphash24(input, i, 0x0706050403020100u, 0x0f0e0d0c0b0a0908u) == expected[i]);
        input[i] = (uint8_t)i;
    }
}

static void hashes_depend_on_every_byte_the_size_and_the_seed(void **state) {
    (void)state;
    struct prng p = prng_seed(2);
    for (size_t size = 0; size <= 150; size++) {
        uint8_t *data = malloc(size ? size : 1); /* exact, so that a read behind it is seen */
        prng_bytes(&p, data, size);
        uint64_t h = hash_bytes(data, size, 1), s = siphash13(data, size, 1, 2);
        assert_true(h == hash_bytes(data, size, 1));
        assert_true(h != hash_bytes(data, size, 2));
        assert_true(s != siphash13(data, size, 1, 3) && s != siphash13(data, size, 2, 2));
        if (size > 0) assert_true(h != hash_bytes(data, size - 1, 1));
        for (size_t i = 0; i < size; i++) {
            data[i] ^= (uint8_t)(1u << prng_below(&p, 8));
            assert_true(hash_bytes(data, size, 1) != h);
            assert_true(siphash13(data, size, 1, 2) != s);
            h = hash_bytes(data, size, 1);
            s = siphash13(data, size, 1, 2);
        }
        free(data);
    }
}

/* Flipping one input bit flips about half of the output's bits, each with about the same chance. */
static void hash_spreads_one_bit_over_all(void **state) {
    (void)state;
    struct prng p = prng_seed(3);
    unsigned flips[64] = {0};
    const unsigned trials = 4000;
    for (unsigned t = 0; t < trials; t++) {
        uint8_t data[24];
        prng_bytes(&p, data, sizeof data);
        uint64_t h = hash_bytes(data, sizeof data, 0), bit = prng_below(&p, 8 * sizeof data);
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        h ^= hash_bytes(data, sizeof data, 0);
        for (unsigned i = 0; i < 64; i++)
            flips[i] += h >> i & 1;
    }
    for (unsigned i = 0; i < 64; i++)
        assert_in_range(flips[i], trials * 44 / 100, trials * 56 / 100);
}

static void digest_tells_order_and_boundaries_apart(void **state) {
    (void)state;
    struct digest ab = {0}, ba = {0}, joined = {0}, split = {0}, again = {0};
    digest_bytes(&ab, "a", 1);
    digest_bytes(&ab, "b", 1);
    digest_bytes(&ba, "b", 1);
    digest_bytes(&ba, "a", 1);
    digest_bytes(&joined, "ab", 2);
    digest_bytes(&split, "ab", 2);
    digest_bytes(&split, "", 0);
    digest_bytes(&again, "a", 1);
    digest_bytes(&again, "b", 1);
    assert_true(ab.state == again.state);
    assert_true(ab.state != ba.state && ab.state != joined.state && joined.state != split.state);
    /* No value, and in particular not 0, may make the state forget what came before. */
    struct prng p = prng_seed(4);
    struct digest x = {1}, y = {2};
    for (int i = 0; i < 1000; i++) {
        uint64_t value = i % 3 ? prng_next(&p) : 0;
        digest_u64(&x, value);
        digest_u64(&y, value);
        assert_true(x.state != y.state);
    }
}

/* Kept on disk: a change of these numbers is a change of format. */
static void stored_hashes_keep_their_values(void **state) {
    (void)state;
    const char *text = "The order of outputs is a function of the input, so an output's own offset is its identity.";
    static const struct {
        size_t size;
        uint64_t hash;
    } known[] = {{0, 0x780309b25d6e656du}, {1, 0x7e8cabe7173b95c3u}, {3, 0x96da9928d208575au}, {4, 0x9ed475462b7a1903u},
        {7, 0xeac164e15443ca2eu}, {8, 0xb5690a79eb998ad7u}, {15, 0x444a86bbe942c5a7u}, {16, 0x69b8c85c99b42025u},
        {17, 0x08c3951db3a71280u}, {31, 0x4a6ad2e503236b72u}, {32, 0xab2c8b9c5f2b8a43u}, {33, 0x4ae23cad66c00c21u},
        {48, 0xd1b1b7f6de47f1d8u}, {64, 0x3e775fae5f625407u}, {65, 0x5c56ba6686fc3a97u}, {91, 0x8bd43cf930809831u}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(hash_bytes(text, known[i].size, 7) == known[i].hash);
    struct digest d = {0};
    digest_u64(&d, 1);
    digest_bytes(&d, text, 40);
    assert_true(d.state == 0x3ab2a92105bc4e2bu);
    assert_true(hash_u64(5, 9) == 0xb64065692b8d8386u);
    struct prng p = prng_seed(1);
    assert_true(prng_next(&p) == 0xb3f2af6d0fc710c5u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
        cmocka_unit_test(crc32c_ways_agree_at_any_size_and_alignment),
        cmocka_unit_test(crc32c_combine_handles_sizes_beyond_32_bits),
        cmocka_unit_test(siphash24_gives_the_reference_vectors),
        cmocka_unit_test(hashes_depend_on_every_byte_the_size_and_the_seed),
        cmocka_unit_test(hash_spreads_one_bit_over_all),
        cmocka_unit_test(digest_tells_order_and_boundaries_apart),
        cmocka_unit_test(stored_hashes_keep_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
