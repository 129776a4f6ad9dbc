/* base/zone.h: time zones as values: which offset from UTC holds at an instant. Read from a TZif file's bytes (RFC
 * 8536, version 2 and later), no files, no environment, no libc time.
 *
 * A zone is a plain struct, so that a deterministic state can keep the rules it was given: those of the machine change
 * with every release of tzdata. Changes before ZONE_SINCE are left out: earlier instants have the offset that holds
 * then. Seconds are since 1970-01-01T00:00:00Z, without leap seconds ("right" zones are refused).
 */
#ifndef WEIR_BASE_ZONE_H
#define WEIR_BASE_ZONE_H

#include "base/bytes.h"

#include <weir/error.h>

#define ZONE_SINCE       1577836800ll /* 2020-01-01 */
#define ZONE_CHANGES_MAX 160u         /* Africa/Casablanca lists two a year until 2087, more than any other */
#define ZONE_OFFSET_MAX  93600        /* 26 h: RFC 8536 section 3.2 allows 25:59:59 */

/* One end of daylight saving time in a POSIX TZ rule (RFC 8536 section 3.3.1). */
enum zone_day {
    ZONE_JULIAN /* Jn: 1..365, never 29 February */,
    ZONE_ORDINAL /* n: 0..365 */,
    ZONE_WEEKDAY /* Mm.w.d */
};
struct zone_date {
    uint8_t day; /* enum zone_day */
    uint8_t month, week, weekday;
    uint16_t number;
    int32_t second; /* of that day, by the clock in force before the change; -167 h to 167 h */
};
struct zone_change {
    int64_t at;     /* UTC */
    int32_t offset; /* seconds east of UTC from then on */
};
struct zone {
    uint32_t count;
    int32_t first; /* offset before the first change */
    struct zone_change changes[ZONE_CHANGES_MAX];
    bool ruled;                  /* after the last change: a yearly rule; else the last offset for ever */
    int32_t standard, daylight;  /* ruled: offsets */
    struct zone_date begin, end; /* ruled: of daylight time */
};

/* INVALID with context: not such a file, damaged, of version 1, with leap seconds, or more changes than the limit. */
WEIR_MUST enum weir_error zone_load(struct weir_slice tzif, struct zone *ret);
struct zone zone_utc(void);

/* The stretch of constant offset around an instant. */
struct zone_span {
    int64_t begin, end; /* UTC, end is behind it; INT64_MIN and INT64_MAX when there is none */
    int32_t offset;
    int32_t before; /* the offset until begin */
};
struct zone_span zone_span(const struct zone *zone, int64_t at);

/* As bytes, for records and snapshots: typically 46, at most ZONE_BYTES_MAX. decode refuses what encode did not write:
 * INVALID. */
#define ZONE_BYTES_MAX (2048u)
void zone_encode(const struct zone *zone, struct byte_writer *w);
WEIR_MUST enum weir_error zone_decode(struct byte_reader *r, struct zone *ret);

#endif
