/* load/rtt.h: round trips measured on real networks, a line for each: "NAME<tab>MEAN_MS<tab>SD_MS", below a line of
 * headings.
 *
 * A connection takes a line, and its messages a delay from it, half each way: gamma distributed, so that the round trip
 * has the line's mean and deviation. Pure; allocates its rows. Errors: INVALID, with the line; NOT_FOUND, with names
 * there are.
 */
#ifndef WEIR_LOAD_RTT_H
#define WEIR_LOAD_RTT_H
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

#define LOAD_RTT_ROWS_MAX   10000u
#define LOAD_RTT_MS_MAX     60000.0
#define LOAD_RTT_NAME_BYTES 64u

struct load_rtt {
    uint64_t delay_ns, delay_sd_ns; /* of one way */
    char name[LOAD_RTT_NAME_BYTES];
};
struct load_rtts {
    struct load_rtt *items;
    uint32_t count;
};
/* name "": all of the file; else those whose name it is, or begins with it and a dot. */
WEIR_MUST enum weir_error load_rtts_init(struct load_rtts *rtts, struct weir_slice text, const char *name);
void load_rtts_done(struct load_rtts *rtts);
#endif
