/* host/stream.h: what stands behind struct weir_sink and struct weir_source: snapshots and dumps as bytes.
 *
 * A sink either collects in memory (mapped, doubled as needed, given back by sink_done) or passes on to a function. A
 * source reads from memory. Owner: one thread.
 */
#ifndef WEIR_HOST_STREAM_H
#define WEIR_HOST_STREAM_H
#include "base/bytes.h"

#include <weir/service.h>

struct weir_sink {
    enum weir_error (*put)(void *ctx, const void *data, size_t size); /* NULL: collect */
    void *ctx;
    uint8_t *data;
    size_t size, cap;
};
struct weir_source {
    struct byte_reader reader;
    uint32_t version;
};
void sink_done(struct weir_sink *sink);
#endif
