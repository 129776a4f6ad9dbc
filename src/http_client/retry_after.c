/* Retry-After. See retry_after.h. */
#include "http_client/retry_after.h"

#include "base/civil.h"
#include "base/text.h"

static uint64_t bounded(uint64_t ms) {
    return ms < HTTP_RETRY_AFTER_MAX ? ms : HTTP_RETRY_AFTER_MAX;
}

uint64_t http_retry_after_parse(struct weir_slice value, uint64_t wall_ns) {
    struct weir_slice s = text_trim(value);
    uint64_t seconds = 0;
    size_t digits = 0;
    while (digits < s.size && s.data[digits] >= '0' && s.data[digits] <= '9') {
        if (seconds <= HTTP_RETRY_AFTER_MAX) seconds = seconds * 10 + (uint64_t)(s.data[digits] - '0');
        digits++;
    }
    if (digits > 0 && digits == s.size) return bounded(seconds <= HTTP_RETRY_AFTER_MAX ? seconds * 1000 : seconds);
    int64_t at = 0;
    if (!civil_parse_http(s, &at)) return HTTP_RETRY_AFTER_NONE;
    if (at < 0 || (uint64_t)at <= wall_ns) return 0;
    return bounded(((uint64_t)at - wall_ns + SYS_NANOS_PER_MS - 1) / SYS_NANOS_PER_MS);
}
