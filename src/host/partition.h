/* host/partition.h: an input partition of a service, live on its lane: its fold, its waiters, its outbox, its pace.
 *
 * Records of a submitted commit are applied from the commit's own memory. When one cannot be (no room for outputs, no
 * credits for emits, or records before it are not applied yet) the partition lags: it stays on its lane's list and
 * applies from commits still in memory or from the log, until it has met the newest submitted record. Replay at start
 * is the same thing. Owner: the lane; `facts` may be read by any thread.
 */
#ifndef WEIR_HOST_PARTITION_H
#define WEIR_HOST_PARTITION_H
#include "host/clock.h"
#include "host/fold.h"
#include "host/held.h"
#include "host/late.h"
#include "host/out.h"
#include "host/waiters.h"

struct host_lane;
struct host_service;

/* Written by the lane (poison facts: before start), read by anybody. */
struct partition_facts {
    _Atomic uint64_t applied, durable, emits_acked, digest, emission, bytes_applied, snapshot;
    _Atomic uint64_t snapshot_bytes, snapshot_time_ns; /* of the newest good one; the time of its last record */
    _Atomic uint64_t parked_offset;
    _Atomic uint32_t version;
    _Atomic bool replaying, parked;
    _Atomic bool
        takes_emits; /* its settings record stands, or it is parked: an emit may stand behind its last record */
};
struct settings;
struct host_partition {
    struct host *host;
    struct host_service *owner;
    struct host_lane *lane;
    uint32_t number, index; /* in the node; in the topic */
    struct log_partition *log;
    struct fold fold;
    struct out_sink sink;
    struct outbox outbox;
    struct waiters waiters;
    struct late late;
    struct clock clock;
    uint64_t submitted;                /* behind the last record of submitted commits */
    uint64_t replay_end;               /* behind the last record found at start */
    uint64_t last_commit;              /* sequence of the newest commit that carries something it saw */
    size_t output_needed, held_needed; /* bytes a commit must have free before a record is applied */
    uint64_t timer_offset;    /* a TIMER record at or above this offset is appended and not applied; UINT64_MAX: none */
    uint64_t settings_offset; /* of the last SETTINGS record this life appended; UINT64_MAX: none */
    const struct settings *settled; /* reload whose settings are in its log; NULL: those of the start */
    uint64_t bytes_applied;
    bool replaying; /* has not met replay_end yet */
    bool announced; /* its settings record of this start is appended, if it needs one */
    bool counted;   /* among the ready ones */
    bool replayed;  /* counted among those that are, or are parked on the way */
    bool lagging, parked;
    /* A record crashed the last life before it was durable, so it can't be parked by its offset. This life applies
     * nothing that is not stored: when it comes again and crashes again, it is in the log, and the next start parks in
     * front of it. */
    bool cautious;
    uint64_t park_at;               /* offset of the poison record, UINT64_MAX: none */
    uint64_t skips[FOLD_SKIPS_MAX]; /* poison records that a durable order passes over */
    _Atomic uint32_t skip_count;
    struct host_partition *lagging_next;
    struct partition_facts facts;
    char parked_text[128];
};

/* Applies the batch, which is the i-th of a submitted commit, as far as it can; outputs go to `held`. */
void host_partition_apply(struct host_partition *partition, struct held *held, struct weir_slice batch);
/* A slice of catching up could do something now. */
bool host_partition_may_catch_up(const struct host_partition *partition);
/* A slice of catching up; returns records applied. */
uint32_t host_partition_catch_up(struct host_partition *partition, struct held *held);
/* A command of this lane or another one. OK: appended, or joined, or answered from the table. */
WEIR_MUST enum weir_error host_partition_submit(
    struct host_partition *partition, const struct host_command *command, struct weir_slice packed_key);
/* Appends a record of the host's own (timer, settings, skip, emit); ret_offset may be NULL. */
WEIR_MUST enum weir_error host_partition_append(struct host_partition *partition, const struct envelope *envelope,
    struct weir_slice key, struct weir_slice value, uint64_t *ret_offset);
/* After replay: the settings record of this start, when one is needed; then the partition is ready. */
/* False: it could not be appended, try again. */
bool host_partition_announce(struct host_partition *partition);
/* Appends records for due timers; returns how many. */
uint32_t host_partition_fire(struct host_partition *partition);
uint64_t host_partition_time(struct host_partition *partition); /* record time now */
/* Tells everybody who waits for a late reply that the node stops. False: a ring is full, go on in the next cycle. */
bool host_partition_end_late(struct host_partition *partition);
/* A durable order passes over the record in front of which the partition is parked. */
void host_partition_skip(struct host_partition *partition, uint64_t offset);
/* The target has made the emit at this place of the outbox durable. */
void host_partition_acked(struct host_partition *partition, uint64_t position);
void host_partition_publish(struct host_partition *partition); /* facts */
/* What cannot be replayed must not be guessed: the node stops and says why, which is the error's context. */
void host_partition_refuse(struct host_partition *partition, enum weir_error error);
#endif
