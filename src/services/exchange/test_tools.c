/* The command line's clients without a node: books, plans and their check, the generator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "exchange/tool_check.h"
#include "exchange/tool_generate.h"
#include "exchange/tool_http.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void ok(enum weir_error error) {
    if (error) fail_msg("%s: %s", weir_error_name(error), weir_error_text());
}

static void write_text(char path[64], const char *suffix, const void *text, size_t size) {
    snprintf(path, 64, "/tmp/test_tools_%d%s", (int)getpid(), suffix);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- the book ---- */

#define PRICES 50

static void best_levels_are_those_of_a_plain_array(void **state) {
    (void)state;
    struct tool_book book = {0};
    uint64_t model[2][PRICES] = {{0}};
    struct prng random = prng_seed(7);
    for (int step = 0; step < 20000; step++) {
        unsigned side = (unsigned)prng_below(&random, 2);
        int64_t price = (int64_t)prng_below(&random, PRICES);
        uint64_t quantity = prng_below(&random, 3) ? prng_below(&random, 100) : 0;
        ok(tool_book_set(&book, side, price, quantity));
        model[side][price] = quantity;
        size_t depth = 0;
        for (int k = 0; k < PRICES; k++) {
            int64_t p = side ? k : PRICES - 1 - k;
            if (model[side][p] == 0) continue;
            struct tool_level level = tool_book_level(&book, side, depth++);
            assert_int_equal(level.price, p);
            assert_int_equal(level.quantity, model[side][p]);
        }
        assert_int_equal(depth, book.sides[side].count);
        assert_int_equal(tool_book_level(&book, side, depth).quantity, 0);
    }
    for (unsigned side = 0; side < 2; side++)
        for (int64_t p = 0; p < PRICES; p++)
            ok(tool_book_set(&book, side, p, 0));
    assert_int_equal(book.hash, 0);
    tool_book_done(&book);
}

static void books_of_equal_levels_hash_equal_whatever_the_way(void **state) {
    (void)state;
    struct tool_book a = {0}, b = {0};
    ok(tool_book_add(&a, 0, 10, 5));
    ok(tool_book_add(&a, 0, 11, 5));
    ok(tool_book_add(&a, 0, 10, 2));
    ok(tool_book_set(&b, 0, 11, 5));
    ok(tool_book_set(&b, 0, 12, 9));
    ok(tool_book_set(&b, 0, 10, 7));
    assert_int_not_equal(a.hash, b.hash);
    ok(tool_book_set(&b, 0, 12, 0));
    assert_int_equal(a.hash, b.hash);
    ok(tool_book_set(&b, 0, 11, 0));
    ok(tool_book_set(&b, 1, 11, 5));
    assert_int_not_equal(a.hash, b.hash);
    assert_int_equal(tool_book_add(&a, 0, 10, -8), WEIR_E_MISMATCH);
    tool_book_done(&a);
    tool_book_done(&b);
}

/* ---- streams ---- */

static void generated(char path[64], uint64_t count) {
    snprintf(path, 64, "/tmp/test_tools_%d.bin", (int)getpid());
    ok(generate_file(path, 3, 5, count));
}

static void a_generated_stream_has_no_refusal_and_trades(void **state) {
    (void)state;
    char path[64];
    struct plan plan;
    struct check check;
    generated(path, 20000);
    ok(plan_flow(path, &plan));
    assert_int_equal(plan.rows, 20000);
    ok(check_open(&plan, &check));
    ok(check_offline(&check));
    ok(check_finish(&check, NULL));
    assert_int_equal(check.mismatches, 0);
    assert_int_equal(check.rejected, 0);
    assert_int_equal(check.answered, 20000);
    assert_true(check.trade_count > 500);
    assert_true(check_open_orders(&check) > 500);
    uint64_t hash = check.hash;
    check_done(&check);
    ok(check_open(&plan, &check));
    ok(check_offline(&check));
    ok(check_finish(&check, NULL));
    assert_int_equal(check.hash, hash);
    check_done(&check);
    plan_done(&plan);
    unlink(path);
}

