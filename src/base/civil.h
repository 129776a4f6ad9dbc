/* base/civil.h: calendar dates and UTC times from and to nanoseconds since 1970. No zones, no clock, no libc time.
 *
 * Times are int64 nanoseconds since 1970-01-01T00:00:00Z without leap seconds: 1677-09-21 to 2262-04-11.
 */
#ifndef WEIR_BASE_CIVIL_H
#define WEIR_BASE_CIVIL_H

#include <weir/error.h>
#include <weir/slice.h>

struct civil {
    int year;       /* proleptic Gregorian */
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
    unsigned hour, minute, second;
    unsigned nanosecond;
    unsigned weekday; /* 0 = Sunday; ignored as input */
};

/* Days since 1970-01-01 of a date, and back (any year an int holds within +-5 million). */
int64_t civil_days(int year, unsigned month, unsigned day);
struct civil civil_from_ns(int64_t ns);
/* False: a field out of its range, or the time is outside what 64 bits hold. */
WEIR_MUST bool civil_to_ns(const struct civil *c, int64_t *ret_ns);

/* "2026-01-02T03:04:05.678901234Z" with `digits` (0, 3, 6 or 9) of the fraction, cut not rounded. out has room for
 * CIVIL_TEXT_SIZE; a NUL is added; returns the length. */
#define CIVIL_TEXT_SIZE 36
size_t civil_format(int64_t ns, unsigned digits, char *out);
/* RFC 3339: 'T', 't' or a blank; up to 9 digits of fraction (more are checked and cut); Z or an offset, which is
 * applied. Second 60 is accepted only as 23:59:60 UTC and gives the first instant of the next day. Also a date alone
 * (midnight). WEIR_E_INVALID with context. */
WEIR_MUST enum weir_error civil_parse(struct weir_slice s, int64_t *ret_ns);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 IMF-fixdate), 29 characters and a NUL. */
#define CIVIL_HTTP_SIZE 30
void civil_format_http(int64_t ns, char *out);
/* What a server may send (RFC 9110, 5.6.7): IMF-fixdate, RFC 850 with its two digits of the year (taken as 1970 to
 * 2069), asctime. The name of the day is not checked against the date. False: none of them. */
WEIR_MUST bool civil_parse_http(struct weir_slice s, int64_t *ret_ns);

#endif
