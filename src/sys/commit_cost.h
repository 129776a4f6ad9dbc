/* sys/commit_cost.h: what it costs to make bytes durable on the disk of a folder: each enum sys_commit_path at several
 * sizes.
 *
 * Measured as the journal writes: one commit after the other, at the end of what was committed, into a file that was
 * written in full and synced before. At each size the paths take turns after a few commits each, in another order every
 * time, so that a disk that is noisy is noisy for all; and all of it is done in rounds: what counts is the ratio to
 * SYNC in the same round, of these the median, and in how many of them a path was ahead.
 *
 * The file loses its name as soon as it is open, so it is gone whatever ends the process. Owner: the calling thread.
 * Memory: one mapping of some MB for the buffer and the histograms, given back at the end.
 */
#ifndef WEIR_SYS_COMMIT_COST_H
#define WEIR_SYS_COMMIT_COST_H
#include "sys/sys.h"

#define COMMIT_COST_SIZES      3
#define COMMIT_COST_FILE_BYTES ((uint64_t)32 << 20)
#define COMMIT_COST_ROUNDS     15 /* an odd number has a median */

extern const size_t commit_cost_sizes[COMMIT_COST_SIZES]; /* bytes, rising */

struct commit_cost { /* one path at one size */
    uint64_t commits;
    uint64_t p50_ns, p99_ns;
    double per_s;          /* commits per second of its own time */
    double ratio;          /* of per_s to that of SYNC: the median of the rounds */
    uint32_t rounds_ahead; /* in which it was faster than SYNC */
};
struct commit_costs {
    enum weir_error refused[SYS_COMMIT_PATHS]; /* OK: measured */
    char why[SYS_COMMIT_PATHS][400];           /* the sentence, when refused */
    uint32_t rounds;
    struct commit_cost costs[SYS_COMMIT_PATHS][COMMIT_COST_SIZES];
};
struct commit_cost_options {
    const char *folder;
    uint64_t duration_ns; /* of the measurement; about, and at least one commit of each kind */
    /* Called between commits with what is done of all, in a thousand. False: end at once. NULL: nobody asks. */
    bool (*go_on)(void *ctx, uint32_t done);
    void *ctx;
};

/* A path that the system refuses is no error, SYNC apart. CLOSED: go_on said no. */
WEIR_MUST enum weir_error commit_cost_measure(
    struct sys *sys, const struct commit_cost_options *options, struct commit_costs *ret_costs);

#endif
