/* jobs/history.h: jobs and their transitions as rows, for what the state no longer has: ended jobs, and searches
 * through all of them. Made of jobs.events by the projection jobs.history; docs/projections.md has the columns. */
#ifndef WEIR_JOBS_HISTORY_H
#define WEIR_JOBS_HISTORY_H
#include <weir/projection.h>

extern const struct weir_projection jobs_projections[];
extern const struct weir_select jobs_select_history, jobs_select_events;

#endif
