/* What would break users of errors and of the random generator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/prng.h"

#include <weir/error.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void every_row_of_the_table_answers(void **state) {
    (void)state;
    assert_string_equal(weir_error_name(WEIR_OK), "OK");
    assert_string_equal(weir_error_name(WEIR_E_OUT_OF_RANGE), "OUT_OF_RANGE");
    assert_string_equal(weir_error_sentence(WEIR_E_NO_SPACE), "the disk is full");
    assert_int_equal(weir_error_http(WEIR_E_NOT_FOUND), 404);
    assert_int_equal(weir_error_exit(WEIR_OK), 0);
    assert_true(weir_error_retryable(WEIR_E_FULL) && !weir_error_retryable(WEIR_E_CORRUPT));
#define CHECK(name, value, sentence, http, exit, retry)                                                                \
    assert_string_equal(weir_error_name(WEIR_E_##name), #name);                                                        \
    assert_in_range(http, 200, 599);                                                                                   \
    assert_true((exit) < 64 && ((exit) != 0 || (value) == 0));
    WEIR_ERROR_TABLE(CHECK)
#undef CHECK
    assert_string_equal(weir_error_name((enum weir_error)9999), "UNKNOWN");
    assert_string_equal(weir_error_name((enum weir_error) - 1), "UNKNOWN");
    assert_int_equal(weir_error_http((enum weir_error)9999), 500);
}

static void context_is_one_line_that_grows_in_front(void **state) {
    (void)state;
    weir_error_clear();
    assert_string_equal(weir_error_text(), "");
    assert_int_equal(weir_error_context(WEIR_E_IO, "write of %d bytes:\nfailed", 5), WEIR_E_IO);
    assert_string_equal(weir_error_text(), "write of 5 bytes: failed");
    assert_int_equal(weir_error_wrap(WEIR_E_IO, "segment %s", "a.log"), WEIR_E_IO);
    assert_string_equal(weir_error_text(), "segment a.log: write of 5 bytes: failed");
    assert_int_equal(weir_error_context(WEIR_E_IO, "again: %s", weir_error_text()), WEIR_E_IO);
    assert_string_equal(weir_error_text(), "again: segment a.log: write of 5 bytes: failed");
    weir_error_clear();
    assert_int_equal(weir_error_wrap(WEIR_E_IO, "alone"), WEIR_E_IO);
    assert_string_equal(weir_error_text(), "alone");
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(weir_error_context(WEIR_E_IO, "%s", longer), WEIR_E_IO);
    assert_int_equal(strlen(weir_error_text()), 511);
    assert_int_equal(weir_error_wrap(WEIR_E_IO, "front"), WEIR_E_IO);
    assert_int_equal(strlen(weir_error_text()), 511);
    assert_memory_equal(weir_error_text(), "front: xxx", 10);
    assert_int_equal(weir_error_wrap(WEIR_E_IO, "%s", longer), WEIR_E_IO);
    assert_int_equal(strlen(weir_error_text()), 511);
}

static void a_failed_assertion_names_its_place_and_aborts(void **state) {
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_ends[1], 2);
        volatile int one = 1;
        WEIR_ASSERT(one + 1 == 3);
        _exit(0);
    }
    close(pipe_ends[1]);
    char text[512] = {0};
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1 && (got = read(pipe_ends[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(pipe_ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "one + 1 == 3"));
    assert_non_null(strstr(text, "test_error.c:"));
}

static void random_numbers_are_repeatable_and_even(void **state) {
    (void)state;
    struct prng p = prng_seed(1), q = prng_seed(1), other = prng_seed(2);
    for (int i = 0; i < 100; i++) {
        uint64_t x = prng_next(&p);
        assert_true(x == prng_next(&q) && x != prng_next(&other));
    }
    unsigned counts[7] = {0}, heads = 0;
    double sum = 0, gaps = 0;
    for (int i = 0; i < 70000; i++) {
        counts[prng_below(&p, 7)]++;
        double real = prng_real(&p);
        assert_true(real >= 0 && real < 1);
        sum += real;
        gaps += prng_exponential(&p, 10);
        heads += prng_chance(&p, 1, 4);
        uint64_t between = prng_between(&p, 5, 9);
        assert_in_range(between, 5, 9);
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_true(fabs(sum / 70000 - 0.5) < 0.01 && fabs(gaps / 70000 - 10) < 0.3);
    assert_in_range(heads, 16800, 18200);
    assert_int_equal(prng_below(&p, 1), 0);
    (void)prng_between(&p, 0, UINT64_MAX);
    assert_true(prng_between(&p, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    struct prng fork_a = prng_fork(&p), fork_b = prng_fork(&p);
    assert_true(prng_next(&fork_a) != prng_next(&fork_b));
    uint8_t bytes[11] = {0}, same[11] = {0};
    struct prng copy = q;
    prng_bytes(&q, bytes, 11);
    prng_bytes(&copy, same, 11);
    assert_memory_equal(bytes, same, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_answers),
        cmocka_unit_test(context_is_one_line_that_grows_in_front),
        cmocka_unit_test(a_failed_assertion_names_its_place_and_aborts),
        cmocka_unit_test(random_numbers_are_repeatable_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
