/* LOBSTER rows and order records on any bytes: lines cover the text, records are encoded to the bytes they came from.
 * Covers: lobster.c orderflow.c. */
#include "base/assert.h"
#include "wire/lobster.h"
#include "wire/orderflow.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void line_run(struct weir_slice line) {
    struct weir_lobster_message message;
    struct weir_lobster_level levels[8];
    uint32_t count = 0;
    if (!weir_lobster_message_parse(line, &message)) {
        WEIR_ASSERT(message.type >= WEIR_LOBSTER_NEW && message.type <= WEIR_LOBSTER_HALT);
        WEIR_ASSERT(message.direction == 1 || message.direction == -1);
        WEIR_ASSERT(message.time_ns <= UINT64_C(86401) * 1000000000u);
    }
    if (!weir_lobster_book_parse(line, 8, levels, &count)) WEIR_ASSERT(count >= 1 && count <= 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    WEIR_ASSERT(copy);
    if (size) memcpy(copy, data, size);
    struct weir_slice text = weir_slice(copy, size), line;
    size_t covered = 0;
    bool is_whole = true;
    while (weir_lobster_line_next(&text, &line, &is_whole)) {
        WEIR_ASSERT(is_whole || text.size == 0);
        line_run(line);
        covered = size - text.size;
        WEIR_ASSERT(line.data + line.size <= copy + covered);
    }
    WEIR_ASSERT(covered == size);
    for (size_t at = 0; at + WEIR_ORDERFLOW_RECORD_SIZE <= size; at += WEIR_ORDERFLOW_RECORD_SIZE) {
        struct weir_orderflow_record record;
        uint8_t out[WEIR_ORDERFLOW_RECORD_SIZE];
        if (weir_orderflow_decode(weir_slice(copy + at, sizeof out), &record)) continue;
        weir_orderflow_encode(&record, out);
        WEIR_ASSERT(memcmp(out, copy + at, sizeof out) == 0);
    }
    free(copy);
    return 0;
}
