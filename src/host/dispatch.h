/* host/dispatch.h: a lane's way from what its folds have started to who does it, and back as RESULT records.
 *
 * A start leaves when the commit that carries its cause is durable (held.h), and never while the partition replays;
 * those that replay leaves running are dispatched when it is over, under the same key. A result is appended with the
 * room that is reserved for what is not a command; what the journal has no room for waits here, and the executors keep
 * the rest. Attempts that are not back in time get a result from here; what comes later is not theirs any more.
 * A clean stop dispatches nothing new and waits DISPATCH_DRAIN_NS for what is under way. Owner: the lane.
 */
#ifndef WEIR_HOST_DISPATCH_H
#define WEIR_HOST_DISPATCH_H
#include "host/executor.h"
#include "host/out.h"

#define DISPATCH_FLIGHTS  256u                  /* attempts of a lane under way at once */
#define DISPATCH_GRACE_NS (2 * SYS_NANOS_PER_S) /* an executor's own time limit comes first */
#define DISPATCH_DRAIN_NS (5 * SYS_NANOS_PER_S)

struct host_lane;
struct host_partition;
struct dispatch_flight {
    uint64_t effect, deadline_ns, begun_ns; /* mono */
    uint32_t partition, attempt;            /* the host's number */
    uint32_t generation;                    /* of the slot: a tag is never used twice */
    uint8_t kind;                           /* 0: free */
};
struct dispatch {
    struct dispatch_flight *flights; /* NULL: no service of this node has effects */
    uint32_t count;
    uint64_t next_ns;       /* mono: the earliest deadline */
    uint64_t drain_till_ns; /* 0: not draining */
    /* A result that could not be appended yet: */
    uint8_t *result;
    size_t result_size; /* 0: none */
    uint64_t result_effect;
    uint32_t result_partition, result_attempt;
    struct metric_counter dispatched, timed_out, late;
};

WEIR_MUST enum weir_error host_dispatch_open(struct host_lane *lane);
/* What has ended is appended, what is due is given up, what is durable is started. Returns how much of that there was.
 */
uint32_t host_dispatch(struct host_lane *lane);
/* Draining: nothing is under way, or it has been waited for long enough. */
bool host_dispatch_idle(struct host_lane *lane);
/* A commit is durable in which the partition's starts up to this number were made. */
void host_dispatch_release(struct host_partition *partition, uint64_t start);
/* host_open: those that services need and the options don't bring. */
struct host;
WEIR_MUST enum weir_error host_executors_open(struct host *host);
void host_executors_close(struct host *host);

/* executor_http.c. pollers: of the lanes. CONFIG: a secret that can't be read. */
WEIR_MUST enum weir_error executor_http_open(struct host *host, struct effect_executor **ret_executor);
/* executor_work.c */
WEIR_MUST enum weir_error executor_work_open(struct host *host, struct effect_executor **ret_executor);
#endif
