/* host/work.h: the work agent: what may take long and must not run on a lane: topics, skips, snapshots.
 *
 * Jobs of host_work run one at a time; a job that returns AGAIN is called again until it does not (how an operation
 * that waits for lanes is written, so that the simulator can run it too). Between jobs the shadow (shadow.h) makes
 * snapshots. Owner: its own thread.
 */
#ifndef WEIR_HOST_WORK_H
#define WEIR_HOST_WORK_H
#include "host/reader.h"
#include "host/shadow.h"

#define WORK_TEXT_MAX 4096u

struct mail_work { /* argument bytes follow */
    host_work_fn fn;
    struct host_origin origin;
    uint32_t arg_size, unused;
};
struct mail_skip { /* to the partition's lane */
    uint64_t offset;
    uint32_t partition, unused; /* number */
};
struct work_skip { /* the one under way */
    bool asked, answered;
    uint32_t partition;
    uint64_t offset;
    enum weir_error error;
    char text[256];
};
struct work_agent {
    struct host *host;
    int poller, agent;
    struct read_agent reader;
    struct shadow shadow;
    struct work_skip skip;
    const struct host_service *wish; /* whose snapshots an operator waits for */
    _Atomic bool idle;               /* draining: every snapshot is made */
    char text[WORK_TEXT_MAX];
};
WEIR_MUST enum weir_error host_work_open(struct host *host);
WEIR_MUST enum weir_error host_work_start(struct host *host);
bool host_work_idle(struct host *host);
void host_work_stop(struct host *host);
void host_work_close(struct host *host); /* accepts a half-built host */
#endif
