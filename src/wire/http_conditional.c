/* Entity tags, preconditions in their order, byte ranges. */
#include "wire/http_conditional.h"
#include "base/assert.h"
#include "base/text.h"
#include "wire/http_fields.h"

#define TEXT(literal) weir_slice(literal, sizeof(literal) - 1)

/* ---- entity tags ---- */

static void skip(struct weir_slice *rest, size_t size) {
    *rest = weir_slice(rest->data + size, rest->size - size);
}

static void skip_blanks(struct weir_slice *rest) {
    while (rest->size && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        skip(rest, 1);
}

/* Takes [W/]"..." off the front; *ret_tag has the quotes and no W/. False: it is none. */
static bool tag_take(struct weir_slice *rest, bool *ret_weak, struct weir_slice *ret_tag) {
    *ret_weak = rest->size >= 2 && memcmp(rest->data, "W/", 2) == 0;
    if (*ret_weak) skip(rest, 2);
    if (rest->size < 2 || rest->data[0] != '"') return false;
    const uint8_t *end = memchr(rest->data + 1, '"', rest->size - 1);
    if (!end) return false;
    size_t size = (size_t)(end - rest->data) + 1;
    *ret_tag = weir_slice(rest->data, size);
    skip(rest, size);
    return true;
}

/* Does a list of entity tags, or "*", name this one? weak: W/ makes no difference (RFC 9110 8.8.3.2). */
static bool list_names(struct weir_slice list, struct weir_slice etag, bool weak) {
    if (weir_slice_equal(list, TEXT("*"))) return true;
    for (;;) {
        bool is_weak;
        struct weir_slice tag;
        while (list.size && (list.data[0] == ',' || list.data[0] == ' ' || list.data[0] == '\t'))
            skip(&list, 1);
        if (!tag_take(&list, &is_weak, &tag)) return false;
        if ((weak || !is_weak) && weir_slice_equal(tag, etag)) return true;
        skip_blanks(&list);
        if (list.size && list.data[0] != ',') return false;
    }
}

/* A list may stand in several lines. *ret_given: there is at least one. */
static bool lines_name(const struct weir_http_request *request, struct weir_slice name, struct weir_slice etag,
    bool weak, bool *ret_given) {
    *ret_given = false;
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!text_equal_nocase(request->headers[i].name, name)) continue;
        *ret_given = true;
        if (list_names(request->headers[i].value, etag, weak)) return true;
    }
    return false;
}

/* ---- ranges ---- */

/* Digits off the front; what passes 64 bits is as good as the largest number. False: there is none. */
static bool number_take(struct weir_slice *rest, uint64_t *ret_number) {
    size_t count = 0;
    uint64_t number = 0;
    for (; count < rest->size && http_is(rest->data[count], HTTP_DIGIT); count++) {
        uint64_t digit = rest->data[count] - '0';
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    skip(rest, count);
    *ret_number = number;
    return count > 0;
}

/* FIRST-LAST, FIRST- or -COUNT of `size` bytes; ret->size 0: it lies behind the end. False: it is none of these. */
static bool range_take(struct weir_slice *rest, uint64_t size, struct weir_http_range *ret) {
    uint64_t first = 0, last = UINT64_MAX;
    bool has_first = number_take(rest, &first);
    if (rest->size == 0 || rest->data[0] != '-') return false;
    skip(rest, 1);
    bool has_last = number_take(rest, &last);
    if (!has_last) last = UINT64_MAX;
    if ((!has_first && !has_last) || (has_first && first > last)) return false;
    if (!has_first) { /* the last so many */
        uint64_t count = last < size ? last : size;
        *ret = (struct weir_http_range){.first = size - count, .size = count};
        return true;
    }
    *ret = (struct weir_http_range){.first = first};
    if (first < size) ret->size = (last < size ? last + 1 : size) - first;
    return true;
}

static bool overlaps(const struct weir_http_selection *selection, const struct weir_http_range *range) {
    for (uint32_t i = 0; i < selection->range_count; i++) {
        const struct weir_http_range *other = &selection->ranges[i];
        if (range->first < other->first + other->size && other->first < range->first + range->size) return true;
    }
    return false;
}

/* Sets status to 200, 206 or 416. */
static void ranges_choose(struct weir_slice value, uint64_t size, struct weir_http_selection *selection) {
    selection->status = 200;
    if (value.size < 6 || !text_equal_nocase(weir_slice(value.data, 6), TEXT("bytes="))) return;
    bool has_any = false;
    for (skip(&value, 6); value.size;) {
        struct weir_http_range range;
        skip_blanks(&value);
        if (value.size && value.data[0] != ',') {
            if (!range_take(&value, size, &range)) return;
            skip_blanks(&value);
            if (value.size && value.data[0] != ',') return;
            has_any = true;
            if (range.size && (selection->range_count == WEIR_HTTP_RANGES_MAX || overlaps(selection, &range))) return;
            if (range.size) selection->ranges[selection->range_count++] = range;
        }
        if (value.size) skip(&value, 1); /* the comma */
    }
    if (has_any) selection->status = selection->range_count ? 206 : 416;
}

/* If-Range: one strong tag, and it is this one's. Without the header a range is a range. */
static bool range_is_of_this(const struct weir_http_request *request, struct weir_slice etag) {
    struct weir_slice value, tag;
    bool is_weak;
    if (!weir_http_request_header(request, TEXT("If-Range"), &value)) return true;
    if (!weir_http_request_header_once(request, TEXT("If-Range"), &value)) return false;
    return tag_take(&value, &is_weak, &tag) && value.size == 0 && !is_weak && weir_slice_equal(tag, etag);
}

void weir_http_select(const struct weir_http_request *request, struct weir_slice etag, uint64_t size,
    struct weir_http_selection *ret_selection) {
    struct weir_slice value;
    bool is_given;
    WEIR_ASSERT(request->method == WEIR_HTTP_GET || request->method == WEIR_HTTP_HEAD);
    *ret_selection = (struct weir_http_selection){.status = 200};
    if (!lines_name(request, TEXT("If-Match"), etag, false, &is_given) && is_given) {
        ret_selection->status = 412;
    } else if (lines_name(request, TEXT("If-None-Match"), etag, true, &is_given)) {
        ret_selection->status = 304;
    } else if (request->method == WEIR_HTTP_GET && weir_http_request_header_once(request, TEXT("Range"), &value) &&
               range_is_of_this(request, etag)) {
        ranges_choose(value, size, ret_selection);
    }
    if (ret_selection->status != 206) ret_selection->range_count = 0;
}
