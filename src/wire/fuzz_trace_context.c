/* Any bytes as a traceparent and as one or several headers of a tracestate. What is taken is written again and read the
 * same; a state keeps its order, its limits, and says the same when it is joined once more. Covers: trace_context.c. */
#include "wire/trace_context.h"

#include "base/assert.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parent(struct weir_slice text) {
    struct weir_traceparent p, again;
    char out[WEIR_TRACEPARENT_SIZE];
    if (!weir_traceparent_parse(text, &p)) return;
    WEIR_ASSERT(weir_trace_link_is_set(&p.link) && (p.flags & ~WEIR_TRACE_FLAGS_KNOWN) == 0);
    weir_traceparent_write(&p, out);
    WEIR_ASSERT(text.size >= sizeof out && memcmp(out + 2, text.data + 2, sizeof out - 4) == 0);
    WEIR_ASSERT(weir_traceparent_parse(weir_slice(out, sizeof out), &again));
    WEIR_ASSERT(memcmp(&p.link, &again.link, sizeof p.link) == 0 && p.flags == again.flags);
}

/* Members stand in `from` in the order in which they stand in the result. */
static void check_order(struct weir_slice from, struct weir_slice state) {
    size_t at = 0, members = 0;
    while (state.size) {
        const uint8_t *comma = memchr(state.data, ',', state.size);
        size_t n = comma ? (size_t)(comma - state.data) : state.size;
        WEIR_ASSERT(n >= 3 && memchr(state.data, '=', n));
        while (at + n <= from.size && memcmp(from.data + at, state.data, n) != 0)
            at++;
        WEIR_ASSERT(at + n <= from.size);
        at += n;
        members++;
        n += comma != NULL;
        state = weir_slice(state.data + n, state.size - n);
    }
    WEIR_ASSERT(members <= WEIR_TRACESTATE_MEMBERS);
}

static void states(struct weir_slice text) {
    struct weir_slice values[WEIR_TRACESTATE_MEMBERS], rest = text;
    char out[WEIR_TRACESTATE_MAX], again[WEIR_TRACESTATE_MAX];
    size_t count = 0;
    while (rest.size && count < WEIR_TRACESTATE_MEMBERS) { /* a line is a header */
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t n = end ? (size_t)(end - rest.data) : rest.size;
        values[count++] = weir_slice(rest.data, n);
        n += end != NULL;
        rest = weir_slice(rest.data + n, rest.size - n);
    }
    size_t size = weir_tracestate_join(values, count, out);
    WEIR_ASSERT(size <= sizeof out);
    struct weir_slice joined = weir_slice(out, size);
    WEIR_ASSERT(weir_tracestate_join(&joined, 1, again) == size && memcmp(out, again, size) == 0);
    check_order(text, joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size + 1); /* its own block: ASan sees a read behind it */
    WEIR_ASSERT(copy);
    if (size) memcpy(copy, data, size);
    parent(weir_slice(copy, size));
    states(weir_slice(copy, size));
    free(copy);
    return 0;
}
