/* What would break users of the byte cursors: a read past the end, a lost bit, an error that is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/prng.h"

#include <stdlib.h>

static void loads_and_stores_follow_their_byte_order(void **state) {
    (void)state;
    const uint8_t b[9] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};
    const uint8_t *p = b + 1; /* unaligned */
    assert_int_equal(load_le16(p), 0x0201);
    assert_int_equal(load_be16(p), 0x0102);
    assert_int_equal(load_le32(p), 0x04030201);
    assert_int_equal(load_be32(p), 0x01020304);
    assert_true(load_le64(p) == 0x0807060504030201u);
    assert_true(load_be64(p) == 0x0102030405060708u);
    uint8_t out[9] = {0};
    store_be64(out + 1, 0x0102030405060708u);
    assert_memory_equal(out + 1, p, 8);
    store_le32(out + 1, 0x04030201);
    store_be16(out + 5, 0x0506);
    store_le16(out + 7, 0x0807);
    assert_memory_equal(out + 1, p, 8);
}

/* A value whose bit length is uniform. */
static uint64_t any_length(struct prng *p) {
    unsigned bits = (unsigned)prng_below(p, 65);
    return bits == 0 ? 0 : prng_next(p) >> (64 - bits);
}

static void varints_come_back(void **state) {
    (void)state;
    struct prng p = prng_seed(1);
    for (int i = 0; i < 20000; i++) {
        uint64_t x = any_length(&p), back = 0;
        uint32_t back32 = 7;
        uint8_t buffer[VARINT64_SIZE_MAX];
        size_t n = varint_store(buffer, x);
        assert_int_equal(n, varint_size(x));
        assert_int_equal(varint64_load(buffer, n, &back), n);
        assert_true(back == x);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(varint64_load(buffer, cut, &back), 0);
        bool fits = x <= UINT32_MAX;
        assert_int_equal(varint32_load(buffer, n, &back32), fits ? n : 0);
        assert_int_equal(back32, fits ? (uint32_t)x : 7);
        assert_true(zigzag64_decode(zigzag64_encode((int64_t)x)) == (int64_t)x);
        assert_int_equal(zigzag32_decode(zigzag32_encode((int32_t)x)), (int32_t)x);
    }
}

