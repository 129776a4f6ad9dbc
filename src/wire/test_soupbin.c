/* SoupBinTCP packets: layouts to the byte, both sides' rights, every split. */
#include "wire/soupbin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES(literal) weir_slice(literal, sizeof(literal) - 1)

static void assert_slice(struct weir_slice actual, const char *expected) {
    if (weir_slice_equal(actual, weir_slice_text(expected))) return;
    fail_msg("\"%.*s\" is not \"%s\"", (int)actual.size, (const char *)actual.data, expected);
}

static void login_has_the_layout_of_the_protocol(void **state) {
    (void)state;
    static const char expected[] = "\0\x2fLweir  secret    "
                                   "       DAY"
                                   "                  42";
    struct weir_soupbin_login login = {weir_slice_text("weir"), weir_slice_text("secret"), weir_slice_text("DAY"), 42};
    struct weir_soupbin_packet packet;
    uint8_t out[64];
    size_t size = 0;
    assert_int_equal(weir_soupbin_login_write(out, 48, &login, &size), WEIR_E_FULL);
    assert_int_equal(weir_soupbin_login_write(out, 49, &login, &size), WEIR_OK);
    assert_int_equal(size, 49);
    assert_memory_equal(out, expected, 49);
    assert_int_equal(weir_soupbin_parse(weir_slice(out, size), WEIR_SOUPBIN_CLIENT, 0, &packet), WEIR_OK);
    struct weir_soupbin_login read;
    assert_int_equal(weir_soupbin_login_parse(packet.payload, &read), WEIR_OK);
    assert_slice(read.user, "weir");
    assert_slice(read.password, "secret");
    assert_slice(read.session, "DAY");
    assert_int_equal(read.sequence, 42);
}

static void login_answers_have_the_layout_of_the_protocol(void **state) {
    (void)state;
    static const char expected[] = "\0\x1f"
                                   "A    DAY-01"
                                   "18446744073709551615";
    struct weir_soupbin_accepted accepted = {weir_slice_text("DAY-01"), UINT64_MAX}, read;
    struct weir_soupbin_packet packet;
    uint8_t out[64];
    size_t size = 0;
    assert_int_equal(weir_soupbin_accepted_write(out, 33, &accepted, &size), WEIR_OK);
    assert_int_equal(size, 33);
    assert_memory_equal(out, expected, 33);
    assert_int_equal(weir_soupbin_parse(weir_slice(out, size), WEIR_SOUPBIN_SERVER, 0, &packet), WEIR_OK);
    assert_int_equal(weir_soupbin_accepted_parse(packet.payload, &read), WEIR_OK);
    assert_slice(read.session, "DAY-01");
    assert_true(read.sequence == UINT64_MAX);
    assert_int_equal(weir_soupbin_rejected_write(out, 4, WEIR_SOUPBIN_REJECT_SESSION, &size), WEIR_OK);
    assert_true(size == 4 && memcmp(out, "\0\x02JS", 4) == 0);
}

static void login_that_is_malformed_is_refused(void **state) {
    (void)state;
    static const char good[] = "user  password            "
                               "                   1";
    static const struct {
        size_t at;
        char byte;
    } cases[] = {{0, '\n'}, {7, '\x7f'}, {17, '\0'}, {45, ' '}, {45, 'x'}, {26, '9'}, {45, '-'}};
    struct weir_soupbin_login login;
    assert_int_equal(weir_soupbin_login_parse(BYTES(good), &login), WEIR_OK);
    assert_int_equal(login.session.size, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[sizeof good];
        memcpy(bytes, good, sizeof good);
        bytes[cases[i].at] = cases[i].byte;
        if (weir_soupbin_login_parse(BYTES(bytes), &login) != WEIR_E_INVALID) fail_msg("case %zu", i);
    }
    assert_int_equal(weir_soupbin_login_parse(weir_slice(good, 45), &login), WEIR_E_INVALID);
    struct weir_soupbin_login wide = {weir_slice_text("seven 7"), weir_slice_text(""), weir_slice_text(""), 0};
    uint8_t out[64];
    size_t size = 0;
    assert_int_equal(weir_soupbin_login_write(out, sizeof out, &wide, &size), WEIR_E_INVALID);
}

static void each_side_may_send_only_its_own_packets(void **state) {
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool from_server = type && strchr("+AJSUHZ", (int)type), from_client = type && strchr("+ULRO", (int)type);
        for (int side = WEIR_SOUPBIN_SERVER; side <= WEIR_SOUPBIN_CLIENT; side++) {
            bool may = side == WEIR_SOUPBIN_SERVER ? from_server : from_client;
            enum weir_error expected = WEIR_E_INVALID;
            size_t payload = type == 'A' ? 30 : type == 'J' ? 1 : type == 'L' ? 46 : 0;
            if (may) expected = WEIR_OK;
            uint8_t bytes[64] = {0, (uint8_t)(payload + 1), (uint8_t)type};
            struct weir_soupbin_packet packet;
            enum weir_error error =
                weir_soupbin_parse(weir_slice(bytes, 3 + payload), (enum weir_soupbin_side)side, 0, &packet);
            if (error != expected) fail_msg("type 0x%02x from side %d: %d", type, side, error);
        }
    }
}

