/* http_client/retry_after.h: the value of Retry-After (RFC 9110, 10.2.3). Pure. Inside this layer only. */
#ifndef WEIR_HTTP_CLIENT_RETRY_AFTER_H
#define WEIR_HTTP_CLIENT_RETRY_AFTER_H
#include "http_client/http.h"

/* Milliseconds from wall_ns on, at most HTTP_RETRY_AFTER_MAX: seconds, or a date; one that is past is 0.
 * HTTP_RETRY_AFTER_NONE: neither. */
uint64_t http_retry_after_parse(struct weir_slice value, uint64_t wall_ns);

#endif
