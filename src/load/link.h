/* load/link.h: a mobile network between a client and the target, replayed from a recorded trace.
 *
 * A trace is a list of moments at which one packet may cross; what is not used then is lost, as on the air. It is read
 * in two forms: mahimahi's (a millisecond per line, a line per packet of 1,504 bytes, begins again at its end) and
 * "SECONDS MBIT/S" lines (averages; packets at even gaps). A link is one direction of one client's place in a trace; it
 * starts somewhere in it, so that clients differ. Delay and loss come on top: a packet's way takes the delay, and a
 * lost message is sent again after a retransmission time, with what follows it waiting, as TCP does. Pure; a trace is
 * shared and read-only, a link belongs to one thread.
 */
#ifndef WEIR_LOAD_LINK_H
#define WEIR_LOAD_LINK_H
#include "base/prng.h"
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

#define LOAD_LINK_PACKET      1504u /* bytes that cross at a moment, headers included */
#define LOAD_LINK_HEADERS     40u   /* IPv4 and TCP without options */
#define LOAD_LINK_PAYLOAD     (LOAD_LINK_PACKET - LOAD_LINK_HEADERS)
#define LOAD_LINK_MOMENTS_MAX (16u << 20)
#define LOAD_LINK_RETRY_NS    UINT64_C(200000000) /* Linux's least retransmission time */

struct load_trace {
    uint32_t *moments_us; /* rising */
    uint32_t count, room;
    uint64_t length_us;
    uint64_t spare_us; /* for the second form: what the next packet has waited already, in bits of a packet */
    double first_s, before_s, before_mbit; /* of the second form's lines; times count from the first line */
};
WEIR_MUST enum weir_error load_trace_init(struct load_trace *trace, struct weir_slice text);
void load_trace_done(struct load_trace *trace);

struct load_link {
    const struct load_trace *trace; /* NULL: nothing limits it */
    uint64_t start_us;              /* where in the trace the run began */
    uint64_t next;                  /* the next moment that nobody has used: counted from the trace's first start */
    uint64_t last_ns;               /* when the last message arrived: what follows is not earlier */
    uint64_t delay_ns;              /* one way, on average */
    uint32_t delay_shape;           /* 0: always the same; else the delay is gamma distributed, of this whole shape */
    uint32_t loss_ppm;
};
/* delay_sd_ns 0: no spread. */
void load_link_init(struct load_link *link, const struct load_trace *trace, uint64_t delay_ns, uint64_t delay_sd_ns,
    uint32_t loss_ppm, struct prng *random);
/* One way's delay. */
uint64_t load_link_delay(const struct load_link *link, struct prng *random);
/* A message of `size` bytes is handed over at now_ns (from the run's start): when its last byte is across. *lost counts
 * the times it was lost on the way. */
uint64_t load_link_cross(struct load_link *link, uint64_t now_ns, size_t size, struct prng *random, uint64_t *lost);
/* Bytes of those that have waited since since_ns that may cross by now_ns, at most size_max: uses the moments up. 0:
 * none, and *ret_next_ns is the next moment. */
size_t load_link_allows(
    struct load_link *link, uint64_t since_ns, uint64_t now_ns, size_t size_max, uint64_t *ret_next_ns);
#endif
