/* wire/http_conditional.h: which part of a fixed representation a request gets: preconditions and byte ranges.
 *
 * Purpose     a file's owner asks once what to answer: the whole, parts, 304, 412 or 416.
 * Threads     pure.
 * Allocation  none.
 * Limits      WEIR_HTTP_RANGES_MAX ranges.
 * Errors      none: a header that is malformed counts as not sent, as RFC 9110 allows.
 * Source      RFC 9110 8.8.3 (entity tags), 13 (preconditions, their order in 13.2.2), 14 (ranges). There are no
 *             modification times: a date in If-Range never matches, and If-(Un)Modified-Since is not looked at.
 */
#ifndef WEIR_WIRE_HTTP_CONDITIONAL_H
#define WEIR_WIRE_HTTP_CONDITIONAL_H

#include "wire/http.h"

/* More ranges than these, and ranges that overlap, get the whole (RFC 9110 14.2, 17.15): they can only cost more. */
enum { WEIR_HTTP_RANGES_MAX = 8 };

struct weir_http_range {
    uint64_t first, size; /* size > 0, first + size <= the representation's */
};

struct weir_http_selection {
    int status;           /* 200: all of it; 206: the ranges, in the order asked for; 304, 412, 416: nothing of it */
    uint32_t range_count; /* 206 */
    struct weir_http_range ranges[WEIR_HTTP_RANGES_MAX];
};

/* request: GET or HEAD. etag: strong, with its quotes. Ranges are of GET alone. */
void weir_http_select(const struct weir_http_request *request, struct weir_slice etag, uint64_t size,
    struct weir_http_selection *ret_selection);

#endif
