#include "host/node.h"
#include "host/request.h"
enum weir_error host_work_open(struct host *host) { (void)host; return WEIR_OK; }
enum weir_error host_work_start(struct host *host) { (void)host; return WEIR_OK; }
bool host_work_idle(struct host *host) { (void)host; return true; }
void host_work_stop(struct host *host) { (void)host; }
void host_work_close(struct host *host) { (void)host; }
bool host_request_mark(struct host_lane *lane, struct weir_slice m) { (void)lane; (void)m; return true; }
bool host_request_skip(struct host_lane *lane, struct weir_slice m) { (void)lane; (void)m; return true; }