static void lengths_that_do_not_fit_are_refused(void **state) {
    (void)state;
    struct weir_soupbin_packet packet;
    assert_int_equal(weir_soupbin_parse(BYTES("\0\0"), WEIR_SOUPBIN_CLIENT, 0, &packet), WEIR_E_INVALID);
    assert_int_equal(weir_soupbin_parse(BYTES("\0\2R"), WEIR_SOUPBIN_CLIENT, 0, &packet), WEIR_E_INVALID);
    assert_int_equal(weir_soupbin_parse(BYTES("\0\1L"), WEIR_SOUPBIN_CLIENT, 0, &packet), WEIR_E_INVALID);
    assert_int_equal(weir_soupbin_parse(BYTES("\0\x09"), WEIR_SOUPBIN_CLIENT, 10, &packet), WEIR_E_TOO_LARGE);
    assert_int_equal(weir_soupbin_parse(BYTES("\0\x08"), WEIR_SOUPBIN_CLIENT, 10, &packet), WEIR_E_AGAIN);
    assert_int_equal(weir_soupbin_parse(BYTES("\xff\xff"), WEIR_SOUPBIN_CLIENT, 0, &packet), WEIR_E_AGAIN);
}

static void packets_in_a_stream_come_out_one_by_one_at_every_split(void **state) {
    (void)state;
    static const char stream[] = "\0\5Uabcd\0\1R\0\4+dbg\0\1U\0\1O";
    static const char types[] = "UR+UO";
    static const char *const payloads[] = {"abcd", "", "dbg", "", ""};
    for (size_t cut = 0; cut < sizeof stream - 1; cut++) {
        size_t at = 0, count = 0, end = cut;
        while (count < 5) {
            struct weir_soupbin_packet packet;
            size_t size = end - at;
            uint8_t *copy = malloc(size ? size : 1);
            memcpy(copy, stream + at, size);
            enum weir_error error = weir_soupbin_parse(weir_slice(copy, size), WEIR_SOUPBIN_CLIENT, 0, &packet);
            if (error == WEIR_E_AGAIN) {
                assert_int_equal(end, cut);
                end = sizeof stream - 1;
            } else {
                assert_int_equal(error, WEIR_OK);
                assert_int_equal(packet.type, types[count]);
                assert_slice(packet.payload, payloads[count]);
                at += packet.size;
                count++;
            }
            free(copy);
        }
        assert_int_equal(at, sizeof stream - 1);
    }
}

static void largest_packet_is_written_and_one_more_byte_is_not(void **state) {
    (void)state;
    static uint8_t payload[WEIR_SOUPBIN_PAYLOAD_SIZE_MAX + 1], out[WEIR_SOUPBIN_PAYLOAD_SIZE_MAX + 8];
    struct weir_soupbin_packet packet;
    size_t size = 0;
    assert_int_equal(weir_soupbin_write(out, sizeof out, WEIR_SOUPBIN_SEQUENCED,
                         weir_slice(payload, WEIR_SOUPBIN_PAYLOAD_SIZE_MAX), &size),
        WEIR_OK);
    assert_int_equal(weir_soupbin_parse(weir_slice(out, size), WEIR_SOUPBIN_SERVER, 0, &packet), WEIR_OK);
    assert_int_equal(packet.payload.size, WEIR_SOUPBIN_PAYLOAD_SIZE_MAX);
    assert_int_equal(
        weir_soupbin_write(out, sizeof out, WEIR_SOUPBIN_SEQUENCED, weir_slice(payload, sizeof payload), &size),
        WEIR_E_INVALID);
    assert_int_equal(weir_soupbin_write(out, 2, WEIR_SOUPBIN_LOGOUT, weir_slice(NULL, 0), &size), WEIR_E_FULL);
    assert_int_equal(weir_soupbin_write(out, 9, WEIR_SOUPBIN_LOGOUT, BYTES("x"), &size), WEIR_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_has_the_layout_of_the_protocol),
        cmocka_unit_test(login_answers_have_the_layout_of_the_protocol),
        cmocka_unit_test(login_that_is_malformed_is_refused),
        cmocka_unit_test(each_side_may_send_only_its_own_packets),
        cmocka_unit_test(lengths_that_do_not_fit_are_refused),
        cmocka_unit_test(packets_in_a_stream_come_out_one_by_one_at_every_split),
        cmocka_unit_test(largest_packet_is_written_and_one_more_byte_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
