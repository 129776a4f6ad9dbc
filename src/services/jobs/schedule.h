/* jobs/schedule.h: jobs that are pushed again and again: by cron in a time zone, or every so often.
 *
 * The zone's rules are part of the order that set the schedule (base/zone.h), so that a replay does not depend on the
 * machine's tzdata. Times are planned one after the other; what was due while nothing ran, or while it was paused, is
 * caught up as the schedule says: by one job for all, one for each, or none.
 */
#ifndef WEIR_JOBS_SCHEDULE_H
#define WEIR_JOBS_SCHEDULE_H
#include "jobs/state.h"

void schedule_order(struct jobs_turn *t, struct weir_slice value);
/* Those that are due push their jobs. False: more are than one record may do. */
bool schedules_due(struct jobs_turn *t);
/* Cron, zone's name and job of one, in its blob (its first piece). */
struct weir_slice schedule_cron(const struct jobs *s, const struct jobs_schedule *c);
struct weir_slice schedule_zone_name(const struct jobs *s, const struct jobs_schedule *c);
#endif
