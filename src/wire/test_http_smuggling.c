/* Requests that two servers have read, or could read, differently: each must get the status beside it in
 * test_smuggling.h, whatever way its bytes arrive. With a folder as argument the requests are written there instead, as
 * seeds for the fuzzer: build-asan/test_wire_http_smuggling tests/corpus/http_smuggling */
#include "wire/test_smuggling.h"

#include "base/assert.h"
#include "wire/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct verdict {
    enum weir_http_result result;
    int status;
    size_t consumed;
};

/* Feeds the row in pieces cut at `cut` (SIZE_MAX: byte by byte), each time from a block of its own that has moved. */
static struct verdict feed(const struct smuggling_row *row, size_t cut) {
    struct weir_http_parser parser;
    struct weir_http_limits limits = WEIR_HTTP_LIMITS_DEFAULT;
    struct verdict verdict = {WEIR_HTTP_MORE, 0, 0};
    uint8_t *bytes = malloc(row->size + 1);
    size_t size = 0;
    assert_non_null(bytes);
    weir_http_parser_init(&parser, &limits);
    while (verdict.result == WEIR_HTTP_MORE && size < row->size) {
        size_t next = cut == SIZE_MAX ? size + 1 : size < cut ? cut : row->size;
        uint8_t *moved = malloc(next);
        assert_non_null(moved);
        memcpy(moved, bytes, size);
        memcpy(moved + size, row->bytes + size, next - size);
        free(bytes);
        bytes = moved;
        size = next;
        verdict.result = weir_http_parser_feed(&parser, bytes, size);
    }
    verdict.status = parser.status;
    verdict.consumed = parser.consumed;
    if (verdict.result == WEIR_HTTP_ERROR) assert_non_null(parser.reason);
    free(bytes);
    return verdict;
}

static void every_request_of_the_corpus_gets_its_status_however_it_is_split(void **state) {
    (void)state;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(smuggling_rows); i++) {
        const struct smuggling_row *row = &smuggling_rows[i];
        size_t consumed = row->consumed == SMUGGLING_ALL ? row->size : row->consumed;
        enum weir_http_result result = row->status ? WEIR_HTTP_ERROR : WEIR_HTTP_COMPLETE;
        for (size_t cut = 1; cut <= row->size + 1; cut++) {
            struct verdict verdict = feed(row, cut > row->size ? SIZE_MAX : cut);
            if (verdict.result != result || verdict.status != row->status || verdict.consumed != consumed) {
                fail_msg("%s, cut at %zu: result %d status %d consumed %zu, expected %d %d %zu", row->name, cut,
                    verdict.result, verdict.status, verdict.consumed, result, row->status, consumed);
            }
        }
    }
}

static void corpus_is_not_smaller_than_it_claims(void **state) {
    (void)state;
    size_t bad = 0;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(smuggling_rows); i++)
        bad += smuggling_rows[i].status != 0;
    assert_true(bad >= 100);
}

static int write_seeds(const char *folder) {
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(smuggling_rows); i++) {
        const struct smuggling_row *row = &smuggling_rows[i];
        char path[512];
        size_t size = (size_t)snprintf(path, sizeof path, "%s/", folder);
        for (const char *c = row->name; *c && size < sizeof path - 1; c++)
            path[size++] = (char)(*c == ' ' ? '_' : *c);
        path[size] = 0;
        FILE *file = fopen(path, "w");
        if (!file || fwrite(row->bytes, 1, row->size, file) != row->size || fclose(file) != 0) return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2) return write_seeds(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_of_the_corpus_gets_its_status_however_it_is_split),
        cmocka_unit_test(corpus_is_not_smaller_than_it_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
