/* exchange/test_engine_world.h: an engine in memory of its own, and the few lines every engine test needs. */
#ifndef WEIR_EXCHANGE_TEST_ENGINE_WORLD_H
#define WEIR_EXCHANGE_TEST_ENGINE_WORLD_H
#include "exchange/core.h"
#include <stdlib.h>
#include <string.h>

struct world {
    struct exchange_core *core;
    size_t size;
    uint64_t now;
};

static inline struct world world_new(const struct exchange_limits *limits) {
    struct world w = {.size = exchange_core_size(limits), .now = 1000};
    void *region = aligned_alloc(4096, w.size);
    memset(region, 0, w.size);
    w.core = exchange_core_open(region, w.size, limits);
    return w;
}
static inline void world_free(struct world *w) {
    free(w->core);
    w->core = NULL;
}
static inline struct exchange_terms world_terms(const char *name) {
    struct exchange_terms terms = {.type = EXCHANGE_COMMAND_DEFINE, .tick = 1, .lot = 1};
    memcpy(terms.name, name, strlen(name));
    return terms;
}
static inline void world_define(struct world *w, struct exchange_terms terms) {
    exchange_core_apply(w->core, &terms, sizeof(terms), w->now);
}
static inline const union exchange_output *world_do(
    struct world *w, struct exchange_command command, size_t *ret_count) {
    exchange_core_apply(w->core, &command, sizeof(command), w->now);
    return exchange_core_outputs(w->core, ret_count);
}

/* A growing buffer for snapshots. */
struct bytes {
    uint8_t *data;
    size_t size, room, at;
};
static inline bool bytes_write(void *context, const void *data, size_t size) {
    struct bytes *b = context;
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2;
        b->data = realloc(b->data, b->room);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return true;
}
static inline bool bytes_read(void *context, void *data, size_t size) {
    struct bytes *b = context;
    if (b->size - b->at < size) return false;
    memcpy(data, b->data + b->at, size);
    b->at += size;
    return true;
}
#endif
