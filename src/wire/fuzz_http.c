/* HTTP parsers on any bytes. What they say must not depend on how the bytes are cut, moved or compacted.
 * Input: byte 0 chooses the parser, byte 1 seeds the cuts, the rest is what came over the wire.
 * Covers: http_body.c http_fields.c http_parser.c http_response.c http_target.c. */
#include "base/assert.h"
#include "base/prng.h"
#include "wire/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_http_limits limits = {
    .head_bytes_max = 2048, .target_bytes_max = 512, .header_count_max = 16, .body_bytes_max = 1024};

struct outcome {
    enum weir_http_result result;
    int status;
    size_t consumed;
    uint8_t body[1024];
    size_t body_size;
    uint32_t header_count;
};

static void inside(struct weir_slice slice, const uint8_t *bytes, size_t size) {
    if (slice.size == 0 || weir_slice_equal(slice, weir_slice("/", 1))) return;
    WEIR_ASSERT(slice.data >= bytes && slice.data + slice.size <= bytes + size);
}

static void request_check(const struct weir_http_request *request, const uint8_t *bytes, size_t size) {
    inside(request->target, bytes, size);
    inside(request->path, bytes, size);
    inside(request->query, bytes, size);
    inside(request->host, bytes, size);
    inside(request->body, bytes, size);
    for (uint32_t i = 0; i < request->header_count; i++) {
        inside(request->headers[i].name, bytes, size);
        inside(request->headers[i].value, bytes, size);
        for (size_t b = 0; b < request->headers[i].value.size; b++) {
            uint8_t byte = request->headers[i].value.data[b];
            WEIR_ASSERT(byte == '\t' || (byte >= 0x20 && byte != 0x7f));
        }
    }
    struct weir_slice path = request->path, segment, query = request->query;
    struct weir_http_query_pair pair;
    uint8_t out[512];
    while (weir_http_path_next(&path, &segment))
        (void)!weir_http_percent_decode(segment, false, out, 512, &segment);
    while (weir_http_query_next(&query, &pair))
        (void)!weir_http_percent_decode(pair.value, true, out, 512, &pair.value);
    (void)weir_http_path_is_plain(request->path);
}

static void body_note(struct outcome *outcome, struct weir_slice body) {
    WEIR_ASSERT(body.size <= sizeof outcome->body);
    if (body.size) memcpy(outcome->body, body.data, body.size);
    outcome->body_size = body.size;
}

/* Requests in cuts by the prng; each piece in a new block. prng NULL: all at once. */
static struct outcome request_run(const uint8_t *input, size_t total, struct prng *prng) {
    struct weir_http_parser parser;
    struct outcome outcome = {.result = WEIR_HTTP_MORE};
    size_t fed = 0, size = 0, removed = 0;
    uint8_t *bytes = NULL;
    weir_http_parser_init(&parser, &limits);
    while (fed < total && outcome.result == WEIR_HTTP_MORE) {
        size_t step = prng ? prng_between(prng, 1, total - fed) : total;
        if (prng && prng_chance(prng, 1, 2)) step = 1;
        uint8_t *moved = malloc(size + step);
        WEIR_ASSERT(moved);
        if (size) memcpy(moved, bytes, size);
        memcpy(moved + size, input + fed, step);
        free(bytes);
        bytes = moved;
        size += step;
        fed += step;
        outcome.result = weir_http_parser_feed(&parser, bytes, size);
        if (prng && outcome.result == WEIR_HTTP_MORE && prng_chance(prng, 1, 3)) {
            size_t compact = weir_http_parser_compact(&parser, bytes, size);
            removed += size - compact;
            size = compact;
        }
    }
    outcome.status = parser.status;
    if (outcome.result == WEIR_HTTP_ERROR) WEIR_ASSERT(parser.reason && parser.status >= 400);
    if (outcome.result == WEIR_HTTP_COMPLETE) {
        outcome.consumed = parser.consumed + removed;
        outcome.header_count = parser.request.header_count;
        request_check(&parser.request, bytes, size);
        body_note(&outcome, parser.request.body);
    }
    free(bytes);
    return outcome;
}

static struct outcome response_run(const uint8_t *input, size_t total, bool is_head_answer, struct prng *prng) {
    struct weir_http_response_parser parser;
    struct outcome outcome = {.result = WEIR_HTTP_MORE};
    size_t size = 0;
    uint8_t *bytes = malloc(total ? total : 1);
    WEIR_ASSERT(bytes);
    weir_http_response_parser_init(&parser, &limits, is_head_answer);
    while (size < total && outcome.result == WEIR_HTTP_MORE) {
        size_t step = prng ? prng_between(prng, 1, total - size) : total;
        memcpy(bytes + size, input + size, step);
        size += step;
        outcome.result = weir_http_response_parser_feed(&parser, bytes, size);
    }
    if (outcome.result == WEIR_HTTP_MORE) outcome.result = weir_http_response_parser_end(&parser, bytes, size);
    outcome.status = parser.status;
    if (outcome.result == WEIR_HTTP_COMPLETE) {
        outcome.consumed = parser.consumed;
        outcome.header_count = parser.response.header_count;
        body_note(&outcome, parser.response.body);
    }
    free(bytes);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    uint8_t mode = data[0] % 4;
    struct prng prng = prng_seed(data[1]);
    data += 2;
    size -= 2;
    struct outcome whole = mode < 2 ? request_run(data, size, NULL) : response_run(data, size, mode == 3, NULL);
    struct outcome pieces = mode < 2 ? request_run(data, size, &prng) : response_run(data, size, mode == 3, &prng);
    WEIR_ASSERT(whole.result == pieces.result && whole.status == pieces.status);
    WEIR_ASSERT(whole.consumed == pieces.consumed && whole.header_count == pieces.header_count);
    WEIR_ASSERT(whole.consumed <= size);
    WEIR_ASSERT(weir_slice_equal(weir_slice(whole.body, whole.body_size), weir_slice(pieces.body, pieces.body_size)));
    return 0;
}
