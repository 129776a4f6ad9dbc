/* SHA-256 against the vectors of FIPS 180-4 and of the CAVP, at the sizes where a block begins or ends. */
#include "base/encode.h"
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void expect(struct weir_slice bytes, const char *want) {
    uint8_t out[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1] = {0};
    sha256(bytes, out);
    hex_encode(weir_slice(out, sizeof out), hex);
    assert_string_equal(hex, want);
}

static void it_is_the_published_function(void **unused) {
    (void)unused;
    expect(weir_slice(NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(weir_slice_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(weir_slice_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    expect(weir_slice(million, sizeof million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The hash of the hashes of 0, 1, ... 129 bytes: every way the padding can fall. From Python's hashlib. */
static void every_padding_is_right(void **unused) {
    (void)unused;
    uint8_t bytes[130], all[130 * SHA256_SIZE];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof bytes; i++)
        sha256(weir_slice(bytes, i), all + i * SHA256_SIZE);
    expect(weir_slice(all, sizeof all), "6331a2b10770f73d638be11da3c97f61f5f9dddebf3f274e4c36e5b91ae35d28");
}

static void equal_looks_at_every_byte(void **unused) {
    (void)unused;
    uint8_t a[40] = {0}, b[40] = {0};
    assert_true(equal_constant_time(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 0x80;
        assert_false(equal_constant_time(a, b, sizeof a));
        assert_true(equal_constant_time(a, b, i));
        b[i] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_the_published_function),
        cmocka_unit_test(every_padding_is_right), cmocka_unit_test(equal_looks_at_every_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
