/* Rows of LOBSTER files and 32-byte order records. The rows are made up in the format of the real files. */
#include "wire/lobster.h"
#include "wire/orderflow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void message_row_reads_to_the_nanosecond(void **state) {
    (void)state;
    static const struct {
        const char *line;
        struct weir_lobster_message message;
    } cases[] = {
        {"34200.004241176,1,16113575,18,5853300,1", {34200004241176u, WEIR_LOBSTER_NEW, 1, 18, 16113575, 5853300}},
        {"34200.00426064,3,5,100,1,-1", {34200004260640u, WEIR_LOBSTER_DELETE, -1, 100, 5, 1}},
        {"57600,4,1,1,9999999999,1", {57600000000000u, WEIR_LOBSTER_EXECUTE, 1, 1, 1, 9999999999}},
        {"36000.5,7,0,0,-1,-1", {36000500000000u, WEIR_LOBSTER_HALT, -1, 0, 0, -1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_lobster_message read;
        const struct weir_lobster_message *want = &cases[i].message;
        assert_int_equal(weir_lobster_message_parse(weir_slice_text(cases[i].line), &read), WEIR_OK);
        assert_true(read.time_ns == want->time_ns && read.type == want->type && read.direction == want->direction);
        assert_true(read.size == want->size && read.order_id == want->order_id && read.price == want->price);
    }
}

static void malformed_message_row_names_its_column(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *column;
    } cases[] = {
        {"", "column 1"},
        {"x,1,1,1,1,1", "column 1"},
        {"1.,1,1,1,1,1", "column 1"},
        {".5,1,1,1,1,1", "column 1"},
        {"1.0000000001,1,1,1,1,1", "column 1"},
        {"-1,1,1,1,1,1", "column 1"},
        {"1,0,1,1,1,1", "column 2"},
        {"1,8,1,1,1,1", "column 2"},
        {"1, 1,1,1,1,1", "column 2"},
        {"1,1,,1,1,1", "column 3"},
        {"1,1,18446744073709551616,1,1,1", "column 3"},
        {"1,1,1,4294967296,1,1", "column 4"},
        {"1,1,1,-1,1,1", "column 4"},
        {"1,1,1,1,--1,1", "column 5"},
        {"1,1,1,1,9223372036854775808,1", "column 5"},
        {"1,1,1,1,-,1", "column 5"},
        {"1,1,1,1,1,0", "column 6"},
        {"1,1,1,1,1", "column 6"},
        {"1,1,1,1,1,1,", "column 6"},
        {"1,1,1,1,1,1\r", "column 6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_lobster_message read;
        enum weir_error error = weir_lobster_message_parse(weir_slice_text(cases[i].line), &read);
        if (error != WEIR_E_INVALID) fail_msg("accepted: %s", cases[i].line);
        if (!strstr(weir_error_text(), cases[i].column)) fail_msg("%s: %s", cases[i].line, weir_error_text());
    }
}

static void book_row_reads_with_its_empty_levels(void **state) {
    (void)state;
    struct weir_lobster_level levels[3];
    uint32_t count = 0;
    struct weir_slice line = weir_slice_text("5859400,200,5853300,18,9999999999,0,-9999999999,0");
    assert_int_equal(weir_lobster_book_parse(line, 3, levels, &count), WEIR_OK);
    assert_int_equal(count, 2);
    assert_true(levels[0].ask_price == 5859400 && levels[0].ask_size == 200);
    assert_true(levels[0].bid_price == 5853300 && levels[0].bid_size == 18);
    assert_true(levels[1].ask_price == 0 && levels[1].ask_size == 0 && levels[1].bid_price == 0);
    assert_int_equal(weir_lobster_book_parse(line, 1, levels, &count), WEIR_E_TOO_LARGE);
    static const char *const bad[] = {"", "1,1,1", "1,1,1,1,", "1,0,1,1", "9999999999,5,1,1", "1,1,1,x", "1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (weir_lobster_book_parse(weir_slice_text(bad[i]), 3, levels, &count) != WEIR_E_INVALID)
            fail_msg("%s", bad[i]);
    }
}

static void lines_end_with_or_without_cr_and_the_last_may_be_cut(void **state) {
    (void)state;
    struct weir_slice text = weir_slice_text("a\r\nb\n\nc"), line;
    static const char *const lines[] = {"a", "b", "", "c"};
    for (size_t i = 0; i < 4; i++) {
        bool is_whole = false;
        assert_true(weir_lobster_line_next(&text, &line, &is_whole));
        assert_true(weir_slice_equal(line, weir_slice_text(lines[i])));
        assert_int_equal(is_whole, i < 3);
    }
    bool is_whole = false;
    assert_false(weir_lobster_line_next(&text, &line, &is_whole));
}

static void record_has_the_layout_of_the_streams(void **state) {
    (void)state;
    static const uint8_t bytes[32] = {4, 1, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 1, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0x80};
    struct weir_orderflow_record record;
    uint8_t out[32];
    assert_int_equal(weir_orderflow_decode(weir_slice(bytes, 32), &record), WEIR_OK);
    assert_true(record.op == WEIR_ORDERFLOW_MOVE && record.side == WEIR_ORDERFLOW_SELL && record.symbol == 0x1234);
    assert_true(record.quantity == 0x12345678 && record.order_id == 0x0102030405060708 && record.price == -1);
    assert_true(record.time_ns == 0x8000000000000001);
    weir_orderflow_encode(&record, out);
    assert_memory_equal(out, bytes, 32);
}

static void record_that_cannot_be_is_refused(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
    } cases[] = {{0, 0}, {0, 5}, {1, 2}, {4, 0}, {8, 0}};
    struct weir_orderflow_record record = {.op = 1, .quantity = 1, .order_id = 1}, read;
    uint8_t bytes[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_orderflow_encode(&record, bytes);
        assert_int_equal(weir_orderflow_decode(weir_slice(bytes, 32), &read), WEIR_OK);
        bytes[cases[i].at] = cases[i].byte;
        if (weir_orderflow_decode(weir_slice(bytes, 32), &read) != WEIR_E_INVALID) fail_msg("case %zu", i);
    }
    assert_int_equal(weir_orderflow_decode(weir_slice(bytes, 31), &read), WEIR_E_INVALID);
}

static void trade_hash_is_the_one_the_streams_state(void **state) {
    (void)state;
    /* h = (h XOR field) * 1099511628211 mod 2^64, from 1469598103934665603; fields 1, 2, 3, 4, 5. */
    uint64_t hash = WEIR_ORDERFLOW_HASH_START;
    for (uint64_t field = 1; field <= 5; field++)
        hash = weir_orderflow_hash(hash, field);
    assert_true(hash == UINT64_C(4733237620149791386));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_row_reads_to_the_nanosecond),
        cmocka_unit_test(malformed_message_row_names_its_column),
        cmocka_unit_test(book_row_reads_with_its_empty_levels),
        cmocka_unit_test(lines_end_with_or_without_cr_and_the_last_may_be_cut),
        cmocka_unit_test(record_has_the_layout_of_the_streams),
        cmocka_unit_test(record_that_cannot_be_is_refused),
        cmocka_unit_test(trade_hash_is_the_one_the_streams_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
