/* log/tool.h: what the offline tools share: a log opened for looking only, findings, a walk over a segment's batches.
 * The folder must not be in use; one thread. */
#ifndef WEIR_LOG_TOOL_H
#define WEIR_LOG_TOOL_H
#include "log/journal_scan.h"
#include "log/state.h"

struct tool {
    struct sys *sys;
    struct log *log; /* not recovered: topics from the catalogue, rows from the checkpoint */
    log_finding_fn fn;
    void *ctx;
    enum weir_error worst; /* of all findings */
    bool have_catalogue, have_checkpoint;
};
/* Takes the lock, reads FORMAT, catalogue and checkpoint; what is wrong with them are findings. Errors: LOCKED,
 * NOT_FOUND (no log there), VERSION, NO_MEMORY. log_tool_close() in every case. */
WEIR_MUST enum weir_error log_tool_open(
    struct tool *t, struct sys *sys, const char *folder, log_finding_fn fn, void *ctx);
void log_tool_close(struct tool *t);
void log_tool_report(struct tool *t, enum weir_error e, const char *path, uint64_t byte, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Whole, correct, dense batches of a file from byte `from`, whose first offset is *next. Ends at `limit` or at what is
 * wrong. */
struct tool_run {
    uint64_t byte; /* behind the last good batch */
    uint64_t next; /* offset that follows it */
    uint64_t batches, records;
    const char *wrong; /* NULL: reached the limit */
};
typedef void (*tool_batch_fn)(void *ctx, struct weir_slice bytes, const struct weir_record_batch *batch, uint64_t byte);
WEIR_MUST enum weir_error log_tool_walk(struct sys *sys, int file, uint64_t from, uint64_t limit, uint64_t next,
    tool_batch_fn fn, void *ctx, struct tool_run *ret_run);

#endif
