/* edge/buffer.h: bytes on their way in or out of a connection, from pools of four sizes.
 *
 * A buffer is one run of bytes: data[at .. size) is content, consumed at the front, added at the back. Growing doubles;
 * up to 64 KB the memory comes from the lane's pools, above that it is mapped on its own. When it is released, up to
 * BUFFER_SPARES such maps stay for who asks next, since the kernel takes longer to clear fresh pages than we to fill
 * them; buffers_rest() gives them back when nobody did for a while, so that one large body does not stay resident for
 * ever. All buffers of a lane and the spares together never pass bytes_max.
 * Owner: the lane. Errors: false when the lane's bound or the buffer's own cap_max is reached.
 */
#ifndef WEIR_EDGE_BUFFER_H
#define WEIR_EDGE_BUFFER_H
#include "base/pool.h"

#include <weir/error.h>
#include <weir/slice.h>

#define BUFFER_CLASSES       4u /* 1, 4, 16 and 64 KB */
#define BUFFER_SPARES        4u
#define BUFFER_SPARE_MAX     (4u << 20) /* larger ones are given back at once */
#define BUFFER_SPARE_REST_NS 1000000000u

struct buffer_spare {
    uint8_t *data;
    size_t cap;
};

struct buffers {
    struct pool pools[BUFFER_CLASSES];
    void *memory[BUFFER_CLASSES];
    size_t memory_size;
    uint64_t bytes_used, bytes_max;
    uint64_t refused;                          /* growths that met the bound */
    struct buffer_spare spares[BUFFER_SPARES]; /* oldest first */
    uint32_t spare_count;
    uint64_t spare_bytes, spares_end_ns; /* the end: 0, it is still to be set */
};

struct buffer {
    uint8_t *data;
    uint32_t at, size, cap;
};

WEIR_MUST enum weir_error buffers_open(struct buffers *buffers, uint64_t bytes_max);
void buffers_close(struct buffers *buffers);
/* Gives spares back that nobody took for BUFFER_SPARE_REST_NS. When to be called again; UINT64_MAX: there are none. */
uint64_t buffers_rest(struct buffers *buffers, uint64_t now_ns);

/* At least `room` free bytes behind the content (moving it to the front or growing). cap_max bounds the capacity. */
WEIR_MUST bool buffer_reserve(struct buffers *buffers, struct buffer *buffer, size_t room, size_t cap_max);
WEIR_MUST bool buffer_add(struct buffers *buffers, struct buffer *buffer, struct weir_slice bytes, size_t cap_max);
void buffer_release(struct buffers *buffers, struct buffer *buffer); /* content is forgotten */

static inline size_t buffer_count(const struct buffer *b) {
    return b->size - b->at;
}
static inline size_t buffer_room(const struct buffer *b) {
    return b->cap - b->size;
}
static inline struct weir_slice buffer_slice(const struct buffer *b) {
    return weir_slice(b->data + b->at, b->size - b->at);
}
static inline void buffer_consume(struct buffer *b, size_t n) {
    WEIR_DEBUG_ASSERT(n <= buffer_count(b));
    b->at += (uint32_t)n;
    if (b->at == b->size) b->at = b->size = 0;
}

#endif
