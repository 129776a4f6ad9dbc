/* host/emits.h: emits on their way from the source's outbox into the target's log, and the ack on its way back.
 *
 * Sending keeps the order of each source. Taking always appends (reserved room: it needs no room of the target's own
 * output or queue), unless the target has seen the emit already; the ack leaves once it is durable. So sending frees
 * credits as long as the journal moves, whatever services do: cycles cannot deadlock. At start a source sends again
 * what it derives again; until its target has replayed and announced its version, it waits as long as its outbox is at
 * most half full, because the target can then tell the repeated ones before it appends them. Once the whole node has
 * replayed it waits however full its outbox is: no record may stand in front of the one that says which version applies
 * it. A fuller one is sent while others still replay, perhaps only because of it, and if this binary could replay the
 * target's older version too; otherwise the node says so and stops.
 */
#ifndef WEIR_HOST_EMITS_H
#define WEIR_HOST_EMITS_H
#include "host/partition.h"

uint32_t host_emits_pump(struct host_partition *source);                 /* returns how many were sent */
bool host_emits_take(struct host_lane *lane, struct weir_slice message); /* MAIL_EMITTED */
#endif
