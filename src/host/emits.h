/* host/emits.h: emits on their way from the source's outbox into the target's log, and the ack on its way back.
 *
 * Sending keeps the order of each source. Taking always appends (reserved room: it needs no room of the target's own
 * output or queue), unless the target has seen the emit already; the ack leaves once it is durable. So sending frees
 * credits as long as the journal moves, whatever services do: cycles cannot deadlock. At start a source sends again
 * what it derives again; while its target still replays, it waits as long as its outbox is at most half full, because
 * the target can then tell the repeated ones before it appends them.
 */
#ifndef WEIR_HOST_EMITS_H
#define WEIR_HOST_EMITS_H
#include "host/partition.h"

uint32_t host_emits_pump(struct host_partition *source);                 /* returns how many were sent */
bool host_emits_take(struct host_lane *lane, struct weir_slice message); /* MAIL_EMITTED */
#endif