static void varint_limits_are_exact(void **state) {
    (void)state;
    uint64_t x = 5;
    uint32_t y = 5;
    const uint8_t max[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0};
    assert_int_equal(varint64_load(max, 11, &x), 10);
    assert_true(x == UINT64_MAX);
    const uint8_t above[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    assert_int_equal(varint64_load(above, 10, &x), 0);
    const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    assert_int_equal(varint64_load(endless, 11, &x), 0);
    const uint8_t max32[] = {0xff, 0xff, 0xff, 0xff, 0x0f}, above32[] = {0xff, 0xff, 0xff, 0xff, 0x1f};
    assert_int_equal(varint32_load(max32, 5, &y), 5);
    assert_int_equal(y, UINT32_MAX);
    assert_int_equal(varint32_load(above32, 5, &y), 0);
    const uint8_t padded[] = {0x81, 0x00};
    assert_int_equal(varint64_load(padded, 2, &x), 2);
    assert_true(x == 1);
    assert_int_equal(zigzag32_encode(INT32_MIN), UINT32_MAX);
    assert_int_equal(zigzag32_encode(-1), 1);
    assert_true(zigzag64_encode(INT64_MIN) == UINT64_MAX);
}

enum { KINDS = 11 };

static void put_kind(struct byte_writer *w, unsigned kind, uint64_t x) {
    uint8_t text[3] = {(uint8_t)x, 2, 3};
    switch (kind) {
    case 0:
        byte_put_u8(w, (uint8_t)x);
        break;
    case 1:
        byte_put_le16(w, (uint16_t)x);
        break;
    case 2:
        byte_put_be16(w, (uint16_t)x);
        break;
    case 3:
        byte_put_le32(w, (uint32_t)x);
        break;
    case 4:
        byte_put_be32(w, (uint32_t)x);
        break;
    case 5:
        byte_put_le64(w, x);
        break;
    case 6:
        byte_put_be64(w, x);
        break;
    case 7:
        byte_put_varint(w, x);
        break;
    case 8:
        byte_put_zigzag(w, (int64_t)x);
        break;
    case 9:
        byte_put_slice(w, weir_slice(text, sizeof text));
        break;
    default:
        byte_put_varint(w, (uint32_t)x);
        break;
    }
}

/* What was put comes back, or 0 once failed. */
static void check_kind(struct byte_reader *r, unsigned kind, uint64_t x) {
    struct weir_slice s;
    switch (kind) {
    case 0:
        assert_true(byte_get_u8(r) == (r->failed ? 0 : (uint8_t)x));
        break;
    case 1:
        assert_true(byte_get_le16(r) == (r->failed ? 0 : (uint16_t)x));
        break;
    case 2:
        assert_true(byte_get_be16(r) == (r->failed ? 0 : (uint16_t)x));
        break;
    case 3:
        assert_true(byte_get_le32(r) == (r->failed ? 0 : (uint32_t)x));
        break;
    case 4:
        assert_true(byte_get_be32(r) == (r->failed ? 0 : (uint32_t)x));
        break;
    case 5:
        assert_true(byte_get_le64(r) == (r->failed ? 0 : x));
        break;
    case 6:
        assert_true(byte_get_be64(r) == (r->failed ? 0 : x));
        break;
    case 7:
        assert_true(byte_get_varint64(r) == (r->failed ? 0 : x));
        break;
    case 8:
        assert_true(byte_get_zigzag64(r) == (r->failed ? 0 : (int64_t)x));
        break;
    case 9:
        s = byte_get_slice(r, 3);
        assert_int_equal(s.size, r->failed ? 0 : 3);
        if (s.size) assert_int_equal(s.data[0], (uint8_t)x);
        break;
    default:
        assert_true(byte_get_varint32(r) == (r->failed ? 0 : (uint32_t)x));
        break;
    }
}

static void what_is_put_is_got_and_a_cut_is_noticed(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct prng p = prng_seed(seed);
        uint8_t buffer[512];
        unsigned kinds[30];
        uint64_t values[30];
        size_t ends[30];
        struct byte_writer w = byte_writer(buffer, sizeof buffer);
        for (unsigned i = 0; i < 30; i++) {
            kinds[i] = (unsigned)prng_below(&p, KINDS);
            values[i] = any_length(&p);
            put_kind(&w, kinds[i], values[i]);
            ends[i] = w.at;
        }
        assert_false(w.failed);
        size_t cut = prng_below(&p, w.at + 1);
        /* A copy of exactly that size, so that a sanitizer sees a read behind it. */
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, buffer, cut);
        struct byte_reader r = byte_reader(weir_slice(copy, cut));
        for (unsigned i = 0; i < 30; i++) {
            struct byte_reader before = r;
            check_kind(&r, kinds[i], values[i]);
            assert_int_equal(r.failed, ends[i] > cut);
            if (r.failed) assert_int_equal(r.at, before.at);
        }
        assert_int_equal(byte_reader_finished(&r), cut == w.at);
        /* The writer stops at the same place, and stays stopped for what would still fit. */
        struct byte_writer small = byte_writer(copy, cut);
        for (unsigned i = 0; i < 30; i++)
            put_kind(&small, kinds[i], values[i]);
        assert_int_equal(small.failed, cut < w.at);
        if (small.failed) {
            size_t at = small.at;
            byte_put_zeros(&small, 0);
            assert_true(small.at == at && small.failed);
            assert_null(byte_put_raw(&small, 0));
        }
        assert_memory_equal(copy, buffer, small.at);
        free(copy);
    }
}

static void empty_reader_and_huge_requests_fail_softly(void **state) {
    (void)state;
    struct byte_reader r = byte_reader(weir_slice(NULL, 0));
    assert_true(byte_reader_finished(&r));
    assert_int_equal(byte_get_slice(&r, 0).size, 0);
    assert_false(r.failed);
    byte_skip(&r, SIZE_MAX);
    assert_true(r.failed);
    assert_int_equal(byte_get_be32(&r), 0);
    uint8_t one[1];
    struct byte_writer w = byte_writer(one, 1);
    assert_null(byte_put_raw(&w, SIZE_MAX));
    assert_true(w.failed && w.at == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_stores_follow_their_byte_order),
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(varint_limits_are_exact),
        cmocka_unit_test(what_is_put_is_got_and_a_cut_is_noticed),
        cmocka_unit_test(empty_reader_and_huge_requests_fail_softly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
