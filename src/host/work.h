/* host/work.h: stub */
#ifndef WEIR_HOST_WORK_H
#define WEIR_HOST_WORK_H
#include "host/host.h"
WEIR_MUST enum weir_error host_work_open(struct host *host);
WEIR_MUST enum weir_error host_work_start(struct host *host);
bool host_work_idle(struct host *host);
void host_work_stop(struct host *host);
void host_work_close(struct host *host);
#endif
