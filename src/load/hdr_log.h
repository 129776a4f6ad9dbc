/* load/hdr_log.h: HdrHistogram's interval log, which its own tools read and plot: a line for each interval, with the
 * histogram of the answers that came in it.
 *
 * Source: HdrHistogram's HistogramLogWriter (log format 1.3) and AbstractHistogram (V2 encoding: counts as zigzag
 * LEB128 of at most nine bytes, a run of zeros as its negative length, in zlib, in base64). Values are nanoseconds; the
 * line's times are seconds and its maximum is ms, as that writer's are. Two significant digits, finer than our own
 * buckets, whose middle a value becomes. Owner: one thread. Memory: at init. Errors: NO_MEMORY.
 */
#ifndef WEIR_LOAD_HDR_LOG_H
#define WEIR_LOAD_HDR_LOG_H
#include "base/histogram.h"
#include "base/text.h"
#include <weir/error.h>

struct load_hdr_log {
    int64_t *counts; /* by HdrHistogram's index */
    uint8_t *plain, *zipped;
    size_t plain_max, zipped_max;
    char *text; /* of a line's histogram, with its NUL */
};
WEIR_MUST enum weir_error load_hdr_log_init(struct load_hdr_log *log);
void load_hdr_log_done(struct load_hdr_log *log);
/* What stands before the lines. wall_ns: when the run began. */
void load_hdr_log_head(struct text_builder *out, uint64_t wall_ns);
/* Interval from start_ns (of the run) on. */
WEIR_MUST enum weir_error load_hdr_log_line(struct load_hdr_log *log, struct text_builder *out, uint64_t start_ns,
    uint64_t length_ns, const struct histogram *h);
#endif
