#include "host/sources.h"
#include "base/assert.h"
#include "base/hash.h"

/* Open addressing over 2 * SOURCES_MAX places, so that a look-up is one or two steps; a place with epoch 0 is free
 * (epochs begin at 1). Nothing is ever erased. */
#define PLACES (2u * SOURCES_MAX)

static struct envelope_source *place_of(const struct sources *sources, uint32_t uid) {
    uint32_t at = (uint32_t)hash_u64(uid, 0) & (PLACES - 1);
    while (sources->marks[at].epoch && sources->marks[at].uid != uid)
        at = (at + 1) & (PLACES - 1);
    return &sources->marks[at];
}

void sources_done(struct sources *sources) {
    if (sources->marks) sys_memory_unmap(sources->marks, PLACES * sizeof *sources->marks);
    memset(sources, 0, sizeof *sources);
}

bool sources_seen(const struct sources *sources, const struct envelope_source *source) {
    if (!sources->marks) return false;
    const struct envelope_source *mark = place_of(sources, source->uid);
    if (mark->epoch != source->epoch) return mark->epoch > source->epoch;
    if (mark->offset != source->offset) return mark->offset > source->offset;
    return mark->index >= source->index;
}

void sources_raise(struct sources *sources, const struct envelope_source *source) {
    WEIR_ASSERT(source->epoch > 0);
    if (!sources->marks) {
        void *memory;
        WEIR_ASSERT(sys_memory_map(PLACES * sizeof *sources->marks, &memory) == WEIR_OK);
        sources->marks = memory;
    }
    struct envelope_source *mark = place_of(sources, source->uid);
    if (!mark->epoch) WEIR_ASSERT(++sources->count <= SOURCES_MAX);
    *mark = *source;
}

bool sources_each(const struct sources *sources, uint32_t *place, struct envelope_source *ret_source) {
    while (sources->marks && *place < PLACES) {
        const struct envelope_source *mark = &sources->marks[(*place)++];
        if (!mark->epoch) continue;
        *ret_source = *mark;
        return true;
    }
    return false;
}
