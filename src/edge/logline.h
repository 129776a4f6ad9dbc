/* edge/logline.h: structured log lines.
 *
 *     time=2026-01-02T03:04:05.678Z level=warn event=accept_failed listener=http error=IO detail="..." repeated=41
 *
 * logfmt, or one JSON object per line with the setting log_format: json. Values from outside are quoted and bounded. A
 * line whose event and error were written in the last ten seconds is only counted; the next one that is written says
 * how many were left out (repeated=N). The counts are also what logline_print_errors() shows at /v1/errors.
 * Threads: any. Allocation: none; a line is at most 2 KB.
 */
#ifndef WEIR_EDGE_LOGLINE_H
#define WEIR_EDGE_LOGLINE_H
#include "base/json.h"
#include "sys/sys.h"

#include <stdatomic.h>

enum logline_level { LOGLINE_DEBUG, LOGLINE_INFO, LOGLINE_WARN, LOGLINE_ERROR };

#define LOGLINE_SITES      128
#define LOGLINE_QUIET_NS   (10 * SYS_NANOS_PER_S)
#define LOGLINE_BYTES_MAX  2048
#define LOGLINE_DETAIL_MAX 256

struct logline_site {
    _Atomic uint64_t hash; /* 0: free */
    _Atomic uint64_t count, left_out;
    _Atomic uint64_t written_ns, last_wall_ns; /* mono time it was last written; wall time it last happened */
    char event[48], detail[160];               /* set by whoever took the site, before `named` */
    _Atomic bool named;
    uint8_t level;
};
struct logline {
    struct sys *sys;
    void (*put)(void *ctx, const char *line, size_t size); /* NULL: nothing is written, errors are counted */
    void *ctx;
    _Atomic bool json; /* a reload may change both */
    _Atomic enum logline_level level;
    _Atomic uint64_t overflowed; /* distinct errors that found no site */
    struct logline_site sites[LOGLINE_SITES];
};

struct logline_field {
    const char *key;
    const char *text; /* NULL: number */
    uint64_t number;
};
#define LOGLINE_TEXT(k, v)   ((struct logline_field){.key = (k), .text = (v)})
#define LOGLINE_NUMBER(k, v) ((struct logline_field){.key = (k), .number = (v)})

/* level_name: debug | info | warn | error; format: logfmt | json. */
WEIR_MUST enum weir_error logline_init(
    struct logline *log, struct sys *sys, const char *level_name, const char *format);
/* Only the two settings, in a log that is in use. CONFIG: nothing was changed. log NULL: only checks. */
WEIR_MUST enum weir_error logline_set(struct logline *log, const char *level_name, const char *format);
static inline bool logline_wants(const struct logline *log, enum logline_level level) {
    return level >= atomic_load_explicit(&((struct logline *)(uintptr_t)log)->level, memory_order_relaxed) && log->put;
}
/* An event with fields; not rate limited: for what happens rarely, and for the access log. */
void logline_fields(
    struct logline *log, enum logline_level level, const char *event, const struct logline_field *fields, size_t count);
/* The same from a format such as "data=%s ms=%.1f": fields apart by one blank each, values from our own side only. */
void logline_write(struct logline *log, enum logline_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* An error with its context line (weir_error_text() when detail is NULL): counted per event and detail, rate limited.
 */
void logline_error(
    struct logline *log, enum logline_level level, const char *event, enum weir_error error, const char *detail);
/* A JSON array of {event, level, count, lastTime, detail}, the sites in order of first occurrence. */
void logline_print_errors(struct logline *log, struct json_writer *w);

#endif
