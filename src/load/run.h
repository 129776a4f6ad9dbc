/* load/run.h: one run: connections first, then the schedule, then the figures. Blocks; starts its own threads. */
#ifndef WEIR_LOAD_RUN_H
#define WEIR_LOAD_RUN_H
#include "load/options.h"
#include "load/result.h"
#include "sys/sys.h"

struct load_progress {
    double seconds; /* since the start; negative while connections are being opened */
    uint64_t attempts, answered, failed, under_way, connections;
};
/* Called about ten times a second on the calling thread; false stops the run early (what was due is still told). */
typedef bool load_progress_fn(void *context, const struct load_progress *progress);

/* The result must have been made with load_result_init(). CLOSED when not one connection could be opened; FULL when the
 * process may not have so many descriptors. */
WEIR_MUST enum weir_error load_run(struct sys *sys, const struct load_options *options, load_progress_fn *progress,
    void *context, struct load_result *result);
#endif
