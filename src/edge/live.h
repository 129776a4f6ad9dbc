/* edge/live.h: what a reload of the configuration may change while lanes run, as one value.
 *
 * Each lane has its own copy. A reload offers the next one; the lane takes it whole between two cycles, so that it
 * never sees half a change, and nothing on its path is locked. Threads: live_offer(): one at a time, any. live_take():
 * the lane.
 */
#ifndef WEIR_EDGE_LIVE_H
#define WEIR_EDGE_LIVE_H
#include "host/settings.h"
#include "tls/tls.h"
#include "wire/http.h"

#include <stdatomic.h>

struct live {
    struct weir_http_limits limits;
    uint64_t idle_ns, handshake_ns;
    uint32_t handshakes_max;
    struct tls *tls; /* NULL: no certificates */
};
struct live_offer {
    _Atomic uint32_t state; /* enum live_state of live.c */
    struct live next;
};

/* From settings; reads and checks the certificates. at_start: expired ones are better than none. */
WEIR_MUST enum weir_error live_read(
    struct sys *sys, const struct settings *settings, bool at_start, struct live *ret_live);
/* Of all files the settings name; 0: one cannot be read. Changes when one of them does. */
uint64_t live_files_hash(struct sys *sys, const struct settings *settings);
void live_copy(struct live *ret_to, const struct live *from);
void live_done(struct live *live);
void live_offer(struct live_offer *offer, const struct live *next);
void live_take(struct live_offer *offer, struct live *live);
bool live_is_taken(const struct live_offer *offer);

#endif
