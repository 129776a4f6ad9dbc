/* The cycle of a lane, see host.h; lane.c has its parts. */
#include "base/assert.h"
#include "host/emits.h"
#include "host/lane.h"
#include "host/node.h"
#include "host/tap.h"
#include "trace/trace.h"

#define RETRY_NS    200000u  /* a ring was full: its reader empties it within a cycle of its own */
#define DRAIN_NS    1000000u /* draining: says often whether it is idle */
#define QUERY_BYTES (4u << 20)
#define SLICES_MAX  4u /* of catching up per cycle: a lane that replays still looks at its sockets */

static uint64_t now(struct host_lane *lane) {
    return lane->host->sys->mono_ns(lane->host->sys);
}

static void apply_commit(struct host_lane *lane, struct held *held) {
    uint64_t begin_ns = now(lane);
    for (uint32_t i = 0; i < held->commit->batch_count; i++) {
        struct log_partition *log_partition;
        struct weir_slice batch;
        log_commit_batch(held->commit, i, &log_partition, &batch);
        struct host_partition *partition = lane->host->by_uid[log_partition->uid];
        if (partition) host_partition_apply(partition, held, batch);
    }
    held->applied = true;
    metric_set(&lane->metrics.held_bytes, held->used);
    if (held->records) metric_record(&lane->metrics.apply_ns, now(lane) - begin_ns);
}

static void apply_submitted(struct host_lane *lane) {
    for (uint32_t i = 0; i < lane->flight_count; i++)
        if (!lane->flight[i]->applied) apply_commit(lane, lane->flight[i]);
}

/* True when the partition is as far as it can be and leaves the list. */
static bool caught_up(const struct host_partition *p) {
    if (p->parked) return true;
    /* One that is ready and can't announce itself for want of space has nothing under way that a stop must wait for. */
    bool stops = p->counted && atomic_load_explicit(&p->host->phase, memory_order_acquire) >= HOST_DRAINING;
    return (p->announced || stops) && p->fold.applied >= p->submitted;
}

/* A commit for what comes out of catching up, when none is under way. False: not now. */
static bool carrier(struct host_lane *lane) {
    if (lane->flight_count > 0) return true;
    struct held *held;
    if (host_lane_carrier(lane, &held) != WEIR_OK) return false;
    host_lane_submit(lane);
    apply_commit(lane, held);
    return true;
}

static uint32_t catch_up(struct host_lane *lane) {
    uint32_t work = 0;
    for (struct host_partition **at = &lane->lagging; *at;) {
        struct host_partition *p = *at;
        for (uint32_t i = 0; i < SLICES_MAX && host_partition_may_catch_up(p) && carrier(lane); i++) {
            uint32_t applied = host_partition_catch_up(p, lane->flight[lane->flight_count - 1]);
            work += applied;
            if (applied == 0) break;
        }
        if (!p->parked && !p->announced && p->fold.applied >= p->replay_end && host_partition_announce(p)) work++;
        if (!caught_up(p)) {
            at = &p->lagging_next;
            continue;
        }
        p->lagging = false;
        *at = p->lagging_next;
        metric_set(&lane->metrics.lagging, metric_get(&lane->metrics.lagging) - 1);
    }
    return work;
}

/* Natural group commit: what arrived while the last commit was on its way to the disk forms the next one. */
static uint32_t commit(struct host_lane *lane) {
    uint32_t work = 0;
    if (lane->open && lane->open->records > 0 && lane->flight_count == 0) {
        host_lane_submit(lane);
        work++;
    }
    apply_submitted(lane);
    if (lane->lagging) {
        uint32_t caught = catch_up(lane);
        if (caught) lane->again = true;
        work += caught;
    }
    return work;
}

