/* host/node.h: struct host from the inside: services, partitions, lanes and agents of one node.
 *
 * Built by host_open on one thread; afterwards every part has one owner: a partition its lane, taps their partition's
 * lane, the work agent its jobs. What others may read is atomic.
 */
#ifndef WEIR_HOST_NODE_H
#define WEIR_HOST_NODE_H
#include "base/arena.h"
#include "host/host.h"
#include "host/job.h"
#include "host/lane.h"
#include "host/mailbox.h"
#include "host/partition.h"
#include "host/poison.h"
#include "host/work.h"

#define HOST_UIDS_MAX (1u << 16) /* partitions of all topics that the host can serve */

struct host_service {
    const struct weir_service *service;
    const struct weir_setting_value *values, *initial;
    uint32_t index, partition_count, first; /* first: host's number of its partition 0 */
    uint32_t input;                         /* topic row */
    struct log_topic *topics[FOLD_TOPICS_MAX];
};
/* Beginning: replay. Running. Draining: no new commands, work under way ends, snapshots. Ended: lanes say goodbye. */
enum host_phase { HOST_BEGINNING, HOST_RUNNING, HOST_DRAINING, HOST_ENDED };

struct host {
    struct sys *sys;
    struct log *log;
    const struct settings *settings;
    struct settings *initial;
    const struct weir_setting_value *node; /* settings of the node */
    const struct host_edge *edge;
    struct metric_registry *metrics;
    struct tracer *tracer;
    void (*report)(void *ctx, const char *sentence);
    void *report_ctx;
    struct arena arena;
    void *arena_memory;
    char folder[512];
    struct host_service *services;
    struct host_partition *partitions;
    struct host_lane *lanes;
    uint32_t service_count, partition_count, lane_count;
    struct host_partition **by_uid;  /* inputs; [HOST_UIDS_MAX] */
    struct host_partition **writers; /* inputs and outputs: whose lane writes them; NULL: a plain topic */
    uint32_t *taps;                  /* by uid: chain of indices + 1, owned by the writing lane */
    struct mailbox mailbox;
    struct work_agent *work;
    struct shared_pool *pool; /* NULL: none */
    struct idempotency_options idempotency;
    struct poison *poison;
    bool may_have_lost;                       /* the last stop was not clean: epochs rise */
    _Atomic(const struct settings *) offered; /* by the last reload; NULL: none yet */
    _Atomic uint64_t snapshot_bytes, snapshot_age_ns;
    _Atomic uint32_t phase;
    _Atomic bool late_ended; /* nobody is kept waiting for a late reply any more */
    _Atomic uint32_t partitions_replayed, partitions_ready, lanes_ended;
};

/* The endpoints of the mailbox behind the lanes. */
static inline uint32_t host_work_endpoint(const struct host *host) {
    return host->lane_count;
}
static inline uint32_t host_read_endpoint(const struct host *host) {
    return host->lane_count + 1;
}
/* One sentence to the operator. Any thread. */
void host_report(const struct host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));
void host_metrics(struct host *host);          /* registers everything the host measures */
bool host_lanes_idle(const struct host *host); /* draining: nothing is under way on any lane */
/* AGAIN: until the node is ready, the end of a topic may lie before what the last life showed. */
enum weir_error host_not_ready(const struct log_partition *partition);
/* The lane that writes a partition of any topic. */
struct host_lane *host_writer(const struct host *host, const struct log_partition *partition);
/* ---- reload.c ---- */
/* As the last reload left them. Of a lane: until its next cycle. */
const struct weir_setting_value *host_service_values(const struct host *host, const struct host_service *service);
void host_pace(struct host *host, const struct weir_setting_value *node); /* of snapshots */
void host_lane_settle(struct host_lane *lane);
struct in_force;
WEIR_MUST enum weir_error host_partition_put_settings(struct host_partition *p, const struct in_force *today);
struct host_service *host_service_find(const struct host *host, const char *name);
#endif
