#include "host/traced.h"
#include "base/assert.h"

_Static_assert(sizeof(struct trace_record) % 8 == 0, "entries of a commit stay aligned");

static uint64_t now(const struct host_lane *lane) {
    return lane->host->sys->mono_ns(lane->host->sys);
}

/* When it was appended stands in the record, by record time, which runs beside the monotonic clock except while it is
 * slewed (clock.h): then the distance is wrong by an eighth at most. */
static uint64_t appended_ns(const struct host_partition *p, const struct envelope *envelope, uint64_t apply_ns) {
    uint64_t since = p->clock.ns > envelope->time_ns ? p->clock.ns - envelope->time_ns : 0; /* to the last reading */
    uint64_t ns = p->clock.mono_ns > since ? p->clock.mono_ns - since : 0;
    return ns < apply_ns ? ns : apply_ns;
}

void traced_hold(const struct host_partition *p, struct held *held, uint64_t apply_ns, uint64_t offset,
    const struct envelope *envelope) {
    struct trace_record *r = held_bytes(held, HELD_TRACED, sizeof *r);
    WEIR_ASSERT(r); /* the partition saw to it that there is room */
    *r = (struct trace_record){
        .cause = envelope->trace,
        .offset = offset,
        .appended_ns = appended_ns(p, envelope, apply_ns),
        .apply_ns = apply_ns,
        .applied_ns = now(p->lane),
        .service = p->fold.service->name,
        .topic = p->log->topic->name,
        .uid = p->log->uid,
        .partition = p->index,
        .is_emit = envelope->kind == WEIR_RECORD_EMIT,
    };
}

void traced_append(struct host_lane *lane, struct held *held, const struct log_partition *partition, uint64_t offset,
    const struct weir_trace_link *trace) {
    if (!weir_trace_link_is_set(trace) || !trace_is_on(lane->trace)) return;
    struct trace_record *r = held_bytes(held, HELD_TRACED, sizeof *r);
    WEIR_ASSERT(r); /* append_batch() saw to it that there is room */
    *r = (struct trace_record){.cause = *trace,
        .offset = offset,
        .appended_ns = lane->mono_ns,
        .topic = partition->topic->name,
        .uid = partition->uid,
        .partition = partition->index};
}

/* What was applied later than its own commit (the partition lagged) leaves with another one, and waited until that. */
void traced_release(struct host_lane *lane, const struct held *held, const struct held_entry *entry) {
    struct trace_record r = *(const struct trace_record *)(const void *)(entry + 1);
    r.submitted_ns = held->commit->submit_ns;
    r.durable_ns = held->commit->durable_ns;
    r.released_ns = now(lane);
    r.commit_records = held->records;
    trace_record(lane->trace, &r);
}