static uint32_t fire_timers(struct host_lane *lane) {
    if (lane->mono_ns < lane->timer_next_mono_ns) return 0;
    if (atomic_load_explicit(&lane->host->phase, memory_order_acquire) >= HOST_DRAINING) return 0;
    uint32_t fired = 0;
    lane->timer_next_mono_ns = UINT64_MAX;
    for (uint32_t i = 0; i < lane->partition_count; i++)
        fired += host_partition_fire(lane->partitions[i]);
    metric_add(&lane->metrics.timers_fired, fired);
    return fired;
}

static void end_late(struct host_lane *lane) {
    if (!atomic_load_explicit(&lane->host->late_ended, memory_order_acquire)) return;
    for (uint32_t i = 0; i < lane->partition_count; i++)
        if (!host_partition_end_late(lane->partitions[i])) lane->retry = true;
}

static uint32_t pump_emits(struct host_lane *lane) {
    uint32_t sent = 0;
    for (uint32_t i = 0; i < lane->partition_count; i++) {
        struct host_partition *p = lane->partitions[i];
        if (p->outbox.sent < p->outbox.released) sent += host_emits_pump(p);
    }
    metric_add(&lane->metrics.emits_sent, sent);
    return sent;
}

static uint32_t poll(struct host_lane *lane, uint64_t timeout_ns) {
    struct sys_poll_event events[LANE_EVENTS_MAX];
    struct sys *sys = lane->host->sys;
    size_t count = sys->poller_wait(sys, lane->poller, events, LANE_EVENTS_MAX, timeout_ns);
    lane->mono_ns = now(lane);
    lane->wall_ns = sys->wall_ns(sys);
    const struct host_edge *edge = lane->host->edge;
    for (size_t i = 0; i < count; i++)
        edge->on_event(edge->ctx, lane, events[i].token, events[i].bits);
    return (uint32_t)count;
}

static uint64_t wait_ns(const struct host_lane *lane, uint64_t block_ns) {
    bool draining = atomic_load_explicit(&lane->host->phase, memory_order_relaxed) >= HOST_DRAINING;
    uint64_t wake = lane->edge_next_ns;
    if (!draining && lane->timer_next_mono_ns < wake) wake = lane->timer_next_mono_ns; /* none fires while it stops */
    if (lane->again) return 0;
    if (wake <= lane->mono_ns) return lane->retry ? RETRY_NS : 0; /* what is due may be what could not be done */
    uint64_t wait = wake - lane->mono_ns < block_ns ? wake - lane->mono_ns : block_ns;
    uint64_t limit = UINT64_MAX;
    if (lane->retry) limit = RETRY_NS;
    if (!lane->retry && draining) limit = DRAIN_NS;
    return wait < limit ? wait : limit;
}

static bool outboxes_empty(const struct host_lane *lane) {
    for (uint32_t i = 0; i < lane->partition_count; i++)
        if (lane->partitions[i]->outbox.head != lane->partitions[i]->outbox.tail) return false;
    return true;
}

/* Draining: says when nothing is under way here; ended: the edge's last call. */
static void leave(struct host_lane *lane, uint32_t work) {
    uint32_t phase = atomic_load_explicit(&lane->host->phase, memory_order_acquire);
    if (phase < HOST_DRAINING) return;
    bool open = lane->open && lane->open->records > 0; /* an empty one is left when the first append is refused */
    bool idle = work == 0 && !open && lane->flight_count == 0 && !lane->lagging && outboxes_empty(lane) &&
                host_job_count(lane) == 0;
    drain_say(&lane->drain, idle);
    if (phase < HOST_ENDED || lane->ended) return;
    lane->ended = true;
    const struct host_edge *edge = lane->host->edge;
    if (edge && edge->on_stop) edge->on_stop(edge->ctx, lane);
    atomic_fetch_add_explicit(&lane->host->lanes_ended, 1, memory_order_acq_rel);
}

