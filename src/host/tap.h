#ifndef WEIR_HOST_TAP_H
#define WEIR_HOST_TAP_H
#include "host/lane.h"
bool host_taps_serve(struct host_lane *lane, struct held *held);
bool host_taps_subscribe(struct host_lane *lane, struct weir_slice message);
bool host_taps_unsubscribe(struct host_lane *lane, struct weir_slice message);
bool host_taps_forget(struct host_lane *lane, struct weir_slice message);
bool host_taps_caught(struct host_lane *lane, struct weir_slice message);
#endif
