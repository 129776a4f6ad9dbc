/* host/out.h: what stands behind struct weir_out: where outputs, replies and emits of one apply go.
 *
 * Live: outputs go into the commit that carries their cause, emits into the partition's outbox, the reply into scratch
 * memory until the record's end. Replayed outputs that the output's partition has already, and everything of a shadow,
 * go to scratch memory and only into the rolling hash.
 * Owner: the fold's thread. Allocation: none; scratch memory was sized from output_bytes_max.
 */
#ifndef WEIR_HOST_OUT_H
#define WEIR_HOST_OUT_H
#include "base/metric.h"
#include "host/fold.h"
#include "host/outbox.h"

struct out_target {        /* an emit row, resolved */
    uint32_t first, count; /* the host's numbers of the target service's partitions */
};
struct out_sink {                                   /* constant for a partition's life */
    struct log_partition *outputs[FOLD_TOPICS_MAX]; /* by topic row */
    struct out_target targets[FOLD_EMITS_MAX];
    struct outbox *outbox;
    struct metric_counter *metrics; /* by row; NULL: none */
};
struct out_late { /* a reply to a ticket */
    uint64_t ticket;
    const uint8_t *data;
    size_t size;
    uint16_t status;
};
struct weir_out {
    struct fold *fold;
    struct out_sink *sink;     /* NULL: shadow or offline */
    struct log_commit *commit; /* of the sink */
    uint8_t *scratch;
    size_t scratch_size, scratch_used;
    bool replaying;
    /* Of the record being applied: */
    uint64_t offset, time_ns;
    struct weir_trace_link trace; /* what its emits say caused them */
    uint32_t emit_index;
    bool replied, later, pending;
    uint16_t reply_status;
    uint8_t *reply;
    size_t reply_size;
    /* The last room given, hashed when it is filled: */
    const uint8_t *last;
    size_t last_size;
    uint64_t last_what[3];
    uint32_t late_count;
    struct out_late late[WEIR_REPLIES_MAX]; /* of the record being applied */
};

/* Scratch bytes that one apply of this service may need. */
size_t out_scratch_size(const struct weir_service *service);
/* trace: of the record's envelope. */
void out_begin(struct weir_out *out, uint64_t offset, uint64_t time_ns, const struct weir_trace_link *trace);
void out_end(struct weir_out *out); /* the last room is filled now */
#endif