static void trades_file(struct check *check, char path[64], size_t wrong) {
    size_t room = check->trade_count * 80 + 100, size = 0;
    char *text = malloc(room);
    assert_non_null(text);
    size += (size_t)snprintf(text, room, "op,sym,maker,taker,price,qty\n");
    for (size_t i = 0; i < check->trade_count; i++) {
        const struct check_trade *t = &check->trades[i];
        size += (size_t)snprintf(text + size, room - size, "%u,%u,%u,%u,%lld,%llu\n", t->row, t->symbol, t->maker,
            t->taker, (long long)t->price, (unsigned long long)t->quantity + (i == wrong));
    }
    write_text(path, ".trades.csv", text, size);
    free(text);
}

static uint64_t mismatches_of(const struct plan *plan, const char *trades) {
    struct check check;
    ok(check_open(plan, &check));
    ok(check_offline(&check));
    ok(check_finish(&check, trades));
    uint64_t n = check.mismatches;
    check_done(&check);
    return n;
}

static void one_wrong_trade_of_a_file_is_found(void **state) {
    (void)state;
    char path[64], trades[64];
    struct plan plan;
    struct check check;
    generated(path, 5000);
    ok(plan_flow(path, &plan));
    ok(check_open(&plan, &check));
    ok(check_offline(&check));
    ok(check_finish(&check, NULL));
    trades_file(&check, trades, SIZE_MAX);
    assert_int_equal(mismatches_of(&plan, trades), 0);
    trades_file(&check, trades, check.trade_count / 2);
    assert_int_equal(mismatches_of(&plan, trades), 1);
    check.trade_count--;
    trades_file(&check, trades, SIZE_MAX);
    assert_int_equal(mismatches_of(&plan, trades), 1);
    check_done(&check);
    plan_done(&plan);
    unlink(path);
    unlink(trades);
}

static void a_wrong_best_price_is_found(void **state) {
    (void)state;
    char path[64], top[64];
    struct plan plan;
    struct check check;
    static const char text[] = "op,sym,bid,bidqty,ask,askqty\n0,0,1,1,1,1\n";
    generated(path, 10);
    write_text(top, ".top.csv", text, sizeof(text) - 1);
    ok(plan_flow(path, &plan));
    ok(check_open(&plan, &check));
    ok(check_tops_load(&check, top));
    ok(check_offline(&check));
    assert_int_equal(check.tops_checked, 1);
    assert_int_equal(check.tops_equal, 0);
    assert_int_equal(check.mismatches, 1);
    check_done(&check);
    plan_done(&plan);
    unlink(path);
    unlink(top);
}

/* ---- LOBSTER ---- */

/* Two levels: a new best bid, a reduction, an execution of it, a deletion on the seeded ask, a hidden execution. */
static const char lobster_messages[] = "34200.1,1,7,10,1000000,1\n"
                                       "34200.2,1,8,5,1000100,1\n"
                                       "34200.3,2,8,1,1000100,1\n"
                                       "34200.4,4,8,4,1000100,1\n"
                                       "34200.5,3,99,3,1000200,-1\n"
                                       "34200.6,5,0,50,1000100,1\n";
static const char lobster_books[] = "1000200,10,1000000,30,1000300,6,999900,1\n"
                                    "1000200,10,1000100,5,1000300,6,1000000,30\n"
                                    "1000200,10,1000100,4,1000300,6,1000000,30\n"
                                    "1000200,10,1000000,30,1000300,6,999900,1\n"
                                    "1000200,7,1000000,30,1000300,6,999900,1\n"
                                    "1000200,7,1000000,30,1000300,6,999900,1\n";

static void lobster(const char *books, struct check *ret_check, struct plan *plan) {
    char message_path[64], book_path[64];
    write_text(message_path, "_message.csv", lobster_messages, sizeof(lobster_messages) - 1);
    write_text(book_path, "_orderbook.csv", books, strlen(books));
    ok(plan_lobster(message_path, book_path, plan));
    ok(check_open(plan, ret_check));
    ok(check_offline(ret_check));
    ok(check_finish(ret_check, NULL));
    unlink(message_path);
    unlink(book_path);
}

