/* jobs/operate.h: orders of operators: one job, or those a filter means; and what queues, types and tenants may do. */
#ifndef WEIR_JOBS_OPERATE_H
#define WEIR_JOBS_OPERATE_H
#include "jobs/state.h"

struct jobs_filter {
    uint8_t state; /* JOBS_FREE: any */
    struct weir_slice queue, type, tenant, text /* within jid, payload, tags or the last error */;
};
bool operate_matches(const struct jobs *s, const struct job *job, const struct jobs_filter *filter);
void operate_jobs(struct jobs_turn *t, struct weir_slice value);
void operate_name(struct jobs_turn *t, struct weir_slice value);
#endif
