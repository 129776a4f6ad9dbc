/* host/tap.h: subscriptions: taps on a partition of any topic, served when a commit is let go.
 *
 * A tap lives on the lane that writes its partition, beside the outputs it passes on, and remembers the next offset it
 * owes. A live tap is served from the commit's own memory. One that starts at an older offset catches up first: the
 * read agent brings batches from the log, and the tap goes live at the first commit that begins where it has arrived,
 * or at once when nothing newer exists: no record is left out, none comes twice. Owner: the lane. Memory: a pool per
 * lane, TAPS_MAX, touched as used. FULL beyond.
 */
#ifndef WEIR_HOST_TAP_H
#define WEIR_HOST_TAP_H
#include "base/pool.h"
#include "host/lane.h"
#include "host/mail.h"

#define TAPS_MAX       65536u
#define TAPS_BUCKETS   4096u
#define TAP_READ_BYTES (1u << 20)

struct tap {
    uint32_t next_of_partition, next_of_session; /* chains of indices */
    uint32_t uid, number; /* of the partition; of this tap, unlike any earlier one in its place */
    struct log_partition *partition;
    struct host_origin origin;
    uint64_t key, next; /* the next offset owed */
    bool live, reading;
    bool said_live;
};

WEIR_MUST enum weir_error host_taps_open(struct host_lane *lane);
void host_taps_close(struct host_lane *lane);
/* The records of a durable commit to those who subscribed. False: a ring is full; call again with the same commit. */
bool host_taps_serve(struct host_lane *lane, struct held *held);
uint32_t host_taps_pace(struct host_lane *lane); /* asks for batches for taps that catch up; returns how many */

bool host_taps_subscribe(struct host_lane *lane, struct weir_slice message);   /* MAIL_SUBSCRIBE */
bool host_taps_unsubscribe(struct host_lane *lane, struct weir_slice message); /* MAIL_UNSUBSCRIBE */
bool host_taps_forget(struct host_lane *lane, struct weir_slice message);      /* MAIL_FORGET */
bool host_taps_caught(struct host_lane *lane, struct weir_slice message);      /* MAIL_CAUGHT */
#endif
