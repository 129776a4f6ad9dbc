/* What others may know of a node: facts for the API and the console, metrics, sentences for the operator. */
#include "base/assert.h"
#include "host/node.h"

#include <stdarg.h>
#include <stdio.h>

void host_report(const struct host *host, const char *format, ...) {
    char sentence[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (host->report) host->report(host->report_ctx, sentence);
}

/* ---- a lane's own ------------------------------------------------------------------------------------------------ */
uint32_t host_lane_index(const struct host_lane *lane) {
    return lane->index;
}
int host_lane_poller(const struct host_lane *lane) {
    return lane->poller;
}
struct host *host_lane_host(const struct host_lane *lane) {
    return lane->host;
}
uint64_t host_lane_mono_ns(const struct host_lane *lane) {
    return lane->mono_ns;
}
void *host_lane_edge(const struct host_lane *lane) {
    return lane->edge;
}
void host_lane_set_edge(struct host_lane *lane, void *edge) {
    lane->edge = edge;
}

/* ---- the node's ----------------------------------------------------------------------------------------------------
 */
uint32_t host_partition_count(const struct host *host) {
    return host->partition_count;
}
struct log *host_log(const struct host *host) {
    return host->log;
}
struct sys *host_sys(const struct host *host) {
    return host->sys;
}
uint32_t host_lane_count(const struct host *host) {
    return host->lane_count;
}
uint32_t host_service_count(const struct host *host) {
    return host->service_count;
}
const struct weir_service *host_service_at(const struct host *host, uint32_t i) {
    return host->services[i].service;
}
const struct weir_setting_value *host_service_settings(const struct host *host, uint32_t i) {
    return host_service_values(host, &host->services[i]);
}
uint32_t host_service_partitions(const struct host *host, uint32_t i) {
    return host->services[i].partition_count;
}

void host_partition_facts(const struct host *host, uint32_t i, struct host_partition_facts *ret_facts) {
    WEIR_ASSERT(i < host->partition_count);
    const struct host_partition *p = &host->partitions[i];
    const struct partition_facts *f = &p->facts;
    bool parked = atomic_load_explicit(&f->parked, memory_order_acquire);
    *ret_facts = (struct host_partition_facts){
        .service = p->owner->service->name,
        .topic = p->log->topic->name,
        .partition = p->index,
        .lane = p->lane->index,
        .version = atomic_load_explicit(&f->version, memory_order_relaxed),
        .applied = atomic_load_explicit(&f->applied, memory_order_relaxed),
        .durable = atomic_load_explicit(&p->log->high, memory_order_relaxed),
        .high = atomic_load_explicit(&p->log->high, memory_order_relaxed),
        .snapshot = atomic_load_explicit(&f->snapshot, memory_order_relaxed),
        .snapshot_bytes = atomic_load_explicit(&f->snapshot_bytes, memory_order_relaxed),
        .snapshot_time_ns = atomic_load_explicit(&f->snapshot_time_ns, memory_order_relaxed),
        .state_bytes = p->fold.memory_size,
        .digest = atomic_load_explicit(&f->digest, memory_order_relaxed),
        .emission_hash = atomic_load_explicit(&f->emission, memory_order_relaxed),
        .replaying = atomic_load_explicit(&f->replaying, memory_order_acquire),
        .parked = parked,
        .parked_offset = parked ? atomic_load_explicit(&f->parked_offset, memory_order_relaxed) : 0,
    };
    if (parked)
        snprintf(ret_facts->parked_text, sizeof ret_facts->parked_text,
            "record %llu crashed the node twice; weir service skip %s --partition %u --offset %llu",
            (unsigned long long)ret_facts->parked_offset, p->owner->service->name, p->index,
            (unsigned long long)ret_facts->parked_offset);
}

/* ---- metrics
 * ----------------------------------------------------------------------------------------------------------- */
static void lane_metrics(struct metric_registry *r, struct host_lane *lane) {
    struct lane_metrics *m = &lane->metrics;
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_COUNTER, &m->cycles, "weir_host_cycles_total", "Cycles of the lane."},
        {METRIC_COUNTER, &m->records_applied, "weir_host_records_applied_total",
            "Records applied, replayed ones included."},
        {METRIC_COUNTER, &m->records_passed_over, "weir_host_records_passed_over_total",
            "Records the fold did not see: repeated emits, stale timers, skipped ones."},
        {METRIC_COUNTER, &m->commits, "weir_host_commits_total", "Commits handed to the journal."},
        {METRIC_COUNTER, &m->commands, "weir_host_commands_total", "Commands appended."},
        {METRIC_COUNTER, &m->commands_refused, "weir_host_commands_refused_total", "Requests of other lanes refused."},
        {METRIC_COUNTER, &m->queries, "weir_host_queries_total", "Queries run."},
        {METRIC_COUNTER, &m->emits_sent, "weir_host_emits_sent_total", "Emits handed to their target's lane."},
        {METRIC_COUNTER, &m->emits_taken, "weir_host_emits_taken_total", "Emits appended to their target."},
        {METRIC_COUNTER, &m->timers_fired, "weir_host_timers_fired_total", "Timer records appended."},
        {METRIC_COUNTER, &m->deliveries, "weir_host_deliveries_total",
            "Replies, answers and records given to sessions."},
        {METRIC_GAUGE, &m->held_bytes, "weir_host_held_bytes",
            "Bytes the newest commit holds back until it is durable."},
        {METRIC_GAUGE, &m->lagging, "weir_host_lagging_partitions", "Partitions that apply from the log."},
        {METRIC_GAUGE, &m->parked, "weir_host_parked_partitions",
            "Partitions that stand in front of a record that crashed the node twice."},
        {METRIC_GAUGE, &m->waiting, "weir_host_waiting_commands", "Commands that wait for their commit."},
        {METRIC_GAUGE_NS, &m->cycle_ns_max, "weir_host_cycle_max_seconds", "The lane's longest cycle."},
        {METRIC_HISTOGRAM_NS, &m->apply_ns, "weir_host_apply_seconds", "Time to apply a commit's records."},
        {METRIC_HISTOGRAM_NS, &m->commit_ns, "weir_host_commit_seconds", "Time from submission until durable."},
        {METRIC_COUNTER, &m->jobs, "weir_host_jobs_total", "Jobs of the lane that the pool ran."},
        {METRIC_HISTOGRAM, &m->commit_records, "weir_host_commit_records", "Records per commit."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        metric_register(r, rows[i].kind, rows[i].metric, rows[i].name, rows[i].help, "lane=\"%u\"", lane->index);
}

void host_metrics(struct host *host) {
    struct metric_registry *r = host->metrics;
    struct shadow *shadow = &host->work->shadow;
    for (uint32_t i = 0; i < host->lane_count; i++)
        lane_metrics(r, &host->lanes[i]);
    metric_register(r, METRIC_COUNTER, &shadow->made, "weir_host_snapshots_total", "Snapshots that count.", "%s", "");
    metric_register(r, METRIC_COUNTER, &shadow->refused, "weir_host_snapshot_mismatches_total",
        "Snapshots refused because replay gave another result than the live fold.", "%s", "");
    metric_register(r, METRIC_COUNTER, &shadow->failed, "weir_host_snapshot_failures_total",
        "Snapshots that could not be made for another reason.", "%s", "");
}
