/* exchange/tool_feed.h: sends a plan to a node's binary gateway, over one session per partition, and hands every answer
 * to the checker.
 *
 * Without a rate the window is kept full and an order's time runs from the moment it was sent. With one, requests have
 * times to leave at that nothing can move, and an order's time runs from those: when the node (or this program) is
 * late, everyone behind is late too, and is counted so. A lost connection is made again for `retry_ns`: the session
 * goes on where it stopped and what was not answered is sent again. Owner: one thread. Allocates at open, and as
 * UserRefNums grow.
 */
#ifndef WEIR_EXCHANGE_TOOL_FEED_H
#define WEIR_EXCHANGE_TOOL_FEED_H
#include "base/histogram.h"
#include "exchange/tool_check.h"
#include "exchange/tool_client.h"

struct feed_session {
    struct tool_client client;
    uint32_t *keys; /* of UserRefNum first_ref + i */
    uint32_t first_ref, key_count, key_room;
    uint32_t unsent;       /* the last so many of what is pending have to be sent again */
    uint32_t next_nothing; /* first request after the last one answered: rows that send nothing are found there */
};
struct feed {
    const struct plan *plan;
    struct check *check;
    struct feed_session *sessions;
    uint32_t session_count;
    uint32_t *refs;                            /* per key: the UserRefNum it has now */
    uint32_t *session_of;                      /* per symbol */
    char (*names)[WEIR_OUCH_SYMBOL_SIZE];      /* per symbol, padded */
    uint64_t rate, window, retry_ns;           /* rate 0: as fast as the window allows */
    void (*progress)(const struct feed *feed); /* a few times a second; NULL: none */
    size_t next;                               /* request */
    uint64_t answered, begin_ns, end_ns, reconnects;
    struct histogram latency;
    uint64_t *buckets;
};

/* plan, check, sessions' clients (initialised), names and session_of are set already. */
WEIR_MUST enum weir_error feed_open(struct feed *feed);
void feed_done(struct feed *feed); /* the sessions' clients too */
/* Logs every session in, cancels what its account has open (of an earlier run). */
WEIR_MUST enum weir_error feed_login(struct feed *feed);
WEIR_MUST enum weir_error feed_run(struct feed *feed);
#endif