static void every_kind_of_lobster_message_makes_its_book(void **state) {
    (void)state;
    struct plan plan;
    struct check check;
    lobster(lobster_books, &check, &plan);
    assert_int_equal(check.rows_checked, 6);
    assert_int_equal(check.rows_equal, 6);
    assert_int_equal(check.executions, 1);
    assert_int_equal(check.makers_equal, 1);
    assert_int_equal(check.mismatches, 0);
    check_done(&check);
    plan_done(&plan);
}

static void a_wrong_lobster_level_is_found(void **state) {
    (void)state;
    char books[sizeof(lobster_books)];
    struct plan plan;
    struct check check;
    memcpy(books, lobster_books, sizeof(books));
    char *at = strstr(books, "1000100,4");
    assert_non_null(at);
    at[8] = '3';
    lobster(books, &check, &plan);
    assert_int_equal(check.rows_equal, 5);
    assert_int_equal(check.tops_equal, 5);
    assert_int_equal(check.mismatches, 1);
    check_done(&check);
    plan_done(&plan);
}

static void a_cut_lobster_pair_is_refused(void **state) {
    (void)state;
    char message_path[64], book_path[64];
    struct plan plan;
    write_text(message_path, "_message.csv", lobster_messages, sizeof(lobster_messages) - 1);
    write_text(book_path, "_orderbook.csv", lobster_books, 60);
    assert_int_equal(plan_lobster(message_path, book_path, &plan), WEIR_E_INVALID);
    unlink(message_path);
    unlink(book_path);
}

/* ---- the rest ---- */

static void equal_seeds_generate_equal_flows(void **state) {
    (void)state;
    struct generate a, b;
    struct generate_step x, y;
    bool differs = false;
    ok(generate_init(&a, 11, 3));
    ok(generate_init(&b, 11, 3));
    for (int i = 0; i < 50000; i++) {
        generate_next(&a, &x);
        generate_next(&b, &y);
        assert_memory_equal(&x.record, &y.record, sizeof(x.record));
        assert_true(x.record.price > 0 && x.record.quantity > 0 && x.record.symbol < 3);
    }
    generate_done(&b);
    ok(generate_init(&b, 12, 3));
    for (int i = 0; i < 100; i++) {
        generate_next(&a, &x);
        generate_next(&b, &y);
        differs = differs || memcmp(&x.record, &y.record, sizeof(x.record)) != 0;
    }
    assert_true(differs);
    generate_done(&a);
    generate_done(&b);
}

static void numbers_come_out_of_json_as_number_or_text(void **state) {
    (void)state;
    int64_t n;
    char text[8];
    struct weir_slice json =
        weir_slice_text("{\"a\":{\"n\":1},\"n\":\"18446744073709551615\",\"s\":\"x\\ny\",\"m\":-5}");
    assert_true(tool_json_number(json, "n", &n));
    assert_int_equal(n, -1);
    assert_true(tool_json_number(json, "m", &n));
    assert_int_equal(n, -5);
    assert_true(tool_json_text(json, "s", text, sizeof(text)));
    assert_string_equal(text, "x\ny");
    assert_false(tool_json_number(json, "s", &n));
    assert_false(tool_json_number(json, "none", &n));
    assert_false(tool_json_text(json, "n", text, sizeof(text)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_levels_are_those_of_a_plain_array),
        cmocka_unit_test(books_of_equal_levels_hash_equal_whatever_the_way),
        cmocka_unit_test(a_generated_stream_has_no_refusal_and_trades),
        cmocka_unit_test(one_wrong_trade_of_a_file_is_found),
        cmocka_unit_test(a_wrong_best_price_is_found),
        cmocka_unit_test(every_kind_of_lobster_message_makes_its_book),
        cmocka_unit_test(a_wrong_lobster_level_is_found),
        cmocka_unit_test(a_cut_lobster_pair_is_refused),
        cmocka_unit_test(equal_seeds_generate_equal_flows),
        cmocka_unit_test(numbers_come_out_of_json_as_number_or_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
