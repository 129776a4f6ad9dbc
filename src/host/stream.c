#include "host/stream.h"
#include "sys/sys.h"

#define SINK_FIRST (1u << 20)

static enum weir_error grow(struct weir_sink *sink, size_t need) {
    size_t cap = sink->cap ? sink->cap : SINK_FIRST;
    while (cap < need)
        cap *= 2;
    void *memory;
    enum weir_error e = sys_memory_map(cap, &memory);
    if (e != WEIR_OK) return e;
    if (sink->size) memcpy(memory, sink->data, sink->size);
    if (sink->data) sys_memory_unmap(sink->data, sink->cap);
    sink->data = memory;
    sink->cap = cap;
    return WEIR_OK;
}

enum weir_error weir_sink_put(struct weir_sink *sink, const void *data, size_t size) {
    if (sink->put) return sink->put(sink->ctx, data, size);
    if (size > sink->cap - sink->size) {
        enum weir_error e = grow(sink, sink->size + size);
        if (e != WEIR_OK) return e;
    }
    if (size) memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return WEIR_OK;
}

void sink_done(struct weir_sink *sink) {
    if (sink->data) sys_memory_unmap(sink->data, sink->cap);
    memset(sink, 0, sizeof *sink);
}

enum weir_error weir_source_get(struct weir_source *source, void *data, size_t size) {
    const uint8_t *bytes = byte_get_raw(&source->reader, size);
    if (!bytes) return weir_error_context(WEIR_E_CORRUPT, "a snapshot ends before the state does");
    if (size) memcpy(data, bytes, size);
    return WEIR_OK;
}

uint32_t weir_source_version(const struct weir_source *source) {
    return source->version;
}
