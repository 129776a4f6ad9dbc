/* log/keeper.h: the agent behind: segment syncs and checkpoints, journal files made ahead and recycled, retention, disk
 * space.
 *
 * A checkpoint is a walk: note which journal files hold only batches that are in segments; sync, a few per step, every
 * segment with bytes that are not synced; write the checkpoint file; only then recycle those journal files. It begins
 * when checkpoint_bytes were journaled since the last, when asked (log_checkpoint_soon), when the journal is 75 % full
 * (then it does not pace itself), and KEEPER_IDLE_NS after the last change.
 */
#ifndef WEIR_LOG_KEEPER_H
#define WEIR_LOG_KEEPER_H
#include "base/metric.h"
#include "log/log.h"

struct partition;
struct segment;
struct journal_file;

#define KEEPER_IDLE_NS      (2 * SYS_NANOS_PER_S)
#define KEEPER_SPACE_NS     (500 * SYS_NANOS_PER_MS)
#define KEEPER_RETENTION_NS (5 * SYS_NANOS_PER_S)
#define KEEPER_ZERO_BYTES   (1u << 20)
#define KEEPER_READY_FILES  2

struct keeper_target { /* what one checkpoint will say of one partition */
    struct partition *partition;
    uint64_t end, segment_base, segment_size;
};
struct keeper {
    struct log *log;
    int poller;
    _Atomic bool asked; /* log_checkpoint_soon */
    /* keeper agent only */
    bool walking;
    bool disk_synced; /* the targets were synced by one call */
    struct keeper_target *targets;
    uint32_t target_count, target_begun, target_next; /* begun: writing back; next: to be synced */
    uint32_t recycle_count;                           /* journal files to recycle when the walk is done */
    uint64_t appended_at_walk;                        /* journal->appended when the last walk began */
    uint64_t walk_ns, idle_since_ns, space_ns, retention_ns;
    struct journal_file *extending; /* being made ready */
    int making_file;                /* new file being written, -1: none */
    uint32_t making_number;
    uint64_t made_bytes, piece_ns; /* written of it; when the next piece is due */
    struct metric_counter checkpoints, segment_syncs, disk_syncs, files_made, files_recycled, segments_deleted,
        bytes_deleted, space_free;
    struct metric_histogram checkpoint_ns, segment_sync_ns;
};
WEIR_MUST enum weir_error log_keeper_init(struct keeper *k, struct log *log);
void log_keeper_done(struct keeper *k);
uint32_t log_keeper_work(void *keeper, uint64_t block_ns);
/* At stop, agents gone: a whole checkpoint at once; clean: nothing is in the journal that is not in segments. */
WEIR_MUST enum weir_error log_keeper_finish(struct keeper *k, bool clean);

#endif
