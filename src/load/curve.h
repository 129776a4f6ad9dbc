/* load/curve.h: how many requests are due by when, from the first to the last, before the first is sent.
 *
 * A curve is a rate over time, linear between its points; request k is due when the integral of the rate reaches k. So
 * the schedule is a pure function of the curve: no answer, however late, can move it. Allocates its points once.
 *   steady      the rate, all the time           ramp        from 0 to the rate over the duration
 *   spike[:F]   the rate, in the middle third F times as much (3)
 *   burst[:P]   the rate on average; the requests of each period P (1s) are all due at its start
 *   trace:FILE  lines "SECONDS RATE"; begins again at its end; with a rate, scaled so that its peak is that rate
 *   capture     each datagram of a capture at its own time; begins again at its end; with a rate, faster or slower as a
 *               whole, so that its mean is that rate
 */
#ifndef WEIR_LOAD_CURVE_H
#define WEIR_LOAD_CURVE_H
#include <stdbool.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

#define LOAD_CURVE_POINTS_MAX 1000000u
#define LOAD_SECONDS_MAX      1e6
#define LOAD_TRACE_VALUE_MAX  1e9

struct load_curve_point {
    double at_s, rate; /* two points of one time are a jump */
    double before;     /* requests due before it */
};
struct load_curve {
    struct load_curve_point *points;
    uint32_t count, room;
    double total;      /* requests */
    double duration_s; /* of the last point */
    double rate_max;
    double period_s;          /* burst; else 0 */
    const uint64_t *times_ns; /* capture: when each is due in one pass, borrowed; else NULL */
    uint64_t time_count;
    double pass_ns, stretch; /* one pass; what its times are multiplied by */
};

/* `text` is one of the forms above; of trace:FILE the file's bytes are `trace`. rate 0: not given (only a trace can do
 * without). duration_s 0: not given: 10 s, or the trace's own. */
WEIR_MUST enum weir_error load_curve_init(
    struct load_curve *curve, const char *text, struct weir_slice trace, double rate, double duration_s);
/* Of "capture": its times, which stay where they are. */
WEIR_MUST enum weir_error load_curve_capture(
    struct load_curve *curve, const uint64_t *times_ns, uint64_t count, double rate, double duration_s);
void load_curve_done(struct load_curve *curve);
/* The file of "trace:FILE", else NULL. */
const char *load_curve_file(const char *text);

/* When request k (0 <= k < total) is due, ns from the start. Rises with k. *cursor: the caller's place in the curve, 0
 * at first; k rises from call to call. */
uint64_t load_curve_due_ns(const struct load_curve *curve, double k, uint32_t *cursor);

/* "TIME VALUE" lines for rates and links: blanks between, '#' comments, times that rise. What is wrong is named by its
 * line. Calls `take` for each. */
typedef enum weir_error load_pair_fn(void *context, double at, double value);
WEIR_MUST enum weir_error load_pairs_parse(struct weir_slice text, load_pair_fn *take, void *context);
#endif
