/* host/clock.h: record time: monotonic, slewed towards wall time, never backwards.
 *
 * Owner: the partition's lane. Between two readings record time moves by the monotonic time elapsed, made up to 1/8
 * faster or slower until it meets wall time: a jump of the wall clock never jumps records, and an hour's error is gone
 * after eight hours. At start it is the later of wall time and the last record's time.
 */
#ifndef WEIR_HOST_CLOCK_H
#define WEIR_HOST_CLOCK_H
#include <stdint.h>

struct clock {
    uint64_t ns;      /* record time at the last reading */
    uint64_t mono_ns; /* when that was */
};
#define CLOCK_SLEW 8u

static inline void clock_init(struct clock *clock, uint64_t last_record_ns, uint64_t mono_ns, uint64_t wall_ns) {
    clock->ns = wall_ns > last_record_ns ? wall_ns : last_record_ns;
    clock->mono_ns = mono_ns;
}

static inline uint64_t clock_read(struct clock *clock, uint64_t mono_ns, uint64_t wall_ns) {
    uint64_t elapsed = mono_ns > clock->mono_ns ? mono_ns - clock->mono_ns : 0;
    if (elapsed == 0) return clock->ns;
    uint64_t ns = clock->ns + elapsed, slew = elapsed / CLOCK_SLEW;
    if (wall_ns > ns)
        ns += wall_ns - ns < slew ? wall_ns - ns : slew;
    else
        ns -= ns - wall_ns < slew ? ns - wall_ns : slew;
    clock->ns = ns;
    clock->mono_ns = mono_ns;
    return ns;
}
#endif
