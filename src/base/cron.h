/* base/cron.h: when a cron expression is due, in a time zone. Pure.
 *
 * Five fields (minute hour day-of-month month day-of-week) or six with seconds in front; lists, ranges, steps, names of
 * months and days, 7 for Sunday, `?` for `*`; `L` the last day of the month, `L-3` three days before it, `5L` the last
 * Friday, `5#2` the second Friday, `15W` the working day nearest to the 15th within its month, `LW` the last working
 * day; and @yearly @annually @monthly @weekly @daily @midnight @hourly. A day matches when day of month AND month AND
 * day of week do; when both day fields are restricted, one of the two is enough (cron(5)).
 *
 * Where the clock is put forward or back, as in Debian's cron: an expression whose minute or hour field begins with
 * `*` follows elapsed time: it is due whenever the clock shows a matching time, twice in a repeated hour, not at all in
 * a skipped one. Any other is a time of the day: due once in a repeated hour (the first time), and if the hour is
 * skipped, at the moment of the change (once, however many matching times were skipped).
 */
#ifndef WEIR_BASE_CRON_H
#define WEIR_BASE_CRON_H

#include "base/zone.h"

struct cron {
    uint64_t seconds, minutes; /* bit n: matches n */
    uint32_t hours, days, months;
    uint32_t last_days;              /* bit n: n days before the last of the month */
    uint32_t working_days;           /* bit n: the working day nearest to n; bit 0: the last one */
    uint8_t weekdays, last_weekdays; /* bit n: 0 = Sunday */
    uint8_t nth_weekdays[5];         /* [n]: of those weekdays the one number n + 1 in the month */
    bool any_day, any_weekday;       /* the field begins with * or ? */
    bool elapsed;                    /* the minute or hour field begins with * */
};

/* INVALID: which field, what is wrong with it, what may stand there; or a day that no month has. */
WEIR_MUST enum weir_error cron_parse(struct weir_slice text, struct cron *ret);
/* The first second after `after` (UTC, since 1970) at which it is due. False: none within CRON_YEARS_MAX years, or
 * `after` is not within 1900 and 2190. */
#define CRON_YEARS_MAX 60
#define CRON_AFTER_MIN (-2208988800ll)
#define CRON_AFTER_MAX 6942672000ll
WEIR_MUST bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *ret_at);

#endif