uint32_t host_lane_work(void *self, uint64_t block_ns) {
    struct host_lane *lane = self;
    struct sys *sys = lane->host->sys;
    const struct host_edge *edge = lane->host->edge;
    lane->mono_ns = now(lane);
    uint64_t wait = wait_ns(lane, block_ns);
    lane->again = lane->retry = false;
    if (lane->ended) {
        struct sys_poll_event event;
        return (uint32_t)sys->poller_wait(sys, lane->poller, &event, 1, block_ns);
    }
    uint32_t work = host_lane_release(lane);
    work += host_lane_receive(lane);
    work += host_jobs_take(lane);
    /* A message that had to stay where it is will not go through in the next microsecond either. */
    if (lane->retry && wait > RETRY_NS) wait = RETRY_NS;
    work += poll(lane, work ? 0 : wait);
    uint64_t begin_ns = lane->mono_ns;
    work += host_lane_release(lane);
    work += fire_timers(lane);
    work += pump_emits(lane);
    work += host_taps_pace(lane);
    host_lane_settle(lane);
    work += commit(lane);
    end_late(lane);
    host_lane_receive_own(lane);
    lane->edge_next_ns = edge && edge->on_cycle ? edge->on_cycle(edge->ctx, lane, lane->mono_ns) : UINT64_MAX;
    mailbox_wake(&lane->host->mailbox, lane->index);
    leave(lane, work);
    metric_add(&lane->metrics.cycles, 1);
    uint64_t cycle_ns = now(lane) - begin_ns;
    if (cycle_ns > metric_get(&lane->metrics.cycle_ns_max)) metric_set(&lane->metrics.cycle_ns_max, cycle_ns);
    return work;
}

/* ---- life ----------------------------------------------------------------------------------------------------------
 */
enum weir_error host_lane_open(struct host_lane *lane, struct host *host, uint32_t index) {
    memset(lane, 0, sizeof *lane);
    lane->host = host;
    lane->index = index;
    lane->poller = lane->agent = -1;
    lane->trace = trace_lane(host->tracer, index);
    lane->edge_next_ns = 0;
    lane->timer_next_mono_ns = 0;
    enum weir_error e = host->sys->poller_open(host->sys, &lane->poller);
    if (e != WEIR_OK) return e;
    host->mailbox.pollers[index] = lane->poller;
    e = log_writer_open(host->log, index, lane->poller, &lane->writer);
    size_t scratch = 0;
    for (uint32_t i = 0; i < host->service_count; i++) {
        size_t size = out_scratch_size(host->services[i].service);
        if (size > scratch) scratch = size;
    }
    size_t size = HELD_PER_LANE * (size_t)HELD_BYTES + LANE_READ_BYTES + QUERY_BYTES + scratch;
    void *memory;
    if (e == WEIR_OK) e = sys_memory_map(size, &memory);
    if (e != WEIR_OK) return weir_error_wrap(e, "lane %u", index);
    lane->memory = memory;
    lane->memory_size = size;
    e = host_taps_open(lane);
    if (e == WEIR_OK && host->pool) e = host_jobs_open(lane);
    if (e != WEIR_OK) return weir_error_wrap(e, "lane %u", index);
    uint8_t *at = memory;
    for (uint32_t i = 0; i < HELD_PER_LANE; i++, at += HELD_BYTES)
        lane->helds[i].memory = at;
    lane->read_buffer = at;
    arena_init_fixed(&lane->query_arena, at + LANE_READ_BYTES, QUERY_BYTES);
    lane->out.scratch = at + LANE_READ_BYTES + QUERY_BYTES;
    lane->out.scratch_size = scratch;
    return WEIR_OK;
}

void host_lane_close(struct host_lane *lane) {
    if (!lane->host) return;
    host_jobs_close(lane); /* first: a worker whose job has come back may still be waking the poller */
    if (lane->poller >= 0) lane->host->sys->poller_close(lane->host->sys, lane->poller);
    host_taps_close(lane);
    arena_done(&lane->query_arena);
    if (lane->memory) sys_memory_unmap(lane->memory, lane->memory_size);
    lane->memory = NULL;
    lane->poller = -1;
}
