/* host/executor.h: who does the effects that a fold has started: one table of functions per kind of effect.
 *
 * start() is called on a lane's thread and never waits; when an attempt has ended, take() on the same lane says so, and
 * before that the lane's poller is woken. Room for every end is set aside before a start is taken, so nobody waits for
 * anybody. A start that is taken ends exactly once, unless stop() comes first; the dispatcher may have lost interest by
 * then (its time was over). The host's own are in executor_http.c and executor_work.c; tests and the simulator stand
 * in.
 */
#ifndef WEIR_HOST_EXECUTOR_H
#define WEIR_HOST_EXECUTOR_H
#include "base/metric.h"
#include "sys/sys.h"
#include "wire/effect.h"

#define EXECUTOR_KINDS 3u /* by enum weir_effect_kind; 0 is none */

struct effect_call {
    uint64_t tag; /* the lane's own; no other call of it that has not ended has the same */
    uint32_t service, partition, row_index;
    const struct weir_effect_row *row;
    const struct weir_setting_value *settings; /* of the service; live as long as the host */
    struct weir_slice request;                 /* borrowed: read during start */
    const char *key;                           /* of idempotency; borrowed */
    uint32_t attempt;
    uint64_t timeout_ns, wall_ns;
};
struct effect_end {
    uint64_t tag;
    struct effect_answer answer; /* its slices are valid until the lane's next take */
};
struct effect_executor {
    /* FULL: when one of this lane's has ended. Another error: it can't be done at all; its text says why. */
    WEIR_MUST enum weir_error (*start)(struct effect_executor *, uint32_t lane, const struct effect_call *call);
    /* False: none has ended. */
    bool (*take)(struct effect_executor *, uint32_t lane, struct effect_end *ret_end);
    /* Soon it ends, if it can be made to. */
    void (*cancel)(struct effect_executor *, uint32_t lane, uint64_t tag);
    void (*stop)(
        struct effect_executor *); /* nobody is inside a call; what has not ended is forgotten, and it is freed */
};
#endif
