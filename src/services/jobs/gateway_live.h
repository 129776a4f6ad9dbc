/* jobs/gateway_live.h: GET /v1/jobs/live, a WebSocket; live.h has its messages. */
#ifndef WEIR_JOBS_GATEWAY_LIVE_H
#define WEIR_JOBS_GATEWAY_LIVE_H
#include <weir/gateway.h>

extern const struct weir_protocol jobs_live_protocol;
#endif
