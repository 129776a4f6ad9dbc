/* host/traced.h: a record whose request is traced, from its apply to the release of what it caused: the times that say
 * where the request's time went.
 *
 * They wait in the commit beside the reply they belong to, because the commit's own times are known only at its end;
 * then they become one message of the lane's ring (trace/trace.h). Only of records that are applied live: a replay
 * traces nothing. Owner: the lane. Allocation: none.
 */
#ifndef WEIR_HOST_TRACED_H
#define WEIR_HOST_TRACED_H
#include "host/lane.h"
#include "host/node.h"
#include "host/partition.h"
#include "trace/trace.h"

#define TRACED_BYTES (sizeof(struct held_entry) + sizeof(struct trace_record)) /* of a commit's memory, per record */

/* Before the fold sees the record: the time; 0: it is not traced, which costs a look at its header. */
static inline uint64_t traced_begin(const struct host_partition *p, const struct batch_record *record) {
    if (!WEIR_UNLIKELY(envelope_is_traced(&record->record)) || p->replaying || !trace_is_on(p->lane->trace)) return 0;
    return p->host->sys->mono_ns(p->host->sys);
}
/* Behind it. */
void traced_hold(const struct host_partition *partition, struct held *held, uint64_t apply_ns, uint64_t offset,
    const struct envelope *envelope);
/* A batch of a plain topic, which nobody applies; trace of zeros: nothing. */
void traced_append(struct host_lane *lane, struct held *held, const struct log_partition *partition, uint64_t offset,
    const struct weir_trace_link *trace);
void traced_release(struct host_lane *lane, const struct held *held, const struct held_entry *entry);
#endif
