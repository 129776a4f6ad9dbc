/* sim/workload.h: what clients ask of a node, and how to tell whether it was done right.
 *
 * A workload is a table of functions over a state of its own. It acts only as an outsider could: over connections
 * (client.h) between the node's turns. In check() it may also read the node's log and states directly, as the observer:
 * those reads take no time and meet no fault but the damage that is on the disk.
 *
 * A service brings its workload by a file sim_<name>.c in its folder, named in its meson.build (sim_sources); the
 * list of workloads is generated from those files. It defines `const struct sim_workload sim_workload_<name>`.
 */
#ifndef WEIR_SIM_WORKLOAD_H
#define WEIR_SIM_WORKLOAD_H
#include "sim/client.h"
#include "sim/sim.h"

struct sim_workload {
    const char *name, *summary;
    /* That must run on the node; NULL-terminated; NULL: none. Called at every start, so a version may change. */
    const struct weir_service *const *(*services)(void *state);
    /* The node says this: why it does not start, its last words, a report. True if it was to be expected. NULL: never.
     * Called once for each. */
    bool (*expects)(void *state, const char *sentence);
    void *(*open)(struct sim *sim); /* a new state; the world is empty */
    void (*close)(void *state);
    /* Settings of a start, the same in every life unless the workload wants to change them. NULL: initial values. */
    void (*configure)(void *state, struct settings *settings);
    /* Who does HTTP effects that its services ask for, in every life. NULL: they ask for none. */
    struct effect_executor *(*effects)(void *state);
    /* A process is about to be started, its disk as it is: clients of the last life are cut. NULL: nothing. */
    void (*begin)(void *state);
    /* Moves its clients on: sends, receives, gives up. Called often while the node lives, also while it is starting.
     * calm: no faults happen any more; begin sim_calm_requests() new ones and ask until each has succeeded. */
    void (*step)(void *state, bool calm);
    /* Everything that was begun has its answer (or was given up), and what was begun in the calm has succeeded. */
    bool (*settled)(void *state);
    /* The node is ready. Whatever was acknowledged must be there: sim_fail() if not. whole: look at everything, else
     * what is new since the last look will do. Returns false when the disk's damage kept it from looking (CORRUPT). */
    bool (*check)(void *state, bool whole);
};

extern const struct sim_workload *const sim_workloads[]; /* NULL-terminated */
extern const struct sim_workload sim_workload_operator;  /* one of them, in every run */

/* ---- reading the log, for checks ---- */
/* Calls fn for every record of a partition from an offset to the high watermark. Fails the run when offsets are not
 * dense or bytes not readable; false then, and when damage is refused by name. fn returns false to stop (true then). */
struct batch_record;
typedef bool (*sim_record_fn)(void *ctx, const struct batch_record *record);
/* Batches as log_read gives them, plain, from `offset` on. False: the run has failed. */
bool sim_plain(struct sim *sim, struct weir_slice batches, uint64_t offset, struct weir_slice *ret_plain);
bool sim_read(struct sim *sim, const char *topic, uint32_t partition, uint64_t from, sim_record_fn fn, void *ctx);

#endif
