/* log/state.h: struct log: what the agents, the lanes and the control plane share.
 *
 * Lock order: control (a thread that changes topics) > a partition's lock > the segment cache's lock. Agents own their
 * structs (journal.h, store.h, keeper.h); what others read of them is atomic.
 */
#ifndef WEIR_LOG_STATE_H
#define WEIR_LOG_STATE_H
#include "log/checkpoint.h"
#include "log/commit.h"
#include "log/journal.h"
#include "log/keeper.h"
#include "log/partition.h"
#include "log/store.h"

struct topic_change {
    struct topic *topic;
    struct log_topic_config config;
    struct log_partition **partitions; /* all of them, the new ones behind */
    uint32_t partition_count;
};

struct log {
    struct sys *sys;
    struct log_options options;
    char folder[LOG_PATH_SIZE - 256]; /* leaves room for what stands below */
    int lock_file;
    bool fresh; /* nothing on disk yet: the journal agent writes the skeleton before the first frame */
    bool started;
    struct log_recovery recovery;
    struct checkpoint checkpoint; /* as last written; recovery, then keeper */
    _Atomic bool failed;          /* a final error: nothing is acknowledged any more */
    _Atomic bool space_short;     /* less than the disk reserve is free */
    _Atomic uint32_t keep_all;    /* copies under way that retention waits for (cut.h) */
    _Atomic uint64_t stamps;      /* commits begun, for commit.stamp */

    /* Topics, catalogue; held across disk writes, by one control thread and the journal's first step. */
    _Atomic bool control;
    bool catalogue_dirty;
    struct metric_counter memory_reserved; /* of memory topics that are there */
    struct topic *coming;                  /* being created: in the catalogue before anyone can find it */
    const struct topic_change *change;     /* being altered or grown: the same */
    struct topic *leaving;                 /* being deleted: out of the catalogue before it is forgotten */
    uint32_t next_uid;
    uint64_t next_producer_id, producer_id_end;    /* end: durable */
    _Atomic uint32_t topic_count, partition_count; /* slots ever used */
    _Atomic(struct topic *) *topics;               /* partitions_max slots; NULL: deleted */
    _Atomic(struct partition *) *partitions;       /* partitions_max slots */
    struct topic **deleted;                        /* kept until close: others may hold pointers */
    uint32_t deleted_count, deleted_capacity;

    struct segment_cache cache;
    struct journal journal;
    struct store store;
    struct keeper keeper;
    _Atomic(struct log_writer *) writers[LOG_LANES_MAX];
    int journal_agent, store_agent, keeper_agent;
};

/* Everything in memory, nothing read from the folder, no lock; log_close() frees it. For log_open and the offline
 * tools. */
WEIR_MUST enum weir_error log_make(struct sys *sys, const struct log_options *options, struct log **ret_log);
/* path = folder/format... TOO_LARGE can't happen: the folder's length is checked at open. */
void log_path(const struct log *log, struct log_path *ret_path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A final error: says the context's line and ends the process (in the simulator: the simulated one). */
void log_fail(struct log *log, const char *what);
static inline bool log_failed(const struct log *log) {
    return atomic_load_explicit(&((struct log *)(uintptr_t)log)->failed, memory_order_relaxed);
}
/* An agent with nothing to do rests until it is woken, at most block_ns. */
static inline void log_wait(struct sys *sys, int poller, uint64_t block_ns) {
    struct sys_poll_event event;
    (void)sys->poller_wait(sys, poller, &event, 1, block_ns);
}
/* Waits without burning a core: the other one may be in the middle of a disk write. */
void log_control_take(struct log *log);
void log_control_give(struct log *log);
/* Journal agent, once: catalogue, first checkpoint and FORMAT become durable. */
WEIR_MUST enum weir_error log_settle(struct log *log);
/* The same under the control lock, for a topic that is made before the journal agent came to it. */
WEIR_MUST enum weir_error log_settle_held(struct log *log);

#endif
