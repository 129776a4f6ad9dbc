/* Preconditions and ranges on any header values. What is selected lies inside; a range that is written down and read
 * back is the same; a list of tags names what it was made of and nothing else. Input: byte 0 the size of the
 * representation, byte 1 which header, the rest its value. Covers: http_conditional.c. */
#include "base/assert.h"
#include "base/text.h"
#include "wire/http_conditional.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_http_request request; /* large: not on the stack */
static const char etag[] = "\"v1\"";

static struct weir_http_selection ask(
    const struct weir_http_header *headers, uint32_t count, enum weir_http_method method, uint64_t total) {
    struct weir_http_selection selection;
    request.method = method;
    request.header_count = count;
    for (uint32_t i = 0; i < count; i++)
        request.headers[i] = headers[i];
    weir_http_select(&request, weir_slice_text(etag), total, &selection);
    WEIR_ASSERT((selection.status == 206) == (selection.range_count > 0));
    WEIR_ASSERT(selection.range_count <= WEIR_HTTP_RANGES_MAX);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < selection.range_count; i++) {
        const struct weir_http_range *r = &selection.ranges[i];
        WEIR_ASSERT(r->size > 0 && r->size <= total && r->first <= total - r->size);
        sum += r->size;
    }
    WEIR_ASSERT(sum <= total); /* none of them twice */
    return selection;
}

static struct weir_http_header header(const char *name, struct weir_slice value) {
    return (struct weir_http_header){weir_slice_text(name), value};
}

/* What was understood, written as the shortest header that says it, is understood the same. */
static void again(const struct weir_http_selection *first, uint64_t total) {
    char text[WEIR_HTTP_RANGES_MAX * 50];
    struct text_builder t = TEXT_BUILDER(text);
    text_add(&t, "bytes=");
    for (uint32_t i = 0; i < first->range_count; i++) {
        text_add_u64(&t, first->ranges[i].first);
        text_add(&t, "-");
        text_add_u64(&t, first->ranges[i].first + first->ranges[i].size - 1);
        text_add(&t, ",");
    }
    struct weir_http_header range = header("range", text_slice(&t));
    struct weir_http_selection second = ask(&range, 1, WEIR_HTTP_GET, total);
    WEIR_ASSERT(second.status == 206 && second.range_count == first->range_count);
    for (uint32_t i = 0; i < first->range_count; i++)
        WEIR_ASSERT(second.ranges[i].first == first->ranges[i].first && second.ranges[i].size == first->ranges[i].size);
}

/* Tags made of the input's letters in one list: it names v1 when one of them is it. */
static void tags(const uint8_t *data, size_t size) {
    char text[400];
    struct text_builder t = TEXT_BUILDER(text);
    bool has = false, has_strong = false;
    for (size_t i = 0; i < size && i < 20; i++) {
        bool is_this = data[i] % 4 == 0, is_weak = data[i] & 64;
        text_printf(
            &t, "%s%s\"%s\"", i ? (data[i] & 128 ? "," : " ,\t") : "", is_weak ? "W/" : "", is_this ? "v1" : "v,2");
        has |= is_this;
        has_strong |= is_this && !is_weak;
    }
    if (size == 0) return;
    struct weir_http_header none = header("If-None-Match", text_slice(&t)), match = header("if-match", text_slice(&t));
    WEIR_ASSERT(ask(&none, 1, WEIR_HTTP_HEAD, 9).status == (has ? 304 : 200));
    WEIR_ASSERT(ask(&match, 1, WEIR_HTTP_GET, 9).status == (has_strong ? 200 : 412));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    static const char *const names[] = {"Range", "If-None-Match", "If-Match", "If-Range"};
    uint64_t total = data[0] < 128 ? data[0] : UINT64_MAX - data[0];
    struct weir_slice value = weir_slice(data + 2, size - 2);
    struct weir_http_header headers[3] = {header(names[data[1] % 4], value)};
    headers[1] = header("range", weir_slice_text("bytes=0-0"));
    headers[2] = header(names[data[1] / 4 % 4], value);
    struct weir_http_selection one = ask(headers, 1, WEIR_HTTP_GET, total);
    if (one.status == 206) again(&one, total);
    WEIR_ASSERT(ask(headers, 1, WEIR_HTTP_HEAD, total).status != 206);
    (void)ask(headers, 2, WEIR_HTTP_GET, total);
    (void)ask(headers, 3, WEIR_HTTP_GET, total);
    tags(data + 2, size - 2);
    return 0;
}
