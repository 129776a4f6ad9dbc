/* The edge's small parts against plain models: deadlines, buffers, log lines. */
#include "edge/buffer.h"
#include "edge/deadlines.h"
#include "edge/logline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed = 42;
static uint64_t draw(uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

enum { SLOTS = 200 };

/* The owner's true deadlines move as they like; every slot must come up when its own is due, and never before. */
static void every_deadline_is_met_however_it_moves(void **unused) {
    (void)unused;
    static struct deadline_entry heap[SLOTS];
    static uint32_t place[SLOTS];
    uint64_t truth[SLOTS];
    struct deadlines d;
    deadlines_init(&d, heap, place, SLOTS);
    for (int i = 0; i < SLOTS; i++)
        truth[i] = DEADLINE_NEVER;
    for (uint64_t now = 0; now < 20000; now++) {
        for (int k = 0; k < 3; k++) {
            uint32_t slot = (uint32_t)draw(SLOTS);
            if (draw(10) == 0) {
                truth[slot] = DEADLINE_NEVER;
                if (draw(2)) deadlines_cancel(&d, slot);
            } else {
                truth[slot] = now + 1 + draw(500);
                deadlines_arm(&d, slot, truth[slot]);
            }
        }
        uint32_t slot;
        while (deadlines_pop(&d, now, &slot)) {
            if (truth[slot] <= now)
                truth[slot] = DEADLINE_NEVER;
            else
                deadlines_arm(&d, slot, truth[slot]);
        }
        for (int i = 0; i < SLOTS; i++)
            assert_true(truth[i] > now);
        assert_true(deadlines_next(&d) > now);
    }
}

static void buffers_hold_what_was_put_in_and_keep_their_bounds(void **unused) {
    (void)unused;
    struct buffers pool;
    assert_int_equal(buffers_open(&pool, 4 << 20), WEIR_OK);
    struct buffer b[8] = {0};
    uint8_t *model[8];
    size_t size[8] = {0};
    for (int i = 0; i < 8; i++)
        model[i] = malloc(1 << 20);
    for (int round = 0; round < 20000; round++) {
        int i = (int)draw(8);
        uint8_t bytes[5000];
        size_t n = draw(sizeof bytes);
        if (draw(3) == 0) {
            size_t take = draw(size[i] + 1);
            buffer_consume(&b[i], take);
            memmove(model[i], model[i] + take, size[i] - take);
            size[i] -= take;
            if (size[i] == 0 && draw(2)) buffer_release(&pool, &b[i]);
        } else if (size[i] + n < 1 << 20) {
            memset(bytes, (int)draw(256), n);
            if (buffer_add(&pool, &b[i], weir_slice(bytes, n), 300000)) {
                memcpy(model[i] + size[i], bytes, n);
                size[i] += n;
            } else {
                assert_true(size[i] + n > 300000 || pool.bytes_used > (4 << 20) - 600000);
            }
        }
        assert_int_equal(buffer_count(&b[i]), size[i]);
        assert_true(pool.bytes_used + pool.spare_bytes <= pool.bytes_max);
        if (draw(50) == 0) (void)buffers_rest(&pool, (uint64_t)round * 100000000u);
        if (size[i]) assert_memory_equal(buffer_slice(&b[i]).data, model[i], size[i]);
    }
    for (int i = 0; i < 8; i++) {
        buffer_release(&pool, &b[i]);
        free(model[i]);
    }
    assert_int_equal(pool.bytes_used, 0);
    buffers_close(&pool);
}

static void a_large_buffer_is_taken_again_and_given_back_when_nobody_did(void **unused) {
    (void)unused;
    struct buffers pool;
    struct buffer large = {0}, larger = {0};
    const size_t size = 1 << 20;
    assert_int_equal(buffers_open(&pool, 8 << 20), WEIR_OK);
    assert_true(buffers_rest(&pool, 1) == UINT64_MAX);
    for (int i = 0; i < 3; i++) {
        assert_true(buffer_reserve(&pool, &large, size, size));
        const uint8_t *where = large.data;
        buffer_release(&pool, &large);
        assert_int_equal(pool.spare_bytes, size);
        assert_true(buffer_reserve(&pool, &large, size, size));
        assert_ptr_equal(large.data, where);
        assert_int_equal(pool.spare_bytes, 0);
        buffer_release(&pool, &large);
    }
    assert_true(buffers_rest(&pool, 1000) == 1000 + BUFFER_SPARE_REST_NS);
    assert_true(buffer_reserve(&pool, &large, size, size)); /* used: it stays longer */
    buffer_release(&pool, &large);
    assert_true(buffers_rest(&pool, 1000 + BUFFER_SPARE_REST_NS) == 1000 + 2 * BUFFER_SPARE_REST_NS);
    assert_int_equal(pool.spare_bytes, size);
    assert_true(buffers_rest(&pool, 1000 + 2 * BUFFER_SPARE_REST_NS) == UINT64_MAX);
    assert_int_equal(pool.spare_bytes, 0);

    /* The bound holds for spares too: they make room for who has none of its size. */
    assert_true(buffer_reserve(&pool, &large, size, size));
    buffer_release(&pool, &large);
    assert_true(buffer_reserve(&pool, &larger, 8 << 20, 8 << 20));
    assert_int_equal(pool.spare_bytes, 0);
    assert_false(buffer_reserve(&pool, &large, size, size));
    buffer_release(&pool, &larger);
    assert_int_equal(pool.spare_bytes, 0); /* too large to stay */
    buffers_close(&pool);
}

static char line[8192];
static unsigned lines;
static void keep(void *ctx, const char *text, size_t size) {
    (void)ctx;
    assert_true(size > 0 && size < sizeof line && text[size - 1] == '\n');
    assert_ptr_equal(memchr(text, '\n', size), text + size - 1); /* whatever was in it, it is one line */
    memcpy(line, text, size);
    line[size] = 0;
    lines++;
}

static struct logline *open_log(struct sys *sys, const char *format) {
    struct logline *log = calloc(1, sizeof *log);
    assert_int_equal(logline_init(log, sys, "info", format), WEIR_OK);
    log->put = keep;
    lines = 0;
    return log;
}

static void lines_are_one_line_in_both_formats_whatever_is_in_them(void **unused) {
    (void)unused;
    struct sys *sys;
    assert_int_equal(sys_linux_new(&sys), WEIR_OK);
    struct logline *log = open_log(sys, "logfmt");
    char bad[1000];
    memset(bad, 'x', sizeof bad);
    memcpy(bad, "a\"b\nc\\ \xff=", 10);
    bad[999] = 0;
    struct logline_field fields[] = {LOGLINE_TEXT("bad", bad), LOGLINE_NUMBER("n", 7), LOGLINE_TEXT("plain", "x")};
    logline_fields(log, LOGLINE_WARN, "happened", fields, 3);
    assert_non_null(strstr(line, " level=warn event=happened bad=\"a\\\"b\\nc"));
    assert_non_null(strstr(line, " n=7 plain=x\n"));
    logline_write(log, LOGLINE_INFO, "written", "a=%s b=%d", "with blank", 5);
    assert_non_null(strstr(line, "a=\"with blank\" b=5\n"));
    logline_fields(log, LOGLINE_DEBUG, "quiet", NULL, 0);
    assert_int_equal(lines, 2);
    free(log);
    log = open_log(sys, "json");
    logline_fields(log, LOGLINE_ERROR, "happened", fields, 3);
    struct json_reader r = json_reader(weir_slice(line, strlen(line)), 0);
    while (json_next(&r) != JSON_END)
        assert_true(r.token != JSON_ERROR);
    assert_int_equal(logline_init(log, sys, "loud", "json"), WEIR_E_CONFIG);
    assert_int_equal(logline_init(log, sys, "info", "xml"), WEIR_E_CONFIG);
    free(log);
    sys_linux_free(sys);
}

static void a_repeated_error_is_written_once_and_counted(void **unused) {
    (void)unused;
    struct sys *sys;
    assert_int_equal(sys_linux_new(&sys), WEIR_OK);
    struct logline *log = open_log(sys, "logfmt");
    for (int i = 0; i < 1000; i++) {
        logline_error(log, LOGLINE_ERROR, "broke", WEIR_E_IO, "the disk");
        logline_error(log, LOGLINE_ERROR, "broke", WEIR_E_IO, "the network");
    }
    assert_int_equal(lines, 2);
    for (int i = 0; i < 1000; i++) { /* more distinct ones than there is room for: counted, not lost silently */
        char detail[32];
        snprintf(detail, sizeof detail, "number %d", i);
        logline_error(log, LOGLINE_ERROR, "many", WEIR_E_IO, detail);
    }
    assert_int_equal(log->overflowed, 1000 - (LOGLINE_SITES - 2));
    char text[65536];
    struct text_builder t = TEXT_BUILDER(text);
    struct json_writer w = json_writer(&t, 0);
    logline_print_errors(log, &w);
    assert_true(json_writer_finished(&w));
    assert_non_null(strstr(text, "\"count\":1000"));
    free(log);
    sys_linux_free(sys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_deadline_is_met_however_it_moves),
        cmocka_unit_test(buffers_hold_what_was_put_in_and_keep_their_bounds),
        cmocka_unit_test(a_large_buffer_is_taken_again_and_given_back_when_nobody_did),
        cmocka_unit_test(lines_are_one_line_in_both_formats_whatever_is_in_them),
        cmocka_unit_test(a_repeated_error_is_written_once_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
