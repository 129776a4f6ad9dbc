/* host/shadow.h: snapshots are made by replay, never by the live state.
 *
 *   mark    the partition's lane tells its next offset N, the hash of everything emitted and the state's digest there
 *   load    a second instance from the last good snapshot
 *   replay  the log up to N
 *   compare hash and digest with the mark: a difference means that the fold is not a function of its log; it is
 * reported and the snapshot refused wait    until outputs up to N are synced and emits up to N are durable in their
 * targets' journals save    the file; then the log may forget input that no kept snapshot needs Owner: the work agent.
 * One partition at a time, in slices.
 */
#ifndef WEIR_HOST_SHADOW_H
#define WEIR_HOST_SHADOW_H
#include "host/fold.h"
#include "host/out.h"

enum shadow_step { SHADOW_IDLE, SHADOW_MARK, SHADOW_LOAD, SHADOW_REPLAY, SHADOW_WAIT, SHADOW_SAVE };
struct host_partition;
struct shadow_mark { /* MAIL_MARKED */
    uint64_t applied, emission, digest;
    uint64_t outputs_next[FOLD_TOPICS_MAX];
    uint32_t partition, unused; /* number */
};
struct shadow_pace {         /* per partition */
    uint64_t bytes, mono_ns; /* when the last one was begun */
    bool wanted;             /* by an operator */
    enum weir_error error;   /* of the last one */
};
struct shadow {
    struct host *host;
    enum shadow_step step;
    struct host_partition *partition;
    struct shadow_mark mark;
    struct fold fold;
    struct weir_out out;
    uint8_t *buffer;
    void *memory;
    size_t memory_size;
    struct shadow_pace *paces;
    uint32_t next; /* partition to look at */
    uint64_t asked_mono_ns;
    char failure[512]; /* the last one that did not come about, and why */
    struct metric_counter made, refused, failed;
};
WEIR_MUST enum weir_error shadow_open(struct shadow *shadow, struct host *host);
void shadow_close(struct shadow *shadow);
/* One slice; returns the work done. */
uint32_t shadow_work(struct shadow *shadow);
void shadow_marked(struct shadow *shadow, const struct shadow_mark *mark);
/* Nothing under way and no partition that needs one before the node may stop. */
bool shadow_finished(const struct shadow *shadow);
#endif
