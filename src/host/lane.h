/* host/lane.h: one agent with its poller, its log writer, the partitions it owns and the commits under way.
 *
 * Owner: its thread, for everything here. The cycle is described in host.h.
 */
#ifndef WEIR_HOST_LANE_H
#define WEIR_HOST_LANE_H
#include "base/arena.h"
#include "base/metric.h"
#include "base/pool.h"
#include "host/dispatch.h"
#include "host/drain.h"
#include "host/held.h"
#include "host/out.h"

#include <stdatomic.h>

#define LANE_READ_BYTES      (2u << 20)
#define LANE_EVENTS_MAX      256u
#define LANE_COMMAND_RESERVE (256u << 10) /* journaled room of a commit that commands leave to emits and timers */

struct host_jobs;
struct host_partition;
struct settings;
struct trace_lane;
struct lane_metrics {
    struct metric_counter cycles, records_applied, records_passed_over, commits, commands, commands_refused, queries,
        emits_sent, emits_taken, timers_fired, deliveries, jobs, held_bytes, lagging, parked, waiting, cycle_ns_max;
    struct metric_histogram apply_ns, commit_ns, commit_records;
};
struct host_lane {
    struct host *host;
    uint32_t index;
    char name[24];
    int poller, agent;
    struct log_writer *writer;
    void *edge;
    uint64_t mono_ns, wall_ns, edge_next_ns, timer_next_mono_ns;
    struct held helds[HELD_PER_LANE];
    struct held *open;                  /* batches are appended here; NULL: none begun */
    struct held *flight[HELD_PER_LANE]; /* submitted, oldest first */
    uint32_t flight_count;
    uint64_t sequence, released; /* of commits: newest submitted, newest released */
    struct host_partition **partitions;
    uint32_t partition_count;
    struct host_partition *lagging; /* list */
    struct weir_out out;
    uint8_t *read_buffer;
    struct arena query_arena;
    struct pool taps;
    uint32_t *tap_sessions; /* buckets of chains by session */
    uint32_t taps_catching; /* not live yet */
    uint32_t tap_number;
    void *tap_memory;
    size_t tap_memory_size;
    uint64_t tap_lanes; /* lanes on which sessions of this one have subscribed */
    void *memory;       /* of everything above */
    size_t memory_size;
    struct dispatch dispatch;
    struct host_jobs *jobs; /* on the pool; NULL: the host has none */
    struct drain drain;     /* draining: whether anything is under way here */
    bool again;             /* more can be done at once: the next cycle does not wait */
    bool retry;             /* a ring was full: the next cycle waits a moment only */
    bool ended;
    uint64_t cycles_seen; /* host_alive()'s alone */
    /* What the reloads up to these settings ask for is appended. */
    _Atomic(const struct settings *) settings_taken;
    struct lane_metrics metrics;
    struct trace_lane *trace; /* NULL: the node has no tracer */
};

WEIR_MUST enum weir_error host_lane_open(struct host_lane *lane, struct host *host, uint32_t index);
void host_lane_close(struct host_lane *lane);
uint32_t host_lane_work(void *self, uint64_t block_ns);

/* The commit that takes appends, begun if need be. FULL (journal, or all commits under way), NO_SPACE. */
WEIR_MUST enum weir_error host_lane_commit(struct host_lane *lane, struct held **ret_held);
/* One to be submitted as it is, for outputs of records that were accepted before: also below the disk reserve. */
WEIR_MUST enum weir_error host_lane_carrier(struct host_lane *lane, struct held **ret_held);
/* Appends to the open commit; when that is full it is submitted and another begun. reserve: room left to emits, timers.
 */
WEIR_MUST enum weir_error host_lane_append(struct host_lane *lane, struct log_partition *partition,
    const struct log_record *record, size_t reserve, uint64_t *ret_offset);
/* Hands the open commit to the journal. Its records are applied later in the cycle. */
void host_lane_submit(struct host_lane *lane);
/* The submitted commit that must be durable before what was seen up to `sequence` may leave; NULL: it is durable. One
 * that is being let go does not count: what would be put into it now could be forgotten with it. */
struct held *host_lane_flight(struct host_lane *lane, uint64_t sequence);
/* Delivers, soon in this cycle or on another lane, once the commit `sequence` is durable. Never calls the edge from
 * inside a call of the edge. FULL: no room now. */
WEIR_MUST enum weir_error host_lane_deliver(
    struct host_lane *lane, const struct host_delivery *delivery, uint64_t sequence);
/* An ack to the source's lane, likewise. */
WEIR_MUST enum weir_error host_lane_ack(
    struct host_lane *lane, uint32_t source_partition, uint64_t position, uint64_t sequence);
/* The edge's on_delivery, now. Not inside a call of the edge. */
void host_lane_hand_over(struct host_lane *lane, const struct host_delivery *delivery);
/* Parts of the cycle: durable commits let go; mail taken; what this lane sent to itself delivered. */
uint32_t host_lane_release(struct host_lane *lane);
uint32_t host_lane_receive(struct host_lane *lane);
void host_lane_receive_own(struct host_lane *lane);
void host_lane_lag(struct host_lane *lane, struct host_partition *partition); /* onto the list */
#endif
